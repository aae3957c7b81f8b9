/* rooms: codegen loop base */
/* What the module promises besides the right bits: text for any target, errors as diagnostics, threads, no leak. */
#include <pthread.h>
#include <unistd.h>

#include "test_llvm_support.h"

static const llvm_table *llvm;

static int group_setup(void **state) {
    (void)state;
    llvm = open_module();
    return 0;
}

enum { N = 64 };

/* out[i] = in[i] * weights[i] + in[i], a value of 1 ends the run with code 9. */
static bench small_program(const target *t, bool fused) {
    bench x = bench_new(t);
    int in = bench_buffer(&x, PLACE_INPUT, "in", DT_F32, N), out = bench_buffer(&x, PLACE_OUTPUT, "out", DT_F32, N);
    int weights = bench_buffer(&x, PLACE_CONST, "weights", DT_F32, N);
    builder *b = builder_new(x.memory, t);
    int lanes = target_lanes(t, 32);
    const expr *i = build_for(b, "i", build_index(b, N / lanes), LOOP_SERIAL);
    const expr *at = build_mul(b, i, build_index(b, lanes));
    const expr *v = build_load(b, 0, LTYPE(DT_F32, lanes), at, NULL),
               *w = build_load(b, 1, LTYPE(DT_F32, lanes), at, NULL);
    build_store(b, 2, at, fused ? build_mul_add(b, v, w, v) : build_add(b, build_mul(b, v, w), v), NULL);
    build_check(b, build_ne(b, build_load(b, 0, LTYPE(DT_F32, 1), at, NULL), build_float(b, DT_F32, 1.0)), 9);
    build_end(b);
    const kernel_buffer buffers[] = {
        {"in", DT_F32, N, ACCESS_READ}, {"weights", DT_F32, N, ACCESS_READ}, {"out", DT_F32, N, ACCESS_WRITE}};
    bench_step(&x, bench_kernel(&x, b, "multiply", buffers, 3), (step_arg[]){{in, 0}, {weights, 0}, {out, 0}});
    return x;
}

static const char *text_of(bench *x, llvm_form form) {
    const void *text = NULL;
    size_t bytes = 0;
    assert_int_equal(llvm->emit(x->p, form, WEIGHTS_INLINE, x->memory, x->messages, &text, &bytes), STATUS_OK);
    assert_int_equal(strlen(text), bytes);
    return text;
}

static const target *target_named(const char *name) {
    diag *d = diag_new(&allocator_system);
    const target *t = target_find(name, d);
    assert_non_null(t);
    diag_free(d);
    return t;
}

static void llvm_emits_text_for_every_target(void **state) {
    (void)state;
    for (const target *const *t = target_table; *t != NULL; t++) {
        bench x = small_program(*t, true);
        const char *ir = text_of(&x, LLVM_FORM_IR), *assembly = text_of(&x, LLVM_FORM_ASSEMBLY);
        assert_non_null(strstr(ir, "define signext i32 @bench_run_env(ptr"));
        assert_non_null(strstr(ir, "define internal"));
        assert_non_null(strstr(ir, "private unnamed_addr constant"));
        assert_null(strstr(ir, "inttoptr"));
        assert_non_null(strstr(assembly, "bench_run_raw:"));
        assert_string_equal(assembly, text_of(&x, LLVM_FORM_ASSEMBLY));
        bench_free(&x);
    }
}

static void llvm_fuses_only_what_the_program_fuses(void **state) {
    (void)state;
    static const struct {
        const char *target, *instruction;
    } rows[] = {{"x86-64-v3", "vfmadd"}, {"x86-64-v4", "vfmadd"}, {"aarch64", "fmla"}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        bench fused = small_program(target_named(rows[i].target), true);
        bench apart = small_program(target_named(rows[i].target), false);
        assert_non_null(strstr(text_of(&fused, LLVM_FORM_ASSEMBLY), rows[i].instruction));
        assert_null(strstr(text_of(&apart, LLVM_FORM_ASSEMBLY), rows[i].instruction));
        bench_free(&fused);
        bench_free(&apart);
    }
}

static void llvm_uses_the_vector_width_of_the_target(void **state) {
    (void)state;
    bench narrow = small_program(target_named("x86-64-v3"), true),
          wide = small_program(target_named("x86-64-v4"), true);
    assert_null(strstr(text_of(&narrow, LLVM_FORM_ASSEMBLY), "zmm"));
    assert_non_null(strstr(text_of(&wide, LLVM_FORM_ASSEMBLY), "zmm"));
    bench_free(&narrow);
    bench_free(&wide);
}

static void assert_refused(bench *x) {
    llvm_code *code = NULL;
    assert_int_equal(llvm->compile(x->p, &(llvm_options){0}, &allocator_system, x->messages, &code), STATUS_RESOURCE);
    assert_null(code);
    assert_int_equal(diag_errors(x->messages), 1);
    assert_string_equal(diag_at(x->messages, 0)->id, "llvm");
}

static void llvm_refuses_a_target_that_does_not_run_here(void **state) {
    (void)state;
    const target *foreign = NULL;
    for (const target *const *t = target_table; *t != NULL; t++)
        if (!target_runs_here(*t))
            foreign = *t;
    assert_non_null(foreign);
    bench x = small_program(foreign, true);
    assert_refused(&x);
    bench_free(&x);
}

