/* A model file to a graph: unpacking, the main graph, and the order of the steps. */
#include <string.h>

#include "frontend/frontend.h"
#include "frontend/import.h"
#include "frontend/wire.h"

enum { IR_OLDEST = 3, IR_NEWEST = 14 };

/* ---- the file ---- */

static status not_onnx(importer *im, diag_place where, const uint8_t *bytes, size_t n, const wire_fault *fault) {
    const char *kind = file_kind(bytes, n), *explained = wire_explain(fault, im->scratch);
    TRY_ALLOC(explained);
    if (kind != NULL)
        return diag_error(im->d, STATUS_INVALID, "not-onnx", where, "not an ONNX model, but %s", kind);
    return diag_error(im->d, STATUS_INVALID, "not-onnx", where, "not an ONNX model: %s", explained);
}

static status unpack(importer *im, diag_place where, const uint8_t *bytes, size_t n) {
    wire_fault fault;
    ProtobufCMessage *message = NULL;
    if (n == 0)
        return diag_error(im->d, STATUS_INVALID, "not-onnx", where, "not an ONNX model: the file is empty");
    status s = wire_unpack(bytes, n, &onnx__model_proto__descriptor, im->scratch, &fault, &message);
    if (s == STATUS_INVALID)
        return not_onnx(im, where, bytes, n, &fault);
    im->model = (const Onnx__ModelProto *)message;
    return s;
}

static status check_header(importer *im, diag_place where) {
    if (im->model->graph == NULL || !im->model->has_ir_version)
        return diag_error(im->d, STATUS_INVALID, "not-onnx", where, "not an ONNX model: it has no %s",
                          im->model->graph == NULL ? "graph" : "IR version");
    int64_t ir = im->model->ir_version;
    if (ir < IR_OLDEST || ir > IR_NEWEST)
        return diag_error(im->d, STATUS_UNSUPPORTED, "unsupported-ir", where,
                          "IR version %lld is not supported; supported are %d to %d", (long long)ir, IR_OLDEST,
                          IR_NEWEST);
    return STATUS_OK;
}

/* ---- the main graph ---- */

static status import_initializer(importer *im, scope *s, const Onnx__TensorProto *p) {
    const char *name = import_text(p->name);
    diag_place where = scope_place(im, s);
    if (name[0] == '\0')
        return diag_error(im->d, STATUS_INVALID, "bad-tensor", where, "an initializer has no name");
    const char *what = arena_printf(im->scratch, "initializer '%s'", name);
    TRY_ALLOC(what);
    tensor *t = NULL;
    status outcome = tensor_import(&im->tensors, p, where, what, &t);
    COLLECT(im, outcome);
    if (outcome == STATUS_OK)
        TRY(weights_share(im->weights, t, im->scratch));
    value *v = outcome == STATUS_OK ? graph_add_constant(im->g, name, t) : scope_stand_in(im, s, name);
    TRY_ALLOC(v);
    return scope_define(im, s, where, name, v);
}

static bool fits(const tensor_type *declared, const tensor_type *actual) {
    bool same = declared->elem == actual->elem && (declared->rank < 0 || declared->rank == actual->rank);
    for (int k = 0; same && k < declared->rank; k++)
        same = !dim_is_known(declared->dims[k]) || declared->dims[k].n == actual->dims[k].n;
    return same;
}

/* An input that has an initializer is a constant. From IR version 4 on the specification lets a caller override it;
 * compiled code has it built in. */
