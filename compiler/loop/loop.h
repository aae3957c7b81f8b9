/* clang-format off: the lists are tables */
/* The loop IR: programs of kernels over flat buffers. This page is its meaning; interp.c is its definition.
 *
 * TYPES. An element type and a number of lanes (1..64). Arithmetic exists on bool, i8..i64, u8..u64, f32 and f64.
 * Values of f16, bf16 and the float8 kinds can be loaded, stored, moved (broadcast, shuffle, select, bitcast) and CAST,
 * no more. Buffers hold elements of these types, bool as one byte 0 or 1. Sub-byte types do not exist here.
 * All operands of an operation have the same type unless said otherwise; the result has it too.
 *
 * EXPRESSIONS are immutable, pure, and interned by their builder: equal expressions are the same pointer, so a shared
 * expression is computed once however it is spelt. A LOAD or REG means the value when its statement executes.
 *   INT FLOAT       a constant. FLOAT holds a double that is exactly representable in its type (or inf, nan)
 *   VAR             a loop variable (i64), or a LET's value
 *   LOAD b i [m]    buffer parameter b. Scalar index i and n lanes: elements i .. i+n-1. Index of n lanes: a gather.
 *                   With a mask m (bool, n lanes): lanes whose mask is false are not accessed and give 0
 *   REG r i         element i of register array r; i must be constant after unrolling (loop_unroll)
 *   READ k i.. [m]  tensor operand k at a multi-dimensional index. Only in nests (nest.h), never in a kernel
 *   BROADCAST x     scalar to lanes
 *   RAMP x s        x, x+s, x+2s ... (integers; s in `imm`)
 *   SHUFFLE x y     lane j is lane `lanes[j]` of the concatenation of x and y (which have one type)
 *   PERMUTE x i     lane j is lane i[j] modulo n of x; i are integers as wide as x's elements, n lanes each, a power of
 *                   two
 *   PERMUTE2 x y i  the same of the concatenation of x and y: lane i[j] modulo 2n
 *   REDUCE_* x      lanes to a scalar: a fixed tree that halves: x[0..n/2) op x[n/2..n), again until one lane is left.
 *                   n is a power of two
 *   NEG ABS         integers wrap (ABS of the smallest is itself); floats change the sign bit only
 *   NOT             bitwise; logical on bool
 *   SQRT            correctly rounded
 *   FLOOR CEIL TRUNC RINT   to an integral float; RINT half to even
 *   CAST            int to int: extends by the source's signedness, or wraps. int to float, float to narrower float:
 *                   nearest, half to even (float8: as ONNX Cast with saturate=1). float to int: truncates, saturates,
 *                   NaN gives 0. To bool: x != 0. From bool: 0 or 1
 *   SATURATE        int to int, clamped to the new type's range
 *   BITCAST         same bits, same lanes, same width
 *   ADD SUB MUL     integers wrap
 *   DIV             integers truncate; x/0 = 0; smallest/-1 wraps
 *   REM             integers: x - x/y*y, x rem 0 = 0
 *   MIN MAX         min(a,b) = a < b ? a : b, max(a,b) = a > b ? a : b (so b where either is NaN)
 *   AND OR XOR      integers and bool
 *   SHL SHR         count taken modulo the width; SHR arithmetic where signed
 *   SHR_ROUND x n   (x + 2^(n-1)) >> n without overflow, for n >= 1; x for n = 0
 *   MUL_HIGH x y    i32: the upper 32 bits of the product of 64 bits
 *   EQ NE LT LE     bool of the operands' lanes; on floats ordered except NE (so NaN != NaN is true). LT, LE also on
 *                   bool never
 *   SELECT c a b    lane-wise; c is bool with the same number of lanes as a and b
 *   FMA a b c       a*b + c rounded once; floats only, and only on targets that have the instruction
 *   PAIRS a b       i16 lane j: a[2j]*b[2j] + a[2j+1]*b[2j+1], a u8 and b i8 of twice the lanes; saturates
 *   DOT2 c a b      i32 lane j: c[j] + a[2j]*b[2j] + a[2j+1]*b[2j+1], a and b i16 of twice the lanes; wraps
 *   DOT4 c a b      i32 lane j: c[j] + sum of 4 products a[4j+t]*b[4j+t], a u8 or i8, b i8 of 4 times the lanes; wraps
 * Floats are IEEE 754 in round-to-nearest, subnormals kept, without fast-math and without contraction. Any NaN equals
 * any NaN: the bits of a NaN mean nothing.
 *
 * STATEMENTS
 *   LET v = x       v is in scope until the end of the block
 *   FOR v < n       v = 0 .. n-1, n a scalar i64 expression. serial; unrolled (expanded by loop_unroll before any back
 *                   end sees it; n constant); parallel (iterations are independent)
 *   STORE b i x [m] as LOAD. The lanes of a scatter have distinct indices
 *   DECLARE r       register array r exists until the end of the block; its elements are undefined until SET
 *   SET r i x       r[i] = x
 *   IF c            then, else (either may be empty)
 *   CHECK c code    where c is false the kernel returns `code` at once (a TENON_E... number of runtime.h)
 *   NOTE text       a comment for readers of the generated code
 * An access outside a buffer is a bug of whoever made the program: loop_verify proves what it can, interp checks the
 * rest.
 */
