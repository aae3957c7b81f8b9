/* Nodes and attributes to messages, and the opset that they need. */
#include <string.h>

#include "frontend/export.h"

/* ---- attributes ---- */

/* AttributeProto.AttributeType */
enum { TYPE_FLOAT = 1, TYPE_INT, TYPE_STRING, TYPE_TENSOR, TYPE_FLOATS = 6, TYPE_INTS, TYPE_STRINGS };

static status write_int(exporter *x, const attr *a, Onnx__AttributeProto *p) {
    (void)x;
    p->has_i = 1;
    p->i = a->i;
    return STATUS_OK;
}

static status write_float(exporter *x, const attr *a, Onnx__AttributeProto *p) {
    (void)x;
    p->has_f = 1;
    p->f = (float)a->f;
    return STATUS_OK;
}

static status write_string(exporter *x, const attr *a, Onnx__AttributeProto *p) {
    (void)x;
    p->has_s = 1;
    p->s = (ProtobufCBinaryData){a->s_bytes, (uint8_t *)(uintptr_t)a->s};
    return STATUS_OK;
}

static status write_ints(exporter *x, const attr *a, Onnx__AttributeProto *p) {
    (void)x;
    p->n_ints = (size_t)a->n;
    p->ints = (int64_t *)(uintptr_t)a->ints;
    return STATUS_OK;
}

static status write_floats(exporter *x, const attr *a, Onnx__AttributeProto *p) {
    p->n_floats = (size_t)a->n;
    TRY_ALLOC(p->floats = ARENA_NEW_N(x->a, float, a->n + 1));
    for (int64_t i = 0; i < a->n; i++)
        p->floats[i] = (float)a->floats[i];
    return STATUS_OK;
}

static status write_strings(exporter *x, const attr *a, Onnx__AttributeProto *p) {
    p->n_strings = (size_t)a->n;
    TRY_ALLOC(p->strings = ARENA_NEW_N(x->a, ProtobufCBinaryData, a->n + 1));
    for (int64_t i = 0; i < a->n; i++)
        p->strings[i] = (ProtobufCBinaryData){strlen(a->strings[i]), (uint8_t *)(uintptr_t)a->strings[i]};
    return STATUS_OK;
}

static status write_tensor(exporter *x, const attr *a, Onnx__AttributeProto *p) {
    return export_tensor(x, a->t, "", &p->t);
}

static const struct {
    status (*write)(exporter *x, const attr *a, Onnx__AttributeProto *p); /* NULL: not in any graph yet */
    int type;
} kinds[] = {
    [ATTR_NONE] = {NULL, 0},
    [ATTR_INT] = {write_int, TYPE_INT},
    [ATTR_FLOAT] = {write_float, TYPE_FLOAT},
    [ATTR_STRING] = {write_string, TYPE_STRING},
    [ATTR_INTS] = {write_ints, TYPE_INTS},
    [ATTR_FLOATS] = {write_floats, TYPE_FLOATS},
    [ATTR_STRINGS] = {write_strings, TYPE_STRINGS},
    [ATTR_TENSOR] = {write_tensor, TYPE_TENSOR},
    [ATTR_GRAPH] = {NULL, 0},
};

static status export_attribute(exporter *x, const node *n, const attr *a, Onnx__AttributeProto **out) {
    Onnx__AttributeProto *p = ARENA_NEW(x->a, Onnx__AttributeProto);
    TRY_ALLOC(p);
    onnx__attribute_proto__init(p);
    if (kinds[a->kind].write == NULL)
        return op_unsupported(n, "unsupported-attribute", "attribute '%s' holds a sub-graph, which is not written",
                              a->name);
    p->name = export_text(a->name);
    p->has_type = 1;
    p->type = kinds[a->kind].type;
    *out = p;
    return kinds[a->kind].write(x, a, p);
}

/* ---- annotations ---- */

static status export_notes(exporter *x, const node *n, Onnx__NodeProto *p) {
    size_t most = n->notes != NULL ? n->notes->n : 0;
    TRY_ALLOC(p->metadata_props = ARENA_NEW_N(x->a, Onnx__StringStringEntryProto *, most + 1));
    for (size_t i = 0; i < most; i++) {
        const map_entry *e = &n->notes->entries[i];
        if (e->value == NULL)
            continue;
        Onnx__StringStringEntryProto *prop = ARENA_NEW(x->a, Onnx__StringStringEntryProto);
        TRY_ALLOC(prop);
        onnx__string_string_entry_proto__init(prop);
        prop->key = export_text(e->name);
        prop->value = e->value;
        p->metadata_props[p->n_metadata_props++] = prop;
    }
    return STATUS_OK;
}

