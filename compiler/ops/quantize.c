/* QuantizeLinear, DequantizeLinear, DynamicQuantizeLinear. */
#include "ops/quantize.h"

#include "ops/nearest.h"

#define TYPES_REAL (TYPE_BIT(DT_F32) | TYPE_BIT(DT_F16) | TYPE_BIT(DT_BF16))
#define TYPES_FLOAT8_SIGNED (TYPES_FLOAT8 & ~TYPE_BIT(DT_F8E8M0))
#define TYPES_QUANTIZED (TYPES_BYTE | TYPE_BIT(DT_I16) | TYPE_BIT(DT_U16) | TYPES_FLOAT8_SIGNED | TYPES_NARROW)

const expr *quantize_round(builder *b, const expr *x, const expr *zero, dtype t) {
    const expr *lo = kit_const(b, x, (double)dtype_min(t)), *hi = kit_const(b, x, (double)dtype_max(t));
    const expr *y = build_add(b, build_unary(b, EXPR_RINT, x), zero);
    return build_cast(b, dtype_storage(t), build_min(b, build_max(b, y, lo), hi));
}

const expr *quantize_parameter(const node *n, const nest_list *l, int operand) {
    const tensor *known = kit_constant(n, operand);
    if (known != NULL && known->count == 1)
        return kit_element(l->b, known, 0);
    return nest_read_broadcast(l, operand, (const expr *[]){build_index(l->b, 0)}, 1);
}

const expr *quantize_channel_parameter(const node *n, const nest_list *l, int operand, const expr *channel) {
    const nest_operand *p = kit_operand(l, operand);
    if (p->rank == 0 || p->dims[0] == 1)
        return quantize_parameter(n, l, operand);
    return nest_read(l, operand, &channel);
}

/* ---- granularity: for the whole tensor, for each place of an axis, for blocks along an axis ---- */

static status check_granularity(node *n) {
    const tensor_type *x = op_input_type(n, 0), *scale = op_input_type(n, 1), *zero = op_input_type(n, 2);
    int64_t size = op_int(n, "block_size");
    int axis = 0;
    if (x->rank < 0 || scale->rank < 0)
        return STATUS_OK;
    if (zero != NULL && zero->rank >= 0 && zero->rank != scale->rank && type_count(zero) != 1)
        return op_invalid(n, "shape-mismatch", "'%s' and '%s' must have one shape", n->row->inputs[1].name,
                          n->row->inputs[2].name);
    if (scale->rank == 0 || type_count(scale) == 1)
        return STATUS_OK;
    TRY(op_axis(n, op_int(n, "axis"), x->rank, &axis));
    if (size == 0 && (scale->rank != 1 || (dim_is_known(scale->dims[0]) && dim_is_known(x->dims[axis]) &&
                                           scale->dims[0].n != x->dims[axis].n)))
        return op_invalid(n, "shape-mismatch", "'%s' must be a scalar or have one element for each place of axis %d",
                          n->row->inputs[1].name, axis);
    if (size < 0 || (size > 0 && scale->rank != x->rank))
        return op_invalid(n, "wrong-attribute", "block_size is %lld; blocks need a scale of the input's rank",
                          (long long)size);
    return STATUS_OK;
}

/* The parameter of the element at i, as stored; `rank` is that of the tensor. */
static const expr *stored_parameter(const node *n, const nest_list *l, int operand, const expr *const *i, int rank) {
    const nest_operand *p = kit_operand(l, operand);
    int64_t count = 1, size = op_int(n, "block_size");
    const expr *index[TENSOR_MAX_RANK];
    for (int k = 0; k < p->rank; k++)
        count *= p->dims[k];
    if (count == 1 && p->rank <= 1)
        return quantize_parameter(n, l, operand);
    int axis = kit_axis(op_int(n, "axis"), rank);
    if (size == 0)
        return nest_read(l, operand, &i[axis]);
    for (int k = 0; k < rank; k++)
        index[k] = i[k];
    index[axis] = build_div(l->b, i[axis], build_index(l->b, size));
    return nest_read(l, operand, index);
}

/* The number that the parameter is. */
static const expr *parameter_at(const node *n, const nest_list *l, int operand, const expr *const *i, int rank) {
    return kit_decode(l->b, op_input_type(n, operand)->elem, stored_parameter(n, l, operand, i, rank));
}

static bool has_input(const nest_list *l, int k) {
    return k < l->n_inputs && kit_operand(l, k)->present;
}

/* ---- QuantizeLinear ---- */

