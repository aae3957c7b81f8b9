/* Sums of products by constants most of which are zero: only those that are not are stored and multiplied. Two ways.
 *
 * Permuted: lanes lie along the axis of the results that the weights step along, as in a tile. In one step each lane
 * takes one of its own products: the weight, and one of the data of a window, which PERMUTE brings to the lane. Windows
 * are as long as a vector and begin where the lane that is furthest behind has its next product, so that no data are
 * gathered. Where several steps share a window, that is loaded once, and whole vectors from the first datum on. Windows
 * of two vectors leave fewer lanes without a product: less is stored, in steps that take longer. Some steps are a
 * group, whose lane numbers, of four or five bits, stand in one integer a lane.
 *
 * Across: lanes lie along an axis that the data step along by one, as the columns of a picture. Each result of the
 * other axis has a list of weights and places: one weight is multiplied by vectors of the data. A target without
 * vectors has such lists, too.
 *
 * Across a copy: where data do not step so, as the rows of a matrix, or vectors would lie across two lines, they are
 * copied first, each datum of a result for all rows in turn. What a block of rows reads may be more than the first
 * cache holds: then a panel of results goes through its lists by parts, with the sums in memory between them. */
#ifndef TENON_SCHEDULE_SPARSE_H
#define TENON_SCHEDULE_SPARSE_H

#include "schedule/plan.h"

typedef struct sparse_way {
    bool across, copied;
    int shared;  /* steps in turn that have one window */
    int chains;  /* sums of one result that are added up at the end */
    int vectors; /* of a window: 1, 2 */
} sparse_way;

typedef struct sparse {
    const expr *data, *weights; /* the loads */
    int axis;                   /* outer one, that the weights step along */
    int64_t extent, column_step;
    dtype elem;                       /* of the weights */
    const struct sparse_tap *taps;    /* of one result, sorted by place */
    const struct sparse_tap *counted; /* the same in the order of the reduction, whose steps are their places */
    int64_t n_taps;
    sparse_way way;
    int lanes;             /* of a step: 1 where it is a list */
    int group;             /* steps whose numbers stand together */
    int number_bits;       /* of each */
    int parts;             /* of a list, one after another */
    int64_t panel;         /* results whose parts lie together: all, or a divisor of the extent */
    bool turns;            /* a copy's sums are turned, since results lie along the axis */
    int64_t room;          /* elements from one place of a copy to the next; 1 where there is none */
    int64_t blocks, steps; /* along the axis, of each part; of all blocks */
    int32_t *groups;       /* [blocks + 1]: the first of each block */
    int32_t *base;         /* [steps / shared]: where the window lies from the first of the data */
    int32_t *numbers;      /* [groups][lanes]: for each step, which of the window */
    void *values;          /* [steps][lanes] */
    int slot_of_groups, slot_of_base, slot_of_numbers, slot_of_values;
    int slot_of_sums; /* of a panel in a block of rows, before and between parts, and before they are turned */
} sparse;

enum { SPARSE_MOST_LANES = 16, SPARSE_MOST_POINTS = 16 };

/* ---- sparse.c ---- */
/* The stage whose products by constants could be written so along the axis; *out is NULL where none can or too few are
 * zero. */
status sparse_read(plan *p, int axis, sparse **out, int *out_stage);
/* Prepares s for the way, and finds the best block of rows or vectors for it: in `cost` its half cycles with what the
 * other stages take; see tile_cost.c. Infinity where the way cannot be gone. */
status sparse_cost(const plan *p, sparse *s, const sparse_way *way, kernel_choice *out, double *cost);
/* Of its constants, as sparse_cost was last asked. */
double sparse_bytes(const sparse *s);
/* The stage becomes a sum that `s`, for which sparse_cost was last asked, describes: its value is the data. Vectors lie
 * along that axis. */
status sparse_take(plan *p, int stage, sparse *s, int along);
/* Buffers for the constants of such a stage, and for its sums in a block of so many elements, around whose panels are
 * loops of so many iterations. */
status sparse_slots(plan *p, const plan_stage *g, int64_t width, int64_t around);
/* Sums of the block of this number (of the list), one for each of n points, whose data begin at these addresses:
 * vectors of so many lanes. They are added to those in `out` where `begun`. */
void sparse_sums(plan *p, const plan_stage *g, const expr *number, const expr *const *addresses, int n, int lanes,
                 bool begun, const expr **out);

/* ---- sparse_pack.c ---- */
/* A product: the place of its datum from the first, and its weight's in the source. */
typedef struct sparse_tap {
    int64_t place, weight;
} sparse_tap;
/* Fills group, number_bits and steps; then groups and all that they hold. */
void sparse_count(const void *source, sparse *s);
status sparse_pack(arena *a, const void *source, sparse *s);
#endif
