/* Pruning by the inverse of the sum of products of a layer's inputs. */
#include "obs.h"

#include <math.h>

/* ---- the sum ---- */

/* By eight rows at a time, in floats: a product of the sum is read and written once for the eight. */
enum { ROWS_AT_ONCE = 8 };

static void add_products(double *restrict sum, int64_t n, const float *by, const float *const *row) {
    const float *const r[ROWS_AT_ONCE] = {row[0], row[1], row[2], row[3], row[4], row[5], row[6], row[7]};
    for (int64_t i = 0; i < n; i++)
        sum[i] += (double)(by[0] * r[0][i] + by[1] * r[1][i] + by[2] * r[2][i] + by[3] * r[3][i] + by[4] * r[4][i] +
                           by[5] * r[5][i] + by[6] * r[6][i] + by[7] * r[7][i]);
}

/* From column a * from on. */
static void add(double *sum, int64_t k, const float *left, const float *x, int64_t n, int64_t from) {
    for (int64_t first = 0; first < n; first += ROWS_AT_ONCE)
        for (int64_t a = 0; a < k; a++) {
            float by[ROWS_AT_ONCE];
            const float *row[ROWS_AT_ONCE];
            for (int64_t r = 0; r < ROWS_AT_ONCE; r++) {
                const int64_t at = first + r < n ? first + r : first; /* once more, by 0, where there are fewer */
                by[r] = first + r < n ? left[at * k + a] : 0;
                row[r] = x + at * k + a * from;
            }
            add_products(sum + a * k + a * from, k - a * from, by, row);
        }
}

void obs_add(double *sum, int64_t k, const float *x, int64_t n) {
    add(sum, k, x, x, n, 1);
}

void obs_add_cross(double *sum, int64_t k, const float *d, const float *x, int64_t n) {
    add(sum, k, d, x, n, 0);
}

/* ---- linear algebra, on k x k matrices ---- */

static double dot(const double *x, const double *y, int64_t n) {
    double s[4] = {0, 0, 0, 0};
    int64_t i = 0;
    for (; i + 4 <= n; i += 4)
        for (int64_t q = 0; q < 4; q++)
            s[q] += x[i + q] * y[i + q];
    for (; i < n; i++)
        s[0] += x[i] * y[i];
    return (s[0] + s[1]) + (s[2] + s[3]);
}

/* The lower Cholesky factor in place; 0 where the matrix is not positive. */
static int factorise(double *m, int64_t k) {
    for (int64_t c = 0; c < k; c++) {
        double d = m[c * k + c] - dot(m + c * k, m + c * k, c);
        if (!(d > 0) || isinf(d))
            return 0;
        m[c * k + c] = sqrt(d);
        for (int64_t r = c + 1; r < k; r++)
            m[r * k + c] = (m[r * k + c] - dot(m + r * k, m + c * k, c)) / m[c * k + c];
    }
    return 1;
}

/* out = the inverse of L L^T, which is symmetric: first L^-1, a row for each of its columns, then the products of
 * those. */
static void invert(const double *l, double *out, int64_t k) {
    for (int64_t c = 0; c < k; c++) {
        double *x = out + c * k;
        for (int64_t r = 0; r < c; r++)
            x[r] = 0;
        for (int64_t r = c; r < k; r++)
            x[r] = ((r == c ? 1 : 0) - dot(l + r * k + c, x + c, r - c)) / l[r * k + r];
    }
    for (int64_t a = 0; a < k; a++)
        for (int64_t b = a; b < k; b++) /* what stands before b is not needed any more */
            out[a * k + b] = dot(out + a * k + b, out + b * k + b, k - b);
    for (int64_t a = 0; a < k; a++)
        for (int64_t b = 0; b < a; b++)
            out[a * k + b] = out[b * k + a];
}

/* More where that is not enough, as it is for data that are constant but for what rounding adds. */
enum { DAMPINGS = 12 };

int obs_invert(const double *sum, int64_t k, double *h, double *inverse) {
    double mean = 0;
    for (int64_t i = 0; i < k; i++)
        mean += fabs(sum[i * k + i]) / (double)k;
    double damping = 0.01 * mean + 1e-9;
    for (int n = 0; n < DAMPINGS; n++, damping *= 10) {
        for (int64_t i = 0; i < k * k; i++) {
            int64_t r = i / k, c = i % k;
            h[i] = sum[r < c ? i : c * k + r] + (r == c ? damping : 0);
        }
        if (!factorise(h, k))
            continue;
        invert(h, inverse, k);
        return 1;
    }
    return 0;
}

int obs_factorise(double *inverse, int64_t k) {
    if (!factorise(inverse, k))
        return 0;
    for (int64_t a = 0; a < k; a++)
        for (int64_t b = a; b < k; b++) {
            inverse[a * k + b] = inverse[b * k + a];
            inverse[b * k + a] = a == b ? inverse[b * k + a] : 0;
        }
    return 1;
}

/* ---- single weights, and units of them ---- */

static void score_stripe(const shape *s, int64_t from, int64_t to, const double *x, const double *factor,
                         const unsigned char *keep, double *scores) {
    for (int64_t o = 0; o < s->outputs; o++)
        for (int64_t i = from; i < to; i++) {
            double w = x[o * s->inputs + i] / factor[i * s->inputs + i];
            *scores++ = keep[o * s->inputs + i] ? w * w : -1;
        }
}

