/* The quantised operators of com.microsoft, which ONNX Runtime's quantiser writes in its form QOperator: each is
 * expanded into DequantizeLinear, the operator of ONNX that it stands for, and QuantizeLinear. */
#include <string.h>

#include "ops/quantize.h"

enum { MOST_OPERANDS = 2 };

/* The operator inside; its operands come first, each with scale and zero point, then the result's scale and zero point.
 */
typedef struct quantised_form {
    const char *name, *op;
    int operands;
} quantised_form;
static const quantised_form forms[] = {
    {"QLinearAdd", "Add", 2},
    {"QLinearMul", "Mul", 2},
    {"QLinearSigmoid", "Sigmoid", 1},
    {"QLinearLeakyRelu", "LeakyRelu", 1},
    {"QLinearSoftmax", "Softmax", 1},
    {"QLinearAveragePool", "AveragePool", 1},
    {"QLinearGlobalAveragePool", "GlobalAveragePool", 1},
};

static const quantised_form *form_of(const node *n) {
    for (size_t k = 0; k < sizeof forms / sizeof *forms; k++)
        if (strcmp(forms[k].name, n->op) == 0)
            return &forms[k];
    return NULL;
}

static value *with_parameters(kit_chain *c, const char *op, value *x, value *scale, value *zero, int64_t axis) {
    value *inputs[] = {x, scale, zero};
    const attr a = {.name = "axis", .kind = ATTR_INT, .i = axis};
    const node *made = kit_chain_node(c, op, inputs, zero == NULL ? 2 : 3, &a, 1, 1);
    return made == NULL ? NULL : made->outputs[0];
}

/* Operand number k, which three inputs say. */
static value *operand(kit_chain *c, const node *n, int k, int64_t axis) {
    return with_parameters(c, "DequantizeLinear", node_input(n, k), node_input(n, k + 1), node_input(n, k + 2), axis);
}

/* The node's attributes but for those that only this form has. */
static int inner_attrs(const node *n, attr *out, int most) {
    int count = 0;
    for (int k = 0; k < n->n_attrs && count < most; k++)
        if (strcmp(n->attrs[k].name, "channels_last") != 0 && strcmp(n->attrs[k].name, "opset") != 0)
            out[count++] = n->attrs[k];
    return count;
}

static status check_form(const node *n) {
    if (op_has(n, "channels_last") && op_int(n, "channels_last") != 0)
        return op_unsupported(n, "unsupported-attribute", "channels_last = 1 is not supported");
    if (op_has(n, "opset") && op_int(n, "opset") < 13)
        return op_unsupported(n, "unsupported-attribute", "opset below 13 is not supported");
    return STATUS_OK;
}

static status expand(graph *g, node *n) {
    const quantised_form *f = form_of(n);
    kit_chain c = KIT_CHAIN(g, n);
    value *x[MOST_OPERANDS];
    attr attrs[16];
    TRY(check_form(n));
    for (int k = 0; k < f->operands; k++)
        x[k] = operand(&c, n, 3 * k, 0);
    int n_attrs = inner_attrs(n, attrs, 16);
    const node *inner = kit_chain_node(&c, f->op, x, f->operands, attrs, n_attrs, 1);
    value *y = inner == NULL ? NULL : inner->outputs[0];
    y = with_parameters(&c, "QuantizeLinear", y, node_input(n, 3 * f->operands), node_input(n, 3 * f->operands + 1), 0);
    return kit_chain_result(&c, n->outputs[0], y);
}

/* The result's zero point, where it has one, says its type; the operands have the same. */
static status infer(node *n) {
    const quantised_form *f = form_of(n);
    dtype t = op_input_type(n, 0)->elem;
    int rank;
    dim dims[TENSOR_MAX_RANK];
    if (strstr(f->op, "Pool") != NULL || op_input_rank(n, 0) < 0 || (f->operands == 2 && op_input_rank(n, 3) < 0))
        return op_unknown_output(n, 0, t);
    if (f->operands == 1)
        return kit_output_shaped(n, 0, 0, t);
    value *both[] = {node_input(n, 0), node_input(n, 3)};
    int ranks[] = {both[0]->type.rank, both[1]->type.rank};
    rank = ranks[0] > ranks[1] ? ranks[0] : ranks[1];
    for (int d = 0; d < rank; d++) {
        int a = d - (rank - ranks[0]), b = d - (rank - ranks[1]);
        TRY(op_broadcast_dim(n, a < 0 ? DIM(1) : both[0]->type.dims[a], b < 0 ? DIM(1) : both[1]->type.dims[b],
                             &dims[d]));
    }
    return op_set_output(n, 0, t, rank, dims);
}

