/* The weights of a graph, as matrices. */
#include <math.h>
#include <string.h>

#include "prune.h"

const char *prune_label(const job *j, const tenon_node *n) {
    const char *name = j->graph->node_name(n);
    return *name != '\0' ? name : j->graph->value_name(j->graph->node_output(n, 0));
}

int prune_is_op(const job *j, const tenon_node *n, const char *op) {
    return n != NULL && *j->graph->domain(n) == '\0' && strcmp(j->graph->op(n), op) == 0;
}

static const tenon_tensor *numbers_of(const job *j, const tenon_value *v) {
    const tenon_tensor *t = v != NULL && j->graph->element_type(v) == TENON_FLOAT ? j->graph->constant(v) : NULL;
    return t != NULL && j->tensor->rank(t) >= 2 && j->tensor->rank(t) <= 8 && j->tensor->count(t) > 0 ? t : NULL;
}

/* ---- where the elements lie ---- */

/* Outputs o lie output_step apart in each of the parts of `inner`, which lie outer_step apart; inputs lie in runs. */
int64_t weight_place(const weight *w, int64_t o, int64_t i) {
    return o / w->inner * w->outer_step + o % w->inner * w->output_step + i / w->shape.run * w->run_step +
           i % w->shape.run * w->input_step;
}

/* [..., inputs, outputs]; a matrix of a batch has outputs of its own. */
static void lay_matmul(const job *j, weight *w) {
    int64_t k = w->dims[w->rank - 2], n = w->dims[w->rank - 1];
    (void)j;
    w->shape = (shape){w->count / k, k, k};
    w->inner = n;
    w->outer_step = k * n;
    w->output_step = 1;
    w->input_step = n;
    w->groups = w->count / (k * n);
}

static void lay_gemm(const job *j, weight *w) {
    lay_matmul(j, w);
    if (j->graph->attribute_int(w->node, "transB") == 0)
        return;
    w->shape = (shape){w->dims[0], w->dims[1], w->dims[1]};
    w->inner = w->dims[0];
    w->output_step = w->dims[1];
    w->input_step = 1;
    w->groups = 1;
}

/* [outputs, channels, kernel...]: the channels of each place of the kernel are a run. */
static void lay_conv(const job *j, weight *w) {
    int64_t k = w->count / w->dims[0], places = k / w->dims[1];
    w->shape = (shape){w->dims[0], k, w->dims[1]};
    w->inner = w->dims[0];
    w->output_step = k;
    w->run_step = 1;
    w->input_step = places;
    w->groups = j->graph->attribute_int(w->node, "group");
    w->is_conv = 1;
}

/* A row of a table is an output. */
static void lay_table(const job *j, weight *w) {
    int64_t k = w->count / w->dims[0];
    (void)j;
    w->shape = (shape){w->dims[0], k, k};
    w->inner = w->dims[0];
    w->output_step = k;
    w->input_step = 1;
    w->groups = 1;
}

static const struct row {
    const char *op;
    int weight; /* which input */
    void (*lay)(const job *j, weight *w);
    int is_table;
} rows[] = {
    {"MatMul", 1, lay_matmul, 0}, {"Gemm", 1, lay_gemm, 0}, {"Conv", 1, lay_conv, 0}, {"Gather", 0, lay_table, 1}};

/* ---- finding ---- */

static weight *same_weight(const job *j, const weight *w) {
    for (weight *o = j->weights; o < j->weights + j->n_weights; o++)
        if (o->value == w->value && o->how.by == w->how.by && strcmp(j->graph->op(o->node), j->graph->op(w->node)) == 0)
            return o;
    return NULL;
}

static int share_weight(const job *j, weight *with, const weight *w) {
    sharer *s = prune_room(j, 1, sizeof *s);
    if (s == NULL)
        return TENON_PASS_RESOURCE;
    *s = (sharer){w->node, w->input, with->others};
    with->others = s;
    return TENON_OK;
}

static int take_numbers(const job *j, weight *w, const tenon_tensor *t) {
    const float *from = j->tensor->data(t);
    const char *name = j->graph->value_name(w->value);
    char *own = prune_room(j, strlen(name) + 1, 1);
    w->x = prune_room(j, (size_t)w->count, sizeof *w->x);
    w->pruned = prune_room(j, (size_t)w->count, sizeof *w->pruned);
    w->keep = prune_room(j, (size_t)w->count, 1);
    if (own == NULL || w->x == NULL || w->pruned == NULL || w->keep == NULL)
        return TENON_PASS_RESOURCE;
    w->name = strcpy(own, name);
    for (int64_t o = 0, at = 0; o < w->shape.outputs; o++)
        for (int64_t i = 0; i < w->shape.inputs; i++)
            w->x[at++] = from[weight_place(w, o, i)];
    memset(w->keep, 1, (size_t)w->count);
    for (int64_t i = 0; i < w->count; i++)
        if (!isfinite(w->x[i])) {
            j->diag->error(j->host, w->node, "not-finite", "%s has %g: keep=%s leaves it as it is", w->name,
                           (double)w->x[i], prune_label(j, w->node));
            return TENON_PASS_INVALID;
        }
    return TENON_OK;
}

