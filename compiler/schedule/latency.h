/* The cost model of whole programs: cycles that the target's core takes, and bytes that move. */
#ifndef TENON_SCHEDULE_LATENCY_H
#define TENON_SCHEDULE_LATENCY_H

#include "loop/loop.h"

/* Of a step of a program, by the model: nothing is measured. */
typedef struct step_cost {
    double cycles;
    int64_t bytes; /* that it reads and writes, each element once */
} step_cost;

typedef struct program_cost {
    const step_cost *steps;         /* by step */
    const buffer_traffic **traffic; /* by kernel */
    double cycles;                  /* of a run */
    int64_t bytes;
} program_cost;

/* Cycles of one call whose data are in the nearest cache. tables: what its constants hold (step_tables), or NULL.
 * *out_varies: does that say how often loops run? */
status kernel_cycles(const kernel *k, const target *t, const void *const *tables, arena *a, double *out,
                     bool *out_varies);
/* A run of the program in its threads. Everything lives in `a`. */
status program_cost_of(const program *p, arena *a, program_cost *out);

#endif