static status import_input(importer *im, scope *s, const Onnx__ValueInfoProto *info) {
    const char *name = import_text(info->name);
    diag_place where = scope_place(im, s);
    if (name[0] == '\0')
        return diag_error(im->d, STATUS_INVALID, "bad-node", where, "an input has no name");
    tensor_type type;
    COLLECT(im, type_import_input(im, info, where, &type));
    value *v = map_get(&s->values, name);
    if (v != NULL && v->constant != NULL && type.elem != DT_NONE && !fits(&type, &v->type))
        return diag_error(im->d, STATUS_INVALID, "shape-mismatch", where,
                          "input '%s' is not declared with the type of its initializer", name);
    if (v != NULL && !v->is_input)
        return STATUS_OK;
    TRY_ALLOC(v = graph_add_input(im->g, name, &type));
    return scope_define(im, s, where, name, v);
}

static status import_output(importer *im, scope *s, map *outputs, const Onnx__ValueInfoProto *info) {
    const char *name = import_text(info->name);
    value *v = map_get(&s->values, name);
    if (map_get(outputs, name) != NULL)
        return diag_error(im->d, STATUS_INVALID, "duplicate-value", scope_place(im, s),
                          "'%s' is an output of the graph twice", name);
    if (v == NULL)
        return diag_error(im->d, STATUS_INVALID, "undefined-value", scope_place(im, s),
                          "output '%s' is defined by no input, initializer or node", name);
    TRY(map_set(outputs, name, v));
    return graph_add_output(im->g, v, name);
}

static status declare_types(importer *im, const scope *s, Onnx__ValueInfoProto *const *list, size_t n) {
    for (size_t i = 0; i < n; i++) {
        value *v = map_get(&s->values, import_text(list[i]->name));
        tensor_type type;
        if (v == NULL || v->def == NULL)
            continue;
        TRY(type_import_declared(im, list[i], &type));
        TRY(graph_set_type(im->g, v, &type));
    }
    return STATUS_OK;
}

static status import_main(importer *im, scope *s) {
    const Onnx__GraphProto *g = im->model->graph;
    for (size_t i = 0; i < g->n_initializer; i++)
        COLLECT(im, import_initializer(im, s, g->initializer[i]));
    for (size_t i = 0; i < g->n_sparse_initializer; i++) {
        const Onnx__TensorProto *values = g->sparse_initializer[i]->values;
        COLLECT(im, diag_error(im->d, STATUS_UNSUPPORTED, "unsupported-type", scope_place(im, s),
                               "initializer '%s' is sparse, which is not supported",
                               values == NULL ? "" : import_text(values->name)));
    }
    TRY(type_import_symbols(im, g));
    for (size_t i = 0; i < g->n_input; i++)
        COLLECT(im, import_input(im, s, g->input[i]));
    TRY(node_import_all(im, s, g->node, g->n_node));
    map outputs = map_in(im->scratch);
    for (size_t i = 0; i < g->n_output; i++)
        COLLECT(im, import_output(im, s, &outputs, g->output[i]));
    if (g->n_output == 0)
        COLLECT(im,
                diag_error(im->d, STATUS_INVALID, "undefined-value", scope_place(im, s), "the graph has no outputs"));
    TRY(declare_types(im, s, g->value_info, g->n_value_info));
    return declare_types(im, s, g->output, g->n_output);
}

/* ---- the model ---- */

static status set_metadata(importer *im, const char *key, const char *text) {
    arena *a = im->g->memory;
    char *own_key = arena_strdup(a, import_text(key)), *own_text = arena_strdup(a, import_text(text));
    TRY_ALLOC(own_key);
    TRY_ALLOC(own_text);
    return map_set(&im->g->metadata, own_key, own_text);
}

static status keep_metadata(importer *im) {
    const Onnx__ModelProto *m = im->model;
    if (m->producer_name != NULL)
        TRY(set_metadata(im, "producer_name", m->producer_name));
    if (m->producer_version != NULL)
        TRY(set_metadata(im, "producer_version", m->producer_version));
    for (size_t i = 0; i < m->n_metadata_props; i++)
        TRY(set_metadata(im, m->metadata_props[i]->key, m->metadata_props[i]->value));
    return STATUS_OK;
}

