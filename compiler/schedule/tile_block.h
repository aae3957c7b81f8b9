/* The block that tiles.c writes: what it shares with tile_sums.c. */
#ifndef TENON_SCHEDULE_TILE_BLOCK_H
#define TENON_SCHEDULE_TILE_BLOCK_H

#include "schedule/tiles.h"

typedef struct tile_state {
    tile *t;
    const expr *a_first, *c_first; /* of the current block */
    const expr *a_index, *c_index; /* the current block */
    const expr **from, **to;       /* axes bound to loops around the block */
    int n;
    pair_kind kind;        /* of the steps that are emitted */
    const expr ***results; /* [stage][point]: reduced and other kept values */
    const expr *list;      /* across a copy: the current part of a list */
    const expr *sums;      /* where its sums stand that it begins with; NULL: nowhere */
} tile_state;

/* Until s->n falls again, `from` is `to`. */
void block_bind(tile_state *s, const expr *from, const expr *to);
/* A loop, but for one step; returns the number of the step. */
const expr *block_loop(tile_state *s, const char *name, int64_t extent);
void block_end(tile_state *s, int64_t extent);
/* x at vector v and row r of the block: `lanes` lanes, or the scalar of lane 0 (for addresses). */
const expr *block_at(tile_state *s, int stage, const expr *x, int v, int r, int lanes);
/* `n` lanes of the concatenation of x and y, from `first` on. */
const expr *block_lanes(builder *b, const expr *x, const expr *y, int first, int n);

/* ---- tile_sums.c ---- */

/* n reductions side by side, from stage `first` on, each into s->results. */
void block_reduce(tile_state *s, int first, int n);

#endif
