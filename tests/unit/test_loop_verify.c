/* rooms: loop base */
/* The verifier: sound programs pass, every broken rule is told. */
#include <stdio.h>

#include "loop_support.h"

/* Parses and so verifies a program of one kernel with this body; the diagnostic must contain `part`, "" for none. */
static void expect_in(const char *target_name, const char *body, const char *part) {
    arena *a = arena_new(&allocator_system);
    diag *d = diag_new(&allocator_system);
    const char *text = arena_printf(
        a,
        "program p target \"%s\" arena 64 {\n"
        "input x: f32[16]\noutput y: f32[16]\noutput z: i64[16]\noutput s: u8[16]\narena h: f16[8] at 0\n"
        "kernel k(x: f32[16] read, y: f32[16] write, z: i64[16] readwrite, s: u8[16] write, h: f16[8] read) {\n"
        "%s\n}\n"
        "step k(x, y, z, s, h)\n}\n",
        target_name, body);
    program *p = NULL;
    status s = program_parse(text, strlen(text), "f", a, d, NULL, NULL, &p);
    if (part[0] == 0 && s != STATUS_OK)
        fail_msg("%s: %s", body, diag_at(d, 0)->message);
    if (part[0] != 0 && (s != STATUS_INVALID || strstr(diag_at(d, 0)->message, part) == NULL))
        fail_msg("%s: %s; expected '%s'", body, s == STATUS_OK ? "accepted" : diag_at(d, 0)->message, part);
    diag_free(d);
    arena_free(a);
}

static void expect(const char *body, const char *part) {
    /* every output is written, so that nothing else is wrong */
    char whole[1024];
    snprintf(whole, sizeof whole, "%s\nstore y[0] = f32(0)\nstore z[0] = 0\nstore s[0] = u8(0)", body);
    expect_in("x86-64-v3", whole, part);
}

