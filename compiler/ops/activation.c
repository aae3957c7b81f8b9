/* Activations, element by element. */
#include "ops/kit.h"

#define ACTIVATION_ROW(NAME, FN, ...)                                                                                  \
    {.name = NAME,                                                                                                     \
     .domain = "",                                                                                                     \
     .versions = VERSIONS(__VA_ARGS__),                                                                                \
     .kind = OP_SCALAR,                                                                                                \
     .inputs = kit_float_X,                                                                                            \
     .outputs = kit_float_Y,                                                                                           \
     .scalar = FN}
#define ACTIVATION_ROW_ATTRS(NAME, FN, ATTRIBUTES, ...)                                                                \
    {.name = NAME,                                                                                                     \
     .domain = "",                                                                                                     \
     .versions = VERSIONS(__VA_ARGS__),                                                                                \
     .kind = OP_SCALAR,                                                                                                \
     .inputs = kit_float_X,                                                                                            \
     .outputs = kit_float_Y,                                                                                           \
     .attrs = ATTRIBUTES,                                                                                              \
     .scalar = FN}

/* max(0, x) in this order gives x where it is NaN. */
static const expr *rectify(builder *b, const expr *x) {
    return build_max(b, kit_const(b, x, 0), x);
}

static const expr *relu_scalar(builder *b, const node *n, const expr *const *x) {
    (void)n;
    return kit_unary(b, x[0], rectify);
}
OP_ROW(Relu) = {
    .name = "Relu",
    .domain = "",
    .versions = VERSIONS(1, 6, 13, 14),
    .kind = OP_SCALAR,
    .inputs = PARAMS({"X", TYPES_SIGNED | TYPES_FLOAT, 'T', 0}),
    .outputs = PARAMS({"Y", TYPES_SIGNED | TYPES_FLOAT, 'T', 0}),
    .scalar = relu_scalar,
};

/* x where it is above zero, else `other`. */
static const expr *above_zero(builder *b, const expr *x, const expr *other) {
    return build_select(b, build_lt(b, kit_const(b, x, 0), x), x, other);
}

static const expr *leaky_relu_scalar(builder *b, const node *n, const expr *const *x) {
    const expr *v = kit_wide(b, x[0]);
    return kit_narrow(b, x[0]->type.elem, above_zero(b, v, build_mul(b, kit_attr(b, n, "alpha", v), v)));
}
OP_ROW(LeakyRelu) = ACTIVATION_ROW_ATTRS("LeakyRelu", leaky_relu_scalar, ATTRS({"alpha", ATTR_FLOAT, .f = 0.01f}), 1, 6,
                                         16);

static const expr *prelu_scalar(builder *b, const node *n, const expr *const *x) {
    (void)n;
    const expr *v = kit_wide(b, x[0]);
    const expr *scaled = build_mul(b, v, kit_wide(b, x[1])), *below = build_lt(b, v, kit_const(b, v, 0));
    return kit_narrow(b, x[0]->type.elem, build_select(b, below, scaled, v));
}

/* The slope is spread over X, never the other way round. */
static status prelu_infer(node *n) {
    int rank;
    dim dims[TENSOR_MAX_RANK];
    const tensor_type *x = op_input_type(n, 0);
    if (x->rank < 0 || op_input_rank(n, 1) < 0)
        return kit_infer_same(n);
    TRY(op_broadcast(n, 0, 2, &rank, dims));
    if (rank != x->rank)
        return op_invalid(n, "shape-mismatch", "'slope' has %d dimensions, more than the %d of 'X'; reshape it",
                          op_input_rank(n, 1), x->rank);
    return kit_infer_same(n);
}

/* Before opset 7 a slope of more than one element was one per channel. */
static status prelu_upgrade(node *n) {
    const value *slope = node_input(n, 1);
    bool per_channel =
        n->version < 7 && slope != NULL && slope->type.rank == 1 && !dim_equal(slope->type.dims[0], DIM(1));
    return per_channel && op_input_rank(n, 0) > 1 ? kit_align_operand(n, 1) : STATUS_OK;
}

OP_ROW(PRelu) = {
    .name = "PRelu",
    .domain = "",
    .versions = VERSIONS(1, 6, 7, 9, 16),
    .kind = OP_SCALAR,
    .inputs = PARAMS({"X", TYPES_WIDE, 'T', 0}, {"slope", TYPES_WIDE, 'T', 0}),
    .outputs = PARAMS({"Y", TYPES_WIDE, 'T', 0}),
    .infer = prelu_infer,
    .upgrade = prelu_upgrade,
    .scalar = prelu_scalar,
};

