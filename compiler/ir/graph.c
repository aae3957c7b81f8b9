/* Graphs, their values and use lists, inputs and outputs. */
#include <string.h>

#include "ir/graph_parts.h"
#include "ir/op.h"

enum { USERS_NAMED_MAX = 8 };

/* An empty graph with an arena of its own; strings are copied. NULL when out of memory. */
graph *graph_new(const allocator *from, diag *d, const op_table *ops, const char *name, const char *file) {
    arena *a = arena_new(from);
    graph *g = a == NULL ? NULL : ARENA_NEW(a, graph);
    if (g != NULL) {
        *g = (graph){.memory = a, .diags = d, .ops = ops, .name = arena_strdup(a, name)};
        g->file = file == NULL ? NULL : arena_strdup(a, file);
        g->by_name = map_in(a);
        g->name_counts = map_in(a);
        g->opsets = map_in(a);
        g->metadata = map_in(a);
    }
    if (g == NULL || g->name == NULL || (file != NULL && g->file == NULL)) {
        arena_free(a);
        return NULL;
    }
    return g;
}

/* Frees the graph and everything in it; NULL is allowed. */
void graph_free(graph *g) {
    if (g != NULL)
        arena_free(g->memory);
}

/* ---- use lists ---- */

/* Appends u to the use list of v; NULL: an absent input. */
void use_link(use *u, value *v) {
    u->v = v;
    u->prev = u->next = NULL;
    if (v == NULL)
        return;
    u->prev = v->last_use;
    *(v->last_use != NULL ? &v->last_use->next : &v->uses) = u;
    v->last_use = u;
    v->n_uses++;
}

/* Takes u out of its value's list. */
void use_unlink(use *u) {
    value *v = u->v;
    if (v == NULL)
        return;
    *(u->prev != NULL ? &u->prev->next : &v->uses) = u->next;
    *(u->next != NULL ? &u->next->prev : &v->last_use) = u->prev;
    v->n_uses--;
    u->v = NULL;
    u->prev = u->next = NULL;
}

/* ---- values ---- */

/* `name`, or name_1, name_2, ... where it is taken; in the graph's arena. NULL when out of memory. */
static const char *unique_name(graph *g, const char *name) {
    if (map_get(&g->by_name, name) == NULL)
        return arena_strdup(g->memory, name);
    const char *base = arena_strdup(g->memory, name);
    if (base == NULL)
        return NULL;
    intptr_t count = (intptr_t)map_get(&g->name_counts, base);
    const char *numbered;
    do
        numbered = arena_printf(g->memory, "%s_%lld", base, (long long)++count);
    while (numbered != NULL && map_get(&g->by_name, numbered) != NULL);
    return map_set(&g->name_counts, base, (void *)count) == STATUS_OK ? numbered : NULL;
}

static const char *fresh_name(graph *g) {
    char name[16] = "t";
    char digits[12];
    int n = 0;
    for (uint32_t id = g->next_id; n == 0 || id > 0; id /= 10)
        digits[n++] = (char)('0' + id % 10);
    for (int i = 0; i < n; i++)
        name[1 + i] = digits[n - 1 - i];
    return unique_name(g, name);
}

/* A value with a name of its own, at the end of the list; NULL when out of memory. */
value *value_new(graph *g, const char *name, node *def, int def_index) {
    value *v = ARENA_NEW(g->memory, value);
    const char *own = name == NULL ? fresh_name(g) : unique_name(g, name);
    if (v == NULL || own == NULL || map_set(&g->by_name, own, v) != STATUS_OK)
        return NULL;
    *v = (value){
        .name = own, .type.rank = -1, .def = def, .def_index = def_index, .prev = g->last_value, .id = g->next_id++};
    *(g->last_value != NULL ? &g->last_value->next : &g->values) = v;
    g->last_value = v;
    return v;
}

/* Takes an unused value out of the graph. */
void value_unlink(graph *g, value *v) {
    map_remove(&g->by_name, v->name);
    *(v->prev != NULL ? &v->prev->next : &g->values) = v->next;
    *(v->next != NULL ? &v->next->prev : &g->last_value) = v->prev;
    v->prev = v->next = NULL;
}

/* A graph input; type NULL: not known. */
value *graph_add_input(graph *g, const char *name, const tensor_type *type) {
    if (VEC_RESERVE(g->memory, g->inputs, g->inputs.n + 1) != STATUS_OK)
        return NULL;
    value *v = value_new(g, name, NULL, 0);
    if (v == NULL)
        return NULL;
    if (type != NULL && graph_set_type(g, v, type) != STATUS_OK) {
        value_unlink(g, v);
        return NULL;
    }
    v->is_input = true;
    g->inputs.at[g->inputs.n++] = v;
    return v;
}

