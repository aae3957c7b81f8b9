/* Element-wise operators of integer programs: Requantize, ScaledSum, IntegerMul, Lookup. */
#include "ops/integer.h"

dtype integer_sum_type(const node *n) {
    return op_int(n, "wide") != 0 ? DT_I64 : DT_I32;
}

static const expr *centred(builder *b, dtype t, const expr *x, int64_t zero) {
    return build_sub(b, build_cast(b, t, x), build_int(b, t, zero));
}

const expr *integer_product(builder *b, dtype sum, const expr *x, int64_t x_zero, const expr *y, int64_t y_zero) {
    return build_mul(b, centred(b, sum, x, x_zero), centred(b, sum, y, y_zero));
}

/* ---- results: clamped to lo .. hi, stored as the element type `to` ---- */

dtype integer_result_type(const node *n) {
    int64_t to = op_int(n, "to");
    return to > 0 && to < 1000 ? dtype_from_onnx((int32_t)to) : DT_NONE;
}

status integer_check_result(const node *n) {
    dtype t = integer_result_type(n);
    if (((TYPES_QUANTISED | TYPES_SUM) & TYPE_BIT(t)) == 0)
        return op_invalid(n, "wrong-attribute", "'to' is element type %lld, no integer", (long long)op_int(n, "to"));
    if (op_int(n, "lo") < dtype_min(t) || op_int(n, "hi") > (int64_t)dtype_max(t) || op_int(n, "lo") > op_int(n, "hi"))
        return op_invalid(n, "wrong-attribute", "lo and hi do not fit element type %s", dtype_name(t));
    return STATUS_OK;
}

/* x + zero within lo .. hi. */
const expr *integer_result(builder *b, const node *n, const expr *x) {
    const expr *y = build_add(b, x, build_int(b, x->type.elem, op_int(n, "zero")));
    dtype t = dtype_storage(integer_result_type(n));
    if (op_int(n, "lo") > dtype_min(t))
        y = build_max(b, y, build_int(b, x->type.elem, op_int(n, "lo")));
    if (op_int(n, "hi") < (int64_t)dtype_max(t))
        y = build_min(b, y, build_int(b, x->type.elem, op_int(n, "hi")));
    return build_saturate(b, t, y);
}

#define EVEN_ATTR {"even", ATTR_INT, .i = 0}

/* ---- Requantize: the one rounding of an integer program ---- */

enum { RQ_X, RQ_SHIFT, RQ_MULT, RQ_BELOW_SHIFT, RQ_BELOW_MULT, RQ_OFFSET };

static status requantize_infer(node *n) {
    TRY(integer_check_result(n));
    return kit_output_shaped(n, 0, 0, integer_result_type(n));
}

static bool is_given(const nest_list *l, int k) {
    return k < l->n_inputs && kit_operand(l, k)->present;
}

/* An element of a parameter, as type t: a literal where it is one number for all. */
static const expr *parameter(const node *n, const nest_list *l, int operand, dtype t, const expr *const *i, int rank) {
    const tensor *known = kit_constant(n, operand);
    if (known != NULL && known->count == 1)
        return build_int(l->b, t, tensor_int(known, 0));
    return build_cast(l->b, t, nest_read_broadcast(l, operand, i, rank));
}

/* x * 2^-shift to the nearest integer, shift > 0. Ties go up, or, with the attribute `even`, to the even neighbour as
 * those of floats do: it is set where a tie says that the real number is one. has_room: what x + 2^(shift-1) is fits.
 */
