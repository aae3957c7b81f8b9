/* What stands between quantised values, element by element or window by window, in integers. */
#include <math.h>

#include "passes/integer.h"

/* A product of two values of 8 bits and a multiplier of this many fits 31 bits with room for another. */
enum { NARROW_SUM = 30, WIDE_SUM = 60, SUM_BEFORE_SLOPE = 45, MOST_NARROW_SHIFT = 30, MOST_WIDE_SHIFT = 61 };

/* ---- one value: the same integers, or others for the same numbers ---- */

static bool is_same_code(const quantised *x, const quantiser *q) {
    span of = quantised_span(x);
    return q->slope == 1 && x->q->type.elem == q->to && quantised_scale(x, 0) == q->scale &&
           quantised_zero(x, 0) == q->zero && of.lo >= q->within.lo && of.hi <= q->within.hi;
}

static status rescale(integer_work *w, const quantised *x, const quantiser *q, value **out) {
    const double scale = quantised_scale(x, 0);
    const rescaling r = {
        .sum = x->q, .range = quantised_span(x), .from = quantised_zero(x, 0), .scales = &scale, .n = 1};
    return integer_requantize(w, &r, q, out);
}

static status from_one(integer_work *w, const quantiser *q, value **out) {
    quantised x;
    if (!quantised_read_data(q->from, &x))
        return STATUS_OK;
    if (!is_same_code(&x, q))
        return rescale(w, &x, q, out);
    *out = x.q;
    return STATUS_OK;
}

/* ---- types below a byte, which few operators move ---- */

static dtype byte_for(dtype t) {
    return dtype_bits(t) >= 8 ? t : dtype_is_signed(t) ? DT_I8 : DT_U8;
}

/* ---- sums of two ---- */

static int64_t largest(const quantised *x) {
    span of = quantised_span(x);
    int64_t zero = quantised_zero(x, 0), below = zero - of.lo, above = of.hi - zero;
    return below > above ? below : above;
}

/* Multipliers for a common shift such that sums have `bits` bits. */
static bool common_factors(const quantised *x, const double *scales, int bits, int most, int64_t *mults, int *shift) {
    fixed f;
    double larger = scales[0] > scales[1] ? scales[0] : scales[1];
    int room = bits - (int)ceil(log2((double)(largest(&x[0]) + largest(&x[1]) + 1)));
    if (room < 16 || !fixed_of(larger, room, most, &f))
        return false;
    *shift = f.shift;
    for (int k = 0; k < 2; k++)
        mults[k] = llrint(ldexp(scales[k], f.shift));
    return true;
}

/* Do they say the scales exactly? Then a tie is one. */
static bool is_exact(const double *scales, const int64_t *mults, int shift) {
    return shift > 0 && ldexp((double)mults[0], -shift) == scales[0] && ldexp((double)mults[1], -shift) == scales[1];
}

/* Do the multipliers say the scales as well as bits of the result need? */
static bool is_exact_enough(const double *scales, const int64_t *mults, int shift, const quantised *x) {
    double error = 0;
    for (int k = 0; k < 2; k++)
        error += fabs(scales[k] - ldexp((double)mults[k], -shift)) * (double)largest(&x[k]);
    return error < 1.0 / 4096;
}

/* Two quantised values, and what a step of each is in steps of q. */
typedef struct two {
    quantised x[2];
    double scales[2];
    int64_t mults[2], c; /* c: what the zero points add */
    int shift;
    bool subtracts;
} two;

static bool read_two(const quantiser *q, two *out) {
    const node *n = q->from->def;
    *out = (two){.subtracts = is_op(n, "Sub")};
    if (!out->subtracts && !is_op(n, "Add"))
        return false;
    for (int k = 0; k < 2; k++) {
        quantised *x = &out->x[k];
        if (!quantised_read_data(node_input(n, k), x))
            return false;
        out->scales[k] = quantised_scale(x, 0) / q->scale;
    }
    return true;
}

static bool read_factors(two *t, int bits, int most) {
    if (!common_factors(t->x, t->scales, bits, most, t->mults, &t->shift))
        return false;
    t->c = -quantised_zero(&t->x[0], 0) * t->mults[0];
    t->c += (t->subtracts ? 1 : -1) * quantised_zero(&t->x[1], 0) * t->mults[1];
    return true;
}

