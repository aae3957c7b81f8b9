/* Borders: zero padding that lies in memory around a tensor. Whoever computes the tensor stores inside of it. */
#include "schedule/plan.h"

typedef struct border_walk {
    const nest *n;
    int operand;
    const schedule_operand *o;
    nest_axis axes[PLAN_MAX_AXES];
    int n_axes;
    int64_t low[NEST_MAX_AXES], high[NEST_MAX_AXES];
    bool possible;
} border_walk;

static void note_read(const expr *x, void *ctx) {
    border_walk *w = ctx;
    pad_reach reach[NEST_MAX_AXES];
    if (x->kind != EXPR_READ || x->ref != w->operand || !x->masked)
        return;
    if (!pad_reach_of(w->n->b, x, w->o->rank, w->axes, w->n_axes, reach)) {
        w->possible = false;
        return;
    }
    for (int d = 0; d < w->o->rank; d++) {
        int64_t below = -reach[d].low, above = reach[d].high + 1 - w->o->dims[d];
        w->low[d] = below > w->low[d] ? below : w->low[d];
        w->high[d] = above > w->high[d] ? above : w->high[d];
        w->possible &= pad_is_whole(&reach[d], w->o->dims[d]);
    }
}

bool border_of_reads(const nest *n, int operand, const schedule_operand *o, int64_t *low, int64_t *high) {
    border_walk w = {.n = n, .operand = operand, .o = o, .possible = true};
    for (int i = 0; i < n->n_axes; i++)
        w.axes[w.n_axes++] = n->axes[i];
    for (size_t s = 0; s < n->stages.n; s++)
        for (int i = 0; i < n->stages.at[s].n_axes && w.n_axes < PLAN_MAX_AXES; i++)
            w.axes[w.n_axes++] = n->stages.at[s].axes[i];
    for (size_t s = 0; s < n->stages.n; s++)
        expr_visit(n->stages.at[s].value, note_read, &w);
    for (int d = 0; d < o->rank && w.possible; d++) {
        low[d] = w.low[d] > low[d] ? w.low[d] : low[d];
        high[d] = w.high[d] > high[d] ? w.high[d] : high[d];
    }
    return w.possible;
}

status border_fill(const schedule_operand *o, const schedule_options *options, schedule *out) {
    plan p = {.memory = out->memory, .options = options, .operands = o, .n_operands = 1, .out = out};
    pack_dim dims[NEST_MAX_AXES];
    int order[NEST_MAX_AXES], slot = plan_operand_slot(&p, 0);
    if (slot < 0)
        return STATUS_RESOURCE;
    pad_order(o, order);
    for (int i = 0; i < o->rank; i++) {
        int d = order[i];
        int64_t low = o->layout->low[d], extent = o->dims[d];
        int64_t all = low + extent + o->layout->high[d];
        dims[i] = (pack_dim){all, 0, -low, 0, extent, all};
    }
    return pack_zeros(&p, slot, dims, o->rank);
}
