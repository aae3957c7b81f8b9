/* Choosing a format: candidates, and a cost for each. */
#include <math.h>
#include <stddef.h>

#include "formats.h"

/* What the numbers are: themselves (x), or as a histogram. */
typedef struct source {
    const float *x;
    int64_t n;
    const histogram *h;
} source;

/* ---- costs ---- */

static double squared_error(const source *s, const format *f) {
    return s->x != NULL ? numbers_error(s->x, s->n, f) : histogram_error(s->h, f);
}

static int is_clipped(const histogram *h, int i, const format *f) {
    double x = ((double)i + 0.5 - HISTOGRAM_BINS / 2) * h->reach / (HISTOGRAM_BINS / 2);
    double half = (double)f->scale / 2;
    return x < (double)format_number(f, format_least(f)) - half || x > (double)format_number(f, format_most(f)) + half;
}

static int64_t level_of(const histogram *h, int i, const format *f) {
    return format_code(f, (float)(((double)i + 0.5 - HISTOGRAM_BINS / 2) * h->reach / (HISTOGRAM_BINS / 2)));
}

/* The divergence of what is left when the bins of one level are no longer told apart from the distribution as it is.
 * What saturates counts for the outermost bin that does not. */
static double divergence(const source *s, const format *f) {
    const histogram *h = s->h;
    double p[HISTOGRAM_BINS] = {0}, sum = 0;
    int first = 0, last = HISTOGRAM_BINS - 1;
    while (first < last && is_clipped(h, first, f))
        first++;
    while (last > first && is_clipped(h, last, f))
        last--;
    for (int i = 0; i < HISTOGRAM_BINS; i++)
        p[i < first ? first : i > last ? last : i] += (double)h->bins[i];
    for (int i = first, end; i <= last; i = end) {
        double kept = 0;
        int used = 0;
        for (end = i; end <= last && level_of(h, end, f) == level_of(h, i, f); end++) {
            kept += (double)h->bins[end];
            used += h->bins[end] > 0 || p[end] > 0;
        }
        double each = used > 0 ? (kept > 0 ? kept : 1e-3) / used : 0;
        for (int k = i; k < end; k++)
            if (p[k] > 0)
                sum += p[k] * log(p[k] / each);
    }
    return sum;
}

typedef double (*cost)(const source *s, const format *f);

/* ---- candidates ---- */

typedef struct search {
    const choice *c;
    const source *s;
    cost cost;
    format best;
    double least; /* cost of best; negative: none yet */
} search;

static void consider(search *t, format f) {
    double x = t->cost(t->s, &f);
    if (t->least >= 0 && x >= t->least)
        return;
    t->least = x;
    t->best = f;
}

/* Fractions from one too coarse to those that saturate most. */
enum { FRACS_BELOW = 1, FRACS_ABOVE = 6 };

static format search_fixed(search *t, double low, double high) {
    int from = format_covering(t->c, low, high).frac;
    for (int frac = from - FRACS_BELOW; frac <= from + FRACS_ABOVE; frac++)
        consider(t, format_fixed(t->c->width, t->c->is_signed, frac));
    return t->best;
}

/* Shares of the range, a FORMAT_STEP apart: first of both ends alike, then of each, from where the others
 * ended. */
enum { SHARES = 64 };

static format search_scale(search *t, double low, double high) {
    double best[2] = {1, 1};
    for (int end = 0; end < (t->c->scheme == SCHEME_AFFINE ? 3 : 1); end++) {
        double from[2] = {best[0], best[1]}, x = 1;
        for (int i = 0; i <= SHARES; i++, x *= FORMAT_STEP) {
            const double share[2] = {end == 2 ? from[0] : from[0] * x, end == 1 ? from[1] : from[1] * x};
            double before = t->least;
            consider(t, format_covering(t->c, low * share[0], high * share[1]));
            if (t->least < before || before < 0) {
                best[0] = share[0];
                best[1] = share[1];
            }
        }
    }
    return t->best;
}

/* ---- percentiles ---- */

/* The bounds that leave (100 - percentile) / 2 percent of the numbers outside at each end where there are any. */
static void percentile_bounds(const choice *c, const histogram *h, double *low, double *high) {
    double outside = (double)h->n * (100 - c->percentile) / 200, step = h->reach / (HISTOGRAM_BINS / 2), sum = 0;
    int i = 0, k = HISTOGRAM_BINS - 1;
    while (i < k && sum + (double)h->bins[i] <= outside)
        sum += (double)h->bins[i++];
    for (sum = 0; k > i && sum + (double)h->bins[k] <= outside; k--)
        sum += (double)h->bins[k];
    double from = (i - HISTOGRAM_BINS / 2) * step, to = (k + 1 - HISTOGRAM_BINS / 2) * step;
    *low = from > h->low ? from : h->low;
    *high = to < h->high ? to : h->high;
}

/* ---- choosing ---- */

static format choose(const choice *c, const source *s, const histogram *h) {
    double low = h->low, high = h->high;
    search t = {c, s, c->method == METHOD_ENTROPY ? divergence : squared_error, format_covering(c, low, high), -1};
    if (c->method == METHOD_HALF)
        return format_fixed(c->width, c->is_signed, c->width / 2);
    if (c->method == METHOD_PERCENTILE)
        percentile_bounds(c, h, &low, &high);
    if (c->method == METHOD_RANGE || c->method == METHOD_PERCENTILE || h->n == 0)
        return format_covering(c, low, high);
    return c->scheme == SCHEME_FIXED ? search_fixed(&t, low, high) : search_scale(&t, low, high);
}

format choose_for_histogram(const choice *c, const histogram *h) {
    const source s = {NULL, 0, h};
    return choose(c, &s, h);
}

/* Above this, the histogram is exact enough, and much faster. */
enum { EXACT_MOST = 1 << 14 };

format choose_for_numbers(const choice *c, const float *x, int64_t n, histogram *h) {
    histogram_begin(h);
    histogram_add(h, x, n);
    const source s = {n <= EXACT_MOST ? x : NULL, n, h};
    return choose(c, &s, h);
}
