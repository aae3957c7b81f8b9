/* Values that a row's reduction adds up and its store needs again: softmax's exponentials. */
#include "schedule/plan.h"

/* Fewer operations are made again sooner than a value is stored and loaded. */
#define CHEAP 8

static void count_operation(const expr *x, void *ctx) {
    int *n = ctx;
    *n += x->n_args > 0 && x->kind != EXPR_LOAD && x->kind != EXPR_BROADCAST && x->type.elem != DT_I64;
}

static bool is_cheap(const expr *x) {
    int n = 0;
    expr_visit(x, count_operation, &n);
    return n < CHEAP;
}

/* The stage's value at the store's place; NULL where the two do not go along one axis of the same extent. */
static const expr *value_there(const plan *p, const plan_stage *g, const plan_stage *store) {
    if (g->kind != STAGE_REDUCE || g->n_axes != 1 || g->axes[0].extent != store->axes[0].extent)
        return NULL;
    return build_substitute(p->b, g->value, &g->axes[0].var, &store->axes[0].var, 1);
}

static bool is_dense(const plan *p, const plan_stage *store) {
    int64_t step = 0;
    return plan_step(p, store->address, store->axes[0].var, &step) && step == 1;
}

status rows_keep(plan *p) {
    plan_stage *store = &p->stages[p->n_stages - 1];
    if (store->kind != STAGE_STORE || store->n_axes != 1 || !is_dense(p, store))
        return STATUS_OK;
    for (int s = 0; s + 1 < p->n_stages; s++) {
        plan_stage *g = &p->stages[s];
        if (g->kind == STAGE_STORE)
            return STATUS_OK;
        const expr *value = value_there(p, g, store);
        if (value == NULL || value->type.elem != plan_slot_buffer(p, store->slot)->elem || is_cheap(value) ||
            !expr_uses(store->value, value))
            continue;
        const expr *kept = build_load(p->b, store->slot, value->type, store->address, NULL);
        store->value = build_substitute(p->b, store->value, &value, &kept, 1);
        g->slot = store->slot;
        g->kept = build_substitute(p->b, store->address, &store->axes[0].var, &g->axes[0].var, 1);
        p->raw = true;
        break;
    }
    return builder_status(p->b);
}
