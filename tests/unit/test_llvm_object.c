/* rooms: codegen loop base */
/* Objects: the entry points that tenon/runtime.h promises, what they check, and objects that are none. */
#include "test_llvm_support.h"

#include "tenon/runtime.h"

static const llvm_table *llvm;

static int group_setup(void **state) {
    (void)state;
    llvm = open_module();
    return 0;
}

enum { N = 48 };

/* kept[i] = in[i] * weights[i] by way of the arena; sum[i] = kept[i] + in[i]; a first input of 1 gives code 9. */
static bench small_program(const target *t) {
    bench x = bench_new(t);
    int in = bench_buffer(&x, PLACE_INPUT, "in", DT_F32, N), nothing = bench_buffer(&x, PLACE_INPUT, "none", DT_F32, 0);
    int sum = bench_buffer(&x, PLACE_OUTPUT, "sum", DT_F32, N), weights = bench_buffer(&x, PLACE_CONST, "w", DT_F32, N);
    int unused = bench_buffer(&x, PLACE_CONST, "unused", DT_F32, N);
    int kept = bench_buffer(&x, PLACE_ARENA, "kept", DT_F32, N);
    assert_true(nothing >= 0 && unused >= 0);
    for (int k = 0; k < 2; k++) {
        builder *b = builder_new(x.memory, t);
        const expr *i = build_for(b, "i", build_index(b, N), LOOP_SERIAL);
        const expr *v = build_load(b, 0, LTYPE(DT_F32, 1), i, NULL), *w = build_load(b, 1, LTYPE(DT_F32, 1), i, NULL);
        build_store(b, 2, i, k == 0 ? build_mul(b, v, w) : build_add(b, v, w), NULL);
        build_end(b);
        if (k == 0)
            build_check(
                b,
                build_ne(b, build_load(b, 0, LTYPE(DT_F32, 1), build_index(b, 0), NULL), build_float(b, DT_F32, 1.0)),
                TENON_E_VALUE);
        const kernel_buffer buffers[] = {
            {"a", DT_F32, N, ACCESS_READ}, {"b", DT_F32, N, ACCESS_READ}, {"c", DT_F32, N, ACCESS_WRITE}};
        bench_step(&x, bench_kernel(&x, b, k == 0 ? "multiply" : "add", buffers, 3),
                   k == 0 ? (step_arg[]){{in, 0}, {weights, 0}, {kept, 0}}
                          : (step_arg[]){{kept, 0}, {in, 0}, {sum, 0}});
    }
    return x;
}

static const void *object_of(bench *x, llvm_form form, weights_form weights, size_t *out_bytes) {
    const void *object = NULL;
    if (llvm->emit(x->p, form, weights, x->memory, x->messages, &object, out_bytes) != STATUS_OK) {
        show_messages(x);
        fail_msg("no object for %s", x->p->target->name);
    }
    return object;
}

static uintptr_t load(bench *x, weights_form weights, const char *symbol, llvm_code **out) {
    size_t bytes;
    uintptr_t address = 0;
    const void *object = object_of(x, LLVM_FORM_OBJECT, weights, &bytes);
    assert_int_equal(llvm->load(x->p->target, object, bytes, symbol, &allocator_system, x->messages, out, &address),
                     STATUS_OK);
    assert_true(address != 0 && llvm->code_bytes(*out) > 0);
    return address;
}

/* What one test runs a loaded model with: everything as it should be. */
typedef struct loaded {
    bench x;
    llvm_code *code;
    tenon_model_query query;
    const tenon_model *model;
    bench_data data;
    tenon_env env;
} loaded;

static loaded loaded_new(weights_form weights) {
    loaded l = {.x = small_program(target_host())};
    weight_table table;
    l.query = (tenon_model_query)load(&l.x, weights, "bench_model", &l.code);
    l.model = l.query(TENON_ABI);
    assert_non_null(l.model);
    l.data = bench_data_new(&l.x, 5, 0);
    *(float *)(uintptr_t)l.data.inputs[0] = 2;
    l.env = (tenon_env){.struct_size = sizeof l.env, .arena = l.data.scratch, .arena_bytes = l.model->arena_bytes};
    assert_int_equal(weights_place(l.x.p, l.x.memory, &table), STATUS_OK);
    if (weights == WEIGHTS_BIN) {
        l.env.weights_bytes = table.bytes;
        assert_int_equal(weights_file(l.x.p, &table, l.x.memory, &l.env.weights), STATUS_OK);
    }
    return l;
}

