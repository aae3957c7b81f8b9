/* Softmax, LogSoftmax, Hardmax: rows along one axis. */
#include "ops/kit.h"

static status softmax_infer(node *n) {
    int axis, rank = op_input_rank(n, 0);
    if (rank > 0)
        TRY(op_axis(n, op_int(n, "axis"), rank, &axis));
    return kit_infer_same(n);
}

/* Before opset 13 all dimensions from `axis` (1 if not given) on were one row. Unless that is the last one alone, the
 * operator is wrapped: Flatten, the operator, Reshape; the old node is left without users. */
static status softmax_upgrade(node *n) {
    kit_chain c = KIT_CHAIN(n->graph, n);
    value *x = node_input(n, 0);
    int rank = x->type.rank;
    int64_t axis = op_has(n, "axis") ? op_int(n, "axis") : 1;
    attr last = {.name = "axis", .kind = ATTR_INT, .i = -1};
    if (rank > 0 && kit_axis(axis, rank) == rank - 1)
        return node_set_attr(n, &last);
    value *rows = kit_chain_with(&c, n->op, kit_chain_axis(&c, "Flatten", x, NULL, axis), NULL, &last);
    return kit_chain_result(&c, node_output(n, 0),
                            kit_chain_binary(&c, "Reshape", rows, kit_chain_unary(&c, "Shape", x)));
}

/* A nest over the rows along the axis, and the maximum of each row. */
static const expr *open_rows(const node *n, nest_list *l, const char *name, kit_rows *r) {
    int rank = kit_operand(l, 0)->rank;
    bool inner[TENSOR_MAX_RANK] = {false};
    if (rank > 0)
        inner[kit_axis(op_int(n, "axis"), rank)] = true;
    kit_rows_begin(l, name, 0, inner, r);
    kit_rows_open(r);
    return nest_reduce(r->m, REDUCE_MAX, kit_read(l, 0, r->index));
}

static const expr *exp_minus(const nest_list *l, const kit_rows *r, const expr *most) {
    return build_exp(l->b, build_sub(l->b, kit_read(l, 0, r->index), most));
}

static status softmax_lower(const node *n, nest_list *l) {
    kit_rows r;
    const expr *most = open_rows(n, l, "softmax", &r);
    kit_rows_open(&r);
    const expr *sum = nest_reduce(r.m, REDUCE_SUM, exp_minus(l, &r, most));
    kit_rows_open(&r);
    /* One division a row: its sum is 1 at least, so that nothing overflows. */
    const expr *share = build_div(l->b, build_const(l->b, sum->type.elem, 1), sum);
    kit_store(l, r.m, nest_output(l, 0), r.index, build_mul(l->b, exp_minus(l, &r, most), share));
    return builder_status(l->b);
}

static status log_softmax_lower(const node *n, nest_list *l) {
    kit_rows r;
    builder *b = l->b;
    const expr *most = open_rows(n, l, "log_softmax", &r);
    kit_rows_open(&r);
    const expr *sum = nest_reduce(r.m, REDUCE_SUM, exp_minus(l, &r, most));
    kit_rows_open(&r);
    const expr *shifted = build_sub(b, kit_read(l, 0, r.index), most);
    kit_store(l, r.m, nest_output(l, 0), r.index, build_sub(b, shifted, build_log(b, sum)));
    return builder_status(b);
}

/* 1 at the first maximum of the row, 0 elsewhere. */
static status hardmax_lower(const node *n, nest_list *l) {
    kit_rows r;
    builder *b = l->b;
    const expr *most = open_rows(n, l, "hardmax", &r);
    int axis = kit_axis(op_int(n, "axis"), r.rank);
    kit_rows_open(&r);
    const expr *held = build_eq(b, kit_read(l, 0, r.index), most);
    const expr *first = nest_reduce(r.m, REDUCE_MIN, build_select(b, held, r.index[axis], build_index(b, INT64_MAX)));
    kit_rows_open(&r);
    const expr *one = kit_const(b, most, 1), *zero = kit_const(b, most, 0);
    kit_store(l, r.m, nest_output(l, 0), r.index, build_select(b, build_eq(b, r.index[axis], first), one, zero));
    return builder_status(b);
}

static status hardmax_infer(node *n) {
    if (op_input_rank(n, 0) == 0)
        return op_invalid(n, "wrong-rank", "the input is a scalar");
    return softmax_infer(n);
}

static const op_attr axis_attr[] = {{"axis", ATTR_INT, .i = -1}, {.name = NULL}};

OP_ROW(Softmax) = {
    .name = "Softmax",
    .domain = "",
    .versions = VERSIONS(1, 11, 13),
    .kind = OP_LOWER,
    .inputs = kit_float_input,
    .outputs = kit_float_output,
    .attrs = axis_attr,
    .infer = softmax_infer,
    .upgrade = softmax_upgrade,
    .lower = softmax_lower,
};
OP_ROW(LogSoftmax) = {
    .name = "LogSoftmax",
    .domain = "",
    .versions = VERSIONS(1, 11, 13),
    .kind = OP_LOWER,
    .inputs = kit_float_input,
    .outputs = kit_float_output,
    .attrs = axis_attr,
    .infer = softmax_infer,
    .upgrade = softmax_upgrade,
    .lower = log_softmax_lower,
};
OP_ROW(Hardmax) = {
    .name = "Hardmax",
    .domain = "",
    .versions = VERSIONS(1, 11, 13),
    .kind = OP_LOWER,
    .inputs = kit_float_input,
    .outputs = kit_float_output,
    .attrs = axis_attr,
    .infer = hardmax_infer,
    .upgrade = softmax_upgrade,
    .lower = hardmax_lower,
};
