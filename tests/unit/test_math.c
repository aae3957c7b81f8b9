/* rooms: loop base */
/* Elementary functions: their largest error, with and without FMA, against glibc in the next wider type; special
 * values. */
#include <float.h>
#include <math.h>
#include <stdio.h>

#include "interp_support.h"
#include "loop/math_bounds.h"

#define CHUNK 4096
#define LANES 8

typedef struct function {
    const char *name;
    const expr *(*unary)(builder *b, const expr *x);
    const expr *(*binary)(builder *b, const expr *x, const expr *y);
    double (*of_double)(double x);
    long double (*of_long)(long double x);
    double (*of_doubles)(double x, double y);
    long double (*of_longs)(long double x, long double y);
} function;

static double sigmoid(double x) {
    return 1 / (1 + exp(-x));
}

static long double sigmoid_long(long double x) {
    return 1 / (1 + expl(-x));
}

static const function FUNCTIONS[] = {
    {"exp", build_exp, NULL, exp, expl, NULL, NULL},
    {"expm1", build_expm1, NULL, expm1, expm1l, NULL, NULL},
    {"log", build_log, NULL, log, logl, NULL, NULL},
    {"log1p", build_log1p, NULL, log1p, log1pl, NULL, NULL},
    {"tanh", build_tanh, NULL, tanh, tanhl, NULL, NULL},
    {"erf", build_erf, NULL, erf, erfl, NULL, NULL},
    {"sigmoid", build_sigmoid, NULL, sigmoid, sigmoid_long, NULL, NULL},
    {"pow", NULL, build_pow, NULL, NULL, pow, powl},
    {"sin", build_sin, NULL, sin, sinl, NULL, NULL},
    {"cos", build_cos, NULL, cos, cosl, NULL, NULL},
};

static const function *find_function(const char *name) {
    for (size_t i = 0; i < sizeof FUNCTIONS / sizeof *FUNCTIONS; i++)
        if (strcmp(FUNCTIONS[i].name, name) == 0)
            return &FUNCTIONS[i];
    fail_msg("no function %s", name);
    return NULL;
}

/* out[i] = f(x[i], y[i]) over CHUNK elements, LANES at a time; y is a buffer for all functions. */
static bench function_bench(const function *f, dtype t, const target *on, int lanes) {
    bench x = bench_new(on);
    for (int i = 0; i < 2; i++)
        bench_buffer(&x, t, CHUNK, ACCESS_READ);
    bench_buffer(&x, t, CHUNK, ACCESS_WRITE);
    const expr *i = build_for(x.b, "i", build_index(x.b, CHUNK / lanes), LOOP_SERIAL);
    const expr *at = build_mul(x.b, i, build_index(x.b, lanes));
    const expr *a = build_load(x.b, 0, LTYPE(t, lanes), at, NULL), *c = build_load(x.b, 1, LTYPE(t, lanes), at, NULL);
    build_store(x.b, 2, at, f->unary != NULL ? f->unary(x.b, a) : f->binary(x.b, a, c), NULL);
    build_end(x.b);
    assert_int_equal(bench_finish(&x), STATUS_OK);
    return x;
}

/* ---- errors ---- */

/* The distance of neighbouring numbers of type t around `exact`. */
static long double unit_of(dtype t, long double exact) {
    const int digits = t == DT_F32 ? 24 : 53, least = t == DT_F32 ? -149 : -1074, most = t == DT_F32 ? 104 : 971;
    int exponent;
    frexpl(exact, &exponent);
    exponent -= digits;
    return ldexpl(1, exponent < least || exact == 0 ? least : exponent > most ? most : exponent);
}

/* Infinity counts as the power of two that it stands for. */
static double error_of(dtype t, double got, long double exact) {
    const long double beyond = t == DT_F32 ? 0x1p128L : 0x1p1024L;
    if (isnan(got) || isnan(exact))
        return isnan(got) && isnan(exact) ? 0 : INFINITY;
    if (fabsl(exact) >= beyond)
        exact = exact < 0 ? -beyond : beyond;
    const long double value = isinf(got) ? (got < 0 ? -beyond : beyond) : got;
    return (double)(fabsl(value - exact) / unit_of(t, exact));
}

typedef struct sweep {
    const function *f;
    const math_bound *bound;
    double worst, worst_x, worst_y;
    size_t n;
} sweep;

static long double exact_value(const sweep *s, double x, double y) {
    const bool narrow = s->bound->type == DT_F32;
    if (s->f->unary != NULL)
        return narrow ? (long double)s->f->of_double(x) : s->f->of_long((long double)x);
    return narrow ? (long double)s->f->of_doubles(x, y) : s->f->of_longs((long double)x, (long double)y);
}

