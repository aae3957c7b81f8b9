/* exp, expm1 and the logistic function. */
#include "loop/math_internal.h"

/* x = n ln(2) + r with |r| <= ln(2)/2 (and a trifle). `bits` holds n + 2*bias in its low bits. */
typedef struct exp_reduction {
    const expr *bits, *r;
} exp_reduction;

/* Adding 1.5 * 2^mantissa rounds to an integer and leaves it in the low bits of the sum. */
static exp_reduction reduce(builder *b, const math_format *f, const expr *x) {
    const double shift = 1.5 * (double)(INT64_C(1) << f->mantissa) + 2 * f->bias;
    const expr *sum = build_mul_add(b, x, math_number(b, x, 0x1.71547652b82fep+0), math_number(b, x, shift));
    const expr *n = build_sub(b, sum, math_number(b, x, shift));
    const expr *r = build_mul_add(b, n, math_number(b, x, -f->ln2_hi), x);
    r = build_mul_add(b, n, math_number(b, x, -f->ln2_lo), r);
    return (exp_reduction){build_bitcast(b, f->integer, sum), r};
}

/* exp(r) - 1 = r + r^2 * (1/2 + r/6 + ...) */
static const expr *expm1_reduced(builder *b, const math_format *f, const expr *r) {
    const expr *tail = math_polynomial(b, r, f->exp_terms, f->n_exp_terms);
    return build_mul_add(b, build_mul(b, r, r), tail, r);
}

static const expr *power_of_two(builder *b, const math_format *f, const expr *biased_exponent) {
    return build_bitcast(b, f->real, math_shift(b, EXPR_SHL, biased_exponent, f->mantissa));
}

/* exp(x + low) for exp_least <= x <= exp_most + 1; low (may be NULL) is tiny.
 * 2^n is applied as two factors, of half the exponent each: n exceeds the exponents of normal numbers at both ends, and
 * this way the result is rounded once where it is subnormal. Bits above the exponent field fall out of the shifts. */
const expr *math_exp_within(builder *b, const expr *x, const expr *low) {
    const math_format *f = math_format_of(x);
    exp_reduction e = reduce(b, f, x);
    const expr *r = low != NULL ? build_add(b, e.r, low) : e.r;
    const expr *value = build_add(b, expm1_reduced(b, f, r), math_number(b, x, 1));
    const expr *half = math_shift(b, EXPR_SHR, e.bits, 1);
    const expr *rest = build_sub(b, e.bits, half);
    return build_mul(b, build_mul(b, value, power_of_two(b, f, half)), power_of_two(b, f, rest));
}

/* e^x */
const expr *build_exp(builder *b, const expr *x) {
    const math_format *f = math_format_of(x);
    return math_exp_within(b, math_at_least(b, math_at_most(b, x, f->exp_most), f->exp_least), NULL);
}

/* e^x - 1, exact near 0: 2^n (expm1(r) + 1) - 1, computed at half size so that the largest n has a 2^n. */
const expr *build_expm1(builder *b, const expr *x) {
    const math_format *f = math_format_of(x);
    const expr *clamped = math_at_least(b, math_at_most(b, x, f->exp_most), f->expm1_least);
    exp_reduction e = reduce(b, f, clamped);
    const expr *half = power_of_two(b, f, build_sub(b, e.bits, math_integer(b, e.bits, f->bias + 1)));
    const expr *sum = build_mul_add(b, half, expm1_reduced(b, f, e.r), build_add(b, half, math_number(b, x, -0.5)));
    const expr *is_zero = build_eq(b, x, math_number(b, x, 0));
    return build_select(b, is_zero, x, build_add(b, sum, sum));
}

/* 1 / (1 + e^-x); with the exponential of -|x| only, small results stay exact. */
const expr *build_sigmoid(builder *b, const expr *x) {
    const math_format *f = math_format_of(x);
    const expr *minus = build_unary(b, EXPR_NEG, build_unary(b, EXPR_ABS, x));
    const expr *e = math_exp_within(b, math_at_least(b, minus, f->exp_least), NULL);
    const expr *is_positive = build_le(b, math_number(b, x, 0), x);
    const expr *dividend = build_select(b, is_positive, math_number(b, x, 1), e);
    return build_div(b, dividend, build_add(b, e, math_number(b, x, 1)));
}
