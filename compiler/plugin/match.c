/* Patterns for plugins: ir/match.c behind the interface. */
#include <string.h>

#include "ir/match.h"
#include "plugin/services.h"

_Static_assert(TENON_MATCH_MAX == MATCH_MAX, "one is copied into the other");

int plugin_match(const tenon_plugin_host *host, const tenon_value *root, const char *text, tenon_match *out) {
    match found;
    const char *why;
    if (!graph_match(plugin_value(root), text, &found, &why)) {
        if (why != NULL)
            pass_host_blame(pass_host_of(host), "bad-pattern", "matches '%s', which is no pattern: %s", text, why);
        return 0;
    }
    tenon_match made = {.struct_size = out->struct_size,
                        .n_values = found.n_values,
                        .n_nodes = found.n_nodes,
                        .is_private = found.is_private};
    memcpy(made.values, found.values, sizeof made.values);
    memcpy(made.nodes, found.nodes, sizeof made.nodes);
    memcpy(out, &made, out->struct_size < sizeof made ? out->struct_size : sizeof made);
    return 1;
}
