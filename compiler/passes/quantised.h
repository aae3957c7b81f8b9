/* What a graph says of quantised values. */
#ifndef TENON_PASSES_QUANTISED_H
#define TENON_PASSES_QUANTISED_H

#include "ir/graph.h"

/* ---- integer_read.c ---- */

/* A value that DequantizeLinear makes of integers of 16 bits or fewer (32 for constants), with constant parameters. */
typedef struct quantised {
    const node *n; /* DequantizeLinear */
    value *q;
    const tensor *scales, *zeros; /* zeros NULL: all are 0 */
    int axis;                     /* -1: one for all */
    int64_t block;                /* elements along the axis that share one; 0: each place has its own */
} quantised;

bool quantised_read(const value *v, quantised *out);
/* One scale and zero point for all? */
bool quantised_is_single(const quantised *x);
double quantised_scale(const quantised *x, int64_t channel);
int64_t quantised_zero(const quantised *x, int64_t channel);

/* Real numbers that are known: a constant, or one that is dequantised. */
typedef struct reals {
    const double *at;
    int64_t n;
    int rank;
    const int64_t *dims;
} reals;
/* False where the value is not known; at is NULL for want of memory. */
bool reals_read(const value *v, arena *a, reals *out);

#endif
