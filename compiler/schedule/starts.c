/* Sums of integers begin with what is added to them: integers wrap, so the order is free, and a bias costs no operation
 * of its own. */
#include "schedule/plan.h"

/* Is x the same in every step of all reductions, and known before them? */
static bool is_outside(const plan *p, const expr *x) {
    for (int s = 0; s < p->n_stages; s++) {
        const plan_stage *g = &p->stages[s];
        if (g->kind != STAGE_STORE && expr_uses(x, g->result))
            return false;
        for (int i = 0; i < g->n_axes; i++)
            if (expr_uses(x, g->axes[i].var))
                return false;
    }
    return true;
}

/* A buffer that the kernel also writes may hold another number by the end of the sum. */
static bool is_only_read(const plan *p, const expr *x) {
    expr_list loads = {.kind = EXPR_LOAD, .memory = p->memory};
    expr_list_add(&loads, x);
    for (size_t i = 0; i < loads.at.n; i++)
        if (p->written.at[loads.at.at[i]->ref])
            return false;
    return loads.result == STATUS_OK;
}

/* What the addition adds to the sum; NULL where it is none, or cannot come first. */
static const expr *added(const plan *p, const expr *x, const expr *sum) {
    for (int k = 0; k < 2; k++)
        if (x->arg[k] == sum && is_outside(p, x->arg[1 - k]) && is_only_read(p, x->arg[1 - k]))
            return x->arg[1 - k];
    return NULL;
}

static bool is_used(const plan *p, const expr *x) {
    for (int s = 0; s < p->n_stages; s++)
        if (expr_uses(p->stages[s].value, x) ||
            (p->stages[s].kind == STAGE_STORE && expr_uses(p->stages[s].address, x)))
            return true;
    return false;
}

/* The addition that alone uses the sum, or NULL. */
static status find_addition(plan *p, const expr *sum, const expr **out, const expr **out_added) {
    expr_list additions = {.kind = EXPR_ADD, .memory = p->memory};
    *out = *out_added = NULL;
    for (int s = 0; s < p->n_stages; s++)
        expr_list_add(&additions, p->stages[s].value);
    TRY(additions.result);
    for (size_t i = 0; i < additions.at.n && *out == NULL; i++) {
        *out_added = added(p, additions.at.at[i], sum);
        *out = *out_added != NULL ? additions.at.at[i] : NULL;
    }
    return STATUS_OK;
}

/* The next addition becomes part of the start, where nothing else uses the sum. */
static status take_addition(plan *p, plan_stage *g, bool *out_taken) {
    const expr *addition, *more;
    TRY(find_addition(p, g->result, &addition, &more));
    *out_taken = false;
    if (addition == NULL)
        return STATUS_OK;
    const expr *sum = build_var(p->b, g->result->type, "sum");
    plan_substitute(p, &addition, &sum, 1);
    *out_taken = !is_used(p, g->result);
    if (!*out_taken) {
        plan_substitute(p, &sum, &addition, 1);
        return builder_status(p->b);
    }
    g->start = g->start == NULL ? more : build_add(p->b, g->start, more);
    g->result = sum;
    return builder_status(p->b);
}

status plan_starts(plan *p) {
    for (int s = 0; s < p->n_stages; s++) {
        plan_stage *g = &p->stages[s];
        bool is_sum = g->kind == STAGE_REDUCE && g->op == REDUCE_SUM && g->sparse == NULL;
        for (bool more = is_sum && dtype_is_int(g->value->type.elem); more;)
            TRY(take_addition(p, g, &more));
    }
    return STATUS_OK;
}
