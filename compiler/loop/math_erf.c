/* The error function and the hyperbolic tangent: the activations of most transformers. */
#include "loop/math_internal.h"

#define TERMS(array) (array), (int)(sizeof(array) / sizeof *(array))

/* tanh(x/2) = N/D with N = x P(x^2) and D = Q(x^2), all coefficients positive, so that nothing cancels; relative error
 * 2^-25.4. P and Q have a common factor, chosen so that rounding errors are least. */
static const double TANH_P_F32[] = {0.917981565, 0.0289060362, 0.000146695704, 7.87647352e-08};
static const double TANH_Q_F32[] = {1.83596313, 0.210808888, 0.00256115803, 5.01942532e-06};

/* tanh(x) = 2ND / (D^2 + N^2): the errors of N/D fade as x grows. tanh is 1 in f32 from 9.02 on. */
static const expr *tanh_f32(builder *b, const expr *x) {
    const expr *clamped = math_at_least(b, math_at_most(b, x, 9.02), -9.02);
    const expr *z = build_mul(b, clamped, clamped);
    const expr *n = build_mul(b, clamped, math_polynomial(b, z, TERMS(TANH_P_F32)));
    const expr *d = math_polynomial(b, z, TERMS(TANH_Q_F32));
    const expr *divisor = build_mul_add(b, d, d, build_mul(b, n, n));
    const expr *value = build_div(b, build_mul(b, build_add(b, n, n), d), divisor);
    return math_at_least(b, math_at_most(b, value, 1), -1);
}

/* -e / (e + 2) with e = expm1(-2|x|) */
static const expr *tanh_f64(builder *b, const expr *x) {
    const expr *magnitude = build_unary(b, EXPR_ABS, x);
    const expr *e = build_expm1(b, build_mul(b, magnitude, math_number(b, x, -2)));
    const expr *value = build_div(b, build_unary(b, EXPR_NEG, e), build_add(b, e, math_number(b, x, 2)));
    return math_with_sign(b, value, x);
}

/* Hyperbolic tangent. */
const expr *build_tanh(builder *b, const expr *x) {
    return x->type.elem == DT_F32 ? tanh_f32(b, x) : tanh_f64(b, x);
}

/* (erf(x)/x - 2/sqrt(pi)) / x^2 in x^2 on |x| <= 1; relative errors of erf 2^-24.4 and 2^-56.8 */
static const double ERF_SMALL_F32[] = {-0.376124187, 0.112807011, -0.0267232078, 0.00492941322, -0.000567441177};
static const double ERF_SMALL_F64[] = {
    -0.37612638903183598,    0.11283791670946214,    -0.0268661706433557,     0.0052239776077446466,
    -0.00085483259953382182, 0.00012055295297022456, -1.4924741669166754e-05, 1.64474584512118e-06,
    -1.6208598563294295e-07, 1.3720085045158973e-08, -7.7952459626109879e-10,
};
/* (1 - erf(x))^(-1/8) on 1 <= x <= 4; relative error of erf 2^-26.3 */
static const double ERFC_ROOT_F32[] = {
    0.996486946, 0.159210667, 0.0494169535, 0.0737363831, -0.033031147, 0.0177507963, -0.00400217348, 0.000543668375,
};
/* -log(1 - erf(x)) in x - 1 on 1 <= x <= 6; error of erf 2^-54.8 */
static const double ERFC_LOG_F64[] = {
    1.8496055099332485,      2.6389675142347322,      0.84310725636185324,     0.04156109797268407,
    -0.010033824605594604,   0.0019778975191086382,   -0.00023730116019886921, -2.6339041091843923e-05,
    2.7282749143377273e-05,  -9.7893103238136369e-06, 2.2527016443726073e-06,  -2.9520523561449893e-07,
    -8.7345894796905901e-09, 1.4101182763918286e-08,  -3.2507914011399609e-09, 3.6856603455578459e-10,
    -1.7705279584245235e-11,
};

static const expr *erf_small(builder *b, const expr *x, const double *c, int n) {
    const expr *z = build_mul(b, x, x);
    const expr *factor = build_mul_add(b, z, math_polynomial(b, z, c, n), math_number(b, x, 0x1.20dd750429b6dp+0));
    return build_mul(b, x, factor);
}

static const expr *erf_of_parts(builder *b, const expr *x, const expr *small, const expr *large) {
    const expr *is_small = build_lt(b, build_unary(b, EXPR_ABS, x), math_number(b, x, 1));
    return build_select(b, is_small, small, math_with_sign(b, large, x));
}

static const expr *erf_f32(builder *b, const expr *x) {
    const expr *one = math_number(b, x, 1);
    const expr *magnitude = math_at_most(b, build_unary(b, EXPR_ABS, x), 4);
    const expr *power = math_polynomial(b, magnitude, TERMS(ERFC_ROOT_F32));
    for (int i = 0; i < 3; i++)
        power = build_mul(b, power, power);
    const expr *large = build_sub(b, one, build_div(b, one, power));
    return erf_of_parts(b, x, erf_small(b, x, TERMS(ERF_SMALL_F32)), large);
}

static const expr *erf_f64(builder *b, const expr *x) {
    const expr *one = math_number(b, x, 1);
    const expr *magnitude = math_at_most(b, build_unary(b, EXPR_ABS, x), 6);
    const expr *log = math_polynomial(b, build_sub(b, magnitude, one), TERMS(ERFC_LOG_F64));
    const expr *large = build_sub(b, one, math_exp_within(b, build_unary(b, EXPR_NEG, log), NULL));
    return erf_of_parts(b, x, erf_small(b, x, TERMS(ERF_SMALL_F64)), large);
}

/* Error function. */
const expr *build_erf(builder *b, const expr *x) {
    return x->type.elem == DT_F32 ? erf_f32(b, x) : erf_f64(b, x);
}