static void loaded_free(loaded *l) {
    llvm->release(l->code);
    bench_free(&l->x);
}

static int run(const loaded *l, const tenon_env *env) {
    return l->model->run(l->data.inputs, l->data.outputs, env);
}

static void assert_interp_agrees(loaded *l) {
    bench_data expected = bench_data_new(&l->x, 5, 0);
    *(float *)(uintptr_t)expected.inputs[0] = 2;
    interp *m = NULL;
    int code = -1;
    assert_int_equal(interp_new(l->x.p, l->x.memory, &m), STATUS_OK);
    assert_int_equal(interp_run(m, expected.inputs, expected.outputs, expected.scratch, &code), STATUS_OK);
    assert_int_equal(code, TENON_OK);
    compare_data(&l->x, &expected, &l->data);
}

static void object_describes_its_model(void **state) {
    (void)state;
    loaded l = loaded_new(WEIGHTS_BIN);
    const tenon_model *m = l.model;
    assert_int_equal(m->struct_size, sizeof *m);
    assert_int_equal(m->abi, TENON_ABI);
    assert_string_equal(m->name, "bench");
    assert_int_equal(m->arena_bytes, l.x.p->arena_bytes);
    assert_int_equal(m->arena_alignment, 64);
    assert_int_equal(m->weights_bytes, N * sizeof(float)); /* not the constant that nobody reads */
    assert_int_equal(m->weights_alignment, 64);
    assert_null(m->inputs[2]);
    assert_null(m->outputs[1]);
    const tenon_tensor_info *t = m->inputs[0];
    assert_int_equal(t->struct_size, sizeof *t);
    assert_int_equal(t->element_type, TENON_FLOAT);
    assert_string_equal(t->name, "in");
    assert_int_equal(t->rank, 1);
    assert_int_equal(t->dims[0], N);
    assert_int_equal(t->bytes, N * sizeof(float));
    assert_int_equal(t->alignment, sizeof(float));
    loaded_free(&l);
}

static void object_knows_its_abi(void **state) {
    (void)state;
    loaded l = loaded_new(WEIGHTS_INLINE);
    assert_null(l.query(TENON_ABI - 1));
    assert_ptr_equal(l.query(TENON_ABI + 5), l.model);
    assert_null(l.query(TENON_ABI + 0x10000));
    assert_null(l.query(TENON_ABI | 0x80000000u));
    loaded_free(&l);
}

static void object_runs(void **state) {
    (void)state;
    for (int bin = 0; bin < 2; bin++) {
        loaded l = loaded_new(bin ? WEIGHTS_BIN : WEIGHTS_INLINE);
        assert_int_equal(run(&l, &l.env), TENON_OK);
        assert_interp_agrees(&l);
        *(float *)(uintptr_t)l.data.inputs[0] = 1;
        assert_int_equal(run(&l, &l.env), TENON_E_VALUE);
        loaded_free(&l);
    }
}

/* PREFIX_run brings an environment of its own, in which there are no weights. */
static void object_runs_with_an_arena_alone(void **state) {
    (void)state;
    for (int bin = 0; bin < 2; bin++) {
        loaded l = loaded_new(bin ? WEIGHTS_BIN : WEIGHTS_INLINE);
        llvm_code *code;
        int (*simple)(const void *const *, void *const *, void *) = NULL;
        uintptr_t address = load(&l.x, bin ? WEIGHTS_BIN : WEIGHTS_INLINE, "bench_run", &code);
        memcpy(&simple, &address, sizeof address);
        assert_int_equal(simple(l.data.inputs, l.data.outputs, l.data.scratch), bin ? TENON_E_WEIGHTS : TENON_OK);
        if (!bin)
            assert_interp_agrees(&l);
        assert_int_equal(simple(l.data.inputs, l.data.outputs, NULL), TENON_E_ARENA);
        assert_int_equal(simple(NULL, l.data.outputs, l.data.scratch), TENON_E_ARGUMENT);
        llvm->release(code);
        loaded_free(&l);
    }
}

