/* RoiAlign and DeformConv: images read between their elements, at places that the data says. */
#include <string.h>

#include "ops/window.h"

/* ---- RoiAlign ---- */

/* Samples along one side of a bin, beyond the image's size: regions far larger than that are refused. */
#define ROI_MOST_SAMPLES 4096

static bool is_one_of(const char *text, const char *x, const char *y) {
    return strcmp(text, x) == 0 || strcmp(text, y) == 0;
}

static status roi_align_infer(node *n) {
    const tensor_type *x = op_input_type(n, 0), *rois = op_input_type(n, 1), *batch = op_input_type(n, 2);
    int64_t height = op_int(n, "output_height"), width = op_int(n, "output_width");
    if (!is_one_of(op_string(n, "mode"), "avg", "max") ||
        !is_one_of(op_string(n, "coordinate_transformation_mode"), "half_pixel", "output_half_pixel"))
        return op_invalid(n, "wrong-attribute", "mode is '%s' and coordinate_transformation_mode '%s'",
                          op_string(n, "mode"), op_string(n, "coordinate_transformation_mode"));
    if (height < 1 || width < 1 || op_int(n, "sampling_ratio") < 0 || op_int(n, "sampling_ratio") > ROI_MOST_SAMPLES)
        return op_invalid(n, "wrong-attribute",
                          "output_height, output_width and sampling_ratio are %lld, %lld and %lld", (long long)height,
                          (long long)width, (long long)op_int(n, "sampling_ratio"));
    if (x->rank < 0 || rois->rank < 0 || batch->rank < 0)
        return op_unknown_output(n, 0, x->elem);
    if (x->rank != 4 || rois->rank != 2 || batch->rank != 1)
        return op_invalid(n, "wrong-rank", "'X' must have 4 dimensions, 'rois' 2 and 'batch_indices' 1");
    if (dim_is_known(rois->dims[1]) && rois->dims[1].n != 4)
        return op_invalid(n, "shape-mismatch", "'rois' has rows of %lld, expected 4", (long long)rois->dims[1].n);
    if (dim_is_known(rois->dims[0]) && dim_is_known(batch->dims[0]) && rois->dims[0].n != batch->dims[0].n)
        return op_invalid(n, "shape-mismatch", "'rois' has %lld rows, 'batch_indices' %lld entries",
                          (long long)rois->dims[0].n, (long long)batch->dims[0].n);
    return op_set_output(n, 0, x->elem, 4, (dim[]){batch->dims[0], x->dims[1], DIM(height), DIM(width)});
}

/* Before opset 16 places were not centred. */
static status roi_align_upgrade(node *n) {
    const char *mode = "output_half_pixel";
    attr a = {.name = "coordinate_transformation_mode", .kind = ATTR_STRING, .s = mode, .s_bytes = strlen(mode)};
    return n->version < 16 ? node_set_attr(n, &a) : STATUS_OK;
}

/* One side of a region: where it begins, how large a bin is, how many samples a bin has. */
typedef struct roi_side {
    const expr *start, *bin, *samples;
    int64_t extent; /* of the image */
} roi_side;

static roi_side side_of(const node *n, const nest_list *l, const expr *roi, int column, int64_t bins, int64_t extent) {
    builder *b = l->b;
    bool centred = strcmp(op_string(n, "coordinate_transformation_mode"), "half_pixel") == 0;
    ltype t = LTYPE(kit_operand(l, 1)->elem, 1);
    const expr *ends[2];
    for (int k = 0; k < 2; k++) {
        const expr *at = build_add(b, build_mul(b, roi, build_index(b, 4)), build_index(b, column + 2 * k));
        ends[k] = kit_wide(b, build_load(b, 1, t, at, NULL));
        ends[k] = build_mul(b, ends[k], kit_attr(b, n, "spatial_scale", ends[k]));
        ends[k] = build_let(b, "end", build_sub(b, ends[k], kit_const(b, ends[k], centred ? 0.5 : 0)));
    }
    const expr *size = build_sub(b, ends[1], ends[0]);
    if (!centred)
        size = build_max(b, size, kit_const(b, size, 1));
    roi_side s = {.start = ends[0], .extent = extent};
    s.bin = build_let(b, "bin", build_div(b, size, kit_const(b, size, (double)bins)));
    s.samples = build_index(b, op_int(n, "sampling_ratio"));
    if (op_int(n, "sampling_ratio") == 0)
        s.samples = build_let(b, "samples",
                              build_max(b, build_index(b, 0), build_cast(b, DT_I64, build_unary(b, EXPR_CEIL, s.bin))));
    build_check(b, build_le(b, s.samples, build_index(b, extent + ROI_MOST_SAMPLES)), KIT_E_VALUE);
    return s;
}

