/* From the graph to a program: nodes become nests, nests are composed into groups, groups are scheduled into kernels.
 */
#ifndef TENON_LOWER_LOWER_H
#define TENON_LOWER_LOWER_H

#include "ir/op.h"
#include "schedule/schedule.h"
#include "schedule/tuning.h"

/* What a step computes. The nodes are the graph's. */
typedef struct step_nodes {
    const node *lead; /* the contraction, softmax ... of the group, else its last node; NULL: a copy to an output */
    const node *const *nodes; /* all of them, in order */
    size_t n;
    const char *const *kernels; /* with tuning: the contractions among what it computes */
    size_t n_kernels;
} step_nodes;
typedef VEC(step_nodes) step_nodes_list;

/* Which nests run in turn over blocks (chain.h). The results are the same bits. ALWAYS: wherever it can be, in small
 * blocks, for tests. */
typedef enum chain_policy { CHAINS_THAT_PAY, CHAINS_NEVER, CHAINS_ALWAYS } chain_policy;

typedef struct lower_options {
    const target *target;
    bool naive;  /* --schedule=naive: one kernel a node, no fusion */
    int threads; /* above 1: kernels may be cut into parts */
    chain_policy chains;
    const char *name;              /* an identifier: the program's name; NULL: made from the graph's */
    const char *origin;            /* comment block for generated code; NULL none */
    const memory_regions *regions; /* of the arena; NULL none */
    const tuning *tuning;          /* NULL: the cost model chooses tiles */
    step_nodes_list *steps;        /* where not NULL: gets one entry for each step, in the program's arena */
} lower_options;

/* The whole graph, whose types must be known integers and whose operators must be lowered ones (no OP_EXPAND left). All
 * problems (operators that cannot be lowered, dimensions not bound) are diagnostics at their nodes. The program lives
 * in `a`; constants are borrowed from the graph, which must outlive it. */
status lower_graph(const graph *g, const lower_options *o, arena *a, program **out);

/* The naive program of one node alone, for folding: its constant inputs are constants of the program (those of
 * PARAM_SHAPE inputs may be missing), its outputs the program's outputs. */
status lower_node(const node *n, const target *t, arena *a, program **out);

/* Does the node only hand on input *out_input: one map that reads every element at its own index? Decided from what the
 * node lowers to, so that it holds for any operator (Identity, a Transpose or Reshape that changes nothing, ...). */
bool lower_is_identity(const node *n, arena *scratch, int *out_input);

#endif
