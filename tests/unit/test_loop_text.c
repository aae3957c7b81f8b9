/* rooms: loop base */
/* The text form: what is printed reads back as the same program; what is not a program is a diagnostic. */
#include "loop_random.h"

static const char *print(const program *p, arena *a) {
    strbuf out = strbuf_in(a);
    const char *text;
    program_print(p, &out);
    assert_int_equal(strbuf_finish(&out, &text), STATUS_OK);
    return text;
}

static program *parse(const char *text, arena *a, const_resolver resolve, void *ctx) {
    diag *d = diag_new(&allocator_system);
    program *p = NULL;
    status s = program_parse(text, strlen(text), "test.loop", a, d, resolve, ctx, &p);
    if (s != STATUS_OK)
        fail_msg("%s", diag_count(d) > 0 ? diag_line(d, 0, a) : "no memory");
    assert_int_equal(diag_count(d), 0);
    diag_free(d);
    return p;
}

/* ---- random programs ---- */

static program *random_program(arena *a, uint64_t seed) {
    static const int64_t dims[] = {TEST_BUFFER_ELEMENTS};
    static const step_arg args[] = {{0, 0}, {1, 0}, {2, 0}, {3, 0}};
    builder *b = builder_new(a, target_find("x86-64-v3", NULL));
    random_statements(b, seed);
    kernel *k = builder_kernel(b, "work", random_buffers, RANDOM_BUFFERS);
    program *p = ARENA_NEW(a, program);
    *p = (program){.memory = a,
                   .name = "random",
                   .target = builder_target(b),
                   .n_inputs = 2,
                   .n_outputs = 2,
                   .origin = "made\n\tby \"chance\" \\ \x01\xff"};
    for (int i = 0; i < RANDOM_BUFFERS; i++) {
        const kernel_buffer *from = &random_buffers[i];
        program_buffer buffer = {.name = from->name,
                                 .elem = from->elem,
                                 .n = from->n,
                                 .rank = 1,
                                 .dims = dims,
                                 .place = i < 2 ? PLACE_INPUT : PLACE_OUTPUT};
        assert_int_equal(VEC_PUSH(a, p->buffers, buffer), STATUS_OK);
    }
    assert_int_equal(VEC_PUSH(a, p->kernels, k), STATUS_OK);
    assert_int_equal(VEC_PUSH(a, p->steps, (program_step){0, args, "Node 'n'", 4, "n", 1000}), STATUS_OK);
    return p;
}

/* Inputs x and w, then outputs y and z, which the kernel also reads. */
typedef struct memory {
    int64_t x[TEST_BUFFER_ELEMENTS], y[TEST_BUFFER_ELEMENTS];
    float w[TEST_BUFFER_ELEMENTS], z[TEST_BUFFER_ELEMENTS];
} memory;

static int interpret(const program *p, arena *a, memory *m, uint64_t seed) {
    memset(m, 0, sizeof *m);
    for (int i = 0; i < TEST_BUFFER_ELEMENTS; i++) {
        m->x[i] = (int64_t)test_random(&seed) - (1 << 30);
        m->w[i] = (float)(test_random(&seed) % 1000) / 64;
    }
    interp *machine;
    int code = 0;
    assert_int_equal(interp_new(p, a, &machine), STATUS_OK);
    const void *inputs[] = {m->x, m->w};
    void *outputs[] = {m->y, m->z};
    assert_int_equal(interp_run(machine, inputs, outputs, NULL, &code), STATUS_OK);
    return code;
}

static void loop_text_reads_back_random_programs(void **state) {
    (void)state;
    for (uint64_t seed = 0; seed < 500; seed++) {
        arena *a = arena_new(&allocator_system);
        program *p = random_program(a, seed);
        assert_int_equal(program_verify(p, NULL), STATUS_OK);
        const char *text = print(p, a);
        program *again = parse(text, a, NULL, NULL);
        assert_string_equal(print(again, a), text);
        memory *before = ARENA_NEW(a, memory), *after = ARENA_NEW(a, memory);
        assert_int_equal(interpret(p, a, before, seed), interpret(again, a, after, seed));
        assert_memory_equal(before->y, after->y, sizeof before->y);
        assert_memory_equal(before->z, after->z, sizeof before->z);
        arena_free(a);
    }
}

