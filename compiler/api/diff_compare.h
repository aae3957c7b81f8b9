/* The values inside two forms of a model, compared on data, one sample a run. */
#ifndef TENON_API_DIFF_COMPARE_H
#define TENON_API_DIFF_COMPARE_H

#include "api/diff_side.h"
#include "report/report.h"

/* A pair, where its values are among the outputs, and what has been found so far. */
typedef struct compared {
    diff_pair of;
    int real[2];    /* numbers of outputs, of a and of b */
    int integer[2]; /* likewise; -1 none */
    bool is_output, same_bits;
    comparison numbers;
    saturation ends[2];
} compared;

typedef struct differing {
    tenon_graph *t;
    arena *memory; /* the report's */
    data_file file;
    diff_side a, b;
    const target *machine;
    compared *rows;
    size_t n;
    int64_t samples;
    bool stopped;
} differing;

/* ---- diff_compare.c ---- */
/* The rows: which values of the two built sides belong together. They become outputs. [no-match] STATUS_INVALID. */
status diff_compare_match(differing *x);
/* Compiles both sides and runs the samples of the file. x->stopped where option stop-after ended it. */
status diff_compare_run(differing *x);
/* What a report says of p; ends NULL: its integers have not been counted. */
status diff_compare_describe(const diff_point *p, const saturation *ends, arena *a, diff_value *out);

#endif
