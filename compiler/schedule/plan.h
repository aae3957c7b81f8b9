/* A nest on its way to a kernel: READs resolved to LOADs at linear addresses, axes collapsed. Private to schedule/. */
#ifndef TENON_SCHEDULE_PLAN_H
#define TENON_SCHEDULE_PLAN_H

#include "schedule/schedule.h"
#include "schedule/tuning.h"

#define PLAN_MAX_AXES (2 * NEST_MAX_AXES)

/* What is done to the data of a four before PAIRS: see pairs.c. */
typedef enum pair_kind { PAIR_PLAIN, PAIR_SIGNED, PAIR_KINDS } pair_kind;
typedef struct pair_steps {
    int64_t of[PAIR_KINDS];
    int64_t chain; /* steps whose sums fit 16 bits together; above 1 only where all are plain */
} pair_steps;
typedef struct byte_pairs byte_pairs;

typedef struct plan_stage {
    stage_kind kind;
    int n_axes;
    nest_axis axes[NEST_MAX_AXES];
    const expr *value;
    reduce_op op;
    int each;                /* REDUCE: 0, or value stands for the products of so many neighbours, see dots.c */
    byte_pairs *pairs;       /* of such products, where they can go by PAIRS; NULL: they cannot */
    const pair_steps *steps; /* pairs_pack: they do, and its axis are these steps, one kind after another */
    const expr *flips;       /* what the data are xored with, but for plain steps */
    int bits, least, most;   /* of the fours' weights: 4 or 2 bits hold them, from the least on; 0: they need more */
    bool packed;             /* codes_pack: several share a byte, */
    bool scales;             /* and are unpacked as 2^(8 - bits) times themselves, so that the sum is, too */
    struct sparse *sparse;   /* NULL, or value is what the products that it describes have for data, see sparse.h */
    const expr *start;       /* REDUCE, set by plan_starts: what it begins with; NULL: its neutral element */
    const expr *result;      /* REDUCE, LET */
    int slot;                /* STORE: kernel buffer */
    const expr *address;     /* STORE */
    const expr *kept;        /* REDUCE, set by rows_keep: where in `slot` each value is stored, too; NULL nowhere */
} plan_stage;

/* What a masked READ reaches in one dimension: positions low to high; its mask lets those in [from, to) through. */
typedef struct pad_reach {
    int64_t low, high, from, to;
} pad_reach;

/* A dense copy of an operand with a border of zeros: what it holds of each dimension, and its strides. */
typedef struct pad_copy {
    int operand, slot;
    pad_reach reach[NEST_MAX_AXES];
    int64_t strides[NEST_MAX_AXES];
} pad_copy;

typedef struct plan {
    builder *b;
    arena *memory;
    const schedule_options *options;
    const schedule_operand *operands;
    int n_operands;
    schedule *out;
    const char *name;
    const char *form; /* to be kept; NULL: any */
    bool contract;
    int64_t macs; /* of what has been emitted */
    int n_axes;
    nest_axis axes[NEST_MAX_AXES];
    int n_stages;
    plan_stage *stages;
    VEC(pad_copy) copies;               /* that have been made */
    VEC(int) slots;                     /* kernel buffer -> entry of out->buffers */
    VEC(bool) written;                  /* kernel buffer is stored to */
    size_t kept;                        /* kernel buffers that statements made before use: the first ones */
    bool raw;                           /* stored buffers may also be loaded */
    struct tile_candidates *candidates; /* where not NULL, gets every tile whose cost is asked for */
    kernel_choice chosen;               /* the tile that was emitted */
    int sums;                           /* slot that each iteration of the outermost loop has for itself; 0: none */
} plan;

/* The kernel buffer for an operand, made on first use. -1 when out of memory. */
int plan_operand_slot(plan *p, int operand);
/* A kernel buffer for a new schedule buffer. -1 when out of memory. */
int plan_new_slot(plan *p, schedule_buffer buffer);
const schedule_buffer *plan_slot_buffer(const plan *p, int slot);

/* The distinct LOADs in all stage values (addresses included), in order of creation. */
status plan_loads(const plan *p, expr_list *out);
/* Replaces from[i] by to[i] in every stage's value and store address. */
void plan_substitute(plan *p, const expr *const *from, const expr *const *to, int n);
/* Drops kernel buffers that no load or store uses any more (their data were packed elsewhere) and numbers the rest
 * anew, all but those that are kept. */
status plan_compact(plan *p);
/* All axes: outer, then those of each stage in order; returns how many (at most PLAN_MAX_AXES). */
int plan_all_axes(const plan *p, nest_axis *out);
/* The place of a stage's first axis among these. */
int plan_first_axis(const plan *p, int stage);
/* Steps over all axes of the stage. */
int64_t plan_steps(const plan_stage *g);
/* Ends the plan: its builder's statements become the kernel and its call is appended. */
status plan_finish(plan *p);
/* Combines the running value with the next one: op(acc, value), with a fused multiply-add where value is a product. */
const expr *plan_combine(builder *b, reduce_op op, const expr *acc, const expr *value);
/* The neutral element of op. */
const expr *plan_neutral(builder *b, reduce_op op, ltype t);

