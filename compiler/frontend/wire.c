/* Protobuf's wire format: checking and stripping a message, unpacking what is left. */
#include "frontend/wire.h"

#include <string.h>

#include "onnx.pb-c.h"

/* TensorProto's fields that hold elements, by number. */
static const bool PAYLOAD[] = {[4] = true, [5] = true, [6] = true, [7] = true, [9] = true, [10] = true, [11] = true};
enum { SPAN_FIELD = 9, TAG_LIMIT = 10, LENGTH_BYTES = 5 };

/* The stripped copy; with `bytes` NULL it is only measured. */
typedef struct sink {
    uint8_t *bytes;
    size_t n;
} sink;

typedef struct walk {
    const uint8_t *bytes;
    sink out;
    wire_fault *fault;
} walk;

bool wire_varint(const uint8_t *bytes, size_t *at, size_t end, uint64_t *out) {
    uint64_t x = 0;
    for (int shift = 0; shift < 64 && *at < end; shift += 7) {
        uint8_t byte = bytes[(*at)++];
        if (shift == 63 && byte > 1)
            return false;
        x |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80) {
            *out = x;
            return true;
        }
    }
    return false;
}

static bool fail(wire_fault *fault, const char *problem, const wire_record *r) {
    fault->problem = problem;
    fault->at = r->start;
    fault->field = r->field;
    return false;
}

static bool take(wire_fault *fault, wire_record *r, size_t *at, size_t end, uint64_t n) {
    if (n > end - *at) {
        fault->need = n;
        fault->left = end - *at;
        return fail(fault, "truncated", r);
    }
    r->at = *at;
    r->n = (size_t)n;
    *at += r->n;
    return true;
}

bool wire_next(const uint8_t *bytes, size_t *at, size_t end, wire_record *out, wire_fault *fault) {
    uint64_t tag, n;
    *out = (wire_record){.start = *at};
    if (!wire_varint(bytes, at, end, &tag))
        return fail(fault, "truncated, or not a protobuf", out);
    if (tag >> 3 == 0 || tag >> 3 > 536870911)
        return fail(fault, "not a protobuf", out);
    out->field = (uint32_t)(tag >> 3);
    out->type = (int)(tag & 7);
    switch (out->type) {
    case WIRE_VARINT:
        out->at = *at;
        if (!wire_varint(bytes, at, end, &out->number))
            return fail(fault, "a number that does not end", out);
        out->n = *at - out->at;
        return true;
    case WIRE_FIXED64:
        return take(fault, out, at, end, 8);
    case WIRE_FIXED32:
        return take(fault, out, at, end, 4);
    case WIRE_BYTES:
        if (!wire_varint(bytes, at, end, &n))
            return fail(fault, "a length that does not end", out);
        return take(fault, out, at, end, n);
    default:
        return fail(fault, "a wire type that is not in use", out);
    }
}

static int scalar_wire_type(ProtobufCType type) {
    switch (type) {
    case PROTOBUF_C_TYPE_FLOAT:
        return WIRE_FIXED32;
    case PROTOBUF_C_TYPE_DOUBLE:
        return WIRE_FIXED64;
    case PROTOBUF_C_TYPE_STRING:
    case PROTOBUF_C_TYPE_BYTES:
    case PROTOBUF_C_TYPE_MESSAGE:
        return WIRE_BYTES;
    default:
        return WIRE_VARINT;
    }
}

/* A packed list of scalars is checked to its last element, because protobuf-c does not say where it fails. */
static bool packed_is_whole(const uint8_t *bytes, const wire_record *r, int scalar) {
    if (scalar == WIRE_FIXED32 || scalar == WIRE_FIXED64)
        return r->n % (scalar == WIRE_FIXED32 ? 4 : 8) == 0;
    uint64_t ignored;
    for (size_t at = r->at, end = r->at + r->n; at < end;)
        if (!wire_varint(bytes, &at, end, &ignored))
            return false;
    return true;
}

static bool field_fits(walk *w, const wire_record *r, const ProtobufCFieldDescriptor *f) {
    int scalar = scalar_wire_type(f->type);
    if (r->type == scalar)
        return f->type != PROTOBUF_C_TYPE_STRING || memchr(w->bytes + r->at, 0, r->n) == NULL ||
               fail(w->fault, "text with a zero byte", r);
    if (r->type != WIRE_BYTES || f->label != PROTOBUF_C_LABEL_REPEATED)
        return fail(w->fault, "a wire type that does not fit the field", r);
    return packed_is_whole(w->bytes, r, scalar) || fail(w->fault, "a list that ends within an element", r);
}

