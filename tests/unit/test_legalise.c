/* rooms: loop base */
/* Legalisation: the same results, bit for bit, from kernels spelt in what the plainest target has. */
#include <math.h>
#include <stdio.h>

#include "interp_support.h"

#define N 4096

/* out = make(in...) over N elements. */
typedef struct shape {
    const char *name;
    dtype from, to;
    const expr *(*make)(builder *b, dtype to, const expr *x);
} shape;

static const expr *make_cast(builder *b, dtype to, const expr *x) {
    return build_cast(b, to, x);
}

static const expr *make_sqrt(builder *b, dtype to, const expr *x) {
    (void)to;
    return build_unary(b, EXPR_SQRT, x);
}

static const expr *make_floor(builder *b, dtype to, const expr *x) {
    (void)to;
    return build_unary(b, EXPR_FLOOR, x);
}

static const expr *make_ceil(builder *b, dtype to, const expr *x) {
    (void)to;
    return build_unary(b, EXPR_CEIL, x);
}

static const expr *make_trunc(builder *b, dtype to, const expr *x) {
    (void)to;
    return build_unary(b, EXPR_TRUNC, x);
}

static const expr *make_rint(builder *b, dtype to, const expr *x) {
    (void)to;
    return build_unary(b, EXPR_RINT, x);
}

static bench shape_bench(const shape *s, int lanes) {
    bench x = bench_new(bench_target("x86-64-v3"));
    bench_buffer(&x, s->from, N, ACCESS_READ);
    bench_buffer(&x, s->to, N, ACCESS_WRITE);
    const expr *i = build_for(x.b, "i", build_index(x.b, N / lanes), LOOP_SERIAL);
    const expr *at = build_mul(x.b, i, build_index(x.b, lanes));
    build_store(x.b, 1, at, s->make(x.b, s->to, build_load(x.b, 0, LTYPE(s->from, lanes), at, NULL)), NULL);
    build_end(x.b);
    assert_int_equal(bench_finish(&x), STATUS_OK);
    return x;
}

/* Rewrites the kernel for `t`; it is then valid, and nothing is left to do. */
static void legalise(bench *x, const target *t) {
    assert_int_equal(kernel_legalise(x->k, x->memory, t), STATUS_OK);
    diag *d = diag_new(&allocator_system);
    if (kernel_verify(x->k, d) != STATUS_OK)
        fail_msg("%s", diag_line(d, 0, x->memory));
    diag_free(d);
    const stmt *first = x->k->body.first;
    assert_int_equal(kernel_legalise(x->k, x->memory, t), STATUS_OK);
    assert_ptr_equal(x->k->body.first, first);
    assert_int_equal(bench_program(x), STATUS_OK);
}

/* The kernel as it was built, and the rewritten one. */
typedef struct pair {
    const shape *s;
    bench before, after;
    size_t rewritten;
} pair;

static pair pair_new(const shape *s, const char *on, int lanes) {
    pair p = {s, shape_bench(s, lanes), shape_bench(s, lanes), 0};
    const stmt *first = p.after.k->body.first;
    legalise(&p.after, bench_target(on));
    p.rewritten = p.after.k->body.first != first;
    return p;
}

static void pair_free(pair *p) {
    bench_free(&p->before);
    bench_free(&p->after);
}

static bool same_element(dtype t, const void *a, const void *b, size_t i) {
    const size_t each = dtype_bytes(t, 1);
    if (memcmp((const char *)a + i * each, (const char *)b + i * each, each) == 0)
        return true;
    return dtype_is_float(t) && isnan(dtype_get_double(t, a, i)) && isnan(dtype_get_double(t, b, i));
}

static void compare(const pair *p, void *in) {
    _Alignas(64) unsigned char want[N * 8], got[N * 8];
    assert_int_equal(bench_run(&p->before, (void *const[]){in, want}), 0);
    assert_int_equal(bench_run(&p->after, (void *const[]){in, got}), 0);
    for (size_t i = 0; i < N; i++)
        if (!same_element(p->s->to, want, got, i))
            fail_msg("%s %s of %a to %s: %a, not %a", p->s->name, dtype_name(p->s->from),
                     dtype_get_double(p->s->from, in, i), dtype_name(p->s->to), dtype_get_double(p->s->to, got, i),
                     dtype_get_double(p->s->to, want, i));
}

