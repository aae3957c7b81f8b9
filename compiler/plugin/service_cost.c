/* tenon.cost/1: what nodes and graphs cost. */
#include "loop/target.h"
#include "plugin/services.h"

static int64_t macs(const tenon_plugin_host *host, const tenon_node *n) {
    return passes_known_macs(pass_host_of(host)->registry, plugin_node(n));
}

static double cycles(const tenon_plugin_host *host, const tenon_graph *g, const char *name) {
    pass_host *h = pass_host_of(host);
    const target *t = target_find(name != NULL ? name : "host", h->d);
    double out;
    return t != NULL && passes_cycles(h->registry, plugin_graph_of(g), t, &out) == STATUS_OK ? out : -1;
}

const tenon_cost_1 plugin_cost = {sizeof plugin_cost, macs, cycles};