/* clang-format on */
#ifndef TENON_LOOP_LOOP_H
#define TENON_LOOP_LOOP_H

#include "base/diag.h"
#include "base/dtype.h"
#include "base/text.h"
#include "loop/target.h"

typedef struct ltype {
    dtype elem;
    int lanes;
} ltype;

typedef enum expr_kind {
#define EXPR(name, text, args) EXPR_##name,
#include "loop/expr.def"
#undef EXPR
    EXPR_COUNT
} expr_kind;

typedef struct expr expr;
struct expr {
    expr_kind kind;
    ltype type;
    int ref;     /* VAR: variable; LOAD: buffer; REG: register array; READ: operand */
    bool masked; /* LOAD, READ: the last operand is the mask */
    int n_args;
    int64_t imm;          /* INT: value (u64 by its bits); RAMP: stride */
    double f;             /* FLOAT */
    const uint8_t *lanes; /* SHUFFLE: type.lanes indices */
    uint32_t id;          /* order of creation in the builder: the same on every machine */
    const expr *arg[];
};

typedef enum stmt_kind {
    STMT_LET,
    STMT_FOR,
    STMT_STORE,
    STMT_DECLARE,
    STMT_SET,
    STMT_IF,
    STMT_CHECK,
    STMT_NOTE,
    STMT_COUNT
} stmt_kind;

typedef enum loop_kind { LOOP_SERIAL, LOOP_UNROLLED, LOOP_PARALLEL } loop_kind;

typedef struct stmt stmt;
typedef struct block {
    stmt *first, *last;
} block;
struct stmt {
    stmt_kind kind;
    stmt *next;
    union {
        struct {
            const expr *var, *value;
        } let;
        struct {
            const expr *var, *extent;
            loop_kind kind;
            block body;
        } loop;
        struct {
            int buffer;
            const expr *index, *value, *mask;
        } store; /* mask NULL: all lanes */
        struct {
            int reg;
        } declare;
        struct {
            int reg;
            const expr *index, *value;
        } set;
        struct {
            const expr *condition;
            block then, otherwise;
        } cond;
        struct {
            const expr *condition;
            int code;
        } check;
        struct {
            const char *text;
        } note;
    };
};

/* SCRATCH: read and written; what is in it when the kernel begins means nothing, and each iteration of the kernel's
 * outermost loop reads only what that iteration has written: iterations may have copies of their own. */
typedef enum buffer_access {
    ACCESS_READ = 1,
    ACCESS_WRITE = 2,
    ACCESS_READ_WRITE = 3,
    ACCESS_SCRATCH = 7
} buffer_access;

typedef struct kernel_buffer {
    const char *name;
    dtype elem;
    int64_t n; /* elements */
    buffer_access access;
} kernel_buffer;

