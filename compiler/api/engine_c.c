/* The back end that goes through C: the program is written as C99, compiled by $CC into a shared object, and opened. */
#include "api/elf_file.h"
#include "api/engine.h"
#include "api/files.h"
#include "api/opened_model.h"
#include "api/toolchain.h"

static status write_sources(engine *e, const char *folder, const c99_files *files) {
    diag *d = e->c->diags;
    const char *source = arena_printf(e->memory, "%s/%s.c", folder, e->p->name);
    const char *header = arena_printf(e->memory, "%s/%s.h", folder, e->p->name);
    const char *tenon = arena_printf(e->memory, "%s/tenon", folder);
    const char *runtime = arena_printf(e->memory, "%s/tenon/runtime.h", folder);
    if (source == NULL || header == NULL || tenon == NULL || runtime == NULL)
        return STATUS_RESOURCE;
    TRY(files_write(source, files->source, files->source_bytes, d));
    TRY(files_write(header, files->header, files->header_bytes, d));
    TRY(files_make_folder(tenon, d));
    return files_write(runtime, files_runtime_header, files_runtime_header_bytes, d);
}

static status compile(engine *e, const char *folder) {
    const char *source = arena_printf(e->memory, "%s.c", e->p->name);
    const char *library = arena_printf(e->memory, "%s.so", e->p->name);
    if (source == NULL || library == NULL)
        return STATUS_RESOURCE;
    const char *const words[] = {"-O2", "-shared", "-fPIC", "-I.", "-o", library, source, NULL};
    return toolchain_run(e->c, TOOL_CC, e->p->target, folder, words);
}

static status open_library(engine *e, opened_model *m, const char *folder) {
    mapped_file file;
    const char *why, *path = arena_printf(e->memory, "%s/%s.so", folder, e->p->name);
    TRY_ALLOC(path);
    TRY(opened_model_open(m, path, e->p->name, e->memory, e->c->diags, DIAG_NOWHERE));
    if (mapped_file_open(e->memory, path, &file, &why) == STATUS_OK)
        e->code_bytes = elf_code_bytes(&file);
    return STATUS_OK;
}

static status build_in(engine *e, opened_model *m, const char *folder) {
    c99_files files;
    TRY(c99_emit(e->p, WEIGHTS_BIN, e->memory, &files));
    m->weights = files.weights;
    m->weights_bytes = files.weights_bytes;
    TRY(write_sources(e, folder, &files));
    TRY(compile(e, folder));
    return open_library(e, m, folder);
}

static status prepare(engine *e) {
    opened_model *m = ARENA_NEW(e->memory, opened_model);
    TRY_ALLOC(m);
    e->state = m;
    const char *folder = files_make_temporary(e->memory, e->c->diags);
    TRY_ALLOC(folder);
    status s = build_in(e, m, folder);
    files_remove(folder, e->memory);
    return s;
}

static status run(engine *e, const void *const *inputs, void *const *outputs, void *scratch, int *out_code) {
    *out_code = opened_model_run(e->state, inputs, outputs, scratch, &e->env);
    return STATUS_OK;
}

static void release(engine *e) {
    if (e->state != NULL)
        opened_model_close(e->state);
}

const engine_row engine_c = {.name = "c", .is_native = true, .prepare = prepare, .run = run, .release = release};
