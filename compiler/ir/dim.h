/* Dimensions: integers, or expressions over symbols (`batch`, `2*seq+1`). Immutable, in the graph's arena. */
#ifndef TENON_IR_DIM_H
#define TENON_IR_DIM_H

#include "base/diag.h"
#include "base/map.h"
#include "base/text.h"

/* A canonical integer expression: a sum of coefficient * product of factors, plus a constant. A factor is a symbol or
 * an opaque operation (floor division, minimum, maximum) over dimensions. Equal expressions print the same. A symbol
 * stands for a size: an integer in [0, DIM_SYMBOL_MAX]. */
typedef struct dim_expr dim_expr;

typedef struct dim {
    int64_t n;            /* the value where expr is NULL */
    const dim_expr *expr; /* not known until its symbols are bound */
} dim;

#define DIM(value) ((dim){(value), NULL})
static inline bool dim_is_known(dim d) {
    return d.expr == NULL;
}

#define DIM_SYMBOL_MAX INT64_C(2147483647)

/* On out of memory these return a dim whose expr is the address of dim_poison, which prints as "?" and poisons what is
 * made of it. dim_undefined does the same for what has no value: division by zero, overflow, an expression that grows
 * too large. */
extern const dim_expr dim_poison;
extern const dim_expr dim_undefined;
/* STATUS_OK, STATUS_RESOURCE for dim_poison, STATUS_INVALID (no diagnostic) for dim_undefined. */
status dim_status(dim d);
dim dim_symbol(arena *a, const char *name);
dim dim_add(arena *a, dim x, dim y);
dim dim_sub(arena *a, dim x, dim y);
dim dim_mul(arena *a, dim x, dim y);
dim dim_floor_div(arena *a, dim x, dim y); /* exact where y divides x symbolically */
dim dim_rem(arena *a, dim x, dim y);       /* x - y * floor(x / y): the sign of y */
dim dim_min(arena *a, dim x, dim y);
dim dim_max(arena *a, dim x, dim y);
bool dim_equal(dim x, dim y);
/* The smallest and the largest value that d can have, clamped to +-2^62. Not always tight. */
void dim_range(dim d, int64_t *out_low, int64_t *out_high);
/* Replaces symbols by the integers that `bindings` has for their names (values point to int64_t). */
dim dim_bind(arena *a, dim d, const map *bindings);
/* Calls fn with each symbol's name. */
void dim_symbols(dim d, void (*fn)(const char *symbol, void *ctx), void *ctx);

/* ---- dim_text.c ---- `2*seq+1`, `(seq+1)/2`, `min(seq,4)*batch`, `"odd name"-1` */
void dim_print(dim d, strbuf *out);
/* Parses `text` (n bytes), operators + - * / // % ( ) min max: STATUS_INVALID without a diagnostic where it is not a
 * dimension. */
status dim_parse(arena *a, const char *text, size_t n, dim *out);

#endif
