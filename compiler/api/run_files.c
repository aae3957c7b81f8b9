/* tenon run: .npy files in, .npy files and a summary out. */
#include <string.h>

#include "api/files.h"
#include "api/input_names.h"
#include "api/reports.h"
#include "data/data.h"

typedef struct running {
    tenon_graph *t;
    arena *memory; /* the report's */
    array *arrays; /* one per --input, in its order */
    input_shape *shapes;
    tenon_code *code;
} running;

/* ---- inputs ---- */

static bool is_frozen(const tenon_options *o, const char *name) {
    return options_find(&o->freeze, name) != NULL;
}

/* [missing-input] for each input of the model that nothing gives; one that is given twice is wrong, too. */
static status check_given(const running *r) {
    const tenon_options *o = r->t->o;
    status worst = STATUS_OK;
    for (size_t i = 0; i < r->t->g->inputs.n; i++) {
        const char *name = r->t->g->inputs.at[i]->name;
        bool given = options_find(&o->inputs, name) != NULL;
        if (given && is_frozen(o, name))
            worst = diag_error(r->t->c->diags, STATUS_USAGE, "usage", DIAG_NOWHERE,
                               "input '%s' has both --input and --freeze", name);
        else if (!given && !is_frozen(o, name))
            worst = diag_error(r->t->c->diags, STATUS_USAGE, "missing-input", DIAG_NOWHERE,
                               "input '%s' has no data: give it with --input %s=FILE.npy", name, name);
    }
    return worst;
}

static status read_inputs(running *r) {
    const named_list *given = &r->t->o->inputs;
    TRY_ALLOC(r->arrays = ARENA_NEW_N(r->memory, array, given->n + 1));
    TRY_ALLOC(r->shapes = ARENA_NEW_N(r->memory, input_shape, given->n + 1));
    for (size_t i = 0; i < given->n; i++) {
        TRY(npy_read(given->at[i].text, r->memory, r->t->c->diags, &r->arrays[i]));
        const char *giver = arena_printf(r->memory, "--input %s", given->at[i].text);
        TRY_ALLOC(giver);
        r->shapes[i] = (input_shape){given->at[i].name, giver, STATUS_INVALID, r->arrays[i].rank, r->arrays[i].dims};
    }
    return STATUS_OK;
}

static status convert_input(const running *r, const program_buffer *b, void **out) {
    const named_list *given = &r->t->o->inputs;
    TRY_ALLOC(*out = arena_alloc(r->memory, code_buffer_bytes(b) + 64));
    for (size_t i = 0; i < given->n; i++) {
        if (strcmp(given->at[i].name, b->title) != 0)
            continue;
        array_want want = {.name = b->title, .elem = b->elem, .scale = 1};
        return array_convert(&r->arrays[i], &want, *out, r->t->c->diags);
    }
    return STATUS_OK;
}

/* ---- outputs ---- */

/* A file name for a tensor's name: no folders, not hidden. */
static char *file_name(arena *a, const char *title) {
    char *name = arena_printf(a, "%s%s", title[0] == '\0' || title[0] == '.' ? "_" : "", title);
    for (char *p = name; p != NULL && *p != '\0'; p++)
        if (*p == '/' || *p == '\\' || (unsigned char)*p < ' ')
            *p = '_';
    return name;
}

/* The same with the output's number where an output before has that name already. */
static const char *own_file_name(const running *r, size_t output) {
    char *name = file_name(r->memory, code_output(r->code, output)->title);
    for (size_t i = 0; i < output && name != NULL; i++) {
        const char *other = file_name(r->memory, code_output(r->code, i)->title);
        if (other == NULL || strcmp(other, name) == 0)
            return other == NULL ? NULL : arena_printf(r->memory, "%s_%zu", name, output);
    }
    return name;
}

static status write_output(const running *r, const char *folder, size_t i, run_tensor *t) {
    const char *name = own_file_name(r, i);
    TRY_ALLOC(name);
    TRY_ALLOC(t->file = arena_printf(r->memory, "%s/%s.npy", folder, name));
    array x = {.elem = t->elem, .rank = t->rank, .count = t->count, .data = (void *)(uintptr_t)t->data};
    memcpy(x.dims, t->dims, (size_t)t->rank * sizeof *t->dims);
    return npy_write(t->file, &x, r->memory, r->t->c->diags);
}

/* Describes the outputs, and writes them where there is a folder. */
static status finish_outputs(const running *r, void *const *outputs, const char *folder, run_tensor *tensors) {
    if (folder != NULL)
        TRY(files_make_folder(folder, r->t->c->diags));
    for (size_t i = 0; i < (size_t)r->code->p->n_outputs; i++) {
        const program_buffer *b = code_output(r->code, i);
        tensors[i] = (run_tensor){
            .name = b->title, .elem = b->elem, .rank = b->rank, .dims = b->dims, .count = b->n, .data = outputs[i]};
        if (folder != NULL)
            TRY(write_output(r, folder, i, &tensors[i]));
    }
    return STATUS_OK;
}

static status run_code(running *r, const char *folder, report *out) {
    size_t n_inputs = (size_t)r->code->p->n_inputs, n_outputs = (size_t)r->code->p->n_outputs;
    void **inputs = ARENA_NEW_N(r->memory, void *, n_inputs + 1), **outputs;
    run_tensor *tensors = ARENA_NEW_N(r->memory, run_tensor, n_outputs + 1);
    if (inputs == NULL || tensors == NULL)
        return STATUS_RESOURCE;
    for (size_t i = 0; i < n_inputs; i++)
        TRY(convert_input(r, code_input(r->code, i), &inputs[i]));
    TRY(program_new_outputs(r->code->p, r->memory, &outputs));
    double begin = clock_ms();
    status ran = code_run(r->code, (const void *const *)inputs, outputs);
    if (ran != STATUS_OK && ran != STATUS_DIFFER)
        return ran;
    run_result result = {report_head_of(r->t, r->code->p->target), tensors, n_outputs, clock_ms() - begin};
    TRY(finish_outputs(r, outputs, folder, tensors));
    TRY(run_report(&result, r->memory, out));
    return ran;
}

static status run_all(running *r, const char *folder, report *out) {
    TRY(input_check_names(r->t->c, r->t->g, NULL, "--input", &r->t->o->inputs));
    TRY(check_given(r));
    TRY(read_inputs(r));
    TRY(code_new(r->t, r->shapes, r->t->o->inputs.n, &r->code));
    return r->code != NULL ? run_code(r, folder, out) : STATUS_OK;
}

TENON_API tenon_status tenon_run(tenon_graph *t, const char *folder, tenon_report **out) {
    size_t errors = context_begin(t->c);
    tenon_report *r = report_new(t->c);
    running run = {.t = t};
    status s = STATUS_RESOURCE;
    if (r != NULL) {
        run.memory = r->memory;
        s = run_all(&run, folder, &r->forms);
        if (s == STATUS_OK && run.code == NULL)
            s = report_stopped(r);
    }
    tenon_code_free(run.code);
    return report_end_of(t, s, errors, r, out);
}
