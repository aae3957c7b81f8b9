/* Tiles that were measured to be faster than what the cost model chooses: a table to go by, and what the one who
 * measures wants to know. Nothing here takes a time. */
#ifndef TENON_SCHEDULE_TUNING_H
#define TENON_SCHEDULE_TUNING_H

#include "base/diag.h"
#include "base/map.h"
#include "loop/target.h"

/* How a contraction is computed. Axes are counted as the kernel's name lists them, from 0. */
typedef struct tile_choice {
    int along;      /* the axis that the vectors lie along */
    int rows_along; /* the axis of the block's rows; -1: the block is one row */
    int runs_on;    /* the axis around that one which rows run on into, or -1 */
    int lanes, vectors, tail, rows;
    int panels; /* are blocks along `along` the outermost loop? -1: as the cost model says, or where it is all one */
} tile_choice;

enum { TILE_MOST_ROWS = 14, TILE_MOST_VECTORS = 8, TILE_MOST_LANES = 64 };

typedef struct tune_entry {
    const char *target; /* by name; nobody has to know it */
    int threads;
    const char *kernel; /* tuning_kernel's text */
    tile_choice tile;
    double default_us, tuned_us; /* when it was measured */
    int line;                    /* of the file; 0: none */
} tune_entry;

/* A tune file. */
typedef struct tune_table {
    const char *file;
    VEC(tune_entry) at;
} tune_table;

/* A kernel that can be computed in several ways. */
typedef struct tune_site {
    const char *kernel;
    tile_choice chosen;      /* by the cost model, or by the table */
    VEC(tile_choice) others; /* what may be faster, the most promising first */
} tune_site;
typedef struct tune_sites {
    arena *memory;
    map by_kernel;
    VEC(tune_site *) at;
} tune_sites;

/* What a schedule goes by. */
typedef struct tuning {
    const tune_table *table; /* NULL: the cost model alone */
    int threads;
    bool *used;        /* by entry of the table: does it stand for some kernel? */
    tune_sites *sites; /* where not NULL, gets every contraction that is scheduled in tiles */
    diag *diags;
} tuning;

/* May some kernel have such a tile? *out_why says what is wrong with it. */
bool tile_choice_is_sound(const tile_choice *c, const char **out_why);
bool tile_choice_is_same(const tile_choice *x, const tile_choice *y);
/* The table's entry for the kernel; NULL: none. */
const tune_entry *tuning_find(const tuning *t, const target *machine, const char *name);
/* How many entries are for the target and so many threads. */
size_t tune_table_count(const tune_table *t, const target *machine, int threads);

#endif
