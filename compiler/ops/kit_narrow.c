/* Elements that the loop IR does not have: integers of 4 and 2 bits, which are held as bytes, f4e2m1 and f8e8m0, which
 * are held as their codes. */
#include <math.h>
#include <string.h>

#include "ops/kit.h"

static const expr *bits_of(builder *b, int64_t x) {
    return build_int(b, DT_U32, x);
}

/* ---- integers ---- */

/* The low bits of x, with their sign. */
static const expr *wrap(builder *b, dtype t, const expr *x) {
    dtype stored = dtype_storage(t);
    if (dtype_is_float(x->type.elem))
        x = kit_cast(b, DT_I32, x);
    const expr *low = build_and(b, kit_cast(b, stored, x), build_int(b, stored, (1 << dtype_bits(t)) - 1));
    if (!dtype_is_signed(t))
        return low;
    const expr *sign = build_int(b, stored, 1 << (dtype_bits(t) - 1));
    return build_sub(b, build_binary(b, EXPR_XOR, low, sign), sign);
}

/* ---- f4e2m1: a sign and one of 0, 0.5, 1, 1.5, 2, 3, 4, 6 ---- */

#define F4_SIGN 8

static const expr *f4_value(builder *b, const expr *code) {
    const expr *k = build_cast(b, DT_F32, build_and(b, code, build_int(b, DT_U8, F4_SIGN - 1)));
    const expr *size = build_select(b, build_le(b, k, kit_const(b, k, 4)), build_mul(b, k, kit_const(b, k, 0.5)),
                                    build_sub(b, k, kit_const(b, k, 2)));
    size = build_select(b, build_eq(b, k, kit_const(b, k, 7)), kit_const(b, k, 6), size);
    return build_select(b, build_lt(b, code, build_int(b, DT_U8, F4_SIGN)), size, build_unary(b, EXPR_NEG, size));
}

/* The code's number is how many of the halfway marks lie below; a tie goes to the even code. NaN becomes -0. */
static const expr *f4_code(builder *b, const expr *x) {
    static const double marks[] = {0.25, 0.75, 1.25, 1.75, 2.5, 3.5, 5};
    const expr *v = kit_cast(b, DT_F32, x), *size = build_unary(b, EXPR_ABS, v), *code = build_int(b, DT_U8, 0);
    for (int k = 0; k < 7; k++) {
        const expr *mark = kit_const(b, size, marks[k]);
        const expr *above = k % 2 == 0 ? build_lt(b, mark, size) : build_le(b, mark, size);
        code = build_add(b, code, build_cast(b, DT_U8, above));
    }
    const expr *negative = build_lt(b, build_bitcast(b, DT_I32, v), build_int(b, DT_I32, 0));
    negative = build_select(b, build_eq(b, v, v), negative, build_int(b, DT_BOOL, 1));
    return build_add(b, code, build_select(b, negative, build_int(b, DT_U8, F4_SIGN), build_int(b, DT_U8, 0)));
}

/* ---- f8e8m0: code k is 2^(k-127), the exponent of an f32; 255 is NaN ---- */

enum { E8_MAX = 254, E8_NAN = 255, F32_FRACTION_BITS = 23, F32_SMALLEST_CODE = 1 << 22 };

static const expr *e8_value(builder *b, const expr *code) {
    const expr *wide = build_cast(b, DT_U32, code);
    const expr *bits = build_binary(b, EXPR_SHL, wide, bits_of(b, F32_FRACTION_BITS));
    bits = build_select(b, build_eq(b, wide, bits_of(b, 0)), bits_of(b, F32_SMALLEST_CODE), bits);
    const expr *x = build_bitcast(b, DT_F32, bits);
    return build_select(b, build_eq(b, wide, bits_of(b, E8_NAN)), kit_const(b, x, NAN), x);
}

const expr *kit_power_of_two(builder *b, const expr *x, const char *round_mode, bool saturate) {
    /* What the fraction must reach for the next power: anything, half of the way, never. Among subnormals it begins at
     * 2^22. */
    int64_t next = strcmp(round_mode, "up") == 0 ? 1 : strcmp(round_mode, "nearest") == 0 ? 1 << 22 : 1 << 24;
    const expr *bits = build_bitcast(b, DT_U32, x), *zero = bits_of(b, 0), *one = bits_of(b, 1);
    const expr *exponent = build_binary(b, EXPR_SHR, bits, bits_of(b, F32_FRACTION_BITS));
    const expr *fraction = build_and(b, bits, bits_of(b, (1 << F32_FRACTION_BITS) - 1));
    const expr *subnormal = build_eq(b, exponent, zero), *smallest = bits_of(b, F32_SMALLEST_CODE);
    const expr *reach = build_select(b, subnormal, bits_of(b, F32_SMALLEST_CODE + (next + 1) / 2), bits_of(b, next));
    const expr *code = build_add(b, exponent, build_select(b, build_le(b, reach, fraction), one, zero));
    const expr *over = build_lt(b, bits_of(b, E8_MAX), code);
    const expr *under = build_and(b, subnormal, build_lt(b, fraction, smallest)), *nan = bits_of(b, E8_NAN);
    code = build_select(b, over, bits_of(b, saturate ? E8_MAX : E8_NAN), code);
    code = build_select(b, under, saturate ? zero : nan, code);
    /* There are no negative numbers, and no zero but what saturates. */
    const expr *valid = build_and(b, build_eq(b, x, x), build_le(b, kit_const(b, x, 0), x));
    return build_cast(b, DT_U8, build_select(b, valid, code, nan));
}

/* ---- all ---- */

const expr *kit_decode(builder *b, dtype t, const expr *x) {
    return t == DT_F4E2M1 ? f4_value(b, x) : t == DT_F8E8M0 ? e8_value(b, x) : x;
}

const expr *kit_encode(builder *b, dtype t, const expr *x) {
    if (t == DT_F4E2M1)
        return f4_code(b, x);
    if (t == DT_F8E8M0)
        return kit_power_of_two(b, kit_cast(b, DT_F32, x), "nearest", true);
    return dtype_storage(t) != t ? wrap(b, t, x) : kit_cast(b, t, x);
}