/* ---- casts ---- */

static const dtype NARROW[] = {DT_F16, DT_BF16, DT_F8E4M3FN, DT_F8E4M3FNUZ, DT_F8E5M2, DT_F8E5M2FNUZ};
#define N_NARROW (sizeof NARROW / sizeof *NARROW)
static const dtype OTHER[] = {DT_BOOL, DT_I8, DT_I16, DT_I32, DT_I64, DT_U8, DT_U16, DT_U32, DT_U64, DT_F32, DT_F64};
#define N_OTHER (sizeof OTHER / sizeof *OTHER)

/* All bit patterns of a narrow type, to every type. */
static void decode_all(const char *on) {
    for (size_t i = 0; i < N_NARROW; i++)
        for (size_t j = 0; j < N_NARROW + N_OTHER; j++) {
            const dtype to = j < N_NARROW ? NARROW[j] : OTHER[j - N_NARROW];
            if (to == NARROW[i])
                continue;
            const shape s = {"cast", NARROW[i], to, make_cast};
            pair p = pair_new(&s, on, 8);
            assert_true(p.rewritten || (s.from == DT_F16 && to == DT_F32));
            _Alignas(64) unsigned char in[N * 8];
            const int bits = dtype_bits(s.from);
            for (int64_t code = 0; code < 1 << bits; code += N) {
                for (size_t k = 0; k < N; k++) {
                    const uint64_t pattern = (uint64_t)code + k;
                    memcpy(in + k * (size_t)bits / 8, &pattern, (size_t)bits / 8);
                }
                compare(&p, in);
            }
            pair_free(&p);
        }
}

static void decoding(void **state) {
    (void)state;
    decode_all("generic");
    decode_all("x86-64-v3");
}

static void put_double(dtype t, void *in, size_t *n, const pair *p, double x) {
    if (t == DT_F32) {
        const float narrow = (float)x;
        memcpy((char *)in + *n * 4, &narrow, 4);
    } else {
        memcpy((char *)in + *n * 8, &x, 8);
    }
    if (++*n == N) {
        compare(p, in);
        *n = 0;
    }
}

/* Every number of the narrow type, and the middle between it and the next, with their neighbours. */
static void encode_near_codes(const pair *p, void *in) {
    const dtype to = p->s->to, from = p->s->from;
    const int bits = dtype_bits(to);
    size_t n = 0;
    memset(in, 0, N * 8);
    for (uint32_t code = 0; code + 1 < 1u << bits; code++) {
        const double x = dtype_get_double(to, &code, 0), next = dtype_get_double(to, &(uint32_t){code + 1}, 0);
        const double near[] = {x, (x + next) / 2};
        for (int k = 0; k < 6; k++) {
            const double at = near[k % 2];
            const double toward = k < 2 ? at : k < 4 ? -(double)INFINITY : (double)INFINITY;
            put_double(from, in, &n, p,
                       from == DT_F32 ? (double)nextafterf((float)at, (float)toward) : nextafter(at, toward));
        }
    }
    compare(p, in);
}

static void encode_f32_patterns(const pair *p, void *in) {
    uint32_t bits = 0;
    for (int chunk = 0; chunk < 300; chunk++) {
        for (size_t i = 0; i < N; i++, bits += 3499)
            memcpy((char *)in + i * 4, &bits, 4);
        compare(p, in);
    }
}

/* Random integers of every length, and f64 of every size. */
static void encode_random(const pair *p, void *in) {
    uint64_t seed = 1;
    const size_t each = dtype_bytes(p->s->from, 1);
    for (int chunk = 0; chunk < 20; chunk++) {
        for (size_t i = 0; i < N; i++) {
            uint64_t bits = next_random(&seed);
            const unsigned place = (unsigned)(next_random(&seed) % 64);
            if (p->s->from == DT_F64 && i % 2 != 0) {
                const double x = ldexp((double)(int64_t)bits, (int)(next_random(&seed) % 320) - 220);
                memcpy(&bits, &x, sizeof bits);
            } else if (p->s->from == DT_BOOL) {
                bits &= 1;
            } else if (p->s->from != DT_F64) {
                bits >>= place;
                bits = i % 4 == 1   ? UINT64_C(1) << place
                       : i % 4 == 2 ? (UINT64_C(0x8080000000000000) >> place) + i % 3 - 1
                                    : bits;
                bits = i % 8 >= 4 ? 0 - bits : bits;
            }
            memcpy((char *)in + i * each, &bits, each);
        }
        compare(p, in);
    }
}

