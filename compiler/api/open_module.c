/* Modules of libtenon: back ends and readers that need libraries of their own, opened where they are first needed. */
#include <dlfcn.h>
#include <string.h>
#include <unistd.h>

#include "api/context.h"

const char *context_folder(arena *a) {
    Dl_info info;
    if (dladdr((const void *)(uintptr_t)&context_folder, &info) == 0 || info.dli_fname == NULL)
        return NULL;
    const char *slash = strrchr(info.dli_fname, '/');
    return slash == NULL ? arena_strdup(a, ".") : arena_strndup(a, info.dli_fname, (size_t)(slash - info.dli_fname));
}

/* Beside libtenon.so, or from a program that the library is linked into. */
static const char *const places[] = {"tenon", "../lib/tenon"};
enum { N_PLACES = sizeof places / sizeof *places };

static const char *path_at(size_t place, const char *folder, const char *name, arena *a) {
    return arena_printf(a, "%s/%s/%s", folder, places[place], name);
}

/* A module stays for the life of the process: not all libraries take unloading well. */
static void *open_module(const char *folder, const char *name, arena *a) {
    void *module = NULL;
    for (size_t i = 0; i < N_PLACES && module == NULL; i++) {
        const char *path = path_at(i, folder, name, a);
        if (path != NULL)
            module = dlopen(path, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    }
    return module;
}

const char *context_program(const char *name, arena *a) {
    const char *folder = context_folder(a), *path = NULL;
    for (size_t i = 0; i < N_PLACES && folder != NULL; i++) {
        path = path_at(i, folder, name, a);
        if (path != NULL && access(path, X_OK) == 0)
            break;
    }
    return path;
}

const void *context_module(const char *name, const char *query, uint32_t version, arena *a, const char **out_why) {
    const char *folder = context_folder(a);
    void *module = folder != NULL ? open_module(folder, name, a) : NULL;
    *out_why = NULL;
    if (module == NULL) {
        const char *why = dlerror();
        *out_why = why != NULL ? arena_strdup(a, why) : NULL;
        return NULL;
    }
    const void *(*ask)(uint32_t) = (const void *(*)(uint32_t))(uintptr_t)dlsym(module, query);
    const void *table = ask != NULL ? ask(version) : NULL;
    if (table == NULL)
        *out_why = "it is of another version";
    return table;
}
