/* Last step of builder_kernel: writes the kernel, with variables and register arrays numbered in program order. */
#include "loop/build_internal.h"

#include "base/map.h"

typedef struct emitter {
    placement *p;
    builder *from, *to;
    const expr **var; /* by variable of `from` */
    int *reg;         /* by register array of `from`: 1 + its number, 0 none yet */
    map names;        /* identifiers taken; the value counts the later comers */
    VEC(kernel_reg) regs;
    int next_item;
} emitter;

/* ---- names ---- */

typedef struct name_count {
    int n;
} name_count;

static bool take_name(emitter *e, const char *name) {
    name_count *c = ARENA_NEW(e->to->memory, name_count);
    if (c == NULL || map_set(&e->names, name, c) != STATUS_OK) {
        build_fail(e->to);
        return false;
    }
    return true;
}

/* `stem`, or stem_2, stem_3 ... where that is taken. */
static const char *unique_name(emitter *e, const char *stem) {
    const char *name = stem;
    name_count *c = map_get(&e->names, stem);
    while (map_get(&e->names, name) != NULL) {
        name = arena_printf(e->to->memory, "%s_%d", stem, ++c->n + 1);
        if (name == NULL) {
            build_fail(e->to);
            return "";
        }
    }
    return take_name(e, name) ? name : "";
}

static const expr *new_var(emitter *e, ltype t, const char *stem) {
    if (e->to->failed)
        return e->to->poison;
    return build_var(e->to, t, unique_name(e, stem));
}

static const expr *define(emitter *e, const expr *var) {
    const expr *own = new_var(e, var->type, e->from->vars.at[var->ref].name);
    e->var[var->ref] = own;
    return own;
}

/* ---- expressions ---- */

static const expr *emit_operation(emitter *e, const expr *x, int at);

static const expr *emit_expr(emitter *e, const expr *x, int at) {
    if (e->to->failed)
        return e->to->poison;
    if (x->kind == EXPR_VAR) {
        TENON_ASSERT(e->var[x->ref] != NULL); /* used outside of the block that defines it */
        return e->var[x->ref];
    }
    const let_place *l = place_find(e->p, x, at);
    return l != NULL ? l->var : emit_operation(e, x, at);
}

static const expr *emit_operation(emitter *e, const expr *x, int at) {
    const expr *args[EXPR_MAX_ARGS];
    for (int i = 0; i < x->n_args; i++)
        args[i] = emit_expr(e, x->arg[i], at);
    expr shape = *x;
    if (x->kind == EXPR_REG)
        shape.ref = e->reg[x->ref] - 1;
    return build_intern(e->to, &shape, args);
}

/* ---- statements ---- */

static void emit_block(emitter *e, const block *from, block *to);

static stmt *append(emitter *e, block *to, stmt_kind k) {
    stmt *s = stmt_new(e->to, k);
    if (s != NULL)
        block_append(to, s);
    return s;
}

static const char *let_stem(const emitter *e, const let_place *l) {
    const char *named = e->p->info[l->value->id].stem;
    if (named != NULL)
        return named;
    if (l->value->kind == EXPR_LOAD && l->value->ref < e->p->f->n_buffers)
        return e->p->f->buffers[l->value->ref].name;
    return l->value->type.elem == DT_I64 && l->value->type.lanes == 1 ? "at" : "t";
}

static void emit_lets(emitter *e, int at, block *to) {
    for (let_place *l = e->p->items.at[at].lets; l != NULL && !e->to->failed; l = l->next_at_item) {
        const expr *value = emit_operation(e, l->value, at);
        stmt *s = append(e, to, STMT_LET);
        l->var = new_var(e, l->value->type, let_stem(e, l));
        if (s == NULL)
            return;
        s->let.var = l->var;
        s->let.value = value;
    }
}

static void emit_let(emitter *e, const stmt *s, int at, block *to) {
    if (!finish_pinned(e->p->f, s->let.value))
        return;
    const expr *value = emit_expr(e, s->let.value, at);
    stmt *out = append(e, to, STMT_LET);
    if (out == NULL)
        return;
    out->let.value = value;
    out->let.var = define(e, s->let.var);
}

static void emit_for(emitter *e, const stmt *s, int at, block *to) {
    const expr *extent = emit_expr(e, s->loop.extent, at);
    stmt *out = append(e, to, STMT_FOR);
    if (out == NULL)
        return;
    out->loop.extent = extent;
    out->loop.kind = s->loop.kind;
    out->loop.var = define(e, s->loop.var);
    emit_block(e, &s->loop.body, &out->loop.body);
}

static void emit_store(emitter *e, const stmt *s, int at, block *to) {
    stmt *out = append(e, to, STMT_STORE);
    if (out == NULL)
        return;
    out->store.buffer = s->store.buffer;
    out->store.index = emit_expr(e, s->store.index, at);
    out->store.value = emit_expr(e, s->store.value, at);
    out->store.mask = s->store.mask != NULL ? emit_expr(e, s->store.mask, at) : NULL;
}

