/* The arena: every temporary gets an offset such that buffers alive at the same step do not overlap. Buffers are placed
 * one by one; how well that goes depends on the order, so several are tried. */
#include <stdlib.h>
#include <string.h>

#include "schedule/schedule.h"

#define ARENA_ALIGN 64

typedef struct lifetime {
    int buffer;
    int64_t bytes;
    int64_t first, last; /* steps */
    int64_t offset;      /* -1: not placed */
} lifetime;

static int64_t aligned_bytes(const program_buffer *b) {
    int64_t n = (int64_t)dtype_bytes(b->elem, (size_t)b->n);
    return (n + ARENA_ALIGN - 1) / ARENA_ALIGN * ARENA_ALIGN;
}

/* Lifetimes of the arena buffers, by buffer number; out[i].first is -1 where nothing uses it. */
static lifetime *find_lifetimes(const program *p) {
    lifetime *l = ARENA_NEW_N(p->memory, lifetime, p->buffers.n + 1);
    if (l == NULL)
        return NULL;
    for (size_t i = 0; i < p->buffers.n; i++)
        l[i] = (lifetime){(int)i, aligned_bytes(&p->buffers.at[i]), -1, -1, -1};
    for (size_t s = 0; s < p->steps.n; s++) {
        const program_step *step = &p->steps.at[s];
        for (size_t a = 0; a < p->kernels.at[step->kernel]->buffers.n; a++) {
            lifetime *x = &l[step->args[a].buffer];
            x->first = x->first < 0 ? (int64_t)s : x->first;
            x->last = (int64_t)s;
        }
    }
    return l;
}

static bool overlap_in_time(const lifetime *x, const lifetime *y) {
    return x->first <= y->last && y->first <= x->last;
}

/* ---- one plan: the buffers in some order, each at the lowest offset that is free ---- */

static int by_offset(const void *x, const void *y) {
    const lifetime *a = *(lifetime *const *)x, *b = *(lifetime *const *)y;
    if (a->offset != b->offset)
        return a->offset < b->offset ? -1 : 1;
    return a->buffer - b->buffer;
}

/* The lowest offset at which x meets none of the placed buffers that live with it. `scratch` has room for n. */
static int64_t lowest_offset(const lifetime *x, lifetime *const *placed, size_t n, lifetime **scratch) {
    int64_t offset = 0;
    size_t k = 0;
    for (size_t i = 0; i < n; i++)
        if (overlap_in_time(x, placed[i]))
            scratch[k++] = placed[i];
    qsort(scratch, k, sizeof *scratch, by_offset);
    for (size_t i = 0; i < k && scratch[i]->offset < offset + x->bytes; i++) {
        int64_t end = scratch[i]->offset + scratch[i]->bytes;
        offset = end > offset ? end : offset;
    }
    return offset;
}

/* Places all, and gives the size of the arena. */
static int64_t place(lifetime **order, size_t n, lifetime **scratch) {
    int64_t size = 0;
    for (size_t i = 0; i < n; i++) {
        order[i]->offset = lowest_offset(order[i], order, i, scratch);
        int64_t end = order[i]->offset + order[i]->bytes;
        size = end > size ? end : size;
    }
    return size;
}

/* ---- orders ---- */

static int larger_first(const void *x, const void *y) {
    const lifetime *a = *(lifetime *const *)x, *b = *(lifetime *const *)y;
    if (a->bytes != b->bytes)
        return a->bytes < b->bytes ? 1 : -1;
    return a->buffer - b->buffer;
}

static int longer_first(const void *x, const void *y) {
    const lifetime *a = *(lifetime *const *)x, *b = *(lifetime *const *)y;
    int64_t steps = (b->last - b->first) - (a->last - a->first);
    return steps != 0 ? (steps < 0 ? -1 : 1) : larger_first(x, y);
}

static int earlier_first(const void *x, const void *y) {
    const lifetime *a = *(lifetime *const *)x, *b = *(lifetime *const *)y;
    return a->first != b->first ? (a->first < b->first ? -1 : 1) : larger_first(x, y);
}

static int (*const orders[])(const void *, const void *) = {larger_first, longer_first, earlier_first};
enum { N_ORDERS = sizeof orders / sizeof *orders, MOST_TRIES = 100, MOST_WORK = 20000000 };

/* A buffer that ends where the arena ends goes to the front of the order. */
static void move_top_to_front(lifetime **order, int64_t size) {
    size_t top = 0;
    while (order[top]->offset + order[top]->bytes != size)
        top++;
    lifetime *moved = order[top];
    memmove(order + 1, order, top * sizeof *order);
    order[0] = moved;
}

typedef struct search {
    lifetime **order, **scratch;
    size_t n;
    int64_t least; /* no plan needs less */
    int64_t best;  /* size of the best plan so far; its offsets are in the program */
    program *p;
} search;

static void keep(search *s, int64_t size) {
    s->best = size;
    for (size_t i = 0; i < s->n; i++)
        s->p->buffers.at[s->order[i]->buffer].offset = s->order[i]->offset;
}

/* Tries orders until one needs no more than there must be. Each step costs about n * n. */
static void find_best(search *s) {
    int64_t work = (int64_t)(s->n * s->n) + 1, tries = MOST_WORK / work < MOST_TRIES ? MOST_WORK / work : MOST_TRIES;
    s->best = INT64_MAX;
    for (size_t k = 0; k < N_ORDERS && s->best > s->least; k++) {
        qsort(s->order, s->n, sizeof *s->order, orders[k]);
        for (int64_t t = 0; t <= tries && s->best > s->least; t++) {
            int64_t size = place(s->order, s->n, s->scratch);
            if (size < s->best)
                keep(s, size);
            move_top_to_front(s->order, size);
        }
    }
}

status plan_memory(program *p) {
    lifetime *all = find_lifetimes(p);
    TRY_ALLOC(all);
    search s = {.p = p, .least = plan_lower_bound(p)};
    TRY_ALLOC(s.order = ARENA_NEW_N(p->memory, lifetime *, p->buffers.n + 1));
    TRY_ALLOC(s.scratch = ARENA_NEW_N(p->memory, lifetime *, p->buffers.n + 1));
    for (size_t i = 0; i < p->buffers.n; i++)
        if (p->buffers.at[i].place == PLACE_ARENA && all[i].first >= 0)
            s.order[s.n++] = &all[i];
    p->arena_bytes = 0;
    if (s.n > 0) {
        find_best(&s);
        p->arena_bytes = s.best;
    }
    return STATUS_OK;
}

int64_t plan_lower_bound(const program *p) {
    const lifetime *all = find_lifetimes(p);
    int64_t most = 0;
    for (size_t s = 0; all != NULL && s < p->steps.n; s++) {
        int64_t alive = 0;
        for (size_t i = 0; i < p->buffers.n; i++)
            if (p->buffers.at[i].place == PLACE_ARENA && all[i].first >= 0 && all[i].first <= (int64_t)s &&
                (int64_t)s <= all[i].last)
                alive += all[i].bytes;
        most = alive > most ? alive : most;
    }
    return most;
}
