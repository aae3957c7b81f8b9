/* What the operator families share: parameter lists, wide arithmetic on narrow floats, reads and stores in nests,
 * upgrades. */
#ifndef TENON_OPS_KIT_H
#define TENON_OPS_KIT_H

#include "ir/op.h"
#include "loop/nest.h"

/* What can be moved from place to place: everything but the types narrower than a byte; and what some operators move,
 * too. */
#define TYPES_MOVE (TYPES_NUMBER | TYPES_BOOL | TYPES_FLOAT8)
#define TYPES_STORED (TYPES_MOVE | TYPES_NARROW)
/* What the newer dense operators (MatMul, Gemm, Reduce*) take. */
#define TYPES_WIDE (TYPES_FLOAT | TYPE_BIT(DT_I32) | TYPE_BIT(DT_I64) | TYPE_BIT(DT_U32) | TYPE_BIT(DT_U64))

/* TENON_E_INDEX and TENON_E_VALUE of tenon/runtime.h: an index in the data is out of range; another value is not
 * allowed. */
enum { KIT_E_INDEX = 6, KIT_E_VALUE = 9 };

/* The lists in a row: VERSIONS(1, 7, 13), PARAMS({"X", TYPES_FLOAT, 'T', 0}), ATTRS({"axis", ATTR_INT, .i = -1}). */
#define VERSIONS(...) ((const int[]){__VA_ARGS__, 0})
#define PARAMS(...) ((const op_param[]){__VA_ARGS__, {NULL, 0, 0, 0}})
#define ATTRS(...) ((const op_attr[]){__VA_ARGS__, {.name = NULL}})

/* The history that most element-wise operators have in common, and that of operators on any element type. */
#define VERSIONS_BROADCAST VERSIONS(1, 6, 7, 13, 14)
#define VERSIONS_UNARY VERSIONS(1, 6, 13)

extern const op_param kit_float_X[], kit_float_Y[];          /* "X" -> "Y", floats of one type */
extern const op_param kit_float_input[], kit_float_output[]; /* "input" -> "output" */

/* ---- kit_scalar.c: arithmetic ---- */
/* The type that values of `t` are computed in: f32 for f16 and bf16, u8 for bool, else t. */
dtype kit_compute(dtype t);
const expr *kit_wide(builder *b, const expr *x);
/* From the computed type back to `t`. */
const expr *kit_narrow(builder *b, dtype t, const expr *x);
/* CAST between any two element types, by way of f32 where a narrow float takes part. */
const expr *kit_cast(builder *b, dtype t, const expr *x);
/* Operands hold elements of types that the loop IR does not have as dtype_storage says. The number that such an element
 * x of type t stands for (an i8, u8 or f32), and the element nearest to a number: integers wrap, floats saturate. x
 * itself for every other type. */
const expr *kit_decode(builder *b, dtype t, const expr *x);
const expr *kit_encode(builder *b, dtype t, const expr *x);
/* To f8e8m0: up, down or to the nearest power of two; out of range NaN without `saturate`. x is an f32. */
const expr *kit_power_of_two(builder *b, const expr *x, const char *round_mode, bool saturate);
/* fn in the computed type, result in x's type. */
const expr *kit_unary(builder *b, const expr *x, const expr *(*fn)(builder *b, const expr *x));
const expr *kit_binary(builder *b, const expr *x, const expr *y,
                       const expr *(*fn)(builder *b, const expr *x, const expr *y));
/* A constant of x's type. */
const expr *kit_const(builder *b, const expr *x, double number);
/* The float attribute as a constant of x's type. */
const expr *kit_attr(builder *b, const node *n, const char *name, const expr *x);
/* Element i of a tensor as a constant, as operands hold it. */
const expr *kit_element(builder *b, const tensor *t, int64_t i);
/* x*x; 1/x; x where it is NaN and MIN or MAX of the two else. */
const expr *kit_square(builder *b, const expr *x);
const expr *kit_reciprocal(builder *b, const expr *x);
const expr *kit_min(builder *b, const expr *x, const expr *y);
const expr *kit_max(builder *b, const expr *x, const expr *y);
/* The smallest value of an arithmetic type (-inf of floats) and the largest. */
const expr *kit_lowest(builder *b, dtype t);
const expr *kit_highest(builder *b, dtype t);

