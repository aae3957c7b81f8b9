/* Operators that pick by index operands: Gather, GatherElements, GatherND, OneHot. */
#include <string.h>

#include "ops/kit.h"

#define MOVE_NOTE "no strings, no complex numbers, no 2- and 4-bit elements"
static const op_param move_output[] = {{"output", TYPES_MOVE, 'T', 0}, {NULL, 0, 0, 0}};

/* ---- Gather ---- */

static status gather_infer(node *n) {
    const tensor_type *x = op_input_type(n, 0), *at = op_input_type(n, 1);
    int axis;
    if (x->rank < 0 || at->rank < 0)
        return op_unknown_output(n, 0, x->elem);
    TRY(op_axis(n, op_int(n, "axis"), x->rank, &axis));
    TRY(kit_check_constant_index(n, 1, x->dims[axis]));
    int rank = x->rank - 1 + at->rank;
    if (rank > TENSOR_MAX_RANK)
        return op_unsupported(n, "too-many-dimensions", "%d dimensions, more than %d", rank, TENSOR_MAX_RANK);
    dim dims[TENSOR_MAX_RANK];
    kit_copy_dims(dims, x->dims, axis);
    kit_copy_dims(dims + axis, at->dims, at->rank);
    kit_copy_dims(dims + axis + at->rank, x->dims + axis + 1, x->rank - axis - 1);
    return op_set_output(n, 0, x->elem, rank, dims);
}

static status gather_lower(const node *n, nest_list *l) {
    const expr *i[TENSOR_MAX_RANK], *f[TENSOR_MAX_RANK];
    const nest_operand x = *kit_operand(l, 0), at = *kit_operand(l, 1);
    int y = nest_output(l, 0), axis = kit_axis(op_int(n, "axis"), x.rank);
    kit_check_index(n, l, 1, -x.dims[axis], x.dims[axis], NULL);
    nest *m = kit_over(l, "gather", y, i);
    memcpy(f, i, (size_t)axis * sizeof *i);
    f[axis] = kit_wrapped_index(n, l, 1, i + axis, x.dims[axis]);
    memcpy(f + axis + 1, i + axis + at.rank, (size_t)(x.rank - axis - 1) * sizeof *i);
    nest_store(m, y, i, kit_operand(l, y)->rank, nest_read(l, 0, f));
    return builder_status(l->b);
}

OP_ROW(Gather) = {
    .name = "Gather",
    .domain = "",
    .versions = VERSIONS(1, 11, 13),
    .kind = OP_LOWER,
    .inputs = PARAMS({"data", TYPES_MOVE, 'T', 0}, {"indices", TYPES_INDEX, 'I', 0}),
    .outputs = move_output,
    .attrs = ATTRS({"axis", ATTR_INT, .i = 0}),
    .note = MOVE_NOTE,
    .infer = gather_infer,
    .lower = gather_lower,
};

/* ---- GatherElements ---- */

static status gather_elements_infer(node *n) {
    const tensor_type *x = op_input_type(n, 0), *at = op_input_type(n, 1);
    int axis;
    if (x->rank < 0 || at->rank < 0)
        return op_unknown_output(n, 0, x->elem);
    if (x->rank != at->rank)
        return op_invalid(n, "shape-mismatch", "'indices' has %d dimensions, 'data' %d", at->rank, x->rank);
    TRY(op_axis(n, op_int(n, "axis"), x->rank, &axis));
    for (int k = 0; k < x->rank; k++)
        if (k != axis && dim_is_known(x->dims[k]) && dim_is_known(at->dims[k]) && at->dims[k].n > x->dims[k].n)
            return op_invalid(n, "shape-mismatch", "dimension %d of 'indices' is %lld, of 'data' %lld", k,
                              (long long)at->dims[k].n, (long long)x->dims[k].n);
    TRY(kit_check_constant_index(n, 1, x->dims[axis]));
    return op_set_output(n, 0, x->elem, at->rank, at->dims);
}

static status gather_elements_lower(const node *n, nest_list *l) {
    const expr *i[TENSOR_MAX_RANK], *f[TENSOR_MAX_RANK];
    const nest_operand *x = kit_operand(l, 0);
    int y = nest_output(l, 0), axis = kit_axis(op_int(n, "axis"), x->rank);
    kit_check_index(n, l, 1, -x->dims[axis], x->dims[axis], NULL);
    nest *m = kit_over(l, "gather", y, i);
    memcpy(f, i, (size_t)x->rank * sizeof *i);
    f[axis] = kit_wrapped_index(n, l, 1, i, x->dims[axis]);
    nest_store(m, y, i, x->rank, nest_read(l, 0, f));
    return builder_status(l->b);
}