/* scale * (x above zero, alpha * (e^(x/width) - 1) else). */
static const expr *exponential_unit(builder *b, const expr *x, const expr *alpha, const expr *width) {
    const expr *below = build_mul(b, alpha, build_expm1(b, width == NULL ? x : build_div(b, x, width)));
    return above_zero(b, x, below);
}

static const expr *elu_scalar(builder *b, const node *n, const expr *const *x) {
    const expr *v = kit_wide(b, x[0]);
    return kit_narrow(b, x[0]->type.elem, exponential_unit(b, v, kit_attr(b, n, "alpha", v), NULL));
}
OP_ROW(Elu) = ACTIVATION_ROW_ATTRS("Elu", elu_scalar, ATTRS({"alpha", ATTR_FLOAT, .f = 1}), 1, 6, 22);

static const expr *selu_scalar(builder *b, const node *n, const expr *const *x) {
    const expr *v = kit_wide(b, x[0]), *y = exponential_unit(b, v, kit_attr(b, n, "alpha", v), NULL);
    return kit_narrow(b, x[0]->type.elem, build_mul(b, kit_attr(b, n, "gamma", v), y));
}
/* Opset 1 had shorter defaults. */
static status selu_upgrade(node *n) {
    static const attr defaults[] = {{.name = "alpha", .kind = ATTR_FLOAT, .f = 1.67320001125335693359375f},
                                    {.name = "gamma", .kind = ATTR_FLOAT, .f = 1.05069994926452636718750f}};
    for (int k = 0; k < 2 && n->version < 6; k++)
        if (!op_has(n, defaults[k].name))
            TRY(node_set_attr(n, &defaults[k]));
    return STATUS_OK;
}
OP_ROW(Selu) = {
    .name = "Selu",
    .domain = "",
    .versions = VERSIONS(1, 6, 22),
    .kind = OP_SCALAR,
    .inputs = kit_float_X,
    .outputs = kit_float_Y,
    .attrs = ATTRS({"alpha", ATTR_FLOAT, .f = 1.67326319217681884765625f},
                   {"gamma", ATTR_FLOAT, .f = 1.05070102214813232421875f}),
    .upgrade = selu_upgrade,
    .scalar = selu_scalar,
};

static const expr *celu_scalar(builder *b, const node *n, const expr *const *x) {
    const expr *v = kit_wide(b, x[0]), *alpha = kit_attr(b, n, "alpha", v);
    return kit_narrow(b, x[0]->type.elem, exponential_unit(b, v, alpha, alpha));
}
OP_ROW(Celu) = ACTIVATION_ROW_ATTRS("Celu", celu_scalar, ATTRS({"alpha", ATTR_FLOAT, .f = 1}), 12, 28);

static const expr *thresholded_relu_scalar(builder *b, const node *n, const expr *const *x) {
    const expr *v = kit_wide(b, x[0]), *over = build_lt(b, kit_attr(b, n, "alpha", v), v);
    return build_select(b, over, x[0], kit_narrow(b, x[0]->type.elem, kit_const(b, v, 0)));
}
OP_ROW(ThresholdedRelu) = ACTIVATION_ROW_ATTRS("ThresholdedRelu", thresholded_relu_scalar,
                                               ATTRS({"alpha", ATTR_FLOAT, .f = 1}), 10, 22);

/* max(0, min(1, alpha*x + beta)). */
static const expr *hard_sigmoid(builder *b, const expr *x, const expr *alpha, const expr *beta) {
    const expr *line = build_add(b, build_mul(b, alpha, x), beta);
    return build_max(b, kit_const(b, x, 0), build_min(b, kit_const(b, x, 1), line));
}

static const expr *hard_sigmoid_scalar(builder *b, const node *n, const expr *const *x) {
    const expr *v = kit_wide(b, x[0]);
    return kit_narrow(b, x[0]->type.elem, hard_sigmoid(b, v, kit_attr(b, n, "alpha", v), kit_attr(b, n, "beta", v)));
}
OP_ROW(HardSigmoid) = ACTIVATION_ROW_ATTRS("HardSigmoid", hard_sigmoid_scalar,
                                           ATTRS({"alpha", ATTR_FLOAT, .f = 0.2f}, {"beta", ATTR_FLOAT, .f = 0.5}), 1,
                                           6, 22);