static void encode_all(const char *on, int lanes) {
    for (size_t i = 0; i < N_NARROW; i++)
        for (size_t j = 0; j < N_OTHER; j++) {
            const shape s = {"cast", OTHER[j], NARROW[i], make_cast};
            pair p = pair_new(&s, on, lanes);
            _Alignas(64) unsigned char in[N * 8];
            if (dtype_is_float(s.from))
                encode_near_codes(&p, in);
            if (s.from == DT_F32)
                encode_f32_patterns(&p, in);
            else
                encode_random(&p, in);
            pair_free(&p);
        }
}

static void encoding(void **state) {
    (void)state;
    encode_all("generic", 8);
    encode_all("x86-64-v3", 1);
}

/* ---- square root and rounding ---- */

static const shape FLOATS[] = {
    {"sqrt", DT_F32, DT_F32, make_sqrt},   {"sqrt", DT_F64, DT_F64, make_sqrt},   {"floor", DT_F32, DT_F32, make_floor},
    {"floor", DT_F64, DT_F64, make_floor}, {"ceil", DT_F32, DT_F32, make_ceil},   {"ceil", DT_F64, DT_F64, make_ceil},
    {"trunc", DT_F32, DT_F32, make_trunc}, {"trunc", DT_F64, DT_F64, make_trunc}, {"rint", DT_F32, DT_F32, make_rint},
    {"rint", DT_F64, DT_F64, make_rint},
};

static void all_patterns_f32(const pair *p, uint32_t stride) {
    uint32_t in[N], bits = 0;
    for (uint64_t done = 0; done < (UINT64_C(1) << 32) / stride; done += N) {
        for (size_t i = 0; i < N; i++, bits += stride)
            in[i] = bits;
        compare(p, in);
    }
}

/* Random bits; numbers with few bits, so that squares are exact; halves of integers; and the neighbours of all these.
 */
static void patterns_f64(const pair *p) {
    double in[N];
    uint64_t seed = 7;
    for (int chunk = 0; chunk < 100; chunk++) {
        for (size_t i = 0; i < N; i++) {
            const uint64_t bits = next_random(&seed);
            const int64_t few = (int64_t)(next_random(&seed) >> (11 + next_random(&seed) % 52));
            memcpy(&in[i], &bits, sizeof bits);
            if (i % 4 == 1)
                in[i] = (double)few * (double)few;
            else if (i % 4 == 2)
                in[i] = (double)few * (bits % 2 ? 0.5 : -0.5);
            else if (i % 4 == 3)
                in[i] = ldexp((double)few, (int)(bits % 300) - 200);
            if (i % 3 != 0)
                in[i] = nextafter(in[i], i % 3 == 1 ? (double)INFINITY : 0);
        }
        compare(p, in);
    }
}

static void special_patterns(const pair *p) {
    static const double special[] = {
        0,   -0.0, INFINITY, -INFINITY, NAN,        1e-310,      1e-45,     -1e-45,    0.5,        -0.5,
        1.5, -1.5, 2.5,      -2.5,      0.49999997, -0.99999994, 8388607.5, 8388608.5, -8388607.5, 4503599627370495.5,
        1,   2,    4};
    _Alignas(64) unsigned char in[N * 8];
    for (size_t i = 0; i < N; i++)
        dtype_set_double(p->s->from, in, i, special[i % (sizeof special / sizeof *special)]);
    compare(p, in);
}

static void floats(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof FLOATS / sizeof *FLOATS; i++) {
        pair p = pair_new(&FLOATS[i], "generic", 8);
        assert_true(p.rewritten);
        special_patterns(&p);
        if (p.s->from == DT_F32)
            all_patterns_f32(&p, 1999);
        else
            patterns_f64(&p);
        pair_free(&p);
    }
}

