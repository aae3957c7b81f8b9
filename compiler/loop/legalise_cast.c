/* Casts from and to the floats narrower than f32, in integer and f32 arithmetic, rounded once. */
#include "loop/legalise_internal.h"
#include "loop/math_internal.h"

#include <math.h>

/* How a narrow float is coded: its magnitude is exponent and mantissa, above them the sign. */
typedef struct narrow {
    dtype bits; /* unsigned integer of the same width */
    int mantissa, bias;
    uint32_t max;      /* magnitude of the largest finite number */
    uint32_t overflow; /* what larger numbers become */
    uint32_t nan;      /* a code */
    bool has_infinity; /* codes above max are infinity, then NaNs */
    bool one_nan;      /* there is no -0: its code is the NaN */
} narrow;

/* float8: as ONNX Cast with saturate=1, so overflow gives max. */
static const narrow NARROW[DT_COUNT] = {
    [DT_F16] = {DT_U16, 10, 15, 0x7bff, 0x7c00, 0x7e00, true, false},
    [DT_BF16] = {DT_U16, 7, 127, 0x7f7f, 0x7f80, 0x7fc0, true, false},
    [DT_F8E4M3FN] = {DT_U8, 3, 7, 0x7e, 0x7e, 0x7f, false, false},
    [DT_F8E4M3FNUZ] = {DT_U8, 3, 8, 0x7f, 0x7f, 0x80, false, true},
    [DT_F8E5M2] = {DT_U8, 2, 15, 0x7b, 0x7b, 0x7f, true, false},
    [DT_F8E5M2FNUZ] = {DT_U8, 2, 16, 0x7f, 0x7f, 0x80, false, true},
};

/* Is it one of the types that can only be moved and cast? */
bool legalise_is_narrow(dtype t) {
    return NARROW[t].bits != DT_NONE;
}

/* Is CAST between these types an instruction of the target, or ordinary arithmetic? */
bool legalise_cast_is_legal(const target *t, dtype from, dtype to) {
    if (!legalise_is_narrow(from) && !legalise_is_narrow(to))
        return true;
    return t->has_half && ((from == DT_F16 && to == DT_F32) || (from == DT_F32 && to == DT_F16));
}

static const expr *word(builder *b, const expr *x, uint32_t value) {
    return build_broadcast(b, build_int(b, x->type.elem, (int64_t)value), x->type.lanes);
}

static const expr *shift(builder *b, expr_kind k, const expr *x, int count) {
    return build_binary(b, k, x, word(b, x, (uint32_t)count));
}

/* ---- narrow to f32, exactly ---- */

/* The magnitude at its place in an f32 is the number, but for the exponent's bias: a product puts that right,
 * subnormals included. */
static const expr *decode(builder *b, const narrow *f, const expr *x) {
    const expr *bits = build_cast(b, DT_U32, build_bitcast(b, f->bits, x));
    const int sign_at = dtype_bits(f->bits) - 1;
    const expr *magnitude = build_and(b, bits, word(b, bits, (1u << sign_at) - 1));
    const expr *sign = shift(b, EXPR_SHL, shift(b, EXPR_SHR, bits, sign_at), 31);
    const expr *placed = shift(b, EXPR_SHL, magnitude, 23 - f->mantissa);
    const expr *value = build_bitcast(b, DT_F32, placed);
    value = build_mul(b, value, math_number(b, value, ldexp(1, 127 - f->bias)));
    const expr *coded = build_bitcast(b, DT_U32, value);
    const expr *nan_or_infinity = build_binary(b, EXPR_OR, placed, word(b, bits, 0x7f800000));
    const expr *is_number;
    if (f->one_nan)
        is_number = build_ne(b, bits, word(b, bits, f->nan));
    else
        is_number = build_le(b, magnitude, word(b, bits, f->max));
    if (!f->has_infinity)
        nan_or_infinity = word(b, bits, 0x7fc00000);
    coded = build_select(b, is_number, coded, nan_or_infinity);
    return build_bitcast(b, DT_F32, build_binary(b, EXPR_OR, coded, sign));
}

/* ---- f32 to narrow, rounded half to even ---- */

/* Magnitudes of normal results: drops the lower bits, adding just under half of what they can hold, and half where the
 * number would become odd. */
static const expr *encode_normal(builder *b, const narrow *f, const expr *magnitude) {
    const int dropped = 23 - f->mantissa;
    const expr *odd = build_and(b, shift(b, EXPR_SHR, magnitude, dropped), word(b, magnitude, 1));
    const expr *up = build_add(b, odd, word(b, magnitude, (1u << (dropped - 1)) - 1));
    const expr *rounded = shift(b, EXPR_SHR, build_add(b, magnitude, up), dropped);
    return build_sub(b, rounded, word(b, magnitude, (uint32_t)(127 - f->bias) << f->mantissa));
}

