/* New nodes of an integer program. */
#include <float.h>
#include <math.h>

#include "loop/target.h"
#include "passes/integer.h"

status integer_nodes(integer_work *w, node_list *out) {
    *out = (node_list){0};
    for (node *n = w->g->first; n != NULL; n = n->next)
        TRY(VEC_PUSH(w->scratch, *out, n));
    return STATUS_OK;
}

status integer_node_of(integer_work *w, node *like, const char *op, value *const *inputs, int n, const attr *attrs,
                       int n_attrs, int n_outputs, node **out) {
    size_t errors = diag_errors(w->g->diags);
    *out = graph_build(w->g, like, op, inputs, n, attrs, n_attrs, n_outputs);
    if (*out == NULL)
        return diag_errors(w->g->diags) > errors ? STATUS_INVALID : STATUS_RESOURCE;
    (*out)->source = like->source;
    (*out)->name = like->name;
    return STATUS_OK;
}

status integer_node(integer_work *w, node *like, const char *op, value *const *inputs, int n, const attr *attrs,
                    int n_attrs, value **out) {
    node *made;
    TRY(integer_node_of(w, like, op, inputs, n, attrs, n_attrs, 1, &made));
    *out = made->outputs[0];
    return STATUS_OK;
}

status integer_cast(integer_work *w, node *like, value *x, dtype to, value **out) {
    const attr type = INT_ATTR("to", dtype_to_onnx(to));
    return integer_node(w, like, "Cast", &x, 1, &type, 1, out);
}

status integer_retype(integer_work *w, node *like, value *x, int64_t from, span of, dtype to, value **out) {
    const int64_t none = 0;
    value *inputs[2] = {x};
    TRY(integer_constant(w, DT_I32, 0, NULL, &none, &inputs[1]));
    const attr attrs[] = {INT_ATTR("from", from), INT_ATTR("lo", of.lo), INT_ATTR("hi", of.hi),
                          INT_ATTR("to", dtype_to_onnx(to))};
    return integer_node(w, like, "Requantize", inputs, 2, attrs, 4, out);
}

status integer_say(integer_work *w, value *sum, dtype x, dtype weights, const char *more) {
    const char *text =
        arena_printf(w->scratch, "%sx%s->%s%s", dtype_name(x), dtype_name(weights), dtype_name(sum->type.elem), more);
    TRY_ALLOC(text);
    return node_note(sum->def, INTEGER_NOTE, text);
}

status integer_replace(integer_work *w, node *n, value *v) {
    const char *name = n->outputs[0]->name;
    bool is_new = v->def != NULL && v->n_uses == 0 && v->constant == NULL;
    TRY(graph_replace_all_uses(w->g, n->outputs[0], v));
    TRY(graph_erase_node(w->g, n));
    return is_new ? graph_set_name(w->g, v, name) : STATUS_OK;
}

status integer_constant(integer_work *w, dtype t, int rank, const int64_t *dims, const int64_t *numbers, value **out) {
    tensor *made = tensor_new(w->g->memory, t, rank, dims, NULL);
    TRY_ALLOC(made);
    for (int64_t i = 0; i < made->count; i++)
        dtype_set_int(t, (void *)(uintptr_t)made->data, (size_t)i, numbers[i]);
    *out = graph_add_constant(w->g, NULL, made);
    TRY_ALLOC(*out);
    return STATUS_OK;
}

status real_constant(integer_work *w, int rank, const int64_t *dims, const double *numbers, value **out) {
    tensor *made = tensor_new(w->g->memory, DT_F32, rank, dims, NULL);
    TRY_ALLOC(made);
    for (int64_t i = 0; i < made->count; i++)
        dtype_set_double(DT_F32, (void *)(uintptr_t)made->data, (size_t)i, numbers[i]);
    *out = graph_add_constant(w->g, NULL, made);
    TRY_ALLOC(*out);
    return STATUS_OK;
}

status integer_surround(integer_work *w, node *like, value *x, const int64_t *pads, int64_t zero, value **out) {
    const attr attrs[] = {{.name = "pads", .kind = ATTR_INTS, .ints = pads, .n = 2 * x->type.rank},
                          INT_ATTR("value", zero)};
    return integer_node(w, like, "Surround", &x, 1, attrs, 2, out);
}

status integer_dequantize(integer_work *w, node *like, value *q, const quantised *x, value **out) {
    value *inputs[] = {q, node_input(x->n, 1), node_input(x->n, 2)};
    return integer_node(w, like, "DequantizeLinear", inputs, inputs[2] != NULL ? 3 : 2, x->n->attrs, x->n->n_attrs,
                        out);
}

/* ---- Requantize ---- */

enum { MOST_SHIFT = 62 };

