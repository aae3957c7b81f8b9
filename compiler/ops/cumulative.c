/* Operators that walk along an axis: CumSum, CumProd, TopK, ReverseSequence. */
#include <math.h>
#include <string.h>

#include "ops/kit.h"

/* An axis of a tensor as three loops: what is before it, itself, what is behind it. */
typedef struct axis_split {
    int64_t before, extent, behind;
} axis_split;

static axis_split split_at(const nest_operand *x, int axis) {
    axis_split s = {1, x->dims[axis], 1};
    for (int k = 0; k < axis; k++)
        s.before *= x->dims[k];
    for (int k = axis + 1; k < x->rank; k++)
        s.behind *= x->dims[k];
    return s;
}

/* Position of (outer, at, inner) where the axis has `extent` places. */
static const expr *place(builder *b, const axis_split *s, int64_t extent, const expr *outer, const expr *at,
                         const expr *inner) {
    const expr *row = build_add(b, build_mul(b, outer, build_index(b, extent)), at);
    return build_add(b, build_mul(b, row, build_index(b, s->behind)), inner);
}

/* ---- CumSum, CumProd ---- */

static status cumulative_infer(node *n) {
    int64_t count;
    const int64_t *axis = op_known_ints(n, 1, &count);
    int checked;
    const tensor_type *given = op_input_type(n, 1);
    if (given->rank > 1 || (given->rank == 1 && dim_is_known(given->dims[0]) && given->dims[0].n != 1))
        return op_invalid(n, "shape-mismatch", "'axis' must be one number");
    if (op_input_rank(n, 0) == 0)
        return op_invalid(n, "wrong-rank", "the input is a scalar");
    if (axis != NULL && op_input_rank(n, 0) >= 0)
        TRY(op_axis(n, axis[0], op_input_rank(n, 0), &checked));
    return kit_infer_same(n);
}

/* The axis as known at compile time, or chosen among all of them by the data: three loop extents. */
typedef struct axis_loops {
    const expr *before, *extent, *behind;
} axis_loops;

static axis_loops loops_of(builder *b, axis_split s) {
    return (axis_loops){build_index(b, s.before), build_index(b, s.extent), build_index(b, s.behind)};
}

static axis_loops read_axis(const node *n, nest_list *l) {
    builder *b = l->b;
    const nest_operand *x = kit_operand(l, 0);
    int64_t count;
    const int64_t *known = op_known_ints(n, 1, &count);
    if (known != NULL)
        return loops_of(b, split_at(x, kit_axis(known[0], x->rank)));
    const expr *axis = build_let(
        b, "axis", build_cast(b, DT_I64, build_load(b, 1, LTYPE(kit_operand(l, 1)->elem, 1), build_index(b, 0), NULL)));
    build_check(b, kit_inside(b, NULL, axis, -x->rank, x->rank, true, true), KIT_E_INDEX);
    axis_loops chosen = loops_of(b, split_at(x, 0));
    for (int k = 1; k < x->rank; k++) {
        axis_loops other = loops_of(b, split_at(x, k));
        const expr *is_k = build_binary(b, EXPR_OR, build_eq(b, axis, build_index(b, k)),
                                        build_eq(b, axis, build_index(b, k - x->rank)));
        chosen.before = build_select(b, is_k, other.before, chosen.before);
        chosen.extent = build_select(b, is_k, other.extent, chosen.extent);
        chosen.behind = build_select(b, is_k, other.behind, chosen.behind);
    }
    return (axis_loops){build_let(b, "before", chosen.before), build_let(b, "extent", chosen.extent),
                        build_let(b, "behind", chosen.behind)};
}

static status lower_cumulative(const node *n, nest_list *l, const char *name, double start,
                               const expr *(*step)(builder *b, const expr *x, const expr *y)) {
    builder *b = l->b;
    const nest_operand *x = kit_operand(l, 0);
    ltype t = LTYPE(kit_compute(x->elem), 1);
    const expr *zero = build_index(b, 0);
    nest *m = nest_add(l, name);
    nest_raw_begin(l, m);
    axis_loops s = read_axis(n, l);
    const expr *outer = build_for(b, "i", s.before, LOOP_SERIAL);
    const expr *inner = build_for(b, "j", s.behind, LOOP_SERIAL);
    int total = build_declare(b, "total", t, 1);
    build_set(b, total, zero, build_const(b, t.elem, start));
    const expr *k = build_for(b, "k", s.extent, LOOP_SERIAL);
    const expr *at = op_int(n, "reverse") != 0 ? build_sub(b, build_sub(b, s.extent, build_index(b, 1)), k) : k;
    const expr *row = build_add(b, build_mul(b, outer, s.extent), at),
               *position = build_add(b, build_mul(b, row, s.behind), inner);
    const expr *so_far = build_reg_get(b, total, t, zero);
    const expr *next = step(b, so_far, kit_wide(b, build_load(b, 0, LTYPE(x->elem, 1), position, NULL)));
    build_store(b, nest_output(l, 0), position, kit_narrow(b, x->elem, op_int(n, "exclusive") != 0 ? so_far : next),
                NULL);
    build_set(b, total, zero, next);
    build_end(b);
    build_end(b);
    build_end(b);
    nest_raw_end(l, m);
    return builder_status(b);
}

