/* Loops whose iterations several threads may run: what parallel.c and independent.c share. Private to schedule/. */
#ifndef TENON_SCHEDULE_PARALLEL_H
#define TENON_SCHEDULE_PARALLEL_H

#include "loop/loop.h"

/* What defines a variable of a kernel. */
typedef struct var_source {
    const expr *value;  /* of a LET; NULL otherwise */
    const expr *extent; /* of a loop; NULL otherwise */
} var_source;

/* A kernel, and what its variables are. */
typedef struct kernel_view {
    const kernel *k;
    arena *scratch;
    var_source *vars; /* by variable */
} kernel_view;

/* Between which iterations of a loop threads may divide the work. */
typedef enum loop_cut {
    CUT_NOWHERE,
    CUT_BUT_LAST, /* everywhere but before the last one, which stores some of the same elements as the one before */
    CUT_ANYWHERE
} loop_cut;

/* ---- independent.c ---- */
status kernel_view_of(const kernel *k, arena *scratch, kernel_view *out);
/* The largest value of an extent; INT64_MAX where nothing is known. */
int64_t kernel_most(const kernel_view *v, const expr *extent);
/* Proves from the addresses what can be said of `loop`, a FOR of constant extent within `nest`: iterations of the two
 * sides of a cut never touch the same element of a buffer that the nest writes, whatever the other loops do. */
status loop_cut_of(const kernel_view *v, const stmt *nest, const stmt *loop, loop_cut *out);
/* How the loop goes through each buffer, for estimates: near 1 where it moves from its beginning to its end, so that
 * threads that divide the loop divide the buffer into pieces; small where neighbouring iterations touch neighbouring
 * elements everywhere in it; 0 where all iterations touch the same. `out`: zeros, one for each buffer. */
status loop_shares_of(const kernel_view *v, const stmt *nest, const stmt *loop, double *out);

#endif
