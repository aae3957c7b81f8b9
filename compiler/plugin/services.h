/* The functions behind the interfaces of plugin.h. Private to plugin/. */
#ifndef TENON_PLUGIN_SERVICES_H
#define TENON_PLUGIN_SERVICES_H

#include "passes/host.h"
#include "plugin/plugin.h"

extern const tenon_diag_1 plugin_diag;           /* service_diag.c */
extern const tenon_report_1 plugin_report;       /* service_report.c */
extern const tenon_tensor_1 plugin_tensor;       /* service_tensor.c */
extern const tenon_graph_1 plugin_graph;         /* service_graph.c */
extern const tenon_cost_1 plugin_cost;           /* service_cost.c */
extern const tenon_eval_1 plugin_eval;           /* service_eval.c */
extern const tenon_opinfo_1 plugin_opinfo;       /* service_opinfo.c */
extern const tenon_criterion_1 plugin_criterion; /* service_criterion.c */

static inline node *plugin_node(const tenon_node *n) {
    return (node *)(uintptr_t)n;
}
static inline value *plugin_value(const tenon_value *v) {
    return (value *)(uintptr_t)v;
}
static inline graph *plugin_graph_of(const tenon_graph *g) {
    return (graph *)(uintptr_t)g;
}

/* ---- bind.c ---- */
int plugin_bind_input(const tenon_plugin_host *host, tenon_graph *g, tenon_value *v, tenon_tensor *t);
/* ---- match.c ---- */
int plugin_match(const tenon_plugin_host *host, const tenon_value *root, const char *pattern, tenon_match *out);
/* ---- extract.c ---- */
tenon_graph *plugin_extract(const tenon_plugin_host *host, const tenon_graph *g, tenon_value *const *inputs,
                            int n_inputs, tenon_value *const *outputs, int n_outputs);

#endif
