/* tenon compile: what option emit asks for, in memory. One table row for each form. */
#include <string.h>

#include "api/draw.h"
#include "api/library.h"
#include "api/measure.h"
#include "api/reports.h"
#include "frontend/frontend.h"
#include "frontend/mapped_file.h"
#include "report/json.h"

struct tenon_files {
    tenon_graph *t;
    arena *memory;
    pipeline built;
    VEC(named_file) files; /* with no name: the form is a single text */
};

/* ---- the forms ---- */

static status add_file(tenon_files *f, const char *suffix, const void *data, size_t bytes) {
    if (data == NULL)
        return STATUS_OK;
    named_file one = {arena_printf(f->memory, "%s%s", f->built.p->name, suffix), data, bytes};
    TRY_ALLOC(one.name);
    return VEC_PUSH(f->memory, f->files, one);
}

static status add_text(tenon_files *f, const char *text, size_t bytes) {
    named_file one = {NULL, text, bytes};
    return VEC_PUSH(f->memory, f->files, one);
}

static status emit_graph(tenon_files *f) {
    strbuf s = strbuf_in(f->memory);
    const char *text;
    graph_print(f->built.g, &s);
    TRY(strbuf_finish(&s, &text));
    return add_text(f, text, s.n);
}

static status emit_dot(tenon_files *f) {
    const char *text;
    TRY(draw_dot(f->t, f->built.g, f->memory, &text));
    return add_text(f, text, strlen(text));
}

static status emit_onnx(tenon_files *f) {
    const void *bytes;
    size_t n;
    TRY(onnx_export(f->built.g, f->memory, &bytes, &n));
    return add_text(f, bytes, n);
}

static status emit_loops(tenon_files *f) {
    strbuf s = strbuf_in(f->memory);
    const char *text;
    program_print(f->built.p, &s);
    TRY(strbuf_finish(&s, &text));
    return add_text(f, text, s.n);
}

/* By weights_form. */
static const char *const weights_names[] = {"inline", "c", "obj", "bin"};

static weights_form weights_of(const tenon_files *f) {
    int form = WEIGHTS_INLINE;
    while (strcmp(weights_names[form], f->t->o->weights) != 0)
        form++;
    return (weights_form)form;
}

static status through_llvm(tenon_files *f, llvm_form form, const void **out, size_t *out_bytes) {
    const llvm_table *llvm;
    TRY(context_llvm(f->t->c, &llvm));
    return llvm->emit(f->built.p, form, weights_of(f), f->memory, f->t->c->diags, out, out_bytes);
}

static status emit_llvm_text(tenon_files *f, llvm_form form) {
    const void *text;
    size_t bytes;
    TRY(through_llvm(f, form, &text, &bytes));
    return add_text(f, text, bytes);
}

static status emit_llvm(tenon_files *f) {
    return emit_llvm_text(f, LLVM_FORM_IR);
}

static status emit_assembly(tenon_files *f) {
    return emit_llvm_text(f, LLVM_FORM_ASSEMBLY);
}

/* One of the model's object files. */
static status make_object(tenon_files *f, llvm_form form, const char *suffix, named_file *out) {
    TRY_ALLOC(out->name = arena_printf(f->memory, "%s%s", f->built.p->name, suffix));
    return through_llvm(f, form, &out->data, &out->bytes);
}

/* The file that brings the weights as symbols, for the forms that have one: else *out stays as it is. */
static status make_weights(tenon_files *f, const c99_files *c, named_file *out) {
    if (weights_of(f) == WEIGHTS_OBJ)
        return make_object(f, LLVM_FORM_WEIGHTS, "_weights.o", out);
    if (c->weights_source == NULL)
        return STATUS_OK;
    *out = (named_file){arena_printf(f->memory, "%s_weights.c", f->built.p->name), c->weights_source,
                        c->weights_source_bytes};
    TRY_ALLOC(out->name);
    return STATUS_OK;
}

/* What stands beside the code, whatever its form. */
static status add_others(tenon_files *f, const c99_files *c) {
    TRY(add_file(f, ".h", c->header, c->header_bytes));
    TRY(add_file(f, "_example.c", c->example, c->example_bytes));
    TRY(add_file(f, ".weights", c->weights, c->weights_bytes));
    named_file runtime = {"tenon/runtime.h", files_runtime_header, files_runtime_header_bytes};
    TRY(VEC_PUSH(f->memory, f->files, runtime));
    for (const named_file *one = files_pool; f->built.p->threads > 1 && one->name != NULL; one++)
        TRY(VEC_PUSH(f->memory, f->files, *one));
    return STATUS_OK;
}

