/* rooms: base */
/* String buffers, shortest numbers, quoting, identifiers, suggestions, globs, sha256. */
#include <math.h>
#include <stdio.h>

#include "base/text.h"
#include "test_support.h"

static void text_buffer_appends(void **state) {
    (void)state;
    arena *a = arena_new(&allocator_system);
    strbuf s = strbuf_in(a);
    const char *text;
    assert_int_equal(strbuf_finish(&s, &text), STATUS_OK);
    assert_string_equal(text, "");
    strbuf_add(&s, "ab");
    strbuf_add_n(&s, "cde", 1);
    strbuf_char(&s, 'd');
    strbuf_printf(&s, "%d%s", 12, "");
    assert_int_equal(strbuf_finish(&s, &text), STATUS_OK);
    assert_string_equal(text, "abcd12");
    for (int i = 0; i < 1000; i++)
        strbuf_printf(&s, "%04d", i);
    assert_int_equal(s.n, 4006);
    assert_int_equal(strlen(s.text), 4006);
    assert_string_equal(s.text + 4002, "0999");
    strbuf_printf(&s, "%10000s", "x");
    assert_int_equal(s.n, 14006);
    arena_free(a);
}

static void text_buffer_stays_failed(void **state) {
    (void)state;
    test_memory m = {.fail_at = 3};
    allocator from = test_memory_allocator(&m);
    arena *a = arena_new(&from);
    strbuf s = strbuf_in(a);
    const char *text;
    strbuf_add(&s, "kept");
    strbuf_printf(&s, "%10000s", "dropped");
    strbuf_add(&s, "dropped");
    strbuf_printf(&s, "%d", 1);
    assert_int_equal(strbuf_finish(&s, &text), STATUS_RESOURCE);
    assert_string_equal(text, "kept");
    arena_free(a);
    assert_int_equal(m.live_blocks, 0);
}

static const char *double_text(arena *a, double x) {
    strbuf s = strbuf_in(a);
    strbuf_double(&s, x);
    return s.text;
}

static const char *float_text(arena *a, float x) {
    strbuf s = strbuf_in(a);
    strbuf_float(&s, x);
    return s.text;
}

static void text_numbers_are_short(void **state) {
    (void)state;
    static const struct {
        double x;
        const char *text;
    } doubles[] = {
        {0, "0"},
        {-0.0, "-0"},
        {1, "1"},
        {-1.5, "-1.5"},
        {0.1, "0.1"},
        {1.0 / 3, "0.3333333333333333"},
        {100, "100"},
        {1e16, "10000000000000000"},
        {1e17, "1e17"},
        {1.5e300, "1.5e300"},
        {0.00001, "0.00001"},
        {0.000001, "1e-6"},
        {5e-324, "5e-324"},
        {2.2250738585072014e-308, "2.2250738585072014e-308"},
        {1.7976931348623157e308, "1.7976931348623157e308"},
        {0x1p-44, "5.684341886080802e-14"},
        {0x1p53, "9007199254740992"},
        {123456.789, "123456.789"},
        {2e-323, "2e-323"},
    };
    static const struct {
        float x;
        const char *text;
    } floats[] = {
        {0.1f, "0.1"},
        {16777216, "16777216"},
        {3.4028235e38f, "3.4028235e38"},
        {1e-45f, "1e-45"},
        {1.17549435e-38f, "1.1754944e-38"},
        {1.0f / 3, "0.33333334"},
        {0x1p-96f, "1.2621775e-29"},
        {-2.5f, "-2.5"},
        {1e10f, "10000000000"},
    };
    arena *a = arena_new(&allocator_system);
    for (size_t i = 0; i < sizeof doubles / sizeof *doubles; i++)
        assert_string_equal(double_text(a, doubles[i].x), doubles[i].text);
    for (size_t i = 0; i < sizeof floats / sizeof *floats; i++)
        assert_string_equal(float_text(a, floats[i].x), floats[i].text);
    assert_string_equal(double_text(a, (double)INFINITY), "inf");
    assert_string_equal(float_text(a, -INFINITY), "-inf");
    assert_string_equal(double_text(a, -(double)NAN), "nan");
    arena_free(a);
}

static size_t count_digits(const char *text) {
    size_t n = 0, zeros = 0;
    for (; *text != '\0' && *text != 'e'; text++) {
        if (*text < '0' || *text > '9' || (n == 0 && *text == '0'))
            continue;
        zeros = *text == '0' ? zeros + 1 : 0;
        n++;
    }
    return n - zeros;
}

/* Random bit patterns read back, and the nearest number of one digit less does not. */
static void text_numbers_read_back(void **state) {
    (void)state;
    arena *a = arena_new(&allocator_system);
    arena_mark mark = arena_get_mark(a);
    uint64_t random = 7;
    for (int i = 0; i < 100000; i++, arena_reset(a, mark)) {
        random = random * 6364136223846793005u + 1442695040888963407u;
        uint64_t bits = random ^ random >> 29;
        uint32_t half_bits = (uint32_t)(bits >> 32);
        double x;
        float y;
        memcpy(&x, &bits, sizeof x);
        memcpy(&y, &half_bits, sizeof y);
        char shorter[64];
        if (isfinite(x)) {
            const char *text = double_text(a, x);
            assert_true(strtod(text, NULL) == x);
            size_t n = count_digits(text);
            snprintf(shorter, sizeof shorter, "%.*e", (int)n - 2, x);
            assert_true(n == 1 || strtod(shorter, NULL) != x);
        }
        if (isfinite(y)) {
            const char *text = float_text(a, y);
            assert_true(strtof(text, NULL) == y);
            size_t n = count_digits(text);
            snprintf(shorter, sizeof shorter, "%.*e", (int)n - 2, (double)y);
            assert_true(n == 1 || strtof(shorter, NULL) != y);
        }
    }
    arena_free(a);
}

