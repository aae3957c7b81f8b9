/* Reals to the nearest integers without an instruction for that: what is added to them makes the lowest bit of their
 * fraction worth one, so that the sum's bits are the integer. */
#ifndef TENON_OPS_NEAREST_H
#define TENON_OPS_NEAREST_H

#include "ops/kit.h"

/* x, an f32, as an i32, ties to even: where it is above -2^22. What is above 2^22 may become any integer from there on.
 */
const expr *nearest_of(builder *b, const expr *x);
/* The same of x * factor; rounded once where the target multiplies and adds at once. */
const expr *nearest_of_product(builder *b, const expr *x, const expr *factor);

/* A division by a constant as products: x / scale is x * high + x * low. */
typedef struct quotient {
    double scale, high, low;
} quotient;

/* False where the nearest integer of that is another than of the quotient, for some x whose quotient lies in lo - 1 ..
 * hi + 1, or where the target does not multiply and add at once. */
bool quotient_of(const target *t, double scale, int64_t lo, int64_t hi, quotient *out);
/* The nearest integer of x / scale; for x from `least` on, which what is below, or no number, is taken as. */
const expr *nearest_of_quotient(builder *b, const expr *x, const quotient *by, double least);

#endif
