/* Option isolate. */
#include "api/isolation.h"

#include "ops/ops.h"

static status check_stop(void *ctx) {
    return context_check_stop(ctx);
}

status isolation_new(const tenon_options *o, arena *a, const plugin_isolation **out) {
    plugin_isolation *made = ARENA_NEW(a, plugin_isolation);
    const char *path = context_program("tenon-worker", a);
    TRY_ALLOC(made);
    TRY_ALLOC(path);
    const worker_setup worker = {.program = path,
                                 .seconds = (double)o->isolate.seconds,
                                 .bytes = (size_t)o->isolate.memory << 20,
                                 .check_stop = check_stop,
                                 .ctx = o->c};
    *made = (plugin_isolation){worker, &ops_table};
    *out = made;
    return STATUS_OK;
}
