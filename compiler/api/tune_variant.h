/* Variants of a program for tenon tune: compiled with a clock between their steps, and compared in turns. */
#ifndef TENON_API_TUNE_VARIANT_H
#define TENON_API_TUNE_VARIANT_H

#include "api/handles.h"

/* What all variants share. */
typedef struct tune_stand {
    tenon_graph *t;
    const pipeline *base; /* through PIPELINE_PASSES */
    const llvm_table *llvm;
    tenon_env env;
    const void *const *inputs; /* set once there is a program */
} tune_stand;

typedef struct tune_variant {
    pipeline built;
    llvm_code *code;
    void *scratch;
    void **outputs;
    int64_t *ns; /* of a run: when each step began, and the last one ended */
} tune_variant;

/* The program with the table's tiles; NULL: with the cost model's. sites may be NULL. Whatever comes of it, the caller
 * frees it. */
status tune_variant_new(const tune_stand *b, const tune_table *table, tune_sites *sites, tune_variant *out);
void tune_variant_free(const tune_stand *b, tune_variant *v);

/* Two variants' times for one kernel, or all of a run. */
typedef struct tune_ratio {
    bool known;           /* both have it */
    double median, upper; /* of b's time in a's, round by round; three quarters of the rounds are below `upper` */
    double a_us, b_us;    /* medians */
} tune_ratio;

/* Rounds of a run of each, for so many seconds, at least `least` of them. out: one entry for each site, then that of
 * whole runs. What is told by then counts where the host says stop: *out_stopped. */
status tune_compare(const tune_stand *b, tune_variant *x, tune_variant *y, tune_site *const *sites, size_t n,
                    double seconds, size_t least, arena *a, tune_ratio *out, bool *out_stopped);
/* Does the host say stop? */
bool tune_stopped(const tenon_context *c);

#endif
