/* rooms: codegen loop base */
/* Traced code: its ticks, in order, between its steps. Named code: functions that lead to nodes. */
#include "test_llvm_support.h"

static const llvm_table *llvm;

static int group_setup(void **state) {
    (void)state;
    llvm = open_module();
    return 0;
}

enum { N = 16, CODE = 9 };

/* A kernel that copies n elements and adds one; where it finds `refused` it ends with CODE. */
static int add_one(bench *x, const char *name, int refused) {
    builder *b = builder_new(x->memory, x->p->target);
    const expr *i = build_for(b, "i", build_index(b, N), LOOP_SERIAL);
    const expr *v = build_load(b, 0, LTYPE(DT_I32, 1), i, NULL);
    build_check(b, build_ne(b, v, build_int(b, DT_I32, refused)), CODE);
    build_store(b, 1, i, build_add(b, v, build_int(b, DT_I32, 1)), NULL);
    build_end(b);
    const kernel_buffer buffers[] = {{"x", DT_I32, N, ACCESS_READ}, {"y", DT_I32, N, ACCESS_WRITE}};
    return bench_kernel(x, b, name, buffers, 2);
}

/* in -> first -> t -> first -> u -> second -> out: three steps, for nodes of these names. */
static bench three_steps(void) {
    static const char *const leads[] = {"/layer.0/Add", "/layer.1/Add", "/out put/\xc3\xa4"};
    bench x = bench_new(target_host());
    int in = bench_buffer(&x, PLACE_INPUT, "in", DT_I32, N), out = bench_buffer(&x, PLACE_OUTPUT, "out", DT_I32, N);
    int t = bench_buffer(&x, PLACE_ARENA, "t", DT_I32, N), u = bench_buffer(&x, PLACE_ARENA, "u", DT_I32, N);
    int first = add_one(&x, "k0_add", 100), second = add_one(&x, "k1_add", 102);
    bench_step(&x, first, (step_arg[]){{in, 0}, {t, 0}});
    bench_step(&x, first, (step_arg[]){{t, 0}, {u, 0}});
    bench_step(&x, second, (step_arg[]){{u, 0}, {out, 0}});
    for (size_t i = 0; i < 3; i++)
        x.p->steps.at[i].lead = leads[i];
    return x;
}

static llvm_code *compile(bench *x, const llvm_options *o) {
    llvm_code *code = NULL;
    if (llvm->compile(x->p, o, &allocator_system, x->messages, &code) != STATUS_OK) {
        show_messages(x);
        fail_msg("it does not compile");
    }
    return code;
}

/* What the ticks of a run saw. */
typedef struct ticks {
    const bench_data *data;
    const bench *x;
    int64_t steps[8];
    int64_t first[8][3]; /* the first element of t, u, out at each tick */
    int n;
} ticks;

static void record(void *ctx, int64_t step) {
    ticks *r = ctx;
    assert_in_range(r->n, 0, 7);
    const program_buffer *b = r->x->p->buffers.at;
    const char *scratch = r->data->scratch;
    r->first[r->n][0] = *(const int32_t *)(const void *)(scratch + b[2].offset);
    r->first[r->n][1] = *(const int32_t *)(const void *)(scratch + b[3].offset);
    r->first[r->n][2] = *(const int32_t *)r->data->outputs[0];
    r->steps[r->n++] = step;
}

/* Runs it over elements of `value`. */
static ticks run_traced(bench *x, const llvm_code *code, int32_t value, int wanted) {
    bench_data *data = ARENA_NEW(x->memory, bench_data);
    int32_t *in = ARENA_NEW_N(x->memory, int32_t, N), *out = ARENA_NEW_N(x->memory, int32_t, N);
    *data = bench_data_new(x, 1, 0);
    for (int i = 0; i < N; i++)
        in[i] = value;
    data->inputs[0] = in;
    data->outputs[0] = out;
    memset(data->scratch, 0, (size_t)x->p->arena_bytes);
    ticks r = {.data = data, .x = x};
    assert_int_equal(llvm->run_traced(code, data->inputs, data->outputs, data->scratch, NULL, record, &r), wanted);
    return r;
}

