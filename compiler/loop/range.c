/* Which values an integer expression can take, from the values of its operands. */
#include "loop/build_internal.h"

typedef __int128 wide;

range range_of_type(dtype t) {
    if (t == DT_BOOL)
        return (range){0, 1};
    if (!dtype_is_int(t) || t == DT_U64)
        return RANGE_ALL;
    return (range){dtype_min(t), (int64_t)dtype_max(t)};
}

/* The range lo..hi where no value of the type wraps, else all of the type. */
static range fit(dtype t, wide lo, wide hi) {
    range all = range_of_type(t);
    if (t == DT_U64 || lo < all.lo || hi > all.hi)
        return all;
    return (range){(int64_t)lo, (int64_t)hi};
}

static wide wide_min(wide a, wide b) {
    return a < b ? a : b;
}

static wide wide_max(wide a, wide b) {
    return a > b ? a : b;
}

static range range_mul(dtype t, range x, range y) {
    wide a = (wide)x.lo * y.lo, b = (wide)x.lo * y.hi, c = (wide)x.hi * y.lo, d = (wide)x.hi * y.hi;
    return fit(t, wide_min(wide_min(a, b), wide_min(c, d)), wide_max(wide_max(a, b), wide_max(c, d)));
}

static range range_div(dtype t, range x, range y) {
    if (y.lo != y.hi || y.lo <= 0)
        return range_of_type(t);
    return (range){x.lo / y.lo, x.hi / y.lo};
}

static range range_rem(dtype t, range x, range y) {
    if (y.lo != y.hi || y.lo <= 0)
        return range_of_type(t);
    int64_t most = y.lo - 1;
    range r = {x.lo < 0 ? -most : 0, x.hi > 0 ? most : 0};
    if (x.hi >= 0 && x.hi < r.hi)
        r.hi = x.hi;
    if (x.lo < 0 && x.lo > r.lo)
        r.lo = x.lo;
    return r;
}

static range range_and(dtype t, range x, range y) {
    if (x.lo < 0 && y.lo < 0)
        return range_of_type(t);
    int64_t hi = x.lo < 0 ? y.hi : y.lo < 0 ? x.hi : x.hi < y.hi ? x.hi : y.hi;
    return (range){0, hi};
}

static range range_join(range x, range y) {
    return (range){x.lo < y.lo ? x.lo : y.lo, x.hi > y.hi ? x.hi : y.hi};
}

static range range_abs(dtype t, range x) {
    wide lo = x.lo, hi = x.hi;
    if (lo >= 0)
        return x;
    return fit(t, hi < 0 ? -hi : 0, wide_max(-lo, hi));
}

static range range_binary(expr_kind k, dtype t, range x, range y) {
    switch (k) {
    case EXPR_ADD:
        return fit(t, (wide)x.lo + y.lo, (wide)x.hi + y.hi);
    case EXPR_SUB:
        return fit(t, (wide)x.lo - y.hi, (wide)x.hi - y.lo);
    case EXPR_MUL:
        return range_mul(t, x, y);
    case EXPR_DIV:
        return range_div(t, x, y);
    case EXPR_REM:
        return range_rem(t, x, y);
    case EXPR_MIN:
        return (range){x.lo < y.lo ? x.lo : y.lo, x.hi < y.hi ? x.hi : y.hi};
    case EXPR_MAX:
        return (range){x.lo > y.lo ? x.lo : y.lo, x.hi > y.hi ? x.hi : y.hi};
    case EXPR_AND:
        return range_and(t, x, y);
    default:
        return range_of_type(t);
    }
}

static range range_cast(dtype to, const expr *x) {
    range all = range_of_type(to), r = expr_range(x);
    bool small = x->type.elem == DT_BOOL || (dtype_is_int(x->type.elem) && x->type.elem != DT_U64);
    return small && r.lo >= all.lo && r.hi <= all.hi ? r : all;
}

static range range_ramp(const expr *shape, range base) {
    wide reach = (wide)shape->imm * (shape->type.lanes - 1);
    return fit(shape->type.elem, base.lo + wide_min(reach, 0), base.hi + wide_max(reach, 0));
}

range range_of(const expr *shape, const expr *const *args) {
    dtype t = shape->type.elem;
    range all = range_of_type(t);
    if ((!dtype_is_int(t) && t != DT_BOOL) || t == DT_U64)
        return RANGE_ALL;
    switch (shape->kind) {
    case EXPR_INT:
        return (range){shape->imm, shape->imm};
    case EXPR_BROADCAST:
    case EXPR_PERMUTE:
    case EXPR_REDUCE_MIN:
    case EXPR_REDUCE_MAX:
        return expr_range(args[0]);
    case EXPR_SHUFFLE:
    case EXPR_PERMUTE2:
        return range_join(expr_range(args[0]), expr_range(args[1]));
    case EXPR_SELECT:
        return range_join(expr_range(args[1]), expr_range(args[2]));
    case EXPR_RAMP:
        return range_ramp(shape, expr_range(args[0]));
    case EXPR_NEG:
        return fit(t, -(wide)expr_range(args[0]).hi, -(wide)expr_range(args[0]).lo);
    case EXPR_ABS:
        return range_abs(t, expr_range(args[0]));
    case EXPR_CAST:
        return range_cast(t, args[0]);
    default:
        return shape->n_args == 2 && args[0]->type.elem == t && shape->kind != EXPR_LOAD && shape->kind != EXPR_READ
                   ? range_binary(shape->kind, t, expr_range(args[0]), expr_range(args[1]))
                   : all;
    }
}
