/* Matrix products: MatMul, Gemm, MatMulInteger, QLinearMatMul. */
#include <string.h>

#include "ops/integer.h"
#include "ops/quantize.h"

/* ---- MatMul: numpy's rules for vectors and stacks of matrices ---- */

/* Shape of a product: batch dimensions, then rows unless A is a vector, then columns unless B is one. */
static status matmul_shape(node *n, int a_input, int b_input, dtype elem) {
    const tensor_type *a = op_input_type(n, a_input), *b = op_input_type(n, b_input);
    if (a->rank < 0 || b->rank < 0)
        return op_unknown_output(n, 0, elem);
    if (a->rank == 0 || b->rank == 0)
        return op_invalid(n, "wrong-rank", "an operand of a matrix product is a scalar");
    dim inner_a = a->dims[a->rank - 1], inner_b = b->dims[b->rank == 1 ? 0 : b->rank - 2];
    if (dim_is_known(inner_a) && dim_is_known(inner_b) && inner_a.n != inner_b.n)
        return op_invalid(n, "shape-mismatch", "'%s' has %lld columns, '%s' %lld rows", n->row->inputs[a_input].name,
                          (long long)inner_a.n, n->row->inputs[b_input].name, (long long)inner_b.n);
    int batch_a = a->rank > 2 ? a->rank - 2 : 0, batch_b = b->rank > 2 ? b->rank - 2 : 0,
        rank = batch_a > batch_b ? batch_a : batch_b;
    dim dims[TENSOR_MAX_RANK + 2];
    for (int k = 0; k < rank; k++) {
        int from_a = k - (rank - batch_a), from_b = k - (rank - batch_b);
        TRY(op_broadcast_dim(n, from_a < 0 ? DIM(1) : a->dims[from_a], from_b < 0 ? DIM(1) : b->dims[from_b],
                             &dims[k]));
    }
    if (a->rank > 1)
        dims[rank++] = a->dims[a->rank - 2];
    if (b->rank > 1)
        dims[rank++] = b->dims[b->rank - 1];
    return op_set_output(n, 0, elem, rank, dims);
}

/* Index into one operand's batch dimensions, aligned at the right of the output's. */
static void batch_index(builder *b, const nest_operand *x, const expr *const *i, int n_batch, const expr **out) {
    int own = x->rank > 2 ? x->rank - 2 : 0;
    for (int k = 0; k < own; k++)
        out[k] = x->dims[k] == 1 ? build_index(b, 0) : i[n_batch - own + k];
}

/* A nest whose reduction runs over k; `term` makes the product of the elements at the two indices. */
typedef struct product {
    nest *m;
    const expr *i[TENSOR_MAX_RANK];
    const expr *a_index[TENSOR_MAX_RANK], *b_index[TENSOR_MAX_RANK];
} product;

static void open_product(nest_list *l, const char *name, int a_operand, int b_operand, product *out) {
    const nest_operand *a = kit_operand(l, a_operand), *b = kit_operand(l, b_operand),
                       *y = kit_operand(l, nest_output(l, 0));
    int n_batch = y->rank - (a->rank > 1) - (b->rank > 1), at = n_batch;
    out->m = kit_over(l, name, nest_output(l, 0), out->i);
    out->m->contract = true;
    batch_index(l->b, a, out->i, n_batch, out->a_index);
    batch_index(l->b, b, out->i, n_batch, out->b_index);
    if (a->rank > 1)
        out->a_index[a->rank - 2] = out->i[at++];
    if (b->rank > 1)
        out->b_index[b->rank - 1] = out->i[at];
    nest_open(out->m);
    const expr *k = nest_inner(out->m, "k", a->dims[a->rank - 1]);
    out->a_index[a->rank - 1] = k;
    out->b_index[b->rank > 1 ? b->rank - 2 : 0] = k;
}

static status matmul_infer(node *n) {
    return matmul_shape(n, 0, 1, op_input_type(n, 0)->elem);
}

static status matmul_lower(const node *n, nest_list *l) {
    (void)n;
    product p;
    open_product(l, "matmul", 0, 1, &p);
    const expr *term = build_mul(l->b, kit_read(l, 0, p.a_index), kit_read(l, 1, p.b_index));
    kit_store(l, p.m, nest_output(l, 0), p.i, nest_reduce(p.m, REDUCE_SUM, term));
    return builder_status(l->b);
}

