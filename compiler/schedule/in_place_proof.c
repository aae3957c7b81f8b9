/* May a kernel's result take the place of an operand? Decided by running through the kernel's loops with nothing but
 * the addresses of the two buffers: loads of an element that has been stored say no, and so does whatever is not known
 * before the data is. A tile that steps back and computes elements twice is found like any other. */
#include "base/map.h"
#include "schedule/memory_plan.h"

/* What is left of a statement: accesses, a variable, a loop. */
typedef enum trace_kind { TRACE_LOAD, TRACE_STORE, TRACE_LET, TRACE_FOR } trace_kind;
typedef struct trace trace;
typedef VEC(trace *) trace_list;
struct trace {
    trace_kind kind;
    int var; /* LET, FOR */
    int lanes;
    int64_t stride;
    const expr *value; /* LOAD, STORE: the first element; LET: its value; FOR: the extent */
    trace_list body;   /* FOR */
};

typedef struct proof {
    const kernel *k;
    int from, to;
    arena *memory;
    bool *known; /* by variable: can its value be computed? */
    int64_t *values;
    bool *written; /* by element */
    int64_t *budget;
    trace_list *at; /* what is being filled */
    status result;
    bool is_exact;
} proof;

/* ---- what is left of the kernel ---- */

static bool is_computable(const proof *p, const expr *x) {
    if (x->type.lanes != 1 || x->type.elem != DT_I64)
        return false;
    switch (x->kind) {
    case EXPR_INT:
        return true;
    case EXPR_VAR:
        return p->known[x->ref];
    case EXPR_ADD:
    case EXPR_SUB:
    case EXPR_MUL:
    case EXPR_DIV:
    case EXPR_REM:
    case EXPR_MIN:
    case EXPR_MAX:
        return is_computable(p, x->arg[0]) && is_computable(p, x->arg[1]);
    default:
        return false;
    }
}

static void add_trace(proof *p, trace t) {
    trace *made = ARENA_NEW(p->memory, trace);
    if (made != NULL)
        *made = t;
    if (p->result == STATUS_OK)
        p->result = made != NULL ? VEC_PUSH(p->memory, *p->at, made) : STATUS_RESOURCE;
}

static void add_access(proof *p, trace_kind kind, const expr *index, int lanes) {
    trace t = {.kind = kind, .lanes = lanes, .stride = 1, .value = index};
    if (index->kind == EXPR_RAMP) {
        t.stride = index->imm;
        t.value = index->arg[0];
    }
    p->is_exact = p->is_exact && is_computable(p, t.value);
    add_trace(p, t);
}

static void add_load(const expr *x, void *ctx) {
    proof *p = ctx;
    if (x->kind == EXPR_LOAD && x->ref == p->from)
        add_access(p, TRACE_LOAD, x->arg[0], x->type.lanes);
}

static void add_loads(proof *p, const expr *x) {
    if (x != NULL)
        expr_visit(x, add_load, p);
}

static void add_block(proof *p, const block *b);

static void add_loop(proof *p, const stmt *s) {
    trace t = {.kind = TRACE_FOR, .var = s->loop.var->ref, .value = s->loop.extent};
    trace_list *outer = p->at;
    add_loads(p, s->loop.extent);
    p->known[t.var] = true;
    p->at = &t.body;
    add_block(p, &s->loop.body);
    p->at = outer;
    for (size_t i = 0; i < t.body.n; i++)
        if (t.body.at[i]->kind != TRACE_LET) {
            p->is_exact = p->is_exact && is_computable(p, t.value) && s->loop.kind != LOOP_PARALLEL;
            add_trace(p, t);
            return;
        }
}