static const struct row *row_of(const job *j, const tenon_node *n) {
    for (size_t r = 0; r < sizeof rows / sizeof *rows; r++)
        if (prune_is_op(j, n, rows[r].op))
            return &rows[r];
    return NULL;
}

int prune_is_linear(const job *j, const tenon_node *n, int *input) {
    const struct row *r = row_of(j, n);
    if (r == NULL || r->is_table || numbers_of(j, j->graph->node_input(n, r->weight)) == NULL)
        return 0;
    *input = r->weight;
    return 1;
}

int prune_take(const job *j, tenon_node *n, weight *w) {
    const struct row *r = row_of(j, n);
    memset(w, 0, sizeof *w);
    TRY(prune_settings(j, n, &w->how));
    w->node = n;
    w->input = r->weight;
    w->value = j->graph->node_input(n, r->weight);
    const tenon_tensor *t = numbers_of(j, w->value);
    w->rank = j->tensor->rank(t);
    w->count = j->tensor->count(t);
    memcpy(w->dims, j->tensor->dims(t), (size_t)w->rank * sizeof *w->dims);
    r->lay(j, w);
    w->share = w->how.sparsity;
    w->output_error = -1;
    TRY(take_numbers(j, w, t));
    return mask_read(j, w);
}

/* ---- what is left ---- */

static const char *type_limit(int element_type) {
    switch (element_type) {
    case TENON_FLOAT16:
        return "its weights are float16; only floats of 32 bits are pruned";
    case TENON_BFLOAT16:
        return "its weights are bfloat16; only floats of 32 bits are pruned";
    case TENON_DOUBLE:
        return "its weights are double; only floats of 32 bits are pruned";
    default:
        return "its weights are no floats";
    }
}

/* Why it has no weight that could be pruned. */
static unpruned why_not(const job *j, const tenon_node *n, const struct row *r) {
    const tenon_value *v = j->graph->node_input(n, r->weight), *first = j->graph->node_input(n, 0);
    const tenon_tensor *t = v != NULL ? j->graph->constant(v) : NULL;
    if (t == NULL && !prune_is_op(j, n, "Conv") && first != NULL && j->graph->constant(first) != NULL)
        return (unpruned){n, "its constant is the left operand; only the right one is pruned", 1};
    if (t == NULL && v != NULL && prune_is_op(j, j->graph->producer(v), "DequantizeLinear"))
        return (unpruned){n, "its weights are quantised; prune comes before quantize", 1};
    if (t == NULL)
        return (unpruned){n, "it has no constant weight", 0};
    if (j->tensor->element_type(t) != TENON_FLOAT)
        return (unpruned){n, type_limit(j->tensor->element_type(t)), 1};
    if (j->tensor->count(t) == 0)
        return (unpruned){n, "its weight has no numbers", 0};
    return (unpruned){n, "its weight is no matrix", 1};
}

/* Why a layer is none that something leaves the graph from. */
static const char *const no_structure[] = {
    [BY_ROW] = "granularity=row is of outputs of two dimensions and more",
    [BY_CHANNEL] = "granularity=channel is of Conv",
    [BY_HEAD] = "granularity=head is of Attention, and of products of its form",
    [BY_NEURON] = "granularity=neuron is of MatMul and Gemm",
};

static int leave(job *j, unpruned l) {
    j->left[j->n_left++] = l;
    return TENON_OK;
}

static int add_weight(job *j, tenon_node *n, const struct row *r) {
    weight *same, asked = {.node = n, .input = r->weight, .value = j->graph->node_input(n, r->weight)};
    if (numbers_of(j, asked.value) == NULL)
        return leave(j, why_not(j, n, r));
    TRY(prune_settings(j, n, &asked.how));
    if (asked.how.by > BY_COLUMN)
        return leave(j, (unpruned){n, no_structure[asked.how.by], 0});
    same = same_weight(j, &asked);
    return same != NULL ? share_weight(j, same, &asked) : prune_take(j, n, &j->weights[j->n_weights++]);
}

int prune_find(job *j) {
    int tables = j->option->count(j->host, "select", NULL) > 0;
    j->weights = prune_room(j, (size_t)j->graph->nodes(j->g) + 1, sizeof *j->weights);
    j->left = prune_room(j, (size_t)j->graph->nodes(j->g) + 1, sizeof *j->left);
    if (j->weights == NULL || j->left == NULL)
        return TENON_PASS_RESOURCE;
    for (tenon_node *n = j->graph->first(j->g); n != NULL; n = j->graph->next(n)) {
        const struct row *r = row_of(j, n);
        j->n_layers += r != NULL && !r->is_table;
        if (r != NULL && (tables || !r->is_table) && prune_is_selected(j, n))
            TRY(add_weight(j, n, r));
    }
    return TENON_OK;
}
