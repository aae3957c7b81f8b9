/* Ways to place buffers in one piece of memory, and a search for the best. Buffers are placed one by one, each in a gap
 * between those that live with it. How well that goes depends on the order, so several are tried; then the best is
 * varied. Everything is counted, nothing is timed: the same program gets the same plan everywhere. */
#include <stdlib.h>
#include <string.h>

#include "schedule/memory_plan.h"

/* Which gap a buffer takes. */
typedef enum fit { FIT_LOWEST, FIT_TIGHTEST, N_FITS } fit;

typedef struct search {
    lifetime **order, **scratch, **best_order;
    int64_t *best_offsets; /* by best_order */
    size_t n;
    int64_t least; /* no plan needs less */
    int64_t best;  /* bytes of the best plan so far */
    fit best_fit;
    int64_t tries; /* that are left */
} search;

enum { MOST_TRIES = 600, MOST_WORK = 30000000 };

/* ---- one plan ---- */

static bool overlap_in_time(const lifetime *x, const lifetime *y) {
    return x->first <= y->last && y->first <= x->last;
}

static int by_offset(const void *x, const void *y) {
    const lifetime *a = *(lifetime *const *)x, *b = *(lifetime *const *)y;
    if (a->offset != b->offset)
        return a->offset < b->offset ? -1 : 1;
    return a->buffer - b->buffer;
}

/* A gap for x between the first n of the order, which are placed; where none is large enough, behind them all. */
static int64_t find_gap(const search *s, const lifetime *x, size_t n, fit how) {
    int64_t end = 0, found = -1, size = INT64_MAX;
    size_t k = 0;
    for (size_t i = 0; i < n; i++)
        if (overlap_in_time(x, s->order[i]))
            s->scratch[k++] = s->order[i];
    qsort(s->scratch, k, sizeof *s->scratch, by_offset);
    for (size_t i = 0; i < k; i++) {
        int64_t gap = s->scratch[i]->offset - end, next = s->scratch[i]->offset + s->scratch[i]->bytes;
        if (gap >= x->bytes && gap < size) {
            found = end;
            size = gap;
            if (how == FIT_LOWEST)
                break;
        }
        end = next > end ? next : end;
    }
    return found >= 0 ? found : end;
}

static void keep(search *s, int64_t bytes, fit how) {
    s->best = bytes;
    s->best_fit = how;
    memcpy(s->best_order, s->order, s->n * sizeof *s->order);
    for (size_t i = 0; i < s->n; i++)
        s->best_offsets[i] = s->order[i]->offset;
}

/* Places all in the order as it stands, and gives the bytes it takes. */
static int64_t place(search *s, fit how) {
    int64_t bytes = 0;
    s->tries--;
    for (size_t i = 0; i < s->n; i++) {
        lifetime *x = s->order[i];
        x->offset = find_gap(s, x, i, how);
        bytes = x->offset + x->bytes > bytes ? x->offset + x->bytes : bytes;
    }
    if (bytes < s->best)
        keep(s, bytes, how);
    return bytes;
}

static bool is_done(const search *s) {
    return s->best <= s->least || s->tries <= 0;
}

/* ---- orders ---- */

static int compare(int64_t x, int64_t y) {
    return (x > y) - (x < y);
}

static int larger_first(const void *x, const void *y) {
    const lifetime *a = *(lifetime *const *)x, *b = *(lifetime *const *)y;
    int c = compare(b->bytes, a->bytes);
    return c != 0 ? c : a->buffer - b->buffer;
}

static int longer_first(const void *x, const void *y) {
    const lifetime *a = *(lifetime *const *)x, *b = *(lifetime *const *)y;
    int c = compare(b->last - b->first, a->last - a->first);
    return c != 0 ? c : larger_first(x, y);
}

/* What lives when most is needed. */
static int broader_first(const void *x, const void *y) {
    const lifetime *a = *(lifetime *const *)x, *b = *(lifetime *const *)y;
    int c = compare(b->breadth, a->breadth);
    return c != 0 ? c : larger_first(x, y);
}

static int earlier_first(const void *x, const void *y) {
    const lifetime *a = *(lifetime *const *)x, *b = *(lifetime *const *)y;
    int c = compare(a->first, b->first);
    return c != 0 ? c : larger_first(x, y);
}

