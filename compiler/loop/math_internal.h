/* What the files math*.c share: number formats, constants, polynomials, splitting. Not for other rooms.
 *
 * Every function is branch-free and lane-generic. All exponent arithmetic is done on the bits, so that neither RINT nor
 * a float-to-int conversion is needed, on any target. Sums are spelt with build_mul_add; the bounds hold with and
 * without FMA. */
#ifndef TENON_LOOP_MATH_INTERNAL_H
#define TENON_LOOP_MATH_INTERNAL_H

#include "loop/loop.h"

/* A binary floating-point format and the constants of exp and log in it. */
typedef struct math_format {
    dtype real, integer; /* integer: signed, same width */
    int mantissa;        /* bits after the point */
    int bias;
    double least_normal;        /* 2^(1-bias) */
    double ln2_hi, ln2_lo;      /* products of ln2_hi and an exponent are exact */
    double exp_least, exp_most; /* exp is 0 below, infinite above */
    double expm1_least;         /* expm1 is -1 below */
    const double *exp_terms;    /* (exp(r) - 1 - r) / r^2 on |r| <= ln(2)/2 */
    int n_exp_terms;
    const double *log_terms; /* (2 atanh(s)/s - 2) / s^2 in z = s^2, on s up to (sqrt(2)-1)/(sqrt(2)+1) */
    int n_log_terms;
} math_format;

const math_format *math_format_of(const expr *x);

/* A constant of x's element type and lanes. */
const expr *math_number(builder *b, const expr *x, double value);
const expr *math_integer(builder *b, const expr *x, int64_t value);
/* x shifted by a constant. */
const expr *math_shift(builder *b, expr_kind k, const expr *x, int64_t count);
/* c[0] + c[1] x + c[2] x^2 + ... */
const expr *math_polynomial(builder *b, const expr *x, const double *c, int n);
/* Clamped; a NaN stays. */
const expr *math_at_least(builder *b, const expr *x, double least);
const expr *math_at_most(builder *b, const expr *x, double most);
/* magnitude (>= 0) with the sign bit of x. */
const expr *math_with_sign(builder *b, const expr *magnitude, const expr *x);
/* condition ? x : constant */
const expr *math_select_or(builder *b, const expr *condition, const expr *x, double otherwise);

/* exp(x + low) for exp_least <= x <= exp_most + 1; low (may be NULL) is tiny. */
const expr *math_exp_within(builder *b, const expr *x, const expr *low);

/* x > 0 as 2^exponent * (1 + f), 1 + f within sqrt(1/2) .. sqrt(2). The exponent is a float. */
typedef struct math_split {
    const expr *exponent, *f;
} math_split;
/* Of a positive normal number. */
math_split math_split_normal(builder *b, const expr *x);
/* Of any positive finite number. */
math_split math_split_positive(builder *b, const expr *x);
/* log of what was split, plus a correction (may be NULL). */
const expr *math_log_of(builder *b, math_split x, const expr *correction);

#endif
