/* One of the two models of tenon diff, compiled so that the values inside come out. */
#ifndef TENON_API_DIFF_SIDE_H
#define TENON_API_DIFF_SIDE_H

#include "api/diff_points.h"
#include "api/model_side.h"

typedef struct diff_side {
    model_side m;
    pipeline built; /* until it is compiled */
    diff_points points;
    map numbers; /* value -> its output's number + 1, as a pointer */
} diff_side;

/* ---- diff_side.c ---- */
/* Reads the data, and takes the graph through the clean-up: points are known then. */
status diff_side_build(diff_side *s, data_file *file, const target *machine, arena *memory);
/* Makes v an output, once; *out_number is the output's. */
status diff_side_expose(diff_side *s, const value *v, int *out_number);
/* Compiles what the graph has become. */
status diff_side_compile(diff_side *s, arena *memory);
void diff_side_free(diff_side *s);

#endif
