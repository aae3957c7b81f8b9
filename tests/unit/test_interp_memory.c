/* rooms: loop base */
/* The interpreter: rearranged lanes, memory, masks, bounds; statements; programs. */
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "interp_elements.h"

/* ---- lanes ---- */

/* out = [broadcast x[0], ramp from x[1], x and y shuffled], for every type. */
static void rearranging(void **state) {
    (void)state;
    static const uint8_t order[] = {7, 0, 3, 15, 8, 8, 1, 2, 9, 14};
    for (size_t t = 0; t < N_STORABLE; t++) {
        const dtype type = STORABLE[t];
        bench x = bench_new(bench_target("x86-64-v3"));
        bench_buffer(&x, type, 16, ACCESS_READ);
        bench_buffer(&x, type, 40, ACCESS_WRITE);
        builder *b = x.b;
        const expr *zero = build_index(b, 0);
        const expr *first = build_load(b, 0, LTYPE(type, 1), zero, NULL),
                   *second = build_load(b, 0, LTYPE(type, 1), build_index(b, 1), NULL);
        build_store(b, 1, zero, build_broadcast(b, first, 10), NULL);
        if (dtype_is_int(type))
            build_store(b, 1, build_index(b, 10), build_ramp(b, second, -3, 10), NULL);
        const expr *u = build_load(b, 0, LTYPE(type, 8), zero, NULL),
                   *v = build_load(b, 0, LTYPE(type, 8), build_index(b, 8), NULL);
        build_store(b, 1, build_index(b, 20), build_shuffle(b, u, v, order, 10), NULL);
        build_store(b, 1, build_index(b, 30), build_shuffle(b, u, v, order + 3, 1), NULL);
        build_store(b, 1, build_index(b, 31), build_broadcast(b, build_shuffle(b, u, v, order, 1), 9), NULL);
        assert_int_equal(bench_finish(&x), STATUS_OK);
        memory m = {0}, want = {0};
        fill(type, m.at[0], 16, 12);
        memset(m.at[1], 0x55, 40 * 8);
        memset(want.at[0], 0x55, 40 * 8);
        const size_t each = dtype_bytes(type, 1);
        for (size_t i = 0; i < 10; i++) {
            memcpy(want.at[0] + i * each, m.at[0], each);
            memcpy(want.at[0] + (20 + i) * each, m.at[0] + order[i] * each, each);
            memcpy(want.at[0] + (30 + i) * each, m.at[0] + (i == 0 ? 15 : 7) * each, each);
            if (dtype_is_int(type))
                put_int(type, want.at[0], 10 + i, get_int(type, m.at[0], 1) - 3 * (__int128)i);
        }
        run_both(&x, &m);
        assert_memory_equal(m.at[1], want.at[0], 40 * each);
        bench_free(&x);
    }
}

/* ---- memory ---- */

/* Buffers: x, an index (i64) and a mask per element; out keeps 0x55 where nothing is stored. Lanes beyond the mask
 * reach far outside. */
