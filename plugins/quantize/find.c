/* What there is to quantise in a graph. */
#include <string.h>

#include "quantize.h"

/* Operators that multiply: which inputs are data, which one may be a weight. */
typedef struct row {
    const char *op;
    int data[3], n_data;
    int weight; /* -1: none */
} row;

static const row rows[] = {
    {"Conv", {0}, 1, 1},      {"ConvTranspose", {0}, 1, 1},    {"Gemm", {0, 1}, 2, 1},
    {"MatMul", {0, 1}, 2, 1}, {"Attention", {0, 1, 2}, 3, -1},
};

static const row *row_of(const job *j, const tenon_node *n) {
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (*j->graph->domain(n) == '\0' && strcmp(j->graph->op(n), rows[i].op) == 0)
            return &rows[i];
    return NULL;
}

int quant_is_op(const job *j, const tenon_node *n, const char *op) {
    return n != NULL && *j->graph->domain(n) == '\0' && strcmp(j->graph->op(n), op) == 0;
}

int quant_is_among(const job *j, const tenon_node *n, const char *const *ops) {
    for (; *ops != NULL; ops++)
        if (quant_is_op(j, n, *ops))
            return 1;
    return 0;
}

int quant_is_linear(const job *j, const tenon_node *n) {
    const row *r = row_of(j, n);
    return r != NULL && r->weight >= 0;
}

static int is_float(const job *j, const tenon_value *v) {
    return v != NULL && j->graph->element_type(v) == TENON_FLOAT;
}

static const tenon_tensor *numbers_of(const job *j, const tenon_value *v) {
    const tenon_tensor *t = is_float(j, v) ? j->graph->constant(v) : NULL;
    return t != NULL && j->tensor->rank(t) <= 8 ? t : NULL;
}

/* ---- points ---- */

static int same_wish(const settings *x, const settings *y) {
    return x->scheme == y->scheme && x->method == y->method && x->data_width == y->data_width &&
           x->has_data_frac == y->has_data_frac && x->data_frac == y->data_frac &&
           x->always_signed == y->always_signed && x->percentile == y->percentile;
}

static int add_point(job *j, tenon_node *n, int input, const settings *how) {
    tenon_value *v = j->graph->node_input(n, input);
    point *p = j->points;
    if (how->data_width == 0 || !is_float(j, v) || j->graph->constant(v) != NULL)
        return TENON_OK;
    while (p < j->points + j->n_points && (p->value != v || !same_wish(&p->how, how)))
        p++;
    if (p == j->points + j->n_points) {
        p->value = v;
        p->how = *how;
        p->uses = quant_room(j, (size_t)j->graph->uses(v), sizeof *p->uses);
        if (p->uses == NULL)
            return TENON_PASS_RESOURCE;
        j->n_points++;
    }
    p->uses[p->n_uses].node = n;
    p->uses[p->n_uses++].index = input;
    return TENON_OK;
}

/* ---- weights ---- */

/* Which dimension of a linear's weight are the output's channels, and which one is summed over. */
static void find_axes(const job *j, weight *w) {
    const tenon_node *n = w->node;
    if (quant_is_op(j, n, "Conv") || quant_is_op(j, n, "ConvTranspose")) {
        int turned = quant_is_op(j, n, "ConvTranspose");
        w->axis = turned ? 1 : 0;
        w->block_axis = turned ? 0 : 1;
        if (turned && j->graph->attribute_int(n, "group") > 1)
            w->axis = -1; /* of the groups together, there is no such dimension */
        return;
    }
    int last_is_summed = quant_is_op(j, n, "Gemm") && j->graph->attribute_int(n, "transB") != 0;
    w->axis = w->rank - (last_is_summed ? 2 : 1);
    w->block_axis = w->rank - (last_is_summed ? 1 : 2);
    if (w->rank < 2)
        w->axis = w->block_axis = -1;
}

static void settle_granularity(const job *j, weight *w) {
    w->axis = w->rank > 1 ? w->rank - 1 : -1;
    w->block_axis = -1;
    if (w->kind == WEIGHT_LINEAR)
        find_axes(j, w);
    else if (quant_is_everywhere(j))
        w->axis = -1; /* sums of integers need one scale for each of them */
    w->per = w->how.per;
    if (w->per == PER_BLOCK && w->block_axis < 0)
        w->per = PER_CHANNEL;
    if (w->per == PER_CHANNEL && w->axis < 0)
        w->per = PER_TENSOR;
}

