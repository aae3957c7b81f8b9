/* Sliding windows over spatial dimensions: what convolutions and poolings share. */
#ifndef TENON_OPS_WINDOW_H
#define TENON_OPS_WINDOW_H

#include "ops/kit.h"

typedef enum window_auto { WINDOW_EXPLICIT, WINDOW_SAME_UPPER, WINDOW_SAME_LOWER, WINDOW_VALID } window_auto;

typedef struct window {
    int rank; /* spatial dimensions */
    window_auto auto_pad;
    bool ceil_mode;
    int64_t kernel[TENSOR_MAX_RANK], stride[TENSOR_MAX_RANK], dilation[TENSOR_MAX_RANK];
    int64_t begin[TENSOR_MAX_RANK], end[TENSOR_MAX_RANK]; /* pads; of SAME only once window_resolve has been called */
} window;

/* A list attribute of `count` entries, each within [lo, INT32_MAX]; `otherwise` where the node has none.
 * [wrong-attribute]. */
status window_list(const node *n, const char *name, int64_t count, int64_t lo, int64_t otherwise, int64_t *out);
/* Reads the attributes kernel_shape, strides, dilations, pads, auto_pad, ceil_mode. kernel_shape may be absent where
 * `sizes` (rank entries) gives it, and must agree with it. [wrong-attribute]. */
status window_read(const node *n, int rank, const int64_t *sizes, window *out);
/* The output's size along dimension k for an input of size `in`. */
dim window_output(arena *a, const window *w, int k, dim in);
/* Pads of SAME from the sizes. */
void window_resolve(window *w, const int64_t *in, const int64_t *out);
/* Span of the dilated kernel along k. */
int64_t window_span(const window *w, int k);
/* Input positions of output place `o` and kernel place `k` (rank entries each) into out_index; returns the condition
 * that they are inside the input, NULL where they always are. */
const expr *window_index(builder *b, const window *w, const int64_t *in, const int64_t *out, const expr *const *o,
                         const expr *const *k, const expr **out_index);
/* The spatial attributes' rows, for use in ATTRS. */
#define WINDOW_ATTRS                                                                                                   \
    {"auto_pad", ATTR_STRING, .s = "NOTSET"}, {"dilations", .kind = ATTR_INTS}, {"pads", .kind = ATTR_INTS}, {         \
        "strides", .kind = ATTR_INTS                                                                                   \
    }

#endif
