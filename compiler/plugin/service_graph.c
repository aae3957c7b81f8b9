/* tenon.graph/1: walking, building, changing. The graph's own functions, behind handles. */
#include <string.h>

#include "plugin/services.h"

#define NODE(n) plugin_node(n)
#define VALUE(v) plugin_value(v)
#define GRAPH(g) plugin_graph_of(g)

/* ---- walking ---- */

static const char *name(const tenon_graph *g) {
    return GRAPH(g)->name;
}

static int inputs(const tenon_graph *g) {
    return (int)GRAPH(g)->inputs.n;
}

static tenon_value *input(const tenon_graph *g, int i) {
    return i >= 0 && i < inputs(g) ? (tenon_value *)GRAPH(g)->inputs.at[i] : NULL;
}

static int outputs(const tenon_graph *g) {
    return (int)GRAPH(g)->outputs.n;
}

static tenon_value *output(const tenon_graph *g, int i) {
    return i >= 0 && i < outputs(g) ? (tenon_value *)GRAPH(g)->outputs.at[i]->v : NULL;
}

static const char *output_name(const tenon_graph *g, int i) {
    return i >= 0 && i < outputs(g) ? GRAPH(g)->output_names.at[i] : NULL;
}

static int nodes(const tenon_graph *g) {
    return GRAPH(g)->n_nodes;
}

static tenon_node *first(const tenon_graph *g) {
    return (tenon_node *)GRAPH(g)->first;
}

static tenon_node *next(const tenon_node *n) {
    return (tenon_node *)NODE(n)->next;
}

static tenon_node *previous(const tenon_node *n) {
    return (tenon_node *)NODE(n)->prev;
}

static tenon_value *first_value(const tenon_graph *g) {
    return (tenon_value *)GRAPH(g)->values;
}

static tenon_value *next_value(const tenon_value *v) {
    return (tenon_value *)VALUE(v)->next;
}

static tenon_value *find_value(const tenon_graph *g, const char *wanted) {
    return (tenon_value *)graph_find_value(GRAPH(g), wanted);
}

static tenon_node *find_node(const tenon_graph *g, const char *wanted) {
    for (node *n = GRAPH(g)->first; n != NULL; n = n->next)
        if (strcmp(n->name, wanted) == 0)
            return (tenon_node *)n;
    return NULL;
}

/* ---- a node ---- */

static const char *op(const tenon_node *n) {
    return NODE(n)->op;
}

static const char *domain(const tenon_node *n) {
    return NODE(n)->domain;
}

static const char *node_name(const tenon_node *n) {
    return NODE(n)->name;
}

static int node_inputs(const tenon_node *n) {
    return NODE(n)->n_inputs;
}

static tenon_value *node_input_at(const tenon_node *n, int i) {
    return i >= 0 ? (tenon_value *)node_input(NODE(n), i) : NULL;
}

static int node_outputs(const tenon_node *n) {
    return NODE(n)->n_outputs;
}

static tenon_value *node_output_at(const tenon_node *n, int i) {
    return i >= 0 ? (tenon_value *)node_output(NODE(n), i) : NULL;
}

static int has_attribute(const tenon_node *n, const char *key) {
    return node_attr(NODE(n), key) != NULL;
}

static int64_t attribute_int(const tenon_node *n, const char *key) {
    return op_int(NODE(n), key);
}

static double attribute_float(const tenon_node *n, const char *key) {
    return op_float(NODE(n), key);
}

static const char *attribute_text(const tenon_node *n, const char *key) {
    return op_string(NODE(n), key);
}

static const int64_t *attribute_ints(const tenon_node *n, const char *key, size_t *out_n) {
    int64_t count = 0;
    const int64_t *list = op_ints(NODE(n), key, &count);
    *out_n = (size_t)count;
    return list;
}

static const char *annotation(const tenon_node *n, const char *key) {
    return NODE(n)->notes != NULL ? map_get(NODE(n)->notes, key) : NULL;
}

/* ---- a value ---- */

static const char *value_name(const tenon_value *v) {
    return VALUE(v)->name;
}

static int element_type(const tenon_value *v) {
    return VALUE(v)->type.elem == DT_NONE ? 0 : dtype_to_onnx(VALUE(v)->type.elem);
}

static int rank(const tenon_value *v) {
    return VALUE(v)->type.rank;
}

static int64_t dimension(const tenon_value *v, int i) {
    const tensor_type *t = &VALUE(v)->type;
    return i >= 0 && i < t->rank && dim_is_known(t->dims[i]) ? t->dims[i].n : -1;
}

static const char *finish(strbuf *s) {
    const char *text;
    return strbuf_finish(s, &text) == STATUS_OK ? text : "?";
}

