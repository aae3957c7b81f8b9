/* rooms: passes */
/* Scales as integers and the ranges of sums, at their extremes. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "passes/integer_choice.h"
#include "passes/integer_scale.h"

static void integer_fixed_is_nearest(void **state) {
    (void)state;
    fixed f;
    assert_true(fixed_of(0.5, 31, 62, &f));
    assert_int_equal(f.mult, INT64_C(1) << 30);
    assert_int_equal(f.shift, 31);
    assert_true(fixed_of(1.0 / 3, 31, 62, &f));
    assert_true(fabs(ldexp((double)f.mult, -f.shift) * 3 - 1) < ldexp(1, -31));
    assert_true(f.mult < INT64_C(1) << 31);
    /* What rounds up to 2^31 is half of it, with a shift less. */
    assert_true(fixed_of(1 - ldexp(1, -40), 31, 62, &f));
    assert_int_equal(f.mult, INT64_C(1) << 30);
    assert_int_equal(f.shift, 30);
}

static void integer_fixed_has_bounds(void **state) {
    (void)state;
    fixed f;
    assert_true(fixed_of(ldexp(1, -40), 31, 62, &f));
    assert_true(f.shift <= 62);
    assert_true(ldexp((double)f.mult, -f.shift) == ldexp(1, -40));
    assert_true(fixed_of(ldexp(1, -200), 31, 62, &f));
    assert_int_equal(f.mult, 0);
    assert_false(fixed_of(ldexp(1, 40), 31, 62, &f));
    assert_false(fixed_of(0, 31, 62, &f));
    assert_false(fixed_of(-1, 31, 62, &f));
    assert_false(fixed_of(INFINITY, 31, 62, &f));
    assert_false(fixed_of(NAN, 31, 62, &f));
}

static void integer_products_fit(void **state) {
    (void)state;
    const span sums[] = {{INT32_MIN, INT32_MAX}, {0, 1}, {-(INT64_C(1) << 40), INT64_C(1) << 40}, {INT64_MIN / 4, 0}};
    for (size_t k = 0; k < sizeof sums / sizeof *sums; k++) {
        int bits = fixed_bits(sums[k]);
        double most = fmax(fabs((double)sums[k].lo), fabs((double)sums[k].hi));
        assert_true(bits <= 31);
        assert_true(bits < 1 || most * ldexp(1, bits) <= ldexp(1, 63));
    }
    assert_int_equal(fixed_bits(sums[0]), 30);
    assert_int_equal(fixed_bits((span){-255, 255}), 31);
}

static void integer_ranges(void **state) {
    (void)state;
    span s = span_of_product((span){-128, 127}, (span){-128, 127}, 131072);
    assert_int_equal(s.hi, INT64_C(16384) * 131072);
    assert_false(span_fits(s, DT_I32));
    assert_true(span_fits(span_of_product((span){-128, 127}, (span){-128, 127}, 131071), DT_I32));
    span sum = {0, 0};
    span_add_scaled(&sum, -3, (span){-128, 127});
    assert_int_equal(sum.lo, -381);
    assert_int_equal(sum.hi, 384);
    assert_true(span_fits((span){0, 255}, DT_U8));
    assert_false(span_fits((span){0, 256}, DT_U8));
    assert_false(span_fits((span){-1, 255}, DT_U8));
}

static void integer_numbers_round_to_even(void **state) {
    (void)state;
    const span i8 = {-128, 127};
    assert_int_equal(quantised_number(0.5, 1, 0, i8), 0);
    assert_int_equal(quantised_number(1.5, 1, 0, i8), 2);
    assert_int_equal(quantised_number(-INFINITY, 0.1, 3, i8), -128);
    assert_int_equal(quantised_number(1e30, 0.1, 3, i8), 127);
    assert_int_equal(quantised_number(NAN, 0.1, 3, i8), 3);
}

static integer_costs costs_on(const char *target_name, contraction_size s) {
    return integer_costs_of(target_find(target_name, NULL), &s);
}

/* A convolution of 64 by 64 channels over 16x16, windows of 3x3: by hand, 256*64 results of 576 products. */
static const contraction_size convolution = {.results = 16384,
                                             .taps = 576,
                                             .row = 192,
                                             .reads = 16384,
                                             .weights = 36864,
                                             .channels = 64,
                                             .share = 1,
                                             .by_fours = true,
                                             .quantised = 16384};

