/* The simplification rules of casts: always exact. */
#include "loop/build_internal.h"

bool simplify_holds(dtype to, dtype from) {
    if (from == DT_BOOL)
        return true;
    if (dtype_is_float(from) && dtype_is_float(to))
        return to == DT_F64 || (to == DT_F32 && from != DT_F64);
    if (!dtype_is_int(from) || !dtype_is_int(to))
        return false;
    return dtype_min(to) <= dtype_min(from) && dtype_max(to) >= dtype_max(from);
}

static bool is_narrow_float(dtype t) {
    return dtype_is_float(t) && dtype_bits(t) < 32;
}

/* Casts of narrow floats stay apart: a target may have the one to or from f32, and no other. */
static const expr *cast_of_cast(builder *b, dtype t, const expr *x) {
    dtype middle = x->type.elem, from = x->arg[0]->type.elem;
    if (t != from && (is_narrow_float(t) || is_narrow_float(from)))
        return NULL;
    if (simplify_holds(middle, from))
        return build_cast(b, t, x->arg[0]);
    bool ints = dtype_is_int(t) && dtype_is_int(middle) && dtype_is_int(from);
    return ints && dtype_bits(t) <= dtype_bits(middle) ? build_cast(b, t, x->arg[0]) : NULL;
}

/* ---- float to integer and back ---- */

static const expr *float_like(builder *b, const expr *x, double value) {
    return build_broadcast(b, build_float(b, DT_F32, value), x->type.lanes);
}

/* Is x, in every lane, an integral float within the integer type? */
static bool is_exact_in(const expr *x, dtype t) {
    float_span s = expr_span(x, NULL);
    return s.integral && !s.nan && s.lo >= (double)dtype_min(t) && s.hi <= (double)dtype_max(t);
}

/* The float that integer x was made of by an exact cast, through wider integers; NULL where it was not. It may be -0.
 */
static const expr *float_source(const expr *x) {
    while (x->kind == EXPR_CAST && dtype_is_int(x->type.elem) && simplify_holds(x->type.elem, x->arg[0]->type.elem))
        x = x->arg[0];
    bool from_float = x->kind == EXPR_CAST && x->arg[0]->type.elem == DT_F32 && dtype_is_int(x->type.elem);
    return from_float && dtype_bits(x->type.elem) <= 16 && is_exact_in(x->arg[0], x->type.elem) ? x->arg[0] : NULL;
}

/* float(int(v) + c) is v + c: integers of 16 bits and a constant within 16 bits, so that every step is exact. Adding 0
 * makes -0 a 0, as the integer is. */
static const expr *float_round_trip(builder *b, const expr *x) {
    const expr *source = float_source(x), *c = NULL;
    if (source != NULL)
        return build_add(b, source, float_like(b, x, 0));
    if (x->kind != EXPR_ADD || dtype_bits(x->type.elem) < 32)
        return NULL;
    c = x->arg[1]->kind == EXPR_BROADCAST ? x->arg[1]->arg[0] : x->arg[1];
    bool small = c->kind == EXPR_INT && c->imm >= -65536 && c->imm <= 65536;
    source = small ? float_source(x->arg[0]) : NULL;
    return source != NULL ? build_add(b, source, float_like(b, x, (double)c->imm)) : NULL;
}

const expr *simplify_cast(builder *b, dtype t, const expr *x) {
    const expr *shorter = x->kind == EXPR_CAST ? cast_of_cast(b, t, x) : NULL;
    if (shorter == NULL && t == DT_F32 && dtype_is_int(x->type.elem))
        shorter = float_round_trip(b, x);
    bool narrows = dtype_is_int(t) && dtype_is_int(x->type.elem) && dtype_bits(t) <= dtype_bits(x->type.elem);
    if (shorter == NULL && x->kind == EXPR_RAMP && narrows)
        shorter = build_ramp(b, build_cast(b, t, x->arg[0]), x->imm, x->type.lanes);
    return shorter;
}
