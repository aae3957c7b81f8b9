/* What the LLVM tests share: the module, programs put together from built kernels, and a run of one program through the
 * interpreter and the JIT that compares every bit. */
#ifndef TENON_TEST_LLVM_SUPPORT_H
#define TENON_TEST_LLVM_SUPPORT_H

#include <dlfcn.h>
#include <math.h>
#include <stdio.h>

#include "test_support.h"

#include "codegen/codegen.h"

/* ---- the module, opened as api/ does ---- */
static inline const llvm_table *open_module(void) {
    void *module = dlopen(TENON_BUILD_DIR "/lib/tenon/tenon-llvm.so", RTLD_NOW | RTLD_LOCAL);
    if (module == NULL)
        fail_msg("%s", dlerror());
    const llvm_table *(*query)(uint32_t) = NULL;
    *(void **)&query = dlsym(module, "tenon_llvm_query");
    assert_non_null(query);
    assert_null(query(LLVM_TABLE_VERSION + 1));
    const llvm_table *table = query(LLVM_TABLE_VERSION);
    assert_non_null(table);
    return table;
}

/* ---- random data: a 64-bit linear congruence, its upper bits ---- */
static inline uint32_t next_random(uint64_t *seed) {
    *seed = *seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(*seed >> 33);
}

static inline int random_below(uint64_t *seed, int n) {
    return (int)(next_random(seed) % (uint32_t)n);
}

/* Zeros, limits, halves, infinities and NaN among small numbers and random bits. */
static inline void fill_random(dtype t, void *data, int64_t n, uint64_t seed) {
    static const double special[] = {
        0,   -0.0,  1,    -1,   0.5,      -0.5,      1.5,           2.5,          -2.5,
        3,   127,   128,  -129, 255.5,    32768,     -2147483649.0, 2147483648.0, 4294967296.0,
        1e9, 1e-40, 1e30, 7e18, INFINITY, -INFINITY, NAN,           9.3e18,       -9.3e18};
    size_t each = dtype_bytes(t, 1);
    for (int64_t i = 0; i < n; i++) {
        _Alignas(8) unsigned char bytes[8];
        uint64_t bits = (uint64_t)next_random(&seed) << 40 ^ (uint64_t)next_random(&seed) << 20 ^ next_random(&seed);
        memcpy(bytes, &bits, sizeof bytes);
        int choice = random_below(&seed, 4);
        int64_t limits[] = {0, 1, -1, dtype_is_int(t) ? dtype_min(t) : 2, dtype_is_int(t) ? (int64_t)dtype_max(t) : 3};
        if (t == DT_BOOL)
            bytes[0] &= 1;
        else if (choice == 0 && dtype_is_float(t))
            dtype_set_double(t, bytes, 0, special[next_random(&seed) % (sizeof special / sizeof *special)]);
        else if (choice == 0)
            dtype_set_int(t, bytes, 0, limits[random_below(&seed, 5)]);
        else if (choice <= 2 && dtype_is_float(t))
            dtype_set_double(t, bytes, 0, (random_below(&seed, 4001) - 2000) / 16.0);
        else if (choice == 1)
            dtype_set_int(t, bytes, 0, random_below(&seed, 41) - 20);
        memcpy((unsigned char *)data + (size_t)i * each, bytes, each);
    }
}

/* ---- a program under construction ---- */
typedef struct bench {
    arena *memory;
    diag *messages;
    program *p;
} bench;

static inline bench bench_new(const target *t) {
    bench x = {.memory = arena_new(&allocator_system), .messages = diag_new(&allocator_system)};
    x.p = ARENA_NEW(x.memory, program);
    x.p->memory = x.memory;
    x.p->name = "bench";
    x.p->target = t;
    x.p->origin = "";
    return x;
}

static inline void bench_free(bench *x) {
    diag_free(x->messages);
    arena_free(x->memory);
}

/* Inputs come first, then outputs, then constants and the arena's buffers. */
static inline int bench_buffer(bench *x, place_kind place, const char *name, dtype elem, int64_t n) {
    program *p = x->p;
    int64_t *dims = ARENA_NEW(x->memory, int64_t);
    *dims = n;
    program_buffer b = {.name = name, .elem = elem, .n = n, .place = place};
    if (place == PLACE_INPUT || place == PLACE_OUTPUT) {
        b.rank = 1;
        b.dims = dims;
    }
    if (place == PLACE_ARENA) {
        b.offset = p->arena_bytes;
        p->arena_bytes += (int64_t)(dtype_bytes(elem, (size_t)n) + 63) / 64 * 64;
    }
    if (place == PLACE_CONST) {
        void *data = arena_alloc(x->memory, dtype_bytes(elem, (size_t)n) + 256);
        fill_random(elem, data, n, (uint64_t)p->buffers.n);
        b.data = data;
    }
    p->n_inputs += place == PLACE_INPUT;
    p->n_outputs += place == PLACE_OUTPUT;
    assert_int_equal(VEC_PUSH(x->memory, p->buffers, b), STATUS_OK);
    return (int)p->buffers.n - 1;
}

static inline void show_messages(const bench *x) {
    for (size_t i = 0; i < diag_count(x->messages); i++)
        print_error("%s\n", diag_line(x->messages, i, x->memory));
}

