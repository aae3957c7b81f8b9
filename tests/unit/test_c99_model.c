/* rooms: codegen loop base */
/* Generated files as a user meets them: names, comments, weights in their three forms, errors of the caller, the
 * specimen. */
#include "test_c99_support.h"

#define COUNT(array) ((int)(sizeof(array) / sizeof *(array)))
#define FLAGS "-std=c99 " WARNINGS " -I" TENON_SOURCE_DIR "/runtime/include"

/* out[i] = in[i] + w[i] over n floats for each pair of input and output, through the arena. */
static void add_kernel(bench *x, const char *name, const char *const *buffers, int in, int w, int out, int64_t n) {
    builder *b = builder_new(x->memory, x->p->target);
    const expr *i = build_for(b, "i", build_index(b, n), LOOP_SERIAL);
    const expr *sum =
        build_add(b, build_load(b, 0, LTYPE(DT_F32, 1), i, NULL), build_load(b, 1, LTYPE(DT_F32, 1), i, NULL));
    build_note(b, "sum */ of ?\?/\n both \\");
    build_store(b, 2, i, sum, NULL);
    build_end(b);
    const kernel_buffer k[] = {{buffers[0], DT_F32, n, ACCESS_READ},
                               {buffers[1], DT_F32, n, ACCESS_READ},
                               {buffers[2], DT_F32, n, ACCESS_WRITE}};
    bench_step(x, bench_kernel(x, b, name, k, 3), (step_arg[]){{in, 0}, {w, 0}, {out, 0}});
    x->p->steps.at[x->p->steps.n - 1].note = "Add '*/ #error' ?\?/\n// \\ \xc3\xa9";
}

static const char *const plain[] = {"a", "b", "c"};

/* ---- names ---- */

static void names_collide_with_nothing(void **state) {
    (void)state;
    char *longest = malloc(10001);
    assert_non_null(longest);
    memset(longest, 'n', 10000);
    longest[10000] = '\0';
    const char *const wanted[] = {
        "x",        "x",        "y.1/z",  "y_1_z",         "int", "class",    "linux",    "1st",
        "__FILE__", "NULL",     longest,  "tn_run",        "in",  "out",      "env",      "arena",
        "f32x8",    "TENON_OK", "m_run",  "m_ARENA_BYTES", "",    "\"*/?\?/", "\xc3\xa9", "memcpy",
        "uint8_t",  "bool",     "printf", "stdin"};
    bench x = bench_new(target_find("generic", NULL));
    x.p->name = "m";
    x.p->origin = "tenon */ test\nfor ?\?/ \\\nand \xff";
    for (int i = 0; i < COUNT(wanted); i++)
        bench_buffer(&x, PLACE_INPUT, wanted[i], DT_F32, 3);
    for (int i = 0; i < COUNT(wanted); i++)
        bench_buffer(&x, PLACE_OUTPUT, wanted[i], DT_F32, 3);
    for (int i = 0; i < COUNT(wanted); i++) {
        int w = bench_buffer(&x, PLACE_CONST, wanted[i], DT_F32, 3);
        const char *k = *wanted[i] == '\0' || strpbrk(wanted[i], "./\"\xc3") != NULL ? "k" : wanted[i];
        add_kernel(&x, k, (const char *const[]){wanted[i], wanted[(i + 1) % COUNT(wanted)], "int64_t"}, i, w,
                   COUNT(wanted) + i, 3);
    }
    char folder[512];
    make_folder(folder, sizeof folder, 0);
    write_model(&x, WEIGHTS_INLINE, folder);
    static const char *const commands[] = {"gcc -O1", "${CLANG:-clang-19} -O1", "gcc -O0 -std=gnu17"};
    for (int i = 0; i < COUNT(commands); i++)
        run_command(folder, "%s " FLAGS " -c m.c -o m.o && %s " FLAGS " -c m_example.c -o example.o", commands[i],
                    commands[i]);
    run_command(folder, "echo '#include \"m.h\"' > use.cpp && g++ -x c++ -std=c++11 -Wall -Wextra -Wpedantic -Werror "
                        "-I" TENON_SOURCE_DIR "/runtime/include -I. -c use.cpp");
    compile_model(folder, "m", 1, "gcc -O1");
    void *library;
    const tenon_model *m = load_model(folder, "m", 1, &library);
    for (int i = 0; i < COUNT(wanted); i++) {
        assert_string_equal(m->inputs[i]->name, wanted[i]);
        assert_string_equal(m->outputs[i]->name, wanted[i]);
    }
    assert_null(m->inputs[COUNT(wanted)]);
    bench_data expected = bench_data_new(&x, 3, 0), actual = bench_data_new(&x, 3, 0);
    interp *it = NULL;
    int code = 0;
    assert_int_equal(interp_new(x.p, x.memory, &it), STATUS_OK);
    assert_int_equal(interp_run(it, expected.inputs, expected.outputs, expected.scratch, &code), STATUS_OK);
    assert_int_equal(run_model(&x, m, &actual), code);
    compare_data(&x, &expected, &actual);
    dlclose(library);
    remove_folder(folder);
    bench_free(&x);
    free(longest);
}

