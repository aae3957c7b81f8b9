/* From one nest to the calls that compute it. */
#include "schedule/plan.h"

static void mark_written(plan *p, const block *body) {
    for (const stmt *s = body->first; s != NULL; s = s->next) {
        if (s->kind == STMT_STORE)
            p->written.at[s->store.buffer] = true;
        if (s->kind == STMT_FOR)
            mark_written(p, &s->loop.body);
        if (s->kind == STMT_IF) {
            mark_written(p, &s->cond.then);
            mark_written(p, &s->cond.otherwise);
        }
    }
}

/* A raw nest is a kernel already: its buffer numbers are operand numbers. */
static status schedule_raw(nest *n, plan *p) {
    for (int k = 0; k < p->n_operands; k++)
        if (plan_operand_slot(p, k) != k)
            return STATUS_RESOURCE;
    mark_written(p, &n->body);
    builder_put(n->b, n->body);
    p->raw = true;
    p->name = n->name;
    return plan_finish(p);
}

static status emit_nest(plan *p, const nest *n) {
    TRY(plan_resolve(p, n));
    if (p->options->naive) {
        TRY(emit_naive(p));
    } else {
        TRY(plan_digits(p));
        TRY(repack_reductions(p));
        TRY(plan_collapse(p));
        TRY(emit_plan(p));
    }
    p->macs += nest_macs(n);
    p->kept = p->slots.n;
    return STATUS_OK;
}

status schedule_nest(nest *n, const schedule_operand *operands, int n_operands, const schedule_options *o,
                     schedule *out) {
    plan p = {
        .b = n->b, .memory = out->memory, .options = o, .operands = operands, .n_operands = n_operands, .out = out};
    p.form = o->form;
    if (n->raw)
        return schedule_raw(n, &p);
    p.raw = n->steps.var != NULL;
    if (p.raw)
        build_for_var(n->b, n->steps.var, build_index(n->b, n->steps.extent), LOOP_SERIAL);
    for (const nest *part = n; part != NULL; part = part->then)
        TRY(emit_nest(&p, part));
    if (n->steps.var != NULL)
        build_end(n->b);
    return plan_finish(&p);
}
