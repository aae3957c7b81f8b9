/* rooms: base */
/* Element types: the table, and every narrow float against its definition written down a second time. */
#include <math.h>

#include "base/dtype.h"
#include "test_support.h"

/* What the standards say of a format; `infinite` and the NaN codes are those without sign, -1 for none. */
typedef struct spec {
    dtype type;
    int exp_bits, man_bits, bias;
    int max;      /* code of the largest finite number */
    int infinite; /* code */
    bool finite_unsigned_zero;
    double largest, smallest;
} spec;

static const spec SPECS[] = {
    {DT_F16, 5, 10, 15, 0x7bff, 0x7c00, false, 65504, 0x1p-24},
    {DT_BF16, 8, 7, 127, 0x7f7f, 0x7f80, false, 0x1.fep127, 0x1p-133},
    {DT_F8E4M3FN, 4, 3, 7, 0x7e, -1, false, 448, 0x1p-9},
    {DT_F8E4M3FNUZ, 4, 3, 8, 0x7f, -1, true, 240, 0x1p-10},
    {DT_F8E5M2, 5, 2, 15, 0x7b, 0x7c, false, 57344, 0x1p-16},
    {DT_F8E5M2FNUZ, 5, 2, 16, 0x7f, -1, true, 57344, 0x1p-17},
    {DT_F4E2M1, 2, 1, 1, 0x7, -1, false, 6, 0.5},
};
enum { N_SPECS = sizeof SPECS / sizeof *SPECS };

static int sign_bit(const spec *s) {
    return 1 << (s->exp_bits + s->man_bits);
}

/* The value of a code by the book. */
static double value_of(const spec *s, int code) {
    int magnitude = code & (sign_bit(s) - 1);
    double sign = code & sign_bit(s) ? -1 : 1;
    if (magnitude == s->infinite)
        return sign * (double)INFINITY;
    if (magnitude > s->max || (s->finite_unsigned_zero && code == sign_bit(s)))
        return (double)NAN;
    int field = magnitude >> s->man_bits, fraction = magnitude & ((1 << s->man_bits) - 1);
    double scale = ldexp(1, -s->man_bits);
    return field == 0 ? sign * ldexp(fraction * scale, 1 - s->bias)
                      : sign * ldexp(1 + fraction * scale, field - s->bias);
}

static double get(dtype t, int code) {
    if (t == DT_F16)
        return (double)half_to_float((uint16_t)code);
    if (t == DT_BF16)
        return (double)bfloat_to_float((uint16_t)code);
    return dtype_small_float_get(t, (uint8_t)code);
}

static int make(dtype t, float x, bool saturate) {
    if (t == DT_F16)
        return half_from_float(x);
    if (t == DT_BF16)
        return bfloat_from_float(x);
    return dtype_small_float_make(t, x, saturate);
}

static bool same(double a, double b) {
    return (isnan(a) && isnan(b)) || (a == b && !signbit(a) == !signbit(b));
}

static void dtype_every_code_has_its_value_and_comes_back(void **state) {
    (void)state;
    for (const spec *s = SPECS; s < SPECS + N_SPECS; s++) {
        for (int code = 0; code < 2 * sign_bit(s); code++) {
            double x = get(s->type, code);
            assert_true(same(x, value_of(s, code)));
            if (isnan(x))
                assert_true(isnan(get(s->type, make(s->type, NAN, true))) &&
                            isnan(get(s->type, make(s->type, -NAN, false))));
            else if (!isinf(x))
                assert_int_equal(make(s->type, (float)x, true), code);
        }
        assert_true(get(s->type, s->max) == s->largest);
        assert_true(get(s->type, 1) == s->smallest);
    }
}

/* x as a float, as a half from a double, and with the opposite sign must give this code. */
static void expect_code(const spec *s, double x, int code) {
    assert_true((double)(float)x == x);
    bool has_negative = code != 0 || !s->finite_unsigned_zero;
    for (int saturate = 0; saturate < 2; saturate++) {
        assert_int_equal(make(s->type, (float)x, saturate), code);
        assert_int_equal(make(s->type, -(float)x, saturate), has_negative ? code | sign_bit(s) : code);
    }
    if (s->type == DT_F16)
        assert_int_equal(half_from_double(x), code);
}