static void loop_text_survives_any_change(void **state) {
    (void)state;
    static const char bytes[] = "({[<>]})+-*/%,:=\"\\@09ax_ \n";
    arena *a = arena_new(&allocator_system);
    const char *text = print(random_program(a, 7), a);
    size_t n = strlen(text);
    uint64_t seed = 1;
    for (int round = 0; round < 3000; round++) {
        arena_mark mark = arena_get_mark(a);
        char *changed = arena_strdup(a, text);
        for (uint32_t i = 0; i <= test_random(&seed) % 3; i++)
            changed[test_random(&seed) % n] = bytes[test_random(&seed) % (sizeof bytes - 1)];
        diag *d = diag_new(&allocator_system);
        program *p;
        status s = program_parse(changed, n, "changed", a, d, NULL, NULL, &p);
        assert_true(s == STATUS_OK || (s == STATUS_INVALID && diag_errors(d) == 1));
        diag_free(d);
        arena_reset(a, mark);
    }
    arena_free(a);
}

/* ---- one program with everything ---- */

static const char *const everything =
    "program all target \"x86-64-v3\" arena 128 {\n"
    "  origin \"line 1\\nline \\\"2\\\" \\x01\"\n"
    "  input x \"X \\\"0\\\"\": f32[2, 8]\n"
    "  input i: i32[]\n"
    "  output y: f32[16]\n"
    "  const c: f32[4] = { 1.5 -0 1e-45 nan }\n"
    "  const u: u64[2] = { 18446744073709551615 0 }\n"
    "  const b: bool[2] = { 1 0 }\n"
    "  const h: f16[3] = { 0.0999755859375 -inf 65504 }\n"
    "  const q: i8[0] = { }\n"
    "  arena t: i16[16] at 64\n"
    "  kernel f(x: f32[16] read, w: f32[4] read, y: f32[16] write, t: i16[8] readwrite) {\n"
    "    reg acc: f32x8[2]\n"
    "    set acc[0] = broadcast<8>(f32(0.1))\n"
    "    set acc[1] = select(lt(ramp<8, -3>(4), broadcast<8>(2)), acc[0], load<f32x8>(x, 8))\n"
    "    note \"a \\\\ b\"\n"
    "    parallel for i < 2 {\n"
    "      let at: i64 = i*8\n"
    "      for j < at/4 - (2 - i%3)*-1 {\n"
    "        if and(le(j, 4), bool(1)) {\n"
    "          store y[at] = fma(acc[0], load<f32x8>(x, at), acc[1])\n"
    "        } else {\n"
    "          store y[at, lt(ramp<8, 1>(j), broadcast<8>(9))] = shuffle<0, 9, 1, 8, 2, 3, 4, 15>(acc[0], acc[1])\n"
    "        }\n"
    "      }\n"
    "    }\n"
    "    check ne(reduce_add(load<f32x4>(w, 0)), f32(inf)), 12\n"
    "    let v: i16x8 = cast<i16>(load<f32x8>(x, 0))\n"
    "    store t[0] = shr_round(v + v - (v - v), broadcast<8>(i16(-3)))\n"
    "    let g: f32x4 = load<f32x4>(w, ramp<4, 1>(0), ne(load<f32x4>(w, 0), broadcast<4>(f32(nan))))\n"
    "    store y[0] = g\n"
    "    store y[4] = cast<f32>(saturate<u8>(bitcast<i32>(sqrt(reduce_max(g)))))\n"
    "  }\n"
    "  step f(x, c, y, t@8) node 3 macs 64 note \"Conv 'a'\"\n"
    "  step f(x, c, y, t)\n"
    "}\n";

static void loop_text_has_a_form_for_everything(void **state) {
    (void)state;
    arena *a = arena_new(&allocator_system);
    program *p = parse(everything, a, NULL, NULL);
    assert_string_equal(print(p, a), everything);
    assert_string_equal(p->origin, "line 1\nline \"2\" \x01");
    const float *c = p->buffers.at[3].data;
    assert_true(signbit(c[1]) && c[2] == 1e-45f && isnan(c[3]));
    assert_int_equal(p->steps.at[0].args[3].first, 8);
    assert_int_equal(p->steps.at[1].node, -1);
    arena_free(a);
}

