/* Expansions are written as chains of new nodes; a chain that has failed stays failed and is asked once at the end. */
#include <string.h>

#include "ops/kit.h"

node *kit_chain_node(kit_chain *c, const char *op, value *const *inputs, int n_inputs, const attr *attrs, int n_attrs,
                     int n_outputs) {
    for (int k = 0; k < n_inputs; k++)
        if (inputs[k] == NULL)
            c->failed = true;
    node *made = c->failed ? NULL : graph_build(c->g, c->before, op, inputs, n_inputs, attrs, n_attrs, n_outputs);
    c->failed |= made == NULL;
    return made;
}

value *kit_chain_with(kit_chain *c, const char *op, value *x, value *y, const attr *a) {
    value *inputs[] = {x, y};
    node *made = kit_chain_node(c, op, inputs, y == NULL ? 1 : 2, a, a == NULL ? 0 : 1, 1);
    return made == NULL ? NULL : made->outputs[0];
}

value *kit_chain_unary(kit_chain *c, const char *op, value *x) {
    return kit_chain_with(c, op, x, NULL, NULL);
}

value *kit_chain_binary(kit_chain *c, const char *op, value *x, value *y) {
    c->failed |= y == NULL;
    return kit_chain_with(c, op, x, y, NULL);
}

value *kit_chain_axis(kit_chain *c, const char *op, value *x, value *y, int64_t axis) {
    attr a = {.name = "axis", .kind = ATTR_INT, .i = axis};
    return kit_chain_with(c, op, x, y, &a);
}

value *kit_chain_cast(kit_chain *c, value *x, dtype t) {
    attr to = {.name = "to", .kind = ATTR_INT, .i = dtype_to_onnx(t)};
    return x == NULL || x->type.elem == t ? x : kit_chain_with(c, "Cast", x, NULL, &to);
}

value *kit_chain_ints(kit_chain *c, const int64_t *ints, int64_t n) {
    value *made = graph_add_ints(c->g, NULL, 1, ints, n);
    c->failed |= made == NULL;
    return made;
}

value *kit_chain_scalar(kit_chain *c, dtype t, double x) {
    value *made = graph_add_number(c->g, t, x);
    c->failed |= made == NULL;
    return made;
}

value *kit_chain_reshape(kit_chain *c, value *x, const int64_t *dims, int rank) {
    return kit_chain_binary(c, "Reshape", x, kit_chain_ints(c, dims, rank));
}

value *kit_chain_transpose(kit_chain *c, value *x, const int64_t *perm, int rank) {
    attr a = {.name = "perm", .kind = ATTR_INTS, .ints = perm, .n = rank};
    return kit_chain_with(c, "Transpose", x, NULL, &a);
}

status kit_chain_result(kit_chain *c, value *from, value *to) {
    if (from == NULL)
        return STATUS_OK;
    c->failed |= to == NULL;
    return c->failed ? kit_chain_status(c) : graph_replace_all_uses(c->g, from, to);
}

status kit_chain_status(const kit_chain *c) {
    if (!c->failed)
        return STATUS_OK;
    return diag_errors(c->g->diags) > c->errors ? STATUS_INVALID : STATUS_RESOURCE;
}