static status cum_sum_lower(const node *n, nest_list *l) {
    return lower_cumulative(n, l, "cum_sum", 0, build_add);
}
static status cum_prod_lower(const node *n, nest_list *l) {
    return lower_cumulative(n, l, "cum_prod", 1, build_mul);
}

#define CUMULATIVE_ROW(NAME, LOWER, ...)                                                                               \
    {.name = NAME,                                                                                                     \
     .domain = "",                                                                                                     \
     .versions = VERSIONS(__VA_ARGS__),                                                                                \
     .kind = OP_LOWER,                                                                                                 \
     .inputs = PARAMS({"x", TYPES_WIDE, 'T', 0}, {"axis", TYPES_INDEX, 'I', 0}),                                       \
     .outputs = PARAMS({"y", TYPES_WIDE, 'T', 0}),                                                                     \
     .attrs = ATTRS({"exclusive", ATTR_INT, .i = 0}, {"reverse", ATTR_INT, .i = 0}),                                   \
     .infer = cumulative_infer,                                                                                        \
     .lower = LOWER}
OP_ROW(CumSum) = CUMULATIVE_ROW("CumSum", cum_sum_lower, 11, 14);
OP_ROW(CumProd) = CUMULATIVE_ROW("CumProd", cum_prod_lower, 26);

/* ---- TopK ---- */

static status top_k_infer(node *n) {
    const tensor_type *x = op_input_type(n, 0);
    int64_t count;
    const int64_t *k = op_known_ints(n, 1, &count);
    int axis;
    if (x->rank < 0 || k == NULL) {
        TRY(op_unknown_output(n, 0, x->elem));
        return op_unknown_output(n, 1, DT_I64);
    }
    TRY(op_axis(n, op_int(n, "axis"), x->rank, &axis));
    if (count != 1 || k[0] < 0 || (dim_is_known(x->dims[axis]) && k[0] > x->dims[axis].n))
        return op_invalid(n, "bad-value", "K must be one number between 0 and the size of axis %d", axis);
    dim dims[TENSOR_MAX_RANK];
    kit_copy_dims(dims, x->dims, x->rank);
    dims[axis] = DIM(k[0]);
    TRY(op_set_output(n, 0, x->elem, x->rank, dims));
    return op_set_output(n, 1, DT_I64, x->rank, dims);
}

/* Does x come before y? A NaN is larger than any number. */
static const expr *comes_before(builder *b, bool largest, const expr *x, const expr *y) {
    const expr *more = largest ? build_lt(b, y, x) : build_lt(b, x, y);
    if (!dtype_is_float(x->type.elem))
        return more;
    const expr *first = largest ? x : y, *second = largest ? y : x;
    const expr *only_first = build_and(b, build_ne(b, first, first), build_eq(b, second, second));
    return build_binary(b, EXPR_OR, more, only_first);
}

/* Each result is the first of those that come behind the one before it, in the order (value, place). */
static status top_k_lower(const node *n, nest_list *l) {
    builder *b = l->b;
    const nest_operand *x = kit_operand(l, 0);
    int axis = kit_axis(op_int(n, "axis"), x->rank);
    int64_t count = kit_operand(l, nest_output(l, 0))->dims[axis];
    bool largest = op_int(n, "largest") != 0;
    axis_split s = split_at(x, axis);
    ltype t = LTYPE(kit_compute(x->elem), 1), index = LTYPE(DT_I64, 1);
    const expr *zero = build_index(b, 0);
    kit_check_equal(n, l, 1, &count, 1);
    nest *m = nest_add(l, "top_k");
    nest_raw_begin(l, m);
    const expr *outer = build_for(b, "i", build_index(b, s.before), LOOP_SERIAL);
    const expr *inner = build_for(b, "j", build_index(b, s.behind), LOOP_SERIAL);
    int last = build_declare(b, "last", t, 1), last_place = build_declare(b, "last_place", index, 1);
    int best = build_declare(b, "best", t, 1), best_place = build_declare(b, "best_place", index, 1);
    build_set(b, last, zero, build_const(b, t.elem, 0));
    build_set(b, last_place, zero, build_index(b, -1));
    const expr *k = build_for(b, "k", build_index(b, count), LOOP_SERIAL);
    build_set(b, best, zero, build_const(b, t.elem, 0));
    build_set(b, best_place, zero, build_index(b, -1));
    const expr *p = build_for(b, "p", build_index(b, s.extent), LOOP_SERIAL);
    const expr *v = kit_wide(b, build_load(b, 0, LTYPE(x->elem, 1), place(b, &s, s.extent, outer, p, inner), NULL));
    const expr *before = build_reg_get(b, last, t, zero), *before_place = build_reg_get(b, last_place, index, zero);
    const expr *held = build_reg_get(b, best, t, zero), *held_place = build_reg_get(b, best_place, index, zero);
    const expr *same =
        build_unary(b, EXPR_NOT,
                    build_binary(b, EXPR_OR, comes_before(b, largest, before, v), comes_before(b, largest, v, before)));
    const expr *behind =
        build_binary(b, EXPR_OR, comes_before(b, largest, before, v), build_and(b, same, build_lt(b, before_place, p)));
    behind = build_binary(b, EXPR_OR, behind, build_eq(b, k, zero));
    const expr *better = build_binary(b, EXPR_OR, build_lt(b, held_place, zero), comes_before(b, largest, v, held));
    const expr *taken = build_and(b, behind, better);
    build_if(b, taken);
    build_set(b, best, zero, v);
    build_set(b, best_place, zero, p);
    build_end(b);
    build_end(b);
    const expr *to = place(b, &s, count, outer, k, inner);
    build_store(b, nest_output(l, 0), to, kit_narrow(b, x->elem, held), NULL);
    build_store(b, nest_output(l, 1), to, held_place, NULL);
    build_set(b, last, zero, held);
    build_set(b, last_place, zero, held_place);
    build_end(b);
    build_end(b);
    build_end(b);
    nest_raw_end(l, m);
    return builder_status(b);
}

