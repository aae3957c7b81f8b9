/* Sums of products by constants most of which are zero: only those that are not are stored and multiplied.
 *
 * Lanes lie along the axis of the results that the weights step along, as in a tile. In one step each lane takes one of
 * its own products: the weight, and one of the data of a window, which PERMUTE brings to the lane. All windows of a
 * block of lanes are as long as a vector and begin where the lane that is furthest behind has its next product, so
 * that no data are gathered. Eight steps are a group, whose lane numbers, of four bits, stand in one integer a lane. A
 * target without PERMUTE has one lane: its own list of weights and places. */
#ifndef TENON_SCHEDULE_SPARSE_H
#define TENON_SCHEDULE_SPARSE_H

#include "schedule/plan.h"

typedef struct sparse {
    const expr *data, *weights; /* the loads; what they are multiplied as is the stage's value */
    int axis, lanes;
    int chains;            /* sums of one result that are added up at the end */
    int each;              /* steps of a group */
    int64_t blocks;        /* along the axis */
    int64_t steps;         /* of all blocks */
    const int32_t *groups; /* [blocks + 1]: the first of each block */
    int32_t *base;         /* [steps]: where the window lies from the first of the data */
    uint32_t *numbers;     /* [groups][lanes]: for each step, which of the window */
    void *values;          /* [steps][lanes] */
    dtype elem;            /* of the values */
    int slot_of_groups, slot_of_base, slot_of_numbers, slot_of_values;
} sparse;

/* ---- sparse.c ---- */
/* The stage whose products by constants could be written so along the axis, in the target's vectors or in single
 * lanes; *out is NULL where none can or too few are zero. */
status sparse_read(plan *p, int axis, sparse **out, int *out_stage);
/* The best block of rows for it, by its chains, and its half cycles with what the other stages take; see tile_cost.c.
 */
double sparse_cost(const plan *p, const sparse *s, kernel_choice *out);
/* The stage becomes a sum that `s` describes: its value is what the data are multiplied as. */
void sparse_take(plan *p, int stage, sparse *s);
/* Buffers for the constants of such a stage. */
status sparse_slots(plan *p, sparse *s);
/* Sums of the block of this number, a vector for each of the rows, whose data begin at these addresses. */
void sparse_sums(plan *p, const plan_stage *g, const expr *number, const expr *const *addresses, int rows,
                 const expr **out);

/* ---- sparse_pack.c ---- */
/* A product: the place of its datum from the first, and its weight's in the source. */
typedef struct sparse_tap {
    int64_t place, weight;
} sparse_tap;
/* Fills groups and what they hold from `n` taps, sorted by place. `columns` are the weights' positions of the results,
 * `extent` of them in all. */
status sparse_pack(arena *a, const sparse_tap *taps, int64_t n, const void *source, int64_t column_step, int64_t extent,
                   sparse *s);
#endif
