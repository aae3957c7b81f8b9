/* Integers or floats: which of them a contraction is faster in, by a count of the target's vector operations. */
#include "passes/integer_contract.h"

/* In operations on a vector of 32-bit lanes, of which floats multiply-add one a product. Of the operations of a DOT4
 * that is several, half are sums, which go beside products. */
#define WIDE 3.0 /* a product that is not summed by fours */
#define PARTED 0.75
#define PAIRED 0.58 /* by PAIRS */
#define DEQUANTISE 3.0
/* A sum, or a real number, to bytes: by multiplying and adding at once, or without that. */
static const double round_by[2] = {16, 5}, quantise_by[2] = {18, 8};
/* Bytes of weights that come from the second cache in the time of one, and of data that do not stay in it. */
#define BYTES 16.0
#define FAR_BYTES 4.0

static int64_t count_of(const tensor_type *t) {
    int64_t n = 1;
    for (int d = 0; d < t->rank; d++)
        n *= t->dims[d].n;
    return n;
}

/* For numbers that one kernel writes and the next reads. */
static double moving(const target *t, double bytes) {
    return bytes > t->l2_bytes ? bytes / FAR_BYTES : 0;
}

/* Sums by fours lie along the channels in lanes, as many as a power of two; so many times what whole vectors take. Half
 * a vector takes as long as a whole one, but on AVX-512. */
static double lanes_left(const target *t, int64_t channels) {
    int64_t whole = target_lanes(t, 32), lanes = whole;
    while (lanes > channels)
        lanes /= 2;
    int64_t least = t->isa == ISA_AVX512 ? whole / 2 : whole, each = lanes > least ? lanes : least;
    return (double)((channels + lanes - 1) / lanes * each) / (double)channels;
}

/* Half of what PAIRS take is for the sum of two products of 16 bits, of as many steps as have room there. */
static double paired_of(const contraction_size *s) {
    int64_t chain = s->largest > 0 ? INT16_MAX / (2 * UINT8_MAX * s->largest) : 1;
    return PAIRED * (chain > 1 ? (1 + 1 / (double)chain) / 2 : 1);
}

/* One product of integers. */
static double product_of(const target *t, const contraction_size *s) {
    if (!s->by_fours || t->dot4 == 0)
        return WIDE;
    double each = t->dot4 > 1 ? (t->has_pairs ? paired_of(s) : PARTED) * t->dot4 : 1;
    return each * (double)((s->row + 3) / 4) / (double)s->row;
}

integer_costs integer_costs_of(const target *t, const contraction_size *s) {
    double lanes = target_lanes(t, 32), products = (double)s->results * (double)s->taps;
    double weights = (double)s->weights, numbers = (double)(s->results + s->reads);
    bool fused = target_has_fma(t, DT_F32);
    double integers = products * product_of(t, s) + round_by[fused] * (double)s->results;
    double floats = products * s->share + quantise_by[fused] * (double)s->quantised + DEQUANTISE * (double)s->reads;
    if (s->by_fours && t->dot4 > 0)
        integers *= lanes_left(t, s->channels);
    return (integer_costs){
        .integers = integers / lanes + weights / BYTES + moving(t, numbers),
        .floats = floats / lanes + weights * sizeof(float) / BYTES + moving(t, numbers * sizeof(float)),
    };
}

/* Numbers that are quantised where the contraction computes in floats. */
static int64_t quantised_of(const contraction *c) {
    const value *y = (c->adds != NULL ? c->adds : c->n)->outputs[0];
    quantiser q;
    const node *pool = quantiser_after(y, &q) ? integer_pool_after(q.n->outputs[0]) : NULL;
    return count_of(pool != NULL ? &pool->outputs[0]->type : &y->type);
}

static contraction_size size_of(const contraction *c) {
    const tensor_type *w = &c->w.q->type;
    bool is_known = c->weights != NULL,
         depthwise = c->form->kind == FORM_CONV && w->dims[1].n == 1 && op_int(c->n, "group") > 1;
    contraction_size s = {.results = count_of(&c->n->outputs[0]->type),
                          .quantised = quantised_of(c),
                          .taps = is_known ? c->taps : c->x.q->type.dims[c->x.q->type.rank - 1].n,
                          .reads = count_of(&c->x.q->type) + (is_known ? 0 : count_of(w)),
                          .weights = is_known ? count_of(w) : 0,
                          .largest = c->largest,
                          .channels = is_known ? c->channels : 1,
                          .share = winograd_share(c->work->g, c->n, c->work->o->target)};
    s.row = c->form->kind == FORM_CONV ? w->dims[1].n * w->dims[w->rank - 1].n : s.taps;
    s.by_fours = is_known && !depthwise && c->form->kind != FORM_TRANSPOSED && c->weights->type.elem == DT_I8 &&
                 dtype_bits(c->x.q->type.elem) == 8 && s.row > 1;
    return s;
}

status integer_choose(const contraction *c, bool *out) {
    const integer_options *o = c->work->o;
    *out = integer_is_asked(o);
    if (*out)
        return STATUS_OK;
    contraction_size size = size_of(c);
    integer_costs costs = integer_costs_of(o->target, &size);
    *out = costs.integers <= costs.floats;
    if (*out)
        return STATUS_OK;
    const char *text = arena_printf(c->work->scratch, "float, integers: %.1fx", costs.integers / costs.floats);
    TRY_ALLOC(text);
    return node_note(c->n, INTEGER_NOTE, text);
}
