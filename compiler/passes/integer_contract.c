/* Contractions of quantised values: the sum of integer products, then one rounding, or one multiplication to floats. */
#include <math.h>

#include "passes/integer_contract.h"

static const contraction_form forms[] = {
    {"Conv", "IntegerConv", FORM_CONV, true},
    {"ConvTranspose", "IntegerConvTranspose", FORM_TRANSPOSED, true},
    {"Gemm", "IntegerMatMul", FORM_PRODUCT, true},
    {"MatMul", "IntegerMatMul", FORM_PRODUCT, false},
};

/* A bias may differ from a whole number of steps by this much of one. */
#define WHOLE 1e-3

/* ---- what is there ---- */

static bool read_operands(contraction *c) {
    const node *n = c->n;
    if (!quantised_read_data(node_input(n, 0), &c->x) || !quantised_read(node_input(n, 1), &c->w) ||
        c->w.q->type.elem == DT_I32 || !type_shape(&c->x.q->type, NULL) || !type_shape(&n->outputs[0]->type, NULL))
        return false;
    if (is_op(n, "Gemm") && (op_int(n, "transA") != 0 || op_float(n, "alpha") != 1 || op_float(n, "beta") != 1))
        return false;
    c->x_span = quantised_span(&c->x);
    c->x_zero = quantised_zero(&c->x, 0);
    c->x_span.lo = c->x_span.lo < c->x_zero ? c->x_span.lo : c->x_zero; /* what padding stands for */
    c->x_span.hi = c->x_span.hi > c->x_zero ? c->x_span.hi : c->x_zero;
    c->bias = c->form->has_bias ? node_input(n, 2) : NULL;
    return c->form->kind != FORM_PRODUCT || (c->x.q->type.rank >= 1 && c->w.q->type.rank >= 2);
}

/* Add of one number for each column, behind a MatMul that only it reads. */
static void read_added_bias(contraction *c) {
    node *n = only_user(c->n->outputs[0]);
    if (c->form->has_bias || !is_op(n, "Add") || !type_equal(&n->outputs[0]->type, &c->n->outputs[0]->type))
        return;
    value *other = node_input(n, node_input(n, 0) == c->n->outputs[0] ? 1 : 0);
    reals b;
    quantiser q;
    if (!reals_read(other, c->work->scratch, &b) || b.at == NULL || b.rank < 1 || b.n != b.dims[b.rank - 1] ||
        b.n != c->channels || !quantiser_after(n->outputs[0], &q))
        return;
    c->bias = other;
    c->adds = n;
}

status contraction_offsets(contraction *c, bool *out_fits) {
    reals b = {.n = 0};
    arena *a = c->work->scratch;
    *out_fits = true;
    read_added_bias(c);
    if (c->bias == NULL)
        return STATUS_OK;
    *out_fits = reals_read(c->bias, a, &b);
    if (!*out_fits)
        return STATUS_OK;
    TRY_ALLOC(b.at);
    *out_fits = b.n == 1 || (b.n == c->channels && (b.rank <= 1 || b.dims[b.rank - 1] == b.n));
    if (!*out_fits)
        return STATUS_OK;
    TRY_ALLOC(c->offsets = ARENA_NEW_N(a, double, c->channels + 1));
    for (int64_t k = 0; k < c->channels; k++)
        c->offsets[k] = b.at[b.n == 1 ? 0 : k];
    return STATUS_OK;
}

/* Would rounding the bias to steps of the sum be far less than a step of the result? */
#define SMALL_STEP (1.0 / 64)

/* A LeakyRelu looks at the sum, of which the bias then is a part. */
static bool must_be_whole(const contraction *c) {
    quantiser q;
    if (!quantiser_after((c->adds != NULL ? c->adds : c->n)->outputs[0], &q) || q.slope == 1)
        return false;
    for (int64_t k = 0; k < c->channels; k++)
        if (c->scales[k] / q.scale > SMALL_STEP)
            return false;
    return true;
}