static void llvm_ticks_before_each_step_and_after_the_last(void **state) {
    (void)state;
    static const int64_t seen[4][3] = {{0, 0, 0}, {6, 0, 0}, {6, 7, 0}, {6, 7, 8}};
    bench x = three_steps();
    llvm_code *code = compile(&x, &(llvm_options){.is_traced = true});
    for (int round = 0; round < 2; round++) {
        ticks r = run_traced(&x, code, 5, 0);
        assert_int_equal(r.n, 4);
        for (int i = 0; i < r.n; i++) {
            assert_int_equal(r.steps[i], i);
            assert_memory_equal(r.first[i], seen[i], sizeof seen[i]);
        }
    }
    llvm->release(code);
    bench_free(&x);
}

static void llvm_ticks_no_more_after_a_failed_step(void **state) {
    (void)state;
    bench x = three_steps();
    llvm_code *code = compile(&x, &(llvm_options){.is_traced = true});
    ticks r = run_traced(&x, code, 99, CODE); /* the second step finds 100 */
    assert_int_equal(r.n, 2);
    assert_int_equal(r.steps[1], 1);
    llvm->release(code);
    bench_free(&x);
}

static const llvm_symbol *symbol_named(const llvm_symbol *list, size_t n, const char *name) {
    for (size_t i = 0; i < n; i++)
        if (strcmp(list[i].name, name) == 0)
            return &list[i];
    fail_msg("no function '%s'", name);
    return NULL;
}

static void llvm_names_kernels_after_nodes(void **state) {
    (void)state;
    static const char *const names[] = {"bench__layer_0_Add_and_1_more__k0_add", "bench__out_put_____k1_add",
                                        "bench_run_raw"};
    bench x = three_steps();
    size_t n = 9;
    llvm_code *plain = compile(&x, &(llvm_options){0}), *named = compile(&x, &(llvm_options){.is_named = true});
    assert_null(llvm->symbols(plain, &n));
    assert_int_equal(n, 0);
    const llvm_symbol *list = llvm->symbols(named, &n);
    assert_int_equal(n, 3);
    for (size_t i = 0; i < n; i++) {
        const llvm_symbol *s = symbol_named(list, n, names[i]);
        assert_true(s->bytes > 0 && s->bytes < 4096);
        for (size_t k = 0; k < n; k++)
            assert_true(&list[k] == s || s->address + s->bytes <= list[k].address ||
                        s->address >= list[k].address + list[k].bytes);
    }
    bench_data data = bench_data_new(&x, 1, 0);
    assert_int_equal(llvm->run(named, data.inputs, data.outputs, data.scratch, NULL), 0);
    llvm->release(plain);
    llvm->release(named);
    bench_free(&x);
}

/* Long names keep their ends; a program without nodes keeps its kernels' names. */
static void llvm_cuts_long_names(void **state) {
    (void)state;
    char lead[400];
    memset(lead, 'a', sizeof lead);
    memcpy(lead + sizeof lead - 5, ".End", 5);
    bench x = three_steps();
    x.p->steps.at[0].lead = x.p->steps.at[1].lead = lead;
    x.p->steps.at[2].lead = NULL;
    size_t n;
    llvm_code *code = compile(&x, &(llvm_options){.is_named = true});
    const llvm_symbol *list = llvm->symbols(code, &n);
    assert_non_null(symbol_named(list, n, "bench__k1_add"));
    for (size_t i = 0; i < n; i++) {
        assert_true(strlen(list[i].name) < 128);
        assert_true(strstr(list[i].name, "k0") == NULL || strstr(list[i].name, "aaaa_End__k0_add") != NULL);
    }
    llvm->release(code);
    bench_free(&x);
}

static status compile_named(const allocator *from, void *ctx) {
    bench *x = ctx;
    llvm_code *code = NULL;
    const llvm_options options = {.is_traced = true, .is_named = true};
    status result = llvm->compile(x->p, &options, from, x->messages, &code);
    assert_true((result == STATUS_OK) == (code != NULL));
    llvm->release(code);
    return result;
}

static void llvm_named_code_survives_want_of_memory(void **state) {
    (void)state;
    bench x = three_steps();
    assert_true(test_each_allocation(compile_named, &x) > 0);
    bench_free(&x);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(llvm_ticks_before_each_step_and_after_the_last),
        cmocka_unit_test(llvm_ticks_no_more_after_a_failed_step),
        cmocka_unit_test(llvm_names_kernels_after_nodes),
        cmocka_unit_test(llvm_cuts_long_names),
        cmocka_unit_test(llvm_named_code_survives_want_of_memory),
    };
    return cmocka_run_group_tests_name("llvm_trace", tests, group_setup, NULL);
}
