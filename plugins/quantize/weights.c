/* Weights: a format for each tensor, channel or block, and the codes. */
#include "quantize.h"

/* Element i of a row-major tensor has this place along an axis, and so much behind it. */
static int64_t inner_of(const weight *w, int axis) {
    int64_t inner = 1;
    for (int i = axis + 1; i < w->rank; i++)
        inner *= w->dims[i];
    return inner;
}

int64_t weight_group(const weight *w, int64_t i) {
    if (w->per == PER_TENSOR)
        return 0;
    int axis = w->per == PER_CHANNEL ? w->axis : w->block_axis;
    int64_t inner = inner_of(w, axis), n = w->dims[axis], place = i / inner % n;
    if (w->per == PER_CHANNEL)
        return place;
    int64_t blocks = (n + w->how.block - 1) / w->how.block;
    return (i / (inner * n) * blocks + place / w->how.block) * inner + i % inner;
}

static int64_t count_groups(const weight *w) {
    if (w->per == PER_TENSOR)
        return 1;
    if (w->per == PER_CHANNEL)
        return w->dims[w->axis];
    int64_t n = w->dims[w->block_axis];
    return w->count / n * ((n + w->how.block - 1) / w->how.block);
}

/* ---- formats ---- */

static int sort_numbers(const job *j, weight *w) {
    int64_t *next = quant_room(j, (size_t)w->groups + 2, sizeof *next);
    w->sorted = quant_room(j, (size_t)w->count + 1, sizeof *w->sorted);
    w->begins = next;
    if (w->sorted == NULL || next == NULL)
        return TENON_PASS_RESOURCE;
    for (int64_t i = 0; i < w->count; i++)
        next[weight_group(w, i) + 2]++;
    for (int64_t g = 2; g <= w->groups; g++)
        next[g] += next[g - 1];
    for (int64_t i = 0; i < w->count; i++)
        w->sorted[next[weight_group(w, i) + 1]++] = w->x[i];
    return TENON_OK;
}

static int begin_formats(const job *j, weight *w) {
    w->groups = count_groups(w);
    w->formats = quant_room(j, (size_t)w->groups + 1, sizeof *w->formats);
    return w->formats != NULL ? sort_numbers(j, w) : TENON_PASS_RESOURCE;
}

static int choose_formats(const job *j, weight *w) {
    const choice c = {w->how.scheme, w->how.method, w->width, 1, w->how.percentile};
    histogram room;
    if (w->formats == NULL)
        TRY(begin_formats(j, w));
    for (int64_t g = 0; g < w->groups; g++)
        w->formats[g] = w->how.has_weight_frac
                            ? format_fixed(w->width, 1, w->how.weight_frac)
                            : choose_for_numbers(&c, w->sorted + w->begins[g], w->begins[g + 1] - w->begins[g], &room);
    return TENON_OK;
}

/* ---- codes ---- */

static void round_nearest(weight *w) {
    for (int64_t i = 0; i < w->count; i++)
        w->codes[i] = (int32_t)format_code(&w->formats[weight_group(w, i)], w->x[i]);
}

static void measure(weight *w) {
    double signal = 0, noise = 0;
    for (int64_t i = 0; i < w->count; i++) {
        double x = (double)w->x[i], e = x - (double)format_number(&w->formats[weight_group(w, i)], w->codes[i]);
        signal += x * x;
        noise += e * e;
    }
    w->error = signal > 0 ? noise / signal : 0;
}

int weight_round(const job *j, weight *w) {
    TRY(choose_formats(j, w));
    round_nearest(w);
    return TENON_OK;
}

int quant_weights(job *j) {
    for (int i = 0; i < j->n_weights; i++) {
        weight *w = &j->weights[i];
        TRY(choose_formats(j, w));
        if (w->hessian != NULL)
            TRY(hessian_round(j, w));
        else
            round_nearest(w);
        measure(w);
    }
    return TENON_OK;
}
