/* The operators of a model that may be one that cannot be imported. */
#include "frontend/frontend.h"
#include "frontend/mapped_file.h"
#include "frontend/wire.h"

enum { MODEL_GRAPH = 7, GRAPH_NODE = 1, NODE_OP_TYPE = 4 }; /* fields of onnx.proto */

typedef struct reading {
    const uint8_t *bytes;
    arena *a;
    onnx_operator_list *out;
} reading;

typedef status (*on_field)(reading *r, const wire_record *field);

/* Calls `take` on each field of that number in the message at [at, at + n), up to what is no record. */
static status each_field(reading *r, size_t at, size_t n, uint32_t field, on_field take) {
    wire_record found;
    wire_fault fault;
    for (size_t end = at + n; at < end && wire_next(r->bytes, &at, end, &found, &fault);)
        if (found.field == field && found.type == WIRE_BYTES)
            TRY(take(r, &found));
    return STATUS_OK;
}

static status take_type(reading *r, const wire_record *field) {
    const char *name = arena_strndup(r->a, (const char *)r->bytes + field->at, field->n);
    TRY_ALLOC(name);
    return VEC_PUSH(r->a, *r->out, name);
}

static status take_node(reading *r, const wire_record *field) {
    return each_field(r, field->at, field->n, NODE_OP_TYPE, take_type);
}

static status take_graph(reading *r, const wire_record *field) {
    return each_field(r, field->at, field->n, GRAPH_NODE, take_node);
}

status onnx_operators(const char *path, arena *a, onnx_operator_list *out) {
    mapped_file file;
    const char *why = "";
    *out = (onnx_operator_list){0};
    if (mapped_file_open(a, path, &file, &why) != STATUS_OK)
        return why != NULL ? STATUS_OK : STATUS_RESOURCE;
    reading r = {file.bytes, a, out};
    return each_field(&r, 0, file.n, MODEL_GRAPH, take_graph);
}