static status set_constant(graph *g, value *v, tensor *t) {
    dim *dims = ARENA_NEW_N(g->memory, dim, t->rank);
    TRY_ALLOC(dims);
    for (int i = 0; i < t->rank; i++)
        dims[i] = DIM(t->dims[i]);
    TRY(tensor_hold(g->memory, t));
    v->constant = t;
    v->type = (tensor_type){t->elem, t->rank, dims};
    return STATUS_OK;
}

/* A constant value, which holds t. */
value *graph_add_constant(graph *g, const char *name, tensor *t) {
    value *v = value_new(g, name, NULL, 0);
    if (v != NULL && set_constant(g, v, t) != STATUS_OK) {
        value_unlink(g, v);
        return NULL;
    }
    return v;
}

value *graph_add_ints(graph *g, const char *name, int rank, const int64_t *ints, int64_t n) {
    tensor *t = tensor_new(g->memory, DT_I64, rank, &n, NULL);
    for (int64_t i = 0; t != NULL && i < n; i++)
        dtype_set_int(DT_I64, (void *)(uintptr_t)t->data, (size_t)i, ints[i]);
    return t == NULL ? NULL : graph_add_constant(g, name, t);
}

value *graph_add_number(graph *g, dtype t, double x) {
    tensor *made = tensor_new(g->memory, t, 0, NULL, NULL);
    if (made == NULL)
        return NULL;
    if (t == DT_BOOL || dtype_is_int(t))
        dtype_set_int(t, (void *)(uintptr_t)made->data, 0, (int64_t)x);
    else
        dtype_set_double(t, (void *)(uintptr_t)made->data, 0, x);
    return graph_add_constant(g, NULL, made);
}

static void drop_input(graph *g, value *v) {
    size_t at = 0;
    while (g->inputs.at[at] != v)
        at++;
    for (g->inputs.n--; at < g->inputs.n; at++)
        g->inputs.at[at] = g->inputs.at[at + 1];
    v->is_input = false;
}

/* Turns a value into a constant; a fresh unused value takes its place in its definition. */
status graph_make_constant(graph *g, value *v, tensor *t) {
    value *stand_in = NULL;
    if (v->def != NULL) {
        stand_in = value_new(g, NULL, v->def, v->def_index);
        TRY_ALLOC(stand_in);
        stand_in->type = v->type;
    }
    status s = set_constant(g, v, t);
    if (s != STATUS_OK) {
        if (stand_in != NULL)
            value_unlink(g, stand_in);
        return s;
    }
    if (stand_in != NULL)
        v->def->outputs[v->def_index] = stand_in;
    if (v->is_input)
        drop_input(g, v);
    v->def = NULL;
    v->def_index = 0;
    return STATUS_OK;
}

/* Renames a value; a number is added where the name is taken by another. */
status graph_set_name(graph *g, value *v, const char *name) {
    if (strcmp(v->name, name) == 0)
        return STATUS_OK;
    const char *own = unique_name(g, name);
    TRY_ALLOC(own);
    TRY(map_set(&g->by_name, own, v));
    map_remove(&g->by_name, v->name);
    v->name = own;
    return STATUS_OK;
}

/* Sets the type; the dimensions' expressions must be of the graph's arena. */
status graph_set_type(graph *g, value *v, const tensor_type *type) {
    dim *dims = NULL;
    if (type->rank > 0) {
        dims = arena_copy(g->memory, type->dims, (size_t)type->rank * sizeof *dims);
        TRY_ALLOC(dims);
    }
    v->type = (tensor_type){type->elem, type->rank, dims};
    return STATUS_OK;
}

/* ---- inputs and outputs ---- */

/* Adds v to the graph's outputs, under `name` (copied). One value may be several outputs. */
status graph_add_output(graph *g, value *v, const char *name) {
    TRY(VEC_RESERVE(g->memory, g->outputs, g->outputs.n + 1));
    TRY(VEC_RESERVE(g->memory, g->output_names, g->output_names.n + 1));
    use *u = ARENA_NEW(g->memory, use);
    const char *own = arena_strdup(g->memory, name);
    TRY_ALLOC(u);
    TRY_ALLOC(own);
    u->index = (int)g->outputs.n;
    use_link(u, v);
    g->outputs.at[g->outputs.n++] = u;
    g->output_names.at[g->output_names.n++] = own;
    return STATUS_OK;
}

/* Makes v the graph's output number `index`. */
status graph_set_output(graph *g, int index, value *v) {
    use *u = g->outputs.at[index];
    use_unlink(u);
    use_link(u, v);
    return STATUS_OK;
}

/* Takes the graph's output number `index` away; those behind it move up. */
status graph_remove_output(graph *g, int index) {
    use_unlink(g->outputs.at[index]);
    g->outputs.n--;
    g->output_names.n--;
    for (size_t i = (size_t)index; i < g->outputs.n; i++) {
        g->outputs.at[i] = g->outputs.at[i + 1];
        g->outputs.at[i]->index = (int)i;
        g->output_names.at[i] = g->output_names.at[i + 1];
    }
    return STATUS_OK;
}

