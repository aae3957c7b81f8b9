/* rooms: codegen loop base */
/* The JIT against the interpreter on whole programs: every statement, CHECK codes, masks at the edge of mapped memory,
 * gathers, unaligned user buffers, and some hundred random programs. */
#include <sys/mman.h>
#include <unistd.h>

#include "test_llvm_support.h"

static const llvm_table *llvm;

static int group_setup(void **state) {
    (void)state;
    llvm = open_module();
    return 0;
}

#define F32X(lanes) LTYPE(DT_F32, (lanes))
#define I64 LTYPE(DT_I64, 1)

static void each_target(void (*test)(const target *t)) {
    for (const target *const *t = target_table; *t != NULL; t++)
        if (target_runs_here(*t))
            test(*t);
}

/* ---- a register block: nested loops, unrolled and not, register arrays, multiply-add ---- */
enum { ROWS = 3, VECTORS = 2, DEPTH = 17, BLOCKS = 2 };

static const expr *offset(builder *b, const expr *i, int64_t scale, int64_t plus) {
    return build_add(b, build_mul(b, i, build_index(b, scale)), build_index(b, plus));
}

static void block_body(builder *b, int lanes) {
    int wide = VECTORS * lanes;
    const expr *i = build_for(b, "i", build_index(b, BLOCKS), LOOP_PARALLEL);
    int acc = build_declare(b, "acc", F32X(lanes), ROWS * VECTORS);
    const expr *u = build_for(b, "u", build_index(b, ROWS * VECTORS), LOOP_UNROLLED);
    build_set(b, acc, u, build_broadcast(b, build_float(b, DT_F32, 0.25), lanes));
    build_end(b);
    const expr *k = build_for(b, "k", build_index(b, DEPTH), LOOP_SERIAL);
    const expr *r = build_for(b, "r", build_index(b, ROWS), LOOP_UNROLLED);
    const expr *row = build_add(b, offset(b, i, ROWS, 0), r);
    const expr *left = build_load(b, 0, F32X(1), build_add(b, offset(b, row, DEPTH, 0), k), NULL);
    const expr *v = build_for(b, "v", build_index(b, VECTORS), LOOP_UNROLLED);
    const expr *slot = build_add(b, offset(b, r, VECTORS, 0), v);
    const expr *right =
        build_load(b, 1, F32X(lanes), build_add(b, offset(b, k, wide, 0), offset(b, v, lanes, 0)), NULL);
    build_set(b, acc, slot,
              build_mul_add(b, build_broadcast(b, left, lanes), right, build_reg_get(b, acc, F32X(lanes), slot)));
    build_end(b);
    build_end(b);
    build_end(b);
    const expr *s = build_for(b, "s", build_index(b, ROWS * VECTORS), LOOP_UNROLLED);
    build_store(b, 2, build_add(b, offset(b, i, ROWS * wide, 0), offset(b, s, lanes, 0)),
                build_reg_get(b, acc, F32X(lanes), s), NULL);
    build_end(b);
    build_end(b);
}

/* Two steps of one kernel, the second over parts of its buffers, with constant weights, at every alignment. */
static void test_register_block(const target *t) {
    int lanes = target_lanes(t, 32), size = BLOCKS * ROWS * VECTORS * lanes;
    bench x = bench_new(t);
    int in = bench_buffer(&x, PLACE_INPUT, "in", DT_F32, BLOCKS * ROWS * DEPTH + 5);
    int out = bench_buffer(&x, PLACE_OUTPUT, "out", DT_F32, 2 * size);
    int weights = bench_buffer(&x, PLACE_CONST, "weights", DT_F32, DEPTH * VECTORS * lanes + 3);
    builder *b = builder_new(x.memory, t);
    block_body(b, lanes);
    const kernel_buffer buffers[] = {{"left", DT_F32, BLOCKS * ROWS * DEPTH, ACCESS_READ},
                                     {"right", DT_F32, DEPTH * VECTORS * lanes, ACCESS_READ},
                                     {"out", DT_F32, size, ACCESS_WRITE}};
    int k = bench_kernel(&x, b, "register_block", buffers, 3);
    bench_step(&x, k, (step_arg[]){{in, 0}, {weights, 0}, {out, 0}});
    bench_step(&x, k, (step_arg[]){{in, 5}, {weights, 3}, {out, size}});
    for (size_t shift = 0; shift < 8; shift++)
        bench_compare(&x, llvm, 11, shift);
    bench_free(&x);
}