static int later_first(const void *x, const void *y) {
    const lifetime *a = *(lifetime *const *)x, *b = *(lifetime *const *)y;
    int c = compare(b->last, a->last);
    return c != 0 ? c : larger_first(x, y);
}

static int (*const orders[])(const void *, const void *) = {larger_first, broader_first, longer_first, earlier_first,
                                                            later_first};
enum { N_ORDERS = sizeof orders / sizeof *orders };

static void try_orders(search *s) {
    for (int how = 0; how < N_FITS; how++)
        for (size_t k = 0; k < N_ORDERS && !is_done(s); k++) {
            qsort(s->order, s->n, sizeof *s->order, orders[k]);
            place(s, (fit)how);
        }
}

/* ---- the search ---- */

static void move(lifetime **order, size_t from, size_t to) {
    lifetime *moved = order[from];
    if (from > to)
        memmove(order + to + 1, order + to, (from - to) * sizeof *order);
    else
        memmove(order + from, order + from + 1, (to - from) * sizeof *order);
    order[to] = moved;
}

/* From each order on: the buffer that ends where everything ends is placed first the next time. */
static void raise_tops(search *s) {
    int64_t share = s->tries / 2 / N_ORDERS;
    for (size_t k = 0; k < N_ORDERS; k++) {
        qsort(s->order, s->n, sizeof *s->order, orders[k]);
        for (int64_t t = 0; t < share && !is_done(s); t++) {
            int64_t bytes = place(s, FIT_LOWEST);
            size_t top = 0;
            while (s->order[top]->offset + s->order[top]->bytes != bytes)
                top++;
            move(s->order, top, 0);
        }
    }
}

/* Moves one buffer of the best order at a time; a move that makes it no worse stays. */
static void climb(search *s) {
    uint64_t random = 1;
    memcpy(s->order, s->best_order, s->n * sizeof *s->order);
    for (int64_t now = s->best; !is_done(s);) {
        random = random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        size_t from = (size_t)(random >> 33) % s->n, to = (size_t)(random >> 13 & 0xfffff) % s->n;
        move(s->order, from, to);
        int64_t bytes = place(s, s->best_fit);
        if (bytes <= now)
            now = bytes;
        else
            move(s->order, to, from);
    }
}

static status search_new(lifetime_list *all, int64_t least, arena *a, search *out) {
    int64_t work = (int64_t)(all->n * all->n) + 1, tries = MOST_WORK / work;
    *out = (search){.order = all->at, .n = all->n, .least = least, .best = INT64_MAX};
    out->tries = tries < MOST_TRIES ? tries + 1 : MOST_TRIES;
    TRY_ALLOC(out->scratch = ARENA_NEW_N(a, lifetime *, all->n + 1));
    TRY_ALLOC(out->best_order = ARENA_NEW_N(a, lifetime *, all->n + 1));
    TRY_ALLOC(out->best_offsets = ARENA_NEW_N(a, int64_t, all->n + 1));
    return STATUS_OK;
}

static int64_t take_best(search *s) {
    for (size_t i = 0; i < s->n; i++)
        s->best_order[i]->offset = s->best_offsets[i];
    return s->best;
}

status place_one(const lifetime_list *placed, lifetime *x, arena *scratch) {
    search s = {.order = placed->at, .n = placed->n};
    TRY_ALLOC(s.scratch = ARENA_NEW_N(scratch, lifetime *, placed->n + 1));
    x->offset = find_gap(&s, x, placed->n, FIT_LOWEST);
    return STATUS_OK;
}

status place_quickly(lifetime_list *all, int64_t least, arena *scratch, int64_t *out_bytes) {
    search s;
    TRY(search_new(all, least, scratch, &s));
    try_orders(&s);
    *out_bytes = take_best(&s);
    return STATUS_OK;
}

status place_best(lifetime_list *all, int64_t least, arena *scratch, int64_t *out_bytes) {
    search s;
    *out_bytes = 0;
    if (all->n == 0)
        return STATUS_OK;
    TRY(search_new(all, least, scratch, &s));
    try_orders(&s);
    raise_tops(&s);
    climb(&s);
    *out_bytes = take_best(&s);
    return STATUS_OK;
}
