/* How exact the elementary functions are: what math.c states and its test measures. */
#ifndef TENON_LOOP_MATH_BOUNDS_H
#define TENON_LOOP_MATH_BOUNDS_H

#include "loop/loop.h"

typedef struct math_bound {
    const char *name;
    dtype type;
    double ulps;      /* largest error in units in the last place of the result, with and without FMA */
    double magnitude; /* for |x| up to this; INFINITY: everywhere */
} math_bound;

/* Ends with a row whose name is NULL. */
extern const math_bound math_bounds[];

#endif
