/* What nodes read, where it is quantised: for tenon explain. */
#ifndef TENON_API_OPERAND_H
#define TENON_API_OPERAND_H

#include "ir/graph.h"

typedef struct operand {
    const node *dequantize;
    const node *quantize; /* QuantizeLinear or DynamicQuantizeLinear; NULL: the integers are constants */
    const node *picked;   /* the Gather that picks rows of constants; NULL: none */
    const value *q;       /* the integers */
    value *real;          /* what they are made of; NULL: they are constants, or rows of some */
    int width;            /* bits in use: fewer than the type's where a Clip stands before, or constants need no more */
} operand;

/* ---- operand.c ---- */
/* Is v the result of a DequantizeLinear, of constants, of rows that a Gather picks from some (and unpacks), or of what
 * a quantising node has made? */
bool operand_read(const value *v, operand *out);
/* "Q(8,4)", "Q(8,3..6) per channel", "i8 scale 0.0123", "u8 scale 0.0123 zero 3", "i4 per block of 32", "u8 dynamic".
 */
status operand_format(const operand *x, arena *a, const char **out);
/* Does n read anything that is quantised, and compute with it? */
bool operand_any(const node *n);
/* Makes n of graph g compute with floats: with what was quantised for it, and with the constants of `from`, the same
 * node in another graph that lives as long (NULL: there is none), where they are the ones that its own stand for. So
 * does the Add of a constant right behind a MatMul. */
status operand_to_float(graph *g, node *n, const node *from, arena *scratch);

#endif
