/* Operators on images by coordinates: GridSample, AffineGrid, CenterCropPad. */
#include <math.h>
#include <string.h>

#include "ops/kit.h"

static int position_in(const char *text, const char *const *names, int n) {
    int k = 0;
    while (k < n && strcmp(text, names[k]) != 0)
        k++;
    return k;
}

/* ---- GridSample ---- */

typedef enum sample_mode { SAMPLE_NEAREST, SAMPLE_LINEAR, SAMPLE_CUBIC, N_SAMPLE_MODES } sample_mode;
typedef enum sample_pad { PAD_ZEROS, PAD_BORDER, PAD_REFLECTION, N_SAMPLE_PADS } sample_pad;
enum { TAPS_MAX = 4 };

static sample_mode mode_of(const node *n) {
    static const char *const names[] = {"nearest", "linear", "cubic"};
    return (sample_mode)position_in(op_string(n, "mode"), names, N_SAMPLE_MODES);
}
static sample_pad pad_of(const node *n) {
    static const char *const names[] = {"zeros", "border", "reflection"};
    return (sample_pad)position_in(op_string(n, "padding_mode"), names, N_SAMPLE_PADS);
}

static status grid_sample_infer(node *n) {
    const tensor_type *x = op_input_type(n, 0), *grid = op_input_type(n, 1);
    if (mode_of(n) == N_SAMPLE_MODES || pad_of(n) == N_SAMPLE_PADS)
        return op_invalid(n, "wrong-attribute", "mode is '%s' and padding_mode '%s'", op_string(n, "mode"),
                          op_string(n, "padding_mode"));
    if (x->rank < 0 || grid->rank < 0)
        return op_unknown_output(n, 0, x->elem);
    if (x->rank < 3 || grid->rank != x->rank)
        return op_invalid(n, "wrong-rank",
                          "'X' has %d dimensions and 'grid' %d: both must have the same number, 3 or more", x->rank,
                          grid->rank);
    if (dim_is_known(grid->dims[x->rank - 1]) && grid->dims[x->rank - 1].n != x->rank - 2)
        return op_invalid(n, "shape-mismatch", "the last dimension of 'grid' is %lld, expected %d",
                          (long long)grid->dims[x->rank - 1].n, x->rank - 2);
    for (int k = 2; k < x->rank; k++)
        if (dim_equal(x->dims[k], DIM(0)))
            return op_invalid(n, "shape-mismatch", "dimension %d of 'X' has no elements to sample", k);
    dim dims[TENSOR_MAX_RANK] = {x->dims[0], x->dims[1]};
    kit_copy_dims(dims + 2, grid->dims + 1, x->rank - 2);
    return op_set_output(n, 0, x->elem, x->rank, dims);
}

/* In opset 16 the modes had two-dimensional names. */
static status grid_sample_upgrade(node *n) {
    const char *mode = op_string(n, "mode"), *now = strcmp(mode, "bicubic") == 0    ? "cubic"
                                                    : strcmp(mode, "bilinear") == 0 ? "linear"
                                                                                    : mode;
    attr a = {.name = "mode", .kind = ATTR_STRING, .s = now, .s_bytes = strlen(now)};
    return node_set_attr(n, &a);
}

/* One axis of a sample: where its taps are, which of them are inside, what they weigh. */
typedef struct axis_taps {
    int n;
    const expr *index[TAPS_MAX], *inside[TAPS_MAX], *weight[TAPS_MAX];
} axis_taps;

/* The place inside [0, extent) that stands for an index outside. */
static const expr *padded_index(builder *b, sample_pad pad, bool corners, const expr *i, int64_t extent) {
    const expr *zero = build_index(b, 0), *last = build_index(b, extent - 1);
    if (pad != PAD_REFLECTION)
        return build_max(b, zero, build_min(b, i, last));
    if (corners && extent == 1)
        return zero;
    const expr *period = build_index(b, corners ? 2 * (extent - 1) : 2 * extent), *r = build_rem(b, i, period);
    r = build_select(b, build_lt(b, r, zero), build_add(b, r, period), r);
    return build_select(b, build_lt(b, last, r),
                        build_sub(b, build_index(b, corners ? 2 * (extent - 1) : 2 * extent - 1), r), r);
}

