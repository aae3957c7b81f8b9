/* A chain as one kernel: each nest is scheduled for block 0, and the kernels run in turn inside of the loops. */
#include "lower/lowering.h"

/* A buffer of the fused kernel. */
typedef struct fused_buffer {
    int buffer; /* of the program */
    kernel_buffer seen;
    int depth; /* loops inside of which it is written */
    bool is_scratch;
} fused_buffer;

typedef struct assembly {
    lowering *w;
    const chain *c;
    VEC(fused_buffer) buffers;
    VEC(fused_call) calls;
    VEC(const char *) tuned; /* the contractions, by name */
    int64_t macs, most_macs; /* of all, and of the member that leads */
    const node *lead;
} assembly;

/* ---- buffers ---- */

/* What a member hands on: a block. */
static status add_between(assembly *x, const chain_member *at, const composed *m) {
    const schedule_operand *o = &m->operands.at[at->stores];
    const value *v = m->values.at[at->stores];
    program_buffer b = {.elem = o->elem, .n = 1, .place = PLACE_ARENA};
    int number = -1;
    for (int d = 0; d < o->rank; d++)
        b.n *= o->dims[d];
    TRY(lowering_add_buffer(x->w, b, &number));
    if (v != NULL)
        return lowering_set_buffer(x->w, v, number);
    int *slot = lowering_temporary(x->w, at->root, m->temporaries.at[at->stores]);
    TRY_ALLOC(slot);
    *slot = number;
    return STATUS_OK;
}

static status fused_buffer_of(assembly *x, int buffer, int *out) {
    for (*out = 0; *out < (int)x->buffers.n; ++*out)
        if (x->buffers.at[*out].buffer == buffer)
            return STATUS_OK;
    fused_buffer b = {.buffer = buffer, .seen = program_seen(&x->w->p->buffers.at[buffer])};
    return VEC_PUSH(x->w->memory, x->buffers, b);
}

/* The depth of the outermost loop that runs more than once; what is written inside of it and read is scratch. */
static int outermost(const chain *c) {
    int l = 0;
    while (l < c->n_loops && fused_blocks(&c->loops[l]) == 1)
        l++;
    return l + 1;
}

static status name_buffers(assembly *x) {
    for (size_t i = 0; i < x->buffers.n; i++) {
        fused_buffer *b = &x->buffers.at[i];
        bool writes = (b->seen.access & ACCESS_WRITE) != 0;
        char stem = writes ? 'y' : x->w->p->buffers.at[b->buffer].place == PLACE_CONST ? 'w' : 'x';
        if (b->seen.access == ACCESS_READ_WRITE && b->is_scratch && b->depth >= outermost(x->c)) {
            b->seen.access = ACCESS_SCRATCH;
            stem = 't';
        }
        TRY_ALLOC(b->seen.name = arena_printf(x->w->memory, "%c%zu", stem, i));
    }
    return STATUS_OK;
}

/* ---- calls ---- */

static bool moves(const int64_t *steps) {
    for (int l = 0; l < FUSE_MAX_LOOPS; l++)
        if (steps[l] != 0)
            return true;
    return false;
}

/* The call runs inside of the loops that its operands move along, and of those that write what it reads. */
static status add_call(assembly *x, const chain_cut *m, const int *of_schedule, const schedule_call *from) {
    arena *a = x->w->memory;
    size_t n = from->k->buffers.n;
    int *buffers = ARENA_NEW_N(a, int, n + 1);
    int64_t(*steps)[FUSE_MAX_LOOPS] = (int64_t(*)[FUSE_MAX_LOOPS])ARENA_NEW_N(a, int64_t, (n + 1) * FUSE_MAX_LOOPS);
    fused_call call = {.k = from->k, .buffers = buffers, .steps = steps};
    TRY_ALLOC(buffers);
    TRY_ALLOC(steps);
    for (size_t k = 0; k < n; k++) {
        const schedule_buffer *b = &m->s.buffers.at[from->buffers[k]];
        TRY(fused_buffer_of(x, of_schedule[from->buffers[k]], &buffers[k]));
        fused_buffer *to = &x->buffers.at[buffers[k]];
        to->seen.access = (buffer_access)((unsigned)to->seen.access | (unsigned)from->k->buffers.at[k].access);
        call.depth = to->depth > call.depth ? to->depth : call.depth;
        for (int l = 0; l < x->c->n_loops && b->kind == SCHEDULE_OPERAND; l++) {
            steps[k][l] = m->steps[b->operand][l];
            if (steps[k][l] != 0 && l >= call.depth)
                call.depth = l + 1;
        }
    }
    for (size_t k = 0; k < n; k++) {
        if ((from->k->buffers.at[k].access & ACCESS_WRITE) == 0)
            continue;
        x->buffers.at[buffers[k]].depth = call.depth;
        x->buffers.at[buffers[k]].is_scratch = !moves(steps[k]);
    }
    return VEC_PUSH(a, x->calls, call);
}