static void loop_verify_checks_types(void **state) {
    (void)state;
    static const char *const cases[][2] = {
        {"let v: i64 = 1 + cast<i64>(i32(1))", ""},
        {"let v: i64 = 1 + i32(1)", "add of type i64x1 breaks the rule"},
        {"let v: bool = bool(1) + bool(1)", "add of type boolx1"},
        {"let v: f16 = load<f16>(h, 0) + load<f16>(h, 1)", "add of type f16x1"},
        {"let v: f16 = neg(load<f16>(h, 0))", "neg of type f16x1"},
        {"let v: f32 = cast<f32>(load<f16>(h, 0))", ""},
        {"let v: bool = lt(bool(1), bool(0))", "lt of type boolx1"},
        {"let v: bool = eq(bool(1), bool(0))", ""},
        {"let v: bool = le(1, f32(1))", "le of type boolx1"},
        {"let v: f32 = f32(1)%f32(2)", "rem of type f32x1"},
        {"let v: f32 = and(f32(1), f32(2))", "and of type f32x1"},
        {"let v: f32 = shl(f32(1), f32(2))", "shl of type f32x1"},
        {"let v: i64 = sqrt(4)", "sqrt of type i64x1"},
        {"let v: i64 = floor(4)", "floor of type i64x1"},
        {"let v: i64 = fma(1, 2, 3)", "fma of type i64x1"},
        {"let v: f32 = not(f32(1))", "not of type f32x1"},
        {"let v: i64 = select(1, 2, 3)", "select of type i64x1"},
        {"let v: i64 = select(bool(1), 2, i32(3))", "select of type i64x1"},
        {"let v: i64x4 = select(bool(1), broadcast<4>(2), broadcast<4>(3))", "select of type i64x4"},
        {"let v: f32x4 = ramp<4, 1>(f32(1))", "ramp of type f32x4"},
        {"let v: i64x8 = broadcast<8>(broadcast<4>(1))", "broadcast of type i64x8"},
        {"let v: i64x2 = shuffle<0, 2>(1, 2)", "shuffle of type i64x2"},
        {"let v: i64x2 = shuffle<0, 1>(1, i32(2))", "shuffle of type i64x2"},
        {"let v: i64x2 = shuffle<0, 1>(1, 2)", ""},
        {"let v: i64 = reduce_add(ramp<6, 1>(0))", "reduce_add of type i64x1"},
        {"let v: i64 = reduce_min(3)", "reduce_min of type i64x1"},
        {"let v: i64 = reduce_max(ramp<8, 1>(0))", ""},
        {"let v: f32 = saturate<f32>(1)", "saturate of type f32x1"},
        {"let v: i8 = saturate<i8>(f32(1))", "saturate of type i8x1"},
        {"let v: i64 = bitcast<i64>(f32(1))", "bitcast of type i64x1"},
        {"let v: u8 = bitcast<u8>(bool(1))", "bitcast of type u8x1"},
        {"let v: i32 = bitcast<i32>(f32(1))", ""},
        {"let v: i16x2 = pairs(broadcast<4>(u8(1)), broadcast<4>(i8(1)))", ""},
        {"let v: i16x2 = pairs(broadcast<4>(i8(1)), broadcast<4>(i8(1)))", "pairs of type i16x2"},
        {"let v: i16x2 = pairs(broadcast<4>(u8(1)), broadcast<2>(i8(1)))", "pairs of type i16x2"},
        {"let v: i32x2 = dot2(broadcast<2>(i32(1)), broadcast<4>(i16(1)), broadcast<4>(i16(1)))", ""},
        {"let v: i32x2 = dot2(broadcast<2>(i32(1)), broadcast<2>(i16(1)), broadcast<2>(i16(1)))", "dot2 of type i32x2"},
        {"let v: i32x2 = dot4(broadcast<2>(i32(1)), broadcast<8>(u8(1)), broadcast<8>(i8(1)))", ""},
        {"let v: i32x2 = dot4(broadcast<2>(i32(1)), broadcast<8>(i8(1)), broadcast<8>(u8(1)))", "dot4 of type i32x2"},
        {"let v: i32 = mul_high(i32(1), i32(1))", ""},
        {"let v: i64 = mul_high(1, 1)", "mul_high of type i64x1"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        expect(cases[i][0], cases[i][1]);
}

static void loop_verify_checks_memory(void **state) {
    (void)state;
    expect("store y[0] = load<f32>(y, 0)", "load of type f32x1 breaks the rule: a readable buffer");
    expect("store y[0] = load<f64>(x, 0)", "load of type f64x1");
    expect("store y[0] = load<f32>(x, i32(0))", "load of type f32x1");
    expect("store y[0] = load<f32x4>(x, ramp<8, 1>(0))", "load of type f32x4");
    expect("store y[0] = load<f32x4>(x, 0, bool(1))", "load of type f32x4");
    expect("store y[0] = load<f32x4>(x, 0, broadcast<4>(1))", "load of type f32x4");
    expect("store y[ramp<8, 2>(0)] = load<f32x8>(x, ramp<8, 2>(0), broadcast<8>(bool(1)))", "");
    expect("store x[0] = f32(1)", "store of f32x1 breaks the rule: a writable buffer");
    expect("store y[0] = 1", "store of i64x1");
    expect("store y[0, broadcast<2>(bool(1))] = f32(1)", "store of f32x1");
    expect("store y[ramp<4, 1>(0)] = f32(1)", "store of f32x1");
}

static void loop_verify_checks_bounds(void **state) {
    (void)state;
    expect("store z[16] = 1", "elements 16 to 16 of buffer 'z' are accessed, which has 16");
    expect("store z[-1] = 1", "elements -1 to -1");
    expect("store z[9] = broadcast<8>(1)", "elements 9 to 16");
    expect("store z[8] = broadcast<8>(1)", "");
    expect("for i < 4 {\nstore z[i*5 + 1] = 1\n}", "elements 1 to 16");
    expect("for i < 4 {\nstore z[i*5] = 1\n}", "");
    expect("for i < 4 {\nlet at: i64 = i*5\nfor j < 2 {\nstore z[at + j] = 1\n}\n}", "elements 0 to 16");
    expect("for i < 4 {\nlet at: i64 = i - i\nstore z[at*1000] = 1\n}", "");
    expect("for i < 4 {\nstore z[ramp<4, 4>(i + 1)] = broadcast<4>(1)\n}", "elements 1 to 16");
    expect("for i < 4 {\nstore z[ramp<4, -4>(i)] = broadcast<4>(1)\n}", "elements -12 to 3");
    expect("for i < 2 {\nlet v: f32 = load<f32>(x, i*16)\nstore y[i] = v\n}", "of buffer 'x'");
    /* what may never happen is left to the interpreter */
    expect("if eq(load<i64>(z, 0), 1) {\nstore z[16] = 1\n}", "");
    expect("check eq(load<i64>(z, 0), 1), 1\nstore z[16] = 1", "");
    expect("for i < load<i64>(z, 0) {\nstore z[16] = 1\n}", "");
    expect("for i < 4 {\nstore z[i*5 + 1, le(i, 2)] = 1\n}", "");
    expect("for i < 4 {\nstore z[load<i64>(z, i) + 99] = 1\n}", "");
}

static void loop_verify_checks_scopes(void **state) {
    (void)state;
    expect("for i < 4 {\n}\nstore z[i] = 1", "var of type i64x1 breaks the rule");
    expect("if bool(1) {\nlet v: i64 = 1\n} else {\nstore z[v] = 1\n}", "var of type i64x1");
    expect("reg r: i64[2]\nset r[0] = 1\nstore z[0] = r[1]", "");
    expect("for i < 2 {\nreg r: i64[2]\n}\nset r[0] = 1", "set breaks the rule: a declared register array");
    expect("for i < 2 {\nreg r: i64[2]\n}\nfor j < 2 {\nreg r: i64[2]\nset r[1] = j\n}", "");
    expect("reg r: i64[2]\nreg r: i64[2]", "declared already");
    expect("reg r: i64[2]\nset r[2] = 1", "set breaks the rule");
    expect("reg r: i64[2]\nset r[0] = i32(1)", "set breaks the rule");
    expect("reg r: i64[2]\nfor i < 2 {\nset r[i] = 1\n}", "set breaks the rule");
    expect("reg r: i64[2]\nfor i < 2 {\nstore z[i] = r[i]\n}", "reg of type i64x1");
}

static void loop_verify_checks_statements(void **state) {
    (void)state;
    expect("for i < i32(4) {\nstore z[0] = 1\n}", "a loop must be");
    expect("if 1 {\nstore z[0] = 1\n}", "a condition must be a scalar bool");
    expect("if broadcast<2>(bool(1)) {\nstore z[0] = 1\n}", "a condition must be a scalar bool");
    expect("check 1, 1", "a condition must be a scalar bool");
    expect("check bool(1), 0", "a code other than 0");
    expect("parallel for i < 2 {\nfor j < 2 {\ncheck bool(1), 3\n}\n}", "a check in a parallel loop");
    expect("for i < 2 {\nparallel for j < 2 {\nstore z[j] = 1\n}\ncheck bool(1), 3\n}", "");
}

static void loop_verify_checks_the_target(void **state) {
    (void)state;
    expect_in("x86-64", "store y[0] = fma(f32(1), f32(2), f32(3))", "uses fma or lanes, which target 'x86-64'");
    expect_in("x86-64", "store y[0] = broadcast<4>(f32(1))", "");
    expect_in("generic", "store y[0] = broadcast<4>(f32(1))", "uses fma or lanes, which target 'generic'");
    expect_in("generic", "for i < 2 {\nif bool(1) {\nlet v: f32x4 = broadcast<4>(f32(1))\n}\n}",
              "which target 'generic'");
}

/* ---- kernels that have no text ---- */

typedef struct fixture {
    arena *memory;
    diag *d;
    builder *b;
    kernel k;
} fixture;

static int setup(void **state) {
    arena *a = arena_new(&allocator_system);
    fixture *f = ARENA_NEW(a, fixture);
    f->memory = a;
    f->d = diag_new(&allocator_system);
    f->b = builder_new(a, target_find("x86-64-v3", NULL));
    f->k.name = "k";
    assert_int_equal(VEC_PUSH(a, f->k.buffers, (kernel_buffer){"y", DT_I64, 4, ACCESS_WRITE}), STATUS_OK);
    assert_int_equal(VEC_PUSH(a, f->k.vars, (kernel_var){"i", LTYPE(DT_I64, 1)}), STATUS_OK);
    *state = f;
    return 0;
}

static int teardown(void **state) {
    fixture *f = *state;
    diag_free(f->d);
    arena_free(f->memory);
    return 0;
}

static void expect_kernel(fixture *f, const char *part) {
    f->k.body = builder_take(f->b);
    assert_int_equal(kernel_verify(&f->k, f->d), part == NULL ? STATUS_OK : STATUS_INVALID);
    if (part != NULL && strstr(diag_at(f->d, 0)->message, part) == NULL)
        fail_msg("'%s' does not say '%s'", diag_at(f->d, 0)->message, part);
}

static void loop_verify_refuses_unrolled_loops(void **state) {
    fixture *f = *state;
    build_for(f->b, "i", build_index(f->b, 4), LOOP_UNROLLED);
    build_store(f->b, 0, build_index(f->b, 0), build_index(f->b, 0), NULL);
    build_end(f->b);
    expect_kernel(f, "a loop must be serial or parallel");
}

static void loop_verify_refuses_reads(void **state) {
    fixture *f = *state;
    const expr *zero = build_index(f->b, 0);
    build_store(f->b, 0, zero, build_read(f->b, 0, DT_I64, &zero, 1, NULL), NULL);
    expect_kernel(f, "read of type i64x1 breaks the rule: not within a kernel");
}

static void loop_verify_refuses_unknown_variables(void **state) {
    fixture *f = *state;
    build_var(f->b, LTYPE(DT_I64, 1), "i");
    const expr *second = build_var(f->b, LTYPE(DT_I64, 1), "j");
    build_for_var(f->b, second, build_index(f->b, 4), LOOP_SERIAL);
    build_end(f->b);
    expect_kernel(f, "no variable of its type");
}

static void loop_verify_refuses_a_variable_twice(void **state) {
    fixture *f = *state;
    const expr *i = build_var(f->b, LTYPE(DT_I64, 1), "i");
    for (int n = 0; n < 2; n++) {
        build_for_var(f->b, i, build_index(f->b, 4), LOOP_SERIAL);
        build_store(f->b, 0, i, i, NULL);
        build_end(f->b);
    }
    expect_kernel(f, "variable 'i' is defined twice");
}

static void loop_verify_refuses_broken_tables(void **state) {
    fixture *f = *state;
    f->k.buffers.at[0].name = "1y";
    expect_kernel(f, "buffer 0 is not well formed");
    diag_clear(f->d);
    f->k.buffers.at[0] = (kernel_buffer){"y", DT_U4, 4, ACCESS_WRITE};
    expect_kernel(f, "buffer 0 is not well formed");
    diag_clear(f->d);
    f->k.buffers.at[0] = (kernel_buffer){"y", DT_I64, 4, ACCESS_WRITE};
    f->k.name = "a b";
    expect_kernel(f, "the name is no identifier");
    diag_clear(f->d);
    f->k.name = "k";
    expect_kernel(f, NULL);
}

/* ---- programs ---- */

static void expect_program(const char *text, const char *part) {
    arena *a = arena_new(&allocator_system);
    diag *d = diag_new(&allocator_system);
    program *p = NULL;
    status s = program_parse(text, strlen(text), "f", a, d, NULL, NULL, &p);
    if (s != STATUS_INVALID || strstr(diag_at(d, 0)->message, part) == NULL)
        fail_msg("%s: %s; expected '%s'", text, s == STATUS_OK ? "accepted" : diag_at(d, 0)->message, part);
    diag_free(d);
    arena_free(a);
}

static void loop_verify_checks_programs(void **state) {
    (void)state;
#define P "program p target \"generic\" arena 128 {\n"
#define K "kernel k(x: f32[4] read, y: f32[4] write) {\nstore y[0] = load<f32>(x, 0)\n}\n"
    expect_program(P "output y: f32[4]\ninput x: f32[4]\n}", "buffer 'y' is not where");
    expect_program(P "arena t: f32[4] at 0\ninput x: f32[4]\n}", "buffer 't' is not where");
    expect_program(P "arena t: f32[4] at 32\n}", "does not lie within the arena");
    expect_program(P "arena t: f32[4] at -64\n}", "does not lie within the arena");
    expect_program(P "arena t: f32[33] at 0\n}", "does not lie within the arena");
    expect_program(P "output y: f32[4]\n}", "no step writes output 'y'");
    expect_program(P "input x: f32[4]\noutput y: f32[3]\n" K "step k(x, y)\n}", "too short for 'y'");
    expect_program(P "input x: f32[5]\noutput y: f32[4]\n" K "step k(x@2, y)\n}", "too short for 'x'");
    expect_program(P "input x: f64[4]\noutput y: f32[4]\n" K "step k(x, y)\n}", "another element type");
    expect_program(P "input x: f32[4]\ninput y: f32[4]\n" K "step k(x, y)\n}", "writes 'y', which is constant");
    expect_program(P "input x: f32[4]\nconst y: f32[1] = { 1 }\n" K "step k(x, y)\n}", "too short");
    expect_program(P "output y: f32[7]\n" K "step k(y, y@3)\n}", "overlapping memory for 'y' and 'x'");
    expect_program(P "arena s: f32[4] at 64\narena t: f32[32] at 0\n" K "step k(s, t@13)\n}", "overlapping memory");
#undef K
#undef P
}

static void loop_verify_checks_numbers_of_steps(void **state) {
    (void)state;
    arena *a = arena_new(&allocator_system);
    diag *d = diag_new(&allocator_system);
    program p = {.memory = a, .name = "p", .target = target_find("generic", NULL)};
    assert_int_equal(program_verify(&p, d), STATUS_OK);
    assert_int_equal(VEC_PUSH(a, p.steps, (program_step){.kernel = 1}), STATUS_OK);
    assert_int_equal(program_verify(&p, d), STATUS_INVALID);
    assert_string_equal(diag_at(d, 0)->message, "program 'p': a step calls kernel 1, which does not exist");
    p.n_inputs = 1;
    assert_int_equal(program_verify(&p, d), STATUS_INVALID);
    assert_string_equal(diag_at(d, 1)->message, "program 'p': there are not as many inputs and outputs as said");
    diag_free(d);
    arena_free(a);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(loop_verify_checks_types),
        cmocka_unit_test(loop_verify_checks_memory),
        cmocka_unit_test(loop_verify_checks_bounds),
        cmocka_unit_test(loop_verify_checks_scopes),
        cmocka_unit_test(loop_verify_checks_statements),
        cmocka_unit_test(loop_verify_checks_the_target),
        cmocka_unit_test_setup_teardown(loop_verify_refuses_unrolled_loops, setup, teardown),
        cmocka_unit_test_setup_teardown(loop_verify_refuses_reads, setup, teardown),
        cmocka_unit_test_setup_teardown(loop_verify_refuses_unknown_variables, setup, teardown),
        cmocka_unit_test_setup_teardown(loop_verify_refuses_a_variable_twice, setup, teardown),
        cmocka_unit_test_setup_teardown(loop_verify_refuses_broken_tables, setup, teardown),
        cmocka_unit_test(loop_verify_checks_programs),
        cmocka_unit_test(loop_verify_checks_numbers_of_steps),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
