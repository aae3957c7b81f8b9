/* rooms: ir base */
/* Dimensions: canonical form, arithmetic against plain integers, text both ways, and everything that has no value. */
#include "ir_support.h"

enum { N_SYMBOLS = 3, N_WORLDS = 6 };

static const char *const SYMBOLS[N_SYMBOLS] = {"batch", "seq", "odd name"};

static const char *printed(arena *a, dim d) {
    strbuf s = strbuf_in(a);
    dim_print(d, &s);
    return s.text;
}

static dim parsed(arena *a, const char *text) {
    dim d = {-77, NULL};
    if (dim_parse(a, text, strlen(text), &d) != STATUS_OK)
        fail_msg("not a dimension: %s", text);
    return d;
}

static void dim_prints_canonically(void **state) {
    (void)state;
    static const char *const cases[][2] = {
        {"12", "12"},
        {"-3", "-3"},
        {"-9223372036854775808", "-9223372036854775808"},
        {"seq", "seq"},
        {"seq + 1 + seq", "2*seq+1"},
        {"1-seq", "-seq+1"},
        {"seq*batch - batch*seq", "0"},
        {"(a+b)*(a-b)", "a*a-b*b"},
        {"(a+b)*(a-b) / (a+b)", "a-b"},
        {"4*seq*batch/(2*seq)", "2*batch"},
        {"(4*seq+6)/2", "2*seq+3"},
        {"(seq-1)/2+1", "(seq+1)/2"},
        {"(4*seq+3)/8", "seq/2"},
        {"(4*seq+7)/8", "(seq+1)/2"},
        {"(4*seq+6)/10", "(2*seq+3)/5"},
        {"(4*seq+3)/4", "seq"},
        {"3*seq/2", "seq+seq/2"},
        {"seq // 2 * 2", "2*(seq/2)"},
        {"seq/-2", "-seq+seq/2"},
        {"seq/batch", "seq/batch"},
        {"seq/(2*batch)", "seq/(2*batch)"},
        {"(seq/2)/3", "(seq/2)/3"},
        {"seq % 2", "seq-2*(seq/2)"},
        {"7 % 4", "3"},
        {"-7 % 4", "1"},
        {"-7 / 4", "-2"},
        {"min(seq, 9223372036854775807)", "seq"},
        {"max(seq, 0)", "seq"},
        {"Max(0, seq-1)", "max(seq-1,0)"},
        {"max(seq+2, seq-1)", "seq+2"},
        {"min(batch,seq)", "min(seq,batch)"},
        {"min(seq,batch)-min(batch,seq)", "0"},
        {"- (seq) * 2", "-2*seq"},
        {"min", "min"},
        {"\"odd name\" * 2", "2*\"odd name\""},
        {"\"a\\\"b\\n\\xff\"", "\"a\\\"b\\n\\xff\""},
    };
    arena *a = arena_new(&allocator_system);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        dim d = parsed(a, cases[i][0]);
        assert_string_equal(printed(a, d), cases[i][1]);
        assert_true(dim_equal(d, parsed(a, cases[i][1])));
    }
    arena_free(a);
}

static void dim_parse_refuses(void **state) {
    (void)state;
    static const char *const cases[] = {"",
                                        " ",
                                        "1 2",
                                        "seq seq",
                                        "+",
                                        "seq+",
                                        "(seq",
                                        "seq)",
                                        "min(seq)",
                                        "min(1,",
                                        "1..2",
                                        "a,b",
                                        "?",
                                        "\"a",
                                        "\"\\q\"",
                                        "9223372036854775808",
                                        "1/0",
                                        "seq/0",
                                        "seq%0",
                                        "9223372036854775807+1",
                                        "seq*9223372036854775807*2",
                                        "\"a\\x00\""};
    arena *a = arena_new(&allocator_system);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        dim d;
        if (dim_parse(a, cases[i], strlen(cases[i]), &d) != STATUS_INVALID)
            fail_msg("accepted: %s", cases[i]);
    }
    strbuf deep = strbuf_in(a);
    for (int i = 0; i < 100000; i++)
        strbuf_add(&deep, i % 2 == 0 ? "(" : "-");
    dim d;
    assert_int_equal(dim_parse(a, deep.text, deep.n, &d), STATUS_INVALID);
    arena_free(a);
}

/* ---- random expressions, evaluated beside in plain integers ---- */

typedef struct sample {
    dim d;
    bool ok; /* has a value in all worlds, far from overflow */
    int64_t values[N_WORLDS];
} sample;

static int64_t floor_of_quotient(int64_t x, int64_t y) {
    int64_t q = x / y;
    return q * y != x && (x < 0) != (y < 0) ? q - 1 : q;
}

static bool evaluate(int op, int64_t x, int64_t y, int64_t *out) {
    static const int64_t large = INT64_C(1) << 30;
    switch (op) {
    case 0:
        *out = x + y;
        break;
    case 1:
        *out = x - y;
        break;
    case 2:
        *out = x * y;
        break;
    case 3:
        *out = x < y ? x : y;
        break;
    case 4:
        *out = x > y ? x : y;
        break;
    default:
        if (y == 0)
            return false;
        *out = op == 5 ? floor_of_quotient(x, y) : x - y * floor_of_quotient(x, y);
    }
    return *out < large && *out > -large;
}

