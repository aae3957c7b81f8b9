/* Which products each step has. */
#include <string.h>

#include "schedule/sparse.h"

#define MOST_LANES 16
#define NUMBER_BITS 4

typedef struct packer {
    const sparse_tap *taps;
    int64_t n;
    const char *source;
    size_t size; /* of an element */
    int64_t column_step, extent;
    int64_t first[MOST_LANES]; /* positions of the lanes' weights */
    int64_t next[MOST_LANES];  /* the tap that comes next; n: none */
    sparse *s;
    bool writes;
} packer;

static bool is_zero(const packer *p, int64_t at) {
    const char *from = p->source + at * (int64_t)p->size;
    float x;
    if (p->s->elem == DT_F32) {
        memcpy(&x, from, sizeof x);
        return x == 0;
    }
    for (size_t i = 0; i < p->size; i++)
        if (from[i] != 0)
            return false;
    return true;
}

static void skip_zeros(packer *p, int lane) {
    while (p->next[lane] < p->n && is_zero(p, p->first[lane] + p->taps[p->next[lane]].weight))
        p->next[lane]++;
}

static void begin_block(packer *p, int64_t number) {
    int64_t first = number * p->s->lanes, last = p->extent - p->s->lanes;
    first = first < last ? first : last;
    for (int lane = 0; lane < p->s->lanes; lane++) {
        p->first[lane] = (first + lane) * p->column_step;
        p->next[lane] = 0;
        skip_zeros(p, lane);
    }
}

/* The lane that is furthest behind; -1 where all have ended. */
static int hindmost(const packer *p) {
    int found = -1;
    for (int lane = 0; lane < p->s->lanes; lane++)
        if (p->next[lane] < p->n && (found < 0 || p->next[lane] < p->next[found]))
            found = lane;
    return found;
}

/* Lanes that have nothing in the window multiply what the hindmost one does by 0. */
static void take_step(packer *p, int64_t step, int leader) {
    sparse *s = p->s;
    int64_t most = p->taps[p->n - 1].place - (s->lanes - 1), place = p->taps[p->next[leader]].place;
    int64_t base = place < most ? place : most;
    uint32_t *numbers = s->numbers + step / s->each * s->lanes;
    int shift = (int)(step % s->each) * NUMBER_BITS;
    if (p->writes)
        s->base[step] = (int32_t)base;
    for (int lane = 0; lane < s->lanes; lane++) {
        const sparse_tap *tap = p->next[lane] < p->n ? &p->taps[p->next[lane]] : NULL;
        bool takes = tap != NULL && tap->place < base + s->lanes;
        if (p->writes && takes)
            memcpy((char *)s->values + (size_t)(step * s->lanes + lane) * p->size,
                   p->source + (p->first[lane] + tap->weight) * (int64_t)p->size, p->size);
        if (p->writes && s->lanes > 1)
            numbers[lane] |= (uint32_t)((takes ? tap->place : place) - base) << shift;
        if (takes) {
            p->next[lane]++;
            skip_zeros(p, lane);
        }
    }
}

/* Steps of the block, whole groups; from `step` on. */
static int64_t pack_block(packer *p, int64_t number, int64_t step) {
    int64_t n = 0, each = p->s->each;
    begin_block(p, number);
    for (int leader; (leader = hindmost(p)) >= 0; n++)
        take_step(p, step + n, leader);
    for (; n % each != 0; n++) /* by zeros */
        if (p->writes)
            p->s->base[step + n] = p->s->base[step + n - 1];
    return n;
}

status sparse_pack(arena *a, const sparse_tap *taps, int64_t n, const void *source, int64_t column_step, int64_t extent,
                   sparse *s) {
    packer p = {.taps = taps,
                .n = n,
                .source = source,
                .size = dtype_bytes(s->elem, 1),
                .column_step = column_step,
                .extent = extent,
                .s = s};
    int32_t *groups = ARENA_NEW_N(a, int32_t, s->blocks + 1);
    TRY_ALLOC(groups);
    for (int64_t i = 0; i < s->blocks; i++) {
        s->steps += pack_block(&p, i, s->steps);
        groups[i + 1] = (int32_t)(s->steps / s->each);
    }
    s->groups = groups;
    size_t slots = (size_t)s->steps * (size_t)s->lanes;
    TRY_ALLOC(s->base = ARENA_NEW_N(a, int32_t, s->steps + 1));
    TRY_ALLOC(s->numbers = ARENA_NEW_N(a, uint32_t, (size_t)groups[s->blocks] * (size_t)s->lanes + 1));
    TRY_ALLOC(s->values = arena_alloc_n(a, slots + 1, p.size));
    p.writes = true;
    for (int64_t i = 0; i < s->blocks; i++)
        pack_block(&p, i, (int64_t)groups[i] * s->each);
    return STATUS_OK;
}
