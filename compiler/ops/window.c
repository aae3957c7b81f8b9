/* Sliding windows: attributes, output sizes, padding, index arithmetic. */
#include "ops/window.h"

#include <string.h>

status window_list(const node *n, const char *name, int64_t count, int64_t lo, int64_t otherwise, int64_t *out) {
    int64_t given;
    const int64_t *list = op_ints(n, name, &given);
    if (list != NULL && given != count)
        return op_invalid(n, "wrong-attribute", "'%s' has %lld entries, expected %lld", name, (long long)given,
                          (long long)count);
    for (int64_t k = 0; k < count; k++) {
        out[k] = list == NULL ? otherwise : list[k];
        if (out[k] < lo || out[k] > INT32_MAX)
            return op_invalid(n, "wrong-attribute", "'%s' has the entry %lld", name, (long long)out[k]);
    }
    return STATUS_OK;
}

static status read_kernel(const node *n, const int64_t *sizes, window *w) {
    if (sizes == NULL || op_has(n, "kernel_shape"))
        TRY(window_list(n, "kernel_shape", w->rank, 1, 0, w->kernel));
    for (int k = 0; sizes != NULL && k < w->rank; k++) {
        if (op_has(n, "kernel_shape") && w->kernel[k] != sizes[k])
            return op_invalid(n, "shape-mismatch", "'kernel_shape' says %lld along dimension %d, the weights %lld",
                              (long long)w->kernel[k], k, (long long)sizes[k]);
        w->kernel[k] = sizes[k];
    }
    return STATUS_OK;
}

status window_read(const node *n, int rank, const int64_t *sizes, window *out) {
    static const char *const names[] = {"NOTSET", "SAME_UPPER", "SAME_LOWER", "VALID", NULL};
    int64_t pads[2 * TENSOR_MAX_RANK];
    const char *text = op_string(n, "auto_pad");
    *out = (window){.rank = rank, .ceil_mode = op_int(n, "ceil_mode") != 0};
    int mode = 0;
    while (text != NULL && names[mode] != NULL && strcmp(text, names[mode]) != 0)
        mode++;
    if (names[mode] == NULL)
        return op_invalid(n, "wrong-attribute", "auto_pad is '%s', expected NOTSET, SAME_UPPER, SAME_LOWER or VALID",
                          text);
    out->auto_pad = (window_auto)mode;
    TRY(read_kernel(n, sizes, out));
    TRY(window_list(n, "strides", rank, 1, 1, out->stride));
    TRY(window_list(n, "dilations", rank, 1, 1, out->dilation));
    TRY(window_list(n, "pads", 2 * rank, 0, 0, pads));
    for (int k = 0; k < rank && out->auto_pad == WINDOW_EXPLICIT; k++) {
        out->begin[k] = pads[k];
        out->end[k] = pads[rank + k];
    }
    return STATUS_OK;
}

int64_t window_span(const window *w, int k) {
    return (w->kernel[k] - 1) * w->dilation[k] + 1;
}

dim window_output(arena *a, const window *w, int k, dim in) {
    dim stride = DIM(w->stride[k]);
    if (w->auto_pad == WINDOW_SAME_UPPER || w->auto_pad == WINDOW_SAME_LOWER)
        return dim_floor_div(a, dim_add(a, in, DIM(w->stride[k] - 1)), stride);
    dim room = dim_add(a, in, DIM(w->begin[k] + w->end[k] - window_span(w, k)));
    if (!w->ceil_mode)
        return dim_add(a, dim_floor_div(a, room, stride), DIM(1));
    /* A window that would begin behind the input and its left pad does not count. */
    dim up = dim_add(a, dim_floor_div(a, dim_add(a, room, DIM(w->stride[k] - 1)), stride), DIM(1));
    dim last = dim_floor_div(a, dim_add(a, in, DIM(w->begin[k] - 1)), stride);
    return dim_min(a, up, dim_add(a, last, DIM(1)));
}

void window_resolve(window *w, const int64_t *in, const int64_t *out) {
    if (w->auto_pad != WINDOW_SAME_UPPER && w->auto_pad != WINDOW_SAME_LOWER)
        return;
    for (int k = 0; k < w->rank; k++) {
        int64_t total = (out[k] - 1) * w->stride[k] + window_span(w, k) - in[k], half;
        if (total < 0)
            total = 0;
        half = total / 2;
        w->begin[k] = w->auto_pad == WINDOW_SAME_UPPER ? half : total - half;
        w->end[k] = total - w->begin[k];
    }
}

const expr *window_index(builder *b, const window *w, const int64_t *in, const int64_t *out, const expr *const *o,
                         const expr *const *k, const expr **out_index) {
    const expr *mask = NULL;
    for (int d = 0; d < w->rank; d++) {
        const expr *start = build_mul(b, o[d], build_index(b, w->stride[d])),
                   *offset = build_mul(b, k[d], build_index(b, w->dilation[d]));
        out_index[d] = build_sub(b, build_add(b, start, offset), build_index(b, w->begin[d]));
        int64_t last = (out[d] - 1) * w->stride[d] + window_span(w, d) - 1 - w->begin[d];
        mask = kit_inside(b, mask, out_index[d], 0, in[d], w->begin[d] > 0, last >= in[d]);
    }
    return mask;
}
