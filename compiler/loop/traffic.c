/* What a kernel moves: elements of each buffer that one call reads and writes, counted from its loops.
 *
 * An address is known by a key: a hash of what it is made of, with a loop variable standing for its depth and extent.
 * Equal keys in a kernel are equal elements, so that three loops over one row count it once. */
#include <string.h>

#include "base/map.h"
#include "loop/loop.h"

#define MAX_DEPTH 64
#define ANY_LOOP UINT64_MAX

/* What is known of an expression: its key, and the depths of the loops that it varies with. */
typedef struct fact {
    uint64_t key, loops;
} fact;

typedef struct counting {
    arena *memory;
    map facts;   /* expression -> fact */
    map counted; /* keys of accesses */
    fact *vars;  /* by variable */
    int64_t extents[MAX_DEPTH];
    int depth;
    buffer_traffic *out;
    bool failed;
} counting;

static int64_t times(int64_t x, int64_t y) {
    int64_t product;
    return __builtin_mul_overflow(x, y, &product) ? INT64_MAX : product;
}

static int64_t plus(int64_t x, int64_t y) {
    return x > INT64_MAX - y ? INT64_MAX : x + y;
}

static uint64_t mix(uint64_t key, uint64_t part) {
    return hash_bytes(&part, sizeof part, key);
}

/* Runs of the statement at this depth that differ in the given loops. */
static int64_t points_of(const counting *c, uint64_t loops) {
    int64_t n = 1;
    for (int d = 0; d < c->depth; d++)
        n = (loops >> d & 1) != 0 ? times(n, c->extents[d]) : n;
    return n;
}

/* Counts an access of `lanes` elements, unless one at the same address has been counted. */
static void count(counting *c, int buffer, bool is_store, fact address, int lanes) {
    uint64_t key = mix(mix(address.key, (uint64_t)buffer * 2 + is_store), (uint64_t)lanes);
    if (map_get_key(&c->counted, key) != NULL)
        return;
    c->failed |= map_set_key(&c->counted, key, c) != STATUS_OK;
    int64_t *total = is_store ? &c->out[buffer].written : &c->out[buffer].read;
    *total = plus(*total, times(points_of(c, address.loops), lanes));
}

static fact look_at(counting *c, const expr *x);

static fact fact_of(counting *c, const expr *x) {
    if (x->kind == EXPR_VAR)
        return c->vars[x->ref];
    fact f = {mix((uint64_t)x->kind << 32 | (uint64_t)x->type.elem << 16 | (uint64_t)x->type.lanes, (uint64_t)x->imm),
              0};
    f.key = mix(f.key, (uint64_t)x->ref);
    f.key = hash_bytes(&x->f, sizeof x->f, f.key);
    if (x->lanes != NULL)
        f.key = hash_bytes(x->lanes, (size_t)x->type.lanes, f.key);
    for (int i = 0; i < x->n_args; i++) {
        fact arg = look_at(c, x->arg[i]);
        f.key = mix(f.key, arg.key);
        f.loops |= arg.loops;
    }
    if (x->kind == EXPR_REG)
        f = (fact){mix(f.key, MAP_KEY(x)), ANY_LOOP}; /* whatever was set */
    if (x->kind == EXPR_LOAD)
        count(c, x->ref, false, look_at(c, x->arg[0]), x->type.lanes);
    return f;
}

/* The fact of x; counts the loads in it. */
static fact look_at(counting *c, const expr *x) {
    const fact *have = map_get_key(&c->facts, MAP_KEY(x));
    if (have != NULL)
        return *have;
    fact f = fact_of(c, x), *made = ARENA_NEW(c->memory, fact);
    c->failed |= made == NULL;
    if (made != NULL) {
        *made = f;
        c->failed |= map_set_key(&c->facts, MAP_KEY(x), made) != STATUS_OK;
    }
    return f;
}

static void look_at_block(counting *c, const block *body);

/* A loop whose extent is not a constant may run over everything. */
static void look_at_loop(counting *c, const stmt *s) {
    fact extent = look_at(c, s->loop.extent);
    TENON_ASSERT(c->depth < MAX_DEPTH);
    c->extents[c->depth] = s->loop.extent->kind == EXPR_INT ? s->loop.extent->imm : INT64_MAX;
    c->vars[s->loop.var->ref] = (fact){mix(mix(extent.key, (uint64_t)c->depth), 1), UINT64_C(1) << c->depth};
    c->depth++;
    look_at_block(c, &s->loop.body);
    c->depth--;
}

static void look_at_store(counting *c, const stmt *s) {
    look_at(c, s->store.value);
    if (s->store.mask != NULL)
        look_at(c, s->store.mask);
    count(c, s->store.buffer, true, look_at(c, s->store.index), s->store.value->type.lanes);
}

static void look_at_statement(counting *c, const stmt *s) {
    switch (s->kind) {
    case STMT_LET:
        c->vars[s->let.var->ref] = look_at(c, s->let.value);
        break;
    case STMT_FOR:
        look_at_loop(c, s);
        break;
    case STMT_STORE:
        look_at_store(c, s);
        break;
    case STMT_SET:
        look_at(c, s->set.value);
        break;
    case STMT_IF:
        look_at(c, s->cond.condition);
        look_at_block(c, &s->cond.then);
        look_at_block(c, &s->cond.otherwise);
        break;
    case STMT_CHECK:
        look_at(c, s->check.condition);
        break;
    case STMT_DECLARE:
    case STMT_NOTE:
    case STMT_COUNT:
        break;
    }
}

static void look_at_block(counting *c, const block *body) {
    for (const stmt *s = body->first; s != NULL && !c->failed; s = s->next)
        look_at_statement(c, s);
}

status kernel_traffic(const kernel *k, arena *a, const buffer_traffic **out) {
    counting c = {.memory = a, .facts = map_in(a), .counted = map_in(a)};
    TRY_ALLOC(c.out = ARENA_NEW_N(a, buffer_traffic, k->buffers.n + 1));
    TRY_ALLOC(c.vars = ARENA_NEW_N(a, fact, k->vars.n + 1));
    look_at_block(&c, &k->body);
    for (size_t i = 0; i < k->buffers.n; i++) {
        int64_t n = k->buffers.at[i].n;
        c.out[i].read = c.out[i].read < n ? c.out[i].read : n;
        c.out[i].written = c.out[i].written < n ? c.out[i].written : n;
    }
    *out = c.out;
    return c.failed ? STATUS_RESOURCE : STATUS_OK;
}
