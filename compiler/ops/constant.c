/* Tensors that follow from shapes and attributes: Shape, Size, ConstantOfShape, Range, EyeLike. */
#include <math.h>

#include "ops/kit.h"

static int64_t clamp(int64_t x, int64_t lo, int64_t hi) {
    return x < lo ? lo : x > hi ? hi : x;
}

/* ---- Shape, Size ---- */

/* Dimensions [first, last) of those that `start` and `end` choose. */
static void shape_range(const node *n, int rank, int *out_first, int *out_last) {
    int64_t start = op_int(n, "start"), end = op_has(n, "end") ? op_int(n, "end") : rank;
    *out_first = (int)clamp(start < 0 ? start + rank : start, 0, rank);
    *out_last = (int)clamp(end < 0 ? end + rank : end, *out_first, rank);
}

static status shape_infer(node *n) {
    int rank = op_input_rank(n, 0), first, last;
    if (rank < 0)
        return op_unknown_output(n, 0, DT_I64);
    shape_range(n, rank, &first, &last);
    dim count = DIM(last - first);
    return op_set_output(n, 0, DT_I64, 1, &count);
}

static status shape_lower(const node *n, nest_list *l) {
    const nest_operand *x = kit_operand(l, 0);
    const expr *i[1], *v = build_index(l->b, 0);
    int first, last;
    shape_range(n, x->rank, &first, &last);
    nest *m = kit_over(l, "shape", nest_output(l, 0), i);
    for (int k = last - 1; k >= first; k--)
        v = build_select(l->b, build_eq(l->b, i[0], build_index(l->b, k - first)), build_index(l->b, x->dims[k]), v);
    kit_store(l, m, nest_output(l, 0), i, v);
    return builder_status(l->b);
}

OP_ROW(Shape) = {
    .name = "Shape",
    .domain = "",
    .versions = VERSIONS(1, 13, 15, 19, 21, 23, 24, 25),
    .kind = OP_LOWER,
    .inputs = PARAMS({"data", TYPES_ANY, 'T', PARAM_SHAPE}),
    .outputs = PARAMS({"shape", TYPE_BIT(DT_I64), 0, 0}),
    .attrs = ATTRS({"end", .kind = ATTR_INT}, {"start", ATTR_INT, .i = 0}),
    .infer = shape_infer,
    .lower = shape_lower,
};

static status size_infer(node *n) {
    return op_set_output(n, 0, DT_I64, 0, NULL);
}

static status size_lower(const node *n, nest_list *l) {
    (void)n;
    const nest_operand *x = kit_operand(l, 0);
    int64_t count = 1;
    for (int k = 0; k < x->rank; k++)
        count *= x->dims[k];
    kit_store(l, nest_add(l, "size"), nest_output(l, 0), NULL, build_index(l->b, count));
    return builder_status(l->b);
}

OP_ROW(Size) = {
    .name = "Size",
    .domain = "",
    .versions = VERSIONS(1, 13, 19, 21, 23, 24, 25),
    .kind = OP_LOWER,
    .inputs = PARAMS({"data", TYPES_ANY, 'T', PARAM_SHAPE}),
    .outputs = PARAMS({"size", TYPE_BIT(DT_I64), 0, 0}),
    .infer = size_infer,
    .lower = size_lower,
};

/* ---- ConstantOfShape ---- */

static status constant_of_shape_infer(node *n) {
    const attr *a = node_attr(n, "value");
    if (a != NULL && a->t->count != 1)
        return op_invalid(n, "wrong-attribute", "'value' must have one element, it has %lld", (long long)a->t->count);
    dtype elem = a == NULL ? DT_F32 : a->t->elem;
    if ((TYPES_STORED & TYPE_BIT(elem)) == 0)
        return op_unsupported(n, "unsupported-type", "'value' has element type %s", dtype_name(elem));
    int64_t rank;
    const int64_t *shape = op_known_ints(n, 0, &rank);
    dim dims[TENSOR_MAX_RANK];
    int count;
    if (shape == NULL)
        return kit_known_dims(n, 0, dims, &count) ? op_set_output(n, 0, elem, count, dims)
                                                  : op_unknown_output(n, 0, elem);
    return kit_output_of_ints(n, elem, shape, rank);
}

