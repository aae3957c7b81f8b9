/* What values a float expression can take, where that is plain to see: it spares conversions to integers their checks.
 */
#include "loop/build_internal.h"

#include <math.h>

static const float_span anything = {-INFINITY, INFINITY, true, false};

typedef float_span (*span_rule)(const expr *x, const expr *const *lets, int depth);

static float_span span_at(const expr *x, const expr *const *lets, int depth);

static float_span of_constant(const expr *x, const expr *const *lets, int depth) {
    (void)lets;
    (void)depth;
    return isnan(x->f) ? anything : (float_span){x->f, x->f, false, isfinite(x->f) && trunc(x->f) == x->f};
}

static float_span of_var(const expr *x, const expr *const *lets, int depth) {
    return lets != NULL && lets[x->ref] != NULL ? span_at(lets[x->ref], lets, depth) : anything;
}

static float_span of_operand(const expr *x, const expr *const *lets, int depth) {
    return span_at(x->arg[0], lets, depth);
}

/* a < b ? a : b is b where either is NaN. */
static float_span of_min(const expr *x, const expr *const *lets, int depth) {
    float_span a = span_at(x->arg[0], lets, depth), b = span_at(x->arg[1], lets, depth);
    return b.nan ? anything
                 : (float_span){fmin(a.lo, b.lo), a.nan ? b.hi : fmin(a.hi, b.hi), false, a.integral && b.integral};
}

static float_span of_max(const expr *x, const expr *const *lets, int depth) {
    float_span a = span_at(x->arg[0], lets, depth), b = span_at(x->arg[1], lets, depth);
    return b.nan ? anything
                 : (float_span){a.nan ? b.lo : fmax(a.lo, b.lo), fmax(a.hi, b.hi), false, a.integral && b.integral};
}

/* To an integral value: at most the next one away. */
static float_span of_rounding(const expr *x, const expr *const *lets, int depth) {
    float_span a = span_at(x->arg[0], lets, depth);
    return (float_span){floor(a.lo), ceil(a.hi), a.nan, true};
}

/* The rounded sum of integral values is integral, whatever their size; its bounds are not worth the trouble. */
static float_span of_sum(const expr *x, const expr *const *lets, int depth) {
    float_span a = span_at(x->arg[0], lets, depth), b = span_at(x->arg[1], lets, depth), s = anything;
    s.integral = a.integral && b.integral;
    return s;
}

static float_span of_cast(const expr *x, const expr *const *lets, int depth) {
    dtype from = x->arg[0]->type.elem;
    if (dtype_is_int(from) && dtype_bits(from) <= 16)
        return (float_span){(double)dtype_min(from), (double)dtype_max(from), false, true};
    return from == DT_F32 ? span_at(x->arg[0], lets, depth) : anything;
}

static const span_rule rules[EXPR_COUNT] = {
    [EXPR_FLOAT] = of_constant, [EXPR_VAR] = of_var,        [EXPR_BROADCAST] = of_operand, [EXPR_MIN] = of_min,
    [EXPR_MAX] = of_max,        [EXPR_FLOOR] = of_rounding, [EXPR_CEIL] = of_rounding,     [EXPR_TRUNC] = of_rounding,
    [EXPR_RINT] = of_rounding,  [EXPR_CAST] = of_cast,      [EXPR_ADD] = of_sum,           [EXPR_SUB] = of_sum,
};

static float_span span_at(const expr *x, const expr *const *lets, int depth) {
    return rules[x->kind] != NULL && depth > 0 ? rules[x->kind](x, lets, depth - 1) : anything;
}

float_span expr_span(const expr *x, const expr *const *lets) {
    enum { DEEP_ENOUGH = 8 };
    return span_at(x, lets, DEEP_ENOUGH);
}
