/* tenon.cost/1: what nodes cost. */
#include "loop/loop.h"
#include "lower/lower.h"
#include "plugin/services.h"

static bool is_lowerable(const node *n) {
    for (int i = 0; i < n->n_outputs; i++)
        if (n->outputs[i] != NULL && !type_shape(&n->outputs[i]->type, NULL))
            return false;
    return n->row != NULL && n->row->kind != OP_EXPAND && op_is_ready(n);
}

/* Of the operator itself: of its naive program. */
static int64_t macs(const tenon_plugin_host *host, const tenon_node *node_handle) {
    pass_host *h = pass_host_of(host);
    const node *n = plugin_node(node_handle);
    if (!is_lowerable(n))
        return -1;
    program *p = NULL;
    arena *scratch = arena_new(arena_allocator(h->scratch));
    int64_t sum = -1;
    if (scratch != NULL && lower_node(n, target_numeric(), scratch, &p) == STATUS_OK) {
        sum = 0;
        for (size_t i = 0; i < p->steps.n; i++)
            sum += p->steps.at[i].macs;
    }
    arena_free(scratch);
    return sum;
}

const tenon_cost_1 plugin_cost = {sizeof plugin_cost, macs};