static const char *dim_text(const tenon_plugin_host *h, const tenon_value *v, int i) {
    const tensor_type *t = &VALUE(v)->type;
    strbuf s = strbuf_in(pass_host_of(h)->scratch);
    if (i < 0 || i >= t->rank)
        return "?";
    dim_print(t->dims[i], &s);
    return finish(&s);
}

static const char *type_text(const tenon_plugin_host *h, const tenon_value *v) {
    strbuf s = strbuf_in(pass_host_of(h)->scratch);
    type_print(&VALUE(v)->type, &s);
    return finish(&s);
}

static int is_input(const tenon_value *v) {
    return VALUE(v)->is_input;
}

static const tenon_tensor *constant(const tenon_value *v) {
    return (const tenon_tensor *)VALUE(v)->constant;
}

static tenon_node *producer(const tenon_value *v) {
    return (tenon_node *)VALUE(v)->def;
}

static int uses(const tenon_value *v) {
    return VALUE(v)->n_uses;
}

static tenon_use use_at(const tenon_value *v, int i) {
    const use *u = VALUE(v)->uses;
    for (; u != NULL && i > 0; i--)
        u = u->next;
    return u != NULL ? (tenon_use){(tenon_node *)u->user, u->index} : (tenon_use){NULL, -1};
}

/* ---- types follow ---- */

/* The node's outputs get the types that follow from its inputs now; those that change go into `changed`. */
static status infer_again(node *n, map *changed) {
    tensor_type *old = ARENA_NEW_N(changed->memory, tensor_type, n->n_outputs + 1);
    TRY_ALLOC(old);
    for (int i = 0; i < n->n_outputs; i++) {
        if (n->outputs[i] == NULL)
            continue;
        old[i] = n->outputs[i]->type;
        TRY(graph_set_type(n->graph, n->outputs[i], &(tensor_type){DT_NONE, -1, NULL}));
    }
    TRY(op_infer(n));
    for (int i = 0; i < n->n_outputs; i++)
        if (n->outputs[i] != NULL && !type_equal(&old[i], &n->outputs[i]->type))
            TRY(map_set_key(changed, MAP_KEY(n->outputs[i]), n->outputs[i]));
    return STATUS_OK;
}

static bool reads_changed(const node *n, const map *changed) {
    for (int i = 0; i < n->n_inputs; i++)
        if (n->inputs[i].v != NULL && map_get_key(changed, MAP_KEY(n->inputs[i].v)) != NULL)
            return true;
    return false;
}

/* Infers n, and behind it whatever a changed type reaches. */
static status infer_from(const tenon_plugin_host *h, node *n) {
    arena *a = arena_new(arena_allocator(pass_host_of(h)->scratch));
    TRY_ALLOC(a);
    map changed = map_in(a);
    status s = infer_again(n, &changed);
    for (n = n->next; n != NULL && changed.n > 0 && s == STATUS_OK; n = n->next)
        if (reads_changed(n, &changed))
            s = infer_again(n, &changed);
    arena_free(a);
    return s;
}

/* The same for the users of v, where its type is not `was`. */
static status infer_users(const tenon_plugin_host *h, const value *v, const tensor_type *was) {
    for (use *u = v->uses; u != NULL && !type_equal(&v->type, was); u = u->next)
        if (u->user != NULL)
            TRY(infer_from(h, u->user));
    return STATUS_OK;
}

/* ---- building ---- */

static tenon_node *build(const tenon_plugin_host *h, tenon_graph *g, tenon_node *before, const char *o,
                         tenon_value *const *from, int n, const char *attributes, int n_outputs) {
    (void)h;
    attr *attrs = NULL;
    int n_attrs = 0;
    if (graph_parse_attrs(GRAPH(g), attributes != NULL ? attributes : "", &attrs, &n_attrs) != STATUS_OK)
        return NULL;
    return (tenon_node *)graph_build(GRAPH(g), NODE(before), o, (value *const *)from, n, attrs, n_attrs, n_outputs);
}

/* The node before which something that reads v may stand: behind its definition. */
static node *place_after(const graph *g, const value *v) {
    return v->def != NULL ? v->def->next : g->first;
}

static tenon_node *insert_after(const tenon_plugin_host *h, tenon_graph *g, tenon_value *v, const char *o,
                                const char *attributes) {
    node *n = NODE(build(h, g, (tenon_node *)place_after(GRAPH(g), VALUE(v)), o, &v, 1, attributes, 1));
    if (n == NULL)
        return NULL;
    for (use *u = VALUE(v)->uses, *following; u != NULL; u = following) {
        following = u->next;
        status s = u->user == n      ? STATUS_OK
                   : u->user != NULL ? node_set_input(u->user, u->index, n->outputs[0])
                                     : graph_set_output(GRAPH(g), u->index, n->outputs[0]);
        if (s != STATUS_OK)
            return NULL;
    }
    return infer_users(h, n->outputs[0], &VALUE(v)->type) == STATUS_OK ? (tenon_node *)n : NULL;
}

