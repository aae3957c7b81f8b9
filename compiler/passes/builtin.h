/* The built-in passes' functions. Private to passes/. */
#ifndef TENON_PASSES_BUILTIN_H
#define TENON_PASSES_BUILTIN_H

#include "passes/passes.h"

status pass_expand(graph *g);
status pass_fold(graph *g);
status pass_canonicalise(graph *g);
status pass_cse(graph *g);
status pass_dead_code(graph *g);

extern const asked_row input_row; /* input.c */

#endif
