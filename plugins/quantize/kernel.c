/* The constant weight of a linear, seen as channels: what equalisation and smoothing scale. */
#include <math.h>
#include <string.h>

#include "quantize.h"

/* 0 where the numbers cannot be seen so. */
static int read_shape(const job *j, kernel *k, const tenon_tensor *t) {
    const tenon_node *n = k->node;
    int rank = j->tensor->rank(t), is_conv = quant_is_op(j, n, "Conv");
    const int64_t *dims = j->tensor->dims(t);
    if (is_conv && rank > 2) {
        k->groups = j->graph->attribute_int(n, "group");
        k->outputs = dims[0];
        k->inputs = dims[1] * k->groups;
        k->each = k->count / (dims[0] * dims[1]);
        return 1;
    }
    int is_gemm = quant_is_op(j, n, "Gemm") && j->graph->attribute_int(n, "transA") == 0;
    if (rank != 2 || !(is_gemm || quant_is_op(j, n, "MatMul")))
        return 0;
    int is_turned = is_gemm && j->graph->attribute_int(n, "transB") != 0;
    k->groups = k->each = 1;
    k->inputs_first = !is_turned;
    k->outputs = dims[is_turned ? 0 : 1];
    k->inputs = dims[is_turned ? 1 : 0];
    return 1;
}

int kernel_read(const job *j, tenon_node *n, kernel *k) {
    const tenon_value *v = j->graph->node_inputs(n) > 1 ? j->graph->node_input(n, 1) : NULL;
    const tenon_tensor *t = v != NULL ? j->graph->constant(v) : NULL;
    memset(k, 0, sizeof *k);
    if (t == NULL || j->tensor->element_type(t) != TENON_FLOAT || j->tensor->count(t) == 0)
        return TENON_OK;
    k->node = n;
    k->count = j->tensor->count(t);
    k->like = t;
    if (!read_shape(j, k, t))
        return TENON_OK;
    k->x = quant_room(j, (size_t)k->count, sizeof *k->x);
    if (k->x == NULL)
        return TENON_PASS_RESOURCE;
    memcpy(k->x, j->tensor->data(t), (size_t)k->count * sizeof *k->x);
    return TENON_OK;
}

/* The channel of element i. */
static int64_t output_of(const kernel *k, int64_t i) {
    return k->inputs_first ? i % k->outputs : i / (k->inputs / k->groups * k->each);
}

static int64_t input_of(const kernel *k, int64_t i) {
    if (k->inputs_first)
        return i / k->outputs;
    int64_t of_group = k->inputs / k->groups, group = output_of(k, i) / (k->outputs / k->groups);
    return group * of_group + i / k->each % of_group;
}

void kernel_ranges(const kernel *k, kernel_side side, double *ranges) {
    for (int64_t i = 0; i < k->count; i++) {
        double *r = &ranges[side == KERNEL_OUTPUTS ? output_of(k, i) : input_of(k, i)];
        *r = fmax(*r, fabs((double)k->x[i]));
    }
}

void kernel_scale(kernel *k, kernel_side side, const double *factors) {
    for (int64_t i = 0; i < k->count; i++)
        k->x[i] = (float)((double)k->x[i] * factors[side == KERNEL_OUTPUTS ? output_of(k, i) : input_of(k, i)]);
}

int kernel_write(const job *j, const kernel *k) {
    tenon_tensor *t =
        j->tensor->make(j->host, j->g, TENON_FLOAT, j->tensor->rank(k->like), j->tensor->dims(k->like), k->x);
    tenon_value *v =
        t != NULL ? j->graph->add_constant(j->host, j->g, j->graph->value_name(j->graph->node_input(k->node, 1)), t)
                  : NULL;
    return v != NULL ? j->graph->set_input(j->host, k->node, 1, v) : TENON_PASS_RESOURCE;
}

int quant_scale_constant(const job *j, tenon_node *n, int input, const double *factors) {
    const tenon_value *v = j->graph->node_input(n, input);
    const tenon_tensor *t = j->graph->constant(v);
    int64_t count = j->tensor->count(t);
    float *x = quant_room(j, (size_t)count, sizeof *x);
    if (x == NULL)
        return TENON_PASS_RESOURCE;
    for (int64_t i = 0; i < count; i++)
        x[i] = (float)(j->tensor->real(t, i) * factors[i]);
    tenon_tensor *made = j->tensor->make(j->host, j->g, TENON_FLOAT, j->tensor->rank(t), j->tensor->dims(t), x);
    tenon_value *to = made != NULL ? j->graph->add_constant(j->host, j->g, j->graph->value_name(v), made) : NULL;
    return to != NULL ? j->graph->set_input(j->host, n, input, to) : TENON_PASS_RESOURCE;
}
