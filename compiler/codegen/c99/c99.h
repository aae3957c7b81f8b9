/* The C99 back end, inside: how a program becomes text.
 *
 * A loop IR value becomes one or more PARTS, each a C expression: a scalar, or a GNU vector that fits a register of the
 * target. Wider values are several parts, so that a compiler never sees a vector that it would have to take apart
 * itself; without vector registers every part is a scalar and the text is standard C99. A bool vector is a vector of
 * signed integers, 0 or -1, as wide as the values that it was compared from. Expressions used twice, or grown long,
 * become constants (`const f32x8 t3 = ...`) before their statement.
 */
#ifndef TENON_CODEGEN_C99_C99_H
#define TENON_CODEGEN_C99_C99_H

#include "base/map.h"
#include "codegen/codegen.h"

/* How tightly a text binds: what stands inside an operator of a lower level needs no parentheses. */
typedef enum level { LEVEL_NAME, LEVEL_ATOM, LEVEL_UNARY, LEVEL_MUL, LEVEL_ADD, LEVEL_ANY } level;

typedef struct code {
    const char *s;
    level level;
    int cost; /* operations in it */
} code;

typedef struct part {
    int first, count; /* lanes; count 1: a scalar */
    code code;
} part;

/* `lanes` lanes of an element type; `bits`: of a lane in memory, or of the integers that stand for a bool in a vector.
 */
typedef struct value {
    dtype elem;
    int lanes, bits;
    int n;
    part *at;
} value;

/* Names taken in one scope of C; `outer` is NULL for the file. */
typedef struct names {
    map taken;
    struct names *outer;
} names;

typedef struct c99_range {
    __int128 lo, hi;
} c99_range;

/* What is known about a variable of the kernel. */
typedef struct c99_var {
    value value;
    c99_range range;
} c99_var;

#define MAX_LANES 64
#define VECTOR_LOGS 7 /* vectors of 2, 4 .. 64 lanes */

typedef struct c99 {
    arena *memory;  /* the files */
    arena *scratch; /* texts of one statement */
    const program *p;
    const target *target;
    weights_form weights;
    bool failed;
    names globals;
    bool *helpers; /* by c99_helper and types: which were named */
    map words;     /* all that the kernels name: see c99_is_used */
    bool vectors[DT_COUNT][VECTOR_LOGS], memory_vectors[DT_COUNT][VECTOR_LOGS];
    const char **const_names;  /* by program buffer: of its data, NULL where no step uses it */
    const char **fields;       /* by program buffer: input's and output's member */
    const char **kernel_names; /* by kernel, NULL where no step calls it */
    bool *kernel_checks;       /* by kernel: it returns a code */
    const char **part_names;   /* by kernel: of the function of its parts, where it has some (kernel_parts) */
    weight_table table;
    uint64_t weight_bytes; /* of PREFIX.weights, 0 where there is none */
    /* one kernel */
    const kernel *k;
    names locals;
    const char **buffer_names;
    c99_var *vars;
    value **regs; /* by register array and element */
    strbuf *out;
    int indent;
    int n_temporaries;
    /* one statement */
    map nodes;
    value nothing; /* of no parts: what there is when memory is out */
} c99;

/* ---- c99_text.c: names, comments, pieces of text ---- */
/* `wanted` as an identifier that is no keyword, macro or type and is new in its scope; takes it. */
const char *c99_name(c99 *c, names *scope, const char *wanted);
void c99_reserve(c99 *c, names *scope, const char *name);
/* The same for a name that inner scopes may have all the same. */
void c99_reserve_here(c99 *c, names *scope, const char *name);
/* Adds text that may stand in a comment: printable ASCII in which no comment ends or begins, no trigraph. */
/* What the model calls the tensor; the program's own name where it has none. */
const char *c99_title(const program_buffer *b);
void c99_comment(strbuf *out, const char *text);
void c99_string(strbuf *out, const char *text);
code c99_code(c99 *c, level l, int cost, const char *format, ...) __attribute__((format(printf, 4, 5)));
/* The text, in parentheses where it binds looser than `most`. */
const char *c99_inside(c99 *c, code x, level most);
void c99_line(c99 *c, const char *format, ...) __attribute__((format(printf, 2, 3)));
const char *c99_keep(c99 *c, const char *text); /* NULL (out of memory) becomes "" and a failure */