static void llvm_runs_register_blocks(void **state) {
    (void)state;
    each_target(test_register_block);
}

/* ---- control: extents from data and from outer loops, IF with registers changed on both sides, LET ---- */
static void control_body(builder *b) {
    const expr *count = build_and(b, build_load(b, 0, I64, build_index(b, 0), NULL), build_index(b, 15));
    int state = build_declare(b, "state", I64, 2);
    const expr *zero = build_index(b, 0), *one = build_index(b, 1);
    build_set(b, state, zero, build_index(b, 7));
    build_set(b, state, one, build_index(b, -1));
    const expr *i = build_for(b, "i", build_sub(b, count, build_index(b, 3)), LOOP_SERIAL);
    const expr *j = build_for(b, "j", i, LOOP_SERIAL);
    const expr *x = build_let(b, "x", build_load(b, 0, I64, build_add(b, i, j), NULL));
    build_if(b, build_lt(b, x, build_reg_get(b, state, I64, zero)));
    build_set(b, state, zero, build_add(b, build_reg_get(b, state, I64, zero), x));
    build_else(b);
    build_set(b, state, one, build_mul(b, build_reg_get(b, state, I64, one), build_sub(b, x, j)));
    build_if(b, build_eq(b, j, one));
    build_store(b, 1, build_index(b, 2), build_reg_get(b, state, I64, zero), NULL);
    build_end(b);
    build_end(b);
    build_end(b);
    build_note(b, "the sums */ so far");
    build_store(b, 1, offset(b, i, 1, 3), build_reg_get(b, state, I64, one), NULL);
    build_end(b);
    build_store(b, 1, zero, build_reg_get(b, state, I64, zero), NULL);
    build_store(b, 1, one, build_reg_get(b, state, I64, one), NULL);
}

static void test_control(const target *t) {
    bench x = bench_new(t);
    int in = bench_buffer(&x, PLACE_INPUT, "in", DT_I64, 32), out = bench_buffer(&x, PLACE_OUTPUT, "out", DT_I64, 32);
    builder *b = builder_new(x.memory, t);
    control_body(b);
    const kernel_buffer buffers[] = {{"in", DT_I64, 32, ACCESS_READ}, {"out", DT_I64, 32, ACCESS_READ_WRITE}};
    bench_step(&x, bench_kernel(&x, b, "control", buffers, 2), (step_arg[]){{in, 0}, {out, 0}});
    for (uint64_t seed = 0; seed < 20; seed++)
        bench_compare(&x, llvm, seed, 0);
    bench_free(&x);
}

static void llvm_runs_control_flow(void **state) {
    (void)state;
    each_target(test_control);
}