static void object_checks_pointers(void **state) {
    (void)state;
    loaded l = loaded_new(WEIGHTS_BIN);
    const void *in = l.data.inputs[0];
    void *out = l.data.outputs[0];
    assert_int_equal(l.model->run(NULL, l.data.outputs, &l.env), TENON_E_ARGUMENT);
    assert_int_equal(l.model->run(l.data.inputs, NULL, &l.env), TENON_E_ARGUMENT);
    assert_int_equal(run(&l, NULL), TENON_E_ARGUMENT);
    l.data.inputs[0] = NULL;
    assert_int_equal(run(&l, &l.env), TENON_E_ARGUMENT);
    l.data.inputs[0] = in;
    l.data.outputs[0] = NULL;
    assert_int_equal(run(&l, &l.env), TENON_E_ARGUMENT);
    l.data.outputs[0] = out;
    l.data.inputs[1] = NULL; /* of no elements */
    assert_int_equal(run(&l, &l.env), TENON_OK);
    loaded_free(&l);
}

static void object_checks_its_environment(void **state) {
    (void)state;
    loaded l = loaded_new(WEIGHTS_BIN);
    const tenon_env good = l.env;
    const struct {
        tenon_env env;
        int code;
    } cases[] = {
#define WITH(change, code_)                                                                                            \
    {({                                                                                                                \
         tenon_env env = good;                                                                                         \
         change;                                                                                                       \
         env;                                                                                                          \
     }),                                                                                                               \
     code_}
        WITH(env.struct_size = 0, TENON_E_STRUCT_SIZE),
        WITH(env.struct_size = offsetof(tenon_env, arena_bytes) + 7, TENON_E_STRUCT_SIZE),
        WITH(env.struct_size = offsetof(tenon_env, weights_bytes) + 7, TENON_E_STRUCT_SIZE),
        WITH(env.struct_size = offsetof(tenon_env, weights_bytes) + 8, TENON_OK),
        WITH(env.struct_size = 4096, TENON_OK),
        WITH(env.arena = NULL, TENON_E_ARENA),
        WITH(env.arena = (char *)env.arena + 32, TENON_E_ARENA),
        WITH(env.arena_bytes--, TENON_E_ARENA),
        WITH(env.arena_bytes += 1000, TENON_OK),
        WITH(env.weights = NULL, TENON_E_WEIGHTS),
        WITH(env.weights = (const char *)env.weights + 4, TENON_E_WEIGHTS),
        WITH(env.weights_bytes--, TENON_E_WEIGHTS),
        WITH(env.weights_bytes += 64, TENON_E_WEIGHTS),
#undef WITH
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        if (run(&l, &cases[i].env) != cases[i].code)
            fail_msg("case %zu: %d, expected %d", i, run(&l, &cases[i].env), cases[i].code);
    loaded_free(&l);
}

static void objects_are_made_for_every_target(void **state) {
    (void)state;
    static const weights_form forms[] = {WEIGHTS_INLINE, WEIGHTS_C, WEIGHTS_OBJ, WEIGHTS_BIN};
    for (const target *const *t = target_table; *t != NULL; t++)
        for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
            bench x = small_program(*t);
            size_t bytes = 0, again = 0;
            const void *object = object_of(&x, LLVM_FORM_OBJECT, forms[i], &bytes);
            assert_memory_equal(object,
                                "\x7f"
                                "ELF",
                                4);
            const void *same = object_of(&x, LLVM_FORM_OBJECT, forms[i], &again);
            assert_int_equal(bytes, again);
            assert_memory_equal(object, same, bytes);
            bench_free(&x);
        }
}

static bool holds(const void *object, size_t bytes, const char *text) {
    return memmem(object, bytes, text, strlen(text) + 1) != NULL;
}

