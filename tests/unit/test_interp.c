/* rooms: loop base */
/* The interpreter: every operation on every type against arithmetic written out here, in both instruction sets. */
#include "interp_elements.h"

/* ---- one element, computed the long way ---- */

/* x / 2^n rounded toward minus infinity. */
static __int128 floor_shift(__int128 x, int n) {
    const __int128 one = (__int128)1 << n, q = x / one;
    return x % one < 0 ? q - 1 : q;
}

static __int128 int_result(expr_kind k, dtype t, __int128 x, __int128 y) {
    const int bits = dtype_bits(t), count = (int)((y % bits + bits) % bits);
    switch (k) {
    case EXPR_NEG:
        return -x;
    case EXPR_ABS:
        return x < 0 ? -x : x;
    case EXPR_NOT:
        return t == DT_BOOL ? !x : -1 - x;
    case EXPR_ADD:
        return x + y;
    case EXPR_SUB:
        return x - y;
    case EXPR_MUL:
        return (__int128)((unsigned __int128)x * (unsigned __int128)y);
    case EXPR_DIV:
        return y == 0 ? 0 : x / y;
    case EXPR_REM:
        return y == 0 ? 0 : x % y;
    case EXPR_MIN:
        return x < y ? x : y;
    case EXPR_MAX:
        return x > y ? x : y;
    case EXPR_AND:
        return x & y;
    case EXPR_OR:
        return x | y;
    case EXPR_XOR:
        return x ^ y;
    case EXPR_SHL:
        return (__int128)((unsigned __int128)x << count);
    case EXPR_SHR:
        return floor_shift(x, count);
    case EXPR_SHR_ROUND:
        return count == 0 ? x : floor_shift(x + ((__int128)1 << (count - 1)), count);
    case EXPR_MUL_HIGH:
        return floor_shift(x * y, 32);
    case EXPR_EQ:
        return x == y;
    case EXPR_NE:
        return x != y;
    case EXPR_LT:
        return x < y;
    case EXPR_LE:
        return x <= y;
    default:
        fail_msg("no integer operation %d", k);
        return 0;
    }
}

/* Of doubles; for f32 the caller rounds once more, which is harmless: a double has more than twice the digits. */
static double float_result(expr_kind k, double x, double y) {
    switch (k) {
    case EXPR_NEG:
        return copysign(x, signbit(x) ? 1 : -1);
    case EXPR_ABS:
        return copysign(x, 1);
    case EXPR_SQRT:
        return sqrt(x);
    case EXPR_FLOOR:
        return floor(x);
    case EXPR_CEIL:
        return ceil(x);
    case EXPR_TRUNC:
        return trunc(x);
    case EXPR_RINT:
        return nearbyint(x);
    case EXPR_ADD:
        return x + y;
    case EXPR_SUB:
        return x - y;
    case EXPR_MUL:
        return x * y;
    case EXPR_DIV:
        return x / y;
    case EXPR_MIN:
        return isless(x, y) ? x : y;
    case EXPR_MAX:
        return isgreater(x, y) ? x : y;
    case EXPR_EQ:
        return x == y;
    case EXPR_NE:
        return isless(x, y) || isgreater(x, y) || isunordered(x, y);
    case EXPR_LT:
        return isless(x, y);
    case EXPR_LE:
        return islessequal(x, y);
    default:
        fail_msg("no float operation %d", k);
        return 0;
    }
}

static void expect_result(expr_kind k, dtype t, const void *x, const void *y, size_t i, dtype to, void *out) {
    if (dtype_is_float(t))
        dtype_set_double(to, out, i, float_result(k, dtype_get_double(t, x, i), dtype_get_double(t, y, i)));
    else
        put_int(to, out, i, int_result(k, t, get_int(t, x, i), get_int(t, y, i)));
}

static const expr *make_operation(builder *b, const expr *const *in, const void *how) {
    const expr_kind k = *(const expr_kind *)how;
    return k < EXPR_ADD ? build_unary(b, k, in[0]) : build_binary(b, k, in[0], in[1]);
}

