/* Integers or floats: what a contraction costs in each. Private to passes/. */
#ifndef TENON_PASSES_INTEGER_CHOICE_H
#define TENON_PASSES_INTEGER_CHOICE_H

#include <stdbool.h>
#include <stdint.h>

#include "loop/target.h"

/* How much work it is. */
typedef struct contraction_size {
    int64_t results, taps; /* numbers that come out; products in each */
    int64_t quantised;     /* of the results, what is left of them where floats are pooled before they are quantised */
    int64_t row;           /* products whose data lie one after another */
    int64_t reads, weights;
    int64_t largest;  /* weight, without its sign; 0: not known */
    int64_t channels; /* of the result */
    double share;     /* of the products, what floats compute: less than 1 where Winograd does it */
    bool by_fours;    /* constant weights of 8 bits, data of 8 bits whose rows are longer than one */
} contraction_size;

/* In operations on vectors. */
typedef struct integer_costs {
    double integers, floats;
} integer_costs;
integer_costs integer_costs_of(const target *t, const contraction_size *s);

#endif
