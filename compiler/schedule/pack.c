/* Copies of operands into another layout, at run time. */
#include "schedule/plan.h"

/* A copy is a plan of its own, over a builder of its own, in the same schedule: kernel buffer 0 is written, 1 is read.
 */
static status copy_plan(const plan *p, const char *name, int dst_slot, int n_stages, plan *copy) {
    *copy = (plan){.memory = p->memory,
                   .options = p->options,
                   .operands = p->operands,
                   .n_operands = p->n_operands,
                   .out = p->out};
    TRY_ALLOC(copy->b = builder_new(p->memory, p->options->target));
    TRY_ALLOC(copy->stages = ARENA_NEW_N(p->memory, plan_stage, n_stages));
    copy->name = name;
    TRY(VEC_PUSH(p->memory, copy->slots, p->slots.at[dst_slot]));
    return VEC_PUSH(p->memory, copy->written, true);
}

/* A range of dst in one dimension. */
typedef struct span {
    int64_t first, extent;
} span;

/* What of the dimension lies inside the part of the source that is read. */
static span inside(const pack_dim *d) {
    int64_t first = d->low > d->first ? d->low - d->first : 0, end = d->high - d->first;
    first = first < d->extent ? first : d->extent;
    end = end < d->extent ? end : d->extent;
    return (span){first, end > first ? end - first : 0};
}

/* Stores to a box of dst: src's elements there, or zeros. The axes go to `axes`. */
static plan_stage box_stage(plan *copy, const pack_dim *dims, const span *box, int n, int64_t src_first, bool zero,
                            nest_axis *axes) {
    builder *b = copy->b;
    const expr *from = build_index(b, src_first), *to = build_index(b, 0);
    int64_t total = 1;
    for (int d = n - 1; d >= 0; d--) {
        axes[d] = (nest_axis){build_var(b, LTYPE(DT_I64, 1), "i"), box[d].extent};
        const expr *at = build_add(b, axes[d].var, build_index(b, box[d].first));
        from = build_add(b, from,
                         build_mul(b, build_add(b, at, build_index(b, dims[d].first)), build_index(b, dims[d].stride)));
        to = build_add(b, to, build_mul(b, at, build_index(b, total)));
        total *= dims[d].room;
    }
    dtype elem = plan_slot_buffer(copy, 0)->elem;
    const expr *value = zero ? build_const(b, elem, 0) : build_load(b, 1, LTYPE(elem, 1), from, NULL);
    return (plan_stage){.kind = STAGE_STORE, .value = value, .slot = 0, .address = to};
}

static void add_box(plan *copy, const pack_dim *dims, const span *box, int n, int64_t src_first, bool zero) {
    for (int d = 0; d < n; d++)
        if (box[d].extent <= 0)
            return;
    nest_axis axes[PLAN_MAX_AXES];
    plan_stage *g = &copy->stages[copy->n_stages++];
    *g = box_stage(copy, dims, box, n, src_first, zero, axes);
    g->n_axes = n;
    for (int d = 0; d < n; d++)
        g->axes[d] = axes[d];
}

/* Zeros in boxes that do not meet: below and above the inside in each dimension, within the inside of those before it.
 * Leaves the inside itself in `box`. */
static void add_zeros(plan *copy, const pack_dim *dims, int n, span *box) {
    for (int d = 0; d < n; d++)
        box[d] = (span){0, dims[d].extent};
    for (int d = 0; d < n; d++) {
        span in = inside(&dims[d]);
        box[d] = (span){0, in.first};
        add_box(copy, dims, box, n, 0, true);
        box[d] = (span){in.first + in.extent, dims[d].extent - in.first - in.extent};
        add_box(copy, dims, box, n, 0, true);
        box[d] = in;
    }
}

static status finish(plan *copy) {
    bool turned;
    TRY(plan_collapse(copy));
    TRY(emit_turned(copy, &turned));
    if (!turned)
        TRY(emit_plan(copy));
    return plan_finish(copy);
}

status pack_zeros(plan *p, int dst_slot, const pack_dim *dims, int n) {
    plan copy;
    span inside_box[PLAN_MAX_AXES] = {{0, 0}};
    TRY(copy_plan(p, "border", dst_slot, 2 * n, &copy));
    add_zeros(&copy, dims, n, inside_box);
    return finish(&copy);
}

status pack_copy(plan *p, int src_slot, int64_t src_first, int dst_slot, const pack_dim *dims, int n) {
    plan copy;
    span all[PLAN_MAX_AXES] = {{0, 0}};
    bool padded = false;
    for (int d = 0; d < n; d++)
        padded |= inside(&dims[d]).extent != dims[d].extent;
    TRY(copy_plan(p, "pack", dst_slot, 2 * n + 1, &copy));
    TRY(VEC_PUSH(p->memory, copy.slots, p->slots.at[src_slot]));
    TRY(VEC_PUSH(p->memory, copy.written, false));
    if (padded) {
        add_zeros(&copy, dims, n, all);
        add_box(&copy, dims, all, n, src_first, false);
    } else {
        for (int d = 0; d < n; d++)
            all[d] = (span){0, dims[d].extent};
        *copy.stages = box_stage(&copy, dims, all, n, src_first, false, copy.axes);
        copy.n_stages = 1;
        copy.n_axes = n;
    }
    return finish(&copy);
}