static tenon_node *insert_before(const tenon_plugin_host *h, tenon_graph *g, tenon_node *user, int i, const char *o,
                                 const char *attributes) {
    tenon_value *from = node_input_at(user, i);
    if (from == NULL) {
        pass_host_blame(pass_host_of(h), "no-such-input", "inserts before input %d of node '%s', which has none", i,
                        NODE(user)->name);
        return NULL;
    }
    node *n = NODE(build(h, g, user, o, &from, 1, attributes, 1));
    bool ok = n != NULL && node_set_input(NODE(user), i, n->outputs[0]) == STATUS_OK &&
              infer_from(h, NODE(user)) == STATUS_OK;
    return ok ? (tenon_node *)n : NULL;
}

static tenon_value *add_constant(const tenon_plugin_host *h, tenon_graph *g, const char *as, tenon_tensor *t) {
    (void)h;
    return (tenon_value *)graph_add_constant(GRAPH(g), as, (tensor *)t);
}

static bool is_named(const tenon_plugin_host *h, const char *as, const char *what) {
    if (as[0] == '\0')
        pass_host_blame(pass_host_of(h), "no-name", "adds an %s without a name", what);
    return as[0] != '\0';
}

static tenon_value *add_input(const tenon_plugin_host *h, tenon_graph *g, const char *as, const char *type) {
    tensor_type t;
    if (!is_named(h, as, "input"))
        return NULL;
    return graph_parse_type(GRAPH(g), type, &t) == STATUS_OK ? (tenon_value *)graph_add_input(GRAPH(g), as, &t) : NULL;
}

static int add_output(const tenon_plugin_host *h, tenon_graph *g, tenon_value *v, const char *as) {
    return is_named(h, as, "output") ? (int)graph_add_output(GRAPH(g), VALUE(v), as) : TENON_PASS_INVALID;
}

/* ---- changing ---- */

static int set_input(const tenon_plugin_host *h, tenon_node *n, int i, tenon_value *v) {
    if (i < 0 || i > NODE(n)->n_inputs) {
        pass_host_blame(pass_host_of(h), "no-such-input", "sets input %d of node '%s', which has %d", i, NODE(n)->name,
                        NODE(n)->n_inputs);
        return TENON_PASS_INVALID;
    }
    status s = node_set_input(NODE(n), i, VALUE(v));
    return (int)(s == STATUS_OK ? infer_from(h, NODE(n)) : s);
}

static int set_output(const tenon_plugin_host *h, tenon_graph *g, int i, tenon_value *v) {
    if (i < 0 || i >= outputs(g)) {
        pass_host_blame(pass_host_of(h), "no-such-output", "sets output %d of a graph that has %d", i, outputs(g));
        return TENON_PASS_INVALID;
    }
    return (int)graph_set_output(GRAPH(g), i, VALUE(v));
}

static int set_attributes(const tenon_plugin_host *h, tenon_node *n, const char *attributes) {
    attr *attrs = NULL;
    int n_attrs = 0;
    status s = graph_parse_attrs(NODE(n)->graph, attributes, &attrs, &n_attrs);
    for (int i = 0; s == STATUS_OK && i < n_attrs; i++)
        s = node_set_attr(NODE(n), &attrs[i]);
    return (int)(s == STATUS_OK ? infer_from(h, NODE(n)) : s);
}

static status change_one(const tenon_change *c) {
    attr *attrs = NULL;
    int n_attrs = 0;
    if (c->attributes != NULL)
        TRY(graph_parse_attrs(NODE(c->node)->graph, c->attributes, &attrs, &n_attrs));
    for (int i = 0; i < n_attrs; i++)
        TRY(node_set_attr(NODE(c->node), &attrs[i]));
    return c->value != NULL ? node_set_input(NODE(c->node), c->input, VALUE(c->value)) : STATUS_OK;
}

static int change(const tenon_plugin_host *h, tenon_graph *g, const tenon_change *list, int n) {
    arena *a = arena_new(arena_allocator(pass_host_of(h)->scratch));
    if (a == NULL)
        return TENON_PASS_RESOURCE;
    map changed = map_in(a), listed = map_in(a);
    status s = STATUS_OK;
    for (int i = 0; i < n && s == STATUS_OK; i++) {
        s = change_one(&list[i]);
        s = s == STATUS_OK ? map_set_key(&listed, MAP_KEY(list[i].node), list[i].node) : s;
    }
    for (node *at = GRAPH(g)->first; at != NULL && s == STATUS_OK; at = at->next)
        if (map_get_key(&listed, MAP_KEY(at)) != NULL || reads_changed(at, &changed))
            s = infer_again(at, &changed);
    arena_free(a);
    return (int)s;
}