/* A sample's neighbours along one side, and what they weigh. */
typedef struct roi_place {
    const expr *inside, *index[2], *weight[2];
} roi_place;

static roi_place place_of(builder *b, const roi_side *s, const expr *bin, const expr *sample) {
    const expr *x = build_add(b, build_cast(b, s->bin->type.elem, sample), kit_const(b, s->bin, 0.5));
    const expr *zero = build_index(b, 0), *last = build_index(b, s->extent - 1);
    x = build_div(b, build_mul(b, x, s->bin), build_cast(b, s->bin->type.elem, s->samples));
    x = build_add(b, build_add(b, s->start, build_mul(b, build_cast(b, s->bin->type.elem, bin), s->bin)), x);
    roi_place p = {.inside = build_and(b, build_le(b, kit_const(b, x, -1), x),
                                       build_le(b, x, kit_const(b, x, (double)s->extent)))};
    x = build_max(b, x, kit_const(b, x, 0));
    const expr *low = build_max(b, zero, build_min(b, build_cast(b, DT_I64, x), last));
    const expr *at_end = build_le(b, last, low),
               *part = build_select(b, at_end, kit_const(b, x, 0), build_sub(b, x, build_cast(b, x->type.elem, low)));
    p.index[0] = build_let(b, "low", low);
    p.index[1] = build_let(b, "high", build_min(b, build_add(b, low, build_index(b, 1)), last));
    p.weight[1] = build_let(b, "part", part);
    p.weight[0] = build_sub(b, kit_const(b, x, 1), p.weight[1]);
    p.inside = build_let(b, "inside", p.inside);
    return p;
}

/* The weighted sum of a sample's four neighbours, or the largest of the four products. 0 outside the image. */
static const expr *sample_at(const nest_list *l, bool largest, const roi_place *y, const roi_place *x,
                             const expr *image, int64_t width) {
    builder *b = l->b;
    ltype t = LTYPE(kit_operand(l, 0)->elem, 1);
    const expr *inside = build_and(b, y->inside, x->inside), *result = NULL;
    for (int k = 0; k < 4; k++) {
        const expr *at = build_add(b, build_mul(b, y->index[k / 2], build_index(b, width)), x->index[k % 2]);
        const expr *v = kit_wide(b, build_load(b, 0, t, build_add(b, image, at), inside));
        v = build_mul(b, v, build_mul(b, y->weight[k / 2], x->weight[k % 2]));
        result = result == NULL ? v : largest ? kit_max(b, result, v) : build_add(b, result, v);
    }
    return build_select(b, inside, result, kit_const(b, result, 0));
}