OP_ROW(MatMul) = {
    .name = "MatMul",
    .domain = "",
    .versions = VERSIONS(1, 9, 13),
    .kind = OP_CONTRACT,
    .inputs = PARAMS({"A", TYPES_WIDE, 'T', 0}, {"B", TYPES_WIDE, 'T', 0}),
    .outputs = PARAMS({"Y", TYPES_WIDE, 'T', 0}),
    .infer = matmul_infer,
    .lower = matmul_lower,
};

/* ---- MatMulInteger: zero points subtracted before the product ---- */

/* A zero point is a scalar, or has one element per row of A or per column of B (in their batch, too). */
static const expr *zero_point(const nest_list *l, int operand, bool columns, const expr *const *matrix_index,
                              int matrix_rank) {
    builder *b = l->b;
    const nest_operand *z = kit_operand(l, operand);
    const expr *index[TENSOR_MAX_RANK];
    for (int k = 0; k < z->rank; k++)
        index[k] = z->dims[k] == 1 || z->rank == 1 ? build_index(b, 0) : matrix_index[k];
    if (z->rank == 1 && z->dims[0] != 1)
        index[0] = matrix_index[columns ? matrix_rank - 1 : matrix_rank - 2];
    return build_cast(b, DT_I32, nest_read(l, operand, index));
}

static const expr *shifted(const nest_list *l, int operand, const expr *const *index, int zero_operand, bool columns) {
    const expr *x = build_cast(l->b, DT_I32, nest_read(l, operand, index));
    if (zero_operand >= l->n_inputs || !kit_operand(l, zero_operand)->present)
        return x;
    return build_sub(l->b, x, zero_point(l, zero_operand, columns, index, kit_operand(l, operand)->rank));
}

static status matmul_integer_infer(node *n) {
    return matmul_shape(n, 0, 1, DT_I32);
}

static status matmul_integer_lower(const node *n, nest_list *l) {
    (void)n;
    product p;
    open_product(l, "matmul_integer", 0, 1, &p);
    const expr *term = build_mul(l->b, shifted(l, 0, p.a_index, 2, false), shifted(l, 1, p.b_index, 3, true));
    kit_store(l, p.m, nest_output(l, 0), p.i, nest_reduce(p.m, REDUCE_SUM, term));
    return builder_status(l->b);
}

OP_ROW(MatMulInteger) = {
    .name = "MatMulInteger",
    .domain = "",
    .versions = VERSIONS(10),
    .kind = OP_CONTRACT,
    .inputs = PARAMS({"A", TYPES_BYTE, 'T', 0}, {"B", TYPES_BYTE, 'U', 0},
                     {"a_zero_point", TYPES_BYTE, 'T', PARAM_OPTIONAL},
                     {"b_zero_point", TYPES_BYTE, 'U', PARAM_OPTIONAL}),
    .outputs = PARAMS({"Y", TYPE_BIT(DT_I32), 0, 0}),
    .infer = matmul_integer_infer,
    .lower = matmul_integer_lower,
};

/* ---- QLinearMatMul: the integer product, then one rounding to the output's scale ---- */

enum { QL_A, QL_A_SCALE, QL_A_ZERO, QL_B, QL_B_SCALE, QL_B_ZERO, QL_Y_SCALE, QL_Y_ZERO };

static status qlinear_matmul_infer(node *n) {
    return matmul_shape(n, QL_A, QL_B, op_input_type(n, QL_Y_ZERO)->elem);
}

/* A scale or zero point for the element at i of the output: one for all, for each row of A, or for each column of B. */
static const expr *product_parameter(const node *n, const nest_list *l, int operand, bool columns,
                                     const expr *const *i) {
    const nest_operand *p = kit_operand(l, operand), *y = kit_operand(l, nest_output(l, 0));
    if (p->rank > 1)
        return nest_read_broadcast(l, operand, i, y->rank);
    return quantize_channel_parameter(n, l, operand, i[y->rank - (columns ? 1 : 2)]);
}