/* Multipliers and shifts, one for each scale; `plain` where all of them are powers of two. */
typedef struct factors {
    int64_t *mult, *shift;
    bool plain;
    bool shifts; /* every shift is above 0 */
    bool ties;   /* some number of the range may lie halfway between two integers */
} factors;

/* Results have 16 bits at most: a scale of 2^16 - 1 takes whatever is not 0 to their ends, as a larger one does. */
static double large_enough(double scale, int bits) {
    double most = ldexp(1, bits) - 1;
    return scale > most ? most : scale;
}

/* Can x * mult be an odd multiple of 2^(shift - 1), for an x of so many bits? */
static bool may_tie(const fixed *f, int bits) {
    int zeros = f->mult != 0 ? __builtin_ctzll((uint64_t)f->mult) : MOST_SHIFT, left = f->shift - 1 - zeros;
    return left >= 0 && left < bits;
}

static status read_factors(integer_work *w, const rescaling *r, const double *scales, factors *out, bool *out_fits) {
    int bits = fixed_bits((span){r->range.lo - r->from, r->range.hi - r->from});
    *out = (factors){.mult = ARENA_NEW_N(w->scratch, int64_t, r->n + 1),
                     .shift = ARENA_NEW_N(w->scratch, int64_t, r->n + 1),
                     .plain = true};
    TRY_ALLOC(out->mult);
    TRY_ALLOC(out->shift);
    *out_fits = bits >= 16;
    for (int64_t i = 0; i < r->n && *out_fits; i++) {
        fixed f = {0, 0};
        double x = r->offsets == NULL ? large_enough(scales[i], bits) : scales[i];
        *out_fits = fixed_of(x, bits, MOST_SHIFT, &f);
        out->mult[i] = f.mult;
        out->shift[i] = f.shift;
        out->plain &= f.mult == INT64_C(1) << (bits - 1) && f.shift >= bits - 1 && f.shift < bits + 30;
        out->ties |= may_tie(&f, MOST_SHIFT - bits);
    }
    out->shifts = true;
    for (int64_t i = 0; i < r->n && *out_fits; i++) {
        out->shift[i] -= out->plain ? bits - 1 : 0;
        out->shifts &= out->shift[i] > 0;
    }
    return STATUS_OK;
}

static bool all_same(const int64_t *x, int64_t n) {
    for (int64_t i = 1; i < n; i++)
        if (x[i] != x[0])
            return false;
    return true;
}

/* One number for all is a scalar. */
static status parameter(integer_work *w, const rescaling *r, dtype t, const int64_t *numbers, value **out) {
    bool same = all_same(numbers, r->n);
    return integer_constant(w, t, same ? 0 : r->rank, same ? NULL : r->dims, numbers, out);
}

static status add_factors(integer_work *w, const rescaling *r, const factors *f, value **out_shift, value **out_mult) {
    TRY(parameter(w, r, DT_I32, f->shift, out_shift));
    return f->plain ? STATUS_OK : parameter(w, r, DT_I32, f->mult, out_mult);
}

/* What is added before the shift: 2^shift times what the offset is in steps of the result. */
static status read_offsets(integer_work *w, const rescaling *r, const quantiser *q, const factors *f, value **out) {
    int64_t *numbers = ARENA_NEW_N(w->scratch, int64_t, r->n + 1);
    TRY_ALLOC(numbers);
    for (int64_t i = 0; i < r->n; i++) {
        double x = ldexp(r->offsets[i] / q->scale, (int)f->shift[i]), most = ldexp(1, 61);
        numbers[i] = llrint(x > most ? most : x < -most ? -most : x);
    }
    return parameter(w, r, DT_I64, numbers, out);
}

/* ---- the same by way of floats: RoundScaled ---- */

/* Sums up to this are floats, and the bits of rounded numbers above minus that say which they are. */
#define MOST_SUM (1 << 24)
#define MOST_ROUNDED (1 << 22)
#define MOST_SCALE (1 << 16)

/* Are all sums floats, or so large that the result is at its bounds? */
static bool are_floats(const rescaling *r, double scale, const quantiser *q) {
    span of = {r->range.lo - r->from, r->range.hi - r->from};
    bool low = of.lo >= -MOST_SUM || -MOST_SUM * scale < (double)(q->within.lo - q->zero - 1),
         high = of.hi <= MOST_SUM || MOST_SUM * scale > (double)(q->within.hi - q->zero + 1);
    return low && high && (double)of.lo * scale > -MOST_ROUNDED;
}

