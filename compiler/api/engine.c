/* The table of back ends. */
#include "api/engine.h"

#include <string.h>

#include "api/options.h"

static const engine_row *const table[] = {&engine_jit, &engine_c, &engine_interp};
enum { N_ROWS = sizeof table / sizeof *table };
_Static_assert(N_ROWS == ENGINES_MAX, "callers give room for every engine");

const char *const engine_names[] = {"jit", "c", "interp", "all", NULL};

static status open_one(tenon_context *c, const tenon_options *o, const engine_row *row, const program *p, engine *out) {
    *out = (engine){.row = row, .c = c, .o = o, .p = p, .memory = arena_new(&c->memory)};
    TRY_ALLOC(out->memory);
    if (row->is_native && !target_runs_here(p->target))
        return diag_error(c->diags, STATUS_RESOURCE, "wrong-machine", DIAG_NOWHERE,
                          "this machine cannot run code for target '%s'; --backend interp can", p->target->name);
    TRY(context_check_stop(c));
    return row->prepare(out);
}

status engines_open(tenon_context *c, const tenon_options *o, const program *p, engine *out, size_t *out_n) {
    *out_n = 0;
    for (size_t i = 0; i < N_ROWS; i++) {
        if (strcmp(o->backend, "all") != 0 && strcmp(o->backend, table[i]->name) != 0)
            continue;
        status s = open_one(c, o, table[i], p, &out[(*out_n)++]);
        if (s != STATUS_OK) {
            engines_close(out, *out_n);
            *out_n = 0;
            return s;
        }
    }
    return STATUS_OK;
}

void engines_close(engine *engines, size_t n) {
    for (size_t i = 0; i < n; i++) {
        engines[i].row->release(&engines[i]);
        arena_free(engines[i].memory);
    }
}
