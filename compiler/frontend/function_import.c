/* Local functions: their table, and putting their bodies in the place of their calls. */
#include <string.h>

#include "frontend/import.h"

enum { PREFIX_MAX = 200 };

/* ---- the table ---- */

static const char *key_of(arena *a, const char *domain, const char *name, const char *overload) {
    strbuf s = strbuf_in(a);
    strbuf_quoted(&s, domain, strlen(domain));
    strbuf_quoted(&s, name, strlen(name));
    strbuf_quoted(&s, overload, strlen(overload));
    const char *key;
    return strbuf_finish(&s, &key) == STATUS_OK ? key : NULL;
}

function *function_find(const importer *im, const char *domain, const char *name, const char *overload) {
    if (im->functions.n == 0)
        return NULL;
    const char *key = key_of(im->scratch, domain, name, overload);
    return key == NULL ? NULL : map_get(&im->functions, key);
}

static diag_place place_of(const importer *im, const function *f) {
    diag_place p = DIAG_NOWHERE;
    p.file = im->g->file;
    p.graph = import_text(f->proto->name);
    return p;
}

static status add_function(importer *im, const Onnx__FunctionProto *proto) {
    function *f = ARENA_NEW(im->scratch, function);
    const char *key =
        key_of(im->scratch, scope_domain(proto->domain), import_text(proto->name), import_text(proto->overload));
    TRY_ALLOC(f);
    TRY_ALLOC(key);
    f->proto = proto;
    f->opsets = map_in(im->scratch);
    if (map_get(&im->functions, key) != NULL)
        return diag_error(im->d, STATUS_INVALID, "duplicate-function", place_of(im, f),
                          "the function is defined twice");
    TRY(scope_opsets(im, place_of(im, f), proto->opset_import, proto->n_opset_import, &f->opsets));
    return map_set(&im->functions, key, f);
}

static status check_calls(importer *im, function *f, int depth) {
    if (f->state == FUNCTION_CHECKED)
        return STATUS_OK;
    if (f->state == FUNCTION_OPEN)
        return diag_error(im->d, STATUS_INVALID, "recursive-function", place_of(im, f), "the function calls itself");
    if (depth == IMPORT_MAX_CALLS)
        return diag_error(im->d, STATUS_UNSUPPORTED, "too-large", place_of(im, f),
                          "functions call each other more than %d deep", IMPORT_MAX_CALLS);
    f->state = FUNCTION_OPEN;
    for (size_t i = 0; i < f->proto->n_node; i++) {
        const Onnx__NodeProto *n = f->proto->node[i];
        function *called =
            function_find(im, scope_domain(n->domain), import_text(n->op_type), import_text(n->overload));
        if (called != NULL)
            TRY(check_calls(im, called, depth + 1));
    }
    f->state = FUNCTION_CHECKED;
    return STATUS_OK;
}

status function_import_all(importer *im) {
    for (size_t i = 0; i < im->model->n_functions; i++)
        TRY(add_function(im, im->model->functions[i]));
    for (size_t i = 0; i < im->functions.n; i++)
        TRY(check_calls(im, im->functions.entries[i].value, 0));
    return STATUS_OK;
}

/* ---- calls ---- */

static status bind_inputs(importer *im, scope *s, const function *f, const node *call) {
    for (size_t i = 0; i < f->proto->n_input; i++)
        COLLECT(im, scope_define(im, s, place_of(im, f), f->proto->input[i], node_input(call, (int)i)));
    return STATUS_OK;
}

static status hand_over(importer *im, value *from, value *to) {
    bool says_more = from->type.elem != DT_NONE && to->type.elem == DT_NONE;
    if (says_more && to->def != NULL)
        TRY(graph_set_type(im->g, to, &from->type));
    return graph_replace_all_uses(im->g, from, to);
}

