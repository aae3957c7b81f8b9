/* Graph passes and the way they are run. A pass is a row: name, what it does, the function. */
#ifndef TENON_PASSES_PASSES_H
#define TENON_PASSES_PASSES_H

#include "ir/op.h"

typedef struct pass {
    const char *name;  /* "fold" */
    const char *help;  /* one line */
    status (*run)(graph *g);
} pass;

/* The built-in passes in the order in which they run after import; NULL-terminated. */
extern const pass *const pass_table[];
const pass *pass_find(const char *name);

typedef struct pass_options {
    const char *const *skip; /* names of passes to leave out; NULL-terminated, or NULL */
    bool verify;             /* run the verifier after each */
    /* Called after each pass; stop by returning other than STATUS_OK. May be NULL. */
    status (*after)(void *ctx, const char *pass, graph *g);
    void *ctx;
} pass_options;

/* Runs the clean-up pipeline (fold, expand, canonicalise, cse, dead-code, until nothing changes). An unknown name in skip is
 * [unknown-pass], STATUS_USAGE, with the nearest name. */
status passes_run(graph *g, const pass_options *o);

#endif
