/* Nodes of the main graph and of function bodies; Constant nodes. */
#include <string.h>

#include "frontend/import.h"

static diag_place place_of(importer *im, const scope *s, const Onnx__NodeProto *p, size_t index, int version) {
    diag_place where = scope_place(im, s);
    where.node = (int64_t)index;
    const char *name = import_text(p->name);
    where.name = name[0] != '\0' ? name : p->n_output > 0 ? p->output[0] : NULL;
    where.op = import_text(p->op_type)[0] != '\0' ? p->op_type : NULL;
    const char *versioned =
        version > 0 && where.op != NULL ? arena_printf(im->scratch, "%s-%d", where.op, version) : NULL;
    if (versioned != NULL)
        where.op = versioned;
    return where;
}

/* ---- constants ---- */

static status make_list(importer *im, dtype elem, int rank, int64_t n, tensor **out) {
    tensor *t = tensor_new(weights_memory(im->weights), elem, rank, &n, NULL);
    TRY_ALLOC(t);
    TRY(weights_share(im->weights, t, im->scratch));
    *out = t;
    return STATUS_OK;
}

static status constant_floats(importer *im, const double *floats, int rank, int64_t n, tensor **out) {
    TRY(make_list(im, DT_F32, rank, n, out));
    for (int64_t i = 0; i < n; i++)
        dtype_set_double(DT_F32, (void *)(uintptr_t)(*out)->data, (size_t)i, floats[i]);
    return STATUS_OK;
}

static status constant_ints(importer *im, const int64_t *ints, int rank, int64_t n, tensor **out) {
    TRY(make_list(im, DT_I64, rank, n, out));
    for (int64_t i = 0; i < n; i++)
        dtype_set_int(DT_I64, (void *)(uintptr_t)(*out)->data, (size_t)i, ints[i]);
    return STATUS_OK;
}

static status constant_tensor(importer *im, const attr *a, diag_place where, tensor **out) {
    static const struct {
        const char *name;
        attr_kind kind;
    } forms[] = {{"value", ATTR_TENSOR},         {"value_float", ATTR_FLOAT}, {"value_floats", ATTR_FLOATS},
                 {"value_int", ATTR_INT},        {"value_ints", ATTR_INTS},   {"value_string", ATTR_STRING},
                 {"value_strings", ATTR_STRINGS}};
    size_t form = 0, n_forms = sizeof forms / sizeof *forms;
    while (form < n_forms && (strcmp(forms[form].name, a->name) != 0 || forms[form].kind != a->kind))
        form++;
    if (form == n_forms)
        return diag_error(im->d, STATUS_INVALID, "wrong-attribute", where, "attribute '%s' is no value of a constant",
                          a->name);
    switch (a->kind) {
    case ATTR_TENSOR:
        *out = a->t;
        return STATUS_OK;
    case ATTR_FLOAT:
        return constant_floats(im, &a->f, 0, 1, out);
    case ATTR_FLOATS:
        return constant_floats(im, a->floats, 1, a->n, out);
    case ATTR_INT:
        return constant_ints(im, &a->i, 0, 1, out);
    case ATTR_INTS:
        return constant_ints(im, a->ints, 1, a->n, out);
    default:
        return diag_error(im->d, STATUS_UNSUPPORTED, "unsupported-type", where,
                          "attribute '%s': strings are not supported", a->name);
    }
}

static status read_constant(importer *im, const scope *s, const Onnx__NodeProto *p, diag_place where, tensor **out) {
    if (p->n_input != 0 || p->n_output != 1)
        return diag_error(im->d, STATUS_INVALID, "wrong-arity", where, "%zu inputs and %zu outputs, expected 0 and 1",
                          p->n_input, p->n_output);
    attr a = {.kind = ATTR_NONE};
    if (p->n_attribute == 1)
        TRY(attr_import(im, s, p->attribute[0], where, &a));
    if (a.kind == ATTR_NONE)
        return diag_error(im->d, STATUS_INVALID, "missing-attribute", where, "Constant needs exactly one value");
    return constant_tensor(im, &a, where, out);
}