static int64_t all_macs(const assembly *x, int64_t of_block) {
    for (int l = 0; l < x->c->n_loops; l++)
        of_block = of_block / x->c->loops[l].block * x->c->loops[l].extent;
    return of_block;
}

static status add_member(assembly *x, int k) {
    const chain_member *at = &x->c->at[k];
    const int *buffers = NULL; /* of the program, by the schedule's */
    int64_t macs = 0;
    chain_cut m;
    TRY(chain_cut_member(&x->w->groups, x->c, k, x->w->memory, &m));
    if (k + 1 < x->c->n)
        TRY(add_between(x, at, &m.m));
    TRY(lowering_buffers(x->w, &m.s, &m.m, at->root, &buffers));
    for (size_t i = 0; i < m.s.calls.n; i++) {
        TRY(add_call(x, &m, buffers, &m.s.calls.at[i]));
        macs += all_macs(x, m.s.calls.at[i].macs);
    }
    for (size_t i = 0; i < m.s.kernels.n; i++)
        TRY(VEC_PUSH(x->w->memory, x->tuned, m.s.kernels.at[i]));
    x->macs += macs;
    if (x->lead == NULL || macs > x->most_macs) {
        x->most_macs = macs;
        x->lead = at->which->n;
    }
    return STATUS_OK;
}

/* ---- the kernel and its step ---- */

/* What all roots of the chain compute. */
static status chain_work_of(assembly *x, work *out) {
    VEC(const node *) nodes = {0};
    strbuf note = strbuf_in(x->w->memory);
    for (int k = 0; k < x->c->n; k++) {
        work one;
        if (k > 0 && x->c->at[k].root == x->c->at[k - 1].root)
            continue;
        TRY(lowering_work(x->w, x->c->at[k].root, x->lead, &one));
        strbuf_printf(&note, "%s%s", k > 0 ? " + " : "", one.note);
        for (size_t i = 0; i < one.nodes.n; i++)
            TRY(VEC_PUSH(x->w->memory, nodes, one.nodes.nodes[i]));
        *out = one;
    }
    out->nodes = (step_nodes){x->lead, nodes.at, nodes.n, x->tuned.at, x->tuned.n};
    return strbuf_finish(&note, &out->note);
}

static status chain_name(const assembly *x, const char **out) {
    strbuf name = strbuf_in(x->w->memory);
    for (size_t i = 0; i < x->calls.n; i++)
        strbuf_printf(&name, "%s%s", i > 0 ? "_" : "", x->calls.at[i].k->name);
    return strbuf_finish(&name, out);
}

static status add_fused(assembly *x, const work *of) {
    arena *a = x->w->memory;
    fusion f = {
        .n_buffers = (int)x->buffers.n, .n_loops = x->c->n_loops, .calls = x->calls.at, .n_calls = (int)x->calls.n};
    kernel_buffer *buffers = ARENA_NEW_N(a, kernel_buffer, x->buffers.n + 1);
    step_arg *args = ARENA_NEW_N(a, step_arg, x->buffers.n + 1);
    TRY_ALLOC(buffers);
    TRY_ALLOC(args);
    for (size_t i = 0; i < x->buffers.n; i++) {
        buffers[i] = x->buffers.at[i].seen;
        args[i] = (step_arg){x->buffers.at[i].buffer, 0};
    }
    for (int l = 0; l < f.n_loops; l++)
        f.loops[l] = x->c->loops[l];
    f.buffers = buffers;
    kernel *k = NULL;
    program_step step = {.args = args, .note = of->note, .node = x->lead->source, .lead = of->lead, .macs = x->macs};
    TRY(chain_name(x, &f.name));
    TRY(kernel_fuse(&f, a, x->w->o->target, &k));
    TRY(lowering_add_kernel(x->w, k, &step.kernel));
    return lowering_add_step(x->w, step, &of->nodes);
}

status lower_chain(lowering *w, const chain *c) {
    assembly x = {.w = w, .c = c};
    work of;
    for (int k = 0; k < c->n; k++)
        TRY(add_member(&x, k));
    TRY(name_buffers(&x));
    TRY(chain_work_of(&x, &of));
    return add_fused(&x, &of);
}
