/* Formats, and histograms of what is to be put into them. */
#include "formats.h"

#include <math.h>
#include <string.h>

int64_t format_least(const format *f) {
    return f->is_signed ? -((int64_t)1 << (f->width - 1)) : 0;
}

int64_t format_most(const format *f) {
    return ((int64_t)1 << (f->is_signed ? f->width - 1 : f->width)) - 1;
}

int64_t format_code(const format *f, float x) {
    double q = (double)rintf(x / f->scale) + (double)f->zero;
    double least = (double)format_least(f), most = (double)format_most(f);
    return (int64_t)(q > most ? most : q >= least ? q : least);
}

float format_number(const format *f, int64_t code) {
    return (float)(code - f->zero) * f->scale;
}

float format_round(const format *f, float x) {
    return format_number(f, format_code(f, x));
}

format format_fixed(int width, int is_signed, int frac) {
    format f = {width, is_signed, frac, 0, ldexpf(1, -frac)};
    return f;
}

/* ---- formats that cover a range ---- */

/* Fractions whose scale is a normal float, with room for a product of two. */
enum { FRAC_LEAST = -60, FRAC_MOST = 60 };

static format fixed_covering(const choice *c, double low, double high) {
    int frac = FRAC_MOST;
    format f = format_fixed(c->width, c->is_signed, frac);
    while (frac > FRAC_LEAST && (rint(ldexp(high, frac)) > (double)format_most(&f) ||
                                 (c->is_signed && rint(ldexp(low, frac)) < (double)format_least(&f))))
        frac--;
    return format_fixed(c->width, c->is_signed, frac);
}

static float usable_scale(double scale) {
    return scale > 1e-30 ? (float)scale : 1;
}

static format scaled_covering(const choice *c, double low, double high) {
    format f = {c->width, c->is_signed, 0, 0, 1};
    double least = (double)format_least(&f), most = (double)format_most(&f);
    if (c->scheme == SCHEME_SYMMETRIC) {
        double of_low = c->is_signed ? low / least : 0, of_high = high / most;
        f.scale = usable_scale(of_low > of_high ? of_low : of_high);
        return f;
    }
    f.scale = usable_scale((high - low) / (most - least));
    double zero = rint(least - low / (double)f.scale);
    f.zero = (int64_t)(zero < least ? least : zero > most ? most : zero);
    return f;
}

format format_covering(const choice *c, double low, double high) {
    low = low < 0 ? low : 0;
    high = high > 0 ? high : 0;
    return c->scheme == SCHEME_FIXED ? fixed_covering(c, low, high) : scaled_covering(c, low, high);
}

/* ---- histograms ---- */

void histogram_begin(histogram *h) {
    memset(h, 0, sizeof *h);
    h->reach = ldexp(1, -40);
}

/* Two bins become one, as far from the middle as both were. */
static void widen(histogram *h) {
    int64_t half[HISTOGRAM_BINS] = {0};
    for (int i = 0; i < HISTOGRAM_BINS; i++)
        half[HISTOGRAM_BINS / 4 + i / 2] += h->bins[i];
    memcpy(h->bins, half, sizeof half);
    h->reach *= 2;
}

void histogram_add(histogram *h, const float *x, int64_t n) {
    for (int64_t i = 0; i < n; i++) {
        double v = (double)x[i];
        if (!(v - v == 0))
            continue;
        h->low = h->n == 0 || v < h->low ? v : h->low;
        h->high = h->n == 0 || v > h->high ? v : h->high;
        h->n++;
        if (v == 0) {
            h->zeros++;
            continue;
        }
        while (!(v >= -h->reach && v < h->reach))
            widen(h);
        h->bins[(int)floor((v + h->reach) * (HISTOGRAM_BINS / 2) / h->reach)]++;
    }
}

static double bin_middle(const histogram *h, int i) {
    double x = ((double)i + 0.5 - HISTOGRAM_BINS / 2) * h->reach / (HISTOGRAM_BINS / 2);
    return x < h->low ? h->low : x > h->high ? h->high : x;
}

/* Where steps are finer than bins, a bin's numbers lie anywhere between two of them. */
double histogram_error(const histogram *h, const format *f) {
    double width = h->reach / (HISTOGRAM_BINS / 2), sum = 0, scale = (double)f->scale;
    double low = (double)format_number(f, format_least(f)), high = (double)format_number(f, format_most(f));
    for (int i = 0; i < HISTOGRAM_BINS; i++) {
        if (h->bins[i] == 0)
            continue;
        double x = bin_middle(h, i), error = x < low ? low - x : x > high ? x - high : 0;
        if (error == 0)
            error = scale < 2 * width ? scale * sqrt(1.0 / 12) : x - (double)format_round(f, (float)x);
        sum += error * error * (double)h->bins[i];
    }
    return sum;
}

double numbers_error(const float *x, int64_t n, const format *f) {
    double sum = 0;
    for (int64_t i = 0; i < n; i++) {
        double error = (double)(x[i] - format_round(f, x[i]));
        sum += error * error;
    }
    return sum;
}
