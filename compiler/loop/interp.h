/* The interpreter's instruction: what the files interp*.c share. Not for other rooms.
 *
 * A kernel becomes a line of instructions. Each knows where its operands and its result lie: slots of a frame that is
 * allocated once, so an instruction is one call through a pointer and no look-ups. A vector's slot is padded to whole
 * blocks of INTERP_BLOCK lanes and lane-wise instructions compute whole blocks: no operation can fault, and nobody
 * reads the padding.
 *
 *     interp.c          programs: which memory a step's buffers are, and the run
 *     interp_compile.c  statements to instructions        interp_expr.c  expressions to instructions
 *     interp_frame.c    where values lie
 *     interp_lanes.h, interp_casts.h, interp_moves.h      the instructions, instantiated by interp_base.c and
 * interp_avx2.c
 */
#ifndef TENON_LOOP_INTERP_H
#define TENON_LOOP_INTERP_H

#include "base/map.h"
#include "loop/loop.h"

#define INTERP_BLOCK 8
#define INTERP_MAX_LANES 64

typedef struct op op;
/* Executes one instruction; returns the next one, NULL at the end of the kernel. */
typedef const op *(*op_fn)(const op *p);

/* A kernel's buffer as the current step binds it. */
typedef struct interp_view {
    uint8_t *base;
    int64_t n; /* elements */
} interp_view;

struct op {
    op_fn run;
    void *out;
    const void *a, *b, *c;
    const interp_view *view; /* memory instructions */
    int64_t imm;             /* constant part of an index, stride, jump distance, ... */
    int32_t n;               /* lanes; rounded up to blocks where the instruction is lane-wise */
    int32_t size;            /* bytes of an element; other small numbers */
};

/* A row: for one lane, and for blocks of lanes. */
typedef op_fn op_pair[2];

/* Element sizes 1, 2, 4, 8. */
#define INTERP_SIZES 4
/* Bytes of a contiguous access: 1, 2, 4, ... 64, and any other number. */
#define INTERP_WIDTHS 8

/* The instructions, compiled once for each instruction set. Entries are NULL where the loop IR has no such operation.
 */
typedef struct interp_ops {
    const op_pair (*lanes)[DT_COUNT];                  /* [expression][element type of the first operand] */
    const op_pair (*cast)[DT_COUNT];                   /* [from][to]; NULL for pairs that interp_cast_any does */
    const op_fn (*saturate)[DT_COUNT];                 /* [from][to] */
    const op_pair *select;                             /* [size] */
    const op_fn *broadcast, *load_broadcast, *shuffle; /* [size] */
    const op_fn *gather, *scatter, *load_masked, *store_masked; /* [size] */
    const op_fn *load, *store, *copy;                           /* [width] */
} interp_ops;

extern const interp_ops interp_ops_base;
#if defined(__x86_64__)
extern const interp_ops interp_ops_avx2;
#endif

/* Any CAST from or to a float narrower than f32, by way of double. imm: the type cast from, size: the type cast to. */
const op *interp_cast_any(const op *p);

/* Address of element `index` of the instruction's buffer; n elements from there on are inside. */
static inline uint8_t *interp_at(const op *p, int64_t index, int64_t n) {
    TENON_ASSERT(index >= 0 && index <= p->view->n - n);
    return p->view->base + index * p->size;
}

/* ---- interp_frame.c: slots. All kernels of a program use one frame: they run one at a time. ---- */
typedef struct interp_chunk interp_chunk;
typedef struct interp_frame {
    arena *memory;
    interp_chunk *first, *current;
    size_t used; /* bytes of `current` */
} interp_frame;
typedef struct interp_mark {
    interp_chunk *chunk;
    size_t used;
} interp_mark;

/* Bytes of a slot, padding included. */
size_t interp_slot_bytes(ltype t);
/* Bytes of an element. */
int interp_size(dtype t);
/* A slot in use until the frame returns to an earlier mark. NULL when out of memory. */
void *interp_slot(interp_frame *f, size_t bytes);
interp_mark interp_frame_mark(const interp_frame *f);
void interp_frame_return(interp_frame *f, interp_mark mark);

/* ---- interp_expr.c, interp_compile.c ---- */
typedef struct interp_reg {
    uint8_t *slots;
    size_t stride;
} interp_reg;

/* A kernel being compiled. */
typedef struct interp_code {
    const kernel *k;
    arena *memory;
    interp_frame *frame;
    const interp_ops *ops;
    const interp_view *views;
    VEC(op) line;
    map values;         /* expression -> where its value is, and for which statement */
    uint64_t statement; /* counts statements: values are good for one */
    const void **vars;
    interp_reg *regs;
    int *out_code; /* where CHECK leaves its code */
} interp_code;

status interp_emit(interp_code *c, op o);
/* Instructions that compute x; *out is where its value will be until the statement ends. With `dest` it is put there.
 */
status interp_value(interp_code *c, const expr *x, void *dest, const void **out);
/* Fills o's operands for an access to `buffer` at `index`, for values of type t. */
status interp_address(interp_code *c, int buffer, ltype t, const expr *index, const expr *mask, op *o);
/* The slot of element `index` of a register array. */
void *interp_reg_slot(const interp_code *c, int reg, const expr *index);
/* Index in a table by size, and in one by width. */
int interp_size_row(dtype t);
int interp_width_row(ltype t);

/* The kernel's first instruction. */
status interp_compile(const kernel *k, arena *a, interp_frame *frame, const interp_ops *ops, const interp_view *views,
                      int *out_code, const op **out);

#endif
