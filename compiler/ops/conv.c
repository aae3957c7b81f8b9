/* Convolutions: Conv, ConvInteger, QLinearConv. */
#include <string.h>

#include "ops/conv.h"
#include "ops/integer.h"
#include "ops/quantize.h"

status conv_check_operands(node *n, int *out_rank) {
    int x = op_input_rank(n, 0), w = op_input_rank(n, 1);
    *out_rank = -1;
    if (x < 0 || w < 0)
        return STATUS_OK;
    if (x < 3 || w != x)
        return op_invalid(n, "wrong-rank",
                          "'%s' has %d dimensions and '%s' %d: both must have the same number, 3 or more",
                          n->row->inputs[0].name, x, n->row->inputs[1].name, w);
    if (op_int(n, "group") < 1)
        return op_invalid(n, "wrong-attribute", "group is %lld", (long long)op_int(n, "group"));
    *out_rank = x - 2;
    return STATUS_OK;
}

static bool same(dim x, dim y) {
    return !dim_is_known(x) || !dim_is_known(y) || x.n == y.n;
}

status conv_check_channels(const node *n, dim given, dim expected, const char *what, const char *input) {
    if (same(given, expected))
        return STATUS_OK;
    return op_invalid(n, "shape-mismatch", "input '%s' has %lld %s, expected %lld", input, (long long)given.n, what,
                      (long long)expected.n);
}

status conv_check_bias(const node *n, int input, dim channels) {
    const tensor_type *bias = op_input_type(n, input);
    if (bias == NULL || bias->rank < 0)
        return STATUS_OK;
    if (bias->rank != 1)
        return op_invalid(n, "wrong-rank", "'%s' must have one dimension, it has %d", n->row->inputs[input].name,
                          bias->rank);
    return conv_check_channels(n, bias->dims[0], channels, "elements", n->row->inputs[input].name);
}

const int64_t *conv_kernel_of(const tensor_type *w, int64_t *out) {
    for (int k = 2; k < w->rank; k++) {
        if (!dim_is_known(w->dims[k]))
            return NULL;
        out[k - 2] = w->dims[k].n;
    }
    return out;
}

/* Shape of a convolution; the weights are input `weights`. */
static status conv_shape(node *n, int weights, dtype elem) {
    const tensor_type *x = op_input_type(n, 0), *w = op_input_type(n, weights);
    int64_t group = op_int(n, "group"), sizes[TENSOR_MAX_RANK];
    int rank = x->rank - 2;
    window win;
    if (conv_kernel_of(w, sizes) == NULL && !op_has(n, "kernel_shape"))
        return op_unknown_output(n, 0, elem);
    TRY(window_read(n, rank, conv_kernel_of(w, sizes), &win));
    TRY(conv_check_channels(n, w->dims[1], dim_floor_div(n->graph->memory, x->dims[1], DIM(group)),
                            "channels per group", n->row->inputs[weights].name));
    if (dim_is_known(x->dims[1]) && x->dims[1].n % group != 0)
        return op_invalid(n, "shape-mismatch", "%lld input channels do not divide into %lld groups",
                          (long long)x->dims[1].n, (long long)group);
    if (dim_is_known(w->dims[0]) && w->dims[0].n % group != 0)
        return op_invalid(n, "shape-mismatch", "%lld output channels do not divide into %lld groups",
                          (long long)w->dims[0].n, (long long)group);
    dim dims[TENSOR_MAX_RANK] = {x->dims[0], w->dims[0]};
    for (int k = 0; k < rank; k++)
        dims[2 + k] = window_output(n->graph->memory, &win, k, x->dims[2 + k]);
    return op_set_output(n, 0, elem, rank + 2, dims);
}

static status conv_infer(node *n) {
    int rank;
    dtype elem = op_input_type(n, 0)->elem;
    TRY(conv_check_operands(n, &rank));
    if (rank < 0)
        return op_unknown_output(n, 0, elem);
    TRY(conv_check_bias(n, 2, op_input_type(n, 1)->dims[0]));
    return conv_shape(n, 1, elem);
}

/* The nest of a convolution, open for its reduction: indices of an element of x and one of w, the mask of x (NULL:
 * none). Groups of one channel have no axis of their own, so that dense and depthwise convolutions store at their axes.
 */
typedef struct convolution {
    nest *m;
    const expr *y_index[TENSOR_MAX_RANK], *x_index[TENSOR_MAX_RANK], *w_index[TENSOR_MAX_RANK];
    const expr *mask;
} convolution;

