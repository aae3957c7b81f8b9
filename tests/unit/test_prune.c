/* rooms: base */
#include "test_support.h"

#include <math.h>
#include <string.h>

/* The plugin's own files: they need nothing of tenon. */
#include "../../plugins/prune/grain.c"
#include "../../plugins/prune/obs.c"

static double noise(int i) {
    return random_score(1, "noise", i) - 0.5;
}

static int by_value(const void *x, const void *y) {
    double a = *(const double *)x, b = *(const double *)y;
    return (a > b) - (a < b);
}

static void test_nth(void **state) {
    (void)state;
    double x[200], sorted[200], room[200];
    for (int n = 1; n <= 200; n += 7)
        for (int form = 0; form < 4; form++) {
            for (int i = 0; i < n; i++) /* any, sorted, few different, all alike */
                x[i] = form == 0 ? noise(i) : form == 1 ? i : form == 2 ? i * 7 % 3 : 1;
            memcpy(sorted, x, sizeof x);
            qsort(sorted, (size_t)n, sizeof *sorted, by_value);
            for (int k = 0; k < n; k++) {
                memcpy(room, x, sizeof x);
                assert_true(nth_least(room, n, k) == sorted[k]);
            }
        }
}

static void test_keep(void **state) {
    (void)state;
    const double scores[] = {3, 1, 2, 1, 1, 5};
    double room[6];
    unsigned char keep[6];
    static const char *const want[] = {"111111", "101111", "101011", "101001", "100001", "000001", "000000"};
    for (int gone = 0; gone <= 6; gone++) { /* the first of equal ones */
        keep_but_least(scores, 6, gone, room, keep);
        for (int i = 0; i < 6; i++)
            assert_int_equal(keep[i], want[gone][i] - '0');
    }
    assert_int_equal(share_of(0.5, 5), 3);
    assert_int_equal(share_of(0, 5), 0);
    assert_int_equal(share_of(1, 5), 5);
}

static void test_units(void **state) {
    (void)state;
    const shape s = {3, 10, 5}; /* two runs of five */
    const grain block = {2, 2, 0}, row = {1, 0, 0}, column = {0, 1, 0};
    assert_int_equal(grain_units(&block, &s, 0, 10), 2 * 6);
    assert_int_equal(grain_end(&block, &s, 3), 4);
    assert_int_equal(grain_end(&block, &s, 4), 5); /* the run ends */
    assert_int_equal(grain_end(&block, &s, 5), 7);
    assert_int_equal(grain_units(&row, &s, 0, 10), 3);
    assert_int_equal(grain_units(&column, &s, 0, 10), 10);
    assert_int_equal(grain_units(&block, &s, 4, 7), 2 * 2);
    double ones[30], sums[12];
    for (int i = 0; i < 30; i++)
        ones[i] = 1;
    grain_sum(&block, &s, 0, 10, ones, sums);
    const double want[12] = {4, 4, 2, 4, 4, 2, 2, 2, 1, 2, 2, 1};
    assert_memory_equal(sums, want, sizeof want);
    unsigned char units[4] = {1, 0, 1, 1}, keep[30];
    memset(keep, 1, sizeof keep);
    grain_spread(&block, &s, 4, 7, units, keep);
    for (int i = 0; i < 30; i++)
        assert_int_equal(keep[i], !(i / 10 < 2 && i % 10 >= 5 && i % 10 < 7));
}

static void test_n_of_m(void **state) {
    (void)state;
    const shape s = {1, 7, 7};
    const grain g = {1, 4, 2};
    const double scores[] = {1, 4, 4, 4, 9, 8, 7}; /* of equal ones the first; the rest of three keeps two */
    unsigned char keep[7];
    memset(keep, 1, sizeof keep);
    grain_keep_best(&g, &s, 0, 7, scores, keep);
    const unsigned char want[] = {0, 1, 1, 0, 1, 1, 0};
    assert_memory_equal(keep, want, sizeof want);
}

/* ---- brain surgery ---- */

enum { K = 12, ROWS_SEEN = 100, OUTPUTS = 3 };

/* The upper half of the sum of products of inputs that hang together. */
static void make_sum(double *sum, float *x) {
    for (int r = 0; r < ROWS_SEEN; r++)
        for (int i = 0; i < K; i++)
            x[r * K + i] = (float)(noise(r * 3 + i % 3) + 0.3 * noise(1000 + r * K + i));
    memset(sum, 0, K * K * sizeof *sum);
    obs_add(sum, K, x, ROWS_SEEN);
}

static void test_sum(void **state) {
    (void)state;
    static float x[ROWS_SEEN * K];
    double sum[K * K], h[K * K], inverse[K * K];
    make_sum(sum, x);
    for (int a = 0; a < K; a++)
        for (int b = a; b < K; b++) {
            double want = 0;
            for (int r = 0; r < ROWS_SEEN; r++)
                want += (double)x[r * K + a] * (double)x[r * K + b];
            assert_true(fabs(sum[a * K + b] - want) < 1e-4);
        }
    assert_true(obs_invert(sum, K, h, inverse));
    double mean = 0;
    for (int i = 0; i < K; i++)
        mean += sum[i * K + i] / (int)K;
    for (int a = 0; a < K; a++)
        for (int b = 0; b < K; b++) { /* (sum + damping) times the inverse */
            double s = 0;
            for (int i = 0; i < K; i++)
                s += (sum[i < a ? i * K + a : a * K + i] + (i == a ? 0.01 * mean + 1e-9 : 0)) * inverse[i * K + b];
            assert_true(fabs(s - (a == b)) < 1e-8);
        }
    double factor[K * K];
    memcpy(factor, inverse, sizeof factor);
    assert_true(obs_factorise(factor, K));
    for (int a = 0; a < K; a++)
        for (int b = 0; b < K; b++) { /* its transpose times itself is the inverse */
            double s = 0;
            for (int i = 0; i < K; i++)
                s += factor[i * K + a] * factor[i * K + b];
            assert_true(fabs(s - inverse[a * K + b]) < 1e-10);
        }
    memset(sum, 0, sizeof sum);
    assert_true(obs_invert(sum, K, h, inverse)); /* no data are like none that hang together */
    sum[5] = NAN;
    assert_false(obs_invert(sum, K, h, inverse));
}