static void weights_have_symbols_of_their_own(void **state) {
    (void)state;
    bench x = small_program(target_host());
    size_t bytes;
    const void *object = object_of(&x, LLVM_FORM_WEIGHTS, WEIGHTS_OBJ, &bytes);
    assert_true(holds(object, bytes, "bench_w_w"));
    assert_false(holds(object, bytes, "bench_w_unused"));
    object = object_of(&x, LLVM_FORM_OBJECT, WEIGHTS_OBJ, &bytes);
    assert_true(holds(object, bytes, "bench_w_w"));
    object = object_of(&x, LLVM_FORM_OBJECT, WEIGHTS_INLINE, &bytes);
    assert_false(holds(object, bytes, "bench_w_w"));
    bench_free(&x);
}

static void what_is_no_object_is_refused(void **state) {
    (void)state;
    bench x = small_program(target_host());
    size_t bytes;
    const char *object = object_of(&x, LLVM_FORM_OBJECT, WEIGHTS_INLINE, &bytes);
    llvm_code *code = NULL;
    uintptr_t address = 0;
    char noise[256];
    memset(noise, 0x5a, sizeof noise);
    status s =
        llvm->load(target_host(), noise, sizeof noise, "bench_model", &allocator_system, x.messages, &code, &address);
    assert_int_equal(s, STATUS_RESOURCE);
    assert_null(code);
    s = llvm->load(target_host(), object, bytes, "other_model", &allocator_system, x.messages, &code, &address);
    assert_int_equal(s, STATUS_RESOURCE);
    assert_null(code);
    assert_int_equal(diag_errors(x.messages), 2);
    bench_free(&x);
}

/* Weights are written as this machine has them. */
static void big_endian_machines_are_refused(void **state) {
    (void)state;
    static const llvm_form forms[] = {LLVM_FORM_OBJECT, LLVM_FORM_WEIGHTS, LLVM_FORM_ASSEMBLY};
    target t = *target_find("generic", NULL);
    t.triple = "aarch64_be-unknown-linux-gnu";
    t.cpu = t.features = NULL;
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        bench x = small_program(&t);
        const void *object = NULL;
        size_t bytes = 0;
        assert_int_equal(llvm->emit(x.p, forms[i], WEIGHTS_OBJ, x.memory, x.messages, &object, &bytes),
                         STATUS_UNSUPPORTED);
        assert_string_equal(diag_at(x.messages, 0)->id, "big-endian");
        bench_free(&x);
    }
}

static status emit_and_load(const allocator *from, void *ctx) {
    bench *x = ctx;
    const void *object;
    size_t bytes;
    uintptr_t address;
    llvm_code *code = NULL;
    arena *a = arena_new(from);
    TRY_ALLOC(a);
    status s = llvm->emit(x->p, LLVM_FORM_OBJECT, WEIGHTS_BIN, a, x->messages, &object, &bytes);
    if (s == STATUS_OK)
        s = llvm->load(x->p->target, object, bytes, "bench_model", from, x->messages, &code, &address);
    if (s == STATUS_OK)
        assert_non_null(((tenon_model_query)address)(TENON_ABI));
    llvm->release(code);
    arena_free(a);
    return s;
}

static void objects_survive_want_of_memory(void **state) {
    (void)state;
    bench x = small_program(target_host());
    assert_true(test_each_allocation(emit_and_load, &x) > 3);
    bench_free(&x);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(object_describes_its_model),
        cmocka_unit_test(object_knows_its_abi),
        cmocka_unit_test(object_runs),
        cmocka_unit_test(object_runs_with_an_arena_alone),
        cmocka_unit_test(object_checks_pointers),
        cmocka_unit_test(object_checks_its_environment),
        cmocka_unit_test(objects_are_made_for_every_target),
        cmocka_unit_test(weights_have_symbols_of_their_own),
        cmocka_unit_test(what_is_no_object_is_refused),
        cmocka_unit_test(big_endian_machines_are_refused),
        cmocka_unit_test(objects_survive_want_of_memory),
    };
    return cmocka_run_group_tests_name("llvm_object", tests, group_setup, NULL);
}
