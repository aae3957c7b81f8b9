/* Operators that give the same elements another shape: Reshape, Flatten, Squeeze, Unsqueeze, Identity, Dropout. */
#include "ops/kit.h"

static void move_elements(nest_list *l) {
    const expr *i[TENSOR_MAX_RANK], *f[TENSOR_MAX_RANK];
    const nest_operand *x = kit_operand(l, 0), *y = kit_operand(l, nest_output(l, 0));
    nest *m = kit_over(l, "reshape", nest_output(l, 0), i);
    kit_reindex(l->b, i, y->rank, y->dims, x->rank, x->dims, f);
    nest_store(m, nest_output(l, 0), i, y->rank, nest_read(l, 0, f));
}

#define SHAPED(NAME) PARAMS({NAME, TYPES_STORED, 'T', 0})
#define MOVE_NOTE "no strings, no complex numbers"

/* ---- Reshape ---- */

/* The one -1 in a shape is what is left of the input's elements. */
/* To a shape that shape arithmetic says, symbols and all. A dimension that is a symbol is never the -1 or the 0 of a
 * constant. */
static status reshape_symbolic(node *n, const tensor_type *x) {
    dim dims[TENSOR_MAX_RANK], known = DIM(1);
    int rank, rest = -1;
    if (!kit_known_dims(n, 1, dims, &rank))
        return op_unknown_output(n, 0, x->elem);
    for (int k = 0; k < rank; k++) {
        if (dim_is_known(dims[k]) &&
            (dims[k].n < -1 || (dims[k].n == -1 && rest >= 0) || (dims[k].n == 0 && k >= x->rank)))
            return op_unknown_output(n, 0, x->elem);
        if (dim_is_known(dims[k]) && dims[k].n == 0 && op_int(n, "allowzero") == 0)
            dims[k] = x->dims[k];
        if (dim_is_known(dims[k]) && dims[k].n == -1)
            rest = k;
        else
            known = dim_mul(n->graph->memory, known, dims[k]);
    }
    if (rest >= 0)
        dims[rest] = dim_floor_div(n->graph->memory, kit_product(n, x->dims, 0, x->rank), known);
    for (int k = 0; k < rank; k++)
        if (dim_status(dims[k]) != STATUS_OK)
            return op_unknown_output(n, 0, x->elem);
    return op_set_output(n, 0, x->elem, rank, dims);
}

static status reshape_infer(node *n) {
    const tensor_type *x = op_input_type(n, 0);
    int64_t rank;
    const int64_t *shape = op_known_ints(n, 1, &rank);
    if (x->rank < 0)
        return op_unknown_output(n, 0, x->elem);
    if (shape == NULL)
        return reshape_symbolic(n, x);
    if (rank > TENSOR_MAX_RANK)
        return op_unsupported(n, "too-many-dimensions", "%lld dimensions, more than %d", (long long)rank,
                              TENSOR_MAX_RANK);
    dim dims[TENSOR_MAX_RANK], known = DIM(1), all = kit_product(n, x->dims, 0, x->rank);
    int64_t rest = -1;
    for (int64_t k = 0; k < rank; k++) {
        if (shape[k] < -1 || (shape[k] == -1 && rest >= 0))
            return op_invalid(n, "bad-shape",
                              shape[k] < -1 ? "dimension %lld of the shape is below -1"
                                            : "dimension %lld of the shape is a second -1",
                              (long long)k);
        bool copied = shape[k] == 0 && op_int(n, "allowzero") == 0;
        if (copied && k >= x->rank)
            return op_invalid(n, "bad-shape",
                              "dimension %lld of the shape is 0, a copy of the input's, which has only %d",
                              (long long)k, x->rank);
        dims[k] = copied ? x->dims[k] : DIM(shape[k]);
        if (shape[k] == -1)
            rest = k;
        else
            known = dim_mul(n->graph->memory, known, dims[k]);
    }
    if (rest >= 0) {
        if (dim_is_known(known) && known.n == 0)
            return op_invalid(n, "bad-shape",
                              "the -1 in the shape stands for any number, the other dimensions have no elements");
        if (dim_is_known(known) && dim_is_known(all) && all.n % known.n != 0)
            return op_invalid(n, "shape-mismatch", "%lld elements cannot be shaped into groups of %lld",
                              (long long)all.n, (long long)known.n);
        dims[rest] = dim_floor_div(n->graph->memory, all, known);
    } else if (dim_is_known(known) && dim_is_known(all) && known.n != all.n) {
        return op_invalid(n, "shape-mismatch", "the input has %lld elements, the new shape %lld", (long long)all.n,
                          (long long)known.n);
    }
    return op_set_output(n, 0, x->elem, (int)rank, dims);
}

