/* Changing nodes: adding, wiring, attributes, replacing, erasing. */
#include <string.h>

#include "ir/graph_parts.h"
#include "ir/op.h"

/* ---- adding ---- */

static void drop_outputs(graph *g, node *n) {
    for (int i = 0; i < n->n_outputs; i++)
        if (n->outputs[i] != NULL)
            value_unlink(g, n->outputs[i]);
}

static status make_outputs(graph *g, node *n, const char *const *names) {
    for (int i = 0; i < n->n_outputs; i++) {
        const char *name = names == NULL ? NULL : names[i];
        if (name != NULL && name[0] == '\0')
            continue;
        n->outputs[i] = value_new(g, name, n, i);
        TRY_ALLOC(n->outputs[i]);
    }
    return STATUS_OK;
}

/* A node before `before`; see graph.h. */
node *graph_add_node(graph *g, node *before, const char *domain, const char *op, int version, const char *name,
                     value *const *inputs, int n_inputs, const char *const *output_names, int n_outputs) {
    node *n = ARENA_NEW(g->memory, node);
    use *uses = ARENA_NEW_N(g->memory, use, n_inputs);
    value **outputs = ARENA_NEW_N(g->memory, value *, n_outputs);
    if (n == NULL || uses == NULL || outputs == NULL)
        return NULL;
    *n = (node){.graph = g, .version = version, .row = op_find(g->ops, domain, op), .source = -1, .id = g->next_id++};
    n->op = arena_strdup(g->memory, op);
    n->domain = arena_strdup(g->memory, domain);
    n->name = arena_strdup(g->memory, name == NULL ? "" : name);
    n->inputs = uses;
    n->n_inputs = n_inputs;
    n->outputs = outputs;
    n->n_outputs = n_outputs;
    if (n->op == NULL || n->domain == NULL || n->name == NULL)
        return NULL;
    if (make_outputs(g, n, output_names) != STATUS_OK) {
        drop_outputs(g, n);
        return NULL;
    }
    for (int i = 0; i < n_inputs; i++) {
        uses[i] = (use){.user = n, .index = i};
        use_link(&uses[i], inputs[i]);
    }
    order_insert(g, n, before);
    return n;
}

static void unlink_node(graph *g, node *n) {
    for (int i = 0; i < n->n_inputs; i++)
        use_unlink(&n->inputs[i]);
    drop_outputs(g, n);
    order_remove(g, n);
    n->erased = true;
}

static status complete_node(node *n, const attr *attrs, int n_attrs) {
    for (int i = 0; i < n_attrs; i++)
        TRY(node_set_attr(n, &attrs[i]));
    return op_infer(n);
}

/* A node of the newest version in domain "" or tenon's own, with inferred output types; NULL after a diagnostic or for
 * want of memory.
 */
node *graph_build(graph *g, node *before, const char *op, value *const *inputs, int n_inputs, const attr *attrs,
                  int n_attrs, int n_outputs) {
    const op_row *own = op_find(g->ops, OP_OWN_DOMAIN, op), *row = own != NULL ? own : op_find(g->ops, "", op);
    int version = row == NULL ? 0 : op_newest(row);
    node *n = graph_add_node(g, before, own != NULL ? OP_OWN_DOMAIN : "", op, version, NULL, inputs, n_inputs, NULL,
                             n_outputs);
    if (n == NULL)
        return NULL;
    if (complete_node(n, attrs, n_attrs) != STATUS_OK) {
        unlink_node(g, n);
        return NULL;
    }
    return n;
}

/* ---- wiring ---- */

