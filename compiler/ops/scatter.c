/* Operators that put updates into a copy: ScatterElements, Scatter, ScatterND, TensorScatter. */
#include <string.h>

#include "ops/kit.h"

/* What becomes of an element and its update. */
static const expr *take_update(builder *b, const expr *x, const expr *update) {
    (void)b;
    (void)x;
    return update;
}
static const struct {
    const char *name;
    const expr *(*apply)(builder *b, const expr *x, const expr *update);
} reductions[] = {
    {"none", take_update}, {"add", build_add}, {"mul", build_mul}, {"max", build_max}, {"min", build_min}};
enum { N_REDUCTIONS = sizeof reductions / sizeof *reductions };

static int reduction_of(const node *n) {
    int k = 0;
    while (k < N_REDUCTIONS && strcmp(op_string(n, "reduction"), reductions[k].name) != 0)
        k++;
    return k;
}

static status check_reduction(node *n) {
    int k = reduction_of(n);
    dtype elem = op_input_type(n, 0)->elem;
    if (k == N_REDUCTIONS)
        return op_invalid(n, "wrong-attribute", "reduction is '%s', expected none, add, mul, max or min",
                          op_string(n, "reduction"));
    if (k > 0 && (TYPES_NUMBER & TYPE_BIT(elem)) == 0)
        return op_unsupported(n, "unsupported-type", "reduction '%s' of %s elements", reductions[k].name,
                              dtype_name(elem));
    return STATUS_OK;
}

static void copy_data(nest_list *l) {
    const expr *i[TENSOR_MAX_RANK];
    int y = nest_output(l, 0);
    nest *m = kit_over(l, "copy", y, i);
    nest_store(m, y, i, kit_operand(l, y)->rank, nest_read(l, 0, i));
}

/* An index that the data gives: checked, then counted from the end where it is negative. */
static const expr *checked_index(builder *b, const expr *index, int64_t extent) {
    const expr *i = build_let(b, "at", build_cast(b, DT_I64, index));
    build_check(b, kit_inside(b, NULL, i, -extent, extent, true, true), KIT_E_INDEX);
    return build_select(b, build_lt(b, i, build_index(b, 0)), build_add(b, i, build_index(b, extent)), i);
}

static void apply_update(const node *n, nest_list *l, const expr *to, const expr *from) {
    builder *b = l->b;
    int y = nest_output(l, 0);
    ltype t = LTYPE(kit_operand(l, y)->elem, 1);
    const expr *update = build_load(b, 2, t, from, NULL);
    int k = reduction_of(n);
    if (k > 0)
        update = kit_narrow(b, t.elem,
                            reductions[k].apply(b, kit_wide(b, build_load(b, y, t, to, NULL)), kit_wide(b, update)));
    build_store(b, y, to, update, NULL);
}

/* ---- ScatterElements ---- */

static status scatter_elements_infer(node *n) {
    const tensor_type *x = op_input_type(n, 0), *at = op_input_type(n, 1), *updates = op_input_type(n, 2);
    int axis;
    TRY(check_reduction(n));
    if (x->rank < 0)
        return kit_infer_same(n);
    TRY(op_axis(n, op_int(n, "axis"), x->rank, &axis));
    TRY(kit_check_constant_index(n, 1, x->dims[axis]));
    if ((at->rank >= 0 && at->rank != x->rank) || (updates->rank >= 0 && updates->rank != x->rank))
        return op_invalid(n, "shape-mismatch",
                          "'data', 'indices' and 'updates' must have the same number of dimensions");
    for (int k = 0; k < x->rank && at->rank >= 0 && updates->rank >= 0; k++) {
        if (dim_is_known(at->dims[k]) && dim_is_known(updates->dims[k]) && at->dims[k].n != updates->dims[k].n)
            return op_invalid(n, "shape-mismatch", "dimension %d of 'indices' is %lld, of 'updates' %lld", k,
                              (long long)at->dims[k].n, (long long)updates->dims[k].n);
        if (k != axis && dim_is_known(at->dims[k]) && dim_is_known(x->dims[k]) && at->dims[k].n > x->dims[k].n)
            return op_invalid(n, "shape-mismatch", "dimension %d of 'indices' is %lld, of 'data' %lld", k,
                              (long long)at->dims[k].n, (long long)x->dims[k].n);
    }
    return kit_infer_same(n);
}

static status scatter_elements_lower(const node *n, nest_list *l) {
    builder *b = l->b;
    const nest_operand *x = kit_operand(l, 0), *at = kit_operand(l, 1);
    const expr *i[TENSOR_MAX_RANK];
    int axis = kit_axis(op_int(n, "axis"), x->rank);
    copy_data(l);
    nest *m = nest_add(l, "scatter");
    nest_raw_begin(l, m);
    for (int k = 0; k < at->rank; k++)
        i[k] = build_for(b, "i", build_index(b, at->dims[k]), LOOP_SERIAL);
    const expr *from = nest_linear(b, i, at->rank, at->dims);
    i[axis] = checked_index(b, build_load(b, 1, LTYPE(at->elem, 1), from, NULL), x->dims[axis]);
    apply_update(n, l, nest_linear(b, i, x->rank, x->dims), from);
    for (int k = 0; k < at->rank; k++)
        build_end(b);
    nest_raw_end(l, m);
    return builder_status(b);
}

