/* rooms: loop base */
/* Finished kernels: where LETs go, unrolling, and that a finished kernel does what its statements said. */
#include "loop_random.h"

typedef struct fixture {
    arena *memory;
    builder *b;
} fixture;

static const kernel_buffer buffers[] = {{"x", DT_I64, 64, ACCESS_READ}, {"y", DT_I64, 64, ACCESS_READ_WRITE}};
static const ltype one = {DT_I64, 1};

static int setup(void **state) {
    arena *a = arena_new(&allocator_system);
    fixture *f = ARENA_NEW(a, fixture);
    f->memory = a;
    f->b = builder_new(a, target_find("x86-64-v3", NULL));
    *state = f;
    return 0;
}

static int teardown(void **state) {
    fixture *f = *state;
    arena_free(f->memory);
    return 0;
}

/* The finished kernel's body is this text. */
static void expect(fixture *f, const char *body) {
    kernel *k = builder_kernel(f->b, "k", buffers, 2);
    assert_non_null(k);
    assert_int_equal(kernel_verify(k, NULL), STATUS_OK);
    strbuf out = strbuf_in(f->memory);
    const char *text;
    kernel_print(k, &out);
    assert_int_equal(strbuf_finish(&out, &text), STATUS_OK);
    const char *head = "kernel k(x: i64[64] read, y: i64[64] readwrite) {\n";
    assert_string_equal(text, arena_printf(f->memory, "%s%s}\n", head, body));
}

static const expr *index_of(const fixture *f, int64_t value) {
    return build_index(f->b, value);
}

static const expr *loop(const fixture *f, const char *name, int64_t n) {
    return build_for(f->b, name, index_of(f, n), LOOP_SERIAL);
}

static const expr *load(const fixture *f, int buffer, const expr *index) {
    return build_load(f->b, buffer, one, index, NULL);
}

static void place_moves_invariants_out_of_loops(void **state) {
    fixture *f = *state;
    const expr *i = loop(f, "i", 8), *j = loop(f, "j", 8);
    const expr *at = build_add(f->b, build_mul(f->b, i, index_of(f, 8)), j);
    build_store(f->b, 1, at, build_mul(f->b, load(f, 0, i), load(f, 0, at)), NULL);
    build_end(f->b);
    build_end(f->b);
    expect(f, "  for i < 8 {\n"
              "    let at: i64 = i*8\n"
              "    let x_2: i64 = load<i64>(x, i)\n"
              "    for j < 8 {\n"
              "      let at_2: i64 = at + j\n"
              "      store y[at_2] = x_2*load<i64>(x, at_2)\n"
              "    }\n"
              "  }\n");
}

static void place_keeps_single_uses_inline(void **state) {
    fixture *f = *state;
    const expr *i = loop(f, "i", 8);
    const expr *v = build_let(f->b, "v", load(f, 0, build_add(f->b, i, index_of(f, 3))));
    build_store(f->b, 1, i, build_binary(f->b, EXPR_XOR, v, i), NULL);
    build_end(f->b);
    expect(f, "  for i < 8 {\n"
              "    store y[i] = xor(i, load<i64>(x, i + 3))\n"
              "  }\n");
}

static void place_names_shared_values_after_their_let(void **state) {
    fixture *f = *state;
    const expr *i = loop(f, "i", 8);
    const expr *v = build_let(f->b, "value", load(f, 0, i));
    build_store(f->b, 1, i, build_mul(f->b, v, v), NULL);
    build_end(f->b);
    expect(f, "  for i < 8 {\n"
              "    let value: i64 = load<i64>(x, i)\n"
              "    store y[i] = value*value\n"
              "  }\n");
}

static void place_keeps_changing_loads_in_their_statement(void **state) {
    fixture *f = *state;
    const expr *zero = index_of(f, 0), *v = load(f, 1, zero);
    loop(f, "i", 4);
    build_store(f->b, 1, zero, build_mul(f->b, v, v), NULL);
    build_store(f->b, 1, zero, build_add(f->b, v, index_of(f, 1)), NULL);
    build_end(f->b);
    expect(f, "  for i < 4 {\n"
              "    let y_2: i64 = load<i64>(y, 0)\n"
              "    store y[0] = y_2*y_2\n"
              "    store y[0] = load<i64>(y, 0) + 1\n"
              "  }\n");
}

static void place_keeps_a_let_of_a_changing_value(void **state) {
    fixture *f = *state;
    const expr *old = build_let(f->b, "old", load(f, 1, index_of(f, 0)));
    build_store(f->b, 1, index_of(f, 0), index_of(f, 5), NULL);
    build_store(f->b, 1, index_of(f, 1), old, NULL);
    expect(f, "  let old: i64 = load<i64>(y, 0)\n"
              "  store y[0] = 5\n"
              "  store y[1] = old\n");
}

