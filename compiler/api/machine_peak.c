/* Two kernels of the loop IR, compiled and timed: one that only multiplies and adds, one that only reads. */
#include "api/machine_peak.h"

enum { ROUNDS = 40, REPEATS = 1 << 15, LEAST_BYTES = 1 << 16, READ_BYTES = 1 << 23 };

/* A loop over registers that do not wait for each other: `n` vectors, enough to hide the latency of an addition. */
typedef struct registers {
    builder *b;
    ltype type;
    int n, sums;
} registers;

static registers new_registers(builder *b) {
    const target *t = builder_target(b);
    registers r = {.b = b, .type = LTYPE(DT_F32, target_lanes(t, 32)), .n = t->vector_registers > 16 ? 24 : 12};
    r.sums = build_declare(b, "sum", r.type, r.n);
    return r;
}

static const expr *load_vector(const registers *r, const expr *at) {
    return build_load(r->b, 0, r->type, build_mul(r->b, at, build_index(r->b, r->type.lanes)), NULL);
}

static const expr *sum_at(const registers *r, const expr *i) {
    return build_reg_get(r->b, r->sums, r->type, i);
}

static const expr *each_register(const registers *r) {
    return build_for(r->b, "r", build_index(r->b, r->n), LOOP_UNROLLED);
}

/* The registers begin as the first vectors of buffer 0, and end in buffer 1. */
static void begin(const registers *r) {
    const expr *i = each_register(r);
    build_set(r->b, r->sums, i, load_vector(r, i));
    build_end(r->b);
}

static void end(const registers *r) {
    const expr *i = each_register(r);
    const expr *at = build_mul(r->b, i, build_index(r->b, r->type.lanes));
    build_store(r->b, 1, at, sum_at(r, i), NULL);
    build_end(r->b);
}

/* sum = sum * x + y, over and over; x and y lie behind the registers' first values. */
static void multiply_add(const registers *r) {
    builder *b = r->b;
    begin(r);
    const expr *x = build_let(b, "x", load_vector(r, build_index(b, r->n)));
    const expr *y = build_let(b, "y", load_vector(r, build_index(b, r->n + 1)));
    build_for(b, "i", build_index(b, REPEATS), LOOP_SERIAL);
    const expr *i = each_register(r);
    build_set(b, r->sums, i, build_mul_add(b, sum_at(r, i), x, y));
    build_end(b);
    build_end(b);
    end(r);
}

/* sum += every element, `times` times. */
static void read_all(const registers *r, int64_t elements, int64_t times) {
    builder *b = r->b;
    begin(r);
    build_for(b, "t", build_index(b, times), LOOP_SERIAL);
    const expr *k = build_for(b, "k", build_index(b, elements / r->type.lanes / r->n), LOOP_SERIAL);
    const expr *i = each_register(r);
    const expr *at = build_add(b, build_mul(b, k, build_index(b, r->n)), i);
    build_set(b, r->sums, i, build_add(b, sum_at(r, i), load_vector(r, at)));
    build_end(b);
    build_end(b);
    build_end(b);
    end(r);
}

/* ---- timing ---- */

static status make_program(builder *b, int64_t n_in, int64_t n_out, program *p) {
    arena *a = builder_arena(b);
    const kernel_buffer buffers[] = {{"x", DT_F32, n_in, ACCESS_READ}, {"y", DT_F32, n_out, ACCESS_WRITE}};
    static const step_arg args[] = {{0, 0}, {1, 0}};
    *p = (program){.memory = a, .name = "peak", .target = builder_target(b), .n_inputs = 1, .n_outputs = 1};
    TRY(builder_status(b));
    kernel *k = builder_kernel(b, "peak", buffers, 2);
    TRY_ALLOC(k);
    TRY(kernel_legalise(k, a, p->target));
    TRY(VEC_PUSH(a, p->buffers, (program_buffer){.name = "x", .elem = DT_F32, .n = n_in, .place = PLACE_INPUT}));
    TRY(VEC_PUSH(a, p->buffers, (program_buffer){.name = "y", .elem = DT_F32, .n = n_out, .place = PLACE_OUTPUT}));
    TRY(VEC_PUSH(a, p->kernels, k));
    return VEC_PUSH(a, p->steps, (program_step){.args = args, .node = -1});
}

/* Runs it some rounds; the shortest, in seconds. */
static status time_code(tenon_context *c, const llvm_code *code, const float *in, float *out, double *out_seconds) {
    const void *inputs[] = {in};
    void *outputs[] = {out};
    *out_seconds = 0;
    for (int i = 0; i < ROUNDS; i++) {
        TRY(context_check_stop(c));
        int64_t start = clock_ns();
        c->llvm->run(code, inputs, outputs, NULL, NULL);
        double seconds = (double)(clock_ns() - start) * 1e-9;
        *out_seconds = i == 0 || seconds < *out_seconds ? seconds : *out_seconds;
    }
    return STATUS_OK;
}

/* The builder's statements as a kernel over n_in floats of 0.5. */
static status time_kernel(tenon_context *c, builder *b, int64_t n_in, int64_t n_out, double *out_seconds) {
    program p;
    const llvm_table *llvm;
    const llvm_options plain = {.is_traced = false};
    llvm_code *code = NULL;
    arena *a = builder_arena(b);
    TRY(make_program(b, n_in, n_out, &p));
    float *in = ARENA_NEW_N(a, float, n_in), *out = ARENA_NEW_N(a, float, n_out);
    if (in == NULL || out == NULL)
        return STATUS_RESOURCE;
    for (int64_t i = 0; i < n_in; i++)
        in[i] = 0.5f;
    TRY(context_llvm(c, &llvm));
    TRY(llvm->compile(&p, &plain, &c->memory, c->diags, &code));
    status s = time_code(c, code, in, out, out_seconds);
    llvm->release(code);
    return s;
}

static status measure_flops(tenon_context *c, const target *t, arena *a, machine_peak *out) {
    double seconds;
    builder *b = builder_new(a, t);
    TRY_ALLOC(b);
    registers r = new_registers(b);
    int64_t lanes = r.type.lanes;
    multiply_add(&r);
    TRY(time_kernel(c, b, (r.n + 2) * lanes, r.n * lanes, &seconds));
    out->gflops = seconds > 0 ? 2e-9 * (double)(REPEATS * r.n * lanes) / seconds : 0;
    return STATUS_OK;
}

static status measure_bandwidth(tenon_context *c, const target *t, int64_t bytes, arena *a, machine_peak *out) {
    double seconds;
    builder *b = builder_new(a, t);
    TRY_ALLOC(b);
    registers r = new_registers(b);
    int64_t each = r.n * r.type.lanes, least = bytes > LEAST_BYTES ? bytes : LEAST_BYTES;
    int64_t elements = (least / (int64_t)sizeof(float) + each - 1) / each * each;
    out->bytes = elements * (int64_t)sizeof(float);
    int64_t times = out->bytes < READ_BYTES ? READ_BYTES / out->bytes : 1;
    read_all(&r, elements, times);
    TRY(time_kernel(c, b, elements, each, &seconds));
    out->bandwidth = seconds > 0 ? 1e-9 * (double)(times * out->bytes) / seconds : 0;
    return STATUS_OK;
}

status machine_peak_measure(tenon_context *c, const target *t, int64_t bytes, arena *a, machine_peak *out) {
    *out = (machine_peak){0};
    TRY(measure_flops(c, t, a, out));
    return measure_bandwidth(c, t, bytes, a, out);
}