/* Between all neighbours: the midpoint goes to the even one, and the nearest floats on both sides of it do not. */
static void dtype_rounds_half_to_even(void **state) {
    (void)state;
    for (const spec *s = SPECS; s < SPECS + N_SPECS; s++) {
        for (int low = 0; low < s->max; low++) {
            double middle = (value_of(s, low) + value_of(s, low + 1)) / 2;
            expect_code(s, middle, low + (low & 1));
            expect_code(s, (double)nextafterf((float)middle, 0), low);
            expect_code(s, (double)nextafterf((float)middle, INFINITY), low + 1);
            if (s->type == DT_F16) {
                assert_int_equal(half_from_double(nextafter(middle, 0)), low);
                assert_int_equal(half_from_double(nextafter(middle, 1e9)), low + 1);
            }
        }
    }
}

static void dtype_beyond_the_largest(void **state) {
    (void)state;
    for (const spec *s = SPECS; s < SPECS + N_SPECS; s++) {
        bool clamps = s->type == DT_F4E2M1;
        bool wide = s->type == DT_F16 || s->type == DT_BF16;
        double step = s->largest - value_of(s, s->max - 1), limit = s->largest + step / 2;
        /* The code after the largest would be even where the largest is odd; then the limit is beyond already. */
        float inside = s->max & 1 ? nextafterf((float)limit, 0) : (float)limit;
        float outside[] = {s->max & 1 ? (float)limit : nextafterf((float)limit, INFINITY), 3.4e38f, INFINITY};
        assert_int_equal(make(s->type, inside, false), s->max);
        assert_int_equal(make(s->type, inside, true), s->max);
        for (int i = 0; i < 3; i++) {
            for (int negative = 0; negative < 2; negative++) {
                float x = negative ? -outside[i] : outside[i];
                double clamped = negative ? -s->largest : s->largest;
                double loose = get(s->type, make(s->type, x, false)), tight = get(s->type, make(s->type, x, true));
                assert_true(clamps            ? loose == clamped
                            : s->infinite < 0 ? isnan(loose)
                                              : same(loose, (double)x * INFINITY));
                assert_true(wide || tight == clamped);
            }
        }
    }
}

static void dtype_special_values_of_float8(void **state) {
    (void)state;
    assert_int_equal(dtype_small_float_make(DT_F8E4M3FN, NAN, true), 0x7f);
    assert_int_equal(dtype_small_float_make(DT_F8E4M3FN, -INFINITY, false), 0xff);
    assert_int_equal(dtype_small_float_make(DT_F8E4M3FNUZ, NAN, true), 0x80);
    assert_int_equal(dtype_small_float_make(DT_F8E4M3FNUZ, -NAN, true), 0x80);
    assert_int_equal(dtype_small_float_make(DT_F8E5M2FNUZ, -INFINITY, false), 0x80);
    assert_int_equal(dtype_small_float_make(DT_F8E5M2FNUZ, -1e-30f, true), 0);
    assert_int_equal(dtype_small_float_make(DT_F8E5M2, -1e-30f, true), 0x80);
    assert_int_equal(dtype_small_float_make(DT_F8E5M2, INFINITY, true), 0x7b);
    assert_int_equal(dtype_small_float_make(DT_F8E5M2, -INFINITY, false), 0xfc);
    assert_true(dtype_small_float_get(DT_F4E2M1, dtype_small_float_make(DT_F4E2M1, -NAN, true)) == 6);
    assert_true(isnan(get(DT_F16, half_from_float(NAN))));
    assert_int_equal(half_from_double(1e308), 0x7c00);
    assert_int_equal(half_from_double(-5e-324), 0x8000);
    /* One rounding, not two: through float this would be a tie. */
    assert_int_equal(half_from_double(1 + 0x1p-11 + 0x1p-40), 0x3c01);
}

