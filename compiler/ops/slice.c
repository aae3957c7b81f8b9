/* Slice and Pad: windows of a tensor, and the space around it. */
#include <string.h>

#include "ops/kit.h"

#define MOVE_NOTE "no strings, no complex numbers, no 2- and 4-bit elements"

/* ---- Slice ---- */

/* Bounds beyond this stand for "to the end": far outside any dimension, far from overflow. */
static const int64_t slice_far = INT64_C(1) << 48;

static dim slice_clamp(arena *a, int64_t bound, dim extent, dim lo, dim hi) {
    bound = bound < -slice_far ? -slice_far : bound > slice_far ? slice_far : bound;
    dim at = bound < 0 ? dim_add(a, extent, DIM(bound)) : DIM(bound);
    return dim_max(a, lo, dim_min(a, at, hi));
}

/* First element and number of elements of start:end:step on a dimension. */
static void slice_range(arena *a, dim extent, int64_t start, int64_t end, int64_t step, dim *out_first,
                        dim *out_count) {
    dim last = dim_sub(a, extent, DIM(1)), distance;
    int64_t size;
    if (step > 0) {
        size = step > slice_far ? slice_far : step;
        *out_first = slice_clamp(a, start, extent, DIM(0), extent);
        distance = dim_sub(a, slice_clamp(a, end, extent, DIM(0), extent), *out_first);
    } else {
        size = step < -slice_far ? slice_far : -step;
        *out_first = dim_min(a, slice_clamp(a, start, extent, DIM(0), last), last);
        distance = dim_sub(a, *out_first, slice_clamp(a, end, extent, DIM(-1), last));
    }
    *out_count = dim_max(a, DIM(0), dim_floor_div(a, dim_add(a, distance, DIM(size - 1)), DIM(size)));
}

typedef struct slice_spec {
    int64_t n;
    const int64_t *starts, *ends;
    int axes[TENSOR_MAX_RANK];
    int64_t steps[TENSOR_MAX_RANK];
} slice_spec;

/* False where an input's contents are not known. The node has been checked. */
static bool slice_read(const node *n, int rank, slice_spec *out) {
    int64_t n_ends, n_axes = 0, n_steps = 0;
    out->starts = op_known_ints(n, 1, &out->n);
    out->ends = op_known_ints(n, 2, &n_ends);
    const int64_t *axes = op_known_ints(n, 3, &n_axes), *steps = op_known_ints(n, 4, &n_steps);
    if (out->starts == NULL || out->ends == NULL || (node_input(n, 3) != NULL && axes == NULL) ||
        (node_input(n, 4) != NULL && steps == NULL))
        return false;
    for (int64_t k = 0; k < out->n && k < rank; k++) {
        out->axes[k] = axes == NULL ? (int)k : kit_axis(axes[k], rank);
        out->steps[k] = steps == NULL ? 1 : steps[k];
    }
    return true;
}

static status slice_check(const node *n, int rank) {
    int64_t count[5] = {0};
    const int64_t *list[5] = {NULL};
    bool seen[TENSOR_MAX_RANK];
    for (int k = 1; k < 5; k++) {
        list[k] = op_known_ints(n, k, &count[k]);
        if (node_input(n, k) != NULL && op_input_rank(n, k) >= 0 && op_input_rank(n, k) != 1)
            return op_invalid(n, "wrong-rank", "'%s' must have one dimension, it has %d", n->row->inputs[k].name,
                              op_input_rank(n, k));
    }
    for (int k = 2; k < 5; k++)
        if (list[1] != NULL && list[k] != NULL && count[k] != count[1])
            return op_invalid(n, "shape-mismatch", "'%s' has %lld entries, 'starts' %lld", n->row->inputs[k].name,
                              (long long)count[k], (long long)count[1]);
    if (list[1] != NULL && count[1] > rank)
        return op_invalid(n, "shape-mismatch", "'starts' has %lld entries, the input %d dimensions",
                          (long long)count[1], rank);
    if (list[3] != NULL)
        TRY(kit_axis_set(n, list[3], count[3], rank, seen));
    for (int64_t k = 0; list[4] != NULL && k < count[4]; k++)
        if (list[4][k] == 0)
            return op_invalid(n, "bad-value", "step %lld is 0", (long long)k);
    return STATUS_OK;
}