OP_ROW(ScatterElements) = {
    .name = "ScatterElements",
    .domain = "",
    .versions = VERSIONS(11, 13, 16, 18),
    .kind = OP_LOWER,
    .inputs = PARAMS({"data", TYPES_MOVE, 'T', 0}, {"indices", TYPES_INDEX, 'I', 0}, {"updates", TYPES_MOVE, 'T', 0}),
    .outputs = PARAMS({"output", TYPES_MOVE, 'T', 0}),
    .attrs = ATTRS({"axis", ATTR_INT, .i = 0}, {"reduction", ATTR_STRING, .s = "none"}),
    .note = "no strings, no complex numbers",
    .infer = scatter_elements_infer,
    .lower = scatter_elements_lower,
};

/* ---- Scatter: ScatterElements as it was before opset 11 ---- */

static status scatter_expand(graph *g, node *n) {
    attr axis = {.name = "axis", .kind = ATTR_INT, .i = op_int(n, "axis")};
    kit_chain c = KIT_CHAIN(g, n);
    value *inputs[] = {node_input(n, 0), node_input(n, 1), node_input(n, 2)};
    node *made = kit_chain_node(&c, "ScatterElements", inputs, 3, &axis, 1, 1);
    return kit_chain_result(&c, node_output(n, 0), made == NULL ? NULL : made->outputs[0]);
}

OP_ROW(Scatter) = {
    .name = "Scatter",
    .domain = "",
    .versions = VERSIONS(9, 11),
    .kind = OP_EXPAND,
    .inputs = PARAMS({"data", TYPES_MOVE, 'T', 0}, {"indices", TYPES_INDEX, 'I', 0}, {"updates", TYPES_MOVE, 'T', 0}),
    .outputs = PARAMS({"output", TYPES_MOVE, 'T', 0}),
    .attrs = ATTRS({"axis", ATTR_INT, .i = 0}),
    .note = "no strings, no complex numbers",
    .infer = kit_infer_same,
    .expand = scatter_expand,
};

/* ---- ScatterND ---- */

static status scatter_nd_infer(node *n) {
    const tensor_type *x = op_input_type(n, 0), *at = op_input_type(n, 1), *updates = op_input_type(n, 2);
    TRY(check_reduction(n));
    if (x->rank < 0 || at->rank < 0 || updates->rank < 0)
        return kit_infer_same(n);
    if (at->rank < 1)
        return op_invalid(n, "wrong-rank", "'indices' is a scalar");
    dim depth = at->dims[at->rank - 1];
    if (!dim_is_known(depth))
        return kit_infer_same(n);
    if (depth.n < 1 || depth.n > x->rank || updates->rank != at->rank - 1 + x->rank - (int)depth.n)
        return op_invalid(n, "shape-mismatch",
                          "'indices' holds tuples of %lld for %d dimensions, 'updates' has %d dimensions",
                          (long long)depth.n, x->rank, updates->rank);
    for (int k = 0; k < updates->rank; k++) {
        dim expected = k < at->rank - 1 ? at->dims[k] : x->dims[k - (at->rank - 1) + (int)depth.n];
        if (dim_is_known(expected) && dim_is_known(updates->dims[k]) && expected.n != updates->dims[k].n)
            return op_invalid(n, "shape-mismatch", "dimension %d of 'updates' is %lld, expected %lld", k,
                              (long long)updates->dims[k].n, (long long)expected.n);
    }
    return kit_infer_same(n);
}

static status scatter_nd_lower(const node *n, nest_list *l) {
    builder *b = l->b;
    const nest_operand *x = kit_operand(l, 0), *at = kit_operand(l, 1);
    int64_t depth = at->dims[at->rank - 1], tuples = 1, slice = 1;
    for (int k = 0; k < at->rank - 1; k++)
        tuples *= at->dims[k];
    for (int64_t k = depth; k < x->rank; k++)
        slice *= x->dims[k];
    copy_data(l);
    nest *m = nest_add(l, "scatter");
    nest_raw_begin(l, m);
    const expr *tuple = build_for(b, "i", build_index(b, tuples), LOOP_SERIAL), *start = build_index(b, 0);
    for (int64_t k = 0; k < depth; k++) {
        const expr *where = build_add(b, build_mul(b, tuple, build_index(b, depth)), build_index(b, k));
        const expr *index = checked_index(b, build_load(b, 1, LTYPE(at->elem, 1), where, NULL), x->dims[k]);
        start = build_add(b, build_mul(b, start, build_index(b, x->dims[k])), index);
    }
    start = build_let(b, "start", build_mul(b, start, build_index(b, slice)));
    const expr *j = build_for(b, "j", build_index(b, slice), LOOP_SERIAL);
    apply_update(n, l, build_add(b, start, j), build_add(b, build_mul(b, tuple, build_index(b, slice)), j));
    build_end(b);
    build_end(b);
    nest_raw_end(l, m);
    return builder_status(b);
}