static status open_convolution(const node *n, nest_list *l, const char *name, int weights, convolution *c) {
    builder *b = l->b;
    const nest_operand *x = kit_operand(l, 0), *w = kit_operand(l, weights), *y = kit_operand(l, nest_output(l, 0));
    int64_t groups = op_int(n, "group"), in_group = w->dims[1], out_group = w->dims[0] / groups;
    int rank = x->rank - 2;
    window win;
    TRY(window_read(n, rank, w->dims + 2, &win));
    window_resolve(&win, x->dims + 2, y->dims + 2);
    c->m = nest_add(l, name);
    c->m->contract = true;
    const expr *zero = build_index(b, 0), *k[TENSOR_MAX_RANK];
    c->y_index[0] = c->x_index[0] = nest_outer(c->m, "n", x->dims[0]);
    const expr *group = groups > 1 ? nest_outer(c->m, "g", groups) : zero;
    const expr *channel = out_group > 1 || groups == 1 ? nest_outer(c->m, "co", out_group) : zero;
    c->y_index[1] = c->w_index[0] = build_add(b, build_mul(b, group, build_index(b, out_group)), channel);
    nest_outer_all(c->m, rank, y->dims + 2, c->y_index + 2);
    nest_open(c->m);
    const expr *ci = nest_inner(c->m, "ci", in_group);
    for (int d = 0; d < rank; d++)
        k[d] = c->w_index[2 + d] = nest_inner(c->m, "k", win.kernel[d]);
    c->w_index[1] = ci;
    c->x_index[1] = build_add(b, build_mul(b, group, build_index(b, in_group)), ci);
    c->mask = window_index(b, &win, x->dims + 2, y->dims + 2, c->y_index + 2, k, c->x_index + 2);
    return STATUS_OK;
}

static status conv_lower(const node *n, nest_list *l) {
    convolution c;
    TRY(open_convolution(n, l, "conv", 1, &c));
    const expr *term = build_mul(l->b, kit_read_masked(l, 0, c.x_index, c.mask), kit_read(l, 1, c.w_index));
    const expr *sum = nest_reduce(c.m, REDUCE_SUM, term);
    if (node_input(n, 2) != NULL)
        sum = build_add(l->b, sum, kit_read(l, 2, c.y_index + 1));
    kit_store(l, c.m, nest_output(l, 0), c.y_index, sum);
    return builder_status(l->b);
}

OP_ROW(Conv) = {
    .name = "Conv",
    .domain = "",
    .versions = VERSIONS(1, 11, 22),
    .kind = OP_CONTRACT,
    .inputs = PARAMS({"X", TYPES_FLOAT, 'T', 0}, {"W", TYPES_FLOAT, 'T', 0}, {"B", TYPES_FLOAT, 'T', PARAM_OPTIONAL}),
    .outputs = kit_float_Y,
    .attrs = ATTRS(CONV_ATTRS),
    .infer = conv_infer,
    .lower = conv_lower,
};

/* ---- ConvInteger: zero points subtracted before the product; padding stands for the zero point ---- */

static status conv_integer_infer(node *n) {
    int rank;
    TRY(conv_check_operands(n, &rank));
    return rank < 0 ? op_unknown_output(n, 0, DT_I32) : conv_shape(n, 1, DT_I32);
}

/* x minus its zero point (operand `zero`, one for all or one per `channel`) as an i32. */
static const expr *shifted(const node *n, const nest_list *l, const expr *x, int zero, const expr *channel) {
    builder *b = l->b;
    x = build_cast(b, DT_I32, x);
    if (zero >= l->n_inputs || !kit_operand(l, zero)->present)
        return x;
    return build_sub(b, x, build_cast(b, DT_I32, quantize_channel_parameter(n, l, zero, channel)));
}

/* The sum of the integer products, as an i32. */
static const expr *integer_sum(const node *n, nest_list *l, convolution *c, int x_zero, int weights, int w_zero) {
    builder *b = l->b;
    const expr *raw = c->mask == NULL ? nest_read(l, 0, c->x_index) : nest_read_masked(l, 0, c->x_index, c->mask);
    const expr *x = shifted(n, l, raw, x_zero, build_index(b, 0));
    if (c->mask != NULL)
        x = build_select(b, c->mask, x, build_int(b, DT_I32, 0));
    const expr *w = shifted(n, l, nest_read(l, weights, c->w_index), w_zero, c->w_index[0]);
    return nest_reduce(c->m, REDUCE_SUM, build_mul(b, x, w));
}

static status conv_integer_lower(const node *n, nest_list *l) {
    convolution c;
    TRY(open_convolution(n, l, "conv_integer", 1, &c));
    kit_store(l, c.m, nest_output(l, 0), c.y_index, integer_sum(n, l, &c, 2, 1, 3));
    return builder_status(l->b);
}

OP_ROW(ConvInteger) = {
    .name = "ConvInteger",
    .domain = "",
    .versions = VERSIONS(10),
    .kind = OP_CONTRACT,
    .inputs = PARAMS({"x", TYPES_BYTE, 'T', 0}, {"w", TYPES_BYTE, 'U', 0},
                     {"x_zero_point", TYPES_BYTE, 'T', PARAM_OPTIONAL},
                     {"w_zero_point", TYPES_BYTE, 'U', PARAM_OPTIONAL}),
    .outputs = PARAMS({"y", TYPE_BIT(DT_I32), 0, 0}),
    .attrs = ATTRS(CONV_ATTRS),
    .infer = conv_integer_infer,
    .lower = conv_integer_lower,
};

/* ---- QLinearConv: the integer convolution, then one rounding to the output's scale ---- */

