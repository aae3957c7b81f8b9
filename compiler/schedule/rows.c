/* Rows: the outer axes run serially; each stage is computed by vectors along its own innermost axis. Reductions keep
 * ROW_ACCUMULATORS vectors of partial results, added up in a fixed order; a remainder below one vector is reduced
 * alone. */
#include "schedule/plan.h"

#define ROW_ACCUMULATORS 4

typedef struct row_state {
    plan *p;
    int lanes;
    const expr **from, **to; /* substitutions in force: results of earlier stages, axes */
    int n;
} row_state;

static void bind(row_state *r, const expr *from, const expr *to) {
    r->from[r->n] = from;
    r->to[r->n++] = to;
}

/* value with the bindings, and with `axis` standing at base, base+1, ... */
static const expr *at(const row_state *r, const expr *value, const expr *axis, const expr *base, int lanes) {
    builder *b = r->p->b;
    const expr *x = build_substitute(b, value, r->from, r->to, r->n);
    const expr *ramp = lanes == 1 ? base : build_ramp(b, base, 1, lanes);
    x = build_widen(b, x, &axis, &ramp, 1, lanes);
    return build_broadcast(b, x, x->type.lanes == lanes ? 1 : lanes);
}

static expr_kind lane_reduction(reduce_op op) {
    static const expr_kind kinds[] = {[REDUCE_SUM] = EXPR_REDUCE_ADD,
                                      [REDUCE_PROD] = EXPR_REDUCE_MUL,
                                      [REDUCE_MIN] = EXPR_REDUCE_MIN,
                                      [REDUCE_MAX] = EXPR_REDUCE_MAX};
    return kinds[op];
}

static void accumulate(const row_state *r, const plan_stage *g, int acc, int k, ltype t, const expr *axis,
                       const expr *base) {
    builder *b = r->p->b;
    const expr *i = build_index(b, k);
    const expr *value = at(r, g->value, axis, base, t.lanes);
    if (g->kept != NULL)
        build_store(b, g->slot, at(r, g->kept, axis, base, 1), value, NULL);
    build_set(b, acc, i, plan_combine(b, g->op, build_reg_get(b, acc, t, i), value));
}

static void reduce_stage(row_state *r, const plan_stage *g) {
    builder *b = r->p->b;
    dtype elem = g->value->type.elem;
    ltype scalar = LTYPE(elem, 1), vector = LTYPE(elem, r->lanes);
    int outer = g->n_axes - 1, depth = r->n;
    const nest_axis *last = &g->axes[outer];
    int64_t vectors = r->lanes > 1 ? last->extent / r->lanes : 0;
    int64_t blocks = vectors / ROW_ACCUMULATORS, done = vectors * r->lanes;
    int n_acc = blocks > 0 ? ROW_ACCUMULATORS : vectors > 0 ? 1 : 0;
    int acc = n_acc > 0 ? build_declare(b, "acc", vector, n_acc) : -1;
    int tail = done < last->extent ? build_declare(b, "tail", scalar, 1) : -1;
    for (int k = 0; k < n_acc; k++)
        build_set(b, acc, build_index(b, k), plan_neutral(b, g->op, vector));
    if (tail >= 0)
        build_set(b, tail, build_index(b, 0), plan_neutral(b, g->op, scalar));
    for (int i = 0; i < outer; i++)
        bind(r, g->axes[i].var, build_for(b, "k", build_index(b, g->axes[i].extent), LOOP_SERIAL));
    if (blocks > 0) {
        const expr *t = build_for(b, "t", build_index(b, blocks), LOOP_SERIAL);
        for (int k = 0; k < ROW_ACCUMULATORS; k++) {
            const expr *start = build_mul(b, t, build_index(b, (int64_t)ROW_ACCUMULATORS * r->lanes));
            accumulate(r, g, acc, k, vector, last->var, build_add(b, start, build_index(b, (int64_t)k * r->lanes)));
        }
        build_end(b);
    }
    for (int64_t v = blocks * ROW_ACCUMULATORS; v < vectors; v++)
        accumulate(r, g, acc, (int)(v % n_acc), vector, last->var, build_index(b, v * r->lanes));
    if (tail >= 0) {
        const expr *t = build_for(b, "t", build_index(b, last->extent - done), LOOP_SERIAL);
        accumulate(r, g, tail, 0, scalar, last->var, build_add(b, t, build_index(b, done)));
        build_end(b);
    }
    for (int i = 0; i < outer; i++)
        build_end(b);
    r->n = depth;
    const expr *result = tail >= 0 ? build_reg_get(b, tail, scalar, build_index(b, 0)) : NULL;
    if (n_acc > 0) {
        const expr *sum = build_reg_get(b, acc, vector, build_index(b, 0));
        for (int k = 1; k < n_acc; k++)
            sum = plan_combine(b, g->op, sum, build_reg_get(b, acc, vector, build_index(b, k)));
        sum = build_unary(b, lane_reduction(g->op), sum);
        result = result == NULL ? sum : plan_combine(b, g->op, sum, result);
    }
    bind(r, g->result, build_let(b, "r", result));
}

