/* The back end that defines what a program means. */
#include "api/engine.h"

static status prepare(engine *e) {
    interp *m = NULL;
    TRY(interp_new(e->p, e->memory, &m));
    e->state = m;
    return STATUS_OK;
}

static status run(engine *e, const void *const *inputs, void *const *outputs, void *scratch, int *out_code) {
    return interp_run(e->state, inputs, outputs, scratch, out_code);
}

static void release(engine *e) {
    e->state = NULL;
}

const engine_row engine_interp = {.name = "interp", .prepare = prepare, .run = run, .release = release};
