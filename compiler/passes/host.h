/* The host that a running pass talks to. Private to passes/ and plugin/. */
#ifndef TENON_PASSES_HOST_H
#define TENON_PASSES_HOST_H

#include <tenon/plugin.h>

#include "passes/passes.h"

typedef struct pass_host {
    tenon_plugin_host base; /* first: a pass holds a pointer to it */
    const pass_registry *registry;
    const pass_entry *entry;
    const pass_request *request; /* NULL: no options */
    graph *g;                    /* NULL while a plugin is opened */
    diag *d;
    arena *scratch;
    pass_report *report;  /* NULL: nobody listens */
    const target *target; /* what the graph is lowered for; NULL: no pass of stage "lowering" runs but `integer` */
    const struct tuning *tuning;
    const integer_options *integer;
    bound_inputs *bound; /* NULL: nobody listens */
    arena *bound_memory; /* of their names */
    bool broke_rules;    /* an undeclared option, an interface that is not there: said, and the pass fails */
} pass_host;

static inline pass_host *pass_host_of(const tenon_plugin_host *h) {
    return (pass_host *)(uintptr_t)h;
}
static inline graph *pass_graph(tenon_graph *g) {
    return (graph *)g;
}

/* ---- apply.c ---- */
/* Fills a host for `e`. */
void pass_host_begin(pass_host *h, const pass_registry *r, const pass_entry *e, diag *d, arena *scratch);
/* "pass 'x' of plugin 'y' (file)", in the scratch arena. */
const char *pass_host_who(pass_host *h);
/* [broken-pass] about the plugin itself; the pass fails. */
void pass_host_blame(pass_host *h, const char *id, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* ---- option_values.c ---- */
extern const tenon_option_1 option_interface;
/* The value of a declared option of one of the kinds (bits 1 << TENON_OPTION_...); NULL, blamed, where there is none.
 */
const option_value *option_find(const tenon_plugin_host *h, const char *name, unsigned kinds, const node *n);

#endif
