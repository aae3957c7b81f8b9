/* The built-in clean-up, for tests. */
#ifndef TENON_TESTS_PASSES_SUPPORT_H
#define TENON_TESTS_PASSES_SUPPORT_H

#include "passes/passes.h"

static inline status passes_run(graph *g, const pass_options *o) {
    arena *a = arena_new(arena_allocator(g->memory));
    pass_registry *r = a != NULL ? pass_registry_new(a) : NULL;
    status s = r != NULL ? pass_registry_sort(r, g->diags) : STATUS_RESOURCE;
    if (s == STATUS_OK)
        s = passes_clean_up(r, &g, o);
    arena_free(a);
    return s;
}

#endif