static const expr *hard_swish(builder *b, const expr *x) {
    return build_mul(b, x, hard_sigmoid(b, x, kit_const(b, x, 1.0 / 6), kit_const(b, x, 0.5)));
}
static const expr *hard_swish_scalar(builder *b, const node *n, const expr *const *x) {
    (void)n;
    return kit_unary(b, x[0], hard_swish);
}
OP_ROW(HardSwish) = ACTIVATION_ROW("HardSwish", hard_swish_scalar, 14, 22);

static const expr *soft_sign(builder *b, const expr *x) {
    return build_div(b, x, build_add(b, kit_const(b, x, 1), build_unary(b, EXPR_ABS, x)));
}
static const expr *softsign_scalar(builder *b, const node *n, const expr *const *x) {
    (void)n;
    return kit_unary(b, x[0], soft_sign);
}
OP_ROW(Softsign) = {
    .name = "Softsign",
    .domain = "",
    .versions = VERSIONS(1, 22),
    .kind = OP_SCALAR,
    .inputs = kit_float_input,
    .outputs = kit_float_output,
    .scalar = softsign_scalar,
};

/* log(1 + e^x) = max(x, 0) + log1p(e^-|x|). */
static const expr *soft_plus(builder *b, const expr *x) {
    const expr *small = build_exp(b, build_unary(b, EXPR_NEG, build_unary(b, EXPR_ABS, x)));
    return build_add(b, rectify(b, x), build_log1p(b, small));
}
static const expr *softplus_scalar(builder *b, const node *n, const expr *const *x) {
    (void)n;
    return kit_unary(b, x[0], soft_plus);
}
OP_ROW(Softplus) = ACTIVATION_ROW("Softplus", softplus_scalar, 1, 22);

static const expr *mish(builder *b, const expr *x) {
    return build_mul(b, x, build_tanh(b, soft_plus(b, x)));
}
static const expr *mish_scalar(builder *b, const node *n, const expr *const *x) {
    (void)n;
    return kit_unary(b, x[0], mish);
}
OP_ROW(Mish) = ACTIVATION_ROW("Mish", mish_scalar, 18, 22);

static const expr *swish_scalar(builder *b, const node *n, const expr *const *x) {
    const expr *v = kit_wide(b, x[0]);
    return kit_narrow(b, x[0]->type.elem,
                      build_mul(b, v, build_sigmoid(b, build_mul(b, kit_attr(b, n, "alpha", v), v))));
}
OP_ROW(Swish) = ACTIVATION_ROW_ATTRS("Swish", swish_scalar, ATTRS({"alpha", ATTR_FLOAT, .f = 1}), 24);

static const expr *gelu_exact(builder *b, const expr *x) {
    const expr *erf = build_erf(b, build_mul(b, x, kit_const(b, x, 0.70710678118654752440)));
    return build_mul(b, build_mul(b, kit_const(b, x, 0.5), x), build_add(b, kit_const(b, x, 1), erf));
}
static const expr *gelu_tanh(builder *b, const expr *x) {
    const expr *cube = build_mul(b, kit_const(b, x, 0.044715), build_mul(b, build_mul(b, x, x), x));
    const expr *t = build_tanh(b, build_mul(b, kit_const(b, x, 0.79788456080286535588), build_add(b, x, cube)));
    return build_mul(b, build_mul(b, kit_const(b, x, 0.5), x), build_add(b, kit_const(b, x, 1), t));
}
static const expr *gelu_scalar(builder *b, const node *n, const expr *const *x) {
    return kit_unary(b, x[0], op_string(n, "approximate")[0] == 't' ? gelu_tanh : gelu_exact);
}
OP_ROW(Gelu) = ACTIVATION_ROW_ATTRS("Gelu", gelu_scalar, ATTRS({"approximate", ATTR_STRING, .s = "none"}), 20);

