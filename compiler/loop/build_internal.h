/* What the files of the builder share: its struct, interning, value ranges, constant folding, linear forms. */
#ifndef TENON_LOOP_BUILD_INTERNAL_H
#define TENON_LOOP_BUILD_INTERNAL_H

#include "loop/loop.h"
#include "loop/nest.h"

/* An operation has at most a READ's indices and mask. */
#define EXPR_MAX_ARGS (NEST_MAX_AXES + 1)

/* Values that an integer expression can take, lanes included. {INT64_MIN, INT64_MAX} where nothing is known, and always
 * for u64 and floats. */
typedef struct range {
    int64_t lo, hi;
} range;
#define RANGE_ALL ((range){INT64_MIN, INT64_MAX})

/* Lies in memory just before each expression. */
typedef struct expr_head {
    builder *owner;
    range values;
    uint64_t shape; /* hash of the whole expression, the same on every machine */
    int newest_var; /* largest number of a variable within; -1 none */
} expr_head;

/* Results by expression id, all forgotten at once by a new serial. */
typedef struct memo_entry {
    uint32_t serial;
    const expr *to;
} memo_entry;
typedef struct memo {
    VEC(memo_entry) entries;
    uint32_t serial;
} memo;

/* Which nodes a walk has seen; one per depth of walks within walks. */
typedef struct visit_marks {
    VEC(uint32_t) stamps; /* by id */
    uint32_t serial;
} visit_marks;

typedef struct intern_slot {
    uint64_t hash;
    const expr *x; /* NULL: free */
} intern_slot;

/* A FOR or IF whose block is being filled. */
typedef struct open_block {
    stmt *owner;
    block *into;
} open_block;

struct builder {
    arena *memory;
    const target *target;
    bool failed;
    const expr *poison;
    intern_slot *slots; /* interned expressions, open addressing */
    size_t n_slots;
    uint32_t n_exprs;
    VEC(kernel_var) vars;
    VEC(kernel_reg) regs;
    block top;
    VEC(open_block) open;
    memo substitution;
    VEC(visit_marks) marks;
    size_t visit_depth;
    nest spare_nest; /* what nest_add gives when memory is out */
};

/* ---- build.c ---- */
/* The interned expression that equals `shape` (its n_args counts `args`), not simplified. */
const expr *build_intern(builder *b, const expr *shape, const expr *const *args);
/* An operation without immediate parts, not simplified. */
const expr *build_raw(builder *b, expr_kind k, ltype t, const expr *const *args, int n);
/* A fresh variable that takes these values. */
const expr *build_var_range(builder *b, ltype t, const char *name, range values);
/* A fresh i64 variable of a loop over 0 .. extent-1. */
const expr *build_axis(builder *b, const char *name, int64_t extent);
/* VAR `ref` of another table of variables: no range is known. */
const expr *build_var_ref(builder *b, ltype t, int ref);
range expr_range(const expr *x);
/* Does x come first in the canonical order of operands? By the newest variable, so that what changes rarely comes
 * first; then by form. It does not depend on the order in which expressions are made, which a C compiler may choose. */
bool expr_before(const expr *x, const expr *y);
bool range_known(range r);
range range_of_type(dtype t);
/* Has x's builder run out of memory, so that walks over x are not complete? */
bool expr_owner_failed(const expr *x);
const expr *memo_get(const memo *m, const expr *x);
void memo_put(builder *b, memo *m, const expr *x, const expr *to);
void memo_forget(memo *m);
void block_append(block *to, stmt *s);
stmt *stmt_new(builder *b, stmt_kind k);

/* ---- range.c: the values of a new expression ---- */
range range_of(const expr *shape, const expr *const *args);

/* ---- fold.c: constants; NULL where it is not for folding ---- */
int64_t fold_wrap(dtype t, int64_t x);
const expr *fold_unary(builder *b, expr_kind k, dtype to, const expr *x);
const expr *fold_binary(builder *b, expr_kind k, const expr *x, const expr *y);
const expr *fold_fma(builder *b, const expr *x, const expr *y, const expr *z);
bool expr_is_const(const expr *x); /* INT or FLOAT */
double fold_round(dtype t, double x);