static void measure_chunk(sweep *s, const bench *on, const void *x, const void *y) {
    _Alignas(64) unsigned char out[CHUNK * sizeof(double)];
    const dtype t = s->bound->type;
    assert_int_equal(bench_run(on, (void *const[]){(void *)(uintptr_t)x, (void *)(uintptr_t)y, out}), 0);
    for (size_t i = 0; i < CHUNK; i++) {
        const double a = dtype_get_double(t, x, i), c = dtype_get_double(t, y, i);
        if (isfinite(a) && fabs(a) > s->bound->magnitude)
            continue;
        const double error = error_of(t, dtype_get_double(t, out, i), exact_value(s, a, c));
        s->n++;
        if (!(error <= s->worst)) {
            s->worst = error;
            s->worst_x = a;
            s->worst_y = c;
        }
    }
}

/* Every stride-th bit pattern: all exponents, evenly. */
static void sweep_f32(sweep *s, const bench *on, uint32_t stride) {
    float x[CHUNK], y[CHUNK];
    uint32_t bits = 0;
    uint64_t seed = 1;
    for (uint64_t done = 0; done < (UINT64_C(1) << 32) / stride; done += CHUNK) {
        for (int i = 0; i < CHUNK; i++, bits += stride) {
            memcpy(&x[i], &bits, sizeof bits);
            const uint32_t other = (uint32_t)next_random(&seed);
            memcpy(&y[i], &other, sizeof other);
            if (s->f->binary != NULL && i % 4 != 0) /* results within range */
                y[i] = (float)((double)(int32_t)other * 0x1p-31 * 104 / log(fabs((double)x[i])));
        }
        measure_chunk(s, on, x, y);
    }
}

/* Random bit patterns, and random numbers of moderate size. */
static void sweep_f64(sweep *s, const bench *on, int chunks) {
    double x[CHUNK], y[CHUNK];
    uint64_t seed = 1;
    for (int done = 0; done < chunks; done++) {
        for (int i = 0; i < CHUNK; i++) {
            const uint64_t bits = next_random(&seed), other = next_random(&seed);
            memcpy(&x[i], &bits, sizeof bits);
            if (i % 4 != 0)
                x[i] = ldexp((double)(int64_t)bits, (int)(other % 24) - 74);
            memcpy(&y[i], &other, sizeof other);
            if (i % 8 != 0)
                y[i] = (double)(int64_t)other * 0x1p-63 * 745 / log(fabs(x[i]));
        }
        measure_chunk(s, on, x, y);
    }
}

#if defined(__OPTIMIZE__) && !defined(__SANITIZE_ADDRESS__)
#define STRIDE 419
#define CHUNKS 100
#else
#define STRIDE 20011
#define CHUNKS 10
#endif

static void measure(const math_bound *bound, const char *on) {
    sweep s = {.f = find_function(bound->name), .bound = bound, .worst = -1};
    bench x = function_bench(s.f, bound->type, bench_target(on), LANES);
    if (bound->type == DT_F32)
        sweep_f32(&s, &x, STRIDE);
    else
        sweep_f64(&s, &x, CHUNKS);
    print_message("%-8s %s %-10s %.3f ULP at %a %a (%zu points)\n", bound->name, dtype_name(bound->type), on, s.worst,
                  s.worst_x, s.worst_y, s.n);
    if (!(s.worst <= bound->ulps))
        fail_msg("%s: %g ULP stated", bound->name, bound->ulps);
    bench_free(&x);
}

static void errors_with_fma(void **state) {
    (void)state;
    for (const math_bound *bound = math_bounds; bound->name != NULL; bound++)
        measure(bound, "x86-64-v3");
}

static void errors_without_fma(void **state) {
    (void)state;
    for (const math_bound *bound = math_bounds; bound->name != NULL; bound++)
        measure(bound, "x86-64");
}

/* ---- special values ---- */

static const double SPECIAL[] = {0,           -0.0,  INFINITY,     -INFINITY, NAN,          1,
                                 -1,          0.5,   -0.5,         2,         -2,           3,
                                 -3,          1e-40, -1e-40,       1e38,      -1e38,        0x1p53,
                                 0x1p54,      1e300, 0.9999999999, 1e-45,     4294967295.0, -4294967297.0,
                                 2147483648.0};
#define N_SPECIAL (sizeof SPECIAL / sizeof *SPECIAL)

static bool same_special(double got, double want) {
    if (isnan(want))
        return isnan(got);
    return got == want && signbit(got) == signbit(want);
}

/* Where C99 gives an exact value it is met, the sign of zero included. */
static void check_special(const function *f, dtype t, const target *on) {
    bench b = function_bench(f, t, on, 1);
    _Alignas(64) unsigned char x[CHUNK * 8] = {0}, y[CHUNK * 8] = {0}, out[CHUNK * 8];
    for (size_t i = 0; i < N_SPECIAL * N_SPECIAL; i++) {
        dtype_set_double(t, x, i, SPECIAL[i % N_SPECIAL]);
        dtype_set_double(t, y, i, SPECIAL[i / N_SPECIAL]);
    }
    assert_int_equal(bench_run(&b, (void *const[]){x, y, out}), 0);
    for (size_t i = 0; i < N_SPECIAL * N_SPECIAL; i++) {
        const double a = dtype_get_double(t, x, i), c = dtype_get_double(t, y, i);
        const double want = f->unary != NULL ? f->of_double(a) : f->of_doubles(a, c), got = dtype_get_double(t, out, i);
        const bool exact = isnan(want) || isinf(want) || want == 0 || want == 1 || want == -1;
        if (exact && !same_special(got, want))
            fail_msg("%s %s(%g, %g) is %g, not %g", dtype_name(t), f->name, a, c, got, want);
    }
    bench_free(&b);
}