static void put(sink *s, const void *bytes, size_t n) {
    if (s->bytes != NULL && n > 0)
        memcpy(s->bytes + s->n, bytes, n);
    s->n += n;
}

/* The length in a fixed number of bytes, so that it can be filled in when the contents have been written. */
static void put_length(sink *s, size_t where, size_t length) {
    for (int i = 0; i < LENGTH_BYTES && s->bytes != NULL; i++, length >>= 7)
        s->bytes[where + (size_t)i] = (uint8_t)((length & 0x7f) | (i + 1 < LENGTH_BYTES ? 0x80 : 0));
}

static void put_tag(sink *s, uint32_t field, int type) {
    uint8_t tag[TAG_LIMIT];
    size_t n = 0;
    for (uint64_t x = (uint64_t)field << 3 | (unsigned)type; n == 0 || x > 0; x >>= 7)
        tag[n++] = (uint8_t)((x & 0x7f) | (x > 0x7f ? 0x80 : 0));
    put(s, tag, n);
}

static void put_span(sink *s, size_t at, size_t n) {
    wire_span span = {at, n};
    uint8_t length = sizeof span;
    put_tag(s, SPAN_FIELD, WIRE_BYTES);
    put(s, &length, 1);
    put(s, &span, sizeof span);
}

static bool strip(walk *w, const ProtobufCMessageDescriptor *type, size_t at, size_t end, int depth);

static bool strip_message(walk *w, const wire_record *r, const ProtobufCFieldDescriptor *f, int depth) {
    put_tag(&w->out, r->field, WIRE_BYTES);
    size_t length_at = w->out.n;
    w->out.n += LENGTH_BYTES;
    if (depth == WIRE_MAX_DEPTH)
        return fail(w->fault, "messages nested too deeply", r);
    if (!strip(w, f->descriptor, r->at, r->at + r->n, depth + 1))
        return false;
    size_t length = w->out.n - length_at - LENGTH_BYTES;
    if (length > INT32_MAX)
        return fail(w->fault, "a message of more than 2 GB besides its weights", r);
    put_length(&w->out, length_at, length);
    return true;
}

static bool strip(walk *w, const ProtobufCMessageDescriptor *type, size_t at, size_t end, int depth) {
    bool is_tensor = type == &onnx__tensor_proto__descriptor;
    size_t from = at;
    while (at < end) {
        wire_record r;
        w->fault->message = type->short_name;
        if (!wire_next(w->bytes, &at, end, &r, w->fault))
            return false;
        const ProtobufCFieldDescriptor *f = protobuf_c_message_descriptor_get_field(type, r.field);
        if (f == NULL)
            continue;
        if (!field_fits(w, &r, f))
            return false;
        if (is_tensor && r.field < sizeof PAYLOAD && PAYLOAD[r.field])
            continue;
        if (f->type != PROTOBUF_C_TYPE_MESSAGE)
            put(&w->out, w->bytes + r.start, at - r.start);
        else if (!strip_message(w, &r, f, depth))
            return false;
    }
    if (is_tensor)
        put_span(&w->out, from, end - from);
    return true;
}

static void *pb_alloc(void *data, size_t n) {
    return arena_alloc(data, n);
}

static void pb_free(void *data, void *block) {
    (void)data;
    (void)block;
}

status wire_unpack(const uint8_t *bytes, size_t n, const ProtobufCMessageDescriptor *type, arena *a, wire_fault *fault,
                   ProtobufCMessage **out) {
    *fault = (wire_fault){0};
    walk w = {.bytes = bytes, .fault = fault};
    if (!strip(&w, type, 0, n, 0))
        return STATUS_INVALID;
    w.out = (sink){.bytes = arena_alloc(a, w.out.n)};
    TRY_ALLOC(w.out.bytes);
    strip(&w, type, 0, n, 0);
    ProtobufCAllocator memory = {pb_alloc, pb_free, a};
    /* The bytes have been checked, so that memory is all that can be missing. */
    *out = protobuf_c_message_unpack(type, &memory, w.out.n, w.out.bytes);
    return *out == NULL ? STATUS_RESOURCE : STATUS_OK;
}

const char *wire_explain(const wire_fault *f, arena *a) {
    const char *message = f->message == NULL ? "the message" : f->message;
    if (f->need > 0)
        return arena_printf(a, "%s: field %u of %s, at byte %zu, needs %llu bytes, and %llu are left", f->problem,
                            f->field, message, f->at, (unsigned long long)f->need, (unsigned long long)f->left);
    if (f->field == 0)
        return arena_printf(a, "%s: at byte %zu, in %s", f->problem, f->at, message);
    return arena_printf(a, "%s: at byte %zu, in field %u of %s", f->problem, f->at, f->field, message);
}
