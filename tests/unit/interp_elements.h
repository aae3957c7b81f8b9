/* What the interpreter's tests share: elements of every type, data to fill buffers with, runs in both instruction sets.
 */
#ifndef TENON_INTERP_ELEMENTS_H
#define TENON_INTERP_ELEMENTS_H

#include <math.h>

#include "interp_support.h"
#include "loop/interp.h"

#define N 512

static const dtype INTS[] = {DT_I8, DT_I16, DT_I32, DT_I64, DT_U8, DT_U16, DT_U32, DT_U64};
#define N_INTS (sizeof INTS / sizeof *INTS)
static const dtype STORABLE[] = {DT_BOOL,     DT_I8,         DT_I16,    DT_I32,        DT_I64, DT_U8,
                                 DT_U16,      DT_U32,        DT_U64,    DT_F16,        DT_F32, DT_BF16,
                                 DT_F8E4M3FN, DT_F8E4M3FNUZ, DT_F8E5M2, DT_F8E5M2FNUZ, DT_F64};
#define N_STORABLE (sizeof STORABLE / sizeof *STORABLE)

static const int LANES[] = {1, 2, 8, 16, 64};
#define N_LANES (sizeof LANES / sizeof *LANES)

static inline __int128 get_int(dtype t, const void *data, size_t i) {
    const int64_t x = dtype_get_int(t, data, i);
    return t == DT_U64 ? (__int128)(uint64_t)x : x;
}

static inline void put_int(dtype t, void *out, size_t i, __int128 x) {
    dtype_set_int(t, out, i, (int64_t)(uint64_t)(unsigned __int128)x);
}

static inline bool same_element(dtype t, const void *a, const void *b, size_t i) {
    const size_t each = dtype_bytes(t, 1);
    if (memcmp((const char *)a + i * each, (const char *)b + i * each, each) == 0)
        return true;
    return dtype_is_float(t) && isnan(dtype_get_double(t, a, i)) && isnan(dtype_get_double(t, b, i));
}

/* ---- data: limits and their neighbours, small numbers, random bits; every pair of the first kinds meets somewhere
 * ---- */

static inline void fill(dtype t, void *data, size_t n, uint64_t seed) {
    static const double floats[] = {
        0,     -0.0, 1,       -1,      0.5,        -0.5,          1.5,          2.5,    -2.5,    3,
        1e-40, 1e30, -1e30,   127.5,   -128.5,     INFINITY,      -INFINITY,    NAN,    65504,   65520,
        448,   464,  57344.0, 61440.0, 2147483648, -2147483649.0, 4294967296.0, 0x1p63, -0x1p63, 0x1p64};
    const size_t each = dtype_bytes(t, 1);
    for (size_t i = 0; i < n; i++) {
        const uint64_t random = next_random(&seed);
        uint64_t bits = random;
        void *at = (char *)data + i * each;
        memcpy(at, &bits, each);
        if (t == DT_BOOL)
            *(uint8_t *)at = random >> 20 & 1;
        else if (dtype_is_float(t) && random % 3 == 0)
            dtype_set_double(t, at, 0, floats[(random >> 8) % (sizeof floats / sizeof *floats)]);
        else if (dtype_is_float(t) && random % 3 == 1)
            dtype_set_double(t, at, 0, (double)(int64_t)random * 0x1p-57);
        else if (dtype_is_int(t) && random % 3 == 0)
            put_int(t, at, 0,
                    (__int128)dtype_min(t) * (random >> 8 & 1) + (__int128)dtype_max(t) * (random >> 9 & 1) +
                        (int)(random >> 10 & 3) - 1);
        else if (dtype_is_int(t) && random % 3 == 1)
            put_int(t, at, 0, (__int128)(random >> 8 & 31) - 16);
    }
}

typedef struct memory {
    _Alignas(64) unsigned char at[BENCH_MAX_BUFFERS][N * 8 + 64];
} memory;

/* Runs the kernel with one of the two instruction sets. */
static inline int run_with(bench *x, const interp_ops *ops, void *const *buffers) {
    interp_view views[BENCH_MAX_BUFFERS];
    interp_frame frame = {.memory = x->memory};
    int code = 0;
    const op *p;
    for (int i = 0; i < x->n_buffers; i++)
        views[i] = (interp_view){buffers[i], x->buffers[i].n};
    assert_int_equal(interp_compile(x->k, x->memory, &frame, ops, views, &code, &p), STATUS_OK);
    while (p != NULL)
        p = p->run(p);
    return code;
}

/* Runs it in both; the last buffer must come out the same. */
static inline void run_both(bench *x, memory *m) {
    void *at[BENCH_MAX_BUFFERS];
    for (int i = 0; i < x->n_buffers; i++)
        at[i] = m->at[i];
    assert_int_equal(bench_run(x, at), 0);
    memory other = *m;
    for (int i = 0; i < x->n_buffers; i++)
        at[i] = other.at[i];
    memset(at[x->n_buffers - 1], 0x55, N * 8);
    assert_int_equal(run_with(x, &interp_ops_base, at), 0);
    const kernel_buffer *out = &x->buffers[x->n_buffers - 1];
    for (size_t i = 0; i < (size_t)out->n; i++)
        assert_true(same_element(out->elem, m->at[x->n_buffers - 1], at[x->n_buffers - 1], i));
}

/* ---- out[i] = f(in...) over N elements, some lanes at a time, at odd addresses ---- */

typedef const expr *(*make_fn)(builder *b, const expr *const *in, const void *how);

/* from[n]: the operands' types. */
static inline bench map_bench(make_fn make, const void *how, const dtype *from, int n, dtype to, int lanes) {
    bench x = bench_new(bench_target("x86-64-v3"));
    const expr *in[4];
    for (int k = 0; k < n; k++)
        bench_buffer(&x, from[k], N, ACCESS_READ);
    const int out = bench_buffer(&x, to, N, ACCESS_WRITE);
    const expr *i = build_for(x.b, "i", build_index(x.b, N / lanes), LOOP_SERIAL);
    const expr *at = build_mul(x.b, i, build_index(x.b, lanes));
    for (int k = 0; k < n; k++)
        in[k] = build_load(x.b, k, LTYPE(from[k], lanes), at, NULL);
    build_store(x.b, out, at, make(x.b, in, how), NULL);
    build_end(x.b);
    assert_int_equal(bench_finish(&x), STATUS_OK);
    return x;
}

#endif