#define REAL TYPE_BIT(DT_F32)
#define UNARY_INPUTS                                                                                                   \
    PARAMS({"X", TYPES_BYTE, 'T', 0}, {"X_scale", REAL, 0, 0}, {"X_zero_point", TYPES_BYTE, 'T', PARAM_OPTIONAL},      \
           {"Y_scale", REAL, 0, 0}, {"Y_zero_point", TYPES_BYTE, 'T', PARAM_OPTIONAL})
#define BINARY_INPUTS                                                                                                  \
    PARAMS({"A", TYPES_BYTE, 'T', 0}, {"A_scale", REAL, 0, 0}, {"A_zero_point", TYPES_BYTE, 'T', PARAM_OPTIONAL},      \
           {"B", TYPES_BYTE, 'T', 0}, {"B_scale", REAL, 0, 0}, {"B_zero_point", TYPES_BYTE, 'T', PARAM_OPTIONAL},      \
           {"C_scale", REAL, 0, 0}, {"C_zero_point", TYPES_BYTE, 'T', PARAM_OPTIONAL})
#define QUANTISED_ROW(NAME, INPUTS, ATTRS_)                                                                            \
    {.name = NAME,                                                                                                     \
     .domain = "com.microsoft",                                                                                        \
     .versions = VERSIONS(1),                                                                                          \
     .kind = OP_EXPAND,                                                                                                \
     .inputs = INPUTS,                                                                                                 \
     .outputs = PARAMS({"Y", TYPES_BYTE, 'T', 0}),                                                                     \
     .attrs = ATTRS_,                                                                                                  \
     .infer = infer,                                                                                                   \
     .expand = expand}
#define LAST_ATTR {"channels_last", ATTR_INT, .i = 0}

OP_ROW(com_microsoft__QLinearAdd) = QUANTISED_ROW("QLinearAdd", BINARY_INPUTS, NULL);
OP_ROW(com_microsoft__QLinearMul) = QUANTISED_ROW("QLinearMul", BINARY_INPUTS, NULL);
OP_ROW(com_microsoft__QLinearSigmoid) = QUANTISED_ROW("QLinearSigmoid", UNARY_INPUTS, NULL);
OP_ROW(com_microsoft__QLinearLeakyRelu) = QUANTISED_ROW("QLinearLeakyRelu", UNARY_INPUTS,
                                                        ATTRS({"alpha", ATTR_FLOAT, .f = 0.01}));
OP_ROW(com_microsoft__QLinearSoftmax) = QUANTISED_ROW("QLinearSoftmax", UNARY_INPUTS,
                                                      ATTRS({"axis", ATTR_INT, .i = -1},
                                                            {"opset", ATTR_INT, .required = true}));
OP_ROW(com_microsoft__QLinearGlobalAveragePool) = QUANTISED_ROW("QLinearGlobalAveragePool", UNARY_INPUTS,
                                                                ATTRS(LAST_ATTR));
OP_ROW(com_microsoft__QLinearAveragePool) =
    QUANTISED_ROW("QLinearAveragePool", UNARY_INPUTS,
                  ATTRS(LAST_ATTR, {"auto_pad", ATTR_STRING, .s = "NOTSET"}, {"ceil_mode", ATTR_INT, .i = 0},
                        {"count_include_pad", ATTR_INT, .i = 0}, {"kernel_shape", ATTR_INTS, .required = true},
                        {"pads", .kind = ATTR_INTS}, {"strides", .kind = ATTR_INTS}));

/* ---- QGemm: a bias in steps of the product, and floats where the result has no scale ---- */

enum { GEMM_A, GEMM_B = 3, GEMM_B_SCALE, GEMM_C = 6, GEMM_Y_SCALE, GEMM_Y_ZERO };

static status gemm_infer(node *n) {
    const tensor_type *a = op_input_type(n, GEMM_A), *b = op_input_type(n, GEMM_B),
                      *zero = op_input_type(n, GEMM_Y_ZERO);
    dtype t = zero != NULL ? zero->elem : op_input_type(n, GEMM_Y_SCALE) != NULL ? DT_U8 : DT_F32;
    if (a->rank < 0 || b->rank < 0)
        return op_unknown_output(n, 0, t);
    if (a->rank != 2 || b->rank != 2)
        return op_invalid(n, "wrong-rank", "'A' and 'B' must be matrices, they have %d and %d dimensions", a->rank,
                          b->rank);
    const dim dims[] = {a->dims[op_int(n, "transA") != 0], b->dims[op_int(n, "transB") == 0]};
    return op_set_output(n, 0, t, 2, dims);
}

