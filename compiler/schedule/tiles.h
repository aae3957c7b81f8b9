/* Register tiles: what tiles.c, tile_choice.c and tile_pack.c share. Private to schedule/. */
#ifndef TENON_SCHEDULE_TILES_H
#define TENON_SCHEDULE_TILES_H

#include "schedule/plan.h"

/* A block of `rows` steps of axis c by `vectors` vectors of `lanes` lanes along axis a, computed in registers. Blocks
 * are as many as cover both axes; the last block along an axis steps back to end with it, so that there are no edges:
 * some elements are computed twice, alike. */
typedef struct tile {
    plan *p;
    int a, c; /* outer axes; c is -1 where there is none */
    int lanes, vectors, rows;
    int64_t a_blocks, c_blocks;
    /* Placeholders in addresses of repacked constants: block along a and c, row and lane inside the block. */
    const expr *a_block, *c_block, *row, *lane;
} tile;

/* First element of block `i` along a / c. */
int64_t tile_a_first(const tile *t, int64_t i);
int64_t tile_c_first(const tile *t, int64_t i);
/* Element inside the block where vector v begins. */
int64_t tile_vector_first(const tile *t, int v);

/* tile_choice.c: picks c, rows and vectors by the registers of the target and a count of loads and operations. */
status tile_choose(plan *p, int a, int lanes, tile *out);
/* tile_pack.c: constants that reductions read go into the order in which the tile reads them; operands whose step along
 * a is neither 0 nor 1 are transposed into scratch first. */
status tile_pack(tile *t);
/* Would it do so with this load, for tiles along outer axis a? */
bool tile_packs(const plan *p, const expr *load, int a);

#endif