static const expr *shifted(builder *b, const node *n, const expr *x, const expr *shift, bool has_room) {
    const expr *one = build_int(b, x->type.elem, 1), *zero = build_int(b, x->type.elem, 0);
    bool even = op_int(n, "even") != 0;
    if (!even && !has_room)
        return build_binary(b, EXPR_SHR_ROUND, x, shift);
    const expr *half = build_binary(b, EXPR_SHL, one, build_sub(b, shift, one));
    if (!even)
        return build_binary(b, EXPR_SHR, build_add(b, x, half), shift);
    const expr *below = build_binary(b, EXPR_SHR, x, shift);
    const expr *rest = build_sub(b, x, build_binary(b, EXPR_SHL, below, shift));
    rest = build_add(b, rest, build_and(b, below, one));
    return build_add(b, below, build_select(b, build_lt(b, half, rest), one, zero));
}

/* The smallest number of a parameter that is known. */
static int64_t least(const node *n, int operand) {
    const tensor *known = kit_constant(n, operand);
    int64_t out = known != NULL && known->count > 0 ? tensor_int(known, 0) : 0;
    for (int64_t i = 1; known != NULL && i < known->count; i++)
        out = tensor_int(known, i) < out ? tensor_int(known, i) : out;
    return out;
}

/* Products of sums and multipliers are below 2^62: shifted by this much they fit 32 bits. */
#define NARROWS 32

/* Of x of 32 bits. By more than 32 bits, half of what is shifted off lies in the product's upper half, which so is all
 * that counts. */
static const expr *scaled_by_high(const node *n, const nest_list *l, int mult, int shift, const expr *x,
                                  const expr *const *i, int rank) {
    builder *b = l->b;
    const expr *high = build_binary(b, EXPR_MUL_HIGH, x, parameter(n, l, mult, DT_I32, i, rank));
    const expr *by = build_sub(b, parameter(n, l, shift, DT_I32, i, rank), build_int(b, DT_I32, NARROWS));
    return shifted(b, n, high, by, true);
}

/* (x * mult + offset) * 2^-shift; without mult and offset a plain rounding shift. */
static const expr *scaled(const node *n, const nest_list *l, int mult, int shift, const expr *x, const expr *const *i,
                          int rank) {
    builder *b = l->b;
    bool is_high = is_given(l, mult) && !is_given(l, RQ_OFFSET) && op_int(n, "even") == 0;
    if (is_high && x->type.elem == DT_I32 && least(n, shift) > NARROWS)
        return scaled_by_high(n, l, mult, shift, x, i, rank);
    if (is_given(l, mult))
        x = build_mul(b, build_cast(b, DT_I64, x), parameter(n, l, mult, DT_I64, i, rank));
    if (is_given(l, RQ_OFFSET))
        x = build_add(b, build_cast(b, DT_I64, x), parameter(n, l, RQ_OFFSET, DT_I64, i, rank));
    const expr *by = build_cast(b, x->type.elem, parameter(n, l, shift, DT_I64, i, rank));
    const expr *y = shifted(b, n, x, by, is_given(l, mult) && least(n, shift) > 0);
    return x->type.elem == DT_I64 && is_given(l, mult) && least(n, shift) >= NARROWS ? build_cast(b, DT_I32, y) : y;
}

static status requantize_lower(const node *n, nest_list *l) {
    const expr *i[TENSOR_MAX_RANK];
    builder *b = l->b;
    int out = nest_output(l, 0), rank = kit_operand(l, out)->rank;
    nest *m = kit_over(l, "requantize", out, i);
    dtype t = op_input_type(n, RQ_X)->elem == DT_I64 ? DT_I64 : DT_I32;
    const expr *x = centred(b, t, nest_read(l, RQ_X, i), op_int(n, "from"));
    const expr *y = scaled(n, l, RQ_MULT, RQ_SHIFT, x, i, rank);
    if (is_given(l, RQ_BELOW_SHIFT)) {
        const expr *below = scaled(n, l, RQ_BELOW_MULT, RQ_BELOW_SHIFT, x, i, rank);
        dtype wide = y->type.elem == DT_I64 || below->type.elem == DT_I64 ? DT_I64 : DT_I32;
        y = build_select(b, build_lt(b, x, build_int(b, t, 0)), build_cast(b, wide, below), build_cast(b, wide, y));
    }
    nest_store(m, out, i, rank, integer_result(b, n, y));
    return builder_status(b);
}

