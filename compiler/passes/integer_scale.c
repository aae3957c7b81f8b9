/* Scales as integers, and what sums can be. */
#include "passes/integer_scale.h"

#include <math.h>

bool fixed_of(double x, int bits, int most, fixed *out) {
    int exponent;
    if (!(x > 0) || isinf(x))
        return false;
    double fraction = frexp(x, &exponent);
    int shift = bits - exponent, excess = shift > most ? shift - most : 0;
    if (shift < 0 || excess > bits) {
        *out = (fixed){0, 0};
        return shift >= 0; /* what is that small rounds to 0 */
    }
    int64_t mult = llrint(ldexp(fraction, bits - excess));
    *out = (fixed){mult, shift - excess};
    if (mult == INT64_C(1) << bits)
        *out = (fixed){mult / 2, out->shift - 1};
    return out->shift >= 0;
}

static int bits_of(int64_t x) {
    uint64_t size = x < 0 ? (uint64_t)-(x + 1) + 1 : (uint64_t)x;
    int bits = 0;
    for (; size > 0; size >>= 1)
        bits++;
    return bits;
}

int fixed_bits(span of) {
    int lo = bits_of(of.lo), hi = bits_of(of.hi), left = 62 - (lo > hi ? lo : hi);
    return left < 31 ? left : 31;
}

int64_t quantised_number(double x, double scale, int64_t zero, span within) {
    double y = rint(x / scale) + (double)zero;
    if (isnan(y))
        y = (double)zero;
    return y <= (double)within.lo ? within.lo : y >= (double)within.hi ? within.hi : (int64_t)y;
}

bool span_fits(span x, dtype t) {
    return x.lo >= dtype_min(t) && (x.hi < 0 || (uint64_t)x.hi <= dtype_max(t));
}

dtype span_type(span x) {
    return span_fits(x, DT_I8) ? DT_I8 : span_fits(x, DT_I16) ? DT_I16 : DT_I32;
}

static span hull(int64_t x, int64_t y) {
    return (span){x < y ? x : y, x < y ? y : x};
}

span span_of_product(span a, span b, int64_t n) {
    span low = hull(a.lo * b.lo, a.lo * b.hi), high = hull(a.hi * b.lo, a.hi * b.hi);
    return (span){(low.lo < high.lo ? low.lo : high.lo) * n, (low.hi > high.hi ? low.hi : high.hi) * n};
}

void span_add_scaled(span *sum, int64_t factor, span x) {
    span product = hull(factor * x.lo, factor * x.hi);
    sum->lo += product.lo;
    sum->hi += product.hi;
}