static void masks(void **state) {
    (void)state;
    for (size_t t = 0; t < N_STORABLE; t++)
        for (size_t l = 0; l < N_LANES; l++) {
            const dtype type = STORABLE[t];
            const int lanes = LANES[l];
            bench x = bench_new(bench_target("x86-64-v3"));
            builder *b = x.b;
            bench_buffer(&x, type, lanes, ACCESS_READ);
            bench_buffer(&x, DT_I64, lanes, ACCESS_READ);
            bench_buffer(&x, DT_BOOL, lanes, ACCESS_READ);
            bench_buffer(&x, type, 4 * lanes, ACCESS_WRITE);
            const expr *zero = build_index(b, 0), *mask = build_load(b, 2, LTYPE(DT_BOOL, lanes), zero, NULL);
            const expr *at = build_load(b, 1, LTYPE(DT_I64, lanes), zero, NULL);
            const expr *value = build_load(b, 0, LTYPE(type, lanes), zero, NULL);
            build_store(b, 3, zero, build_load(b, 0, LTYPE(type, lanes), zero, mask), NULL);
            build_store(b, 3, build_index(b, lanes), build_load(b, 0, LTYPE(type, lanes), at, mask), NULL);
            build_store(b, 3, build_index(b, 2 * lanes), value, mask);
            build_store(b, 3, build_add(b, at, build_index(b, 3 * lanes)), value, mask);
            assert_int_equal(bench_finish(&x), STATUS_OK);
            memory m = {0}, want = {0};
            fill(type, m.at[0], (size_t)lanes, 13);
            memset(m.at[3], 0x55, sizeof m.at[3]);
            memset(want.at[0], 0x55, sizeof want.at[0]);
            const size_t each = dtype_bytes(type, 1), n = (size_t)lanes;
            for (size_t i = 0; i < n; i++) {
                const bool on = i % 3 != 1;
                const size_t from = n - 1 - i;
                m.at[2][i] = on;
                ((int64_t *)m.at[1])[i] = on ? (int64_t)from : i % 2 ? INT64_MAX : INT64_MIN;
                memset(want.at[0] + i * each, 0, each);
                memset(want.at[0] + (n + i) * each, 0, each);
                if (!on)
                    continue;
                memcpy(want.at[0] + i * each, m.at[0] + i * each, each);
                memcpy(want.at[0] + (n + i) * each, m.at[0] + from * each, each);
                memcpy(want.at[0] + (2 * n + i) * each, m.at[0] + i * each, each);
                memcpy(want.at[0] + (3 * n + from) * each, m.at[0] + i * each, each);
            }
            void *at_all[] = {m.at[0], m.at[1], m.at[2], m.at[3]};
            assert_int_equal(bench_run(&x, at_all), 0);
            assert_memory_equal(m.at[3], want.at[0], 4 * n * each);
            memset(m.at[3], 0x55, sizeof m.at[3]);
            assert_int_equal(run_with(&x, &interp_ops_base, at_all), 0);
            assert_memory_equal(m.at[3], want.at[0], 4 * n * each);
            bench_free(&x);
        }
}

/* Without masks, and through pointers that are not aligned. */
static void gather_and_scatter(void **state) {
    (void)state;
    bench x = bench_new(bench_target("x86-64-v3"));
    builder *b = x.b;
    bench_buffer(&x, DT_F32, 64, ACCESS_READ);
    bench_buffer(&x, DT_F32, 64, ACCESS_WRITE);
    const expr *i = build_for(b, "i", build_index(b, 8), LOOP_PARALLEL);
    const expr *down = build_ramp(b, build_sub(b, build_index(b, 63), i), -8, 8), *up = build_ramp(b, i, 8, 8);
    build_store(b, 1, up, build_load(b, 0, LTYPE(DT_F32, 8), down, NULL), NULL);
    build_end(b);
    assert_int_equal(bench_finish(&x), STATUS_OK);
    memory m;
    fill(DT_F32, m.at[0] + 1, 64, 14);
    assert_int_equal(bench_run(&x, (void *const[]){m.at[0] + 1, m.at[1] + 3}), 0);
    for (size_t j = 0; j < 64; j++)
        assert_memory_equal(m.at[0] + 1 + (63 - j) * 4, m.at[1] + 3 + j * 4, 4);
    bench_free(&x);
}

/* ---- statements ---- */

