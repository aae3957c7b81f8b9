/* The builder: interned expressions, variables, and where out-of-memory is remembered. */
#include "loop/build_internal.h"

#include <string.h>

#include "base/map.h"

static expr_head *head_of(const expr *x) {
    return (expr_head *)((uintptr_t)x - sizeof(expr_head));
}

static expr *expr_new(builder *b, int n_args) {
    size_t bytes = sizeof(expr_head) + sizeof(expr) + (size_t)n_args * sizeof(const expr *);
    expr_head *head = arena_alloc(b->memory, bytes);
    if (head == NULL)
        return NULL;
    head->owner = b;
    head->values = RANGE_ALL;
    return (expr *)(head + 1);
}

/* NULL when out of memory. */
builder *builder_new(arena *a, const target *t) {
    builder *b = ARENA_NEW(a, builder);
    if (b == NULL)
        return NULL;
    b->memory = a;
    b->target = t;
    b->spare_nest.b = b;
    expr *poison = expr_new(b, 3);
    if (poison == NULL)
        return NULL;
    poison->kind = EXPR_INT;
    poison->type = LTYPE(DT_I64, 1);
    poison->imm = 1;
    for (int i = 0; i < 3; i++)
        poison->arg[i] = poison;
    b->poison = poison;
    return b;
}

/* STATUS_RESOURCE once any function of the builder ran out of memory. */
status builder_status(const builder *b) {
    return b->failed ? STATUS_RESOURCE : STATUS_OK;
}

/* Where the builder's things live. */
arena *builder_arena(builder *b) {
    return b->memory;
}

/* The target given to builder_new. */
const target *builder_target(const builder *b) {
    return b->target;
}

/* Same element type and lanes. */
bool ltype_equal(ltype a, ltype b) {
    return a.elem == b.elem && a.lanes == b.lanes;
}

const expr *build_fail(builder *b) {
    b->failed = true;
    return b->poison;
}

/* ---- interning ---- */

static uint64_t mix(uint64_t h, uint64_t x) {
    h = (h ^ x) * UINT64_C(0x9e3779b97f4a7c15);
    return h ^ (h >> 29);
}

static uint64_t bits_of(double f) {
    uint64_t bits;
    memcpy(&bits, &f, sizeof bits);
    return bits;
}

static uint64_t shape_hash(const expr *s, const expr *const *args) {
    uint64_t h = mix((uint64_t)s->kind, (uint64_t)s->type.elem * 256 + (uint64_t)s->type.lanes);
    h = mix(h, (uint64_t)(uint32_t)s->ref * 2 + s->masked);
    h = mix(h, (uint64_t)s->imm);
    h = mix(h, bits_of(s->f));
    for (int i = 0; i < s->n_args; i++)
        h = mix(h, args[i]->id);
    if (s->lanes != NULL)
        h = hash_bytes(s->lanes, (size_t)s->type.lanes, h);
    h = (h ^ (h >> 32)) * UINT64_C(0xd6e8feb86659fd93);
    return h ^ (h >> 32);
}

static bool shape_equal(const expr *e, const expr *s, const expr *const *args) {
    if (e->kind != s->kind || !ltype_equal(e->type, s->type) || e->ref != s->ref || e->masked != s->masked ||
        e->n_args != s->n_args || e->imm != s->imm || bits_of(e->f) != bits_of(s->f))
        return false;
    for (int i = 0; i < s->n_args; i++)
        if (e->arg[i] != args[i])
            return false;
    return s->lanes == NULL || memcmp(e->lanes, s->lanes, (size_t)s->type.lanes) == 0;
}

static size_t find_slot(const builder *b, uint64_t hash, const expr *s, const expr *const *args) {
    size_t at = hash & (b->n_slots - 1);
    while (b->slots[at].x != NULL && (b->slots[at].hash != hash || !shape_equal(b->slots[at].x, s, args)))
        at = (at + 1) & (b->n_slots - 1);
    return at;
}