/* Every mantissa, with an even and an odd exponent. */
static void square_root_of_every_mantissa(void **state) {
    (void)state;
    pair p = pair_new(&FLOATS[0], "generic", 8);
    uint32_t in[N];
    for (uint32_t bits = 0x3f800000; bits < 0x40800000; bits += N) {
        for (uint32_t i = 0; i < N; i++)
            in[i] = bits + i;
        compare(&p, in);
    }
    pair_free(&p);
}

/* Targets that have the instructions keep them. */
static void what_is_legal_stays(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof FLOATS / sizeof *FLOATS; i++) {
        pair p = pair_new(&FLOATS[i], "x86-64-v3", 8);
        assert_false(p.rewritten);
        pair_free(&p);
        p = pair_new(&FLOATS[i], "x86-64", 4);
        assert_int_equal(p.rewritten, FLOATS[i].make != make_sqrt);
        pair_free(&p);
    }
}

/* ---- dot products ---- */

static bench dot_bench(expr_kind kind, int lanes) {
    bench x = bench_new(bench_target("x86-64-v3"));
    const int each = kind == EXPR_DOT2 ? 2 : 4;
    const dtype a = kind == EXPR_DOT2 ? DT_I16 : DT_U8, c = kind == EXPR_DOT2 ? DT_I16 : DT_I8;
    bench_buffer(&x, DT_I32, N, ACCESS_READ);
    bench_buffer(&x, a, N * each, ACCESS_READ);
    bench_buffer(&x, c, N * each, ACCESS_READ);
    bench_buffer(&x, DT_I32, N, ACCESS_WRITE);
    const expr *i = build_for(x.b, "i", build_index(x.b, N / lanes), LOOP_SERIAL);
    const expr *at = build_mul(x.b, i, build_index(x.b, lanes)),
               *from = build_mul(x.b, i, build_index(x.b, lanes * each));
    const expr *u = build_load(x.b, 1, LTYPE(a, lanes * each), from, NULL);
    const expr *v = build_load(x.b, 2, LTYPE(c, lanes * each), from, NULL);
    build_store(x.b, 3, at, build_dot(x.b, kind, build_load(x.b, 0, LTYPE(DT_I32, lanes), at, NULL), u, v), NULL);
    build_end(x.b);
    assert_int_equal(bench_finish(&x), STATUS_OK);
    return x;
}

/* Bytes in pairs, in vectors that fill a register or none, on a target that has PAIRS and on one that has not. */
static void pairs_of_bytes(void **state) {
    (void)state;
    static const struct {
        const char *target;
        int lanes;
        bool stays;
    } cases[] = {{"x86-64-v3", 16, true}, {"x86-64-v3", 8, true}, {"x86-64-v3", 4, false}, {"x86-64-v3", 32, false},
                 {"x86-64-v4", 32, true}, {"x86-64", 8, false},   {"generic", 8, false},   {"aarch64", 8, false}};
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        const int lanes = cases[k].lanes;
        bench x = bench_new(bench_target(cases[k].target));
        bench_buffer(&x, DT_U8, N * 2, ACCESS_READ);
        bench_buffer(&x, DT_I8, N * 2, ACCESS_READ);
        bench_buffer(&x, DT_I16, N, ACCESS_WRITE);
        const expr *i = build_for(x.b, "i", build_index(x.b, N / lanes), LOOP_SERIAL);
        const expr *at = build_mul(x.b, i, build_index(x.b, lanes)), *from = build_mul(x.b, at, build_index(x.b, 2));
        const expr *u = build_load(x.b, 0, LTYPE(DT_U8, lanes * 2), from, NULL);
        const expr *v = build_load(x.b, 1, LTYPE(DT_I8, lanes * 2), from, NULL);
        build_store(x.b, 2, at, build_pairs(x.b, u, v), NULL);
        build_end(x.b);
        assert_int_equal(bench_finish(&x), STATUS_OK);
        strbuf text = strbuf_in(x.memory);
        legalise(&x, bench_target(cases[k].target));
        kernel_print(x.k, &text);
        const char *printed;
        assert_int_equal(strbuf_finish(&text, &printed), STATUS_OK);
        assert_int_equal(strstr(printed, "pairs(") != NULL, cases[k].stays);
        static uint8_t in[2][N * 2];
        static const uint8_t ends[2][4] = {{0, 255, 255, 128}, {0x80, 0x7f, 0x81, 0x40}};
        int16_t got[N];
        uint64_t seed = 5;
        for (size_t j = 0; j < 4 * N; j++) {
            uint64_t random = next_random(&seed) >> 40;
            in[j % 2][j / 2] = j < 2 * N ? ends[j % 2][random % 4] : (uint8_t)random;
        }
        assert_int_equal(bench_run(&x, (void *const[]){in[0], in[1], got}), 0);
        for (size_t j = 0; j < N; j++) {
            int sum = in[0][2 * j] * (int8_t)in[1][2 * j] + in[0][2 * j + 1] * (int8_t)in[1][2 * j + 1];
            assert_int_equal(got[j], sum > INT16_MAX ? INT16_MAX : sum < INT16_MIN ? INT16_MIN : sum);
        }
        bench_free(&x);
    }
}

