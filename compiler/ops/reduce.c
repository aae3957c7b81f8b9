/* Reductions over sets of axes: the Reduce family, ArgMax, ArgMin. */
#include <math.h>

#include "ops/kit.h"

/* ---- which axes ---- */

/* The axes to reduce in out_set[rank]: all where none are given, unless noop_with_empty_axes. False where they are not known. */
static bool read_axes(const node *n, int rank, bool *out_set, status *out_status) {
    int64_t count = 0;
    const int64_t *axes = op_known_ints(n, 1, &count);
    *out_status = STATUS_OK;
    if (node_input(n, 1) != NULL && axes == NULL)
        return false;
    if (axes != NULL && count > 0) {
        *out_status = kit_axis_set(n, axes, count, rank, out_set);
        return *out_status == STATUS_OK;
    }
    for (int k = 0; k < rank; k++)
        out_set[k] = op_int(n, "noop_with_empty_axes") == 0;
    return true;
}

static status reduced_shape(node *n, dtype elem, const bool *reduced) {
    const tensor_type *x = op_input_type(n, 0);
    dim dims[TENSOR_MAX_RANK];
    int rank = 0;
    for (int k = 0; k < x->rank; k++) {
        if (!reduced[k])
            dims[rank++] = x->dims[k];
        else if (op_int(n, "keepdims") != 0)
            dims[rank++] = DIM(1);
    }
    return op_set_output(n, 0, elem, rank, dims);
}

static status reduce_infer(node *n) {
    const tensor_type *x = op_input_type(n, 0);
    bool reduced[TENSOR_MAX_RANK];
    status outcome = STATUS_OK;
    if (x->rank < 0 || !read_axes(n, x->rank, reduced, &outcome))
        return outcome != STATUS_OK ? outcome : op_unknown_output(n, 0, x->elem);
    return reduced_shape(n, x->elem, reduced);
}

/* Before opset 18 (ReduceSum: 13) the axes were an attribute. */
static status reduce_upgrade(node *n) {
    return kit_ints_to_input(n, "axes", 1);
}

/* ---- nests: outer axes are the output's, each stage runs over the reduced ones ---- */

typedef struct reduction {
    nest *m;
    const nest_operand *x;
    bool reduced[TENSOR_MAX_RANK];
    const expr *i[TENSOR_MAX_RANK], *f[TENSOR_MAX_RANK];
    int64_t count; /* elements that one result is made of */
} reduction;

static void begin_reduction(const node *n, nest_list *l, const char *name, reduction *r) {
    int at = 0;
    r->x = kit_operand(l, 0);
    r->count = 1;
    r->m = kit_over(l, name, nest_output(l, 0), r->i);
    for (int k = 0; k < r->x->rank; k++) {
        if (r->reduced[k]) {
            r->count *= r->x->dims[k];
            at += op_int(n, "keepdims") != 0;
        } else {
            r->f[k] = r->i[at++];
        }
    }
}

/* Opens a stage; the element read, in the type computed in. */
static const expr *open_stage(nest_list *l, reduction *r) {
    nest_open(r->m);
    for (int k = 0; k < r->x->rank; k++)
        if (r->reduced[k])
            r->f[k] = nest_inner(r->m, "k", r->x->dims[k]);
    return kit_read(l, 0, r->f);
}

/* What distinguishes the reductions: what is done to each element before and to the result after. */
typedef const expr *(*element_fn)(builder *b, const expr *x);
typedef const expr *(*result_fn)(builder *b, const expr *x, int64_t count);

static status lower_reduction(const node *n, nest_list *l, const char *name, element_fn before, reduce_op op, result_fn after) {
    reduction r;
    status outcome;
    if (!read_axes(n, kit_operand(l, 0)->rank, r.reduced, &outcome))
        return outcome != STATUS_OK ? outcome : STATUS_INVALID;
    begin_reduction(n, l, name, &r);
    const expr *x = open_stage(l, &r);
    const expr *result = nest_reduce(r.m, op, before == NULL ? x : before(l->b, x));
    kit_store(l, r.m, nest_output(l, 0), r.i, after == NULL ? result : after(l->b, result, r.count));
    return builder_status(l->b);
}

