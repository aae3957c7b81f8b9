/* rooms: schedule loop base */
/* The cost model of programs, against numbers that were worked out by hand from the core's rates:
 * AVX2: 2 operations, 2 loads, 1 store, 4 of all a cycle; an iteration is 2 more of all, a loop's entry 5 cycles. */
#include <math.h>
#include <stdio.h>

#include "program_support.h"

#include "schedule/latency.h"
#include "schedule/parallel.h"

static program *of_body(arena *a, const char *machine, const char *body) {
    char text[2048];
    snprintf(
        text, sizeof text,
        "program p target \"%s\" arena 0 { input x: f32[1024] input z: f32[1024] input b: u8[256] input w: i8[256] "
        "output y: f32[1024] output s: i32[64] kernel k(x: f32[1024] read, z: f32[1024] read, b: u8[256] read, "
        "w: i8[256] read, y: f32[1024] write, s: i32[64] write) { %s } step k(x, z, b, w, y, s) }",
        machine, body);
    return parse(a, text);
}

#define DOTS "let at: i64 = 0 store s[0] = dot4(broadcast<8>(i32(0)), load<u8x32>(b, at), load<i8x32>(w, at))"
#define ADDS "for i < 100 { store y[i*8] = load<f32x8>(x, i*8) + load<f32x8>(z, i*8) }"
#define FMAS "for i < 100 { set r[0] = fma(load<f32x8>(x, i*8), load<f32x8>(z, i*8), r[0]) }"

static const struct {
    const char *what, *target, *body;
    double cycles;
} known[] = {
    {"a store takes one", "x86-64-v3", "store y[0] = load<f32x8>(x, 0)", 1},
    {"two loads go beside a store; an iteration is half a cycle", "x86-64-v3", ADDS, 100 * (1 + 0.5) + 5},
    {"vectors of 32 lanes are four", "x86-64-v3",
     "for i < 10 { store y[i*32] = load<f32x32>(x, i*32) + load<f32x32>(z, i*32) }", 10 * (4 + 0.5) + 5},
    {"one sum waits for itself", "x86-64-v3",
     "reg r: f32x8[1] set r[0] = broadcast<8>(f32(0)) " FMAS " store y[0] = r[0]", 100 * (4 + 0.5) + 5 + 1},
    {"what does not change in a loop is computed before it", "x86-64-v3",
     "for i < 100 { store y[i*8] = load<f32x8>(x, i*8)*broadcast<8>(load<f32>(z, 0)) }", 100 * (1 + 0.5) + 5 + 0.5},
    {"a division is eight operations", "x86-64-v3",
     "store y[0] = broadcast<8>(f32(1))/load<f32x8>(x, 0) + broadcast<8>(f32(1))", 9.0 / 2},
    {"a gather is two loads a lane", "x86-64-v3", "store y[0] = load<f32x8>(x, ramp<8, 3>(0))", 16.0 / 2},
    {"a product by fours is four operations", "x86-64-v3", DOTS, 4.0 / 2},
    {"or, with VNNI, one of half a register: 0.5 operations, 1 load, 0.5 stores", "x86-64-vnni", DOTS, 1 / 1.25},
    {"a small core does one thing after another: 1 + 2/0.5 + 1/0.5, and 3 an iteration", "cortex-m4",
     "for i < 100 { store y[i] = load<f32>(x, i) + load<f32>(z, i) }", 100 * (7 + 3) + 2},
    {"and has no unit for doubles", "cortex-m4",
     "store y[0] = cast<f32>(cast<f64>(load<f32>(x, 0)) + cast<f64>(load<f32>(z, 0)))", 4 * 50 + 4 + 2},
};

static void latency_is_as_worked_out(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        arena *a = arena_new(&allocator_system);
        program *p = of_body(a, known[i].target, known[i].body);
        double cycles = 0;
        bool varies = true;
        assert_int_equal(kernel_cycles(p->kernels.at[0], p->target, NULL, a, &cycles, &varies), STATUS_OK);
        assert_false(varies);
        if (cycles < known[i].cycles - 1e-9 || cycles > known[i].cycles + 1e-9)
            fail_msg("%s: %g cycles, not %g", known[i].what, cycles, known[i].cycles);
        arena_free(a);
    }
}

