/* Files that hold one TensorProto: inputs and outputs of ONNX test data sets. */
#include "frontend/frontend.h"
#include "frontend/tensor_import.h"
#include "frontend/wire.h"

/* Fields that a tensor's file may have; those of sequences and optionals begin with a name where a tensor has its
 * dimensions. */
enum { FIELD_DIMS = 1, FIELD_ELEMENTS = 3, FIELD_FLOAT = 4, FIELD_NAME = 8 };

/* Sequences and optionals: elements in field 3, where a tensor has what nobody writes, or a text first and nothing that
 * only tensors have. */
static bool is_sequence(const mapped_file *file) {
    bool has_text = false, has_tensor_field = false;
    wire_record r;
    wire_fault none;
    for (size_t at = 0; at < file->n && wire_next(file->bytes, &at, file->n, &r, &none);) {
        if (r.field == FIELD_ELEMENTS)
            return true;
        has_text |= r.field == FIELD_DIMS && r.type == WIRE_BYTES;
        has_tensor_field |= r.field == FIELD_FLOAT || r.field >= FIELD_NAME;
    }
    return has_text && !has_tensor_field;
}

static status read_message(const mapped_file *file, arena *a, arena *scratch, diag *d, diag_place where, tensor **out,
                           const char **out_name) {
    if (is_sequence(file))
        return diag_error(d, STATUS_UNSUPPORTED, "unsupported-type", where,
                          "it holds a sequence or an optional; only tensors are supported");
    wire_fault fault;
    ProtobufCMessage *message;
    status s = wire_unpack(file->bytes, file->n, &onnx__tensor_proto__descriptor, scratch, &fault, &message);
    const char *explained = s == STATUS_INVALID ? wire_explain(&fault, scratch) : "";
    TRY_ALLOC(explained);
    if (s == STATUS_INVALID)
        return diag_error(d, s, "bad-tensor", where, "not a tensor: %s", explained);
    TRY(s);
    const Onnx__TensorProto *proto = (const Onnx__TensorProto *)message;
    tensor_source source = {a, d, file->bytes, NULL};
    TRY(tensor_import(&source, proto, where, "the tensor", out));
    *out_name = arena_strdup(a, proto->name == NULL ? "" : proto->name);
    TRY_ALLOC(*out_name);
    return STATUS_OK;
}

status tensor_proto_read(const char *path, arena *a, diag *d, tensor **out, const char **out_name) {
    diag_place where = DIAG_NOWHERE;
    where.file = path;
    mapped_file file;
    const char *why;
    *out = NULL;
    status s = mapped_file_open(a, path, &file, &why);
    if (s != STATUS_OK)
        return why == NULL ? s : diag_error(d, s, "file", where, "cannot be read: %s", why);
    arena *scratch = arena_new(arena_allocator(a));
    TRY_ALLOC(scratch);
    s = read_message(&file, a, scratch, d, where, out, out_name);
    arena_free(scratch);
    return s;
}
