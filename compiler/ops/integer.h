/* Operators of integer programs: rows of tenon's own domain, which the pass `integer` makes of quantised ones.
 *
 * They exist between that pass and lowering only: no file has them. What a real number becomes is decided by the pass;
 * here everything is integers, and arithmetic that the pass has proved not to overflow.
 */
#ifndef TENON_OPS_INTEGER_H
#define TENON_OPS_INTEGER_H

#include "ops/kit.h"

#define TYPES_QUANTISED                                                                                                \
    (TYPE_BIT(DT_I8) | TYPE_BIT(DT_U8) | TYPE_BIT(DT_I16) | TYPE_BIT(DT_U16) | TYPE_BIT(DT_I4) | TYPE_BIT(DT_U4) |     \
     TYPE_BIT(DT_I2) | TYPE_BIT(DT_U2))
#define TYPES_SUM (TYPE_BIT(DT_I32) | TYPE_BIT(DT_I64))

/* The attribute of contractions that says where they sum: in i64, else in i32. */
#define WIDE_ATTR {"wide", ATTR_INT, .i = 0}

/* DT_I64 where the node's attribute `wide` says so, else DT_I32. */
dtype integer_sum_type(const node *n);
/* a - a_zero times b - b_zero, in the type of the sum. */
const expr *integer_product(builder *b, dtype sum, const expr *x, int64_t x_zero, const expr *y, int64_t y_zero);

/* ---- results: clamped to lo .. hi, stored as the element type `to` ---- */
#define INTEGER_RESULT_ATTRS                                                                                           \
    {"to", ATTR_INT, .required = true}, {"lo", ATTR_INT, .required = true}, {"hi", ATTR_INT, .required = true},        \
        {"zero", ATTR_INT, .i = 0}

dtype integer_result_type(const node *n);
/* Is `to` an integer that holds lo .. hi? [wrong-attribute]. */
status integer_check_result(const node *n);
/* x + zero within lo .. hi, as `to`. */
const expr *integer_result(builder *b, const node *n, const expr *x);

#endif