OP_ROW(TopK) = {
    .name = "TopK",
    .domain = "",
    .versions = VERSIONS(1, 10, 11, 24),
    .kind = OP_LOWER,
    .inputs = PARAMS({"X", TYPES_NUMBER, 'T', 0}, {"K", TYPE_BIT(DT_I64), 0, 0}),
    .outputs = PARAMS({"Values", TYPES_NUMBER, 'T', 0}, {"Indices", TYPE_BIT(DT_I64), 0, 0}),
    .attrs = ATTRS({"axis", ATTR_INT, .i = -1}, {"largest", ATTR_INT, .i = 1}, {"sorted", ATTR_INT, .i = 1}),
    .infer = top_k_infer,
    .lower = top_k_lower,
};

/* ---- ReverseSequence ---- */

static status reverse_sequence_infer(node *n) {
    const tensor_type *x = op_input_type(n, 0), *lengths = op_input_type(n, 1);
    int64_t batch = op_int(n, "batch_axis"), time = op_int(n, "time_axis");
    if ((batch != 0 && batch != 1) || time != 1 - batch)
        return op_invalid(n, "wrong-attribute",
                          "batch_axis and time_axis are %lld and %lld, expected 0 and 1 in either order",
                          (long long)batch, (long long)time);
    if (x->rank >= 0 && x->rank < 2)
        return op_invalid(n, "wrong-rank", "the input must have 2 dimensions or more, it has %d", x->rank);
    if (lengths->rank >= 0 && lengths->rank != 1)
        return op_invalid(n, "wrong-rank", "'sequence_lens' must have one dimension, it has %d", lengths->rank);
    if (x->rank >= 0 && lengths->rank == 1 && dim_is_known(lengths->dims[0]) && dim_is_known(x->dims[batch]) &&
        lengths->dims[0].n != x->dims[batch].n)
        return op_invalid(n, "shape-mismatch", "'sequence_lens' has %lld elements, expected %lld",
                          (long long)lengths->dims[0].n, (long long)x->dims[batch].n);
    return kit_infer_same(n);
}

static status reverse_sequence_lower(const node *n, nest_list *l) {
    builder *b = l->b;
    const expr *i[TENSOR_MAX_RANK], *f[TENSOR_MAX_RANK];
    int y = nest_output(l, 0), rank = kit_operand(l, y)->rank, batch = (int)op_int(n, "batch_axis"), time = 1 - batch;
    kit_check_index(n, l, 1, 0, kit_operand(l, 0)->dims[time] + 1, NULL);
    nest *m = kit_over(l, "reverse_sequence", y, i);
    memcpy(f, i, (size_t)rank * sizeof *i);
    const expr *length = nest_read(l, 1, &i[batch]);
    f[time] = build_select(b, build_lt(b, i[time], length),
                           build_sub(b, build_sub(b, length, build_index(b, 1)), i[time]), i[time]);
    nest_store(m, y, i, rank, nest_read(l, 0, f));
    return builder_status(b);
}

OP_ROW(ReverseSequence) = {
    .name = "ReverseSequence",
    .domain = "",
    .versions = VERSIONS(10, 28),
    .kind = OP_LOWER,
    .inputs = PARAMS({"input", TYPES_MOVE, 'T', 0}, {"sequence_lens", TYPE_BIT(DT_I64), 0, 0}),
    .outputs = PARAMS({"Y", TYPES_MOVE, 'T', 0}),
    .attrs = ATTRS({"batch_axis", ATTR_INT, .i = 1}, {"time_axis", ATTR_INT, .i = 0}),
    .note = "no strings, no complex numbers",
    .infer = reverse_sequence_infer,
    .lower = reverse_sequence_lower,
};
