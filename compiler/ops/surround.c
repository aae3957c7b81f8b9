/* Surround: a tensor within a border of one number, in parts that need no masks. */
#include "ops/integer.h"

static int64_t pad_of(const node *n, int k) {
    int64_t count;
    const int64_t *pads = op_ints(n, "pads", &count);
    return k < count ? pads[k] : 0;
}

static status surround_infer(node *n) {
    const tensor_type *x = op_input_type(n, 0);
    dim dims[TENSOR_MAX_RANK];
    if (x->rank < 0)
        return op_unknown_output(n, 0, x->elem);
    for (int k = 0; k < x->rank; k++)
        dims[k] = dim_add(n->graph->memory, x->dims[k], DIM(pad_of(n, k) + pad_of(n, x->rank + k)));
    return op_set_output(n, 0, x->elem, x->rank, dims);
}

/* The border before (side 0) or behind (1) dimension d: of the dimensions before d what x covers, of those behind all.
 */
static void fill_side(const node *n, nest_list *l, int d, int side) {
    const nest_operand *x = kit_operand(l, 0), *y = kit_operand(l, nest_output(l, 0));
    const expr *to[TENSOR_MAX_RANK];
    int64_t size = pad_of(n, side * x->rank + d), begin = pad_of(n, d);
    if (size <= 0)
        return;
    nest *m = nest_add(l, "border");
    for (int k = 0; k < x->rank; k++) {
        int64_t extent = k < d ? x->dims[k] : k == d ? size : y->dims[k];
        int64_t first = k < d ? pad_of(n, k) : k == d && side != 0 ? begin + x->dims[k] : 0;
        to[k] = build_add(l->b, nest_outer(m, "i", extent), build_index(l->b, first));
    }
    nest_store(m, nest_output(l, 0), to, x->rank, build_int(l->b, y->elem, op_int(n, "value")));
}

static status surround_lower(const node *n, nest_list *l) {
    const expr *i[TENSOR_MAX_RANK], *to[TENSOR_MAX_RANK];
    int rank = kit_operand(l, 0)->rank;
    nest *m = kit_over(l, "pad", 0, i);
    for (int k = 0; k < rank; k++)
        to[k] = build_add(l->b, i[k], build_index(l->b, pad_of(n, k)));
    nest_store(m, nest_output(l, 0), to, rank, nest_read(l, 0, i));
    for (int d = 0; d < rank; d++)
        for (int side = 0; side < 2; side++)
            fill_side(n, l, d, side);
    return builder_status(l->b);
}

OP_ROW(tenon__Surround) = {
    .name = "Surround",
    .domain = OP_OWN_DOMAIN,
    .versions = VERSIONS(1),
    .kind = OP_LOWER,
    .inputs = PARAMS({"x", TYPES_QUANTISED, 'T', 0}),
    .outputs = PARAMS({"y", TYPES_QUANTISED, 'T', 0}),
    .attrs = ATTRS({"pads", ATTR_INTS, .required = true}, {"value", ATTR_INT, .required = true}),
    .infer = surround_infer,
    .lower = surround_lower,
};
