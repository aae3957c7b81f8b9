/* The arena: every temporary gets an offset such that buffers alive at the same step do not overlap. */
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

static int larger_first(const void *x, const void *y) {
    const lifetime *a = *(lifetime *const *)x, *b = *(lifetime *const *)y;
    if (a->bytes != b->bytes)
        return a->bytes < b->bytes ? 1 : -1;
    return a->buffer - b->buffer;
}

static bool overlap_in_time(const lifetime *x, const lifetime *y) {
    return x->first <= y->last && y->first <= x->last;
}

/* The lowest offset at which x meets none of the placed buffers that live with it. */
static int64_t lowest_offset(const lifetime *x, lifetime *const *placed, size_t n) {
    int64_t offset = 0;
    for (bool moved = true; moved;) {
        moved = false;
        for (size_t i = 0; i < n; i++) {
            const lifetime *y = placed[i];
            if (!overlap_in_time(x, y) || y->offset >= offset + x->bytes || y->offset + y->bytes <= offset)
                continue;
            offset = y->offset + y->bytes;
            moved = true;
        }
    }
    return offset;
}

status plan_memory(program *p) {
    lifetime *all = find_lifetimes(p);
    TRY_ALLOC(all);
    lifetime **order = ARENA_NEW_N(p->memory, lifetime *, p->buffers.n + 1);
    TRY_ALLOC(order);
    size_t n = 0;
    for (size_t i = 0; i < p->buffers.n; i++)
        if (p->buffers.at[i].place == PLACE_ARENA && all[i].first >= 0)
            order[n++] = &all[i];
    qsort(order, n, sizeof *order, larger_first);
    p->arena_bytes = 0;
    for (size_t i = 0; i < n; i++) {
        order[i]->offset = lowest_offset(order[i], order, i);
        p->buffers.at[order[i]->buffer].offset = order[i]->offset;
        if (order[i]->offset + order[i]->bytes > p->arena_bytes)
            p->arena_bytes = order[i]->offset + order[i]->bytes;
    }
    return STATUS_OK;
}

int64_t plan_lower_bound(const program *p) {
    const lifetime *all = find_lifetimes(p);
    int64_t most = 0;
    for (size_t s = 0; all != NULL && s < p->steps.n; s++) {
        int64_t alive = 0;
        for (size_t i = 0; i < p->buffers.n; i++)
            if (p->buffers.at[i].place == PLACE_ARENA && all[i].first >= 0 && all[i].first <= (int64_t)s && (int64_t)s <= all[i].last)
                alive += all[i].bytes;
        most = alive > most ? alive : most;
    }
    return most;
}