typedef struct kernel_reg {
    const char *name;
    ltype type;
    int n;
} kernel_reg;

typedef struct kernel_var {
    const char *name;
    ltype type;
} kernel_var;

/* A function over buffers. Different buffer parameters never overlap. */
typedef struct kernel {
    const char *name; /* an identifier, unique in the program */
    VEC(kernel_buffer) buffers;
    VEC(kernel_reg) regs;
    VEC(kernel_var) vars; /* by VAR's ref */
    block body;
} kernel;

/* A kernel whose body is one parallel loop of constant extent may be run in parts: the back ends make it a function of
 * the iteration, and hand that to the caller's parallel_for (runtime.h). A SCRATCH buffer of it is as many copies as
 * there are parts, and each part has its own. The loop, or NULL. Other parallel loops run serially. */
static inline const stmt *kernel_parts(const kernel *k) {
    const stmt *s = k->body.first;
    bool is_one = s != NULL && s->next == NULL && s->kind == STMT_FOR && s->loop.kind == LOOP_PARALLEL;
    return is_one && s->loop.extent->kind == EXPR_INT ? s : NULL;
}

/* Elements from one part's copy of a SCRATCH buffer to the next one's: each begins at a multiple of 64 bytes. */
static inline int64_t kernel_scratch_step(const kernel_buffer *b) {
    int64_t line = 512 / dtype_bits(b->elem);
    return (b->n + line - 1) / line * line;
}

typedef enum place_kind { PLACE_INPUT, PLACE_OUTPUT, PLACE_CONST, PLACE_ARENA, PLACE_COUNT } place_kind;

typedef struct program_buffer {
    const char *name;  /* an identifier, unique in the program */
    const char *title; /* inputs and outputs: the tensor's name in the model; else NULL */
    dtype elem;        /* of an input or output any type: kernels see those that do not exist here as bytes */
    int64_t n;         /* elements */
    place_kind place;
    int rank; /* inputs and outputs: the tensor's shape */
    const int64_t *dims;
    const void *data; /* PLACE_CONST: n elements, borrowed or in the program's arena */
    int64_t offset;   /* PLACE_ARENA: bytes from the arena's start, multiple of 64 */
} program_buffer;

typedef struct step_arg {
    int buffer;    /* of the program */
    int64_t first; /* element that the kernel sees as its element 0 */
} step_arg;

/* A part of the arena that is memory of its own. */
typedef struct program_region {
    const char *name; /* an identifier */
    int64_t limit;    /* bytes that it may have; 0: not known */
    int64_t start;    /* its first byte in the arena: regions lie one after another, each a multiple of 64 bytes */
    int64_t bytes;    /* that a run needs */
} program_region;

/* One call of a kernel. */
typedef struct program_step {
    int kernel;
    const step_arg *args; /* one per kernel buffer */
    const char *note;     /* which ONNX nodes: "MatMul 'MatMul_12' + Add 'Add_13'" */
    int64_t node;         /* index of the one that leads them, -1 none */
    const char *lead;     /* its name, or its operator where it has none; NULL none */
    int64_t macs;
} program_step;

typedef struct program {
    arena *memory;
    const char *name; /* an identifier: PREFIX of generated code */
    const target *target;
    VEC(program_buffer) buffers; /* inputs in the model's order, then outputs, then the rest */
    int n_inputs, n_outputs;
    VEC(kernel *) kernels;
    VEC(program_step) steps;     /* run in this order */
    int64_t arena_bytes;         /* scratch memory a run needs; 64 bytes aligned */
    VEC(program_region) regions; /* the arena in parts; none: it is one */
    int threads;                 /* above 1: what its kernels were cut into parts for */
    const char *origin; /* comment block for generated code: tenon's version, command line, model file name, sha256 */
} program;

/* ---- build.c: expressions ----
 * A builder makes expressions and statements of one kernel (or nest) in an arena. Expressions are simplified as they
 * are made, always exactly: constants fold, x+0 on integers, nested adds of index arithmetic in one canonical order,
 * and so on. Out of memory: every function returns a valid poison expression, and builder_status says STATUS_RESOURCE
 * at the end; only builder_new gives NULL. The form of an expression does not depend on the order in which its operands
 * were made. */