/* x + bias below -lambd, x - bias above lambd, 0 between. */
static const expr *shrink_scalar(builder *b, const node *n, const expr *const *x) {
    dtype t = x[0]->type.elem;
    const expr *v = dtype_is_float(t) ? kit_wide(b, x[0]) : build_cast(b, DT_F64, x[0]);
    const expr *lambda = kit_attr(b, n, "lambd", v), *bias = kit_attr(b, n, "bias", v), *zero = kit_const(b, v, 0);
    const expr *above = build_select(b, build_lt(b, lambda, v), build_sub(b, v, bias), zero);
    const expr *below = build_lt(b, v, build_unary(b, EXPR_NEG, lambda));
    return kit_narrow(b, t, build_select(b, below, build_add(b, v, bias), above));
}
OP_ROW(Shrink) = {
    .name = "Shrink",
    .domain = "",
    .versions = VERSIONS(9),
    .kind = OP_SCALAR,
    .inputs = PARAMS({"input", TYPES_NUMBER, 'T', 0}),
    .outputs = PARAMS({"output", TYPES_NUMBER, 'T', 0}),
    .attrs = ATTRS({"bias", ATTR_FLOAT, .f = 0}, {"lambd", ATTR_FLOAT, .f = 0.5}),
    .scalar = shrink_scalar,
};

/* ---- SwiGLU: a gate and what it lets through ---- */

static const expr *swi_glu_scalar(builder *b, const node *n, const expr *const *x) {
    const expr *a = kit_wide(b, x[0]),
               *gate = build_mul(b, a, build_sigmoid(b, build_mul(b, kit_attr(b, n, "alpha", a), a)));
    return kit_narrow(b, x[0]->type.elem, build_mul(b, gate, kit_wide(b, x[1])));
}

static status swi_glu_infer(node *n) {
    const tensor_type *a = op_input_type(n, 0), *b = op_input_type(n, 1);
    for (int k = 0; k < a->rank && a->rank == b->rank; k++)
        if (dim_is_known(a->dims[k]) && dim_is_known(b->dims[k]) && a->dims[k].n != b->dims[k].n)
            return op_invalid(n, "shape-mismatch", "dimension %d of 'A' is %lld, of 'B' %lld", k,
                              (long long)a->dims[k].n, (long long)b->dims[k].n);
    if (a->rank >= 0 && b->rank >= 0 && a->rank != b->rank)
        return op_invalid(n, "shape-mismatch", "'A' has %d dimensions, 'B' %d", a->rank, b->rank);
    return kit_infer_same(n);
}

OP_ROW(SwiGLU) = {
    .name = "SwiGLU",
    .domain = "",
    .versions = VERSIONS(28),
    .kind = OP_SCALAR,
    .inputs = PARAMS({"A", TYPES_FLOAT, 'T', 0}, {"B", TYPES_FLOAT, 'T', 0}),
    .outputs = kit_float_Y,
    .attrs = ATTRS({"alpha", ATTR_FLOAT, .f = 1}),
    .infer = swi_glu_infer,
    .scalar = swi_glu_scalar,
};

/* ---- Clip ---- */

/* The bound comes first: min and max then give x where it is NaN, and max where the bounds are crossed. */
static const expr *clip_scalar(builder *b, const node *n, const expr *const *x) {
    const expr *v = kit_wide(b, x[0]);
    if (n->n_inputs > 1 && x[1] != NULL)
        v = build_max(b, kit_wide(b, x[1]), v);
    if (n->n_inputs > 2 && x[2] != NULL)
        v = build_min(b, kit_wide(b, x[2]), v);
    return kit_narrow(b, x[0]->type.elem, v);
}

static status clip_infer(node *n) {
    TRY(kit_check_single(n, 1));
    TRY(kit_check_single(n, 2));
    return kit_infer_same(n);
}

/* Before opset 11 the bounds were attributes. */
static status clip_upgrade(node *n) {
    TRY(kit_float_to_input(n, "min", 1));
    return kit_float_to_input(n, "max", 2);
}

OP_ROW(Clip) = {
    .name = "Clip",
    .domain = "",
    .versions = VERSIONS(1, 6, 11, 12, 13),
    .kind = OP_SCALAR,
    .inputs = PARAMS({"input", TYPES_NUMBER, 'T', 0}, {"min", TYPES_NUMBER, 'T', PARAM_OPTIONAL},
                     {"max", TYPES_NUMBER, 'T', PARAM_OPTIONAL}),
    .outputs = PARAMS({"output", TYPES_NUMBER, 'T', 0}),
    .infer = clip_infer,
    .upgrade = clip_upgrade,
    .scalar = clip_scalar,
};
