/* Resize and Upsample: expanded along one axis after the other into Gather by constant indices, weighted and summed. */
#include <math.h>
#include <string.h>

#include "ops/resize.h"

static int position_in(const char *text, const char *const *names, int n) {
    int k = 0;
    while (k < n && strcmp(text, names[k]) != 0)
        k++;
    return k;
}

status resize_attributes(const node *n, resizing *r) {
    static const char *const modes[] = {"nearest", "linear", "cubic"};
    static const char *const nearest[] = {"round_prefer_floor", "round_prefer_ceil", "floor", "ceil"};
    static const char *const places[] = {"half_pixel",    "half_pixel_symmetric", "pytorch_half_pixel",
                                         "align_corners", "asymmetric",           "tf_crop_and_resize"};
    *r =
        (resizing){.mode = (resize_mode)position_in(op_string(n, "mode"), modes, N_MODES),
                   .nearest = (resize_nearest)position_in(op_string(n, "nearest_mode"), nearest, N_NEAREST),
                   .place = (resize_place)position_in(op_string(n, "coordinate_transformation_mode"), places, N_PLACES),
                   .antialias = op_int(n, "antialias") != 0,
                   .exclude_outside = op_int(n, "exclude_outside") != 0,
                   .cubic_a = op_float(n, "cubic_coeff_a"),
                   .extrapolation = op_float(n, "extrapolation_value")};
    if (r->mode == N_MODES || r->nearest == N_NEAREST || r->place == N_PLACES)
        return op_invalid(
            n, "wrong-attribute", "mode, nearest_mode or coordinate_transformation_mode is '%s', '%s', '%s'",
            op_string(n, "mode"), op_string(n, "nearest_mode"), op_string(n, "coordinate_transformation_mode"));
    if (r->antialias && r->mode == MODE_NEAREST)
        return op_invalid(n, "wrong-attribute", "antialias is for linear and cubic modes");
    return STATUS_OK;
}

value *resize_given(const node *n, int k) {
    value *v = node_input(n, k);
    return v == NULL || (v->type.rank == 1 && dim_equal(v->type.dims[0], DIM(0))) ? NULL : v;
}

/* One size for all: the least or the greatest of the ratios, if the aspect ratio is kept. */
static status keep_aspect(const node *n, const int64_t *in, const int *axes, int64_t count, resizing *r) {
    const char *policy = op_string(n, "keep_aspect_ratio_policy");
    bool larger = strcmp(policy, "not_smaller") == 0;
    if (strcmp(policy, "stretch") == 0)
        return STATUS_OK;
    if (!larger && strcmp(policy, "not_larger") != 0)
        return op_invalid(n, "wrong-attribute",
                          "keep_aspect_ratio_policy is '%s', expected stretch, not_larger or not_smaller", policy);
    double scale = count > 0 ? r->scale[axes[0]] : 1;
    for (int64_t k = 1; k < count; k++)
        scale = larger ? fmax(scale, r->scale[axes[k]]) : fmin(scale, r->scale[axes[k]]);
    for (int64_t k = 0; k < count; k++) {
        r->scale[axes[k]] = scale;
        r->out[axes[k]] = (int64_t)floor(scale * (double)in[axes[k]] + 0.5);
    }
    return STATUS_OK;
}

static status check_factor(const node *n, int axis, double scale, double size) {
    if (!(scale > 0) || !(size >= 0 && size <= INT32_MAX))
        return op_invalid(n, "bad-value", "axis %d would be scaled by %g to size %g", axis, scale, size);
    return STATUS_OK;
}