/* Magnitudes below the smallest normal number: the sum with a number whose last place is the smallest subnormal number
 * rounds as wanted, and holds the code in its low bits. */
static const expr *encode_subnormal(builder *b, const narrow *f, const expr *magnitude) {
    const expr *value = build_bitcast(b, DT_F32, magnitude);
    const float shifter = ldexpf(1, 1 - f->bias - f->mantissa + 23);
    const expr *sum = build_bitcast(b, DT_U32, build_add(b, value, math_number(b, value, (double)shifter)));
    const uint32_t shifter_bits = (uint32_t)(1 - f->bias - f->mantissa + 23 + 127) << 23;
    return build_sub(b, sum, word(b, sum, shifter_bits));
}

static const expr *encode(builder *b, dtype to, const expr *x) {
    const narrow *f = &NARROW[to];
    const expr *bits = build_bitcast(b, DT_U32, x);
    const expr *magnitude = build_and(b, bits, word(b, bits, 0x7fffffff));
    const expr *code = encode_normal(b, f, magnitude);
    if (f->bias != 127) {
        const expr *least_normal = word(b, bits, (uint32_t)(128 - f->bias) << 23);
        code = build_select(b, build_lt(b, magnitude, least_normal), encode_subnormal(b, f, magnitude), code);
    }
    code = build_select(b, build_le(b, code, word(b, bits, f->max)), code, word(b, bits, f->overflow));
    const expr *sign = shift(b, EXPR_SHL, shift(b, EXPR_SHR, bits, 31), dtype_bits(f->bits) - 1);
    if (f->one_nan)
        sign = build_select(b, build_eq(b, code, word(b, bits, 0)), code, sign);
    code = build_binary(b, EXPR_OR, code, sign);
    code = build_select(b, build_le(b, magnitude, word(b, bits, 0x7f800000)), code, word(b, bits, f->nan));
    return build_bitcast(b, to, build_cast(b, f->bits, code));
}

/* ---- other types to f32, so that the next rounding is right ---- */

/* f64 to f32, rounded to odd: where the result is not exact, of its two neighbours the one with an odd last bit. That
 * bit stands for everything lost; no narrower format has a tie there. */
static const expr *odd_from_f64(builder *b, const expr *x) {
    const expr *near = build_cast(b, DT_F32, x), *back = build_cast(b, DT_F64, near);
    const expr *bits = build_bitcast(b, DT_U32, near);
    const expr *is_above = build_lt(b, build_unary(b, EXPR_ABS, x), build_unary(b, EXPR_ABS, back));
    const expr *toward_zero = build_select(b, is_above, build_sub(b, bits, word(b, bits, 1)), bits);
    const expr *odd = build_binary(b, EXPR_OR, toward_zero, word(b, bits, 1));
    return build_bitcast(b, DT_F32, build_select(b, build_ne(b, back, x), odd, bits));
}

/* 64-bit integers of more than 53 bits, rounded to odd to a multiple of 2^11. */
static const expr *odd_to_53_bits(builder *b, const expr *x) {
    const dtype t = x->type.elem;
    const int lanes = x->type.lanes;
    const expr *lost = build_and(b, x, build_int(b, t, 0x7ff));
    const expr *odd = build_broadcast(b, build_int(b, t, 0x800), lanes);
    const expr *zero = build_broadcast(b, build_int(b, t, 0), lanes);
    odd = build_select(b, build_ne(b, lost, zero), odd, zero);
    const expr *rounded = build_binary(b, EXPR_OR, build_and(b, x, build_int(b, t, -0x800)), odd);
    const expr *most = build_int(b, t, INT64_C(1) << 53);
    const expr *is_exact = build_le(b, x, build_broadcast(b, most, lanes));
    if (t == DT_I64)
        is_exact = build_and(b, is_exact, build_le(b, build_int(b, t, -(INT64_C(1) << 53)), x));
    return build_select(b, is_exact, x, rounded);
}

static const expr *to_f32(builder *b, const expr *x) {
    const dtype t = x->type.elem;
    if (legalise_is_narrow(t))
        return decode(b, &NARROW[t], x);
    if (t == DT_F32 || dtype_bits(t) <= 16)
        return build_cast(b, DT_F32, x);
    if (t == DT_I64 || t == DT_U64)
        x = odd_to_53_bits(b, x);
    return odd_from_f64(b, build_cast(b, DT_F64, x));
}

/* CAST where one of the types is narrow. */
const expr *legalise_cast(builder *b, dtype to, const expr *x) {
    const target *t = builder_target(b);
    const bool decodes = legalise_cast_is_legal(t, x->type.elem, DT_F32),
               encodes = legalise_cast_is_legal(t, DT_F32, to);
    const expr *value = decodes && legalise_is_narrow(x->type.elem) ? build_cast(b, DT_F32, x) : to_f32(b, x);
    if (legalise_is_narrow(to))
        return encodes ? build_cast(b, to, value) : encode(b, to, value);
    return build_cast(b, to, value);
}
