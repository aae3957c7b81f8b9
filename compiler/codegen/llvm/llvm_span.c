/* What values a float expression can take, where that is plain to see: it spares conversions to integers their checks.
 */
#include "codegen/llvm/llvm_emit.h"

#include <math.h>

static const float_span anything = {-INFINITY, INFINITY, true};

typedef float_span (*span_rule)(const emitter *e, const expr *x, int depth);

static float_span span_at(const emitter *e, const expr *x, int depth);

static float_span of_constant(const emitter *e, const expr *x, int depth) {
    (void)e;
    (void)depth;
    return isnan(x->f) ? anything : (float_span){x->f, x->f, false};
}

static float_span of_var(const emitter *e, const expr *x, int depth) {
    return e->lets[x->ref] != NULL ? span_at(e, e->lets[x->ref], depth) : anything;
}

static float_span of_operand(const emitter *e, const expr *x, int depth) {
    return span_at(e, x->arg[0], depth);
}

/* a < b ? a : b is b where either is NaN. */
static float_span of_min(const emitter *e, const expr *x, int depth) {
    float_span a = span_at(e, x->arg[0], depth), b = span_at(e, x->arg[1], depth);
    return b.nan ? anything : (float_span){fmin(a.lo, b.lo), a.nan ? b.hi : fmin(a.hi, b.hi), false};
}

static float_span of_max(const emitter *e, const expr *x, int depth) {
    float_span a = span_at(e, x->arg[0], depth), b = span_at(e, x->arg[1], depth);
    return b.nan ? anything : (float_span){a.nan ? b.lo : fmax(a.lo, b.lo), fmax(a.hi, b.hi), false};
}

/* To an integral value: at most the next one away. */
static float_span of_rounding(const emitter *e, const expr *x, int depth) {
    float_span a = span_at(e, x->arg[0], depth);
    return (float_span){floor(a.lo), ceil(a.hi), a.nan};
}

static float_span of_cast(const emitter *e, const expr *x, int depth) {
    dtype from = x->arg[0]->type.elem;
    if (dtype_is_int(from) && dtype_bits(from) <= 16)
        return (float_span){(double)dtype_min(from), (double)dtype_max(from), false};
    return from == DT_F32 ? span_at(e, x->arg[0], depth) : anything;
}

static const span_rule rules[EXPR_COUNT] = {
    [EXPR_FLOAT] = of_constant, [EXPR_VAR] = of_var,        [EXPR_BROADCAST] = of_operand, [EXPR_MIN] = of_min,
    [EXPR_MAX] = of_max,        [EXPR_FLOOR] = of_rounding, [EXPR_CEIL] = of_rounding,     [EXPR_TRUNC] = of_rounding,
    [EXPR_RINT] = of_rounding,  [EXPR_CAST] = of_cast,
};

static float_span span_at(const emitter *e, const expr *x, int depth) {
    return rules[x->kind] != NULL && depth > 0 ? rules[x->kind](e, x, depth - 1) : anything;
}

float_span llvm_span(const emitter *e, const expr *x) {
    enum { DEEP_ENOUGH = 8 };
    return span_at(e, x, DEEP_ENOUGH);
}
