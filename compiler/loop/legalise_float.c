/* Square root and rounding to integers in plain float arithmetic, exact for every argument. f32 and f64. */
#include "loop/legalise_internal.h"
#include "loop/math_internal.h"

#include <math.h>

/* ---- rounding: adding 2^mantissa leaves no place for a fraction ---- */

static const expr *all_integers_from(builder *b, const expr *x) {
    return math_number(b, x, ldexp(1, math_format_of(x)->mantissa));
}

/* |x| rounded half to even, for |x| < 2^mantissa. */
static const expr *rint_of_magnitude(builder *b, const expr *magnitude) {
    const expr *shift = all_integers_from(b, magnitude);
    return build_sub(b, build_add(b, magnitude, shift), shift);
}

/* `rounded` with the sign of x; x itself where that is an integer by its size, infinite or NaN. */
static const expr *rounded_or_self(builder *b, const expr *x, const expr *rounded) {
    const expr *has_fraction = build_lt(b, build_unary(b, EXPR_ABS, x), all_integers_from(b, x));
    return build_select(b, has_fraction, math_with_sign(b, rounded, x), x);
}

/* RINT */
const expr *legalise_rint(builder *b, const expr *x) {
    return rounded_or_self(b, x, rint_of_magnitude(b, build_unary(b, EXPR_ABS, x)));
}

/* TRUNC */
const expr *legalise_trunc(builder *b, const expr *x) {
    const expr *magnitude = build_unary(b, EXPR_ABS, x), *near = rint_of_magnitude(b, magnitude);
    const expr *below = build_sub(b, near, math_number(b, x, 1));
    return rounded_or_self(b, x, build_select(b, build_lt(b, magnitude, near), below, near));
}

/* The nearest integer, moved one down (or up) where it lies above (below) x. */
static const expr *directed(builder *b, const expr *x, bool down) {
    const expr *near = legalise_rint(b, x);
    const expr *moved = build_add(b, near, math_number(b, x, down ? -1 : 1));
    const expr *is_wrong = down ? build_lt(b, x, near) : build_lt(b, near, x);
    return build_select(b, is_wrong, moved, near);
}

/* FLOOR. The only zeros that it moves to are positive, from fractions above 0. */
const expr *legalise_floor(builder *b, const expr *x) {
    return directed(b, x, true);
}

/* CEIL. Fractions above -1 become -0. */
const expr *legalise_ceil(builder *b, const expr *x) {
    return math_with_sign(b, directed(b, x, false), x);
}

/* ---- square root ---- */

/* The upper half of a number's bits, so that products of such halves are exact. */
static const expr *upper_half(builder *b, const expr *x) {
    const math_format *f = math_format_of(x);
    const int lower_bits = (f->mantissa + 2) / 2;
    const expr *bits = build_bitcast(b, f->integer, x);
    return build_bitcast(b, f->real, build_and(b, bits, build_int(b, f->integer, -(INT64_C(1) << lower_bits))));
}

/* m - y^2, where y is within a few units of sqrt(m): rounded once, at the very end. */
static const expr *remainder_of(builder *b, const expr *m, const expr *y) {
    const expr *square = build_mul(b, y, y), *hi = upper_half(b, y), *lo = build_sub(b, y, hi);
    const expr *cross = build_mul(b, hi, lo);
    const expr *lost = build_sub(b, build_mul(b, hi, hi), square);
    lost = build_add(b, lost, build_add(b, cross, cross));
    lost = build_add(b, lost, build_mul(b, lo, lo));
    return build_sub(b, build_sub(b, m, square), lost);
}

/* About m^(-1/2) for 1 <= m < 4: a linear guess in the bits, doubled in exactness by each step. */
static const expr *reciprocal_root(builder *b, const expr *m) {
    const math_format *f = math_format_of(m);
    const bool single = f->real == DT_F32;
    const expr *bits = build_bitcast(b, f->integer, m);
    const expr *guess =
        build_sub(b, math_integer(b, bits, single ? 0x5f375a86 : 0x5fe6eb50c7b537a9), math_shift(b, EXPR_SHR, bits, 1));
    const expr *r = build_bitcast(b, f->real, guess), *half = build_mul(b, m, math_number(b, m, 0.5));
    for (int i = 0; i < (single ? 3 : 4); i++) {
        const expr *error = build_sub(b, math_number(b, m, 1.5), build_mul(b, half, build_mul(b, r, r)));
        r = build_mul(b, r, error);
    }
    return r;
}

/* sqrt(m) correctly rounded, 1 <= m < 4. One unit of the result is `unit`, and y is within one unit; the root lies
 * above y + unit/2 just where m - y^2 > y unit (+ unit^2/4, less than the least difference), and likewise below. */
static const expr *root_of_fraction(builder *b, const expr *m) {
    const expr *unit = math_number(b, m, ldexp(1, -math_format_of(m)->mantissa)), *zero = math_number(b, m, 0);
    const expr *r = reciprocal_root(b, m);
    const expr *first = build_mul(b, m, r);
    const expr *half = build_mul(b, r, math_number(b, m, 0.5));
    const expr *y = build_add(b, first, build_mul(b, remainder_of(b, m, first), half));
    const expr *rest = remainder_of(b, m, y), *limit = build_mul(b, y, unit);
    const expr *up = build_select(b, build_lt(b, limit, rest), unit, zero);
    const expr *down = build_select(b, build_le(b, rest, build_unary(b, EXPR_NEG, limit)), unit, zero);
    return build_add(b, y, build_sub(b, up, down));
}

/* SQRT: x = m 4^e with 1 <= m < 4. */
const expr *legalise_sqrt(builder *b, const expr *x) {
    const math_format *f = math_format_of(x);
    const int scale = (f->mantissa + 2) / 2;
    const expr *is_subnormal = build_lt(b, x, math_number(b, x, f->least_normal));
    const expr *scaled = build_mul(b, x, math_number(b, x, ldexp(1, 2 * scale)));
    const expr *bits = build_bitcast(b, f->integer, build_select(b, is_subnormal, scaled, x));
    const expr *exponent = build_sub(b, math_shift(b, EXPR_SHR, bits, f->mantissa), math_integer(b, bits, f->bias));
    const expr *e = math_shift(b, EXPR_SHR, exponent, 1);
    const expr *m = build_bitcast(b, f->real, build_sub(b, bits, math_shift(b, EXPR_SHL, e, f->mantissa + 1)));
    e = build_sub(b, e, build_select(b, is_subnormal, math_integer(b, bits, scale), math_integer(b, bits, 0)));
    const expr *root = build_bitcast(b, f->integer, root_of_fraction(b, m));
    root = build_bitcast(b, f->real, build_add(b, root, math_shift(b, EXPR_SHL, e, f->mantissa)));
    const expr *zero = math_number(b, x, 0);
    const expr *is_ordinary = build_and(b, build_lt(b, zero, x), build_lt(b, x, math_number(b, x, (double)INFINITY)));
    const expr *special = build_select(b, build_lt(b, x, zero), math_number(b, x, (double)NAN), x);
    return build_select(b, is_ordinary, root, special);
}
