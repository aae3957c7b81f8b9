/* rooms: data base */
/* .npy and .npz reading and writing, conversion to inputs, metrics. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "data/data.h"

typedef struct fixture {
    arena *a;
    diag *d;
    char path[64];
} fixture;

static int set_up(void **state) {
    fixture *f = calloc(1, sizeof *f);
    f->a = arena_new(&allocator_system);
    f->d = diag_new(&allocator_system);
    strcpy(f->path, "/tmp/tenon-npy-XXXXXX");
    int fd = mkstemp(f->path);
    close(fd);
    *state = f;
    return 0;
}

static int tear_down(void **state) {
    fixture *f = *state;
    unlink(f->path);
    arena_free(f->a);
    diag_free(f->d);
    free(f);
    return 0;
}

static void npy_round_trip_keeps_every_type(void **state) {
    fixture *f = *state;
    static const dtype kept[] = {DT_F32, DT_F64, DT_F16, DT_I8,  DT_I16, DT_I32,
                                 DT_I64, DT_U8,  DT_U16, DT_U32, DT_U64, DT_BOOL};
    unsigned char bytes[6 * 8];
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (unsigned char)(i & 1);
    for (size_t k = 0; k < sizeof kept / sizeof *kept; k++) {
        array x = {kept[k], 2, {2, 3}, 6, bytes}, y;
        assert_int_equal(npy_write(f->path, &x, f->a, f->d), STATUS_OK);
        assert_int_equal(npy_read(f->path, f->a, f->d, &y), STATUS_OK);
        assert_int_equal(y.elem, kept[k]);
        assert_int_equal(y.rank, 2);
        assert_int_equal(y.dims[1], 3);
        assert_memory_equal(y.data, bytes, dtype_bytes(kept[k], 6));
    }
}

/* A version 1 file with the given header and body. */
static size_t make(unsigned char *out, const char *header, const void *body, size_t n) {
    size_t length = strlen(header);
    memcpy(out, "\x93NUMPY\x01\x00", 8);
    out[8] = (unsigned char)length;
    out[9] = 0;
    memcpy(out + 10, header, length);
    memcpy(out + 10 + length, body, n);
    return 10 + length + n;
}

static void npy_converts_fortran_order(void **state) {
    fixture *f = *state;
    unsigned char file[256], body[6] = {0, 3, 1, 4, 2, 5}, expected[6] = {0, 1, 2, 3, 4, 5};
    size_t n = make(file, "{'descr': '|u1', 'fortran_order': True, 'shape': (2, 3), }", body, 6);
    array x;
    assert_int_equal(npy_parse(file, n, "x", f->a, f->d, &x), STATUS_OK);
    assert_memory_equal(x.data, expected, 6);
}

static void npy_refuses_damage(void **state) {
    fixture *f = *state;
    unsigned char file[256], body[8] = {0};
    array x;
    static const char *const bad[] = {"{'descr': '>f4', 'fortran_order': False, 'shape': (2,), }",
                                      "{'descr': '|O', 'fortran_order': False, 'shape': (2,), }",
                                      "{'descr': '<f4', 'fortran_order': False, 'shape': (3,), }",
                                      "{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999, 99999999999), }",
                                      "{'descr': '<f4', 'fortran_order': Maybe, 'shape': (2,), }",
                                      "{'descr': '<f4', 'shape': (2,), }",
                                      "{'descr': '<f4"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        size_t n = make(file, bad[i], body, 8);
        assert_int_equal(npy_parse(file, n, "x", f->a, f->d, &x), STATUS_INVALID);
        assert_int_equal(diag_errors(f->d), i + 1);
    }
    size_t n = make(file, "{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }", body, 8);
    for (size_t cut = 0; cut < n; cut++) {
        void *copy = malloc(cut + 1);
        memcpy(copy, file, cut);
        assert_int_equal(npy_parse(copy, cut, "x", f->a, f->d, &x), STATUS_INVALID);
        free(copy);
    }
    assert_int_equal(npy_read("/nonexistent/x.npy", f->a, f->d, &x), STATUS_RESOURCE);
}

static void npz_refuses_what_is_no_archive(void **state) {
    fixture *f = *state;
    npz *z;
    assert_int_equal(npz_open("/nonexistent/x.npz", f->a, f->d, &z), STATUS_RESOURCE);
    FILE *file = fopen(f->path, "wb");
    fputs("this is no zip archive at all", file);
    fclose(file);
    assert_int_equal(npz_open(f->path, f->a, f->d, &z), STATUS_INVALID);
}

static void convert_checks_every_value(void **state) {
    fixture *f = *state;
    uint16_t values[4] = {1, 2, 300, 4};
    array x = {DT_U16, 2, {2, 2}, 4, values};
    int64_t wide[2];
    uint8_t narrow[2];
    array_want want = {.name = "ids", .elem = DT_I64, .scale = 1};
    assert_int_equal(array_sample(&x, 1, &want, 2, wide, f->d), STATUS_OK);
    assert_int_equal(wide[0], 300);
    want.elem = DT_U8;
    assert_int_equal(array_sample(&x, 0, &want, 2, narrow, f->d), STATUS_OK);
    assert_int_equal(narrow[1], 2);
    assert_int_equal(array_sample(&x, 1, &want, 2, narrow, f->d), STATUS_INVALID);
    assert_int_equal(array_sample(&x, 0, &want, 3, narrow, f->d), STATUS_INVALID);
}