/* From a known start to an end that is a symbol, by steps of one: "the first `sequence` positions". */
static status slice_symbolic(node *n, const tensor_type *x) {
    arena *a = n->graph->memory;
    dim dims[TENSOR_MAX_RANK], ends[TENSOR_MAX_RANK];
    int64_t n_starts, n_axes = 0, n_steps = 0, low, high;
    const int64_t *starts = op_known_ints(n, 1, &n_starts), *axes = op_known_ints(n, 3, &n_axes),
                  *steps = op_known_ints(n, 4, &n_steps);
    int count;
    bool ok = starts != NULL && (axes != NULL || node_input(n, 3) == NULL) &&
              (steps != NULL || node_input(n, 4) == NULL) && kit_known_dims(n, 2, ends, &count) && count == n_starts &&
              count <= x->rank;
    kit_copy_dims(dims, x->dims, x->rank);
    for (int64_t k = 0; ok && k < count; k++) {
        int axis = axes == NULL ? (int)k : kit_axis(axes[k], x->rank);
        dim_range(ends[k], &low, &high);
        ok = low >= 0 && starts[k] >= 0 && (steps == NULL || steps[k] == 1);
        dim size = dim_min(a, ends[k], x->dims[axis]);
        dims[axis] = starts[k] == 0 ? size : dim_max(a, DIM(0), dim_sub(a, size, DIM(starts[k])));
        ok &= dim_status(dims[axis]) == STATUS_OK;
    }
    return ok ? op_set_output(n, 0, x->elem, x->rank, dims) : op_output_of_rank(n, 0, x->elem, x->rank);
}

static status slice_infer(node *n) {
    const tensor_type *x = op_input_type(n, 0);
    slice_spec s;
    if (x->rank < 0)
        return op_unknown_output(n, 0, x->elem);
    TRY(slice_check(n, x->rank));
    if (!slice_read(n, x->rank, &s))
        return slice_symbolic(n, x);
    dim dims[TENSOR_MAX_RANK], first;
    kit_copy_dims(dims, x->dims, x->rank);
    for (int64_t k = 0; k < s.n; k++)
        slice_range(n->graph->memory, x->dims[s.axes[k]], s.starts[k], s.ends[k], s.steps[k], &first, &dims[s.axes[k]]);
    return op_set_output(n, 0, x->elem, x->rank, dims);
}

/* Before opset 10 starts, ends and axes were attributes. */
static status slice_upgrade(node *n) {
    static const char *const names[] = {"starts", "ends", "axes"};
    for (int k = 0; k < 3; k++)
        TRY(kit_ints_to_input(n, names[k], k + 1));
    return STATUS_OK;
}

/* ---- Slice and Pad whose bounds are data: the model declares the shape, a check sees that the bounds give it ---- */

/* Is dimension d the axis that entry k of the bounds is for? Operand `axes` may be absent. */
static const expr *is_axis(const node *n, const nest_list *l, int axes, int64_t k, int d, int rank, bool raw) {
    builder *b = l->b;
    if (node_input(n, axes) == NULL)
        return build_int(b, DT_BOOL, k == d);
    const expr *axis = kit_int_at(n, l, axes, k, raw);
    return build_binary(b, EXPR_OR, build_eq(b, axis, build_index(b, d)), build_eq(b, axis, build_index(b, d - rank)));
}

static const expr *clamped(builder *b, const expr *bound, int64_t extent, const expr *lo, const expr *hi) {
    const expr *far = build_index(b, slice_far), *near = build_index(b, -slice_far);
    bound = build_max(b, near, build_min(b, far, bound));
    bound = build_select(b, build_lt(b, bound, build_index(b, 0)), build_add(b, bound, build_index(b, extent)), bound);
    return build_max(b, lo, build_min(b, bound, hi));
}

typedef struct slice_bounds {
    const expr *first, *step, *count;
} slice_bounds;

/* What entry k says for a dimension of this extent: the numbers of slice_range. */
static slice_bounds slice_entry(const node *n, const nest_list *l, int64_t k, int64_t extent, bool raw) {
    builder *b = l->b;
    const expr *zero = build_index(b, 0), *one = build_index(b, 1), *size = build_index(b, extent),
               *last = build_index(b, extent - 1), *far = build_index(b, slice_far);
    const expr *start = kit_int_at(n, l, 1, k, raw), *end = kit_int_at(n, l, 2, k, raw);
    const expr *step = node_input(n, 4) == NULL ? one : kit_int_at(n, l, 4, k, raw), *up = build_lt(b, zero, step);
    step = build_max(b, build_index(b, -slice_far), build_min(b, far, step));
    const expr *lo = build_select(b, up, zero, build_index(b, -1)), *hi = build_select(b, up, size, last);
    const expr *first = build_min(b, clamped(b, start, extent, zero, hi), hi);
    const expr *distance = build_sub(b, clamped(b, end, extent, lo, hi), first);
    const expr *stride = build_unary(b, EXPR_ABS, step);
    distance = build_select(b, up, distance, build_sub(b, zero, distance));
    const expr *count = build_div(b, build_sub(b, build_add(b, distance, stride), one), stride);
    return (slice_bounds){first, step, build_max(b, zero, count)};
}