/* Finishes b's kernel, legalises and verifies it. */
static inline int bench_kernel(bench *x, builder *b, const char *name, const kernel_buffer *buffers, int n) {
    assert_int_equal(builder_status(b), STATUS_OK);
    kernel *k = builder_kernel(b, name, buffers, n);
    assert_non_null(k);
    assert_int_equal(kernel_legalise(k, x->memory, x->p->target), STATUS_OK);
    if (kernel_verify(k, x->messages) != STATUS_OK) {
        show_messages(x);
        loop_dump(k);
        fail_msg("kernel %s is not valid", name);
    }
    assert_int_equal(VEC_PUSH(x->memory, x->p->kernels, k), STATUS_OK);
    return (int)x->p->kernels.n - 1;
}

static inline void bench_step(bench *x, int k, const step_arg *args) {
    size_t n = x->p->kernels.at[k]->buffers.n;
    program_step s = {.kernel = k, .args = arena_copy(x->memory, args, n * sizeof *args), .note = "", .node = -1};
    assert_int_equal(VEC_PUSH(x->memory, x->p->steps, s), STATUS_OK);
}

/* ---- running ---- */
typedef struct bench_data {
    const void **inputs;
    void **outputs;
    void *scratch;
} bench_data;

/* Buffers of the program's inputs and outputs, `shift` bytes off their alignment. */
static inline bench_data bench_data_new(const bench *x, uint64_t seed, size_t shift) {
    const program *p = x->p;
    bench_data data = {ARENA_NEW_N(x->memory, const void *, p->n_inputs + 1),
                       ARENA_NEW_N(x->memory, void *, p->n_outputs + 1),
                       arena_alloc(x->memory, (size_t)p->arena_bytes + 256)};
    for (int i = 0; i < p->n_inputs + p->n_outputs; i++) {
        const program_buffer *b = &p->buffers.at[i];
        size_t bytes = dtype_bytes(b->elem, (size_t)b->n);
        char *at = (char *)arena_alloc(x->memory, bytes + shift + 256) + shift;
        void *aligned = arena_alloc(x->memory, bytes + 256);
        fill_random(b->elem, aligned, b->n, seed + (uint64_t)i);
        memcpy(at, aligned, bytes);
        if (i < p->n_inputs)
            data.inputs[i] = at;
        else
            data.outputs[i - p->n_inputs] = at;
    }
    return data;
}

static inline bool same_element(dtype t, const unsigned char *a, const unsigned char *b, int64_t i) {
    size_t each = dtype_bytes(t, 1);
    if (memcmp(a + (size_t)i * each, b + (size_t)i * each, each) == 0)
        return true;
    return dtype_is_float(t) && isnan(dtype_get_double(t, a, (size_t)i)) && isnan(dtype_get_double(t, b, (size_t)i));
}

/* Fails at the first element of b that differs; the copies may lie anywhere. */
static inline void compare_elements(const bench *x, const program_buffer *b, const void *expected, const void *actual) {
    size_t bytes = dtype_bytes(b->elem, (size_t)b->n);
    arena_mark mark = arena_get_mark(x->memory);
    void *e = arena_copy(x->memory, expected, bytes), *a = arena_copy(x->memory, actual, bytes);
    for (int64_t i = 0; i < b->n; i++)
        if (!same_element(b->elem, e, a, i))
            fail_msg("%s, %s[%lld]: the interpreter gives %.17g (%lld), the JIT %.17g (%lld)", x->p->target->name,
                     b->name, (long long)i, dtype_get_double(b->elem, e, (size_t)i),
                     (long long)dtype_get_int(b->elem, e, (size_t)i), dtype_get_double(b->elem, a, (size_t)i),
                     (long long)dtype_get_int(b->elem, a, (size_t)i));
    arena_reset(x->memory, mark);
}

/* Outputs and everything in the arena. */
static inline void compare_data(const bench *x, const bench_data *expected, const bench_data *actual) {
    for (int i = x->p->n_inputs; i < (int)x->p->buffers.n; i++) {
        const program_buffer *b = &x->p->buffers.at[i];
        if (b->place == PLACE_OUTPUT)
            compare_elements(x, b, expected->outputs[i - x->p->n_inputs], actual->outputs[i - x->p->n_inputs]);
        if (b->place == PLACE_ARENA)
            compare_elements(x, b, (const char *)expected->scratch + b->offset,
                             (const char *)actual->scratch + b->offset);
    }
}

static inline llvm_code *bench_compile(bench *x, const llvm_table *llvm) {
    llvm_code *code = NULL;
    if (llvm->compile(x->p, &(llvm_options){0}, &allocator_system, x->messages, &code) != STATUS_OK) {
        show_messages(x);
        fail_msg("%s does not compile", x->p->name);
    }
    assert_true(llvm->code_bytes(code) > 0);
    return code;
}

/* Both engines on the same data: the same code and the same bits. Gives the code. */
static inline int bench_compare(bench *x, const llvm_table *llvm, uint64_t seed, size_t shift) {
    if (program_verify(x->p, x->messages) != STATUS_OK) {
        show_messages(x);
        fail_msg("%s is not valid", x->p->name);
    }
    bench_data expected = bench_data_new(x, seed, 0), actual = bench_data_new(x, seed, shift);
    interp *m = NULL;
    int expected_code = 0;
    assert_int_equal(interp_new(x->p, x->memory, &m), STATUS_OK);
    assert_int_equal(interp_run(m, expected.inputs, expected.outputs, expected.scratch, &expected_code), STATUS_OK);
    llvm_code *code = bench_compile(x, llvm);
    int actual_code = llvm->run(code, actual.inputs, actual.outputs, actual.scratch, NULL);
    llvm->release(code);
    assert_int_equal(actual_code, expected_code);
    compare_data(x, &expected, &actual);
    return actual_code;
}

#endif
