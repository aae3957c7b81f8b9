/* How long a program takes: cycles of one core of its target, counted from the loops and from the bytes that they move.
 * Nothing is measured.
 *
 * What a run of a block does to each unit of the core is added up: operations, loads, stores, and the chains of sums
 * that wait for themselves. An expression counts in the deepest loop that it depends on, once, since compilers move it
 * there. */
#include "schedule/latency.h"

#include <string.h>

#include "base/map.h"
#include "schedule/parallel.h"
#include "schedule/schedule.h"

#define MAX_DEPTH 64
#define CALL_CYCLES 30.0
#define PARALLEL_CYCLES 4000.0 /* handing a loop out to threads */
/* Lanes of a load or a store whose addresses are a vector. */
#define GATHER 2.0
#define SCATTER 2.0
#define SOFT_FLOAT 50.0 /* operations of a call that stands for one on floats */
#define DIVISION 8.0    /* also of a root */
#define INTEGER_DIVISION 12.0
#define INTEGER_PRODUCT 1.5 /* of vectors, 32 bits wide or wider */
#define FLOAT_LATENCY 4.0
#define HALVES 64 /* bytes of a vector whose half costs half */
/* Bytes a cycle: from the second cache, and from beyond it. */
#define NEAR_BYTES 40.0
#define FAR_BYTES 24.0

/* A kind of core. */
typedef struct core {
    bool in_order;                         /* one thing after another */
    double operations, loads, stores, all; /* a cycle */
    double simple;                         /* what of an operation one takes that multiplies nothing */
    double iteration, entry;               /* of a loop: what all counts of one more; cycles */
} core;

static const core wide = {false, 2, 2, 1, 4, 1, 2, 5};
/* With vectors of 64 bytes, which half of such cores take in halves. */
static const core wider = {false, 1.25, 1.25, 0.75, 3, 0.65, 2, 5};
static const core small = {true, 1, 0.5, 0.5, 1, 1, 3, 2};

static const core *core_of(const target *t) {
    if (t->vector_bytes == 0 && (t->is_bare || t->isa == ISA_VFP))
        return &small;
    return t->vector_bytes >= HALVES ? &wider : &wide;
}

/* What one run of a loop's body asks of the core. */
typedef struct bucket {
    double operations, loads, stores, chain;
    uint64_t id; /* of the loop */
} bucket;

typedef struct counting {
    const target *t;
    const core *core;
    kernel_view view;
    map seen;      /* (expression, loop or statement) -> what is known; (register, loop) -> its chain */
    int *depth_of; /* by variable */
    bucket open[MAX_DEPTH];
    int depth;
    uint64_t serial;
    int set_reg; /* the register that the statement sets, and whether it has read it */
    const expr *set_index;
    bool recurs;
    bool varies; /* a loop's extent is not known but from tables */
    bool failed;
} counting;

/* ---- one expression ---- */

static bool is_float(dtype t) {
    return t == DT_F32 || t == DT_F64;
}

/* Machine registers that a value of the type fills. */
static double registers(const target *t, ltype type) {
    int bits = type.lanes * (type.elem == DT_BOOL ? 8 : dtype_bits(type.elem)), all = t->vector_bytes * 8;
    if (type.lanes == 1 || all == 0)
        return type.lanes;
    return t->vector_bytes >= HALVES && 2 * bits <= all ? 0.5 : (double)((bits + all - 1) / all);
}

/* Floats that the core has no unit for. */
static bool is_soft(const counting *c, dtype t) {
    return is_float(t) && c->core->in_order && !(c->t->isa == ISA_VFP && t == DT_F32);
}

static double cast_operations(const counting *c, const expr *x) {
    ltype from = x->arg[0]->type, to = x->type;
    if (is_soft(c, from.elem) || is_soft(c, to.elem))
        return SOFT_FLOAT * to.lanes;
    if (to.lanes == 1)
        return 1;
    double of = registers(c->t, from), in = registers(c->t, to);
    return (in >= of ? in : 2 * of) * c->core->simple;
}