/* Emitters: write the plan's statements. */
status emit_naive(plan *p); /* naive.c: as it stands */
/* tiles.c: vectors along outer axis `axis`, register blocks; those of `given`, where that is not NULL. */
status emit_tiles(plan *p, int axis, int lanes, const kernel_choice *given);
status emit_rows(plan *p, int lanes); /* rows.c: vectors along the stages' innermost axes */
/* rows_keep.c: where the store's value is made of what a reduction adds up, over the same axis, and that is not cheap,
 * the reduction stores it in place of the result, and the store takes it from there. */
status rows_keep(plan *p);
/* transpose.c: a copy whose data lie along one axis and go along another, by squares that are turned in registers; not
 * done where it is no such copy. */
status emit_turned(plan *p, bool *out_done);
/* Of n vectors of n lanes, the i-th becomes what was lane i of each. */
void turn_square(builder *b, const expr **x, int n);
/* strategy.c: chooses among them by a count of loads and operations. */
status emit_plan(plan *p);

/* How a load steps along the axes: coefficients of plan_all_axes' axes, and the rest where it is a constant. */
typedef struct access {
    const expr *load;
    bool affine;   /* the address is affine in all axes with a constant rest */
    int64_t first; /* that rest */
    int64_t step[PLAN_MAX_AXES];
} access;
access plan_access(const plan *p, const expr *load);
/* The step of an address along one axis; false where it is not affine in it. */
bool plan_step(const plan *p, const expr *address, const expr *axis, int64_t *out_step);
/* Does the buffer hold constant data? */
bool plan_is_constant(const plan *p, int slot);
/* Its elements. */
const void *plan_constant(const plan *p, int slot);

/* digits.c: axes of a contraction's reduction that its data divide become several. */
status plan_digits(plan *p);

/* collapse.c: merges neighbouring axes that every access steps through as one. */
status plan_collapse(plan *p);

/* repack.c: constants in the order of a loop nest, computed at compile time. */
typedef struct repack_loop {
    int64_t extent;
    int64_t step;         /* in the source */
    const int64_t *moves; /* where not NULL: source positions of the steps, in place of step * i */
    const expr *var;      /* what stands for it in the new address */
} repack_loop;
repack_loop repack_axis(const nest_axis *axis, int64_t step);
/* x's elements in the order of the n loops (at least one), outermost first; *out_load reads them. */
status repack_constant(plan *p, const access *x, const repack_loop *loops, int n, const expr **out_load);
/* The place of their innermost step among all, by the loops' variables. */
const expr *repack_address(builder *b, const repack_loop *loops, int n);
/* The axes of a contraction's reduction are put in the order in which its data lie, and its constants follow, so that
 * neighbouring axes can be merged. */
status repack_reductions(plan *p);

/* starts.c: sums of integers, whatever their products, begin with what is only added to them afterwards. */
status plan_starts(plan *p);

/* dots.c: sums of products of bytes by constant ones, where the target has DOT4, go by four neighbours of the data: the
 * innermost axis of such a reduction counts fours, of which its value has the first. Constants follow. */
status plan_dots(plan *p);
/* Nothing is known yet. NULL when out of memory. */
byte_pairs *pairs_new(arena *a);
/* The two loads of such a reduction. */
void plan_dot_loads(const plan *p, const plan_stage *g, const expr **out_data, const expr **out_weights);
/* May vectors lie along the outer axis, as far as such reductions go? They read one four for all lanes. */
bool plan_dots_along(const plan *p, int axis);
/* Do all stores step along the outer axis? By one, or, at the end of a contraction, by any distance. */
bool plan_stores_along(const plan *p, const expr *var);

/* resolve.c: READs become LOADs. In a contraction, zero-padded operands are copied into a padded scratch first. */
status plan_resolve(plan *p, const nest *n);
int64_t operand_stride(const schedule_operand *o, int d);
/* pad.c */
/* Fills one entry for each dimension. False where an index is not affine in the axes or the mask is not a box. */
bool pad_reach_of(builder *b, const expr *read, int rank, const nest_axis *axes, int n_axes, pad_reach *out);
/* Is nothing masked that lies inside of the dimension? */
static inline bool pad_is_whole(const pad_reach *r, int64_t extent) {
    return (r->from <= 0 || r->from <= r->low) && (r->to >= extent || r->to > r->high);
}
/* The dimensions by falling stride. */
void pad_order(const schedule_operand *o, int *out);
/* Copies the operand of a masked READ into a dense scratch that covers every index the nest reads, zeros where the mask
 * is false; *out_load reads that, or the operand itself where it has a border of zeros. NULL where pad_reach_of says
 * no. */
status pad_operand(plan *p, const expr *read, const expr **out_load);
/* pack.c: writes dst[t] = src[src_first + sum(stride * (t + first))] as a call of its own; dst is dense over the given
 * axes, but for a dimension's room. Elements whose position in some dimension lies outside the source are 0: see
 * pack_dim. */
typedef struct pack_dim {
    int64_t extent;    /* of dst in this dimension */
    int64_t stride;    /* of src */
    int64_t first;     /* position in src of dst's position 0 */
    int64_t low, high; /* positions outside [low, high) of src are not read: their elements are 0 */
    int64_t room;      /* of dst for an index of the dimension before, no less than the extent */
} pack_dim;
status pack_copy(plan *p, int src_slot, int64_t src_first, int dst_slot, const pack_dim *dims, int n);
/* Writes only those 0, and leaves the rest of dst alone. */
status pack_zeros(plan *p, int dst_slot, const pack_dim *dims, int n);

#endif
