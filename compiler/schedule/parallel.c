/* Threads: a kernel that is worth it becomes one parallel loop over PARTS, each of which runs blocks of one or two of
 * its loops. Which element is computed how stays as it is, so the bits do not depend on the number of threads. */
#include <string.h>

#include "schedule/parallel.h"
#include "schedule/schedule.h"

/* Of the cost model, in cycles: handing a loop out and waiting for its end, and each part's beginning. */
#define DISPATCH_CYCLES 4000.0
#define PART_CYCLES 500.0
#define OPERATIONS_PER_CYCLE 2
/* Threads are not equally fast: the last one may wait for a share of the largest part. */
#define UNEVEN 0.1
/* A kernel is cut where that makes it this much shorter. */
#define WORTH 0.85
/* Bytes a cycle: constants from the memory that all cores share, the same again, and what another core has just
 * written. */
#define CONSTANT_BYTES 6.0
#define AGAIN_BYTES 16.0
#define FOREIGN_BYTES 2.0
/* Of loop_shares_of: from here on each thread has a piece of the buffer for itself. */
#define IN_PIECES 0.5
#define MOST_PARTS_PER_THREAD 4
#define MOST_LOOPS 4

/* A loop that may be cut into blocks. */
typedef struct cut_loop {
    stmt *at;
    int64_t n, units;     /* iterations, and what they are divided into: where the last two belong together, one less */
    const double *shares; /* of loop_shares_of */
} cut_loop;

/* A way to cut: so many parts of one loop, each of them into so many of another (or NULL). */
typedef struct way {
    const cut_loop *outer, *inner;
    int64_t outer_parts, inner_parts;
} way;

/* Where a buffer's data are when the kernel is called. */
typedef enum data_place { DATA_CONSTANT, DATA_AT_ONE, DATA_AT_ALL } data_place;

typedef struct cutting {
    kernel *k;
    arena *memory;
    int threads;
    kernel_view view;
    stmt *nest;
    double cycles;            /* of the whole kernel's operations, in one thread */
    double moves;             /* cycles in which data come to one thread that does everything */
    const data_place *places; /* by buffer */
    const buffer_traffic *traffic;
    int n_loops;
    cut_loop loops[MOST_LOOPS];
    way best;
    builder *b;
} cutting;

/* ---- work ---- */

static void count_operation(const expr *x, void *ctx) {
    bool is_index = x->type.elem == DT_I64 && x->type.lanes == 1;
    bool is_free = x->kind == EXPR_VAR || x->kind == EXPR_REG || x->kind == EXPR_BROADCAST || x->n_args == 0;
    *(double *)ctx += is_index || is_free ? 0 : 1;
}

static void count_in(const expr *x, double *n) {
    if (x != NULL)
        expr_visit(x, count_operation, n);
}

/* Operations that one run of the block takes. */
static double operations(const kernel_view *v, const block *body) {
    double n = 0;
    for (const stmt *s = body->first; s != NULL; s = s->next) {
        if (s->kind == STMT_LET)
            count_in(s->let.value, &n);
        if (s->kind == STMT_SET)
            count_in(s->set.value, &n);
        if (s->kind == STMT_STORE) {
            count_in(s->store.value, &n);
            n++;
        }
        if (s->kind == STMT_IF)
            n += operations(v, &s->cond.then) + operations(v, &s->cond.otherwise);
        if (s->kind == STMT_FOR) {
            int64_t most = kernel_most(v, s->loop.extent);
            n += operations(v, &s->loop.body) * (most == INT64_MAX ? 1.0 : (double)most);
        }
    }
    return n;
}

/* ---- data ---- */

/* Cycles in which the data of a buffer come to a thread that works alone, after others or not. */
static double moves_to_one(const cutting *c, size_t buffer) {
    double bytes = (double)dtype_bytes(c->k->buffers.at[buffer].elem, (size_t)c->traffic[buffer].read);
    double threads = c->threads;
    return c->places[buffer] == DATA_CONSTANT ? bytes / CONSTANT_BYTES
           : c->places[buffer] == DATA_AT_ALL ? bytes * (threads - 1) / threads / FOREIGN_BYTES
                                              : 0;
}

/* The same for constants of which a thread reads `part`, `passes` times. */
static double constant_moves(double bytes, double part, double passes) {
    return bytes * part / CONSTANT_BYTES + (passes > 1 ? bytes * part * (passes - 1) / AGAIN_BYTES : 0);
}

/* The same for each of the threads: which constants a part reads, and how much of what others have written. What is
 * written in slices will be read across by whoever comes next. */