static void place_keeps_guarded_loads_guarded(void **state) {
    fixture *f = *state;
    const expr *n = build_let(f->b, "n", load(f, 0, index_of(f, 0)));
    const expr *i = loop(f, "i", 8);
    build_if(f->b, build_lt(f->b, n, index_of(f, 64)));
    build_store(f->b, 1, i, load(f, 0, n), NULL);
    build_end(f->b);
    build_end(f->b);
    const expr *j = build_for(f->b, "j", n, LOOP_SERIAL);
    build_store(f->b, 1, j, build_add(f->b, load(f, 0, n), build_mul(f->b, n, index_of(f, 3))), NULL);
    build_end(f->b);
    expect(f, "  let n: i64 = load<i64>(x, 0)\n"
              "  let t: bool = lt(n, 64)\n"
              "  for i < 8 {\n"
              "    if t {\n"
              "      store y[i] = load<i64>(x, n)\n"
              "    }\n"
              "  }\n"
              "  let at: i64 = n*3\n"
              "  for j < n {\n"
              "    store y[j] = at + load<i64>(x, n)\n"
              "  }\n");
}

static void place_keeps_loads_after_their_check(void **state) {
    fixture *f = *state;
    const expr *n = build_let(f->b, "n", load(f, 0, index_of(f, 0)));
    loop(f, "i", 8);
    build_check(f->b, build_lt(f->b, n, index_of(f, 64)), 7);
    build_end(f->b);
    const expr *j = loop(f, "j", 8);
    build_store(f->b, 1, j, load(f, 0, n), NULL);
    build_end(f->b);
    expect(f, "  let n: i64 = load<i64>(x, 0)\n"
              "  let t: bool = lt(n, 64)\n"
              "  for i < 8 {\n"
              "    check t, 7\n"
              "  }\n"
              "  let x_2: i64 = load<i64>(x, n)\n"
              "  for j < 8 {\n"
              "    store y[j] = x_2\n"
              "  }\n");
}

static void place_expands_unrolled_loops(void **state) {
    fixture *f = *state;
    int acc = build_declare(f->b, "acc", one, 2);
    const expr *u = build_for(f->b, "u", index_of(f, 2), LOOP_UNROLLED);
    build_note(f->b, "said once");
    build_set(f->b, acc, u, build_mul(f->b, u, index_of(f, 10)));
    const expr *k = loop(f, "k", 3);
    build_store(f->b, 1, k, build_reg_get(f->b, acc, one, u), NULL);
    build_end(f->b);
    build_end(f->b);
    expect(f, "  reg acc: i64[2]\n"
              "  note \"said once\"\n"
              "  set acc[0] = 0\n"
              "  for k < 3 {\n"
              "    store y[k] = acc[0]\n"
              "  }\n"
              "  set acc[1] = 10\n"
              "  for k_2 < 3 {\n"
              "    store y[k_2] = acc[1]\n"
              "  }\n");
}

static void place_drops_what_does_nothing(void **state) {
    fixture *f = *state;
    loop(f, "i", 0);
    build_store(f->b, 1, index_of(f, 0), index_of(f, 1), NULL);
    build_end(f->b);
    const expr *j = loop(f, "j", 1);
    build_if(f->b, build_lt(f->b, j, index_of(f, 1)));
    build_store(f->b, 1, j, index_of(f, 2), NULL);
    build_end(f->b);
    const expr *k = loop(f, "k", 9);
    build_if(f->b, build_lt(f->b, load(f, 0, k), k));
    build_note(f->b, "nothing");
    build_end(f->b);
    build_end(f->b);
    build_end(f->b);
    expect(f, "  store y[0] = 2\n");
}

/* ---- random kernels ---- */

static void fill(test_machine *m, uint64_t seed) {
    memset(m, 0, sizeof *m);
    for (int i = 0; i < TEST_BUFFER_ELEMENTS; i++) {
        m->buffers[0][i].i = (int64_t)test_random(&seed) - (1 << 30);
        m->buffers[2][i].i = test_random(&seed) % 100;
        m->buffers[1][i].f = (float)(test_random(&seed) % 1000) / 64;
        m->buffers[3][i].f = (float)(test_random(&seed) % 1000) / 64 - 8;
    }
}

static void expect_same_buffers(const test_machine *x, const test_machine *y, uint64_t seed) {
    for (int b = 0; b < RANDOM_BUFFERS; b++)
        for (int i = 0; i < TEST_BUFFER_ELEMENTS; i++)
            if (!test_same(random_buffers[b].elem, x->buffers[b][i], y->buffers[b][i]))
                fail_msg("seed %d: element %d of buffer %d differs", (int)seed, i, b);
    assert_int_equal(x->code, y->code);
}