/* Scales and output sizes of all axes. *out_known false where the contents of an input are not known. */
static status read_sizes(const node *n, const int64_t *in, int rank, resizing *r, bool *out_known) {
    int axes[TENSOR_MAX_RANK];
    bool seen[TENSOR_MAX_RANK];
    int64_t count = 0;
    const int64_t *list = op_ints(n, "axes", &count);
    TRY(resize_attributes(n, r));
    if (list != NULL)
        TRY(kit_axis_set(n, list, count, rank, seen));
    count = list == NULL ? rank : count;
    for (int64_t k = 0; k < count; k++)
        axes[k] = list == NULL ? (int)k : kit_axis(list[k], rank);
    for (int k = 0; k < rank; k++) {
        r->scale[k] = r->to[k] = 1;
        r->from[k] = 0;
        r->out[k] = in[k];
    }
    value *scales = resize_given(n, INPUT_SCALES), *sizes = resize_given(n, INPUT_SIZES),
          *roi = r->place == PLACE_CROP ? resize_given(n, INPUT_ROI) : NULL;
    const tensor *t = scales != NULL ? scales->constant : sizes != NULL ? sizes->constant : NULL;
    *out_known = t != NULL && (roi == NULL || roi->constant != NULL);
    if ((scales == NULL) == (sizes == NULL))
        return op_invalid(n, "wrong-arity", "one of 'scales' and 'sizes' must be given, not both");
    if (!*out_known)
        return STATUS_OK;
    if (t->count != count || (roi != NULL && roi->constant->count != 2 * count) ||
        (roi == NULL && r->place == PLACE_CROP))
        return op_invalid(n, "shape-mismatch",
                          "'scales' or 'sizes' has %lld entries, expected %lld ('roi' needs two for each)",
                          (long long)t->count, (long long)count);
    for (int64_t k = 0; k < count; k++) {
        int axis = axes[k];
        if (roi != NULL) {
            r->from[axis] = tensor_double(roi->constant, k);
            r->to[axis] = tensor_double(roi->constant, count + k);
        }
        r->scale[axis] =
            scales != NULL ? tensor_double(t, k) : (double)tensor_int(t, k) / (double)(in[axis] > 0 ? in[axis] : 1);
        double size = scales != NULL ? floor((double)in[axis] * (r->to[axis] - r->from[axis]) * r->scale[axis])
                                     : (double)tensor_int(t, k);
        TRY(check_factor(n, axis, sizes != NULL && size == 0 ? 1 : r->scale[axis], size));
        r->out[axis] = (int64_t)size;
    }
    return sizes != NULL ? keep_aspect(n, in, axes, count, r) : STATUS_OK;
}

/* Sizes where some input dimension is a symbol: only what a list of sizes says, or a scale of 1 leaves. */
static status symbolic_sizes(node *n, const tensor_type *x) {
    const value *sizes = resize_given(n, INPUT_SIZES), *scales = resize_given(n, INPUT_SCALES);
    const tensor *t = scales != NULL ? scales->constant : sizes != NULL ? sizes->constant : NULL;
    dim dims[TENSOR_MAX_RANK];
    if (t == NULL || t->count != x->rank || op_has(n, "axes") ||
        strcmp(op_string(n, "keep_aspect_ratio_policy"), "stretch") != 0)
        return op_output_of_rank(n, 0, x->elem, x->rank);
    for (int k = 0; k < x->rank; k++) {
        double scale = scales != NULL ? tensor_double(t, k) : 1;
        if (scales != NULL && (scale != floor(scale) || scale < 1 || scale > INT32_MAX))
            return op_output_of_rank(n, 0, x->elem, x->rank);
        dims[k] = scales == NULL ? DIM(tensor_int(t, k)) : dim_mul(n->graph->memory, x->dims[k], DIM((int64_t)scale));
    }
    return op_set_output(n, 0, x->elem, x->rank, dims);
}

static status resize_infer(node *n) {
    const tensor_type *x = op_input_type(n, 0);
    int64_t in[TENSOR_MAX_RANK];
    dim dims[TENSOR_MAX_RANK];
    bool known;
    resizing r;
    if (x->rank < 0)
        return op_unknown_output(n, 0, x->elem);
    if (!type_shape(x, in))
        return symbolic_sizes(n, x);
    TRY(read_sizes(n, in, x->rank, &r, &known));
    if (!known)
        return op_output_of_rank(n, 0, x->elem, x->rank);
    for (int k = 0; k < x->rank; k++)
        dims[k] = DIM(r.out[k]);
    return op_set_output(n, 0, x->elem, x->rank, dims);
}

/* ---- one axis: where each output place lies in the input, and which places weigh how much ---- */

static double original_place(const resizing *r, int axis, int64_t in, int64_t at) {
    double width = r->scale[axis] * (double)in, x = (double)at, last = (double)(in - 1), scale = r->scale[axis];
    double from = r->from[axis], to = r->to[axis];
    switch (r->place) {
    case PLACE_ALIGN:
        return width == 1 ? 0 : x * last / (width - 1);
    case PLACE_ASYMMETRIC:
        return x / scale;
    case PLACE_CROP:
        return from * last +
               (r->out[axis] == 1 ? (to - from) * last / 2 : x * (to - from) * last / (double)(r->out[axis] - 1));
    case PLACE_PYTORCH:
        return width == 1 ? -0.5 : (x + 0.5) / scale - 0.5;
    case PLACE_SYMMETRIC:
        return (double)in / 2 * (1 - (double)r->out[axis] / width) + (x + 0.5) / scale - 0.5;
    default:
        return (x + 0.5) / scale - 0.5;
    }
}

