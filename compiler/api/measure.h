/* Facts on a program and on this machine, for reports. */
#ifndef TENON_API_MEASURE_H
#define TENON_API_MEASURE_H

#include "loop/loop.h"

typedef struct program_facts {
    int64_t macs, weight_bytes;
    double weight_bits, data_bits; /* average, by element */
} program_facts;

/* Counts what the program's steps use. */
status measure_program(const program *p, arena *scratch, program_facts *out);
/* Bytes of this process in memory; 0 where the machine does not tell. */
int64_t measure_resident(void);
/* The processor's name, in `a`; never NULL. */
const char *measure_cpu(arena *a);
void measure_sort(double *x, size_t n);
/* The value at place `share` (0 to 1) of the sorted list. */
double measure_quantile(const double *sorted, size_t n, double share);

#endif
