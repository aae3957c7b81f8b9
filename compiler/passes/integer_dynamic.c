/* MatMulInteger of data that is quantised while the model runs: the product of the integers as they stand, then what
 * the zero points add, which for constant weights is one sum for each column. */
#include "passes/integer.h"

typedef struct dynamic_product {
    integer_work *work;
    node *n;
    const tensor *b;
    value *a_zero; /* NULL: 0 */
    int64_t rows, columns;
    int64_t *centred, *totals;
} dynamic_product;

/* Weights that are known, one zero point for all of a, one or one for each column for b. */
static bool read_product(integer_work *w, node *n, dynamic_product *out) {
    const value *b = node_input(n, 1), *b_zero = node_input(n, 3);
    *out = (dynamic_product){.work = w, .n = n, .b = b->constant, .a_zero = node_input(n, 2)};
    if (!is_op(n, "MatMulInteger") || out->b == NULL || out->b->rank != 2 || out->b->count == 0)
        return false;
    out->rows = out->b->dims[0];
    out->columns = out->b->dims[1];
    if (b_zero != NULL &&
        (b_zero->constant == NULL || (b_zero->constant->count != 1 && b_zero->constant->count != out->columns)))
        return false;
    return out->a_zero == NULL || type_count(&out->a_zero->type) == 1;
}

/* b less its zero points, and whether sums with them fit 31 bits. */
static status read_weights(dynamic_product *p, span *out_range, bool *out_fits) {
    const value *zero = node_input(p->n, 3);
    dtype t = node_input(p->n, 0)->type.elem;
    const span a = {dtype_min(t), (int64_t)dtype_max(t)};
    p->centred = ARENA_NEW_N(p->work->scratch, int64_t, p->b->count + 1);
    p->totals = ARENA_NEW_N(p->work->scratch, int64_t, p->columns + 1);
    span *sums = ARENA_NEW_N(p->work->scratch, span, p->columns + 1);
    TRY_ALLOC(p->centred);
    TRY_ALLOC(p->totals);
    TRY_ALLOC(sums);
    *out_range = (span){0, 0};
    *out_fits = true;
    for (int64_t i = 0; i < p->b->count; i++) {
        int64_t k = i % p->columns, x = tensor_int(p->b, i);
        x -= zero == NULL ? 0 : tensor_int(zero->constant, zero->constant->count == 1 ? 0 : k);
        p->centred[i] = x;
        p->totals[k] += x;
        span_add_scaled(&sums[k], x, a);
        out_range->lo = x < out_range->lo ? x : out_range->lo;
        out_range->hi = x > out_range->hi ? x : out_range->hi;
    }
    for (int64_t k = 0; k < p->columns; k++)
        *out_fits &= span_fits((span){p->totals[k], p->totals[k]}, DT_I32);
    return STATUS_OK;
}

/* Sums of MatMulInteger wrap at 32 bits by its definition, so i32 is always right. */
static status rewrite(dynamic_product *p, span range) {
    integer_work *w = p->work;
    value *inputs[2] = {node_input(p->n, 0)}, *sum, *zero, *totals;
    const attr to = INT_ATTR("to", dtype_to_onnx(DT_I32));
    const int64_t dims[] = {p->rows, p->columns};
    TRY(integer_constant(w, span_fits(range, DT_I8) ? DT_I8 : DT_I16, 2, dims, p->centred, &inputs[1]));
    TRY(integer_node(w, p->n, "IntegerMatMul", inputs, 2, NULL, 0, &sum));
    const char *text =
        arena_printf(w->scratch, "%sx%s->i32", dtype_name(inputs[0]->type.elem), dtype_name(inputs[1]->type.elem));
    TRY_ALLOC(text);
    TRY(node_note(sum->def, INTEGER_NOTE, text));
    if (p->a_zero != NULL) {
        const value *shape = p->a_zero;
        int64_t none[1] = {0};
        value *scalar = p->a_zero, *axes;
        if (shape->type.rank > 0) {
            TRY(integer_constant(w, DT_I64, 1, &(const int64_t){1}, none, &axes));
            TRY(integer_node(w, p->n, "Squeeze", (value *[]){scalar, axes}, 2, NULL, 0, &scalar));
        }
        TRY(integer_node(w, p->n, "Cast", &scalar, 1, &to, 1, &zero));
        TRY(integer_constant(w, DT_I32, 1, &p->columns, p->totals, &totals));
        TRY(integer_node(w, p->n, "Mul", (value *[]){zero, totals}, 2, NULL, 0, &zero));
        TRY(integer_node(w, p->n, "Sub", (value *[]){sum, zero}, 2, NULL, 0, &sum));
    }
    return integer_replace(w, p->n, sum);
}

status integer_dynamic_products(integer_work *w) {
    node_list all;
    dynamic_product p;
    TRY(integer_nodes(w, &all));
    for (size_t i = 0; i < all.n; i++) {
        span range;
        bool fits = false;
        if (!is_op(all.at[i], "MatMulInteger") || !read_product(w, all.at[i], &p))
            continue;
        TRY(read_weights(&p, &range, &fits));
        if (fits && span_fits(range, DT_I16))
            TRY(rewrite(&p, range));
    }
    return STATUS_OK;
}