/* The sum, shifted, as q has it; or, with q NULL, as it is. */
static status scaled_sum(integer_work *w, node *like, const two *t, bool wide, const quantiser *q, value **out) {
    int64_t c = wide ? t->c : (int32_t)(uint32_t)(uint64_t)t->c; /* sums wrap; what comes out fits */
    int64_t most = INT64_C(1) << WIDE_SUM;
    const attr attrs[] = {INT_ATTR("ma", t->mults[0]),
                          INT_ATTR("mb", t->subtracts ? -t->mults[1] : t->mults[1]),
                          INT_ATTR("c", c),
                          INT_ATTR("shift", q != NULL ? t->shift : 0),
                          INT_ATTR("wide", wide),
                          INT_ATTR("even", q != NULL && is_exact(t->scales, t->mults, t->shift)),
                          INT_ATTR("zero", q != NULL ? q->zero : 0),
                          INT_ATTR("lo", q != NULL ? q->within.lo : -most),
                          INT_ATTR("hi", q != NULL ? q->within.hi : most),
                          INT_ATTR("to", dtype_to_onnx(q != NULL ? q->to : DT_I64))};
    return integer_node(w, like, "ScaledSum", (value *[]){t->x[0].q, t->x[1].q}, 2, attrs, 10, out);
}

/* LeakyRelu looks at the sum before it is rounded. */
static status from_leaky_sum(integer_work *w, const quantiser *q, two *t, value **out) {
    if (!read_factors(t, SUM_BEFORE_SLOPE, MOST_WIDE_SHIFT))
        return STATUS_OK;
    const double step = ldexp(q->scale, -t->shift);
    int64_t most = INT64_C(1) << SUM_BEFORE_SLOPE;
    rescaling r = {.range = {-most, most}, .scales = &step, .n = 1};
    TRY(scaled_sum(w, q->n, t, true, NULL, &r.sum));
    return integer_requantize(w, &r, q, out);
}

static status from_sum(integer_work *w, const quantiser *q, value **out) {
    two t;
    if (!read_two(q, &t))
        return STATUS_OK;
    if (q->slope != 1)
        return from_leaky_sum(w, q, &t, out);
    if (read_factors(&t, NARROW_SUM, MOST_NARROW_SHIFT) && is_exact_enough(t.scales, t.mults, t.shift, t.x))
        return scaled_sum(w, q->n, &t, false, q, out);
    return read_factors(&t, WIDE_SUM, MOST_WIDE_SHIFT) ? scaled_sum(w, q->n, &t, true, q, out) : STATUS_OK;
}

/* ---- products of two ---- */

static status from_product(integer_work *w, const quantiser *q, value **out) {
    node *n = q->from->def;
    quantised x[2];
    span parts[2];
    rescaling r = {.n = 1};
    if (!is_op(n, "Mul"))
        return STATUS_OK;
    for (int k = 0; k < 2; k++) {
        if (!quantised_read_data(node_input(n, k), &x[k]))
            return STATUS_OK;
        int64_t zero = quantised_zero(&x[k], 0);
        parts[k] = quantised_span(&x[k]);
        parts[k] = (span){parts[k].lo - zero, parts[k].hi - zero};
    }
    r.range = span_of_product(parts[0], parts[1], 1);
    const double scale = quantised_scale(&x[0], 0) * quantised_scale(&x[1], 0);
    const attr attrs[] = {INT_ATTR("a_zero", quantised_zero(&x[0], 0)), INT_ATTR("b_zero", quantised_zero(&x[1], 0)),
                          INT_ATTR("wide", !span_fits(r.range, DT_I32))};
    r.scales = &scale;
    TRY(integer_node(w, q->n, "IntegerMul", (value *[]){x[0].q, x[1].q}, 2, attrs, 3, &r.sum));
    return integer_requantize(w, &r, q, out);
}

/* ---- averages ---- */

/* Do results fall halfway between two integers, exactly and often? In floats the noise of the sum decides those; it is
 * left to decide, where there may be floats, so that they come out as the model says. */
static bool has_ties(double ratio) {
    int exponent;
    return frexp(ratio, &exponent) == 0.5 && exponent <= 0;
}

/* Over whole dimensions: a sum of 32 bits. */
static status from_mean(integer_work *w, const quantiser *q, const quantised *x, value *axes, int64_t keeps,
                        value **out) {
    int64_t n = type_count(&x->q->type) / (type_count(&q->from->type) > 0 ? type_count(&q->from->type) : 1);
    int64_t zero = quantised_zero(x, 0);
    span of = quantised_span(x), centred = {of.lo - zero, of.hi - zero};
    rescaling r = {.range = {of.lo * n, of.hi * n}, .from = zero * n, .n = 1};
    const attr keep = INT_ATTR("keepdims", keeps);
    const double scale = quantised_scale(x, 0) / (is_op(q->from->def, "ReduceSum") ? 1.0 : (double)n);
    value *wide;
    if (!w->o->no_float && has_ties(scale / q->scale))
        return STATUS_OK;
    if (n < 1 || !span_fits((span){centred.lo * n, centred.hi * n}, DT_I32) || !span_fits(r.range, DT_I32))
        return STATUS_OK;
    r.scales = &scale;
    TRY(integer_cast(w, q->n, x->q, DT_I32, &wide));
    TRY(integer_node(w, q->n, "ReduceSum", (value *[]){wide, axes}, axes != NULL ? 2 : 1, &keep, 1, &r.sum));
    return integer_requantize(w, &r, q, out);
}

