/* tenon.cost/1: what nodes cost. */
#include "loop/target.h"
#include "plugin/services.h"

static bool is_known(const node *n) {
    for (int i = 0; i < n->n_outputs; i++)
        if (n->outputs[i] != NULL && !type_shape(&n->outputs[i]->type, NULL))
            return false;
    return op_is_ready(n);
}

static int64_t macs(const tenon_plugin_host *host, const tenon_node *node_handle) {
    const node *n = plugin_node(node_handle);
    int64_t sum;
    return is_known(n) && passes_node_macs(pass_host_of(host)->registry, n, target_numeric(), &sum) == STATUS_OK ? sum
                                                                                                                 : -1;
}

const tenon_cost_1 plugin_cost = {sizeof plugin_cost, macs};
