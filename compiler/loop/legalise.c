/* Legalisation: rewrites a kernel so that it uses only what its target has. */
#include "loop/legalise_internal.h"

#include "base/map.h"
#include "loop/copy.h"

/* ---- dot products: the t-th element of each group, widened, for every t ---- */

static const expr *every_nth(builder *b, const expr *x, int first, int step) {
    uint8_t lanes[64];
    const int n = x->type.lanes / step;
    for (int i = 0; i < n; i++)
        lanes[i] = (uint8_t)(first + i * step);
    return build_cast(b, DT_I32, build_shuffle(b, x, x, lanes, n));
}

static const expr *legalise_dot(builder *b, const expr *acc, const expr *x, const expr *y) {
    const int each = x->type.lanes / acc->type.lanes;
    for (int t = 0; t < each; t++)
        acc = build_add(b, acc, build_mul(b, every_nth(b, x, t, each), every_nth(b, y, t, each)));
    return acc;
}

/* Each lane's number is compared to all that there are. */
static const expr *legalise_permute(builder *b, const expr *x, const expr *lanes) {
    const int n = x->type.lanes;
    const dtype t = lanes->type.elem;
    lanes = build_and(b, lanes, build_int(b, t, n - 1));
    const expr *result = NULL;
    for (int k = 0; k < n; k++) {
        const uint8_t lane = (uint8_t)k;
        const expr *one = build_broadcast(b, build_shuffle(b, x, x, &lane, 1), n),
                   *is_it = build_eq(b, lanes, build_int(b, t, k));
        result = k == 0 ? one : build_select(b, is_it, one, result);
    }
    return result;
}

/* From either half, where the target has an instruction for that; then a choice by the sign, as blends make it. */
static const expr *legalise_permute2(builder *b, const expr *x, const expr *y, const expr *lanes) {
    static const dtype by_bytes[] = {[1] = DT_I8, [2] = DT_I16, [4] = DT_I32, [8] = DT_I64};
    const int n = x->type.lanes, bits = dtype_bits(lanes->type.elem);
    const dtype t = by_bytes[bits / 8];
    const bool can = target_permutes(builder_target(b), bits, n);
    const expr *of_x = can ? build_permute(b, x, lanes) : legalise_permute(b, x, lanes),
               *of_y = can ? build_permute(b, y, lanes) : legalise_permute(b, y, lanes),
               *up = build_broadcast(b, build_int(b, t, bits - 1 - __builtin_ctz((unsigned)n)), n),
               *sign = build_binary(b, EXPR_SHL, build_bitcast(b, t, lanes), up);
    return build_select(b, build_lt(b, sign, build_int(b, t, 0)), of_y, of_x);
}

static const expr *legalise_pairs(builder *b, const expr *x, const expr *y) {
    const expr *zero = build_broadcast(b, build_int(b, DT_I32, 0), x->type.lanes / 2);
    return build_saturate(b, DT_I16, legalise_dot(b, zero, x, y));
}

/* Does it fill a vector register? */
static bool is_register(const target *t, ltype type) {
    int bytes = type.lanes * dtype_bits(type.elem) / 8;
    return bytes >= 16 && bytes <= t->vector_bytes && (bytes & (bytes - 1)) == 0;
}

/* ---- what is not legal, and its spelling ---- */

static bool is_legal(const target *t, const expr *x) {
    switch (x->kind) {
    case EXPR_SQRT:
        return target_has_sqrt(t, x->type.elem);
    case EXPR_FLOOR:
    case EXPR_CEIL:
    case EXPR_TRUNC:
    case EXPR_RINT:
        return target_has_rint(t, x->type.elem);
    case EXPR_CAST:
        return legalise_cast_is_legal(t, x->arg[0]->type.elem, x->type.elem);
    case EXPR_PAIRS:
        return t->has_pairs && is_register(t, x->type);
    case EXPR_DOT2:
        return t->dot4 > 0 && !t->has_dotprod && x->type.lanes > 1;
    case EXPR_PERMUTE:
        return target_permutes(t, dtype_bits(x->type.elem), x->type.lanes);
    case EXPR_PERMUTE2:
        return target_permutes2(t, dtype_bits(x->type.elem), x->type.lanes);
    case EXPR_DOT4:
        return t->dot4 > 0 && x->type.lanes > 1 && x->arg[1]->type.elem == target_dot4_data(t);
    case EXPR_FMA:
        TENON_ASSERT(target_has_fma(t, x->type.elem));
        return true;
    default:
        return true;
    }
}

