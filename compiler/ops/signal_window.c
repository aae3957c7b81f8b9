/* HannWindow, HammingWindow, BlackmanWindow, MelWeightMatrix: tables. Windows are tables of a known size, made when the
 * operator is expanded; where the size is data, and the model declares the shape, they are computed at run time. */
#include <math.h>

#include "ops/kit.h"

#define MOST_ELEMENTS (1 << 22)

static status window_infer(node *n) {
    const tensor *size = kit_constant(n, 0);
    dtype elem = dtype_from_onnx((int32_t)op_int(n, "output_datatype"));
    if ((TYPES_NUMBER & TYPE_BIT(elem)) == 0)
        return op_unsupported(n, "unsupported-type", "'output_datatype' is %lld",
                              (long long)op_int(n, "output_datatype"));
    TRY(kit_check_single(n, 0));
    if (size == NULL)
        return op_output_of_rank(n, 0, elem, 1);
    if (tensor_int(size, 0) < 0)
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

/* ---- MelWeightMatrix ---- */

static status mel_infer(node *n) {
    dtype elem = dtype_from_onnx((int32_t)op_int(n, "output_datatype"));
    const tensor *bins = kit_constant(n, 0), *length = kit_constant(n, 1);
    if ((TYPES_NUMBER & TYPE_BIT(elem)) == 0)
        return op_unsupported(n, "unsupported-type", "'output_datatype' is %lld",
                              (long long)op_int(n, "output_datatype"));
    for (int k = 0; k < 5; k++)
        TRY(kit_check_single(n, k));
    if (bins == NULL || length == NULL)
        return op_output_of_rank(n, 0, elem, 2);
    if (tensor_int(bins, 0) < 0 || tensor_int(length, 0) < 0)
        return op_invalid(n, "bad-value", "'num_mel_bins' is %lld and 'dft_length' %lld",
                          (long long)tensor_int(bins, 0), (long long)tensor_int(length, 0));
    return op_set_output(n, 0, elem, 2, (dim[]){DIM(tensor_int(length, 0) / 2 + 1), DIM(tensor_int(bins, 0))});
}

static const expr *mel_number(const nest_list *l, int operand) {
    dtype elem = kit_operand(l, operand)->elem;
    return kit_cast(l->b, DT_F64, build_load(l->b, operand, LTYPE(elem, 1), build_index(l->b, 0), NULL));
}

/* Mels of a frequency, in units of 2595 / ln(10). */
static const expr *mels(builder *b, const expr *hertz) {
    return build_log1p(b, build_div(b, hertz, kit_const(b, hertz, 700)));
}

/* The spectrogram's bin where each of count frequencies lies, which are equally far apart in mels: a temporary. */
static int mel_edges(const node *n, nest_list *l, int64_t count) {
    builder *b = l->b;
    const nest_operand *y = kit_operand(l, nest_output(l, 0));
    int64_t bins = y->dims[1], rows = y->dims[0];
    int edges = nest_temporary(l, DT_I64, 1, &count);
    nest *m = nest_add(l, "mel_edges");
    nest_raw_begin(l, m);
    const expr *length = build_let(b, "length", kit_int_at(n, l, 1, 0, true)), *rate = mel_number(l, 2);
    build_check(b, build_eq(b, kit_int_at(n, l, 0, 0, true), build_index(b, bins)), KIT_E_VALUE);
    build_check(b, kit_inside(b, NULL, length, 0, 2 * rows, true, true), KIT_E_VALUE);
    build_check(b, build_eq(b, build_div(b, length, build_index(b, 2)), build_index(b, rows - 1)), KIT_E_VALUE);
    const expr *low = mels(b, mel_number(l, 3)), *high = mels(b, mel_number(l, 4));
    const expr *step = build_div(b, build_sub(b, high, low), kit_const(b, low, (double)count));
    const expr *k = build_for(b, "k", build_index(b, count), LOOP_SERIAL);
    const expr *mel = build_add(b, build_mul(b, build_cast(b, DT_F64, k), step), low);
    const expr *hertz = build_mul(b, build_expm1(b, mel), kit_const(b, mel, 700));
    hertz = build_mul(b, hertz, build_cast(b, DT_F64, build_add(b, length, build_index(b, 1))));
    const expr *bin = build_unary(b, EXPR_FLOOR, build_div(b, hertz, rate));
    build_store(b, edges, k, build_cast(b, DT_I64, bin), NULL);
    build_end(b);
    nest_raw_end(l, m);
    return edges;
}

/* Column i rises from its edge to the next, and falls to the one behind that. */
static status mel_lower(const node *n, nest_list *l) {
    builder *b = l->b;
    int y = nest_output(l, 0);
    const nest_operand out = *kit_operand(l, y);
    const expr *i[2], *edge[3], *at[3];
    if (out.rank != 2 || out.dims[0] < 1)
        return op_invalid(n, "wrong-rank", "'output' must have 2 dimensions");
    int edges = mel_edges(n, l, out.dims[1] + 2);
    nest *m = kit_over(l, "mel", y, i);
    const expr *row = build_cast(b, DT_F64, i[0]), *zero = kit_const(b, row, 0), *one = kit_const(b, row, 1);
    for (int k = 0; k < 3; k++) {
        const expr *place = build_add(b, i[1], build_index(b, k));
        at[k] = nest_read(l, edges, &place);
        edge[k] = build_cast(b, DT_F64, at[k]);
    }
    const expr *up = build_div(b, build_sub(b, row, edge[0]), build_sub(b, edge[1], edge[0])),
               *down = build_div(b, build_sub(b, edge[2], row), build_sub(b, edge[2], edge[1]));
    up = build_select(b, build_lt(b, edge[0], edge[1]), up, one);
    const expr *rising = build_and(b, build_le(b, edge[0], row), build_le(b, row, edge[1])),
               *falling = build_and(b, build_le(b, edge[1], row), build_lt(b, row, edge[2]));
    const expr *weight = build_select(b, falling, down, build_select(b, rising, up, zero));
    nest_store(m, y, i, 2, kit_cast(b, out.elem, weight));
    return builder_status(b);
}

OP_ROW(MelWeightMatrix) = {
    .name = "MelWeightMatrix",
    .domain = "",
    .versions = VERSIONS(17),
    .kind = OP_LOWER,
    .inputs = PARAMS({"num_mel_bins", TYPES_INDEX, 'I', 0}, {"dft_length", TYPES_INDEX, 'I', 0},
                     {"sample_rate", TYPES_INDEX, 'I', 0}, {"lower_edge_hertz", TYPES_FLOAT, 'F', 0},
                     {"upper_edge_hertz", TYPES_FLOAT, 'F', 0}),
    .outputs = PARAMS({"output", TYPES_NUMBER, 'U', 0}),
    .attrs = ATTRS({"output_datatype", ATTR_INT, .i = 1}),
    .infer = mel_infer,
    .lower = mel_lower,
};
