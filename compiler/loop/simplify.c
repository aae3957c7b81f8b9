/* The simplification rules of operations: always exact, floats included. */
#include "loop/build_internal.h"

#include <math.h>

static const expr *scalar_part(const expr *x) {
    return x->kind == EXPR_BROADCAST ? x->arg[0] : x;
}

static bool is_constant(const expr *x) {
    return expr_is_const(scalar_part(x));
}

static bool is_index(const expr *x) {
    return x->type.elem == DT_I64 && x->type.lanes == 1;
}

static const expr *int_like(builder *b, const expr *x, int64_t value) {
    return build_broadcast(b, build_int(b, x->type.elem, value), x->type.lanes);
}

static const expr *truth(builder *b, const expr *x, bool value) {
    return build_broadcast(b, build_int(b, DT_BOOL, value), x->type.lanes);
}

static const expr *raw_binary(builder *b, expr_kind k, const expr *x, const expr *y) {
    const expr *args[] = {x, y};
    bool compares = k >= EXPR_EQ && k <= EXPR_LE;
    return build_raw(b, k, LTYPE(compares ? DT_BOOL : x->type.elem, x->type.lanes), args, 2);
}

/* ---- one operand ---- */

static const expr *negate_comparison(builder *b, const expr *x) {
    bool ints = !dtype_is_float(x->arg[0]->type.elem);
    switch (x->kind) {
    case EXPR_EQ:
        return build_binary(b, EXPR_NE, x->arg[0], x->arg[1]);
    case EXPR_NE:
        return build_binary(b, EXPR_EQ, x->arg[0], x->arg[1]);
    case EXPR_LT:
        return ints ? build_binary(b, EXPR_LE, x->arg[1], x->arg[0]) : NULL;
    case EXPR_LE:
        return ints ? build_binary(b, EXPR_LT, x->arg[1], x->arg[0]) : NULL;
    default:
        return NULL;
    }
}

static const expr *simplify_neg(builder *b, const expr *x) {
    if (x->kind == EXPR_NEG)
        return x->arg[0];
    if (dtype_is_float(x->type.elem))
        return NULL;
    if (is_index(x))
        return linear_combine(b, x, -1, x, 0);
    if (x->kind == EXPR_SUB)
        return build_binary(b, EXPR_SUB, x->arg[1], x->arg[0]);
    if (x->kind == EXPR_RAMP && x->imm != INT64_MIN)
        return build_ramp(b, build_unary(b, EXPR_NEG, x->arg[0]), -x->imm, x->type.lanes);
    return NULL;
}

static const expr *simplify_abs(builder *b, const expr *x) {
    dtype t = x->type.elem;
    bool positive = x->kind == EXPR_ABS && dtype_is_float(t);
    if (dtype_is_int(t))
        positive = !dtype_is_signed(t) || expr_range(x).lo >= 0;
    if (positive)
        return x;
    return x->kind == EXPR_NEG ? build_unary(b, EXPR_ABS, x->arg[0]) : NULL;
}

static const expr *simplify_not(builder *b, const expr *x) {
    if (x->kind == EXPR_NOT)
        return x->arg[0];
    return x->type.elem == DT_BOOL && x->n_args == 2 ? negate_comparison(b, x) : NULL;
}

static bool is_rounding(expr_kind k) {
    return k >= EXPR_FLOOR && k <= EXPR_RINT;
}

const expr *simplify_unary(builder *b, expr_kind k, const expr *x) {
    switch (k) {
    case EXPR_NEG:
        return simplify_neg(b, x);
    case EXPR_ABS:
        return simplify_abs(b, x);
    case EXPR_NOT:
        return simplify_not(b, x);
    default:
        return is_rounding(k) && is_rounding(x->kind) ? x : NULL;
    }
}

/* ---- ramps: vectors of consecutive indices stay ramps through index arithmetic ---- */

