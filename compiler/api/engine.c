/* The table of back ends. */
#include "api/engine.h"

#include <string.h>

#include "api/options.h"

static const engine_row *const table[] = {&engine_jit, &engine_object, &engine_c, &engine_interp};
enum { N_ROWS = sizeof table / sizeof *table };
_Static_assert(N_ROWS == ENGINES_MAX, "callers give room for every engine");

const char *const engine_names[] = {"jit", "object", "c", "interp", "all", NULL};

static status prepare(engine *e) {
    TRY_ALLOC(e->memory = arena_new(&e->c->memory));
    if (e->row->is_native && !target_runs_here(e->p->target))
        return diag_error(e->c->diags, STATUS_RESOURCE, "wrong-machine", DIAG_NOWHERE,
                          "this machine cannot run code for target '%s'; --backend interp can", e->p->target->name);
    TRY(context_check_stop(e->c));
    return e->row->prepare(e);
}

/* The engines before that are given up with one that fails. */
static status open_one(const engine *wanted, engine *out, size_t *out_n) {
    engine *e = &out[(*out_n)++];
    *e = *wanted;
    status s = prepare(e);
    if (s != STATUS_OK) {
        engines_close(out, *out_n);
        *out_n = 0;
    }
    return s;
}

status engines_open(tenon_context *c, const tenon_options *o, const program *p, engine *out, size_t *out_n) {
    *out_n = 0;
    for (size_t i = 0; i < N_ROWS; i++)
        if (strcmp(o->backend, "all") == 0 || strcmp(o->backend, table[i]->name) == 0)
            TRY(open_one(&(engine){.row = table[i], .c = c, .o = o, .p = p}, out, out_n));
    return STATUS_OK;
}

status engines_open_shared(tenon_context *c, const struct shared_model *m, const program *p, engine *out,
                           size_t *out_n) {
    *out_n = 0;
    return open_one(&(engine){.row = &engine_shared, .c = c, .p = p, .shared = m}, out, out_n);
}

void engines_close(engine *engines, size_t n) {
    for (size_t i = 0; i < n; i++) {
        engines[i].row->release(&engines[i]);
        arena_free(engines[i].memory);
    }
}
