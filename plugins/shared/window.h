/* What a convolution of two spatial dimensions sees of its data. */
#ifndef SHARED_WINDOW_H
#define SHARED_WINDOW_H

#include "pass.h"

/* Along height and width; steps: places of the output. */
typedef struct window {
    int64_t size[2], kernel[2], stride[2], dilation[2], pad[2], steps[2];
} window;

/* Of a Conv whose weight and data have these dimensions, four each; auto_pad is not looked at. */
window window_of(const tenon_graph_1 *graph, const tenon_node *n, const int64_t *weight, const int64_t *data);
/* What the place (y, x) of the output sees of `channels` planes, zeros beyond them: number k of the kernel in channel c
 * goes to to[c * channel_step + k * kernel_step]. */
void window_patch(const window *v, const float *planes, int64_t channels, int64_t y, int64_t x, int64_t channel_step,
                  int64_t kernel_step, float *to);

#endif
