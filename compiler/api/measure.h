/* Facts on a program and on this machine, for reports. */
#ifndef TENON_API_MEASURE_H
#define TENON_API_MEASURE_H

#include "loop/loop.h"

typedef struct program_facts {
    int64_t macs, weight_bytes;
    double weight_bits, data_bits; /* average, by element */
} program_facts;

typedef struct element_count {
    double elements, bits;
} element_count;

/* Adds the constants and the other buffers of the step; those of the program that are `seen` (NULL: none) are left out,
 * and become so. */
void measure_step(const program *p, const program_step *s, bool *seen, element_count *weights, element_count *data);
/* Counts what the program's steps use. */
status measure_program(const program *p, arena *scratch, program_facts *out);
/* Bytes of this process in memory; 0 where the machine does not tell. */
int64_t measure_resident(void);
/* Of this processor's clock, by what the system says; 0 where it does not tell. */
double measure_megahertz(void);
/* The processor's name, in `a`; never NULL. */
const char *measure_cpu(arena *a);
void measure_sort(double *x, size_t n);
/* The value at place `share` (0 to 1) of the sorted list. */
double measure_quantile(const double *sorted, size_t n, double share);

#endif
