/* The tensor graph: SSA values, nodes in topological order, use lists kept by the mutators. The whole IR on one page.
 *
 * Everything lives in the graph's arena and dies with it; erased nodes and values are unlinked, not freed. Fields are
 * for reading; change the graph only through the functions below, which keep use lists and order right.
 */
#ifndef TENON_IR_GRAPH_H
#define TENON_IR_GRAPH_H

#include "base/diag.h"
#include "base/dtype.h"
#include "base/map.h"
#include "base/text.h"
#include "ir/dim.h"

#define TENSOR_MAX_RANK 16

/* An element type and a shape. rank -1: not known yet; elem DT_NONE: not known yet. */
typedef struct tensor_type {
    dtype elem;
    int rank;
    const dim *dims;
} tensor_type;

bool type_equal(const tensor_type *x, const tensor_type *y);
/* Are all dimensions known integers? Then they go to out_dims (rank entries; may be NULL). */
bool type_shape(const tensor_type *t, int64_t *out_dims);
/* Product of known dimensions; -1 where not known. */
int64_t type_count(const tensor_type *t);
void type_print(const tensor_type *t, strbuf *out); /* "f32[batch,128]", "?" parts where not known */

/* Immutable data of a constant, reference counted, shared between graphs; often borrowed from a mapped file. Row-major,
 * little-endian, sub-byte types packed. */
typedef struct tensor {
    dtype elem;
    int rank;
    const int64_t *dims;
    const void *data;
    size_t bytes;
    int64_t count;                     /* elements */
    void (*release)(struct tensor *t); /* called when the last holder is gone; NULL: lives and dies with its arena */
    void *owner;
    int refs; /* holders: 0 from the maker */
} tensor;

/* A tensor whose header and data live in arena `a` and are never counted down. data NULL: zeroed, writable through the
 * result's data until it is shared; else borrowed. NULL when out of memory. */
tensor *tensor_new(arena *a, dtype elem, int rank, const int64_t *dims, const void *data);
/* Holds t until the arena is freed, and releases it then if nobody else does. On failure t may have been released. */
status tensor_hold(arena *a, tensor *t);
/* Element i of an integer or bool tensor. */
int64_t tensor_int(const tensor *t, int64_t i);
double tensor_double(const tensor *t, int64_t i);
const char *tensor_sha256(const tensor *t, char out[65]);

typedef struct graph graph;
typedef struct node node;
typedef struct value value;
typedef struct op_row op_row;

/* Slot `index` of `user`'s inputs; user NULL: graph output number `index`. */
typedef struct use {
    node *user;
    int index;
    value *v;                /* what is used; NULL for an absent optional input */
    struct use *prev, *next; /* in v's list */
} use;

struct value {
    const char *name; /* unique in the graph; printed as the source had it where possible */
    tensor_type type;
    node *def;            /* NULL: graph input or constant */
    int def_index;        /* which output of def */
    tensor *constant;     /* the value's known contents (initializer or folded) */
    use *uses, *last_use; /* the use list, oldest first */
    int n_uses;
    bool is_input;      /* listed in the graph's inputs */
    value *prev, *next; /* all values of the graph, in order of creation */
    uint32_t id;        /* order of creation */
};

typedef enum attr_kind {
    ATTR_NONE,
    ATTR_INT,
    ATTR_FLOAT,
    ATTR_STRING,
    ATTR_INTS,
    ATTR_FLOATS,
    ATTR_STRINGS,
    ATTR_TENSOR,
    ATTR_GRAPH
} attr_kind;

typedef struct attr {
    const char *name;
    attr_kind kind;
    int64_t i;
    double f;      /* a float32's value */
    const char *s; /* '\0' after s_bytes bytes */
    size_t s_bytes;
    const int64_t *ints;
    const double *floats;
    const char *const *strings;
    int64_t n; /* of ints, floats, strings */
    tensor *t;
    graph *g;
} attr;