OP_ROW(GatherElements) = {
    .name = "GatherElements",
    .domain = "",
    .versions = VERSIONS(11, 13),
    .kind = OP_LOWER,
    .inputs = PARAMS({"data", TYPES_MOVE, 'T', 0}, {"indices", TYPES_INDEX, 'I', 0}),
    .outputs = move_output,
    .attrs = ATTRS({"axis", ATTR_INT, .i = 0}),
    .note = MOVE_NOTE,
    .infer = gather_elements_infer,
    .lower = gather_elements_lower,
};

/* ---- GatherND ---- */

static status gather_nd_infer(node *n) {
    const tensor_type *x = op_input_type(n, 0), *at = op_input_type(n, 1);
    int64_t batch = op_int(n, "batch_dims");
    if (x->rank < 0 || at->rank < 0 || (at->rank > 0 && !dim_is_known(at->dims[at->rank - 1])))
        return op_unknown_output(n, 0, x->elem);
    if (at->rank < 1 || batch < 0 || batch >= at->rank || batch >= x->rank)
        return op_invalid(n, "wrong-attribute", "batch_dims is %lld, 'data' has %d and 'indices' %d dimensions",
                          (long long)batch, x->rank, at->rank);
    int64_t depth = at->dims[at->rank - 1].n;
    if (depth < 1 || depth > x->rank - batch)
        return op_invalid(n, "shape-mismatch", "'indices' holds tuples of %lld, 'data' has %lld dimensions for them",
                          (long long)depth, (long long)(x->rank - batch));
    int rest = x->rank - (int)(batch + depth), rank = at->rank - 1 + rest;
    if (rank > TENSOR_MAX_RANK)
        return op_unsupported(n, "too-many-dimensions", "%d dimensions, more than %d", rank, TENSOR_MAX_RANK);
    dim dims[TENSOR_MAX_RANK];
    kit_copy_dims(dims, at->dims, at->rank - 1);
    kit_copy_dims(dims + at->rank - 1, x->dims + batch + depth, rest);
    return op_set_output(n, 0, x->elem, rank, dims);
}

/* Each component of the index tuples is checked against the dimension that it indexes. */
static void gather_nd_check(nest_list *l, int64_t batch, int64_t depth) {
    builder *b = l->b;
    const nest_operand *x = kit_operand(l, 0), *at = kit_operand(l, 1);
    int64_t tuples = 1;
    for (int k = 0; k < at->rank - 1; k++)
        tuples *= at->dims[k];
    nest *m = nest_add(l, "check_index");
    nest_raw_begin(l, m);
    const expr *tuple = build_for(b, "i", build_index(b, tuples), LOOP_SERIAL);
    for (int64_t k = 0; k < depth; k++) {
        const expr *at_k = build_add(b, build_mul(b, tuple, build_index(b, depth)), build_index(b, k));
        const expr *index = build_load(b, 1, LTYPE(DT_I64, 1), at_k, NULL);
        build_check(b, kit_inside(b, NULL, index, -x->dims[batch + k], x->dims[batch + k], true, true), KIT_E_INDEX);
    }
    build_end(b);
    nest_raw_end(l, m);
}

static status gather_nd_lower(const node *n, nest_list *l) {
    const expr *i[TENSOR_MAX_RANK], *f[TENSOR_MAX_RANK], *at_index[TENSOR_MAX_RANK];
    const nest_operand *x = kit_operand(l, 0), *at = kit_operand(l, 1);
    int y = nest_output(l, 0);
    int64_t batch = op_int(n, "batch_dims"), depth = at->dims[at->rank - 1];
    gather_nd_check(l, batch, depth);
    nest *m = kit_over(l, "gather", y, i);
    memcpy(f, i, (size_t)batch * sizeof *i);
    memcpy(at_index, i, (size_t)(at->rank - 1) * sizeof *i);
    for (int64_t k = 0; k < depth; k++) {
        at_index[at->rank - 1] = build_index(l->b, k);
        f[batch + k] = kit_wrapped_index(n, l, 1, at_index, x->dims[batch + k]);
    }
    memcpy(f + batch + depth, i + at->rank - 1, (size_t)(x->rank - batch - depth) * sizeof *i);
    nest_store(m, y, i, kit_operand(l, y)->rank, nest_read(l, 0, f));
    return builder_status(l->b);
}

