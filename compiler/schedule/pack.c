/* Copies of operands into another layout. */
#include "schedule/plan.h"

/* A copy is a plan of its own, over a builder of its own, in the same schedule. */
static status copy_plan(plan *p, plan *copy) {
    *copy = (plan){.memory = p->memory, .options = p->options, .operands = p->operands, .n_operands = p->n_operands, .out = p->out};
    copy->b = builder_new(p->memory, p->options->target);
    TRY_ALLOC(copy->b);
    copy->name = "pack";
    copy->stages = ARENA_NEW(p->memory, plan_stage);
    TRY_ALLOC(copy->stages);
    copy->n_stages = 1;
    return STATUS_OK;
}

status pack_copy(plan *p, int src_slot, int64_t src_first, int dst_slot, const pack_dim *dims, int n) {
    plan copy;
    TRY(copy_plan(p, &copy));
    builder *b = copy.b;
    if (VEC_PUSH(p->memory, copy.slots, p->slots.at[src_slot]) != STATUS_OK ||
        VEC_PUSH(p->memory, copy.slots, p->slots.at[dst_slot]) != STATUS_OK ||
        VEC_PUSH(p->memory, copy.written, false) != STATUS_OK || VEC_PUSH(p->memory, copy.written, true) != STATUS_OK)
        return STATUS_RESOURCE;
    const expr *from = build_index(b, src_first), *to = build_index(b, 0), *mask = NULL;
    int64_t total = 1;
    for (int d = n - 1; d >= 0; d--) {
        const pack_dim *k = &dims[d];
        const expr *axis = build_var(b, LTYPE(DT_I64, 1), "i");
        copy.axes[d] = (nest_axis){axis, k->extent};
        const expr *position = build_add(b, axis, build_index(b, k->first));
        from = build_add(b, from, build_mul(b, position, build_index(b, k->stride)));
        to = build_add(b, to, build_mul(b, axis, build_index(b, total)));
        total *= k->extent;
        if (k->limit >= 0 && (k->first < 0 || k->first + k->extent > k->limit)) {
            const expr *inside = build_and(b, build_le(b, build_index(b, 0), position), build_lt(b, position, build_index(b, k->limit)));
            mask = mask == NULL ? inside : build_and(b, mask, inside);
        }
    }
    copy.n_axes = n;
    dtype elem = plan_slot_buffer(p, src_slot)->elem;
    *copy.stages = (plan_stage){.kind = STAGE_STORE, .value = build_load(b, 0, LTYPE(elem, 1), from, mask), .slot = 1, .address = to};
    TRY(plan_collapse(&copy));
    TRY(emit_plan(&copy));
    return plan_finish(&copy);
}