static void check_operation(expr_kind k, dtype t, int lanes) {
    const bool compares = k >= EXPR_EQ && k <= EXPR_LE;
    const dtype to = compares ? DT_BOOL : t;
    bench x = map_bench(make_operation, &k, (const dtype[]){t, t}, k < EXPR_ADD ? 1 : 2, to, lanes);
    memory m, want;
    fill(t, m.at[0], N, 1);
    fill(t, m.at[1], N, 2);
    const int out = x.n_buffers - 1;
    const unsigned char *y = k < EXPR_ADD ? m.at[0] : m.at[1];
    for (size_t i = 0; i < N; i++)
        expect_result(k, t, m.at[0], y, i, to, want.at[0]);
    run_both(&x, &m);
    for (size_t i = 0; i < N; i++)
        if (!same_element(to, m.at[out], want.at[0], i))
            fail_msg("operation %d on %s, %d lanes, operands %a %a", k, dtype_name(t), lanes,
                     dtype_get_double(t, m.at[0], i), dtype_get_double(t, y, i));
    bench_free(&x);
}

static const expr_kind INT_KINDS[] = {EXPR_NEG, EXPR_ABS, EXPR_NOT, EXPR_ADD, EXPR_SUB, EXPR_MUL,      EXPR_DIV,
                                      EXPR_REM, EXPR_MIN, EXPR_MAX, EXPR_AND, EXPR_OR,  EXPR_XOR,      EXPR_SHL,
                                      EXPR_SHR, EXPR_EQ,  EXPR_NE,  EXPR_LT,  EXPR_LE,  EXPR_SHR_ROUND};
static const expr_kind FLOAT_KINDS[] = {EXPR_NEG,  EXPR_ABS, EXPR_SQRT, EXPR_FLOOR, EXPR_CEIL, EXPR_TRUNC,
                                        EXPR_RINT, EXPR_ADD, EXPR_SUB,  EXPR_MUL,   EXPR_DIV,  EXPR_MIN,
                                        EXPR_MAX,  EXPR_EQ,  EXPR_NE,   EXPR_LT,    EXPR_LE};
static const expr_kind BOOL_KINDS[] = {EXPR_NOT, EXPR_AND, EXPR_OR, EXPR_XOR, EXPR_EQ, EXPR_NE};

static void integers(void **state) {
    (void)state;
    for (size_t k = 0; k < sizeof INT_KINDS / sizeof *INT_KINDS; k++)
        for (size_t t = 0; t < N_INTS; t++)
            for (size_t l = 0; l < N_LANES; l++)
                check_operation(INT_KINDS[k], INTS[t], LANES[l]);
    for (size_t l = 0; l < N_LANES; l++)
        check_operation(EXPR_MUL_HIGH, DT_I32, LANES[l]);
}

static void floats(void **state) {
    (void)state;
    for (size_t k = 0; k < sizeof FLOAT_KINDS / sizeof *FLOAT_KINDS; k++)
        for (size_t l = 0; l < N_LANES; l++) {
            check_operation(FLOAT_KINDS[k], DT_F32, LANES[l]);
            check_operation(FLOAT_KINDS[k], DT_F64, LANES[l]);
        }
}

static void bools(void **state) {
    (void)state;
    for (size_t k = 0; k < sizeof BOOL_KINDS / sizeof *BOOL_KINDS; k++)
        for (size_t l = 0; l < N_LANES; l++)
            check_operation(BOOL_KINDS[k], DT_BOOL, LANES[l]);
}

/* ---- conversions ---- */

static const expr *make_cast(builder *b, const expr *const *in, const void *how) {
    return build_cast(b, *(const dtype *)how, in[0]);
}

static void expect_cast(dtype from, const void *in, size_t i, dtype to, void *out) {
    if (!dtype_is_float(from) && dtype_is_float(to) && dtype_bits(to) >= 32)
        dtype_set_double(to, out, i, to == DT_F32 ? (double)(float)get_int(from, in, i) : (double)get_int(from, in, i));
    else if (!dtype_is_float(from))
        put_int(to, out, i, to == DT_BOOL ? get_int(from, in, i) != 0 : get_int(from, in, i));
    else if (!dtype_is_int(to))
        dtype_set_double(to, out, i, dtype_get_double(from, in, i));
    else {
        const double x = dtype_get_double(from, in, i);
        const long double lo = dtype_min(to), hi = dtype_max(to);
        const long double clamped = isnan(x) ? 0 : x < (double)lo ? lo : (long double)x > hi ? hi : (long double)x;
        put_int(to, out, i, (__int128)clamped);
    }
}

