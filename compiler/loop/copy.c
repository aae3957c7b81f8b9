/* A kernel's statements once more, in another builder: as they are, changed one by one, or over other buffers. */
#include "loop/copy.h"

static void remember(kernel_copy *c, const expr *from, const expr *to) {
    if (c->result == STATUS_OK)
        c->result = map_set_key(&c->to, MAP_KEY(from), (void *)(uintptr_t)to);
}

static int buffer_of(const kernel_copy *c, int buffer) {
    return c->buffers != NULL ? c->buffers[buffer] : buffer;
}

/* An index of the kernel's buffer, as the copy has it. */
static const expr *shifted(const kernel_copy *c, int buffer, const expr *index) {
    return c->shifts != NULL ? build_add(c->b, index, c->shifts[buffer]) : index;
}

static const expr *operation(kernel_copy *c, const expr *x, const expr *const *args) {
    if (x->kind == EXPR_REG)
        return build_reg_get(c->b, c->regs[x->ref], x->type, args[0]);
    if (x->kind == EXPR_LOAD)
        return build_load(c->b, buffer_of(c, x->ref), x->type, shifted(c, x->ref, args[0]), x->masked ? args[1] : NULL);
    return c->spell != NULL ? c->spell(c->b, x, args) : build_like(c->b, x, args);
}

/* Each expression is copied once, so sharing stays. */
static const expr *copied(kernel_copy *c, const expr *x) {
    if (x == NULL)
        return NULL;
    const expr *to = map_get_key(&c->to, MAP_KEY(x));
    if (to != NULL)
        return to;
    const expr *args[3];
    TENON_ASSERT(x->n_args <= 3 && x->kind != EXPR_VAR);
    for (int i = 0; i < x->n_args; i++)
        args[i] = copied(c, x->arg[i]);
    to = operation(c, x, args);
    remember(c, x, to);
    return to;
}

static void copy_block(kernel_copy *c, const block *b);

static const char *name_of(const kernel_copy *c, const expr *var) {
    return c->k->vars.at[var->ref].name;
}

static void copy_stmt(kernel_copy *c, const stmt *s) {
    builder *b = c->b;
    switch (s->kind) {
    case STMT_LET:
        remember(c, s->let.var, build_let(b, name_of(c, s->let.var), copied(c, s->let.value)));
        break;
    case STMT_FOR:
        remember(c, s->loop.var, build_for(b, name_of(c, s->loop.var), copied(c, s->loop.extent), s->loop.kind));
        copy_block(c, &s->loop.body);
        build_end(b);
        break;
    case STMT_STORE:
        build_store(b, buffer_of(c, s->store.buffer), shifted(c, s->store.buffer, copied(c, s->store.index)),
                    copied(c, s->store.value), copied(c, s->store.mask));
        break;
    case STMT_DECLARE: {
        const kernel_reg *reg = &c->k->regs.at[s->declare.reg];
        c->regs[s->declare.reg] = build_declare(b, reg->name, reg->type, reg->n);
        break;
    }
    case STMT_SET:
        build_set(b, c->regs[s->set.reg], copied(c, s->set.index), copied(c, s->set.value));
        break;
    case STMT_IF:
        build_if(b, copied(c, s->cond.condition));
        copy_block(c, &s->cond.then);
        build_else(b);
        copy_block(c, &s->cond.otherwise);
        build_end(b);
        break;
    case STMT_CHECK:
        build_check(b, copied(c, s->check.condition), s->check.code);
        break;
    case STMT_NOTE:
        build_note(b, s->note.text);
        break;
    case STMT_COUNT:
        break;
    }
}

static void copy_block(kernel_copy *c, const block *b) {
    for (const stmt *s = b->first; s != NULL && c->result == STATUS_OK; s = s->next)
        copy_stmt(c, s);
}

status kernel_copy_body(kernel_copy *c) {
    arena *a = builder_arena(c->b);
    c->to = map_in(a);
    c->result = STATUS_OK;
    TRY_ALLOC(c->regs = ARENA_NEW_N(a, int, c->k->regs.n + 1));
    copy_block(c, &c->k->body);
    return c->result;
}