/* The first lane and the step of a ramp or broadcast. */
static bool ramp_parts(const expr *x, const expr **out_base, int64_t *out_stride) {
    if (x->kind != EXPR_RAMP && x->kind != EXPR_BROADCAST)
        return false;
    *out_base = x->arg[0];
    *out_stride = x->kind == EXPR_RAMP ? x->imm : 0;
    return true;
}

/* Do base, base + stride .. all have the same quotient by c? */
static bool same_quotient(builder *b, const expr *base, int64_t stride, int lanes, int64_t c) {
    int64_t reach;
    if (stride < 0 || __builtin_mul_overflow(stride, (int64_t)(lanes - 1), &reach) || reach >= c)
        return false;
    range low = expr_range(build_rem(b, base, build_index(b, c)));
    return low.lo >= 0 && low.hi < c - reach;
}

static const expr *divide_ramp(builder *b, expr_kind k, const expr *x, int64_t c) {
    const expr *base = x->arg[0], *divisor = build_index(b, c);
    if (expr_range(base).lo < 0 || !range_known(expr_range(x)))
        return NULL;
    bool quotient = k == EXPR_DIV;
    const expr *part = build_binary(b, k, base, divisor);
    if (same_quotient(b, base, x->imm, x->type.lanes, c))
        return quotient ? build_broadcast(b, part, x->type.lanes) : build_ramp(b, part, x->imm, x->type.lanes);
    if (x->imm >= 0 && x->imm % c == 0)
        return quotient ? build_ramp(b, part, x->imm / c, x->type.lanes) : build_broadcast(b, part, x->type.lanes);
    return NULL;
}

const expr *simplify_lanes(builder *b, expr_kind k, const expr *x, const expr *y) {
    const expr *base, *other;
    int64_t stride, step;
    if (!dtype_is_int(x->type.elem) || !ramp_parts(x, &base, &stride) || !ramp_parts(y, &other, &step))
        return NULL;
    int lanes = x->type.lanes;
    uint64_t s = (uint64_t)stride, u = (uint64_t)step;
    switch (k) {
    case EXPR_ADD:
        return build_ramp(b, build_binary(b, k, base, other), (int64_t)(s + u), lanes);
    case EXPR_SUB:
        return build_ramp(b, build_binary(b, k, base, other), (int64_t)(s - u), lanes);
    case EXPR_MUL:
        return step == 0 && other->kind == EXPR_INT
                   ? build_ramp(b, build_binary(b, k, base, other), (int64_t)(s * (uint64_t)other->imm), lanes)
                   : NULL;
    case EXPR_DIV:
    case EXPR_REM:
        return step == 0 && other->kind == EXPR_INT && other->imm > 0 && x->type.elem == DT_I64
                   ? divide_ramp(b, k, x, other->imm)
                   : NULL;
    default:
        return NULL;
    }
}

/* ---- integers ---- */

/* (x + c1) + c2 and (x * c1) * c2 */
static const expr *join_constants(builder *b, expr_kind k, const expr *x, const expr *y) {
    if (x->kind != k || !is_constant(y) || !is_constant(x->arg[1]))
        return NULL;
    return build_binary(b, k, x->arg[0], build_binary(b, k, x->arg[1], y));
}

static const expr *simplify_int_add(builder *b, const expr *x, const expr *y) {
    if (is_index(x))
        return linear_combine(b, x, 1, y, 1);
    if (expr_is_int(y, 0))
        return x;
    if (y->kind == EXPR_NEG)
        return build_binary(b, EXPR_SUB, x, y->arg[0]);
    return join_constants(b, EXPR_ADD, x, y);
}

static const expr *simplify_int_sub(builder *b, const expr *x, const expr *y) {
    if (is_index(x))
        return linear_combine(b, x, 1, y, -1);
    if (x == y)
        return int_like(b, x, 0);
    if (is_constant(y))
        return build_binary(b, EXPR_ADD, x, build_unary(b, EXPR_NEG, y));
    if (expr_is_int(x, 0))
        return build_unary(b, EXPR_NEG, y);
    return y->kind == EXPR_NEG ? build_binary(b, EXPR_ADD, x, y->arg[0]) : NULL;
}