/* One element of the output, stored at place `to`. */
static void roi_element(const node *n, nest_list *l, const roi_side *h, const roi_side *w, const expr *const *i,
                        const expr *image, const expr *to) {
    builder *b = l->b;
    bool largest = strcmp(op_string(n, "mode"), "max") == 0;
    const nest_operand *x = kit_operand(l, 0);
    ltype t = LTYPE(kit_compute(x->elem), 1);
    const expr *zero = build_index(b, 0), *one = build_index(b, 1), *nothing = build_const(b, t.elem, 0);
    const expr *first = largest ? kit_lowest(b, t.elem) : nothing;
    int total = build_declare(b, "total", t, 1);
    build_set(b, total, zero, first);
    const expr *row = build_for(b, "row", h->samples, LOOP_SERIAL);
    roi_place y_at = place_of(b, h, i[2], row);
    const expr *column = build_for(b, "column", w->samples, LOOP_SERIAL);
    roi_place x_at = place_of(b, w, i[3], column);
    const expr *v = sample_at(l, largest, &y_at, &x_at, image, x->dims[3]), *so_far = build_reg_get(b, total, t, zero);
    build_set(b, total, zero, largest ? kit_max(b, so_far, v) : build_add(b, so_far, v));
    build_end(b);
    build_end(b);
    const expr *count = build_mul(b, h->samples, w->samples), *result = build_reg_get(b, total, t, zero);
    if (largest)
        result = build_select(b, build_lt(b, zero, count), result, nothing);
    else
        result = build_div(b, result, build_cast(b, t.elem, build_max(b, count, one)));
    build_store(b, nest_output(l, 0), to, kit_narrow(b, x->elem, result), NULL);
}

static status roi_align_lower(const node *n, nest_list *l) {
    builder *b = l->b;
    const nest_operand *x = kit_operand(l, 0), *y = kit_operand(l, nest_output(l, 0));
    const expr *i[4];
    nest *m = nest_add(l, "roi_align");
    nest_raw_begin(l, m);
    i[0] = build_for(b, "roi", build_index(b, y->dims[0]), LOOP_SERIAL);
    const expr *image = build_let(b, "image", build_load(b, 2, LTYPE(DT_I64, 1), i[0], NULL));
    build_check(b, kit_inside(b, NULL, image, 0, x->dims[0], true, true), KIT_E_INDEX);
    roi_side w = side_of(n, l, i[0], 0, y->dims[3], x->dims[3]), h = side_of(n, l, i[0], 1, y->dims[2], x->dims[2]);
    for (int k = 1; k < 4; k++)
        i[k] = build_for(b, "i", build_index(b, y->dims[k]), LOOP_SERIAL);
    image = build_add(b, build_mul(b, image, build_index(b, x->dims[1])), i[1]);
    image = build_mul(b, image, build_index(b, x->dims[2] * x->dims[3]));
    roi_element(n, l, &h, &w, i, image, nest_linear(b, i, 4, y->dims));
    for (int k = 0; k < 4; k++)
        build_end(b);
    nest_raw_end(l, m);
    return builder_status(b);
}

OP_ROW(RoiAlign) = {
    .name = "RoiAlign",
    .domain = "",
    .versions = VERSIONS(10, 16, 22),
    .kind = OP_LOWER,
    .inputs = PARAMS({"X", TYPES_FLOAT, 'T', 0}, {"rois", TYPES_FLOAT, 'T', 0},
                     {"batch_indices", TYPE_BIT(DT_I64), 0, 0}),
    .outputs = PARAMS({"Y", TYPES_FLOAT, 'T', 0}),
    .attrs = ATTRS({"coordinate_transformation_mode", ATTR_STRING, .s = "half_pixel"},
                   {"mode", ATTR_STRING, .s = "avg"}, {"output_height", ATTR_INT, .i = 1},
                   {"output_width", ATTR_INT, .i = 1}, {"sampling_ratio", ATTR_INT, .i = 0},
                   {"spatial_scale", ATTR_FLOAT, .f = 1}),
    .infer = roi_align_infer,
    .upgrade = roi_align_upgrade,
    .lower = roi_align_lower,
};

/* ---- DeformConv ---- */

enum { DEFORM_X, DEFORM_W, DEFORM_OFFSET, DEFORM_B, DEFORM_MASK };

static status expect_dim(const node *n, int input, int k, dim expected) {
    const tensor_type *t = op_input_type(n, input);
    if (t == NULL || t->rank < 0 || !dim_is_known(t->dims[k]) || !dim_is_known(expected) || t->dims[k].n == expected.n)
        return STATUS_OK;
    return op_invalid(n, "shape-mismatch", "dimension %d of '%s' is %lld, expected %lld", k, n->row->inputs[input].name,
                      (long long)t->dims[k].n, (long long)expected.n);
}