/* ---- the node ---- */

/* What an operator was expanded to shares its name; a file must not. */
static status unique_name(exporter *x, const node *n, const char **out) {
    *out = n->name;
    for (int i = 1; map_get(&x->nodes, *out) != NULL; i++)
        TRY_ALLOC(*out = arena_printf(x->a, "%s_%d", n->name, i));
    return n->name[0] != '\0' ? map_set(&x->nodes, *out, (void *)(uintptr_t)*out) : STATUS_OK;
}

status export_node(exporter *x, const node *n, Onnx__NodeProto **out) {
    Onnx__NodeProto *p = ARENA_NEW(x->a, Onnx__NodeProto);
    const char *name;
    TRY_ALLOC(p);
    TRY(unique_name(x, n, &name));
    if (strcmp(n->op, "Upsample") == 0 && n->domain[0] == '\0')
        return op_unsupported(n, "unsupported-operator", "opset %d no longer has this operator; -p expand rewrites it",
                              EXPORT_OPSET);
    onnx__node_proto__init(p);
    p->name = export_text(name);
    p->op_type = export_text(n->op);
    p->domain = export_text(n->domain);
    TRY_ALLOC(p->input = ARENA_NEW_N(x->a, char *, n->n_inputs + 1));
    TRY_ALLOC(p->output = ARENA_NEW_N(x->a, char *, n->n_outputs + 1));
    TRY_ALLOC(p->attribute = ARENA_NEW_N(x->a, Onnx__AttributeProto *, n->n_attrs + 1));
    for (int i = 0; i < n->n_inputs; i++)
        p->input[p->n_input++] = export_text(export_name(x, node_input(n, i)));
    for (int i = 0; i < n->n_outputs; i++)
        p->output[p->n_output++] = export_text(export_name(x, node_output(n, i)));
    for (int i = 0; i < n->n_attrs; i++)
        if (n->attrs[i].kind != ATTR_NONE)
            TRY(export_attribute(x, n, &n->attrs[i], &p->attribute[p->n_attribute++]));
    *out = p;
    return export_notes(x, n, p);
}

/* ---- opsets ---- */

/* Attributes that operators got after EXPORT_OPSET. */
static const struct {
    const char *op, *attribute;
    int since;
} later[] = {{"Cast", "round_mode", 24},
             {"CastLike", "round_mode", 24},
             {"DequantizeLinear", "output_dtype", 23},
             {"QuantizeLinear", "precision", 23},
             {"Range", "stash_type", 27},
             {"SpaceToDepth", "mode", 28},
             {"Attention", "left_window_size", 25},
             {"Attention", "right_window_size", 25}};

enum { ATTENTION_23_INPUTS = 6 };

#define LATER_TYPES (TYPE_BIT(DT_BF16) | TYPE_BIT(DT_F8E8M0) | TYPE_BIT(DT_F4E2M1))
#define TYPES_OF_25 (TYPE_BIT(DT_U2) | TYPE_BIT(DT_I2))

static bool is_of(const value *v, uint64_t types) {
    return v != NULL && v->type.elem != DT_NONE && (types & TYPE_BIT(v->type.elem)) != 0;
}

static bool has_type(const node *n, uint64_t types) {
    for (int i = 0; i < n->n_inputs; i++)
        if (is_of(node_input(n, i), types))
            return true;
    for (int i = 0; i < n->n_outputs; i++)
        if (is_of(node_output(n, i), types))
            return true;
    return false;
}

int export_opset(const node *n) {
    if (n->row == NULL || n->domain[0] != '\0')
        return EXPORT_OPSET;
    int need = n->row->versions[0] > EXPORT_OPSET ? n->row->versions[0] : EXPORT_OPSET;
    int newest = op_newest(n->row);
    if (has_type(n, LATER_TYPES) && newest > need)
        need = newest;
    if (has_type(n, TYPES_OF_25) && need < 25)
        need = newest < 25 ? newest : 25;
    if (strcmp(n->op, "Attention") == 0 && n->n_inputs > ATTENTION_23_INPUTS && need < 24)
        need = 24;
    for (size_t i = 0; i < sizeof later / sizeof *later; i++)
        if (strcmp(n->op, later[i].op) == 0 && node_attr(n, later[i].attribute) != NULL && later[i].since > need)
            need = later[i].since;
    return need;
}
