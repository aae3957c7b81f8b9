/* rooms: base */
/* The mathematics of plugins/quantize: formats, histograms, choices. */
#include <math.h>

#include "../../plugins/quantize/formats.h"
#include "test_support.h"

/* The plugin's own files: they need nothing of tenon. */
#include "../../plugins/quantize/choose.c"
#include "../../plugins/quantize/formats.c"

static const choice fixed_8 = {SCHEME_FIXED, METHOD_RANGE, 8, 1, 99.99};

static void test_codes(void **state) {
    (void)state;
    format f = format_fixed(4, 1, 1);
    assert_int_equal(format_least(&f), -8);
    assert_int_equal(format_most(&f), 7);
    assert_int_equal(format_code(&f, 0.25f), 0); /* ties go to even */
    assert_int_equal(format_code(&f, 0.75f), 2);
    assert_int_equal(format_code(&f, -100), -8);
    assert_int_equal(format_code(&f, INFINITY), 7);
    assert_int_equal(format_code(&f, NAN), -8);
    assert_true(format_round(&f, 3.4f) == 3.5f);
    f = format_fixed(3, 0, -2);
    assert_int_equal(format_least(&f), 0);
    assert_int_equal(format_most(&f), 7);
    assert_true(format_round(&f, 30) == 28);
    assert_true(format_round(&f, -1) == 0);
    f = (format){8, 0, 0, 128, 0.5f};
    assert_int_equal(format_code(&f, -3), 122);
    assert_true(format_number(&f, 122) == -3);
}

static void test_covering(void **state) {
    (void)state;
    assert_int_equal(format_covering(&fixed_8, -1, 0.5).frac, 7);
    assert_int_equal(format_covering(&fixed_8, -1, 1).frac, 6); /* 1 is no code of Q1.7 */
    assert_int_equal(format_covering(&fixed_8, 0, 300).frac, -2);
    choice c = {SCHEME_AFFINE, METHOD_RANGE, 8, 0, 100};
    format f = format_covering(&c, 1, 3); /* 0 is covered, too */
    assert_int_equal(f.zero, 0);
    assert_true(fabsf(f.scale - 3.0f / 255) < 1e-7f);
    f = format_covering(&c, -1, 3);
    assert_int_equal(f.zero, 64);
    assert_true(format_number(&f, f.zero) == 0);
    c = (choice){SCHEME_SYMMETRIC, METHOD_RANGE, 4, 1, 100};
    f = format_covering(&c, -8, 1);
    assert_true(f.scale == 1 && f.zero == 0);
    assert_true(format_covering(&c, 0, 0).scale == 1); /* nothing but zeros */
}

static void test_histogram(void **state) {
    (void)state;
    float x[1000];
    histogram whole, parts;
    for (int i = 0; i < 1000; i++)
        x[i] = i % 10 == 0 ? 0 : sinf((float)i) * (float)(1 + i * i % 977);
    histogram_begin(&whole);
    histogram_begin(&parts);
    histogram_add(&whole, x, 1000);
    for (int i = 0; i < 1000; i += 100)
        histogram_add(&parts, x + i, 100);
    assert_memory_equal(&whole, &parts, sizeof whole);
    assert_int_equal(whole.zeros, 100);
    int64_t sum = 0;
    for (int i = 0; i < HISTOGRAM_BINS; i++)
        sum += whole.bins[i];
    assert_int_equal(sum, 900);
    const float odd[] = {NAN, INFINITY, -INFINITY};
    histogram_add(&whole, odd, 3);
    assert_int_equal(whole.n, 1000);
    format f = format_covering(&fixed_8, whole.low, whole.high);
    double exact = numbers_error(x, 1000, &f), near = histogram_error(&whole, &f);
    assert_true(fabs(exact - near) < 0.05 * exact);
}

/* The least of all candidates, found by trying every fraction. */
static void test_least_error(void **state) {
    (void)state;
    float x[4096];
    histogram room;
    for (int i = 0; i < 4096; i++) /* a tail that is better cut off */
        x[i] = sinf((float)i * 1.7f) * (i % 512 == 0 ? 9.0f : 1.0f);
    for (int width = 2; width <= 8; width++) {
        choice c = {SCHEME_FIXED, METHOD_MSE, width, 1, 100};
        int best = -20;
        double least = INFINITY;
        for (int frac = -20; frac <= 20; frac++) {
            format f = format_fixed(width, 1, frac);
            double error = numbers_error(x, 4096, &f);
            if (error < least) {
                least = error;
                best = frac;
            }
        }
        assert_int_equal(choose_for_numbers(&c, x, 4096, &room).frac, best);
        assert_int_equal(choose_for_histogram(&c, &room).frac, best);
        c.scheme = SCHEME_SYMMETRIC; /* more to choose from: no worse */
        format s = choose_for_numbers(&c, x, 4096, &room);
        assert_true(numbers_error(x, 4096, &s) <= least * 1.02);
        c.scheme = SCHEME_AFFINE;
        format a = choose_for_numbers(&c, x, 4096, &room);
        assert_true(numbers_error(x, 4096, &a) <= least * 1.02);
    }
}

static void test_methods(void **state) {
    (void)state;
    static float x[20000];
    static histogram room;
    for (int i = 0; i < 20000; i++)
        x[i] = sinf((float)i);
    x[7] = 100; /* one that would cost everybody else */
    choice c = {SCHEME_FIXED, METHOD_RANGE, 8, 1, 99};
    assert_int_equal(choose_for_numbers(&c, x, 20000, &room).frac, 0);
    c.method = METHOD_PERCENTILE;
    assert_int_equal(choose_for_numbers(&c, x, 20000, &room).frac, 6);
    c.method = METHOD_ENTROPY;
    assert_true(choose_for_numbers(&c, x, 20000, &room).frac >= 4);
    c.method = METHOD_HALF;
    assert_int_equal(choose_for_numbers(&c, x, 20000, &room).frac, 4);
    c.width = 5;
    assert_int_equal(choose_for_numbers(&c, x, 20000, &room).frac, 2);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_codes),       cmocka_unit_test(test_covering), cmocka_unit_test(test_histogram),
        cmocka_unit_test(test_least_error), cmocka_unit_test(test_methods),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
