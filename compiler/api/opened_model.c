/* Opening compiled models, and running them. */
#include "api/opened_model.h"

#include <dlfcn.h>

status opened_model_ask(opened_model *m, tenon_model_query query, diag *d, diag_place where) {
    m->model = query(TENON_ABI);
    if (m->model != NULL)
        return STATUS_OK;
    diag_error(d, STATUS_UNSUPPORTED, "abi", where, "the compiled model needs a newer tenon: this one knows abi %u.%u",
               TENON_ABI >> 16, TENON_ABI & 0xffffu);
    diag_note(d, "compile the model again, with this tenon");
    return STATUS_UNSUPPORTED;
}

status opened_model_open(opened_model *m, const char *path, const char *prefix, arena *scratch, diag *d,
                         diag_place where) {
    const char *symbol = arena_printf(scratch, "%s_model", prefix);
    TRY_ALLOC(symbol);
    m->library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    tenon_model_query query = NULL;
    if (m->library != NULL)
        query = (tenon_model_query)(uintptr_t)dlsym(m->library, symbol);
    if (query == NULL)
        return diag_error(d, STATUS_RESOURCE, "object", where, "the compiled model cannot be opened: %s", dlerror());
    return opened_model_ask(m, query, d, where);
}

void opened_model_close(opened_model *m) {
    if (m->library != NULL)
        dlclose(m->library);
    *m = (opened_model){0};
}

size_t opened_model_regions(const tenon_model *m) {
    size_t n = 0;
    while (TENON_HAS(m, regions) && m->regions != NULL && m->regions[n] != NULL)
        n++;
    return n;
}

int opened_model_run(const opened_model *m, const void *const *inputs, void *const *outputs, void *scratch,
                     const tenon_env *threads) {
    const tenon_model *model = m->model;
    tenon_env env = {.struct_size = sizeof env,
                     .arena = scratch,
                     .arena_bytes = model->arena_bytes,
                     .weights = m->weights,
                     .weights_bytes = m->weights_bytes,
                     .parallel_for = threads->parallel_for,
                     .ctx = threads->ctx,
                     .n_arenas = opened_model_regions(model)};
    void *arenas[MOST_REGIONS];
    uint64_t bytes[MOST_REGIONS], at = 0;
    TENON_ASSERT(env.n_arenas <= MOST_REGIONS);
    for (size_t i = 0; i < env.n_arenas; i++) {
        arenas[i] = (char *)scratch + at;
        at += bytes[i] = model->regions[i]->bytes;
    }
    env.arenas = arenas;
    env.arenas_bytes = bytes;
    return model->run(inputs, outputs, &env);
}