static status qlinear_matmul_lower(const node *n, nest_list *l) {
    builder *b = l->b;
    product p;
    open_product(l, "matmul_quantized", QL_A, QL_B, &p);
    const expr *term =
        build_mul(b, shifted(l, QL_A, p.a_index, QL_A_ZERO, false), shifted(l, QL_B, p.b_index, QL_B_ZERO, true));
    const expr *sum = build_cast(b, DT_F32, nest_reduce(p.m, REDUCE_SUM, term));
    const expr *scale = kit_wide(b, product_parameter(n, l, QL_A_SCALE, false, p.i));
    scale = build_mul(b, scale, kit_wide(b, product_parameter(n, l, QL_B_SCALE, true, p.i)));
    scale = build_div(b, scale, kit_wide(b, product_parameter(n, l, QL_Y_SCALE, false, p.i)));
    const expr *zero = build_cast(b, DT_F32, product_parameter(n, l, QL_Y_ZERO, false, p.i));
    int y = nest_output(l, 0);
    nest_store(p.m, y, p.i, kit_operand(l, y)->rank,
               quantize_round(b, build_mul(b, sum, scale), zero, kit_operand(l, y)->elem));
    return builder_status(b);
}

#define TYPES_SCALE (TYPE_BIT(DT_F32) | TYPE_BIT(DT_F16) | TYPE_BIT(DT_BF16))
OP_ROW(QLinearMatMul) = {
    .name = "QLinearMatMul",
    .domain = "",
    .versions = VERSIONS(10, 21),
    .kind = OP_CONTRACT,
    .inputs = PARAMS({"a", TYPES_BYTE, 'A', 0}, {"a_scale", TYPES_SCALE, 'S', 0}, {"a_zero_point", TYPES_BYTE, 'A', 0},
                     {"b", TYPES_BYTE, 'B', 0}, {"b_scale", TYPES_SCALE, 'S', 0}, {"b_zero_point", TYPES_BYTE, 'B', 0},
                     {"y_scale", TYPES_SCALE, 'S', 0}, {"y_zero_point", TYPES_BYTE, 'Y', 0}),
    .outputs = PARAMS({"y", TYPES_BYTE, 'Y', 0}),
    .note = "no float8 elements",
    .infer = qlinear_matmul_infer,
    .lower = qlinear_matmul_lower,
};

/* ---- IntegerMatMul: of a - a_zero and b - b_zero, plus a bias by column, in the type that `wide` says ---- */

static status integer_matmul_infer(node *n) {
    return matmul_shape(n, 0, 1, integer_sum_type(n));
}

static status integer_matmul_lower(const node *n, nest_list *l) {
    product p;
    builder *b = l->b;
    dtype t = integer_sum_type(n);
    int y = nest_output(l, 0);
    open_product(l, "matmul_integer", 0, 1, &p);
    const expr *term = integer_product(b, t, kit_read(l, 0, p.a_index), op_int(n, "a_zero"), kit_read(l, 1, p.b_index),
                                       op_int(n, "b_zero"));
    const expr *sum = nest_reduce(p.m, REDUCE_SUM, term);
    if (node_input(n, 2) != NULL)
        sum = build_add(b, sum, build_cast(b, t, nest_read_broadcast(l, 2, p.i, kit_operand(l, y)->rank)));
    kit_store(l, p.m, y, p.i, sum);
    return builder_status(b);
}

OP_ROW(tenon__IntegerMatMul) = {
    .name = "IntegerMatMul",
    .domain = OP_OWN_DOMAIN,
    .versions = VERSIONS(1),
    .kind = OP_CONTRACT,
    .inputs = PARAMS({"A", TYPES_QUANTISED, 0, 0}, {"B", TYPES_QUANTISED | TYPES_SUM, 0, 0},
                     {"C", TYPES_SUM, 0, PARAM_OPTIONAL}),
    .outputs = PARAMS({"Y", TYPES_SUM, 0, 0}),
    .attrs = ATTRS({"a_zero", ATTR_INT, .i = 0}, {"b_zero", ATTR_INT, .i = 0}, WIDE_ATTR),
    .infer = integer_matmul_infer,
    .lower = integer_matmul_lower,
};

/* ---- Gemm ---- */