static slice_bounds slice_bounds_of(const node *n, const nest_list *l, int d, bool raw) {
    const nest_operand *x = kit_operand(l, 0), *starts = kit_operand(l, 1);
    builder *b = l->b;
    slice_bounds all = {build_index(b, 0), build_index(b, 1), build_index(b, x->dims[d])};
    for (int64_t k = 0; k < starts->dims[0]; k++) {
        const expr *here = is_axis(n, l, 3, k, d, x->rank, raw);
        slice_bounds entry = slice_entry(n, l, k, x->dims[d], raw);
        all.first = build_select(b, here, entry.first, all.first);
        all.step = build_select(b, here, entry.step, all.step);
        all.count = build_select(b, here, entry.count, all.count);
    }
    return all;
}

static status slice_lower_data(const node *n, nest_list *l) {
    const expr *i[TENSOR_MAX_RANK], *f[TENSOR_MAX_RANK];
    builder *b = l->b;
    int y = nest_output(l, 0), rank = kit_operand(l, 0)->rank;
    if (node_input(n, 3) != NULL)
        kit_check_index(n, l, 3, -rank, rank, NULL);
    nest *m = nest_add(l, "check_bounds");
    nest_raw_begin(l, m);
    for (int d = 0; d < rank; d++) {
        slice_bounds at = slice_bounds_of(n, l, d, true);
        build_check(b, build_ne(b, at.step, build_index(b, 0)), KIT_E_VALUE);
        build_check(b, build_eq(b, at.count, build_index(b, kit_operand(l, y)->dims[d])), KIT_E_VALUE);
    }
    nest_raw_end(l, m);
    m = kit_over(l, "slice", y, i);
    for (int d = 0; d < rank; d++) {
        slice_bounds at = slice_bounds_of(n, l, d, false);
        f[d] = build_add(b, build_mul(b, i[d], at.step), at.first);
    }
    nest_store(m, y, i, rank, nest_read(l, 0, f));
    return builder_status(b);
}

static status slice_lower(const node *n, nest_list *l) {
    const expr *i[TENSOR_MAX_RANK], *f[TENSOR_MAX_RANK];
    const nest_operand *x = kit_operand(l, 0);
    int y = nest_output(l, 0);
    slice_spec s;
    if (!slice_read(n, x->rank, &s))
        return slice_lower_data(n, l);
    nest *m = kit_over(l, "slice", y, i);
    memcpy(f, i, (size_t)x->rank * sizeof *i);
    for (int64_t k = 0; k < s.n; k++) {
        int axis = s.axes[k];
        dim first, count;
        slice_range(builder_arena(l->b), DIM(x->dims[axis]), s.starts[k], s.ends[k], s.steps[k], &first, &count);
        f[axis] = build_add(l->b, build_mul(l->b, i[axis], build_index(l->b, s.steps[k])), build_index(l->b, first.n));
    }
    nest_store(m, y, i, x->rank, nest_read(l, 0, f));
    return builder_status(l->b);
}

OP_ROW(Slice) = {
    .name = "Slice",
    .domain = "",
    .versions = VERSIONS(1, 10, 11, 13),
    .kind = OP_LOWER,
    .inputs = PARAMS({"data", TYPES_MOVE, 'T', 0}, {"starts", TYPES_INDEX, 'I', 0}, {"ends", TYPES_INDEX, 'I', 0},
                     {"axes", TYPES_INDEX, 'I', PARAM_OPTIONAL}, {"steps", TYPES_INDEX, 'I', PARAM_OPTIONAL}),
    .outputs = PARAMS({"output", TYPES_MOVE, 'T', 0}),
    .note = MOVE_NOTE,
    .infer = slice_infer,
    .upgrade = slice_upgrade,
    .lower = slice_lower,
};

/* ---- Pad ---- */

