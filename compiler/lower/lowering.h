/* A program while it grows: what the files that add steps share. Private to lower/. */
#ifndef TENON_LOWER_LOWERING_H
#define TENON_LOWER_LOWERING_H

#include "lower/chain.h"

typedef struct lowering {
    const graph *g;
    const lower_options *o;
    grouping groups;
    chain_list chains;
    program *p;
    arena *memory;
    map buffers;       /* value -> (buffer number + 1) as a pointer */
    map constants;     /* their first bytes, hashed -> (buffer number + 1) */
    map kernels;       /* text of a kernel without its name -> (kernel number + 1) */
    int **temporaries; /* by root: the buffer numbers of its temporaries, -1 where there is none yet; or NULL */
} lowering;

/* What kernels compute. */
typedef struct work {
    const char *note, *lead;
    step_nodes nodes;
} work;

/* ---- lower.c ---- */
/* Names the buffer by its kind and number. Equal constants are one. */
status lowering_add_buffer(lowering *w, program_buffer b, int *out);
/* Gives the value a buffer of its own. */
status lowering_set_buffer(lowering *w, const value *v, int number);
/* The value's buffer, made on first use. */
status lowering_value_buffer(lowering *w, const value *v, int *out);
/* Where the number of a temporary's buffer is kept. NULL when out of memory. */
int *lowering_temporary(lowering *w, const node_info *root, int temporary);
/* The buffer of each of the schedule's buffers that some call uses. */
status lowering_buffers(lowering *w, const schedule *s, const composed *c, const node_info *root, const int **out);
/* Equal kernels are one. */
status lowering_add_kernel(lowering *w, kernel *k, int *out);
status lowering_add_step(lowering *w, program_step step, const step_nodes *nodes);
/* The nodes that a root's kernels compute, in order. */
status lowering_work(lowering *w, const node_info *root, const node *lead, work *out);

/* ---- chain_lower.c ---- */
/* The chain as one kernel and one step; `w` has what its nests read from elsewhere. */
status lower_chain(lowering *w, const chain *c);

#endif
