/* rooms: passes */
/* Scales as integers and the ranges of sums, at their extremes. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

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

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(integer_fixed_is_nearest),      cmocka_unit_test(integer_fixed_has_bounds),
        cmocka_unit_test(integer_products_fit),          cmocka_unit_test(integer_ranges),
        cmocka_unit_test(integer_numbers_round_to_even),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