OP_ROW(ScatterND) = {
    .name = "ScatterND",
    .domain = "",
    .versions = VERSIONS(11, 13, 16, 18),
    .kind = OP_LOWER,
    .inputs = PARAMS({"data", TYPES_MOVE, 'T', 0}, {"indices", TYPE_BIT(DT_I64), 0, 0},
                     {"updates", TYPES_MOVE, 'T', 0}),
    .outputs = PARAMS({"output", TYPES_MOVE, 'T', 0}),
    .attrs = ATTRS({"reduction", ATTR_STRING, .s = "none"}),
    .note = "no strings, no complex numbers",
    .infer = scatter_nd_infer,
    .lower = scatter_nd_lower,
};

/* ---- TensorScatter ---- */

static status tensor_scatter_infer(node *n) {
    const tensor_type *x = op_input_type(n, 0), *update = op_input_type(n, 1), *at = op_input_type(n, 2);
    const char *mode = op_string(n, "mode");
    int axis;
    if (strcmp(mode, "linear") != 0 && strcmp(mode, "circular") != 0)
        return op_invalid(n, "wrong-attribute", "mode is '%s', expected linear or circular", mode);
    if (x->rank < 0)
        return kit_infer_same(n);
    TRY(op_axis(n, op_int(n, "axis"), x->rank, &axis));
    if (axis == 0)
        return op_invalid(n, "bad-axis", "axis 0 is the batch: the axis must be another one");
    if (update->rank >= 0 && update->rank != x->rank)
        return op_invalid(n, "shape-mismatch", "'past_cache' has %d dimensions, 'update' %d", x->rank, update->rank);
    for (int k = 0; k < x->rank && update->rank >= 0; k++)
        if (dim_is_known(x->dims[k]) && dim_is_known(update->dims[k]) &&
            (k == axis ? update->dims[k].n > x->dims[k].n : update->dims[k].n != x->dims[k].n))
            return op_invalid(n, "shape-mismatch", "dimension %d of 'update' is %lld, of 'past_cache' %lld", k,
                              (long long)update->dims[k].n, (long long)x->dims[k].n);
    if (at != NULL && at->rank >= 0 &&
        (at->rank != 1 || (dim_is_known(at->dims[0]) && dim_is_known(x->dims[0]) && at->dims[0].n != x->dims[0].n)))
        return op_invalid(n, "shape-mismatch", "'write_indices' must have one entry for each of the batch");
    return kit_infer_same(n);
}

/* Each element of the output is the update's where its place, counted from the index of its batch, is inside the
 * update. */
static status tensor_scatter_lower(const node *n, nest_list *l) {
    builder *b = l->b;
    const nest_operand *x = kit_operand(l, 0), *update = kit_operand(l, 1);
    const expr *i[TENSOR_MAX_RANK], *f[TENSOR_MAX_RANK];
    int axis = kit_axis(op_int(n, "axis"), x->rank), y = nest_output(l, 0);
    bool circular = strcmp(op_string(n, "mode"), "circular") == 0, given = node_input(n, 2) != NULL;
    int64_t room = x->dims[axis] - update->dims[axis], most = circular ? x->dims[axis] : room + 1;
    const tensor *known = kit_constant(n, 2);
    for (int64_t k = 0; known != NULL && k < known->count; k++)
        if (tensor_int(known, k) < 0 || tensor_int(known, k) >= most)
            return op_invalid(n, "bad-index", "write index %lld is outside [0, %lld)", (long long)tensor_int(known, k),
                              (long long)most);
    if (given)
        kit_check_index(n, l, 2, 0, most, NULL);
    nest *m = kit_over(l, "tensor_scatter", y, i);
    memcpy(f, i, (size_t)x->rank * sizeof *i);
    if (given)
        f[axis] = build_sub(b, i[axis], nest_read(l, 2, i));
    if (circular)
        f[axis] = build_select(b, build_lt(b, f[axis], build_index(b, 0)),
                               build_add(b, f[axis], build_index(b, x->dims[axis])), f[axis]);
    const expr *inside = kit_inside(b, NULL, f[axis], 0, update->dims[axis], true, true);
    const expr *element = build_select(b, inside, nest_read_masked(l, 1, f, inside), nest_read(l, 0, i));
    nest_store(m, y, i, x->rank, element);
    return builder_status(b);
}

OP_ROW(TensorScatter) = {
    .name = "TensorScatter",
    .domain = "",
    .versions = VERSIONS(24),
    .kind = OP_LOWER,
    .inputs = PARAMS({"past_cache", TYPES_MOVE, 'T', 0}, {"update", TYPES_MOVE, 'T', 0},
                     {"write_indices", TYPE_BIT(DT_I64), 0, PARAM_OPTIONAL}),
    .outputs = PARAMS({"present_cache", TYPES_MOVE, 'T', 0}),
    .attrs = ATTRS({"axis", ATTR_INT, .i = -2}, {"mode", ATTR_STRING, .s = "linear"}),
    .note = "no strings, no complex numbers",
    .infer = tensor_scatter_infer,
    .lower = tensor_scatter_lower,
};
