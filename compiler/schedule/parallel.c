/* Threads: a kernel that is worth it becomes one parallel loop over PARTS, each of which runs blocks of one or two of
 * its loops. Which element is computed how stays as it is, so the bits do not depend on the number of threads.
 *
 * Which loops those are is decided for all kernels together, since what a kernel costs depends on who has written what
 * it reads. One kernel after the other takes what is best while the others stay as they are, until none changes; that
 * is done twice, from nothing divided and from everything divided in the longest pieces, and the better end counts. */
#include "schedule/parallel.h"
#include "schedule/schedule.h"

#define MOST_PARTS_PER_THREAD 4
#define MOST_SWEEPS 8

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

static status note_shares(cutting *c, cut_loop *l) {
    loop_share *shares = ARENA_NEW_N(c->view.scratch, loop_share, c->k->buffers.n + 1);
    TRY_ALLOC(shares);
    l->shares = shares;
    return loop_shares_of(&c->view, c->nest, l->at, shares);
}

static status find_loops(cutting *c) {
    for (stmt *s = c->nest; s != NULL && c->n_loops < PARALLEL_MOST_LOOPS; s = only_loop(&s->loop.body)) {
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

/* Copies of scratch are memory: as many as there are threads, and no more. */
static int64_t most_parts(const cutting *c) {
    for (size_t b = 0; b < c->k->buffers.n; b++)
        if (c->k->buffers.at[b].access == ACCESS_SCRATCH)
            return c->threads;
    return (int64_t)MOST_PARTS_PER_THREAD * c->threads;
}

/* Where there are parts enough of the outer loop, it alone says who has what. */
static bool is_alike(const cutting *c, const way *a, const way *b) {
    bool outer_only = a->outer_parts >= c->threads;
    return a->outer == b->outer && outer_only == (b->outer_parts >= c->threads) && (outer_only || a->inner == b->inner);
}

/* Of ways that divide the data alike the cheapest stays, of equals the first. */
static status consider(cutting *c, way w) {
    w.own = way_own_cost(c, &w);
    for (size_t i = 0; i < c->ways.n; i++)
        if (is_alike(c, &c->ways.at[i], &w)) {
            c->ways.at[i] = w.own < c->ways.at[i].own ? w : c->ways.at[i];
            return STATUS_OK;
        }
    return VEC_PUSH(c->view.scratch, c->ways, w);
}

static status find_ways(cutting *c) {
    const cut_loop *end = c->loops + c->n_loops;
    int64_t most = most_parts(c);
    TRY(consider(c, (way){.outer_parts = 1, .inner_parts = 1}));
    for (const cut_loop *o = c->loops; o < end; o++)
        for (int64_t n = 2; n <= most && n <= o->units; n++)
            TRY(consider(c, (way){o, NULL, n, 1, 0}));
    for (const cut_loop *o = c->loops; o < end; o++)
        for (const cut_loop *i = c->loops; i < end; i++)
            for (int64_t n = 2; i != o && n <= most && n <= o->units; n++)
                for (int64_t m = 2; n * m <= most && m <= i->units; m++)
                    TRY(consider(c, (way){o, i, n, m, 0}));
    c->way = c->ways.at;
    return STATUS_OK;
}

/* ---- the program ---- */

typedef struct dividing {
    program *p;
    arena *scratch;
    cutting *kernels; /* by kernel */
    handed **last;    /* by buffer: what was written there last */
    VEC(handed *) handed;
} dividing;

static status look_at_kernel(dividing *x, const program_step *s) {
    cutting *c = &x->kernels[s->kernel];
    if (c->steps++ > 0)
        return STATUS_OK;
    kernel *k = c->k = x->p->kernels.at[s->kernel];
    TRY_ALLOC(c->is_constant = ARENA_NEW_N(x->scratch, bool, k->buffers.n + 1));
    for (size_t i = 0; i < k->buffers.n; i++)
        c->is_constant[i] = x->p->buffers.at[s->args[i].buffer].place == PLACE_CONST;
    c->memory = x->p->memory;
    c->threads = x->p->threads;
    c->nest = nest_of(k);
    c->view.scratch = x->scratch;
    TRY(kernel_view_of(k, x->scratch, &c->view));
    TRY_ALLOC(c->view.tables = step_tables(x->p, s, x->scratch));
    TRY(kernel_traffic(k, x->scratch, &c->traffic));
    c->cycles = kernel_operations(&c->view);
    return STATUS_OK;
}

static status new_handed(dividing *x, int buffer) {
    handed *h = ARENA_NEW(x->scratch, handed);
    TRY_ALLOC(h);
    x->last[buffer] = h;
    return VEC_PUSH(x->scratch, x->handed, h);
}

static status note_handed(dividing *x, cutting *c, handed *h) {
    for (size_t i = 0; i < c->handed.n; i++)
        if (c->handed.at[i] == h)
            return STATUS_OK;
    return VEC_PUSH(x->scratch, c->handed, h);
}

static status note_read(dividing *x, cutting *c, size_t arg, int buffer) {
    if (x->last[buffer] == NULL) /* the caller has written it */
        TRY(new_handed(x, buffer));
    handed_to to = {c, arg};
    TRY(VEC_PUSH(x->scratch, x->last[buffer]->readers, to));
    return note_handed(x, c, x->last[buffer]);
}

static status note_written(dividing *x, cutting *c, size_t arg, int buffer) {
    TRY(new_handed(x, buffer));
    x->last[buffer]->from = c;
    x->last[buffer]->as = arg;
    return note_handed(x, c, x->last[buffer]);
}

static status look_at_step(dividing *x, const program_step *s) {
    TRY(look_at_kernel(x, s));
    cutting *c = &x->kernels[s->kernel];
    for (size_t i = 0; i < c->k->buffers.n; i++)
        if ((c->k->buffers.at[i].access & ACCESS_READ) != 0 && c->k->buffers.at[i].access != ACCESS_SCRATCH &&
            !c->is_constant[i])
            TRY(note_read(x, c, i, s->args[i].buffer));
    for (size_t i = 0; i < c->k->buffers.n; i++)
        if ((c->k->buffers.at[i].access & ACCESS_WRITE) != 0 && c->k->buffers.at[i].access != ACCESS_SCRATCH)
            TRY(note_written(x, c, i, s->args[i].buffer));
    return STATUS_OK;
}

/* What is long enough may be divided. */
static status find_all_ways(dividing *x) {
    for (size_t i = 0; i < x->p->kernels.n; i++) {
        cutting *c = &x->kernels[i];
        if (c->steps > 0 && c->nest != NULL && kernel_parts(c->k) == NULL && !is_too_small(c))
            TRY(find_loops(c));
        if (c->steps > 0)
            TRY(find_ways(c));
    }
    return STATUS_OK;
}

/* ---- the decision ---- */

/* Not at all, or in the longest pieces: mostly rows. */
static void begin_with(cutting *c, bool pieces) {
    int64_t longest = 0;
    const way *best = c->ways.at;
    for (size_t i = 0; i < c->ways.n && pieces; i++) {
        c->way = &c->ways.at[i];
        int64_t piece = piece_of(c);
        best = piece > longest ? c->way : best;
        longest = piece > longest ? piece : longest;
    }
    c->way = best;
}

/* The best way while all other kernels stay as they are. True where it is another one than before. */
static bool improve(cutting *c) {
    const way *before = c->way, *best = before;
    double least = way_cost(c);
    for (size_t i = 0; i < c->ways.n; i++) {
        c->way = &c->ways.at[i];
        double cost = way_cost(c);
        best = cost < least ? c->way : best;
        least = cost < least ? cost : least;
    }
    c->way = best;
    return best != before;
}

static double cost_of_all(const dividing *x) {
    double cost = 0;
    for (size_t i = 0; i < x->p->kernels.n; i++)
        cost += x->kernels[i].steps > 0 ? x->kernels[i].way->own : 0;
    for (size_t i = 0; i < x->handed.n; i++)
        cost += handing_cost(x->handed.at[i], x->p->threads);
    return cost;
}

static double decide(dividing *x, bool pieces) {
    bool changes = true;
    for (size_t i = 0; i < x->p->kernels.n; i++)
        begin_with(&x->kernels[i], pieces);
    for (int sweep = 0; sweep < MOST_SWEEPS && changes; sweep++) {
        changes = false;
        for (size_t i = 0; i < x->p->steps.n; i++)
            changes |= improve(&x->kernels[x->p->steps.at[i].kernel]);
    }
    return cost_of_all(x);
}

static status divide(program *p, arena *scratch) {
    dividing x = {.p = p, .scratch = scratch};
    TRY_ALLOC(x.kernels = ARENA_NEW_N(scratch, cutting, p->kernels.n + 1));
    TRY_ALLOC(x.last = ARENA_NEW_N(scratch, handed *, p->buffers.n + 1));
    for (size_t i = 0; i < p->steps.n; i++)
        TRY(look_at_step(&x, &p->steps.at[i]));
    TRY(find_all_ways(&x));
    double from_pieces = decide(&x, true);
    if (decide(&x, false) > from_pieces)
        decide(&x, true);
    for (size_t i = 0; i < p->kernels.n; i++)
        if (x.kernels[i].steps > 0 && x.kernels[i].way->outer != NULL)
            TRY(cut_kernel(&x.kernels[i]));
    return STATUS_OK;
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
    arena *scratch = arena_new(arena_allocator(p->memory));
    TRY_ALLOC(scratch);
    p->threads = threads;
    status result = divide(p, scratch);
    arena_free(scratch);
    TRY(result);
    for (size_t i = 0; i < p->steps.n; i++)
        enlarge_scratch(p, &p->steps.at[i]);
    return STATUS_OK;
}
