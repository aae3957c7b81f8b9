/* A kernel's statements as instructions of the interpreter. */
#include "loop/interp.h"

static status compile_block(interp_code *c, const block *b);

/* ---- instructions of control ---- */

static const op *run_jump(const op *p) {
    return p + p->imm;
}

static const op *run_jump_unless(const op *p) {
    return *(const uint8_t *)p->a ? p + 1 : p + p->imm;
}

static const op *run_loop_enter(const op *p) {
    *(int64_t *)p->out = 0;
    return *(const int64_t *)p->a > 0 ? p + 1 : p + p->imm;
}

static const op *run_loop_next(const op *p) {
    int64_t next = *(int64_t *)p->out + 1;
    if (next >= *(const int64_t *)p->a)
        return p + 1;
    *(int64_t *)p->out = next;
    return p + p->imm;
}

/* A parallel loop: backwards, as its iterations may run in any order. */
static const op *run_parallel_enter(const op *p) {
    *(int64_t *)p->out = *(const int64_t *)p->a - 1;
    return *(const int64_t *)p->a > 0 ? p + 1 : p + p->imm;
}

static const op *run_parallel_next(const op *p) {
    return --*(int64_t *)p->out < 0 ? p + 1 : p + p->imm;
}

static const op *run_check(const op *p) {
    if (*(const uint8_t *)p->a)
        return p + 1;
    *(int *)p->out = p->size;
    return NULL;
}

static const op *run_end(const op *p) {
    (void)p;
    return NULL;
}

/* Makes the jump at instruction `from` lead to instruction `to`. */
static void set_jump(interp_code *c, size_t from, size_t to) {
    c->line.at[from].imm = (int64_t)to - (int64_t)from;
}

/* ---- statements ---- */

/* The variable's slot lasts until the block ends; what computes it is given back now. */
static status compile_let(interp_code *c, const stmt *s) {
    void *slot = interp_slot(c->frame, interp_slot_bytes(s->let.value->type));
    TRY_ALLOC(slot);
    interp_mark mark = interp_frame_mark(c->frame);
    TRY(interp_value(c, s->let.value, slot, &c->vars[s->let.var->ref]));
    interp_frame_return(c->frame, mark);
    return STATUS_OK;
}

static status compile_for(interp_code *c, const stmt *s) {
    interp_mark mark = interp_frame_mark(c->frame);
    int64_t *var = interp_slot(c->frame, sizeof *var), *extent = interp_slot(c->frame, sizeof *extent);
    TRY_ALLOC(var);
    TRY_ALLOC(extent);
    const void *unused;
    TRY(interp_value(c, s->loop.extent, extent, &unused));
    const bool parallel = s->loop.kind == LOOP_PARALLEL;
    size_t enter = c->line.n;
    TRY(interp_emit(c, (op){.run = parallel ? run_parallel_enter : run_loop_enter, .out = var, .a = extent}));
    c->vars[s->loop.var->ref] = var;
    TRY(compile_block(c, &s->loop.body));
    size_t next = c->line.n;
    TRY(interp_emit(c, (op){.run = parallel ? run_parallel_next : run_loop_next, .out = var, .a = extent}));
    set_jump(c, next, enter + 1);
    set_jump(c, enter, next + 1);
    interp_frame_return(c->frame, mark);
    return STATUS_OK;
}

static status compile_store(interp_code *c, const stmt *s) {
    interp_mark mark = interp_frame_mark(c->frame);
    const expr *value = s->store.value;
    op o = {0};
    TRY(interp_value(c, value, NULL, &o.c));
    TRY(interp_address(c, s->store.buffer, value->type, s->store.index, s->store.mask, &o));
    const int size = interp_size_row(value->type.elem);
    if (s->store.index->type.lanes > 1)
        o.run = c->ops->scatter[size];
    else
        o.run = s->store.mask != NULL ? c->ops->store_masked[size] : c->ops->store[interp_width_row(value->type)];
    TRY(interp_emit(c, o));
    interp_frame_return(c->frame, mark);
    return STATUS_OK;
}

static status compile_declare(interp_code *c, const stmt *s) {
    const kernel_reg *r = &c->k->regs.at[s->declare.reg];
    interp_reg *array = &c->regs[s->declare.reg];
    array->stride = interp_slot_bytes(r->type);
    TRY_ALLOC(array->slots = interp_slot(c->frame, array->stride * (size_t)r->n));
    return STATUS_OK;
}

static status compile_set(interp_code *c, const stmt *s) {
    interp_mark mark = interp_frame_mark(c->frame);
    const void *unused;
    TRY(interp_value(c, s->set.value, interp_reg_slot(c, s->set.reg, s->set.index), &unused));
    interp_frame_return(c->frame, mark);
    return STATUS_OK;
}

static status compile_condition(interp_code *c, const expr *condition, op o) {
    interp_mark mark = interp_frame_mark(c->frame);
    TRY(interp_value(c, condition, NULL, &o.a));
    interp_frame_return(c->frame, mark);
    return interp_emit(c, o);
}

static status compile_if(interp_code *c, const stmt *s) {
    TRY(compile_condition(c, s->cond.condition, (op){.run = run_jump_unless}));
    size_t branch = c->line.n - 1;
    TRY(compile_block(c, &s->cond.then));
    size_t end_of_then = c->line.n;
    TRY(interp_emit(c, (op){.run = run_jump}));
    set_jump(c, branch, c->line.n);
    TRY(compile_block(c, &s->cond.otherwise));
    set_jump(c, end_of_then, c->line.n);
    return STATUS_OK;
}

static status compile_check(interp_code *c, const stmt *s) {
    return compile_condition(c, s->check.condition, (op){.run = run_check, .out = c->out_code, .size = s->check.code});
}

static status compile_note(interp_code *c, const stmt *s) {
    (void)c;
    (void)s;
    return STATUS_OK;
}

typedef status (*compile_fn)(interp_code *c, const stmt *s);
static const compile_fn STATEMENTS[] = {
    [STMT_LET] = compile_let, [STMT_FOR] = compile_for, [STMT_STORE] = compile_store, [STMT_DECLARE] = compile_declare,
    [STMT_SET] = compile_set, [STMT_IF] = compile_if,   [STMT_CHECK] = compile_check, [STMT_NOTE] = compile_note,
};
_Static_assert(sizeof STATEMENTS / sizeof *STATEMENTS == STMT_COUNT, "a new statement needs a row in STATEMENTS");

static status compile_block(interp_code *c, const block *b) {
    interp_mark mark = interp_frame_mark(c->frame);
    for (const stmt *s = b->first; s != NULL; s = s->next) {
        c->statement++;
        TRY(STATEMENTS[s->kind](c, s));
    }
    interp_frame_return(c->frame, mark);
    return STATUS_OK;
}

/* The kernel's first instruction. `views` are the buffers that its steps will bind; out_code receives a CHECK's code.
 */
status interp_compile(const kernel *k, arena *a, interp_frame *frame, const interp_ops *ops, const interp_view *views,
                      int *out_code, const op **out) {
    interp_code c = {.k = k, .memory = a, .frame = frame, .ops = ops, .views = views, .out_code = out_code};
    c.values = map_in(a);
    TRY_ALLOC(c.vars = ARENA_NEW_N(a, const void *, k->vars.n + 1));
    TRY_ALLOC(c.regs = ARENA_NEW_N(a, interp_reg, k->regs.n + 1));
    TRY(compile_block(&c, &k->body));
    TRY(interp_emit(&c, (op){.run = run_end}));
    *out = c.line.at;
    return STATUS_OK;
}