/* ---- CHECK: the first false one ends the run, and what came before it has happened ---- */
static void test_check(const target *t) {
    bench x = bench_new(t);
    int in = bench_buffer(&x, PLACE_INPUT, "in", DT_U8, 16), out = bench_buffer(&x, PLACE_OUTPUT, "out", DT_U8, 32);
    builder *b = builder_new(x.memory, t);
    const expr *i = build_for(b, "i", build_index(b, 16), LOOP_SERIAL);
    const expr *value = build_load(b, 0, LTYPE(DT_U8, 1), i, NULL);
    build_check(b, build_lt(b, value, build_int(b, DT_U8, 250)), 17);
    build_store(b, 1, i, value, NULL);
    build_check(b, build_ne(b, value, build_int(b, DT_U8, 1)), -5);
    build_end(b);
    const kernel_buffer buffers[] = {{"in", DT_U8, 16, ACCESS_READ}, {"out", DT_U8, 16, ACCESS_WRITE}};
    int k = bench_kernel(&x, b, "checked", buffers, 2);
    bench_step(&x, k, (step_arg[]){{in, 0}, {out, 0}});
    bench_step(&x, k, (step_arg[]){{in, 0}, {out, 16}});
    int seen_none = 0, seen_first = 0, seen_second = 0;
    for (uint64_t seed = 0; seed < 120; seed++) {
        int code = bench_compare(&x, llvm, seed, 0);
        seen_none += code == 0;
        seen_first += code == 17;
        seen_second += code == -5;
    }
    assert_true(seen_none > 0 && seen_first > 0 && seen_second > 0);
    bench_free(&x);
}

static void llvm_returns_check_codes(void **state) {
    (void)state;
    test_check(target_host());
}

/* ---- masks: buffers end where the mapped memory does, and indices of masked lanes are wild ---- */
static const dtype masked_types[] = {DT_F32, DT_I8, DT_I64, DT_BOOL, DT_F16};