enum { QL_X, QL_X_SCALE, QL_X_ZERO, QL_W, QL_W_SCALE, QL_W_ZERO, QL_Y_SCALE, QL_Y_ZERO, QL_BIAS };

static status qlinear_conv_infer(node *n) {
    dtype elem = op_input_type(n, QL_Y_ZERO)->elem;
    if (op_input_rank(n, QL_X) < 0 || op_input_rank(n, QL_W) < 0)
        return op_unknown_output(n, 0, elem);
    if (op_input_rank(n, QL_X) < 3 || op_input_rank(n, QL_X) != op_input_rank(n, QL_W) || op_int(n, "group") < 1)
        return op_invalid(n, "wrong-rank",
                          "'x' has %d dimensions and 'w' %d: both must have the same number, 3 or more",
                          op_input_rank(n, QL_X), op_input_rank(n, QL_W));
    TRY(conv_check_bias(n, QL_BIAS, op_input_type(n, QL_W)->dims[0]));
    return conv_shape(n, QL_W, elem);
}

static status qlinear_conv_lower(const node *n, nest_list *l) {
    convolution c;
    builder *b = l->b;
    int y = nest_output(l, 0);
    TRY(open_convolution(n, l, "conv_quantized", QL_W, &c));
    const expr *sum = integer_sum(n, l, &c, QL_X_ZERO, QL_W, QL_W_ZERO), *channel = c.y_index[1];
    if (node_input(n, QL_BIAS) != NULL)
        sum = build_add(b, sum, nest_read(l, QL_BIAS, &channel));
    const expr *scale =
        build_mul(b, quantize_parameter(n, l, QL_X_SCALE), quantize_channel_parameter(n, l, QL_W_SCALE, channel));
    scale = build_div(b, scale, quantize_parameter(n, l, QL_Y_SCALE));
    const expr *zero = build_cast(b, DT_F32, quantize_parameter(n, l, QL_Y_ZERO));
    const expr *real = build_mul(b, build_cast(b, DT_F32, sum), scale);
    nest_store(c.m, y, c.y_index, kit_operand(l, y)->rank, quantize_round(b, real, zero, kit_operand(l, y)->elem));
    return builder_status(b);
}

#define TYPES_SCALE TYPE_BIT(DT_F32)
OP_ROW(QLinearConv) = {
    .name = "QLinearConv",
    .domain = "",
    .versions = VERSIONS(10),
    .kind = OP_CONTRACT,
    .inputs = PARAMS({"x", TYPES_BYTE, 'X', 0}, {"x_scale", TYPES_SCALE, 0, 0}, {"x_zero_point", TYPES_BYTE, 'X', 0},
                     {"w", TYPES_BYTE, 'W', 0}, {"w_scale", TYPES_SCALE, 0, 0}, {"w_zero_point", TYPES_BYTE, 'W', 0},
                     {"y_scale", TYPES_SCALE, 0, 0}, {"y_zero_point", TYPES_BYTE, 'Y', 0},
                     {"B", TYPE_BIT(DT_I32), 0, PARAM_OPTIONAL}),
    .outputs = PARAMS({"y", TYPES_BYTE, 'Y', 0}),
    .attrs = ATTRS(CONV_ATTRS),
    .infer = qlinear_conv_infer,
    .lower = qlinear_conv_lower,
};

/* ---- IntegerConv: of integers as they stand, around which zeros are; summed in the type that `wide` says ---- */

static status integer_conv_infer(node *n) {
    int rank;
    TRY(conv_check_operands(n, &rank));
    if (rank < 0)
        return op_unknown_output(n, 0, integer_sum_type(n));
    TRY(conv_check_bias(n, 2, op_input_type(n, 1)->dims[0]));
    return conv_shape(n, 1, integer_sum_type(n));
}

static status integer_conv_lower(const node *n, nest_list *l) {
    convolution c;
    dtype t = integer_sum_type(n);
    TRY(open_convolution(n, l, "conv_integer", 1, &c));
    const expr *term =
        integer_product(l->b, t, kit_read_masked(l, 0, c.x_index, c.mask), 0, kit_read(l, 1, c.w_index), 0);
    const expr *sum = nest_reduce(c.m, REDUCE_SUM, term);
    if (node_input(n, 2) != NULL)
        sum = build_add(l->b, sum, build_cast(l->b, t, kit_read(l, 2, c.y_index + 1)));
    kit_store(l, c.m, nest_output(l, 0), c.y_index, sum);
    return builder_status(l->b);
}

OP_ROW(tenon__IntegerConv) = {
    .name = "IntegerConv",
    .domain = OP_OWN_DOMAIN,
    .versions = VERSIONS(1),
    .kind = OP_CONTRACT,
    .inputs = PARAMS({"X", TYPES_QUANTISED, 0, 0}, {"W", TYPES_QUANTISED | TYPES_SUM, 0, 0},
                     {"B", TYPES_SUM, 0, PARAM_OPTIONAL}),
    .outputs = PARAMS({"Y", TYPES_SUM, 0, 0}),
    .attrs = ATTRS(CONV_ATTRS, WIDE_ATTR),
    .infer = integer_conv_infer,
    .lower = integer_conv_lower,
};
