/* tenon.opinfo/1: what operators do along axes. */
#include <string.h>

#include "plugin/services.h"

enum { SUMMED = TENON_AXIS_SUMMED, MIXED = TENON_AXIS_MIXED };

static int rank_of(const node *n, int input) {
    return node_input(n, input)->type.rank;
}

static int output_rank(const node *n) {
    return n->outputs[0]->type.rank;
}

static int attribute_axis(const node *n, const char *name, int rank) {
    int64_t axis = op_int(n, name);
    return (int)(axis < 0 ? axis + rank : axis);
}

/* ---- one function for each kind of operator: the axis of the output ---- */

/* numpy's broadcasting: the last axes are beside each other. */
static int broadcast(const node *n, int input, int axis) {
    return axis + output_rank(n) - rank_of(n, input);
}

static int matmul(const node *n, int input, int axis) {
    int rank = rank_of(n, input), from_end = rank - axis;
    if (rank_of(n, 0) < 2 || rank_of(n, 1) < 2)
        return MIXED;
    if (from_end > 2)
        return broadcast(n, input, axis);
    int is_summed = input == 0 ? from_end == 1 : from_end == 2;
    return is_summed ? SUMMED : output_rank(n) - (input == 0 ? 2 : 1);
}

static int gemm(const node *n, int input, int axis) {
    if (input == 2)
        return broadcast(n, input, axis);
    int is_turned = op_int(n, input == 0 ? "transA" : "transB") != 0;
    int is_summed = (axis == (input == 0 ? 1 : 0)) != is_turned;
    return is_summed ? SUMMED : input;
}

static bool has_a_filter_each(const node *n) {
    const tensor_type *x = &node_input(n, 0)->type, *w = &node_input(n, 1)->type;
    int64_t groups = op_int(n, "group");
    return x->rank > 1 && dim_is_known(x->dims[1]) && x->dims[1].n == groups && dim_is_known(w->dims[0]) &&
           w->dims[0].n == groups;
}

static int conv(const node *n, int input, int axis) {
    bool is_plain = op_int(n, "group") == 1;
    if (input == 0 && axis == 0)
        return 0;
    if (axis > 1 || (!is_plain && !has_a_filter_each(n)))
        return MIXED;
    if (input == 2 || (input == 1 && axis == 0) || (input == 0 && !is_plain))
        return 1;
    return is_plain ? SUMMED : MIXED;
}

/* X keeps its axes; what else there is goes along axis 1. */
static int along_channels(const node *n, int input, int axis) {
    (void)n;
    return input == 0 ? axis : 1;
}

static int planes(const node *n, int input, int axis) {
    (void)n;
    return input == 0 && axis < 2 ? axis : MIXED;
}

static int transpose(const node *n, int input, int axis) {
    int64_t count;
    const int64_t *perm = op_ints(n, "perm", &count);
    (void)input;
    for (int i = 0; perm != NULL && i < count; i++)
        if (perm[i] == axis)
            return i;
    return perm == NULL ? output_rank(n) - 1 - axis : MIXED;
}

static int softmax(const node *n, int input, int axis) {
    (void)input;
    return axis == attribute_axis(n, "axis", output_rank(n)) ? MIXED : axis;
}

static int concat(const node *n, int input, int axis) {
    (void)input;
    return axis == attribute_axis(n, "axis", output_rank(n)) ? MIXED : axis;
}

static int gather(const node *n, int input, int axis) {
    int at = attribute_axis(n, "axis", rank_of(n, 0));
    if (input == 1)
        return at + axis;
    return axis == at ? MIXED : axis < at ? axis : axis + rank_of(n, 1) - 1;
}

/* Batches and heads of four-dimensional operands, where each query head has its own key head. */
static int attention(const node *n, int input, int axis) {
    const value *q = node_input(n, 0), *k = node_input(n, 1);
    if (rank_of(n, 0) != 4 || rank_of(n, 1) != 4 || !dim_equal(q->type.dims[1], k->type.dims[1]))
        return MIXED;
    int to = input == 3 ? broadcast(n, input, axis) : axis;
    return input <= 3 && to <= 1 ? to : MIXED;
}

/* Axes that are reduced are mixed; the others keep their places, or move up where the reduced ones are gone. */
static int reduce(const node *n, int input, int axis) {
    const value *axes = node_input(n, 1);
    int gone = 0, rank = rank_of(n, 0);
    if (input != 0 || axes == NULL || axes->constant == NULL)
        return MIXED;
    for (int64_t i = 0; i < axes->constant->count; i++) {
        int64_t at = tensor_int(axes->constant, i);
        at = at < 0 ? at + rank : at;
        if (at == axis)
            return MIXED;
        gone += at < axis;
    }
    return op_int(n, "keepdims") != 0 ? axis : axis - gone;
}

static const struct opinfo_row {
    const char *op;
    int (*axis)(const node *n, int input, int axis);
} rows[] = {
    {"MatMul", matmul},
    {"Gemm", gemm},
    {"Conv", conv},
    {"LayerNormalization", broadcast},
    {"RMSNormalization", broadcast},
    {"BatchNormalization", along_channels},
    {"InstanceNormalization", along_channels},
    {"MaxPool", planes},
    {"AveragePool", planes},
    {"LpPool", planes},
    {"GlobalAveragePool", planes},
    {"GlobalMaxPool", planes},
    {"Transpose", transpose},
    {"Softmax", softmax},
    {"LogSoftmax", softmax},
    {"Concat", concat},
    {"Gather", gather},
    {"Attention", attention},
    {"ReduceMean", reduce},
    {"ReduceSum", reduce},
    {"ReduceMax", reduce},
    {"ReduceMin", reduce},
};

static bool is_known(const node *n, int input, int axis) {
    const value *v = node_input(n, input);
    return v != NULL && v->type.rank > axis && axis >= 0 && n->n_outputs > 0 && n->outputs[0] != NULL &&
           output_rank(n) >= 0 && n->row != NULL;
}

static int axis_of(const tenon_plugin_host *host, const tenon_node *handle, int input, int axis) {
    const node *n = plugin_node(handle);
    (void)host;
    if (!is_known(n, input, axis))
        return MIXED;
    if (n->row->kind == OP_SCALAR)
        return broadcast(n, input, axis);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (is_op(n, rows[i].op))
            return rows[i].axis(n, input, axis);
    return MIXED;
}

const tenon_opinfo_1 plugin_opinfo = {sizeof plugin_opinfo, axis_of};
