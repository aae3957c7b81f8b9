/* From a nest to a plan: READs of operands become LOADs at linear addresses. */
#include "schedule/plan.h"

#include <string.h>

/* The only element of a one-element constant, or NULL. */
static const expr *constant_scalar(plan *p, const schedule_operand *o) {
    for (int d = 0; d < o->rank; d++)
        if (o->dims[d] != 1)
            return NULL;
    if (o->data == NULL)
        return NULL;
    if (o->elem == DT_F32 || o->elem == DT_F64)
        return build_float(p->b, o->elem, dtype_get_double(o->elem, o->data, 0));
    return dtype_is_int(o->elem) || o->elem == DT_BOOL ? build_int(p->b, o->elem, dtype_get_int(o->elem, o->data, 0))
                                                       : NULL;
}

int64_t operand_stride(const schedule_operand *o, int d) {
    if (o->layout != NULL)
        return o->layout->strides[d];
    int64_t stride = 1;
    for (int k = d + 1; k < o->rank; k++)
        stride *= o->dims[k];
    return stride;
}

const expr *operand_position(builder *b, const schedule_operand *o, const expr *const *index) {
    if (o->layout == NULL)
        return nest_linear(b, index, o->rank, o->dims);
    const expr *position = build_index(b, o->layout->first);
    for (int d = 0; d < o->rank; d++)
        position = build_add(b, position, build_mul(b, index[d], build_index(b, o->layout->strides[d])));
    return position;
}

static status resolve_read(plan *p, const expr *read, const expr **out_load) {
    const schedule_operand *o = &p->operands[read->ref];
    if (!read->masked && (*out_load = constant_scalar(p, o)) != NULL)
        return STATUS_OK;
    if (read->masked && p->contract && !p->options->naive) {
        TRY(pad_operand(p, read, out_load));
        if (*out_load != NULL)
            return STATUS_OK;
    }
    int slot = plan_operand_slot(p, read->ref);
    if (slot < 0)
        return STATUS_RESOURCE;
    const expr *address = operand_position(p->b, o, read->arg);
    *out_load = build_load(p->b, slot, read->type, address, read->masked ? read->arg[read->n_args - 1] : NULL);
    return STATUS_OK;
}

static status resolve_reads(plan *p) {
    expr_list reads = {.kind = EXPR_READ, .memory = p->memory};
    for (int s = 0; s < p->n_stages; s++) {
        expr_list_add(&reads, p->stages[s].value);
        if (p->stages[s].kind == STAGE_STORE)
            expr_list_add(&reads, p->stages[s].address);
    }
    TRY(reads.result);
    /* A READ's index may hold another READ, which comes first in the list: replace one by one, in the later ones too.
     */
    for (size_t i = 0; i < reads.at.n; i++) {
        const expr *load = NULL;
        if (reads.at.at[i]->kind != EXPR_READ)
            continue; /* known indices have made it one of those before */
        TRY(resolve_read(p, reads.at.at[i], &load));
        plan_substitute(p, &reads.at.at[i], &load, 1);
        const expr *from = reads.at.at[i];
        for (size_t j = i + 1; j < reads.at.n; j++)
            reads.at.at[j] = build_substitute(p->b, reads.at.at[j], &from, &load, 1);
    }
    return builder_status(p->b);
}

status plan_resolve(plan *p, const nest *n) {
    p->contract = n->contract;
    p->name = n->name;
    p->n_axes = n->n_axes;
    memcpy(p->axes, n->axes, sizeof p->axes);
    p->n_stages = (int)n->stages.n;
    p->stages = ARENA_NEW_N(p->memory, plan_stage, n->stages.n + 1);
    TRY_ALLOC(p->stages);
    for (int s = 0; s < p->n_stages; s++) {
        const nest_stage *from = &n->stages.at[s];
        plan_stage *to = &p->stages[s];
        *to = (plan_stage){
            .kind = from->kind, .n_axes = from->n_axes, .value = from->value, .op = from->op, .result = from->result};
        memcpy(to->axes, from->axes, sizeof to->axes);
        if (from->kind == STAGE_STORE) {
            const schedule_operand *o = &p->operands[from->operand];
            to->slot = plan_operand_slot(p, from->operand);
            if (to->slot < 0)
                return STATUS_RESOURCE;
            p->written.at[to->slot] = true;
            to->address = operand_position(p->b, o, from->index);
        }
    }
    return resolve_reads(p);
}
