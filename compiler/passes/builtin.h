/* The built-in passes. Private to passes/. */
#ifndef TENON_PASSES_BUILTIN_H
#define TENON_PASSES_BUILTIN_H

#include "passes/host.h"

status pass_fold_batch_norm(graph *g); /* batch_norm.c */
status pass_expand(graph *g);
status pass_fold(graph *g);
status pass_algebra(graph *g); /* algebra.c */
status pass_fuse(graph *g);    /* fuse.c */
status pass_canonicalise(graph *g);
status pass_cse(graph *g);
status pass_dead_code(graph *g);

extern const tenon_pass input_pass; /* input.c */

/* Every built-in pass; NULL-terminated. */
extern const tenon_pass *const builtin_passes[];

#endif