/* A copy of n vectors: n * 1.5 + 5 cycles beside 64 n bytes. */
static program_cost copy_of(arena *a, int64_t n, int threads) {
    char text[512];
    snprintf(
        text, sizeof text,
        "program p target \"x86-64-v3\" arena 0 { input x: f32[%lld] output y: f32[%lld] "
        "kernel k(x: f32[%lld] read, y: f32[%lld] write) { %sfor i < %lld { store y[i*8] = load<f32x8>(x, i*8) } } "
        "step k(x, y) }",
        (long long)n * 8, (long long)n * 8, (long long)n * 8, (long long)n * 8, threads > 1 ? "parallel " : "",
        (long long)n);
    program *p = parse(a, text);
    program_cost c;
    p->threads = threads;
    assert_int_equal(program_cost_of(p, a, &c), STATUS_OK);
    return c;
}

static void bytes_beyond_the_second_cache_take_longer(void **state) {
    (void)state;
    arena *a = arena_new(&allocator_system);
    program_cost small = copy_of(a, 100, 1), large = copy_of(a, 100000, 1);
    assert_int_equal(small.bytes, 6400);
    assert_int_equal(large.bytes, 6400000);
    assert_true(small.cycles == 30 + 6400 / 40.0); /* 160 beside 155 */
    assert_true(large.cycles == 30 + 6400000 / 24.0);
    assert_true(large.steps[0].cycles == large.cycles && large.steps[0].bytes == large.bytes);
    arena_free(a);
}

/* Two steps of one kernel, in whose tables its loop runs 2 and 4 times, or not at all and 20 times: 1.5 cycles each
 * and 5; the loop around it has two loads, an iteration and its own 5; x is loaded before. */
static void tables_say_how_often(void **state) {
    (void)state;
    static const double want[] = {2 * (3 * 1.5 + 5 + 1 + 0.5) + 5 + 0.5, 2 * (10 * 1.5 + 5 + 1 + 0.5) + 5 + 0.5};
    arena *a = arena_new(&allocator_system);
    program *p =
        parse(a, "program p target \"x86-64-v3\" arena 0 { input x: f32[8] output y: f32[160] output z: f32[160] "
                 "const few: u16[3] = { 0 2 6 } const many: u16[4] = { 99 10 10 30 } "
                 "kernel k(x: f32[8] read, y: f32[160] write, t: u16[3] read) { for b < 2 { "
                 "let first: i64 = cast<i64>(load<u16>(t, b)) for i < cast<i64>(load<u16>(t, b + 1)) - first { "
                 "store y[(first + i)*8 % 160] = load<f32x8>(x, 0) } } } step k(x, y, few) step k(x, z, many @ 1) }");
    for (size_t i = 0; i < p->steps.n; i++) {
        double cycles = 0;
        bool varies = false;
        assert_int_equal(
            kernel_cycles(p->kernels.at[0], p->target, step_tables(p, &p->steps.at[i], a), a, &cycles, &varies),
            STATUS_OK);
        assert_true(varies && fabs(cycles - want[i]) < 1e-9);
    }
    program_cost c;
    assert_int_equal(program_cost_of(p, a, &c), STATUS_OK);
    assert_true(c.steps[0].cycles < c.steps[1].cycles);
    arena_free(a);
}

static void threads_share_a_loop(void **state) {
    (void)state;
    arena *a = arena_new(&allocator_system);
    assert_true(copy_of(a, 100000, 2).cycles == 30 + 6400000 / 24.0 / 2 + 4000);
    arena_free(a);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(latency_is_as_worked_out),
        cmocka_unit_test(tables_say_how_often),
        cmocka_unit_test(bytes_beyond_the_second_cache_take_longer),
        cmocka_unit_test(threads_share_a_loop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