/* The axes of the picture. */
static status spatial_axes(integer_work *w, int rank, value **out) {
    int64_t axes[TENSOR_MAX_RANK], n = rank - 2;
    for (int k = 2; k < rank; k++)
        axes[k - 2] = k;
    return integer_constant(w, DT_I64, 1, &n, axes, out);
}

static bool is_whole_window(const node *n, const tensor_type *x) {
    int64_t count;
    const int64_t *kernel = op_ints(n, "kernel_shape", &count), *pads;
    for (int k = 2; k < x->rank; k++)
        if (kernel == NULL || k - 2 >= count || kernel[k - 2] != x->dims[k].n || n->outputs[0]->type.dims[k].n != 1)
            return false;
    pads = op_ints(n, "pads", &count);
    for (int k = 0; pads != NULL && k < count; k++)
        if (pads[k] != 0)
            return false;
    return strncmp(op_string(n, "auto_pad"), "SAME", 4) != 0;
}

/* How many places of the window at each place of dimension d lie in the picture; all of them where padding counts. */
static int64_t places(const node *n, const tensor_type *x, int d, int64_t at) {
    int64_t count, size = op_ints(n, "kernel_shape", &count)[d - 2], inside = 0;
    const int64_t *strides = op_ints(n, "strides", &count), *pads = op_ints(n, "pads", &count);
    int64_t stride = strides != NULL ? strides[d - 2] : 1, first = at * stride - (pads != NULL ? pads[d - 2] : 0);
    for (int64_t k = 0; k < size; k++)
        inside += first + k >= 0 && first + k < x->dims[d].n;
    return op_int(n, "count_include_pad") != 0 ? size : inside;
}

static bool has_plain_window(const node *n) {
    int64_t count;
    const int64_t *dilations = op_ints(n, "dilations", &count);
    for (int k = 0; dilations != NULL && k < count; k++)
        if (dilations[k] != 1)
            return false;
    return strcmp(op_string(n, "auto_pad"), "NOTSET") == 0 && op_int(n, "ceil_mode") == 0;
}

/* The scale at each place of the picture: that of x, divided by how many places count there. */
static status place_scales(integer_work *w, const node *n, const quantised *x, int64_t *dims, double **out,
                           int64_t *out_n) {
    const tensor_type *y = &n->outputs[0]->type;
    *out_n = 1;
    for (int d = 2; d < y->rank; d++)
        *out_n *= dims[d - 2] = y->dims[d].n;
    TRY_ALLOC(*out = ARENA_NEW_N(w->scratch, double, *out_n + 1));
    for (int64_t i = 0; i < *out_n; i++) {
        int64_t left = i, count = 1;
        for (int d = y->rank - 1; d >= 2; d--) {
            count *= places(n, &x->q->type, d, left % dims[d - 2]);
            left /= dims[d - 2];
        }
        (*out)[i] = quantised_scale(x, 0) / (double)(count > 0 ? count : 1);
    }
    return STATUS_OK;
}