static status gemm_expand(graph *g, node *n) {
    kit_chain c = KIT_CHAIN(g, n);
    int64_t columns = op_int(n, "transB") != 0 ? 0 : 1;
    double alpha = op_float(n, "alpha");
    value *inputs[3] = {operand(&c, n, GEMM_A, 0), operand(&c, n, GEMM_B, columns)}, *bias = node_input(n, GEMM_C);
    if (bias != NULL) {
        value *step = kit_chain_binary(&c, "Mul", node_input(n, GEMM_A + 1), node_input(n, GEMM_B_SCALE));
        if (alpha != 1)
            step = kit_chain_binary(&c, "Mul", step, kit_chain_scalar(&c, DT_F32, alpha));
        inputs[2] = with_parameters(&c, "DequantizeLinear", bias, step, NULL, -1);
    }
    const node *made = kit_chain_node(&c, "Gemm", inputs, bias != NULL ? 3 : 2, n->attrs, n->n_attrs, 1);
    value *y = made == NULL ? NULL : made->outputs[0];
    if (node_input(n, GEMM_Y_SCALE) != NULL)
        y = with_parameters(&c, "QuantizeLinear", y, node_input(n, GEMM_Y_SCALE), node_input(n, GEMM_Y_ZERO), 0);
    return kit_chain_result(&c, n->outputs[0], y);
}

OP_ROW(com_microsoft__QGemm) = {
    .name = "QGemm",
    .domain = "com.microsoft",
    .versions = VERSIONS(1),
    .kind = OP_EXPAND,
    .inputs = PARAMS({"A", TYPES_BYTE, 'A', 0}, {"a_scale", REAL, 0, 0}, {"a_zero_point", TYPES_BYTE, 'A', 0},
                     {"B", TYPES_BYTE, 'B', 0}, {"b_scale", REAL, 0, 0}, {"b_zero_point", TYPES_BYTE, 'B', 0},
                     {"C", TYPE_BIT(DT_I32), 0, PARAM_OPTIONAL}, {"y_scale", REAL, 0, PARAM_OPTIONAL},
                     {"y_zero_point", TYPES_BYTE, 0, PARAM_OPTIONAL}),
    .outputs = PARAMS({"Y", TYPES_BYTE | REAL, 0, 0}),
    .attrs = ATTRS({"alpha", ATTR_FLOAT, .f = 1}, {"transA", ATTR_INT, .i = 0}, {"transB", ATTR_INT, .i = 0}),
    .infer = gemm_infer,
    .expand = gemm_expand,
};

/* ---- QLinearConcat: the result's scale first, then triples ---- */

static status concat_infer(node *n) {
    return op_unknown_output(n, 0, op_input_type(n, 1)->elem);
}

static status concat_expand(graph *g, node *n) {
    kit_chain c = KIT_CHAIN(g, n);
    int count = (n->n_inputs - 2) / 3;
    value **parts = ARENA_NEW_N(g->memory, value *, count + 1);
    TRY_ALLOC(parts);
    if (count < 1 || n->n_inputs != 3 * count + 2)
        return op_invalid(n, "wrong-arity", "it has %d inputs: 2 for the result, and 3 for each part", n->n_inputs);
    for (int k = 0; k < count; k++)
        parts[k] = operand(&c, n, 2 + 3 * k, 0);
    const node *made = kit_chain_node(&c, "Concat", parts, count, n->attrs, n->n_attrs, 1);
    value *y = made == NULL ? NULL : made->outputs[0];
    y = with_parameters(&c, "QuantizeLinear", y, node_input(n, 0), node_input(n, 1), 0);
    return kit_chain_result(&c, n->outputs[0], y);
}

OP_ROW(com_microsoft__QLinearConcat) = {
    .name = "QLinearConcat",
    .domain = "com.microsoft",
    .versions = VERSIONS(1),
    .kind = OP_EXPAND,
    .inputs = PARAMS({"Y_scale", REAL, 0, 0}, {"Y_zero_point", TYPES_BYTE, 0, 0},
                     {"inputs", TYPES_BYTE | REAL, 0, PARAM_VARIADIC}),
    .outputs = PARAMS({"Y", TYPES_BYTE, 0, 0}),
    .attrs = ATTRS({"axis", ATTR_INT, .required = true}),
    .infer = concat_infer,
    .expand = concat_expand,
};