static double moves_to_each(const cutting *c, const way *w, size_t buffer) {
    const kernel_buffer *b = &c->k->buffers.at[buffer];
    double threads = c->threads, read = (double)dtype_bytes(b->elem, (size_t)c->traffic[buffer].read);
    double written = (double)dtype_bytes(b->elem, (size_t)c->traffic[buffer].written);
    double outer = w->outer->shares[buffer], inner = w->inner != NULL ? w->inner->shares[buffer] : 0;
    double passes = (double)(inner > 0 ? w->outer_parts : w->outer_parts * w->inner_parts) / threads;
    bool in_pieces = outer >= IN_PIECES && w->outer_parts >= c->threads;
    double used = outer > 0 ? 1 / threads : 1, moves = in_pieces ? 0 : written / threads / FOREIGN_BYTES;
    switch (c->places[buffer]) {
    case DATA_CONSTANT:
        return moves + constant_moves(read, used, outer > 0 ? 1 : passes);
    case DATA_AT_ONE:
        return moves + read * used / FOREIGN_BYTES;
    case DATA_AT_ALL:
        return moves + (in_pieces ? 0 : read * used * (threads - 1) / threads / FOREIGN_BYTES);
    }
    return moves;
}

static status note_shares(cutting *c, cut_loop *l) {
    double *shares = ARENA_NEW_N(c->view.scratch, double, c->k->buffers.n + 1);
    TRY_ALLOC(shares);
    l->shares = shares;
    return loop_shares_of(&c->view, c->nest, l->at, shares);
}

/* ---- which loops ---- */

/* The only loop of the body; NULL where there are none or several. */
static stmt *only_loop(const block *body) {
    stmt *found = NULL;
    for (stmt *s = body->first; s != NULL; s = s->next) {
        if (s->kind == STMT_FOR && found != NULL)
            return NULL;
        if (s->kind == STMT_FOR)
            found = s;
    }
    return found;
}

/* A kernel of one loop, after some LETs. */
static stmt *nest_of(const kernel *k) {
    for (const stmt *s = k->body.first; s != NULL; s = s->next)
        if (s->kind != STMT_LET && s != k->body.last)
            return NULL;
    return k->body.last != NULL && k->body.last->kind == STMT_FOR ? k->body.last : NULL;
}

static status find_loops(cutting *c) {
    for (stmt *s = c->nest; s != NULL && c->n_loops < MOST_LOOPS; s = only_loop(&s->loop.body)) {
        loop_cut cut;
        TRY(loop_cut_of(&c->view, c->nest, s, &cut));
        int64_t n = s->loop.extent->imm;
        if (cut == CUT_NOWHERE || n <= (cut == CUT_BUT_LAST ? 2 : 1))
            continue;
        c->loops[c->n_loops] = (cut_loop){s, n, cut == CUT_BUT_LAST ? n - 1 : n, NULL};
        TRY(note_shares(c, &c->loops[c->n_loops++]));
    }
    return STATUS_OK;
}

/* ---- how many parts ---- */

/* Iterations in the largest of so many blocks. */
static int64_t largest(const cut_loop *l, int64_t parts) {
    return (l->units + parts - 1) / parts + (l->n - l->units);
}

/* Cycles until all threads are done. */
static double time_of(const cutting *c, double largest_share, int64_t parts) {
    int64_t rounds = (parts + c->threads - 1) / c->threads;
    double part = c->cycles * largest_share + PART_CYCLES;
    double fair = c->cycles / c->threads, longest = (double)rounds * part;
    return DISPATCH_CYCLES + (fair > longest ? fair : longest) + UNEVEN * part;
}

static void consider(cutting *c, const way *w, double *best) {
    double share = (double)largest(w->outer, w->outer_parts) / (double)w->outer->n;
    share *= w->inner != NULL ? (double)largest(w->inner, w->inner_parts) / (double)w->inner->n : 1;
    double time = time_of(c, share, w->outer_parts * w->inner_parts);
    for (size_t b = 0; b < c->k->buffers.n; b++)
        time += moves_to_each(c, w, b);
    if (time >= *best)
        return;
    *best = time;
    c->best = *w;
}

/* Copies of scratch are memory: as many as there are threads, and no more. */
static int64_t most_parts(const cutting *c) {
    for (size_t b = 0; b < c->k->buffers.n; b++)
        if (c->k->buffers.at[b].access == ACCESS_SCRATCH)
            return c->threads;
    return (int64_t)MOST_PARTS_PER_THREAD * c->threads;
}