/* A shape that only the data gives must be the declared one, spelt in whatever way. */
static status reshape_lower(const node *n, nest_list *l) {
    kit_allowed allowed[TENSOR_MAX_RANK];
    const nest_operand *x = kit_operand(l, 0), *y = kit_operand(l, nest_output(l, 0));
    for (int k = 0; k < y->rank; k++) {
        allowed[k] = (kit_allowed){2, {y->dims[k], -1}};
        if (op_int(n, "allowzero") == 0 && k < x->rank && x->dims[k] == y->dims[k])
            allowed[k].values[allowed[k].n++] = 0;
    }
    kit_check_allowed(n, l, 1, allowed, y->rank);
    move_elements(l);
    return builder_status(l->b);
}

/* Before opset 5 the shape was an attribute. */
static status reshape_upgrade(node *n) {
    return kit_ints_to_input(n, "shape", 1);
}

OP_ROW(Reshape) = {
    .name = "Reshape",
    .domain = "",
    .versions = VERSIONS(1, 5, 13, 14, 19, 21, 23, 24, 25),
    .kind = OP_LOWER,
    .inputs = PARAMS({"data", TYPES_STORED, 'T', 0}, {"shape", TYPE_BIT(DT_I64), 0, 0}),
    .outputs = SHAPED("reshaped"),
    .attrs = ATTRS({"allowzero", ATTR_INT, .i = 0}),
    .note = MOVE_NOTE,
    .infer = reshape_infer,
    .upgrade = reshape_upgrade,
    .lower = reshape_lower,
};

/* ---- Flatten ---- */

static status flatten_infer(node *n) {
    const tensor_type *x = op_input_type(n, 0);
    int64_t axis = op_int(n, "axis");
    if (x->rank < 0)
        return op_unknown_output(n, 0, x->elem);
    if (axis < -x->rank || axis > x->rank)
        return op_invalid(n, "bad-axis", "axis %lld is outside [-%d, %d]", (long long)axis, x->rank, x->rank);
    int split = kit_axis(axis, x->rank);
    dim dims[2] = {kit_product(n, x->dims, 0, split), kit_product(n, x->dims, split, x->rank)};
    return op_set_output(n, 0, x->elem, 2, dims);
}

static status flatten_lower(const node *n, nest_list *l) {
    (void)n;
    move_elements(l);
    return builder_status(l->b);
}

OP_ROW(Flatten) = {
    .name = "Flatten",
    .domain = "",
    .versions = VERSIONS(1, 9, 11, 13, 21, 23, 24, 25),
    .kind = OP_LOWER,
    .inputs = SHAPED("input"),
    .outputs = SHAPED("output"),
    .attrs = ATTRS({"axis", ATTR_INT, .i = 1}),
    .note = MOVE_NOTE,
    .infer = flatten_infer,
    .lower = flatten_lower,
};

/* ---- Squeeze, Unsqueeze ---- */

static status axes_upgrade(node *n) {
    return kit_ints_to_input(n, "axes", 1);
}

