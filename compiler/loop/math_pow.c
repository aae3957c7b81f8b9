/* pow: x^y. In f32 by way of f64; in f64 with the logarithm as a sum of two numbers. */
#include "loop/math_internal.h"

#include <math.h>

/* hi + lo, |lo| at most half a unit of hi's last place. */
typedef struct twofold {
    const expr *hi, *lo;
} twofold;

/* The sum of a and a smaller b, and what its rounding lost. */
static twofold sum_of(builder *b, const expr *larger, const expr *smaller) {
    const expr *sum = build_add(b, larger, smaller);
    return (twofold){sum, build_sub(b, smaller, build_sub(b, sum, larger))};
}

/* The upper 26 bits of an f64, and the others. */
static twofold halves_of(builder *b, const expr *x) {
    const expr *bits = build_bitcast(b, DT_I64, x);
    const expr *hi = build_bitcast(b, DT_F64, build_and(b, bits, build_int(b, DT_I64, -(INT64_C(1) << 27))));
    return (twofold){hi, build_sub(b, x, hi)};
}

/* The product and what its rounding lost. */
static twofold product_of(builder *b, const expr *x, const expr *y) {
    const expr *p = build_mul(b, x, y);
    if (target_has_fma(builder_target(b), x->type.elem))
        return (twofold){p, build_fma(b, x, y, build_unary(b, EXPR_NEG, p))};
    twofold u = halves_of(b, x), v = halves_of(b, y);
    const expr *lost = build_sub(b, build_mul(b, u.hi, v.hi), p);
    lost = build_add(b, lost, build_mul(b, u.hi, v.lo));
    lost = build_add(b, lost, build_mul(b, u.lo, v.hi));
    return (twofold){p, build_add(b, lost, build_mul(b, u.lo, v.lo))};
}

/* f / (2 + f) */
static twofold atanh_argument(builder *b, const expr *f) {
    const expr *two = math_number(b, f, 2);
    twofold d = sum_of(b, two, f);
    const expr *s = build_div(b, f, d.hi);
    twofold back = product_of(b, s, d.hi);
    const expr *rest = build_sub(b, build_sub(b, build_sub(b, f, back.hi), back.lo), build_mul(b, s, d.lo));
    return (twofold){s, build_div(b, rest, d.hi)};
}

/* (2 atanh(s)/s - 2 - 2/3 s^2) / s^4 in s^2 on s up to (sqrt(2)-1)/(sqrt(2)+1); relative error of log 2^-66 */
static const double LOG_TERMS[] = {
    0.40000000000002273, 0.28571428570091895, 0.22222222521353133, 0.18181784237133919,
    0.15386763526838196, 0.13256668958177678, 0.13197748984142008,
};

/* 2/3 s^3 */
static twofold cubic_term(builder *b, twofold s, twofold square) {
    twofold cube = product_of(b, s.hi, square.hi);
    cube.lo = build_mul_add(b, s.hi, square.lo, build_mul_add(b, s.lo, square.hi, cube.lo));
    const expr *two_thirds = math_number(b, s.hi, 0x1.5555555555555p-1),
               *rest = math_number(b, s.hi, 0x1.5555555555555p-55);
    twofold term = product_of(b, cube.hi, two_thirds);
    term.lo = build_mul_add(b, cube.hi, rest, build_mul_add(b, cube.lo, two_thirds, term.lo));
    return term;
}

/* The logarithm of a positive f64: k ln(2) + 2s + 2/3 s^3 + s^5 (2/5 + ...). The last term is below 2^-12 of the whole,
 * so one number is enough for it. The others come in order of size. */
static twofold log_twofold(builder *b, const expr *x) {
    const math_format *format = math_format_of(x);
    math_split split = math_split_positive(b, x);
    twofold s = atanh_argument(b, split.f);
    twofold square = product_of(b, s.hi, s.hi);
    square.lo = build_mul_add(b, build_add(b, s.hi, s.hi), s.lo, square.lo);
    twofold cubic = cubic_term(b, s, square);
    const expr *series = math_polynomial(b, square.hi, LOG_TERMS, sizeof LOG_TERMS / sizeof *LOG_TERMS);
    const expr *fifth = build_mul(b, build_mul(b, square.hi, square.hi), s.hi);
    const expr *small = build_mul_add(b, fifth, series, build_add(b, cubic.lo, build_add(b, s.lo, s.lo)));
    small = build_mul_add(b, split.exponent, math_number(b, x, format->ln2_lo), small);
    const expr *whole = build_mul(b, split.exponent, math_number(b, x, format->ln2_hi));
    twofold most = sum_of(b, whole, build_add(b, s.hi, s.hi));
    twofold more = sum_of(b, most.hi, cubic.hi);
    return sum_of(b, more.hi, build_add(b, build_add(b, most.lo, more.lo), small));
}

