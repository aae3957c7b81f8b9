/* Making libraries. Files have plain names and tools run where they lie, so that no folder's name gets into what they
 * write. */
#include "api/library.h"

#include <string.h>

#include "api/toolchain.h"
#include "frontend/mapped_file.h"

typedef struct library_job {
    tenon_context *c;
    const target *t;
    const char *folder, *name;
    arena *memory;
    VEC(const char *) objects; /* their names */
} library_job;

static status run_on_objects(library_job *job, tool which, const char *const *before) {
    VEC(const char *) words = {0};
    for (; *before != NULL; before++)
        TRY(VEC_PUSH(job->memory, words, *before));
    for (size_t i = 0; i < job->objects.n; i++)
        TRY(VEC_PUSH(job->memory, words, job->objects.at[i]));
    TRY(VEC_PUSH(job->memory, words, NULL));
    return toolchain_run(job->c, which, job->t, job->folder, words.at);
}

/* $AR in its deterministic mode: no owner, no time. */
static status archive(library_job *job) {
    const char *const before[] = {"crsD", job->name, NULL};
    return run_on_objects(job, TOOL_AR, before);
}

/* The model needs no start-up code, and nothing of the day goes in. */
static status link_shared(library_job *job) {
    const char *soname = arena_printf(job->memory, "-Wl,-soname,%s", job->name);
    TRY_ALLOC(soname);
    const char *const before[] = {"-shared", "-nostartfiles", "-Wl,--build-id=none", soname, "-o", job->name, NULL};
    return run_on_objects(job, TOOL_CC, before);
}

static status (*const makers[])(library_job *job) = {[LIBRARY_ARCHIVE] = archive, [LIBRARY_SHARED] = link_shared};

static const char *in_folder(const library_job *job, const char *name) {
    return arena_printf(job->memory, "%s/%s", job->folder, name);
}

/* Only weights come as C: there is nothing to optimise. */
static status compile_part(library_job *job, const char *source) {
    const char *object = arena_printf(job->memory, "%.*so", (int)strlen(source) - 1, source);
    TRY_ALLOC(object);
    TRY(VEC_PUSH(job->memory, job->objects, object));
    return toolchain_run(job->c, TOOL_CC, job->t, job->folder,
                         (const char *const[]){"-c", "-fPIC", source, "-o", object, NULL});
}

static status add_part(library_job *job, const named_file *part) {
    const char *path = in_folder(job, part->name);
    TRY_ALLOC(path);
    TRY(files_write(path, part->data, part->bytes, job->c->diags));
    if (strcmp(strrchr(part->name, '.'), ".c") == 0)
        return compile_part(job, part->name);
    return VEC_PUSH(job->memory, job->objects, part->name);
}

static status make(library_job *job, library_kind kind, const named_file *parts, size_t n, named_file *out) {
    mapped_file made;
    const char *why;
    for (size_t i = 0; i < n; i++)
        TRY(add_part(job, &parts[i]));
    TRY(makers[kind](job));
    const char *path = in_folder(job, job->name);
    TRY_ALLOC(path);
    if (mapped_file_open(job->memory, path, &made, &why) != STATUS_OK)
        return diag_error(job->c->diags, STATUS_RESOURCE, "file", DIAG_NOWHERE, "%s cannot be read: %s", job->name,
                          why != NULL ? why : "out of memory");
    *out = (named_file){job->name, made.bytes, made.n};
    return STATUS_OK;
}

status library_make(tenon_context *c, library_kind kind, const char *name, const target *t, const named_file *parts,
                    size_t n, arena *a, named_file *out) {
    library_job job = {
        .c = c, .t = t, .folder = files_make_temporary(a, c->diags), .name = arena_strdup(a, name), .memory = a};
    TRY_ALLOC(job.folder);
    status s = job.name == NULL ? STATUS_RESOURCE : make(&job, kind, parts, n, out);
    files_remove(job.folder, a);
    return s;
}