static status quantize_infer(node *n) {
    const tensor_type *zero = op_input_type(n, 2);
    int64_t asked = op_int(n, "output_dtype"), precision = op_int(n, "precision");
    dtype t = zero != NULL ? zero->elem : asked != 0 ? dtype_from_onnx((int32_t)asked) : DT_U8;
    if ((TYPES_QUANTIZED & TYPE_BIT(t)) == 0)
        return op_unsupported(n, "unsupported-type", "quantization to element type %s is not supported", dtype_name(t));
    if (precision != 0 && dtype_from_onnx((int32_t)precision) != DT_F32 &&
        (TYPES_REAL & TYPE_BIT(dtype_from_onnx((int32_t)precision))) == 0)
        return op_invalid(n, "wrong-attribute", "precision is %lld, no float type", (long long)precision);
    if (zero != NULL && asked != 0 && dtype_from_onnx((int32_t)asked) != t)
        return op_invalid(n, "wrong-type", "output_dtype and 'y_zero_point' have different types");
    if (op_int(n, "saturate") == 0 && dtype_is_float(t))
        return op_unsupported(n, "unsupported-attribute", "saturate = 0 is not supported for quantization to %s",
                              dtype_name(t));
    TRY(check_granularity(n));
    return kit_output_shaped(n, 0, 0, t);
}

/* By products, to a byte or less by a scale and a zero point that are known; else NULL. */
static const expr *quantize_by_product(const node *n, const nest_list *l, const expr *x, dtype t) {
    builder *b = l->b;
    const tensor *scale = kit_constant(n, 1), *zeros = kit_constant(n, 2);
    bool known = scale != NULL && scale->count == 1 && (!has_input(l, 2) || (zeros != NULL && zeros->count == 1));
    quotient by;
    if (!known || dtype_is_float(t) || dtype_bits(t) > 8)
        return NULL;
    int64_t zero = has_input(l, 2) ? tensor_int(zeros, 0) : 0, lo = dtype_min(t), hi = (int64_t)dtype_max(t);
    if (!quotient_of(builder_target(b), (double)(float)tensor_double(scale, 0), lo - zero, hi - zero, &by))
        return NULL;
    const expr *y = nearest_of_quotient(b, x, &by, (double)(lo - zero - 1) * by.scale);
    y = build_add(b, y, build_int(b, DT_I32, zero));
    if (dtype_bits(t) < 8)
        y = build_min(b, build_max(b, y, build_int(b, DT_I32, lo)), build_int(b, DT_I32, hi));
    return build_saturate(b, dtype_storage(t), y);
}

static status quantize_lower(const node *n, nest_list *l) {
    const expr *i[TENSOR_MAX_RANK];
    builder *b = l->b;
    int out = nest_output(l, 0), rank = kit_operand(l, out)->rank;
    dtype t = node_output(n, 0)->type.elem;
    nest *m = kit_over(l, "quantize", out, i);
    const expr *x = kit_cast(b, DT_F32, nest_read(l, 0, i)), *y = quantize_by_product(n, l, x, t);
    if (y != NULL) {
        nest_store(m, out, i, rank, y);
        return builder_status(b);
    }
    const expr *scale = kit_cast(b, DT_F32, parameter_at(n, l, 1, i, rank));
    const expr *zero = has_input(l, 2) ? kit_cast(b, DT_F32, parameter_at(n, l, 2, i, rank)) : kit_const(b, x, 0);
    const expr *ratio = build_div(b, x, scale);
    if (dtype_is_float(t))
        y = kit_encode(b, t, build_add(b, ratio, zero));
    else
        y = quantize_round(b, ratio, zero, t);
    nest_store(m, out, i, rank, y);
    return builder_status(b);
}

OP_ROW(QuantizeLinear) = {
    .name = "QuantizeLinear",
    .domain = "",
    .versions = VERSIONS(10, 13, 19, 21, 23, 24, 25, 28),
    .kind = OP_LOWER,
    .inputs = PARAMS({"x", TYPES_REAL | TYPE_BIT(DT_I32), 'T', 0},
                     {"y_scale", TYPES_REAL | TYPE_BIT(DT_I32) | TYPE_BIT(DT_F8E8M0), 'S', 0},
                     {"y_zero_point", TYPES_QUANTIZED, 'Q', PARAM_OPTIONAL}),
    .outputs = PARAMS({"y", TYPES_QUANTIZED, 'Q', 0}),
    .attrs = ATTRS({"axis", ATTR_INT, .i = 1}, {"block_size", ATTR_INT, .i = 0}, {"output_dtype", ATTR_INT, .i = 0},
                   {"precision", ATTR_INT, .i = 0}, {"saturate", ATTR_INT, .i = 1}),
    .infer = quantize_infer,
    .lower = quantize_lower,
};

/* ---- DequantizeLinear ---- */

static status dequantize_infer(node *n) {
    int64_t asked = op_int(n, "output_dtype");
    dtype t = asked != 0 ? dtype_from_onnx((int32_t)asked) : op_input_type(n, 1)->elem;
    if ((TYPES_REAL & TYPE_BIT(t)) == 0)
        return op_unsupported(n, "unsupported-type", "the output would have element type %s", dtype_name(t));
    TRY(check_granularity(n));
    return kit_output_shaped(n, 0, 0, t);
}