static double nearest_place(resize_nearest mode, double x) {
    switch (mode) {
    case NEAREST_FLOOR:
        return floor(x);
    case NEAREST_CEIL:
        return ceil(x);
    case NEAREST_PREFER_CEIL:
        return floor(x + 0.5);
    default:
        return ceil(x - 0.5);
    }
}

/* The interpolation kernel at distance d. */
static double kernel_weight(const resizing *r, double d) {
    double a = r->cubic_a;
    d = fabs(d);
    if (r->mode == MODE_LINEAR)
        return d < 1 ? 1 - d : 0;
    if (d <= 1)
        return ((a + 2) * d - (a + 3)) * d * d + 1;
    return d < 2 ? ((a * d - 5 * a) * d + 8 * a) * d - 4 * a : 0;
}

int resize_reach(const resizing *r, double scale) {
    double size = r->mode == MODE_NEAREST ? 0 : r->mode == MODE_LINEAR ? 1 : 2;
    if (r->antialias && scale < 1)
        size = ceil(size / scale);
    return (int)fmin(size, RESIZE_MOST_ENTRIES);
}

/* Fills index[out][taps] and weight[out][taps]; taps = 2*reach, or 1. */
static void fill_taps(const resizing *r, int axis, int64_t in, int taps, int64_t *index, double *weight) {
    double stretch = r->antialias && r->scale[axis] < 1 ? r->scale[axis] : 1;
    for (int64_t at = 0; at < r->out[axis]; at++) {
        double x = original_place(r, axis, in, at), sum = 0;
        int64_t first =
            r->mode == MODE_NEAREST ? (int64_t)nearest_place(r->nearest, x) : (int64_t)floor(x) - taps / 2 + 1;
        double *w = weight + at * taps;
        for (int t = 0; t < taps; t++) {
            int64_t i = first + t;
            bool outside = i < 0 || i >= in;
            w[t] = r->mode == MODE_NEAREST         ? 1
                   : r->exclude_outside && outside ? 0
                                                   : kernel_weight(r, stretch * ((double)i - x));
            sum += w[t];
            index[at * taps + t] = i < 0 ? 0 : i >= in ? in - 1 : i;
        }
        for (int t = 0; t < taps && (stretch < 1 || r->exclude_outside) && sum != 0; t++)
            w[t] /= sum;
    }
}

/* ---- the expansion ---- */

/* A constant that varies along one axis of a tensor: of shape [n, 1, 1, ...]. */
static value *axis_constant(graph *g, dtype t, int64_t n, int n_behind, const double *from, int64_t stride) {
    int64_t dims[TENSOR_MAX_RANK] = {n};
    for (int k = 0; k < n_behind; k++)
        dims[1 + k] = 1;
    unsigned char *data = arena_alloc(g->memory, dtype_bytes(t, (size_t)n) + 1);
    if (data == NULL)
        return NULL;
    for (int64_t k = 0; k < n; k++)
        dtype_set_double(t, data, (size_t)k, from[k * stride]);
    tensor *made = tensor_new(g->memory, t, 1 + n_behind, dims, data);
    return made == NULL ? NULL : graph_add_constant(g, NULL, made);
}

static int n_taps(const resizing *r, int axis) {
    return r->mode == MODE_NEAREST ? 1 : 2 * resize_reach(r, r->scale[axis]);
}

/* Of the tables that say from where, and how much, an axis is made. */
static double table_entries(const resizing *r, int axis) {
    return (double)r->out[axis] * n_taps(r, axis);
}

/* x resized along one axis; every weight is 1 in nearest mode. */
static value *resize_axis(kit_chain *c, const resizing *r, int axis, value *x) {
    arena *a = c->g->memory;
    int64_t out = r->out[axis];
    int behind = x->type.rank - axis - 1, taps = n_taps(r, axis);
    int64_t *index = ARENA_NEW_N(a, int64_t, out *taps + 1), *column = ARENA_NEW_N(a, int64_t, out + 1);
    double *weight = ARENA_NEW_N(a, double, out *taps + 1);
    value *sum = NULL;
    c->failed |= index == NULL || column == NULL || weight == NULL;
    if (c->failed)
        return NULL;
    fill_taps(r, axis, x->type.dims[axis].n, taps, index, weight);
    for (int t = 0; t < taps; t++) {
        for (int64_t k = 0; k < out; k++)
            column[k] = index[k * taps + t];
        value *part = kit_chain_axis(c, "Gather", x, kit_chain_ints(c, column, out), axis);
        if (r->mode != MODE_NEAREST)
            part = kit_chain_binary(c, "Mul", part, axis_constant(c->g, x->type.elem, out, behind, weight + t, taps));
        sum = sum == NULL ? part : kit_chain_binary(c, "Add", sum, part);
    }
    return sum;
}

