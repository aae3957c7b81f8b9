/* The interpreter: programs of kernels, run as they stand. It defines the loop IR's meaning. */
#include "loop/interp.h"

struct interp {
    const program *p;
    const op **kernels; /* first instruction of each */
    interp_view *views; /* buffers of the kernel that runs */
    uint8_t **memory;   /* of each of the program's buffers, in this run */
    interp_frame frame;
    int code;
};

static const interp_ops *best_ops(void) {
#if defined(__x86_64__)
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
        return &interp_ops_avx2;
#endif
    return &interp_ops_base;
}

/* Each argument has the elements that the kernel's buffer promises. */
static void check_step(const program *p, const program_step *s) {
    const kernel *k = p->kernels.at[s->kernel];
    for (size_t i = 0; i < k->buffers.n; i++) {
        const program_buffer *b = &p->buffers.at[s->args[i].buffer];
        kernel_buffer seen = program_seen(b);
        TENON_ASSERT(seen.elem == k->buffers.at[i].elem);
        TENON_ASSERT(s->args[i].first >= 0 && s->args[i].first <= seen.n - k->buffers.at[i].n);
    }
}

static size_t most_buffers(const program *p) {
    size_t most = 0;
    for (size_t i = 0; i < p->kernels.n; i++)
        most = p->kernels.at[i]->buffers.n > most ? p->kernels.at[i]->buffers.n : most;
    return most;
}

/* Prepares the program for interpretation, in `a`; both are borrowed. STATUS_RESOURCE when out of memory. */
status interp_new(const program *p, arena *a, interp **out) {
    interp *m = ARENA_NEW(a, interp);
    TRY_ALLOC(m);
    m->p = p;
    m->frame.memory = a;
    TRY_ALLOC(m->kernels = ARENA_NEW_N(a, const op *, p->kernels.n + 1));
    TRY_ALLOC(m->views = ARENA_NEW_N(a, interp_view, most_buffers(p) + 1));
    TRY_ALLOC(m->memory = ARENA_NEW_N(a, uint8_t *, p->buffers.n + 1));
    for (size_t i = 0; i < p->steps.n; i++)
        check_step(p, &p->steps.at[i]);
    for (size_t i = 0; i < p->kernels.n; i++)
        TRY(interp_compile(p->kernels.at[i], a, &m->frame, best_ops(), m->views, &m->code, &m->kernels[i]));
    *out = m;
    return STATUS_OK;
}

static void find_memory(interp *m, const void *const *inputs, void *const *outputs, void *scratch) {
    const program *p = m->p;
    for (size_t i = 0; i < p->buffers.n; i++) {
        const program_buffer *b = &p->buffers.at[i];
        if (b->place == PLACE_INPUT)
            m->memory[i] = (uint8_t *)(uintptr_t)inputs[i];
        else if (b->place == PLACE_OUTPUT)
            m->memory[i] = outputs[i - (size_t)p->n_inputs];
        else if (b->place == PLACE_CONST)
            m->memory[i] = (uint8_t *)(uintptr_t)b->data;
        else
            m->memory[i] = (uint8_t *)scratch + b->offset;
    }
}

static void run_step(interp *m, const program_step *s) {
    const kernel *k = m->p->kernels.at[s->kernel];
    for (size_t i = 0; i < k->buffers.n; i++) {
        const kernel_buffer *b = &k->buffers.at[i];
        m->views[i].base = m->memory[s->args[i].buffer] + s->args[i].first * interp_size(b->elem);
        m->views[i].n = b->n;
    }
    for (const op *p = m->kernels[s->kernel]; p != NULL;)
        p = p->run(p);
}

/* Runs the steps in order, up to the first CHECK that fails. */
status interp_run(interp *m, const void *const *inputs, void *const *outputs, void *scratch, int *out_code) {
    find_memory(m, inputs, outputs, scratch);
    m->code = 0;
    for (size_t i = 0; i < m->p->steps.n && m->code == 0; i++)
        run_step(m, &m->p->steps.at[i]);
    *out_code = m->code;
    return STATUS_OK;
}