/* False where no cut is worth its dispatch. Of equals the first is taken: one loop, the outermost. */
static bool choose(cutting *c) {
    int64_t most = most_parts(c);
    double best = (c->cycles + c->moves) * WORTH, whole = best;
    for (const cut_loop *o = c->loops; o < c->loops + c->n_loops; o++)
        for (int64_t n = 2; n <= most && n <= o->units; n++)
            consider(c, &(way){o, NULL, n, 1}, &best);
    for (const cut_loop *o = c->loops; o < c->loops + c->n_loops; o++)
        for (const cut_loop *i = c->loops; i < c->loops + c->n_loops; i++)
            for (int64_t n = 2; i != o && n <= most && n <= o->units; n++)
                for (int64_t m = 2; n * m <= most && m <= i->units; m++)
                    consider(c, &(way){o, i, n, m}, &best);
    return best < whole;
}

/* ---- cutting ---- */

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

static status cut_kernel(cutting *c) {
    const way *w = &c->best;
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

static status consider_kernel(cutting *c) {
    if (c->nest == NULL)
        return STATUS_OK;
    TRY(kernel_view_of(c->k, c->view.scratch, &c->view));
    TRY(kernel_traffic(c->k, c->view.scratch, &c->traffic));
    c->cycles = operations(&c->view, &c->k->body) / OPERATIONS_PER_CYCLE;
    for (size_t b = 0; b < c->k->buffers.n; b++)
        c->moves += moves_to_one(c, b);
    if (c->cycles + c->moves < DISPATCH_CYCLES)
        return STATUS_OK;
    TRY(find_loops(c));
    return choose(c) ? cut_kernel(c) : STATUS_OK;
}

/* ---- the program ---- */

/* By buffer of the program: did a kernel with parts write it last? */
static status places_of(const program *p, const program_step *s, const bool *spread, arena *scratch,
                        const data_place **out) {
    size_t n = p->kernels.at[s->kernel]->buffers.n;
    data_place *places = ARENA_NEW_N(scratch, data_place, n + 1);
    TRY_ALLOC(places);
    for (size_t i = 0; i < n; i++) {
        int buffer = s->args[i].buffer;
        places[i] = p->buffers.at[buffer].place == PLACE_CONST ? DATA_CONSTANT
                    : spread[buffer]                           ? DATA_AT_ALL
                                                               : DATA_AT_ONE;
    }
    *out = places;
    return STATUS_OK;
}

static void note_written(const program *p, const program_step *s, bool *spread) {
    const kernel *k = p->kernels.at[s->kernel];
    for (size_t i = 0; i < k->buffers.n; i++)
        if (k->buffers.at[i].access != ACCESS_READ)
            spread[s->args[i].buffer] = kernel_parts(k) != NULL;
}

/* A kernel of several steps is cut as the first one wants it that wants it cut. */
static status consider_step(program *p, const program_step *s, const bool *spread) {
    if (kernel_parts(p->kernels.at[s->kernel]) != NULL)
        return STATUS_OK;
    arena *scratch = arena_new(arena_allocator(p->memory));
    TRY_ALLOC(scratch);
    kernel *k = p->kernels.at[s->kernel];
    cutting c = {.k = k, .memory = p->memory, .threads = p->threads, .nest = nest_of(k), .view.scratch = scratch};
    status result = places_of(p, s, spread, scratch, &c.places);
    if (result == STATUS_OK)
        result = consider_kernel(&c);
    arena_free(scratch);
    return result;
}

/* Each part of a step's kernel gets a copy of its scratch. */
static void enlarge_scratch(program *p, const program_step *s) {
    const kernel *k = p->kernels.at[s->kernel];
    for (size_t i = 0; i < k->buffers.n && kernel_parts(k) != NULL; i++) {
        program_buffer *b = &p->buffers.at[s->args[i].buffer];
        int64_t n = kernel_scratch_step(&k->buffers.at[i]) * kernel_parts(k)->loop.extent->imm;
        if (k->buffers.at[i].access == ACCESS_SCRATCH && b->n < n)
            b->n = n;
    }
}

status schedule_parallel(program *p, int threads) {
    bool *spread = ARENA_NEW_N(p->memory, bool, p->buffers.n + 1);
    TRY_ALLOC(spread);
    p->threads = threads;
    for (size_t i = 0; i < p->steps.n; i++) {
        TRY(consider_step(p, &p->steps.at[i], spread));
        note_written(p, &p->steps.at[i], spread);
    }
    for (size_t i = 0; i < p->steps.n; i++)
        enlarge_scratch(p, &p->steps.at[i]);
    return STATUS_OK;
}