/* Places that lie outside the input get the extrapolation value. */
static value *extrapolate(kit_chain *c, const resizing *r, int axis, int64_t in, value *x) {
    int64_t out = r->out[axis];
    double *outside = ARENA_NEW_N(c->g->memory, double, out + 1);
    c->failed |= outside == NULL || x == NULL;
    if (c->failed)
        return NULL;
    for (int64_t k = 0; k < out; k++) {
        double at = original_place(r, axis, in, k);
        outside[k] = at < 0 || at > (double)(in - 1);
    }
    value *mask = axis_constant(c->g, DT_BOOL, out, x->type.rank - axis - 1, outside, 1);
    node *made = kit_chain_node(c, "Where", (value *[]){mask, kit_chain_scalar(c, x->type.elem, r->extrapolation), x},
                                3, NULL, 0, 1);
    return made == NULL ? NULL : made->outputs[0];
}

static status resize_expand(graph *g, node *n) {
    kit_chain c = KIT_CHAIN(g, n);
    value *x = node_input(n, 0);
    dtype elem = x->type.elem;
    int rank = x->type.rank;
    int64_t in[TENSOR_MAX_RANK];
    bool known = false;
    resizing r;
    if (rank >= 0 && type_shape(&x->type, in))
        TRY(read_sizes(n, in, rank, &r, &known));
    if (!known)
        return op_unsupported(
            n, "unknown-shape",
            "the input's shape and 'scales' or 'sizes' must be known; bind the dimensions they are made of");
    if (r.mode != MODE_NEAREST)
        x = kit_chain_cast(&c, x, elem == DT_F64 ? DT_F64 : DT_F32);
    for (int k = 0; k < rank && !c.failed; k++) {
        if (r.scale[k] == 1 && r.out[k] == in[k] && r.from[k] == 0 && r.to[k] == 1)
            continue;
        if (in[k] == 0 && r.out[k] > 0)
            return op_invalid(n, "bad-value", "axis %d has no elements to resize", k);
        if (table_entries(&r, k) > RESIZE_MOST_ENTRIES)
            return op_unsupported(n, "too-large", "axis %d: %lld elements, each of up to %d others, are too many", k,
                                  (long long)r.out[k], n_taps(&r, k));
        x = resize_axis(&c, &r, k, x);
        if (r.place == PLACE_CROP)
            x = extrapolate(&c, &r, k, in[k], x);
    }
    return kit_chain_result(&c, node_output(n, 0), kit_chain_cast(&c, x, elem));
}

/* In opset 10 the scales were the second input, and places were not centred. */
static status resize_upgrade(node *n) {
    if (n->version >= 11)
        return STATUS_OK;
    value *scales = node_input(n, 1);
    attr place = {.name = "coordinate_transformation_mode", .kind = ATTR_STRING, .s = "asymmetric", .s_bytes = 10};
    attr nearest = {.name = "nearest_mode", .kind = ATTR_STRING, .s = "floor", .s_bytes = 5};
    TRY(node_set_input(n, INPUT_SCALES, scales));
    TRY(node_set_input(n, INPUT_ROI, NULL));
    TRY(node_set_attr(n, &place));
    return node_set_attr(n, &nearest);
}

#define TYPES_ROI (TYPE_BIT(DT_F32) | TYPE_BIT(DT_F64) | TYPE_BIT(DT_F16))
OP_ROW(Resize) = {
    .name = "Resize",
    .domain = "",
    .versions = VERSIONS(10, 11, 13, 18, 19),
    .kind = OP_EXPAND,
    .inputs = PARAMS({"X", TYPES_MOVE, 'T', 0}, {"roi", TYPES_ROI, 'R', PARAM_OPTIONAL | PARAM_KNOWN},
                     {"scales", TYPE_BIT(DT_F32), 0, PARAM_OPTIONAL | PARAM_KNOWN},
                     {"sizes", TYPE_BIT(DT_I64), 0, PARAM_OPTIONAL | PARAM_KNOWN}),
    .outputs = PARAMS({"Y", TYPES_MOVE, 'T', 0}),
    .attrs = ATTRS({"antialias", ATTR_INT, .i = 0}, {"axes", .kind = ATTR_INTS},
                   {"coordinate_transformation_mode", ATTR_STRING, .s = "half_pixel"},
                   {"cubic_coeff_a", ATTR_FLOAT, .f = -0.75}, {"exclude_outside", ATTR_INT, .i = 0},
                   {"extrapolation_value", ATTR_FLOAT, .f = 0},
                   {"keep_aspect_ratio_policy", ATTR_STRING, .s = "stretch"}, {"mode", ATTR_STRING, .s = "nearest"},
                   {"nearest_mode", ATTR_STRING, .s = "round_prefer_floor"}),
    .note = "no strings, no complex numbers, no 2- and 4-bit elements",
    .infer = resize_infer,
    .upgrade = resize_upgrade,
    .expand = resize_expand,
    .lower = resize_data_lower,
};

