/* Tensors and types to messages. */
#include "frontend/export.h"

status export_tensor(exporter *x, const tensor *t, const char *name, Onnx__TensorProto **out) {
    Onnx__TensorProto *p = ARENA_NEW(x->a, Onnx__TensorProto);
    TRY_ALLOC(p);
    onnx__tensor_proto__init(p);
    p->name = export_text(name);
    p->has_data_type = 1;
    p->data_type = dtype_to_onnx(t->elem);
    p->n_dims = (size_t)t->rank;
    p->dims = (int64_t *)(uintptr_t)t->dims;
    p->has_raw_data = 1;
    p->raw_data = (ProtobufCBinaryData){t->bytes, (uint8_t *)(uintptr_t)t->data};
    *out = p;
    return STATUS_OK;
}

/* ---- types ---- */

typedef struct lone_symbol {
    const char *name;
    int n;
} lone_symbol;

static void note_symbol(const char *name, void *ctx) {
    lone_symbol *s = ctx;
    s->name = name;
    s->n++;
}

/* A symbol goes by its name, whatever characters that has; an expression by its text. */
static status dim_param(exporter *x, dim d, char **out) {
    lone_symbol s = {0};
    dim_symbols(d, note_symbol, &s);
    if (s.n == 1 && dim_equal(d, dim_symbol(x->a, s.name))) {
        *out = arena_strdup(x->a, s.name);
        TRY_ALLOC(*out);
        return STATUS_OK;
    }
    strbuf text = strbuf_in(x->a);
    const char *finished;
    dim_print(d, &text);
    TRY(strbuf_finish(&text, &finished));
    *out = export_text(finished);
    return STATUS_OK;
}

static status export_dim(exporter *x, dim d, Onnx__TensorShapeProto__Dimension **out) {
    Onnx__TensorShapeProto__Dimension *p = ARENA_NEW(x->a, Onnx__TensorShapeProto__Dimension);
    TRY_ALLOC(p);
    onnx__tensor_shape_proto__dimension__init(p);
    *out = p;
    if (dim_is_known(d)) {
        p->has_dim_value = 1;
        p->dim_value = d.n;
        return STATUS_OK;
    }
    return dim_status(d) == STATUS_OK ? dim_param(x, d, &p->dim_param) : STATUS_OK;
}

static status export_shape(exporter *x, const tensor_type *t, Onnx__TensorShapeProto **out) {
    Onnx__TensorShapeProto *p = ARENA_NEW(x->a, Onnx__TensorShapeProto);
    TRY_ALLOC(p);
    onnx__tensor_shape_proto__init(p);
    p->n_dim = (size_t)t->rank;
    TRY_ALLOC(p->dim = ARENA_NEW_N(x->a, Onnx__TensorShapeProto__Dimension *, t->rank + 1));
    for (int i = 0; i < t->rank; i++)
        TRY(export_dim(x, t->dims[i], &p->dim[i]));
    *out = p;
    return STATUS_OK;
}

status export_value_info(exporter *x, const value *v, const char *name, Onnx__ValueInfoProto **out) {
    Onnx__ValueInfoProto *p = ARENA_NEW(x->a, Onnx__ValueInfoProto);
    Onnx__TypeProto *type = ARENA_NEW(x->a, Onnx__TypeProto);
    Onnx__TypeProto__Tensor *t = ARENA_NEW(x->a, Onnx__TypeProto__Tensor);
    TRY_ALLOC(p);
    TRY_ALLOC(type);
    TRY_ALLOC(t);
    onnx__value_info_proto__init(p);
    onnx__type_proto__init(type);
    onnx__type_proto__tensor__init(t);
    p->name = export_text(name);
    p->type = type;
    type->tensor_type = t;
    t->has_elem_type = v->type.elem != DT_NONE;
    t->elem_type = t->has_elem_type ? dtype_to_onnx(v->type.elem) : 0;
    *out = p;
    return v->type.rank >= 0 ? export_shape(x, &v->type, &t->shape) : STATUS_OK;
}