/* ---- linear.c: index arithmetic on scalar i64; NULL where nothing is gained ---- */
const expr *linear_combine(builder *b, const expr *x, int64_t scale_x, const expr *y, int64_t scale_y);
const expr *linear_divide(builder *b, const expr *x, int64_t c);
const expr *linear_remainder(builder *b, const expr *x, int64_t c);
/* The values of x - y, RANGE_ALL where unknown. */
range linear_difference(const expr *x, const expr *y);

/* ---- simplify.c: rules by kind; NULL where none applies ---- */
const expr *simplify_unary(builder *b, expr_kind k, const expr *x);
const expr *simplify_binary(builder *b, expr_kind k, const expr *x, const expr *y);
const expr *simplify_lanes(builder *b, expr_kind k, const expr *x, const expr *y);

/* ---- simplify_cast.c ---- */
const expr *simplify_cast(builder *b, dtype t, const expr *x);
/* Does every value of `from` exist in `to`? */
bool simplify_holds(dtype to, dtype from);

/* ---- expand.c, place.c, emit.c: the steps of builder_kernel ---- */

/* What expand.c leaves: no unrolled loops, no loops of one iteration, no constant conditions; each variable and each
 * visible register array is defined once. A LET of a movable value only says "the value may be computed here": its
 * variable is not used any more. */
typedef struct finish finish;
struct finish {
    builder *b;
    const char *name;
    const kernel_buffer *buffers;
    int n_buffers;
    VEC(uint8_t) pinned; /* by expression id: 0 unknown, 1 no, 2 yes */
    block body;
};
/* Is the value bound to its statement: does it read a register or a buffer that the kernel writes? */
bool finish_pinned(finish *f, const expr *x);
void expand_body(finish *f, const block *from);

typedef enum region_kind { REGION_ROOT, REGION_LOOP, REGION_LOOP_MAYBE, REGION_BRANCH, REGION_CHECKED } region_kind;

/* Statements that run together: once one of them runs, all do. A loop's body, a branch, or what follows a CHECK. */
typedef struct region {
    region_kind kind;
    int parent, end; /* its descendants are the regions up to `end` */
    int at;          /* item of the parent that holds it; for REGION_CHECKED the item with the CHECK */
} region;

/* A statement, by its place in program order. */
typedef struct let_place let_place;
typedef struct item {
    int region;
    let_place *lets; /* to be put before it, in this order */
} item;

/* A variable for `value` before item `item`. */
struct let_place {
    const expr *value;
    int item;
    bool pinned; /* seen by that item only */
    let_place *next_at_item, *next_of_value;
    const expr *var; /* set when it is emitted */
};

typedef struct expr_use {
    int item;
    bool hint; /* a LET: may be computed here, but nothing needs it here */
    struct expr_use *next;
} expr_use;

typedef struct expr_info {
    const expr *x;    /* NULL: not part of the kernel */
    const char *stem; /* a LET's name for it */
    int home;         /* innermost region that defines one of its variables */
    int weight;       /* operations, up to a limit */
    int computed;     /* outermost region that computes it anyway */
    int safe;         /* where it cannot trap: this region and all within; -1 nowhere */
    expr_use *uses;
    let_place *lets;
} expr_info;

typedef struct placement {
    finish *f;
    VEC(region) regions;
    VEC(item) items;
    expr_info *info;        /* by id */
    VEC(expr_info *) order; /* operands first, in program order */
    int *var_home;          /* by variable */
} placement;
void place_lets(placement *p);
/* The LET that gives x's value at an item; NULL where x is spelt out. */
let_place *place_find(const placement *p, const expr *x, int item_at);
kernel *emit_kernel(placement *p);

#endif