static const expr *absolute(builder *b, const expr *x) {
    return dtype_is_float(x->type.elem) || dtype_is_signed(x->type.elem) ? build_unary(b, EXPR_ABS, x) : x;
}
/* Integer sums for a mean do not wrap in the element type. */
static const expr *widest(builder *b, const expr *x) {
    dtype t = x->type.elem;
    return dtype_is_float(t) ? x : build_cast(b, dtype_is_signed(t) ? DT_I64 : DT_U64, x);
}
static const expr *over_count(builder *b, const expr *x, int64_t count) {
    return build_div(b, x, kit_const(b, x, (double)count));
}
static const expr *root(builder *b, const expr *x, int64_t count) {
    (void)count;
    if (dtype_is_float(x->type.elem))
        return build_unary(b, EXPR_SQRT, x);
    return build_cast(b, x->type.elem, build_unary(b, EXPR_SQRT, build_cast(b, DT_F64, x)));
}
static const expr *logarithm(builder *b, const expr *x, int64_t count) {
    (void)count;
    return build_log(b, x);
}

static status reduce_sum_lower(const node *n, nest_list *l) {
    return lower_reduction(n, l, "reduce_sum", NULL, REDUCE_SUM, NULL);
}
static status reduce_mean_lower(const node *n, nest_list *l) {
    return lower_reduction(n, l, "reduce_mean", widest, REDUCE_SUM, over_count);
}
static status reduce_prod_lower(const node *n, nest_list *l) {
    return lower_reduction(n, l, "reduce_prod", NULL, REDUCE_PROD, NULL);
}
static status reduce_max_lower(const node *n, nest_list *l) {
    return lower_reduction(n, l, "reduce_max", NULL, REDUCE_MAX, NULL);
}
static status reduce_min_lower(const node *n, nest_list *l) {
    return lower_reduction(n, l, "reduce_min", NULL, REDUCE_MIN, NULL);
}
static status reduce_l1_lower(const node *n, nest_list *l) {
    return lower_reduction(n, l, "reduce_l1", absolute, REDUCE_SUM, NULL);
}
static status reduce_l2_lower(const node *n, nest_list *l) {
    return lower_reduction(n, l, "reduce_l2", kit_square, REDUCE_SUM, root);
}
static status reduce_sum_square_lower(const node *n, nest_list *l) {
    return lower_reduction(n, l, "reduce_sum_square", kit_square, REDUCE_SUM, NULL);
}
static status reduce_log_sum_lower(const node *n, nest_list *l) {
    return lower_reduction(n, l, "reduce_log_sum", NULL, REDUCE_SUM, logarithm);
}

/* max + log(sum(exp(x - max))), with 0 for an infinite maximum, which exp and log then give back. */
static status reduce_log_sum_exp_lower(const node *n, nest_list *l) {
    reduction r;
    status outcome;
    builder *b = l->b;
    if (!read_axes(n, kit_operand(l, 0)->rank, r.reduced, &outcome))
        return outcome != STATUS_OK ? outcome : STATUS_INVALID;
    begin_reduction(n, l, "reduce_log_sum_exp", &r);
    const expr *most = nest_reduce(r.m, REDUCE_MAX, open_stage(l, &r)), *infinity = kit_const(b, most, INFINITY);
    const expr *shift = build_select(b, build_eq(b, build_unary(b, EXPR_ABS, most), infinity), kit_const(b, most, 0), most);
    const expr *sum = nest_reduce(r.m, REDUCE_SUM, build_exp(b, build_sub(b, open_stage(l, &r), shift)));
    kit_store(l, r.m, nest_output(l, 0), r.i, build_add(b, shift, build_log(b, sum)));
    return builder_status(b);
}

#define REDUCE_ROW(NAME, TYPES, LOWER, ...)                                                                       \
    {                                                                                                             \
        .name = NAME, .domain = "", .versions = VERSIONS(__VA_ARGS__), .kind = OP_LOWER,                          \
        .inputs = PARAMS({"data", TYPES, 'T', 0}, {"axes", TYPE_BIT(DT_I64), 0, PARAM_OPTIONAL | PARAM_KNOWN}),   \
        .outputs = PARAMS({"reduced", TYPES, 'T', 0}),                                                            \
        .attrs = ATTRS({"keepdims", ATTR_INT, .i = 1}, {"noop_with_empty_axes", ATTR_INT, .i = 0}),               \
        .infer = reduce_infer, .upgrade = reduce_upgrade, .lower = LOWER                                          \
    }
#define TYPES_ORDERED (TYPES_WIDE | TYPES_BOOL | TYPE_BIT(DT_I8) | TYPE_BIT(DT_U8))