/* The graph's opsets: its nodes are in their newest form, so ai.onnx is the newest that is read. */
static status keep_opsets(importer *im, const map *opsets) {
    for (size_t i = 0; i < opsets->n; i++) {
        const map_entry *e = &opsets->entries[i];
        char *domain = arena_strdup(im->g->memory, e->name);
        TRY_ALLOC(domain);
        TRY(map_set(&im->g->opsets, domain, domain[0] == '\0' ? (void *)(intptr_t)ONNX_OPSET_NEWEST : e->value));
    }
    return STATUS_OK;
}

static status import_model(importer *im) {
    diag_place where = DIAG_NOWHERE;
    where.file = im->g->file;
    TRY(unpack(im, where, im->tensors.bytes, im->n_bytes));
    TRY(check_header(im, where));
    scope s = scope_in(im, im->g->name, "");
    TRY(scope_opsets(im, where, im->model->opset_import, im->model->n_opset_import, &s.opsets));
    TRY(function_import_all(im));
    TRY(import_main(im, &s));
    TRY(function_inline_all(im));
    TRY(node_upgrade_all(im));
    COLLECT(im, graph_infer(im->g));
    TRY(keep_opsets(im, &s.opsets));
    TRY(keep_metadata(im));
    return im->worst;
}

static status import_with(importer *im, const uint8_t *bytes, size_t n, const char *folder, arena *scratch) {
    im->scratch = scratch;
    im->functions = map_in(scratch);
    im->calls = map_in(scratch);
    im->symbols = map_in(scratch);
    im->n_bytes = n;
    im->external = (external_files){folder, weights_memory(im->weights), map_in(scratch)};
    im->tensors = (tensor_source){weights_memory(im->weights), im->d, bytes, &im->external};
    status s = import_model(im);
    if (s != STATUS_RESOURCE)
        import_note(im, s);
    return s == STATUS_RESOURCE ? s : im->worst;
}

static status import_into(weights *w, const uint8_t *bytes, size_t n, const char *name, const char *folder,
                          const allocator *from, diag *d, const op_table *ops, graph **out) {
    importer im = {.d = d, .weights = w};
    arena *scratch = arena_new(from);
    im.g = graph_new(from, d, ops, "main", name);
    status s = scratch == NULL || im.g == NULL ? STATUS_RESOURCE : import_with(&im, bytes, n, folder, scratch);
    arena_free(scratch);
    if (s != STATUS_OK) {
        graph_free(im.g);
        return s;
    }
    *out = im.g;
    return STATUS_OK;
}

status onnx_import_bytes(const void *bytes, size_t n, const char *name, const char *folder, const allocator *from,
                         diag *d, const op_table *ops, graph **out) {
    *out = NULL;
    weights *w = weights_new(from);
    TRY_ALLOC(w);
    status s = import_into(w, bytes, n, name, folder, from, d, ops, out);
    weights_drop(w);
    return s;
}

static status import_file(weights *w, const char *path, const allocator *from, diag *d, const op_table *ops,
                          graph **out) {
    const char *slash = strrchr(path, '/'), *why;
    const char *folder =
        slash == NULL ? "." : arena_strndup(weights_memory(w), path, slash == path ? 1 : (size_t)(slash - path));
    TRY_ALLOC(folder);
    mapped_file file;
    status s = mapped_file_open(weights_memory(w), path, &file, &why);
    diag_place where = DIAG_NOWHERE;
    where.file = path;
    if (s != STATUS_OK)
        return why == NULL ? s : diag_error(d, s, "file", where, "cannot be read: %s", why);
    return import_into(w, file.bytes, file.n, path, folder, from, d, ops, out);
}

status onnx_import(const char *path, const allocator *from, diag *d, const op_table *ops, graph **out) {
    *out = NULL;
    weights *w = weights_new(from);
    TRY_ALLOC(w);
    status s = import_file(w, path, from, d, ops, out);
    weights_drop(w);
    return s;
}