/* Weights of the four cubic taps at a fraction f, with a = -0.75. */
static void cubic_weights(builder *b, const expr *f, const expr **out) {
    const double a = -0.75;
    const expr *one = kit_const(b, f, 1);
    for (int k = 0; k < 4; k++) {
        const expr *d = k == 0   ? build_add(b, f, one)
                        : k == 1 ? f
                        : k == 2 ? build_sub(b, one, f)
                                 : build_sub(b, kit_const(b, f, 2), f);
        bool near = k == 1 || k == 2;
        const double c3 = near ? a + 2 : a, c2 = near ? -(a + 3) : -5 * a, c1 = near ? 0 : 8 * a,
                     c0 = near ? 1 : -4 * a;
        const expr *y = build_add(b, build_mul(b, kit_const(b, f, c3), d), kit_const(b, f, c2));
        y = build_add(b, build_mul(b, y, d), kit_const(b, f, c1));
        out[k] = build_add(b, build_mul(b, y, d), kit_const(b, f, c0));
    }
}

static axis_taps find_taps(builder *b, const node *n, const expr *g, int64_t extent) {
    sample_mode mode = mode_of(n);
    sample_pad pad = pad_of(n);
    bool corners = op_int(n, "align_corners") != 0;
    axis_taps t = {.n = mode == SAMPLE_NEAREST ? 1 : mode == SAMPLE_LINEAR ? 2 : 4};
    const expr *one = kit_const(b, g, 1), *half = kit_const(b, g, 0.5), *up = build_add(b, g, one), *at;
    if (corners)
        at = build_mul(b, build_mul(b, up, half), kit_const(b, g, (double)(extent - 1)));
    else
        at = build_mul(b, build_sub(b, build_mul(b, up, kit_const(b, g, (double)extent)), one), half);
    const expr *low = build_unary(b, mode == SAMPLE_NEAREST ? EXPR_RINT : EXPR_FLOOR, at), *f = build_sub(b, at, low);
    const expr *first = build_sub(b, build_cast(b, DT_I64, low), build_index(b, mode == SAMPLE_CUBIC ? 1 : 0));
    if (mode == SAMPLE_LINEAR) {
        t.weight[0] = build_sub(b, one, f);
        t.weight[1] = f;
    } else if (mode == SAMPLE_CUBIC) {
        cubic_weights(b, f, t.weight);
    }
    for (int k = 0; k < t.n; k++) {
        const expr *i = build_add(b, first, build_index(b, k));
        t.inside[k] = pad == PAD_ZEROS ? kit_inside(b, NULL, i, 0, extent, true, true) : NULL;
        t.index[k] = pad == PAD_ZEROS ? i : padded_index(b, pad, corners, i, extent);
    }
    return t;
}

static status grid_sample_lower(const node *n, nest_list *l) {
    builder *b = l->b;
    const nest_operand *x = kit_operand(l, 0);
    const expr *i[TENSOR_MAX_RANK], *f[TENSOR_MAX_RANK], *at[TENSOR_MAX_RANK], *sum = NULL;
    axis_taps taps[TENSOR_MAX_RANK];
    int rank = x->rank - 2, y = nest_output(l, 0), choice[TENSOR_MAX_RANK] = {0};
    bool nearest = mode_of(n) == SAMPLE_NEAREST;
    if (rank > 3)
        return op_unsupported(n, "unsupported-rank", "more than 3 spatial dimensions");
    nest *m = kit_over(l, "grid_sample", y, i);
    at[0] = f[0] = i[0];
    f[1] = i[1];
    memcpy(at + 1, i + 2, (size_t)rank * sizeof *i);
    for (int d = 0; d < rank; d++) { /* the grid names the last dimension first */
        at[rank + 1] = build_index(b, rank - 1 - d);
        taps[d] = find_taps(b, n, kit_read(l, 1, at), x->dims[2 + d]);
    }
    for (bool done = false; !done;) {
        const expr *mask = NULL, *weight = NULL;
        for (int d = 0; d < rank; d++) {
            const axis_taps *t = &taps[d];
            f[2 + d] = t->index[choice[d]];
            if (t->inside[choice[d]] != NULL)
                mask = mask == NULL ? t->inside[choice[d]] : build_and(b, mask, t->inside[choice[d]]);
            if (!nearest)
                weight = weight == NULL ? t->weight[choice[d]] : build_mul(b, weight, t->weight[choice[d]]);
        }
        const expr *v = mask == NULL ? nest_read(l, 0, f) : nest_read_masked(l, 0, f, mask);
        if (!nearest)
            v = build_mul(b, kit_cast(b, weight->type.elem, v), weight);
        sum = sum == NULL ? v : build_add(b, sum, v);
        int d = rank - 1;
        while (d >= 0 && ++choice[d] == taps[d].n)
            choice[d--] = 0;
        done = d < 0;
    }
    nest_store(m, y, i, x->rank, kit_cast(b, x->elem, sum));
    return builder_status(b);
}