/* Takes an input or constant out of the graph; refused while it has users. */
status graph_remove_value(graph *g, value *v) {
    TENON_ASSERT(v->def == NULL);
    if (v->n_uses > 0) {
        const char *what =
            arena_printf(g->memory, "%s '%s' cannot be removed: it", v->is_input ? "input" : "constant", v->name);
        TRY_ALLOC(what);
        return value_refuse(g, v, graph_place(g), what, "replace_all_uses_with first moves them");
    }
    if (v->is_input)
        drop_input(g, v);
    value_unlink(g, v);
    return STATUS_OK;
}

static void list_users(const graph *g, const value *v, strbuf *out) {
    int listed = 0;
    for (const use *u = v->uses; u != NULL && listed < USERS_NAMED_MAX; u = u->next, listed++) {
        strbuf_add(out, listed > 0 ? ", " : "");
        if (u->user != NULL)
            strbuf_printf(out, "'%s' (%s) input %d", node_label(u->user), u->user->op, u->index);
        else
            strbuf_printf(out, "graph output '%s'", g->output_names.at[u->index]);
    }
    if (listed < v->n_uses)
        strbuf_printf(out, " and %d more", v->n_uses - listed);
}

static void count_users(const value *v, strbuf *out) {
    int nodes = 0;
    for (const use *u = v->uses; u != NULL; u = u->next)
        nodes += u->user != NULL;
    int outputs = v->n_uses - nodes;
    if (nodes > 0)
        strbuf_printf(out, "%d node%s", nodes, nodes == 1 ? "" : "s");
    strbuf_add(out, nodes > 0 && outputs > 0 ? " and " : "");
    if (outputs > 0)
        strbuf_printf(out, "%d graph output%s", outputs, outputs == 1 ? "" : "s");
}

/* Diagnostic [value-has-users]: "WHAT is still used by 2 nodes: 'a' (Add) input 0, 'b' (Mul) input 1; ADVICE". */
status value_refuse(const graph *g, const value *v, diag_place where, const char *what, const char *advice) {
    strbuf text = strbuf_in(g->memory);
    strbuf_printf(&text, "%s is still used by ", what);
    count_users(v, &text);
    strbuf_add(&text, ": ");
    list_users(g, v, &text);
    const char *message;
    TRY(strbuf_finish(&text, &message));
    return diag_error(g->diags, STATUS_INVALID, "value-has-users", where, "%s; %s", message, advice);
}

/* ---- reading ---- */

/* The value in slot `index`; NULL where absent. */
value *node_input(const node *n, int index) {
    return index < n->n_inputs ? n->inputs[index].v : NULL;
}

bool is_op(const node *n, const char *op) {
    return n != NULL && n->domain[0] == '\0' && strcmp(n->op, op) == 0;
}

bool node_has_floats(const node *n) {
    for (int i = 0; i < n->n_inputs; i++)
        if (node_input(n, i) != NULL && dtype_is_float(node_input(n, i)->type.elem))
            return true;
    for (int i = 0; i < n->n_outputs; i++)
        if (n->outputs[i] != NULL && dtype_is_float(n->outputs[i]->type.elem))
            return true;
    return false;
}

/* Output `index`; NULL where absent. */
value *node_output(const node *n, int index) {
    return index < n->n_outputs ? n->outputs[index] : NULL;
}

/* The attribute; NULL where the node has none of that name. */
const attr *node_attr(const node *n, const char *name) {
    for (int i = 0; i < n->n_attrs; i++)
        if (strcmp(n->attrs[i].name, name) == 0)
            return &n->attrs[i];
    return NULL;
}

/* Are the contents known at compile time? */
bool value_is_constant(const value *v) {
    return v->constant != NULL;
}

/* The value of that name, or NULL. */
value *graph_find_value(const graph *g, const char *name) {
    return map_get(&g->by_name, name);
}

/* The graph as the place of a diagnostic. */
diag_place graph_place(const graph *g) {
    diag_place p = DIAG_NOWHERE;
    p.file = g->file;
    p.graph = g->name;
    return p;
}

/* The node as the place of a diagnostic. */
diag_place node_place(const node *n) {
    diag_place p = graph_place(n->graph);
    p.node = n->source;
    p.name = node_label(n);
    p.op = n->op;
    const char *versioned = n->version > 0 ? arena_printf(n->graph->memory, "%s-%d", n->op, n->version) : NULL;
    if (versioned != NULL)
        p.op = versioned;
    return p;
}

/* How messages name a node: its name, or else that of its first output. */
const char *node_label(const node *n) {
    if (n->name[0] != '\0')
        return n->name;
    for (int i = 0; i < n->n_outputs; i++)
        if (n->outputs[i] != NULL)
            return n->outputs[i]->name;
    return "";
}
