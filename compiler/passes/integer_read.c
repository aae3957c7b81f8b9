/* What a graph says of quantised values. */
#include <math.h>

#include "passes/integer.h"

node *only_user(const value *v) {
    return v->n_uses == 1 ? v->uses->user : NULL;
}

/* ---- DequantizeLinear ---- */

static bool is_narrow(dtype t) {
    return dtype_is_int(t) && dtype_bits(t) <= 16;
}

static bool are_positive(const tensor *t) {
    for (int64_t i = 0; i < t->count; i++) {
        double x = tensor_double(t, i);
        if (!(x > 0) || isinf(x))
            return false;
    }
    return t->count > 0;
}

bool quantised_read(const value *v, quantised *out) {
    const node *n = v != NULL && v->constant == NULL ? v->def : NULL;
    const value *scale, *zero;
    if (!is_op(n, "DequantizeLinear") || v->type.elem != DT_F32)
        return false;
    scale = node_input(n, 1);
    zero = node_input(n, 2);
    *out = (quantised){.n = n, .q = node_input(n, 0), .axis = -1, .block = op_int(n, "block_size")};
    bool is_bias = out->q->type.elem == DT_I32 && out->q->constant != NULL;
    if ((!is_narrow(out->q->type.elem) && !is_bias) || scale->constant == NULL || !are_positive(scale->constant) ||
        (zero != NULL && zero->constant == NULL) || out->q->type.rank < 0)
        return false;
    out->scales = scale->constant;
    out->zeros = zero != NULL ? zero->constant : NULL;
    if (out->scales->count == 1) {
        out->block = 0;
        return true;
    }
    int64_t axis = op_int(n, "axis");
    out->axis = (int)(axis < 0 ? axis + out->q->type.rank : axis);
    return true;
}

bool quantised_is_single(const quantised *x) {
    return x->axis < 0;
}

bool quantised_read_data(const value *v, quantised *out) {
    return quantised_read(v, out) && quantised_is_single(out) && out->q->type.elem != DT_I32;
}

double quantised_scale(const quantised *x, int64_t channel) {
    return tensor_double(x->scales, x->scales->count == 1 ? 0 : channel);
}

int64_t quantised_zero(const quantised *x, int64_t channel) {
    return x->zeros == NULL ? 0 : tensor_int(x->zeros, x->zeros->count == 1 ? 0 : channel);
}

span quantised_span(const quantised *x) {
    const node *def = x->q->def;
    dtype t = x->q->type.elem;
    span of_type = {dtype_min(t), (int64_t)dtype_max(t)};
    if (def == NULL || x->q->constant != NULL || strcmp(def->domain, OP_OWN_DOMAIN) != 0 || !op_has(def, "lo"))
        return of_type;
    return (span){op_int(def, "lo"), op_int(def, "hi")};
}

static bool same_tensor(const tensor *x, const tensor *y) {
    if (x == NULL || y == NULL || x->count != y->count)
        return x == y;
    for (int64_t i = 0; i < x->count; i++)
        if (tensor_double(x, i) != tensor_double(y, i))
            return false;
    return true;
}

bool quantised_same(const quantised *x, const quantised *y) {
    if (x->q->type.elem != y->q->type.elem || x->axis != y->axis || x->block != y->block)
        return false;
    bool zeros =
        quantised_is_single(x) ? quantised_zero(x, 0) == quantised_zero(y, 0) : same_tensor(x->zeros, y->zeros);
    return zeros && same_tensor(x->scales, y->scales);
}

/* ---- QuantizeLinear ---- */

static bool number_of(const value *v, double otherwise, double *out) {
    *out = otherwise;
    if (v == NULL)
        return true;
    if (v->constant == NULL || v->constant->count != 1)
        return false;
    *out = tensor_double(v->constant, 0);
    return true;
}

/* Takes a Relu or Clip into the bounds. */
static bool take_bounds(quantiser *q, const node *n) {
    double lo, hi;
    if (is_op(n, "Relu")) {
        lo = 0;
        hi = INFINITY;
    } else if (!is_op(n, "Clip") || !number_of(node_input(n, 1), -INFINITY, &lo) ||
               !number_of(node_input(n, 2), INFINITY, &hi) || lo > hi) {
        return false;
    }
    q->within =
        (span){quantised_number(lo, q->scale, q->zero, q->within), quantised_number(hi, q->scale, q->zero, q->within)};
    return true;
}

bool quantiser_read(node *n, quantiser *out) {
    const value *scale = node_input(n, 1), *zero = node_input(n, 2);
    if (!is_op(n, "QuantizeLinear") || scale->constant == NULL || scale->constant->count != 1 ||
        !are_positive(scale->constant) || (zero != NULL && (zero->constant == NULL || zero->constant->count != 1)))
        return false;
    dtype t = n->outputs[0]->type.elem;
    if (!is_narrow(t) || node_input(n, 0)->type.elem != DT_F32)
        return false;
    *out =
        (quantiser){.n = n, .to = t, .scale = tensor_double(scale->constant, 0), .slope = 1, .from = node_input(n, 0)};
    out->zero = zero != NULL ? tensor_int(zero->constant, 0) : 0;
    out->within = (span){dtype_min(t), (int64_t)dtype_max(t)};
    while (out->from->def != NULL && out->slope == 1 && only_user(out->from) != NULL) {
        const node *def = out->from->def;
        if (is_op(def, "LeakyRelu") && op_float(def, "alpha") > 0)
            out->slope = op_float(def, "alpha");
        else if (!take_bounds(out, def))
            break;
        out->from = node_input(def, 0);
    }
    return true;
}

bool quantiser_after(const value *v, quantiser *out) {
    node *n = only_user(v);
    while (is_op(n, "Relu") || is_op(n, "Clip") || is_op(n, "LeakyRelu")) {
        if (node_input(n, 0) != v)
            return false;
        v = n->outputs[0];
        n = only_user(v);
    }
    return n != NULL && is_op(n, "QuantizeLinear") && node_input(n, 0) == v && quantiser_read(n, out);
}

/* ---- known real numbers ---- */

/* Which scale element i of a dequantised constant has. */
static int64_t parameter_of(const quantised *x, const tensor *t, int64_t i) {
    if (x->axis < 0)
        return 0;
    int64_t inner = 1, outer, n = t->dims[x->axis];
    for (int d = x->axis + 1; d < t->rank; d++)
        inner *= t->dims[d];
    outer = i / (inner * n);
    int64_t place = i / inner % n;
    if (x->block == 0)
        return place;
    int64_t blocks = (n + x->block - 1) / x->block;
    return (outer * blocks + place / x->block) * inner + i % inner;
}

bool reals_read(const value *v, arena *a, reals *out) {
    quantised x = {.q = NULL};
    const tensor *t = v->constant;
    if (t == NULL && quantised_read(v, &x))
        t = x.q->constant;
    if (t == NULL)
        return false;
    double *at = ARENA_NEW_N(a, double, t->count + 1);
    for (int64_t i = 0; at != NULL && i < t->count; i++) {
        int64_t k = x.q != NULL ? parameter_of(&x, t, i) : 0;
        at[i] = x.q == NULL ? tensor_double(t, i)
                            : (double)(tensor_int(t, i) - quantised_zero(&x, k)) * quantised_scale(&x, k);
    }
    *out = (reals){at, t->count, t->rank, t->dims};
    return true;
}