static sample random_sample(arena *a, uint64_t *seed, const int64_t worlds[N_WORLDS][N_SYMBOLS], int depth) {
    static dim (*const make[])(arena *, dim, dim) = {dim_add, dim_sub,       dim_mul, dim_min,
                                                     dim_max, dim_floor_div, dim_rem};
    sample s = {.ok = true};
    int choice = depth == 0 ? random_below(seed, 2) : 2 + random_below(seed, 7);
    if (choice == 0) {
        int symbol = random_below(seed, N_SYMBOLS);
        s.d = dim_symbol(a, SYMBOLS[symbol]);
        for (int w = 0; w < N_WORLDS; w++)
            s.values[w] = worlds[w][symbol];
    } else if (choice == 1) {
        s.d = DIM(random_below(seed, 19) - 6);
        for (int w = 0; w < N_WORLDS; w++)
            s.values[w] = s.d.n;
    } else {
        sample x = random_sample(a, seed, worlds, depth - 1),
               y = random_sample(a, seed, worlds, random_below(seed, depth));
        s.d = make[choice - 2](a, x.d, y.d);
        s.ok = x.ok && y.ok;
        for (int w = 0; w < N_WORLDS && s.ok; w++)
            s.ok = evaluate(choice - 2, x.values[w], y.values[w], &s.values[w]);
    }
    return s;
}

static map bind_all(arena *a, const int64_t values[N_SYMBOLS]) {
    map m = map_in(a);
    for (int i = 0; i < N_SYMBOLS; i++)
        assert_int_equal(map_set(&m, SYMBOLS[i], arena_copy(a, &values[i], sizeof values[i])), STATUS_OK);
    return m;
}

static void dim_agrees_with_integers(void **state) {
    (void)state;
    uint64_t seed = 1;
    int judged = 0;
    for (int round = 0; round < 20000; round++) {
        arena *a = arena_new(&allocator_system);
        int64_t worlds[N_WORLDS][N_SYMBOLS];
        for (int i = 0; i < N_WORLDS * N_SYMBOLS; i++)
            worlds[i / N_SYMBOLS][i % N_SYMBOLS] = random_below(&seed, i < 6 ? 4 : 40);
        sample s = random_sample(a, &seed, (const int64_t(*)[N_SYMBOLS])worlds, 4);
        int64_t low, high;
        dim_range(s.d, &low, &high);
        for (int w = 0; w < N_WORLDS && s.ok; w++) {
            map bindings = bind_all(a, worlds[w]);
            dim bound = dim_bind(a, s.d, &bindings);
            /* A part that cancelled elsewhere may have no value here, but never a wrong one. */
            if (dim_status(bound) != STATUS_OK)
                continue;
            if (!dim_is_known(bound) || bound.n != s.values[w] || bound.n < low || bound.n > high)
                fail_msg("%s is %s, expected %lld in [%lld, %lld]", printed(a, s.d), printed(a, bound),
                         (long long)s.values[w], (long long)low, (long long)high);
            judged++;
        }
        if (dim_status(s.d) == STATUS_OK) {
            dim again = parsed(a, printed(a, s.d));
            assert_string_equal(printed(a, again), printed(a, s.d));
            assert_true(dim_equal(again, s.d));
        }
        arena_free(a);
    }
    assert_true(judged > 50000);
}

static void dim_keeps_the_laws_of_rings(void **state) {
    (void)state;
    uint64_t seed = 2;
    static const int64_t worlds[N_WORLDS][N_SYMBOLS] = {{0}};
    for (int round = 0; round < 5000; round++) {
        arena *a = arena_new(&allocator_system);
        dim x = random_sample(a, &seed, worlds, 2).d, y = random_sample(a, &seed, worlds, 2).d,
            z = random_sample(a, &seed, worlds, 2).d;
        dim sum = dim_add(a, x, dim_add(a, y, z)), product = dim_mul(a, x, dim_mul(a, y, z));
        dim distributed = dim_add(a, dim_mul(a, x, z), dim_mul(a, y, z));
        if (dim_status(sum) == STATUS_OK && dim_status(product) == STATUS_OK && dim_status(distributed) == STATUS_OK) {
            assert_true(dim_equal(sum, dim_add(a, dim_add(a, z, x), y)));
            assert_true(dim_equal(product, dim_mul(a, dim_mul(a, z, y), x)));
            assert_true(dim_equal(distributed, dim_mul(a, dim_add(a, y, x), z)));
            assert_true(dim_equal(DIM(0), dim_sub(a, sum, sum)));
            dim divisor = dim_add(a, dim_symbol(a, "batch"), DIM(3)), multiple = dim_mul(a, x, divisor);
            assert_true(dim_status(multiple) != STATUS_OK || dim_equal(x, dim_floor_div(a, multiple, divisor)));
            assert_true(dim_equal(dim_min(a, x, y), dim_min(a, y, x)));
            assert_true(dim_equal(dim_max(a, x, y), dim_max(a, y, x)));
        }
        arena_free(a);
    }
}