struct node {
    graph *graph;
    const char *op;     /* "MatMul" */
    const char *domain; /* "" for ai.onnx */
    int version;        /* opset version that this node's form follows */
    const op_row *row;  /* NULL where nobody knows the operator */
    const char *name;   /* may be "" */
    use *inputs;
    int n_inputs;
    value **outputs; /* NULL entries: absent optional outputs */
    int n_outputs;
    attr *attrs;
    int n_attrs;
    node *prev, *next;
    int64_t source;      /* index in file order, -1 made by a pass */
    const char *part_of; /* the operator that it was expanded from; NULL: none */
    map *notes;          /* annotations: name -> const char *; NULL where none */
    uint32_t id;
    bool erased;
    uint64_t order; /* increases along the list: see node_is_before */
};

/* A table of operator rows that the graph's nodes are looked up in (ops/ makes it, api/ hands it down). */
typedef struct op_table op_table;

struct graph {
    arena *memory;       /* owns all of this */
    diag *diags;         /* borrowed */
    const op_table *ops; /* borrowed */
    const char *name;
    const char *file; /* for diagnostics */
    VEC(value *) inputs;
    VEC(use *) outputs; /* each with user NULL */
    VEC(const char *) output_names;
    node *first, *last; /* topological order */
    value *values, *last_value;
    int n_nodes;
    uint32_t next_id;
    map by_name;        /* values */
    map name_counts;    /* base name -> the last number given to make it unique */
    bool out_of_memory; /* where a failed allocation could not be returned; op_infer returns it */
    map opsets;         /* domain -> (void *)(intptr_t)version */
    map metadata;       /* model's metadata_props, producer etc.: name -> const char * */
};

/* ---- graph.c; copying in graph_copy.c ---- */
/* An empty graph with an arena of its own. NULL when out of memory. */
graph *graph_new(const allocator *from, diag *d, const op_table *ops, const char *name, const char *file);
void graph_free(graph *g);
/* A deep copy in a new arena. Constants with a release function are shared, those that live in an arena are copied. */
graph *graph_copy(const graph *g);

/* Values. A name that is taken gets "_1", "_2", ...; NULL asks for a fresh one. NULL when out of memory. */
value *graph_add_input(graph *g, const char *name, const tensor_type *type);
value *graph_add_constant(graph *g, const char *name, tensor *t); /* holds t */
/* Constants made of numbers: n of i64, as a list or, with rank 0, as a scalar; a scalar of type t. */
value *graph_add_ints(graph *g, const char *name, int rank, const int64_t *ints, int64_t n);
value *graph_add_number(graph *g, dtype t, double x);
status graph_add_output(graph *g, value *v, const char *name);
status graph_set_output(graph *g, int index, value *v);
status graph_remove_output(graph *g, int index);
/* Takes an input or constant out. Refused ([value-has-users]) while it has users. */
status graph_remove_value(graph *g, value *v);
/* Turns a value into a constant; its definition loses it (a fresh unused value stands in). A graph input is one no
 * longer. */
status graph_make_constant(graph *g, value *v, tensor *t);
status graph_set_name(graph *g, value *v, const char *name);
status graph_set_type(graph *g, value *v,
                      const tensor_type *type); /* copies the list of dims, whose expressions are of g's arena */

/* ---- graph_edit.c; order in graph_order.c ---- */
/* Nodes. Inserts before `before` (NULL: at the end); inputs may have NULL entries. The node's outputs are fresh values
 * named `output_names[i]` (the array or an entry may be NULL: fresh name; "": absent optional output). The row is
 * looked up by domain and op. NULL when out of memory. */
node *graph_add_node(graph *g, node *before, const char *domain, const char *op, int version, const char *name,
                     value *const *inputs, int n_inputs, const char *const *output_names, int n_outputs);
/* Also infers the types of its outputs (op.h): what passes and expansions use. The operator is ONNX's, or one of
 * tenon's own. NULL after a diagnostic. */
node *graph_build(graph *g, node *before, const char *op, value *const *inputs, int n_inputs, const attr *attrs,
                  int n_attrs, int n_outputs);
