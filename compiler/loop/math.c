/* Elementary functions as loop IR expressions: what they share, and the table of their errors.
 *
 *     math_exp.c   exp, expm1, sigmoid        math_log.c   log, log1p
 *     math_pow.c   pow                        math_trig.c  sin, cos
 *     math_erf.c   erf, tanh
 *
 * Coefficients are minimax fits of our own (Remez exchange; for the quotient in tanh, reweighted least squares), for
 * the relative error of the function itself. */
#include "loop/math_bounds.h"
#include "loop/math_internal.h"

#include <math.h>

const math_bound math_bounds[] = {
    {"exp", DT_F32, 2, INFINITY},     {"exp", DT_F64, 2, INFINITY},     {"expm1", DT_F32, 3, INFINITY},
    {"expm1", DT_F64, 3, INFINITY},   {"log", DT_F32, 2, INFINITY},     {"log", DT_F64, 2, INFINITY},
    {"log1p", DT_F32, 3, INFINITY},   {"log1p", DT_F64, 3, INFINITY},   {"tanh", DT_F32, 4, INFINITY},
    {"tanh", DT_F64, 3, INFINITY},    {"erf", DT_F32, 4, INFINITY},     {"erf", DT_F64, 2, INFINITY},
    {"sigmoid", DT_F32, 3, INFINITY}, {"sigmoid", DT_F64, 3, INFINITY}, {"pow", DT_F32, 1, INFINITY},
    {"pow", DT_F64, 2, INFINITY},     {"sin", DT_F32, 2, INFINITY},     {"sin", DT_F64, 2, 1e6},
    {"cos", DT_F32, 2, INFINITY},     {"cos", DT_F64, 2, 1e6},          {NULL, DT_NONE, 0, 0},
};

/* Relative errors of the fits: 2^-26.2 and 2^-61.7 (exp), 2^-37.6 and 2^-59.5 (log). */
static const double EXP_TERMS_F32[] = {0.49999997, 0.166665435, 0.0416672006, 0.00836654752, 0.00138825178};
static const double LOG_TERMS_F32[] = {0.666666627, 0.400003374, 0.285372376, 0.235835686};
static const double EXP_TERMS_F64[] = {
    0.5,
    0.16666666666666677,
    0.041666666666666505,
    0.0083333333333216533,
    0.0013888888888962604,
    0.0001984126988607358,
    2.4801587172231754e-05,
    2.7557244254051707e-06,
    2.7557402774303691e-07,
    2.5109024513229486e-08,
    2.08753293134875e-09,
};
static const double LOG_TERMS_F64[] = {
    0.66666666666667351, 0.3999999999941109,  0.28571428743262967, 0.22222198475958849,
    0.18183569741120048, 0.15313903215699021, 0.1479750799557229,
};

#define TERMS(array) (array), (int)(sizeof(array) / sizeof *(array))

static const math_format F32 = {
    DT_F32,
    DT_I32,
    23,
    127,
    0x1p-126,
    0x1.62e4p-1,
    0x1.7f7d1cf79abcap-20,
    -104,
    89,
    -18,
    TERMS(EXP_TERMS_F32),
    TERMS(LOG_TERMS_F32),
};
static const math_format F64 = {
    DT_F64,
    DT_I64,
    52,
    1023,
    0x1p-1022,
    0x1.62e42fefa2p-1,
    0x1.9ef35793c7673p-41,
    -746,
    710,
    -40,
    TERMS(EXP_TERMS_F64),
    TERMS(LOG_TERMS_F64),
};

/* f32 or f64. (Anything else is the poison of a builder that ran out of memory.) */
const math_format *math_format_of(const expr *x) {
    return x->type.elem == DT_F32 ? &F32 : &F64;
}

static const expr *like(builder *b, const expr *x, const expr *scalar) {
    return build_broadcast(b, scalar, x->type.lanes);
}

/* A float constant with x's element type and lanes. */
const expr *math_number(builder *b, const expr *x, double value) {
    if (builder_status(b) != STATUS_OK)
        return x;
    return like(b, x, build_float(b, x->type.elem, value));
}

/* An integer constant with x's element type and lanes. */
const expr *math_integer(builder *b, const expr *x, int64_t value) {
    return like(b, x, build_int(b, x->type.elem, value));
}

/* Shifts every lane by a constant. */
const expr *math_shift(builder *b, expr_kind k, const expr *x, int64_t count) {
    return build_binary(b, k, x, math_integer(b, x, count));
}

/* c[0] + c[1] x + c[2] x^2 + ..., by Horner's rule. */
const expr *math_polynomial(builder *b, const expr *x, const double *c, int n) {
    const expr *sum = math_number(b, x, c[n - 1]);
    for (int i = n - 2; i >= 0; i--)
        sum = build_mul_add(b, sum, x, math_number(b, x, c[i]));
    return sum;
}

/* Clamped from below; a NaN stays. */
const expr *math_at_least(builder *b, const expr *x, double least) {
    return build_max(b, math_number(b, x, least), x);
}

/* Clamped from above; a NaN stays. */
const expr *math_at_most(builder *b, const expr *x, double most) {
    return build_min(b, math_number(b, x, most), x);
}

/* `magnitude` (not negative) with the sign bit of x. */
const expr *math_with_sign(builder *b, const expr *magnitude, const expr *x) {
    const math_format *f = math_format_of(x);
    const expr *bits = build_bitcast(b, f->integer, x);
    const expr *sign = build_and(b, bits, build_int(b, f->integer, f->integer == DT_I32 ? INT32_MIN : INT64_MIN));
    return build_bitcast(b, f->real, build_binary(b, EXPR_OR, build_bitcast(b, f->integer, magnitude), sign));
}

/* condition ? x : a constant */
const expr *math_select_or(builder *b, const expr *condition, const expr *x, double otherwise) {
    return build_select(b, condition, x, math_number(b, x, otherwise));
}
