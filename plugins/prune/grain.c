/* Units of weights, and the selection of those that go. */
#include "grain.h"

/* ---- units ---- */

static int64_t rows_of(const grain *g, const shape *s) {
    return g->rows > 0 ? g->rows : s->outputs;
}

/* Columns of a unit; all inputs are one unit whatever the runs. */
static int64_t unit_along(const grain *g, const shape *s, int64_t i) {
    if (g->columns == 0)
        return 0;
    int64_t each = (s->run + g->columns - 1) / g->columns;
    return i / s->run * each + i % s->run / g->columns;
}

int64_t grain_end(const grain *g, const shape *s, int64_t i) {
    if (g->columns == 0)
        return s->inputs;
    int64_t begin = i - i % s->run, end = begin + (i % s->run / g->columns + 1) * g->columns;
    return end < begin + s->run ? end : begin + s->run;
}

static int64_t units_along(const grain *g, const shape *s, int64_t from, int64_t to) {
    return to > from ? unit_along(g, s, to - 1) - unit_along(g, s, from) + 1 : 0;
}

int64_t grain_units(const grain *g, const shape *s, int64_t from, int64_t to) {
    int64_t rows = rows_of(g, s);
    return (s->outputs + rows - 1) / rows * units_along(g, s, from, to);
}

void grain_sum(const grain *g, const shape *s, int64_t from, int64_t to, const double *scores, double *sums) {
    int64_t along = units_along(g, s, from, to), first = unit_along(g, s, from), rows = rows_of(g, s);
    for (int64_t u = 0; u < grain_units(g, s, from, to); u++)
        sums[u] = 0;
    for (int64_t o = 0; o < s->outputs; o++)
        for (int64_t i = from; i < to; i++)
            sums[o / rows * along + unit_along(g, s, i) - first] += *scores++;
}

void grain_spread(const grain *g, const shape *s, int64_t from, int64_t to, const unsigned char *of_unit,
                  unsigned char *keep) {
    int64_t along = units_along(g, s, from, to), first = unit_along(g, s, from), rows = rows_of(g, s);
    for (int64_t o = 0; o < s->outputs; o++)
        for (int64_t i = from; i < to; i++)
            keep[o * s->inputs + i] &= of_unit[o / rows * along + unit_along(g, s, i) - first];
}

void grain_keep_best(const grain *g, const shape *s, int64_t from, int64_t to, const double *scores,
                     unsigned char *keep) {
    for (int64_t o = 0; o < s->outputs; o++) {
        const double *row = scores + o * (to - from) - from;
        for (int64_t begin = from, end; begin < to; begin = end) {
            end = grain_end(g, s, begin);
            for (int64_t i = begin; i < end; i++) {
                int64_t better = 0;
                for (int64_t k = begin; k < end; k++)
                    better += row[k] > row[i] || (row[k] == row[i] && k < i);
                keep[o * s->inputs + i] &= better < g->kept;
            }
        }
    }
}

/* ---- selection ---- */

static void swap(double *x, int64_t i, int64_t k) {
    double t = x[i];
    x[i] = x[k];
    x[k] = t;
}

/* Hoare's selection; the pivot is the median of three. */
double nth_least(double *x, int64_t n, int64_t nth) {
    int64_t low = 0, high = n - 1;
    while (low < high) {
        int64_t middle = low + (high - low) / 2, i = low, k = high;
        if (x[middle] < x[low])
            swap(x, middle, low);
        if (x[high] < x[low])
            swap(x, high, low);
        if (x[high] < x[middle])
            swap(x, high, middle);
        double pivot = x[middle];
        while (i <= k) {
            while (x[i] < pivot)
                i++;
            while (pivot < x[k])
                k--;
            if (i <= k)
                swap(x, i++, k--);
        }
        if (nth <= k)
            high = k;
        else if (nth >= i)
            low = i;
        else
            break;
    }
    return x[nth];
}

void keep_but_least(const double *scores, int64_t n, int64_t n_least, double *room, unsigned char *keep) {
    int64_t equal = n_least;
    double bound = 0;
    for (int64_t i = 0; i < n; i++)
        room[i] = scores[i];
    if (n_least > 0)
        bound = nth_least(room, n, n_least - 1);
    for (int64_t i = 0; i < n; i++)
        equal -= n_least > 0 && scores[i] < bound;
    for (int64_t i = 0; i < n; i++)
        keep[i] = !(n_least > 0 && (scores[i] < bound || (scores[i] == bound && equal-- > 0)));
}

int64_t share_of(double share, int64_t n) {
    return (int64_t)(share * (double)n + 0.5);
}

/* ---- random numbers ---- */

/* The finaliser of splitmix64 (Steele et al.). */
static uint64_t mixed(uint64_t x) {
    x += 0x9e3779b97f4a7c15u;
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
    x = (x ^ x >> 27) * 0x94d049bb133111ebu;
    return x ^ x >> 31;
}

double random_score(uint64_t seed, const char *name, int64_t i) {
    uint64_t h = mixed(seed);
    for (const char *c = name; *c != '\0'; c++)
        h = mixed(h ^ (unsigned char)*c);
    return (double)(mixed(h ^ (uint64_t)i) >> 11) * 0x1p-53;
}