/* Neighbouring registers and variables do not disturb each other; a register may be read while it is set. */
static void registers(void **state) {
    (void)state;
    bench x = bench_new(bench_target("x86-64-v3"));
    builder *b = x.b;
    bench_buffer(&x, DT_I32, 8, ACCESS_READ);
    bench_buffer(&x, DT_I32, 24, ACCESS_READ_WRITE);
    const ltype vector = LTYPE(DT_I32, 8), scalar = LTYPE(DT_I32, 1);
    const expr *zero = build_index(b, 0), *one = build_index(b, 1);
    const int v = build_declare(b, "v", vector, 2), s = build_declare(b, "s", scalar, 2);
    build_set(b, v, zero, build_load(b, 0, vector, zero, NULL));
    build_set(b, v, one, build_reg_get(b, v, vector, zero));
    build_set(b, s, zero, build_int(b, DT_I32, 0));
    build_set(b, s, one, build_int(b, DT_I32, 1000));
    const expr *i = build_for(b, "i", build_index(b, 8), LOOP_SERIAL);
    static const uint8_t rotate[] = {1, 2, 3, 4, 5, 6, 7, 0};
    const expr *now = build_reg_get(b, v, vector, zero);
    build_set(b, v, zero, build_shuffle(b, now, now, rotate, 8));
    const expr *sum = build_reg_get(b, s, scalar, zero);
    const expr *lane = build_load(b, 0, scalar, i, NULL);
    const expr *is_even = build_eq(b, build_and(b, lane, build_int(b, DT_I32, 1)), build_int(b, DT_I32, 0));
    build_set(b, s, zero, build_add(b, sum, build_select(b, is_even, lane, build_int(b, DT_I32, -1))));
    build_store(b, 1, i, build_reg_get(b, s, scalar, zero), NULL);
    build_end(b);
    const expr *first = build_reg_get(b, v, vector, zero), *second = build_reg_get(b, v, vector, one);
    build_store(b, 1, build_index(b, 8), build_sub(b, first, second), NULL);
    build_store(b, 1, build_index(b, 16), build_broadcast(b, build_reg_get(b, s, scalar, one), 8), NULL);
    assert_int_equal(bench_finish(&x), STATUS_OK);
    int32_t in[8] = {4, 7, -3, 10, 12, 5, 6, 8}, out[24];
    const int32_t sums[] = {4, 3, 2, 12, 24, 23, 29, 37};
    assert_int_equal(bench_run(&x, (void *const[]){in, out}), 0);
    assert_memory_equal(out, sums, sizeof sums);
    for (int j = 0; j < 8; j++) {
        assert_int_equal(out[8 + j], 0);
        assert_int_equal(out[16 + j], 1000);
    }
    bench_free(&x);
}

/* Loops of no and of computed length, nested; branches with an empty side; a load sees what an earlier statement
 * stored. */
static void control(void **state) {
    (void)state;
    bench x = bench_new(bench_target("x86-64-v3"));
    builder *b = x.b;
    bench_buffer(&x, DT_I64, 3, ACCESS_READ);
    bench_buffer(&x, DT_I64, 4, ACCESS_READ_WRITE);
    const ltype i64 = LTYPE(DT_I64, 1);
    const expr *i = build_for(b, "i", build_load(b, 0, i64, build_index(b, 0), NULL), LOOP_SERIAL);
    const expr *j = build_for(b, "j", i, LOOP_SERIAL);
    const expr *count = build_load(b, 1, i64, build_index(b, 0), NULL);
    build_store(b, 1, build_index(b, 0), build_add(b, count, build_add(b, j, build_index(b, 1))), NULL);
    build_if(b, build_lt(b, j, build_load(b, 0, i64, build_index(b, 1), NULL)));
    build_store(b, 1, build_index(b, 1),
                build_add(b, build_load(b, 1, i64, build_index(b, 1), NULL), build_index(b, 1)), NULL);
    build_else(b);
    build_store(b, 1, build_index(b, 2), i, NULL);
    build_end(b);
    build_if(b, build_eq(b, j, build_index(b, 2)));
    build_else(b);
    build_store(b, 1, build_index(b, 3), j, NULL);
    build_end(b);
    build_end(b);
    build_end(b);
    assert_int_equal(bench_finish(&x), STATUS_OK);
    for (int64_t n = -1; n < 8; n++) {
        int64_t in[] = {n, 3, 0}, out[] = {0, 0, -1, -1}, want[] = {0, 0, -1, -1};
        for (int64_t u = 0; u < n; u++)
            for (int64_t w = 0; w < u; w++) {
                want[0] += w + 1;
                want[1] += w < 3;
                want[2] = w < 3 ? want[2] : u;
                want[3] = w == 2 ? want[3] : w;
            }
        assert_int_equal(bench_run(&x, (void *const[]){in, out}), 0);
        assert_memory_equal(out, want, sizeof want);
    }
    bench_free(&x);
}