static void store_at(const row_state *r, const plan_stage *g, const expr *base, int lanes) {
    const expr *axis = g->axes[g->n_axes - 1].var;
    build_store(r->p->b, g->slot, at(r, g->address, axis, base, 1), at(r, g->value, axis, base, lanes), NULL);
}

static void store_stage(row_state *r, const plan_stage *g) {
    builder *b = r->p->b;
    int outer = g->n_axes > 0 ? g->n_axes - 1 : 0, depth = r->n;
    for (int i = 0; i < outer; i++)
        bind(r, g->axes[i].var, build_for(b, "k", build_index(b, g->axes[i].extent), LOOP_SERIAL));
    if (g->n_axes == 0) {
        build_store(b, g->slot, build_substitute(b, g->address, r->from, r->to, r->n),
                    build_substitute(b, g->value, r->from, r->to, r->n), NULL);
    } else {
        const nest_axis *last = &g->axes[outer];
        int64_t step = 0;
        bool dense = plan_step(r->p, g->address, last->var, &step) && step == 1;
        int lanes = dense && last->extent >= r->lanes ? r->lanes : 1;
        bool again = r->p->raw; /* what it loads is what it stores to: no element may be computed twice */
        int64_t vectors = again ? last->extent / lanes : (last->extent + lanes - 1) / lanes;
        const expr *t = build_for(b, "t", build_index(b, vectors), LOOP_SERIAL);
        const expr *base = build_mul(b, t, build_index(b, lanes));
        if (!again &&
            last->extent % lanes != 0) /* the last vector steps back: some elements are computed twice, alike */
            base = build_min(b, base, build_index(b, last->extent - lanes));
        store_at(r, g, build_let(b, "base", base), lanes);
        build_end(b);
        for (int64_t i = vectors * lanes; i < last->extent; i++)
            store_at(r, g, build_index(b, i), 1);
    }
    for (int i = 0; i < outer; i++)
        build_end(b);
    r->n = depth;
}

status emit_rows(plan *p, int lanes) {
    int most = p->n_axes + p->n_stages + NEST_MAX_AXES;
    row_state r = {p, lanes, ARENA_NEW_N(p->memory, const expr *, most), ARENA_NEW_N(p->memory, const expr *, most), 0};
    TRY_ALLOC(r.from);
    TRY_ALLOC(r.to);
    TRY(rows_keep(p));
    for (int i = 0; i < p->n_axes; i++)
        bind(&r, p->axes[i].var, build_for(p->b, "i", build_index(p->b, p->axes[i].extent), LOOP_SERIAL));
    for (int s = 0; s < p->n_stages; s++) {
        const plan_stage *g = &p->stages[s];
        if (g->kind == STAGE_STORE) {
            store_stage(&r, g);
        } else if (g->kind == STAGE_LET) {
            bind(&r, g->result, build_let(p->b, "x", build_substitute(p->b, g->value, r.from, r.to, r.n)));
        } else if (g->n_axes > 0) {
            reduce_stage(&r, g);
        } else {
            const expr *one = build_substitute(p->b, g->value, r.from, r.to, r.n);
            bind(&r, g->result,
                 build_let(p->b, "r", plan_combine(p->b, g->op, plan_neutral(p->b, g->op, one->type), one)));
        }
    }
    for (int i = 0; i < p->n_axes; i++)
        build_end(p->b);
    return STATUS_OK;
}
