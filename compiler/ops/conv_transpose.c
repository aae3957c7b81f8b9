/* ConvTranspose. */
#include "ops/conv.h"
#include "ops/integer.h"

/* Output sizes and begin pads (into win->begin) from the attributes: pads of output_shape and SAME follow from the
 * sizes. */
static status transposed_sizes(const node *n, const int64_t *in, window *win, int64_t *out) {
    int64_t n_shape, n_extra;
    const int64_t *shape = op_ints(n, "output_shape", &n_shape), *extra = op_ints(n, "output_padding", &n_extra);
    if ((shape != NULL && n_shape != win->rank && n_shape != win->rank + 2) || (extra != NULL && n_extra != win->rank))
        return op_invalid(n, "wrong-attribute",
                          "output_shape and output_padding need one entry for each of the %d spatial dimensions",
                          win->rank);
    if (shape != NULL && n_shape == win->rank + 2)
        shape += 2;
    for (int k = 0; k < win->rank; k++) {
        bool same_pads = win->auto_pad == WINDOW_SAME_UPPER || win->auto_pad == WINDOW_SAME_LOWER;
        int64_t full = (in[k] - 1) * win->stride[k] + window_span(win, k) + (extra == NULL ? 0 : extra[k]);
        if (shape == NULL && !same_pads) {
            out[k] = full - win->begin[k] - win->end[k];
            continue;
        }
        out[k] = shape != NULL ? shape[k] : in[k] * win->stride[k];
        int64_t total = full > out[k] ? full - out[k] : 0, half = total / 2;
        win->begin[k] = win->auto_pad == WINDOW_SAME_UPPER ? half : total - half;
        win->end[k] = total - win->begin[k];
    }
    return STATUS_OK;
}

static status infer_as(node *n, dtype elem) {
    int rank;
    const tensor_type *x = op_input_type(n, 0), *w = op_input_type(n, 1);
    int64_t group = op_int(n, "group"), sizes[TENSOR_MAX_RANK], in[TENSOR_MAX_RANK], out[TENSOR_MAX_RANK];
    window win;
    TRY(conv_check_operands(n, &rank));
    if (rank < 0 || (conv_kernel_of(w, sizes) == NULL && !op_has(n, "kernel_shape")))
        return op_unknown_output(n, 0, elem);
    TRY(window_read(n, rank, conv_kernel_of(w, sizes), &win));
    TRY(conv_check_channels(n, w->dims[0], x->dims[1], "channels", "W"));
    if (dim_is_known(x->dims[1]) && x->dims[1].n % group != 0)
        return op_invalid(n, "shape-mismatch", "%lld input channels do not divide into %lld groups",
                          (long long)x->dims[1].n, (long long)group);
    dim dims[TENSOR_MAX_RANK] = {x->dims[0], dim_mul(n->graph->memory, w->dims[1], DIM(group))};
    TRY(conv_check_bias(n, 2, dims[1]));
    for (int k = 0; k < rank; k++) {
        if (!dim_is_known(x->dims[2 + k]))
            return op_unknown_output(n, 0, elem);
        in[k] = x->dims[2 + k].n;
    }
    TRY(transposed_sizes(n, in, &win, out));
    for (int k = 0; k < rank; k++)
        dims[2 + k] = DIM(out[k]);
    return op_set_output(n, 0, elem, rank + 2, dims);
}

static status conv_transpose_infer(node *n) {
    return infer_as(n, op_input_type(n, 0)->elem);
}

static status integer_conv_transpose_infer(node *n) {
    return infer_as(n, integer_sum_type(n));
}

/* ---- the nest: what both ways share ---- */

typedef struct transposed {
    nest_list *l;
    nest *m;
    dtype sum; /* what is added up */
    int64_t in_group;
    const expr *group;
    const expr *o_index[TENSOR_MAX_RANK], *i_index[TENSOR_MAX_RANK],
        *w_index[TENSOR_MAX_RANK]; /* output, input, weights */
} transposed;

static void open_transposed(const node *n, nest_list *l, transposed *out) {
    builder *b = l->b;
    const nest_operand *x = kit_operand(l, 0), *w = kit_operand(l, 1);
    int64_t groups = op_int(n, "group"), out_group = w->dims[1];
    const expr *zero = build_index(b, 0);
    *out = (transposed){.l = l,
                        .m = nest_add(l, "conv_transpose"),
                        .sum = dtype_is_float(x->elem) ? kit_compute(x->elem) : integer_sum_type(n),
                        .in_group = x->dims[1] / groups};
    out->o_index[0] = out->i_index[0] = nest_outer(out->m, "n", x->dims[0]);
    out->group = groups > 1 ? nest_outer(out->m, "g", groups) : zero;
    out->w_index[1] = out_group > 1 || groups == 1 ? nest_outer(out->m, "co", out_group) : zero;
    out->o_index[1] = build_add(b, build_mul(b, out->group, build_index(b, out_group)), out->w_index[1]);
}