/* ---- Upsample: Resize as it was in opset 10 ---- */

static status upsample_infer(node *n) {
    const tensor_type *x = op_input_type(n, 0);
    const tensor *scales = kit_constant(n, 1);
    int64_t in[TENSOR_MAX_RANK];
    dim dims[TENSOR_MAX_RANK];
    if (x->rank < 0)
        return op_unknown_output(n, 0, x->elem);
    if (scales == NULL || !type_shape(x, in))
        return op_output_of_rank(n, 0, x->elem, x->rank);
    if (scales->count != x->rank)
        return op_invalid(n, "shape-mismatch", "'scales' has %lld entries, the input %d dimensions",
                          (long long)scales->count, x->rank);
    for (int k = 0; k < x->rank; k++) {
        double size = floor((double)in[k] * tensor_double(scales, k));
        TRY(check_factor(n, k, tensor_double(scales, k), size));
        dims[k] = DIM((int64_t)size);
    }
    return op_set_output(n, 0, x->elem, x->rank, dims);
}

/* Before opset 9 the scales were attributes: `scales`, and two of their own in opset 1. */
static status upsample_upgrade(node *n) {
    const attr *a = node_attr(n, "scales"), *height = node_attr(n, "height_scale"),
               *width = node_attr(n, "width_scale");
    double image[4] = {1, 1, 0, 0};
    if (a == NULL && (height == NULL || width == NULL))
        return STATUS_OK;
    if (a == NULL) {
        image[2] = height->f;
        image[3] = width->f;
    }
    value *v = a == NULL ? axis_constant(n->graph, DT_F32, 4, 0, image, 1)
                         : axis_constant(n->graph, DT_F32, a->n, 0, a->floats, 1);
    TRY_ALLOC(v);
    TRY(node_set_input(n, 1, v));
    node_remove_attr(n, "scales");
    node_remove_attr(n, "height_scale");
    node_remove_attr(n, "width_scale");
    return STATUS_OK;
}

static status upsample_expand(graph *g, node *n) {
    attr attrs[] = {
        {.name = "coordinate_transformation_mode", .kind = ATTR_STRING, .s = "asymmetric", .s_bytes = 10},
        {.name = "nearest_mode", .kind = ATTR_STRING, .s = "floor", .s_bytes = 5},
        {.name = "mode", .kind = ATTR_STRING, .s = op_string(n, "mode"), .s_bytes = strlen(op_string(n, "mode"))}};
    value *inputs[] = {node_input(n, 0), NULL, node_input(n, 1)};
    kit_chain c = KIT_CHAIN(g, n);
    node *made = graph_build(g, n, "Resize", inputs, 3, attrs, 3, 1);
    c.failed = made == NULL;
    if (made != NULL) /* what the model declares is all that is known where the scales are data */
        TRY(graph_set_type(g, made->outputs[0], &n->outputs[0]->type));
    return kit_chain_result(&c, node_output(n, 0), made == NULL ? NULL : made->outputs[0]);
}

OP_ROW(Upsample) = {
    .name = "Upsample",
    .domain = "",
    .versions = VERSIONS(1, 7, 9, 10),
    .kind = OP_EXPAND,
    .inputs = PARAMS({"X", TYPES_MOVE, 'T', 0}, {"scales", TYPE_BIT(DT_F32), 0, 0}),
    .outputs = PARAMS({"Y", TYPES_MOVE, 'T', 0}),
    .attrs = ATTRS({"mode", ATTR_STRING, .s = "nearest"}),
    .note = "no strings, no complex numbers",
    .infer = upsample_infer,
    .upgrade = upsample_upgrade,
    .expand = upsample_expand,
};
