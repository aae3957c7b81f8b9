/* The operator row: all that tenon knows of an operator, in one place.
 *
 * A row is a constant `const op_row op_NAME` in a file of ops/, introduced by a line that begins with OP_ROW(NAME); the
 * build collects these lines into the table. Adding an operator is adding a row. Arity, attribute and type checks,
 * their error texts, `tenon ops` and the README's table come from it.
 */
#ifndef TENON_IR_OP_H
#define TENON_IR_OP_H

#include "ir/graph.h"

struct builder; /* loop/loop.h */
struct expr;
struct nest_list; /* loop/nest.h */

#define TYPE_BIT(t) (UINT64_C(1) << (t))
#define TYPES_FLOAT (TYPE_BIT(DT_F32) | TYPE_BIT(DT_F64) | TYPE_BIT(DT_F16) | TYPE_BIT(DT_BF16))
#define TYPES_SIGNED (TYPE_BIT(DT_I8) | TYPE_BIT(DT_I16) | TYPE_BIT(DT_I32) | TYPE_BIT(DT_I64))
#define TYPES_UNSIGNED (TYPE_BIT(DT_U8) | TYPE_BIT(DT_U16) | TYPE_BIT(DT_U32) | TYPE_BIT(DT_U64))
#define TYPES_INT (TYPES_SIGNED | TYPES_UNSIGNED)
#define TYPES_NUMBER (TYPES_INT | TYPES_FLOAT)
#define TYPES_BOOL TYPE_BIT(DT_BOOL)
#define TYPES_INDEX (TYPE_BIT(DT_I32) | TYPE_BIT(DT_I64))
#define TYPES_FLOAT8                                                                                                   \
    (TYPE_BIT(DT_F8E4M3FN) | TYPE_BIT(DT_F8E4M3FNUZ) | TYPE_BIT(DT_F8E5M2) | TYPE_BIT(DT_F8E5M2FNUZ) |                 \
     TYPE_BIT(DT_F8E8M0))
#define TYPES_NARROW (TYPE_BIT(DT_U4) | TYPE_BIT(DT_I4) | TYPE_BIT(DT_F4E2M1) | TYPE_BIT(DT_U2) | TYPE_BIT(DT_I2))
#define TYPES_ANY (TYPES_NUMBER | TYPES_BOOL | TYPES_FLOAT8 | TYPES_NARROW)

typedef enum op_param_flags {
    PARAM_OPTIONAL = 1, /* may be absent */
    PARAM_VARIADIC = 2, /* last: any number of them */
    PARAM_SHAPE = 4,    /* only its shape is used, never its contents: foldable even where it is not constant */
    PARAM_KNOWN = 8,    /* its contents must be known at compile time (a shape tensor, axes, ...) to be lowered */
} op_param_flags;

typedef struct op_param {
    const char *name; /* as in the specification; NULL ends the list */
    uint64_t types;   /* bits TYPE_BIT(dtype) */
    char var;         /* type variable: params with the same non-zero letter have one type */
    unsigned flags;
} op_param;

typedef struct op_attr {
    const char *name; /* NULL ends the list */
    attr_kind kind;
    bool required;
    int64_t i;     /* default of ATTR_INT */
    double f;      /* of ATTR_FLOAT */
    const char *s; /* of ATTR_STRING; NULL: no default */
} op_attr;

typedef enum op_kind {
    OP_SCALAR,   /* one expression per element; numpy broadcasting */
    OP_EXPAND,   /* rewritten into other operators */
    OP_CONTRACT, /* multiply-accumulates over index maps: a nest with `contract` set */
    OP_LOWER,    /* nests of its own */
} op_kind;