static void open_reduction(transposed *t) {
    builder *b = t->l->b;
    t->m->contract = true;
    nest_open(t->m);
    const expr *channel = nest_inner(t->m, "ci", t->in_group);
    t->w_index[0] = t->i_index[1] = build_add(b, build_mul(b, t->group, build_index(b, t->in_group)), channel);
}

static const expr *reduce(transposed *t, const expr *mask) {
    nest_list *l = t->l;
    const expr *x = build_cast(l->b, t->sum, kit_read_masked(l, 0, t->i_index, mask)),
               *w = build_cast(l->b, t->sum, kit_read(l, 1, t->w_index));
    return nest_reduce(t->m, REDUCE_SUM, build_mul(l->b, x, w));
}

/* Stores sum (NULL: 0) and bias. */
static void close_transposed(const node *n, transposed *t, const expr *sum) {
    nest_list *l = t->l;
    bool has_bias = node_input(n, 2) != NULL;
    const expr *bias =
        has_bias ? build_cast(l->b, t->sum, kit_read(l, 2, t->o_index + 1)) : build_const(l->b, t->sum, 0);
    if (sum != NULL)
        bias = has_bias ? build_add(l->b, sum, bias) : sum;
    kit_store(l, t->m, nest_output(l, 0), t->o_index, bias);
}

/* ---- by phases: outputs whose places have the same remainder by the strides are a convolution of their own ---- */

/* Each combination of remainders is code of its own. */
#define MOST_PHASES 16

/* o = stride*q + rest gets the inputs (o + begin - k*dilation) / stride for the k where that is whole. Along one
 * dimension: */
typedef struct phase {
    int64_t rest, n_outputs; /* q is 0 .. n_outputs-1 */
    int64_t k_first, k_step, n_taps;
    int64_t i_first, i_step; /* input q + i_first - tap * i_step */
} phase;

static int64_t common_divisor(int64_t a, int64_t b) {
    return b == 0 ? a : common_divisor(b, a % b);
}

static int64_t n_remainders(const window *w, int d, int64_t out) {
    return out < 1 ? 1 : out < w->stride[d] ? out : w->stride[d];
}

static phase phase_of(const window *w, int d, int64_t out, int64_t rest) {
    int64_t stride = w->stride[d], dilation = w->dilation[d], at = rest + w->begin[d];
    phase p = {.rest = rest,
               .n_outputs = (out - rest + stride - 1) / stride,
               .k_step = stride / common_divisor(stride, dilation)};
    while (p.k_first < p.k_step && (at - p.k_first * dilation) % stride != 0)
        p.k_first++;
    if (p.k_first < p.k_step && p.k_first < w->kernel[d])
        p.n_taps = (w->kernel[d] - p.k_first + p.k_step - 1) / p.k_step;
    p.i_first = (at - p.k_first * dilation) / stride;
    p.i_step = p.k_step * dilation / stride;
    return p;
}

/* The outer axes of a phase; i_index gets q where the inputs' positions start from. */
static void open_phase(transposed *t, const window *w, const phase *phases) {
    builder *b = t->l->b;
    for (int d = 0; d < w->rank; d++) {
        t->i_index[2 + d] = nest_outer(t->m, "q", phases[d].n_outputs);
        t->o_index[2 + d] =
            build_add(b, build_mul(b, t->i_index[2 + d], build_index(b, w->stride[d])), build_index(b, phases[d].rest));
    }
}

static const expr *reduce_phase(transposed *t, const window *w, const phase *phases) {
    builder *b = t->l->b;
    const nest_operand *x = kit_operand(t->l, 0);
    const expr *mask = NULL;
    open_reduction(t);
    for (int d = 0; d < w->rank; d++) {
        const phase *p = &phases[d];
        const expr *tap = nest_inner(t->m, "k", p->n_taps), *back = build_mul(b, tap, build_index(b, p->i_step));
        t->w_index[2 + d] = build_add(b, build_mul(b, tap, build_index(b, p->k_step)), build_index(b, p->k_first));
        t->i_index[2 + d] = build_sub(b, build_add(b, t->i_index[2 + d], build_index(b, p->i_first)), back);
        mask = kit_inside(b, mask, t->i_index[2 + d], 0, x->dims[2 + d], p->i_first < (p->n_taps - 1) * p->i_step,
                          p->n_outputs - 1 + p->i_first >= x->dims[2 + d]);
    }
    return reduce(t, mask);
}