/* ---- c99_types.c: element types in C ---- */
const char *c99_scalar_type(dtype t);  /* of a value: "float", "bool" */
const char *c99_storage_type(dtype t); /* in memory: bool as uint8_t, halves as uint16_t */
dtype c99_stored(dtype t);             /* the integer that stands for a bool, half or 8-bit float; else t */
dtype c99_int_type(int bits, bool is_signed);
const char *c99_vector(c99 *c, dtype t, int count);        /* "f32x8" */
const char *c99_memory_vector(c99 *c, dtype t, int count); /* the same at any address: "f32x8_u" */
void c99_vector_typedefs(c99 *c, strbuf *out);
/* How `lanes` lanes of `bits` bits are cut into parts: part sizes into sizes[MAX_LANES]; how many. */
int c99_cut(const target *t, int bits, int lanes, int *sizes);
/* A value with its parts cut, texts empty. */
value c99_value(c99 *c, dtype elem, int bits, int lanes);
code c99_int(c99 *c, dtype t, int64_t x);
code c99_float(c99 *c, dtype t, double x);
/* The bits of x in floating type t. */
uint64_t c99_float_bits(dtype t, double x);

/* ---- c99_range.c: integer ranges ---- */
c99_range c99_type_range(dtype t);
c99_range c99_expr_range(c99 *c, const expr *x);
/* Does the operation on mathematical integers stay inside its type, for all values of its operands? */
bool c99_never_wraps(c99 *c, const expr *x);

/* ---- c99_helper.c: small functions that the kernels call, written where they are needed ---- */
typedef enum c99_helper {
#define HELPER(name, text) HELPER_##name,
#include "codegen/c99/helper.def"
#undef HELPER
    HELPER_COUNT
} c99_helper;
/* The name of helper h for result type t and operand type from (DT_NONE: only one type); marks it as needed. */
const char *c99_helper_name(c99 *c, c99_helper h, dtype t, dtype from);
void c99_helpers_write(c99 *c, strbuf *out);

/* ---- c99_scalar.c: one lane ---- */
/* `kind` on scalars of `from` (operands' type) giving `to`; `plain`: proven not to wrap. */
code c99_scalar(c99 *c, expr_kind kind, dtype to, dtype from, const code *args, int n, bool plain);

/* ---- c99_vector.c, c99_cast.c: one register ---- */
/* `kind` on n vectors of `count` lanes. False where the target has no short way: then it is done lane by lane. */
bool c99_vector_op(c99 *c, expr_kind kind, dtype elem, int count, int n, const code *args, code *out);
code c99_vector_select(c99 *c, dtype elem, int count, code mask, code a, code b);
code c99_vector_splat(c99 *c, dtype elem, int count, code x);
/* int to int (both signs), int to float and so on, on `count` lanes; false: lane by lane. */
bool c99_vector_cast(c99 *c, dtype to, dtype from, int count, code x, code *out);
bool c99_vector_saturate(c99 *c, dtype to, dtype from, int count, code x, code *out);
bool c99_vector_masked_load(c99 *c, dtype elem, int count, const char *address, code mask, code *out);
bool c99_vector_masked_store(c99 *c, dtype elem, int count, const char *address, code mask, code x, const char **out);
/* Lanes first .. first+count-1 of a vector of `whole` lanes, and two vectors of `count` lanes as one. x is a name. */
code c99_vector_piece(c99 *c, dtype elem, int whole, code x, int first, int count);
code c99_vector_concat(c99 *c, dtype elem, int count, code lo, code hi);

/* ---- c99_value.c: values in parts ---- */
code c99_temporary(c99 *c, dtype elem, int bits, int count, code x); /* a name that holds x; x itself where it is one */
void c99_name_parts(c99 *c, value *v);
code c99_lane(c99 *c, value *v, int lane);              /* a scalar; a bool where v is one */
code c99_piece(c99 *c, value *v, int first, int count); /* any lanes as one vector, or a scalar */
code c99_gathered(c99 *c, dtype elem, int bits, int count, const code *lanes); /* lanes as a vector, or the scalar */
value c99_mask_as(c99 *c, value *mask, int bits);
/* What a lane of the vectors that make up v is in C. */
dtype c99_lane_type(const value *v);
/* Lanes first .. first+count-1 of v through `convert` (c99_vector_cast ..), as a vector of type `to`; false: lane by
 * lane. */