OP_ROW(ReduceSum) = REDUCE_ROW("ReduceSum", TYPES_WIDE, reduce_sum_lower, 1, 11, 13);
OP_ROW(ReduceMean) = REDUCE_ROW("ReduceMean", TYPES_WIDE, reduce_mean_lower, 1, 11, 13, 18);
OP_ROW(ReduceProd) = REDUCE_ROW("ReduceProd", TYPES_WIDE, reduce_prod_lower, 1, 11, 13, 18);
OP_ROW(ReduceMax) = REDUCE_ROW("ReduceMax", TYPES_ORDERED, reduce_max_lower, 1, 11, 12, 13, 18, 20);
OP_ROW(ReduceMin) = REDUCE_ROW("ReduceMin", TYPES_ORDERED, reduce_min_lower, 1, 11, 12, 13, 18, 20);
OP_ROW(ReduceL1) = REDUCE_ROW("ReduceL1", TYPES_WIDE, reduce_l1_lower, 1, 11, 13, 18);
OP_ROW(ReduceL2) = REDUCE_ROW("ReduceL2", TYPES_WIDE, reduce_l2_lower, 1, 11, 13, 18);
OP_ROW(ReduceSumSquare) = REDUCE_ROW("ReduceSumSquare", TYPES_WIDE, reduce_sum_square_lower, 1, 11, 13, 18);
OP_ROW(ReduceLogSum) = REDUCE_ROW("ReduceLogSum", TYPES_FLOAT, reduce_log_sum_lower, 1, 11, 13, 18, 28);
OP_ROW(ReduceLogSumExp) = REDUCE_ROW("ReduceLogSumExp", TYPES_FLOAT, reduce_log_sum_exp_lower, 1, 11, 13, 18, 28);

/* ---- ArgMax, ArgMin ---- */

static status arg_infer(node *n) {
    const tensor_type *x = op_input_type(n, 0);
    bool reduced[TENSOR_MAX_RANK] = {false};
    int axis;
    if (x->rank < 0)
        return op_unknown_output(n, 0, DT_I64);
    TRY(op_axis(n, op_int(n, "axis"), x->rank, &axis));
    if (dim_equal(x->dims[axis], DIM(0)))
        return op_invalid(n, "shape-mismatch", "axis %d has no elements", axis);
    reduced[axis] = true;
    return reduced_shape(n, DT_I64, reduced);
}

/* The extreme value, then the first or last place that holds it. */
static status lower_arg(const node *n, nest_list *l, const char *name, reduce_op op) {
    reduction r = {.reduced = {false}};
    builder *b = l->b;
    bool last = op_int(n, "select_last_index") != 0;
    int axis = kit_axis(op_int(n, "axis"), kit_operand(l, 0)->rank);
    r.reduced[axis] = true;
    begin_reduction(n, l, name, &r);
    const expr *extreme = nest_reduce(r.m, op, open_stage(l, &r));
    const expr *held = build_eq(b, open_stage(l, &r), extreme);
    const expr *place = build_select(b, held, r.f[axis], build_index(b, last ? -1 : INT64_MAX));
    kit_store(l, r.m, nest_output(l, 0), r.i, nest_reduce(r.m, last ? REDUCE_MAX : REDUCE_MIN, place));
    return builder_status(b);
}

static status arg_max_lower(const node *n, nest_list *l) {
    return lower_arg(n, l, "arg_max", REDUCE_MAX);
}
static status arg_min_lower(const node *n, nest_list *l) {
    return lower_arg(n, l, "arg_min", REDUCE_MIN);
}

#define ARG_ROW(NAME, LOWER)                                                                                                     \
    {                                                                                                                            \
        .name = NAME, .domain = "", .versions = VERSIONS(1, 11, 12, 13), .kind = OP_LOWER,                                       \
        .inputs = PARAMS({"data", TYPES_NUMBER, 'T', 0}), .outputs = PARAMS({"reduced", TYPE_BIT(DT_I64), 0, 0}),                \
        .attrs = ATTRS({"axis", ATTR_INT, .i = 0}, {"keepdims", ATTR_INT, .i = 1}, {"select_last_index", ATTR_INT, .i = 0}),     \
        .infer = arg_infer, .lower = LOWER                                                                                       \
    }
OP_ROW(ArgMax) = ARG_ROW("ArgMax", arg_max_lower);
OP_ROW(ArgMin) = ARG_ROW("ArgMin", arg_min_lower);