static status gemm_infer(node *n) {
    const tensor_type *a = op_input_type(n, 0), *b = op_input_type(n, 1);
    bool trans_a = op_int(n, "transA") != 0, trans_b = op_int(n, "transB") != 0;
    if (!dtype_is_float(a->elem) && (op_float(n, "alpha") != (double)(int64_t)op_float(n, "alpha") ||
                                     op_float(n, "beta") != (double)(int64_t)op_float(n, "beta")))
        return op_unsupported(n, "unsupported-attribute", "alpha and beta must be whole numbers for integer matrices");
    if (a->rank < 0 || b->rank < 0)
        return op_unknown_output(n, 0, a->elem);
    if (a->rank != 2 || b->rank != 2)
        return op_invalid(n, "wrong-rank", "'A' and 'B' must be matrices, they have %d and %d dimensions", a->rank,
                          b->rank);
    dim inner_a = a->dims[trans_a ? 0 : 1], inner_b = b->dims[trans_b ? 1 : 0];
    if (dim_is_known(inner_a) && dim_is_known(inner_b) && inner_a.n != inner_b.n)
        return op_invalid(n, "shape-mismatch", "'A' has %lld columns, 'B' %lld rows", (long long)inner_a.n,
                          (long long)inner_b.n);
    dim dims[2] = {a->dims[trans_a ? 1 : 0], b->dims[trans_b ? 0 : 1]}, spread;
    const tensor_type *c = op_input_type(n, 2);
    if (c != NULL && c->rank > 2)
        return op_invalid(n, "wrong-rank", "'C' must have 2 dimensions or fewer, it has %d", c->rank);
    for (int k = 0; c != NULL && k < c->rank; k++) {
        dim y = dims[2 - c->rank + k];
        TRY(op_broadcast_dim(n, c->dims[k], y, &spread));
        if (dim_is_known(y) && dim_is_known(spread) && spread.n != y.n)
            return op_invalid(n, "shape-mismatch", "'C' is larger than the product along dimension %d", k);
    }
    return op_set_output(n, 0, a->elem, 2, dims);
}

/* factor * x, or x itself for 1. */
static const expr *scaled(builder *b, const expr *x, double factor) {
    return factor == 1 ? x : build_mul(b, kit_const(b, x, factor), x);
}

static status gemm_lower(const node *n, nest_list *l) {
    const expr *i[2];
    builder *b = l->b;
    bool trans_a = op_int(n, "transA") != 0, trans_b = op_int(n, "transB") != 0;
    double beta = op_float(n, "beta");
    nest *m = kit_over(l, "gemm", nest_output(l, 0), i);
    m->contract = true;
    nest_open(m);
    const expr *k = nest_inner(m, "k", kit_operand(l, 0)->dims[trans_a ? 0 : 1]);
    const expr *x = kit_read(l, 0, trans_a ? (const expr *[]){k, i[0]} : (const expr *[]){i[0], k});
    const expr *w = kit_read(l, 1, trans_b ? (const expr *[]){i[1], k} : (const expr *[]){k, i[1]});
    const expr *y = scaled(b, nest_reduce(m, REDUCE_SUM, build_mul(b, x, w)), op_float(n, "alpha"));
    if (node_input(n, 2) != NULL && beta != 0)
        y = build_add(b, y, scaled(b, kit_read_broadcast(l, 2, i, 2), beta));
    kit_store(l, m, nest_output(l, 0), i, y);
    return builder_status(b);
}

/* Before opset 7 broadcasting had to be asked for. */
static status gemm_upgrade(node *n) {
    node_remove_attr(n, "broadcast");
    return STATUS_OK;
}

OP_ROW(Gemm) = {
    .name = "Gemm",
    .domain = "",
    .versions = VERSIONS(1, 6, 7, 9, 11, 13),
    .kind = OP_CONTRACT,
    .inputs = PARAMS({"A", TYPES_WIDE, 'T', 0}, {"B", TYPES_WIDE, 'T', 0}, {"C", TYPES_WIDE, 'T', PARAM_OPTIONAL}),
    .outputs = PARAMS({"Y", TYPES_WIDE, 'T', 0}),
    .attrs = ATTRS({"alpha", ATTR_FLOAT, .f = 1}, {"beta", ATTR_FLOAT, .f = 1}, {"transA", ATTR_INT, .i = 0},
                   {"transB", ATTR_INT, .i = 0}),
    .infer = gemm_infer,
    .upgrade = gemm_upgrade,
    .lower = gemm_lower,
};
