/* Inside of dimensions, shared by dim.c (arithmetic) and dim_text.c (text form). */
#ifndef TENON_IR_DIM_FORM_H
#define TENON_IR_DIM_FORM_H

#include "ir/dim.h"

typedef enum dim_factor_kind { FACTOR_SYMBOL, FACTOR_DIV, FACTOR_MIN, FACTOR_MAX } dim_factor_kind;

/* A symbol, or an operation on x and y that the sum-of-products form cannot take apart. */
typedef struct dim_factor {
    dim_factor_kind kind;
    int size; /* factors below, this one included */
    const char *symbol;
    dim x, y;
} dim_factor;

/* coefficient (never 0) * the product of n >= 1 sorted factors */
typedef struct dim_term {
    int64_t coefficient;
    int n;
    const dim_factor *const *factors;
} dim_term;

/* The sum of n >= 1 terms, sorted, no two of the same factors, and of a constant. */
struct dim_expr {
    int64_t constant;
    int n, size;
    const dim_term *terms;
};

/* No value, as opposed to no memory: see dim.h. */
static inline bool dim_has_value(dim d) {
    return d.expr != &dim_poison && d.expr != &dim_undefined;
}

#endif