static status deform_check(const node *n) {
    const tensor_type *x = op_input_type(n, DEFORM_X), *w = op_input_type(n, DEFORM_W);
    int64_t group = op_int(n, "group"), offsets = op_int(n, "offset_group");
    static const int ranks[] = {4, 4, 4, 1, 4};
    for (int k = 0; k <= DEFORM_MASK; k++)
        if (op_input_rank(n, k) >= 0 && op_input_rank(n, k) != ranks[k])
            return op_unsupported(n, "unsupported-rank", "'%s' has %d dimensions; images have two, so it needs %d",
                                  n->row->inputs[k].name, op_input_rank(n, k), ranks[k]);
    if (group < 1 || offsets < 1 || group > INT32_MAX || offsets > INT32_MAX)
        return op_invalid(n, "wrong-attribute", "group is %lld and offset_group %lld", (long long)group,
                          (long long)offsets);
    if (x->rank == 4 && w->rank == 4 && dim_is_known(x->dims[1]) && dim_is_known(w->dims[0]) &&
        dim_is_known(w->dims[1]) &&
        (x->dims[1].n != w->dims[1].n * group || w->dims[0].n % group != 0 || x->dims[1].n % offsets != 0))
        return op_invalid(n, "shape-mismatch",
                          "%lld channels, weights [%lld, %lld, ...], group %lld, offset_group %lld",
                          (long long)x->dims[1].n, (long long)w->dims[0].n, (long long)w->dims[1].n, (long long)group,
                          (long long)offsets);
    return STATUS_OK;
}

static status deform_window(const node *n, window *out) {
    const tensor_type *w = op_input_type(n, DEFORM_W);
    const int64_t sizes[] = {w->dims[2].n, w->dims[3].n};
    return window_read(n, 2, sizes, out);
}

static status deform_conv_infer(node *n) {
    const tensor_type *x = op_input_type(n, DEFORM_X), *w = op_input_type(n, DEFORM_W);
    arena *a = n->graph->memory;
    window win;
    TRY(deform_check(n));
    if (x->rank < 0 || w->rank < 0 || !dim_is_known(w->dims[2]) || !dim_is_known(w->dims[3]))
        return op_unknown_output(n, 0, x->elem);
    TRY(deform_window(n, &win));
    dim taps = DIM(win.kernel[0] * win.kernel[1] * op_int(n, "offset_group"));
    dim dims[4] = {x->dims[0], w->dims[0], window_output(a, &win, 0, x->dims[2]),
                   window_output(a, &win, 1, x->dims[3])};
    TRY(expect_dim(n, DEFORM_OFFSET, 1, dim_mul(a, taps, DIM(2))));
    TRY(expect_dim(n, DEFORM_MASK, 1, taps));
    TRY(expect_dim(n, DEFORM_B, 0, dims[1]));
    for (int input = DEFORM_OFFSET; input <= DEFORM_MASK; input += DEFORM_MASK - DEFORM_OFFSET)
        for (int k = 0; k < 4; k++)
            if (k != 1)
                TRY(expect_dim(n, input, k, dims[k]));
    return op_set_output(n, 0, x->elem, 4, dims);
}

/* X at a place between its elements, which are 0 outside. index[2] and index[3] are set. */
static const expr *read_between(const nest_list *l, const expr *const *place, const expr **index) {
    builder *b = l->b;
    const int64_t *dims = kit_operand(l, DEFORM_X)->dims;
    const expr *low[2], *part[2], *sum = NULL;
    for (int d = 0; d < 2; d++) {
        const expr *floor = build_unary(b, EXPR_FLOOR, place[d]);
        low[d] = build_cast(b, DT_I64, floor);
        part[d] = build_sub(b, place[d], floor);
    }
    for (int k = 0; k < 4; k++) {
        const expr *mask = NULL, *weight = NULL;
        for (int d = 0; d < 2; d++) {
            bool high = (d == 0 ? k / 2 : k % 2) != 0;
            index[2 + d] = build_add(b, low[d], build_index(b, high));
            mask = kit_inside(b, mask, index[2 + d], 0, dims[2 + d], true, true);
            const expr *own = high ? part[d] : build_sub(b, kit_const(b, part[d], 1), part[d]);
            weight = weight == NULL ? own : build_mul(b, weight, own);
        }
        const expr *v = build_mul(b, kit_read_masked(l, DEFORM_X, index, mask), weight);
        v = build_select(b, mask, v, kit_const(b, v, 0));
        sum = sum == NULL ? v : build_add(b, sum, v);
    }
    return sum;
}

