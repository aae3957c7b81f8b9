/* Det: the product of the pivots of an elimination. */
#include "ops/kit.h"

static status det_infer(node *n) {
    const tensor_type *x = op_input_type(n, 0);
    if (x->rank < 0)
        return op_unknown_output(n, 0, x->elem);
    if (x->rank < 2)
        return op_invalid(n, "wrong-rank", "'X' must have 2 dimensions or more, it has %d", x->rank);
    dim rows = x->dims[x->rank - 2], columns = x->dims[x->rank - 1];
    if (dim_is_known(rows) && dim_is_known(columns) && rows.n != columns.n)
        return op_invalid(n, "shape-mismatch", "the matrices of 'X' are %lld x %lld, they must be square",
                          (long long)rows.n, (long long)columns.n);
    return op_set_output(n, 0, x->elem, x->rank - 2, x->dims);
}

/* One matrix, in a copy that elimination overwrites. */
typedef struct matrix {
    builder *b;
    int copy, det, pivot; /* a temporary and two registers */
    ltype t;
    int64_t size;
} matrix;

static const expr *place(const matrix *m, const expr *row, const expr *column) {
    return build_add(m->b, build_mul(m->b, row, build_index(m->b, m->size)), column);
}
static const expr *element(const matrix *m, const expr *row, const expr *column) {
    return build_load(m->b, m->copy, m->t, place(m, row, column), NULL);
}

/* The row of the largest element of column k, from row k on, changes places with row k; the determinant its sign. */
static void choose_pivot(const matrix *m, const expr *k) {
    builder *b = m->b;
    ltype whole = LTYPE(DT_I64, 1);
    const expr *zero = build_index(b, 0);
    build_set(b, m->pivot, zero, k);
    const expr *r = build_for(b, "r", build_index(b, m->size), LOOP_SERIAL);
    const expr *best = element(m, build_reg_get(b, m->pivot, whole, zero), k);
    const expr *larger = build_lt(b, build_unary(b, EXPR_ABS, best), build_unary(b, EXPR_ABS, element(m, r, k)));
    build_if(b, build_and(b, build_lt(b, k, r), larger));
    build_set(b, m->pivot, zero, r);
    build_end(b);
    build_end(b);
    const expr *row = build_let(b, "row", build_reg_get(b, m->pivot, whole, zero));
    build_if(b, build_ne(b, row, k));
    build_set(b, m->det, zero, build_unary(b, EXPR_NEG, build_reg_get(b, m->det, m->t, zero)));
    const expr *c = build_for(b, "c", build_index(b, m->size), LOOP_SERIAL);
    const expr *x = build_let(b, "x", element(m, row, c)), *y = build_let(b, "y", element(m, k, c));
    build_store(b, m->copy, place(m, row, c), y, NULL);
    build_store(b, m->copy, place(m, k, c), x, NULL);
    build_end(b);
    build_end(b);
}

/* Takes row k away from those below, and its pivot into the determinant. A pivot of 0 leaves a determinant of 0. */
static void eliminate(const matrix *m, const expr *k) {
    builder *b = m->b;
    const expr *zero = build_index(b, 0), *one = build_index(b, 1), *pivot = build_let(b, "pivot", element(m, k, k));
    build_set(b, m->det, zero, build_mul(b, build_reg_get(b, m->det, m->t, zero), pivot));
    build_if(b, build_ne(b, pivot, build_const(b, m->t.elem, 0)));
    const expr *left = build_sub(b, build_sub(b, build_index(b, m->size), one), k);
    const expr *r = build_add(b, build_add(b, build_for(b, "r", left, LOOP_SERIAL), k), one);
    const expr *factor = build_let(b, "factor", build_div(b, element(m, r, k), pivot));
    const expr *c = build_add(b, build_add(b, build_for(b, "c", left, LOOP_SERIAL), k), one);
    build_store(b, m->copy, place(m, r, c), build_sub(b, element(m, r, c), build_mul(b, factor, element(m, k, c))),
                NULL);
    build_end(b);
    build_end(b);
    build_end(b);
}

static status det_lower(const node *n, nest_list *l) {
    (void)n;
    builder *b = l->b;
    const nest_operand x = *kit_operand(l, 0);
    int64_t size = x.dims[x.rank - 1], count = 1, area = size * size;
    matrix m = {.b = b, .t = LTYPE(kit_compute(x.elem), 1), .size = size};
    for (int k = 0; k < x.rank - 2; k++)
        count *= x.dims[k];
    m.copy = nest_temporary(l, m.t.elem, 1, &area);
    nest *raw = nest_add(l, "det");
    nest_raw_begin(l, raw);
    const expr *which = build_for(b, "i", build_index(b, count), LOOP_SERIAL), *zero = build_index(b, 0);
    m.det = build_declare(b, "det", m.t, 1);
    m.pivot = build_declare(b, "pivot", LTYPE(DT_I64, 1), 1);
    build_set(b, m.det, zero, build_const(b, m.t.elem, 1));
    const expr *j = build_for(b, "j", build_index(b, area), LOOP_SERIAL),
               *from = build_add(b, build_mul(b, which, build_index(b, area)), j);
    build_store(b, m.copy, j, kit_wide(b, build_load(b, 0, LTYPE(x.elem, 1), from, NULL)), NULL);
    build_end(b);
    const expr *k = build_for(b, "k", build_index(b, size), LOOP_SERIAL);
    choose_pivot(&m, k);
    eliminate(&m, k);
    build_end(b);
    build_store(b, nest_output(l, 0), which, kit_narrow(b, x.elem, build_reg_get(b, m.det, m.t, zero)), NULL);
    build_end(b);
    nest_raw_end(l, raw);
    return builder_status(b);
}

OP_ROW(Det) = {
    .name = "Det",
    .domain = "",
    .versions = VERSIONS(11, 22),
    .kind = OP_LOWER,
    .inputs = kit_float_X,
    .outputs = kit_float_Y,
    .infer = det_infer,
    .lower = det_lower,
};
