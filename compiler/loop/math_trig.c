/* sin and cos. */
#include "loop/math_internal.h"

#include <math.h>

/* |x| = quadrant * pi/2 + r, |r| <= pi/4. The quadrant, modulo 4, is in the low bits of an integer as wide as x. */
typedef struct trig_reduction {
    const expr *quadrant, *r;
} trig_reduction;

/* ---- f32: every argument, by multiplying with the right piece of 2/pi ---- */

/* 2/pi = 0.A2F9836E..., after 26 zero bits. */
static const uint64_t TWO_OVER_PI[] = {0x00000028be60db93, 0x91054a7f09d5f47d, 0x4d377036d8a5664f, 0x10e4107f9458eaf7,
                                       0};

static const expr *unsigned_number(builder *b, const expr *x, uint64_t value) {
    return math_integer(b, x, (int64_t)value);
}

/* Word w + `plus` of 2/pi, where w is start / 64 and at most 2. */
static const expr *word(builder *b, const expr *start, int plus) {
    const expr *is_0 = build_lt(b, start, unsigned_number(b, start, 64));
    const expr *is_1 = build_lt(b, start, unsigned_number(b, start, 128));
    const expr *later = build_select(b, is_1, unsigned_number(b, start, TWO_OVER_PI[plus + 1]),
                                     unsigned_number(b, start, TWO_OVER_PI[plus + 2]));
    return build_select(b, is_0, unsigned_number(b, start, TWO_OVER_PI[plus]), later);
}

/* 64 bits of (w, next) from bit start % 64 on. */
static const expr *window(builder *b, const expr *start, const expr *w, const expr *next) {
    const expr *left = build_and(b, start, unsigned_number(b, start, 63));
    const expr *right = build_sub(b, unsigned_number(b, start, 63), left);
    const expr *tail = build_binary(b, EXPR_SHR, math_shift(b, EXPR_SHR, next, 1), right);
    return build_binary(b, EXPR_OR, build_binary(b, EXPR_SHL, w, left), tail);
}

/* |x| = m 2^e with an integer m of 24 bits. The bits of 2/pi that weigh 4 / 2^e and more give whole turns; the 96 after
 * them, times m, give the quadrant (2 bits) and its fraction to 2^-62 or better, in u64 arithmetic that wraps. */
static trig_reduction reduce_large(builder *b, const expr *magnitude) {
    const expr *bits = build_cast(b, DT_U64, build_bitcast(b, DT_U32, magnitude));
    const expr *start = build_sub(b, math_shift(b, EXPR_SHR, bits, 23), unsigned_number(b, bits, 126));
    const expr *m = build_and(b, bits, unsigned_number(b, bits, 0x7fffff));
    m = build_binary(b, EXPR_OR, m, unsigned_number(b, bits, 0x800000));
    const expr *middle = word(b, start, 1);
    const expr *upper = window(b, start, word(b, start, 0), middle);
    const expr *lower = math_shift(b, EXPR_SHR, window(b, start, middle, word(b, start, 2)), 32);
    const expr *turns = build_add(b, build_mul(b, m, upper), math_shift(b, EXPR_SHR, build_mul(b, m, lower), 32));
    const expr *nearest =
        math_shift(b, EXPR_SHR, build_add(b, turns, unsigned_number(b, turns, UINT64_C(1) << 61)), 62);
    const expr *fraction = build_sub(b, turns, math_shift(b, EXPR_SHL, nearest, 62));
    const expr *scale = math_number(b, build_cast(b, DT_F64, fraction), 3.4061215800865545e-19); /* pi/2 * 2^-62 */
    const expr *r = build_mul(b, build_cast(b, DT_F64, build_cast(b, DT_I64, fraction)), scale);
    return (trig_reduction){build_cast(b, DT_I32, nearest), build_cast(b, DT_F32, r)};
}

static trig_reduction reduce_f32(builder *b, const expr *magnitude) {
    trig_reduction large = reduce_large(b, magnitude);
    const expr *is_small = build_lt(b, magnitude, math_number(b, magnitude, 0.785398163));
    const expr *quadrant = build_select(b, is_small, math_integer(b, large.quadrant, 0), large.quadrant);
    return (trig_reduction){quadrant, build_select(b, is_small, magnitude, large.r)};
}

/* ---- f64: |x| up to 2^20 quadrants, whose products with 33 bits of pi/2 are exact ---- */

static const double HALF_PI[] = {0x1.921fb544p+0, 0x1.0b4611a6p-34, 0x1.3198a2ep-69, 0x1.b839a252049c1p-104};