OP_ROW(GridSample) = {
    .name = "GridSample",
    .domain = "",
    .versions = VERSIONS(16, 20, 22),
    .kind = OP_LOWER,
    .inputs = PARAMS({"X", TYPES_MOVE, 'T', 0}, {"grid", TYPES_FLOAT, 'G', 0}),
    .outputs = PARAMS({"Y", TYPES_MOVE, 'T', 0}),
    .attrs = ATTRS({"align_corners", ATTR_INT, .i = 0}, {"mode", ATTR_STRING, .s = "linear"},
                   {"padding_mode", ATTR_STRING, .s = "zeros"}),
    .note = "up to 3 spatial dimensions; no strings, no complex numbers",
    .infer = grid_sample_infer,
    .upgrade = grid_sample_upgrade,
    .lower = grid_sample_lower,
};

/* ---- AffineGrid ---- */

static status affine_grid_infer(node *n) {
    const tensor_type *theta = op_input_type(n, 0);
    int64_t count;
    const int64_t *size = op_known_ints(n, 1, &count);
    if (size == NULL)
        return theta->rank == 3 && dim_is_known(theta->dims[1]) && (theta->dims[1].n == 2 || theta->dims[1].n == 3)
                   ? op_output_of_rank(n, 0, theta->elem, (int)theta->dims[1].n + 2)
                   : op_unknown_output(n, 0, theta->elem);
    if (count != 4 && count != 5)
        return op_invalid(n, "bad-shape", "'size' has %lld entries, expected 4 or 5", (long long)count);
    if (theta->rank >= 0 && theta->rank != 3)
        return op_invalid(n, "wrong-rank", "'theta' must have 3 dimensions, it has %d", theta->rank);
    const int64_t wanted[] = {size[0], count - 2, count - 1};
    for (int k = 0; theta->rank == 3 && k < 3; k++)
        if (dim_is_known(theta->dims[k]) && theta->dims[k].n != wanted[k])
            return op_invalid(n, "shape-mismatch", "dimension %d of 'theta' is %lld, expected %lld", k,
                              (long long)theta->dims[k].n, (long long)wanted[k]);
    dim dims[5] = {DIM(size[0])};
    for (int64_t k = 2; k < count; k++)
        dims[k - 1] = DIM(size[k]);
    dims[count - 1] = DIM(count - 2);
    return op_set_output(n, 0, theta->elem, (int)count, dims);
}

/* Where `size` is data: it must be the declared N and spatial dimensions, and any number of channels. */
static void check_size(const node *n, nest_list *l) {
    builder *b = l->b;
    const nest_operand *y = kit_operand(l, nest_output(l, 0)), *size = kit_operand(l, 1);
    if (kit_constant(n, 1) != NULL)
        return;
    nest *m = nest_add(l, "check_size");
    nest_raw_begin(l, m);
    build_check(b, build_int(b, DT_BOOL, size->rank == 1 && size->dims[0] == y->rank), KIT_E_VALUE);
    for (int k = 0; k < y->rank && k < size->dims[0]; k++)
        if (k != 1)
            build_check(b, build_eq(b, kit_int_at(n, l, 1, k, true), build_index(b, y->dims[k == 0 ? 0 : k - 1])),
                        KIT_E_VALUE);
    nest_raw_end(l, m);
}

static status affine_grid_lower(const node *n, nest_list *l) {
    builder *b = l->b;
    const expr *i[5];
    int y = nest_output(l, 0), rank = kit_operand(l, y)->rank - 2;
    const int64_t *dims = kit_operand(l, y)->dims;
    bool corners = op_int(n, "align_corners") != 0;
    const nest_operand *theta = kit_operand(l, 0);
    if (rank < 2 || rank > 3 || theta->rank != 3 || theta->dims[0] != dims[0] || theta->dims[1] != rank ||
        theta->dims[2] != rank + 1 || dims[rank + 1] != rank)
        return op_invalid(n, "shape-mismatch", "'theta' must be [N, d, d + 1] and 'grid' [N, ..., d], with d 2 or 3");
    check_size(n, l);
    nest *m = kit_over(l, "affine_grid", y, i);
    const expr *row = i[rank + 1], *sum = kit_read(l, 0, (const expr *[]){i[0], row, build_index(b, rank)});
    for (int k = 0; k < rank; k++) { /* column k goes with the dimension that is k-th from the end */
        int64_t extent = dims[rank - k];
        const expr *place = build_cast(b, sum->type.elem, i[rank - k]), *one = kit_const(b, sum, 1),
                   *two = kit_const(b, sum, 2), *position;
        if (corners)
            position = build_sub(
                b, build_div(b, build_mul(b, two, place), kit_const(b, sum, (double)(extent > 1 ? extent - 1 : 1))),
                one);
        else
            position = build_sub(
                b, build_div(b, build_add(b, build_mul(b, two, place), one), kit_const(b, sum, (double)extent)), one);
        sum = build_add(b, sum, build_mul(b, kit_read(l, 0, (const expr *[]){i[0], row, build_index(b, k)}), position));
    }
    kit_store(l, m, y, i, sum);
    return builder_status(b);
}

