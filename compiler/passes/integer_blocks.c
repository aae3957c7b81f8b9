/* Products with weights whose scales differ from block to block along the sum: one integer sum for each block, then a
 * weighted sum of those. */
#include <math.h>

#include "passes/integer_contract.h"

/* A sum of weighted sums has this many bits, of which a multiplier has at least so many. */
enum { SUM_BITS = 45, LEAST_BITS = 16, MOST_SHIFT = 60 };

typedef struct blocks {
    contraction *c;
    int64_t n, inner, columns, rows; /* blocks, elements of one, columns of the weights, rows of x */
    int64_t *weights;                /* [n, inner, columns], centred */
    int64_t *adds;                   /* [n, columns]: what x's zero point adds */
    double *scales;                  /* [n, columns] */
    span range;                      /* of each block's sum */
    dtype elem;
} blocks;

static bool read_sizes(contraction *c, blocks *out) {
    const tensor *t = c->w.q->constant;
    int inner_axis = c->turned ? 1 : 0;
    *out = (blocks){.c = c, .inner = c->w.block, .columns = c->channels};
    if (c->form->kind != FORM_PRODUCT || t->rank != 2 || c->w.axis != inner_axis || c->taps % c->w.block != 0 ||
        c->w.scales->count != c->taps / c->w.block * c->channels)
        return false;
    out->n = c->taps / c->w.block;
    out->rows = type_count(&c->x.q->type) / c->taps;
    return true;
}

static status read_blocks(blocks *b, bool *out_fits) {
    contraction *c = b->c;
    arena *a = c->work->scratch;
    const tensor *t = c->w.q->constant;
    int64_t n = b->n * b->columns;
    span of = {0, 0}, *sums = ARENA_NEW_N(a, span, n + 1);
    TRY_ALLOC(sums);
    TRY_ALLOC(b->weights = ARENA_NEW_N(a, int64_t, t->count + 1));
    TRY_ALLOC(b->adds = ARENA_NEW_N(a, int64_t, n + 1));
    TRY_ALLOC(b->scales = ARENA_NEW_N(a, double, n + 1));
    for (int64_t i = 0; i < t->count; i++) {
        int64_t k = c->turned ? i % c->taps : i / c->channels, column = c->turned ? i / c->taps : i % c->channels;
        int64_t block = k / b->inner, own = block * b->columns + column, from = c->turned ? column * b->n + block : own;
        int64_t w = tensor_int(t, i) - quantised_zero(&c->w, from);
        b->weights[k * b->columns + column] = w;
        b->adds[own] -= w * c->x_zero;
        b->scales[own] = quantised_scale(&c->x, 0) * quantised_scale(&c->w, from);
        span_add_scaled(&sums[own], w, c->x_span);
        of.lo = w < of.lo ? w : of.lo;
        of.hi = w > of.hi ? w : of.hi;
    }
    for (int64_t i = 0; i < n; i++) {
        b->range.lo = sums[i].lo + b->adds[i] < b->range.lo ? sums[i].lo + b->adds[i] : b->range.lo;
        b->range.hi = sums[i].hi + b->adds[i] > b->range.hi ? sums[i].hi + b->adds[i] : b->range.hi;
    }
    b->elem = span_type(of);
    *out_fits = span_fits(of, DT_I32) && span_fits(b->range, DT_I32);
    return STATUS_OK;
}

/* ---- the sums of the blocks: [blocks, rows, columns] ---- */

static status block_sums(blocks *b, value **out) {
    contraction *c = b->c;
    integer_work *w = c->work;
    const int64_t three = 3, shape[] = {b->rows, b->n, b->inner}, turned[] = {1, 0, 2},
                  weights[] = {b->n, b->inner, b->columns}, adds[] = {b->n, 1, b->columns};
    const attr perm = {.name = "perm", .kind = ATTR_INTS, .ints = turned, .n = 3};
    value *inputs[3], *to;
    TRY(integer_constant(w, DT_I64, 1, &three, shape, &to));
    TRY(integer_node(w, c->n, "Reshape", (value *[]){c->x.q, to}, 2, NULL, 0, &inputs[0]));
    TRY(integer_node(w, c->n, "Transpose", inputs, 1, &perm, 1, &inputs[0]));
    TRY(integer_constant(w, b->elem, 3, weights, b->weights, &inputs[1]));
    TRY(integer_constant(w, DT_I32, 3, adds, b->adds, &inputs[2]));
    TRY(integer_node(w, c->n, "IntegerMatMul", inputs, c->x_zero != 0 ? 3 : 2, NULL, 0, out));
    const char *more = arena_printf(w->scratch, ", by blocks of %lld", (long long)b->inner);
    TRY_ALLOC(more);
    return integer_say(w, *out, c->x.q->type.elem, b->elem, more);
}