/* ---- constants by their sum ---- */

typedef struct known {
    const char *sum;
    const void *data;
    size_t bytes;
} known;

static const void *resolve(void *ctx, const char *sum, size_t bytes) {
    const known *k = ctx;
    return strcmp(sum, k->sum) == 0 && bytes == k->bytes ? k->data : NULL;
}

static void loop_text_names_large_constants_by_sum(void **state) {
    (void)state;
    arena *a = arena_new(&allocator_system);
    float data[65] = {1, 2, 3};
    char sum[65];
    text_sha256(data, sizeof data, sum);
    const char *text = arena_printf(a,
                                    "program p target \"generic\" arena 0 {\n"
                                    "  const c: f32[65] = sha256 \"%s\"\n"
                                    "}\n",
                                    sum);
    known k = {sum, data, sizeof data};
    program *p = parse(text, a, resolve, &k);
    assert_ptr_equal(p->buffers.at[0].data, data);
    assert_string_equal(print(p, a), text);
    diag *d = diag_new(&allocator_system);
    assert_int_equal(program_parse(text, strlen(text), "f", a, d, NULL, NULL, &p), STATUS_INVALID);
    assert_non_null(strstr(diag_at(d, 0)->message, "line 2: the data of constant 'c' is not at hand"));
    diag_free(d);
    arena_free(a);
}

/* ---- mistakes ---- */

static void expect_error(const char *text, const char *part) {
    arena *a = arena_new(&allocator_system);
    diag *d = diag_new(&allocator_system);
    program *p = NULL;
    status s = program_parse(text, strlen(text), "bad.loop", a, d, NULL, NULL, &p);
    if (s != STATUS_INVALID || diag_count(d) != 1)
        fail_msg("status %d and %zu diagnostics for: %s", (int)s, diag_count(d), text);
    assert_string_equal(diag_at(d, 0)->id, "invalid-program");
    if (strstr(diag_at(d, 0)->message, part) == NULL)
        fail_msg("'%s' does not say '%s'", diag_at(d, 0)->message, part);
    diag_free(d);
    arena_free(a);
}

static void loop_text_reports_mistakes(void **state) {
    (void)state;
#define P "program p target \"generic\" arena 0 {\n"
#define K P "kernel k(a: f32[4] read, b: i64[4] write) {\n"
    expect_error("", "line 1: expected program, found the end");
    expect_error("program p target \"none\" arena 0 {}", "there is no target 'none'");
    expect_error(P, "found the end");
    expect_error(P "} more", "more text after the program");
    expect_error(P "inputs x: f32[1]\n}", "line 2: expected region, input, output");
    expect_error(P "input x: f33[1]\n}", "there is no type 'f33'");
    expect_error(P "input x: q4[1]\n}", "there is no type 'q4'");
    expect_error(P "const w: u4[1] = 0\n}", "there is no type 'u4'");
    expect_error(P "input x: f32x4[1]\n}", "lanes do not belong here");
    expect_error(P "input x: f32[-1]\n}", "a size must be between");
    expect_error(P "input x: f32[99999999999999999999]\n}", "is no value of i64");
    expect_error(P "input x: f32[281474976710655, 281474976710655]\n}", "too many elements");
    expect_error(P "input x: f32[1]\ninput x: f32[1]\n}", "line 3: 'x' is defined twice");
    expect_error(P "const c: u8[1] = { 256 }\n}", "256 is no value of u8");
    expect_error(P "const c: u8[2] = { 1 }\n}", "expected a number");
    expect_error(P "const c: u8[65] = { 1 }\n}", "sha256");
    expect_error(P "origin \"no end\n}", "a string does not end");
    expect_error(P "origin \"\\q\"\n}", "escape");
    expect_error(P "step k()\n}", "there is no kernel called 'k'");
    expect_error(K "frob x\n}\n}", "line 3: expected a statement or }, found 'frob'");
    expect_error(K "store c[0] = 1\n}\n}", "there is no buffer called 'c'");
    expect_error(K "store b[v] = 1\n}\n}", "there is no variable called 'v'");
    expect_error(K "set r[0] = 1\n}\n}", "there is no register array called 'r'");
    expect_error(K "store b[0] = frob(1)\n}\n}", "there is no operation 'frob'");
    expect_error(K "store b[0] = add(1, 2)\n}\n}", "there is no operation 'add'");
    expect_error(K "store b[0] = min(1)\n}\n}", "min takes 2 operands");
    expect_error(K "store b[0] = min(1, 2, 3)\n}\n}", "too many operands");
    expect_error(K "store b[0] = f16(1.0001)\n}\n}", "is no value of f16");
    expect_error(K "store b[0] = broadcast<65>(1)\n}\n}", "lanes must be 2 to 64");
    expect_error(K "store b[0] = shuffle<128>(1, 1)\n}\n}", "a shuffle takes");
    expect_error(K "let v: i32 = 1\n}\n}", "another type than its value");
    expect_error(K "let v: i64 = 1\nlet v: i64 = 2\n}\n}", "line 4: 'v' is defined twice");
    expect_error(K "reg r: f32[0]\n}\n}", "a register array has");
    expect_error(K "reg r: f32[1]\nreg r: f32[2]\n}\n}", "declared differently");
    expect_error(K "check bool(1), 99999999999\n}\n}", "is no value of i32");
#undef K
#undef P
}