OP_ROW(AffineGrid) = {
    .name = "AffineGrid",
    .domain = "",
    .versions = VERSIONS(20),
    .kind = OP_LOWER,
    .inputs = PARAMS({"theta", TYPES_FLOAT, 'T', 0}, {"size", TYPE_BIT(DT_I64), 0, 0}),
    .outputs = PARAMS({"grid", TYPES_FLOAT, 'T', 0}),
    .attrs = ATTRS({"align_corners", ATTR_INT, .i = 0}),
    .infer = affine_grid_infer,
    .lower = affine_grid_lower,
};

/* ---- CenterCropPad ---- */

static status center_infer(node *n) {
    const tensor_type *x = op_input_type(n, 0);
    int64_t count, n_axes;
    const int64_t *shape = op_known_ints(n, 1, &count), *axes = op_ints(n, "axes", &n_axes);
    bool seen[TENSOR_MAX_RANK];
    if (x->rank < 0 || shape == NULL)
        return op_unknown_output(n, 0, x->elem);
    if (axes != NULL)
        TRY(kit_axis_set(n, axes, n_axes, x->rank, seen));
    if (count != (axes == NULL ? x->rank : n_axes))
        return op_invalid(n, "shape-mismatch", "'shape' has %lld entries for %lld axes", (long long)count,
                          (long long)(axes == NULL ? x->rank : n_axes));
    dim dims[TENSOR_MAX_RANK];
    kit_copy_dims(dims, x->dims, x->rank);
    for (int64_t k = 0; k < count; k++)
        dims[axes == NULL ? k : kit_axis(axes[k], x->rank)] = DIM(shape[k]);
    return op_set_output(n, 0, x->elem, x->rank, dims);
}

static status center_lower(const node *n, nest_list *l) {
    builder *b = l->b;
    const expr *i[TENSOR_MAX_RANK], *f[TENSOR_MAX_RANK], *mask = NULL;
    int out = nest_output(l, 0);
    const nest_operand *x = kit_operand(l, 0), *y = kit_operand(l, out);
    int64_t count, wanted[TENSOR_MAX_RANK];
    const int64_t *axes = op_ints(n, "axes", &count);
    count = axes == NULL ? x->rank : count;
    for (int64_t k = 0; k < count; k++)
        wanted[k] = y->dims[axes == NULL ? k : kit_axis(axes[k], x->rank)];
    kit_check_equal(n, l, 1, wanted, count);
    nest *m = kit_over(l, "center", out, i);
    for (int k = 0; k < x->rank; k++) {
        int64_t more = y->dims[k] - x->dims[k], before = more > 0 ? more / 2 : 0, cut = more < 0 ? -more / 2 : 0;
        f[k] = build_add(b, i[k], build_index(b, cut - before));
        mask = kit_inside(b, mask, f[k], 0, x->dims[k], before > 0, more - before > 0);
    }
    nest_store(m, out, i, x->rank, mask == NULL ? nest_read(l, 0, f) : nest_read_masked(l, 0, f, mask));
    return builder_status(b);
}

OP_ROW(CenterCropPad) = {
    .name = "CenterCropPad",
    .domain = "",
    .versions = VERSIONS(18),
    .kind = OP_LOWER,
    .inputs = PARAMS({"input_data", TYPES_MOVE, 'T', 0}, {"shape", TYPES_INDEX, 'I', 0}),
    .outputs = PARAMS({"output_data", TYPES_MOVE, 'T', 0}),
    .attrs = ATTRS({"axes", .kind = ATTR_INTS}),
    .note = "no strings, no complex numbers",
    .infer = center_infer,
    .lower = center_lower,
};
