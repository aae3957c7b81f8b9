/* The clean-up with the built-in passes, for tests. */
#ifndef TENON_TESTS_PASSES_SUPPORT_H
#define TENON_TESTS_PASSES_SUPPORT_H

#include "passes/passes.h"

typedef status passes_driver(const pass_registry *r, graph **g, const pass_options *o);

static inline status passes_drive(passes_driver *run, graph *g, const pass_options *o) {
    arena *a = arena_new(arena_allocator(g->memory));
    pass_registry *r = a != NULL ? pass_registry_new(a) : NULL;
    status s = r != NULL ? pass_registry_sort(r, g->diags) : STATUS_RESOURCE;
    if (s == STATUS_OK)
        s = run(r, &g, o);
    arena_free(a);
    return s;
}

static inline status passes_run(graph *g, const pass_options *o) {
    return passes_drive(passes_clean_up, g, o);
}

#endif
