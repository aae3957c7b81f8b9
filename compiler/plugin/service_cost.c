/* tenon.cost/1: what nodes cost. */
#include "plugin/services.h"

static int64_t macs(const tenon_plugin_host *host, const tenon_node *node) {
    return passes_known_macs(pass_host_of(host)->registry, plugin_node(node));
}

const tenon_cost_1 plugin_cost = {sizeof plugin_cost, macs};
