/* Expressions made from expressions: the same over other operands, substitution, widening to lanes, affine parts. */
#include "loop/build_internal.h"

/* ---- the same expression over other operands ---- */

static const expr *like_leaf(builder *b, const expr *x) {
    expr shape = {.kind = x->kind, .type = x->type, .ref = x->ref, .imm = x->imm, .f = x->f};
    return build_intern(b, &shape, NULL);
}

static const expr *like_memory(builder *b, const expr *x, const expr *const *args) {
    int n = x->n_args - (x->masked ? 1 : 0);
    const expr *mask = x->masked ? args[n] : NULL;
    if (x->kind == EXPR_READ)
        return build_read(b, x->ref, x->type.elem, args, n, mask);
    if (x->kind == EXPR_LOAD)
        return build_load(b, x->ref, x->type, args[0], mask);
    return build_reg_get(b, x->ref, x->type, args[0]);
}

static const expr *like_operation(builder *b, const expr *x, const expr *const *args) {
    if ((x->kind >= EXPR_ADD && x->kind <= EXPR_LE) || x->kind == EXPR_MUL_HIGH)
        return build_binary(b, x->kind, args[0], args[1]);
    switch (x->kind) {
    case EXPR_BROADCAST:
        return build_broadcast(b, args[0], x->type.lanes);
    case EXPR_RAMP:
        return build_ramp(b, args[0], x->imm, x->type.lanes);
    case EXPR_SHUFFLE:
        return build_shuffle(b, args[0], args[1], x->lanes, x->type.lanes);
    case EXPR_PERMUTE:
        return build_permute(b, args[0], args[1]);
    case EXPR_PERMUTE2:
        return build_permute2(b, args[0], args[1], args[2]);
    case EXPR_CAST:
        return build_cast(b, x->type.elem, args[0]);
    case EXPR_SATURATE:
        return build_saturate(b, x->type.elem, args[0]);
    case EXPR_BITCAST:
        return build_bitcast(b, x->type.elem, args[0]);
    case EXPR_SELECT:
        return build_select(b, args[0], args[1], args[2]);
    case EXPR_FMA:
        return build_fma(b, args[0], args[1], args[2]);
    case EXPR_PAIRS:
        return build_pairs(b, args[0], args[1]);
    case EXPR_DOT2:
    case EXPR_DOT4:
        return build_dot(b, x->kind, args[0], args[1], args[2]);
    default:
        return build_unary(b, x->kind, args[0]);
    }
}

/* x may come from another builder, if its variables' numbers mean the same here. */
const expr *build_like(builder *b, const expr *x, const expr *const *args) {
    if (b->failed)
        return b->poison;
    if (x->kind <= EXPR_VAR)
        return like_leaf(b, x);
    if (x->kind <= EXPR_READ)
        return like_memory(b, x, args);
    return like_operation(b, x, args);
}

/* ---- substitution ---- */

static void remember_pairs(builder *b, const expr *const *from, const expr *const *to, int n) {
    memo_forget(&b->substitution);
    for (int i = 0; i < n; i++)
        memo_put(b, &b->substitution, from[i], to[i]);
}

static const expr *substitute(builder *b, const expr *x) {
    if (b->failed)
        return b->poison;
    const expr *known = memo_get(&b->substitution, x);
    if (known != NULL)
        return known;
    const expr *args[EXPR_MAX_ARGS];
    bool changed = x->n_args == 0;
    for (int i = 0; i < x->n_args; i++) {
        args[i] = substitute(b, x->arg[i]);
        changed = changed || args[i] != x->arg[i];
    }
    const expr *to = changed ? build_like(b, x, args) : x;
    memo_put(b, &b->substitution, x, to);
    return to;
}

const expr *build_substitute(builder *b, const expr *x, const expr *const *from, const expr *const *to, int n) {
    if (b->failed)
        return b->poison;
    remember_pairs(b, from, to, n);
    return substitute(b, x);
}

/* ---- widening ---- */

static const expr *widen(builder *b, const expr *x, int lanes);

static const expr *spread(builder *b, const expr *x, int lanes) {
    return x->type.lanes == lanes || b->failed ? x : build_broadcast(b, x, lanes);
}

