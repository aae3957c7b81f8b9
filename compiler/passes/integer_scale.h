/* Numbers of the pass `integer`: scales as integers, and what sums can be. Private to passes/. */
#ifndef TENON_PASSES_INTEGER_SCALE_H
#define TENON_PASSES_INTEGER_SCALE_H

#include "base/dtype.h"

typedef struct span {
    int64_t lo, hi;
} span;

/* The real number mult * 2^-shift. */
typedef struct fixed {
    int64_t mult;
    int shift;
} fixed;

/* The one nearest to x > 0 with mult < 2^bits and shift <= most. False where x is too large or no number. */
bool fixed_of(double x, int bits, int most, fixed *out);
/* How many bits a multiplier may have so that its products with values of the span fit 62 bits: 31 or fewer. */
int fixed_bits(span of);
/* round half to even(x / scale) + zero, within lo .. hi; zero where x is no number. */
int64_t quantised_number(double x, double scale, int64_t zero, span within);
bool span_fits(span x, dtype t);
/* The narrowest of i8, i16 and i32 that holds the span. */
dtype span_type(span x);
/* All sums of n products of one value from each span. */
span span_of_product(span a, span b, int64_t n);
/* Adds the products of a number with all values of x. */
void span_add_scaled(span *sum, int64_t factor, span x);

#endif
