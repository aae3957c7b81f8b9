/* What the tests of the interpreter, the elementary functions and legalisation share: programs of one kernel, random
 * data. */
#ifndef TENON_INTERP_SUPPORT_H
#define TENON_INTERP_SUPPORT_H

#include "test_support.h"

#include "loop/loop.h"

#define BENCH_MAX_BUFFERS 6

/* A kernel under construction and its program: input buffers first, then outputs. */
typedef struct bench {
    arena *memory;
    builder *b;
    kernel_buffer buffers[BENCH_MAX_BUFFERS];
    int n_buffers, n_inputs;
    kernel *k;
    program *p;
    interp *m;
} bench;

static inline const target *bench_target(const char *name) {
    diag *d = diag_new(&allocator_system);
    const target *t = target_find(name, d);
    assert_non_null(t);
    diag_free(d);
    return t;
}

static inline bench bench_new(const target *t) {
    bench x = {.memory = arena_new(&allocator_system)};
    x.b = builder_new(x.memory, t);
    return x;
}

/* The buffer's number. All inputs come before the first output. */
static inline int bench_buffer(bench *x, dtype elem, int64_t n, buffer_access access) {
    static const char *const names[BENCH_MAX_BUFFERS] = {"b0", "b1", "b2", "b3", "b4", "b5"};
    assert_true(x->n_buffers < BENCH_MAX_BUFFERS);
    x->buffers[x->n_buffers] = (kernel_buffer){names[x->n_buffers], elem, n, access};
    x->n_inputs += access == ACCESS_READ;
    return x->n_buffers++;
}

/* A program whose only step calls k with the buffers one to one. */
static inline status bench_program(bench *x) {
    program *p = ARENA_NEW(x->memory, program);
    TRY_ALLOC(p);
    p->memory = x->memory;
    p->name = "test";
    p->target = builder_target(x->b);
    p->n_inputs = x->n_inputs;
    p->n_outputs = x->n_buffers - x->n_inputs;
    step_arg *args = ARENA_NEW_N(x->memory, step_arg, BENCH_MAX_BUFFERS);
    TRY_ALLOC(args);
    for (int i = 0; i < x->n_buffers; i++) {
        program_buffer buffer = {.name = x->buffers[i].name, .elem = x->buffers[i].elem, .n = x->buffers[i].n};
        buffer.place = i < x->n_inputs ? PLACE_INPUT : PLACE_OUTPUT;
        TRY(VEC_PUSH(x->memory, p->buffers, buffer));
        args[i] = (step_arg){i, 0};
    }
    TRY(VEC_PUSH(x->memory, p->kernels, x->k));
    TRY(VEC_PUSH(x->memory, p->steps, (program_step){.kernel = 0, .args = args, .note = "", .node = -1}));
    x->p = p;
    return interp_new(p, x->memory, &x->m);
}

/* Takes the kernel from the builder. */
static inline status bench_finish(bench *x) {
    x->k = builder_kernel(x->b, "test", x->buffers, x->n_buffers);
    TRY_ALLOC(x->k);
    return bench_program(x);
}

/* memory: one pointer per buffer. */
static inline int bench_run(const bench *x, void *const *memory) {
    const void *inputs[BENCH_MAX_BUFFERS];
    int code = -1;
    for (int i = 0; i < x->n_inputs; i++)
        inputs[i] = memory[i];
    assert_int_equal(interp_run(x->m, inputs, memory + x->n_inputs, NULL, &code), STATUS_OK);
    return code;
}

static inline void bench_free(bench *x) {
    arena_free(x->memory);
}

static inline uint64_t next_random(uint64_t *state) {
    *state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    uint64_t x = *state ^ *state >> 32;
    return x * UINT64_C(0x9e3779b97f4a7c15);
}

#endif
