/* Metrics over outputs and other values. */
#include <math.h>
#include <string.h>

#include "data/data.h"

int64_t metric_argmax(dtype t, const void *data, int64_t n) {
    int64_t best = 0;
    double most = -INFINITY;
    for (int64_t i = 0; i < n; i++) {
        double x = dtype_get_double(t, data, (size_t)i);
        if (x > most) {
            most = x;
            best = i;
        }
    }
    return best;
}

static const double z = 1.959963984540054; /* 97.5 % quantile of the normal distribution */

void metric_wilson(int64_t correct, int64_t samples, double *out_low, double *out_high) {
    double n = (double)samples, p = samples > 0 ? (double)correct / n : 0, z2 = z * z;
    if (samples == 0) {
        *out_low = 0;
        *out_high = 1;
        return;
    }
    double middle = (p + z2 / (2 * n)) / (1 + z2 / n);
    double half = z / (1 + z2 / n) * sqrt(p * (1 - p) / n + z2 / (4 * n * n));
    *out_low = correct == 0 ? 0 : middle - half;
    *out_high = correct == samples ? 1 : middle + half;
}

void metric_pair(double first, double second, paired *into) {
    into->n++;
    into->first_better += first > second;
    into->second_better += first < second;
    into->sum += first - second;
    into->squares += (first - second) * (first - second);
}

static void interval(double middle, double variance, double least, double most, double *out_low, double *out_high) {
    double half = z * sqrt(variance > 0 ? variance : 0);
    *out_low = middle - half > least ? middle - half : least;
    *out_high = middle + half < most ? middle + half : most;
}

void metric_paired_proportions(const paired *p, double *out_low, double *out_high) {
    double n = (double)p->n + 2, apart = (double)(p->first_better - p->second_better);
    double unlike = (double)(p->first_better + p->second_better) + 1;
    interval(apart / n, (unlike - apart * apart / n) / (n * n), -1, 1, out_low, out_high);
}

void metric_paired_means(const paired *p, double *out_low, double *out_high) {
    double n = (double)p->n, mean = p->n > 0 ? p->sum / n : 0;
    double variance = p->n > 1 ? (p->squares - n * mean * mean) / (n - 1) / n : INFINITY;
    interval(mean, variance, -INFINITY, INFINITY, out_low, out_high);
}

void metric_squares(dtype t, const void *reference, const void *x, int64_t n, squares *into) {
    for (int64_t i = 0; i < n; i++) {
        double r = dtype_get_double(t, reference, (size_t)i), e = dtype_get_double(t, x, (size_t)i) - r;
        into->signal += r * r;
        into->noise += e * e;
    }
    into->n += n;
}

double metric_sqnr(const squares *s) {
    return s->noise == 0 ? INFINITY : 10 * log10(s->signal / s->noise);
}

/* ---- two forms of a value ---- */

enum { BLOCK = 256 };

static void load(dtype t, const void *data, int64_t first, int64_t n, double *out) {
    for (int64_t i = 0; t != DT_F32 && i < n; i++)
        out[i] = dtype_get_double(t, data, (size_t)(first + i));
    for (int64_t i = 0; t == DT_F32 && i < n; i++) {
        float x;
        memcpy(&x, (const char *)data + (size_t)(first + i) * sizeof x, sizeof x);
        out[i] = (double)x;
    }
}

static void widen(double x, double *low, double *high) {
    *low = x < *low ? x : *low;
    *high = x > *high ? x : *high;
}

static void compare_finite(double x, double y, comparison *c) {
    double e = y - x, size = fabs(e);
    c->squares.signal += x * x;
    c->squares.noise += e * e;
    c->other += y * y;
    c->product += x * y;
    c->error_sum += size;
    c->error_max = size > c->error_max ? size : c->error_max;
    c->n_differ += e != 0;
    widen(x, &c->low[0], &c->high[0]);
    widen(y, &c->low[1], &c->high[1]);
}

static void compare_odd(double x, double y, comparison *c) {
    bool same = x == y || (isnan(x) && isnan(y));
    c->n_odd += !same;
    c->n_differ += !same;
    if (isfinite(x))
        widen(x, &c->low[0], &c->high[0]);
    if (isfinite(y))
        widen(y, &c->low[1], &c->high[1]);
}

comparison metric_comparison(void) {
    return (comparison){.low = {INFINITY, INFINITY}, .high = {-INFINITY, -INFINITY}};
}

void metric_compare(dtype tx, const void *x, dtype ty, const void *y, int64_t n, comparison *into) {
    double a[BLOCK], b[BLOCK];
    for (int64_t first = 0; first < n; first += BLOCK) {
        int64_t here = n - first < BLOCK ? n - first : BLOCK;
        load(tx, x, first, here, a);
        load(ty, y, first, here, b);
        for (int64_t i = 0; i < here; i++)
            if (isfinite(a[i]) && isfinite(b[i]))
                compare_finite(a[i], b[i], into);
            else
                compare_odd(a[i], b[i], into);
    }
    into->squares.n += n;
}

double metric_cosine(const comparison *c) {
    if (c->squares.signal == 0 || c->other == 0)
        return c->squares.signal == c->other ? 1 : 0;
    return c->product / (sqrt(c->squares.signal) * sqrt(c->other));
}

double metric_mean_error(const comparison *c) {
    return c->squares.n > 0 ? c->error_sum / (double)c->squares.n : 0;
}

void metric_saturation(dtype t, const void *x, int64_t n, saturation *into) {
    int64_t least = dtype_min(t);
    uint64_t largest = dtype_max(t);
    for (int64_t i = 0; i < n; i++) {
        int64_t v = dtype_get_int(t, x, (size_t)i);
        into->least += v == least;
        into->largest += (uint64_t)v == largest;
    }
    into->n += n;
}
