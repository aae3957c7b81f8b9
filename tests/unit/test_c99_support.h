/* What the tests of generated C share: a program is written as C99, compiled by several compilers at several levels
 * with every warning an error, loaded, and run against the interpreter, bit for bit. */
#ifndef TENON_TEST_C99_SUPPORT_H
#define TENON_TEST_C99_SUPPORT_H

#include <sys/stat.h>
#include <unistd.h>

#include "test_llvm_support.h"

#include "tenon/runtime.h"

/* Each program is compiled by one of these in turn; by all of them where TENON_C99_ALL is set. */
static const char *const compilers[] = {
    "gcc -O2",
    "${CLANG:-clang-19} -O2",
    "gcc -O0 -std=c99",
    "gcc -O3 -march=native",
    "${CLANG:-clang-19} -O0 -std=c99",
    "gcc -O1 -fsanitize=undefined -fsanitize-undefined-trap-on-error",
    "${CLANG:-clang-19} -O3 -march=native -std=c99",
    "gcc -O2 -std=c99 -ffp-contract=fast",
    "${CLANG:-clang-19} -O1 -fsanitize=undefined -fsanitize-trap=undefined",
};
#define N_COMPILERS ((int)(sizeof compilers / sizeof *compilers))
#define WARNINGS "-Wall -Wextra -Wpedantic -Wconversion -Werror -fPIC"

static inline void write_file(const char *folder, const char *name, const void *data, size_t n) {
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *f = fopen(path, "wb");
    if (f == NULL)
        fail_msg("cannot write %s", path);
    assert_int_equal(fwrite(data, 1, n, f), n);
    fclose(f);
}

/* Runs a shell command; fails with its output where it fails. */
static inline void run_command(const char *folder, const char *format, ...) {
    char command[16384], line[16384 + 4096];
    va_list args;
    va_start(args, format);
    vsnprintf(command, sizeof command, format, args);
    va_end(args);
    snprintf(line, sizeof line, "cd '%s' && { %s; } > log 2>&1", folder, command);
    if (system(line) == 0)
        return;
    print_error("%s\n", command);
    snprintf(line, sizeof line, "head -40 '%s/log' >&2", folder);
    fail_msg("in %s: exit %d", folder, system(line));
}

/* A fresh folder of this process under the build tree. */
static inline void make_folder(char *folder, size_t size, int number) {
    snprintf(folder, size, TENON_BUILD_DIR "/tests/c99");
    mkdir(folder, 0777);
    snprintf(folder, size, TENON_BUILD_DIR "/tests/c99/%d", (int)getpid());
    mkdir(folder, 0777);
    snprintf(folder, size, TENON_BUILD_DIR "/tests/c99/%d/%d", (int)getpid(), number);
    mkdir(folder, 0777);
}

static inline void remove_folder(const char *folder) {
    char command[1024];
    snprintf(command, sizeof command, "rm -r '%s'", folder);
    assert_int_equal(system(command), 0);
}

static inline void write_model(const bench *x, weights_form form, const char *folder) {
    c99_files files;
    char name[512];
    assert_int_equal(c99_emit(x->p, form, x->memory, &files), STATUS_OK);
    snprintf(name, sizeof name, "%s.c", x->p->name);
    write_file(folder, name, files.source, files.source_bytes);
    snprintf(name, sizeof name, "%s.h", x->p->name);
    write_file(folder, name, files.header, files.header_bytes);
    snprintf(name, sizeof name, "%s_example.c", x->p->name);
    write_file(folder, name, files.example, files.example_bytes);
    if (files.weights_source != NULL)
        write_file(folder, "weights.c", files.weights_source, files.weights_source_bytes);
    if (files.weights != NULL)
        write_file(folder, "weights.bin", files.weights, files.weights_bytes);
}

/* Compiles the folder's model to NUMBER.so with nothing undefined but what a freestanding compiler may call. */
static inline void compile_model(const char *folder, const char *name, int number, const char *compiler) {
    run_command(folder, "%s " WARNINGS " -I" TENON_SOURCE_DIR "/runtime/include -c %s.c -o %d.o", compiler, name,
                number);
    run_command(folder,
                "! nm -u %d.o | grep -v -w -e memcpy -e memset -e memmove -e _GLOBAL_OFFSET_TABLE_ && gcc -shared -o "
                "%d.so %d.o",
                number, number, number);
}

static inline const tenon_model *load_model(const char *folder, const char *name, int number, void **out_library) {
    char path[8192];
    snprintf(path, sizeof path, "%s/%d.so", folder, number);
    *out_library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (*out_library == NULL)
        fail_msg("%s", dlerror());
    snprintf(path, sizeof path, "%s_model", name);
    tenon_model_query query = NULL;
    *(void **)&query = dlsym(*out_library, path);
    assert_non_null(query);
    assert_null(query(0x10000u));
    const tenon_model *model = query(TENON_ABI);
    assert_non_null(model);
    return model;
}

