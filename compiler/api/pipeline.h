/* The way of the data: from a model file to a verified loop program. */
#ifndef TENON_API_PIPELINE_H
#define TENON_API_PIPELINE_H

#include "api/pass_plan.h"
#include "lower/lower.h"

/* The shape that somebody gives for an input: option shape, a frozen file, test data. */
typedef struct input_shape {
    const char *input;
    const char *giver; /* for diagnostics: "--shape", "input_0.pb" */
    status code;       /* of a contradiction: STATUS_USAGE, STATUS_INVALID */
    int rank;
    const int64_t *dims;
} input_shape;

/* What travels through the stages. */
typedef struct pipeline {
    tenon_context *c;
    const tenon_options *o;
    const char *path;
    pass_plan *plan; /* borrowed */
    graph *g;        /* owned */
    /* from bind on */
    const input_shape *shapes; /* of the data */
    size_t n_shapes;
    bool may_be_unbound; /* a graph is all that is wanted */
    bool quiet;          /* no dump and no times: these stages have been seen */
    /* from lower on */
    arena *memory; /* the program's */
    const target *machine;
    const char *name, *origin;
    program *p;
    step_nodes_list steps;   /* by p's step */
    const tune_table *tuned; /* tiles to go by; NULL: option tune's, if any */
    tune_sites *sites;       /* where not NULL, gets the contractions of the program */
    size_t n_tuned;          /* entries of the table that were used */
    bool stopped;            /* by option stop-after */
    double milliseconds;
} pipeline;

typedef enum stage_id {
    PIPELINE_IMPORT,
    PIPELINE_EDIT,
    PIPELINE_BIND,
    PIPELINE_PASSES,
    PIPELINE_LOWER,
    PIPELINE_VERIFY,
    PIPELINE_STAGES
} stage_id;

/* Runs the stages first .. last; none after one that option stop-after names. */
status pipeline_run(pipeline *w, stage_id first, stage_id last);
/* Adds to w->milliseconds, and tells with option time-passes. */
void pipeline_note_time(pipeline *w, const char *what, double milliseconds);
/* Names of stages (where wanted) and passes, for option values and --print-pipeline; NULL-terminated. */
status pipeline_names(arena *a, const pass_registry *r, bool with_stages, const char *const **out, size_t *out_n);

/* The same as rows, for --print-pipeline. */
typedef struct pipeline_row {
    const char *name, *help;
    bool is_pass;
} pipeline_row;
status pipeline_rows(arena *a, const pass_plan *plan, const pipeline_row **out, size_t *out_n);

/* ---- bind_inputs.c ---- */
/* Binds the dimensions of w->g by the options and w->shapes, and makes frozen inputs constants. [unbound-dimension]
 * STATUS_USAGE for each that is left. */
status bind_inputs(pipeline *w);
/* Binds what option dim says of the dimensions that w->g has, before passes see it; bind_inputs does not miss those. */
status bind_early(pipeline *w);

#endif