static void convert_scales_and_quantises(void **state) {
    fixture *f = *state;
    uint8_t pixels[2] = {0, 255};
    float reals[4] = {0.26f, -10.0f, 0.25f, 1.0f}, scaled[2];
    int8_t quantised[4];
    array x = {DT_U8, 1, {2}, 2, pixels}, y = {DT_F32, 1, {4}, 4, reals};
    array_want want = {.name = "x", .elem = DT_F32, .scale = 1 / 255.0};
    assert_int_equal(array_convert(&x, &want, scaled, f->d), STATUS_OK);
    assert_true(scaled[1] == 1.0f);
    want = (array_want){.name = "x", .elem = DT_I8, .scale = 1, .quantised = true, .quantum = 0.1, .zero_point = -3};
    assert_int_equal(array_convert(&y, &want, quantised, f->d), STATUS_OK);
    assert_int_equal(quantised[0], 0); /* 2.6 rounds to 3 */
    assert_int_equal(quantised[1], -103);
    assert_int_equal(quantised[2], -1); /* 2.5 rounds to 2 */
    assert_int_equal(quantised[3], 7);
    int8_t from_pixels[2];
    want.scale = 1;
    array_prepare(&x, &want); /* 255 does not fit */
    assert_int_equal(array_convert(&x, &want, from_pixels, f->d), STATUS_OK);
    assert_int_equal(from_pixels[1], 127);
    assert_int_equal(from_pixels[0], -3);
    want.quantised = want.real = false;
    assert_int_equal(array_convert(&y, &want, quantised, f->d), STATUS_INVALID);
}

static void metrics_match_hand_computed_values(void **state) {
    (void)state;
    float x[4] = {1, 3, 3, __builtin_nanf("")}, y[4] = {1, 2, 3, 4}, z[4] = {1, 2, 3, 2};
    double low, high;
    assert_int_equal(metric_argmax(DT_F32, x, 4), 1);
    metric_wilson(8, 10, &low, &high);
    assert_true(low > 0.4901 && low < 0.4903 && high > 0.9433 && high < 0.9434);
    metric_wilson(0, 0, &low, &high);
    assert_true(low == 0 && high == 1);
    squares s = {0};
    metric_squares(DT_F32, y, z, 4, &s);
    assert_true(s.noise == 4 && s.signal == 30 && s.n == 4);
    assert_true(metric_sqnr(&s) > 8.75 && metric_sqnr(&s) < 8.76);
}

static void comparison_matches_hand_computed_values(void **state) {
    (void)state;
    float x[6] = {1, -2, 3, __builtin_nanf(""), __builtin_inff(), 5};
    double y[6] = {1, -1, 4, __builtin_nan(""), __builtin_inf(), -__builtin_inf()};
    comparison c = metric_comparison();
    assert_true(metric_cosine(&c) == 1 && metric_mean_error(&c) == 0 && c.low[0] > c.high[0]);
    metric_compare(DT_F32, x, DT_F64, y, 6, &c);
    assert_true(c.squares.n == 6 && c.squares.signal == 14 && c.squares.noise == 2 && c.other == 18 && c.product == 15);
    assert_true(c.n_odd == 1 && c.n_differ == 3 && c.error_max == 1 && c.error_sum == 2);
    assert_true(c.low[0] == -2 && c.high[0] == 5 && c.low[1] == -1 && c.high[1] == 4);
    assert_true(metric_cosine(&c) > 0.9449 && metric_cosine(&c) < 0.9450); /* 15 / sqrt(14 * 18) */
    int8_t bytes[5] = {-128, 127, 127, 0, -127};
    saturation ends = {0};
    metric_saturation(DT_I8, bytes, 5, &ends);
    assert_true(ends.n == 5 && ends.least == 1 && ends.largest == 2);
}

/* Longer than the block that is converted at once. */
static void comparison_sees_every_element(void **state) {
    (void)state;
    enum { N = 1000 };
    float x[N] = {0}, y[N] = {0};
    comparison c = metric_comparison();
    for (int i = 0; i < N; i++)
        x[i] = y[i] = (float)i;
    y[255] += 2;
    y[256] -= 1;
    y[N - 1] += 4;
    metric_compare(DT_F32, x, DT_F32, y, N, &c);
    assert_true(c.squares.noise == 21 && c.n_differ == 3 && c.high[1] == N + 3 && c.squares.n == N);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(npy_round_trip_keeps_every_type, set_up, tear_down),
        cmocka_unit_test_setup_teardown(npy_converts_fortran_order, set_up, tear_down),
        cmocka_unit_test_setup_teardown(npy_refuses_damage, set_up, tear_down),
        cmocka_unit_test_setup_teardown(npz_refuses_what_is_no_archive, set_up, tear_down),
        cmocka_unit_test_setup_teardown(convert_checks_every_value, set_up, tear_down),
        cmocka_unit_test_setup_teardown(convert_scales_and_quantises, set_up, tear_down),
        cmocka_unit_test(metrics_match_hand_computed_values),
        cmocka_unit_test(comparison_matches_hand_computed_values),
        cmocka_unit_test(comparison_sees_every_element),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