static status constant_of_shape_lower(const node *n, nest_list *l) {
    const expr *i[TENSOR_MAX_RANK];
    const attr *a = node_attr(n, "value");
    int y = nest_output(l, 0);
    kit_check_equal(n, l, 0, kit_operand(l, y)->dims, kit_operand(l, y)->rank);
    nest *m = kit_over(l, "constant", y, i);
    nest_store(m, y, i, kit_operand(l, y)->rank, a == NULL ? build_float(l->b, DT_F32, 0) : kit_element(l->b, a->t, 0));
    return builder_status(l->b);
}

OP_ROW(ConstantOfShape) = {
    .name = "ConstantOfShape",
    .domain = "",
    .versions = VERSIONS(9, 20, 21, 23, 24, 25),
    .kind = OP_LOWER,
    .inputs = PARAMS({"input", TYPE_BIT(DT_I64), 0, 0}),
    .outputs = PARAMS({"output", TYPES_STORED, 'U', 0}),
    .attrs = ATTRS({"value", .kind = ATTR_TENSOR}),
    .infer = constant_of_shape_infer,
    .lower = constant_of_shape_lower,
};

/* ---- Range ---- */

/* ceil((limit - start) / delta) for integers whose difference may not fit. */
static int64_t range_count_ints(int64_t start, int64_t limit, int64_t delta) {
    bool up = delta > 0;
    if (up ? start >= limit : start <= limit)
        return 0;
    uint64_t distance = up ? (uint64_t)limit - (uint64_t)start : (uint64_t)start - (uint64_t)limit;
    uint64_t step = up ? (uint64_t)delta : UINT64_C(0) - (uint64_t)delta, count = (distance - 1) / step + 1;
    return count > INT64_MAX ? INT64_MAX : (int64_t)count;
}

static status range_infer(node *n) {
    const tensor *start = kit_constant(n, 0), *limit = kit_constant(n, 1), *delta = kit_constant(n, 2);
    dtype elem = op_input_type(n, 0)->elem;
    for (int k = 0; k < 3; k++)
        TRY(kit_check_single(n, k));
    if (start == NULL || limit == NULL || delta == NULL)
        return op_output_of_rank(n, 0, elem, 1);
    bool is_float = dtype_is_float(elem);
    if (is_float ? tensor_double(delta, 0) == 0 : tensor_int(delta, 0) == 0)
        return op_invalid(n, "bad-value", "'delta' is 0");
    double steps = is_float ? ceil((tensor_double(limit, 0) - tensor_double(start, 0)) / tensor_double(delta, 0)) : 0;
    int64_t count = !is_float ? range_count_ints(tensor_int(start, 0), tensor_int(limit, 0), tensor_int(delta, 0))
                    : steps > 0 && steps < 1e15 ? (int64_t)steps
                    : steps > 0                 ? INT64_MAX
                                                : 0;
    if (count > INT32_MAX)
        return op_unsupported(n, "too-large", "the range has more than %d elements", INT32_MAX);
    dim dims[1] = {DIM(count)};
    return op_set_output(n, 0, elem, 1, dims);
}