static void dim_without_value(void **state) {
    (void)state;
    arena *a = arena_new(&allocator_system);
    dim s = dim_symbol(a, "s");
    dim undefined[] = {dim_floor_div(a, s, DIM(0)), dim_rem(a, DIM(3), DIM(0)), dim_add(a, DIM(INT64_MAX), DIM(1)),
                       dim_mul(a, dim_mul(a, s, DIM(INT64_MAX)), DIM(2)), dim_floor_div(a, DIM(INT64_MIN), DIM(-1))};
    for (size_t i = 0; i < sizeof undefined / sizeof *undefined; i++) {
        assert_int_equal(dim_status(undefined[i]), STATUS_INVALID);
        assert_string_equal(printed(a, undefined[i]), "?");
        assert_int_equal(dim_status(dim_add(a, undefined[i], s)), STATUS_INVALID);
        assert_int_equal(dim_status(dim_max(a, DIM(1), undefined[i])), STATUS_INVALID);
        assert_false(dim_equal(undefined[i], undefined[i]));
    }
    dim poison = {0, &dim_poison};
    assert_int_equal(dim_status(dim_mul(a, poison, undefined[0])), STATUS_RESOURCE);
    assert_int_equal(dim_status(dim_floor_div(a, DIM(1), poison)), STATUS_RESOURCE);
    assert_string_equal(printed(a, poison), "?");
    arena_free(a);
}

static void dim_growth_is_bounded(void **state) {
    (void)state;
    arena *a = arena_new(&allocator_system);
    dim d = dim_add(a, dim_symbol(a, "a"), dim_add(a, dim_symbol(a, "b"), dim_symbol(a, "c")));
    int steps = 0;
    for (; dim_status(d) == STATUS_OK && steps < 100; steps++)
        d = dim_mul(a, d, dim_add(a, d, DIM(1)));
    assert_in_range(steps, 2, 10);
    dim chain = dim_symbol(a, "a");
    for (steps = 0; dim_status(chain) == STATUS_OK && steps < 1000; steps++) {
        assert_true(dim_equal(chain, parsed(a, printed(a, chain))));
        chain = dim_floor_div(a, dim_add(a, dim_mul(a, chain, DIM(3)), DIM(1)), DIM(7));
    }
    assert_in_range(steps, 20, 400);
    arena_free(a);
}

static void note_symbol(const char *symbol, void *ctx) {
    strbuf_printf(ctx, "%s;", symbol);
}

static void dim_lists_symbols(void **state) {
    (void)state;
    arena *a = arena_new(&allocator_system);
    strbuf out = strbuf_in(a);
    dim_symbols(parsed(a, "min(seq/batch, 7)*\"odd name\"+3"), note_symbol, &out);
    assert_string_equal(out.text, "odd name;seq;batch;");
    dim_symbols(DIM(4), note_symbol, &out);
    assert_string_equal(out.text, "odd name;seq;batch;");
    arena_free(a);
}

static void dim_binds_in_part(void **state) {
    (void)state;
    arena *a = arena_new(&allocator_system);
    map m = map_in(a);
    int64_t four = 4;
    assert_int_equal(map_set(&m, "batch", &four), STATUS_OK);
    assert_string_equal(printed(a, dim_bind(a, parsed(a, "batch*seq+max(batch,seq)/2"), &m)), "4*seq+max(seq,4)/2");
    arena_free(a);
}

static status some_arithmetic(const allocator *from, void *ctx) {
    const size_t *pad = ctx;
    arena *a = arena_new(from);
    TRY_ALLOC(a);
    static const char text[] = "(seq*batch+max(batch,seq)-1)/(2*\"odd name\") % 5 + min(3,batch)";
    dim d = DIM(0);
    status s = arena_alloc(a, *pad) == NULL ? STATUS_RESOURCE : dim_parse(a, text, strlen(text), &d);
    if (s == STATUS_OK) {
        strbuf out = strbuf_in(a);
        const char *result = NULL;
        dim_print(d, &out);
        s = strbuf_finish(&out, &result);
        if (s == STATUS_OK)
            assert_string_equal(result, "-5*(((batch*seq+max(seq,batch)-1)/(2*\"odd name\"))/5)"
                                        "+(batch*seq+max(seq,batch)-1)/(2*\"odd name\")+min(batch,3)");
    }
    arena_free(a);
    return s;
}

/* The padding moves the end of the arena's first chunk through all allocations. */
static void dim_survives_want_of_memory(void **state) {
    (void)state;
    for (size_t pad = 16; pad < 4096; pad += 16)
        test_each_allocation(some_arithmetic, &pad);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(dim_prints_canonically),      cmocka_unit_test(dim_parse_refuses),
        cmocka_unit_test(dim_agrees_with_integers),    cmocka_unit_test(dim_keeps_the_laws_of_rings),
        cmocka_unit_test(dim_without_value),           cmocka_unit_test(dim_growth_is_bounded),
        cmocka_unit_test(dim_lists_symbols),           cmocka_unit_test(dim_binds_in_part),
        cmocka_unit_test(dim_survives_want_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