static int take_numbers(const job *j, weight *w, const tenon_tensor *t) {
    w->rank = j->tensor->rank(t);
    w->count = j->tensor->count(t);
    for (int i = 0; i < w->rank; i++)
        w->dims[i] = j->tensor->dims(t)[i];
    const char *name = j->graph->value_name(w->value);
    char *own = quant_room(j, strlen(name) + 1, 1);
    w->x = quant_room(j, (size_t)w->count + 1, sizeof *w->x);
    w->codes = quant_room(j, (size_t)w->count + 1, sizeof *w->codes);
    if (own == NULL || w->x == NULL || w->codes == NULL)
        return TENON_PASS_RESOURCE;
    memcpy(w->x, j->tensor->data(t), (size_t)w->count * sizeof *w->x);
    w->name = strcpy(own, name);
    return TENON_OK;
}

static int add_weight(job *j, weight_kind kind, tenon_node *n, int input, const settings *how) {
    const tenon_tensor *t = numbers_of(j, j->graph->node_input(n, input));
    int width = kind == WEIGHT_LINEAR ? how->weight_width : how->table_width;
    if (t == NULL || width == 0 || j->tensor->count(t) == 0)
        return TENON_OK;
    weight *w = &j->weights[j->n_weights++];
    w->kind = kind;
    w->node = n;
    w->input = input;
    w->how = *how;
    w->width = width;
    w->value = j->graph->node_input(n, input);
    TRY(take_numbers(j, w, t));
    settle_granularity(j, w);
    return TENON_OK;
}

/* ---- linears ---- */

static int take_bias(const job *j, linear *l, tenon_node *n, int input) {
    const tenon_tensor *t = numbers_of(j, j->graph->node_input(n, input));
    if (t == NULL || j->tensor->count(t) != l->channels)
        return TENON_OK;
    l->bias_node = n;
    l->bias_input = input;
    l->bias = quant_room(j, (size_t)l->channels + 1, sizeof *l->bias);
    if (l->bias == NULL)
        return TENON_PASS_RESOURCE;
    for (int64_t i = 0; i < l->channels; i++)
        l->bias[i] = j->tensor->real(t, i);
    return TENON_OK;
}

/* The Add of a constant behind a MatMul is its bias. */
static int find_bias(const job *j, linear *l) {
    if (!quant_is_op(j, l->node, "MatMul"))
        return j->graph->node_inputs(l->node) > 2 ? take_bias(j, l, l->node, 2) : TENON_OK;
    tenon_use only = {NULL, 0};
    if (j->graph->uses(l->output) == 1)
        only = j->graph->use(l->output, 0);
    return quant_is_op(j, only.node, "Add") ? take_bias(j, l, only.node, 1 - only.index) : TENON_OK;
}

static int64_t channels_of(const job *j, const tenon_node *n, int *axis) {
    const tenon_value *y = j->graph->node_output(n, 0);
    int is_conv = !quant_is_op(j, n, "MatMul") && !quant_is_op(j, n, "Gemm");
    *axis = is_conv ? 1 : j->graph->rank(y) - 1;
    return *axis >= 0 && *axis < j->graph->rank(y) ? j->graph->dim(y, *axis) : -1;
}

static int add_linear(job *j, tenon_node *n, weight *w, const settings *how) {
    linear *l = &j->linears[j->n_linears];
    memset(l, 0, sizeof *l);
    l->node = n;
    l->weight = w;
    l->how = *how;
    l->output = j->graph->node_output(n, 0);
    l->channels = channels_of(j, n, &l->channel_axis);
    if (l->channels < 1)
        return TENON_OK;
    TRY(find_bias(j, l));
    l->mean = quant_room(j, (size_t)l->channels, sizeof *l->mean);
    l->now = quant_room(j, (size_t)l->channels, sizeof *l->now);
    if (l->mean == NULL || l->now == NULL)
        return TENON_PASS_RESOURCE;
    j->n_linears++;
    return TENON_OK;
}

