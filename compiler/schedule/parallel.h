/* Loops whose iterations several threads may run: what parallel*.c, independent.c and trips.c share. Private to
 * schedule/. */
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
    var_source *vars;          /* by variable */
    const void *const *tables; /* by buffer: what a constant holds; NULL, all or one: not known */
} kernel_view;

/* Between which iterations of a loop threads may divide the work. */
typedef enum loop_cut {
    CUT_NOWHERE,
    CUT_BUT_LAST, /* everywhere but before the last one, which stores some of the same elements as the one before */
    CUT_ANYWHERE
} loop_cut;

/* How a loop goes through a buffer: in every `period` elements from the beginning of `part` of them to its end, so that
 * threads that divide the loop divide each period into pieces. The part is 0 where all iterations touch the same. */
typedef struct loop_share {
    double part;
    int64_t period;
} loop_share;

#define PARALLEL_MOST_LOOPS 4

/* ---- independent.c ---- */
status kernel_view_of(const kernel *k, arena *scratch, kernel_view *out);
/* The largest value of an extent; INT64_MAX where nothing is known. */
int64_t kernel_most(const kernel_view *v, const expr *extent);
/* x OP y of an address; false where it cannot be said. */
bool index_operate(expr_kind op, int64_t x, int64_t y, int64_t *out);
/* Proves from the addresses what can be said of `loop`, a FOR of constant extent within `nest`: iterations of the two
 * sides of a cut never touch the same element of a buffer that the nest writes, whatever the other loops do. */
status loop_cut_of(const kernel_view *v, const stmt *nest, const stmt *loop, loop_cut *out);
/* How the loop goes through each buffer, for estimates. `out`: zeros, one for each buffer. */
status loop_shares_of(const kernel_view *v, const stmt *nest, const stmt *loop, loop_share *out);

/* ---- trips.c ---- */
/* How often a loop of this extent runs, on average over the loops around it; at most, where that varies for other
 * reasons than the tables; 1 where nothing is known. */
double kernel_trips(const kernel_view *v, const expr *extent);
/* The tables of a kernel_view, as they are in this step; NULL: no memory. */
const void *const *step_tables(const program *p, const program_step *s, arena *a);

/* ---- what is decided of a kernel ---- */

/* A loop that may be cut into blocks. */
typedef struct cut_loop {
    stmt *at;
    int64_t n, units; /* iterations, and what they are divided into: where the last two belong together, one less */
    const loop_share *shares; /* by buffer */
} cut_loop;

/* A way to cut: so many parts of one loop, each of them into so many of another (or NULL). No outer one: not at all. */
typedef struct way {
    const cut_loop *outer, *inner;
    int64_t outer_parts, inner_parts;
    double own; /* cycles of all its steps, but for what is handed from kernel to kernel */
} way;

typedef struct handed handed;

typedef struct cutting {
    kernel *k;
    arena *memory;
    int threads;
    int steps; /* that call the kernel */
    kernel_view view;
    stmt *nest;
    double cycles;     /* of its operations, in one thread */
    bool *is_constant; /* by buffer */
    const buffer_traffic *traffic;
    VEC(handed *) handed; /* what it reads and writes, of all steps */
    int n_loops;
    cut_loop loops[PARALLEL_MOST_LOOPS];
    VEC(way) ways;  /* the first: not at all */
    const way *way; /* the one that is taken */
    builder *b;
} cutting;

/* What one kernel writes and others read. */
typedef struct handed_to {
    const cutting *to;
    size_t as; /* which of its buffers */
} handed_to;
struct handed {
    const cutting *from; /* NULL: the caller */
    size_t as;
    VEC(handed_to) readers; /* in the order of the steps */
};

/* ---- parallel_cost.c ---- */
/* Cycles of the kernel's operations in one thread. */
double kernel_operations(const kernel_view *v);
/* Is the whole kernel, with all that could come from elsewhere, shorter than handing it out? */
bool is_too_small(const cutting *c);
double way_own_cost(const cutting *c, const way *w);
/* Cycles in which what is handed over comes to those who read it, as all kernels are divided now. */
double handing_cost(const handed *h, int threads);
/* What c->way costs, itself and in what is handed from and to c. */
double way_cost(const cutting *c);
/* How long the stretches are of which c->way gives each thread an equal piece to write; 0 where it does not. */
int64_t piece_of(const cutting *c);

/* ---- parallel_cut.c ---- */
/* As c->way says, which has an outer loop. */
status cut_kernel(cutting *c);

#endif
