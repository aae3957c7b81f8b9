/* Reductions over sets of axes: the Reduce family, ArgMax, ArgMin. */
#include <math.h>

#include "ops/kit.h"

/* ---- which axes ---- */

/* The axes to reduce in out_set[rank]: all where none are given, unless noop_with_empty_axes. False where they are not
 * known. */
static bool read_axes(const node *n, int rank, bool *out_set, status *out_status) {
    int64_t count = 0;
    const int64_t *axes = op_known_ints(n, 1, &count);
    const tensor_type *given = op_input_type(n, 1);
    bool none = given == NULL || (given->rank == 1 && dim_equal(given->dims[0], DIM(0)));
    *out_status = STATUS_OK;
    if (!none && axes == NULL)
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

/* ---- axes that only the data gives: the output's declared shape says how many results there are, and the data which
 * elements belong to which. One pass over the input adds each element to its result. ---- */

typedef struct scattered {
    const nest_operand *x;
    int64_t results, count;            /* results, and elements of each */
    const expr *step[TENSOR_MAX_RANK]; /* how far a result is from the next along each dimension of the input; 0 where
                                          reduced */
} scattered;

/* Is dimension d among the axes? */
static const expr *is_reduced(nest_list *l, int d, int rank) {
    builder *b = l->b;
    const nest_operand *axes = kit_operand(l, 1);
    const expr *found = build_int(b, DT_BOOL, 0);
    for (int64_t k = 0; k < (axes->rank == 0 ? 1 : axes->dims[0]); k++) {
        const expr *axis = build_load(b, 1, LTYPE(DT_I64, 1), build_index(b, k), NULL);
        const expr *same =
            build_binary(b, EXPR_OR, build_eq(b, axis, build_index(b, d)), build_eq(b, axis, build_index(b, d - rank)));
        found = build_binary(b, EXPR_OR, found, same);
    }
    return found;
}

static void begin_scattered(nest_list *l, scattered *s) {
    builder *b = l->b;
    const nest_operand *y = kit_operand(l, nest_output(l, 0)), *axes = kit_operand(l, 1);
    int64_t elements = 1;
    s->x = kit_operand(l, 0);
    s->results = 1;
    for (int d = 0; d < y->rank; d++)
        s->results *= y->dims[d];
    for (int d = 0; d < s->x->rank; d++)
        elements *= s->x->dims[d];
    s->count = s->results > 0 ? elements / s->results : 0;
    for (int64_t k = 0; k < (axes->rank == 0 ? 1 : axes->dims[0]); k++) {
        const expr *axis = build_load(b, 1, LTYPE(DT_I64, 1), build_index(b, k), NULL);
        build_check(b, kit_inside(b, NULL, axis, -s->x->rank, s->x->rank, true, true), KIT_E_INDEX);
    }
    const expr *run = build_index(b, 1), *zero = build_index(b, 0);
    for (int d = s->x->rank - 1; d >= 0; d--) {
        const expr *reduced = build_let(b, "reduced", is_reduced(l, d, s->x->rank));
        s->step[d] = build_let(b, "step", build_select(b, reduced, zero, run));
        run = build_let(b, "run", build_select(b, reduced, run, build_mul(b, run, build_index(b, s->x->dims[d]))));
    }
    build_check(b, build_eq(b, run, build_index(b, s->results)), KIT_E_VALUE);
}

/* Loops over all elements: the one read, and the place of its result. Closed by as many build_end as the input has
 * dimensions. */
static const expr *open_elements(nest_list *l, const scattered *s, const expr **out_result) {
    builder *b = l->b;
    const expr *i[TENSOR_MAX_RANK], *at = build_index(b, 0);
    for (int d = 0; d < s->x->rank; d++) {
        i[d] = build_for(b, "i", build_index(b, s->x->dims[d]), LOOP_SERIAL);
        at = build_add(b, at, build_mul(b, i[d], s->step[d]));
    }
    *out_result = at;
    return kit_wide(b, build_load(b, 0, LTYPE(s->x->elem, 1), nest_linear(b, i, s->x->rank, s->x->dims), NULL));
}

static void close_elements(nest_list *l, const scattered *s) {
    for (int d = 0; d < s->x->rank; d++)
        build_end(l->b);
}

static const expr *combine(builder *b, reduce_op op, const expr *x, const expr *y) {
    static const expr *(*const fns[])(builder *b, const expr *x, const expr *y) = {
        [REDUCE_SUM] = build_add, [REDUCE_PROD] = build_mul, [REDUCE_MIN] = build_min, [REDUCE_MAX] = build_max};
    return fns[op](b, x, y);
}

static const expr *neutral(builder *b, reduce_op op, dtype t) {
    if (op == REDUCE_MIN)
        return kit_highest(b, t);
    return op == REDUCE_MAX ? kit_lowest(b, t) : build_const(b, t, op == REDUCE_PROD ? 1 : 0);
}

/* A temporary with one element for each result, filled with the neutral element. */
static int open_totals(nest_list *l, const scattered *s, reduce_op op, dtype t) {
    builder *b = l->b;
    int totals = nest_temporary(l, t, 1, &s->results);
    const expr *k = build_for(b, "k", build_index(b, s->results), LOOP_SERIAL);
    build_store(b, totals, k, neutral(b, op, t), NULL);
    build_end(b);
    return totals;
}

static status lower_scattered(nest_list *l, const char *name, element_fn before, reduce_op op, result_fn after) {
    builder *b = l->b;
    scattered s;
    const expr *at;
    const nest_operand y = *kit_operand(l, nest_output(l, 0));
    nest *m = nest_add(l, name);
    nest_raw_begin(l, m);
    begin_scattered(l, &s);
    dtype from = kit_compute(s.x->elem),
          t = before == widest && !dtype_is_float(from) ? (dtype_is_signed(from) ? DT_I64 : DT_U64) : from;
    int totals = open_totals(l, &s, op, t);
    s.x = kit_operand(l, 0);
    const expr *x = open_elements(l, &s, &at);
    x = before == NULL ? x : before(b, x);
    build_store(b, totals, at, combine(b, op, x, build_load(b, totals, LTYPE(t, 1), at, NULL)), NULL);
    close_elements(l, &s);
    const expr *k = build_for(b, "k", build_index(b, s.results), LOOP_SERIAL),
               *total = build_load(b, totals, LTYPE(t, 1), k, NULL);
    build_store(b, nest_output(l, 0), k, kit_narrow(b, y.elem, after == NULL ? total : after(b, total, s.count)), NULL);
    build_end(b);
    nest_raw_end(l, m);
    return builder_status(b);
}

static status lower_reduction(const node *n, nest_list *l, const char *name, element_fn before, reduce_op op,
                              result_fn after) {
    reduction r;
    status outcome;
    if (!read_axes(n, kit_operand(l, 0)->rank, r.reduced, &outcome))
        return outcome != STATUS_OK ? outcome : lower_scattered(l, name, before, op, after);
    begin_reduction(n, l, name, &r);
    const expr *x = open_stage(l, &r);
    const expr *result = nest_reduce(r.m, op, before == NULL ? x : before(l->b, x));
    kit_store(l, r.m, nest_output(l, 0), r.i, after == NULL ? result : after(l->b, result, r.count));
    return builder_status(l->b);
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

/* 0 for an infinite maximum, which exp and log then give back. */
static const expr *finite_or_zero(builder *b, const expr *most) {
    const expr *infinite = build_eq(b, build_unary(b, EXPR_ABS, most), kit_const(b, most, INFINITY));
    return build_select(b, infinite, kit_const(b, most, 0), most);
}

static status lower_scattered_log_sum_exp(nest_list *l) {
    builder *b = l->b;
    scattered s;
    const expr *at;
    const nest_operand y = *kit_operand(l, nest_output(l, 0));
    nest *m = nest_add(l, "reduce_log_sum_exp");
    nest_raw_begin(l, m);
    begin_scattered(l, &s);
    dtype t = kit_compute(s.x->elem);
    int most = open_totals(l, &s, REDUCE_MAX, t), totals = open_totals(l, &s, REDUCE_SUM, t);
    s.x = kit_operand(l, 0);
    const expr *x = open_elements(l, &s, &at);
    build_store(b, most, at, build_max(b, x, build_load(b, most, LTYPE(t, 1), at, NULL)), NULL);
    close_elements(l, &s);
    x = open_elements(l, &s, &at);
    x = build_exp(b, build_sub(b, x, finite_or_zero(b, build_load(b, most, LTYPE(t, 1), at, NULL))));
    build_store(b, totals, at, build_add(b, build_load(b, totals, LTYPE(t, 1), at, NULL), x), NULL);
    close_elements(l, &s);
    const expr *k = build_for(b, "k", build_index(b, s.results), LOOP_SERIAL),
               *shift = finite_or_zero(b, build_load(b, most, LTYPE(t, 1), k, NULL));
    x = build_add(b, shift, build_log(b, build_load(b, totals, LTYPE(t, 1), k, NULL)));
    build_store(b, nest_output(l, 0), k, kit_narrow(b, y.elem, x), NULL);
    build_end(b);
    nest_raw_end(l, m);
    return builder_status(b);
}

/* max + log(sum(exp(x - max))). */
static status reduce_log_sum_exp_lower(const node *n, nest_list *l) {
    reduction r;
    status outcome;
    builder *b = l->b;
    if (!read_axes(n, kit_operand(l, 0)->rank, r.reduced, &outcome))
        return outcome != STATUS_OK ? outcome : lower_scattered_log_sum_exp(l);
    begin_reduction(n, l, "reduce_log_sum_exp", &r);
    const expr *shift = finite_or_zero(b, nest_reduce(r.m, REDUCE_MAX, open_stage(l, &r)));
    const expr *sum = nest_reduce(r.m, REDUCE_SUM, build_exp(b, build_sub(b, open_stage(l, &r), shift)));
    kit_store(l, r.m, nest_output(l, 0), r.i, build_add(b, shift, build_log(b, sum)));
    return builder_status(b);
}

#define REDUCE_ROW(NAME, TYPES, LOWER, ...)                                                                            \
    {.name = NAME,                                                                                                     \
     .domain = "",                                                                                                     \
     .versions = VERSIONS(__VA_ARGS__),                                                                                \
     .kind = OP_LOWER,                                                                                                 \
     .inputs = PARAMS({"data", TYPES, 'T', 0}, {"axes", TYPE_BIT(DT_I64), 0, PARAM_OPTIONAL}),                         \
     .outputs = PARAMS({"reduced", TYPES, 'T', 0}),                                                                    \
     .attrs = ATTRS({"keepdims", ATTR_INT, .i = 1}, {"noop_with_empty_axes", ATTR_INT, .i = 0}),                       \
     .infer = reduce_infer,                                                                                            \
     .upgrade = reduce_upgrade,                                                                                        \
     .lower = LOWER}
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

/* The extreme value, then the first or last place that holds it. A NaN comes before every number: places of numbers
 * stand `extent` behind, or before, those of NaNs. */
static status lower_arg(const node *n, nest_list *l, const char *name, reduce_op op) {
    reduction r = {.reduced = {false}};
    builder *b = l->b;
    bool last = op_int(n, "select_last_index") != 0, is_float = dtype_is_float(kit_operand(l, 0)->elem);
    int axis = kit_axis(op_int(n, "axis"), kit_operand(l, 0)->rank);
    r.reduced[axis] = true;
    begin_reduction(n, l, name, &r);
    const expr *extent = build_index(b, r.x->dims[axis]);
    const expr *extreme = nest_reduce(r.m, op, open_stage(l, &r)), *x = open_stage(l, &r), *at = r.f[axis];
    const expr *behind = is_float && !last ? build_add(b, at, extent) : at;
    const expr *place = build_select(b, build_eq(b, x, extreme), behind, build_index(b, last ? -1 : INT64_MAX));
    if (is_float)
        place = build_select(b, build_ne(b, x, x), last ? build_add(b, at, extent) : at, place);
    place = nest_reduce(r.m, last ? REDUCE_MAX : REDUCE_MIN, place);
    if (is_float)
        place = build_select(b, build_le(b, extent, place), build_sub(b, place, extent), place);
    kit_store(l, r.m, nest_output(l, 0), r.i, place);
    return builder_status(b);
}

static status arg_max_lower(const node *n, nest_list *l) {
    return lower_arg(n, l, "arg_max", REDUCE_MAX);
}
static status arg_min_lower(const node *n, nest_list *l) {
    return lower_arg(n, l, "arg_min", REDUCE_MIN);
}

#define ARG_ROW(NAME, LOWER)                                                                                           \
    {.name = NAME,                                                                                                     \
     .domain = "",                                                                                                     \
     .versions = VERSIONS(1, 11, 12, 13),                                                                              \
     .kind = OP_LOWER,                                                                                                 \
     .inputs = PARAMS({"data", TYPES_NUMBER, 'T', 0}),                                                                 \
     .outputs = PARAMS({"reduced", TYPE_BIT(DT_I64), 0, 0}),                                                           \
     .attrs =                                                                                                          \
         ATTRS({"axis", ATTR_INT, .i = 0}, {"keepdims", ATTR_INT, .i = 1}, {"select_last_index", ATTR_INT, .i = 0}),   \
     .infer = arg_infer,                                                                                               \
     .lower = LOWER}
OP_ROW(ArgMax) = ARG_ROW("ArgMax", arg_max_lower);
OP_ROW(ArgMin) = ARG_ROW("ArgMin", arg_min_lower);
