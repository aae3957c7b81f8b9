/* Private to the memory planner. */
#ifndef TENON_SCHEDULE_MEMORY_PLAN_H
#define TENON_SCHEDULE_MEMORY_PLAN_H

#include "schedule/schedule.h"

/* When a buffer of the arena is needed. */
typedef struct lifetime {
    int buffer;
    int64_t bytes;       /* a multiple of PLAN_ALIGN */
    int64_t first, last; /* steps */
    int64_t breadth;     /* the most that lives at a step of its life, itself included */
    int64_t traffic;     /* bytes that a run reads and writes there; where there are several regions */
    int64_t offset;      /* what a plan gives it */
} lifetime;

typedef VEC(lifetime *) lifetime_list;

/* ---- memory_plan.c ---- */
/* The arena buffers that steps use, by their number, in `a`. out_alive, where not NULL: the bytes that live at each
 * step. */
status plan_lifetimes(const program *p, arena *a, lifetime_list *out, int64_t **out_alive);
/* The largest sum of bytes that live at one step. */
status plan_least(const lifetime_list *all, size_t n_steps, arena *scratch, int64_t *out);

/* ---- memory_place.c ---- */
/* Gives each of the list an offset, 0 or more, such that no two that live at one step overlap; the list's order
 * changes. The best of several ways to do it, the first that needs no more than `least`. */
status place_best(lifetime_list *all, int64_t least, arena *scratch, int64_t *out_bytes);
/* The lowest offset at which x meets none of those that are placed. */
status place_one(const lifetime_list *placed, lifetime *x, arena *scratch);
/* As place_best, of a few quick ways. */
status place_quickly(lifetime_list *all, int64_t least, arena *scratch, int64_t *out_bytes);

/* ---- memory_regions.c ---- */
/* plan_memory with regions, of which there is at least one: the offsets are the arena's. */
status place_in_regions(program *p, const memory_regions *regions, lifetime_list *all, arena *scratch);

/* ---- in_place_proof.c ---- */
/* May kernel buffers `from` (read) and `to` (written, and perhaps read back) be the same memory? True where running
 * through k's loops shows that no element of `from` is read after it has been written; each access costs one of
 * *budget, and without any left the answer is no. */
status in_place_is_exact(const kernel *k, int from, int to, int64_t *budget, arena *scratch, bool *out);

#endif
