/* What the files of the layout pass share. Private to passes/. */
#ifndef TENON_PASSES_TRANSPOSES_H
#define TENON_PASSES_TRANSPOSES_H

#include "passes/builtin.h"

/* Dimension k of a Transpose's result is dimension of[k] of its input. */
typedef struct permutation {
    int rank;
    int64_t of[TENSOR_MAX_RANK];
} permutation;

/* ---- transposes.c ---- */
/* The node's, where it is a Transpose whose rank is known. */
bool permutation_read(const node *n, permutation *out);
/* p after q: Transpose p of Transpose q. */
permutation permutation_after(const permutation *p, const permutation *q);
permutation permutation_inverse(const permutation *p);
bool permutation_is_identity(const permutation *p);
/* A Transpose of v before `before` (NULL: at the end); NULL when out of memory. */
value *permutation_apply(graph *g, node *before, value *v, const permutation *p);
/* The constant that Transpose p turns into t, whose missing leading dimensions are 1; one element stays as it is. */
status permutation_undo(graph *g, const value *t, const permutation *p, value **out);
/* Erases a Transpose or Reshape that nobody uses. */
status erase_unused(graph *g, node *n);

/* ---- transpose_region.c ---- */
/* Element-wise nodes and others that compute the same in any layout, around the Transpose: where fewer transposes are
 * left when they work on what is not transposed, that is done. */
/* A Reduce of a Transpose reads what that reads, where its result has the same order of dimensions. */
status transpose_absorb(graph *g, node *reduce);
status transpose_flip(graph *g, const node *transpose, arena *scratch, bool *out_done);

#endif