/* A bias that is a whole number of steps of each sum is part of it. */
static status read_bias(contraction *c, bool *out_fits) {
    TRY(contraction_offsets(c, out_fits));
    if (c->offsets == NULL || !*out_fits)
        return STATUS_OK;
    TRY_ALLOC(c->whole = ARENA_NEW_N(c->work->scratch, int64_t, c->channels + 1));
    bool is_whole = true, rounds = must_be_whole(c);
    for (int64_t k = 0; k < c->channels; k++) {
        double steps = c->offsets[k] / c->scales[k];
        is_whole &= fabs(steps) < 4e18 && (rounds || fabs(steps - rint(steps)) <= WHOLE + fabs(steps) * 1e-6);
        c->whole[k] = is_whole ? llrint(steps) : 0;
    }
    *(is_whole ? (void **)&c->offsets : (void **)&c->whole) = NULL;
    return STATUS_OK;
}

/* What is added to each sum of products as they stand: the bias, and what x's zero point adds to the products. */
static int64_t constant_part(const contraction *c, int64_t channel) {
    return (c->whole != NULL ? c->whole[channel] : 0) - c->x_zero * c->totals[channel];
}

/* Where is it summed? Integers wrap, so it is what comes out that must fit. */
static void choose_sum(contraction *c) {
    c->range = (span){0, 0};
    for (int64_t k = 0; k < c->channels; k++) {
        int64_t add = constant_part(c, k), lo = c->sums[k].lo + add, hi = c->sums[k].hi + add;
        c->range.lo = lo < c->range.lo ? lo : c->range.lo;
        c->range.hi = hi > c->range.hi ? hi : c->range.hi;
        c->wide |= !span_fits((span){add, add}, DT_I32);
    }
    c->wide |= !span_fits(c->range, DT_I32);
}

/* ---- the sum ---- */

static int64_t padding_of(const node *n, int k) {
    int64_t count;
    const int64_t *pads = op_ints(n, "pads", &count);
    return pads != NULL && k < count ? pads[k] : 0;
}

static int64_t list_of(const node *n, const char *name, int k) {
    int64_t count;
    const int64_t *list = op_ints(n, name, &count);
    return list != NULL && k < count ? list[k] : 1;
}

/* The padding of each side of each spatial dimension, also where auto_pad says it. */
static void read_padding(const contraction *c, int64_t *begin, int64_t *end) {
    const node *n = c->n;
    const char *mode = op_string(n, "auto_pad");
    int spatial = c->x.q->type.rank - 2;
    bool is_same = strncmp(mode, "SAME", 4) == 0, is_explicit = strcmp(mode, "NOTSET") == 0;
    for (int d = 0; d < spatial; d++) {
        int64_t in = c->x.q->type.dims[2 + d].n, out = n->outputs[0]->type.dims[2 + d].n;
        int64_t kernel = c->w.q->type.dims[2 + d].n, reach = (kernel - 1) * list_of(n, "dilations", d) + 1;
        int64_t total = (out - 1) * list_of(n, "strides", d) + reach - in;
        begin[d] = is_explicit ? padding_of(n, d) : 0;
        end[d] = is_explicit ? padding_of(n, spatial + d) : 0;
        if (is_same && total > 0) {
            begin[d] = strcmp(mode, "SAME_UPPER") == 0 ? total / 2 : total - total / 2;
            end[d] = total - begin[d];
        }
    }
}

static bool has_padding(const contraction *c) {
    int64_t begin[TENSOR_MAX_RANK] = {0}, end[TENSOR_MAX_RANK] = {0};
    bool any = false;
    read_padding(c, begin, end);
    for (int d = 0; d < c->x.q->type.rank - 2; d++)
        any |= begin[d] != 0 || end[d] != 0;
    return any;
}

/* x surrounded by what stands for 0. */
static status padded(contraction *c, value **x) {
    int rank = c->x.q->type.rank;
    int64_t pads[2 * TENSOR_MAX_RANK] = {0};
    read_padding(c, pads + 2, pads + rank + 2);
    return integer_surround(c->work, c->n, *x, pads, c->x_zero, x);
}

/* The type of `most` bits or fewer, a byte or more, that holds all of the span; DT_NONE where there is none. */
static dtype type_for(span of, int most) {
    static const dtype types[] = {DT_I8, DT_U8, DT_I16, DT_U16, DT_I32};
    for (size_t k = 0; k < sizeof types / sizeof *types; k++)
        if (dtype_bits(types[k]) <= most && span_fits(of, types[k]))
            return types[k];
    return DT_NONE;
}

/* What reads x beside zeros, or sums other parts of the weights at each place, reads x less what stands for 0. That is
 * a part of what makes x: a border of other numbers would be a copy. */