/* ---- levels: what a linear has to wait for ---- */

typedef struct depth {
    const tenon_node *node;
    int level;
} depth;

static depth *slot_of(depth *table, size_t n, const tenon_node *node) {
    size_t at = (size_t)((uintptr_t)node >> 4) % n;
    while (table[at].node != NULL && table[at].node != node)
        at = (at + 1) % n;
    return &table[at];
}

static linear *linear_of(const job *j, const tenon_node *n) {
    for (int i = 0; i < j->n_linears; i++)
        if (j->linears[i].node == n)
            return &j->linears[i];
    return NULL;
}

static int find_levels(job *j) {
    size_t n = 2 * (size_t)j->graph->nodes(j->g) + 1;
    depth *table = quant_room(j, n, sizeof *table);
    if (table == NULL)
        return TENON_PASS_RESOURCE;
    for (const tenon_node *node = j->graph->first(j->g); node != NULL; node = j->graph->next(node)) {
        int level = 0;
        for (int i = 0; i < j->graph->node_inputs(node); i++) {
            const tenon_value *v = j->graph->node_input(node, i);
            const tenon_node *from = v != NULL ? j->graph->producer(v) : NULL;
            int before = from != NULL ? slot_of(table, n, from)->level : 0;
            level = before > level ? before : level;
        }
        linear *l = linear_of(j, node);
        if (l != NULL)
            l->level = level++;
        depth *d = slot_of(table, n, node);
        d->node = node;
        d->level = level;
    }
    return TENON_OK;
}

/* ---- all ---- */

/* Constants that are added to a value and as large as a table. */
enum { ADDEND_LEAST = 1024 };

static int find_addends(job *j, tenon_node *n, const settings *how) {
    for (int i = 0; i < 2; i++) {
        const tenon_tensor *t = numbers_of(j, j->graph->node_input(n, i));
        if (t != NULL && j->tensor->count(t) >= ADDEND_LEAST)
            TRY(add_weight(j, WEIGHT_ADDEND, n, i, how));
    }
    return TENON_OK;
}

static int find_in(job *j, tenon_node *n) {
    const row *r = row_of(j, n);
    settings how;
    if (r == NULL && !quant_is_op(j, n, "Gather") && !quant_is_op(j, n, "Add"))
        return TENON_OK;
    TRY(quant_settings(j, n, &how));
    if (quant_is_op(j, n, "Add"))
        return find_addends(j, n, &how);
    if (r == NULL)
        return j->graph->attribute_int(n, "axis") == 0 ? add_weight(j, WEIGHT_TABLE, n, 0, &how) : TENON_OK;
    int before = j->n_weights, everywhere = quant_is_everywhere(j);
    for (int i = 0; i < r->n_data && !everywhere && !how.dynamic; i++)
        TRY(add_point(j, n, r->data[i], &how));
    if (r->weight < 0)
        return TENON_OK;
    TRY(add_weight(j, WEIGHT_LINEAR, n, r->weight, &how));
    weight *w = j->n_weights > before ? &j->weights[before] : NULL;
    if (w != NULL)
        w->is_dynamic = how.dynamic && how.data_width > 0 && quant_can_be_dynamic(j, n);
    int has_constant = j->graph->constant(j->graph->node_input(n, r->weight)) != NULL;
    return has_constant && (w != NULL || how.data_width > 0) ? add_linear(j, n, w, &how) : TENON_OK;
}

int quant_find(job *j) {
    size_t n = (size_t)j->graph->nodes(j->g);
    j->points = quant_room(j, 3 * n + (size_t)j->graph->inputs(j->g) + 1, sizeof *j->points);
    j->weights = quant_room(j, 2 * n + 1, sizeof *j->weights);
    j->linears = quant_room(j, n + 1, sizeof *j->linears);
    if (j->points == NULL || j->weights == NULL || j->linears == NULL)
        return TENON_PASS_RESOURCE;
    for (tenon_node *node = j->graph->first(j->g); node != NULL; node = j->graph->next(node))
        if (quant_is_selected(j, node))
            TRY(find_in(j, node));
    TRY(quant_find_everywhere(j));
    return find_levels(j);
}