static int set_node_name(const tenon_plugin_host *h, tenon_node *n, const char *as) {
    (void)h;
    const char *copy = arena_strdup(NODE(n)->graph->memory, as);
    if (copy == NULL)
        return TENON_PASS_RESOURCE;
    NODE(n)->name = copy;
    return TENON_OK;
}

static int annotate(const tenon_plugin_host *h, tenon_node *n, const char *key, const char *text) {
    (void)h;
    return (int)node_note(NODE(n), key, text);
}

static int replace_all_uses(const tenon_plugin_host *h, tenon_graph *g, tenon_value *from, tenon_value *to) {
    tensor_type was = VALUE(from)->type;
    status s = graph_replace_all_uses(GRAPH(g), VALUE(from), VALUE(to));
    return (int)(s == STATUS_OK ? infer_users(h, VALUE(to), &was) : s);
}

static int move_before(const tenon_plugin_host *h, tenon_graph *g, tenon_node *n, tenon_node *before) {
    (void)h;
    return (int)graph_move_before(GRAPH(g), NODE(n), NODE(before));
}

static int make_constant(const tenon_plugin_host *h, tenon_graph *g, tenon_value *v, tenon_tensor *t) {
    (void)h;
    return (int)graph_make_constant(GRAPH(g), VALUE(v), (tensor *)t);
}

/* ---- removing ---- */

static int erase(const tenon_plugin_host *h, tenon_graph *g, tenon_node *n) {
    (void)h;
    return (int)graph_erase_node(GRAPH(g), NODE(n));
}

static int remove_value(const tenon_plugin_host *h, tenon_graph *g, tenon_value *v) {
    if (VALUE(v)->def != NULL) {
        pass_host_blame(pass_host_of(h), "not-removable",
                        "removes '%s', which is an output of a node: erase takes the node away", VALUE(v)->name);
        return TENON_PASS_INVALID;
    }
    return (int)graph_remove_value(GRAPH(g), VALUE(v));
}

static int remove_output(const tenon_plugin_host *h, tenon_graph *g, int i) {
    if (i < 0 || i >= outputs(g)) {
        pass_host_blame(pass_host_of(h), "no-such-output", "removes output %d of a graph that has %d", i, outputs(g));
        return TENON_PASS_INVALID;
    }
    return (int)graph_remove_output(GRAPH(g), i);
}

static const char *print(const tenon_plugin_host *h, const tenon_graph *g) {
    strbuf s = strbuf_in(pass_host_of(h)->scratch);
    graph_print(GRAPH(g), &s);
    return finish(&s);
}

static int clean_up(const tenon_plugin_host *h, tenon_graph *g) {
    const pass_registry *r = pass_host_of(h)->registry;
    graph *same = GRAPH(g);
    return (int)passes_clean_up(r, &same, &(pass_options){.skip = r->skip, .in_place = true});
}

const tenon_graph_1 plugin_graph = {
    .struct_size = sizeof plugin_graph,
    .name = name,
    .inputs = inputs,
    .input = input,
    .outputs = outputs,
    .output = output,
    .output_name = output_name,
    .nodes = nodes,
    .first = first,
    .next = next,
    .previous = previous,
    .first_value = first_value,
    .next_value = next_value,
    .find_value = find_value,
    .find_node = find_node,
    .op = op,
    .domain = domain,
    .node_name = node_name,
    .node_inputs = node_inputs,
    .node_input = node_input_at,
    .node_outputs = node_outputs,
    .node_output = node_output_at,
    .has_attribute = has_attribute,
    .attribute_int = attribute_int,
    .attribute_float = attribute_float,
    .attribute_text = attribute_text,
    .attribute_ints = attribute_ints,
    .annotation = annotation,
    .value_name = value_name,
    .element_type = element_type,
    .rank = rank,
    .dim = dimension,
    .dim_text = dim_text,
    .type_text = type_text,
    .is_input = is_input,
    .constant = constant,
    .producer = producer,
    .uses = uses,
    .use = use_at,
    .build = build,
    .insert_after = insert_after,
    .insert_before = insert_before,
    .add_constant = add_constant,
    .add_input = add_input,
    .add_output = add_output,
    .set_input = set_input,
    .set_output = set_output,
    .set_attributes = set_attributes,
    .set_node_name = set_node_name,
    .annotate = annotate,
    .replace_all_uses = replace_all_uses,
    .move_before = move_before,
    .make_constant = make_constant,
    .bind_input = plugin_bind_input,
    .erase = erase,
    .remove_value = remove_value,
    .remove_output = remove_output,
    .match = plugin_match,
    .extract = plugin_extract,
    .print = print,
    .clean_up = clean_up,
    .change = change,
};
