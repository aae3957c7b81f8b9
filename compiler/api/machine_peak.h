/* What this machine can do at most, measured with the code generator that the model's code comes from. */
#ifndef TENON_API_MACHINE_PEAK_H
#define TENON_API_MACHINE_PEAK_H

#include "api/context.h"

typedef struct machine_peak {
    double gflops;    /* f32 multiply-adds on one core, all in registers: two operations each */
    double bandwidth; /* GB/s of reading `bytes` over and over */
    int64_t bytes;
} machine_peak;

/* Measures on target t, which must run here, with a buffer of about so many bytes (64 KB at least). */
status machine_peak_measure(tenon_context *c, const target *t, int64_t bytes, arena *a, machine_peak *out);

#endif
