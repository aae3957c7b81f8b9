/* The back end of models that come compiled: there is nothing left to prepare. */
#include "api/engine.h"
#include "api/shared_model.h"

static status prepare(engine *e) {
    e->code_bytes = e->shared->code_bytes;
    return STATUS_OK;
}

static status run(engine *e, const void *const *inputs, void *const *outputs, void *scratch, int *out_code) {
    *out_code = opened_model_run(&e->shared->opened, inputs, outputs, scratch, &e->env);
    return STATUS_OK;
}

/* The model belongs to the graph. */
static void release(engine *e) {
    (void)e;
}

const engine_row engine_shared = {
    .name = "shared", .is_native = true, .prepare = prepare, .run = run, .release = release};