static void casts(void **state) {
    (void)state;
    for (size_t f = 0; f < N_STORABLE; f++)
        for (size_t t = 0; t < N_STORABLE; t++)
            for (size_t l = 0; l < N_LANES; l++) {
                const dtype from = STORABLE[f], to = STORABLE[t];
                if (from == to || (from == DT_U64 && dtype_is_float(to) && dtype_bits(to) < 32))
                    continue;
                bench x = map_bench(make_cast, &to, &from, 1, to, LANES[l]);
                memory m, want;
                fill(from, m.at[0], N, 3);
                run_both(&x, &m);
                for (size_t i = 0; i < N; i++) {
                    expect_cast(from, m.at[0], i, to, want.at[0]);
                    if (!same_element(to, m.at[1], want.at[0], i))
                        fail_msg("%s %a to %s: %a, not %a", dtype_name(from), dtype_get_double(from, m.at[0], i),
                                 dtype_name(to), dtype_get_double(to, m.at[1], i), dtype_get_double(to, want.at[0], i));
                }
                bench_free(&x);
            }
}

/* Integers too long for a double must be rounded once all the same. (casts leaves u64 to narrow floats to this one.) */
static void casts_round_once(void **state) {
    (void)state;
    static const struct {
        dtype from, to;
        uint64_t x;
        double want;
    } rows[] = {
        {DT_I64, DT_BF16, 0x4040000000000001, 0x1.02p62},
        {DT_I64, DT_BF16, 0x4040000000000000, 0x1p62},
        {DT_I64, DT_BF16, 0xbfbfffffffffffff, -0x1.02p62},
        {DT_U64, DT_BF16, 0x8080000000000001, 0x1.02p63},
        {DT_U64, DT_BF16, 0x8080000000000000, 0x1p63},
        {DT_U64, DT_F16, UINT64_MAX, INFINITY},
        {DT_U64, DT_F8E4M3FN, UINT64_MAX, 448},
        {DT_F64, DT_F16, 0x3ff0020000000001, 0x1.004p0},
        {DT_F64, DT_BF16, 0x3ff0100000000001, 0x1.02p0},
        {DT_F64, DT_F8E5M2, 0x3ff2000000000001, 1.25},
        {DT_F64, DT_F8E5M2FNUZ, 0x8000000000000000, 0},
    };
    for (size_t r = 0; r < sizeof rows / sizeof *rows; r++) {
        bench x = map_bench(make_cast, &rows[r].to, &rows[r].from, 1, rows[r].to, 1);
        memory m = {0};
        memcpy(m.at[0], &rows[r].x, 8);
        run_both(&x, &m);
        const double got = dtype_get_double(rows[r].to, m.at[1], 0);
        if (!(got == rows[r].want) || signbit(got) != signbit(rows[r].want))
            fail_msg("row %zu: %a, not %a", r, got, rows[r].want);
        bench_free(&x);
    }
}

static const expr *make_saturate(builder *b, const expr *const *in, const void *how) {
    return build_saturate(b, *(const dtype *)how, in[0]);
}

static void saturation(void **state) {
    (void)state;
    for (size_t f = 0; f < N_INTS; f++)
        for (size_t t = 0; t < N_INTS; t++)
            for (size_t l = 0; l < N_LANES; l++) {
                const dtype from = INTS[f], to = INTS[t];
                bench x = map_bench(make_saturate, &to, &from, 1, to, LANES[l]);
                memory m, want;
                fill(from, m.at[0], N, 4);
                run_both(&x, &m);
                for (size_t i = 0; i < N; i++) {
                    const __int128 v = get_int(from, m.at[0], i), lo = dtype_min(to), hi = dtype_max(to);
                    put_int(to, want.at[0], i, v < lo ? lo : v > hi ? hi : v);
                    assert_true(same_element(to, m.at[1], want.at[0], i));
                }
                bench_free(&x);
            }
}

static const expr *make_bitcast(builder *b, const expr *const *in, const void *how) {
    return build_bitcast(b, *(const dtype *)how, in[0]);
}

static void bitcasts(void **state) {
    (void)state;
    for (size_t f = 1; f < N_STORABLE; f++)
        for (size_t t = 1; t < N_STORABLE; t++) {
            const dtype from = STORABLE[f], to = STORABLE[t];
            if (dtype_bits(from) != dtype_bits(to))
                continue;
            bench x = map_bench(make_bitcast, &to, &from, 1, to, LANES[(f + t) % N_LANES]);
            memory m;
            fill(from, m.at[0], N, 5);
            run_both(&x, &m);
            assert_memory_equal(m.at[0], m.at[1], dtype_bytes(to, N));
            bench_free(&x);
        }
}

/* ---- three operands ---- */

static const expr *make_select(builder *b, const expr *const *in, const void *how) {
    (void)how;
    return build_select(b, in[0], in[1], in[2]);
}