OP_ROW(tenon__Requantize) = {
    .name = "Requantize",
    .domain = OP_OWN_DOMAIN,
    .versions = VERSIONS(1),
    .kind = OP_LOWER,
    .inputs = PARAMS({"x", TYPES_QUANTISED | TYPES_SUM, 0, 0}, {"shift", TYPE_BIT(DT_I32), 0, 0},
                     {"mult", TYPE_BIT(DT_I32), 0, PARAM_OPTIONAL},
                     {"below_shift", TYPE_BIT(DT_I32), 0, PARAM_OPTIONAL},
                     {"below_mult", TYPE_BIT(DT_I32), 0, PARAM_OPTIONAL},
                     {"offset", TYPE_BIT(DT_I64), 0, PARAM_OPTIONAL}),
    .outputs = PARAMS({"y", TYPES_QUANTISED | TYPES_SUM, 0, 0}),
    .attrs = ATTRS({"from", ATTR_INT, .i = 0}, EVEN_ATTR, INTEGER_RESULT_ATTRS),
    .infer = requantize_infer,
    .lower = requantize_lower,
};

/* ---- ScaledSum: (a * ma + b * mb + c + 2^(shift-1)) >> shift, one rounding for the sum of two ---- */

static status broadcast_infer(node *n, dtype t) {
    int rank;
    dim dims[TENSOR_MAX_RANK];
    for (int k = 0; k < 2; k++)
        if (op_input_rank(n, k) < 0)
            return op_unknown_output(n, 0, t);
    TRY(op_broadcast(n, 0, 2, &rank, dims));
    return op_set_output(n, 0, t, rank, dims);
}

static status scaled_sum_infer(node *n) {
    TRY(integer_check_result(n));
    return broadcast_infer(n, integer_result_type(n));
}

static const expr *scaled_sum_scalar(builder *b, const node *n, const expr *const *x) {
    dtype t = integer_sum_type(n);
    const expr *y = build_mul(b, build_cast(b, t, x[0]), build_int(b, t, op_int(n, "ma")));
    y = build_add(b, y, build_mul(b, build_cast(b, t, x[1]), build_int(b, t, op_int(n, "mb"))));
    y = build_add(b, y, build_int(b, t, op_int(n, "c")));
    return integer_result(b, n, shifted(b, n, y, build_int(b, t, op_int(n, "shift")), op_int(n, "shift") > 0));
}

OP_ROW(tenon__ScaledSum) = {
    .name = "ScaledSum",
    .domain = OP_OWN_DOMAIN,
    .versions = VERSIONS(1),
    .kind = OP_SCALAR,
    .inputs = PARAMS({"a", TYPES_QUANTISED, 0, 0}, {"b", TYPES_QUANTISED, 0, 0}),
    .outputs = PARAMS({"y", TYPES_QUANTISED | TYPES_SUM, 0, 0}),
    .attrs = ATTRS({"ma", ATTR_INT, .required = true}, {"mb", ATTR_INT, .required = true}, {"c", ATTR_INT, .i = 0},
                   {"shift", ATTR_INT, .required = true}, WIDE_ATTR, EVEN_ATTR, INTEGER_RESULT_ATTRS),
    .infer = scaled_sum_infer,
    .scalar = scaled_sum_scalar,
};

/* ---- IntegerMul: (a - a_zero) * (b - b_zero) ---- */

static status integer_mul_infer(node *n) {
    return broadcast_infer(n, integer_sum_type(n));
}

static const expr *integer_mul_scalar(builder *b, const node *n, const expr *const *x) {
    return integer_product(b, integer_sum_type(n), x[0], op_int(n, "a_zero"), x[1], op_int(n, "b_zero"));
}

