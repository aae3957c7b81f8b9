/* Deep copies of graphs. */
#include "ir/graph_parts.h"

typedef struct copier {
    const graph *from;
    graph *to;
    value **values; /* new value by old id */
    map unbound;    /* empty: binding to it rebuilds a dimension in the new arena */
} copier;

static status copy_type(copier *c, const tensor_type *from, tensor_type *out) {
    dim *dims = ARENA_NEW_N(c->to->memory, dim, from->rank < 0 ? 0 : from->rank);
    TRY_ALLOC(dims);
    for (int i = 0; i < from->rank; i++) {
        dims[i] = dim_bind(c->to->memory, from->dims[i], &c->unbound);
        if (dim_status(dims[i]) == STATUS_RESOURCE)
            return STATUS_RESOURCE;
    }
    *out = (tensor_type){from->elem, from->rank, dims};
    return STATUS_OK;
}

static status copy_strings(arena *a, const map *from, map *to) {
    for (size_t i = 0; i < from->n; i++) {
        if (from->entries[i].value == NULL)
            continue;
        char *name = arena_strdup(a, from->entries[i].name), *text = arena_strdup(a, from->entries[i].value);
        TRY_ALLOC(name);
        TRY_ALLOC(text);
        TRY(map_set(to, name, text));
    }
    return STATUS_OK;
}

static status copy_opsets(copier *c) {
    for (size_t i = 0; i < c->from->opsets.n; i++) {
        const map_entry *e = &c->from->opsets.entries[i];
        if (e->value == NULL)
            continue;
        char *domain = arena_strdup(c->to->memory, e->name);
        TRY_ALLOC(domain);
        TRY(map_set(&c->to->opsets, domain, e->value));
    }
    return STATUS_OK;
}

/* The constant's contents, shared where they outlive the old graph. */
static status copy_contents(copier *c, const value *from, value *to) {
    if (from->constant == NULL)
        return STATUS_OK;
    attr holder = {.name = "", .kind = ATTR_TENSOR, .t = from->constant}, held;
    TRY(attr_copy(c->to, &holder, true, &held));
    to->constant = held.t;
    return STATUS_OK;
}

/* Definitions are filled in later, when nodes exist. */
static status copy_values(copier *c) {
    c->values = ARENA_NEW_N(c->to->memory, value *, c->from->next_id);
    TRY_ALLOC(c->values);
    for (const value *v = c->from->values; v != NULL; v = v->next) {
        value *made = value_new(c->to, v->name, NULL, v->def_index);
        TRY_ALLOC(made);
        c->values[v->id] = made;
        TRY(copy_type(c, &v->type, &made->type));
        TRY(copy_contents(c, v, made));
    }
    return STATUS_OK;
}

static status copy_attrs(copier *c, const node *from, node *to) {
    for (int i = 0; i < from->n_attrs; i++) {
        attr made;
        TRY(attr_copy(c->to, &from->attrs[i], true, &made));
        TRY(node_append_attr(to, &made));
    }
    if (from->notes == NULL)
        return STATUS_OK;
    to->notes = ARENA_NEW(c->to->memory, map);
    TRY_ALLOC(to->notes);
    *to->notes = map_in(c->to->memory);
    return copy_strings(c->to->memory, from->notes, to->notes);
}

static status copy_node(copier *c, const node *from) {
    graph *g = c->to;
    node *n = graph_add_node(g, NULL, from->domain, from->op, from->version, from->name, NULL, 0, NULL, 0);
    TRY_ALLOC(n);
    n->source = from->source;
    n->part_of = from->part_of;
    if (from->n_inputs > 0)
        TRY(node_set_input(n, from->n_inputs - 1, NULL));
    for (int i = 0; i < from->n_inputs; i++) {
        const value *v = from->inputs[i].v;
        TRY(node_set_input(n, i, v == NULL ? NULL : c->values[v->id]));
    }
    n->outputs = ARENA_NEW_N(g->memory, value *, from->n_outputs);
    TRY_ALLOC(n->outputs);
    n->n_outputs = from->n_outputs;
    for (int i = 0; i < from->n_outputs; i++) {
        if (from->outputs[i] == NULL)
            continue;
        n->outputs[i] = c->values[from->outputs[i]->id];
        n->outputs[i]->def = n;
    }
    return copy_attrs(c, from, n);
}

static status copy_all(copier *c) {
    graph *to = c->to;
    TRY(copy_opsets(c));
    TRY(copy_strings(to->memory, &c->from->metadata, &to->metadata));
    TRY(copy_values(c));
    for (size_t i = 0; i < c->from->inputs.n; i++) {
        value *v = c->values[c->from->inputs.at[i]->id];
        v->is_input = true;
        TRY(VEC_PUSH(to->memory, to->inputs, v));
    }
    for (const node *n = c->from->first; n != NULL; n = n->next)
        TRY(copy_node(c, n));
    for (size_t i = 0; i < c->from->outputs.n; i++)
        TRY(graph_add_output(to, c->values[c->from->outputs.at[i]->v->id], c->from->output_names.at[i]));
    if (to->next_id < c->from->next_id)
        to->next_id = c->from->next_id; /* so that what is made from now on is seen to be new */
    return STATUS_OK;
}

/* A deep copy in a new arena over the same allocator; NULL when out of memory. */
graph *graph_copy(const graph *g) {
    graph *to = graph_new(arena_allocator(g->memory), g->diags, g->ops, g->name, g->file);
    if (to == NULL)
        return NULL;
    copier c = {.from = g, .to = to, .unbound = map_in(to->memory)};
    if (copy_all(&c) != STATUS_OK) {
        graph_free(to);
        return NULL;
    }
    return to;
}