static void integer_costs_are_counted(void **state) {
    (void)state;
    const contraction_size s = convolution;
    integer_costs c = costs_on("x86-64-vnni", s);
    assert_true(fabs(c.integers - (16384 * (576 / 4.0 + 5) / 16 + 36864 / 16.0)) < 1);
    assert_true(fabs(c.floats - (16384 * (576 + 8 + 3.0) / 16 + 36864 * 4 / 16.0)) < 1);
    c = costs_on("x86-64-v3", s);
    assert_true(fabs(c.integers - (16384 * (576 * 0.58 + 5) / 8 + 36864 / 16.0)) < 1);
    assert_true(fabs(c.floats - (16384 * (576 + 8 + 3.0) / 8 + 36864 * 4 / 16.0)) < 1);
    contraction_size small = s; /* weights of 4 bits: 8 steps in 16 bits */
    small.largest = 8;
    c = costs_on("x86-64-v3", small);
    assert_true(fabs(c.integers - (16384 * (576 * 0.58 * (1 + 1 / 8.0) / 2 + 5) / 8 + 36864 / 16.0)) < 1);
    small.largest = 127;
    assert_true(costs_on("x86-64-v3", small).integers == costs_on("x86-64-v3", s).integers);
}

static void integer_costs_choose(void **state) {
    (void)state;
    const contraction_size depthwise = {.results = 16384,
                                        .taps = 9,
                                        .row = 3,
                                        .reads = 16384,
                                        .weights = 576,
                                        .channels = 64,
                                        .share = 1,
                                        .quantised = 16384};
    const contraction_size dense = {.results = 512,
                                    .taps = 784,
                                    .row = 784,
                                    .reads = 784,
                                    .weights = 784 * 512,
                                    .channels = 512,
                                    .share = 1,
                                    .by_fours = true,
                                    .quantised = 512};
    integer_costs c = costs_on("x86-64-vnni", convolution);
    assert_true(c.integers < 0.4 * c.floats);
    c = costs_on("x86-64-v3", dense); /* its time is that of its weights, which are a quarter */
    assert_true(c.integers < 0.7 * c.floats);
    c = costs_on("aarch64", convolution);
    assert_true(c.integers > c.floats);
    c = costs_on("x86-64-v3", depthwise);
    assert_true(c.integers > c.floats);
    /* Six channels are two halves of a vector, each as long as a whole one. */
    contraction_size few = {.results = 4704,
                            .taps = 25,
                            .row = 5,
                            .reads = 1024,
                            .weights = 150,
                            .share = 1,
                            .by_fours = true,
                            .quantised = 4704};
    few.channels = 8;
    assert_true(costs_on("x86-64-v3", few).integers < costs_on("x86-64-v3", few).floats);
    few.channels = 6;
    c = costs_on("x86-64-v3", few);
    assert_true(c.integers > c.floats);
    assert_true(fabs(c.integers - (4704 * (25 * 8 / 5.0 * 0.58 + 5) * 16 / 6 / 8 + 150 / 16.0)) < 1);
    /* What floats leave out by Winograd. */
    contraction_size fewer = convolution;
    fewer.share = 0.4;
    c = costs_on("x86-64-v3", fewer);
    assert_true(c.integers > c.floats);
    assert_true(costs_on("x86-64-vnni", fewer).integers < costs_on("x86-64-vnni", fewer).floats);
    /* Large maps of floats do not stay in the second cache. */
    contraction_size large = depthwise;
    large.results = large.quantised = large.reads = 112 * 112 * 96;
    c = costs_on("x86-64-vnni", large);
    assert_true(c.integers < c.floats);
    /* Winograd, and a MaxPool before what is left is quantised. */
    contraction_size pooled = {.results = 6272,
                               .taps = 144,
                               .row = 48,
                               .reads = 3136,
                               .weights = 4608,
                               .channels = 32,
                               .share = 0.57,
                               .by_fours = true,
                               .quantised = 6272};
    assert_true(costs_on("x86-64-v3", pooled).integers < costs_on("x86-64-v3", pooled).floats);
    pooled.quantised /= 4;
    assert_true(costs_on("x86-64-v3", pooled).integers > costs_on("x86-64-v3", pooled).floats);
    /* Rows that end within a four take all of it. */
    contraction_size odd = convolution;
    odd.row = 9;
    assert_true(costs_on("x86-64-vnni", odd).integers > costs_on("x86-64-vnni", convolution).integers);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(integer_fixed_is_nearest),      cmocka_unit_test(integer_fixed_has_bounds),
        cmocka_unit_test(integer_products_fit),          cmocka_unit_test(integer_ranges),
        cmocka_unit_test(integer_costs_are_counted),     cmocka_unit_test(integer_costs_choose),
        cmocka_unit_test(integer_numbers_round_to_even),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
