/* One of the two models of tenon diff: from its file to a run that gives the values inside. */
#ifndef TENON_API_DIFF_SIDE_H
#define TENON_API_DIFF_SIDE_H

#include "api/diff_points.h"

typedef struct diff_side {
    tenon_graph *opened; /* by diff_side_open; NULL */
    tenon_graph t;       /* with the options that concern it */
    tenon_options o;
    fed_data fed;
    pipeline built; /* until it is compiled */
    diff_points points;
    map numbers; /* value -> its output's number + 1, as a pointer */
    tenon_code *code;
    void **outputs;
    const void **inputs;
} diff_side;

/* ---- diff_side.c ---- */
/* Opens a model file without what the options p and pipeline say. Dumps and stops concern only the graph that they
 * made. */
status diff_side_open(diff_side *s, tenon_context *c, const tenon_options *o, const char *path);
/* Each takes those of the options dim, shape and freeze that concern its model; what concerns neither is a's, who
 * complains of it. */
status diff_side_options(diff_side *a, const tenon_graph *of_a, diff_side *b, const tenon_graph *of_b, arena *memory);
/* Reads the data, and takes the graph through the clean-up: points are known then. */
status diff_side_build(diff_side *s, data_file *file, const target *machine, arena *memory);
/* Makes v an output, once; *out_number is the output's. */
status diff_side_expose(diff_side *s, const value *v, int *out_number);
/* Compiles what the graph has become. */
status diff_side_compile(diff_side *s, arena *memory);
status diff_side_run(diff_side *s, int64_t sample);
void diff_side_free(diff_side *s);

#endif