/* Sets what goes to zero, one input after the other; those behind make up for it. */
static void compensate(const shape *s, int64_t from, int64_t to, double *x, const double *factor,
                       const unsigned char *keep) {
    int64_t k = s->inputs;
    for (int64_t o = 0; o < s->outputs; o++) {
        double *row = x + o * k;
        for (int64_t i = from; i < to; i++) {
            if (keep[o * k + i])
                continue;
            const double *f = factor + i * k;
            double error = row[i] / f[i];
            row[i] = 0;
            for (int64_t n = i + 1; n < k; n++)
                row[n] -= error * f[n];
        }
    }
}

static int64_t stripe_end(const grain *g, const shape *s, int64_t from) {
    int64_t to = grain_end(g, s, from);
    while (to < s->inputs && grain_end(g, s, to) - from <= OBS_STRIPE)
        to = grain_end(g, s, to);
    return to;
}

void obs_prune(const grain *g, const shape *s, double *x, const double *factor, double share, unsigned char *keep,
               const obs_room *room) {
    int64_t units = 0, gone = 0;
    for (int64_t from = 0, to; from < s->inputs; from = to) {
        to = stripe_end(g, s, from);
        score_stripe(s, from, to, x, factor, keep, room->scores);
        if (g->kept > 0) {
            grain_keep_best(g, s, from, to, room->scores, keep);
        } else {
            int64_t n = grain_units(g, s, from, to), least = share_of(share, units += n) - gone;
            grain_sum(g, s, from, to, room->scores, room->sums);
            keep_but_least(room->sums, n, least, room->twice, room->units);
            grain_spread(g, s, from, to, room->units, keep);
            gone += least;
        }
        compensate(s, from, to, x, factor, keep);
    }
}

/* ---- inputs of all outputs ---- */

/* The place of input e (of outer * inner) of unit u. */
static int64_t input_of(const obs_units *by, int64_t u, int64_t e) {
    return (e / by->inner * by->n_units + u) * by->inner + e % by->inner;
}

/* What the squared error grows by when unit u goes; negative: its inputs have no inverse. */
static double loss(const obs_reader *r, int64_t u, double *block, double *solved) {
    const obs_units *by = &r->by;
    int64_t each = by->outer * by->inner, k = each * by->n_units;
    double sum = 0;
    for (int64_t a = 0; a < each; a++)
        for (int64_t b = 0; b < each; b++)
            block[a * each + b] = r->inverse[input_of(by, u, a) * k + input_of(by, u, b)];
    if (!factorise(block, each))
        return -1;
    for (int64_t o = 0; o < r->outputs; o++)
        for (int64_t a = 0; a < each; a++) {
            solved[a] = (r->x[o * k + input_of(by, u, a)] - dot(block + a * each, solved, a)) / block[a * each + a];
            sum += solved[a] * solved[a];
        }
    return sum;
}

/* Takes input i away. */
static void eliminate(const obs_reader *r, int64_t i, double *line) {
    int64_t k = r->by.outer * r->by.n_units * r->by.inner;
    double by = r->inverse[i * k + i];
    for (int64_t n = 0; n < k; n++)
        line[n] = r->inverse[i * k + n] / by;
    for (int64_t o = 0; o < r->outputs; o++) {
        double *row = r->x + o * k, w = row[i];
        for (int64_t n = 0; n < k && w != 0; n++)
            row[n] -= w * line[n];
        row[i] = 0;
    }
    for (int64_t at = 0; at < k; at++) {
        double *row = r->inverse + at * k, w = row[i];
        for (int64_t n = 0; n < k && w != 0 && at != i; n++)
            row[n] -= w * line[n];
        row[i] = 0;
    }
    for (int64_t n = 0; n < k; n++)
        r->inverse[i * k + n] = 0;
}

/* The unit that costs least; -1 where that cannot be said. */
static int64_t cheapest(const obs_reader *readers, int n, const unsigned char *units, double *room) {
    int64_t best = -1;
    double least = INFINITY;
    for (int64_t u = 0; u < readers[0].by.n_units; u++) {
        double sum = 0;
        for (int i = 0; i < n && units[u]; i++) {
            int64_t each = readers[i].by.outer * readers[i].by.inner;
            double l = loss(&readers[i], u, room, room + each * each);
            if (l < 0)
                return -1;
            sum += l * readers[i].weight;
        }
        if (units[u] && sum < least) {
            least = sum;
            best = u;
        }
    }
    return best;
}

/* Readers count alike, however large what they read and give is. */
static int weigh(obs_reader *r, const unsigned char *units, double *room) {
    int64_t each = r->by.outer * r->by.inner;
    double sum = 0;
    for (int64_t u = 0; u < r->by.n_units; u++) {
        double l = units[u] ? loss(r, u, room, room + each * each) : 0;
        if (l < 0)
            return 0;
        sum += l;
    }
    r->weight = sum > 0 ? 1 / sum : 1;
    return 1;
}

int obs_remove(obs_reader *readers, int n, int64_t gone, unsigned char *units, double *room) {
    for (int i = 0; i < n; i++)
        if (!weigh(&readers[i], units, room))
            return 0;
    for (; gone > 0; gone--) {
        int64_t u = cheapest(readers, n, units, room);
        if (u < 0)
            return 0;
        for (int i = 0; i < n; i++)
            for (int64_t e = 0; e < readers[i].by.outer * readers[i].by.inner; e++)
                eliminate(&readers[i], input_of(&readers[i].by, u, e), room);
        units[u] = 0;
    }
    return 1;
}