/* Of a kind that is one operation on a register, for each register. */
static double kind_operations(const counting *c, const expr *x) {
    bool wide_integer = x->type.elem == DT_I64 || x->type.elem == DT_U64;
    switch (x->kind) {
    case EXPR_FMA:
        return 1;
    case EXPR_MUL:
        return is_float(x->type.elem) || x->type.lanes == 1 ? 1 : INTEGER_PRODUCT;
    case EXPR_DIV:
    case EXPR_REM:
        return is_float(x->type.elem) ? DIVISION : INTEGER_DIVISION * x->type.lanes;
    case EXPR_SQRT:
        return DIVISION;
    case EXPR_SHR:
        return wide_integer && x->type.lanes > 1 && c->t->isa != ISA_AVX512 ? 3 : 1;
    case EXPR_SHR_ROUND:
        return 4 * c->core->simple;
    case EXPR_SATURATE:
        return 2 * c->core->simple;
    case EXPR_DOT4:
        return c->t->dot4 > 0 ? c->t->dot4 : 8;
    case EXPR_DOT2:
        return c->t->vector_bytes > 0 ? 2 : 4;
    default:
        return c->core->simple;
    }
}

static double operations_of(const counting *c, const expr *x) {
    bool is_index = x->type.elem == DT_I64 && x->type.lanes == 1;
    const expr *first = x->n_args > 0 ? x->arg[0] : x;
    int steps = 0;
    if (is_index || x->n_args == 0 || x->kind == EXPR_REG || x->kind == EXPR_BITCAST || x->kind == EXPR_RAMP)
        return 0;
    if (x->kind == EXPR_BROADCAST)
        return first->n_args == 0 || first->kind == EXPR_LOAD ? 0 : 1;
    if (x->kind == EXPR_CAST)
        return cast_operations(c, x);
    if (x->kind >= EXPR_REDUCE_ADD && x->kind <= EXPR_REDUCE_MAX) {
        for (int n = first->type.lanes; n > 1; n /= 2)
            steps++;
        return 2 * steps;
    }
    if (expr_repeats_word(x))
        return 0; /* a load that repeats what it reads */
    if (is_soft(c, first->type.elem))
        return SOFT_FLOAT * x->type.lanes;
    return kind_operations(c, x) * registers(c->t, x->type.elem == DT_BOOL ? first->type : x->type);
}

static void count_in(counting *c, bucket *b, const expr *x) {
    if (x->kind == EXPR_LOAD)
        b->loads += x->arg[0]->type.lanes > 1 ? GATHER * x->type.lanes : registers(c->t, x->type);
    else
        b->operations += operations_of(c, x);
}

/* ---- where it is computed ---- */

/* The depth of the loop that an expression depends on; is it another in each statement? */
typedef struct place {
    int depth;
    bool is_pinned;
} place;

static uint64_t key_of(const void *x, uint64_t where, uint64_t what) {
    const uint64_t parts[] = {where, what};
    return hash_bytes(parts, sizeof parts, MAP_KEY(x));
}

static void *as_pointer(place p) {
    return (void *)(intptr_t)(p.depth * 2 + p.is_pinned + 1);
}

static place as_place(const void *pointer) {
    intptr_t number = (intptr_t)pointer - 1;
    return (place){(int)(number / 2), number % 2 != 0};
}

static void remember(counting *c, uint64_t key, void *value) {
    c->failed |= map_set_key(&c->seen, key, value) != STATUS_OK;
}

/* What a load or a register holds depends on the statements before. */
static bool is_pinned(const counting *c, const expr *x) {
    return x->kind == EXPR_REG || (x->kind == EXPR_LOAD && (c->view.k->buffers.at[x->ref].access & ACCESS_WRITE) != 0);
}

/* Counts what of x has not been. */
static place look_at(counting *c, const expr *x) {
    enum { PLACE = 1, COUNTED = 2 };
    if (x->kind == EXPR_VAR)
        return (place){c->depth_of[x->ref], false};
    const uint64_t here = c->open[c->depth].id, key = key_of(x, here, PLACE), own = key_of(x, c->serial, PLACE);
    const void *have = map_get_key(&c->seen, key);
    have = have != NULL ? have : map_get_key(&c->seen, own);
    if (have != NULL)
        return as_place(have);
    place at = {0, is_pinned(c, x)};
    for (int i = 0; i < x->n_args; i++) {
        place arg = look_at(c, x->arg[i]);
        at.depth = arg.depth > at.depth ? arg.depth : at.depth;
        at.is_pinned |= arg.is_pinned;
    }
    at.depth = at.is_pinned ? c->depth : at.depth;
    c->recurs |= x->kind == EXPR_REG && x->ref == c->set_reg && x->arg[0] == c->set_index;
    remember(c, at.is_pinned ? own : key, as_pointer(at));
    bucket *b = &c->open[at.depth];
    const uint64_t counted = key_of(x, at.is_pinned ? c->serial : b->id, COUNTED);
    if (map_get_key(&c->seen, counted) == NULL) {
        remember(c, counted, c);
        count_in(c, b, x);
    }
    return at;
}

