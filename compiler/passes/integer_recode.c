/* Codes by which real 0 is integer 0, where that is but the other sign of the type: int8 with the zero point -128 is
 * uint8, uint8 with 128 is int8. Then what convolutions read has a border of zeros, as floats have. */
#include "passes/integer.h"

static dtype other_sign(dtype t) {
    static const dtype pairs[][2] = {{DT_I8, DT_U8}, {DT_I16, DT_U16}};
    for (size_t k = 0; k < sizeof pairs / sizeof *pairs; k++)
        if (t == pairs[k][0] || t == pairs[k][1])
            return pairs[k][t == pairs[k][0]];
    return DT_NONE;
}

/* Is the value read by nothing but DequantizeLinear with the parameters that made it? */
static bool is_inner(const quantiser *q) {
    const value *v = q->n->outputs[0];
    for (const use *u = v->uses; u != NULL; u = u->next) {
        quantised x;
        if (u->user == NULL || !is_op(u->user, "DequantizeLinear") || u->index != 0 || node_input(u->user, 2) == NULL ||
            !quantised_read(u->user->outputs[0], &x) || !quantised_is_single(&x) || quantised_zero(&x, 0) != q->zero)
            return false;
    }
    return v->uses != NULL;
}

static status recode(integer_work *w, const quantiser *q, dtype to) {
    const int64_t none = 0;
    value *inputs[3] = {node_input(q->n, 0), node_input(q->n, 1)}, *y;
    TRY(integer_constant(w, to, 0, NULL, &none, &inputs[2]));
    TRY(integer_node(w, q->n, "QuantizeLinear", inputs, 3, NULL, 0, &y));
    for (const use *u = q->n->outputs[0]->uses; u != NULL; u = q->n->outputs[0]->uses) {
        node *reader = u->user;
        TRY(node_set_input(reader, 2, inputs[2]));
        TRY(node_set_input(reader, 0, y));
    }
    return integer_replace(w, q->n, y);
}

status integer_recode(integer_work *w) {
    node_list all;
    quantiser q;
    TRY(integer_nodes(w, &all));
    for (size_t i = 0; i < all.n; i++) {
        if (!quantiser_read(all.at[i], &q))
            continue;
        dtype to = other_sign(q.to);
        int64_t middle = dtype_is_signed(q.to) ? dtype_min(q.to) : (int64_t)(dtype_max(q.to) / 2 + 1);
        if (to != DT_NONE && q.zero == middle && is_inner(&q))
            TRY(recode(w, &q, to));
    }
    return STATUS_OK;
}