static void special_values(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof FUNCTIONS / sizeof *FUNCTIONS; i++) {
        check_special(&FUNCTIONS[i], DT_F32, bench_target("x86-64-v3"));
        check_special(&FUNCTIONS[i], DT_F64, bench_target("x86-64-v3"));
        check_special(&FUNCTIONS[i], DT_F32, bench_target("generic"));
        check_special(&FUNCTIONS[i], DT_F64, bench_target("generic"));
    }
}

/* tanh and erf stay within -1 .. 1 and sigmoid within 0 .. 1: other code relies on it. */
static void ranges(void **state) {
    (void)state;
    static const char *const names[] = {"tanh", "erf", "sigmoid"};
    for (size_t k = 0; k < 3; k++) {
        bench b = function_bench(find_function(names[k]), DT_F32, bench_target(k % 2 ? "x86-64" : "x86-64-v3"), LANES);
        float x[CHUNK], y[CHUNK] = {0}, out[CHUNK];
        for (int chunk = 0; chunk < 256; chunk++) {
            for (int i = 0; i < CHUNK; i++)
                x[i] = (float)(chunk * CHUNK + i) * 0x1p-16f;
            assert_int_equal(bench_run(&b, (void *const[]){x, y, out}), 0);
            for (int i = 0; i < CHUNK; i++)
                if (!(out[i] >= 0 && out[i] <= 1))
                    fail_msg("%s(%a) = %a", names[k], (double)x[i], (double)out[i]);
        }
        bench_free(&b);
    }
}

/* ---- pow with a known exponent ---- */

static double exact_power(double x, double y) {
    return (double)powl((long double)x, (long double)y);
}

static void known_powers(void **state) {
    (void)state;
    static const double powers[] = {1, 2, 3, -1, 0.5, -0.5};
    for (size_t k = 0; k < sizeof powers / sizeof *powers; k++) {
        bench b = bench_new(bench_target("x86-64-v3"));
        bench_buffer(&b, DT_F32, N_SPECIAL, ACCESS_READ);
        bench_buffer(&b, DT_F32, N_SPECIAL, ACCESS_WRITE);
        const expr *i = build_for(b.b, "i", build_index(b.b, N_SPECIAL), LOOP_SERIAL);
        const expr *x = build_load(b.b, 0, LTYPE(DT_F32, 1), i, NULL), *y = build_float(b.b, DT_F32, powers[k]);
        const expr *power = build_pow(b.b, x, y);
        assert_int_not_equal(power->kind, EXPR_CAST); /* not by way of f64 */
        build_store(b.b, 1, i, power, NULL);
        build_end(b.b);
        assert_int_equal(bench_finish(&b), STATUS_OK);
        float in[N_SPECIAL], out[N_SPECIAL];
        for (size_t j = 0; j < N_SPECIAL; j++)
            in[j] = (float)SPECIAL[j];
        assert_int_equal(bench_run(&b, (void *const[]){in, out}), 0);
        for (size_t j = 0; j < N_SPECIAL; j++)
            if (!(error_of(DT_F32, (double)out[j], (long double)exact_power((double)in[j], powers[k])) <= 1))
                fail_msg("pow(%g, %g) is %g", (double)in[j], powers[k], (double)out[j]);
        bench_free(&b);
    }
}

/* ---- out of memory ---- */

static status build_everything(const allocator *from, void *ctx) {
    const target *t = ctx;
    arena *a = arena_new(from);
    if (a == NULL)
        return STATUS_RESOURCE;
    builder *b = builder_new(a, t);
    status result = STATUS_RESOURCE;
    if (b != NULL) {
        const dtype types[] = {DT_F32, DT_F64};
        for (int i = 0; i < 2; i++) {
            const expr *x = build_load(b, i, LTYPE(types[i], 4), build_index(b, 0), NULL);
            for (size_t k = 0; k < sizeof FUNCTIONS / sizeof *FUNCTIONS; k++)
                assert_non_null(FUNCTIONS[k].unary != NULL ? FUNCTIONS[k].unary(b, x) : FUNCTIONS[k].binary(b, x, x));
        }
        result = builder_status(b);
    }
    arena_free(a);
    return result;
}

static void out_of_memory(void **state) {
    (void)state;
    assert_true(test_each_allocation(build_everything, (void *)(uintptr_t)bench_target("x86-64")) > 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(special_values), cmocka_unit_test(ranges),          cmocka_unit_test(known_powers),
        cmocka_unit_test(out_of_memory),  cmocka_unit_test(errors_with_fma), cmocka_unit_test(errors_without_fma),
    };
    return cmocka_run_group_tests_name("math", tests, NULL, NULL);
}