/* ---- weights ---- */

/* Constants of every type, short and long, infinities and NaN among them, each copied to an output. */
static bench constants_program(void) {
    static const dtype types[] = {DT_BOOL, DT_I8,  DT_I16, DT_I32, DT_I64, DT_U8,   DT_U16,
                                  DT_U32,  DT_U64, DT_F32, DT_F64, DT_F16, DT_BF16, DT_F8E4M3FN};
    bench x = bench_new(target_host());
    x.p->name = "m";
    for (int i = 0; i < 2 * COUNT(types); i++)
        bench_buffer(&x, PLACE_OUTPUT, arena_printf(x.memory, "out%d", i), types[i / 2], i % 2 ? 70000 : 101);
    for (int i = 0; i < 2 * COUNT(types); i++) {
        dtype t = types[i / 2];
        int64_t n = i % 2 ? 70000 : 101;
        int w = bench_buffer(&x, PLACE_CONST, arena_printf(x.memory, "w%d", i), t, n);
        builder *b = builder_new(x.memory, x.p->target);
        const expr *k = build_for(b, "k", build_index(b, n), LOOP_SERIAL);
        build_store(b, 1, k, build_load(b, 0, LTYPE(t, 1), k, NULL), NULL);
        build_end(b);
        const kernel_buffer buffers[] = {{"w", t, n, ACCESS_READ}, {"out", t, n, ACCESS_WRITE}};
        bench_step(&x, bench_kernel(&x, b, arena_printf(x.memory, "copy%d", i), buffers, 2),
                   (step_arg[]){{w, 0}, {i, 0}});
    }
    return x;
}

static void compare_weights(bench *x, const tenon_model *m, const void *weights) {
    bench_data actual = bench_data_new(x, 3, 0);
    tenon_env env = {.struct_size = (uint32_t)sizeof env, .weights = weights, .weights_bytes = m->weights_bytes};
    assert_int_equal(m->run(actual.inputs, actual.outputs, &env), TENON_OK);
    int n = x->p->n_outputs;
    for (int i = 0; i < n; i++)
        compare_elements(x, &x->p->buffers.at[i], x->p->buffers.at[n + i].data, actual.outputs[i]);
}

static void weights_are_the_same_in_every_form(void **state) {
    (void)state;
    bench x = constants_program();
    char folder[512];
    void *library;
    make_folder(folder, sizeof folder, 1);
    for (int i = 0; i < 3; i++) {
        write_model(&x, WEIGHTS_INLINE, folder);
        compile_model(folder, "m", i,
                      ((const char *const[]){"gcc -O1 -std=c99", "${CLANG:-clang-19} -O0", "gcc -O0 -std=gnu17"})[i]);
        compare_weights(&x, load_model(folder, "m", i, &library), NULL);
        dlclose(library);
    }
    write_model(&x, WEIGHTS_C, folder);
    run_command(folder, "gcc " FLAGS " -c m.c -o m.o && gcc " FLAGS
                        " -c weights.c -o weights.o && gcc -shared -o 5.so m.o weights.o");
    compare_weights(&x, load_model(folder, "m", 5, &library), NULL);
    dlclose(library);
    c99_files files;
    assert_int_equal(c99_emit(x.p, WEIGHTS_BIN, x.memory, &files), STATUS_OK);
    write_model(&x, WEIGHTS_BIN, folder);
    compile_model(folder, "m", 6, "gcc");
    const tenon_model *m = load_model(folder, "m", 6, &library);
    assert_int_equal(m->weights_bytes, files.weights_bytes);
    compare_weights(&x, m, files.weights);
    bench_data d = bench_data_new(&x, 3, 0);
    tenon_env env = {.struct_size = (uint32_t)sizeof env, .weights_bytes = m->weights_bytes};
    assert_int_equal(m->run(d.inputs, d.outputs, &env), TENON_E_WEIGHTS);
    env.weights = (const char *)files.weights + 1;
    assert_int_equal(m->run(d.inputs, d.outputs, &env), TENON_E_WEIGHTS);
    env.weights = files.weights;
    env.weights_bytes--;
    assert_int_equal(m->run(d.inputs, d.outputs, &env), TENON_E_WEIGHTS);
    run_command(folder,
                "gcc -O1 " FLAGS " m_example.c m.c -o example && ./example weights.bin && ! ./example /dev/null");
    dlclose(library);
    remove_folder(folder);
    bench_free(&x);
}

