/* The largest of numbers that are quantised is the largest of them, quantised: where floats are pooled so, fewer are
 * left to quantise. */
#include "passes/integer.h"

node *integer_pool_after(const value *q) {
    node *n = only_user(q);
    if (n == NULL || !is_op(n, "MaxPool") || n->n_outputs != 1 || !type_shape(&q->type, NULL) ||
        !type_shape(&n->outputs[0]->type, NULL))
        return NULL;
    return 2 * type_count(&n->outputs[0]->type) <= type_count(&q->type) ? n : NULL;
}

/* q before the pool, which is of floats then, becomes q behind it. */
static status swap(integer_work *w, node *q, node *pool) {
    value *x = node_input(q, 0), *inputs[] = {NULL, node_input(q, 1), node_input(q, 2)};
    TRY(integer_node(w, pool, "MaxPool", &x, 1, pool->attrs, pool->n_attrs, &inputs[0]));
    TRY(integer_node(w, pool, "QuantizeLinear", inputs, inputs[2] != NULL ? 3 : 2, q->attrs, q->n_attrs, &x));
    x->def->source = q->source;
    x->def->name = q->name;
    TRY(integer_replace(w, pool, x));
    return graph_erase_node(w->g, q);
}

status integer_pools(integer_work *w) {
    node_list all;
    quantiser q;
    TRY(integer_nodes(w, &all));
    for (size_t i = 0; i < all.n; i++) {
        node *n = all.at[i], *pool = !n->erased && quantiser_read(n, &q) ? integer_pool_after(n->outputs[0]) : NULL;
        if (pool != NULL)
            TRY(swap(w, n, pool));
    }
    return STATUS_OK;
}
