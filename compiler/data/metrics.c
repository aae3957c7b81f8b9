/* Metrics over outputs. */
#include <math.h>

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

void metric_wilson(int64_t correct, int64_t samples, double *out_low, double *out_high) {
    const double z = 1.959963984540054; /* 97.5 % quantile of the normal distribution */
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