static void big_endian_machines_are_refused(void **state) {
    (void)state;
    bench x = constants_program();
    char folder[512];
    make_folder(folder, sizeof folder, 2);
    write_model(&x, WEIGHTS_INLINE, folder);
    run_command(
        folder,
        "! gcc " FLAGS
        " -U__BYTE_ORDER__ -D__BYTE_ORDER__=__ORDER_BIG_ENDIAN__ -fsyntax-only m.c && grep -q little-endian log");
    run_command(folder, "gcc -O1 " FLAGS " -U__BYTE_ORDER__ m_example.c m.c -o example && ./example");
    remove_folder(folder);
    bench_free(&x);
}

/* ---- the caller's errors, sanitizers, threads ---- */

static bench arena_program(void) {
    bench x = bench_new(target_host());
    x.p->name = "m";
    int in = bench_buffer(&x, PLACE_INPUT, "in", DT_F32, 1000),
        out = bench_buffer(&x, PLACE_OUTPUT, "out", DT_F32, 1000);
    int w = bench_buffer(&x, PLACE_CONST, "w", DT_F32, 1000),
        between = bench_buffer(&x, PLACE_ARENA, "between", DT_F32, 1000);
    add_kernel(&x, "first", plain, in, w, between, 1000);
    add_kernel(&x, "second", plain, between, w, out, 1000);
    return x;
}

static void bad_calls_are_refused(void **state) {
    (void)state;
    bench x = arena_program();
    char folder[512];
    void *library;
    make_folder(folder, sizeof folder, 3);
    write_model(&x, WEIGHTS_INLINE, folder);
    compile_model(folder, "m", 0, "gcc -O1");
    const tenon_model *m = load_model(folder, "m", 0, &library);
    bench_data d = bench_data_new(&x, 3, 0);
    tenon_env good = {.struct_size = (uint32_t)sizeof good, .arena = d.scratch, .arena_bytes = m->arena_bytes},
              env = good;
    const void *no_input[] = {NULL};
    assert_int_equal(m->run(d.inputs, d.outputs, &env), TENON_OK);
    assert_int_equal(m->run(NULL, d.outputs, &env), TENON_E_ARGUMENT);
    assert_int_equal(m->run(no_input, d.outputs, &env), TENON_E_ARGUMENT);
    assert_int_equal(m->run(d.inputs, d.outputs, NULL), TENON_E_ARGUMENT);
    env.arena_bytes--;
    assert_int_equal(m->run(d.inputs, d.outputs, &env), TENON_E_ARENA);
    env = good;
    env.arena = (char *)d.scratch + 4;
    assert_int_equal(m->run(d.inputs, d.outputs, &env), TENON_E_ARENA);
    env.arena = NULL;
    assert_int_equal(m->run(d.inputs, d.outputs, &env), TENON_E_ARENA);
    env = good;
    env.struct_size = 8;
    assert_int_equal(m->run(d.inputs, d.outputs, &env), TENON_E_STRUCT_SIZE);
    dlclose(library);
    run_command(folder, "! gcc " FLAGS " -ffast-math -fsyntax-only m.c && grep -q ffast-math log");
    run_command(folder, "gcc -g -O1 -fsanitize=address,undefined -fno-sanitize-recover=all " FLAGS
                        " m.c m_example.c -o example && ./example");
    remove_folder(folder);
    bench_free(&x);
}

