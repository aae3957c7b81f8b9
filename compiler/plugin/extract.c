/* A part of a graph as a graph of its own: a copy whose cut values are inputs, without what is not needed. */
#include <string.h>

#include "plugin/services.h"

static void free_graph(void *g) {
    graph_free(g);
}

/* v of the copy becomes an input of the same name and type. */
static status cut(graph *g, value *v) {
    if (v->is_input || v->constant != NULL)
        return STATUS_OK;
    const char *name = v->name;
    value *made = graph_add_input(g, NULL, &v->type);
    TRY_ALLOC(made);
    while (v->uses != NULL)
        TRY(v->uses->user != NULL ? node_set_input(v->uses->user, v->uses->index, made)
                                  : graph_set_output(g, v->uses->index, made));
    TRY(graph_set_name(g, v, "cut"));
    return graph_set_name(g, made, name);
}

static status set_outputs(graph *g, tenon_value *const *outputs, int n) {
    while (g->outputs.n > 0)
        TRY(graph_remove_output(g, (int)g->outputs.n - 1));
    for (int i = 0; i < n; i++) {
        const char *name = plugin_value(outputs[i])->name;
        value *v = graph_find_value(g, name);
        TENON_ASSERT(v != NULL);
        TRY(graph_add_output(g, v, name));
    }
    return STATUS_OK;
}

static bool is_among(tenon_value *const *list, int n, const char *name) {
    for (int i = 0; i < n; i++)
        if (strcmp(plugin_value(list[i])->name, name) == 0)
            return true;
    return false;
}

/* Inputs that were not asked for go where nothing needs them; [missing-input] names those that are needed. */
static status settle_inputs(graph *g, tenon_value *const *inputs, int n) {
    status worst = STATUS_OK;
    for (size_t i = g->inputs.n; i > 0; i--) {
        value *v = g->inputs.at[i - 1];
        if (is_among(inputs, n, v->name))
            continue;
        if (v->n_uses == 0)
            TRY(graph_remove_value(g, v));
        else
            worst = diag_error(g->diags, STATUS_INVALID, "missing-input", DIAG_NOWHERE,
                               "a sub-graph cannot be extracted: what it computes needs the input '%s', too", v->name);
    }
    return worst;
}

static status remove_unused(graph *g) {
    for (node *n = g->last, *before; n != NULL; n = before) {
        before = n->prev;
        bool used = false;
        for (int i = 0; i < n->n_outputs; i++)
            used |= n->outputs[i] != NULL && n->outputs[i]->n_uses > 0;
        if (!used)
            TRY(graph_erase_node(g, n));
    }
    for (value *v = g->values, *next; v != NULL; v = next) {
        next = v->next;
        if (v->constant != NULL && !v->is_input && v->n_uses == 0)
            TRY(graph_remove_value(g, v));
    }
    return STATUS_OK;
}

static status extract(graph *g, tenon_value *const *inputs, int n_inputs, tenon_value *const *outputs, int n_outputs) {
    TRY(set_outputs(g, outputs, n_outputs));
    for (int i = 0; i < n_inputs; i++)
        TRY(cut(g, graph_find_value(g, plugin_value(inputs[i])->name)));
    TRY(remove_unused(g));
    TRY(settle_inputs(g, inputs, n_inputs));
    return graph_verify(g);
}

tenon_graph *plugin_extract(const tenon_plugin_host *host, const tenon_graph *from, tenon_value *const *inputs,
                            int n_inputs, tenon_value *const *outputs, int n_outputs) {
    graph *g = graph_copy(plugin_graph_of(from));
    if (g == NULL || arena_on_free(pass_host_of(host)->scratch, free_graph, g) != STATUS_OK)
        return NULL;
    return extract(g, inputs, n_inputs, outputs, n_outputs) == STATUS_OK ? (tenon_graph *)g : NULL;
}
