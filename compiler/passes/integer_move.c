/* Operators that only move or compare elements work on quantised integers: DequantizeLinear goes behind them, and meets
 * the QuantizeLinear there. */
#include "passes/integer.h"

enum { ANY_INPUTS = 99 };

/* Operators whose first `n_data` inputs are elements, and come out as they are. */
static const struct mover {
    const char *op;
    int n_data;
} movers[] = {
    {"Reshape", 1},         {"Flatten", 1},       {"Squeeze", 1},   {"Unsqueeze", 1}, {"Transpose", 1},
    {"Slice", 1},           {"Gather", 1},        {"Split", 1},     {"Expand", 1},    {"Tile", 1},
    {"Concat", ANY_INPUTS}, {"MaxPool", 1},       {"Identity", 1},  {"Pad", 1},       {"DepthToSpace", 1},
    {"SpaceToDepth", 1},    {"GlobalMaxPool", 1}, {"ReduceMax", 1}, {"ReduceMin", 1},
};

static const struct mover *mover_of(const node *n) {
    for (size_t k = 0; k < sizeof movers / sizeof *movers; k++)
        if (is_op(n, movers[k].op))
            return &movers[k];
    return NULL;
}

static int data_inputs(const struct mover *m, const node *n) {
    return m->n_data < n->n_inputs ? m->n_data : n->n_inputs;
}

/* Padding that is what stands for 0, or nothing. */
static bool pads_with_zero(const node *n) {
    const value *fill = node_input(n, 2);
    return fill == NULL ||
           (fill->constant != NULL && fill->constant->count == 1 && tensor_double(fill->constant, 0) == 0);
}

/* May the node read integers of this type? All its outputs are elements, too. */
static bool reads_type(const node *n, dtype t) {
    const op_param *p = op_input_param(n, 0);
    for (int i = 1; i < n->n_outputs; i++)
        if (n->outputs[i] != NULL && !is_op(n, "Split"))
            return false;
    return p != NULL && (p->types & TYPE_BIT(t)) != 0;
}

/* Its data inputs, all quantised alike; those of a constant by channel may be transposed alone. */
static bool read_inputs(const node *n, int n_data, quantised *out) {
    for (int i = 0; i < n_data; i++) {
        if (!quantised_read(node_input(n, i), &out[i > 0]) || (i > 0 && !quantised_same(&out[0], &out[1])))
            return false;
    }
    bool by_channel = is_op(n, "Transpose") && out->q->constant != NULL && out->block == 0;
    return out->q->type.elem != DT_I32 && (quantised_is_single(out) || by_channel) &&
           reads_type(n, out->q->type.elem) &&
           (!is_op(n, "Pad") || (pads_with_zero(n) && strcmp(op_string(n, "mode"), "constant") == 0) ||
            strcmp(op_string(n, "mode"), "constant") != 0);
}

/* The axis of the scales after a Transpose. */
static int64_t moved_axis(const node *n, const quantised *x) {
    int64_t count;
    const int64_t *perm = op_ints(n, "perm", &count);
    for (int k = 0; perm != NULL && k < count; k++)
        if (perm[k] == x->axis)
            return k;
    return x->q->type.rank - 1 - x->axis;
}

static status dequantize_output(integer_work *w, node *n, node *made, int i, const quantised *x) {
    value *y;
    const char *name = n->outputs[i]->name;
    TRY(integer_dequantize(w, n, made->outputs[i], x, &y));
    if (!quantised_is_single(x))
        TRY(node_set_attr(y->def, &INT_ATTR("axis", moved_axis(n, x))));
    TRY(graph_replace_all_uses(w->g, n->outputs[i], y));
    return graph_set_name(w->g, y, name);
}

static status move(integer_work *w, node *n, int n_data, const quantised *x) {
    int n_inputs = n->n_inputs > 3 || !is_op(n, "Pad") ? n->n_inputs : 3;
    value **inputs = ARENA_NEW_N(w->scratch, value *, n_inputs + 1);
    TRY_ALLOC(inputs);
    node **before = ARENA_NEW_N(w->scratch, node *, n_data + 1);
    TRY_ALLOC(before);
    for (int i = 0; i < n_data; i++)
        before[i] = node_input(n, i)->def;
    for (int i = 0; i < n->n_inputs; i++)
        inputs[i] = i < n_data ? node_input(before[i], 0) : node_input(n, i);
    int64_t zero = quantised_zero(x, 0);
    if (is_op(n, "Pad"))
        TRY(integer_constant(w, x->q->type.elem, 0, NULL, &zero, &inputs[2]));
    node *made;
    TRY(integer_node_of(w, n, n->op, inputs, n_inputs, n->attrs, n->n_attrs, n->n_outputs, &made));
    for (int i = 0; i < n->n_outputs; i++)
        if (n->outputs[i] != NULL)
            TRY(dequantize_output(w, n, made, i, x));
    TRY(graph_erase_node(w->g, n));
    for (int i = 0; i < n_data; i++) /* so that what it reads is read by `made` alone */
        if (!before[i]->erased && before[i]->outputs[0]->n_uses == 0)
            TRY(graph_erase_node(w->g, before[i]));
    return STATUS_OK;
}

status integer_move_down(integer_work *w) {
    node_list all;
    TRY(integer_nodes(w, &all));
    for (size_t i = 0; i < all.n; i++) {
        node *n = all.at[i];
        const struct mover *m = mover_of(n);
        quantised x[2];
        if (m != NULL && read_inputs(n, data_inputs(m, n), x))
            TRY(move(w, n, data_inputs(m, n), &x[0]));
    }
    return STATUS_OK;
}
