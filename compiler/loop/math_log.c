/* log and log1p. */
#include "loop/math_internal.h"

#include <math.h>

static const expr *as_float(builder *b, const math_format *f, const expr *exponent) {
    return build_cast(b, f->real, build_cast(b, DT_I32, exponent));
}

/* A positive normal number. */
math_split math_split_normal(builder *b, const expr *x) {
    const math_format *f = math_format_of(x);
    const int64_t root_half = f->integer == DT_I32 ? 0x3f3504f3 : 0x3fe6a09e667f3bcc;
    const expr *bits = build_bitcast(b, f->integer, x);
    const expr *from_root = build_sub(b, bits, math_integer(b, bits, root_half));
    const expr *exponent = math_shift(b, EXPR_SHR, from_root, f->mantissa);
    const expr *mantissa = build_sub(b, bits, math_shift(b, EXPR_SHL, exponent, f->mantissa));
    const expr *one = math_number(b, x, 1);
    return (math_split){as_float(b, f, exponent), build_sub(b, build_bitcast(b, f->real, mantissa), one)};
}

/* Any positive finite number. */
math_split math_split_positive(builder *b, const expr *x) {
    const math_format *f = math_format_of(x);
    const double scale = f->mantissa + 1;
    const expr *is_subnormal = build_lt(b, x, math_number(b, x, f->least_normal));
    const expr *scaled = build_mul(b, x, math_number(b, x, ldexp(1, f->mantissa + 1)));
    math_split s = math_split_normal(b, build_select(b, is_subnormal, scaled, x));
    const expr *excess = build_select(b, is_subnormal, math_number(b, x, scale), math_number(b, x, 0));
    s.exponent = build_sub(b, s.exponent, excess);
    return s;
}

/* With s = f/(2+f): log(1+f) = 2 atanh(s) = 2s + s R = f - (f^2/2 - s (f^2/2 + R)), where R = O(s^2) and only f is
 * large. */
const expr *math_log_of(builder *b, math_split x, const expr *correction) {
    const math_format *format = math_format_of(x.f);
    const expr *f = x.f;
    const expr *s = build_div(b, f, build_add(b, f, math_number(b, f, 2)));
    const expr *z = build_mul(b, s, s);
    const expr *r = build_mul(b, z, math_polynomial(b, z, format->log_terms, format->n_log_terms));
    const expr *half_square = build_mul(b, build_mul(b, f, f), math_number(b, f, 0.5));
    const expr *small = build_mul(b, x.exponent, math_number(b, f, format->ln2_lo));
    if (correction != NULL)
        small = build_add(b, small, correction);
    small = build_mul_add(b, s, build_add(b, half_square, r), small);
    const expr *of_fraction = build_sub(b, f, build_sub(b, half_square, small));
    return build_mul_add(b, x.exponent, math_number(b, f, format->ln2_hi), of_fraction);
}

/* The value at positive finite x; log's special values elsewhere. */
static const expr *or_special(builder *b, const expr *x, const expr *value) {
    const expr *zero = math_number(b, x, 0), *infinity = math_number(b, x, (double)INFINITY);
    const expr *is_positive = build_lt(b, zero, x);
    const expr *of_zero =
        build_select(b, build_eq(b, x, zero), math_number(b, x, -(double)INFINITY), math_number(b, x, (double)NAN));
    const expr *special = build_select(b, is_positive, infinity, of_zero);
    return build_select(b, build_and(b, is_positive, build_lt(b, x, infinity)), value, special);
}

/* Natural logarithm. */
const expr *build_log(builder *b, const expr *x) {
    return or_special(b, x, math_log_of(b, math_split_positive(b, x), NULL));
}

/* log(1 + x), exact near 0: the log of the rounded sum u, corrected by what the rounding lost, over u. */
const expr *build_log1p(builder *b, const expr *x) {
    const expr *one = math_number(b, x, 1);
    const expr *u = build_add(b, x, one);
    const expr *x_part = build_sub(b, u, one), *one_part = build_sub(b, u, x_part);
    const expr *lost = build_add(b, build_sub(b, one, one_part), build_sub(b, x, x_part));
    const expr *value = math_log_of(b, math_split_normal(b, u), build_div(b, lost, u));
    const expr *is_zero = build_eq(b, x, math_number(b, x, 0));
    return build_select(b, is_zero, x, or_special(b, u, value));
}