typedef struct builder builder;

builder *builder_new(arena *a, const target *t);
status builder_status(const builder *b);
/* Notes that memory has run out: from here on everything is poison, which it returns. */
const expr *build_fail(builder *b);
arena *builder_arena(builder *b);
const target *builder_target(const builder *b);

#define LTYPE(elem_, lanes_) ((ltype){(elem_), (lanes_)})
bool ltype_equal(ltype a, ltype b);

const expr *build_int(builder *b, dtype t, int64_t value);
const expr *build_index(builder *b, int64_t value);           /* an i64 */
const expr *build_float(builder *b, dtype t, double value);   /* rounded to t first */
const expr *build_const(builder *b, dtype t, double value);   /* INT, bool or FLOAT by t */
const expr *build_var(builder *b, ltype t, const char *name); /* a fresh variable */
const expr *build_load(builder *b, int buffer, ltype t, const expr *index, const expr *mask /* or NULL */);
const expr *build_reg_get(builder *b, int reg, ltype t, const expr *index);
const expr *build_read(builder *b, int operand, dtype t, const expr *const *index, int rank,
                       const expr *mask /* or NULL */);
const expr *build_broadcast(builder *b, const expr *x, int lanes); /* x itself where lanes is 1 */
const expr *build_ramp(builder *b, const expr *base, int64_t stride, int lanes);
const expr *build_shuffle(builder *b, const expr *x, const expr *y, const uint8_t *lanes, int n);
const expr *build_permute(builder *b, const expr *x, const expr *lanes);
const expr *build_permute2(builder *b, const expr *x, const expr *y, const expr *lanes);
const expr *build_unary(builder *b, expr_kind k, const expr *x); /* NEG .. RINT, REDUCE_* */
const expr *build_cast(builder *b, dtype t, const expr *x);
const expr *build_saturate(builder *b, dtype t, const expr *x);
const expr *build_bitcast(builder *b, dtype t, const expr *x);
const expr *build_binary(builder *b, expr_kind k, const expr *x, const expr *y); /* ADD .. LE */
const expr *build_select(builder *b, const expr *c, const expr *x, const expr *y);
const expr *build_fma(builder *b, const expr *x, const expr *y, const expr *z);
const expr *build_pairs(builder *b, const expr *x, const expr *y);
const expr *build_dot(builder *b, expr_kind k, const expr *acc, const expr *x, const expr *y);
/* x*y + z: FMA where the builder's target has it, else MUL and ADD. */
const expr *build_mul_add(builder *b, const expr *x, const expr *y, const expr *z);
/* Short forms. A scalar operand is broadcast to the other's lanes. */
const expr *build_add(builder *b, const expr *x, const expr *y);
const expr *build_sub(builder *b, const expr *x, const expr *y);
const expr *build_mul(builder *b, const expr *x, const expr *y);
const expr *build_div(builder *b, const expr *x, const expr *y);
const expr *build_rem(builder *b, const expr *x, const expr *y);
const expr *build_min(builder *b, const expr *x, const expr *y);
const expr *build_max(builder *b, const expr *x, const expr *y);
const expr *build_and(builder *b, const expr *x, const expr *y);
const expr *build_lt(builder *b, const expr *x, const expr *y);
const expr *build_le(builder *b, const expr *x, const expr *y);
const expr *build_eq(builder *b, const expr *x, const expr *y);
const expr *build_ne(builder *b, const expr *x, const expr *y);

/* The same expression over other operands, simplified again. */
const expr *build_like(builder *b, const expr *x, const expr *const *args);
/* x with every occurrence of from[i] replaced by to[i] (n pairs). Lanes must agree. Linear in x's distinct nodes. */
const expr *build_substitute(builder *b, const expr *x, const expr *const *from, const expr *const *to, int n);
/* x with from[i] (scalar variables) replaced by to[i] where some to[i] have `lanes` lanes: the result is widened,
 * uniform parts stay scalar and are broadcast where they meet lanes. A LOAD whose index becomes RAMP(base, 1) becomes a
 * contiguous load, one with another index a gather. The result always has `lanes` lanes. */