/* Axes that only the data gives must name dimensions of 1 in `operand`, the larger of the two tensors. */
static void check_axes(const node *n, nest_list *l, int operand) {
    kit_allowed allowed[TENSOR_MAX_RANK] = {{0, {0}}};
    const nest_operand *whole = kit_operand(l, operand), *axes = kit_operand(l, 1);
    for (int d = 0; d < whole->rank; d++)
        if (whole->dims[d] == 1) {
            allowed[0].values[allowed[0].n++] = d;
            allowed[0].values[allowed[0].n++] = d - whole->rank;
        }
    int64_t count = axes->rank == 0 ? 1 : axes->dims[0];
    for (int64_t k = 1; k < count && k < TENSOR_MAX_RANK; k++)
        allowed[k] = allowed[0];
    kit_check_allowed(n, l, 1, allowed, count < TENSOR_MAX_RANK ? count : TENSOR_MAX_RANK);
}

static status squeeze_lower(const node *n, nest_list *l) {
    if (node_input(n, 1) != NULL)
        check_axes(n, l, 0);
    move_elements(l);
    return builder_status(l->b);
}

static status unsqueeze_lower(const node *n, nest_list *l) {
    check_axes(n, l, nest_output(l, 0));
    move_elements(l);
    return builder_status(l->b);
}

static status squeeze_infer(node *n) {
    const tensor_type *x = op_input_type(n, 0);
    int64_t n_axes = 0;
    const int64_t *axes = op_known_ints(n, 1, &n_axes);
    bool given = node_input(n, 1) != NULL, gone[TENSOR_MAX_RANK];
    if (x->rank < 0 || (given && axes == NULL))
        return op_unknown_output(n, 0, x->elem);
    TRY(kit_axis_set(n, axes, given ? n_axes : 0, x->rank, gone));
    dim dims[TENSOR_MAX_RANK];
    int rank = 0;
    for (int k = 0; k < x->rank; k++) {
        bool one = dim_equal(x->dims[k], DIM(1));
        if (!given && !dim_is_known(x->dims[k]))
            return op_unknown_output(n, 0, x->elem);
        if (gone[k] && !one && dim_is_known(x->dims[k]))
            return op_invalid(n, "shape-mismatch", "dimension %d is %lld and cannot be squeezed", k,
                              (long long)x->dims[k].n);
        if (given ? !gone[k] : !one)
            dims[rank++] = x->dims[k];
    }
    return op_set_output(n, 0, x->elem, rank, dims);
}

OP_ROW(Squeeze) = {
    .name = "Squeeze",
    .domain = "",
    .versions = VERSIONS(1, 11, 13, 21, 23, 24, 25),
    .kind = OP_LOWER,
    .inputs = PARAMS({"data", TYPES_STORED, 'T', 0}, {"axes", TYPE_BIT(DT_I64), 0, PARAM_OPTIONAL}),
    .outputs = SHAPED("squeezed"),
    .note = MOVE_NOTE,
    .infer = squeeze_infer,
    .upgrade = axes_upgrade,
    .lower = squeeze_lower,
};

static status unsqueeze_infer(node *n) {
    const tensor_type *x = op_input_type(n, 0);
    int64_t n_axes;
    const int64_t *axes = op_known_ints(n, 1, &n_axes);
    bool added[TENSOR_MAX_RANK];
    if (x->rank < 0 || axes == NULL)
        return op_unknown_output(n, 0, x->elem);
    if (n_axes > TENSOR_MAX_RANK - x->rank)
        return op_unsupported(n, "too-many-dimensions", "%lld dimensions, more than %d", (long long)n_axes + x->rank,
                              TENSOR_MAX_RANK);
    int rank = x->rank + (int)n_axes, from = 0;
    TRY(kit_axis_set(n, axes, n_axes, rank, added));
    dim dims[TENSOR_MAX_RANK];
    for (int k = 0; k < rank; k++)
        dims[k] = added[k] ? DIM(1) : x->dims[from++];
    return op_set_output(n, 0, x->elem, rank, dims);
}