/* A CHECK ends the kernel and the program at once. */
static void checks(void **state) {
    (void)state;
    bench x = bench_new(bench_target("x86-64-v3"));
    builder *b = x.b;
    bench_buffer(&x, DT_I64, 4, ACCESS_READ);
    bench_buffer(&x, DT_I64, 4, ACCESS_WRITE);
    const expr *i = build_for(b, "i", build_index(b, 4), LOOP_SERIAL);
    const expr *value = build_load(b, 0, LTYPE(DT_I64, 1), i, NULL);
    build_check(b, build_lt(b, value, build_index(b, 10)), 3);
    build_check(b, build_le(b, build_index(b, 0), value), 4);
    build_store(b, 1, i, value, NULL);
    build_end(b);
    assert_int_equal(bench_finish(&x), STATUS_OK);
    assert_int_equal(VEC_PUSH(x.memory, x.p->steps, x.p->steps.at[0]), STATUS_OK);
    int64_t out[4] = {-5, -5, -5, -5};
    assert_int_equal(bench_run(&x, (void *const[]){(int64_t[]){1, 10, 3, 4}, out}), 3);
    assert_int_equal(out[0], 1);
    assert_int_equal(out[1], -5);
    assert_int_equal(bench_run(&x, (void *const[]){(int64_t[]){1, 2, -1, 40}, out}), 4);
    assert_int_equal(out[1], 2);
    assert_int_equal(out[2], -5);
    assert_int_equal(bench_run(&x, (void *const[]){(int64_t[]){1, 2, 3, 4}, out}), 0);
    assert_int_equal(out[3], 4);
    bench_free(&x);
}

/* ---- programs ---- */

/* Two steps of one kernel over parts of a constant, of scratch memory and of the output. */
static void steps(void **state) {
    (void)state;
    bench x = bench_new(bench_target("x86-64-v3"));
    bench_buffer(&x, DT_I32, 4, ACCESS_READ);
    bench_buffer(&x, DT_I32, 4, ACCESS_READ);
    bench_buffer(&x, DT_I32, 4, ACCESS_WRITE);
    builder *b = x.b;
    const expr *zero = build_index(b, 0);
    const expr *u = build_load(b, 0, LTYPE(DT_I32, 4), zero, NULL), *v = build_load(b, 1, LTYPE(DT_I32, 4), zero, NULL);
    build_store(b, 2, zero, build_mul(b, u, v), NULL);
    x.k = builder_kernel(b, "multiply", x.buffers, 3);
    static const int32_t constant[] = {9, 9, 9, 9, 1, 2, 3, 4};
    const program_buffer buffers[] = {
        {.name = "in", .elem = DT_I32, .n = 4, .place = PLACE_INPUT},
        {.name = "out", .elem = DT_I32, .n = 6, .place = PLACE_OUTPUT},
        {.name = "weights", .elem = DT_I32, .n = 8, .place = PLACE_CONST, .data = constant},
        {.name = "scratch", .elem = DT_I32, .n = 5, .place = PLACE_ARENA, .offset = 64},
    };
    program p = {.memory = x.memory,
                 .name = "two",
                 .target = builder_target(b),
                 .n_inputs = 1,
                 .n_outputs = 1,
                 .arena_bytes = 128};
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(VEC_PUSH(x.memory, p.buffers, buffers[i]), STATUS_OK);
    assert_int_equal(VEC_PUSH(x.memory, p.kernels, x.k), STATUS_OK);
    const step_arg args[2][3] = {{{0, 0}, {2, 4}, {3, 1}}, {{3, 1}, {0, 0}, {1, 2}}};
    for (int i = 0; i < 2; i++)
        assert_int_equal(VEC_PUSH(x.memory, p.steps, (program_step){.args = args[i], .note = ""}), STATUS_OK);
    interp *m;
    assert_int_equal(interp_new(&p, x.memory, &m), STATUS_OK);
    _Alignas(64) unsigned char scratch[128];
    int32_t in[] = {1, 2, 3, 5}, out[6] = {-1, -1, 0, 0, 0, 0};
    const int32_t want[] = {-1, -1, 1, 8, 27, 100};
    int code = -1;
    assert_int_equal(interp_run(m, (const void *const[]){in}, (void *const[]){out}, scratch, &code), STATUS_OK);
    assert_int_equal(code, 0);
    assert_memory_equal(out, want, sizeof want);
    bench_free(&x);
}