/* The code and, where it is a file of its own, what has the weights. */
static status add_parts(tenon_files *f, const named_file *code, const c99_files *c) {
    named_file weights = {0};
    TRY(VEC_PUSH(f->memory, f->files, *code));
    TRY(make_weights(f, c, &weights));
    if (weights.name != NULL)
        TRY(VEC_PUSH(f->memory, f->files, weights));
    return add_others(f, c);
}

static status emit_c(tenon_files *f) {
    c99_files c;
    TRY(c99_emit(f->built.p, weights_of(f), f->memory, &c));
    named_file source = {arena_printf(f->memory, "%s.c", f->built.p->name), c.source, c.source_bytes};
    TRY_ALLOC(source.name);
    return add_parts(f, &source, &c);
}

static status emit_object(tenon_files *f) {
    c99_files c;
    named_file object;
    TRY(make_object(f, LLVM_FORM_OBJECT, ".o", &object));
    TRY(c99_emit_beside(f->built.p, weights_of(f), f->memory, &c));
    return add_parts(f, &object, &c);
}

/* A library is whole: it holds the weights too, unless they are in PREFIX.weights. */
static status emit_library(tenon_files *f, library_kind kind, const char *suffix) {
    c99_files c;
    named_file parts[2] = {{0}}, library;
    const char *name = arena_printf(f->memory, "%s%s", f->built.p->name, suffix);
    TRY_ALLOC(name);
    TRY(make_object(f, LLVM_FORM_OBJECT, ".o", &parts[0]));
    TRY(c99_emit_beside(f->built.p, weights_of(f), f->memory, &c));
    TRY(make_weights(f, &c, &parts[1]));
    TRY(library_make(f->t->c, kind, name, f->built.p->target, parts, parts[1].name != NULL ? 2 : 1, f->memory,
                     &library));
    TRY(VEC_PUSH(f->memory, f->files, library));
    return add_others(f, &c);
}

static status emit_archive(tenon_files *f) {
    return emit_library(f, LIBRARY_ARCHIVE, ".a");
}

static status emit_shared(tenon_files *f) {
    return emit_library(f, LIBRARY_SHARED, ".so");
}

typedef struct form_row {
    const char *name;
    const char *target; /* where option target says nothing */
    stage_id last;
    bool has_origin;
    status (*emit)(tenon_files *f);
} form_row;

static const form_row forms[] = {
    {"c", "generic", PIPELINE_VERIFY, true, emit_c},       {"obj", "host", PIPELINE_VERIFY, true, emit_object},
    {"lib", "host", PIPELINE_VERIFY, true, emit_archive},  {"shared", "host", PIPELINE_VERIFY, true, emit_shared},
    {"llvm", "host", PIPELINE_VERIFY, true, emit_llvm},    {"asm", "host", PIPELINE_VERIFY, true, emit_assembly},
    {"loops", "host", PIPELINE_VERIFY, false, emit_loops}, {"graph", "host", PIPELINE_PASSES, false, emit_graph},
    {"onnx", "host", PIPELINE_BIND, false, emit_onnx},     {"dot", "host", PIPELINE_PASSES, false, emit_dot},
};

/* ---- the origin ---- */

/* tenon's version, the command line, the model's file name and sha256: no folder and no time. */
static status make_origin(tenon_files *f, const char **out) {
    const tenon_graph *t = f->t;
    mapped_file model;
    const char *why;
    char sha256[65];
    TRY(mapped_file_open(f->memory, t->path, &model, &why));
    text_sha256(model.bytes, model.n, sha256);
    strbuf s = strbuf_in(f->memory);
    strbuf_printf(&s, "Generated by tenon %s", TENON_VERSION);
    if (t->o->command != NULL)
        strbuf_printf(&s, ": %s", t->o->command);
    strbuf_printf(&s, "\nfrom %s, sha256 %s", t->file, sha256);
    return strbuf_finish(&s, out);
}

/* The target with the words of --triple, --cpu and --features, which are LLVM's. */
static status choose_machine(tenon_files *f, const form_row *row, const target **out) {
    const tenon_options *o = f->t->o;
    *out = model_target(f->t, row->target);
    if (*out == NULL)
        return STATUS_USAGE;
    if (o->triple == NULL && o->cpu == NULL && o->features == NULL)
        return STATUS_OK;
    const bool through_llvm = row->has_origin && row->emit != emit_c;
    if (!through_llvm)
        return diag_error(f->t->c->diags, STATUS_USAGE, "usage", DIAG_NOWHERE,
                          "--triple, --cpu and --features are for machine code; --emit %s goes by --target alone",
                          row->name);
    target *machine = ARENA_NEW(f->memory, target);
    TRY_ALLOC(machine);
    TRY(machine_of(*out, o->triple, o->cpu, o->features, f->memory, f->t->c->diags, machine));
    *out = machine;
    return STATUS_OK;
}