static void emit_declare(emitter *e, const stmt *s, int at, block *to) {
    (void)at;
    kernel_reg r = e->from->regs.at[s->declare.reg];
    r.name = unique_name(e, r.name);
    stmt *out = append(e, to, STMT_DECLARE);
    if (out == NULL || VEC_PUSH(e->to->memory, e->regs, r) != STATUS_OK) {
        build_fail(e->to);
        return;
    }
    e->reg[s->declare.reg] = (int)e->regs.n;
    out->declare.reg = (int)e->regs.n - 1;
}

static void emit_set(emitter *e, const stmt *s, int at, block *to) {
    stmt *out = append(e, to, STMT_SET);
    if (out == NULL)
        return;
    out->set.reg = e->reg[s->set.reg] - 1;
    out->set.index = emit_expr(e, s->set.index, at);
    out->set.value = emit_expr(e, s->set.value, at);
}

static void emit_if(emitter *e, const stmt *s, int at, block *to) {
    const expr *condition = emit_expr(e, s->cond.condition, at);
    stmt *out = append(e, to, STMT_IF);
    if (out == NULL)
        return;
    out->cond.condition = condition;
    emit_block(e, &s->cond.then, &out->cond.then);
    emit_block(e, &s->cond.otherwise, &out->cond.otherwise);
}

static void emit_check(emitter *e, const stmt *s, int at, block *to) {
    stmt *out = append(e, to, STMT_CHECK);
    if (out == NULL)
        return;
    out->check.condition = emit_expr(e, s->check.condition, at);
    out->check.code = s->check.code;
}

static void emit_note(emitter *e, const stmt *s, int at, block *to) {
    (void)at;
    stmt *out = append(e, to, STMT_NOTE);
    if (out != NULL)
        out->note.text = s->note.text;
}

static void emit_block(emitter *e, const block *from, block *to) {
    static void (*const emit[STMT_COUNT])(emitter *, const stmt *, int, block *) = {
        [STMT_LET] = emit_let, [STMT_FOR] = emit_for, [STMT_STORE] = emit_store, [STMT_DECLARE] = emit_declare,
        [STMT_SET] = emit_set, [STMT_IF] = emit_if,   [STMT_CHECK] = emit_check, [STMT_NOTE] = emit_note,
    };
    for (const stmt *s = from->first; s != NULL && !e->to->failed; s = s->next) {
        int at = e->next_item++;
        emit_lets(e, at, to);
        emit[s->kind](e, s, at, to);
    }
}

/* ---- the kernel ---- */

static void copy_buffers(emitter *e, kernel *k) {
    arena *a = e->to->memory;
    for (int i = 0; i < e->p->f->n_buffers; i++) {
        kernel_buffer buffer = e->p->f->buffers[i];
        buffer.name = text_identifier(a, buffer.name);
        if (buffer.name != NULL)
            buffer.name = unique_name(e, buffer.name);
        if (buffer.name == NULL || VEC_PUSH(a, k->buffers, buffer) != STATUS_OK)
            build_fail(e->to);
    }
}

kernel *emit_kernel(placement *p) {
    builder *from = p->f->b;
    arena *a = from->memory;
    emitter e = {.p = p, .from = from, .to = builder_new(a, from->target), .names = map_in(a)};
    e.var = ARENA_NEW_N(a, const expr *, from->vars.n + 1);
    e.reg = ARENA_NEW_N(a, int, from->regs.n + 1);
    kernel *k = ARENA_NEW(a, kernel);
    if (e.to == NULL || e.var == NULL || e.reg == NULL || k == NULL ||
        (k->name = text_identifier(a, p->f->name)) == NULL)
        return NULL;
    copy_buffers(&e, k);
    if (!e.to->failed)
        emit_block(&e, &p->f->body, &k->body);
    if (e.to->failed)
        return NULL;
    k->vars.at = e.to->vars.at;
    k->vars.n = e.to->vars.n;
    k->vars.cap = e.to->vars.cap;
    k->regs.at = e.regs.at;
    k->regs.n = e.regs.n;
    k->regs.cap = e.regs.cap;
    return k;
}

kernel *builder_kernel(builder *b, const char *name, const kernel_buffer *buffers, int n) {
    finish f = {.b = b, .name = name, .buffers = buffers, .n_buffers = n};
    block top = builder_take(b);
    if (!b->failed)
        expand_body(&f, &top);
    placement p = {.f = &f};
    if (!b->failed)
        place_lets(&p);
    kernel *k = b->failed ? NULL : emit_kernel(&p);
    if (k == NULL)
        build_fail(b);
    return k;
}