/* Of a node that has been reported: what uses its outputs is still checked. */
static status replace_outputs(importer *im, scope *s, const Onnx__NodeProto *p, diag_place where) {
    for (size_t i = 0; i < p->n_output; i++) {
        if (p->output[i][0] == '\0')
            continue;
        value *v = scope_stand_in(im, s, p->output[i]);
        TRY_ALLOC(v);
        COLLECT(im, scope_define(im, s, where, p->output[i], v));
    }
    return STATUS_OK;
}

static status import_constant(importer *im, scope *s, const Onnx__NodeProto *p, diag_place where) {
    tensor *t = NULL;
    COLLECT(im, read_constant(im, s, p, where, &t));
    if (t == NULL)
        return replace_outputs(im, s, p, where);
    const char *name = scope_name(im, s, p->output[0]);
    TRY_ALLOC(name);
    value *v = graph_add_constant(im->g, name, t);
    TRY_ALLOC(v);
    return scope_define(im, s, where, p->output[0], v);
}

/* ---- nodes ---- */

static status import_attributes(importer *im, const scope *s, const Onnx__NodeProto *p, diag_place where, node *n) {
    if (p->n_attribute > IMPORT_MAX_ATTRS)
        return diag_error(im->d, STATUS_UNSUPPORTED, "unsupported-attribute", where,
                          "%zu attributes, at most %d are supported", p->n_attribute, IMPORT_MAX_ATTRS);
    /* Of an operator that is not supported only that is said, not also that its sub-graphs are not. */
    bool is_known = n->row != NULL || map_get_key(&im->calls, MAP_KEY(n)) != NULL;
    for (size_t i = 0; is_known && i < p->n_attribute; i++) {
        attr a;
        status s_attr = attr_import(im, s, p->attribute[i], where, &a);
        COLLECT(im, s_attr);
        if (s_attr != STATUS_OK || a.kind == ATTR_NONE)
            continue;
        if (node_attr(n, a.name) != NULL)
            COLLECT(im,
                    diag_error(im->d, STATUS_INVALID, "bad-attribute", where, "attribute '%s' is given twice", a.name));
        TRY(node_set_attr(n, &a));
    }
    return STATUS_OK;
}

static size_t trimmed(char *const *names, size_t n) {
    while (n > 0 && names[n - 1][0] == '\0')
        n--;
    return n;
}

static status output_names(importer *im, const scope *s, const Onnx__NodeProto *p, size_t n, const char ***out) {
    const char **names = ARENA_NEW_N(im->scratch, const char *, n);
    TRY_ALLOC(names);
    for (size_t i = 0; i < n; i++) {
        names[i] = p->output[i][0] == '\0' ? "" : scope_name(im, s, p->output[i]);
        TRY_ALLOC(names[i]);
    }
    *out = names;
    return STATUS_OK;
}

/* The node with its attributes and outputs; inputs are connected when all of the list exist. */
static status make_node(importer *im, scope *s, const Onnx__NodeProto *p, diag_place where, int version,
                        function *called, node **out) {
    size_t n_inputs = trimmed(p->input, p->n_input), n_outputs = trimmed(p->output, p->n_output);
    const char **names, *name = scope_name(im, s, import_text(p->name));
    value **none = ARENA_NEW_N(im->scratch, value *, n_inputs);
    TRY_ALLOC(name);
    TRY_ALLOC(none);
    if (n_inputs > IMPORT_MAX_ENDS || n_outputs > IMPORT_MAX_ENDS)
        return diag_error(im->d, STATUS_UNSUPPORTED, "too-large", where, "it has too many inputs or outputs");
    im->n_made += n_inputs + n_outputs;
    TRY(output_names(im, s, p, n_outputs, &names));
    node *n = graph_add_node(im->g, s->call, scope_domain(p->domain), import_text(p->op_type), version,
                             import_text(p->name)[0] == '\0' ? "" : name, none, (int)n_inputs, names, (int)n_outputs);
    TRY_ALLOC(n);
    n->source = s->call != NULL ? s->call->source : where.node;
    if (n->row != NULL && n->row->is_internal)
        n->row = NULL;
    if (called != NULL)
        TRY(map_set_key(&im->calls, MAP_KEY(n), called));
    for (size_t i = 0; i < n_outputs; i++)
        if (n->outputs[i] != NULL)
            COLLECT(im, scope_define(im, s, where, p->output[i], n->outputs[i]));
    for (size_t i = 0; i < p->n_metadata_props; i++)
        TRY(node_note(n, import_text(p->metadata_props[i]->key), import_text(p->metadata_props[i]->value)));
    *out = n;
    return import_attributes(im, s, p, where, n);
}

