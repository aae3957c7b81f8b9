/* What all convolutions share. */
#ifndef TENON_OPS_CONV_H
#define TENON_OPS_CONV_H

#include "ops/window.h"

#define CONV_ATTRS {"group", ATTR_INT, .i = 1}, {"kernel_shape", .kind = ATTR_INTS}, WINDOW_ATTRS

/* Ranks of X and W, and group. *out_rank: spatial dimensions, -1 where the ranks are not known. [wrong-rank],
 * [wrong-attribute]. */
status conv_check_operands(node *n, int *out_rank);
/* Are the channels as expected, where both are known? `what` and `input` are for the message. [shape-mismatch]. */
status conv_check_channels(const node *n, dim given, dim expected, const char *what, const char *input);
/* The bias, input number `input`, where there is one. [wrong-rank], [shape-mismatch]. */
status conv_check_bias(const node *n, int input, dim channels);
/* The kernel's sizes, in out; NULL where they are not all known. */
const int64_t *conv_kernel_of(const tensor_type *w, int64_t *out);

#endif
