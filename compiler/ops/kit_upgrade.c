/* Steps that several operators take from an older form to the newest: attributes that became inputs. */
#include "ops/kit.h"

status kit_ints_to_input(node *n, const char *name, int index) {
    int64_t count = 0;
    const int64_t *ints = op_ints(n, name, &count);
    if (ints == NULL)
        return STATUS_OK;
    value *v = graph_add_ints(n->graph, NULL, 1, ints, count);
    TRY_ALLOC(v);
    TRY(node_set_input(n, index, v));
    node_remove_attr(n, name);
    return STATUS_OK;
}

status kit_float_to_input(node *n, const char *name, int index) {
    const attr *a = node_attr(n, name);
    dtype elem = op_input_type(n, 0)->elem;
    if (a == NULL)
        return STATUS_OK;
    if (elem != DT_NONE) { /* else the input is undefined, which is said elsewhere */
        value *v = graph_add_number(n->graph, elem, a->f);
        TRY_ALLOC(v);
        TRY(node_set_input(n, index, v));
    }
    node_remove_attr(n, name);
    return STATUS_OK;
}

status kit_align_operand(node *n, int64_t axis) {
    int rank = op_input_rank(n, 0), small = op_input_rank(n, 1), behind;
    if (rank < 0 || small < 0)
        return op_unsupported(n, "unknown-shape",
                              "the number of dimensions of both inputs must be known before opset 7");
    TRY(op_axis(n, axis, rank, &behind));
    behind = rank - behind - small;
    if (behind < 0)
        return op_invalid(n, "bad-axis", "%d dimensions from axis %lld on are more than the %d of the first input",
                          small, (long long)axis, rank);
    if (behind == 0)
        return STATUS_OK;
    int64_t axes[TENSOR_MAX_RANK];
    for (int k = 0; k < behind; k++)
        axes[k] = small + k;
    kit_chain c = KIT_CHAIN(n->graph, n);
    value *aligned = kit_chain_binary(&c, "Unsqueeze", node_input(n, 1), kit_chain_ints(&c, axes, behind));
    TRY(kit_chain_status(&c));
    return node_set_input(n, 1, aligned);
}

status kit_upgrade_broadcast(node *n) {
    const attr *axis = node_attr(n, "axis"), *broadcast = node_attr(n, "broadcast");
    if (axis != NULL && broadcast != NULL && broadcast->i != 0)
        TRY(kit_align_operand(n, axis->i));
    node_remove_attr(n, "axis");
    node_remove_attr(n, "broadcast");
    return STATUS_OK;
}

status kit_upgrade_p(node *n) {
    const attr *p = node_attr(n, "p");
    if (p == NULL || p->kind != ATTR_FLOAT)
        return STATUS_OK;
    if (p->f != (double)(int64_t)p->f)
        return op_unsupported(n, "unsupported-attribute", "p = %g is not supported; it must be an integer", p->f);
    return node_set_attr(n, &(attr){.name = "p", .kind = ATTR_INT, .i = (int64_t)p->f});
}
