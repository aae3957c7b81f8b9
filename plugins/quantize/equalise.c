/* equalise=true: cross-layer equalisation (Nagel et al., data-free quantisation). Between two linears that only a
 * function divides which scales with its argument, a channel may have any scale: the first weight's output channel is
 * divided by it, the second's input channel multiplied. The scale that makes both ranges alike wastes the fewest codes
 * where a weight has one format. */
#include <math.h>

#include "quantize.h"

/* f(s x) = s f(x) for s > 0, channel by channel. */
static const char *const homogeneous[] = {"Relu",    "LeakyRelu",         "MaxPool",  "AveragePool",
                                          "Dropout", "GlobalAveragePool", "Identity", NULL};

/* A linear and the one behind it. */
typedef struct pair {
    kernel *first, *second;
    tenon_node *bias_node; /* of the first; NULL: none */
    int bias_input;
    double *scales; /* of the channels between them, so far */
} pair;

/* The only use of what the node gives; node NULL: there is no such node. */
static tenon_use only_use(const job *j, const tenon_node *n) {
    const tenon_value *y = j->graph->node_output(n, 0);
    return j->graph->uses(y) == 1 ? j->graph->use(y, 0) : (tenon_use){NULL, 0};
}

/* Has the node's input a constant for each channel, which are the last dimension? */
static int is_bias(const job *j, const tenon_node *n, int input, int64_t channels) {
    const tenon_value *v = input < j->graph->node_inputs(n) ? j->graph->node_input(n, input) : NULL;
    const tenon_tensor *t = v != NULL ? j->graph->constant(v) : NULL;
    return t != NULL && j->tensor->rank(t) > 0 && j->tensor->element_type(t) == TENON_FLOAT &&
           j->tensor->count(t) == channels && j->tensor->dims(t)[j->tensor->rank(t) - 1] == channels;
}

/* Where the way from p->first leads to; NULL: to nothing that can be scaled. Finds the bias. */
static tenon_node *follow(const job *j, pair *p) {
    tenon_node *n = p->first->node;
    int is_product = quant_is_op(j, n, "MatMul");
    if (!is_product && j->graph->node_inputs(n) > 2 && j->graph->node_input(n, 2) != NULL) {
        if (!is_bias(j, n, 2, p->first->outputs))
            return NULL;
        p->bias_node = n;
        p->bias_input = 2;
    }
    tenon_use u = only_use(j, n);
    if (is_product && quant_is_op(j, u.node, "Add") && is_bias(j, u.node, 1 - u.index, p->first->outputs)) {
        p->bias_node = u.node;
        p->bias_input = 1 - u.index;
        u = only_use(j, u.node);
    }
    while (u.node != NULL && quant_is_among(j, u.node, homogeneous))
        u = j->graph->node_outputs(u.node) == 1 ? only_use(j, u.node) : (tenon_use){NULL, 0};
    return u.index == 0 ? u.node : NULL;
}

static int is_conv(const job *j, const kernel *k) {
    return quant_is_op(j, k->node, "Conv");
}

/* The kernels that may be scaled, and the pairs of them. */
static int find_kernels(const job *j, kernel *kernels, int *n) {
    for (tenon_node *node = j->graph->first(j->g); node != NULL; node = j->graph->next(node)) {
        settings how;
        if (!quant_is_linear(j, node) || !quant_is_selected(j, node))
            continue;
        TRY(quant_settings(j, node, &how));
        TRY(how.equalise && how.weight_width > 0 ? kernel_read(j, node, &kernels[*n]) : TENON_OK);
        *n += kernels[*n].x != NULL;
    }
    return TENON_OK;
}

static int find_pairs(const job *j, kernel *kernels, int n, pair *pairs, int *n_pairs) {
    for (int i = 0; i < n; i++) {
        pair *p = &pairs[*n_pairs];
        *p = (pair){.first = &kernels[i]};
        const tenon_node *to = follow(j, p);
        for (int k = 0; k < n && to != NULL; k++)
            if (kernels[k].node == to && kernels[k].inputs == kernels[i].outputs &&
                is_conv(j, &kernels[k]) == is_conv(j, &kernels[i]))
                p->second = &kernels[k];
        if (p->second == NULL)
            continue;
        p->scales = quant_room(j, (size_t)p->first->outputs, sizeof *p->scales);
        if (p->scales == NULL)
            return TENON_PASS_RESOURCE;
        for (int64_t c = 0; c < p->first->outputs; c++)
            p->scales[c] = 1;
        ++*n_pairs;
    }
    return TENON_OK;
}

/* Makes the ranges of a pair alike; out_most: the largest factor by which a channel was still off. */
static int balance(const job *j, pair *p, double *out_most) {
    int64_t n = p->first->outputs;
    double *first = quant_room(j, (size_t)n, sizeof *first), *second = quant_room(j, (size_t)n, sizeof *second);
    if (first == NULL || second == NULL)
        return TENON_PASS_RESOURCE;
    kernel_ranges(p->first, KERNEL_OUTPUTS, first);
    kernel_ranges(p->second, KERNEL_INPUTS, second);
    for (int64_t c = 0; c < n; c++) {
        double s = first[c] > 0 && second[c] > 0 ? sqrt(first[c] / second[c]) : 1;
        *out_most = fmax(*out_most, fmax(s, 1 / s));
        p->scales[c] *= s;
        first[c] = 1 / s;
        second[c] = s;
    }
    kernel_scale(p->first, KERNEL_OUTPUTS, first);
    kernel_scale(p->second, KERNEL_INPUTS, second);
    return TENON_OK;
}

static int write_biases(const job *j, const pair *p) {
    if (p->bias_node == NULL)
        return TENON_OK;
    for (int64_t c = 0; c < p->first->outputs; c++)
        p->scales[c] = 1 / p->scales[c];
    return quant_scale_constant(j, p->bias_node, p->bias_input, p->scales);
}

/* Pairs share linears, so it takes some rounds. */
enum { ROUNDS = 20 };
static const double close_enough = 1.01;

int quant_equalise(job *j) {
    size_t most = (size_t)j->graph->nodes(j->g) + 1;
    kernel *kernels = quant_room(j, most, sizeof *kernels);
    pair *pairs = quant_room(j, most, sizeof *pairs);
    int n = 0;
    if (kernels == NULL || pairs == NULL)
        return TENON_PASS_RESOURCE;
    TRY(find_kernels(j, kernels, &n));
    TRY(find_pairs(j, kernels, n, pairs, &j->n_equalised));
    double off = INFINITY;
    for (int round = 0; round < ROUNDS && off > close_enough; round++) {
        off = 1;
        for (int i = 0; i < j->n_equalised; i++)
            TRY(balance(j, &pairs[i], &off));
    }
    for (int i = 0; i < j->n_equalised; i++)
        TRY(write_biases(j, &pairs[i]));
    for (int i = 0; i < n && j->n_equalised > 0; i++)
        TRY(kernel_write(j, &kernels[i]));
    return TENON_OK;
}
