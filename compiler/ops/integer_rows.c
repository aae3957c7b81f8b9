/* Operators of integer programs over rows: IntegerSoftmax, IntegerLayerNorm. */
#include "ops/integer.h"

/* ---- IntegerSoftmax: powers of e from a table by the distance from the largest, divided by their sum ---- */

static status softmax_infer(node *n) {
    int axis;
    TRY(integer_check_result(n));
    if (op_input_rank(n, 0) >= 0)
        TRY(op_axis(n, op_int(n, "axis"), op_input_rank(n, 0), &axis));
    return kit_output_shaped(n, 0, 0, integer_result_type(n));
}

/* exp of (x - most) * scale, in fixed point. */
static const expr *power(nest_list *l, const expr *most, const expr *x) {
    const expr *down = build_sub(l->b, most, build_cast(l->b, DT_I64, x));
    return build_cast(l->b, DT_I64, nest_read(l, 1, &down));
}

static status softmax_lower(const node *n, nest_list *l) {
    builder *b = l->b;
    int rank = kit_operand(l, 0)->rank, out = nest_output(l, 0);
    bool inner[TENSOR_MAX_RANK] = {false};
    kit_rows r;
    inner[kit_axis(op_int(n, "axis"), rank)] = true;
    kit_rows_begin(l, "integer_softmax", 0, inner, &r);
    kit_rows_open(&r);
    const expr *most = build_cast(b, DT_I64, nest_reduce(r.m, REDUCE_MAX, nest_read(l, 0, r.index)));
    kit_rows_open(&r);
    const expr *sum = nest_reduce(r.m, REDUCE_SUM, power(l, most, nest_read(l, 0, r.index)));
    kit_rows_open(&r);
    const expr *y = build_mul(b, power(l, most, nest_read(l, 0, r.index)), build_index(b, op_int(n, "steps")));
    const expr *whole = build_binary(b, EXPR_SHL, sum, build_index(b, op_int(n, "shift")));
    const expr *half = build_binary(b, EXPR_SHR, whole, build_index(b, 1));
    y = build_div(b, build_add(b, y, half), whole);
    nest_store(r.m, out, r.index, rank, integer_result(b, n, y));
    return builder_status(b);
}

/* y = power * steps / (sum << shift), rounded: 2^shift / steps is the result's scale. */
OP_ROW(tenon__IntegerSoftmax) = {
    .name = "IntegerSoftmax",
    .domain = OP_OWN_DOMAIN,
    .versions = VERSIONS(1),
    .kind = OP_LOWER,
    .inputs = PARAMS({"x", TYPES_QUANTISED, 0, 0}, {"powers", TYPES_SUM, 0, PARAM_KNOWN}),
    .outputs = PARAMS({"y", TYPES_QUANTISED, 0, 0}),
    .attrs = ATTRS({"axis", ATTR_INT, .i = -1}, {"steps", ATTR_INT, .required = true}, {"shift", ATTR_INT, .i = 0},
                   INTEGER_RESULT_ATTRS),
    .infer = softmax_infer,
    .lower = softmax_lower,
};

/* ---- IntegerLayerNorm: over the last dimension of n elements, with d = n*x - sum(x), which is exact ----
 *
 * y = (d * gain << up) / root + offset, all >> shift, where root = floor(sqrt((sum(d*d) + epsilon) << 2*up)). The root
 * has a relative error of 2^-up at most, where all but nothing differs within the row, and 2^-16 as soon as d reaches
 * 2^(16-up).
 */

enum { LN_X, LN_GAIN, LN_OFFSET, ROOT_BITS = 31 };

static status layer_norm_infer(node *n) {
    TRY(integer_check_result(n));
    return kit_output_shaped(n, 0, 0, integer_result_type(n));
}

/* floor(sqrt(x)) for x < 2^62, bit by bit. */
static const expr *square_root(builder *b, const expr *x) {
    const expr *root = build_index(b, 0);
    for (int k = ROOT_BITS - 1; k >= 0; k--) {
        const expr *more = build_add(b, root, build_index(b, INT64_C(1) << k));
        root = build_select(b, build_le(b, build_mul(b, more, more), x), more, root);
    }
    return root;
}

/* x / y to the nearest, y > 0. */
static const expr *rounded_quotient(builder *b, const expr *x, const expr *y) {
    const expr *half = build_binary(b, EXPR_SHR, y, build_index(b, 1));
    half = build_select(b, build_lt(b, x, build_index(b, 0)), build_unary(b, EXPR_NEG, half), half);
    return build_div(b, build_add(b, x, half), y);
}

static status layer_norm_lower(const node *n, nest_list *l) {
    builder *b = l->b;
    int rank = kit_operand(l, 0)->rank, out = nest_output(l, 0);
    bool inner[TENSOR_MAX_RANK] = {false};
    const expr *up = build_index(b, op_int(n, "up")), *twice = build_index(b, 2 * op_int(n, "up"));
    kit_rows r;
    inner[rank - 1] = true;
    kit_rows_begin(l, "integer_layer_norm", LN_X, inner, &r);
    const expr *count = build_index(b, r.count = kit_operand(l, 0)->dims[rank - 1]);
    kit_rows_open(&r);
    const expr *total = nest_reduce(r.m, REDUCE_SUM, build_cast(b, DT_I64, nest_read(l, LN_X, r.index)));
    kit_rows_open(&r);
    const expr *d = build_sub(b, build_mul(b, build_cast(b, DT_I64, nest_read(l, LN_X, r.index)), count), total);
    const expr *squares = nest_reduce(r.m, REDUCE_SUM, build_mul(b, d, d));
    squares = build_add(b, squares, build_index(b, op_int(n, "epsilon")));
    const expr *root = square_root(b, build_binary(b, EXPR_SHL, squares, twice));
    kit_rows_open(&r);
    d = build_sub(b, build_mul(b, build_cast(b, DT_I64, nest_read(l, LN_X, r.index)), count), total);
    const expr *at = r.index[rank - 1], *y = build_mul(b, d, build_cast(b, DT_I64, nest_read(l, LN_GAIN, &at)));
    y = rounded_quotient(b, build_binary(b, EXPR_SHL, y, up), root);
    y = build_add(b, y, nest_read(l, LN_OFFSET, &at));
    y = build_binary(b, EXPR_SHR_ROUND, y, build_index(b, op_int(n, "shift")));
    nest_store(r.m, out, r.index, rank, integer_result(b, n, y));
    return builder_status(b);
}

OP_ROW(tenon__IntegerLayerNorm) = {
    .name = "IntegerLayerNorm",
    .domain = OP_OWN_DOMAIN,
    .versions = VERSIONS(1),
    .kind = OP_LOWER,
    .inputs = PARAMS({"x", TYPES_QUANTISED, 0, 0}, {"gain", TYPE_BIT(DT_I32), 0, 0},
                     {"offset", TYPE_BIT(DT_I64), 0, 0}),
    .outputs = PARAMS({"y", TYPES_QUANTISED, 0, 0}),
    .attrs = ATTRS({"epsilon", ATTR_INT, .required = true}, {"up", ATTR_INT, .required = true},
                   {"shift", ATTR_INT, .required = true}, INTEGER_RESULT_ATTRS),
    .infer = layer_norm_infer,
    .lower = layer_norm_lower,
};
