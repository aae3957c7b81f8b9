/* Plans: kernel buffers, loads, substitution, and the way from a nest to its calls. */
#include "schedule/plan.h"

#include <string.h>

int plan_new_slot(plan *p, schedule_buffer buffer) {
    if (VEC_PUSH(p->memory, p->out->buffers, buffer) != STATUS_OK ||
        VEC_PUSH(p->memory, p->slots, (int)p->out->buffers.n - 1) != STATUS_OK ||
        VEC_PUSH(p->memory, p->written, false) != STATUS_OK)
        return -1;
    return (int)p->slots.n - 1;
}

int plan_operand_slot(plan *p, int operand) {
    for (size_t s = 0; s < p->slots.n; s++) {
        const schedule_buffer *have = plan_slot_buffer(p, (int)s);
        if (have->kind == SCHEDULE_OPERAND && have->operand == operand)
            return (int)s;
    }
    const schedule_operand *o = &p->operands[operand];
    int64_t n = o->layout != NULL ? o->layout->n : 1;
    for (int d = 0; d < o->rank && o->layout == NULL; d++)
        n *= o->dims[d];
    return plan_new_slot(p, (schedule_buffer){.kind = SCHEDULE_OPERAND, .operand = operand, .elem = o->elem, .n = n});
}

const schedule_buffer *plan_slot_buffer(const plan *p, int slot) {
    return &p->out->buffers.at[p->slots.at[slot]];
}

status plan_loads(const plan *p, expr_list *out) {
    *out = (expr_list){.kind = EXPR_LOAD, .memory = p->memory};
    for (int s = 0; s < p->n_stages; s++) {
        expr_list_add(out, p->stages[s].value);
        if (p->stages[s].flips != NULL)
            expr_list_add(out, p->stages[s].flips);
        if (p->stages[s].start != NULL)
            expr_list_add(out, p->stages[s].start);
        if (p->stages[s].kind == STAGE_STORE)
            expr_list_add(out, p->stages[s].address);
    }
    return out->result;
}

void plan_substitute(plan *p, const expr *const *from, const expr *const *to, int n) {
    for (int s = 0; s < p->n_stages; s++) {
        plan_stage *g = &p->stages[s];
        g->value = build_substitute(p->b, g->value, from, to, n);
        if (g->flips != NULL)
            g->flips = build_substitute(p->b, g->flips, from, to, n);
        if (g->start != NULL)
            g->start = build_substitute(p->b, g->start, from, to, n);
        if (g->kind == STAGE_STORE)
            g->address = build_substitute(p->b, g->address, from, to, n);
    }
}

/* The new number of each kernel buffer, -1 for those that nothing uses. */
static int *number_slots(const plan *p, const expr_list *loads, size_t *out_n) {
    int *number = ARENA_NEW_N(p->memory, int, p->slots.n + 1);
    if (number == NULL)
        return NULL;
    for (size_t i = 0; i < loads->at.n; i++)
        number[loads->at.at[i]->ref] = 1;
    for (int s = 0; s < p->n_stages; s++)
        if (p->stages[s].kind == STAGE_STORE)
            number[p->stages[s].slot] = 1;
    *out_n = 0;
    for (size_t s = 0; s < p->slots.n; s++)
        number[s] = s < p->kept || number[s] ? (int)(*out_n)++ : -1;
    return number;
}

status plan_compact(plan *p) {
    expr_list loads;
    size_t n = 0;
    TRY(plan_loads(p, &loads));
    const int *number = number_slots(p, &loads, &n);
    const expr **to = ARENA_NEW_N(p->memory, const expr *, loads.at.n + 1);
    TRY_ALLOC(number);
    TRY_ALLOC(to);
    for (size_t i = 0; i < loads.at.n; i++) {
        const expr *x = loads.at.at[i]; /* a load in its address comes before it */
        const expr *address = build_substitute(p->b, x->arg[0], loads.at.at, to, (int)i);
        const expr *mask = x->masked ? build_substitute(p->b, x->arg[1], loads.at.at, to, (int)i) : NULL;
        to[i] = build_load(p->b, number[x->ref], x->type, address, mask);
    }
    plan_substitute(p, loads.at.at, to, (int)loads.at.n);
    for (int s = 0; s < p->n_stages; s++)
        if (p->stages[s].kind == STAGE_STORE)
            p->stages[s].slot = number[p->stages[s].slot];
    for (size_t s = 0; s < p->slots.n; s++) {
        if (number[s] < 0)
            continue;
        p->slots.at[number[s]] = p->slots.at[s];
        p->written.at[number[s]] = p->written.at[s];
    }
    p->slots.n = p->written.n = n;
    return STATUS_OK;
}

