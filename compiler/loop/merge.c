/* A kernel with two of its buffer parameters made one. */
#include <string.h>

#include "base/map.h"
#include "loop/build_internal.h"

typedef struct merging {
    arena *memory;
    map copies; /* expression -> its copy */
    int from, to;
    bool failed;
} merging;

static int renumber(const merging *m, int buffer) {
    int kept = buffer == m->from ? m->to : buffer;
    return kept > m->from ? kept - 1 : kept;
}

/* The same expression over the buffers that are left: itself where it loads nothing. */
static const expr *copy_expr(merging *m, const expr *x) {
    if (x == NULL || x->n_args == 0 || m->failed)
        return x;
    const expr *made = map_get_key(&m->copies, MAP_KEY(x)), *args[EXPR_MAX_ARGS];
    if (made != NULL)
        return made;
    expr shape = *x;
    bool changed = x->kind == EXPR_LOAD;
    if (changed)
        shape.ref = renumber(m, x->ref);
    for (int i = 0; i < x->n_args; i++) {
        args[i] = copy_expr(m, x->arg[i]);
        changed |= args[i] != x->arg[i];
    }
    made = changed ? build_intern(expr_owner(x), &shape, args) : x;
    m->failed |= expr_owner_failed(x) || map_set_key(&m->copies, MAP_KEY(x), (void *)(uintptr_t)made) != STATUS_OK;
    return made;
}

static block copy_block(merging *m, const block *b);

static void copy_parts(merging *m, stmt *s) {
    switch (s->kind) {
    case STMT_LET:
        s->let.value = copy_expr(m, s->let.value);
        break;
    case STMT_FOR:
        s->loop.extent = copy_expr(m, s->loop.extent);
        s->loop.body = copy_block(m, &s->loop.body);
        break;
    case STMT_STORE:
        s->store.buffer = renumber(m, s->store.buffer);
        s->store.index = copy_expr(m, s->store.index);
        s->store.value = copy_expr(m, s->store.value);
        s->store.mask = copy_expr(m, s->store.mask);
        break;
    case STMT_SET:
        s->set.index = copy_expr(m, s->set.index);
        s->set.value = copy_expr(m, s->set.value);
        break;
    case STMT_IF:
        s->cond.condition = copy_expr(m, s->cond.condition);
        s->cond.then = copy_block(m, &s->cond.then);
        s->cond.otherwise = copy_block(m, &s->cond.otherwise);
        break;
    case STMT_CHECK:
        s->check.condition = copy_expr(m, s->check.condition);
        break;
    case STMT_DECLARE:
    case STMT_NOTE:
    case STMT_COUNT:
        break;
    }
}

static block copy_block(merging *m, const block *b) {
    block made = {0};
    for (const stmt *s = b->first; s != NULL && !m->failed; s = s->next) {
        stmt *copy = arena_copy(m->memory, s, sizeof *s);
        m->failed |= copy == NULL;
        if (m->failed)
            break;
        copy->next = NULL;
        copy_parts(m, copy);
        *(made.first == NULL ? &made.first : &made.last->next) = copy;
        made.last = copy;
    }
    return made;
}

status kernel_merge_buffers(const kernel *k, int from, int to, const char *name, arena *a, kernel **out) {
    merging m = {.memory = a, .copies = map_in(a), .from = from, .to = to};
    kernel *made = ARENA_NEW(a, kernel);
    TRY_ALLOC(made);
    *made = *k;
    made->name = name;
    memset(&made->buffers, 0, sizeof made->buffers);
    for (int i = 0; i < (int)k->buffers.n; i++) {
        kernel_buffer b = k->buffers.at[i];
        if (i == to)
            b.access |= k->buffers.at[from].access;
        if (i != from)
            TRY(VEC_PUSH(a, made->buffers, b));
    }
    made->body = copy_block(&m, &k->body);
    *out = made;
    return m.failed ? STATUS_RESOURCE : STATUS_OK;
}
