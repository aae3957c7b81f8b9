/* Inference that operators share. */
#include "ops/kit.h"

status kit_output_shaped(node *n, int output, int input, dtype elem) {
    const tensor_type *x = op_input_type(n, input);
    return x->rank < 0 ? op_unknown_output(n, output, elem) : op_set_output(n, output, elem, x->rank, x->dims);
}

status kit_output_like(node *n, int output, int input) {
    return kit_output_shaped(n, output, input, op_input_type(n, input)->elem);
}

status kit_output_of_ints(node *n, dtype elem, const int64_t *shape, int64_t rank) {
    dim dims[TENSOR_MAX_RANK];
    if (rank > TENSOR_MAX_RANK)
        return op_unsupported(n, "too-many-dimensions", "%lld dimensions, more than %d", (long long)rank,
                              TENSOR_MAX_RANK);
    for (int64_t k = 0; k < rank; k++) {
        if (shape[k] < 0)
            return op_invalid(n, "bad-shape", "dimension %lld is %lld", (long long)k, (long long)shape[k]);
        dims[k] = DIM(shape[k]);
    }
    return op_set_output(n, 0, elem, (int)rank, dims);
}

status kit_infer_same(node *n) {
    return kit_output_like(n, 0, 0);
}

void kit_copy_dims(dim *to, const dim *from, int64_t n) {
    for (int64_t k = 0; k < n; k++)
        to[k] = from[k];
}

const tensor *kit_constant(const node *n, int k) {
    const value *v = node_input(n, k);
    return v == NULL ? NULL : v->constant;
}

status kit_check_single(const node *n, int k) {
    int64_t dims[TENSOR_MAX_RANK];
    if (node_input(n, k) == NULL || op_input_rank(n, k) < 0 || !type_shape(op_input_type(n, k), dims) ||
        type_count(op_input_type(n, k)) == 1)
        return STATUS_OK;
    return op_invalid(n, "shape-mismatch", "'%s' must have one element", n->row->inputs[k].name);
}

status kit_check_constant_index(node *n, int k, dim extent) {
    const tensor *t = kit_constant(n, k);
    if (t == NULL || !dim_is_known(extent))
        return STATUS_OK;
    for (int64_t i = 0; i < t->count; i++) {
        int64_t index = tensor_int(t, i);
        if (index < -extent.n || index >= extent.n)
            return op_invalid(n, "bad-index", "input '%s' holds the index %lld, outside [-%lld, %lld)",
                              n->row->inputs[k].name, (long long)index, (long long)extent.n, (long long)extent.n);
    }
    return STATUS_OK;
}

status kit_axis_set(const node *n, const int64_t *axes, int64_t n_axes, int rank, bool *out_set) {
    for (int k = 0; k < rank; k++)
        out_set[k] = false;
    for (int64_t k = 0; k < n_axes; k++) {
        if (axes[k] < -rank || axes[k] >= rank)
            return op_invalid(n, "bad-axis", "axis %lld is outside [-%d, %d)", (long long)axes[k], rank, rank);
        bool *seen = &out_set[kit_axis(axes[k], rank)];
        if (*seen)
            return op_invalid(n, "bad-axis", "axis %lld is given twice", (long long)axes[k]);
        *seen = true;
    }
    return STATUS_OK;
}

dim kit_product(const node *n, const dim *dims, int from, int to) {
    dim product = DIM(1);
    for (int k = from; k < to; k++)
        product = dim_mul(n->graph->memory, product, dims[k]);
    return product;
}