static void llvm_reports_a_triple_that_it_does_not_know(void **state) {
    (void)state;
    target t = *target_host();
    t.triple = "pdp11-unknown-none";
    bench x = small_program(&t, true);
    assert_refused(&x);
    bench_free(&x);
}

static status compile_and_run(const allocator *from, void *ctx) {
    bench *x = ctx;
    llvm_code *code = NULL;
    status result = llvm->compile(x->p, &(llvm_options){0}, from, x->messages, &code);
    if (result != STATUS_OK) {
        assert_null(code);
        return result;
    }
    arena_mark mark = arena_get_mark(x->memory);
    bench_data data = bench_data_new(x, 2, 0);
    int first = llvm->run(code, data.inputs, data.outputs, data.scratch, NULL);
    assert_true(first == 0 || first == 9);
    arena_reset(x->memory, mark);
    llvm->release(code);
    return STATUS_OK;
}

static void llvm_survives_want_of_memory(void **state) {
    (void)state;
    bench x = small_program(target_host(), true);
    assert_true(test_each_allocation(compile_and_run, &x) > 0);
    bench_free(&x);
}

static long resident_pages(void) {
    long total = 0, resident = 0;
    FILE *f = fopen("/proc/self/statm", "r");
    assert_non_null(f);
    assert_int_equal(fscanf(f, "%ld %ld", &total, &resident), 2);
    fclose(f);
    return resident;
}

/* The address sanitizer keeps freed memory for a while, and finds leaks itself. */
#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define GROWTH_ALLOWED (1L << 30)
#endif
#elif defined(__SANITIZE_ADDRESS__)
#define GROWTH_ALLOWED (1L << 30)
#endif
#ifndef GROWTH_ALLOWED
#define GROWTH_ALLOWED (2L << 20)
#endif

static void llvm_does_not_leak(void **state) {
    (void)state;
    bench x = small_program(target_host(), true);
    for (int i = 0; i < 50; i++)
        assert_int_equal(compile_and_run(&allocator_system, &x), STATUS_OK);
    long before = resident_pages();
    for (int i = 0; i < 200; i++)
        assert_int_equal(compile_and_run(&allocator_system, &x), STATUS_OK);
    long grown = (resident_pages() - before) * sysconf(_SC_PAGESIZE);
    if (grown > GROWTH_ALLOWED)
        fail_msg("200 compilations left %ld bytes", grown);
    bench_free(&x);
}

static void *compile_often(void *ctx) {
    (void)ctx;
    for (uint64_t i = 0; i < 8; i++) {
        bench x = small_program(target_host(), i % 2);
        bench_compare(&x, llvm, i, i);
        bench_free(&x);
    }
    return NULL;
}

static void llvm_compiles_in_several_threads(void **state) {
    (void)state;
    pthread_t threads[4];
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, compile_often, NULL), 0);
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
}

typedef struct shared_run {
    const bench *x;
    const llvm_code *code;
    bench_data data;
    int code_of_run;
} shared_run;

static void *run_often(void *ctx) {
    shared_run *r = ctx;
    for (int i = 0; i < 2000; i++)
        r->code_of_run = llvm->run(r->code, r->data.inputs, r->data.outputs, r->data.scratch, NULL);
    return NULL;
}

static void llvm_runs_one_program_in_several_threads(void **state) {
    (void)state;
    bench x = small_program(target_host(), true);
    llvm_code *code = bench_compile(&x, llvm);
    shared_run runs[4];
    pthread_t threads[4];
    for (int i = 0; i < 4; i++) {
        runs[i] = (shared_run){.x = &x, .code = code, .data = bench_data_new(&x, 4, 0)};
        assert_int_equal(pthread_create(&threads[i], NULL, run_often, &runs[i]), 0);
    }
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    for (int i = 1; i < 4; i++) {
        assert_int_equal(runs[i].code_of_run, runs[0].code_of_run);
        compare_data(&x, &runs[0].data, &runs[i].data);
    }
    llvm->release(code);
    bench_free(&x);
}

static void llvm_names_its_version(void **state) {
    (void)state;
    assert_int_equal(strncmp(llvm->llvm_version(), "19.", 3), 0);
    llvm->release(NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(llvm_emits_text_for_every_target),
        cmocka_unit_test(llvm_fuses_only_what_the_program_fuses),
        cmocka_unit_test(llvm_uses_the_vector_width_of_the_target),
        cmocka_unit_test(llvm_refuses_a_target_that_does_not_run_here),
        cmocka_unit_test(llvm_reports_a_triple_that_it_does_not_know),
        cmocka_unit_test(llvm_survives_want_of_memory),
        cmocka_unit_test(llvm_does_not_leak),
        cmocka_unit_test(llvm_compiles_in_several_threads),
        cmocka_unit_test(llvm_runs_one_program_in_several_threads),
        cmocka_unit_test(llvm_names_its_version),
    };
    return cmocka_run_group_tests_name("llvm_module", tests, group_setup, NULL);
}
