/* What it costs to divide kernels among threads, in cycles: operations, handing out, constants that come from memory,
 * and values that come from another core. */
#include "schedule/parallel.h"

/* Handing a loop out and waiting for its end, and each part's beginning. */
#define DISPATCH_CYCLES 4000.0
#define PART_CYCLES 500.0
#define OPERATIONS_PER_CYCLE 2
/* Threads are not equally fast: the last one may wait for a share of the largest part. */
#define UNEVEN 0.1
/* A kernel is cut where that makes it this much shorter. */
#define WORTH 0.85
/* Bytes a cycle: constants from the memory that all cores share, and the same again. */
#define CONSTANT_BYTES 4.0
#define AGAIN_BYTES 16.0
/* What another core has written. To read it is not so dear, but from then on both cores have it, and to write to such
 * a place (the arena's are used again and again) takes one core's word to the other, line by line. */
#define FOREIGN_BYTES 0.9
/* Of loop_share: from here on each thread has pieces of the buffer for itself. */
#define IN_PIECES 0.5

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
        if (s->kind == STMT_FOR)
            n += operations(v, &s->loop.body) * kernel_trips(v, s->loop.extent);
    }
    return n;
}

double kernel_operations(const kernel_view *v) {
    return operations(v, &v->k->body) / OPERATIONS_PER_CYCLE;
}

/* Iterations in the largest of so many blocks. */
static int64_t largest(const cut_loop *l, int64_t parts) {
    return (l->units + parts - 1) / parts + (l->n - l->units);
}

/* Cycles until all threads are done with what there is to compute. */
static double computing(const cutting *c, const way *w) {
    double share = (double)largest(w->outer, w->outer_parts) / (double)w->outer->n;
    share *= w->inner != NULL ? (double)largest(w->inner, w->inner_parts) / (double)w->inner->n : 1;
    int64_t parts = w->outer_parts * w->inner_parts, rounds = (parts + c->threads - 1) / c->threads;
    double part = c->cycles * share + PART_CYCLES;
    double fair = c->cycles / c->threads, longest = (double)rounds * part;
    return DISPATCH_CYCLES + (fair > longest ? fair : longest) + UNEVEN * part;
}

/* ---- constants ---- */

static double bytes_read(const cutting *c, size_t buffer) {
    return (double)dtype_bytes(c->k->buffers.at[buffer].elem, (size_t)c->traffic[buffer].read);
}

/* Cycles in which a constant comes to a thread, which reads a part of it, some parts several times. */
static double constant_moves(const cutting *c, const way *w, size_t buffer) {
    double bytes = bytes_read(c, buffer);
    if (w->outer == NULL)
        return bytes / CONSTANT_BYTES;
    if (w->outer->shares[buffer].part > 0)
        return bytes / c->threads / CONSTANT_BYTES;
    bool by_inner = w->inner != NULL && w->inner->shares[buffer].part > 0;
    double passes = (double)(by_inner ? w->outer_parts : w->outer_parts * w->inner_parts) / c->threads;
    return bytes / CONSTANT_BYTES + (passes > 1 ? bytes * (passes - 1) / AGAIN_BYTES : 0);
}

double way_own_cost(const cutting *c, const way *w) {
    double cost = w->outer != NULL ? computing(c, w) : c->cycles, worth = w->outer != NULL ? 1 : WORTH;
    for (size_t b = 0; b < c->k->buffers.n; b++)
        cost += c->is_constant[b] ? constant_moves(c, w, b) : 0;
    return cost * worth * c->steps;
}

bool is_too_small(const cutting *c) {
    double all = c->cycles;
    for (size_t b = 0; b < c->k->buffers.n; b++)
        all += bytes_read(c, b) / (c->is_constant[b] ? CONSTANT_BYTES : FOREIGN_BYTES);
    return all < DISPATCH_CYCLES;
}

/* ---- values ---- */

/* Which thread has which elements of a buffer. */
typedef struct spread {
    enum { AT_ONE, AT_EACH, AT_ALL } kind; /* at the first; each has its own; everybody has all */
    int64_t period;                        /* AT_EACH: equal parts of every so many elements; 0: who knows */
} spread;

static spread spread_of(const cutting *c, size_t buffer) {
    const way *w = c->way;
    if (w->outer == NULL)
        return (spread){AT_ONE, 0};
    const loop_share *outer = &w->outer->shares[buffer];
    bool inside = w->inner != NULL && w->inner->shares[buffer].part > 0;
    if (w->outer_parts < c->threads)
        return (spread){outer->part > 0 || inside ? AT_EACH : AT_ALL, 0};
    return outer->part > 0 ? (spread){AT_EACH, outer->part >= IN_PIECES ? outer->period : 0} : (spread){AT_ALL, 0};
}

static bool is_same(spread a, spread b) {
    return a.kind == b.kind && a.period == b.period && (a.kind != AT_EACH || a.period > 0);
}

/* The share of what is read that one thread takes from others; of the thread that takes most. */
static double foreign_share(spread from, spread to, double threads) {
    double others = (threads - 1) / threads;
    if (is_same(from, to))
        return 0;
    switch (to.kind) {
    case AT_ONE:
        return others;
    case AT_EACH:
        return from.kind == AT_ONE ? 1 / threads : others / threads;
    case AT_ALL:
        return from.kind == AT_ONE ? 1 : others;
    }
    return 0;
}

/* What is read once is there for the next that reads it so. */
double handing_cost(const handed *h, int threads) {
    spread from = h->from != NULL ? spread_of(h->from, h->as) : (spread){AT_ONE, 0}, before = from;
    double cost = 0;
    for (size_t i = 0; i < h->readers.n && before.kind != AT_ALL; i++) {
        const handed_to *r = &h->readers.at[i];
        spread to = spread_of(r->to, r->as);
        if (!is_same(to, before))
            cost += bytes_read(r->to, r->as) * foreign_share(from, to, threads) / FOREIGN_BYTES;
        before = to;
    }
    return cost;
}

double way_cost(const cutting *c) {
    double cost = c->way->own;
    for (size_t i = 0; i < c->handed.n; i++)
        cost += handing_cost(c->handed.at[i], c->threads);
    return cost;
}

int64_t piece_of(const cutting *c) {
    int64_t longest = 0;
    for (size_t b = 0; b < c->k->buffers.n; b++) {
        spread s = spread_of(c, b);
        if ((c->k->buffers.at[b].access & ACCESS_WRITE) != 0 && s.kind == AT_EACH && s.period > longest)
            longest = s.period;
    }
    return longest;
}