/* A copy of n bytes that ends at an unmapped page. */
static void *at_edge(const void *from, size_t n) {
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    char *pages = mmap(NULL, 3 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_true(pages != MAP_FAILED);
    assert_int_equal(mprotect(pages, page, PROT_NONE), 0);
    assert_int_equal(mprotect(pages + 2 * page, page, PROT_NONE), 0);
    char *at = pages + 2 * page - n;
    memcpy(at, from, n);
    return at;
}

static void free_edge(void *at, size_t n) {
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    assert_int_equal(munmap((char *)at + n - 2 * page, 3 * page), 0);
}

/* out[0..n) = in[0..n), a masked tail at the end; then n elements gathered and scattered backwards where choose is
 * true. */
static void masked_body(builder *b, ltype type, int64_t n) {
    const expr *lanes = build_index(b, type.lanes), *limit = build_broadcast(b, build_index(b, n), type.lanes);
    const expr *i = build_for(b, "i", build_index(b, (n + type.lanes - 1) / type.lanes), LOOP_SERIAL);
    const expr *first = build_mul(b, i, lanes), *ramp = build_ramp(b, first, 1, type.lanes);
    const expr *inside = build_lt(b, ramp, limit);
    const expr *shifted =
        build_load(b, 0, type, build_sub(b, first, build_index(b, 2)),
                   build_and(b, inside, build_lt(b, build_broadcast(b, build_index(b, 1), type.lanes), ramp)));
    build_store(b, 1, first, build_load(b, 0, type, first, inside), inside);
    build_store(b, 2, first, shifted, inside);
    const expr *chosen = build_and(b, inside, build_load(b, 4, LTYPE(DT_BOOL, type.lanes), first, inside));
    const expr *wild = build_broadcast(b, build_index(b, INT64_MIN / 16), type.lanes);
    const expr *back = build_select(
        b, chosen, build_sub(b, build_sub(b, limit, ramp), build_broadcast(b, build_index(b, 1), type.lanes)), wild);
    build_store(b, 3, back, build_load(b, 0, type, back, chosen), chosen);
    build_end(b);
}

static void run_at_edge(bench *x, int64_t n) {
    bench_data expected = bench_data_new(x, 5, 0), actual = bench_data_new(x, 5, 0);
    interp *m = NULL;
    int code = 0;
    assert_int_equal(program_verify(x->p, x->messages), STATUS_OK);
    assert_int_equal(interp_new(x->p, x->memory, &m), STATUS_OK);
    assert_int_equal(interp_run(m, expected.inputs, expected.outputs, NULL, &code), STATUS_OK);
    size_t bytes = dtype_bytes(x->p->buffers.at[0].elem, (size_t)n);
    void *in[] = {at_edge(actual.inputs[0], bytes), at_edge(actual.inputs[1], (size_t)n)};
    void *out[] = {at_edge(actual.outputs[0], bytes), at_edge(actual.outputs[1], bytes),
                   at_edge(actual.outputs[2], bytes)};
    llvm_code *compiled = bench_compile(x, llvm);
    assert_int_equal(llvm->run(compiled, (const void *const[]){in[0], in[1]}, out, NULL, NULL), code);
    llvm->release(compiled);
    memcpy(actual.outputs, out, sizeof out);
    compare_data(x, &expected, &actual);
    free_edge(in[0], bytes);
    free_edge(in[1], (size_t)n);
    for (int i = 0; i < 3; i++)
        free_edge(out[i], bytes);
}

static void test_masks(const target *t) {
    static const int lanes[] = {1, 4, 8, 16};
    for (int c = 0; c < 5 * 4; c++) {
        ltype type = LTYPE(masked_types[c / 4], lanes[c % 4]);
        if (type.lanes > 1 && t->vector_bytes == 0)
            continue;
        bench x = bench_new(t);
        const int64_t n = 37;
        int in = bench_buffer(&x, PLACE_INPUT, "in", type.elem, n),
            choose = bench_buffer(&x, PLACE_INPUT, "choose", DT_BOOL, n);
        int same = bench_buffer(&x, PLACE_OUTPUT, "same", type.elem, n),
            later = bench_buffer(&x, PLACE_OUTPUT, "later", type.elem, n);
        int back = bench_buffer(&x, PLACE_OUTPUT, "back", type.elem, n);
        builder *b = builder_new(x.memory, t);
        masked_body(b, type, n);
        const kernel_buffer buffers[] = {{"in", type.elem, n, ACCESS_READ},
                                         {"same", type.elem, n, ACCESS_WRITE},
                                         {"later", type.elem, n, ACCESS_WRITE},
                                         {"back", type.elem, n, ACCESS_WRITE},
                                         {"choose", DT_BOOL, n, ACCESS_READ}};
        bench_step(&x, bench_kernel(&x, b, "masked", buffers, 5),
                   (step_arg[]){{in, 0}, {same, 0}, {later, 0}, {back, 0}, {choose, 0}});
        run_at_edge(&x, n);
        bench_free(&x);
    }
}

static void llvm_leaves_masked_lanes_alone(void **state) {
    (void)state;
    each_target(test_masks);
}

/* ---- gathers and scatters without masks: by data, by ramps of other strides ---- */
static void test_gathers(const target *t) {
    int lanes = target_lanes(t, 32);
    bench x = bench_new(t);
    int in = bench_buffer(&x, PLACE_INPUT, "in", DT_F32, 64), index = bench_buffer(&x, PLACE_INPUT, "index", DT_U8, 64);
    int out = bench_buffer(&x, PLACE_OUTPUT, "out", DT_F32, 64 * 4);
    builder *b = builder_new(x.memory, t);
    const expr *i = build_for(b, "i", build_index(b, 64 / lanes), LOOP_SERIAL),
               *first = build_mul(b, i, build_index(b, lanes));
    const expr *from =
        build_and(b, build_cast(b, DT_I64, build_load(b, 1, LTYPE(DT_U8, lanes), first, NULL)), build_index(b, 63));
    const expr *down = build_ramp(b, build_sub(b, build_index(b, 63), first), -1, lanes);
    build_store(b, 2, first, build_load(b, 0, F32X(lanes), from, NULL), NULL);
    build_store(b, 2, offset(b, first, 1, 64), build_load(b, 0, F32X(lanes), down, NULL), NULL);
    const expr *value = build_load(b, 0, F32X(lanes), first, NULL);
    build_store(b, 2, build_ramp(b, offset(b, first, 2, 128), 2, lanes), value, NULL);
    build_store(b, 2, build_ramp(b, offset(b, first, 2, 129), 2, lanes), build_unary(b, EXPR_NEG, value), NULL);
    build_end(b);
    const kernel_buffer buffers[] = {
        {"in", DT_F32, 64, ACCESS_READ}, {"index", DT_U8, 64, ACCESS_READ}, {"out", DT_F32, 256, ACCESS_WRITE}};
    bench_step(&x, bench_kernel(&x, b, "gathers", buffers, 3), (step_arg[]){{in, 0}, {index, 0}, {out, 0}});
    bench_compare(&x, llvm, 3, 1);
    bench_free(&x);
}

static void llvm_gathers_and_scatters(void **state) {
    (void)state;
    each_target(test_gathers);
}

/* ---- parts: each has a copy of the kernel's scratch ---- */
enum { PARTS = 4, PART = 5, COPY = 16 /* floats of 64 bytes */ };

static void part_body(builder *b) {
    const expr *i = build_for(b, "i", build_index(b, PARTS), LOOP_PARALLEL);
    const expr *j = build_for(b, "j", build_index(b, PART), LOOP_SERIAL);
    const expr *back = build_sub(b, build_index(b, PART - 1), j);
    build_store(b, 2, back, build_load(b, 0, F32X(1), build_add(b, offset(b, i, PART, 0), j), NULL), NULL);
    build_end(b);
    j = build_for(b, "j", build_index(b, PART), LOOP_SERIAL);
    const expr *twice = build_mul(b, build_load(b, 2, F32X(1), j, NULL), build_float(b, DT_F32, 2));
    build_store(b, 1, build_add(b, offset(b, i, PART, 0), j), twice, NULL);
    build_end(b);
    build_end(b);
}

static void test_parts(const target *t) {
    bench x = bench_new(t);
    int in = bench_buffer(&x, PLACE_INPUT, "in", DT_F32, PARTS * PART),
        out = bench_buffer(&x, PLACE_OUTPUT, "out", DT_F32, PARTS * PART),
        scratch = bench_buffer(&x, PLACE_ARENA, "scratch", DT_F32, PARTS * COPY);
    builder *b = builder_new(x.memory, t);
    part_body(b);
    const kernel_buffer buffers[] = {{"in", DT_F32, PARTS * PART, ACCESS_READ},
                                     {"out", DT_F32, PARTS * PART, ACCESS_WRITE},
                                     {"scratch", DT_F32, PART, ACCESS_SCRATCH}};
    bench_step(&x, bench_kernel(&x, b, "parts", buffers, 3), (step_arg[]){{in, 0}, {out, 0}, {scratch, 0}});
    bench_data data = bench_data_new(&x, 3, 0);
    llvm_code *code = bench_compile(&x, llvm);
    assert_int_equal(llvm->run(code, data.inputs, data.outputs, data.scratch, NULL), 0);
    llvm->release(code);
    const float *from = data.inputs[0], *to = data.outputs[0], *copies = data.scratch;
    for (int i = 0; i < PARTS; i++)
        for (int j = 0; j < PART; j++) {
            float want = from[i * PART + PART - 1 - j], twice = 2 * want;
            assert_memory_equal(&copies[i * COPY + j], &want, sizeof want);
            assert_memory_equal(&to[i * PART + j], &twice, sizeof twice);
        }
    bench_free(&x);
}

static void llvm_gives_each_part_its_scratch(void **state) {
    (void)state;
    each_target(test_parts);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(llvm_runs_register_blocks), cmocka_unit_test(llvm_runs_control_flow),
        cmocka_unit_test(llvm_returns_check_codes),  cmocka_unit_test(llvm_leaves_masked_lanes_alone),
        cmocka_unit_test(llvm_gathers_and_scatters), cmocka_unit_test(llvm_gives_each_part_its_scratch),
    };
    return cmocka_run_group_tests_name("llvm_programs", tests, group_setup, NULL);
}