/* ---- kit_nest.c: nests ---- */
/* Reads in the computed type, and a store that converts back. */
const expr *kit_read(const nest_list *l, int operand, const expr *const *index);
const expr *kit_read_masked(const nest_list *l, int operand, const expr *const *index, const expr *mask);
const expr *kit_read_broadcast(const nest_list *l, int operand, const expr *const *index, int rank);
void kit_store(nest_list *l, nest *n, int operand, const expr *const *index, const expr *x);
/* A nest whose outer axes are the dimensions of `operand`: vars[rank]. */
nest *kit_over(nest_list *l, const char *name, int operand, const expr **vars);
const nest_operand *kit_operand(const nest_list *l, int operand);
/* A nest over a tensor of the operand's shape whose outer axes are the dimensions outside `inner`, in order; a stage
 * then runs over those inside. `index` is complete once the first stage is open. */
typedef struct kit_rows {
    nest *m;
    int rank;
    const int64_t *dims;
    bool inner[TENSOR_MAX_RANK];
    const expr *index[TENSOR_MAX_RANK];
    int64_t count; /* elements of a row: the product of the inner dimensions */
} kit_rows;
void kit_rows_begin(nest_list *l, const char *name, int operand, const bool *inner, kit_rows *out);
/* Opens a stage over the row. */
void kit_rows_open(kit_rows *r);
/* The index into a tensor of `dims` of what stands at `index` in a tensor of the same elements shaped `from`; plain
 * variables and products wherever groups of dimensions correspond. */
void kit_reindex(builder *b, const expr *const *index, int from_rank, const int64_t *from, int rank,
                 const int64_t *dims, const expr **out);
/* lo <= x < hi as a condition; NULL stands for true, also in `mask`, which is and-ed to it. */
const expr *kit_inside(builder *b, const expr *mask, const expr *x, int64_t lo, int64_t hi, bool check_lo,
                       bool check_hi);
/* An index operand's element as an i64 with negative ones counted from the end; not in need of it where the operand is
 * a constant without negative elements. */
const expr *kit_wrapped_index(const node *n, const nest_list *l, int operand, const expr *const *index, int64_t extent);
/* A nest that refuses to go on (TENON_E_INDEX) where an element of the operand is outside [lo, hi) and not `except`.
 * None where the operand is a constant of the node: kit_check_constant_index has seen it. */
void kit_check_index(const node *n, nest_list *l, int operand, int64_t lo, int64_t hi, const int64_t *except);
/* What an element of an integer operand may be. */
typedef struct kit_allowed {
    int n;
    int64_t values[2 * TENSOR_MAX_RANK];
} kit_allowed;
/* For operands that say a shape which the model declares: a nest that refuses to go on (TENON_E_VALUE) where the data
 * says otherwise. None where the operand is a constant of the node. `allowed` has an entry for each element. */
void kit_check_allowed(const node *n, nest_list *l, int operand, const kit_allowed *allowed, int64_t count);
/* The same for elements that must equal `values`. */
void kit_check_equal(const node *n, nest_list *l, int operand, const int64_t *values, int64_t count);
/* Element k of a vector operand of integers, as an i64: a literal where the node knows it, else read in a nest, loaded
 * in a raw one.
 */
const expr *kit_int_at(const node *n, const nest_list *l, int operand, int64_t k, bool raw);

