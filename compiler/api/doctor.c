/* tenon doctor: what this machine has. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "api/draw.h"
#include "api/engine.h"
#include "api/files.h"
#include "api/measure.h"
#include "api/reports.h"
#include "api/toolchain.h"
#include "report/drawer.h"

/* A look at one thing: fills item, in `a`. */
typedef status (*check)(tenon_context *c, arena *a, doctor_item *item);

static status check_llvm(tenon_context *c, arena *a, doctor_item *item) {
    const llvm_table *llvm;
    *item = (doctor_item){.name = "LLVM back end",
                          .help = "install libLLVM 19 (Debian: libllvm19); without it use --backend c or interp"};
    item->there = context_llvm(c, &llvm) == STATUS_OK;
    const char *why = diag_count(c->diags) > 0 ? diag_at(c->diags, 0)->message : "out of memory";
    item->detail = item->there ? arena_printf(a, "LLVM %s", llvm->llvm_version()) : arena_strdup(a, why);
    TRY_ALLOC(item->detail);
    return STATUS_OK;
}

/* Where PATH has a program of this name; NULL where it has none. */
static const char *find_program(arena *a, const char *name) {
    if (strchr(name, '/') != NULL)
        return access(name, X_OK) == 0 ? name : NULL;
    const char *path = getenv("PATH");
    for (const char *at = path != NULL ? path : "/usr/bin:/bin"; at != NULL;
         at = strchr(at, ':') != NULL ? strchr(at, ':') + 1 : NULL) {
        const char *file = arena_printf(a, "%.*s/%s", (int)strcspn(at, ":"), at, name);
        if (file != NULL && access(file, X_OK) == 0)
            return file;
    }
    return NULL;
}

static status check_tool(arena *a, tool which, const char *name, const char *help, doctor_item *item) {
    const char *called = toolchain_program(which, a);
    TRY_ALLOC(called);
    const char *file = find_program(a, called);
    *item = (doctor_item){.name = name,
                          .there = file != NULL,
                          .detail = file != NULL ? file : arena_printf(a, "there is no '%s'", called),
                          .help = help};
    TRY_ALLOC(item->detail);
    return STATUS_OK;
}

static status check_compiler(tenon_context *c, arena *a, doctor_item *item) {
    (void)c;
    return check_tool(a, TOOL_CC, "C compiler",
                      "install gcc or clang, or set CC; --backend c and --emit shared need one", item);
}

static status check_archiver(tenon_context *c, arena *a, doctor_item *item) {
    (void)c;
    return check_tool(a, TOOL_AR, "archiver", "install binutils, or set AR; --emit lib needs one", item);
}

static status check_temporary(tenon_context *c, arena *a, doctor_item *item) {
    const char *folder = files_make_temporary(a, c->diags);
    *item = (doctor_item){
        .name = "temporary folder", .there = folder != NULL, .help = "set TMPDIR to a folder that can be written"};
    if (folder != NULL) {
        files_remove(folder, a);
        item->detail = arena_strndup(a, folder, (size_t)(strrchr(folder, '/') - folder));
    } else {
        item->detail = "cannot be written";
    }
    TRY_ALLOC(item->detail);
    return STATUS_OK;
}

static status check_vectors(tenon_context *c, arena *a, doctor_item *item) {
    (void)c;
    const target *host = target_host();
    *item = (doctor_item){.name = "vector instructions",
                          .there = host->vector_bytes > 0,
                          .detail = arena_printf(a, "%s: %d bytes%s", host->name, host->vector_bytes,
                                                 target_has_fma(host, DT_F32) ? ", fused multiply-add" : ""),
                          .help = "code for target generic runs everywhere, slowly"};
    TRY_ALLOC(item->detail);
    return STATUS_OK;
}

static status check_drawing(tenon_context *c, arena *a, doctor_item *item) {
    const drawer *module;
    char library[64];
    *item = (doctor_item){.name = "drawing", .help = "install libgvc6; without it draw -o FILE.dot"};
    item->there = draw_open(c, &module) == STATUS_OK;
    if (item->there)
        module->library(library, sizeof library);
    const char *why = diag_count(c->diags) > 0 ? diag_at(c->diags, 0)->message : "out of memory";
    item->detail = arena_strdup(a, item->there ? library : why);
    TRY_ALLOC(item->detail);
    return STATUS_OK;
}

static const check checks[] = {check_vectors,  check_llvm,     check_drawing,
                               check_compiler, check_archiver, check_temporary};
enum { N_CHECKS = sizeof checks / sizeof *checks };

/* What is missing is no error here: the checks report to a collector of their own. */
static status run_checks(tenon_context *c, arena *a, doctor_item *items) {
    diag *theirs = c->diags;
    status s = STATUS_OK;
    for (size_t i = 0; i < N_CHECKS && s == STATUS_OK; i++) {
        c->diags = diag_new(&c->memory);
        s = c->diags == NULL ? STATUS_RESOURCE : checks[i](c, a, &items[i]);
        diag_free(c->diags);
    }
    c->diags = theirs;
    return s;
}

static status examine(tenon_context *c, arena *a, report *out) {
    doctor_item items[N_CHECKS];
    const char **targets;
    size_t n = 0;
    TRY(run_checks(c, a, items));
    while (target_table[n] != NULL)
        n++;
    TRY_ALLOC(targets = ARENA_NEW_N(a, const char *, n + 1));
    doctor_result r = {.version = TENON_VERSION,
                       .cpu = measure_cpu(a),
                       .target = target_host()->name,
                       .targets = targets,
                       .items = items,
                       .n_items = N_CHECKS};
    for (size_t i = 0; i < n; i++)
        if (target_runs_here(target_table[i]))
            targets[r.n_targets++] = target_table[i]->name;
    r.cores = (int)sysconf(_SC_NPROCESSORS_ONLN);
    r.memory_bytes = (int64_t)sysconf(_SC_PHYS_PAGES) * sysconf(_SC_PAGESIZE);
    return doctor_report(&r, a, out);
}

TENON_API tenon_status tenon_doctor(tenon_context *c, tenon_report **out) {
    size_t errors = context_begin(c);
    tenon_report *r = report_new(c);
    status s = r == NULL ? STATUS_RESOURCE : examine(c, r->memory, &r->forms);
    return report_end(c, s, errors, r, out);
}
