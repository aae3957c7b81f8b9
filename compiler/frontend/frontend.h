/* ONNX files to graphs. All of a file is untrusted. */
#ifndef TENON_FRONTEND_FRONTEND_H
#define TENON_FRONTEND_FRONTEND_H

#include "ir/op.h"

/* The opsets of ai.onnx whose models are read. */
#define ONNX_OPSET_OLDEST 1
#define ONNX_OPSET_NEWEST 28

/* ---- onnx_import.c ---- */
/* Reads a model: local functions inlined, every node in its operator's newest form, types inferred. A graph input that
 * has an initializer is a constant. Weights that the file or its external files hold as raw bytes are borrowed from the
 * mapped file, which the graph owns; they may be unaligned. All independent errors are reported in one run:
 * STATUS_INVALID wins over STATUS_UNSUPPORTED. On failure *out is NULL. */
status onnx_import(const char *path, const allocator *from, diag *d, const op_table *ops, graph **out);
/* The same for a model in memory, which must outlive the graph. `name` stands in diagnostics; external data is looked
 * for in `folder` (NULL: refused). */
status onnx_import_bytes(const void *bytes, size_t n, const char *name, const char *folder, const allocator *from,
                         diag *d, const op_table *ops, graph **out);

/* ---- operators.c ---- */
typedef VEC(const char *) onnx_operator_list;
/* The operators of the main graph's nodes, in file order, whether tenon knows them or not; none, or only the first, of
 * a file that is no model. STATUS_RESOURCE: out of memory. */
status onnx_operators(const char *path, arena *a, onnx_operator_list *out);

/* ---- onnx_export.c ---- */
/* The graph as the bytes of an ONNX model, in `a`: what onnx_import reads as the same graph. The opset is the oldest
 * from 21 on that has all that the nodes need. A value that is an output under another name gets that name, or an
 * Identity behind it. [too-large], [unsupported-attribute] STATUS_UNSUPPORTED. */
status onnx_export(const graph *g, arena *a, const void **out, size_t *out_n);

/* ---- tensor_file.c ---- */
/* Reads a TensorProto file (input_0.pb of a test data set) into `a`, which keeps the file mapped where data is
 * borrowed. *out_name may be "". Sequences and optionals are STATUS_UNSUPPORTED. */
status tensor_proto_read(const char *path, arena *a, diag *d, tensor **out, const char **out_name);

#endif
