/* Small clean-ups of the graph: expansion, identities, common subexpressions, dead code. */
#include <string.h>

#include "lower/lower.h"
#include "passes/builtin.h"

/* What n was expanded to stands for it in reports and in generated code. */
static void inherit(node *first, const node *n) {
    for (node *m = first; m != n; m = m->next) {
        if (m->source >= 0)
            continue;
        m->source = n->source;
        m->part_of = n->part_of != NULL ? n->part_of : n->row->name;
        m->name = n->name;
    }
}

/* An output of a node that is to be expanded: its name, and a use that tells later what has come in its place. */
typedef struct replaced {
    const char *name; /* NULL: unused */
    node *user;
    int index;
} replaced;

static status note_outputs(const node *n, arena *a, replaced **out) {
    TRY_ALLOC(*out = ARENA_NEW_N(a, replaced, n->n_outputs + 1));
    for (int i = 0; i < n->n_outputs; i++)
        if (n->outputs[i] != NULL && n->outputs[i]->uses != NULL)
            (*out)[i] = (replaced){n->outputs[i]->name, n->outputs[i]->uses->user, n->outputs[i]->uses->index};
    return STATUS_OK;
}

/* Values keep their names, by which users know them. */
static status name_outputs(graph *g, const replaced *list, int n, uint32_t first_new) {
    for (int i = 0; i < n; i++) {
        const replaced *r = &list[i];
        if (r->name == NULL)
            continue;
        value *v = r->user != NULL ? node_input(r->user, r->index) : g->outputs.at[r->index]->v;
        if (v != NULL && v->id >= first_new)
            TRY(graph_set_name(g, v, r->name));
    }
    return STATUS_OK;
}

static status expand_node(graph *g, node *n, arena *scratch) {
    node *before = n->prev;
    uint32_t first_new = g->next_id;
    int n_outputs = n->n_outputs;
    replaced *outputs;
    TRY(note_outputs(n, scratch, &outputs));
    TRY(n->row->expand(g, n));
    inherit(before != NULL ? before->next : g->first, n);
    TRY(graph_erase_node(g, n));
    return name_outputs(g, outputs, n_outputs, first_new);
}

static status expand_nodes(graph *g, bool all, arena *scratch) {
    for (node *n = g->first, *next; n != NULL; n = next) {
        next = n->next;
        if (n->row == NULL || n->row->kind != OP_EXPAND || !op_is_ready(n) || (!all && is_op(n, "Attention")))
            continue; /* what folding has to tell first may be known in the next round */
        node *before = n->prev;
        TRY(expand_node(g, n, scratch));
        next = before != NULL ? before->next : g->first; /* what came in its place may be expanded, too */
    }
    return STATUS_OK;
}

static status expand(graph *g, bool all) {
    arena *scratch = arena_new(arena_allocator(g->memory));
    TRY_ALLOC(scratch);
    status s = expand_nodes(g, all, scratch);
    arena_free(scratch);
    return s;
}

status pass_expand(graph *g) {
    return expand(g, false);
}

status pass_expand_all(graph *g) {
    return expand(g, true);
}

status pass_canonicalise(graph *g) {
    arena *scratch = arena_new(arena_allocator(g->memory));
    TRY_ALLOC(scratch);
    status s = STATUS_OK;
    for (node *n = g->first, *next; n != NULL && s == STATUS_OK; n = next) {
        next = n->next;
        int input = 0;
        if (!lower_is_identity(n, scratch, &input))
            continue;
        s = graph_replace_all_uses(g, n->outputs[0], node_input(n, input));
        if (s == STATUS_OK)
            s = graph_erase_node(g, n);
    }
    arena_free(scratch);
    return s;
}

/* A text that is equal for nodes that compute the same. Nodes with sub-graphs or tensors in attributes have none. */
static const char *node_key(const node *n, arena *a) {
    strbuf s = strbuf_in(a);
    if (n->row != NULL && n->row->is_random && node_attr(n, "seed") == NULL)
        return NULL;
    strbuf_printf(&s, "%s:%s:%d:%d", n->domain, n->op, n->version, n->n_outputs);
    for (int i = 0; i < n->n_inputs; i++)
        strbuf_printf(&s, " %d", n->inputs[i].v != NULL ? (int)n->inputs[i].v->id : -1);
    for (int i = 0; i < n->n_outputs; i++)
        strbuf_add(&s, n->outputs[i] != NULL ? "y" : "-");
    for (int i = 0; i < n->n_attrs; i++) {
        const attr *x = &n->attrs[i];
        if (x->kind == ATTR_TENSOR || x->kind == ATTR_GRAPH || x->kind == ATTR_STRINGS)
            return NULL;
        strbuf_printf(&s, " %s=%d:%lld:%a:", x->name, (int)x->kind, (long long)x->i, x->f);
        if (x->kind == ATTR_STRING)
            strbuf_quoted(&s, x->s, x->s_bytes);
        for (int64_t k = 0; k < x->n; k++)
            if (x->kind == ATTR_INTS)
                strbuf_printf(&s, ",%lld", (long long)x->ints[k]);
            else
                strbuf_printf(&s, ",%a", x->floats[k]);
    }
    const char *text = NULL;
    return strbuf_finish(&s, &text) == STATUS_OK ? text : NULL;
}

static status merge_into(graph *g, node *n, const node *same) {
    for (int i = 0; i < n->n_outputs; i++)
        if (n->outputs[i] != NULL)
            TRY(graph_replace_all_uses(g, n->outputs[i], same->outputs[i]));
    return graph_erase_node(g, n);
}

status pass_cse(graph *g) {
    arena *scratch = arena_new(arena_allocator(g->memory));
    TRY_ALLOC(scratch);
    map seen = map_in(scratch);
    status s = STATUS_OK;
    for (node *n = g->first, *next; n != NULL && s == STATUS_OK; n = next) {
        next = n->next;
        const char *key = node_key(n, scratch);
        if (key == NULL || n->n_inputs == 0)
            continue;
        const node *same = map_get(&seen, key);
        s = same != NULL ? merge_into(g, n, same) : map_set(&seen, key, n);
    }
    arena_free(scratch);
    return s;
}

status pass_dead_code(graph *g) {
    for (node *n = g->last, *before; n != NULL; n = before) {
        before = n->prev;
        bool used = false;
        for (int i = 0; i < n->n_outputs; i++)
            used |= n->outputs[i] != NULL && n->outputs[i]->uses != NULL;
        if (!used)
            TRY(graph_erase_node(g, n));
    }
    for (value *v = g->values, *next; v != NULL; v = next) {
        next = v->next;
        if (v->def == NULL && !v->is_input && v->uses == NULL)
            TRY(graph_remove_value(g, v));
    }
    return STATUS_OK;
}