OP_ROW(GatherND) = {
    .name = "GatherND",
    .domain = "",
    .versions = VERSIONS(11, 12, 13),
    .kind = OP_LOWER,
    .inputs = PARAMS({"data", TYPES_MOVE, 'T', 0}, {"indices", TYPE_BIT(DT_I64), 0, 0}),
    .outputs = move_output,
    .attrs = ATTRS({"batch_dims", ATTR_INT, .i = 0}),
    .note = MOVE_NOTE,
    .infer = gather_nd_infer,
    .lower = gather_nd_lower,
};

/* ---- OneHot ---- */

#define TYPES_ONE_HOT (TYPES_NUMBER & ~TYPE_BIT(DT_BF16))

static int one_hot_axis(const node *n, int rank) {
    int64_t axis = op_int(n, "axis");
    return (int)(axis < 0 ? axis + rank + 1 : axis);
}

static status one_hot_infer(node *n) {
    const tensor_type *x = op_input_type(n, 0);
    const tensor *depth = kit_constant(n, 1);
    dtype elem = op_input_type(n, 2)->elem;
    if (x->rank < 0)
        return op_unknown_output(n, 0, elem);
    if (depth == NULL)
        return op_output_of_rank(n, 0, elem, x->rank + 1);
    int64_t classes = depth->count == 1 ? (int64_t)tensor_double(depth, 0) : 0;
    int axis = one_hot_axis(n, x->rank);
    if (depth->count != 1 || classes < 1)
        return op_invalid(n, "bad-value", "'depth' must be one number of 1 or more");
    if (axis < 0 || axis > x->rank)
        return op_invalid(n, "bad-axis", "axis %lld is outside [-%d, %d]", (long long)op_int(n, "axis"), x->rank + 1,
                          x->rank);
    if (x->rank == TENSOR_MAX_RANK)
        return op_unsupported(n, "too-many-dimensions", "%d dimensions, more than %d", x->rank + 1, TENSOR_MAX_RANK);
    dim dims[TENSOR_MAX_RANK];
    kit_copy_dims(dims, x->dims, axis);
    dims[axis] = DIM(classes);
    kit_copy_dims(dims + axis + 1, x->dims + axis, x->rank - axis);
    return op_set_output(n, 0, elem, x->rank + 1, dims);
}

/* An index outside [-depth, depth) is not an error: its whole row is `off`. */
static status one_hot_lower(const node *n, nest_list *l) {
    const expr *i[TENSOR_MAX_RANK], *f[TENSOR_MAX_RANK];
    builder *b = l->b;
    const nest_operand *x = kit_operand(l, 0);
    int y = nest_output(l, 0), axis = one_hot_axis(n, x->rank);
    int64_t depth = kit_operand(l, y)->dims[axis];
    kit_check_equal(n, l, 1, &depth, 1);
    nest *m = kit_over(l, "one_hot", y, i);
    memcpy(f, i, (size_t)axis * sizeof *i);
    memcpy(f + axis, i + axis + 1, (size_t)(x->rank - axis) * sizeof *i);
    const expr *at = kit_cast(b, DT_I64, nest_read(l, 0, f));
    at = build_select(b, build_lt(b, at, build_index(b, 0)), build_add(b, at, build_index(b, depth)), at);
    const expr *off = nest_read(l, 2, (const expr *[]){build_index(b, 0)}),
               *on = nest_read(l, 2, (const expr *[]){build_index(b, 1)});
    nest_store(m, y, i, x->rank + 1, build_select(b, build_eq(b, at, i[axis]), on, off));
    return builder_status(b);
}

OP_ROW(OneHot) = {
    .name = "OneHot",
    .domain = "",
    .versions = VERSIONS(9, 11, 28),
    .kind = OP_LOWER,
    .inputs = PARAMS({"indices", TYPES_ONE_HOT, 'I', 0}, {"depth", TYPES_ONE_HOT, 'D', 0},
                     {"values", TYPES_MOVE, 'T', 0}),
    .outputs = move_output,
    .attrs = ATTRS({"axis", ATTR_INT, .i = -1}),
    .note = MOVE_NOTE,
    .infer = one_hot_infer,
    .lower = one_hot_lower,
};