/* Begin and end pads of every axis; false where not known. [bad-value] and the like through out_status. */
static bool pad_read(const node *n, int rank, int64_t *begin, int64_t *end, status *out_status) {
    int64_t n_pads, n_axes = rank;
    const int64_t *pads = op_known_ints(n, 1, &n_pads), *axes = op_known_ints(n, 3, &n_axes);
    bool seen[TENSOR_MAX_RANK];
    *out_status = STATUS_OK;
    if (pads == NULL || (node_input(n, 3) != NULL && axes == NULL))
        return false;
    if (axes == NULL)
        n_axes = rank;
    else
        *out_status = kit_axis_set(n, axes, n_axes, rank, seen);
    if (*out_status == STATUS_OK && n_pads != 2 * n_axes)
        *out_status = op_invalid(n, "shape-mismatch", "'pads' has %lld entries, expected %lld", (long long)n_pads,
                                 (long long)(2 * n_axes));
    if (*out_status != STATUS_OK)
        return false;
    for (int k = 0; k < rank; k++)
        begin[k] = end[k] = 0;
    for (int64_t k = 0; k < n_axes; k++) {
        int axis = axes == NULL ? (int)k : kit_axis(axes[k], rank);
        begin[axis] = pads[k];
        end[axis] = pads[n_axes + k];
    }
    return true;
}

typedef enum pad_mode { PAD_CONSTANT, PAD_REFLECT, PAD_EDGE, PAD_WRAP, PAD_MODES } pad_mode;
static const char *const pad_names[] = {"constant", "reflect", "edge", "wrap"};

static pad_mode pad_mode_of(const node *n) {
    int mode = 0;
    while (mode < PAD_MODES && strcmp(op_string(n, "mode"), pad_names[mode]) != 0)
        mode++;
    return (pad_mode)mode;
}

static status pad_infer(node *n) {
    const tensor_type *x = op_input_type(n, 0);
    arena *a = n->graph->memory;
    int64_t begin[TENSOR_MAX_RANK], end[TENSOR_MAX_RANK];
    pad_mode mode = pad_mode_of(n);
    status outcome = STATUS_OK;
    if (mode == PAD_MODES)
        return op_invalid(n, "wrong-attribute", "mode is '%s', expected constant, reflect, edge or wrap",
                          op_string(n, "mode"));
    TRY(kit_check_single(n, 2));
    if (x->rank < 0)
        return op_unknown_output(n, 0, x->elem);
    if (!pad_read(n, x->rank, begin, end, &outcome))
        return outcome != STATUS_OK ? outcome : op_output_of_rank(n, 0, x->elem, x->rank);
    dim dims[TENSOR_MAX_RANK];
    for (int k = 0; k < x->rank; k++) {
        dims[k] = dim_add(a, x->dims[k], dim_add(a, DIM(begin[k]), DIM(end[k])));
        if (dim_is_known(dims[k]) && dims[k].n < 0)
            return op_invalid(n, "bad-value", "the pads of axis %d take away more than its %lld elements", k,
                              (long long)x->dims[k].n);
        if (mode != PAD_CONSTANT && dim_equal(x->dims[k], DIM(0)) && dim_is_known(dims[k]) && dims[k].n > 0)
            return op_invalid(n, "bad-value", "axis %d has no elements to pad with", k);
    }
    return op_set_output(n, 0, x->elem, x->rank, dims);
}

/* Before opset 11 pads (paddings in opset 1) and value were attributes. */
static status pad_upgrade(node *n) {
    TRY(kit_ints_to_input(n, "paddings", 1));
    TRY(kit_ints_to_input(n, "pads", 1));
    return kit_float_to_input(n, "value", 2);
}

/* The place in [0, extent) that stands for x, which may lie outside. */
static const expr *pad_source(builder *b, pad_mode mode, const expr *x, int64_t extent) {
    const expr *zero = build_index(b, 0), *size = build_index(b, extent), *last = build_index(b, extent - 1);
    if (mode == PAD_EDGE)
        return build_max(b, zero, build_min(b, x, last));
    if (mode == PAD_WRAP) {
        const expr *r = build_rem(b, x, size);
        return build_select(b, build_lt(b, r, zero), build_add(b, r, size), r);
    }
    if (extent == 1)
        return zero;
    /* Reflection repeats every 2*(extent-1) elements, the second half backwards. */
    const expr *period = build_index(b, 2 * (extent - 1)), *r = build_rem(b, x, period);
    r = build_select(b, build_lt(b, r, zero), build_add(b, r, period), r);
    return build_select(b, build_le(b, size, r), build_sub(b, period, r), r);
}

static const expr *pad_value(const node *n, const nest_list *l) {
    builder *b = l->b;
    dtype elem = kit_operand(l, 0)->elem;
    if (node_input(n, 2) == NULL)
        return kit_cast(b, elem, build_const(b, kit_compute(elem), 0));
    return nest_read_broadcast(l, 2, (const expr *[]){build_index(b, 0)}, 1);
}

