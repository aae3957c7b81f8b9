/* First step of builder_kernel: expands unrolled loops, decides constant conditions, substitutes LETs. */
#include "loop/build_internal.h"

#include <string.h>

typedef struct expander {
    finish *f;
    builder *b;
    VEC(const expr *) bound; /* by variable: what it stands for now; NULL itself */
    VEC(bool) defined;       /* by variable: some statement kept so far defines it */
    VEC(bool) visible;       /* by register array: declared in this or an enclosing block */
    memo done;
    int copies; /* > 0 within a second or later iteration of an unrolled loop */
} expander;

static void expand_block(expander *e, const block *from, block *to);

/* ---- pinned values ---- */

static bool pinned_itself(const finish *f, const expr *x) {
    if (x->kind == EXPR_REG)
        return true;
    return x->kind == EXPR_LOAD && x->ref < f->n_buffers && (f->buffers[x->ref].access & ACCESS_WRITE) != 0;
}

static status grow_bytes(arena *a, void *at_field, size_t *n, size_t *cap, size_t each, size_t need) {
    size_t old = *n;
    if (need <= old)
        return STATUS_OK;
    TRY(vec_reserve(a, at_field, cap, each, need));
    char *at;
    memcpy(&at, at_field, sizeof at);
    memset(at + old * each, 0, (need - old) * each);
    *n = need;
    return STATUS_OK;
}

/* Makes v.at[0 .. need-1] exist, zero where new. */
#define GROW(b, v, need)                                                                                               \
    (grow_bytes((b)->memory, &(v).at, &(v).n, &(v).cap, sizeof *(v).at, (need)) == STATUS_OK || (build_fail(b), false))

bool finish_pinned(finish *f, const expr *x) {
    if (!GROW(f->b, f->pinned, (size_t)f->b->n_exprs))
        return false;
    uint8_t known = f->pinned.at[x->id];
    if (known != 0)
        return known == 2;
    bool pinned = pinned_itself(f, x);
    for (int i = 0; i < x->n_args && !pinned; i++)
        pinned = finish_pinned(f, x->arg[i]);
    f->pinned.at[x->id] = pinned ? 2 : 1;
    return pinned;
}

/* ---- expressions ---- */

static const expr *expand_expr(expander *e, const expr *x) {
    if (e->b->failed)
        return e->b->poison;
    if (x->kind == EXPR_VAR) {
        const expr *to = (size_t)x->ref < e->bound.n ? e->bound.at[x->ref] : NULL;
        return to != NULL ? to : x;
    }
    if (x->n_args == 0)
        return x;
    const expr *known = memo_get(&e->done, x);
    if (known != NULL)
        return known;
    const expr *args[EXPR_MAX_ARGS];
    bool changed = false;
    for (int i = 0; i < x->n_args; i++) {
        args[i] = expand_expr(e, x->arg[i]);
        changed = changed || args[i] != x->arg[i];
    }
    const expr *to = changed ? build_like(e->b, x, args) : x;
    memo_put(e->b, &e->done, x, to);
    return to;
}

static void bind(expander *e, const expr *var, const expr *to) {
    if (!e->b->failed && GROW(e->b, e->bound, e->b->vars.n))
        e->bound.at[var->ref] = to;
}

/* The variable for a kept definition of `var`: itself the first time, then a fresh one. */
static const expr *define(expander *e, const expr *var) {
    builder *b = e->b;
    if (b->failed || !GROW(b, e->defined, b->vars.n))
        return b->poison;
    const expr *own = var;
    if (e->defined.at[var->ref])
        own = build_var_range(b, var->type, b->vars.at[var->ref].name, expr_range(var));
    if (b->failed || !GROW(b, e->defined, b->vars.n))
        return b->poison;
    e->defined.at[own->ref] = true;
    bind(e, var, own);
    return own;
}

/* ---- statements ---- */

static stmt *keep(expander *e, block *to, stmt_kind k) {
    stmt *s = stmt_new(e->b, k);
    if (s != NULL)
        block_append(to, s);
    return s;
}

/* Does the block do anything? */
static bool has_effect(finish *f, const block *in) {
    for (const stmt *s = in->first; s != NULL; s = s->next)
        if (s->kind != STMT_NOTE && s->kind != STMT_DECLARE && s->kind != STMT_LET)
            return true;
    return f->b->failed;
}

static void expand_let(expander *e, const stmt *s, block *to) {
    const expr *value = expand_expr(e, s->let.value);
    if (value->kind <= EXPR_VAR) {
        bind(e, s->let.var, value);
        return;
    }
    bool pinned = finish_pinned(e->f, value);
    const expr *var = pinned ? define(e, s->let.var) : s->let.var;
    if (!pinned)
        bind(e, s->let.var, value);
    stmt *kept = keep(e, to, STMT_LET);
    if (kept == NULL)
        return;
    kept->let.var = var;
    kept->let.value = value;
}

static void expand_copies(expander *e, const stmt *s, int64_t n, block *to) {
    for (int64_t i = 0; i < n && !e->b->failed; i++) {
        bind(e, s->loop.var, build_index(e->b, i));
        memo_forget(&e->done);
        e->copies += i > 0;
        expand_block(e, &s->loop.body, to);
        e->copies -= i > 0;
    }
    memo_forget(&e->done);
}

