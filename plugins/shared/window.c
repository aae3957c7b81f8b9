#include "window.h"

static int64_t listed(const tenon_graph_1 *graph, const tenon_node *n, const char *name, int i, int64_t otherwise) {
    size_t count;
    const int64_t *list = graph->attribute_ints(n, name, &count);
    return list != NULL && (size_t)i < count ? list[i] : otherwise;
}

window window_of(const tenon_graph_1 *graph, const tenon_node *n, const int64_t *weight, const int64_t *data) {
    window v;
    for (int i = 0; i < 2; i++) {
        v.size[i] = data[2 + i];
        v.kernel[i] = weight[2 + i];
        v.stride[i] = listed(graph, n, "strides", i, 1);
        v.dilation[i] = listed(graph, n, "dilations", i, 1);
        v.pad[i] = listed(graph, n, "pads", i, 0);
        int64_t room = v.size[i] + v.pad[i] + listed(graph, n, "pads", i + 2, 0);
        v.steps[i] = (room - v.dilation[i] * (v.kernel[i] - 1) - 1) / v.stride[i] + 1;
    }
    return v;
}

void window_patch(const window *v, const float *planes, int64_t channels, int64_t y, int64_t x, int64_t channel_step,
                  int64_t kernel_step, float *to) {
    int64_t plane = v->size[0] * v->size[1];
    for (int64_t k = 0; k < v->kernel[0] * v->kernel[1]; k++, to += kernel_step) {
        int64_t at_y = y * v->stride[0] - v->pad[0] + k / v->kernel[1] * v->dilation[0];
        int64_t at_x = x * v->stride[1] - v->pad[1] + k % v->kernel[1] * v->dilation[1];
        int inside = at_y >= 0 && at_y < v->size[0] && at_x >= 0 && at_x < v->size[1];
        for (int64_t c = 0; c < channels; c++)
            to[c * channel_step] = inside ? planes[c * plane + at_y * v->size[1] + at_x] : 0;
    }
}