typedef bool (*c99_converter)(c99 *c, dtype to, dtype from, int count, code x, code *out);
bool c99_convert_piece(c99 *c, value *v, int first, int count, dtype to, c99_converter convert, code *out);

/* ---- c99_expr.c: expressions ---- */
/* Forgets the texts of the last statement. */
void c99_statement_begin(c99 *c);
/* Before any text of a statement: each expression that it evaluates. */
void c99_count_uses(c99 *c, const expr *x);
value *c99_expr(c99 *c, const expr *x);
/* The same for a bool vector, as a mask of lanes of `bits` bits. */
value *c99_mask(c99 *c, const expr *x, int bits);
code c99_scalar_expr(c99 *c, const expr *x);
/* Lane `lane` of an index, without making the vector where it can be said lane by lane. */
code c99_lane_of(c99 *c, const expr *x, int lane);

/* ---- c99_lanes.c: what moves lanes or changes their width ---- */
value c99_broadcast(c99 *c, const expr *x, int bits);
value c99_ramp(c99 *c, const expr *x);
value c99_shuffle(c99 *c, const expr *x);
value c99_reduce(c99 *c, const expr *x);
value c99_cast(c99 *c, const expr *x);
value c99_pairs(c99 *c, const expr *x);
value c99_dot(c99 *c, const expr *x);

/* ---- c99_memory.c: LOAD and STORE ---- */
value c99_load(c99 *c, const expr *x);
/* The four bytes that x loads, as an int32_t. */
code c99_load_word(c99 *c, const expr *x);
void c99_store(c99 *c, const stmt *s);

/* ---- c99_kernel.c ---- */
/* The kernel as a static function. */
void c99_kernel_write(c99 *c, int index, strbuf *out);

/* ---- c99_parallel.c ---- */
/* The function that runs a kernel's parts, where some kernel has them. */
void c99_parallel_write(c99 *c, strbuf *out);
/* The kernel as a call of it, after the function of its parts. */
void c99_parts_write(c99 *c, int index, strbuf *out);
/* Does some kernel have parts? */
bool c99_has_parts(const c99 *c);

/* ---- c99_unused.c ---- */
/* Adds the text of a kernel's body without constants and registers that nothing uses; `used`: what it names. */
status c99_drop_unused(arena *scratch, const char *text, size_t n, map *used, strbuf *out);
bool c99_is_used(const map *used, const char *name, size_t n);

/* ---- c99_weights.c ---- */
/* The definition of a constant's data; `is_static` or to be seen by other files. */
void c99_weight_write(c99 *c, int buffer, bool is_static, strbuf *out);
void c99_weight_declare(c99 *c, int buffer, strbuf *out); /* extern */
const char *c99_weight_data(c99 *c, int buffer);          /* its first element's address in an expression */
/* Is some of the used data kept as bytes, whose order must be this machine's? */
bool c99_weights_have_order(const c99 *c);
/* Do other files of the model's define the constants? */
bool c99_weights_are_symbols(const c99 *c);

/* ---- c99_run.c ---- */
/* PREFIX_run_env, PREFIX_run, PREFIX_model. */
void c99_run_write(c99 *c, strbuf *out);

/* ---- c99_header.c ---- */
void c99_banner(c99 *c, strbuf *out);
/* Has the model more than one arena? */
bool c99_has_regions(const c99 *c);
/* What a region's memory is called: where there is one, arena. */
const char *c99_region_name(c99 *c, size_t region);
/* The macro with its size: PREFIX_ARENA_NAME_BYTES. */
const char *c99_region_macro(c99 *c, size_t region);
/* "int PREFIX_run(...)" */
void c99_run_signature(c99 *c, strbuf *out);
void c99_header_write(c99 *c, strbuf *out);
void c99_example_write(c99 *c, strbuf *out);

#endif