static void selects(void **state) {
    (void)state;
    for (size_t t = 0; t < N_STORABLE; t++)
        for (size_t l = 0; l < N_LANES; l++) {
            const dtype type = STORABLE[t];
            bench x = map_bench(make_select, NULL, (const dtype[]){DT_BOOL, type, type}, 3, type, LANES[l]);
            memory m;
            fill(DT_BOOL, m.at[0], N, 6);
            fill(type, m.at[1], N, 7);
            fill(type, m.at[2], N, 8);
            run_both(&x, &m);
            for (size_t i = 0; i < N; i++)
                assert_true(same_element(type, m.at[3], m.at[0][i] ? m.at[1] : m.at[2], i));
            bench_free(&x);
        }
}

static const expr *make_fma(builder *b, const expr *const *in, const void *how) {
    (void)how;
    return build_fma(b, in[0], in[1], in[2]);
}

static void fused(void **state) {
    (void)state;
    for (size_t l = 0; l < N_LANES; l++) {
        const dtype f = DT_F32, d = DT_F64;
        bench x = map_bench(make_fma, NULL, (const dtype[]){f, f, f}, 3, f, LANES[l]);
        bench y = map_bench(make_fma, NULL, (const dtype[]){d, d, d}, 3, d, LANES[l]);
        memory m, n, want;
        for (int k = 0; k < 3; k++) {
            fill(f, m.at[k], N, 9 + (uint64_t)k);
            fill(d, n.at[k], N, 9 + (uint64_t)k);
        }
        run_both(&x, &m);
        run_both(&y, &n);
        const float *a = (const float *)m.at[0], *b = (const float *)m.at[1], *c = (const float *)m.at[2];
        const double *u = (const double *)n.at[0], *v = (const double *)n.at[1], *w = (const double *)n.at[2];
        for (size_t i = 0; i < N; i++) {
            ((float *)want.at[0])[i] = fmaf(a[i], b[i], c[i]);
            ((double *)want.at[1])[i] = fma(u[i], v[i], w[i]);
            assert_true(same_element(f, m.at[3], want.at[0], i));
            assert_true(same_element(d, n.at[3], want.at[1], i));
        }
        bench_free(&x);
        bench_free(&y);
    }
}

static void dot_products(void **state) {
    static const struct {
        expr_kind kind;
        int each;
        dtype a, c;
    } kinds[] = {{EXPR_DOT2, 2, DT_I16, DT_I16}, {EXPR_DOT4, 4, DT_U8, DT_I8}, {EXPR_DOT4, 4, DT_I8, DT_I8}};
    (void)state;
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++)
        for (int each = kinds[k].each, lanes = 1; lanes <= 64 / each; lanes *= 2) {
            const expr_kind kind = kinds[k].kind;
            const dtype a = kinds[k].a, c = kinds[k].c;
            bench x = bench_new(bench_target("x86-64-v3"));
            bench_buffer(&x, DT_I32, N / 4, ACCESS_READ);
            bench_buffer(&x, a, N, ACCESS_READ);
            bench_buffer(&x, c, N, ACCESS_READ);
            bench_buffer(&x, DT_I32, N / 4, ACCESS_WRITE);
            const expr *i = build_for(x.b, "i", build_index(x.b, N / 4 / lanes), LOOP_SERIAL);
            const expr *at = build_mul(x.b, i, build_index(x.b, lanes)),
                       *from = build_mul(x.b, at, build_index(x.b, each));
            const expr *acc = build_load(x.b, 0, LTYPE(DT_I32, lanes), at, NULL);
            const expr *u = build_load(x.b, 1, LTYPE(a, lanes * each), from, NULL);
            const expr *v = build_load(x.b, 2, LTYPE(c, lanes * each), from, NULL);
            build_store(x.b, 3, at, build_dot(x.b, kind, acc, u, v), NULL);
            build_end(x.b);
            assert_int_equal(bench_finish(&x), STATUS_OK);
            memory m, want;
            fill(DT_I32, m.at[0], N / 4, 1);
            fill(a, m.at[1], N, 2);
            fill(c, m.at[2], N, 3);
            run_both(&x, &m);
            for (size_t j = 0; j < N / 4; j++) {
                __int128 sum = get_int(DT_I32, m.at[0], j);
                for (size_t t = 0; t < (size_t)each; t++)
                    sum += get_int(a, m.at[1], j * (size_t)each + t) * get_int(c, m.at[2], j * (size_t)each + t);
                put_int(DT_I32, want.at[0], j, sum);
            }
            assert_memory_equal(m.at[3], want.at[0], N);
            bench_free(&x);
        }
}