int plan_all_axes(const plan *p, nest_axis *out) {
    int n = 0;
    for (int i = 0; i < p->n_axes; i++)
        out[n++] = p->axes[i];
    for (int s = 0; s < p->n_stages; s++)
        for (int i = 0; i < p->stages[s].n_axes && n < PLAN_MAX_AXES; i++)
            out[n++] = p->stages[s].axes[i];
    return n;
}

int plan_first_axis(const plan *p, int stage) {
    int n = p->n_axes;
    for (int s = 0; s < stage; s++)
        n += p->stages[s].n_axes;
    return n;
}

int64_t plan_steps(const plan_stage *g) {
    int64_t n = 1;
    for (int i = 0; i < g->n_axes; i++)
        n *= g->axes[i].extent;
    return n;
}

/* MIN and MAX give their second operand where either is NaN: in this order a NaN changes nothing, whatever the order of
 * the values. */
const expr *plan_combine(builder *b, reduce_op op, const expr *acc, const expr *value) {
    switch (op) {
    case REDUCE_SUM:
        if (value->kind == EXPR_MUL && dtype_is_float(value->type.elem))
            return build_mul_add(b, value->arg[0], value->arg[1], acc);
        return build_add(b, acc, value);
    case REDUCE_PROD:
        return build_mul(b, acc, value);
    case REDUCE_MIN:
        return build_min(b, value, acc);
    case REDUCE_MAX:
        return build_max(b, value, acc);
    }
    return value;
}

const expr *plan_neutral(builder *b, reduce_op op, ltype t) {
    bool is_float = dtype_is_float(t.elem);
    const expr *x = NULL;
    switch (op) {
    case REDUCE_SUM:
        x = build_const(b, t.elem, 0);
        break;
    case REDUCE_PROD:
        x = build_const(b, t.elem, 1);
        break;
    case REDUCE_MIN:
        x = is_float ? build_float(b, t.elem, __builtin_inf())
                     : build_int(b, t.elem, t.elem == DT_BOOL ? 1 : (int64_t)dtype_max(t.elem));
        break;
    case REDUCE_MAX:
        x = is_float ? build_float(b, t.elem, -__builtin_inf())
                     : build_int(b, t.elem, t.elem == DT_BOOL ? 0 : dtype_min(t.elem));
        break;
    }
    return build_broadcast(b, x, t.lanes);
}

status plan_finish(plan *p) {
    size_t n = p->slots.n;
    kernel_buffer *buffers = ARENA_NEW_N(p->memory, kernel_buffer, n + 1);
    int *args = ARENA_NEW_N(p->memory, int, n + 1);
    TRY_ALLOC(buffers);
    TRY_ALLOC(args);
    for (size_t s = 0; s < n; s++) {
        const schedule_buffer *from = plan_slot_buffer(p, (int)s);
        char *name = arena_printf(p->memory, "%c%zu",
                                  p->written.at[s]               ? 'y'
                                  : from->kind == SCHEDULE_CONST ? 'w'
                                                                 : 'x',
                                  s);
        TRY_ALLOC(name);
        buffers[s] = (kernel_buffer){name, from->elem, from->n,
                                     p->sums > 0 && (int)s == p->sums ? ACCESS_SCRATCH
                                     : !p->written.at[s]              ? ACCESS_READ
                                     : p->raw                         ? ACCESS_READ_WRITE
                                                                      : ACCESS_WRITE};
        args[s] = p->slots.at[s];
    }
    TRY(builder_status(p->b));
    kernel *k = builder_kernel(p->b, p->name, buffers, (int)n);
    TRY_ALLOC(k);
    TRY(kernel_legalise(k, p->memory, p->options->target));
    return VEC_PUSH(p->memory, p->out->calls, (schedule_call){k, args, p->macs});
}

bool plan_step(const plan *p, const expr *address, const expr *axis, int64_t *out_step) {
    const expr *rest = NULL;
    return expr_affine(p->b, address, &axis, 1, out_step, &rest);
}

access plan_access(const plan *p, const expr *load) {
    nest_axis axes[PLAN_MAX_AXES];
    const expr *vars[PLAN_MAX_AXES];
    const expr *rest = NULL;
    access a = {.load = load};
    int n = plan_all_axes(p, axes);
    for (int i = 0; i < n; i++)
        vars[i] = axes[i].var;
    a.affine = !load->masked && expr_affine(p->b, load->arg[0], vars, n, a.step, &rest) && rest->kind == EXPR_INT;
    a.first = a.affine ? rest->imm : 0;
    return a;
}

bool plan_is_constant(const plan *p, int slot) {
    const schedule_buffer *from = plan_slot_buffer(p, slot);
    return from->kind == SCHEDULE_CONST || (from->kind == SCHEDULE_OPERAND && p->operands[from->operand].data != NULL);
}

const void *plan_constant(const plan *p, int slot) {
    const schedule_buffer *from = plan_slot_buffer(p, slot);
    return from->kind == SCHEDULE_CONST ? from->data : p->operands[from->operand].data;
}
