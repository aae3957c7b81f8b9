/* Nodes of older opsets, put into the newest form of their operator. */
#include "frontend/import.h"

/* The version whose form an opset has; 0 where the operator is newer than the opset. */
static int form_of(const op_row *row, int opset) {
    int form = 0;
    for (const int *v = row->versions; *v != 0 && *v <= opset; v++)
        form = *v;
    return form;
}

/* A node without its first input is refused later, whatever its form. */
static bool lacks_input(const node *n) {
    const op_param *first = op_input_param(n, 0);
    return first != NULL && !(first->flags & PARAM_OPTIONAL) && node_input(n, 0) == NULL;
}

static bool needs_rewrite(const node *n) {
    return n->row != NULL && n->row->upgrade != NULL && !lacks_input(n) &&
           form_of(n->row, n->version) < op_newest(n->row);
}

/* Where an upgrade has put other nodes in n's place, they stand for it, and the value that replaces its output has the
 * name. */
static status replace_node(node *n, node *before, const use *was) {
    graph *g = n->graph;
    const value *old = node_output(n, 0);
    value *made = was->user != NULL ? node_input(was->user, was->index) : g->outputs.at[was->index]->v;
    if (made == NULL || made == old || n->n_outputs != 1)
        return STATUS_OK;
    const char *name = old->name;
    for (node *m = before != NULL ? before->next : g->first; m != n; m = m->next) {
        m->source = n->source;
        m->name = n->name;
    }
    TRY(graph_erase_node(g, n));
    return graph_set_name(g, made, name);
}

static status rewrite(node *n) {
    const value *v = node_output(n, 0);
    node *before = n->prev;
    use was = {.index = -1};
    if (v != NULL && v->uses != NULL)
        was = *v->uses;
    TRY(n->row->upgrade(n));
    return was.index >= 0 ? replace_node(n, before, &was) : STATUS_OK;
}

static status upgrade(node *n) {
    /* Reported already, or soon will be. */
    if (n->row == NULL || n->version == 0)
        return STATUS_OK;
    if (form_of(n->row, n->version) == 0)
        return op_unsupported(n, "unsupported-version",
                              "opset %d does not have this form of %s; it has been there since opset %d", n->version,
                              n->op, n->row->versions[0]);
    const op_row *row = n->row;
    if (n->version < 6)
        node_remove_attr(n, "consumed_inputs"); /* a hint about memory, which many operators had */
    if (needs_rewrite(n)) {
        TRY(rewrite(n));
        node_trim_inputs(n);
    }
    n->version = op_newest(row);
    return STATUS_OK;
}

/* Types that later rewrites ask for. What is wrong is reported by the inference that ends the import, so `silent`
 * swallows it here. */
static status infer_silently(node *n, diag *silent) {
    diag *loud = n->graph->diags;
    n->graph->diags = silent;
    status s = op_infer(n);
    n->graph->diags = loud;
    diag_clear(silent);
    return s == STATUS_RESOURCE ? s : STATUS_OK;
}

static status upgrade_nodes(importer *im, diag *silent) {
    int rewrites = 0;
    for (const node *n = im->g->first; n != NULL; n = n->next)
        rewrites += needs_rewrite(n);
    node *next;
    for (node *n = im->g->first; n != NULL; n = next) {
        next = n->next;
        rewrites -= needs_rewrite(n);
        COLLECT(im, upgrade(n));
        if (rewrites > 0 && !n->erased)
            TRY(infer_silently(n, silent));
    }
    return STATUS_OK;
}

status node_upgrade_all(importer *im) {
    diag *silent = diag_new(arena_allocator(im->scratch));
    TRY_ALLOC(silent);
    status s = upgrade_nodes(im, silent);
    diag_free(silent);
    return s;
}