static status shaped_as_result(blocks *b, value **x) {
    const tensor_type *y = &b->c->n->outputs[0]->type;
    int64_t dims[TENSOR_MAX_RANK], rank = y->rank;
    value *to;
    type_shape(y, dims);
    TRY(integer_constant(b->c->work, DT_I64, 1, &rank, dims, &to));
    return integer_node(b->c->work, b->c->n, "Reshape", (value *[]){*x, to}, 2, NULL, 0, x);
}

/* ---- their weighted sum ---- */

/* Multipliers with a common shift, in steps of q. False where there is no room for exact ones. */
static bool common_multipliers(const blocks *b, const quantiser *q, int64_t *mults, int *out_shift) {
    double most = fmax(-(double)b->range.lo, (double)b->range.hi), larger = 0;
    int room = SUM_BITS - (int)ceil(log2(most + 1)) - (int)ceil(log2((double)b->n));
    fixed f;
    for (int64_t i = 0; i < b->n * b->columns; i++)
        larger = fmax(larger, b->scales[i] / q->scale);
    if (room < LEAST_BITS || !fixed_of(larger, room < 31 ? room : 31, MOST_SHIFT, &f))
        return false;
    for (int64_t i = 0; i < b->n * b->columns; i++)
        mults[i] = llrint(ldexp(b->scales[i] / q->scale, f.shift));
    *out_shift = f.shift;
    return true;
}

static status to_integers(blocks *b, value *sums, const quantiser *q, value **out) {
    contraction *c = b->c;
    integer_work *w = c->work;
    const int64_t dims[] = {b->n, 1, b->columns};
    int64_t *mults = ARENA_NEW_N(w->scratch, int64_t, b->n * b->columns + 1);
    double *steps = ARENA_NEW_N(w->scratch, double, b->columns + 1);
    int shift;
    value *factors;
    TRY_ALLOC(mults);
    TRY_ALLOC(steps);
    if (!common_multipliers(b, q, mults, &shift))
        return STATUS_OK;
    for (int64_t k = 0; k < b->columns; k++)
        steps[k] = ldexp(q->scale, -shift);
    rescaling r = {
        .range = {-(INT64_C(1) << SUM_BITS), INT64_C(1) << SUM_BITS}, .scales = steps, .offsets = c->offsets};
    r.n = c->offsets != NULL ? b->columns : 1;
    r.rank = 1;
    r.dims = &b->columns;
    TRY(integer_constant(w, DT_I32, 3, dims, mults, &factors));
    TRY(integer_node(w, c->n, "WeightedSum", (value *[]){sums, factors}, 2, NULL, 0, &r.sum));
    TRY(shaped_as_result(b, &r.sum));
    return integer_requantize(w, &r, q, out);
}

static status to_floats(blocks *b, value *sums, value **out) {
    contraction *c = b->c;
    integer_work *w = c->work;
    const int64_t one = 1, first = 0, dims[] = {b->n, 1, b->columns};
    const attr keeps = INT_ATTR("keepdims", 0);
    value *factors, *axes, *offsets;
    TRY(real_constant(w, 3, dims, b->scales, &factors));
    TRY(integer_constant(w, DT_I64, 1, &one, &first, &axes));
    TRY(integer_cast(w, c->n, sums, DT_F32, out));
    TRY(integer_node(w, c->n, "Mul", (value *[]){*out, factors}, 2, NULL, 0, out));
    TRY(integer_node(w, c->n, "ReduceSum", (value *[]){*out, axes}, 2, &keeps, 1, out));
    TRY(shaped_as_result(b, out));
    if (c->offsets == NULL)
        return STATUS_OK;
    TRY(real_constant(w, 1, &b->columns, c->offsets, &offsets));
    return integer_node(w, c->n, "Add", (value *[]){*out, offsets}, 2, NULL, 0, out);
}

status integer_by_blocks(contraction *c) {
    blocks b;
    quantiser q;
    value *sums, *y = NULL;
    bool fits = false;
    if (!read_sizes(c, &b))
        return STATUS_OK;
    TRY(read_blocks(&b, &fits));
    if (fits)
        TRY(contraction_offsets(c, &fits));
    if (!fits)
        return STATUS_OK;
    TRY(block_sums(&b, &sums));
    node *end = c->adds != NULL ? c->adds : c->n;
    if (quantiser_after(end->outputs[0], &q))
        TRY(to_integers(&b, sums, &q, &y));
    if (y != NULL)
        return integer_replace(c->work, q.n, y);
    TRY(to_floats(&b, sums, &y));
    return integer_replace(c->work, end, y);
}
