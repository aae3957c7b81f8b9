/* Fewer, longer axes: axes of extent 1 go, and two axes become one where every access steps through them as one. */
#include "schedule/plan.h"

#include <string.h>

static void drop_axis(nest_axis *axes, int *n, int i) {
    memmove(&axes[i], &axes[i + 1], (size_t)(*n - i - 1) * sizeof *axes);
    (*n)--;
}

static void drop_unit_axes(plan *p, nest_axis *axes, int *n) {
    const expr *zero = build_index(p->b, 0);
    for (int i = *n - 1; i >= 0; i--) {
        if (axes[i].extent != 1)
            continue;
        plan_substitute(p, &axes[i].var, &zero, 1);
        drop_axis(axes, n, i);
    }
}

/* Is the pair stepped through as one axis by this address? */
static bool steps_as_one(const plan *p, const expr *address, const nest_axis *outer, const nest_axis *inner) {
    const expr *vars[2] = {outer->var, inner->var};
    const expr *rest = NULL;
    int64_t step[2];
    return expr_affine(p->b, address, vars, 2, step, &rest) && step[0] == step[1] * inner->extent;
}

/* Are the two axes used only in addresses, and always as one? */
static status may_merge(const plan *p, const nest_axis *outer, const nest_axis *inner, bool *out) {
    expr_list loads;
    TRY(plan_loads(p, &loads));
    *out = false;
    const expr **stand_ins = ARENA_NEW_N(p->memory, const expr *, loads.at.n + 1);
    TRY_ALLOC(stand_ins);
    for (size_t i = 0; i < loads.at.n; i++) {
        const expr *x = loads.at.at[i];
        if (x->masked && (expr_uses(x->arg[1], outer->var) || expr_uses(x->arg[1], inner->var)))
            return STATUS_OK;
        if (!steps_as_one(p, x->arg[0], outer, inner))
            return STATUS_OK;
        stand_ins[i] = build_var(p->b, x->type, "load");
    }
    for (int s = 0; s < p->n_stages; s++) {
        const plan_stage *g = &p->stages[s];
        if (g->kind == STAGE_STORE && !steps_as_one(p, g->address, outer, inner))
            return STATUS_OK;
        const expr *value = build_substitute(p->b, g->value, loads.at.at, stand_ins, (int)loads.at.n);
        if (expr_uses(value, outer->var) || expr_uses(value, inner->var))
            return STATUS_OK;
    }
    *out = true;
    return STATUS_OK;
}

static void merge(plan *p, nest_axis *axes, int *n, int outer, int inner) {
    const expr *from[2] = {axes[outer].var, axes[inner].var};
    const expr *to[2] = {build_index(p->b, 0), build_var(p->b, LTYPE(DT_I64, 1), "i")};
    plan_substitute(p, from, to, 2);
    axes[inner] = (nest_axis){to[1], axes[outer].extent * axes[inner].extent};
    drop_axis(axes, n, outer);
}

/* Merges pairs until none is left. The order of a reduction's axes matters: there only neighbours merge. */
static status merge_axes(plan *p, nest_axis *axes, int *n, bool any_order) {
    for (int i = 0; i < *n; i++)
        for (int j = 0; j < *n; j++) {
            if (i == j || (!any_order && j != i + 1))
                continue;
            bool yes = false;
            TRY(may_merge(p, &axes[i], &axes[j], &yes));
            if (!yes)
                continue;
            merge(p, axes, n, i, j);
            i = -1;
            break;
        }
    return builder_status(p->b);
}

status plan_collapse(plan *p) {
    drop_unit_axes(p, p->axes, &p->n_axes);
    for (int s = 0; s < p->n_stages; s++)
        drop_unit_axes(p, p->stages[s].axes, &p->stages[s].n_axes);
    TRY(merge_axes(p, p->axes, &p->n_axes, true));
    for (int s = 0; s < p->n_stages; s++)
        TRY(merge_axes(p, p->stages[s].axes, &p->stages[s].n_axes, false));
    return STATUS_OK;
}