/* ---- lanes to one ---- */

/* The tree of loop.h, spelt as recursion: the two halves are combined lane by lane first. */
static void expect_reduce(expr_kind k, dtype t, unsigned char *x, size_t n, void *out) {
    static const expr_kind combine[] = {EXPR_ADD, EXPR_MUL, EXPR_MIN, EXPR_MAX};
    const size_t each = dtype_bytes(t, 1);
    if (n == 1) {
        memcpy(out, x, each);
        return;
    }
    unsigned char half[64 * 8];
    for (size_t i = 0; i < n / 2; i++)
        expect_result(combine[k - EXPR_REDUCE_ADD], t, x, x + n / 2 * each, i, t, half);
    expect_reduce(k, t, half, n / 2, out);
}

static void reductions(void **state) {
    (void)state;
    static const dtype types[] = {DT_F32, DT_F64, DT_I8, DT_I16, DT_I32, DT_I64, DT_U8, DT_U16, DT_U32, DT_U64};
    for (expr_kind k = EXPR_REDUCE_ADD; k <= EXPR_REDUCE_MAX; k++)
        for (size_t t = 0; t < sizeof types / sizeof *types; t++)
            for (int lanes = 2; lanes <= 64; lanes *= 2) {
                const dtype type = types[t];
                bench x = bench_new(bench_target("x86-64-v3"));
                bench_buffer(&x, type, N, ACCESS_READ);
                bench_buffer(&x, type, N / lanes, ACCESS_WRITE);
                const expr *i = build_for(x.b, "i", build_index(x.b, N / lanes), LOOP_SERIAL);
                const expr *at = build_mul(x.b, i, build_index(x.b, lanes));
                build_store(x.b, 1, i, build_unary(x.b, k, build_load(x.b, 0, LTYPE(type, lanes), at, NULL)), NULL);
                build_end(x.b);
                assert_int_equal(bench_finish(&x), STATUS_OK);
                memory m;
                fill(type, m.at[0], N, 11);
                run_both(&x, &m);
                for (size_t j = 0; j < (size_t)(N / lanes); j++) {
                    unsigned char want[8];
                    const size_t each = dtype_bytes(type, 1);
                    expect_reduce(k, type, m.at[0] + j * (size_t)lanes * each, (size_t)lanes, want);
                    assert_true(same_element(type, m.at[1] + j * each, want, 0));
                }
                bench_free(&x);
            }
}

/* ---- index arithmetic wraps, and has short cuts of its own ---- */

static const expr *make_index(builder *b, const expr *const *in, const void *how) {
    const expr *x = in[0], *y = in[1];
    switch (*(const int *)how) {
    case 0:
        return build_add(b, x, build_index(b, INT64_MAX));
    case 1:
        return build_mul(b, x, build_index(b, -7));
    case 2:
        return build_add(b, build_mul(b, x, build_index(b, INT64_C(0x100000001))), y);
    case 3:
        return build_add(b, y, build_mul(b, x, build_index(b, 3)));
    default:
        return build_add(b, build_mul(b, x, build_index(b, 5)), build_mul(b, build_mul(b, x, build_index(b, 5)), y));
    }
}

static void index_arithmetic(void **state) {
    (void)state;
    for (int how = 0; how < 5; how++) {
        bench x = map_bench(make_index, &how, (const dtype[]){DT_I64, DT_I64}, 2, DT_I64, 1);
        memory m;
        fill(DT_I64, m.at[0], N, 15);
        fill(DT_I64, m.at[1], N, 16);
        run_both(&x, &m);
        for (size_t i = 0; i < N; i++) {
            const uint64_t u = ((const uint64_t *)m.at[0])[i], v = ((const uint64_t *)m.at[1])[i];
            const uint64_t want[] = {u + INT64_MAX, u * (uint64_t)-7, u * 0x100000001 + v, v + u * 3,
                                     u * 5 + u * 5 * v};
            assert_int_equal(((const uint64_t *)m.at[2])[i], want[how]);
        }
        bench_free(&x);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(integers),     cmocka_unit_test(floats),           cmocka_unit_test(bools),
        cmocka_unit_test(casts),        cmocka_unit_test(casts_round_once), cmocka_unit_test(saturation),
        cmocka_unit_test(bitcasts),     cmocka_unit_test(selects),          cmocka_unit_test(fused),
        cmocka_unit_test(dot_products), cmocka_unit_test(reductions),       cmocka_unit_test(index_arithmetic),
    };
    return cmocka_run_group_tests_name("interp", tests, NULL, NULL);
}