static bool grow_slots(builder *b) {
    if ((size_t)b->n_exprs * 2 < b->n_slots)
        return true;
    size_t old_n = b->n_slots, n = old_n == 0 ? 64 : old_n * 4;
    const intern_slot *old = b->slots;
    intern_slot *slots = ARENA_NEW_N(b->memory, intern_slot, n);
    if (slots == NULL)
        return false;
    for (size_t i = 0; i < old_n; i++) {
        if (old[i].x == NULL)
            continue;
        size_t at = old[i].hash & (n - 1);
        while (slots[at].x != NULL)
            at = (at + 1) & (n - 1);
        slots[at] = old[i];
    }
    b->slots = slots;
    b->n_slots = n;
    return true;
}

static void describe(expr_head *h, const expr *shape, const expr *const *args) {
    uint64_t hash = mix((uint64_t)shape->kind, (uint64_t)shape->type.elem * 256 + (uint64_t)shape->type.lanes);
    hash = mix(hash, (uint64_t)(uint32_t)shape->ref * 2 + shape->masked);
    hash = mix(mix(hash, (uint64_t)shape->imm), bits_of(shape->f));
    if (shape->lanes != NULL)
        hash = hash_bytes(shape->lanes, (size_t)shape->type.lanes, hash);
    h->newest_var = shape->kind == EXPR_VAR ? shape->ref : -1;
    for (int i = 0; i < shape->n_args; i++) {
        const expr_head *a = head_of(args[i]);
        hash = mix(hash, a->shape);
        h->newest_var = a->newest_var > h->newest_var ? a->newest_var : h->newest_var;
    }
    h->shape = hash;
    h->values = range_of(shape, args);
}

bool expr_before(const expr *x, const expr *y) {
    const expr_head *a = head_of(x), *b = head_of(y);
    if (a->newest_var != b->newest_var)
        return a->newest_var < b->newest_var;
    if (x->kind != y->kind)
        return x->kind < y->kind;
    return a->shape != b->shape ? a->shape < b->shape : x->id < y->id;
}

const expr *build_intern(builder *b, const expr *shape, const expr *const *args) {
    if (b->failed || !grow_slots(b))
        return build_fail(b);
    uint64_t hash = shape_hash(shape, args);
    size_t at = find_slot(b, hash, shape, args);
    if (b->slots[at].x != NULL)
        return b->slots[at].x;
    expr *e = expr_new(b, shape->n_args);
    if (e == NULL)
        return build_fail(b);
    memcpy(e, shape, sizeof *e);
    for (int i = 0; i < shape->n_args; i++)
        e->arg[i] = args[i];
    if (shape->lanes != NULL && (e->lanes = arena_copy(b->memory, shape->lanes, (size_t)shape->type.lanes)) == NULL)
        return build_fail(b);
    e->id = b->n_exprs++;
    describe(head_of(e), shape, args);
    b->slots[at] = (intern_slot){hash, e};
    return e;
}

const expr *build_raw(builder *b, expr_kind k, ltype t, const expr *const *args, int n) {
    expr shape = {.kind = k, .type = t, .n_args = n};
    return build_intern(b, &shape, args);
}

range expr_range(const expr *x) {
    return head_of(x)->values;
}

bool range_known(range r) {
    return r.lo != INT64_MIN || r.hi != INT64_MAX;
}

/* ---- variables ---- */

const expr *build_var_ref(builder *b, ltype t, int ref) {
    expr shape = {.kind = EXPR_VAR, .type = t, .ref = ref};
    return build_intern(b, &shape, NULL);
}

const expr *build_var_range(builder *b, ltype t, const char *name, range values) {
    const char *identifier = text_identifier(b->memory, name);
    if (b->failed || identifier == NULL)
        return build_fail(b);
    kernel_var v = {identifier, t};
    if (VEC_PUSH(b->memory, b->vars, v) != STATUS_OK)
        return build_fail(b);
    const expr *x = build_var_ref(b, t, (int)b->vars.n - 1);
    if (!b->failed)
        head_of(x)->values = values;
    return x;
}

/* A variable that differs from every other of the builder; `name` is a stem. */
const expr *build_var(builder *b, ltype t, const char *name) {
    return build_var_range(b, t, name, range_of_type(t.elem));
}

const expr *build_axis(builder *b, const char *name, int64_t extent) {
    return build_var_range(b, LTYPE(DT_I64, 1), name, (range){0, extent > 0 ? extent - 1 : 0});
}

/* ---- memo ---- */

