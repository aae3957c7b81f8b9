/* The built-in passes. Private to passes/. */
#ifndef TENON_PASSES_BUILTIN_H
#define TENON_PASSES_BUILTIN_H

#include <string.h>

#include "passes/host.h"

status pass_fold_batch_norm(graph *g); /* batch_norm.c */
/* Rewrites operators that are defined by others, but for those that fuse-attention forms; those, too. */
status pass_expand(graph *g);
status pass_expand_all(graph *g);
/* Computes what is constant, but for the DequantizeLinear of constants, by which a quantised model is one; that, too.
 */
status pass_fold(graph *g);
status pass_fold_all(graph *g);
status pass_integer(graph *g, const integer_options *o); /* integer.c */
/* [needs-float] for each node that computes in floats. */
status integer_check(const graph *g);
status pass_algebra(graph *g);        /* algebra.c */
status pass_fuse(graph *g);           /* fuse.c */
status pass_fuse_attention(graph *g); /* fuse_attention.c */
/* A node of operator op in place of root, whose output's name it takes over. In fuse.c. */
status fuse_replace(graph *g, node *root, const char *op, value *const *inputs, int n, const attr *attrs, int n_attrs);
status pass_canonicalise(graph *g);
status pass_layout(graph *g); /* transposes.c */
status pass_unread(graph *g); /* unread.c */
status pass_cse(graph *g);
status pass_dead_code(graph *g);

extern const tenon_pass input_pass; /* input.c */

/* Every built-in pass; NULL-terminated. */
extern const tenon_pass *const builtin_passes[];

#endif
