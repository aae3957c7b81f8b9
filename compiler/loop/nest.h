/* Nests: what an operator computes, before anyone decides how.
 *
 * A nest has outer axes and a list of stages that run in order for each point of the outer axes. A stage has axes of
 * its own and either reduces a value over them into a scalar (a temporary that later stages use), or stores a value.
 *
 *     softmax over the last axis:   outer i          m = reduce_max j: x[i,j]
 *                                                    s = reduce_sum j: exp(x[i,j] - m)
 *                                                    y[i,j] = exp(x[i,j] - m) / s
 *     matrix product:               outer i, j       t = reduce_sum k: a[i,k] * b[k,j];      y[i,j] = t
 *     element-wise:                 outer i, j       y[i,j] = relu(x[i,j])
 *
 * Every point of the outer axes is independent of the others. Where they are not (a recurrent network), a nest has
 * steps: an axis around all others that runs in order. Values are loop IR expressions over the axis variables
 * and READs of operands (input k of the node; outputs and temporaries of the node have numbers above), so a nest can be
 * composed with its neighbours by substitution. The naive schedule spells a nest as it stands, in order; schedule/ does
 * better. What does not fit this form is a RAW nest: statements over LOAD and STORE whose buffer number is the
 * operand's number.
 */
#ifndef TENON_LOOP_NEST_H
#define TENON_LOOP_NEST_H

#include "loop/loop.h"

#define NEST_MAX_AXES 16

typedef enum reduce_op { REDUCE_SUM, REDUCE_PROD, REDUCE_MIN, REDUCE_MAX } reduce_op;

typedef struct nest_axis {
    const expr *var; /* a scalar i64 VAR */
    int64_t extent;
} nest_axis;

/* LET: a value without axes that later stages use, computed once. */
typedef enum stage_kind { STAGE_REDUCE, STAGE_LET, STAGE_STORE } stage_kind;

typedef struct nest_stage {
    stage_kind kind;
    int n_axes;
    nest_axis axes[NEST_MAX_AXES];
    const expr *value;
    reduce_op op;       /* REDUCE: starts at the neutral element (0, 1, largest/+inf, smallest/-inf) */
    const expr *result; /* REDUCE, LET: the VAR that later stages use; its type is value's */
    int operand;        /* STORE */
    int rank;
    const expr *index[NEST_MAX_AXES]; /* STORE: one per dimension of the operand */
} nest_stage;

typedef struct nest_operand {
    bool present; /* false: an optional input that the node leaves out */
    dtype elem;
    int rank;
    const int64_t *dims;
} nest_operand;

typedef struct nest nest;
struct nest {
    builder *b;
    nest_axis steps; /* var NULL: none. Else all of it is done for each step, in order: a step reads what those before
                        it have stored */
    nest *then;      /* NULL, or what follows in each of these steps: a nest that is in no list */
    int n_axes;
    nest_axis axes[NEST_MAX_AXES];
    VEC(nest_stage) stages;
    bool raw;
    block body;       /* raw only */
    bool contract;    /* multiply-accumulates, or what prepares and ends them: zero padding may lie in memory */
    int64_t macs;     /* that it counts for; 0: those of its reductions, where contract is set */
    const char *name; /* stem of the kernel's name: "matmul" */
};

/* What one node lowers to: nests that run in order, sharing operands: inputs, then outputs, then temporaries. */
typedef struct nest_list {
    builder *b;
    VEC(nest_operand) operands;
    int n_inputs, n_outputs;
    VEC(nest *) nests;
    bool parts;         /* stores to the one output stand anywhere, at indices of their own; together they cover it */
    bool channels_last; /* dimension 1 of the output should lie last in memory */
} nest_list;

/* All functions return valid things when out of memory; builder_status tells at the end. */
nest *nest_add(nest_list *l, const char *name);
/* A temporary tensor between the nests of one node: its operand number. */
int nest_temporary(nest_list *l, dtype elem, int rank, const int64_t *dims);
int nest_output(const nest_list *l, int k); /* operand number of output k */
/* Gives a fresh nest its steps; their variable. */
const expr *nest_steps(nest *n, const char *name, int64_t extent);
/* A nest that follows n in each of n's steps. */
nest *nest_then(nest_list *l, nest *n);
/* An outer axis; its variable. */
const expr *nest_outer(nest *n, const char *name, int64_t extent);
/* One outer axis per dimension: fills vars[rank]. */
void nest_outer_all(nest *n, int rank, const int64_t *dims, const expr **vars);
/* Opens a stage; nest_inner gives axes of the stage; nest_reduce or nest_store closes it. A stage without axes of its
 * own needs no nest_open. */
void nest_open(nest *n);
const expr *nest_inner(nest *n, const char *name, int64_t extent);
const expr *nest_reduce(nest *n, reduce_op op, const expr *value); /* the result's variable */
const expr *nest_let(nest *n, const expr *value);
void nest_store(nest *n, int operand, const expr *const *index, int rank, const expr *value);
/* READ of operand k at index (rank = the operand's). */
const expr *nest_read(const nest_list *l, int operand, const expr *const *index);
/* READ that gives 0 where mask is false. */
const expr *nest_read_masked(const nest_list *l, int operand, const expr *const *index, const expr *mask);
/* READ under numpy broadcasting: index has `rank` entries of the result, aligned at the right; dimensions of 1 read 0.
 */
const expr *nest_read_broadcast(const nest_list *l, int operand, const expr *const *index, int rank);
/* The row-major position of an index, and the index of a position (fills out[rank]). */
const expr *nest_linear(builder *b, const expr *const *index, int rank, const int64_t *dims);
void nest_delinear(builder *b, const expr *position, int rank, const int64_t *dims, const expr **out);
/* Multiply-accumulates of the nest alone, without what follows in its steps. */
int64_t nest_macs(const nest *n);
/* Turns a nest just added into a RAW one: statements appended to the list's builder up to nest_raw_end are its body. */
void nest_raw_begin(nest_list *l, nest *n);
void nest_raw_end(nest_list *l, nest *n);

#endif