static void add_statement(proof *p, const stmt *s) {
    switch (s->kind) {
    case STMT_LET:
        add_loads(p, s->let.value);
        p->known[s->let.var->ref] = is_computable(p, s->let.value);
        if (p->known[s->let.var->ref])
            add_trace(p, (trace){.kind = TRACE_LET, .var = s->let.var->ref, .value = s->let.value});
        break;
    case STMT_FOR:
        add_loop(p, s);
        break;
    case STMT_STORE:
        add_loads(p, s->store.index);
        add_loads(p, s->store.value);
        add_loads(p, s->store.mask);
        if (s->store.buffer == p->to)
            add_access(p, TRACE_STORE, s->store.index, s->store.value->type.lanes);
        break;
    case STMT_SET:
        add_loads(p, s->set.index);
        add_loads(p, s->set.value);
        break;
    case STMT_IF: /* both: more is read and written than is */
        add_loads(p, s->cond.condition);
        add_block(p, &s->cond.then);
        add_block(p, &s->cond.otherwise);
        break;
    case STMT_CHECK:
        add_loads(p, s->check.condition);
        break;
    case STMT_DECLARE:
    case STMT_NOTE:
    case STMT_COUNT:
        break;
    }
}

static void add_block(proof *p, const block *b) {
    for (const stmt *s = b->first; s != NULL && p->is_exact && p->result == STATUS_OK; s = s->next)
        add_statement(p, s);
}

/* ---- running through it ---- */

static int64_t value_of(const proof *p, const expr *x) {
    if (x->kind == EXPR_INT)
        return x->imm;
    if (x->kind == EXPR_VAR)
        return p->values[x->ref];
    int64_t a = value_of(p, x->arg[0]), b = value_of(p, x->arg[1]);
    switch (x->kind) {
    case EXPR_ADD:
        return (int64_t)((uint64_t)a + (uint64_t)b);
    case EXPR_SUB:
        return (int64_t)((uint64_t)a - (uint64_t)b);
    case EXPR_MUL:
        return (int64_t)((uint64_t)a * (uint64_t)b);
    case EXPR_MIN:
        return a < b ? a : b;
    case EXPR_MAX:
        return a > b ? a : b;
    default: /* DIV, REM */
        if (b == 0 || b == -1)
            return x->kind == EXPR_DIV && b == -1 ? (int64_t)(0 - (uint64_t)a) : 0;
        return x->kind == EXPR_DIV ? a / b : a % b;
    }
}

static void run_access(proof *p, const trace *t) {
    int64_t first = value_of(p, t->value), n = p->k->buffers.at[p->to].n;
    for (int j = 0; j < t->lanes; j++) {
        int64_t at = first + j * t->stride;
        if (at < 0 || at >= n)
            continue; /* masked */
        if (t->kind == TRACE_STORE)
            p->written[at] = true;
        else
            p->is_exact = p->is_exact && !p->written[at];
    }
}

static void run_list(proof *p, const trace_list *list);

static void run_loop(proof *p, const trace *t) {
    int64_t n = value_of(p, t->value);
    for (int64_t i = 0; i < n && p->is_exact; i++) {
        p->values[t->var] = i;
        run_list(p, &t->body);
    }
}

static void run_list(proof *p, const trace_list *list) {
    for (size_t i = 0; i < list->n && p->is_exact; i++) {
        const trace *t = list->at[i];
        p->is_exact = --*p->budget > 0;
        if (t->kind == TRACE_LET)
            p->values[t->var] = value_of(p, t->value);
        else if (t->kind == TRACE_FOR)
            run_loop(p, t);
        else
            run_access(p, t);
    }
}

status in_place_is_exact(const kernel *k, int from, int to, int64_t *budget, arena *scratch, bool *out) {
    const kernel_buffer *x = &k->buffers.at[from], *y = &k->buffers.at[to];
    trace_list all = {0};
    proof p = {.k = k, .from = from, .to = to, .memory = scratch, .budget = budget, .at = &all};
    *out = false;
    if (x->access != ACCESS_READ || (y->access & ACCESS_WRITE) == 0 || x->n != y->n || x->elem != y->elem ||
        y->n > *budget)
        return STATUS_OK;
    TRY_ALLOC(p.known = ARENA_NEW_N(scratch, bool, k->vars.n + 1));
    TRY_ALLOC(p.values = ARENA_NEW_N(scratch, int64_t, k->vars.n + 1));
    TRY_ALLOC(p.written = ARENA_NEW_N(scratch, bool, y->n + 1));
    p.is_exact = true;
    add_block(&p, &k->body);
    TRY(p.result);
    if (p.is_exact)
        run_list(&p, &all);
    *out = p.is_exact;
    return STATUS_OK;
}