/* ---- statements ---- */

static double latency_of(const counting *c, const expr *x) {
    bool waits = is_float(x->type.elem) || (x->kind == EXPR_DOT4 && c->t->dot4 == 1);
    return waits ? FLOAT_LATENCY : 1;
}

/* A register that is made of itself waits for that. */
static void look_at_set(counting *c, const stmt *s) {
    enum { CHAIN = 3 };
    c->set_reg = s->set.reg;
    c->set_index = s->set.index;
    c->recurs = false;
    look_at(c, s->set.value);
    c->set_reg = -1;
    if (!c->recurs)
        return;
    bucket *b = &c->open[c->depth];
    const uint64_t key = key_of(s->set.index, b->id * 4096 + (uint64_t)s->set.reg, CHAIN);
    double *chain = map_get_key(&c->seen, key);
    if (chain == NULL) {
        chain = ARENA_NEW(c->view.scratch, double);
        c->failed |= chain == NULL;
        if (chain == NULL)
            return;
        remember(c, key, chain);
    }
    *chain += latency_of(c, s->set.value);
    b->chain = *chain > b->chain ? *chain : b->chain;
}

static void look_at_store(counting *c, const stmt *s) {
    const expr *x = s->store.value;
    bucket *b = &c->open[c->depth];
    look_at(c, x);
    if (s->store.mask != NULL)
        look_at(c, s->store.mask);
    if (s->store.index->type.lanes > 1) {
        look_at(c, s->store.index);
        b->stores += SCATTER * x->type.lanes;
    } else {
        b->stores += registers(c->t, x->type);
    }
}

static double bucket_cycles(const core *of, const bucket *b) {
    double operations = b->operations / of->operations, loads = b->loads / of->loads;
    double stores = b->stores / of->stores, most = b->chain;
    if (of->in_order)
        return operations + loads + stores;
    most = operations > most ? operations : most;
    most = loads > most ? loads : most;
    most = stores > most ? stores : most;
    double all = (b->operations + b->loads + b->stores) / of->all;
    return all > most ? all : most;
}

static double block_cycles(counting *c, const block *body);

static double loop_cycles(counting *c, const stmt *s) {
    double n = kernel_trips(&c->view, s->loop.extent);
    c->varies |= kernel_most(&c->view, s->loop.extent) == INT64_MAX;
    TENON_ASSERT(c->depth + 1 < MAX_DEPTH);
    look_at(c, s->loop.extent);
    c->depth++;
    c->open[c->depth] = (bucket){.id = ++c->serial};
    c->depth_of[s->loop.var->ref] = c->depth;
    double inside = block_cycles(c, &s->loop.body), own = bucket_cycles(c->core, &c->open[c->depth]);
    c->depth--;
    return n * (inside + own + c->core->iteration / c->core->all) + c->core->entry;
}

