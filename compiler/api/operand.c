/* What nodes read, where it is quantised. */
#include "api/operand.h"

#include <math.h>
#include <string.h>

#include "api/options.h"
#include "ir/op.h"
#include "passes/quantised.h"

/* Constants below this cosine are not those of the other graph: they have been scaled. */
#define LEAST_COSINE 0.7

/* ---- reading ---- */

static bool single(const value *v, double *out) {
    if (v == NULL || v->constant == NULL || v->constant->count != 1)
        return false;
    *out = tensor_double(v->constant, 0);
    return true;
}

/* Bits of the integers between the bounds of a Clip right before; 0: none, or it cuts more than the type does not. */
static int clipped_width(const node *quantize) {
    const node *clip = node_input(quantize, 0)->def;
    double lo, hi, scale;
    if (!is_op(clip, "Clip") || !single(node_input(clip, 1), &lo) || !single(node_input(clip, 2), &hi) ||
        !single(node_input(quantize, 1), &scale) || !(scale > 0) || !(hi > lo))
        return 0;
    double steps = rint((hi - lo) / scale) + 1, bits = log2(steps);
    bool whole = bits == rint(bits) && rint(lo / scale) == lo / scale;
    return whole && bits < dtype_bits(quantize->outputs[0]->type.elem) ? (int)bits : 0;
}

/* The Gather of constants that q's rows come from, through what unpacks several of a byte; NULL: they come from
 * elsewhere. */
static const node *picks(const value *q) {
    static const char *const unpacks[] = {"Reshape", "BitwiseAnd", "BitShift", "Unsqueeze"};
    const node *n = q->def;
    for (size_t i = 0; n != NULL && i < sizeof unpacks / sizeof *unpacks; i++)
        if (is_op(n, unpacks[i]))
            n = node_input(n, 0)->def;
    return is_op(n, "Gather") && node_input(n, 0)->constant != NULL ? n : NULL;
}

bool operand_read(const value *v, operand *out) {
    const node *n = v != NULL ? v->def : NULL;
    if (!is_op(n, "DequantizeLinear"))
        return false;
    *out = (operand){.dequantize = n, .q = node_input(n, 0)};
    out->width = dtype_bits(out->q->type.elem);
    const char *noted = n->notes != NULL ? map_get(n->notes, "tenon.width") : NULL;
    int64_t width;
    if (noted != NULL && options_count(noted, &width) && width > 0 && width < out->width)
        out->width = (int)width;
    out->picked = picks(out->q);
    if (out->q->constant != NULL || out->picked != NULL)
        return true;
    const node *made = out->q->def;
    if (!is_op(made, "QuantizeLinear") && !is_op(made, "DynamicQuantizeLinear"))
        return false;
    out->quantize = made;
    out->real = node_input(made, 0);
    int clipped = is_op(made, "QuantizeLinear") ? clipped_width(made) : 0;
    if (clipped > 0) {
        out->width = clipped;
        out->real = node_input(out->real->def, 0);
    }
    return true;
}

bool operand_any(const node *n) {
    static const char *const formats[] = {"DequantizeLinear", "QuantizeLinear", "DynamicQuantizeLinear"};
    operand x;
    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++)
        if (is_op(n, formats[i]))
            return false;
    for (int i = 0; i < n->n_inputs; i++)
        if (operand_read(node_input(n, i), &x))
            return true;
    return false;
}

/* ---- formats ---- */

/* Are all scales powers of two, and no zero point other than 0? Then the fractions' bits go to *out_least .. *out_most.
 */
static bool is_fixed(const operand *x, int *out_least, int *out_most) {
    const value *scale = node_input(x->dequantize, 1), *zero = node_input(x->dequantize, 2);
    for (int64_t i = 0; zero != NULL && i < zero->constant->count; i++)
        if (tensor_int(zero->constant, i) != 0)
            return false;
    for (int64_t i = 0; i < scale->constant->count; i++) {
        int exponent;
        if (frexp(tensor_double(scale->constant, i), &exponent) != 0.5)
            return false;
        int frac = 1 - exponent;
        *out_least = i == 0 || frac < *out_least ? frac : *out_least;
        *out_most = i == 0 || frac > *out_most ? frac : *out_most;
    }
    return scale->constant->count > 0;
}

static void add_grain(const operand *x, strbuf *s) {
    int64_t group = op_int(x->dequantize, "block_size");
    if (node_input(x->dequantize, 1)->constant->count == 1)
        return;
    if (group > 0)
        strbuf_printf(s, " per block of %lld", (long long)group);
    else
        strbuf_add(s, " per channel");
}

static void add_affine(const operand *x, strbuf *s) {
    const value *scale = node_input(x->dequantize, 1), *zero = node_input(x->dequantize, 2);
    strbuf_printf(s, "%c%d", dtype_is_signed(x->q->type.elem) ? 'i' : 'u', x->width);
    if (scale->constant->count > 1)
        return;
    strbuf_printf(s, " scale %.4g", tensor_double(scale->constant, 0));
    if (zero != NULL && tensor_int(zero->constant, 0) != 0)
        strbuf_printf(s, " zero %lld", (long long)tensor_int(zero->constant, 0));
}

