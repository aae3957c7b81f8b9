/* Rounding reals to quantized integers: what QuantizeLinear and the quantized products share. */
#ifndef TENON_OPS_QUANTIZE_H
#define TENON_OPS_QUANTIZE_H

#include "ops/kit.h"

#define TYPES_BYTE (TYPE_BIT(DT_I8) | TYPE_BIT(DT_U8))

/* saturate(round half to even(x) + zero) to an integer type of 16 bits or fewer; x and zero are reals of one type. */
const expr *quantize_round(builder *b, const expr *x, const expr *zero, dtype t);
/* Element of a per-tensor parameter (scale, zero point), as stored: a literal where the node's input is a constant. */
const expr *quantize_parameter(const node *n, const nest_list *l, int operand);
/* Element of a parameter that is one for all, or one for each `channel`. */
const expr *quantize_channel_parameter(const node *n, const nest_list *l, int operand, const expr *channel);

#endif