/* The pads of each dimension, and whether they may be above 0; those that are data are checked to give the declared
 * shape. */
typedef struct pad_bounds {
    const expr *begin[TENSOR_MAX_RANK];
    bool before[TENSOR_MAX_RANK], behind[TENSOR_MAX_RANK];
} pad_bounds;

/* The pad before (part 0) or behind (1) dimension d. */
static const expr *pad_at(const node *n, const nest_list *l, int d, int part, bool raw) {
    builder *b = l->b;
    const nest_operand *pads = kit_operand(l, 1);
    int64_t entries = pads->dims[0] / 2;
    const expr *pad = build_index(b, 0);
    for (int64_t k = 0; k < entries; k++)
        pad = build_select(b, is_axis(n, l, 3, k, d, kit_operand(l, 0)->rank, raw),
                           kit_int_at(n, l, 1, part * entries + k, raw), pad);
    return pad;
}

static void pad_from_data(const node *n, nest_list *l, pad_bounds *out) {
    builder *b = l->b;
    const nest_operand *x = kit_operand(l, 0), *y = kit_operand(l, nest_output(l, 0));
    if (node_input(n, 3) != NULL)
        kit_check_index(n, l, 3, -x->rank, x->rank, NULL);
    nest *m = nest_add(l, "check_pads");
    nest_raw_begin(l, m);
    for (int d = 0; d < x->rank; d++) {
        const expr *sum = build_add(b, pad_at(n, l, d, 0, true), pad_at(n, l, d, 1, true));
        build_check(b, build_eq(b, sum, build_index(b, y->dims[d] - x->dims[d])), KIT_E_VALUE);
        out->begin[d] = pad_at(n, l, d, 0, false);
        out->before[d] = out->behind[d] = true;
    }
    nest_raw_end(l, m);
}

static status pad_bounds_of(const node *n, nest_list *l, pad_bounds *out) {
    int64_t begin[TENSOR_MAX_RANK], end[TENSOR_MAX_RANK];
    int rank = kit_operand(l, 0)->rank;
    status outcome;
    if (!pad_read(n, rank, begin, end, &outcome)) {
        TRY(outcome);
        pad_from_data(n, l, out);
        return STATUS_OK;
    }
    for (int d = 0; d < rank; d++) {
        out->begin[d] = build_index(l->b, begin[d]);
        out->before[d] = begin[d] > 0;
        out->behind[d] = end[d] > 0;
    }
    return STATUS_OK;
}

static status pad_lower(const node *n, nest_list *l) {
    const expr *i[TENSOR_MAX_RANK], *f[TENSOR_MAX_RANK], *mask = NULL;
    builder *b = l->b;
    const nest_operand *x = kit_operand(l, 0);
    pad_bounds at;
    int y = nest_output(l, 0);
    pad_mode mode = pad_mode_of(n);
    TRY(pad_bounds_of(n, l, &at));
    nest *m = kit_over(l, "pad", y, i);
    for (int k = 0; k < x->rank; k++) {
        f[k] = build_sub(b, i[k], at.begin[k]);
        if (mode == PAD_CONSTANT)
            mask = kit_inside(b, mask, f[k], 0, x->dims[k], at.before[k], at.behind[k]);
        else if (at.before[k] || at.behind[k])
            f[k] = pad_source(b, mode, f[k], x->dims[k]);
    }
    const expr *v =
        mask == NULL ? nest_read(l, 0, f) : build_select(b, mask, nest_read_masked(l, 0, f, mask), pad_value(n, l));
    nest_store(m, y, i, x->rank, v);
    return builder_status(b);
}

OP_ROW(Pad) = {
    .name = "Pad",
    .domain = "",
    .versions = VERSIONS(1, 2, 11, 13, 18, 19, 21, 23, 24, 25),
    .kind = OP_LOWER,
    .inputs = PARAMS({"data", TYPES_MOVE, 'T', 0}, {"pads", TYPE_BIT(DT_I64), 0, 0},
                     {"constant_value", TYPES_MOVE, 'T', PARAM_OPTIONAL}, {"axes", TYPES_INDEX, 'I', PARAM_OPTIONAL}),
    .outputs = PARAMS({"output", TYPES_MOVE, 'T', 0}),
    .attrs = ATTRS({"mode", ATTR_STRING, .s = "constant"}),
    .note = MOVE_NOTE,
    .infer = pad_infer,
    .upgrade = pad_upgrade,
    .lower = pad_lower,
};