OP_ROW(tenon__IntegerMul) = {
    .name = "IntegerMul",
    .domain = OP_OWN_DOMAIN,
    .versions = VERSIONS(1),
    .kind = OP_SCALAR,
    .inputs = PARAMS({"a", TYPES_QUANTISED, 0, 0}, {"b", TYPES_QUANTISED, 0, 0}),
    .outputs = PARAMS({"y", TYPES_SUM, 0, 0}),
    .attrs = ATTRS({"a_zero", ATTR_INT, .i = 0}, {"b_zero", ATTR_INT, .i = 0}, WIDE_ATTR),
    .infer = integer_mul_infer,
    .scalar = integer_mul_scalar,
};

/* ---- WeightedSum: over the first dimension, x * weights in i64 ---- */

static status weighted_sum_infer(node *n) {
    const tensor_type *x = op_input_type(n, 0);
    if (x->rank < 1)
        return op_unknown_output(n, 0, DT_I64);
    return op_set_output(n, 0, DT_I64, x->rank - 1, x->dims + 1);
}

static status weighted_sum_lower(const node *n, nest_list *l) {
    (void)n;
    builder *b = l->b;
    const expr *i[TENSOR_MAX_RANK];
    int out = nest_output(l, 0), rank = kit_operand(l, out)->rank;
    nest *m = kit_over(l, "weighted_sum", out, &i[1]);
    nest_open(m);
    i[0] = nest_inner(m, "k", kit_operand(l, 0)->dims[0]);
    const expr *x = build_cast(b, DT_I64, nest_read(l, 0, i)),
               *w = build_cast(b, DT_I64, nest_read_broadcast(l, 1, i, rank + 1));
    const expr *sum = nest_reduce(m, REDUCE_SUM, build_mul(b, x, w));
    nest_store(m, out, &i[1], rank, sum);
    return builder_status(b);
}

OP_ROW(tenon__WeightedSum) = {
    .name = "WeightedSum",
    .domain = OP_OWN_DOMAIN,
    .versions = VERSIONS(1),
    .kind = OP_LOWER,
    .inputs = PARAMS({"x", TYPES_SUM, 0, 0}, {"weights", TYPE_BIT(DT_I32), 0, 0}),
    .outputs = PARAMS({"y", TYPE_BIT(DT_I64), 0, 0}),
    .infer = weighted_sum_infer,
    .lower = weighted_sum_lower,
};

/* ---- Lookup: table[x - lo], a function of narrow integers that was computed at compile time ---- */

static status lookup_infer(node *n) {
    return kit_output_shaped(n, 0, 0, op_input_type(n, 1)->elem);
}

/* Element of a table whose first entry belongs to the smallest value of type t. */
static const expr *entry(const nest_list *l, int table, dtype t, const expr *x) {
    const expr *at = centred(l->b, DT_I64, x, dtype_min(t));
    return nest_read(l, table, &at);
}

static status lookup_lower(const node *n, nest_list *l) {
    const expr *i[TENSOR_MAX_RANK];
    int out = nest_output(l, 0);
    nest *m = kit_over(l, "lookup", out, i);
    nest_store(m, out, i, kit_operand(l, out)->rank, entry(l, 1, op_input_type(n, 0)->elem, nest_read(l, 0, i)));
    return builder_status(l->b);
}

OP_ROW(tenon__Lookup) = {
    .name = "Lookup",
    .domain = OP_OWN_DOMAIN,
    .versions = VERSIONS(1),
    .kind = OP_LOWER,
    .inputs = PARAMS({"x", TYPES_QUANTISED, 0, 0}, {"table", TYPES_QUANTISED | TYPES_SUM, 'T', PARAM_KNOWN}),
    .outputs = PARAMS({"y", TYPES_QUANTISED | TYPES_SUM, 'T', 0}),
    .infer = lookup_infer,
    .lower = lookup_lower,
};