static const expr *widen_load(builder *b, const expr *x, const expr *const *args, int lanes) {
    const expr *index = spread(b, args[0], lanes);
    return build_load(b, x->ref, LTYPE(x->type.elem, lanes), index, x->masked ? spread(b, args[1], lanes) : NULL);
}

static const expr *widen_node(builder *b, const expr *x, const expr **args, int lanes) {
    bool wide = false;
    for (int i = 0; i < x->n_args; i++) {
        args[i] = widen(b, x->arg[i], lanes);
        wide = wide || args[i]->type.lanes != x->arg[i]->type.lanes;
    }
    if (b->failed || !wide)
        return build_like(b, x, args);
    TENON_ASSERT(x->type.lanes == 1 && x->kind != EXPR_REG && (x->kind < EXPR_BROADCAST || x->kind > EXPR_REDUCE_MAX));
    if (x->kind == EXPR_LOAD)
        return widen_load(b, x, args, lanes);
    if (x->kind != EXPR_READ)
        for (int i = 0; i < x->n_args; i++)
            args[i] = spread(b, args[i], lanes);
    return build_like(b, x, args);
}

static const expr *widen(builder *b, const expr *x, int lanes) {
    if (b->failed)
        return b->poison;
    const expr *known = memo_get(&b->substitution, x);
    if (known != NULL)
        return known;
    const expr *args[EXPR_MAX_ARGS];
    const expr *to = widen_node(b, x, args, lanes);
    memo_put(b, &b->substitution, x, to);
    return to;
}

/* The result always has `lanes` lanes: a BROADCAST where x does not depend on a widened variable. x's operations are
 * scalar wherever they depend on one. */
const expr *build_widen(builder *b, const expr *x, const expr *const *from, const expr *const *to, int n, int lanes) {
    if (b->failed)
        return b->poison;
    remember_pairs(b, from, to, n);
    const expr *wide = widen(b, x, lanes);
    return b->failed ? b->poison : spread(b, wide, lanes);
}

/* ---- affine parts ---- */

typedef struct affine_search {
    builder *b;
    const expr *const *vars;
    int n;
    int64_t *coefficients;
    const expr *rest;
} affine_search;

static bool uses_any(const affine_search *s, const expr *x) {
    for (int i = 0; i < s->n; i++)
        if (expr_uses(x, s->vars[i]))
            return true;
    return false;
}

static int64_t wrap_mul(int64_t x, int64_t y) {
    return (int64_t)((uint64_t)x * (uint64_t)y);
}

static bool add_affine(affine_search *s, const expr *x, int64_t scale) {
    for (int i = 0; i < s->n; i++)
        if (x == s->vars[i]) {
            s->coefficients[i] = (int64_t)((uint64_t)s->coefficients[i] + (uint64_t)scale);
            return true;
        }
    if (!uses_any(s, x)) {
        s->rest = build_add(s->b, s->rest, build_mul(s->b, x, build_index(s->b, scale)));
        return true;
    }
    switch (x->kind) {
    case EXPR_ADD:
        return add_affine(s, x->arg[0], scale) && add_affine(s, x->arg[1], scale);
    case EXPR_SUB:
        return add_affine(s, x->arg[0], scale) && add_affine(s, x->arg[1], wrap_mul(scale, -1));
    case EXPR_NEG:
        return add_affine(s, x->arg[0], wrap_mul(scale, -1));
    case EXPR_MUL:
        return x->arg[1]->kind == EXPR_INT && add_affine(s, x->arg[0], wrap_mul(scale, x->arg[1]->imm));
    default:
        return false;
    }
}

bool expr_affine(builder *b, const expr *index, const expr *const *vars, int n, int64_t *out_coefficients,
                 const expr **out_rest) {
    for (int i = 0; i < n; i++)
        out_coefficients[i] = 0;
    *out_rest = build_index(b, 0);
    if (b->failed || index->type.lanes != 1 || index->type.elem != DT_I64)
        return false;
    affine_search s = {b, vars, n, out_coefficients, *out_rest};
    if (!add_affine(&s, index, 1))
        return false;
    *out_rest = s.rest;
    return !b->failed;
}