static trig_reduction reduce_f64(builder *b, const expr *magnitude) {
    const expr *shift = math_number(b, magnitude, 0x1.8p52); /* rounds to an integer in the low bits */
    const expr *sum = build_mul_add(b, magnitude, math_number(b, magnitude, 0x1.45f306dc9c883p-1), shift);
    const expr *n = build_sub(b, sum, shift), *r = magnitude;
    for (size_t i = 0; i < sizeof HALF_PI / sizeof *HALF_PI; i++)
        r = build_mul_add(b, n, math_number(b, magnitude, -HALF_PI[i]), r);
    return (trig_reduction){build_bitcast(b, DT_I64, sum), r};
}

/* ---- on |r| <= pi/4 ---- */

/* (sin(r)/r - 1) / r^2 and (cos(r) - 1 + r^2/2) / r^4 in r^2; relative errors 2^-28, 2^-33, and 2^-58, 2^-64 */
static const double SIN_F32[] = {-0.166666552, 0.00833215937, -0.000195151209};
static const double COS_F32[] = {0.0416666456, -0.00138873141, 2.44329713e-05};
static const double SIN_F64[] = {
    -0.1666666666666663,    0.0083333333333220905,  -0.00019841269829566104,
    2.7557313612964911e-06, -2.505074640140753e-08, 1.5896148876467323e-10,
};
static const double COS_F64[] = {
    0.041666666666666595,    -0.0013888888888873017, 2.480158728882591e-05,
    -2.7557314171646751e-07, 2.0875699776275579e-09, -1.135848005452904e-11,
};

static const expr *sin_near_0(builder *b, const expr *r, const expr *z) {
    const expr *series = r->type.elem == DT_F32 ? math_polynomial(b, z, SIN_F32, 3) : math_polynomial(b, z, SIN_F64, 6);
    return build_mul_add(b, build_mul(b, r, z), series, r);
}

/* 1 - z/2 is rounded first; what that loses is added back with the small terms. */
static const expr *cos_near_0(builder *b, const expr *z) {
    const expr *series = z->type.elem == DT_F32 ? math_polynomial(b, z, COS_F32, 3) : math_polynomial(b, z, COS_F64, 6);
    const expr *one = math_number(b, z, 1), *half = build_mul(b, z, math_number(b, z, 0.5));
    const expr *large = build_sub(b, one, half);
    const expr *lost = build_sub(b, build_sub(b, one, large), half);
    return build_add(b, large, build_mul_add(b, build_mul(b, z, z), series, lost));
}

/* sin(|x| + turn * pi/2), its sign flipped where `sign` (bits, or NULL) has its top bit set. NaN for infinities. */
static const expr *trig(builder *b, const expr *magnitude, int turn, const expr *sign) {
    const math_format *f = math_format_of(magnitude);
    trig_reduction q = f->real == DT_F32 ? reduce_f32(b, magnitude) : reduce_f64(b, magnitude);
    const expr *quadrant = build_add(b, q.quadrant, math_integer(b, q.quadrant, turn));
    const expr *z = build_mul(b, q.r, q.r);
    const expr *odd = build_and(b, quadrant, math_integer(b, quadrant, 1));
    const expr *is_odd = build_ne(b, odd, math_integer(b, quadrant, 0));
    const expr *value = build_select(b, is_odd, cos_near_0(b, z), sin_near_0(b, q.r, z));
    const int top = dtype_bits(f->integer) - 1;
    const expr *flip = math_shift(b, EXPR_SHL, math_shift(b, EXPR_SHR, quadrant, 1), top);
    if (sign != NULL)
        flip = build_binary(b, EXPR_XOR, flip, sign);
    value = build_bitcast(b, f->real, build_binary(b, EXPR_XOR, build_bitcast(b, f->integer, value), flip));
    const expr *is_finite = build_lt(b, magnitude, math_number(b, magnitude, (double)INFINITY));
    return math_select_or(b, is_finite, value, (double)NAN);
}

/* Sine. f64: accurate for |x| up to 1e6, see math_bounds. */
const expr *build_sin(builder *b, const expr *x) {
    const math_format *f = math_format_of(x);
    const expr *bits = build_bitcast(b, f->integer, x);
    const expr *sign = build_and(b, bits, math_integer(b, bits, f->integer == DT_I32 ? INT32_MIN : INT64_MIN));
    return trig(b, build_unary(b, EXPR_ABS, x), 0, sign);
}

/* Cosine. f64: accurate for |x| up to 1e6, see math_bounds. */
const expr *build_cos(builder *b, const expr *x) {
    return trig(b, build_unary(b, EXPR_ABS, x), 1, NULL);
}
