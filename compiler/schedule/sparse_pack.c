/* Which products each step has. */
#include <string.h>

#include "schedule/sparse.h"

typedef struct packer {
    sparse *s;
    const char *source;
    size_t size;                      /* of an element */
    int64_t first[SPARSE_MOST_LANES]; /* positions of the lanes' weights */
    int64_t next[SPARSE_MOST_LANES];  /* the tap that comes next; end: none */
    int64_t end;                      /* of the part's taps */
    bool writes;
} packer;

static void skip_zeros(packer *p, int lane) {
    const sparse *s = p->s;
    while (p->next[lane] < p->end &&
           dtype_get_double(s->elem, p->source, (size_t)(p->first[lane] + s->taps[p->next[lane]].weight)) == 0)
        p->next[lane]++;
}

static void begin_block(packer *p, int64_t number) {
    const sparse *s = p->s;
    int64_t in_panel = s->panel * s->parts, part = number % in_panel / s->panel;
    int64_t first = (number / in_panel * s->panel + number % s->panel) * s->lanes, last = s->extent - s->lanes;
    first = first < last ? first : last;
    p->end = s->n_taps * (part + 1) / s->parts;
    for (int lane = 0; lane < s->lanes; lane++) {
        p->first[lane] = (first + lane) * s->column_step;
        p->next[lane] = s->n_taps * part / s->parts;
        skip_zeros(p, lane);
    }
}

/* The place of the lane that is furthest behind, as it was where all have ended: then false. */
static bool hindmost(const packer *p, int64_t *place) {
    int64_t least = p->end;
    for (int lane = 0; lane < p->s->lanes; lane++)
        least = p->next[lane] < least ? p->next[lane] : least;
    if (least < p->end)
        *place = p->s->taps[least].place;
    return least < p->end;
}

/* Windows begin at multiples of it, from the first datum on. A load of a whole line mostly costs two where it may begin
 * anywhere: more than the steps that this adds. */
static int64_t alignment(const sparse *s) {
    if (s->way.shared > 1)
        return s->lanes;
    return s->way.vectors == 1 ? 1 : s->lanes == SPARSE_MOST_LANES ? 8 : 2;
}

static int64_t window_at(const sparse *s, int64_t place) {
    int64_t first = s->taps[0].place, most = s->taps[s->n_taps - 1].place - (s->lanes * s->way.vectors - 1);
    place -= (place - first) % alignment(s);
    return place < most ? place : most;
}

/* One step in the window. A lane that has nothing there multiplies what it shows of `place` by 0. */
static void take_step(packer *p, int64_t step, int64_t base, int64_t place) {
    sparse *s = p->s;
    int64_t group = step / s->group * s->lanes;
    int shift = (int)(step % s->group) * s->number_bits;
    for (int lane = 0; lane < s->lanes; lane++) {
        const sparse_tap *tap = p->next[lane] < p->end ? &s->taps[p->next[lane]] : NULL;
        bool takes = tap != NULL && tap->place < base + s->lanes * s->way.vectors;
        if (p->writes && takes)
            memcpy((char *)s->values + (size_t)(step * s->lanes + lane) * p->size,
                   p->source + (p->first[lane] + tap->weight) * (int64_t)p->size, p->size);
        if (p->writes && s->lanes > 1)
            s->numbers[group + lane] |= (int32_t)((takes ? tap->place : place) - base) << shift;
        if (takes) {
            p->next[lane]++;
            skip_zeros(p, lane);
        }
    }
}

/* Steps of the block, whole groups; from `step` on. */
static int64_t pack_block(packer *p, int64_t number, int64_t step) {
    sparse *s = p->s;
    int64_t n = 0, place = s->taps[0].place;
    begin_block(p, number);
    for (; hindmost(p, &place) || n % s->group != 0; n += s->way.shared) {
        int64_t base = window_at(s, place);
        for (int i = 0; i < s->way.shared; i++)
            take_step(p, step + n + i, base, place);
        if (p->writes)
            s->base[(step + n) / s->way.shared] = (int32_t)base;
    }
    return n;
}

void sparse_count(const void *source, sparse *s) {
    packer p = {.s = s, .source = source, .size = dtype_bytes(s->elem, 1)};
    const bool narrow = s->lanes * s->way.vectors <= 16;
    s->number_bits = narrow ? 4 : 5;
    s->group = narrow ? 16 / 4 : 32 / 5;
    s->steps = 0;
    for (int64_t i = 0; i < s->blocks * s->parts; i++)
        s->steps += pack_block(&p, i, s->steps);
}

status sparse_pack(arena *a, const void *source, sparse *s) {
    packer p = {.s = s, .source = source, .size = dtype_bytes(s->elem, 1), .writes = true};
    int64_t slots = s->steps * s->lanes, step = 0;
    TRY_ALLOC(s->groups = ARENA_NEW_N(a, int32_t, s->blocks * s->parts + 1));
    TRY_ALLOC(s->base = ARENA_NEW_N(a, int32_t, s->steps / s->way.shared + 1));
    TRY_ALLOC(s->numbers = ARENA_NEW_N(a, int32_t, slots / s->group + 1));
    TRY_ALLOC(s->values = arena_alloc_n(a, (size_t)slots + 1, p.size));
    for (int64_t i = 0; i < s->blocks * s->parts; i++) {
        step += pack_block(&p, i, step);
        s->groups[i + 1] = (int32_t)(step / s->group);
    }
    return STATUS_OK;
}