const expr *build_widen(builder *b, const expr *x, const expr *const *from, const expr *const *to, int n, int lanes);
/* Calls fn once for each distinct node of x, operands first. */
void expr_visit(const expr *x, void (*fn)(const expr *x, void *ctx), void *ctx);
/* Expressions of one kind, each once: where one has another as a part, that comes first. */
typedef struct expr_list {
    expr_kind kind;
    arena *memory;
    VEC(const expr *) at;
    status result;
} expr_list;
/* Those of x that l does not have. */
void expr_list_add(expr_list *l, const expr *x);
bool expr_uses(const expr *x, const expr *part);
/* A SHUFFLE that repeats all lanes of its first operand, which are 32 bits. */
bool expr_repeats_word(const expr *x);
bool expr_is_int(const expr *x, int64_t value); /* an INT (or broadcast INT) of this value */
/* What values a float expression can take: bounds, which hold where it is no NaN; may it be NaN; is it, or an infinity
 * or NaN, always integral? `lets`: by variable, what a LET bound to it, or NULL; NULL for none. */
typedef struct float_span {
    double lo, hi;
    bool nan, integral;
} float_span;
float_span expr_span(const expr *x, const expr *const *lets);
/* index = sum of coefficient * variable + rest, with `rest` free of the n variables. False where it is not affine in
 * them. Products and sums only; an expression free of the variables is part of the rest. */
bool expr_affine(builder *b, const expr *index, const expr *const *vars, int n, int64_t *out_coefficients,
                 const expr **out_rest);

/* ---- build.c: statements, appended to the builder's current block ---- */
block builder_take(builder *b);           /* the outermost block; the builder starts a new one */
void builder_put(builder *b, block body); /* a block that was taken becomes the outermost one again */
const expr *build_let(builder *b, const char *name, const expr *x); /* the new variable; a leaf is returned as it is */
const expr *build_for(builder *b, const char *name, const expr *extent, loop_kind kind); /* opens; gives the variable */
void build_for_var(builder *b, const expr *var, const expr *extent,
                   loop_kind kind);               /* the same over a given variable */
void build_if(builder *b, const expr *condition); /* opens */
void build_else(builder *b);
void build_end(builder *b); /* closes the for or if */
void build_store(builder *b, int buffer, const expr *index, const expr *value, const expr *mask /* or NULL */);
int build_declare(builder *b, const char *name, ltype t, int n); /* a register array */
void build_set(builder *b, int reg, const expr *index, const expr *value);
void build_check(builder *b, const expr *condition, int code);
void build_note(builder *b, const char *text);
/* The finished kernel in the builder's arena: body and tables taken from the builder, buffers given by the caller.
 * NULL when out of memory. Shared expressions get their LETs here, at the outermost place where all their variables
 * exist (a load from a buffer that the kernel writes stays in its statement), and unrolled loops are expanded. */
kernel *builder_kernel(builder *b, const char *name, const kernel_buffer *buffers, int n);

/* ---- math.c: elementary functions over f32 (and f64) expressions of any lanes; maximum error in ULP in math.c's
 * table, measured by a test. NaN in, NaN out; infinities and subnormals as C99 Annex F says. ---- */
const expr *build_exp(builder *b, const expr *x);
const expr *build_log(builder *b, const expr *x);
const expr *build_tanh(builder *b, const expr *x);
const expr *build_erf(builder *b, const expr *x);
const expr *build_sigmoid(builder *b, const expr *x);
const expr *build_pow(builder *b, const expr *x, const expr *y);
const expr *build_sin(builder *b, const expr *x);
const expr *build_cos(builder *b, const expr *x);
const expr *build_log1p(builder *b, const expr *x);
const expr *build_expm1(builder *b, const expr *x);

/* ---- legalise.c: what the target lacks (SQRT, FLOOR, CEIL, TRUNC, RINT, half and float8 CAST, PAIRS, DOT2, DOT4)
 * spelt in what it has, correctly rounded. Run on each kernel before any back end. ---- */
