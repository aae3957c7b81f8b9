/* TensorProto messages to tensors. */
#ifndef TENON_FRONTEND_TENSOR_IMPORT_H
#define TENON_FRONTEND_TENSOR_IMPORT_H

#include "frontend/mapped_file.h"
#include "ir/graph.h"
#include "onnx.pb-c.h"

/* Where tensors come from and go to. */
typedef struct tensor_source {
    arena *memory; /* of the tensors; keeps the bytes alive */
    diag *d;
    const uint8_t *bytes;     /* the file that wire_unpack has read */
    external_files *external; /* NULL: external data is refused */
} tensor_source;

/* The tensor of an unpacked message. Raw data is borrowed (unaligned as it may be), typed data decoded. `what`, e.g.
 * "initializer 'W'", begins the diagnostics: [bad-tensor], [external-data] STATUS_INVALID; [unsupported-type]
 * STATUS_UNSUPPORTED. */
status tensor_import(const tensor_source *source, const Onnx__TensorProto *proto, diag_place where, const char *what,
                     tensor **out);
/* The dtype of a TensorProto data type number; strings, complex numbers and unknown numbers are [unsupported-type]. */
status tensor_import_dtype(diag *d, int32_t number, diag_place where, const char *what, dtype *out);

#endif