static char *repeated(arena *a, const char *head, const char *part, size_t times, const char *tail) {
    strbuf out = strbuf_in(a);
    strbuf_add(&out, head);
    for (size_t i = 0; i < times; i++)
        strbuf_add(&out, part);
    strbuf_add(&out, tail);
    return out.text;
}

static void loop_text_limits_depth(void **state) {
    (void)state;
    arena *a = arena_new(&allocator_system);
    const char *head = "program p target \"generic\" arena 0 {\nkernel k(b: i64[4] write) {\n";
    char *assignment = arena_printf(a, "%sstore b[0] = ", head);
    expect_error(repeated(a, assignment, "(", 100000, ""), "nests too deeply");
    expect_error(repeated(a, assignment, "neg(", 100000, ""), "nests too deeply");
    expect_error(repeated(a, assignment, "1 + ", 100000, "1"), "too deep");
    expect_error(repeated(a, head, "if bool(1) {\n", 100000, ""), "blocks nest too deeply");
    arena_free(a);
}

static void loop_text_refuses_zero_bytes(void **state) {
    (void)state;
    arena *a = arena_new(&allocator_system);
    diag *d = diag_new(&allocator_system);
    program *p;
    assert_int_equal(program_parse("program\0p", 9, "f", a, d, NULL, NULL, &p), STATUS_INVALID);
    diag_free(d);
    arena_free(a);
}

/* ---- out of memory ---- */

static status read_and_print(const allocator *from, void *ctx) {
    (void)ctx;
    arena *a = arena_new(from);
    TRY_ALLOC(a);
    diag *d = diag_new(&allocator_system);
    program *p = NULL;
    status s = program_parse(everything, strlen(everything), "f", a, d, NULL, NULL, &p);
    if (s == STATUS_OK) {
        strbuf out = strbuf_in(a);
        const char *text;
        program_print(p, &out);
        s = strbuf_finish(&out, &text);
        if (s == STATUS_OK)
            assert_string_equal(text, everything);
    }
    assert_int_equal(diag_count(d), 0);
    diag_free(d);
    arena_free(a);
    return s;
}

static void loop_text_survives_want_of_memory(void **state) {
    (void)state;
    assert_true(test_each_allocation(read_and_print, NULL) > 4);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(loop_text_reads_back_random_programs),
        cmocka_unit_test(loop_text_survives_any_change),
        cmocka_unit_test(loop_text_has_a_form_for_everything),
        cmocka_unit_test(loop_text_names_large_constants_by_sum),
        cmocka_unit_test(loop_text_reports_mistakes),
        cmocka_unit_test(loop_text_limits_depth),
        cmocka_unit_test(loop_text_refuses_zero_bytes),
        cmocka_unit_test(loop_text_survives_want_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
