/* Chains: nests that run in turn over blocks of axes that they share, so that what lies between them is never whole.
 * Private to lower/.
 *
 * A chain asks of its nests: what one computes, only the next one reads; the axis is an outer axis of each; it stands
 * alone as the index of one dimension where the value is stored and wherever it is read; and apart from that it only
 * takes part in addresses, by which each operand moves at one stride (masks for zero padding may depend on it where a
 * border of zeros in memory does their work). Where this holds, block 0 of a nest is the nest
 * with a shorter axis, and every other block is block 0 over operands that begin elsewhere. Every element is computed
 * by the same operations in the same order as without the chain. */
#ifndef TENON_LOWER_CHAIN_H
#define TENON_LOWER_CHAIN_H

#include "lower/group.h"

#define CHAIN_MAX_MEMBERS 6

/* Nest `nest` of a root (or of its core). */
typedef struct chain_member {
    const node_info *root, *which;
    int nest;
    int axis[FUSE_MAX_LOOPS];       /* the outer axis that each loop takes in blocks */
    int reads, stores;              /* operands of the composed nest; reads: -1 for the first */
    int loop_of_dim[NEST_MAX_AXES]; /* for each dimension of what it stores: the loop that takes it in blocks, or -1 */
    const char *form;               /* that the scheduler gives the whole, and is to give a block */
} chain_member;

typedef struct chain {
    int n, n_loops;
    chain_member at[CHAIN_MAX_MEMBERS];
    fused_loop loops[FUSE_MAX_LOOPS];
} chain;
typedef VEC(chain *) chain_list;

/* All chains that pay off, in x's arena. After choose_borders. */
status find_chains(const grouping *x, chain_list *out);
/* The chain that holds the nest, or NULL. */
const chain *chain_of(const chain_list *l, const node_info *root, int index);
bool chain_ends_with(const chain *c, const node_info *root, int index);

#define CHAIN_UNUSED INT64_MIN
/* By how many elements each operand of the composed nest moves for a step of its outer axis; CHAIN_UNUSED where the
 * nest does not access it. False where block 0 cannot stand for the others. `out` has room for all operands. */
bool chain_steps(const composed *c, int axis, int64_t *out);

/* ---- chain_cut.c ---- */
/* A member whose axes are as long as a block, scheduled. */
typedef struct chain_cut {
    composed m;
    int64_t (*steps)[FUSE_MAX_LOOPS]; /* by operand; 0 for what lies between members */
    schedule s;
} chain_cut;
status chain_cut_member(const grouping *x, const chain *c, int k, arena *a, chain_cut *out);
/* Can the scheduler do with the blocks of every member what it does with the whole? Notes what that is. */
status chain_keeps_form(const grouping *x, chain *c, arena *scratch, bool *out);

/* ---- chain_cost.c ---- */
/* What the choice of blocks goes by, of one member. */
typedef struct chain_load {
    int64_t bytes; /* of the operand, whole */
    bool constant;
    bool moves[FUSE_MAX_LOOPS];
} chain_load;
typedef struct chain_work {
    int64_t stored; /* bytes of the value that it stores, whole */
    int passes;     /* how often the next one reads it */
    double macs;
    VEC(chain_load) loads; /* its other operands */
} chain_work;
/* Chooses the blocks of c's loops by a count of the bytes that move between the caches. Gives the nanoseconds that it
 * saves; 0 where running the nests one after the other is as good. */
double chain_choose_blocks(chain *c, const chain_work *work, const lower_options *o);

#endif