static bool choose_centre(contraction *c) {
    span of = {c->x_span.lo - c->x_zero, c->x_span.hi - c->x_zero};
    bool is_transposed = c->form->kind == FORM_TRANSPOSED;
    int bits = is_transposed ? 32 : dtype_bits(c->x.q->type.elem);
    c->reads = type_for(of, bits < 8 ? 8 : bits);
    if (c->reads == DT_NONE || c->x_zero == 0 || !(is_transposed || (c->form->kind == FORM_CONV && has_padding(c))))
        return c->reads != DT_NONE || !is_transposed;
    c->centre = c->x_zero;
    c->x_zero = 0;
    c->x_span = of;
    return true;
}

static bool is_own_attr(const char *name) {
    static const char *const own[] = {"alpha", "beta", "transA", "transB"};
    for (size_t k = 0; k < sizeof own / sizeof *own; k++)
        if (strcmp(name, own[k]) == 0)
            return true;
    return false;
}

/* The operator's own attributes, less padding that lies in memory now, and where it is summed. */
static status sum_node(contraction *c, value *const *inputs, int n, bool is_padded, const attr *more, int n_more,
                       value **out) {
    attr *attrs = ARENA_NEW_N(c->work->scratch, attr, c->n->n_attrs + n_more + 2);
    int n_attrs = 0;
    TRY_ALLOC(attrs);
    for (int k = 0; k < c->n->n_attrs; k++) {
        const attr *a = &c->n->attrs[k];
        if (!is_own_attr(a->name) && !(is_padded && (strcmp(a->name, "pads") == 0 || strcmp(a->name, "auto_pad") == 0)))
            attrs[n_attrs++] = *a;
    }
    for (int k = 0; k < n_more; k++)
        attrs[n_attrs++] = more[k];
    attrs[n_attrs++] = INT_ATTR("wide", c->wide);
    TRY(integer_node(c->work, c->n, c->form->becomes, inputs, n, attrs, n_attrs, out));
    return integer_say(c->work, *out, c->x.q->type.elem, inputs[1]->type.elem, "");
}

/* With constant weights. */
static status known_sum(contraction *c, value **out) {
    value *inputs[3] = {c->x.q, c->weights};
    bool is_padded = c->form->kind == FORM_CONV && c->x_zero != 0 && has_padding(c), any = false;
    if (is_padded)
        TRY(padded(c, &inputs[0]));
    if (c->centre != 0)
        TRY(integer_retype(c->work, c->n, inputs[0], c->centre, c->x_span, c->reads, &inputs[0]));
    int64_t *add = ARENA_NEW_N(c->work->scratch, int64_t, c->channels + 1);
    TRY_ALLOC(add);
    for (int64_t k = 0; k < c->channels; k++)
        any |= (add[k] = constant_part(c, k)) != 0;
    if (any)
        TRY(integer_constant(c->work, c->wide ? DT_I64 : DT_I32, 1, &c->channels, add, &inputs[2]));
    return sum_node(c, inputs, any ? 3 : 2, is_padded, NULL, 0, out);
}

/* ---- what becomes of it ---- */

/* Parameters by channel, shaped so as to broadcast against the sum. */
static void shape_of_channels(const contraction *c, const value *sum, int *out_rank, int64_t *dims) {
    bool last = c->form->kind == FORM_PRODUCT;
    *out_rank = last ? 1 : sum->type.rank - 1;
    for (int d = 0; d < *out_rank; d++)
        dims[d] = 1;
    dims[0] = c->channels;
}

static bool is_one_scale(const contraction *c) {
    for (int64_t k = 1; k < c->channels; k++)
        if (c->scales[k] != c->scales[0])
            return false;
    return true;
}

/* sum * scale + bias, as floats. */
static status to_floats(contraction *c, value *sum) {
    int64_t dims[TENSOR_MAX_RANK];
    int rank;
    value *y, *factor, *offset;
    shape_of_channels(c, sum, &rank, dims);
    TRY(integer_cast(c->work, c->n, sum, DT_F32, &y));
    TRY(real_constant(c->work, is_one_scale(c) ? 0 : rank, dims, c->scales, &factor));
    TRY(integer_node(c->work, c->n, "Mul", (value *[]){y, factor}, 2, NULL, 0, &y));
    if (c->offsets != NULL) {
        TRY(real_constant(c->work, rank, dims, c->offsets, &offset));
        TRY(integer_node(c->work, c->n, "Add", (value *[]){y, offset}, 2, NULL, 0, &y));
    }
    return integer_replace(c->work, c->n, y);
}

