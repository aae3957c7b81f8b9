/* Losses: NegativeLogLikelihoodLoss, SoftmaxCrossEntropyLoss. */
#include <string.h>

#include "ops/kit.h"

static bool reduction_is(const node *n, const char *name) {
    return strcmp(op_string(n, "reduction"), name) == 0;
}

static status check_target(node *n) {
    const tensor_type *x = op_input_type(n, 0), *labels = op_input_type(n, 1);
    if (!reduction_is(n, "none") && !reduction_is(n, "sum") && !reduction_is(n, "mean"))
        return op_invalid(n, "wrong-attribute", "reduction is '%s', expected none, sum or mean",
                          op_string(n, "reduction"));
    if (node_input(n, 2) != NULL && op_input_rank(n, 2) >= 0 && op_input_rank(n, 2) != 1)
        return op_invalid(n, "wrong-rank", "'%s' must have one dimension, it has %d", n->row->inputs[2].name,
                          op_input_rank(n, 2));
    if (x->rank < 0 || labels->rank < 0)
        return STATUS_OK;
    if (x->rank < 2 || labels->rank != x->rank - 1)
        return op_invalid(n, "wrong-rank", "'%s' has %d dimensions and '%s' %d, expected one fewer",
                          n->row->inputs[0].name, x->rank, n->row->inputs[1].name, labels->rank);
    for (int k = 0; k < labels->rank; k++) {
        dim from = x->dims[k == 0 ? 0 : k + 1];
        if (dim_is_known(from) && dim_is_known(labels->dims[k]) && from.n != labels->dims[k].n)
            return op_invalid(n, "shape-mismatch", "dimension %d of '%s' is %lld, expected %lld", k,
                              n->row->inputs[1].name, (long long)labels->dims[k].n, (long long)from.n);
    }
    return STATUS_OK;
}

static status loss_infer(node *n) {
    dtype elem = op_input_type(n, 0)->elem;
    TRY(check_target(n));
    return reduction_is(n, "none") ? kit_output_shaped(n, 0, 1, elem) : op_set_output(n, 0, elem, 0, NULL);
}

/* The weight of a sample (NULL: 1) and its loss, at index i of the labels. */
static const expr *sample_loss(const node *n, const nest_list *l, const expr *const *i, const expr **out_weight) {
    builder *b = l->b;
    const expr *f[TENSOR_MAX_RANK], *labels = build_cast(b, DT_I64, nest_read(l, 1, i)), *ignored = NULL;
    if (op_has(n, "ignore_index")) {
        ignored = build_eq(b, labels, build_index(b, op_int(n, "ignore_index")));
        labels = build_select(b, ignored, build_index(b, 0), labels);
    }
    f[0] = i[0];
    f[1] = labels;
    for (int k = 1; k < kit_operand(l, 1)->rank; k++)
        f[k + 1] = i[k];
    const expr *loss = build_unary(b, EXPR_NEG, kit_read(l, 0, f)), *zero = kit_const(b, loss, 0);
    const expr *weight = node_input(n, 2) == NULL ? NULL : kit_read(l, 2, &labels);
    if (weight != NULL)
        loss = build_mul(b, loss, weight);
    if (ignored != NULL) {
        loss = build_select(b, ignored, zero, loss);
        weight = build_select(b, ignored, zero, weight == NULL ? kit_const(b, loss, 1) : weight);
    }
    *out_weight = weight;
    return loss;
}

static void open_samples(nest *m, const nest_operand *labels, const expr **i) {
    nest_open(m);
    for (int k = 0; k < labels->rank; k++)
        i[k] = nest_inner(m, "i", labels->dims[k]);
}

static status nll_lower(const node *n, nest_list *l) {
    builder *b = l->b;
    const expr *i[TENSOR_MAX_RANK], *weight, *ignored_weight;
    const nest_operand labels = *kit_operand(l, 1);
    int64_t ignore = op_int(n, "ignore_index"), count = 1;
    kit_check_index(n, l, 1, 0, kit_operand(l, 0)->dims[1], op_has(n, "ignore_index") ? &ignore : NULL);
    nest *m = nest_add(l, "nll_loss");
    if (reduction_is(n, "none")) {
        nest_outer_all(m, labels.rank, labels.dims, i);
        kit_store(l, m, nest_output(l, 0), i, sample_loss(n, l, i, &weight));
        return builder_status(b);
    }
    open_samples(m, &labels, i);
    const expr *loss = nest_reduce(m, REDUCE_SUM, sample_loss(n, l, i, &weight)), *total;
    if (reduction_is(n, "mean")) {
        for (int k = 0; k < labels.rank; k++)
            count *= labels.dims[k];
        total = kit_const(b, loss, (double)count);
        if (weight != NULL) {
            open_samples(m, &labels, i);
            sample_loss(n, l, i, &ignored_weight);
            total = nest_reduce(m, REDUCE_SUM, ignored_weight);
        }
        loss = build_div(b, loss, total);
    }
    kit_store(l, m, nest_output(l, 0), NULL, loss);
    return builder_status(b);
}

static const op_attr loss_attrs[] = {
    {"ignore_index", .kind = ATTR_INT}, {"reduction", ATTR_STRING, .s = "mean"}, {.name = NULL}};

OP_ROW(NegativeLogLikelihoodLoss) = {
    .name = "NegativeLogLikelihoodLoss",
    .domain = "",
    .versions = VERSIONS(12, 13, 22),
    .kind = OP_LOWER,
    .inputs = PARAMS({"input", TYPES_FLOAT, 'T', 0}, {"target", TYPES_INDEX, 'I', 0},
                     {"weight", TYPES_FLOAT, 'T', PARAM_OPTIONAL}),
    .outputs = PARAMS({"loss", TYPES_FLOAT, 'T', 0}),
    .attrs = loss_attrs,
    .infer = loss_infer,
    .lower = nll_lower,
};

/* ---- SoftmaxCrossEntropyLoss = LogSoftmax over the classes, then NegativeLogLikelihoodLoss ---- */

static status cross_entropy_infer(node *n) {
    TRY(loss_infer(n));
    return kit_output_like(n, 1, 0);
}

static status cross_entropy_expand(graph *g, node *n) {
    kit_chain c = KIT_CHAIN(g, n);
    value *log = kit_chain_axis(&c, "LogSoftmax", node_input(n, 0), NULL, 1), *weights = node_input(n, 2);
    value *inputs[] = {log, node_input(n, 1), weights};
    node *loss =
        kit_chain_node(&c, "NegativeLogLikelihoodLoss", inputs, weights == NULL ? 2 : 3, n->attrs, n->n_attrs, 1);
    TRY(kit_chain_result(&c, node_output(n, 0), loss == NULL ? NULL : loss->outputs[0]));
    return kit_chain_result(&c, node_output(n, 1), log);
}

OP_ROW(SoftmaxCrossEntropyLoss) = {
    .name = "SoftmaxCrossEntropyLoss",
    .domain = "",
    .versions = VERSIONS(12, 13),
    .kind = OP_EXPAND,
    .inputs = PARAMS({"scores", TYPES_FLOAT, 'T', 0}, {"labels", TYPES_INDEX, 'I', 0},
                     {"weights", TYPES_FLOAT, 'T', PARAM_OPTIONAL}),
    .outputs = PARAMS({"output", TYPES_FLOAT, 'T', 0}, {"log_prob", TYPES_FLOAT, 'T', PARAM_OPTIONAL}),
    .attrs = loss_attrs,
    .infer = cross_entropy_infer,
    .expand = cross_entropy_expand,
};