/* Contiguous, masked, gathered, stored: one element too far, in a process of its own. */
static const expr *access_at(builder *b, int kind, const expr *i) {
    const expr *mask = build_broadcast(b, build_ne(b, i, build_index(b, 77)), 4);
    const expr *index = kind == 2 ? build_ramp(b, i, 2, 4) : i;
    return build_load(b, 0, LTYPE(DT_I32, 4), index, kind == 1 ? mask : NULL);
}

static void bounds(void **state) {
    (void)state;
    for (int kind = 0; kind < 4; kind++) {
        bench x = bench_new(bench_target("x86-64-v3"));
        builder *b = x.b;
        bench_buffer(&x, DT_I32, 16, ACCESS_READ);
        bench_buffer(&x, DT_I64, 1, ACCESS_READ);
        bench_buffer(&x, DT_I32, 16, ACCESS_WRITE);
        const expr *i = build_load(b, 1, LTYPE(DT_I64, 1), build_index(b, 0), NULL), *zero = build_index(b, 0);
        build_store(b, 2, kind == 3 ? i : zero, access_at(b, kind == 3 ? 0 : kind, kind == 3 ? zero : i), NULL);
        assert_int_equal(bench_finish(&x), STATUS_OK);
        const int64_t last = kind == 2 ? 9 : 12, at[] = {0, last, last + 1, -1, INT64_MAX};
        for (size_t k = 0; k < 5; k++) {
            const pid_t child = fork();
            if (child == 0) {
                int32_t in[16] = {0}, out[16];
                fclose(stderr);
                signal(SIGABRT, SIG_DFL);
                _exit(bench_run(&x, (void *const[]){in, (void *)(uintptr_t)&at[k], out}));
            }
            int ended;
            assert_int_equal(waitpid(child, &ended, 0), child);
            assert_int_equal(WIFSIGNALED(ended) ? WTERMSIG(ended) : 0, k < 2 ? 0 : SIGABRT);
        }
        bench_free(&x);
    }
}

static const expr *make_product(builder *b, const expr *const *in, const void *how) {
    (void)how;
    return build_mul(b, in[0], in[1]);
}

static status compile_with(const allocator *from, void *ctx) {
    const bench *x = ctx;
    arena *a = arena_new(from);
    if (a == NULL)
        return STATUS_RESOURCE;
    interp *m;
    status result = interp_new(x->p, a, &m);
    arena_free(a);
    return result;
}

static void out_of_memory(void **state) {
    (void)state;
    bench x = map_bench(make_product, NULL, (const dtype[]){DT_F32, DT_F32}, 2, DT_F32, 16);
    assert_true(test_each_allocation(compile_with, &x) > 1);
    bench_free(&x);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rearranging), cmocka_unit_test(masks),     cmocka_unit_test(gather_and_scatter),
        cmocka_unit_test(bounds),      cmocka_unit_test(registers), cmocka_unit_test(control),
        cmocka_unit_test(checks),      cmocka_unit_test(steps),     cmocka_unit_test(out_of_memory),
    };
    return cmocka_run_group_tests_name("interp_memory", tests, NULL, NULL);
}
