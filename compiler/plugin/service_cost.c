/* tenon.cost/1: what nodes cost. */
#include "plugin/services.h"

static int64_t macs(const tenon_plugin_host *host, const tenon_node *n) {
    return passes_known_macs(pass_host_of(host)->registry, plugin_node(n));
}

const tenon_cost_1 plugin_cost = {sizeof plugin_cost, macs};