status operand_format(const operand *x, arena *a, const char **out) {
    const value *scale = node_input(x->dequantize, 1), *zero = node_input(x->dequantize, 2);
    strbuf s = strbuf_in(a);
    int least = 0, most = 0;
    if (!value_is_constant(scale) || (zero != NULL && !value_is_constant(zero))) {
        strbuf_printf(&s, "%c%d dynamic", dtype_is_signed(x->q->type.elem) ? 'i' : 'u', x->width);
        return strbuf_finish(&s, out);
    }
    if (is_fixed(x, &least, &most)) {
        strbuf_printf(&s, "%c(%d,%d", dtype_is_signed(x->q->type.elem) ? 'Q' : 'U', x->width, least);
        if (most > least)
            strbuf_printf(&s, "..%d", most);
        strbuf_char(&s, ')');
    } else {
        add_affine(x, &s);
    }
    add_grain(x, &s);
    return strbuf_finish(&s, out);
}

/* ---- back to floats ---- */

static bool same_dims(const tensor *x, const tensor *y) {
    bool same = x->rank == y->rank && x->elem == y->elem;
    for (int i = 0; same && i < x->rank; i++)
        same = x->dims[i] == y->dims[i];
    return same;
}

/* Do the constants that v stands for come from t? *out_known: it could be told. */
static status resembles(const value *v, const tensor *t, arena *scratch, bool *out) {
    reals own;
    *out = false;
    if (!reals_read(v, scratch, &own) || own.rank != t->rank || own.n != t->count)
        return STATUS_OK;
    TRY_ALLOC(own.at);
    double xx = 0, yy = 0, xy = 0;
    for (int64_t i = 0; i < own.n; i++) {
        double y = tensor_double(t, i);
        xx += own.at[i] * own.at[i];
        yy += y * y;
        xy += own.at[i] * y;
    }
    *out = xy >= LEAST_COSINE * sqrt(xx) * sqrt(yy);
    return STATUS_OK;
}

static const tensor *constant_of(const node *from, int index) {
    const value *v = from != NULL ? node_input(from, index) : NULL;
    return v != NULL && v->constant != NULL && dtype_is_float(v->constant->elem) ? v->constant : NULL;
}

static status take_constant(graph *g, node *n, int index, const tensor *t) {
    value *v = graph_add_constant(g, NULL, (tensor *)t);
    TRY_ALLOC(v);
    return node_set_input(n, index, v);
}

/* What was rounded, if from has it; *out_taken then. */
static status take_weights(graph *g, node *n, int index, const node *from, arena *scratch, bool *out_taken) {
    const tensor *t = constant_of(from, index);
    bool same = false;
    if (t != NULL)
        TRY(resembles(node_input(n, index), t, scratch, &same));
    *out_taken |= same;
    return same ? take_constant(g, n, index, t) : STATUS_OK;
}

/* Beside weights, constants that are floats: biases, which are made to fit rounded weights. */
static status take_floats(graph *g, node *n, const node *from) {
    for (int i = 0; i < n->n_inputs; i++) {
        const tensor *t = constant_of(from, i);
        const value *v = node_input(n, i);
        if (t != NULL && v != NULL && v->constant != NULL && same_dims(v->constant, t))
            TRY(take_constant(g, n, i, t));
    }
    return STATUS_OK;
}

/* Rows of the other graph's table, by this graph's indices. */
static status take_rows(graph *g, node *n, int index, const node *picked, const node *from) {
    const value *there = from != NULL ? node_input(from, index) : NULL;
    const tensor *t = there != NULL && is_op(there->def, "Gather") ? constant_of(there->def, 0) : NULL;
    if (t == NULL)
        return STATUS_OK;
    value *inputs[] = {graph_add_constant(g, NULL, (tensor *)t), node_input(picked, 1)};
    attr axis = {.name = "axis", .kind = ATTR_INT, .i = op_int(picked, "axis")};
    TRY_ALLOC(inputs[0]);
    const node *made = graph_build(g, n, "Gather", inputs, 2, &axis, 1, 1);
    return made != NULL ? node_set_input(n, index, made->outputs[0]) : STATUS_RESOURCE;
}

static node *add_behind(const node *n) {
    const value *v = n != NULL ? n->outputs[0] : NULL;
    bool alone = v != NULL && v->n_uses == 1 && is_op(n, "MatMul");
    return alone && is_op(v->uses->user, "Add") ? v->uses->user : NULL;
}

status operand_to_float(graph *g, node *n, const node *from, arena *scratch) {
    bool taken = false;
    operand x;
    for (int i = 0; i < n->n_inputs; i++) {
        if (!operand_read(node_input(n, i), &x))
            continue;
        if (x.real != NULL)
            TRY(node_set_input(n, i, x.real));
        else if (x.picked != NULL)
            TRY(take_rows(g, n, i, x.picked, from));
        else
            TRY(take_weights(g, n, i, from, scratch, &taken));
    }
    if (!taken)
        return STATUS_OK;
    TRY(take_floats(g, n, from));
    node *add = add_behind(n);
    return add != NULL && add_behind(from) != NULL ? take_floats(g, add, add_behind(from)) : STATUS_OK;
}