/* Cycles of the loops in the block; the rest of it is added to the open bucket. */
static double block_cycles(counting *c, const block *body) {
    double cycles = 0;
    for (const stmt *s = body->first; s != NULL && !c->failed; s = s->next) {
        c->serial++;
        switch (s->kind) {
        case STMT_LET: {
            place at = look_at(c, s->let.value);
            c->depth_of[s->let.var->ref] = at.depth;
            break;
        }
        case STMT_FOR:
            cycles += loop_cycles(c, s);
            break;
        case STMT_STORE:
            look_at_store(c, s);
            break;
        case STMT_SET:
            look_at_set(c, s);
            break;
        case STMT_IF:
            look_at(c, s->cond.condition);
            cycles += block_cycles(c, &s->cond.then) + block_cycles(c, &s->cond.otherwise);
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
    return cycles;
}

status kernel_cycles(const kernel *k, const target *t, const void *const *tables, arena *a, double *out,
                     bool *out_varies) {
    counting c = {.t = t, .core = core_of(t), .seen = map_in(a), .set_reg = -1, .open = {{.id = 0}}};
    TRY_ALLOC(c.depth_of = ARENA_NEW_N(a, int, k->vars.n + 1));
    TRY(kernel_view_of(k, a, &c.view));
    c.view.tables = tables;
    double inside = block_cycles(&c, &k->body);
    *out = inside + bucket_cycles(c.core, &c.open[0]);
    *out_varies = c.varies;
    return c.failed ? STATUS_RESOURCE : STATUS_OK;
}

/* ---- programs ---- */

static double bytes_of(const program_buffer *b, int64_t elements) {
    return (double)dtype_bytes(b->elem, (size_t)elements);
}

/* Bytes that a run goes through before it comes back to a constant. */
static double working_set(const program *p) {
    double bytes = (double)p->arena_bytes;
    for (size_t i = 0; i < p->buffers.n; i++)
        bytes += p->buffers.at[i].place == PLACE_CONST ? bytes_of(&p->buffers.at[i], p->buffers.at[i].n) : 0;
    return bytes;
}

/* Cycles until what the step reads and writes has come and gone, and how much that is. */
static double moving(const program *p, const program_step *s, const buffer_traffic *traffic, double set,
                     int64_t *out_bytes) {
    double cycles = 0;
    const int l2 = p->target->l2_bytes;
    for (size_t i = 0; i < p->kernels.at[s->kernel]->buffers.n; i++) {
        const program_buffer *b = &p->buffers.at[s->args[i].buffer];
        double bytes = bytes_of(b, traffic[i].read) + bytes_of(b, traffic[i].written);
        bool is_far = b->place == PLACE_CONST ? set > l2 : bytes > l2;
        *out_bytes += (int64_t)bytes;
        cycles += l2 == 0 ? 0 : bytes / (is_far ? FAR_BYTES : NEAR_BYTES);
    }
    return cycles;
}

/* Of one of `threads`, where the kernel is divided among them. */
static double shared(const program *p, const kernel *k, double cycles) {
    const stmt *parts = p->threads > 1 ? kernel_parts(k) : NULL;
    if (parts == NULL)
        return cycles;
    double n = (double)(parts->loop.extent->imm < p->threads ? parts->loop.extent->imm : p->threads);
    return cycles / (n > 1 ? n : 1) + PARALLEL_CYCLES;
}

/* What is known of a kernel from the steps before. */
typedef struct kernel_cost {
    double cycles;
    bool is_known;
} kernel_cost;

static status compute(const program *p, const program_step *s, arena *a, kernel_cost *of) {
    if (of->is_known)
        return STATUS_OK;
    const void *const *tables = step_tables(p, s, a);
    bool varies;
    TRY_ALLOC(tables);
    TRY(kernel_cycles(p->kernels.at[s->kernel], p->target, tables, a, &of->cycles, &varies));
    of->is_known = !varies;
    return STATUS_OK;
}

status program_cost_of(const program *p, arena *a, program_cost *out) {
    const size_t n = p->kernels.n;
    const double set = working_set(p);
    kernel_cost *own = ARENA_NEW_N(a, kernel_cost, n + 1);
    const buffer_traffic **traffic = ARENA_NEW_N(a, const buffer_traffic *, n + 1);
    step_cost *steps = ARENA_NEW_N(a, step_cost, p->steps.n + 1);
    if (own == NULL || traffic == NULL || steps == NULL)
        return STATUS_RESOURCE;
    *out = (program_cost){.steps = steps, .traffic = traffic};
    for (size_t k = 0; k < n; k++)
        TRY(kernel_traffic(p->kernels.at[k], a, &traffic[k]));
    for (size_t i = 0; i < p->steps.n; i++) {
        const program_step *s = &p->steps.at[i];
        kernel_cost *of = &own[s->kernel];
        TRY(compute(p, s, a, of));
        double moved = moving(p, s, traffic[s->kernel], set, &steps[i].bytes);
        double cycles = of->cycles > moved ? of->cycles : moved;
        steps[i].cycles = CALL_CYCLES + shared(p, p->kernels.at[s->kernel], cycles);
        out->cycles += steps[i].cycles;
        out->bytes += steps[i].bytes;
    }
    return STATUS_OK;
}