static double error_of(const float *x, const double *w, const double *now, int outputs) {
    double e = 0;
    for (int r = 0; r < ROWS_SEEN; r++)
        for (int o = 0; o < outputs; o++) {
            double d = 0;
            for (int i = 0; i < K; i++)
                d += (w[o * K + i] - now[o * K + i]) * (double)x[r * K + i];
            e += d * d;
        }
    return e;
}

/* Half of the weights go; those behind make up for it. */
static void test_prune(void **state) {
    (void)state;
    static float x[ROWS_SEEN * K];
    const shape s = {OUTPUTS, K, K};
    const grain element = {1, 1, 0};
    double sum[K * K], h[K * K], inverse[K * K], w[OUTPUTS * K], now[OUTPUTS * K], plain[OUTPUTS * K],
        scores[OUTPUTS * K], sums[OUTPUTS * K], twice[OUTPUTS * K];
    unsigned char keep[OUTPUTS * K], units[OUTPUTS * K];
    const obs_room room = {scores, sums, twice, units};
    make_sum(sum, x);
    assert_true(obs_invert(sum, K, h, inverse) && obs_factorise(inverse, K));
    for (int i = 0; i < OUTPUTS * K; i++)
        now[i] = w[i] = noise(5000 + i);
    memset(keep, 1, sizeof keep);
    keep[3] = 0; /* gone before */
    obs_prune(&element, &s, now, inverse, 0.5, keep, &room);
    int gone = 0;
    for (int i = 0; i < OUTPUTS * K; i++) {
        gone += !keep[i];
        plain[i] = keep[i] ? w[i] : 0;
        assert_true(keep[i] || now[i] == 0);
    }
    assert_int_equal(gone, OUTPUTS * K / 2);
    assert_int_equal(keep[3], 0);
    assert_true(error_of(x, w, now, OUTPUTS) < 0.75 * error_of(x, w, plain, OUTPUTS));
}

/* Units go together; the first is the one whose loss, with all others at their best, is least. */
static void test_remove(void **state) {
    (void)state;
    static float x[ROWS_SEEN * K];
    double sum[K * K], h[K * K], inverse[K * K], w[OUTPUTS * K], room[K + 10];
    unsigned char units[6] = {1, 1, 1, 1, 1, 1};
    make_sum(sum, x);
    double least = INFINITY;
    int best = -1;
    for (int u = 0; u < 6; u++) { /* two inputs each: u and u + 6 */
        double now[OUTPUTS * K], copy[K * K];
        unsigned char only[6] = {0};
        only[u] = 1;
        assert_true(obs_invert(sum, K, h, inverse));
        memcpy(copy, inverse, sizeof copy);
        for (int i = 0; i < OUTPUTS * K; i++)
            now[i] = w[i] = noise(7000 + i);
        obs_reader r = {now, OUTPUTS, copy, {2, 6, 1}, 0};
        assert_true(obs_remove(&r, 1, 1, only, room));
        for (int o = 0; o < OUTPUTS; o++)
            assert_true(now[o * K + u] == 0 && now[o * K + u + 6] == 0);
        double e = error_of(x, w, now, OUTPUTS);
        best = e < least ? u : best;
        least = e < least ? e : least;
    }
    double now[OUTPUTS * K];
    memcpy(now, w, sizeof now);
    obs_reader r = {now, OUTPUTS, inverse, {2, 6, 1}, 0};
    assert_true(obs_remove(&r, 1, 1, units, room));
    assert_int_equal(units[best], 0);
    assert_true(obs_remove(&r, 1, 3, units, room));
    int left = 0;
    for (int u = 0; u < 6; u++)
        left += units[u];
    assert_int_equal(left, 2);
    assert_false(obs_remove(&r, 1, 3, units, room)); /* there are not so many */
}

static void test_random(void **state) {
    (void)state;
    double sum = 0;
    for (int i = 0; i < 10000; i++) {
        double x = random_score(3, "w", i);
        assert_true(x >= 0 && x < 1);
        sum += x;
    }
    assert_true(fabs(sum / 10000 - 0.5) < 0.01);
    assert_true(random_score(3, "w", 5) == random_score(3, "w", 5));
    assert_true(random_score(3, "w", 5) != random_score(4, "w", 5));
    assert_true(random_score(3, "w", 5) != random_score(3, "v", 5));
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_nth),    cmocka_unit_test(test_keep),
                                       cmocka_unit_test(test_units),  cmocka_unit_test(test_n_of_m),
                                       cmocka_unit_test(test_sum),    cmocka_unit_test(test_prune),
                                       cmocka_unit_test(test_remove), cmocka_unit_test(test_random)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