static status deform_conv_lower(const node *n, nest_list *l) {
    builder *b = l->b;
    const nest_operand *x = kit_operand(l, DEFORM_X), *w = kit_operand(l, DEFORM_W);
    const expr *i[4], *tap[2], *place[2], *index[4];
    window win;
    TRY(deform_window(n, &win));
    nest *m = kit_over(l, "deform_conv", nest_output(l, 0), i);
    m->contract = true;
    nest_open(m);
    const expr *c = nest_inner(m, "c", w->dims[1]);
    for (int d = 0; d < 2; d++)
        tap[d] = nest_inner(m, "k", win.kernel[d]);
    const expr *group = build_div(b, i[1], build_index(b, w->dims[0] / op_int(n, "group")));
    const expr *channel = build_add(b, build_mul(b, group, build_index(b, w->dims[1])), c);
    const expr *set = build_div(b, channel, build_index(b, x->dims[1] / op_int(n, "offset_group")));
    const expr *at = build_add(b, build_mul(b, set, build_index(b, win.kernel[0])), tap[0]);
    at = build_add(b, build_mul(b, at, build_index(b, win.kernel[1])), tap[1]);
    for (int d = 0; d < 2; d++) {
        const expr *row = build_add(b, build_mul(b, at, build_index(b, 2)), build_index(b, d));
        const expr *offset = kit_read(l, DEFORM_OFFSET, (const expr *[]){i[0], row, i[2], i[3]});
        const expr *from = build_add(b, build_mul(b, i[2 + d], build_index(b, win.stride[d])),
                                     build_mul(b, tap[d], build_index(b, win.dilation[d])));
        from = build_cast(b, offset->type.elem, build_sub(b, from, build_index(b, win.begin[d])));
        place[d] = build_add(b, from, offset);
    }
    index[0] = i[0];
    index[1] = channel;
    const expr *v =
        build_mul(b, read_between(l, place, index), kit_read(l, DEFORM_W, (const expr *[]){i[1], c, tap[0], tap[1]}));
    if (node_input(n, DEFORM_MASK) != NULL)
        v = build_mul(b, v, kit_read(l, DEFORM_MASK, (const expr *[]){i[0], at, i[2], i[3]}));
    const expr *sum = nest_reduce(m, REDUCE_SUM, v);
    if (node_input(n, DEFORM_B) != NULL)
        sum = build_add(b, sum, kit_read(l, DEFORM_B, &i[1]));
    kit_store(l, m, nest_output(l, 0), i, sum);
    return builder_status(b);
}

OP_ROW(DeformConv) = {
    .name = "DeformConv",
    .domain = "",
    .versions = VERSIONS(19, 22),
    .kind = OP_LOWER,
    .inputs = PARAMS({"X", TYPES_FLOAT, 'T', 0}, {"W", TYPES_FLOAT, 'T', 0}, {"offset", TYPES_FLOAT, 'T', 0},
                     {"B", TYPES_FLOAT, 'T', PARAM_OPTIONAL}, {"mask", TYPES_FLOAT, 'T', PARAM_OPTIONAL}),
    .outputs = PARAMS({"Y", TYPES_FLOAT, 'T', 0}),
    .attrs = ATTRS({"dilations", .kind = ATTR_INTS}, {"group", ATTR_INT, .i = 1}, {"kernel_shape", .kind = ATTR_INTS},
                   {"offset_group", ATTR_INT, .i = 1}, {"pads", .kind = ATTR_INTS}, {"strides", .kind = ATTR_INTS}),
    .note = "two spatial dimensions",
    .infer = deform_conv_infer,
    .lower = deform_conv_lower,
};
