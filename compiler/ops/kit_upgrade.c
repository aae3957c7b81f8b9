/* Steps that several operators take from an older form to the newest: attributes that became inputs. */
#include "ops/kit.h"

value *kit_new_ints(graph *g, const int64_t *ints, int64_t n) {
    int64_t *copy = ARENA_NEW_N(g->memory, int64_t, n > 0 ? n : 1);
    if (copy == NULL)
        return NULL;
    for (int64_t k = 0; k < n; k++)
        copy[k] = ints[k];
    tensor *t = tensor_new(g->memory, DT_I64, 1, &n, copy);
    return t == NULL ? NULL : graph_add_constant(g, NULL, t);
}

value *kit_new_scalar(graph *g, dtype t, double x) {
    uint64_t *data = ARENA_NEW(g->memory, uint64_t);
    if (data == NULL)
        return NULL;
    if (t == DT_BOOL || dtype_is_int(t))
        dtype_set_int(t, data, 0, (int64_t)x);
    else
        dtype_set_double(t, data, 0, x);
    tensor *made = tensor_new(g->memory, t, 0, NULL, data);
    return made == NULL ? NULL : graph_add_constant(g, NULL, made);
}

status kit_ints_to_input(node *n, const char *name, int index) {
    int64_t count = 0;
    const int64_t *ints = op_ints(n, name, &count);
    if (ints == NULL)
        return STATUS_OK;
    value *v = kit_new_ints(n->graph, ints, count);
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
        value *v = kit_new_scalar(n->graph, elem, a->f);
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