static status import_node(importer *im, scope *s, const Onnx__NodeProto *p, size_t index, node **out) {
    const char *domain = scope_domain(p->domain), *op = import_text(p->op_type);
    int version = (int)(intptr_t)map_get(&s->opsets, domain);
    function *called = function_find(im, domain, op, import_text(p->overload));
    diag_place where = place_of(im, s, p, index, version);
    if (op[0] == '\0') {
        import_note(im, diag_error(im->d, STATUS_INVALID, "bad-node", where, "it has no operator"));
        return replace_outputs(im, s, p, where);
    }
    if (version == 0 && called == NULL) {
        import_note(im, diag_error(im->d, STATUS_INVALID, "missing-opset", where, "domain '%s' is not imported",
                                   domain[0] == '\0' ? "ai.onnx" : domain));
        return replace_outputs(im, s, p, where);
    }
    if (called == NULL && domain[0] == '\0' && strcmp(op, "Constant") == 0)
        return import_constant(im, s, p, where);
    return make_node(im, s, p, where, version, called, out);
}

static status connect_inputs(importer *im, scope *s, const Onnx__NodeProto *p, size_t index, node *n) {
    diag_place where = place_of(im, s, p, index, n->version);
    for (int i = 0; i < n->n_inputs; i++) {
        const char *name = p->input[i];
        if (name[0] == '\0' || map_get(&s->absent, name) != NULL)
            continue;
        value *v = map_get(&s->values, name);
        if (v == NULL) {
            COLLECT(im, diag_error(im->d, STATUS_INVALID, "undefined-value", where,
                                   "input %d is '%s', which no input, initializer or node defines", i, name));
            TRY_ALLOC(v = scope_stand_in(im, s, name));
            TRY(map_set(&s->values, name, v));
        }
        TRY(node_set_input(n, i, v));
        s->is_unsorted |= v->def != NULL && !node_is_before(v->def, n);
    }
    return STATUS_OK;
}

status node_import_all(importer *im, scope *s, Onnx__NodeProto *const *nodes, size_t n) {
    im->n_made += n;
    if (im->n_made > IMPORT_MAX_MADE(im->n_bytes))
        return diag_error(im->d, STATUS_UNSUPPORTED, "too-large", scope_place(im, s),
                          "with the functions in place of their calls, nodes have more than %zu inputs and outputs",
                          IMPORT_MAX_MADE(im->n_bytes));
    node **made = ARENA_NEW_N(im->scratch, node *, n), *first = NULL;
    TRY_ALLOC(made);
    for (size_t i = 0; i < n; i++) {
        COLLECT(im, import_node(im, s, nodes[i], i, &made[i]));
        first = first == NULL ? made[i] : first;
    }
    for (size_t i = 0; i < n; i++)
        if (made[i] != NULL)
            COLLECT(im, connect_inputs(im, s, nodes[i], i, made[i]));
    return s->is_unsorted ? graph_sort(im->g, first, s->call != NULL ? s->call->prev : im->g->last) : STATUS_OK;
}
