/* A graph to an ONNX file. */
#include <string.h>

#include "frontend/export.h"
#include "frontend/frontend.h"

/* What one message may have, as protobuf's readers take it. */
#define MOST_BYTES INT32_MAX

const char *export_name(const exporter *x, const value *v) {
    if (v == NULL)
        return "";
    const char *other = map_get_key(&x->names, MAP_KEY(v));
    return other != NULL ? other : v->name;
}

/* ---- names of outputs: in a file an output is a value of that name ---- */

static bool is_output_before(const graph *g, size_t i) {
    for (size_t k = 0; k < i; k++)
        if (g->outputs.at[k]->v == g->outputs.at[i]->v)
            return true;
    return false;
}

static status refuse_name(const exporter *x, size_t i) {
    return diag_error(x->g->diags, STATUS_INVALID, "duplicate-value", DIAG_NOWHERE,
                      "output '%s' has the name of an input that is another value: an ONNX file cannot say that",
                      x->g->output_names.at[i]);
}

/* May output i's value have the output's name in the file? Else an Identity hands it on under that name. */
static bool can_rename(const graph *g, size_t i) {
    const value *v = g->outputs.at[i]->v;
    return strcmp(v->name, g->output_names.at[i]) == 0 || (v->def != NULL && !is_output_before(g, i));
}

/* A value whose name an output wants, and which is not that output, gets another in the file. */
static status name_anew(exporter *x, const value *v) {
    const char *name = v->name;
    for (int i = 1; graph_find_value(x->g, name) != NULL; i++)
        TRY_ALLOC(name = arena_printf(x->a, "%s_%d", v->name, i));
    return map_set_key(&x->names, MAP_KEY(v), (void *)(uintptr_t)name);
}

static status rename_outputs(exporter *x) {
    for (size_t i = 0; i < x->g->outputs.n; i++) {
        const value *other = graph_find_value(x->g, x->g->output_names.at[i]);
        if (other == NULL || other == x->g->outputs.at[i]->v)
            continue;
        if (other->is_input)
            return refuse_name(x, i);
        TRY(name_anew(x, other));
    }
    for (size_t i = 0; i < x->g->outputs.n; i++)
        if (can_rename(x->g, i) && strcmp(x->g->outputs.at[i]->v->name, x->g->output_names.at[i]) != 0)
            TRY(map_set_key(&x->names, MAP_KEY(x->g->outputs.at[i]->v), (void *)(uintptr_t)x->g->output_names.at[i]));
    return STATUS_OK;
}

static status hand_on(exporter *x, size_t i, Onnx__NodeProto **out) {
    Onnx__NodeProto *p = ARENA_NEW(x->a, Onnx__NodeProto);
    TRY_ALLOC(p);
    onnx__node_proto__init(p);
    p->op_type = export_text("Identity");
    TRY_ALLOC(p->input = ARENA_NEW(x->a, char *));
    TRY_ALLOC(p->output = ARENA_NEW(x->a, char *));
    p->input[0] = export_text(export_name(x, x->g->outputs.at[i]->v));
    p->output[0] = export_text(x->g->output_names.at[i]);
    p->n_input = p->n_output = 1;
    *out = p;
    return STATUS_OK;
}

/* ---- the graph ---- */

static status export_nodes(exporter *x, Onnx__GraphProto *p) {
    TRY_ALLOC(p->node = ARENA_NEW_N(x->a, Onnx__NodeProto *, (size_t)x->g->n_nodes + x->g->outputs.n + 1));
    for (const node *n = x->g->first; n != NULL; n = n->next)
        TRY(export_node(x, n, &p->node[p->n_node++]));
    for (size_t i = 0; i < x->g->outputs.n; i++)
        if (!can_rename(x->g, i))
            TRY(hand_on(x, i, &p->node[p->n_node++]));
    return STATUS_OK;
}

static bool is_among_outputs(const exporter *x, const value *v) {
    for (size_t i = 0; i < x->g->outputs.n; i++)
        if (strcmp(export_name(x, v), x->g->output_names.at[i]) == 0)
            return true;
    return false;
}

static status export_values(exporter *x, Onnx__GraphProto *p) {
    size_t n = x->g->next_id;
    TRY_ALLOC(p->initializer = ARENA_NEW_N(x->a, Onnx__TensorProto *, n + 1));
    TRY_ALLOC(p->value_info = ARENA_NEW_N(x->a, Onnx__ValueInfoProto *, n + 1));
    for (const value *v = x->g->values; v != NULL; v = v->next) {
        if (v->constant != NULL)
            TRY(export_tensor(x, v->constant, export_name(x, v), &p->initializer[p->n_initializer++]));
        else if (v->def != NULL && v->type.elem != DT_NONE && !is_among_outputs(x, v))
            TRY(export_value_info(x, v, export_name(x, v), &p->value_info[p->n_value_info++]));
    }
    return STATUS_OK;
}

