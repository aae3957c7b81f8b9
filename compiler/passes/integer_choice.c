/* Integers or floats: which of them a contraction is faster in, by a count of the target's vector operations. */
#include "passes/integer_contract.h"

/* In operations on a vector of 32-bit lanes. A product that is not summed by fours: a multiplication of 32 bits is two,
 * casts are shared. Of the operations of a DOT4 that is several, half are sums, which go beside products. */
#define WIDE 3.0
#define PARTED 0.75
#define PAIRED 0.55 /* by PAIRS, with the steps that their proof takes */
#define REQUANTISE 16.0
#define QUANTISE 12.0 /* a float */
#define DEQUANTISE 3.0
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

integer_costs integer_costs_of(const target *t, const contraction_size *s) {
    double lanes = target_lanes(t, 32), products = (double)s->results * (double)s->taps;
    double weights = (double)s->weights, numbers = (double)(s->results + s->reads);
    double fours =
        (double)((s->row + 3) / 4) / (double)s->row * (t->dot4 > 1 ? (t->has_pairs ? PAIRED : PARTED) * t->dot4 : 1);
    return (integer_costs){
        .integers = (products * (s->by_fours && t->dot4 > 0 ? fours : WIDE) + REQUANTISE * (double)s->results) / lanes +
                    weights / BYTES + moving(t, numbers),
        .floats = (products + QUANTISE * (double)s->results + DEQUANTISE * (double)s->reads) / lanes +
                  weights * sizeof(float) / BYTES + moving(t, numbers * sizeof(float)),
    };
}

static contraction_size size_of(const contraction *c) {
    const tensor_type *w = &c->w.q->type;
    bool is_known = c->weights != NULL,
         depthwise = c->form->kind == FORM_CONV && w->dims[1].n == 1 && op_int(c->n, "group") > 1;
    contraction_size s = {.results = count_of(&c->n->outputs[0]->type),
                          .taps = is_known ? c->taps : c->x.q->type.dims[c->x.q->type.rank - 1].n,
                          .reads = count_of(&c->x.q->type) + (is_known ? 0 : count_of(w)),
                          .weights = is_known ? count_of(w) : 0};
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
