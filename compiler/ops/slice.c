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
    for (int k = 1; k < 5; k++)
        list[k] = op_known_ints(n, k, &count[k]);
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
    return ok ? op_set_output(n, 0, x->elem, x->rank, dims) : op_unknown_output(n, 0, x->elem);
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

static status slice_lower(const node *n, nest_list *l) {
    const expr *i[TENSOR_MAX_RANK], *f[TENSOR_MAX_RANK];
    const nest_operand *x = kit_operand(l, 0);
    int y = nest_output(l, 0);
    slice_spec s;
    nest *m = kit_over(l, "slice", y, i);
    memcpy(f, i, (size_t)x->rank * sizeof *i);
    if (!slice_read(n, x->rank, &s))
        return STATUS_INVALID;
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
    .inputs = PARAMS({"data", TYPES_MOVE, 'T', 0}, {"starts", TYPES_INDEX, 'I', PARAM_KNOWN},
                     {"ends", TYPES_INDEX, 'I', PARAM_KNOWN}, {"axes", TYPES_INDEX, 'I', PARAM_OPTIONAL | PARAM_KNOWN},
                     {"steps", TYPES_INDEX, 'I', PARAM_OPTIONAL | PARAM_KNOWN}),
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
    if (x->rank < 0 || !pad_read(n, x->rank, begin, end, &outcome))
        return outcome != STATUS_OK ? outcome : op_unknown_output(n, 0, x->elem);
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
    const attr *a = node_attr(n, "value");
    if (a == NULL)
        return STATUS_OK;
    value *v = kit_new_scalar(n->graph, op_input_type(n, 0)->elem, a->f);
    TRY_ALLOC(v);
    TRY(node_set_input(n, 2, v));
    node_remove_attr(n, "value");
    return STATUS_OK;
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

static status pad_lower(const node *n, nest_list *l) {
    const expr *i[TENSOR_MAX_RANK], *f[TENSOR_MAX_RANK], *mask = NULL;
    builder *b = l->b;
    const nest_operand *x = kit_operand(l, 0);
    int64_t begin[TENSOR_MAX_RANK], end[TENSOR_MAX_RANK];
    int y = nest_output(l, 0);
    pad_mode mode = pad_mode_of(n);
    status outcome;
    if (!pad_read(n, x->rank, begin, end, &outcome))
        return STATUS_INVALID;
    nest *m = kit_over(l, "pad", y, i);
    for (int k = 0; k < x->rank; k++) {
        f[k] = build_sub(b, i[k], build_index(b, begin[k]));
        if (mode == PAD_CONSTANT)
            mask = kit_inside(b, mask, f[k], 0, x->dims[k], begin[k] > 0, end[k] > 0);
        else if (begin[k] > 0 || end[k] > 0)
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
    .inputs = PARAMS({"data", TYPES_MOVE, 'T', 0}, {"pads", TYPE_BIT(DT_I64), 0, PARAM_KNOWN},
                     {"constant_value", TYPES_MOVE, 'T', PARAM_OPTIONAL},
                     {"axes", TYPES_INDEX, 'I', PARAM_OPTIONAL | PARAM_KNOWN}),
    .outputs = PARAMS({"output", TYPES_MOVE, 'T', 0}),
    .attrs = ATTRS({"mode", ATTR_STRING, .s = "constant"}),
    .note = MOVE_NOTE,
    .infer = pad_infer,
    .upgrade = pad_upgrade,
    .lower = pad_lower,
};
