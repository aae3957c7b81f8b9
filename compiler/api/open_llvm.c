/* Opening the LLVM back end, which is a module of its own so that nothing else needs libLLVM. */
#include <dlfcn.h>
#include <string.h>

#include "api/context.h"

#define MODULE "tenon/tenon-llvm.so"

typedef const llvm_table *(*query_function)(uint32_t version);

const char *context_folder(arena *a) {
    Dl_info info;
    if (dladdr((const void *)(uintptr_t)&context_llvm, &info) == 0 || info.dli_fname == NULL)
        return NULL;
    const char *slash = strrchr(info.dli_fname, '/');
    return slash == NULL ? arena_strdup(a, ".") : arena_strndup(a, info.dli_fname, (size_t)(slash - info.dli_fname));
}

/* Beside libtenon.so, or from a program that the library is linked into. The module stays for the life of the process:
 * LLVM does not take unloading well. */
static void *open_module(const char *folder, arena *a) {
    const char *paths[] = {arena_printf(a, "%s/" MODULE, folder), arena_printf(a, "%s/../lib/" MODULE, folder)};
    void *module = NULL;
    for (size_t i = 0; i < sizeof paths / sizeof *paths && module == NULL; i++)
        if (paths[i] != NULL)
            module = dlopen(paths[i], RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    return module;
}

status context_llvm(tenon_context *c, const llvm_table **out) {
    *out = c->llvm;
    if (c->llvm != NULL)
        return STATUS_OK;
    arena *scratch = arena_new(&c->memory);
    TRY_ALLOC(scratch);
    const char *folder = context_folder(scratch);
    void *module = folder != NULL ? open_module(folder, scratch) : NULL;
    const char *why = module == NULL ? dlerror() : NULL;
    query_function query = module != NULL ? (query_function)(uintptr_t)dlsym(module, "tenon_llvm_query") : NULL;
    c->llvm = query != NULL ? query(LLVM_TABLE_VERSION) : NULL;
    /* no module and nothing said of it: out of memory */
    if (c->llvm == NULL && (module != NULL || why != NULL)) {
        diag_error(c->diags, STATUS_RESOURCE, "no-llvm", DIAG_NOWHERE, "the LLVM back end cannot be opened: %s",
                   why != NULL ? why : "it is of another version");
        diag_note(c->diags, "--emit c, --backend c and --backend interp work without it");
    }
    arena_free(scratch);
    *out = c->llvm;
    return c->llvm != NULL ? STATUS_OK : STATUS_RESOURCE;
}