/* More input slots. The old ones move, so the lists that they hang in are mended. */
static status grow_inputs(node *n, int n_inputs) {
    use *grown = ARENA_NEW_N(n->graph->memory, use, n_inputs);
    TRY_ALLOC(grown);
    for (int i = 0; i < n_inputs; i++) {
        grown[i] = i < n->n_inputs ? n->inputs[i] : (use){.user = n, .index = i};
        use *u = &grown[i];
        if (u->v == NULL)
            continue;
        *(u->prev != NULL ? &u->prev->next : &u->v->uses) = u;
        *(u->next != NULL ? &u->next->prev : &u->v->last_use) = u;
    }
    n->inputs = grown;
    n->n_inputs = n_inputs;
    return STATUS_OK;
}

/* Makes v (NULL: nothing) input `index`; an index beyond the end adds absent inputs up to it. */
status node_set_input(node *n, int index, value *v) {
    if (index >= n->n_inputs)
        TRY(grow_inputs(n, index + 1));
    use_unlink(&n->inputs[index]);
    use_link(&n->inputs[index], v);
    return STATUS_OK;
}

/* Absent inputs at the end are the same as none. */
void node_trim_inputs(node *n) {
    while (n->n_inputs > 0 && n->inputs[n->n_inputs - 1].v == NULL)
        n->n_inputs--;
}

static status refuse_replace(const value *from, const value *to, const node *user) {
    return diag_error(user->graph->diags, STATUS_INVALID, "use-before-definition", node_place(user),
                      "'%s' cannot replace '%s' in node '%s' (%s) input: it is defined later, by '%s' (%s)", to->name,
                      from->name, node_label(user), user->op, node_label(to->def), to->def->op);
}

/* Every use of `from`, graph outputs too, becomes a use of `to`. */
status graph_replace_all_uses(graph *g, value *from, value *to) {
    (void)g;
    if (from == to)
        return STATUS_OK;
    for (const use *u = from->uses; u != NULL && to->def != NULL; u = u->next)
        if (u->user != NULL && !node_is_before(to->def, u->user))
            return refuse_replace(from, to, u->user);
    while (from->uses != NULL) {
        use *u = from->uses;
        use_unlink(u);
        use_link(u, to);
    }
    return STATUS_OK;
}

/* Unlinks the node and its outputs; refused while one of them is used. */
status graph_erase_node(graph *g, node *n) {
    for (int i = 0; i < n->n_outputs; i++) {
        const value *v = n->outputs[i];
        if (v == NULL || v->n_uses == 0)
            continue;
        const char *what =
            arena_printf(g->memory, "node '%s' (%s) cannot be erased: its output '%s'", node_label(n), n->op, v->name);
        TRY_ALLOC(what);
        return value_refuse(g, v, node_place(n), what, "replace_all_uses_with first moves them");
    }
    unlink_node(g, n);
    return STATUS_OK;
}

/* ---- attributes and notes ---- */

static void free_graph(void *g) {
    graph_free(g);
}

static status copy_tensor(graph *g, tensor *t, bool deep, tensor **out) {
    if (!deep || t->release != NULL) {
        *out = t;
        return tensor_hold(g->memory, t);
    }
    void *data = arena_copy(g->memory, t->data, t->bytes);
    TRY_ALLOC(data);
    *out = tensor_new(g->memory, t->elem, t->rank, t->dims, data);
    TRY_ALLOC(*out);
    return STATUS_OK;
}

static status copy_strings(graph *g, const attr *a, attr *out) {
    const char **strings = ARENA_NEW_N(g->memory, const char *, a->n);
    TRY_ALLOC(strings);
    for (int64_t i = 0; i < a->n; i++) {
        strings[i] = arena_strdup(g->memory, a->strings[i]);
        TRY_ALLOC(strings[i]);
    }
    out->strings = strings;
    return STATUS_OK;
}

static status copy_bytes(graph *g, const attr *a, attr *out) {
    char *s = arena_alloc(g->memory, a->s_bytes + 1);
    TRY_ALLOC(s);
    if (a->s_bytes > 0)
        memcpy(s, a->s, a->s_bytes);
    out->s = s;
    return STATUS_OK;
}

