/* MatMulInteger and ConvInteger of data that is quantised while the model runs, with constant weights: sums of integers
 * as they stand. What the data's zero point adds to a product is one number for each column; a convolution reads what
 * has been subtracted from, so that its padding is zeros. Both wrap at 32 bits by their definition. */
#include "passes/integer.h"

enum { X, W, X_ZERO, W_ZERO };

typedef struct dynamic {
    integer_work *work;
    node *n;
    const tensor *w;
    value *x_zero;    /* NULL: 0 */
    int64_t channels; /* of the result: the last dimension of a product's weights, the first of a convolution's */
    int64_t each;     /* elements of one channel that follow each other: 1 in a product */
    value *weights;   /* less their zero points */
    int64_t *totals;  /* by channel */
} dynamic;

/* One zero point for all of x, one or one for each channel for the weights. */
static bool read_operator(integer_work *work, node *n, dynamic *out) {
    const value *w = node_input(n, W), *zero = node_input(n, W_ZERO), *x_zero = node_input(n, X_ZERO);
    bool is_product = is_op(n, "MatMulInteger");
    if (w->constant == NULL || w->constant->count == 0 || (is_product && w->constant->rank != 2))
        return false;
    *out = (dynamic){.work = work, .n = n, .w = w->constant, .x_zero = node_input(n, X_ZERO)};
    out->channels = w->constant->dims[is_product ? 1 : 0];
    out->each = is_product ? 1 : w->constant->count / out->channels;
    if (zero != NULL &&
        (zero->constant == NULL || (zero->constant->count != 1 && zero->constant->count != out->channels)))
        return false;
    return x_zero == NULL || (x_zero->type.rank <= 1 && type_count(&x_zero->type) == 1);
}

static status read_weights(dynamic *d) {
    const value *zero = node_input(d->n, W_ZERO);
    int64_t *centred = ARENA_NEW_N(d->work->scratch, int64_t, d->w->count + 1);
    span range = {0, 0};
    TRY_ALLOC(centred);
    TRY_ALLOC(d->totals = ARENA_NEW_N(d->work->scratch, int64_t, d->channels + 1));
    for (int64_t i = 0; i < d->w->count; i++) {
        int64_t k = i / d->each % d->channels;
        centred[i] = tensor_int(d->w, i);
        centred[i] -= zero == NULL ? 0 : tensor_int(zero->constant, zero->constant->count == 1 ? 0 : k);
        d->totals[k] += centred[i];
        range.lo = centred[i] < range.lo ? centred[i] : range.lo;
        range.hi = centred[i] > range.hi ? centred[i] : range.hi;
    }
    return integer_constant(d->work, span_type(range), d->w->rank, d->w->dims, centred, &d->weights);
}

static status sum(const dynamic *d, const char *op, value *x, const attr *attrs, int n_attrs, value **out) {
    TRY(integer_node(d->work, d->n, op, (value *[]){x, d->weights}, 2, attrs, n_attrs, out));
    return integer_say(d->work, *out, x->type.elem, d->weights->type.elem, "");
}

static status product(const dynamic *d, value **out) {
    value *zero, *totals;
    TRY(sum(d, "IntegerMatMul", node_input(d->n, X), NULL, 0, out));
    if (d->x_zero == NULL)
        return STATUS_OK;
    TRY(integer_cast(d->work, d->n, d->x_zero, DT_I32, &zero));
    TRY(integer_constant(d->work, DT_I32, 1, &d->channels, d->totals, &totals));
    TRY(integer_node(d->work, d->n, "Mul", (value *[]){zero, totals}, 2, NULL, 0, &zero));
    return integer_node(d->work, d->n, "Sub", (value *[]){*out, zero}, 2, NULL, 0, out);
}

static status convolution(const dynamic *d, value **out) {
    value *x = node_input(d->n, X), *zero;
    if (d->x_zero != NULL) {
        TRY(integer_cast(d->work, d->n, x, DT_I16, &x));
        TRY(integer_cast(d->work, d->n, d->x_zero, DT_I16, &zero));
        TRY(integer_node(d->work, d->n, "Sub", (value *[]){x, zero}, 2, NULL, 0, &x));
    }
    return sum(d, "IntegerConv", x, d->n->attrs, d->n->n_attrs, out);
}

status integer_dynamic_products(integer_work *w) {
    node_list all;
    TRY(integer_nodes(w, &all));
    for (size_t i = 0; i < all.n; i++) {
        node *n = all.at[i];
        dynamic d;
        value *y;
        bool is_product = is_op(n, "MatMulInteger");
        if ((!is_product && !is_op(n, "ConvInteger")) || !read_operator(w, n, &d))
            continue;
        TRY(read_weights(&d));
        TRY(is_product ? product(&d, &y) : convolution(&d, &y));
        TRY(integer_replace(w, n, y));
    }
    return STATUS_OK;
}