static status dequantize_lower(const node *n, nest_list *l) {
    const expr *i[TENSOR_MAX_RANK];
    builder *b = l->b;
    int out = nest_output(l, 0), rank = kit_operand(l, out)->rank;
    dtype from = op_input_type(n, 0)->elem;
    nest *m = kit_over(l, "dequantize", out, i);
    const expr *x = kit_cast(b, dtype_is_float(from) ? DT_F32 : DT_I32, kit_decode(b, from, nest_read(l, 0, i))),
               *scale = kit_cast(b, DT_F32, parameter_at(n, l, 1, i, rank));
    if (has_input(l, 2))
        x = build_sub(b, x, kit_cast(b, x->type.elem, parameter_at(n, l, 2, i, rank)));
    kit_store(l, m, out, i, build_mul(b, build_cast(b, DT_F32, x), scale));
    return builder_status(b);
}

#define TYPES_DEQUANTIZED (TYPES_QUANTIZED | TYPE_BIT(DT_I32))
OP_ROW(DequantizeLinear) = {
    .name = "DequantizeLinear",
    .domain = "",
    .versions = VERSIONS(10, 13, 19, 21, 23, 24, 25, 28),
    .kind = OP_LOWER,
    .inputs = PARAMS({"x", TYPES_DEQUANTIZED, 'Q', 0}, {"x_scale", TYPES_REAL | TYPE_BIT(DT_F8E8M0), 'S', 0},
                     {"x_zero_point", TYPES_DEQUANTIZED, 'Q', PARAM_OPTIONAL}),
    .outputs = PARAMS({"y", TYPES_REAL, 'T', 0}),
    .attrs = ATTRS({"axis", ATTR_INT, .i = 1}, {"block_size", ATTR_INT, .i = 0}, {"output_dtype", ATTR_INT, .i = 0}),
    .infer = dequantize_infer,
    .lower = dequantize_lower,
};

/* ---- DynamicQuantizeLinear ---- */

static status dynamic_infer(node *n) {
    TRY(kit_output_shaped(n, 0, 0, DT_U8));
    TRY(op_set_output(n, 1, DT_F32, 0, NULL));
    return op_set_output(n, 2, DT_U8, 0, NULL);
}

/* The scale takes the whole range of x, 0 included, to 0..255; then x is quantized with what the first nest has stored.
 */
static status dynamic_lower(const node *n, nest_list *l) {
    (void)n;
    builder *b = l->b;
    const nest_operand *x = kit_operand(l, 0);
    const expr *i[TENSOR_MAX_RANK], *zero = build_float(b, DT_F32, 0), *bound[2];
    nest *m = nest_add(l, "range");
    for (int k = 0; k < 2; k++) {
        nest_open(m);
        for (int d = 0; d < x->rank; d++)
            i[d] = nest_inner(m, "i", x->dims[d]);
        bound[k] = nest_reduce(m, k == 0 ? REDUCE_MIN : REDUCE_MAX, nest_read(l, 0, i));
    }
    const expr *lo = build_min(b, bound[0], zero), *hi = build_max(b, bound[1], zero);
    const expr *scale = build_div(b, build_sub(b, hi, lo), build_float(b, DT_F32, 255));
    const expr *flat = build_eq(b, hi, lo), *one = build_float(b, DT_F32, 1);
    const expr *start =
        build_select(b, flat, zero, build_div(b, build_sub(b, zero, lo), build_select(b, flat, one, scale)));
    nest_store(m, nest_output(l, 1), NULL, 0, scale);
    nest_store(m, nest_output(l, 2), NULL, 0, quantize_round(b, start, zero, DT_U8));
    m = kit_over(l, "quantize", nest_output(l, 0), i);
    const expr *used = nest_read(l, nest_output(l, 1), NULL),
               *origin = build_cast(b, DT_F32, nest_read(l, nest_output(l, 2), NULL));
    const expr *ratio = build_div(b, nest_read(l, 0, i), build_select(b, build_eq(b, used, zero), one, used));
    nest_store(m, nest_output(l, 0), i, kit_operand(l, 0)->rank, quantize_round(b, ratio, origin, DT_U8));
    return builder_status(b);
}

OP_ROW(DynamicQuantizeLinear) = {
    .name = "DynamicQuantizeLinear",
    .domain = "",
    .versions = VERSIONS(11),
    .kind = OP_LOWER,
    .inputs = PARAMS({"x", TYPE_BIT(DT_F32), 0, 0}),
    .outputs = PARAMS({"y", TYPE_BIT(DT_U8), 0, 0}, {"y_scale", TYPE_BIT(DT_F32), 0, 0},
                      {"y_zero_point", TYPE_BIT(DT_U8), 0, 0}),
    .infer = dynamic_infer,
    .lower = dynamic_lower,
};