static status export_ends(exporter *x, Onnx__GraphProto *p) {
    TRY_ALLOC(p->input = ARENA_NEW_N(x->a, Onnx__ValueInfoProto *, x->g->inputs.n + 1));
    TRY_ALLOC(p->output = ARENA_NEW_N(x->a, Onnx__ValueInfoProto *, x->g->outputs.n + 1));
    for (size_t i = 0; i < x->g->inputs.n; i++)
        TRY(export_value_info(x, x->g->inputs.at[i], x->g->inputs.at[i]->name, &p->input[p->n_input++]));
    for (size_t i = 0; i < x->g->outputs.n; i++)
        TRY(export_value_info(x, x->g->outputs.at[i]->v, x->g->output_names.at[i], &p->output[p->n_output++]));
    return STATUS_OK;
}

static status export_graph(exporter *x, Onnx__GraphProto **out) {
    Onnx__GraphProto *p = ARENA_NEW(x->a, Onnx__GraphProto);
    TRY_ALLOC(p);
    onnx__graph_proto__init(p);
    p->name = export_text(x->g->name);
    TRY(rename_outputs(x));
    TRY(export_nodes(x, p));
    TRY(export_values(x, p));
    *out = p;
    return export_ends(x, p);
}

/* ---- the model ---- */

/* The IR version that came with an opset. */
static int ir_version(int opset) {
    static const struct {
        int opset, ir;
    } rows[] = {{28, 14}, {25, 13}, {24, 12}, {23, 11}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (opset >= rows[i].opset)
            return rows[i].ir;
    return 10;
}

static status add_opset(exporter *x, Onnx__ModelProto *m, const char *domain, int version) {
    Onnx__OperatorSetIdProto *p = ARENA_NEW(x->a, Onnx__OperatorSetIdProto);
    TRY_ALLOC(p);
    onnx__operator_set_id_proto__init(p);
    p->domain = export_text(domain);
    p->has_version = 1;
    p->version = version;
    m->opset_import[m->n_opset_import++] = p;
    return STATUS_OK;
}

static status export_opsets(exporter *x, Onnx__ModelProto *m) {
    const map *opsets = &x->g->opsets;
    int newest = EXPORT_OPSET;
    for (const node *n = x->g->first; n != NULL; n = n->next)
        newest = export_opset(n) > newest ? export_opset(n) : newest;
    m->has_ir_version = 1;
    m->ir_version = ir_version(newest);
    TRY_ALLOC(m->opset_import = ARENA_NEW_N(x->a, Onnx__OperatorSetIdProto *, opsets->n + 1));
    TRY(add_opset(x, m, "", newest));
    for (size_t i = 0; i < opsets->n; i++)
        if (opsets->entries[i].value != NULL && opsets->entries[i].name[0] != '\0')
            TRY(add_opset(x, m, opsets->entries[i].name, (int)(intptr_t)opsets->entries[i].value));
    return STATUS_OK;
}

static status export_metadata(exporter *x, Onnx__ModelProto *m) {
    const map *all = &x->g->metadata;
    TRY_ALLOC(m->metadata_props = ARENA_NEW_N(x->a, Onnx__StringStringEntryProto *, all->n + 1));
    for (size_t i = 0; i < all->n; i++) {
        const map_entry *e = &all->entries[i];
        if (e->value == NULL)
            continue;
        if (strcmp(e->name, "producer_name") == 0) {
            m->producer_name = e->value;
        } else if (strcmp(e->name, "producer_version") == 0) {
            m->producer_version = e->value;
        } else {
            Onnx__StringStringEntryProto *p = ARENA_NEW(x->a, Onnx__StringStringEntryProto);
            TRY_ALLOC(p);
            onnx__string_string_entry_proto__init(p);
            p->key = export_text(e->name);
            p->value = e->value;
            m->metadata_props[m->n_metadata_props++] = p;
        }
    }
    return STATUS_OK;
}

status onnx_export(const graph *g, arena *a, const void **out, size_t *out_n) {
    exporter x = {.g = g, .a = a, .names = map_in(a), .nodes = map_in(a)};
    Onnx__ModelProto m = ONNX__MODEL_PROTO__INIT;
    TRY(export_opsets(&x, &m));
    TRY(export_metadata(&x, &m));
    TRY(export_graph(&x, &m.graph));
    *out_n = onnx__model_proto__get_packed_size(&m);
    if (*out_n > MOST_BYTES)
        return diag_error(
            g->diags, STATUS_UNSUPPORTED, "too-large", DIAG_NOWHERE,
            "the model has %zu bytes: an ONNX file of more than 2 GiB needs external data, which is not written",
            *out_n);
    uint8_t *bytes = arena_alloc(a, *out_n + 1);
    TRY_ALLOC(bytes);
    onnx__model_proto__pack(&m, bytes);
    *out = bytes;
    return STATUS_OK;
}
