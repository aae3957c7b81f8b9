/* QLinearConv and QLinearMatMul say in one operator what DequantizeLinear, Conv or MatMul, and QuantizeLinear say in
 * several. They become those, so that there is one way to integers. */
#include "passes/integer.h"

enum { QL_X, QL_X_SCALE, QL_X_ZERO, QL_W, QL_W_SCALE, QL_W_ZERO, QL_Y_SCALE, QL_Y_ZERO, QL_BIAS };

static bool is_known(const node *n, int k) {
    const value *v = node_input(n, k);
    return v != NULL && v->constant != NULL && v->type.elem != DT_F16 && v->type.elem != DT_BF16;
}

static bool is_one(const node *n, int k) {
    return node_input(n, k)->constant->count == 1;
}

/* Are scale and zero point, number k and k+1, one for all, or one for each channel? */
static bool by_channel(const node *n, int k) {
    return node_input(n, k)->type.rank <= 1 &&
           node_input(n, k + 1)->constant->count <= node_input(n, k)->constant->count;
}

static bool may_open(const node *n) {
    static const int parameters[] = {QL_X_SCALE, QL_X_ZERO, QL_W_SCALE, QL_W_ZERO, QL_Y_SCALE, QL_Y_ZERO};
    for (size_t i = 0; i < sizeof parameters / sizeof *parameters; i++)
        if (!is_known(n, parameters[i]))
            return false;
    return is_one(n, QL_X_SCALE) && is_one(n, QL_X_ZERO) && is_one(n, QL_Y_SCALE) && is_one(n, QL_Y_ZERO) &&
           by_channel(n, QL_W_SCALE) && (node_input(n, QL_BIAS) == NULL || node_input(n, QL_BIAS)->constant != NULL);
}

/* A parameter as DequantizeLinear wants it: a scalar, or a vector of `count`. */
static status parameter(integer_work *w, const node *n, int k, int64_t count, value **out) {
    const tensor *t = node_input(n, k)->constant;
    if (t->count == count && (count > 1 || t->rank == 0)) {
        *out = node_input(n, k);
        return STATUS_OK;
    }
    int64_t *ints = ARENA_NEW_N(w->scratch, int64_t, count);
    double *numbers = ARENA_NEW_N(w->scratch, double, count);
    TRY_ALLOC(ints);
    TRY_ALLOC(numbers);
    bool is_real = dtype_is_float(t->elem);
    for (int64_t i = 0; i < count; i++) {
        int64_t at = t->count == 1 ? 0 : i;
        ints[i] = is_real ? 0 : tensor_int(t, at);
        numbers[i] = tensor_double(t, at);
    }
    int rank = count > 1 ? 1 : 0;
    return is_real ? real_constant(w, rank, &count, numbers, out)
                   : integer_constant(w, t->elem, rank, &count, ints, out);
}

/* Number k, dequantised by what follows it. */
static status dequantized(integer_work *w, node *n, int k, int64_t axis, value **out) {
    value *inputs[3] = {node_input(n, k)};
    int64_t count = node_input(n, k + 1)->constant->count;
    const attr a = INT_ATTR("axis", axis);
    TRY(parameter(w, n, k + 1, count, &inputs[1]));
    TRY(parameter(w, n, k + 2, count, &inputs[2]));
    return integer_node(w, n, "DequantizeLinear", inputs, 3, &a, 1, out);
}

/* The bias counts in products of the two scales. */
static status dequantized_bias(integer_work *w, node *n, value **out) {
    value *bias = node_input(n, QL_BIAS), *inputs[2] = {bias};
    const tensor *scales = node_input(n, QL_W_SCALE)->constant;
    double *products = ARENA_NEW_N(w->scratch, double, scales->count);
    TRY_ALLOC(products);
    for (int64_t i = 0; i < scales->count; i++)
        products[i] = tensor_double(node_input(n, QL_X_SCALE)->constant, 0) * tensor_double(scales, i);
    const attr a = INT_ATTR("axis", 0);
    TRY(real_constant(w, scales->count > 1 ? 1 : 0, &scales->count, products, &inputs[1]));
    return integer_node(w, n, "DequantizeLinear", inputs, 2, &a, 1, out);
}

static status open_node(integer_work *w, node *n) {
    bool is_conv = is_op(n, "QLinearConv");
    value *inputs[3] = {NULL}, *y, *outputs[3];
    int n_inputs = 2;
    TRY(dequantized(w, n, QL_X, 0, &inputs[0]));
    TRY(dequantized(w, n, QL_W, is_conv ? 0 : node_input(n, QL_W)->type.rank - 1, &inputs[1]));
    if (is_conv && node_input(n, QL_BIAS) != NULL)
        TRY(dequantized_bias(w, n, &inputs[n_inputs++]));
    TRY(integer_node(w, n, is_conv ? "Conv" : "MatMul", inputs, n_inputs, n->attrs, n->n_attrs, &y));
    outputs[0] = y;
    TRY(parameter(w, n, QL_Y_SCALE, 1, &outputs[1]));
    TRY(parameter(w, n, QL_Y_ZERO, 1, &outputs[2]));
    TRY(integer_node(w, n, "QuantizeLinear", outputs, 3, NULL, 0, &y));
    return integer_replace(w, n, y);
}

status integer_from_qoperators(integer_work *w) {
    node_list all;
    TRY(integer_nodes(w, &all));
    for (size_t i = 0; i < all.n; i++)
        if ((is_op(all.at[i], "QLinearConv") || is_op(all.at[i], "QLinearMatMul")) && may_open(all.at[i]))
            TRY(open_node(w, all.at[i]));
    return STATUS_OK;
}