static status emit(tenon_files *f) {
    if (f->t->shared != NULL)
        return shared_model_refuse(f->t->c, f->t->file, "compile");
    const form_row *row = forms;
    while (strcmp(row->name, f->t->o->emit) != 0)
        row++;
    const target *machine;
    TRY(choose_machine(f, row, &machine));
    const char *origin = NULL;
    if (row->has_origin)
        TRY(make_origin(f, &origin));
    TRY(model_build(f->t, NULL, 0, machine, origin, row->last, &f->built));
    if (f->built.stopped)
        return STATUS_OK;
    double begin = clock_ms();
    TRY(row->emit(f));
    pipeline_note_time(&f->built, "emit", clock_ms() - begin);
    return STATUS_OK;
}

/* ---- the handle ---- */

TENON_API tenon_status tenon_emit(tenon_graph *t, tenon_files **out) {
    *out = NULL;
    size_t errors = context_begin(t->c);
    arena *memory = arena_new(&t->c->memory);
    tenon_files *f = memory != NULL ? ARENA_NEW(memory, tenon_files) : NULL;
    status s = STATUS_RESOURCE;
    if (f != NULL) {
        *f = (tenon_files){.t = t, .memory = memory};
        s = emit(f);
    } else {
        arena_free(memory);
    }
    if (s == STATUS_OK)
        *out = f;
    else
        tenon_files_free(f);
    return context_end(t->c, s, errors);
}

TENON_API void tenon_files_free(tenon_files *f) {
    if (f == NULL)
        return;
    model_build_free(&f->built);
    arena_free(f->memory);
}

TENON_API size_t tenon_files_count(const tenon_files *f) {
    return f->files.n;
}

TENON_API const char *tenon_files_name(const tenon_files *f, size_t i) {
    return f->files.at[i].name;
}

TENON_API const void *tenon_files_data(const tenon_files *f, size_t i, size_t *out_bytes) {
    *out_bytes = f->files.at[i].bytes;
    return f->files.at[i].data;
}

/* ---- writing ---- */

static status write_folder(const tenon_files *f, const char *folder) {
    diag *d = f->t->c->diags;
    for (size_t i = 0; i < f->files.n; i++) {
        const named_file *one = &f->files.at[i];
        const char *slash = strrchr(one->name, '/');
        const char *path = arena_printf(f->memory, "%s/%s", folder, one->name);
        const char *above =
            slash != NULL ? arena_printf(f->memory, "%s/%.*s", folder, (int)(slash - one->name), one->name) : folder;
        if (path == NULL || above == NULL)
            return STATUS_RESOURCE;
        TRY(files_make_folder(above, d));
        TRY(files_write(path, one->data, one->bytes, d));
    }
    return STATUS_OK;
}

TENON_API tenon_status tenon_files_write(const tenon_files *f, const char *path) {
    size_t errors = context_begin(f->t->c);
    status s = STATUS_OK;
    if (f->files.n > 0 && f->files.at[0].name == NULL)
        s = files_write(path, f->files.at[0].data, f->files.at[0].bytes, f->t->c->diags);
    else if (f->files.n > 0)
        s = write_folder(f, path);
    return context_end(f->t->c, s, errors);
}

static status describe_files(const tenon_files *f, arena *a, report *out) {
    strbuf s = strbuf_in(a);
    json j = json_begin();
    json_text(&j, NULL, "model", f->t->file);
    json_text(&j, NULL, "emit", f->t->o->emit);
    if (f->built.p != NULL) {
        program_facts facts;
        json_text(&j, NULL, "target", f->built.p->target->name);
        json_integer(&j, NULL, "arena_bytes", f->built.p->arena_bytes);
        if (measure_program(f->built.p, a, &facts) == STATUS_OK)
            json_integer(&j, NULL, "weight_bytes", facts.weight_bytes);
    }
    cJSON *list = json_list(&j, NULL, "files");
    for (size_t i = 0; i < f->files.n; i++) {
        const named_file *one = &f->files.at[i];
        strbuf_printf(&s, "%s: %zu bytes\n", one->name != NULL ? one->name : f->t->o->emit, one->bytes);
        cJSON *item = json_item(&j, list);
        json_text(&j, item, "name", one->name);
        json_integer(&j, item, "bytes", (int64_t)one->bytes);
    }
    TRY(json_finish(&j, a, &out->json));
    return strbuf_finish(&s, &out->text);
}

TENON_API tenon_status tenon_files_report(const tenon_files *f, tenon_report **out) {
    tenon_context *c = f->t->c;
    size_t errors = context_begin(c);
    tenon_report *r = report_new(c);
    status s = r == NULL ? STATUS_RESOURCE : describe_files(f, r->memory, &r->forms);
    return report_end(c, s, errors, r, out);
}
