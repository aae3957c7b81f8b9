/* Constant weights of an integer contraction: centred, in the order that the operator wants, with their sums. */
#include <math.h>

#include "passes/integer_contract.h"

/* ---- where the elements of weights stand ---- */

void weights_read_sizes(contraction *c) {
    const int64_t *d = c->w.q->constant->dims;
    int rank = c->w.q->constant->rank;
    int64_t count = c->w.q->constant->count;
    switch (c->form->kind) {
    case FORM_CONV:
        c->channels = d[0];
        c->taps = d[0] > 0 ? count / d[0] : 0;
        break;
    case FORM_TRANSPOSED: /* [channels in, channels out by group, ...] */
        c->channels = d[1] * op_int(c->n, "group");
        c->taps = d[0] / op_int(c->n, "group") * (d[0] * d[1] > 0 ? count / (d[0] * d[1]) : 0);
        break;
    case FORM_PRODUCT:
        c->turned = is_op(c->n, "Gemm") && op_int(c->n, "transB") != 0;
        c->channels = c->turned ? d[rank - 2] : d[rank - 1];
        c->taps = c->turned ? d[rank - 1] : d[rank - 2];
        break;
    }
}

/* The channel of the result that element i of the weights belongs to. */
static int64_t channel_of(const contraction *c, int64_t i) {
    const tensor *t = c->w.q->constant;
    if (c->form->kind == FORM_CONV)
        return i / c->taps;
    if (c->form->kind == FORM_PRODUCT)
        return c->turned ? i / c->taps : i % c->channels;
    int64_t window = t->count / (t->dims[0] * t->dims[1]), in_group = t->dims[0] / op_int(c->n, "group");
    int64_t from = i / (t->dims[1] * window), place = i / window % t->dims[1];
    return from / in_group * t->dims[1] + place;
}

/* Which scale the elements of a channel have; the axis that scales run along must be that of channels. */
static bool scales_fit(const contraction *c) {
    int rank = c->w.q->type.rank;
    if (quantised_is_single(&c->w))
        return true;
    if (c->w.block != 0)
        return false;
    switch (c->form->kind) {
    case FORM_CONV:
        return c->w.axis == 0;
    case FORM_TRANSPOSED:
        return c->w.axis == 1 && op_int(c->n, "group") == 1;
    case FORM_PRODUCT:
        return c->w.axis == (c->turned ? 0 : rank - 1);
    }
    return false;
}

/* ---- the centred weights ---- */

static status new_weights(contraction *c, span range, int64_t *numbers, arena *a) {
    const tensor *t = c->w.q->constant;
    dtype elem = span_type(range);
    int64_t dims[TENSOR_MAX_RANK];
    for (int d = 0; d < t->rank; d++)
        dims[d] = t->dims[d];
    if (c->turned) { /* matrices are not turned in an integer product */
        int64_t *turned = ARENA_NEW_N(a, int64_t, t->count + 1);
        TRY_ALLOC(turned);
        for (int64_t i = 0; i < t->count; i++)
            turned[i % c->taps * c->channels + i / c->taps] = numbers[i];
        numbers = turned;
        dims[0] = c->taps;
        dims[1] = c->channels;
    }
    return integer_constant(c->work, elem, t->rank, dims, numbers, &c->weights);
}

static void sum_channel(contraction *c, int64_t channel, int64_t w) {
    c->totals[channel] += w;
    span_add_scaled(&c->sums[channel], w, c->x_span);
}

status weights_read(contraction *c, bool *out_fits) {
    const tensor *t = c->w.q->constant;
    arena *a = c->work->scratch;
    span range = {0, 0};
    *out_fits = false;
    weights_read_sizes(c);
    if (t->count == 0 || !scales_fit(c))
        return STATUS_OK;
    int64_t *numbers = ARENA_NEW_N(a, int64_t, t->count + 1);
    c->totals = ARENA_NEW_N(a, int64_t, c->channels + 1);
    c->sums = ARENA_NEW_N(a, span, c->channels + 1);
    TRY_ALLOC(numbers);
    TRY_ALLOC(c->totals);
    TRY_ALLOC(c->sums);
    for (int64_t i = 0; i < t->count; i++) {
        int64_t channel = channel_of(c, i);
        numbers[i] = tensor_int(t, i) - quantised_zero(&c->w, c->w.axis < 0 ? 0 : channel);
        range.lo = numbers[i] < range.lo ? numbers[i] : range.lo;
        range.hi = numbers[i] > range.hi ? numbers[i] : range.hi;
        sum_channel(c, channel, numbers[i]);
    }
    c->largest = range.hi > -range.lo ? range.hi : -range.lo;
    *out_fits = span_fits(range, DT_I32);
    return *out_fits ? new_weights(c, range, numbers, a) : STATUS_OK;
}