static void dtype_powers_of_two(void **state) {
    (void)state;
    for (int code = 0; code < 255; code++) {
        double x = ldexp(1, code - 127);
        assert_true(dtype_small_float_get(DT_F8E8M0, (uint8_t)code) == x);
        assert_int_equal(dtype_small_float_make(DT_F8E8M0, (float)x, false), code);
        if (code < 254) {
            assert_int_equal(dtype_small_float_make(DT_F8E8M0, (float)(x * 1.5), false), code + 1);
            assert_int_equal(dtype_small_float_make(DT_F8E8M0, (float)(x * 1.4921875), false), code);
        }
    }
    assert_true(isnan(dtype_small_float_get(DT_F8E8M0, 255)));
    assert_int_equal(dtype_small_float_make(DT_F8E8M0, 0, true), 0);
    assert_int_equal(dtype_small_float_make(DT_F8E8M0, 0, false), 255);
    assert_int_equal(dtype_small_float_make(DT_F8E8M0, 0x1.8p127f, true), 254);
    assert_int_equal(dtype_small_float_make(DT_F8E8M0, 0x1.8p127f, false), 255);
    assert_int_equal(dtype_small_float_make(DT_F8E8M0, INFINITY, true), 254);
    assert_int_equal(dtype_small_float_make(DT_F8E8M0, INFINITY, false), 255);
    assert_int_equal(dtype_small_float_make(DT_F8E8M0, NAN, true), 255);
    assert_int_equal(dtype_small_float_make(DT_F8E8M0, -1, true), 255);
}

static void dtype_table(void **state) {
    (void)state;
    for (dtype t = DT_NONE + 1; t < DT_COUNT; t++) {
        assert_int_equal(dtype_parse(dtype_name(t)), t);
        assert_int_equal(dtype_from_onnx(dtype_to_onnx(t)), t);
        assert_true(dtype_is_float(t) + dtype_is_int(t) + (t == DT_BOOL) == 1);
    }
    assert_string_equal(dtype_name(DT_NONE), "?");
    assert_int_equal(dtype_parse("?"), DT_NONE);
    assert_int_equal(dtype_parse("float"), DT_NONE);
    assert_int_equal(dtype_from_onnx(0), DT_NONE);
    assert_int_equal(dtype_from_onnx(8), DT_NONE);
    assert_true(dtype_is_signed(DT_I4) && !dtype_is_signed(DT_U4) && !dtype_is_signed(DT_F32));
}

static void dtype_sizes_and_ranges(void **state) {
    (void)state;
    assert_int_equal(dtype_bytes(DT_F64, 3), 24);
    assert_int_equal(dtype_bytes(DT_I4, 3), 2);
    assert_int_equal(dtype_bytes(DT_U2, 5), 2);
    assert_int_equal(dtype_bytes(DT_U2, 0), 0);
    assert_int_equal(dtype_bits(DT_BF16), 16);
    assert_true(dtype_min(DT_I2) == -2 && dtype_max(DT_I2) == 1);
    assert_true(dtype_min(DT_I8) == -128 && dtype_max(DT_I8) == 127);
    assert_true(dtype_min(DT_U16) == 0 && dtype_max(DT_U16) == 65535);
    assert_true(dtype_min(DT_I64) == INT64_MIN && dtype_max(DT_I64) == INT64_MAX);
    assert_true(dtype_max(DT_U64) == UINT64_MAX);
    assert_true(dtype_min(DT_BOOL) == 0 && dtype_max(DT_BOOL) == 1);
}

/* Whatever an integer type can hold comes back from unaligned, packed storage, and its neighbours stay. */
static void dtype_integers_store_and_load(void **state) {
    (void)state;
    for (dtype t = DT_NONE + 1; t < DT_COUNT; t++) {
        if (!dtype_is_int(t))
            continue;
        unsigned char buffer[1 + 8 * 7] = {0};
        void *data = buffer + 1;
        int64_t low = dtype_min(t), high = (int64_t)dtype_max(t);
        int64_t wanted[7] = {low, high, 0, 1, high, low, 1};
        for (size_t i = 7; i-- > 0;)
            dtype_set_int(t, data, i, wanted[i]);
        for (size_t i = 0; i < 7; i++) {
            assert_int_equal(dtype_get_int(t, data, i), wanted[i]);
            assert_true(dtype_get_double(t, data, i) ==
                        (t == DT_U64 ? (double)(uint64_t)wanted[i] : (double)wanted[i]));
        }
        dtype_set_int(t, data, 3, (int64_t)((uint64_t)high + 1));
        assert_int_equal(dtype_get_int(t, data, 3), low);
        dtype_set_double(t, data, 3, 0.5);
        assert_int_equal(dtype_get_int(t, data, 3), 0);
        dtype_set_double(t, data, 3, (double)INFINITY);
        assert_int_equal(dtype_get_int(t, data, 3), 0);
        assert_int_equal(dtype_get_int(t, data, 2), 0);
        assert_int_equal(dtype_get_int(t, data, 4), high);
    }
}

