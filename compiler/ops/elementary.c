/* Elementary functions, element by element. */
#include "ops/kit.h"

/* A scalar callback that applies one builder function to a float. */
#define UNARY(NAME, FN)                                                                                                \
    static const expr *NAME##_scalar(builder *b, const node *n, const expr *const *x) {                                \
        (void)n;                                                                                                       \
        return kit_unary(b, x[0], FN);                                                                                 \
    }
#define UNARY_ROW(NAME, FN, ...)                                                                                       \
    {.name = NAME,                                                                                                     \
     .domain = "",                                                                                                     \
     .versions = VERSIONS(__VA_ARGS__),                                                                                \
     .kind = OP_SCALAR,                                                                                                \
     .inputs = kit_float_input,                                                                                        \
     .outputs = kit_float_output,                                                                                      \
     .scalar = FN}

UNARY(exp, build_exp)
OP_ROW(Exp) = UNARY_ROW("Exp", exp_scalar, 1, 6, 13);

UNARY(log, build_log)
OP_ROW(Log) = UNARY_ROW("Log", log_scalar, 1, 6, 13);

UNARY(erf, build_erf)
OP_ROW(Erf) = UNARY_ROW("Erf", erf_scalar, 9, 13);

UNARY(tanh, build_tanh)
OP_ROW(Tanh) = UNARY_ROW("Tanh", tanh_scalar, 1, 6, 13);

UNARY(sin, build_sin)
OP_ROW(Sin) = UNARY_ROW("Sin", sin_scalar, 7, 22);

UNARY(cos, build_cos)
OP_ROW(Cos) = UNARY_ROW("Cos", cos_scalar, 7, 22);

static const expr *tangent(builder *b, const expr *x) {
    return build_div(b, build_sin(b, x), build_cos(b, x));
}
UNARY(tan, tangent)
OP_ROW(Tan) = UNARY_ROW("Tan", tan_scalar, 7, 22);

UNARY(sigmoid, build_sigmoid)
OP_ROW(Sigmoid) = {
    .name = "Sigmoid",
    .domain = "",
    .versions = VERSIONS_UNARY,
    .kind = OP_SCALAR,
    .inputs = kit_float_X,
    .outputs = kit_float_Y,
    .scalar = sigmoid_scalar,
};

/* ---- hyperbolic functions, by the forms that keep small arguments exact ---- */

/* With e = expm1(|x|): sinh|x| = (e + e/(e+1))/2, where e/(e+1) is 1 once e overflows. */
static const expr *hyperbolic_sine(builder *b, const expr *x) {
    const expr *zero = kit_const(b, x, 0), *one = kit_const(b, x, 1), *half = kit_const(b, x, 0.5);
    const expr *size = build_unary(b, EXPR_ABS, x), *e = build_expm1(b, size);
    const expr *infinite = build_eq(b, e, kit_highest(b, x->type.elem));
    const expr *rest = build_select(b, infinite, one, build_div(b, e, build_add(b, e, one)));
    const expr *small = build_mul(b, half, build_add(b, e, rest));
    /* e^x overflows a little before sinh x does. */
    const expr *root = build_exp(b, build_mul(b, half, size)), *large = build_mul(b, build_mul(b, half, root), root);
    const expr *y = build_select(b, infinite, large, small);
    return build_select(b, build_lt(b, x, zero), build_unary(b, EXPR_NEG, y),
                        build_select(b, build_eq(b, x, zero), x, y));
}
UNARY(sinh, hyperbolic_sine)
OP_ROW(Sinh) = UNARY_ROW("Sinh", sinh_scalar, 9, 22);

static const expr *hyperbolic_cosine(builder *b, const expr *x) {
    const expr *half = kit_const(b, x, 0.5), *root = build_exp(b, build_mul(b, half, build_unary(b, EXPR_ABS, x)));
    const expr *inverse = kit_reciprocal(b, root);
    return build_add(b, build_mul(b, build_mul(b, half, root), root),
                     build_mul(b, build_mul(b, half, inverse), inverse));
}
UNARY(cosh, hyperbolic_cosine)
OP_ROW(Cosh) = UNARY_ROW("Cosh", cosh_scalar, 9, 22);

static const expr *with_sign_of(builder *b, const expr *x, const expr *size) {
    const expr *zero = kit_const(b, x, 0);
    const expr *y = build_select(b, build_lt(b, x, zero), build_unary(b, EXPR_NEG, size), size);
    return build_select(b, build_eq(b, x, zero), x, y);
}