/* ---- kit_infer.c ---- */
/* Output k has the type of the input / the input's shape and another element type. */
status kit_infer_same(node *n);
/* Input k, where it is given, must have one element, of whatever rank. */
status kit_check_single(const node *n, int k);
/* Output 0 has the shape that `rank` integers say: [too-many-dimensions], [bad-shape]. */
status kit_output_of_ints(node *n, dtype elem, const int64_t *shape, int64_t rank);
status kit_output_like(node *n, int output, int input);
status kit_output_shaped(node *n, int output, int input, dtype elem);
/* [bad-index] where input k is a constant with an element outside [-extent, extent). */
status kit_check_constant_index(node *n, int k, dim extent);
/* axis counted from the end where negative, known to be valid. */
static inline int kit_axis(int64_t axis, int rank) {
    return (int)(axis < 0 ? axis + rank : axis);
}
/* Marks axes[0..n) (negative: from the end) in out_set[rank]; [bad-axis] where one is out of range or given twice. */
status kit_axis_set(const node *n, const int64_t *axes, int64_t n_axes, int rank, bool *out_set);
/* Product of dims[from..to). */
dim kit_product(const node *n, const dim *dims, int from, int to);
/* ---- kit_dims.c ---- */
/* The elements of a vector input as dimensions, where shape arithmetic (Shape, Gather, Concat, ...) says them though
 * they are symbols. False where they are not known; a constant of more than TENSOR_MAX_RANK elements is not. */
bool kit_known_dims(const node *n, int input, dim out[TENSOR_MAX_RANK], int *out_n);
/* Copies n dimensions (none where n is 0 or less). */
void kit_copy_dims(dim *to, const dim *from, int64_t n);
/* The known contents of input k, any element type; NULL where not known. */
const tensor *kit_constant(const node *n, int k);

/* ---- kit_upgrade.c ---- */
/* The list attribute `name`, if there, becomes the i64 input `index`. */
status kit_ints_to_input(node *n, const char *name, int index);
/* A float attribute becomes input `index`, a scalar of the element type of input 0. */
status kit_float_to_input(node *n, const char *name, int index);
/* Before opset 7 the second operand could stand at any dimension of the first: trailing ones put it there. */
status kit_align_operand(node *n, int64_t axis);
/* What says so in arithmetic and comparisons: `broadcast` and `axis`. */
status kit_upgrade_broadcast(node *n);
/* A norm's p, a float in opset 1, as an integer. */
status kit_upgrade_p(node *n);

/* ---- kit_chain.c: expansions ---- */
/* New nodes before one node. Each function gives a value, or NULL once something has failed: ask kit_chain_status at
 * the end. */
typedef struct kit_chain {
    graph *g;
    node *before;
    size_t errors; /* diagnostics when the chain began */
    bool failed;
} kit_chain;
#define KIT_CHAIN(g_, before_) ((kit_chain){(g_), (before_), diag_errors((g_)->diags), false})
node *kit_chain_node(kit_chain *c, const char *op, value *const *inputs, int n_inputs, const attr *attrs, int n_attrs,
                     int n_outputs);
value *kit_chain_with(kit_chain *c, const char *op, value *x, value *y /* NULL: one input */,
                      const attr *a /* NULL: none */);
value *kit_chain_unary(kit_chain *c, const char *op, value *x);
value *kit_chain_binary(kit_chain *c, const char *op, value *x, value *y);
value *kit_chain_axis(kit_chain *c, const char *op, value *x, value *y, int64_t axis);
value *kit_chain_cast(kit_chain *c, value *x, dtype t);
value *kit_chain_ints(kit_chain *c, const int64_t *ints, int64_t n);
value *kit_chain_scalar(kit_chain *c, dtype t, double x);
value *kit_chain_reshape(kit_chain *c, value *x, const int64_t *dims, int rank);
value *kit_chain_transpose(kit_chain *c, value *x, const int64_t *perm, int rank);
/* `to` takes the place of the expanded node's output `from` (NULL: an absent output). */
status kit_chain_result(kit_chain *c, value *from, value *to);
status kit_chain_status(const kit_chain *c);

#endif
