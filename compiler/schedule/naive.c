/* The naive schedule: a nest spelt as it stands, in order. It is the oracle of every other schedule. */
#include "schedule/plan.h"

static void open_axes(plan *p, const nest_axis *axes, int n) {
    for (int i = 0; i < n; i++)
        build_for_var(p->b, axes[i].var, build_index(p->b, axes[i].extent), LOOP_SERIAL);
}

static void close_axes(plan *p, int n) {
    for (int i = 0; i < n; i++)
        build_end(p->b);
}

static void emit_stage(plan *p, plan_stage *g, const expr **results, const expr **values, int *n_results) {
    builder *b = p->b;
    const expr *zero = build_index(b, 0);
    const expr *value = build_substitute(b, g->value, results, values, *n_results);
    if (g->kind == STAGE_STORE) {
        open_axes(p, g->axes, g->n_axes);
        build_store(b, g->slot, build_substitute(b, g->address, results, values, *n_results), value, NULL);
        close_axes(p, g->n_axes);
        return;
    }
    results[*n_results] = g->result;
    if (g->kind == STAGE_LET) {
        values[(*n_results)++] = build_let(b, "x", value);
        return;
    }
    int acc = build_declare(b, "acc", value->type, 1);
    build_set(b, acc, zero, plan_neutral(b, g->op, value->type));
    open_axes(p, g->axes, g->n_axes);
    build_set(b, acc, zero, plan_combine(b, g->op, build_reg_get(b, acc, value->type, zero), value));
    close_axes(p, g->n_axes);
    values[(*n_results)++] = build_reg_get(b, acc, value->type, zero);
}

status emit_naive(plan *p) {
    const expr **results = ARENA_NEW_N(p->memory, const expr *, p->n_stages + 1);
    const expr **values = ARENA_NEW_N(p->memory, const expr *, p->n_stages + 1);
    TRY_ALLOC(results);
    TRY_ALLOC(values);
    int n_results = 0;
    open_axes(p, p->axes, p->n_axes);
    for (int s = 0; s < p->n_stages; s++)
        emit_stage(p, &p->stages[s], results, values, &n_results);
    close_axes(p, p->n_axes);
    return STATUS_OK;
}