/* A sum over windows is a convolution with ones, each channel by itself. */
static status from_windows(integer_work *w, const quantiser *q, quantised *x, value **out) {
    node *n = q->from->def;
    if (dtype_bits(x->q->type.elem) < 8)
        TRY(integer_retype(w, q->n, x->q, 0, quantised_span(x), byte_for(x->q->type.elem), &x->q));
    const tensor_type *t = &x->q->type;
    int64_t dims[TENSOR_MAX_RANK], kernel[TENSOR_MAX_RANK], pads[2 * TENSOR_MAX_RANK] = {0}, count, window = 1;
    int64_t zero = quantised_zero(x, 0), channels = t->dims[1].n;
    const int64_t *sizes = op_ints(n, "kernel_shape", &count),
                  *strides = node_attr(n, "strides") != NULL ? op_ints(n, "strides", &count) : NULL;
    const int64_t *padding = op_ints(n, "pads", &count);
    value *conv[2] = {NULL};
    if (!has_plain_window(n))
        return STATUS_OK;
    kernel[0] = channels;
    kernel[1] = 1;
    for (int d = 2; d < t->rank; d++) {
        window *= kernel[d] = sizes[d - 2];
        pads[d] = padding != NULL ? padding[d - 2] : 0;
        pads[t->rank + d] = padding != NULL ? padding[t->rank - 2 + d - 2] : 0;
    }
    span of = quantised_span(x);
    rescaling r = {.range = {of.lo * window, of.hi * window}, .from = zero * window, .rank = t->rank - 2, .dims = dims};
    double *scales;
    int64_t *ones = ARENA_NEW_N(w->scratch, int64_t, channels *window + 1);
    TRY_ALLOC(ones);
    for (int64_t i = 0; i < channels * window; i++)
        ones[i] = 1;
    if (!span_fits(r.range, DT_I32) || !span_fits((span){r.range.lo - r.from, r.range.hi - r.from}, DT_I32))
        return STATUS_OK;
    TRY(place_scales(w, n, x, dims, &scales, &r.n));
    for (int64_t i = 0; i < r.n; i++)
        if (!w->o->no_float && has_ties(scales[i] / q->scale))
            return STATUS_OK;
    r.scales = scales;
    TRY(integer_surround(w, q->n, x->q, pads, zero, &conv[0]));
    TRY(integer_constant(w, DT_I8, t->rank, kernel, ones, &conv[1]));
    const attr attrs[] = {INT_ATTR("group", channels),
                          {.name = "strides", .kind = ATTR_INTS, .ints = strides, .n = t->rank - 2}};
    TRY(integer_node(w, q->n, "IntegerConv", conv, 2, attrs, strides != NULL ? 2 : 1, &r.sum));
    return integer_requantize(w, &r, q, out);
}

static status from_average(integer_work *w, const quantiser *q, value **out) {
    node *n = q->from->def;
    quantised x;
    value *axes = NULL;
    if ((!is_op(n, "AveragePool") && !is_op(n, "GlobalAveragePool") && !is_op(n, "ReduceMean") &&
         !is_op(n, "ReduceSum")) ||
        !quantised_read_data(node_input(n, 0), &x) || !type_shape(&x.q->type, NULL) ||
        !type_shape(&q->from->type, NULL))
        return STATUS_OK;
    if (strncmp(n->op, "Reduce", 6) == 0) {
        axes = node_input(n, 1);
        if (axes == NULL ? op_int(n, "noop_with_empty_axes") != 0
                         : axes->constant == NULL || axes->constant->count == 0)
            return STATUS_OK;
        return from_mean(w, q, &x, axes, op_int(n, "keepdims"), out);
    }
    if (is_op(n, "AveragePool") && !is_whole_window(n, &x.q->type))
        return from_windows(w, q, &x, out);
    TRY(spatial_axes(w, x.q->type.rank, &axes));
    return from_mean(w, q, &x, axes, 1, out);
}

/* ---- Concat of values with scales of their own ---- */

static status from_concat(integer_work *w, const quantiser *q, value **out) {
    node *n = q->from->def;
    quantiser part = *q;
    part.to = byte_for(q->to);
    if (!is_op(n, "Concat") || q->slope != 1)
        return STATUS_OK;
    quantised *parts = ARENA_NEW_N(w->scratch, quantised, n->n_inputs + 1);
    value **inputs = ARENA_NEW_N(w->scratch, value *, n->n_inputs + 1);
    TRY_ALLOC(parts);
    TRY_ALLOC(inputs);
    for (int i = 0; i < n->n_inputs; i++)
        if (!quantised_read_data(node_input(n, i), &parts[i]))
            return STATUS_OK;
    for (int i = 0; i < n->n_inputs; i++) {
        inputs[i] = parts[i].q;
        if (!is_same_code(&parts[i], &part))
            TRY(rescale(w, &parts[i], &part, &inputs[i]));
        if (inputs[i] == NULL)
            return STATUS_OK;
    }
    TRY(integer_node(w, q->n, "Concat", inputs, n->n_inputs, n->attrs, n->n_attrs, out));
    return part.to == q->to ? STATUS_OK : integer_retype(w, q->n, *out, 0, q->within, q->to, out);
}

/* ---- all ---- */

static status (*const ways[])(integer_work *w, const quantiser *q, value **out) = {
    from_one, from_sum, from_product, from_average, from_concat, integer_softmax, integer_layer_norm, integer_table};

status integer_maps(integer_work *w) {
    node_list all;
    quantiser q;
    TRY(integer_nodes(w, &all));
    for (size_t i = 0; i < all.n; i++) {
        value *y = NULL;
        if (all.at[i]->erased || !quantiser_read(all.at[i], &q))
            continue;
        for (size_t k = 0; k < sizeof ways / sizeof *ways && y == NULL; k++)
            TRY(ways[k](w, &q, &y));
        if (y != NULL)
            TRY(integer_replace(w, q.n, y));
    }
    return STATUS_OK;
}