/* Where the numbers are data, they must give as many elements as the model declares. */
static void range_check(const node *n, nest_list *l) {
    builder *b = l->b;
    const expr *x[3], *count;
    if (kit_constant(n, 0) != NULL && kit_constant(n, 1) != NULL && kit_constant(n, 2) != NULL)
        return;
    nest *m = nest_add(l, "check_count");
    nest_raw_begin(l, m);
    for (int k = 0; k < 3; k++)
        x[k] = kit_wide(b, build_load(b, k, LTYPE(kit_operand(l, k)->elem, 1), build_index(b, 0), NULL));
    bool is_float = dtype_is_float(x[0]->type.elem);
    for (int k = 0; k < 3; k++)
        x[k] = build_cast(b, is_float ? DT_F64 : DT_I64, x[k]);
    const expr *zero = kit_const(b, x[0], 0), *one = kit_const(b, x[0], 1), *distance = build_sub(b, x[1], x[0]);
    build_check(b, build_ne(b, x[2], zero), KIT_E_VALUE);
    if (is_float) {
        count = build_unary(b, EXPR_CEIL, build_div(b, distance, x[2]));
    } else {
        const expr *up = build_lt(b, zero, x[2]);
        distance = build_select(b, up, build_sub(b, distance, one), build_add(b, distance, one));
        count = build_select(b, build_eq(b, build_lt(b, x[0], x[1]), up),
                             build_add(b, build_div(b, distance, x[2]), one), zero);
        count = build_select(b, build_eq(b, x[0], x[1]), zero, count);
    }
    count = build_max(b, zero, count);
    build_check(b, build_eq(b, count, kit_const(b, count, (double)kit_operand(l, nest_output(l, 0))->dims[0])),
                KIT_E_VALUE);
    nest_raw_end(l, m);
}

static status range_lower(const node *n, nest_list *l) {
    const expr *i[1];
    builder *b = l->b;
    range_check(n, l);
    nest *m = kit_over(l, "range", nest_output(l, 0), i);
    const expr *start = kit_read_broadcast(l, 0, i, 0), *delta = kit_read_broadcast(l, 2, i, 0);
    kit_store(l, m, nest_output(l, 0), i,
              build_add(b, start, build_mul(b, build_cast(b, start->type.elem, i[0]), delta)));
    return builder_status(b);
}

#define TYPES_RANGE (TYPES_FLOAT | TYPE_BIT(DT_I16) | TYPES_INDEX)
OP_ROW(Range) = {
    .name = "Range",
    .domain = "",
    .versions = VERSIONS(11, 27),
    .kind = OP_LOWER,
    .inputs = PARAMS({"start", TYPES_RANGE, 'T', 0}, {"limit", TYPES_RANGE, 'T', 0}, {"delta", TYPES_RANGE, 'T', 0}),
    .outputs = PARAMS({"output", TYPES_RANGE, 'T', 0}),
    .attrs = ATTRS({"stash_type", ATTR_INT, .i = 1}),
    .infer = range_infer,
    .lower = range_lower,
};

/* ---- EyeLike ---- */

static status eye_like_infer(node *n) {
    dtype elem = op_input_type(n, 0)->elem;
    if (op_has(n, "dtype"))
        elem = dtype_from_onnx((int32_t)op_int(n, "dtype"));
    if (((TYPES_NUMBER | TYPES_BOOL) & TYPE_BIT(elem)) == 0)
        return op_unsupported(n, "unsupported-type", "'dtype' is %lld", (long long)op_int(n, "dtype"));
    if (op_input_rank(n, 0) >= 0 && op_input_rank(n, 0) != 2)
        return op_invalid(n, "wrong-rank", "'input' must be a matrix, it has %d dimensions", op_input_rank(n, 0));
    return kit_output_shaped(n, 0, 0, elem);
}

static status eye_like_lower(const node *n, nest_list *l) {
    const expr *i[2];
    builder *b = l->b;
    int y = nest_output(l, 0);
    nest *m = kit_over(l, "eye", y, i);
    const expr *on = build_eq(b, build_add(b, i[0], build_index(b, op_int(n, "k"))), i[1]);
    nest_store(m, y, i, 2, kit_cast(b, kit_operand(l, y)->elem, on));
    return builder_status(b);
}

OP_ROW(EyeLike) = {
    .name = "EyeLike",
    .domain = "",
    .versions = VERSIONS(9, 22),
    .kind = OP_LOWER,
    .inputs = PARAMS({"input", TYPES_NUMBER | TYPES_BOOL, 'T', PARAM_SHAPE}),
    .outputs = PARAMS({"output", TYPES_NUMBER | TYPES_BOOL, 'U', 0}),
    .attrs = ATTRS({"dtype", .kind = ATTR_INT}, {"k", ATTR_INT, .i = 0}),
    .infer = eye_like_infer,
    .lower = eye_like_lower,
};