status node_set_input(node *n, int index, value *v); /* v NULL: absent; an index beyond the end adds inputs */
void node_trim_inputs(node *n);
status node_set_attr(node *n, const attr *a); /* copies (graphs too), holds tensors; replaces one of the same name */
void node_remove_attr(node *n, const char *name);
status node_note(node *n, const char *name, const char *text); /* text NULL: takes it away */
/* Every use of `from` (graph outputs too) becomes a use of `to`. Refused where `to`'s definition would come after a
 * user. */
status graph_replace_all_uses(graph *g, value *from, value *to); /* [use-before-definition] */
/* Unlinks the node and its outputs. Refused ([value-has-users], naming node, number of users and users) while an output
 * is used. */
status graph_erase_node(graph *g, node *n);
/* Moves n before `before` (NULL: to the end); refused ([use-before-definition]) where the order would break. */
status graph_move_before(graph *g, node *n, node *before);
/* Puts the nodes from first to last (NULL: the graph has none) in topological order (stable); [cycle] STATUS_INVALID
 * names the nodes on a cycle. */
status graph_sort(graph *g, node *first, node *last);

/* ---- reading ---- */
value *node_input(const node *n, int index); /* NULL where absent */
bool is_op(const node *n, const char *op);   /* of ONNX's own domain? NULL is none */
bool node_has_floats(const node *n);         /* among its inputs and outputs */
value *node_output(const node *n, int index);
const attr *node_attr(const node *n, const char *name); /* NULL where absent: see op.h for defaults */
bool value_is_constant(const value *v);
value *graph_find_value(const graph *g, const char *name);
diag_place node_place(const node *n);              /* of a diagnostic */
int node_index(const node *n);                     /* position in the order, for dumps */
bool node_is_before(const node *x, const node *y); /* in the order; O(1) */

/* ---- graph_verify.c ---- SSA, use lists both ways, order, arity and attributes by the row, types present and equal to
 * what infer says. */
status graph_verify(graph *g);

/* ---- graph_print.c, graph_parse.c ---- text form; parse(print(g)) prints the same. Constants above 64 elements print
 * as shape and sha256, and parse back through `resolve` (returns bytes that live as long as the graph, or NULL). */
void graph_print(const graph *g, strbuf *out);
void graph_dump(const graph *g); /* to stderr, for the debugger */
/* The same with a name of the caller's own, 64 hexadecimal digits, in place of each sha256; by NULL: the sha256. */
typedef struct graph_naming {
    status (*name)(void *ctx, const tensor *t, char out[65]);
    void *ctx;
} graph_naming;
void graph_print_named(const graph *g, const graph_naming *by, strbuf *out);
typedef const void *(*graph_resolver)(void *ctx, const char *sha256, size_t bytes);
status graph_parse(const char *text, size_t n, const char *file, const allocator *from, diag *d, const op_table *ops,
                   graph_resolver resolve, void *ctx, graph **out);

/* Parts of the text form, made in g's arena: attributes ("axis=1, perm=[0, 2, 1]", also ""), a type ("f32[batch,128]").
 * [graph-syntax] STATUS_INVALID. */
status graph_parse_attrs(graph *g, const char *text, attr **out, int *out_n);
status graph_parse_type(graph *g, const char *text, tensor_type *out);

/* ---- graph_state.c ---- what the text form leaves out, and later names go by: the order of all values, the ids and
 * numbers that have been given. A graph that was parsed and restored is changed further as the one that was printed
 * would be. */
void graph_state_print(const graph *g, strbuf *out);
/* Reads it (untrusted) into the graph that was parsed from the text. STATUS_INVALID without a diagnostic. */
status graph_state_restore(graph *g, const char *text, size_t n);

/* ---- bind.c ---- */
/* Replaces symbols by integers everywhere, forgets the types of node outputs, and infers them again (op.h). */
status graph_bind(graph *g, const map *bindings);
/* Names of the symbols in the inputs' types, in order: map name -> name. */
status graph_symbols(const graph *g, map *out);

#endif