const expr *memo_get(const memo *m, const expr *x) {
    if (x->id >= m->entries.n || m->entries.at[x->id].serial != m->serial)
        return NULL;
    return m->entries.at[x->id].to;
}

void memo_put(builder *b, memo *m, const expr *x, const expr *to) {
    if (b->failed)
        return;
    if (x->id >= m->entries.n) {
        size_t old = m->entries.n, need = (size_t)x->id + 1;
        if (VEC_RESERVE(b->memory, m->entries, need) != STATUS_OK) {
            build_fail(b);
            return;
        }
        memset(m->entries.at + old, 0, (need - old) * sizeof *m->entries.at);
        m->entries.n = need;
    }
    m->entries.at[x->id] = (memo_entry){m->serial, to};
}

void memo_forget(memo *m) {
    m->serial++;
}

/* ---- walks ---- */

static bool seen_before(builder *b, visit_marks *m, const expr *x) {
    if (x->id >= m->stamps.n) {
        size_t old = m->stamps.n, need = (size_t)b->n_exprs;
        if (VEC_RESERVE(b->memory, m->stamps, need) != STATUS_OK) {
            build_fail(b);
            return true;
        }
        memset(m->stamps.at + old, 0, (need - old) * sizeof *m->stamps.at);
        m->stamps.n = need;
    }
    bool seen = m->stamps.at[x->id] == m->serial;
    m->stamps.at[x->id] = m->serial;
    return seen;
}

/* A walk in operands-first order. Stops below nodes older than `oldest`: they cannot contain it. */
typedef struct walk {
    builder *b;
    size_t depth;
    uint32_t oldest;
    void (*fn)(const expr *x, void *ctx);
    void *ctx;
} walk;

static void walk_node(const walk *w, const expr *x) {
    if (x->id < w->oldest || w->b->failed || seen_before(w->b, &w->b->marks.at[w->depth], x))
        return;
    for (int i = 0; i < x->n_args; i++)
        walk_node(w, x->arg[i]);
    w->fn(x, w->ctx);
}

static void walk_from(const expr *x, uint32_t oldest, void (*fn)(const expr *x, void *ctx), void *ctx) {
    builder *b = head_of(x)->owner;
    if (b->failed)
        return;
    size_t depth = b->visit_depth;
    if (depth == b->marks.n && VEC_PUSH(b->memory, b->marks, (visit_marks){0}) != STATUS_OK) {
        build_fail(b);
        return;
    }
    b->marks.at[depth].serial++;
    b->visit_depth++;
    walk w = {b, depth, oldest, fn, ctx};
    walk_node(&w, x);
    b->visit_depth--;
}

/* Walks may nest. When memory is out some nodes are left out, and the status of x's builder says so. */
void expr_visit(const expr *x, void (*fn)(const expr *x, void *ctx), void *ctx) {
    walk_from(x, 0, fn, ctx);
}

static void add_to_list(const expr *x, void *ctx) {
    expr_list *l = ctx;
    if (x->kind != l->kind)
        return;
    for (size_t i = 0; i < l->at.n; i++)
        if (l->at.at[i] == x)
            return;
    if (VEC_PUSH(l->memory, l->at, x) != STATUS_OK)
        l->result = STATUS_RESOURCE;
}

void expr_list_add(expr_list *l, const expr *x) {
    expr_visit(x, add_to_list, l);
}

bool expr_owner_failed(const expr *x) {
    return head_of(x)->owner->failed;
}

typedef struct part_search {
    const expr *part;
    bool found;
} part_search;

static void look_for_part(const expr *x, void *ctx) {
    part_search *s = ctx;
    s->found = s->found || x == s->part;
}

/* Is `part` x itself or anywhere within it? */
bool expr_uses(const expr *x, const expr *part) {
    part_search s = {part, false};
    walk_from(x, part->id, look_for_part, &s);
    return s.found;
}

bool expr_repeats_word(const expr *x) {
    int n = x->kind == EXPR_SHUFFLE ? x->arg[0]->type.lanes : 0;
    if (n < 2 || n * dtype_bits(x->type.elem) != 32 || x->type.lanes % n != 0 || x->type.lanes == n ||
        x->type.elem == DT_BOOL)
        return false;
    for (int i = 0; i < x->type.lanes; i++)
        if (x->lanes[i] != i % n)
            return false;
    return true;
}
