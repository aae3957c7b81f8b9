/* Cutting a kernel: it becomes one parallel loop over its parts, each of which runs blocks of one or two of its loops.
 */
#include <string.h>

#include "schedule/parallel.h"

static stmt *new_stmt(cutting *c, stmt_kind kind) {
    stmt *s = ARENA_NEW(c->memory, stmt);
    if (s != NULL)
        s->kind = kind;
    return s;
}

static bool is_taken(const kernel *k, const char *name) {
    for (size_t i = 0; i < k->vars.n; i++)
        if (strcmp(k->vars.at[i].name, name) == 0)
            return true;
    for (size_t i = 0; i < k->buffers.n; i++)
        if (strcmp(k->buffers.at[i].name, name) == 0)
            return true;
    for (size_t i = 0; i < k->regs.n; i++)
        if (strcmp(k->regs.at[i].name, name) == 0)
            return true;
    return false;
}

/* A new variable of the kernel, which the builder numbers alike. NULL when out of memory. */
static const expr *new_var(cutting *c, const char *stem) {
    const char *name = stem;
    for (int i = 2; name != NULL && is_taken(c->k, name); i++)
        name = arena_printf(c->memory, "%s_%d", stem, i);
    if (name == NULL)
        return NULL;
    const expr *var = build_var(c->b, LTYPE(DT_I64, 1), name);
    kernel_var entry = {name, LTYPE(DT_I64, 1)};
    return VEC_PUSH(c->memory, c->k->vars, entry) == STATUS_OK ? var : NULL;
}

static void prepend(block *body, stmt *s) {
    s->next = body->first;
    body->first = s;
    if (body->last == NULL)
        body->last = s;
}

static status prepend_let(cutting *c, block *body, const expr *var, const expr *value) {
    stmt *s = new_stmt(c, STMT_LET);
    TRY_ALLOC(s);
    s->let.var = var;
    s->let.value = value;
    prepend(body, s);
    return STATUS_OK;
}

/* Where block `part` of so many begins. */
static const expr *begin_of(builder *b, const cut_loop *l, const expr *part, int64_t parts) {
    if (l->units % parts == 0)
        return build_mul(b, part, build_index(b, l->units / parts));
    return build_div(b, build_mul(b, part, build_index(b, l->units)), build_index(b, parts));
}

/* The loop runs over one block: for q < count { let i = begin + q; ... } */
static status cut(cutting *c, const cut_loop *l, const expr *part, int64_t parts) {
    builder *b = c->b;
    const expr *begin = begin_of(b, l, part, parts),
               *end = begin_of(b, l, build_add(b, part, build_index(b, 1)), parts);
    if (l->units < l->n) /* the last block has the last iteration besides */
        end = build_add(b, end, build_div(b, end, build_index(b, l->units)));
    const expr *count = build_sub(b, end, begin), *first = new_var(c, "begin"), *step = new_var(c, "step");
    TRY_ALLOC(first);
    TRY_ALLOC(step);
    TRY(prepend_let(c, &l->at->loop.body, l->at->loop.var, build_add(b, first, step)));
    l->at->loop.var = step;
    l->at->loop.extent = count;
    return prepend_let(c, &c->k->body, first, begin);
}

/* The builder's variables get the numbers of the kernel's. */
static status number_vars(cutting *c) {
    TRY_ALLOC(c->b = builder_new(c->memory, NULL));
    for (size_t i = 0; i < c->k->vars.n; i++)
        build_var(c->b, c->k->vars.at[i].type, c->k->vars.at[i].name);
    return builder_status(c->b);
}

status cut_kernel(cutting *c) {
    const way *w = c->way;
    TRY(number_vars(c));
    const expr *part = new_var(c, "part"), *outer = part;
    stmt *all = new_stmt(c, STMT_FOR);
    TRY_ALLOC(part);
    TRY_ALLOC(all);
    if (w->inner != NULL) {
        const expr *inner = build_rem(c->b, part, build_index(c->b, w->inner_parts));
        outer = build_div(c->b, part, build_index(c->b, w->inner_parts));
        TRY(cut(c, w->inner, inner, w->inner_parts));
    }
    TRY(cut(c, w->outer, outer, w->outer_parts));
    all->loop.kind = LOOP_PARALLEL;
    all->loop.var = part;
    all->loop.extent = build_index(c->b, w->outer_parts * w->inner_parts);
    all->loop.body = c->k->body;
    c->k->body = (block){all, all};
    return builder_status(c->b);
}
