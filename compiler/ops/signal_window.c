/* HannWindow, HammingWindow, BlackmanWindow: tables of a known size, made when the operator is expanded; where the size
 * is data, and the model declares the shape, they are computed at run time. */
#include <math.h>

#include "ops/kit.h"

#define MOST_ELEMENTS (1 << 22)

static status window_infer(node *n) {
    const tensor *size = kit_constant(n, 0);
    dtype elem = dtype_from_onnx((int32_t)op_int(n, "output_datatype"));
    if ((TYPES_NUMBER & TYPE_BIT(elem)) == 0)
        return op_unsupported(n, "unsupported-type", "'output_datatype' is %lld",
                              (long long)op_int(n, "output_datatype"));
    if (size == NULL)
        return op_unknown_output(n, 0, elem);
    if (size->count != 1 || tensor_int(size, 0) < 0)
        return op_invalid(n, "bad-value", "'size' must be one number of 0 or more");
    if (tensor_int(size, 0) > MOST_ELEMENTS)
        return op_unsupported(n, "too-large", "'size' is %lld; windows of up to %d elements are made",
                              (long long)tensor_int(size, 0), MOST_ELEMENTS);
    dim dims[1] = {DIM(tensor_int(size, 0))};
    return op_set_output(n, 0, elem, 1, dims);
}

/* a0 - a1 cos(x) + a2 cos(2x) over one turn. */
static status expand_window(graph *g, node *n, double a0, double a1, double a2) {
    const tensor *size = kit_constant(n, 0);
    if (size == NULL)
        return op_unsupported(n, "not-constant", "'size' must be known at compile time");
    dtype elem = dtype_from_onnx((int32_t)op_int(n, "output_datatype"));
    int64_t count = tensor_int(size, 0);
    double turn = (double)(op_int(n, "periodic") != 0 ? count : count - 1);
    unsigned char *data = arena_alloc(g->memory, dtype_bytes(elem, (size_t)count) + 1);
    TRY_ALLOC(data);
    for (int64_t k = 0; k < count; k++) {
        double x = turn > 0 ? 2 * 3.14159265358979323846 * (double)k / turn : 0, y = a0 - a1 * cos(x) + a2 * cos(2 * x);
        if (dtype_is_float(elem))
            dtype_set_double(elem, data, (size_t)k, y);
        else
            dtype_set_int(elem, data, (size_t)k, (int64_t)y);
    }
    tensor *t = tensor_new(g->memory, elem, 1, &count, data);
    value *made = t == NULL ? NULL : graph_add_constant(g, NULL, t);
    TRY_ALLOC(made);
    return graph_replace_all_uses(g, node_output(n, 0), made);
}

static status lower_window(const node *n, nest_list *l, double a0, double a1, double a2) {
    builder *b = l->b;
    const expr *i[1];
    int y = nest_output(l, 0);
    int64_t count = kit_operand(l, y)->dims[0];
    double turn = (double)(op_int(n, "periodic") != 0 ? count : count - 1);
    kit_check_equal(n, l, 0, &count, 1);
    nest *m = kit_over(l, "window", y, i);
    const expr *x = build_cast(b, DT_F64, i[0]), *two = kit_const(b, x, 2);
    x = build_div(b, build_mul(b, kit_const(b, x, 2 * 3.14159265358979323846), x),
                  kit_const(b, x, turn > 0 ? turn : 1));
    const expr *once = build_mul(b, kit_const(b, x, a1), build_cos(b, x)),
               *twice = build_mul(b, kit_const(b, x, a2), build_cos(b, build_mul(b, two, x)));
    const expr *y_at = build_add(b, build_sub(b, kit_const(b, x, a0), once), twice);
    nest_store(m, y, i, 1, kit_cast(b, kit_operand(l, y)->elem, y_at));
    return builder_status(b);
}

#define WINDOW(NAME, A0, A1, A2)                                                                                       \
    static status NAME##_expand(graph *g, node *n) {                                                                   \
        return expand_window(g, n, A0, A1, A2);                                                                        \
    }                                                                                                                  \
    static status NAME##_lower(const node *n, nest_list *l) {                                                          \
        return lower_window(n, l, A0, A1, A2);                                                                         \
    }
WINDOW(hann, 0.5, 0.5, 0)
WINDOW(hamming, 25.0 / 46, 1 - 25.0 / 46, 0)
WINDOW(blackman, 0.42, 0.5, 0.08)

#define WINDOW_ROW(NAME, STEM)                                                                                         \
    {.name = NAME,                                                                                                     \
     .domain = "",                                                                                                     \
     .versions = VERSIONS(17),                                                                                         \
     .kind = OP_EXPAND,                                                                                                \
     .inputs = PARAMS({"size", TYPES_INDEX, 'I', PARAM_KNOWN}),                                                        \
     .outputs = PARAMS({"output", TYPES_NUMBER, 'U', 0}),                                                              \
     .attrs = ATTRS({"output_datatype", ATTR_INT, .i = 1}, {"periodic", ATTR_INT, .i = 1}),                            \
     .infer = window_infer,                                                                                            \
     .expand = STEM##_expand,                                                                                          \
     .lower = STEM##_lower}
OP_ROW(HannWindow) = WINDOW_ROW("HannWindow", hann);
OP_ROW(HammingWindow) = WINDOW_ROW("HammingWindow", hamming);
OP_ROW(BlackmanWindow) = WINDOW_ROW("BlackmanWindow", blackman);