static const expr *spell(builder *b, const expr *x, const expr *const *args) {
    switch (x->kind) {
    case EXPR_SQRT:
        return legalise_sqrt(b, args[0]);
    case EXPR_FLOOR:
        return legalise_floor(b, args[0]);
    case EXPR_CEIL:
        return legalise_ceil(b, args[0]);
    case EXPR_TRUNC:
        return legalise_trunc(b, args[0]);
    case EXPR_RINT:
        return legalise_rint(b, args[0]);
    case EXPR_CAST:
        return legalise_cast(b, x->type.elem, args[0]);
    case EXPR_PAIRS:
        return legalise_pairs(b, args[0], args[1]);
    case EXPR_PERMUTE:
        return legalise_permute(b, args[0], args[1]);
    case EXPR_PERMUTE2:
        return legalise_permute2(b, args[0], args[1], args[2]);
    default:
        return legalise_dot(b, args[0], args[1], args[2]);
    }
}

/* ---- is there anything to do? ---- */

typedef struct survey {
    const target *t;
    map seen; /* expressions that are legal, operands included */
    bool illegal;
} survey;

static status survey_expr(survey *s, const expr *x) {
    if (x == NULL || s->illegal || map_get_key(&s->seen, MAP_KEY(x)) != NULL)
        return STATUS_OK;
    s->illegal = !is_legal(s->t, x);
    for (int i = 0; i < x->n_args; i++)
        TRY(survey_expr(s, x->arg[i]));
    return map_set_key(&s->seen, MAP_KEY(x), (void *)(uintptr_t)x);
}

static status survey_block(survey *s, const block *b);

static status survey_stmt(survey *s, const stmt *st) {
    switch (st->kind) {
    case STMT_LET:
        return survey_expr(s, st->let.value);
    case STMT_FOR:
        TRY(survey_expr(s, st->loop.extent));
        return survey_block(s, &st->loop.body);
    case STMT_STORE:
        TRY(survey_expr(s, st->store.index));
        TRY(survey_expr(s, st->store.value));
        return survey_expr(s, st->store.mask);
    case STMT_SET:
        return survey_expr(s, st->set.value);
    case STMT_IF:
        TRY(survey_expr(s, st->cond.condition));
        TRY(survey_block(s, &st->cond.then));
        return survey_block(s, &st->cond.otherwise);
    case STMT_CHECK:
        return survey_expr(s, st->check.condition);
    default:
        return STATUS_OK;
    }
}

static status survey_block(survey *s, const block *b) {
    for (const stmt *st = b->first; st != NULL && !s->illegal; st = st->next)
        TRY(survey_stmt(s, st));
    return STATUS_OK;
}

static status is_all_legal(const kernel *k, arena *a, const target *t, bool *out) {
    arena_mark mark = arena_get_mark(a);
    survey s = {.t = t, .seen = map_in(a)};
    status result = survey_block(&s, &k->body);
    arena_reset(a, mark);
    *out = !s.illegal;
    return result;
}

/* ---- rewriting into a new builder ---- */

static const expr *legal(builder *b, const expr *x, const expr *const *args) {
    return is_legal(builder_target(b), x) ? build_like(b, x, args) : spell(b, x, args);
}

/* Changes `k` in place where the target lacks something that it uses; new parts are in `a`. FMA on a target without it
 * is a bug of whoever built the kernel. */
status kernel_legalise(kernel *k, arena *a, const target *t) {
    bool legal_already;
    TRY(is_all_legal(k, a, t, &legal_already));
    if (legal_already)
        return STATUS_OK;
    kernel_copy c = {.k = k, .b = builder_new(a, t), .spell = legal};
    TRY_ALLOC(c.b);
    TRY(kernel_copy_body(&c));
    kernel *legal = builder_kernel(c.b, k->name, k->buffers.at, (int)k->buffers.n);
    TRY_ALLOC(legal);
    *k = *legal;
    return STATUS_OK;
}
