/* Softmax and LayerNormalization over quantised rows, in integers. Vectors do these faster in floats: only where there
 * may be none. */
#include <math.h>

#include "passes/integer.h"

/* ---- Softmax ---- */

enum { POWER_BITS = 30, STEP_BITS = 12, MOST_STEPS = 1 << 16 };

/* exp(-d * scale) for every distance d that two codes can have. */
static status powers(integer_work *w, const quantised *x, value **out) {
    span of = quantised_span(x);
    int64_t n = of.hi - of.lo + 1, *numbers = ARENA_NEW_N(w->scratch, int64_t, n);
    TRY_ALLOC(numbers);
    for (int64_t d = 0; d < n; d++)
        numbers[d] = llrint(ldexp(exp(-(double)d * quantised_scale(x, 0)), POWER_BITS));
    return integer_constant(w, DT_I32, 1, &n, numbers, out);
}

status integer_softmax(integer_work *w, const quantiser *q, value **out) {
    const node *n = q->from->def;
    quantised x;
    double steps = ldexp(1 / q->scale, STEP_BITS);
    if (!is_op(n, "Softmax") || !w->o->no_float || !quantised_read_data(node_input(n, 0), &x) || q->slope != 1 ||
        !(1 / q->scale <= (double)MOST_STEPS) || !(steps >= 1) || !type_shape(&x.q->type, NULL))
        return STATUS_OK;
    value *inputs[2] = {x.q};
    TRY(powers(w, &x, &inputs[1]));
    const attr attrs[] = {INT_ATTR("axis", op_int(n, "axis")), INT_ATTR("steps", llrint(steps)),
                          INT_ATTR("shift", STEP_BITS),        INT_ATTR("zero", q->zero),
                          INT_ATTR("lo", q->within.lo),        INT_ATTR("hi", q->within.hi),
                          INT_ATTR("to", dtype_to_onnx(q->to))};
    return integer_node(w, q->n, "IntegerSoftmax", inputs, 2, attrs, 7, out);
}

/* ---- LayerNormalization ---- */

enum { ROOT_BITS = 62, QUOTIENT_BITS = 61, GAIN_BITS = 24, MOST_SHIFT = 24 };

static int bits_for(double x) {
    return x < 1 ? 0 : (int)floor(log2(x)) + 1;
}

typedef struct layer_norm {
    int64_t n, *gain, *offset, epsilon;
    int up, shift;
} layer_norm;

/* Gain and offset in steps of q, with as many bits as the products leave room for. */
static bool read_layer_norm(const quantiser *q, const quantised *x, const reals *scale, const reals *bias,
                            layer_norm *to) {
    span of = quantised_span(x);
    double n = (double)to->n, most = n * (double)(of.hi - of.lo), larger = 0, step = quantised_scale(x, 0);
    double epsilon = op_float(q->from->def, "epsilon") / (step * step) * n * n * n;
    to->up = (ROOT_BITS - bits_for(n * most * most + epsilon)) / 2;
    to->epsilon = epsilon < 1 ? 1 : llrint(epsilon);
    for (int64_t k = 0; k < to->n; k++)
        larger = fmax(larger, fabs(scale->at[k]) * sqrt(n) / q->scale);
    int room = QUOTIENT_BITS - bits_for(most) - to->up, bits = room < GAIN_BITS ? room : GAIN_BITS;
    to->shift = bits - bits_for(larger);
    to->shift = to->shift > MOST_SHIFT ? MOST_SHIFT : to->shift;
    if (to->up < 8 || to->up > 30 || to->shift < 8 || !(epsilon < 1e15))
        return false;
    for (int64_t k = 0; k < to->n; k++) {
        to->gain[k] = llrint(ldexp(scale->at[k] * sqrt(n) / q->scale, to->shift));
        double b = bias != NULL ? bias->at[k] / q->scale : 0;
        to->offset[k] = llrint(ldexp(fmax(-1e6, fmin(1e6, b)), to->shift));
    }
    return true;
}

/* Numbers along the last dimension, one for each of its places. */
static bool is_row(const reals *r, int64_t n) {
    return r->at != NULL && r->n == n && r->rank == 1;
}

status integer_layer_norm(integer_work *w, const quantiser *q, value **out) {
    const node *n = q->from->def;
    quantised x;
    reals scale, bias;
    layer_norm of = {0};
    if (!is_op(n, "LayerNormalization") || !w->o->no_float || q->slope != 1 ||
        !quantised_read_data(node_input(n, 0), &x) || !type_shape(&x.q->type, NULL) || x.q->type.rank < 1)
        return STATUS_OK;
    int64_t axis = op_int(n, "axis");
    bool has_bias = node_input(n, 2) != NULL;
    of.n = x.q->type.dims[x.q->type.rank - 1].n;
    if ((axis != -1 && axis != x.q->type.rank - 1) || !reals_read(node_input(n, 1), w->scratch, &scale) ||
        !is_row(&scale, of.n) ||
        (has_bias && (!reals_read(node_input(n, 2), w->scratch, &bias) || !is_row(&bias, of.n))))
        return STATUS_OK;
    TRY_ALLOC(of.gain = ARENA_NEW_N(w->scratch, int64_t, of.n + 1));
    TRY_ALLOC(of.offset = ARENA_NEW_N(w->scratch, int64_t, of.n + 1));
    if (!read_layer_norm(q, &x, &scale, has_bias ? &bias : NULL, &of))
        return STATUS_OK;
    value *inputs[3] = {x.q};
    TRY(integer_constant(w, DT_I32, 1, &of.n, of.gain, &inputs[1]));
    TRY(integer_constant(w, DT_I64, 1, &of.n, of.offset, &inputs[2]));
    const attr attrs[] = {INT_ATTR("epsilon", of.epsilon),     INT_ATTR("up", of.up),
                          INT_ATTR("shift", of.shift),         INT_ATTR("zero", q->zero),
                          INT_ATTR("lo", q->within.lo),        INT_ATTR("hi", q->within.hi),
                          INT_ATTR("to", dtype_to_onnx(q->to))};
    return integer_node(w, q->n, "IntegerLayerNorm", inputs, 3, attrs, 7, out);
}