typedef struct compiled_program {
    char folder[512];
    int n;
    void *libraries[N_COMPILERS];
    const tenon_model *models[N_COMPILERS];
    const char *commands[N_COMPILERS];
} compiled_program;

static inline compiled_program compile_program(const bench *x, int turn) {
    compiled_program c = {.n = 0};
    make_folder(c.folder, sizeof c.folder, turn);
    write_model(x, WEIGHTS_INLINE, c.folder);
    for (int i = 0; i < N_COMPILERS; i++) {
        if (i != turn % N_COMPILERS && getenv("TENON_C99_ALL") == NULL)
            continue;
        c.commands[c.n] = compilers[i];
        compile_model(c.folder, x->p->name, i, compilers[i]);
        c.models[c.n] = load_model(c.folder, x->p->name, i, &c.libraries[c.n]);
        c.n++;
    }
    return c;
}

static inline void free_compiled(compiled_program *c) {
    for (int i = 0; i < c->n; i++)
        dlclose(c->libraries[i]);
    remove_folder(c->folder);
}

static inline int run_model(const bench *x, const tenon_model *m, const bench_data *d) {
    tenon_env env = {0};
    env.struct_size = (uint32_t)sizeof env;
    env.arena = d->scratch;
    env.arena_bytes = (uint64_t)x->p->arena_bytes;
    return m->run(d->inputs, d->outputs, &env);
}

/* ---- the table that the JIT has, over compiled C: the JIT's tests drive both ---- */
struct llvm_code {
    compiled_program c;
};

/* A program that is run more than once in a row is compiled once. */
typedef struct c99_engine {
    int turn;
    int skips, skipped; /* of so many programs, one is compiled: compilers are slow */
    char hash[65];
    llvm_code *last;
    const bench *x;
} c99_engine;
static c99_engine engine;

static inline llvm_code *engine_compile(bench *x, const llvm_table *table) {
    (void)table;
    c99_files files;
    char hash[65];
    assert_int_equal(c99_emit(x->p, WEIGHTS_INLINE, x->memory, &files), STATUS_OK);
    text_sha256(files.source, files.source_bytes, hash);
    engine.x = x;
    if (engine.last != NULL && strcmp(hash, engine.hash) == 0)
        return engine.last;
    if (engine.last != NULL)
        free_compiled(&engine.last->c);
    free(engine.last);
    engine.last = NULL;
    compiled_program c = compile_program(x, engine.turn++);
    engine.last = malloc(sizeof *engine.last);
    assert_non_null(engine.last);
    engine.last->c = c;
    memcpy(engine.hash, hash, sizeof hash);
    return engine.last;
}

static inline int engine_run(const llvm_code *code, const void *const *inputs, void *const *outputs, void *scratch,
                             const tenon_env *env) {
    (void)env;
    bench_data d = {(const void **)inputs, (void **)outputs, scratch};
    return run_model(engine.x, code->c.models[code->c.n - 1], &d);
}

static inline void engine_release(llvm_code *code) {
    (void)code; /* kept for the next run */
}

static inline const llvm_table *engine_table(void) {
    static const llvm_table table = {.run = engine_run, .release = engine_release};
    return &table;
}

/* Every compilation on the same data as the interpreter: the same code and the same bits. Gives the code. Pointers are
 * shifted by whole elements: C's pointers are aligned to their elements. */
static inline int engine_compare(bench *x, const llvm_table *table, uint64_t seed, size_t shift) {
    if (program_verify(x->p, x->messages) != STATUS_OK) {
        show_messages(x);
        fail_msg("%s is not valid", x->p->name);
    }
    if (engine.skips > 0 && engine.skipped++ % engine.skips != 0 && getenv("TENON_C99_ALL") == NULL)
        return 0;
    const compiled_program *c = &engine_compile(x, table)->c;
    bench_data expected = bench_data_new(x, seed, 0);
    interp *m = NULL;
    int expected_code = 0;
    assert_int_equal(interp_new(x->p, x->memory, &m), STATUS_OK);
    assert_int_equal(interp_run(m, expected.inputs, expected.outputs, expected.scratch, &expected_code), STATUS_OK);
    for (int i = 0; i < c->n; i++) {
        bench_data actual = bench_data_new(x, seed, 8 * shift);
        int code = run_model(x, c->models[i], &actual);
        if (code != expected_code)
            fail_msg("%s returns %d instead of %d", c->commands[i], code, expected_code);
        print_message("# %s\n", c->commands[i]);
        compare_data(x, &expected, &actual);
    }
    return expected_code;
}

#endif
