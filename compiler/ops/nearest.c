/* Reals to the nearest integers, and RoundScaled, which ends sums of integers so. */
#include "ops/nearest.h"

#include <math.h>

#include "ops/integer.h"

/* 1.5 * 2^23: for x of up to 2^22 the sum lies between 2^23 and 2^24, where neighbours are one apart. Bits of positive
 * floats are in the order of the floats, so larger x give larger integers. */
#define ADDED 12582912.0
#define ADDED_BITS INT64_C(0x4B400000)

static const expr *added(builder *b) {
    return build_float(b, DT_F32, ADDED);
}

static const expr *integer_of(builder *b, const expr *sum) {
    return build_sub(b, build_bitcast(b, DT_I32, sum), build_int(b, DT_I32, ADDED_BITS));
}

const expr *nearest_of(builder *b, const expr *x) {
    return integer_of(b, build_add(b, x, added(b)));
}

const expr *nearest_of_product(builder *b, const expr *x, const expr *factor) {
    return integer_of(b, build_mul_add(b, x, factor, added(b)));
}

/* ---- quotients ---- */

/* Scales by which factors and products are far from what floats cannot hold. */
#define LEAST_SCALE 0x1p-100
#define MOST_SCALE 0x1p+100
/* Quotients by more than this many neighbours of x away from a tie are on the same side of it in both forms: each is
 * wrong by less than one of its own. */
#define NEIGHBOURS 4

static bool agrees(float x, const quotient *q) {
    return rintf(x / (float)q->scale) == rintf(fmaf(x, (float)q->high, x * (float)q->low));
}

/* Around the tie above k. */
static bool agrees_at(int64_t k, const quotient *q) {
    float x = (float)(q->scale * ((double)k + 0.5));
    for (int i = 0; i < NEIGHBOURS; i++)
        x = nextafterf(x, -INFINITY);
    for (int i = 0; i <= 2 * NEIGHBOURS; i++) {
        if (!agrees(x, q))
            return false;
        x = nextafterf(x, INFINITY);
    }
    return true;
}

/* high is the reciprocal, rounded down: so low is not below 0, and what is infinite stays so. */
static void part_reciprocal(quotient *q) {
    float high = (float)(1 / q->scale);
    if ((double)high * q->scale > 1)
        high = nextafterf(high, 0);
    q->high = (double)high;
    q->low = (double)(float)((1 - q->high * q->scale) / q->scale); /* products of two f32 are exact */
}

bool quotient_of(const target *t, double scale, int64_t lo, int64_t hi, quotient *out) {
    *out = (quotient){.scale = scale};
    if (!(scale >= LEAST_SCALE && scale <= MOST_SCALE))
        return false;
    part_reciprocal(out);
    if (out->low == 0)
        return true;
    bool agree = target_has_fma(t, DT_F32);
    for (int64_t k = lo - 1; agree && k <= hi; k++)
        agree = agrees_at(k, out);
    return agree;
}

const expr *nearest_of_quotient(builder *b, const expr *x, const quotient *by, double least) {
    const expr *high = build_float(b, DT_F32, by->high);
    x = build_max(b, x, build_float(b, DT_F32, least));
    if (by->low == 0)
        return nearest_of_product(b, x, high);
    return nearest_of(b, build_mul_add(b, x, high, build_mul(b, x, build_float(b, DT_F32, by->low))));
}

/* ---- RoundScaled: x * scale to the nearest integer ----
 * Requantize for sums of 32 bits by way of floats, in fewer operations on vectors. */

enum { RS_X, RS_SCALE, RS_BELOW };

static status round_scaled_infer(node *n) {
    TRY(integer_check_result(n));
    return kit_output_shaped(n, 0, 0, integer_result_type(n));
}

/* An element of a parameter: a literal where it is one number for all. */
static const expr *parameter(const node *n, const nest_list *l, int operand, const expr *const *i, int rank) {
    const tensor *known = kit_constant(n, operand);
    return known != NULL && known->count == 1 ? kit_element(l->b, known, 0) : nest_read_broadcast(l, operand, i, rank);
}

static status round_scaled_lower(const node *n, nest_list *l) {
    const expr *i[TENSOR_MAX_RANK];
    builder *b = l->b;
    int out = nest_output(l, 0), rank = kit_operand(l, out)->rank;
    nest *m = kit_over(l, "round_scaled", out, i);
    const expr *sum =
        build_sub(b, build_cast(b, DT_I32, nest_read(l, RS_X, i)), build_int(b, DT_I32, op_int(n, "from")));
    const expr *x = build_cast(b, DT_F32, sum), *scale = parameter(n, l, RS_SCALE, i, rank);
    if (RS_BELOW < l->n_inputs && kit_operand(l, RS_BELOW)->present)
        scale = build_select(b, build_lt(b, sum, build_int(b, DT_I32, 0)), parameter(n, l, RS_BELOW, i, rank), scale);
    nest_store(m, out, i, rank, integer_result(b, n, nearest_of_product(b, x, scale)));
    return builder_status(b);
}

OP_ROW(tenon__RoundScaled) = {
    .name = "RoundScaled",
    .domain = OP_OWN_DOMAIN,
    .versions = VERSIONS(1),
    .kind = OP_LOWER,
    .inputs = PARAMS({"x", TYPES_QUANTISED | TYPE_BIT(DT_I32), 0, 0}, {"scale", TYPE_BIT(DT_F32), 0, 0},
                     {"below", TYPE_BIT(DT_F32), 0, PARAM_OPTIONAL}),
    .outputs = PARAMS({"y", TYPES_QUANTISED, 0, 0}),
    .attrs = ATTRS({"from", ATTR_INT, .i = 0}, INTEGER_RESULT_ATTRS),
    .infer = round_scaled_infer,
    .lower = round_scaled_lower,
};