/* May rounding in floats give what it does in integers? Then it does, by the same factors, on whatever target. */
static bool fits_floats(const rescaling *r, const quantiser *q) {
    bool is_narrow = r->sum->type.elem != DT_I64 && dtype_bits(q->to) <= 8 && r->offsets == NULL;
    bool fits = is_narrow && span_fits((span){r->range.lo - r->from, r->range.hi - r->from}, DT_I32);
    for (int64_t i = 0; i < r->n && fits; i++) {
        double scale = r->scales[i] / q->scale, slope = q->slope;
        fits = scale >= FLT_MIN && scale * slope >= FLT_MIN && scale <= MOST_SCALE && scale * slope <= MOST_SCALE &&
               are_floats(r, scale, q) && (slope == 1 || are_floats(r, scale * slope, q));
    }
    return fits;
}

static bool rounds_in_floats(const integer_work *w) {
    const target *t = w->o->target;
    return !w->o->no_float && t != NULL && t->vector_bytes > 0 && target_has_fma(t, DT_F32);
}

/* What a step of the sum is in steps of the result; as floats are, where those may round. */
static status read_scales(integer_work *w, const rescaling *r, double by, bool as_floats, double **out) {
    TRY_ALLOC(*out = ARENA_NEW_N(w->scratch, double, r->n + 1));
    for (int64_t i = 0; i < r->n; i++)
        (*out)[i] = as_floats ? (double)(float)(r->scales[i] * by) : r->scales[i] * by;
    return STATUS_OK;
}

static status real_parameter(integer_work *w, const rescaling *r, const double *numbers, value **out) {
    bool same = true;
    for (int64_t i = 1; i < r->n; i++)
        same &= numbers[i] == numbers[0];
    return real_constant(w, same ? 0 : r->rank, same ? NULL : r->dims, numbers, out);
}

static status round_scaled(integer_work *w, const rescaling *r, const quantiser *q, const double *above,
                           const double *below, value **out) {
    value *inputs[3] = {r->sum};
    TRY(real_parameter(w, r, above, &inputs[1]));
    if (q->slope != 1)
        TRY(real_parameter(w, r, below, &inputs[2]));
    const attr attrs[] = {INT_ATTR("from", r->from), INT_ATTR("zero", q->zero), INT_ATTR("lo", q->within.lo),
                          INT_ATTR("hi", q->within.hi), INT_ATTR("to", dtype_to_onnx(q->to))};
    return integer_node(w, q->n, "RoundScaled", inputs, q->slope != 1 ? 3 : 2, attrs, 5, out);
}

/* ---- either ---- */

enum { SHIFT = 1, MULT, BELOW_SHIFT, BELOW_MULT, OFFSET, N_INPUTS };

/* Ties go to the even neighbour, as those of floats do, where a tie says that the real number is one. */
static bool rounds_to_even(const rescaling *r, const quantiser *q, bool as_floats, const factors *above,
                           const factors *below) {
    if (as_floats)
        return above->ties || (q->slope != 1 && below->ties);
    return above->plain && above->shifts && q->slope == 1 && r->offsets == NULL;
}

status integer_requantize(integer_work *w, const rescaling *r, const quantiser *q, value **out) {
    factors above, below;
    double *scales, *scales_below;
    value *inputs[N_INPUTS] = {r->sum};
    bool fits = false, as_floats = fits_floats(r, q);
    *out = NULL;
    TRY(read_scales(w, r, 1 / q->scale, as_floats, &scales));
    TRY(read_scales(w, r, q->slope / q->scale, as_floats, &scales_below));
    if (as_floats && rounds_in_floats(w))
        return round_scaled(w, r, q, scales, scales_below, out);
    TRY(read_factors(w, r, scales, &above, &fits));
    if (fits && q->slope != 1)
        TRY(read_factors(w, r, scales_below, &below, &fits));
    if (!fits || (q->slope != 1 && r->offsets != NULL))
        return STATUS_OK;
    TRY(add_factors(w, r, &above, &inputs[SHIFT], &inputs[MULT]));
    if (q->slope != 1)
        TRY(add_factors(w, r, &below, &inputs[BELOW_SHIFT], &inputs[BELOW_MULT]));
    if (r->offsets != NULL)
        TRY(read_offsets(w, r, q, &above, &inputs[OFFSET]));
    int n = N_INPUTS;
    while (inputs[n - 1] == NULL)
        n--;
    const attr attrs[] = {INT_ATTR("from", r->from),
                          INT_ATTR("zero", q->zero),
                          INT_ATTR("lo", q->within.lo),
                          INT_ATTR("hi", q->within.hi),
                          INT_ATTR("to", dtype_to_onnx(q->to)),
                          INT_ATTR("even", rounds_to_even(r, q, as_floats, &above, &below))};
    return integer_node(w, q->n, "Requantize", inputs, n, attrs, 6, out);
}
