/* Integer ranges, so that arithmetic that cannot wrap is written as plain C. */
#include "codegen/c99/c99.h"

typedef __int128 wide;

c99_range c99_type_range(dtype t) {
    if (t == DT_BOOL)
        return (c99_range){0, 1};
    if (!dtype_is_int(t))
        return (c99_range){INT64_MIN, UINT64_MAX};
    return (c99_range){dtype_is_signed(t) ? dtype_min(t) : 0, (wide)dtype_max(t)};
}

static c99_range hull(wide a, wide b, wide x, wide y) {
    wide lo = a < b ? a : b, hi = a < b ? b : a;
    lo = x < lo ? x : lo;
    lo = y < lo ? y : lo;
    hi = x > hi ? x : hi;
    hi = y > hi ? y : hi;
    return (c99_range){lo, hi};
}

/* The mathematical result's range; false where nothing is known. Operands are within 64 bits. */
static bool exact_range(const expr *x, c99_range a, c99_range b, c99_range *out) {
    wide reach;
    switch (x->kind) {
    case EXPR_ADD:
        *out = (c99_range){a.lo + b.lo, a.hi + b.hi};
        return true;
    case EXPR_SUB:
        *out = (c99_range){a.lo - b.hi, a.hi - b.lo};
        return true;
    case EXPR_MUL:
        /* two u64 could leave even 128 bits */
        if (a.hi > INT64_MAX || b.hi > INT64_MAX)
            return false;
        *out = hull(a.lo * b.lo, a.lo * b.hi, a.hi * b.lo, a.hi * b.hi);
        return true;
    case EXPR_NEG:
        *out = (c99_range){-a.hi, -a.lo};
        return true;
    case EXPR_DIV:
        if (b.lo <= 0)
            return false;
        *out = hull(a.lo / b.lo, a.lo / b.hi, a.hi / b.lo, a.hi / b.hi);
        return true;
    case EXPR_REM:
        if (b.lo <= 0)
            return false;
        *out = (c99_range){a.lo < 0 ? -(b.hi - 1) : 0, a.hi > 0 ? b.hi - 1 : 0};
        if (a.lo >= 0 && a.hi < out->hi)
            out->hi = a.hi;
        return true;
    case EXPR_RAMP:
        reach = (wide)x->imm * (x->type.lanes - 1);
        *out = (c99_range){a.lo + (reach < 0 ? reach : 0), a.hi + (reach > 0 ? reach : 0)};
        return true;
    default:
        return false;
    }
}

static c99_range range_of(c99 *c, const expr *x, int depth);

static c99_range same_or_join(c99 *c, const expr *x, int depth) {
    c99_range a, b;
    switch (x->kind) {
    case EXPR_BROADCAST:
    case EXPR_CAST:
        return range_of(c, x->arg[0], depth);
    case EXPR_SELECT:
        a = range_of(c, x->arg[1], depth);
        b = range_of(c, x->arg[2], depth);
        return hull(a.lo, b.lo, a.hi, b.hi);
    case EXPR_MIN:
    case EXPR_MAX:
        a = range_of(c, x->arg[0], depth);
        b = range_of(c, x->arg[1], depth);
        if ((x->kind == EXPR_MIN) == (a.hi < b.hi))
            b.hi = a.hi;
        if ((x->kind == EXPR_MIN) == (a.lo < b.lo))
            b.lo = a.lo;
        return b;
    default:
        return c99_type_range(x->type.elem);
    }
}

/* Deep expressions are given up early: precision is for index arithmetic, which is shallow. */
static c99_range range_of(c99 *c, const expr *x, int depth) {
    c99_range all = c99_type_range(x->type.elem), r;
    if (x->kind == EXPR_INT)
        return x->type.elem == DT_U64 ? (c99_range){(wide)(uint64_t)x->imm, (wide)(uint64_t)x->imm}
                                      : (c99_range){x->imm, x->imm};
    if (x->kind == EXPR_VAR)
        return c->vars[x->ref].range;
    if (depth == 0 || (x->n_args > 0 && dtype_is_float(x->arg[0]->type.elem)))
        return all;
    if (x->n_args > 0 && x->n_args <= 2 && x->kind != EXPR_LOAD && x->kind != EXPR_REG) {
        c99_range a = range_of(c, x->arg[0], depth - 1);
        c99_range b = x->n_args == 2 ? range_of(c, x->arg[1], depth - 1) : a;
        if (exact_range(x, a, b, &r))
            return r.lo >= all.lo && r.hi <= all.hi ? r : all;
    }
    r = same_or_join(c, x, depth - 1);
    return r.lo >= all.lo && r.hi <= all.hi ? r : all;
}

#define RANGE_DEPTH 8

c99_range c99_expr_range(c99 *c, const expr *x) {
    return range_of(c, x, RANGE_DEPTH);
}

bool c99_never_wraps(c99 *c, const expr *x) {
    if (!dtype_is_int(x->type.elem) || x->n_args == 0)
        return false;
    /* Two literals would be computed in int. */
    if (x->arg[0]->kind == EXPR_INT && x->arg[x->n_args - 1]->kind == EXPR_INT)
        return false;
    c99_range all = c99_type_range(x->type.elem), r;
    c99_range a = c99_expr_range(c, x->arg[0]);
    c99_range b = x->n_args == 2 ? c99_expr_range(c, x->arg[1]) : a;
    return exact_range(x, a, b, &r) && r.lo >= all.lo && r.hi <= all.hi;
}