/* Lanes by number, on targets that have an instruction for so many, and on others. */
static void permutations(void **state) {
    (void)state;
    static const struct {
        const char *target;
        int lanes;
        bool stays, stays2;
    } cases[] = {{"x86-64-v4", 16, true, true},  {"x86-64-v4", 8, true, true}, {"x86-64-v3", 8, true, false},
                 {"x86-64-v3", 4, false, false}, {"x86-64", 4, false, false},  {"aarch64", 4, false, false}};
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        bench x = bench_new(bench_target(cases[k].target));
        const int lanes = cases[k].lanes;
        bench_buffer(&x, DT_F32, N, ACCESS_READ);
        bench_buffer(&x, DT_U32, N, ACCESS_READ);
        bench_buffer(&x, DT_F32, N, ACCESS_WRITE);
        const expr *i = build_for(x.b, "i", build_index(x.b, N / lanes), LOOP_SERIAL);
        const expr *at = build_mul(x.b, i, build_index(x.b, lanes));
        const expr *from = build_load(x.b, 0, LTYPE(DT_F32, lanes), at, NULL),
                   *numbers = build_load(x.b, 1, LTYPE(DT_U32, lanes), at, NULL);
        bench_buffer(&x, DT_F32, N, ACCESS_WRITE);
        build_store(x.b, 2, at, build_permute(x.b, from, numbers), NULL);
        build_store(x.b, 3, at, build_permute2(x.b, from, build_unary(x.b, EXPR_NEG, from), numbers), NULL);
        build_end(x.b);
        assert_int_equal(bench_finish(&x), STATUS_OK);
        legalise(&x, bench_target(cases[k].target));
        strbuf text = strbuf_in(x.memory);
        const char *printed;
        kernel_print(x.k, &text);
        assert_int_equal(strbuf_finish(&text, &printed), STATUS_OK);
        assert_int_equal(strstr(printed, "permute(") != NULL, cases[k].stays);
        assert_int_equal(strstr(printed, "permute2(") != NULL, cases[k].stays2);
        static float in[N], got[N], both[N];
        static uint32_t lane[N];
        uint64_t seed = 9;
        for (size_t j = 0; j < N; j++) {
            in[j] = (float)j;
            lane[j] = (uint32_t)(next_random(&seed) >> 40); /* counted modulo the lanes */
        }
        assert_int_equal(bench_run(&x, (void *const[]){in, lane, got, both}), 0);
        for (size_t j = 0; j < N; j++) {
            float of = in[j - j % (size_t)lanes + lane[j] % (uint32_t)lanes];
            assert_true(got[j] == of);
            assert_true(both[j] == (lane[j] / (uint32_t)lanes % 2 == 0 ? of : -of));
        }
        bench_free(&x);
    }
}

static void dot_products(void **state) {
    (void)state;
    for (int kind = 0; kind < 4; kind++) {
        bench before = dot_bench(kind % 2 ? EXPR_DOT2 : EXPR_DOT4, kind < 2 ? 8 : 1);
        bench after = dot_bench(kind % 2 ? EXPR_DOT2 : EXPR_DOT4, kind < 2 ? 8 : 1);
        legalise(&after, bench_target("x86-64-v3"));
        static uint8_t in[3][N * 4];
        int32_t want[N], got[N];
        uint64_t seed = 3;
        for (size_t i = 0; i < 3 * N * 4; i++)
            in[i / (N * 4)][i % (N * 4)] = i % 7 == 0 ? 0x80 : (uint8_t)(next_random(&seed) >> 40);
        assert_int_equal(bench_run(&before, (void *const[]){in[0], in[1], in[2], want}), 0);
        assert_int_equal(bench_run(&after, (void *const[]){in[0], in[1], in[2], got}), 0);
        assert_memory_equal(want, got, sizeof want);
        bench_free(&before);
        bench_free(&after);
    }
}