/* |x|^y for x of any sign but 0, 1, infinity, NaN, where the exponential takes care of itself. */
static const expr *power_f64(builder *b, const expr *x, const expr *y) {
    const math_format *f = math_format_of(x);
    twofold l = log_twofold(b, x);
    const expr *is_ordinary = build_lt(b, x, math_number(b, x, (double)INFINITY));
    is_ordinary = build_and(b, is_ordinary, build_lt(b, math_number(b, x, 0), x));
    const expr *hi = build_select(b, is_ordinary, l.hi, build_log(b, x));
    twofold t = product_of(b, y, hi);
    const expr *low = build_mul_add(b, y, l.lo, t.lo);
    const expr *has_low =
        build_and(b, is_ordinary, build_lt(b, build_unary(b, EXPR_ABS, t.hi), math_number(b, x, 2000)));
    low = math_select_or(b, has_low, low, 0);
    return math_exp_within(b, math_at_least(b, math_at_most(b, t.hi, f->exp_most), f->exp_least), low);
}

/* In f64 neither log nor product lose anything that shows in f32. */
static const expr *power_f32(builder *b, const expr *x, const expr *y) {
    const expr *log = build_log(b, build_cast(b, DT_F64, x));
    return build_cast(b, DT_F32, build_exp(b, build_mul(b, log, build_cast(b, DT_F64, y))));
}

/* C99's special cases: signs of negative bases, 1 wherever |x| is 1 or y is 0. */
static const expr *with_special_cases(builder *b, const expr *x, const expr *y, const expr *magnitude,
                                      const expr *power) {
    const expr *zero = math_number(b, x, 0), *one = math_number(b, x, 1);
    const expr *half = build_mul(b, y, math_number(b, x, 0.5));
    const expr *is_integer = build_eq(b, build_unary(b, EXPR_TRUNC, y), y);
    const expr *is_odd = build_and(b, is_integer, build_ne(b, build_unary(b, EXPR_TRUNC, half), half));
    const expr *value = build_select(b, build_eq(b, magnitude, one), one, power);
    value = build_select(b, is_odd, math_with_sign(b, value, x), value);
    const expr *is_finite = build_lt(b, magnitude, math_number(b, x, (double)INFINITY));
    const expr *is_negative = build_and(b, build_lt(b, x, zero), is_finite);
    const expr *is_invalid = build_and(b, is_negative, build_unary(b, EXPR_NOT, is_integer));
    value = build_select(b, is_invalid, math_number(b, x, (double)NAN), value);
    return build_select(b, build_eq(b, y, zero), one, value);
}

/* ---- exponents known beforehand ---- */

static const expr *pow_1(builder *b, const expr *x) {
    (void)b;
    return x;
}

static const expr *pow_2(builder *b, const expr *x) {
    return build_mul(b, x, x);
}

static const expr *pow_3(builder *b, const expr *x) {
    return build_mul(b, build_mul(b, x, x), x);
}

static const expr *pow_reciprocal(builder *b, const expr *x) {
    return build_div(b, math_number(b, x, 1), x);
}

/* Unlike the square root, pow gives +0 for -0 and +inf for -inf. */
static const expr *pow_root(builder *b, const expr *x) {
    const expr *root = build_unary(b, EXPR_SQRT, build_add(b, x, math_number(b, x, 0)));
    const expr *is_least = build_eq(b, x, math_number(b, x, -(double)INFINITY));
    return build_select(b, is_least, math_number(b, x, (double)INFINITY), root);
}

static const expr *pow_reciprocal_root(builder *b, const expr *x) {
    return pow_reciprocal(b, pow_root(b, x));
}

typedef struct known_power {
    double y;
    const expr *(*build)(builder *b, const expr *x);
} known_power;

static const known_power KNOWN[] = {
    {1, pow_1}, {2, pow_2}, {3, pow_3}, {-1, pow_reciprocal}, {0.5, pow_root}, {-0.5, pow_reciprocal_root},
};

static const known_power *find_known(const expr *y) {
    const expr *c = y->kind == EXPR_BROADCAST ? y->arg[0] : y;
    for (size_t i = 0; c->kind == EXPR_FLOAT && i < sizeof KNOWN / sizeof *KNOWN; i++)
        if (KNOWN[i].y == c->f)
            return &KNOWN[i];
    return NULL;
}

/* x to the power y, both of one float type; a scalar is broadcast to the other's lanes. */
const expr *build_pow(builder *b, const expr *x, const expr *y) {
    const int lanes = x->type.lanes > y->type.lanes ? x->type.lanes : y->type.lanes;
    x = x->type.lanes < lanes ? build_broadcast(b, x, lanes) : x;
    y = y->type.lanes < lanes ? build_broadcast(b, y, lanes) : y;
    const known_power *known = find_known(y);
    if (known != NULL)
        return known->build(b, x);
    const expr *magnitude = build_unary(b, EXPR_ABS, x);
    const expr *power = x->type.elem == DT_F32 ? power_f32(b, magnitude, y) : power_f64(b, magnitude, y);
    return with_special_cases(b, x, y, magnitude, power);
}