/* The project's interpreter runs the kernel on the machine's buffers. */
static void interpret(kernel *k, arena *a, test_machine *m) {
    static const int64_t dims[] = {TEST_BUFFER_ELEMENTS};
    static const step_arg args[] = {{0, 0}, {1, 0}, {2, 0}, {3, 0}};
    program p = {.memory = a, .name = "p", .target = target_find("x86-64-v3", NULL), .n_inputs = 2, .n_outputs = 2};
    int64_t ints[2][TEST_BUFFER_ELEMENTS];
    float floats[2][TEST_BUFFER_ELEMENTS];
    for (int b = 0; b < RANDOM_BUFFERS; b++) {
        const kernel_buffer *from = &random_buffers[b];
        program_buffer buffer = {.name = from->name, .elem = from->elem, .n = from->n, .rank = 1, .dims = dims};
        buffer.place = b < 2 ? PLACE_INPUT : PLACE_OUTPUT;
        assert_int_equal(VEC_PUSH(a, p.buffers, buffer), STATUS_OK);
    }
    for (int b = 0; b < 2; b++)
        for (int i = 0; i < TEST_BUFFER_ELEMENTS; i++) {
            ints[b][i] = m->buffers[2 * b][i].i;
            floats[b][i] = m->buffers[2 * b + 1][i].f;
        }
    assert_int_equal(VEC_PUSH(a, p.kernels, k), STATUS_OK);
    assert_int_equal(VEC_PUSH(a, p.steps, (program_step){0, args, NULL, -1, NULL, 0}), STATUS_OK);
    const void *inputs[] = {ints[0], floats[0]};
    void *outputs[] = {ints[1], floats[1]};
    interp *machine;
    assert_int_equal(interp_new(&p, a, &machine), STATUS_OK);
    assert_int_equal(interp_run(machine, inputs, outputs, NULL, &m->code), STATUS_OK);
    for (int i = 0; i < TEST_BUFFER_ELEMENTS; i++) {
        m->buffers[2][i].i = ints[1][i];
        m->buffers[3][i].f = floats[1][i];
    }
}

static void place_keeps_what_statements_do(void **state) {
    (void)state;
    test_machine *said = test_malloc(sizeof *said), *done = test_malloc(sizeof *done);
    test_machine *interpreted = test_malloc(sizeof *interpreted);
    for (uint64_t seed = 0; seed < 3000; seed++) {
        arena *a = arena_new(&allocator_system);
        builder *plain = builder_new(a, target_find("x86-64-v3", NULL)),
                *b = builder_new(a, target_find("x86-64-v3", NULL));
        random_statements(plain, seed);
        random_statements(b, seed);
        block statements = builder_take(plain);
        kernel *k = builder_kernel(b, "k", random_buffers, RANDOM_BUFFERS);
        assert_non_null(k);
        assert_int_equal(kernel_verify(k, NULL), STATUS_OK);
        assert_true(k->vars.n < TEST_MOST_VARS && k->regs.n < TEST_MOST_REGS);
        fill(said, seed);
        fill(done, seed);
        test_run(said, &statements);
        test_run(done, &k->body);
        expect_same_buffers(said, done, seed);
        fill(interpreted, seed);
        interpret(k, a, interpreted);
        expect_same_buffers(said, interpreted, seed);
        arena_free(a);
    }
    test_free(said);
    test_free(done);
    test_free(interpreted);
}

static void place_is_deterministic(void **state) {
    (void)state;
    for (uint64_t seed = 0; seed < 50; seed++) {
        const char *texts[2];
        arena *arenas[2];
        for (int i = 0; i < 2; i++) {
            arenas[i] = arena_new(&allocator_system);
            builder *b = builder_new(arenas[i], target_find("x86-64-v3", NULL));
            random_statements(b, seed);
            strbuf out = strbuf_in(arenas[i]);
            kernel_print(builder_kernel(b, "k", random_buffers, RANDOM_BUFFERS), &out);
            assert_int_equal(strbuf_finish(&out, &texts[i]), STATUS_OK);
        }
        assert_string_equal(texts[0], texts[1]);
        arena_free(arenas[0]);
        arena_free(arenas[1]);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(place_moves_invariants_out_of_loops, setup, teardown),
        cmocka_unit_test_setup_teardown(place_keeps_single_uses_inline, setup, teardown),
        cmocka_unit_test_setup_teardown(place_names_shared_values_after_their_let, setup, teardown),
        cmocka_unit_test_setup_teardown(place_keeps_changing_loads_in_their_statement, setup, teardown),
        cmocka_unit_test_setup_teardown(place_keeps_a_let_of_a_changing_value, setup, teardown),
        cmocka_unit_test_setup_teardown(place_keeps_guarded_loads_guarded, setup, teardown),
        cmocka_unit_test_setup_teardown(place_keeps_loads_after_their_check, setup, teardown),
        cmocka_unit_test_setup_teardown(place_expands_unrolled_loops, setup, teardown),
        cmocka_unit_test_setup_teardown(place_drops_what_does_nothing, setup, teardown),
        cmocka_unit_test(place_keeps_what_statements_do),
        cmocka_unit_test(place_is_deterministic),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
