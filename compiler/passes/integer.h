/* The pass `integer`: what its files share. Private to passes/.
 *
 * Quantised values stand in the graph as DequantizeLinear and QuantizeLinear around float operators. The pass puts
 * operators of tenon's own domain in their place, which compute with the integers themselves; scales and zero points
 * become constants of one rounding at the end.
 */
#ifndef TENON_PASSES_INTEGER_H
#define TENON_PASSES_INTEGER_H

#include "passes/builtin.h"
#include "passes/integer_scale.h"
#include "passes/quantised.h"

typedef struct integer_work {
    graph *g;
    arena *scratch;
    const integer_options *o;
} integer_work;

/* Are integers taken in any case? */
bool integer_is_asked(const integer_options *o);

/* ---- integer_read.c: what the graph says ---- */

/* The same of what one scale and zero point hold for, and is no bias. */
bool quantised_read_data(const value *v, quantised *out);
/* What the integers can be: by their type, or by what made them. */
span quantised_span(const quantised *x);
bool quantised_same(const quantised *x, const quantised *y);

/* A QuantizeLinear with constant parameters for the whole tensor, and what stands before it. */
typedef struct quantiser {
    node *n; /* QuantizeLinear; NULL: none */
    dtype to;
    double scale;
    int64_t zero;
    span within;  /* after Relu and Clip */
    double slope; /* below 0: LeakyRelu; else 1 */
    value *from;  /* what is left to compute */
} quantiser;

/* Of the node itself, looking through Relu, Clip and LeakyRelu whose results nobody else uses. */
bool quantiser_read(node *n, quantiser *out);
/* Of the value's only user, or of what follows through Relu, Clip and LeakyRelu. False where that is no QuantizeLinear.
 */
bool quantiser_after(const value *v, quantiser *out);

/* Is v used once, by a node? Which. */
node *only_user(const value *v);

/* ---- integer_build.c: new nodes ---- */

/* Every node of the graph; those that go away meanwhile are `erased`. */
typedef VEC(node *) node_list;
status integer_nodes(integer_work *w, node_list *out);

#define INT_ATTR(name_, x) ((attr){.name = (name_), .kind = ATTR_INT, .i = (x)})
/* A node before `like`, which takes over its place in reports; its first output in *out. */
status integer_node(integer_work *w, node *like, const char *op, value *const *inputs, int n, const attr *attrs,
                    int n_attrs, value **out);
/* The node itself, of several outputs. */
status integer_node_of(integer_work *w, node *like, const char *op, value *const *inputs, int n, const attr *attrs,
                       int n_attrs, int n_outputs, node **out);
status integer_cast(integer_work *w, node *like, value *x, dtype to, value **out);
/* x - from, which lies within `of`, as another type. */
status integer_retype(integer_work *w, node *like, value *x, int64_t from, span of, dtype to, value **out);
/* What a sum says of itself: "i8xi8->i32", and `more`. */
status integer_say(integer_work *w, value *sum, dtype x, dtype weights, const char *more);
/* v takes the place of output 0 of n, and its name; n is erased. */
status integer_replace(integer_work *w, node *n, value *v);
/* x within a border of `zero`, by pads as of Pad. */
status integer_surround(integer_work *w, node *like, value *x, const int64_t *pads, int64_t zero, value **out);
/* A constant of n integers of type t, shaped `dims` (rank 0: a scalar). */
status integer_constant(integer_work *w, dtype t, int rank, const int64_t *dims, const int64_t *numbers, value **out);
status real_constant(integer_work *w, int rank, const int64_t *dims, const double *numbers, value **out);
/* DequantizeLinear of q with the parameters of x (one for all). */
status integer_dequantize(integer_work *w, node *like, value *q, const quantised *x, value **out);

/* A sum of integers, and what one step of it is worth. */
typedef struct rescaling {
    value *sum;
    span range;
    int64_t from;          /* what stands for 0 */
    const double *scales;  /* of the sum: n of them */
    const double *offsets; /* in real numbers, added before rounding; NULL: none */
    int64_t n;
    int rank; /* of the parameters, which broadcast against the sum */
    const int64_t *dims;
} rescaling;
/* Requantize before q's node, for what q makes of the sum. NULL where the scales do not allow that. */
status integer_requantize(integer_work *w, const rescaling *r, const quantiser *q, value **out);

/* ---- the parts of the pass; each changes what it can ---- */
status
integer_from_qoperators(integer_work *w);     /* integer_qoperator.c: QLinearConv and the like become DQ, operator, Q */
status integer_move_down(integer_work *w);    /* integer_move.c: DequantizeLinear behind what only moves */
status integer_recode(integer_work *w);       /* integer_recode.c: zero points that are 0 under the other sign */
status integer_contractions(integer_work *w); /* integer_contract.c */
status integer_pools(integer_work *w);        /* integer_pool.c: MaxPool before QuantizeLinear */
status integer_dynamic_products(integer_work *w); /* integer_dynamic.c: MatMulInteger, ConvInteger */
status integer_maps(integer_work *w);             /* integer_map.c: sums, products, pools, tables between DQ and Q */
/* The MaxPool that alone reads what a QuantizeLinear makes, and leaves half of it or less; NULL: none. */
node *integer_pool_after(const value *q);
/* integer_table.c: what lies between q and one narrow quantised value becomes a table. */
status integer_table(integer_work *w, const quantiser *q, value **out);
/* integer_rows.c */
status integer_softmax(integer_work *w, const quantiser *q, value **out);
status integer_layer_norm(integer_work *w, const quantiser *q, value **out);

#endif