status kernel_legalise(kernel *k, arena *a, const target *t);

/* ---- merge.c ---- */
/* A copy of k in `a` in which buffer parameter `from` is `to`, read and written; those after `from` move up by one.
 * Right where each element is read before it is written. */
status kernel_merge_buffers(const kernel *k, int from, int to, const char *name, const target *t, arena *a,
                            kernel **out);

/* ---- fuse.c: kernels that run in turn inside of common loops ---- */
#define FUSE_MAX_LOOPS 4

/* A loop over blocks of an axis. The last block steps back so as to end with the axis. */
typedef struct fused_loop {
    int64_t extent, block;
} fused_loop;

static inline int64_t fused_blocks(const fused_loop *l) {
    return (l->extent + l->block - 1) / l->block;
}

/* A kernel that computes one block. Its buffer k is buffers[k] of the fused kernel, and block 0 is what it computes as
 * it stands; steps[k][i] are the elements by which the buffer moves for a step along loop i's axis. */
typedef struct fused_call {
    const kernel *k;
    const int *buffers;
    const int64_t (*steps)[FUSE_MAX_LOOPS];
    int depth; /* it runs inside of the first `depth` loops; its buffers do not move along the others */
} fused_call;

typedef struct fusion {
    const char *name;
    const kernel_buffer *buffers;
    int n_buffers;
    fused_loop loops[FUSE_MAX_LOOPS]; /* outermost first */
    int n_loops;
    const fused_call *calls; /* in the order in which they run for one block */
    int n_calls;
} fusion;

/* The calls as one kernel in `a`. Those of a lesser depth run before the loops that they are not inside of, so they
 * must not read what deeper ones write. */
status kernel_fuse(const fusion *f, arena *a, const target *t, kernel **out);

/* ---- traffic.c ---- */
/* Different elements of a buffer that one call reads and writes, at most: as many as its loops have addresses, and
 * never more than the buffer has. Work under a mask or a condition counts as done. */
typedef struct buffer_traffic {
    int64_t read, written;
} buffer_traffic;
/* One for each buffer of k, in `a`. */
status kernel_traffic(const kernel *k, arena *a, const buffer_traffic **out);

/* ---- verify.c ---- */
/* Types, scopes, kinds, ranks of the tables; constant-index bounds and affine indices over loops of constant extent.
 * The first broken rule is a diagnostic [invalid-program], STATUS_INVALID. */
status kernel_verify(const kernel *k, diag *d);
status program_verify(const program *p, diag *d);
/* How a kernel sees a program's buffer: its element type and how many elements there are. */
kernel_buffer program_seen(const program_buffer *b);
/* The number of the region that an arena buffer lies in; p has some. */
size_t program_region_of(const program *p, const program_buffer *b);

/* ---- print.c, parse.c: text form; parse(print(p)) prints the same. Constants above 64 elements print as their sha256,
 * and parse back through `resolve` (NULL: refused). ---- */
void kernel_print(const kernel *k, strbuf *out);
void program_print(const program *p, strbuf *out);
void loop_dump(const kernel *k); /* to stderr, for the debugger */
typedef const void *(*const_resolver)(void *ctx, const char *sha256, size_t bytes);
status program_parse(const char *text, size_t n, const char *file, arena *a, diag *d, const_resolver resolve, void *ctx,
                     program **out);

/* ---- interp.c ---- */
typedef struct interp interp;
/* Prepares the program for interpretation, in `a`. STATUS_RESOURCE when out of memory. */
status interp_new(const program *p, arena *a, interp **out);
/* Runs it. inputs and outputs: one pointer per tensor; scratch: arena_bytes, 64-aligned (may be NULL when 0).
 * out_code: 0, or the CHECK's code. Accesses are bounds-checked: one outside is TENON_ASSERT. Not re-entrant per
 * interp. */
status interp_run(interp *m, const void *const *inputs, void *const *outputs, void *scratch, int *out_code);

#endif