static status copy_graph(graph *g, const attr *a, attr *out) {
    out->g = graph_copy(a->g);
    TRY_ALLOC(out->g);
    return arena_on_free(g->memory, free_graph, out->g);
}

static status copy_list(graph *g, const void *list, int64_t n, const void **out) {
    *out = arena_copy(g->memory, list, (size_t)n * 8);
    TRY_ALLOC(*out);
    return STATUS_OK;
}

static status copy_ints(graph *g, const attr *a, attr *out) {
    const void *list = NULL;
    TRY(copy_list(g, a->ints, a->n, &list));
    out->ints = list;
    return STATUS_OK;
}

static status copy_floats(graph *g, const attr *a, attr *out) {
    const void *list = NULL;
    TRY(copy_list(g, a->floats, a->n, &list));
    out->floats = list;
    return STATUS_OK;
}

/* A copy of `a` in g's arena; tensors are held, or copied where they live in an arena and `deep` is set. */
status attr_copy(graph *g, const attr *a, bool deep, attr *out) {
    static status (*const copy[])(graph *, const attr *, attr *) = {
        [ATTR_STRING] = copy_bytes,    [ATTR_INTS] = copy_ints,   [ATTR_FLOATS] = copy_floats,
        [ATTR_STRINGS] = copy_strings, [ATTR_GRAPH] = copy_graph,
    };
    attr made = {.kind = a->kind, .i = a->i, .f = a->f, .s_bytes = a->s_bytes, .n = a->n};
    made.name = arena_strdup(g->memory, a->name);
    TRY_ALLOC(made.name);
    if (a->kind == ATTR_TENSOR)
        TRY(copy_tensor(g, a->t, deep, &made.t));
    else if ((size_t)a->kind < sizeof copy / sizeof *copy && copy[a->kind] != NULL)
        TRY(copy[a->kind](g, a, &made));
    *out = made;
    return STATUS_OK;
}

static int attr_room(int n) {
    int room = n > 0;
    while (room < n)
        room *= 2;
    return room;
}

/* Adds an attribute that is in the graph's arena. The list has room for the next power of two. */
status node_append_attr(node *n, const attr *made) {
    if (n->n_attrs == attr_room(n->n_attrs)) {
        attr *grown = ARENA_NEW_N(n->graph->memory, attr, attr_room(n->n_attrs + 1));
        TRY_ALLOC(grown);
        for (int i = 0; i < n->n_attrs; i++)
            grown[i] = n->attrs[i];
        n->attrs = grown;
    }
    n->attrs[n->n_attrs++] = *made;
    return STATUS_OK;
}

/* Sets an attribute, in the place of one of the same name or behind the others. */
status node_set_attr(node *n, const attr *a) {
    attr made;
    TRY(attr_copy(n->graph, a, false, &made));
    for (int i = 0; i < n->n_attrs; i++)
        if (strcmp(n->attrs[i].name, a->name) == 0) {
            n->attrs[i] = made;
            return STATUS_OK;
        }
    return node_append_attr(n, &made);
}

/* Removes the attribute where there is one. */
void node_remove_attr(node *n, const char *name) {
    int kept = 0;
    for (int i = 0; i < n->n_attrs; i++)
        if (strcmp(n->attrs[i].name, name) != 0)
            n->attrs[kept++] = n->attrs[i];
    n->n_attrs = kept;
}

/* Sets an annotation; both strings are copied. */
status node_note(node *n, const char *name, const char *text) {
    arena *a = n->graph->memory;
    char *own_name = arena_strdup(a, name), *own_text = text != NULL ? arena_strdup(a, text) : NULL;
    TRY_ALLOC(own_name);
    if (text != NULL)
        TRY_ALLOC(own_text);
    if (n->notes == NULL) {
        map *notes = ARENA_NEW(a, map);
        TRY_ALLOC(notes);
        *notes = map_in(a);
        n->notes = notes;
    }
    return map_set(n->notes, own_name, own_text);
}
