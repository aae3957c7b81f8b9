/* Code: a program with the engines that run it. */
#include <stdio.h>
#include <string.h>

#include "api/handles.h"
#include "tenon/pool.h"
#include "tenon/runtime.h"

const program_buffer *code_input(const tenon_code *code, size_t i) {
    return &code->p->buffers.at[i];
}

const program_buffer *code_output(const tenon_code *code, size_t i) {
    return &code->p->buffers.at[(size_t)code->p->n_inputs + i];
}

size_t code_buffer_bytes(const program_buffer *b) {
    return dtype_bytes(b->elem, (size_t)b->n);
}

status program_new_outputs(const program *p, arena *a, void ***out) {
    TRY_ALLOC(*out = ARENA_NEW_N(a, void *, p->n_outputs + 1));
    for (int i = 0; i < p->n_outputs; i++)
        TRY_ALLOC((*out)[i] = arena_alloc(a, code_buffer_bytes(&p->buffers.at[p->n_inputs + i]) + 64));
    return STATUS_OK;
}

static void note_sizes(const tenon_code *code, const tenon_options *o) {
    char line[160];
    if (!o->verbose || code->built.quiet)
        return;
    snprintf(line, sizeof line,
             "code: %s for %s, %zu kernels, %zu calls, arena %lld bytes, %zu bytes of machine code\n",
             code->n_engines > 1 ? o->backend : code->engines[0].row->name, code->p->target->name, code->p->kernels.n,
             code->p->steps.n, (long long)code->p->arena_bytes, code->engines[0].code_bytes);
    context_note(code->c, line);
}

/* The threads that option threads wants, for all engines. */
static status start_threads(tenon_code *code, int64_t n) {
    if (n < 2)
        return STATUS_OK;
    TRY_ALLOC(code->pool = tenon_pool_new((int)n));
    if (tenon_pool_threads(code->pool) < n)
        return diag_error(code->c->diags, STATUS_RESOURCE, "threads", DIAG_NOWHERE,
                          "--threads %lld: this process can have only %d", (long long)n,
                          tenon_pool_threads(code->pool));
    for (size_t i = 0; i < code->n_engines; i++)
        code->engines[i].env =
            (tenon_env){.struct_size = sizeof(tenon_env), .parallel_for = tenon_pool_for, .ctx = code->pool};
    return STATUS_OK;
}

static status open_engines(tenon_code *code, const tenon_graph *t) {
    if (t->shared != NULL) {
        shared_model_facts(t->shared, &code->facts);
        return engines_open_shared(t->c, t->shared, code->p, code->engines, &code->n_engines);
    }
    TRY(measure_program(code->p, code->memory, &code->facts));
    return engines_open(t->c, t->o, code->p, code->engines, &code->n_engines);
}

/* What follows the program: its engines, and memory to run in. */
static status make_ready(tenon_code *code, tenon_graph *t) {
    if (code->built.stopped)
        return STATUS_OK;
    code->p = code->built.p;
    double begin = clock_ms();
    TRY(open_engines(code, t));
    TRY(start_threads(code, t->o->threads));
    pipeline_note_time(&code->built, "engine", clock_ms() - begin);
    note_sizes(code, t->o);
    TRY_ALLOC(code->scratch = arena_alloc_raw(code->memory, (size_t)code->p->arena_bytes + 256));
    return code->n_engines > 1 ? program_new_outputs(code->p, code->memory, &code->others) : STATUS_OK;
}

static tenon_code *empty_code(tenon_context *c) {
    arena *memory = arena_new(&c->memory);
    tenon_code *code = memory != NULL ? ARENA_NEW(memory, tenon_code) : NULL;
    if (code == NULL)
        arena_free(memory);
    else
        *code = (tenon_code){.c = c, .memory = memory};
    return code;
}

static status hand_out(tenon_code *code, status s, tenon_code **out) {
    if (s == STATUS_OK && !code->built.stopped)
        *out = code;
    else
        tenon_code_free(code);
    return s;
}

status code_new(tenon_graph *t, const input_shape *shapes, size_t n_shapes, tenon_code **out) {
    *out = NULL;
    const target *machine = model_target(t, "host");
    if (machine == NULL)
        return STATUS_USAGE;
    tenon_code *code = empty_code(t->c);
    TRY_ALLOC(code);
    status s = model_build(t, shapes, n_shapes, machine, NULL, PIPELINE_VERIFY, &code->built);
    if (s == STATUS_OK)
        s = make_ready(code, t);
    return hand_out(code, s, out);
}

status code_new_built(tenon_graph *t, pipeline *built, tenon_code **out) {
    *out = NULL;
    tenon_code *code = empty_code(t->c);
    TRY_ALLOC(code);
    code->built = *built;
    built->g = NULL; /* code has it now */
    built->memory = NULL;
    status s = pipeline_run(&code->built, PIPELINE_LOWER, PIPELINE_VERIFY);
    if (s == STATUS_OK)
        s = make_ready(code, t);
    return hand_out(code, s, out);
}

