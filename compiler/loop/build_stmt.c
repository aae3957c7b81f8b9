/* Statements, appended to the builder's innermost open block. */
#include "loop/build_internal.h"

void block_append(block *to, stmt *s) {
    if (to->last == NULL)
        to->first = s;
    else
        to->last->next = s;
    to->last = s;
}

/* NULL when out of memory. */
stmt *stmt_new(builder *b, stmt_kind k) {
    stmt *s = b->failed ? NULL : ARENA_NEW(b->memory, stmt);
    if (s == NULL)
        build_fail(b);
    else
        s->kind = k;
    return s;
}

static stmt *append(builder *b, stmt_kind k) {
    stmt *s = stmt_new(b, k);
    if (s != NULL)
        block_append(b->open.n == 0 ? &b->top : b->open.at[b->open.n - 1].into, s);
    return s;
}

static void open_in(builder *b, stmt *owner, block *into) {
    if (VEC_PUSH(b->memory, b->open, (open_block){owner, into}) != STATUS_OK)
        build_fail(b);
}

block builder_take(builder *b) {
    TENON_ASSERT(b->failed || b->open.n == 0);
    block taken = b->failed ? (block){NULL, NULL} : b->top;
    b->top = (block){NULL, NULL};
    b->open.n = 0;
    return taken;
}

void builder_put(builder *b, block body) {
    TENON_ASSERT(b->failed || (b->open.n == 0 && b->top.first == NULL));
    b->top = body;
}

const expr *build_let(builder *b, const char *name, const expr *x) {
    if (b->failed || x->kind <= EXPR_VAR)
        return b->failed ? b->poison : x;
    const expr *var = build_var_range(b, x->type, name, expr_range(x));
    stmt *s = append(b, STMT_LET);
    if (s == NULL)
        return b->poison;
    s->let.var = var;
    s->let.value = x;
    return var;
}

const expr *build_for(builder *b, const char *name, const expr *extent, loop_kind kind) {
    if (b->failed)
        return b->poison;
    range r = expr_range(extent);
    const expr *var = build_var_range(b, LTYPE(DT_I64, 1), name, (range){0, r.hi > 0 ? r.hi - 1 : 0});
    build_for_var(b, var, extent, kind);
    return var;
}

void build_for_var(builder *b, const expr *var, const expr *extent, loop_kind kind) {
    stmt *s = append(b, STMT_FOR);
    if (s == NULL)
        return;
    s->loop.var = var;
    s->loop.extent = extent;
    s->loop.kind = kind;
    open_in(b, s, &s->loop.body);
}

void build_if(builder *b, const expr *condition) {
    stmt *s = append(b, STMT_IF);
    if (s == NULL)
        return;
    s->cond.condition = condition;
    open_in(b, s, &s->cond.then);
}

/* Within an open IF: what follows is its other branch. */
void build_else(builder *b) {
    if (b->failed)
        return;
    TENON_ASSERT(b->open.n > 0 && b->open.at[b->open.n - 1].owner->kind == STMT_IF);
    open_block *top = &b->open.at[b->open.n - 1];
    top->into = &top->owner->cond.otherwise;
}

void build_end(builder *b) {
    if (b->failed)
        return;
    TENON_ASSERT(b->open.n > 0);
    b->open.n--;
}

/* A contiguous run where `index` is scalar (or a ramp of stride 1), else a scatter. */
void build_store(builder *b, int buffer, const expr *index, const expr *value, const expr *mask) {
    if (b->failed || (mask != NULL && expr_is_int(mask, 0)))
        return;
    int lanes = value->type.lanes;
    TENON_ASSERT((index->type.lanes == 1 || index->type.lanes == lanes) && (mask == NULL || mask->type.lanes == lanes));
    stmt *s = append(b, STMT_STORE);
    if (s == NULL)
        return;
    s->store.buffer = buffer;
    s->store.index = index->kind == EXPR_RAMP && index->imm == 1 ? index->arg[0] : index;
    s->store.value = value;
    s->store.mask = mask != NULL && expr_is_int(mask, 1) ? NULL : mask;
}

/* Its number; 0 when out of memory. */
int build_declare(builder *b, const char *name, ltype t, int n) {
    kernel_reg r = {text_identifier(b->memory, name), t, n};
    if (b->failed || r.name == NULL || VEC_PUSH(b->memory, b->regs, r) != STATUS_OK) {
        build_fail(b);
        return 0;
    }
    int reg = (int)b->regs.n - 1;
    stmt *s = append(b, STMT_DECLARE);
    if (s != NULL)
        s->declare.reg = reg;
    return reg;
}

void build_set(builder *b, int reg, const expr *index, const expr *value) {
    stmt *s = append(b, STMT_SET);
    if (s == NULL)
        return;
    s->set.reg = reg;
    s->set.index = index;
    s->set.value = value;
}

void build_check(builder *b, const expr *condition, int code) {
    if (b->failed || expr_is_int(condition, 1))
        return;
    stmt *s = append(b, STMT_CHECK);
    if (s == NULL)
        return;
    s->check.condition = condition;
    s->check.code = code;
}

void build_note(builder *b, const char *text) {
    stmt *s = append(b, STMT_NOTE);
    if (s != NULL && (s->note.text = arena_strdup(b->memory, text)) == NULL)
        build_fail(b);
}