static void lower_phase(const node *n, nest_list *l, const window *w, const phase *phases) {
    transposed t;
    int64_t taps = 1;
    for (int d = 0; d < w->rank; d++)
        taps *= phases[d].n_taps;
    open_transposed(n, l, &t);
    open_phase(&t, w, phases);
    close_transposed(n, &t, taps > 0 ? reduce_phase(&t, w, phases) : NULL);
}

static void lower_phases(const node *n, nest_list *l, const window *w, int64_t all) {
    const nest_operand *y = kit_operand(l, nest_output(l, 0));
    for (int64_t which = 0; which < all; which++) {
        phase phases[TENSOR_MAX_RANK];
        int64_t rest = which;
        for (int d = 0; d < w->rank; d++) {
            int64_t count = n_remainders(w, d, y->dims[2 + d]);
            phases[d] = phase_of(w, d, y->dims[2 + d], rest % count);
            rest /= count;
        }
        lower_phase(n, l, w, phases);
    }
    l->parts = all > 1;
}

/* ---- in one: each output looks at all of the kernel, and leaves out the places that no input reaches it by ---- */

static void lower_whole(const node *n, nest_list *l, const window *w) {
    builder *b = l->b;
    const nest_operand *x = kit_operand(l, 0), *y = kit_operand(l, nest_output(l, 0));
    transposed t;
    const expr *mask = NULL;
    open_transposed(n, l, &t);
    nest_outer_all(t.m, w->rank, y->dims + 2, t.o_index + 2);
    open_reduction(&t);
    for (int d = 0; d < w->rank; d++) {
        t.w_index[2 + d] = nest_inner(t.m, "k", w->kernel[d]);
        const expr *stride = build_index(b, w->stride[d]),
                   *reach = build_mul(b, t.w_index[2 + d], build_index(b, w->dilation[d]));
        const expr *at = build_sub(b, build_add(b, t.o_index[2 + d], build_index(b, w->begin[d])), reach);
        t.i_index[2 + d] = build_div(b, at, stride);
        mask = kit_inside(b, mask, at, 0, (x->dims[2 + d] - 1) * w->stride[d] + 1, true, true);
        mask = build_and(b, mask, build_eq(b, build_rem(b, at, stride), build_index(b, 0)));
    }
    close_transposed(n, &t, reduce(&t, mask));
}

static status conv_transpose_lower(const node *n, nest_list *l) {
    const nest_operand *x = kit_operand(l, 0), *w = kit_operand(l, 1), *y = kit_operand(l, nest_output(l, 0));
    int64_t sizes[TENSOR_MAX_RANK], all = 1;
    window win;
    TRY(window_read(n, x->rank - 2, w->dims + 2, &win));
    TRY(transposed_sizes(n, x->dims + 2, &win, sizes));
    for (int d = 0; d < win.rank; d++)
        all *= n_remainders(&win, d, y->dims[2 + d]);
    if (all <= MOST_PHASES)
        lower_phases(n, l, &win, all);
    else
        lower_whole(n, l, &win);
    return builder_status(l->b);
}

OP_ROW(ConvTranspose) = {
    .name = "ConvTranspose",
    .domain = "",
    .versions = VERSIONS(1, 11, 22),
    .kind = OP_CONTRACT,
    .inputs = PARAMS({"X", TYPES_FLOAT, 'T', 0}, {"W", TYPES_FLOAT, 'T', 0}, {"B", TYPES_FLOAT, 'T', PARAM_OPTIONAL}),
    .outputs = kit_float_Y,
    .attrs = ATTRS(CONV_ATTRS, {"output_padding", .kind = ATTR_INTS}, {"output_shape", .kind = ATTR_INTS}),
    .infer = conv_transpose_infer,
    .lower = conv_transpose_lower,
};

/* Of integers as they stand, where nothing is 0; summed in the type that `wide` says. */
OP_ROW(tenon__IntegerConvTranspose) = {
    .name = "IntegerConvTranspose",
    .domain = OP_OWN_DOMAIN,
    .versions = VERSIONS(1),
    .kind = OP_CONTRACT,
    .inputs = PARAMS({"X", TYPES_QUANTISED | TYPES_SUM, 0, 0}, {"W", TYPES_QUANTISED | TYPES_SUM, 0, 0},
                     {"B", TYPES_SUM, 0, PARAM_OPTIONAL}),
    .outputs = PARAMS({"Y", TYPES_SUM, 0, 0}),
    .attrs = ATTRS(CONV_ATTRS, {"output_padding", .kind = ATTR_INTS}, {"output_shape", .kind = ATTR_INTS}, WIDE_ATTR),
    .infer = integer_conv_transpose_infer,
    .lower = conv_transpose_lower,
};