/* The call's outputs become the body's; `results` are those. */
static status bind_outputs(importer *im, scope *s, const function *f, node *call, value **results) {
    for (int i = 0; i < call->n_outputs; i++) {
        const char *name = f->proto->output[i];
        if (call->outputs[i] == NULL)
            continue;
        results[i] = map_get(&s->values, name);
        if (results[i] == NULL) {
            COLLECT(im, diag_error(im->d, STATUS_INVALID, "undefined-value", place_of(im, f),
                                   "no node defines the output '%s'", name));
            TRY_ALLOC(results[i] = scope_stand_in(im, s, name));
        }
        TRY(hand_over(im, call->outputs[i], results[i]));
    }
    return STATUS_OK;
}

/* What the body makes gets the names that the caller knows. */
static status take_names(importer *im, node *call, value **results, uint32_t first_id) {
    const char **names = ARENA_NEW_N(im->scratch, const char *, call->n_outputs);
    TRY_ALLOC(names);
    for (int i = 0; i < call->n_outputs; i++)
        names[i] = call->outputs[i] == NULL ? NULL : call->outputs[i]->name;
    int n = call->n_outputs;
    TRY(graph_erase_node(im->g, call));
    for (int i = 0; i < n; i++)
        if (names[i] != NULL && results[i]->id >= first_id)
            TRY(graph_set_name(im->g, results[i], names[i]));
    return STATUS_OK;
}

static const char *prefix_of(importer *im, const node *call) {
    const char *label = call->name;
    for (int i = 0; i < call->n_outputs && label[0] == '\0'; i++)
        label = call->outputs[i] == NULL ? "" : call->outputs[i]->name;
    return arena_printf(im->scratch, "%.*s/", PREFIX_MAX, label);
}

/* A call that was reported, or whose function was: its outputs are anything. */
static status abandon_call(importer *im, const scope *s, node *call) {
    for (int i = 0; i < call->n_outputs; i++) {
        if (call->outputs[i] == NULL)
            continue;
        value *v = scope_stand_in(im, s, call->outputs[i]->name);
        TRY_ALLOC(v);
        TRY(graph_replace_all_uses(im->g, call->outputs[i], v));
    }
    return graph_erase_node(im->g, call);
}

static bool has_fitting_arity(importer *im, const function *f, const node *call) {
    const Onnx__FunctionProto *p = f->proto;
    if ((size_t)call->n_inputs <= p->n_input && (size_t)call->n_outputs <= p->n_output)
        return true;
    import_note(im, op_invalid(call, "wrong-arity", "%d inputs and %d outputs, but the function has %zu and %zu",
                               call->n_inputs, call->n_outputs, p->n_input, p->n_output));
    return false;
}

static status inline_call(importer *im, node *call, function *f) {
    const char *prefix = prefix_of(im, call);
    value **results = ARENA_NEW_N(im->scratch, value *, call->n_outputs);
    TRY_ALLOC(prefix);
    TRY_ALLOC(results);
    scope s = scope_in(im, import_text(f->proto->name), prefix);
    s.opsets = f->opsets;
    s.call = call;
    if (f->is_broken || !has_fitting_arity(im, f, call))
        return abandon_call(im, &s, call);
    size_t errors = diag_errors(im->d);
    uint32_t first_id = im->g->next_id;
    TRY(bind_inputs(im, &s, f, call));
    TRY(node_import_all(im, &s, f->proto->node, f->proto->n_node));
    TRY(bind_outputs(im, &s, f, call, results));
    f->is_broken = diag_errors(im->d) > errors;
    return take_names(im, call, results, first_id);
}

status function_inline_all(importer *im) {
    node *next;
    for (node *n = im->g->first; n != NULL; n = next) {
        function *f = map_get_key(&im->calls, MAP_KEY(n));
        node *before = n->prev;
        if (f != NULL)
            TRY(inline_call(im, n, f));
        next = f == NULL ? n->next : before != NULL ? before->next : im->g->first;
    }
    return STATUS_OK;
}
