/* Inside of the export of a model: what its files share. */
#ifndef TENON_FRONTEND_EXPORT_H
#define TENON_FRONTEND_EXPORT_H

#include "ir/op.h"
#include "onnx.pb-c.h"

typedef struct exporter {
    const graph *g;
    arena *a;  /* of the messages */
    map names; /* value -> its name in the file, where that is not its own */
    map nodes; /* names of nodes in the file -> themselves */
} exporter;

/* Text of the model as protobuf-c holds it, which never writes to it. */
static inline char *export_text(const char *text) {
    return (char *)(uintptr_t)text;
}

/* ---- onnx_export.c ---- */
/* The value's name in the file; "" for NULL. */
const char *export_name(const exporter *x, const value *v);

/* ---- export_node.c ---- */
status export_node(exporter *x, const node *n, Onnx__NodeProto **out);
/* The opset of ai.onnx that the node needs: the oldest from EXPORT_OPSET on that has its operator, attributes and
 * element types. */
int export_opset(const node *n);
/* From here on every operator has the form that the graph has; later opsets add types and attributes. */
#define EXPORT_OPSET 21

/* ---- export_value.c ---- */
status export_tensor(exporter *x, const tensor *t, const char *name, Onnx__TensorProto **out);
status export_value_info(exporter *x, const value *v, const char *name, Onnx__ValueInfoProto **out);

#endif