OP_ROW(Unsqueeze) = {
    .name = "Unsqueeze",
    .domain = "",
    .versions = VERSIONS(1, 11, 13, 21, 23, 24, 25),
    .kind = OP_LOWER,
    .inputs = PARAMS({"data", TYPES_STORED, 'T', 0}, {"axes", TYPE_BIT(DT_I64), 0, 0}),
    .outputs = SHAPED("expanded"),
    .note = MOVE_NOTE,
    .infer = unsqueeze_infer,
    .upgrade = axes_upgrade,
    .lower = unsqueeze_lower,
};

/* ---- Identity, Dropout ---- */

static status copy_lower(const node *n, nest_list *l) {
    (void)n;
    const expr *i[TENSOR_MAX_RANK];
    int y = nest_output(l, 0);
    nest *m = kit_over(l, "copy", y, i);
    nest_store(m, y, i, kit_operand(l, y)->rank, nest_read(l, 0, i));
    return builder_status(l->b);
}

OP_ROW(Identity) = {
    .name = "Identity",
    .domain = "",
    .versions = VERSIONS(1, 13, 14, 16, 19, 21, 23, 24, 25),
    .kind = OP_LOWER,
    .inputs = SHAPED("input"),
    .outputs = SHAPED("output"),
    .note = MOVE_NOTE,
    .infer = kit_infer_same,
    .lower = copy_lower,
};

static status dropout_infer(node *n) {
    const tensor *training = kit_constant(n, 2);
    if (training != NULL && tensor_int(training, 0) != 0) {
        const tensor *ratio = kit_constant(n, 1);
        if (ratio == NULL || tensor_double(ratio, 0) != 0)
            return op_unsupported(n, "unsupported-attribute",
                                  "training_mode drops elements at random; set it to false for inference");
    }
    TRY(kit_output_like(n, 0, 0));
    return node_output(n, 1) == NULL ? STATUS_OK : kit_output_shaped(n, 1, 0, DT_BOOL);
}

/* Before opset 12 the ratio was an attribute and inference was all there was, from opset 7 on; before it had to be
 * asked for. */
static status dropout_upgrade(node *n) {
    const attr *test = node_attr(n, "is_test");
    if (n->version < 7 && (test == NULL || test->i == 0))
        return op_unsupported(n, "unsupported-attribute", "is_test = 0 (training) is not supported; set is_test to 1");
    node_remove_attr(n, "is_test");
    node_remove_attr(n, "ratio");
    return STATUS_OK;
}

static status dropout_lower(const node *n, nest_list *l) {
    if (node_input(n, 2) != NULL && kit_constant(n, 2) == NULL)
        return STATUS_UNSUPPORTED; /* reported by whoever checks that PARAM_KNOWN inputs are known */
    TRY(copy_lower(n, l));
    int mask = nest_output(l, 1);
    if (!kit_operand(l, mask)->present)
        return STATUS_OK;
    const expr *i[TENSOR_MAX_RANK];
    nest *m = kit_over(l, "mask", mask, i);
    nest_store(m, mask, i, kit_operand(l, mask)->rank, build_int(l->b, DT_BOOL, 1));
    return builder_status(l->b);
}

OP_ROW(Dropout) = {
    .name = "Dropout",
    .domain = "",
    .versions = VERSIONS(1, 6, 7, 10, 12, 13, 22),
    .kind = OP_LOWER,
    .inputs = PARAMS({"data", TYPES_FLOAT | TYPES_FLOAT8, 'T', 0},
                     {"ratio", TYPES_FLOAT | TYPES_FLOAT8, 'U', PARAM_OPTIONAL},
                     {"training_mode", TYPES_BOOL, 0, PARAM_OPTIONAL | PARAM_KNOWN}),
    .outputs = PARAMS({"output", TYPES_FLOAT | TYPES_FLOAT8, 'T', 0}, {"mask", TYPES_BOOL, 0, PARAM_OPTIONAL}),
    .attrs = ATTRS({"seed", .kind = ATTR_INT}),
    .note = "inference only (training_mode false)",
    .infer = dropout_infer,
    .upgrade = dropout_upgrade,
    .lower = dropout_lower,
};