static void text_quotes(void **state) {
    (void)state;
    arena *a = arena_new(&allocator_system);
    strbuf s = strbuf_in(a);
    strbuf_quoted(&s, "a\"b\\c\n\t\0\x7f\xc3\xa9'", 12);
    assert_string_equal(s.text, "\"a\\\"b\\\\c\\n\\t\\x00\\x7f\\xc3\\xa9'\"");
    arena_free(a);
}

static void text_makes_identifiers(void **state) {
    (void)state;
    static const char *const cases[][2] = {
        {"conv1", "conv1"}, {"a/b.c:0", "a_b_c_0"}, {"1x", "_1x"}, {"while", "_while"}, {"restrict", "_restrict"},
        {"", "_"},          {"\xc3\xa9", "__"},     {"_", "_"},
    };
    arena *a = arena_new(&allocator_system);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_string_equal(text_identifier(a, cases[i][0]), cases[i][1]);
    arena_free(a);
}

static void text_suggests_the_nearest(void **state) {
    (void)state;
    static const char *const names[] = {"Conv", "ConvTranspose", "Gemm", "MatMul", "Relu", "Elu"};
    static const char *const cases[][2] = {
        {"conv", "Conv"},
        {"Cnov", "Conv"},
        {"MATMUL", "MatMul"},
        {"MatMull", "MatMul"},
        {"ConvTrasnpose", "ConvTranspose"},
        {"Rel", "Relu"},
        {"Softmax", NULL},
        {"", NULL},
        {"X", NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *nearest = text_nearest(cases[i][0], names, 6);
        if (cases[i][1] == NULL)
            assert_null(nearest);
        else
            assert_string_equal(nearest, cases[i][1]);
    }
    char endless[500];
    memset(endless, 'x', sizeof endless);
    endless[499] = '\0';
    const char *const one[] = {endless};
    assert_null(text_nearest(endless, one, 1));
    assert_null(text_nearest("x", one, 1));
}

static void text_matches_globs(void **state) {
    (void)state;
    assert_true(text_glob("*", ""));
    assert_true(text_glob("conv?", "conv1"));
    assert_true(text_glob("*/conv*", "a/b/conv12"));
    assert_true(text_glob("a*b*c", "aXbXbXc"));
    assert_true(text_glob("", ""));
    assert_true(text_glob("a**", "a"));
    assert_false(text_glob("a*b*c", "aXbXbX"));
    assert_false(text_glob("conv?", "conv"));
    assert_false(text_glob("conv", "conv1"));
    assert_false(text_glob("", "a"));
    /* Steps grow with the product of the lengths at most: a search through all splits would never end. */
    char long_text[10001];
    memset(long_text, 'a', 10000);
    long_text[10000] = '\0';
    assert_false(text_glob("*a*a*a*a*a*a*a*a*a*a*a*ab", long_text));
}

static void text_sha256_test_vectors(void **state) {
    (void)state;
    static const struct {
        const char *text, *sum;
    } cases[] = {
        {"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
        {"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
        {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
         "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
    };
    char sum[65];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        text_sha256(cases[i].text, strlen(cases[i].text), sum);
        assert_string_equal(sum, cases[i].sum);
    }
    char *million = malloc(1000000);
    memset(million, 'a', 1000000);
    text_sha256(million, 1000000, sum);
    assert_string_equal(sum, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
    free(million);
}

static status work_with_text(const allocator *from, void *ctx) {
    (void)ctx;
    arena *a = arena_new(from);
    TRY_ALLOC(a);
    strbuf s = strbuf_in(a);
    for (int i = 0; i < 2000; i++) {
        strbuf_double(&s, i / 8.0);
        strbuf_quoted(&s, "x\n", 2);
        strbuf_printf(&s, "%s", "more");
    }
    const char *text;
    status result = strbuf_finish(&s, &text);
    assert_int_equal(strlen(text), s.n);
    if (result == STATUS_OK)
        assert_string_equal(text + s.n - 16, "249.875\"x\\n\"more");
    if (text_identifier(a, "a b") == NULL)
        result = STATUS_RESOURCE;
    arena_free(a);
    return result;
}

static void text_every_allocation_may_fail(void **state) {
    (void)state;
    assert_in_range(test_each_allocation(work_with_text, NULL), 5, 40);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_buffer_appends),
        cmocka_unit_test(text_buffer_stays_failed),
        cmocka_unit_test(text_numbers_are_short),
        cmocka_unit_test(text_numbers_read_back),
        cmocka_unit_test(text_quotes),
        cmocka_unit_test(text_makes_identifiers),
        cmocka_unit_test(text_suggests_the_nearest),
        cmocka_unit_test(text_matches_globs),
        cmocka_unit_test(text_sha256_test_vectors),
        cmocka_unit_test(text_every_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
