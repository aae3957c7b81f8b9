/* How long each step of a program takes: traced code, compiled beside the code whose latency counts. */
#ifndef TENON_API_STEP_TIMES_H
#define TENON_API_STEP_TIMES_H

#include "api/handles.h"

typedef struct step_times {
    const double *us;       /* by step: the median, without what the clock costs */
    const int64_t *line_ns; /* the run of median length: when each step began, and the last one ended */
    double tick_us;         /* what reading the clock costs a step */
    int64_t runs;
} step_times;

/* A clock for traced code: ctx is an array of nanoseconds, with room for one more than there are steps. */
void step_times_tick(void *ctx, int64_t step);
/* Compiles code->p once more with a clock between its steps, and runs that for so many seconds, a few thousand times at
 * most. */
status step_times_measure(tenon_code *code, const void *const *inputs, void *const *outputs, double seconds, arena *a,
                          step_times *out);

#endif
