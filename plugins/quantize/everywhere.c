/* data=all: every value is quantised, so that a machine without floats can compute the model; ends=integer: what goes
 * in and comes out, too. */
#include <stdio.h>
#include <string.h>

#include "quantize.h"

int quant_is_everywhere(const job *j) {
    return strcmp(j->option->text(j->host, "data", NULL), "all") == 0;
}

/* ---- points ---- */

/* What takes a value's place with the same elements. */
static const char *const movers[] = {"Transpose",    "Reshape",      "Flatten",  "Squeeze", "Unsqueeze",
                                     "Slice",        "Gather",       "Identity", "Expand",  "MaxPool",
                                     "DepthToSpace", "SpaceToDepth", NULL};
/* What becomes a part of the rounding of whoever comes before it. */
static const char *const bounds[] = {"Relu", "Clip", "LeakyRelu", NULL};

static int is_bias(const job *j, const tenon_node *n) {
    for (int i = 0; i < j->n_linears; i++)
        if (j->linears[i].bias_node == n)
            return 1;
    return 0;
}

/* Does the only one who reads the value compute the two as one? */
static int is_taken_in(const job *j, const tenon_value *v) {
    if (j->graph->uses(v) != 1 || j->graph->producer(v) == NULL)
        return 0;
    const tenon_node *user = j->graph->use(v, 0).node;
    return user != NULL && (quant_is_among(j, user, bounds) || (is_bias(j, user) && !quant_is_op(j, user, "Gemm") &&
                                                                quant_is_op(j, j->graph->producer(v), "MatMul")));
}

/* A table's rows are integers already. */
static int is_table(const job *j, const tenon_node *n) {
    for (int i = 0; i < j->n_weights; i++)
        if (j->weights[i].node == n && j->weights[i].kind == WEIGHT_TABLE)
            return 1;
    return 0;
}

static const point *point_of(const job *j, const tenon_value *v) {
    for (int i = 0; i < j->n_points; i++)
        if (j->points[i].value == v)
            return &j->points[i];
    return NULL;
}

static int add_point(job *j, tenon_value *v) {
    tenon_node *from = j->graph->producer(v);
    int n = j->graph->uses(v);
    if (j->graph->element_type(v) != TENON_FLOAT || j->graph->constant(v) != NULL || n == 0 || is_taken_in(j, v) ||
        (from != NULL && (is_table(j, from) || !quant_is_selected(j, from))))
        return TENON_OK;
    point *p = &j->points[j->n_points];
    TRY(quant_settings(j, from, &p->how));
    if (p->how.data_width == 0)
        return TENON_OK;
    p->value = v;
    p->like = from != NULL && quant_is_among(j, from, movers) ? point_of(j, j->graph->node_input(from, 0)) : NULL;
    p->uses = quant_room(j, (size_t)n, sizeof *p->uses);
    if (p->uses == NULL)
        return TENON_PASS_RESOURCE;
    for (int i = 0; i < n; i++)
        p->uses[p->n_uses++] = j->graph->use(v, i);
    j->n_points++;
    return TENON_OK;
}

/* ---- masks ---- */

/* What is added to scores so that a softmax makes nothing of them is as good as minus infinity in the model, which
 * would leave no codes for the scores. exp of this is below what 8 bits of a probability show, and scores keep their
 * steps. */
static const float mask_enough = -12;

static int soften_masks(const job *j, tenon_node *n) {
    static const char *const ops[] = {"Mul", "Add", "Where", NULL};
    for (int i = 0; quant_is_among(j, n, ops) && i < j->graph->node_inputs(n); i++) {
        const tenon_tensor *t = j->graph->constant(j->graph->node_input(n, i));
        if (t == NULL || j->tensor->element_type(t) != TENON_FLOAT || j->tensor->count(t) != 1 ||
            j->tensor->real(t, 0) > -1e9)
            continue;
        tenon_tensor *made =
            j->tensor->make(j->host, j->g, TENON_FLOAT, j->tensor->rank(t), j->tensor->dims(t), &mask_enough);
        tenon_value *v = made != NULL ? j->graph->add_constant(j->host, j->g, "mask", made) : NULL;
        if (v == NULL)
            return TENON_PASS_RESOURCE;
        TRY(j->graph->set_input(j->host, n, i, v));
    }
    return TENON_OK;
}