/* ---- statements of every kind survive ---- */

static bench statements_bench(void) {
    bench x = bench_new(bench_target("x86-64-v3"));
    builder *b = x.b;
    bench_buffer(&x, DT_BF16, N, ACCESS_READ);
    bench_buffer(&x, DT_F32, N, ACCESS_READ_WRITE);
    build_note(b, "a note");
    int reg = build_declare(b, "sum", LTYPE(DT_F32, 1), 2);
    const expr *one = build_index(b, 1), *zero = build_index(b, 0);
    build_set(b, reg, one, build_float(b, DT_F32, 0.25));
    const expr *i = build_for(b, "i", build_index(b, N), LOOP_SERIAL);
    const expr *x_i = build_let(b, "x", build_cast(b, DT_F32, build_load(b, 0, LTYPE(DT_BF16, 1), i, NULL)));
    build_check(b, build_lt(b, x_i, build_float(b, DT_F32, 1e9)), 7);
    build_if(b, build_lt(b, x_i, build_float(b, DT_F32, 0)));
    build_store(b, 1, i, x_i, NULL);
    build_else(b);
    build_set(b, reg, zero, build_add(b, build_reg_get(b, reg, LTYPE(DT_F32, 1), one), x_i));
    build_set(b, reg, one, build_unary(b, EXPR_RINT, build_reg_get(b, reg, LTYPE(DT_F32, 1), zero)));
    build_store(b, 1, i, build_reg_get(b, reg, LTYPE(DT_F32, 1), one), build_ne(b, i, build_index(b, 5)));
    build_end(b);
    build_end(b);
    x.k = builder_kernel(b, "test", x.buffers, x.n_buffers);
    return x;
}

static void statements(void **state) {
    (void)state;
    bench before = statements_bench(), after = statements_bench();
    assert_int_equal(bench_program(&before), STATUS_OK);
    legalise(&after, bench_target("generic"));
    uint16_t in[N];
    float want[N] = {0}, got[N] = {0};
    for (int k = 0; k < 2; k++) {
        for (int i = 0; i < N; i++)
            in[i] = bfloat_from_float((float)(i % 13) * 0.7f - 4);
        in[N - 1] = bfloat_from_float(k == 0 ? 1 : 1e10f);
        assert_int_equal(bench_run(&before, (void *const[]){in, want}), k == 0 ? 0 : 7);
        assert_int_equal(bench_run(&after, (void *const[]){in, got}), k == 0 ? 0 : 7);
        assert_memory_equal(want, got, sizeof want);
    }
    bench_free(&before);
    bench_free(&after);
}

/* ---- out of memory ---- */

static status legalise_with(const allocator *from, void *ctx) {
    kernel copy = *(const kernel *)ctx;
    arena *a = arena_new(from);
    if (a == NULL)
        return STATUS_RESOURCE;
    const stmt *first = copy.body.first;
    status result = kernel_legalise(&copy, a, bench_target("generic"));
    assert_true((result == STATUS_OK) == (copy.body.first != first));
    arena_free(a);
    return result;
}

static void out_of_memory(void **state) {
    (void)state;
    bench x = statements_bench();
    assert_true(test_each_allocation(legalise_with, x.k) > 1);
    bench_free(&x);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(decoding),
        cmocka_unit_test(encoding),
        cmocka_unit_test(floats),
        cmocka_unit_test(square_root_of_every_mantissa),
        cmocka_unit_test(what_is_legal_stays),
        cmocka_unit_test(pairs_of_bytes),
        cmocka_unit_test(permutations),
        cmocka_unit_test(dot_products),
        cmocka_unit_test(statements),
        cmocka_unit_test(out_of_memory),
    };
    return cmocka_run_group_tests_name("legalise", tests, NULL, NULL);
}
