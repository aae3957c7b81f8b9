/* rooms: ops loop base */
/* Reals to the nearest integers by what is added to them: the expressions fold over constants, so their value is seen.
 */
#include <math.h>
#include <stdlib.h>

#include "ops/nearest.h"
#include "test_support.h"

typedef struct fixture {
    arena *a;
    builder *b;
} fixture;

static fixture begin(const char *target_name) {
    fixture f = {.a = arena_new(&allocator_system)};
    f.b = builder_new(f.a, target_find(target_name, NULL));
    assert_non_null(f.b);
    return f;
}

static int64_t number_of(const expr *x) {
    assert_int_equal(x->kind, EXPR_INT);
    return x->imm;
}

static int64_t divided(fixture *f, float x, const quotient *by, double least) {
    return number_of(nearest_of_quotient(f->b, build_float(f->b, DT_F32, (double)x), by, least));
}

/* Around all ties of a byte, and elsewhere, what the division gives. */
static void nearest_quotients_are_those_of_divisions(void **state) {
    (void)state;
    fixture f = begin("x86-64-v3");
    static const double scales[] = {0.0045935614, 0.25, 1.0 / 255, 3, 0x1.fffffep-9, 0.00171229, 117.3};
    for (size_t s = 0; s < sizeof scales / sizeof *scales; s++) {
        const float scale = (float)scales[s];
        quotient by;
        assert_true(quotient_of(builder_target(f.b), (double)scale, -22, 233, &by));
        for (int k = -22; k <= 233; k++) {
            float x = nextafterf(nextafterf((float)((k + 0.5) * (double)scale), -INFINITY), -INFINITY);
            for (int i = 0; i < 5; i++, x = nextafterf(x, INFINITY))
                assert_int_equal(divided(&f, x, &by, -23 * (double)scale), (int64_t)rintf(x / scale));
        }
    }
    arena_free(f.a);
}

static void nearest_quotients_are_refused(void **state) {
    (void)state;
    quotient by;
    const target *v3 = target_find("x86-64-v3", NULL), *v1 = target_find("x86-64", NULL);
    assert_false(quotient_of(v3, 0x1.71fffep-7, 0, 255, &by)); /* a tie falls to the other side */
    assert_false(quotient_of(v3, 0x1p-101, -128, 127, &by));
    assert_false(quotient_of(v3, NAN, -128, 127, &by));
    assert_false(quotient_of(v1, 0.1f, -128, 127, &by));
    assert_true(quotient_of(v1, 0x1p-5, -128, 127, &by)); /* one product is exact */
}

static void nearest_takes_what_is_no_number(void **state) {
    (void)state;
    fixture f = begin("x86-64-v3");
    quotient by;
    assert_true(quotient_of(builder_target(f.b), 0.1f, -128, 127, &by));
    assert_int_equal(divided(&f, NAN, &by, -12.9), -129);
    assert_int_equal(divided(&f, -INFINITY, &by, -12.9), -129);
    assert_true(divided(&f, INFINITY, &by, -12.9) > 127);
    assert_true(divided(&f, 3e38f, &by, -12.9) > 127);
    arena_free(f.a);
}

/* Sums times a scale, once rounded, ties to even; however large. */
static void nearest_products_round_once(void **state) {
    (void)state;
    fixture f = begin("x86-64-v3");
    static const struct {
        double x, factor;
        int64_t want;
    } cases[] = {{5, 0.5, 2}, {7, 0.5, 4}, {-5, 0.5, -2}, {-7, 0.5, -4}, {84, 0.05357143, 5}, {16777216, 0.0001f, 1678},
                 {0, 3, 0}};
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        const expr *x = build_float(f.b, DT_F32, cases[k].x), *by = build_float(f.b, DT_F32, cases[k].factor);
        assert_int_equal(number_of(nearest_of_product(f.b, x, by)), cases[k].want);
    }
    const expr *large = build_float(f.b, DT_F32, 2147483648.0), *by = build_float(f.b, DT_F32, 65536);
    assert_true(number_of(nearest_of_product(f.b, large, by)) > 1 << 22);
    arena_free(f.a);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nearest_quotients_are_those_of_divisions),
        cmocka_unit_test(nearest_quotients_are_refused),
        cmocka_unit_test(nearest_takes_what_is_no_number),
        cmocka_unit_test(nearest_products_round_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
