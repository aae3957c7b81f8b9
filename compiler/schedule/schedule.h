/* The scheduler: decides how a nest is computed, and writes it as kernels.
 *
 * schedule_nest turns one (composed) nest into calls of kernels: the nest's own, preceded by copies of operands into a
 * layout that it wants. Constant operands are repacked at compile time. The naive schedule spells the nest as it
 * stands.
 */
#ifndef TENON_SCHEDULE_SCHEDULE_H
#define TENON_SCHEDULE_SCHEDULE_H

#include "loop/nest.h"

/* How a tensor lies in memory where it is not row-major. */
typedef struct operand_layout {
    int64_t strides[NEST_MAX_AXES];                  /* elements between neighbours, in each dimension */
    int64_t low[NEST_MAX_AXES], high[NEST_MAX_AXES]; /* border: positions before and after it, which hold zeros */
    int64_t first;                                   /* position of its first element */
    int64_t n;                                       /* positions in all */
} operand_layout;

/* An operand of the nest: what READs and stores refer to by number. */
typedef struct schedule_operand {
    dtype elem;
    int rank;
    const int64_t *dims;
    const void *data;             /* contents where they are constant, else NULL */
    const operand_layout *layout; /* NULL: row-major */
} schedule_operand;

/* The linear position of an index of the operand in its layout. */
const expr *operand_position(builder *b, const schedule_operand *o, const expr *const *index);

typedef enum schedule_kind { SCHEDULE_OPERAND, SCHEDULE_SCRATCH, SCHEDULE_CONST } schedule_kind;

/* A buffer that the calls use: an operand, scratch between calls, or repacked constant data. */
typedef struct schedule_buffer {
    schedule_kind kind;
    int operand;
    dtype elem;
    int64_t n;
    const void *data; /* SCHEDULE_CONST: in the arena */
} schedule_buffer;

typedef struct schedule_call {
    kernel *k;
    const int *buffers; /* one entry of the schedule's buffers for each kernel buffer */
    int64_t macs;
} schedule_call;

typedef struct schedule {
    arena *memory;
    VEC(schedule_buffer) buffers;
    VEC(schedule_call) calls; /* in order */
    const char *form; /* how the nest is computed; where that is the same, reductions add up in the same order */
} schedule;

typedef struct schedule_options {
    const target *target;
    bool naive;
} schedule_options;

/* Appends the calls for `n` to `out`. n's builder must be fresh since the nest was made: it becomes the kernel. */
status schedule_nest(nest *n, const schedule_operand *operands, int n_operands, const schedule_options *o,
                     schedule *out);

/* ---- border.c: zero padding that lies in memory, around the tensor, so that a contraction reads it without masks or a
 * copy ---- */
/* Grows low and high (one for each dimension of o) to what the nest's masked READs of the operand reach beyond it.
 * False, and nothing grown, where zeros around the tensor cannot stand for the masks. */
bool border_of_reads(const nest *n, int operand, const schedule_operand *o, int64_t *low, int64_t *high);
/* Appends the call that fills the border of `o`, which is operand 0 of the call. */
status border_fill(const schedule_operand *o, const schedule_options *options, schedule *out);

/* ---- memory_plan.c ---- */
/* Gives every PLACE_ARENA buffer an offset such that buffers alive at one step do not overlap, and sets arena_bytes. */
status plan_memory(program *p);
/* The largest sum of bytes alive at any step: no plan can need less. */
int64_t plan_lower_bound(const program *p);

#endif
