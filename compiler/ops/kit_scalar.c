/* Arithmetic that operators share: narrow floats computed in f32, constants, NaN-keeping minimum and maximum. */
#include <math.h>

#include "ops/kit.h"

const op_param kit_float_X[] = {{"X", TYPES_FLOAT, 'T', 0}, {NULL, 0, 0, 0}};
const op_param kit_float_Y[] = {{"Y", TYPES_FLOAT, 'T', 0}, {NULL, 0, 0, 0}};
const op_param kit_float_input[] = {{"input", TYPES_FLOAT, 'T', 0}, {NULL, 0, 0, 0}};
const op_param kit_float_output[] = {{"output", TYPES_FLOAT, 'T', 0}, {NULL, 0, 0, 0}};

dtype kit_compute(dtype t) {
    if (t == DT_BOOL)
        return DT_U8;
    return dtype_is_float(t) && t != DT_F64 ? DT_F32 : t;
}

const expr *kit_wide(builder *b, const expr *x) {
    return build_cast(b, kit_compute(x->type.elem), x);
}

const expr *kit_narrow(builder *b, dtype t, const expr *x) {
    return kit_cast(b, t, x);
}

static bool is_narrow_float(dtype t) {
    return dtype_is_float(t) && t != DT_F32 && t != DT_F64;
}

const expr *kit_cast(builder *b, dtype t, const expr *x) {
    dtype from = x->type.elem;
    if (from == t)
        return x;
    if (is_narrow_float(from))
        x = build_cast(b, DT_F32, x);
    /* One rounding from f64 to f16 and bf16; everything else reaches a narrow float through f32. */
    if (is_narrow_float(t) && !(from == DT_F64 && dtype_bits(t) == 16))
        x = build_cast(b, DT_F32, x);
    return build_cast(b, t, x);
}

const expr *kit_unary(builder *b, const expr *x, const expr *(*fn)(builder *b, const expr *x)) {
    return kit_narrow(b, x->type.elem, fn(b, kit_wide(b, x)));
}

const expr *kit_binary(builder *b, const expr *x, const expr *y,
                       const expr *(*fn)(builder *b, const expr *x, const expr *y)) {
    return kit_narrow(b, x->type.elem, fn(b, kit_wide(b, x), kit_wide(b, y)));
}

const expr *kit_const(builder *b, const expr *x, double number) {
    return build_const(b, x->type.elem, number);
}

const expr *kit_attr(builder *b, const node *n, const char *name, const expr *x) {
    return kit_const(b, x, op_float(n, name));
}

const expr *kit_element(builder *b, const tensor *t, int64_t i) {
    dtype stored = dtype_storage(t->elem);
    if (stored != t->elem && dtype_is_float(t->elem))
        return build_int(b, stored, dtype_small_float_make(t->elem, (float)tensor_double(t, i), true));
    if (t->elem == DT_BOOL || dtype_is_int(t->elem))
        return build_int(b, stored, tensor_int(t, i));
    return build_float(b, t->elem, tensor_double(t, i));
}

const expr *kit_square(builder *b, const expr *x) {
    return build_mul(b, x, x);
}

const expr *kit_reciprocal(builder *b, const expr *x) {
    return build_div(b, kit_const(b, x, 1), x);
}

/* MIN and MAX give their second operand where either is NaN, so only a NaN in the first must be put back. */
static const expr *keep_nan(builder *b, const expr *x, const expr *result) {
    return dtype_is_float(x->type.elem) ? build_select(b, build_ne(b, x, x), x, result) : result;
}

const expr *kit_min(builder *b, const expr *x, const expr *y) {
    return keep_nan(b, x, build_min(b, x, y));
}

const expr *kit_max(builder *b, const expr *x, const expr *y) {
    return keep_nan(b, x, build_max(b, x, y));
}

const expr *kit_lowest(builder *b, dtype t) {
    return dtype_is_float(t) ? build_float(b, t, -INFINITY) : build_int(b, t, dtype_min(t));
}

const expr *kit_highest(builder *b, dtype t) {
    return dtype_is_float(t) ? build_float(b, t, INFINITY) : build_int(b, t, (int64_t)dtype_max(t));
}