static const expr *simplify_int_mul(builder *b, const expr *x, const expr *y) {
    if (expr_is_int(y, 0))
        return y;
    if (expr_is_int(y, 1))
        return x;
    if (is_index(x) && y->kind == EXPR_INT)
        return linear_combine(b, x, y->imm, x, 0);
    if (expr_is_int(y, -1))
        return build_unary(b, EXPR_NEG, x);
    return join_constants(b, EXPR_MUL, x, y);
}

static const expr *simplify_int_div(builder *b, const expr *x, const expr *y) {
    if (expr_is_int(y, 1))
        return x;
    if (expr_is_int(x, 0) || expr_is_int(y, 0))
        return int_like(b, x, 0);
    return is_index(x) && y->kind == EXPR_INT && y->imm > 0 ? linear_divide(b, x, y->imm) : NULL;
}

static const expr *simplify_int_rem(builder *b, const expr *x, const expr *y) {
    if (expr_is_int(x, 0) || expr_is_int(y, 0) || expr_is_int(y, 1))
        return int_like(b, x, 0);
    return is_index(x) && y->kind == EXPR_INT && y->imm > 0 ? linear_remainder(b, x, y->imm) : NULL;
}

/* Is x <= y always? */
static bool never_above(const expr *x, const expr *y) {
    if (x->type.elem == DT_U64)
        return false;
    if (expr_range(x).hi <= expr_range(y).lo)
        return true;
    return is_index(x) && linear_difference(x, y).hi <= 0;
}

/* Is x < y always? */
static bool always_below(const expr *x, const expr *y) {
    if (x->type.elem == DT_U64)
        return false;
    if (expr_range(x).hi < expr_range(y).lo)
        return true;
    return is_index(x) && linear_difference(x, y).hi < 0;
}

static const expr *simplify_int_min_max(expr_kind k, const expr *x, const expr *y) {
    bool min = k == EXPR_MIN;
    if (x == y || never_above(x, y))
        return min ? x : y;
    return never_above(y, x) ? (min ? y : x) : NULL;
}

static const expr *simplify_compare(builder *b, expr_kind k, const expr *x, const expr *y) {
    bool below = always_below(x, y), above = always_below(y, x);
    switch (k) {
    case EXPR_EQ:
        return x == y ? truth(b, x, true) : below || above ? truth(b, x, false) : NULL;
    case EXPR_NE:
        return x == y ? truth(b, x, false) : below || above ? truth(b, x, true) : NULL;
    case EXPR_LT:
        return below ? truth(b, x, true) : x == y || never_above(y, x) ? truth(b, x, false) : NULL;
    default:
        return x == y || never_above(x, y) ? truth(b, x, true) : above ? truth(b, x, false) : NULL;
    }
}

/* The value whose bits are all ones. */
static bool is_ones(const expr *y) {
    return expr_is_int(y, fold_wrap(y->type.elem, -1));
}

static const expr *simplify_bits(builder *b, expr_kind k, const expr *x, const expr *y) {
    bool zero = expr_is_int(y, 0), ones = is_ones(y);
    switch (k) {
    case EXPR_AND:
        return x == y || ones ? x : zero ? y : NULL;
    case EXPR_OR:
        return x == y || zero ? x : ones ? y : NULL;
    default:
        return x == y ? int_like(b, x, 0) : zero ? x : ones ? build_unary(b, EXPR_NOT, x) : NULL;
    }
}