static void dtype_packing_is_low_bits_first(void **state) {
    (void)state;
    unsigned char data[2] = {0};
    dtype_set_int(DT_U4, data, 0, 1);
    dtype_set_int(DT_U4, data, 1, 2);
    dtype_set_int(DT_I2, data, 4, -1);
    dtype_set_int(DT_I2, data, 7, 1);
    assert_int_equal(data[0], 0x21);
    assert_int_equal(data[1], 0x43);
}

static void dtype_doubles_round_and_wrap(void **state) {
    (void)state;
    static const struct {
        dtype type;
        double x;
        int64_t stored;
    } cases[] = {
        {DT_I32, 2.5, 2},
        {DT_I32, 3.5, 4},
        {DT_I32, -2.5, -2},
        {DT_U8, 256.0, 0},
        {DT_U8, -1.0, 255},
        {DT_I8, 128.0, -128},
        {DT_I32, 0x1p32 + 5, 5},
        {DT_U64, 0x1p63, INT64_MIN},
        {DT_I64, 0x1p64, 0},
        {DT_I64, -0x1p63, INT64_MIN},
        {DT_U64, 0x1.8p64, INT64_MIN},
        {DT_BOOL, 0.25, 1},
        {DT_BOOL, -0.0, 0},
        {DT_F32, 2.75, 2},
        {DT_F64, -2.75, -2},
        {DT_F64, 1e30, INT64_MAX},
        {DT_F64, -1e30, INT64_MIN},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint64_t data = 0;
        dtype_set_double(cases[i].type, &data, 0, cases[i].x);
        assert_int_equal(dtype_get_int(cases[i].type, &data, 0), cases[i].stored);
    }
    double nan = (double)NAN;
    assert_int_equal(dtype_get_int(DT_F64, &nan, 0), 0);
    uint8_t small = 0;
    dtype_set_double(DT_F8E4M3FN, &small, 0, 1e9);
    assert_true(dtype_get_double(DT_F8E4M3FN, &small, 0) == 448);
    uint8_t truth = 2;
    assert_int_equal(dtype_get_int(DT_BOOL, &truth, 0), 1);
}

static void dtype_integers_become_floats_with_one_rounding(void **state) {
    (void)state;
    /* One above a midpoint of two floats, two bfloats: a detour through double would make a tie of it. */
    int64_t above_float = (INT64_C(1) << 62) + (INT64_C(1) << 38) + 1;
    int64_t above_bfloat = (INT64_C(1) << 62) + (INT64_C(1) << 54) + 1;
    float single;
    uint16_t half;
    double whole;
    dtype_set_int(DT_F32, &single, 0, above_float);
    assert_true(single == 0x1p62f + 0x1p39f);
    dtype_set_int(DT_F32, &single, 0, -above_float);
    assert_true(single == -0x1p62f - 0x1p39f);
    dtype_set_int(DT_BF16, &half, 0, above_bfloat);
    assert_true(bfloat_to_float(half) == 0x1p62f + 0x1p55f);
    dtype_set_int(DT_F64, &whole, 0, (INT64_C(1) << 53) + 3);
    assert_true(whole == 0x1p53 + 4);
    dtype_set_int(DT_F32, &single, 0, INT64_MIN);
    assert_true(single == -0x1p63f);
    dtype_set_int(DT_F16, &half, 0, -100000);
    assert_int_equal(half, 0xfc00);
    dtype_set_double(DT_BF16, &half, 0, 1 + 0x1p-8 + 0x1p-40);
    assert_int_equal(half, 0x3f81);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(dtype_every_code_has_its_value_and_comes_back),
        cmocka_unit_test(dtype_rounds_half_to_even),
        cmocka_unit_test(dtype_beyond_the_largest),
        cmocka_unit_test(dtype_special_values_of_float8),
        cmocka_unit_test(dtype_powers_of_two),
        cmocka_unit_test(dtype_table),
        cmocka_unit_test(dtype_sizes_and_ranges),
        cmocka_unit_test(dtype_integers_store_and_load),
        cmocka_unit_test(dtype_packing_is_low_bits_first),
        cmocka_unit_test(dtype_doubles_round_and_wrap),
        cmocka_unit_test(dtype_integers_become_floats_with_one_rounding),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
