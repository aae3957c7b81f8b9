/* The built-in passes and the way they are run. */
#include "passes/passes.h"

#include <string.h>

#include "passes/builtin.h"

/* The clean-up runs until nothing changes; more rounds than this have not been seen to help. */
#define MAX_ROUNDS 8

static const pass expand_row = {"expand", "operators that are defined by others are rewritten into them", pass_expand};
static const pass fold_row = {"fold", "nodes whose inputs are constants (or whose shapes say all) are computed", pass_fold};
static const pass canonicalise_row = {"canonicalise", "nodes that hand their input on unchanged are removed", pass_canonicalise};
static const pass cse_row = {"cse", "nodes that compute the same from the same are merged", pass_cse};
static const pass dead_code_row = {"dead-code", "nodes whose results nobody uses, and constants that nobody uses, are removed", pass_dead_code};

const pass *const pass_table[] = {&expand_row, &fold_row, &canonicalise_row, &cse_row, &dead_code_row, NULL};

const pass *pass_find(const char *name) {
    for (const pass *const *p = pass_table; *p != NULL; p++)
        if (strcmp((*p)->name, name) == 0)
            return *p;
    return NULL;
}

static bool is_skipped(const pass_options *o, const char *name) {
    for (const char *const *s = o->skip; s != NULL && *s != NULL; s++)
        if (strcmp(*s, name) == 0)
            return true;
    return false;
}

static status check_skipped(const graph *g, const pass_options *o) {
    const char *names[sizeof pass_table / sizeof *pass_table];
    size_t n = 0;
    for (const pass *const *p = pass_table; *p != NULL; p++)
        names[n++] = (*p)->name;
    for (const char *const *s = o->skip; s != NULL && *s != NULL; s++) {
        if (pass_find(*s) != NULL)
            continue;
        (void)diag_error(g->diags, STATUS_USAGE, "unknown-pass", DIAG_NOWHERE, "there is no built-in pass '%s' to skip", *s);
        const char *near = text_nearest(*s, names, n);
        if (near != NULL)
            diag_note(g->diags, "did you mean '%s'?", near);
        return STATUS_USAGE;
    }
    return STATUS_OK;
}

static status run_one(graph *g, const pass *p, const pass_options *o) {
    TRY(p->run(g));
    if (o->verify)
        TRY(graph_verify(g));
    return o->after != NULL ? o->after(o->ctx, p->name, g) : STATUS_OK;
}

status passes_run(graph *g, const pass_options *o) {
    TRY(check_skipped(g, o));
    uint32_t before;
    int nodes, rounds = 0;
    do {
        before = g->next_id;
        nodes = g->n_nodes;
        for (const pass *const *p = pass_table; *p != NULL; p++)
            if (!is_skipped(o, (*p)->name))
                TRY(run_one(g, *p, o));
    } while ((before != g->next_id || nodes != g->n_nodes) && ++rounds < MAX_ROUNDS);
    return STATUS_OK;
}