struct op_row {
    const char *name;    /* "Conv" */
    const char *domain;  /* "" (ai.onnx) or another */
    const int *versions; /* every opset version that changed it, ascending, 0 ends; the last is the form of this row */
    op_kind kind;
    const op_param *inputs, *outputs;
    const op_attr *attrs; /* NULL: none */
    bool is_internal;     /* made by passes for lowering: no model may use it, and no list of operators shows it */
    bool is_random;       /* two nodes of it without the attribute `seed` differ though all else of them is the same */
    const char *note;     /* for `tenon ops`: what is not supported, NULL where all is */
    /* Element types and shapes of the outputs from the inputs, attributes and known contents. Called after arity,
     * attributes and types have been checked. NULL for OP_SCALAR: broadcast shape, output type by type variable. */
    status (*infer)(node *n);
    /* Rewrites a node of an older version (n->version) into this row's form (attributes to inputs etc.); may insert
     * constants and nodes before it. NULL where all older forms are also valid in the newest form. */
    status (*upgrade)(node *n);
    /* OP_SCALAR: the element of the output from the elements of the inputs (x[i] NULL where absent), all scalars (lanes
     * 1). */
    const struct expr *(*scalar)(struct builder *b, const node *n, const struct expr *const *x);
    /* OP_EXPAND: inserts the replacement before n and replaces n's outputs; the caller erases n. */
    status (*expand)(graph *g, node *n);
    /* OP_CONTRACT, OP_LOWER: appends nests; operand numbers are input index, then output index. OP_EXPAND: where a
     * PARAM_KNOWN input is data after all, but the outputs' shapes are declared; NULL where that is refused. */
    status (*lower)(const node *n, struct nest_list *l);
};

/* Marks a row for the build: expands to nothing else than the declaration. */
#define OP_ROW(NAME)                                                                                                   \
    extern const op_row op_##NAME;                                                                                     \
    const op_row op_##NAME

struct op_table {
    const op_row *const *rows; /* sorted by domain, then name */
    size_t n;
};

/* ---- op.c ---- */
const op_row *op_find(const op_table *t, const char *domain, const char *name);
int op_newest(const op_row *row);
/* Arity, attributes (names, kinds, required), element types by the row; the first of each kind is a diagnostic at the
 * node: [wrong-arity], [unknown-attribute], [wrong-attribute], [missing-attribute], [wrong-type]. */
status op_check(node *n);
/* The row's parameter for input `index`; NULL where there is none. */
const op_param *op_input_param(const node *n, int index);
/* Is all known that lowering or expanding the node needs: its row, the inputs' shapes, the contents of PARAM_KNOWN
 * inputs? */
bool op_is_ready(const node *n);
/* op_check, then infer; checks that declared and inferred types agree, and sets the outputs' types. [shape-mismatch]
 * and the like. A type that an output has counts as declared: who changes what a node computes gives its outputs
 * unknown types first. */
status op_infer(node *n);
/* All nodes in order. Reports every independent error; nodes after an unknown one get unknown types without a
 * diagnostic. */
status graph_infer(graph *g);

/* Attributes with the row's default where the node has none. */
int64_t op_int(const node *n, const char *name);
double op_float(const node *n, const char *name);
const char *op_string(const node *n, const char *name);
bool op_has(const node *n, const char *name);
/* The list, or NULL and *out_n = 0 where the node has none. */
const int64_t *op_ints(const node *n, const char *name, int64_t *out_n);

/* Help for infer functions. Each returns STATUS_INVALID after a diagnostic at the node. */
tensor_type *op_input_type(const node *n, int index);                            /* NULL where absent */
int op_input_rank(const node *n, int index);                                     /* -1 where absent or not known */
status op_set_output(node *n, int index, dtype elem, int rank, const dim *dims); /* no-op for an absent output */
status op_unknown_output(node *n, int index, dtype elem);
/* The same where the number of dimensions can be told, and a declared one must be that: [shape-mismatch]. */
status op_output_of_rank(node *n, int index, dtype elem, int rank); /* shape not known */
/* numpy broadcasting of two dims / of all inputs; [shape-mismatch] names the two. Unequal symbols: taken as equal at
 * run time only where one of them is a known 1; otherwise the result is the known one (or the first), and lowering
 * checks after binding. */
status op_broadcast_dim(node *n, dim x, dim y, dim *out);
status op_broadcast(node *n, int first_input, int n_inputs, int *out_rank, dim out_dims[TENSOR_MAX_RANK]);
/* axis in [-rank, rank) to [0, rank); [bad-axis]. */
status op_axis(node *n, int64_t axis, int rank, int *out);
/* Contents of input `index` as integers: its constant's elements in graph memory, *out_n of them; NULL (and n = -1)
 * where not known. */
const int64_t *op_known_ints(const node *n, int index, int64_t *out_n);
status op_invalid(const node *n, const char *id, const char *format, ...)
    __attribute__((format(printf, 3, 4))); /* STATUS_INVALID */
status op_unsupported(const node *n, const char *id, const char *format, ...)
    __attribute__((format(printf, 3, 4))); /* STATUS_UNSUPPORTED */

#endif