static const expr *simplify_int(builder *b, expr_kind k, const expr *x, const expr *y) {
    switch (k) {
    case EXPR_ADD:
        return simplify_int_add(b, x, y);
    case EXPR_SUB:
        return simplify_int_sub(b, x, y);
    case EXPR_MUL:
        return simplify_int_mul(b, x, y);
    case EXPR_MUL_HIGH:
        return expr_is_int(x, 0) || expr_is_int(y, 0) ? int_like(b, x, 0) : NULL;
    case EXPR_DIV:
        return simplify_int_div(b, x, y);
    case EXPR_REM:
        return simplify_int_rem(b, x, y);
    case EXPR_MIN:
    case EXPR_MAX:
        return simplify_int_min_max(k, x, y);
    case EXPR_AND:
    case EXPR_OR:
    case EXPR_XOR:
        return simplify_bits(b, k, x, y);
    case EXPR_SHL:
    case EXPR_SHR:
    case EXPR_SHR_ROUND:
        return expr_is_int(y, 0) ? x : NULL;
    default:
        return simplify_compare(b, k, x, y);
    }
}

/* ---- floats: nothing that changes -0, an infinity or whether it is NaN ---- */

static bool is_float(const expr *x, double value) {
    const expr *c = scalar_part(x);
    return c->kind == EXPR_FLOAT && c->f == value && !signbit(c->f) == !signbit(value);
}

/* 1/c where that is exact, as it is for powers of two; else 0. */
static double exact_reciprocal(const expr *y) {
    const expr *c = scalar_part(y);
    if (c->kind != EXPR_FLOAT || c->f == 0 || isinf(c->f) || isnan(c->f))
        return 0;
    int exponent, limit = c->type.elem == DT_F32 ? 126 : 1022;
    double mantissa = frexp(c->f, &exponent);
    bool power = fabs(mantissa) == 0.5 && exponent - 1 < limit && 1 - exponent < limit;
    return power ? 1 / c->f : 0;
}

static const expr *simplify_float_div(builder *b, const expr *x, const expr *y) {
    double inverse = exact_reciprocal(y);
    if (inverse == 0)
        return NULL;
    const expr *factor = build_broadcast(b, build_float(b, y->type.elem, inverse), y->type.lanes);
    return build_binary(b, EXPR_MUL, x, factor);
}

static const expr *simplify_float(builder *b, expr_kind k, const expr *x, const expr *y) {
    switch (k) {
    case EXPR_ADD:
        if (is_float(y, -0.0))
            return x;
        return y->kind == EXPR_NEG ? build_binary(b, EXPR_SUB, x, y->arg[0]) : NULL;
    case EXPR_SUB:
        if (is_float(y, 0.0))
            return x;
        return y->kind == EXPR_NEG ? build_binary(b, EXPR_ADD, x, y->arg[0]) : NULL;
    case EXPR_MUL:
        return is_float(y, 1) ? x : is_float(y, -1) ? build_unary(b, EXPR_NEG, x) : NULL;
    case EXPR_DIV:
        return simplify_float_div(b, x, y);
    case EXPR_MIN:
    case EXPR_MAX:
        return x == y ? x : NULL;
    default:
        return NULL;
    }
}

static bool commutes(expr_kind k, bool is_float_type) {
    switch (k) {
    case EXPR_ADD:
    case EXPR_MUL:
    case EXPR_AND:
    case EXPR_OR:
    case EXPR_XOR:
    case EXPR_EQ:
    case EXPR_NE:
        return true;
    case EXPR_MIN:
    case EXPR_MAX:
        return !is_float_type;
    default:
        return false;
    }
}

const expr *simplify_binary(builder *b, expr_kind k, const expr *x, const expr *y) {
    bool floats = dtype_is_float(x->type.elem);
    const expr *folded = fold_binary(b, k, x, y);
    if (folded != NULL)
        return folded;
    if (commutes(k, floats) && (is_constant(x) != is_constant(y) ? is_constant(x) : expr_before(y, x))) {
        const expr *t = x;
        x = y;
        y = t;
    }
    const expr *simple = floats ? simplify_float(b, k, x, y) : simplify_int(b, k, x, y);
    if (simple == NULL && x->type.lanes > 1)
        simple = simplify_lanes(b, k, x, y);
    return simple != NULL ? simple : raw_binary(b, k, x, y);
}
