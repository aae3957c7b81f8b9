/* Groups: which nodes are computed together. Private to lower/.
 *
 * A map is a node whose result is one expression per element (element-wise work, movement). It may be inlined into
 * whoever reads it. What is not inlined is a root: it gets a kernel and a buffer. A root map may take the work of the
 * one node it reads into its own kernel, as that node's epilogue; that node is then the root's core (a contraction, a
 * softmax, ...).
 */
#ifndef TENON_LOWER_GROUP_H
#define TENON_LOWER_GROUP_H

#include "lower/lower.h"

#define GROUP_MAX_ROOTS 4

typedef struct node_info {
    const node *n;
    bool map;         /* one nest with one store at the identity index */
    bool movement;    /* a map that only reads */
    bool view;        /* a movement that keeps every element's linear position */
    bool may_be_core; /* its last nest ends with a store that covers the output, and nothing else stores there */
    bool contract;
    bool channels_last; /* as its nests say of its result */
    bool raw;           /* has raw nests: operands must be buffers */
    bool in_steps;      /* has nests with steps */
    int n_nests;
    int cost;  /* of a map's expression: operations on elements */
    int reads; /* how often an element of an input may be read by a stage: > 1 for softmax and the like */
    /* decided by group_nodes */
    bool inlined;
    int core;                   /* of a root: its core's index, or -1 */
    int core_of;                /* index of the root whose core it is, or -1 */
    int roots[GROUP_MAX_ROOTS]; /* the roots whose kernels evaluate it */
    int n_roots;                /* above GROUP_MAX_ROOTS: too many */
    bool hot;                   /* evaluated inside a contraction's reduction */
    bool repeated;              /* evaluated several times per element */
    bool operand_of_raw;
    bool narrowed; /* a root: what makes a contraction's sums narrower is inlined */
} node_info;

typedef struct grouping {
    const graph *g;
    const lower_options *o;
    arena *memory;
    node_info *nodes; /* in order */
    int n;
    map by_node;       /* node -> node_info */
    map layouts;       /* value -> its operand_layout, where it is not row-major */
    bool zeros_follow; /* contractions by few weights that are not zero want the layouts of others */
    bool has_rows;     /* set by choose_layouts: some want others */
} grouping;

node_info *group_info(const grouping *x, const node *n);
/* Fills `out`. With naive, every node is a root. */
status group_nodes(const graph *g, const lower_options *o, arena *a, grouping *out);
/* One node as a group of its own. */
status group_node(const node *n, const lower_options *o, arena *a, grouping *out);

/* ---- layout.c ---- */
/* Values that only a transpose reads are laid out as its result is, so that it moves nothing. Before the nodes are
 * grouped. */
status adopt_transposes(grouping *x);
/* Is the value free to have a layout: only between kernels, and read by no raw nest? */
bool layout_is_free(const grouping *x, const node_info *root);
/* Decides in which order the dimensions of each value between kernels lie in memory: channels last where a
 * contraction's constant operand steps along them and not along the last dimension. Inputs, outputs and operands of raw
 * nests stay row-major. */
status choose_layouts(grouping *x);
/* NULL: row-major. */
const operand_layout *layout_of(const grouping *x, const value *v);

/* ---- layout_border.c ---- */
/* Gives values that contractions read with zero padding a border, which makes masks and copies needless. After
 * choose_layouts. */
status choose_borders(grouping *x);
bool layout_has_border(const operand_layout *l, int rank);

/* ---- compose.c ---- */
/* The operands of a composed nest: values with buffers, and temporaries of the node. */
typedef struct composed {
    builder *b;
    nest *n;
    VEC(const value *) values; /* operand -> value; NULL: temporary number `temporary` of the root */
    VEC(int) temporaries;
    VEC(schedule_operand) operands;
} composed;

/* Lowers node n with builder b: its own nests over its own operands. */
status compose_lower(const node *n, arena *a, builder *b, nest_list **out);
/* Nest `index` of root (or of its core), with all inlined nodes and the epilogue substituted. */
status compose_group(const grouping *x, const node_info *root, const node_info *which, int index, arena *a,
                     composed *out);
/* Are all addresses in the nest's reductions affine in its axes? */
bool compose_is_affine(const composed *c);

#endif