static void threads_do_not_meet(void **state) {
    (void)state;
    bench x = arena_program();
    char folder[512];
    static const char caller[] =
        "#include <pthread.h>\n#include <stdlib.h>\n#include <string.h>\n#include \"m.h\"\n"
        "static float x[1000], y[2][1000];\n"
        "static void *run(void *result) {\n    m_inputs in = {x};\n    m_outputs out = {result};\n"
        "    void *arena = NULL;\n    long failed = posix_memalign(&arena, 64, m_ARENA_BYTES);\n"
        "    for (int i = 0; i < 50; i++)\n        failed |= m_run(&in, &out, arena);\n"
        "    free(arena);\n    return (void *)failed;\n}\n"
        "int main(void) {\n    pthread_t other;\n    void *result;\n"
        "    for (int i = 0; i < 1000; i++)\n        x[i] = (float)i;\n"
        "    if (pthread_create(&other, NULL, run, y[0]) != 0 || run(y[1]) != NULL)\n        return 1;\n"
        "    pthread_join(other, &result);\n"
        "    return result != NULL || memcmp(y[0], y[1], sizeof y[0]) != 0;\n}\n";
    make_folder(folder, sizeof folder, 4);
    write_model(&x, WEIGHTS_INLINE, folder);
    write_file(folder, "caller.c", caller, strlen(caller));
    run_command(folder, "gcc -g -O1 -D_GNU_SOURCE -fsanitize=thread -I" TENON_SOURCE_DIR
                        "/runtime/include m.c caller.c -o caller -lpthread && ./caller");
    remove_folder(folder);
    bench_free(&x);
}

/* ---- the specimen: a model by hand, used as generated ones are ---- */

static void the_specimen_is_a_model(void **state) {
    (void)state;
    char folder[512];
    void *library;
    make_folder(folder, sizeof folder, 5);
    run_command(folder, "cp " TENON_SOURCE_DIR "/runtime/specimen/specimen.[ch] .");
    compile_model(folder, "specimen", 0, "gcc -O2 -std=c99");
    compile_model(folder, "specimen", 0, "${CLANG:-clang-19} -O2");
    const tenon_model *m = load_model(folder, "specimen", 0, &library);
    const float x[3] = {1, 2, -4};
    float y[2] = {-1, -1};
    int64_t best = -1;
    _Alignas(64) unsigned char scratch[64];
    tenon_env env = {.struct_size = (uint32_t)sizeof env, .arena = scratch, .arena_bytes = sizeof scratch};
    const void *inputs[] = {x};
    void *outputs[] = {y, &best};
    assert_string_equal(m->name, "specimen");
    assert_int_equal(m->struct_size, sizeof *m);
    assert_int_equal(m->arena_bytes, sizeof scratch);
    assert_string_equal(m->inputs[0]->name, "x");
    assert_int_equal(m->inputs[0]->element_type, TENON_FLOAT);
    assert_int_equal(m->outputs[1]->element_type, TENON_INT64);
    assert_null(m->inputs[1]);
    assert_null(m->outputs[2]);
    assert_int_equal(m->run(inputs, outputs, &env), TENON_OK);
    /* 1 * 1 + 2 * 0.5 - 4 * -1 + 0.125 and 1 * -2 + 2 * 0.25 - 4 * 3 - 1 */
    assert_true(y[0] == 6.125f && y[1] == 0 && best == 0);
    const float nan_x[3] = {NAN, 0, 0};
    inputs[0] = nan_x;
    assert_int_equal(m->run(inputs, outputs, &env), TENON_E_VALUE);
    env.struct_size = 4;
    assert_int_equal(m->run(inputs, outputs, &env), TENON_E_STRUCT_SIZE);
    dlclose(library);
    remove_folder(folder);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_collide_with_nothing),
        cmocka_unit_test(weights_are_the_same_in_every_form),
        cmocka_unit_test(big_endian_machines_are_refused),
        cmocka_unit_test(bad_calls_are_refused),
        cmocka_unit_test(threads_do_not_meet),
        cmocka_unit_test(the_specimen_is_a_model),
    };
    return cmocka_run_group_tests_name("c99_model", tests, NULL, NULL);
}