/* log1p(a + a^2/(1 + sqrt(a^2+1))) with a = |x|; log a + log 2 where a^2 would lose everything else. */
static const expr *area_sine(builder *b, const expr *x) {
    const expr *one = kit_const(b, x, 1), *a = build_unary(b, EXPR_ABS, x), *square = build_mul(b, a, a);
    const expr *root = build_unary(b, EXPR_SQRT, build_add(b, square, one));
    const expr *small = build_log1p(b, build_add(b, a, build_div(b, square, build_add(b, one, root))));
    const expr *large = build_add(b, build_log(b, a), kit_const(b, x, 0.69314718055994530942));
    return with_sign_of(b, x, build_select(b, build_lt(b, a, kit_const(b, x, 1e8)), small, large));
}
UNARY(asinh, area_sine)
OP_ROW(Asinh) = UNARY_ROW("Asinh", asinh_scalar, 9, 22);

/* log1p(t + sqrt(t^2 + 2t)) with t = x - 1. */
static const expr *area_cosine(builder *b, const expr *x) {
    const expr *t = build_sub(b, x, kit_const(b, x, 1));
    const expr *root = build_unary(b, EXPR_SQRT, build_add(b, build_mul(b, t, t), build_add(b, t, t)));
    const expr *large = build_add(b, build_log(b, x), kit_const(b, x, 0.69314718055994530942));
    return build_select(b, build_lt(b, x, kit_const(b, x, 1e8)), build_log1p(b, build_add(b, t, root)), large);
}
UNARY(acosh, area_cosine)
OP_ROW(Acosh) = UNARY_ROW("Acosh", acosh_scalar, 9, 22);

/* log1p(2a / (1-a)) / 2 with a = |x|. */
static const expr *area_tangent(builder *b, const expr *x) {
    const expr *a = build_unary(b, EXPR_ABS, x);
    const expr *ratio = build_div(b, build_add(b, a, a), build_sub(b, kit_const(b, x, 1), a));
    return with_sign_of(b, x, build_mul(b, kit_const(b, x, 0.5), build_log1p(b, ratio)));
}
UNARY(atanh, area_tangent)
OP_ROW(Atanh) = UNARY_ROW("Atanh", atanh_scalar, 9, 22);

/* ---- inverse circular functions ---- */

/* atan of a in [0, 1], as atan(1/2) + atan((a - 1/2) / (1 + a/2)) above tan(pi/8)... the argument left to the
 * series is then at most tan(pi/16) after one more halving by a / (1 + sqrt(1 + a^2)). */
static const expr *series_tangent(builder *b, const expr *a) {
    const expr *one = kit_const(b, a, 1);
    int halvings = 2, terms = a->type.elem == DT_F64 ? 14 : 6;
    for (int k = 0; k < halvings; k++)
        a = build_div(b, a, build_add(b, one, build_unary(b, EXPR_SQRT, build_add(b, one, build_mul(b, a, a)))));
    const expr *square = build_mul(b, a, a), *sum = kit_const(b, a, 0);
    for (int k = terms; k >= 0; k--)
        sum = build_add(b, build_mul(b, sum, square), kit_const(b, a, (k % 2 == 0 ? 1.0 : -1.0) / (2 * k + 1)));
    return build_mul(b, kit_const(b, a, 4), build_mul(b, a, sum));
}

static const double half_pi = 1.57079632679489661923;

static const expr *arc_tangent(builder *b, const expr *x) {
    const expr *a = build_unary(b, EXPR_ABS, x), *one = kit_const(b, x, 1), *big = build_lt(b, one, a);
    const expr *y = series_tangent(b, build_select(b, big, build_div(b, one, a), a));
    return with_sign_of(b, x, build_select(b, big, build_sub(b, kit_const(b, x, half_pi), y), y));
}
UNARY(atan, arc_tangent)
OP_ROW(Atan) = UNARY_ROW("Atan", atan_scalar, 7, 22);

/* atan(x / sqrt((1-x)(1+x))): the root is 0 at +-1, the quotient infinite, its arc tangent half pi. */
static const expr *arc_sine(builder *b, const expr *x) {
    const expr *one = kit_const(b, x, 1);
    const expr *root = build_unary(b, EXPR_SQRT, build_mul(b, build_sub(b, one, x), build_add(b, one, x)));
    return arc_tangent(b, build_div(b, x, root));
}
UNARY(asin, arc_sine)
OP_ROW(Asin) = UNARY_ROW("Asin", asin_scalar, 7, 22);

/* 2 atan(sqrt((1-x) / (1+x))). */
static const expr *arc_cosine(builder *b, const expr *x) {
    const expr *one = kit_const(b, x, 1);
    const expr *root = build_unary(b, EXPR_SQRT, build_div(b, build_sub(b, one, x), build_add(b, one, x)));
    return build_mul(b, kit_const(b, x, 2), arc_tangent(b, root));
}
UNARY(acos, arc_cosine)
OP_ROW(Acos) = UNARY_ROW("Acos", acos_scalar, 7, 22);
