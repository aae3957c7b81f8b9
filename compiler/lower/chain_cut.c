/* A member of a chain cut down to a block, and scheduled. */
#include <string.h>

#include "lower/chain.h"

/* The operand with the dimensions of a block, dense, in the order of its layout. */
static status shrink_operand(const chain *c, const chain_member *stored, arena *a, schedule_operand *o) {
    int64_t *dims = ARENA_NEW_N(a, int64_t, o->rank + 1);
    TRY_ALLOC(dims);
    for (int d = 0; d < o->rank; d++)
        dims[d] = stored->loop_of_dim[d] < 0 ? o->dims[d] : c->loops[stored->loop_of_dim[d]].block;
    if (o->layout != NULL) {
        operand_layout *l = ARENA_NEW(a, operand_layout);
        TRY_ALLOC(l);
        l->n = 1;
        for (int d = 0; d < o->rank; d++) {
            l->strides[d] = 1;
            for (int e = 0; e < o->rank; e++)
                if (o->layout->strides[e] < o->layout->strides[d])
                    l->strides[d] *= dims[e];
            l->n *= dims[d];
        }
        o->layout = l;
    }
    o->dims = dims;
    return STATUS_OK;
}

static status find_steps(const chain *c, const chain_member *at, arena *a, chain_cut *out) {
    size_t n = out->m.operands.n;
    int64_t *along = ARENA_NEW_N(a, int64_t, n + 1);
    TRY_ALLOC(along);
    TRY_ALLOC(out->steps = (int64_t(*)[FUSE_MAX_LOOPS])ARENA_NEW_N(a, int64_t, (n + 1) * FUSE_MAX_LOOPS));
    for (int l = 0; l < c->n_loops; l++) {
        bool holds = chain_steps(&out->m, at->axis[l], along);
        TRY(builder_status(out->m.b));
        TENON_ASSERT(holds);
        for (size_t k = 0; k < n; k++)
            out->steps[k][l] = along[k] != CHAIN_UNUSED ? along[k] : 0;
    }
    return STATUS_OK;
}

static status between_members(const chain *c, const chain_member *stored, int operand, arena *a, chain_cut *m) {
    memset(m->steps[operand], 0, sizeof m->steps[operand]);
    return shrink_operand(c, stored, a, &m->m.operands.at[operand]);
}

static status cut_down(const chain *c, int k, arena *a, chain_cut *out) {
    const chain_member *at = &c->at[k];
    TRY(find_steps(c, at, a, out));
    if (k > 0)
        TRY(between_members(c, at - 1, at->reads, a, out));
    if (k + 1 < c->n)
        TRY(between_members(c, at, at->stores, a, out));
    for (int l = 0; l < c->n_loops; l++) {
        out->m.n->axes[at->axis[l]].extent = c->loops[l].block;
        for (size_t i = 0; i < out->m.operands.n; i++)
            if (out->steps[i][l] != 0)
                out->m.operands.at[i].data = NULL; /* block 0 knows only a part of it */
    }
    return STATUS_OK;
}

static status schedule_member(const grouping *x, const chain *c, int k, bool whole, arena *a, chain_cut *out) {
    const chain_member *at = &c->at[k];
    schedule_options options = {.target = x->o->target, .form = whole ? NULL : at->form, .tuning = x->o->tuning};
    *out = (chain_cut){.s = {.memory = a}};
    TRY(compose_group(x, at->root, at->which, at->nest, a, &out->m));
    if (!whole)
        TRY(cut_down(c, k, a, out));
    return schedule_nest(out->m.n, out->m.operands.at, (int)out->m.operands.n, &options, &out->s);
}

status chain_cut_member(const grouping *x, const chain *c, int k, arena *a, chain_cut *out) {
    return schedule_member(x, c, k, false, a, out);
}

status chain_keeps_form(const grouping *x, chain *c, arena *scratch, bool *out) {
    *out = true;
    for (int k = 0; k < c->n && *out; k++) {
        chain_cut whole, cut;
        arena_mark mark = arena_get_mark(scratch);
        TRY(schedule_member(x, c, k, true, scratch, &whole));
        TRY_ALLOC(c->at[k].form = arena_strdup(x->memory, whole.s.form));
        TRY(schedule_member(x, c, k, false, scratch, &cut));
        *out = whole.s.calls.n == cut.s.calls.n && strcmp(c->at[k].form, cut.s.form) == 0;
        arena_reset(scratch, mark);
    }
    return STATUS_OK;
}
