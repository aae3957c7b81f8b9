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
    VEC(const char *) kernels; /* with tuning: the contractions that the calls compute */
} schedule;

typedef struct schedule_options {
    const target *target;
    bool naive;
    const char *form;            /* a schedule's, to be kept where that can be; NULL: the one that costs least */
    const struct tuning *tuning; /* NULL: the cost model chooses */
} schedule_options;

/* How many of n elements are not zero; more than `most` are not counted further. */
int64_t schedule_not_zero(dtype elem, const void *data, int64_t n, int64_t most);
/* Are at most so many in a hundred of n elements not zero? */
bool schedule_is_sparse(dtype elem, const void *data, int64_t n, int percent);

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

/* ---- parallel.c: threads ---- */
/* Cuts those kernels into parts (kernel_parts) that are worth handing out to so many threads. The results keep their
 * bits. */
status schedule_parallel(program *p, int threads);

/* ---- memory_plan.c ---- */
#define PLAN_ALIGN 64 /* of every buffer of the arena */

/* Memory that the arena may lie in. */
typedef struct memory_region {
    const char *name;
    int64_t bytes;
} memory_region;
typedef VEC(memory_region) memory_regions;

/* Gives every PLACE_ARENA buffer an offset such that buffers alive at one step do not overlap, and sets arena_bytes.
 * With regions, p gets those, and each buffer lies in one: what has the most traffic for its size in the first that
 * holds it. What no region holds lies in the last, which then has more bytes than its limit. */
status plan_memory(program *p, const memory_regions *regions /* NULL, or empty: none */);
/* The largest sum of bytes alive at any step: no plan can need less. */
status plan_lower_bound(const program *p, int64_t *out);

/* ---- in_place.c ---- */
/* Where the most is alive: a step whose result has the size and type of an operand that is not read later, and that
 * reads each element before it writes it, gets one buffer for both. Before plan_memory. */
status share_in_place(program *p);

/* ---- step_order.c ---- */
/* An order of the steps that needs less memory at once, where there is one: out_order[i] is the number of the step that
 * comes i-th; NULL: as they are. What depends on what stays. Before share_in_place. */
status order_steps(const program *p, arena *a, const int **out_order);

#endif