/* A block of its own: what it declares is not visible after it. */
static void expand_inner(expander *e, const block *from, block *to) {
    builder *b = e->b;
    expand_block(e, from, to);
    for (const stmt *s = to->first; s != NULL && !b->failed; s = s->next)
        if (s->kind == STMT_DECLARE)
            e->visible.at[s->declare.reg] = false;
}

static void expand_for(expander *e, const stmt *s, block *to) {
    const expr *extent = expand_expr(e, s->loop.extent);
    if (e->b->failed)
        return;
    if (extent->kind == EXPR_INT && (extent->imm <= 1 || s->loop.kind == LOOP_UNROLLED)) {
        expand_copies(e, s, extent->imm, to);
        return;
    }
    TENON_ASSERT(s->loop.kind != LOOP_UNROLLED);
    stmt *kept = stmt_new(e->b, STMT_FOR);
    const expr *var = define(e, s->loop.var);
    if (kept == NULL)
        return;
    memo_forget(&e->done);
    kept->loop.var = var;
    kept->loop.extent = extent;
    kept->loop.kind = s->loop.kind;
    expand_inner(e, &s->loop.body, &kept->loop.body);
    if (has_effect(e->f, &kept->loop.body))
        block_append(to, kept);
}

static void expand_if(expander *e, const stmt *s, block *to) {
    const expr *condition = expand_expr(e, s->cond.condition);
    if (condition->kind == EXPR_INT) {
        expand_block(e, condition->imm != 0 ? &s->cond.then : &s->cond.otherwise, to);
        return;
    }
    stmt *kept = stmt_new(e->b, STMT_IF);
    if (kept == NULL)
        return;
    kept->cond.condition = condition;
    expand_inner(e, &s->cond.then, &kept->cond.then);
    expand_inner(e, &s->cond.otherwise, &kept->cond.otherwise);
    bool then = has_effect(e->f, &kept->cond.then), otherwise = has_effect(e->f, &kept->cond.otherwise);
    if (!then && otherwise) {
        kept->cond.condition = build_unary(e->b, EXPR_NOT, condition);
        kept->cond.then = kept->cond.otherwise;
    }
    if (!then || !otherwise)
        kept->cond.otherwise = (block){NULL, NULL};
    if (then || otherwise)
        block_append(to, kept);
}

static void expand_store(expander *e, const stmt *s, block *to) {
    const expr *mask = s->store.mask != NULL ? expand_expr(e, s->store.mask) : NULL;
    const expr *index = expand_expr(e, s->store.index), *value = expand_expr(e, s->store.value);
    if (mask != NULL && expr_is_int(mask, 0))
        return;
    stmt *kept = keep(e, to, STMT_STORE);
    if (kept == NULL)
        return;
    kept->store.buffer = s->store.buffer;
    kept->store.index = index->kind == EXPR_RAMP && index->imm == 1 ? index->arg[0] : index;
    kept->store.value = value;
    kept->store.mask = mask != NULL && expr_is_int(mask, 1) ? NULL : mask;
}

static void expand_declare(expander *e, const stmt *s, block *to) {
    if (!GROW(e->b, e->visible, e->b->regs.n) || e->visible.at[s->declare.reg])
        return;
    e->visible.at[s->declare.reg] = true;
    stmt *kept = keep(e, to, STMT_DECLARE);
    if (kept != NULL)
        kept->declare.reg = s->declare.reg;
}

static void expand_set(expander *e, const stmt *s, block *to) {
    const expr *index = expand_expr(e, s->set.index), *value = expand_expr(e, s->set.value);
    stmt *kept = keep(e, to, STMT_SET);
    if (kept == NULL)
        return;
    kept->set.reg = s->set.reg;
    kept->set.index = index;
    kept->set.value = value;
}

static void expand_check(expander *e, const stmt *s, block *to) {
    const expr *condition = expand_expr(e, s->check.condition);
    if (expr_is_int(condition, 1))
        return;
    stmt *kept = keep(e, to, STMT_CHECK);
    if (kept == NULL)
        return;
    kept->check.condition = condition;
    kept->check.code = s->check.code;
}

static void expand_note(expander *e, const stmt *s, block *to) {
    stmt *kept = e->copies == 0 ? keep(e, to, STMT_NOTE) : NULL;
    if (kept != NULL)
        kept->note.text = s->note.text;
}

static void expand_block(expander *e, const block *from, block *to) {
    static void (*const expand[STMT_COUNT])(expander *, const stmt *, block *) = {
        [STMT_LET] = expand_let, [STMT_FOR] = expand_for, [STMT_STORE] = expand_store, [STMT_DECLARE] = expand_declare,
        [STMT_SET] = expand_set, [STMT_IF] = expand_if,   [STMT_CHECK] = expand_check, [STMT_NOTE] = expand_note,
    };
    for (const stmt *s = from->first; s != NULL && !e->b->failed; s = s->next)
        expand[s->kind](e, s, to);
}

void expand_body(finish *f, const block *from) {
    expander e = {.f = f, .b = f->b};
    e.done.serial = 1;
    expand_block(&e, from, &f->body);
}