TENON_API tenon_status tenon_code_new(tenon_graph *t, tenon_code **out) {
    size_t errors = context_begin(t->c);
    status s = code_new(t, NULL, 0, out);
    if (s == STATUS_OK && *out == NULL)
        s = diag_error(t->c->diags, STATUS_USAGE, "usage", DIAG_NOWHERE,
                       "there is no code: option stop-after ended the work before");
    return context_end(t->c, s, errors);
}

TENON_API void tenon_code_free(tenon_code *code) {
    if (code == NULL)
        return;
    engines_close(code->engines, code->n_engines);
    tenon_pool_free(code->pool);
    model_build_free(&code->built);
    arena_free(code->memory);
}

TENON_API size_t tenon_code_inputs(const tenon_code *code) {
    return (size_t)code->p->n_inputs;
}

TENON_API size_t tenon_code_outputs(const tenon_code *code) {
    return (size_t)code->p->n_outputs;
}

static tenon_tensor describe(const program_buffer *b) {
    return (tenon_tensor){b->title, dtype_to_onnx(b->elem), b->rank, b->dims, code_buffer_bytes(b)};
}

TENON_API tenon_tensor tenon_code_input(const tenon_code *code, size_t i) {
    return describe(code_input(code, i));
}

TENON_API tenon_tensor tenon_code_output(const tenon_code *code, size_t i) {
    return describe(code_output(code, i));
}

/* ---- running ---- */

/* What a TENON_E... code of runtime.h means to whoever brought the data. */
static const char *const code_texts[] = {
    [TENON_E_INDEX] = "an index in the data is out of range",
    [TENON_E_DIVISION] = "an integer is divided by zero",
    [TENON_E_LIMIT] = "a count in the data is above what the model was compiled for",
    [TENON_E_VALUE] = "the data holds a value that an operator does not allow",
};

status code_check(const tenon_code *code, int number) {
    if (number == TENON_OK)
        return STATUS_OK;
    const char *text =
        number > 0 && (size_t)number < sizeof code_texts / sizeof *code_texts ? code_texts[number] : NULL;
    diag_error(code->c->diags, STATUS_INVALID, "run", DIAG_NOWHERE, "%s",
               text != NULL ? text : "the model refuses to run");
    diag_note(code->c->diags, "code %d of tenon/runtime.h", number);
    return STATUS_INVALID;
}

static bool is_nan_at(dtype t, const void *x, int64_t i) {
    double v = dtype_is_float(t) ? dtype_get_double(t, x, (size_t)i) : 0;
    return v != v;
}

bool code_same_bits(dtype t, const void *x, const void *y, int64_t n, int64_t *out_first) {
    *out_first = 0;
    if (memcmp(x, y, dtype_bytes(t, (size_t)n)) == 0)
        return true;
    size_t each = dtype_bytes(t, 1);
    for (int64_t i = 0; i < n; i++) {
        *out_first = i;
        if (memcmp((const char *)x + (size_t)i * each, (const char *)y + (size_t)i * each, each) != 0 &&
            !(is_nan_at(t, x, i) && is_nan_at(t, y, i)))
            return false;
    }
    return true;
}

static status compare(const tenon_code *code, const engine *other, void *const *outputs) {
    status worst = STATUS_OK;
    for (size_t i = 0; i < (size_t)code->p->n_outputs; i++) {
        const program_buffer *b = code_output(code, i);
        int64_t at;
        if (code_same_bits(b->elem, outputs[i], code->others[i], b->n, &at))
            continue;
        worst = diag_error(code->c->diags, STATUS_DIFFER, "backends-differ", DIAG_NOWHERE,
                           "output '%s', element %lld: %s gives %.9g, %s gives %.9g", b->title, (long long)at,
                           code->engines[0].row->name, dtype_get_double(b->elem, outputs[i], (size_t)at),
                           other->row->name, dtype_get_double(b->elem, code->others[i], (size_t)at));
    }
    return worst;
}

status code_run_once(tenon_code *code, const void *const *inputs, void *const *outputs) {
    int number = TENON_OK;
    engine *e = &code->engines[0];
    TRY(e->row->run(e, inputs, outputs, code->scratch, &number));
    return code_check(code, number);
}

status code_run(tenon_code *code, const void *const *inputs, void *const *outputs) {
    status worst = code_run_once(code, inputs, outputs);
    for (size_t i = 1; i < code->n_engines && (worst == STATUS_OK || worst == STATUS_DIFFER); i++) {
        int number = TENON_OK;
        engine *e = &code->engines[i];
        TRY(context_check_stop(code->c));
        TRY(e->row->run(e, inputs, code->others, code->scratch, &number));
        TRY(code_check(code, number));
        status s = compare(code, e, outputs);
        worst = s != STATUS_OK ? s : worst;
    }
    return worst;
}

TENON_API tenon_status tenon_code_run(tenon_code *code, const void *const *inputs, void *const *outputs) {
    size_t errors = context_begin(code->c);
    return context_end(code->c, code_run(code, inputs, outputs), errors);
}