static status finish(contraction *c, value *sum) {
    const value *end = c->adds != NULL ? c->adds->outputs[0] : c->n->outputs[0];
    int64_t dims[TENSOR_MAX_RANK];
    quantiser q;
    value *y = NULL;
    if (quantiser_after(end, &q)) {
        rescaling r = {.sum = sum, .range = c->range, .scales = c->scales, .offsets = c->offsets};
        r.n = is_one_scale(c) && c->offsets == NULL ? 1 : c->channels;
        shape_of_channels(c, sum, &r.rank, dims);
        r.dims = dims;
        TRY(integer_requantize(c->work, &r, &q, &y));
    }
    if (y != NULL)
        return integer_replace(c->work, q.n, y);
    if (c->adds == NULL)
        return to_floats(c, sum);
    /* The Add is part of the sum now. */
    node *n = c->n;
    c->n = c->adds;
    TRY(to_floats(c, sum));
    return graph_erase_node(c->work->g, n);
}

/* ---- constant weights ---- */

static status with_known_weights(contraction *c) {
    bool fits = false;
    value *sum;
    weights_read_sizes(c);
    if (c->w.block != 0)
        return integer_by_blocks(c);
    if (!choose_centre(c))
        return STATUS_OK;
    TRY(weights_read(c, &fits));
    if (!fits)
        return STATUS_OK;
    c->scales = ARENA_NEW_N(c->work->scratch, double, c->channels + 1);
    TRY_ALLOC(c->scales);
    for (int64_t k = 0; k < c->channels; k++)
        c->scales[k] = quantised_scale(&c->x, 0) * quantised_scale(&c->w, k);
    TRY(read_bias(c, &fits));
    if (!fits)
        return STATUS_OK;
    choose_sum(c);
    TRY(integer_choose(c, &fits));
    if (!fits)
        return STATUS_OK;
    TRY(known_sum(c, &sum));
    return finish(c, sum);
}

/* ---- both sides are data ---- */

static status with_data(contraction *c) {
    value *sum, *inputs[2] = {c->x.q, c->w.q};
    const tensor_type *x = &c->x.q->type;
    if (c->form->kind != FORM_PRODUCT || c->bias != NULL || !quantised_is_single(&c->w) || is_op(c->n, "Gemm"))
        return STATUS_OK;
    int64_t w_zero = quantised_zero(&c->w, 0);
    span w = quantised_span(&c->w), a = {c->x_span.lo - c->x_zero, c->x_span.hi - c->x_zero};
    c->range = span_of_product(a, (span){w.lo - w_zero, w.hi - w_zero}, x->dims[x->rank - 1].n);
    c->wide = !span_fits(c->range, DT_I32);
    c->channels = 1;
    c->scales = ARENA_NEW_N(c->work->scratch, double, 1);
    TRY_ALLOC(c->scales);
    c->scales[0] = quantised_scale(&c->x, 0) * quantised_scale(&c->w, 0);
    bool pays;
    TRY(integer_choose(c, &pays));
    if (!pays)
        return STATUS_OK;
    const attr zeros[] = {INT_ATTR("a_zero", c->x_zero), INT_ATTR("b_zero", w_zero)};
    TRY(sum_node(c, inputs, 2, false, zeros, 2, &sum));
    return finish(c, sum);
}

static status try_node(integer_work *w, node *n, const contraction_form *form) {
    contraction c = {.work = w, .n = n, .form = form};
    if (!read_operands(&c))
        return STATUS_OK;
    /* Of stacks of matrices, each has sums of its own. */
    bool is_stack = form->kind == FORM_PRODUCT && c.w.q->type.rank > 2;
    return c.w.q->constant != NULL && !is_stack ? with_known_weights(&c) : with_data(&c);
}

status integer_contractions(integer_work *w) {
    node_list all;
    TRY(integer_nodes(w, &all));
    for (size_t i = 0; i < all.n; i++)
        for (size_t k = 0; k < sizeof forms / sizeof *forms && !all.at[i]->erased; k++)
            if (is_op(all.at[i], forms[k].op)) {
                TRY(try_node(w, all.at[i], &forms[k]));
                break;
            }
    return STATUS_OK;
}