int quant_find_everywhere(job *j) {
    int all = quant_is_everywhere(j);
    if (!all && strcmp(j->option->text(j->host, "ends", NULL), "integer") == 0) {
        j->diag->error(j->host, NULL, "usage", "ends=integer goes with data=all");
        return TENON_PASS_USAGE;
    }
    for (tenon_node *n = j->graph->first(j->g); all && n != NULL; n = j->graph->next(n))
        TRY(soften_masks(j, n));
    for (int i = 0; all && i < j->graph->inputs(j->g); i++)
        TRY(add_point(j, j->graph->input(j->g, i)));
    for (tenon_node *n = j->graph->first(j->g); all && n != NULL; n = j->graph->next(n))
        if (j->graph->node_output(n, 0) != NULL)
            TRY(add_point(j, j->graph->node_output(n, 0)));
    return TENON_OK;
}

/* ---- ends ---- */

/* The QuantizeLinear, perhaps behind a Clip, that alone reads the input; NULL: there is none. */
static tenon_node *quantiser_of(const job *j, const tenon_value *input) {
    const tenon_value *v = input;
    tenon_node *n = j->graph->uses(v) == 1 ? j->graph->use(v, 0).node : NULL;
    if (quant_is_op(j, n, "Clip") && j->graph->uses(j->graph->node_output(n, 0)) == 1)
        n = j->graph->use(j->graph->node_output(n, 0), 0).node;
    return quant_is_op(j, n, "QuantizeLinear") ? n : NULL;
}

static int turn_input(job *j, tenon_value *input) {
    tenon_node *q = quantiser_of(j, input);
    if (q == NULL)
        return TENON_OK;
    tenon_value *codes = j->graph->node_output(q, 0);
    const char *type = j->graph->type_text(j->host, codes), *name = j->graph->value_name(input);
    if (type == NULL)
        return TENON_PASS_RESOURCE;
    size_t word = strcspn(type, "[");
    char *called = quant_room(j, strlen(name) + word + 2, 1), *own = quant_room(j, strlen(type) + 1, 1);
    if (called == NULL || own == NULL)
        return TENON_PASS_RESOURCE;
    sprintf(called, "%s_%.*s", name, (int)word, type);
    tenon_value *made = j->graph->add_input(j->host, j->g, called, strcpy(own, type));
    if (made == NULL)
        return TENON_PASS_RESOURCE;
    TRY(j->graph->replace_all_uses(j->host, j->g, codes, made));
    tenon_node *clip = j->graph->producer(j->graph->node_input(q, 0));
    TRY(j->graph->erase(j->host, j->g, q));
    if (clip != NULL)
        TRY(j->graph->erase(j->host, j->g, clip));
    return j->graph->remove_value(j->host, j->g, input);
}

int quant_ends(job *j) {
    if (strcmp(j->option->text(j->host, "ends", NULL), "integer") != 0)
        return TENON_OK;
    int n = j->graph->inputs(j->g);
    tenon_value **inputs = quant_room(j, (size_t)n + 1, sizeof *inputs);
    if (inputs == NULL)
        return TENON_PASS_RESOURCE;
    for (int i = 0; i < n; i++)
        inputs[i] = j->graph->input(j->g, i);
    for (int i = 0; i < n; i++)
        TRY(turn_input(j, inputs[i]));
    for (int i = 0; i < j->graph->outputs(j->g); i++) {
        tenon_node *from = j->graph->producer(j->graph->output(j->g, i));
        if (quant_is_op(j, from, "DequantizeLinear"))
            TRY(j->graph->set_output(j->host, j->g, i, j->graph->node_input(from, 0)));
    }
    return TENON_OK;
}
