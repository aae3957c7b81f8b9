/* tenon.cost/1: what nodes cost. */
#include "lower/lower.h"
#include "plugin/services.h"

static int64_t macs(const tenon_plugin_host *host, const tenon_node *node_handle) {
    return lower_macs(plugin_node(node_handle), pass_host_of(host)->scratch);
}

const tenon_cost_1 plugin_cost = {sizeof plugin_cost, macs};
