/* Protobuf's wire format: checking a message before protobuf-c sees it, and keeping weights out of protobuf-c's copies.
 *
 * wire_unpack checks a whole message (record bounds, wire types, depth, text without zero bytes), makes a stripped copy
 * of it that has no unknown fields and none of TensorProto's payload (raw_data, float_data, ...), and unpacks that. In
 * its place, raw_data of each unpacked TensorProto holds a wire_span: where the tensor's own message stands in the
 * original bytes. So the cost of unpacking does not depend on the size of the weights.
 */
#ifndef TENON_FRONTEND_WIRE_H
#define TENON_FRONTEND_WIRE_H

#include <protobuf-c/protobuf-c.h>

#include "base/memory.h"

#define WIRE_MAX_DEPTH 64 /* of messages in messages */

enum { WIRE_VARINT = 0, WIRE_FIXED64 = 1, WIRE_BYTES = 2, WIRE_FIXED32 = 5 };

typedef struct wire_span {
    uint64_t at, n;
} wire_span;

/* One field as it stands in the bytes. */
typedef struct wire_record {
    uint32_t field;
    int type;
    uint64_t number; /* of WIRE_VARINT */
    size_t start;    /* offset of the tag */
    size_t at, n;    /* offset and length of the contents, without tag and length prefix */
} wire_record;

/* Why bytes are not a message. */
typedef struct wire_fault {
    const char *problem; /* NULL: no fault */
    size_t at;           /* offset of the record */
    const char *message; /* the message's type, NULL where not known */
    uint32_t field;      /* 0 where not known */
    uint64_t need;       /* bytes that the record asks for, 0 where that is not the problem */
    uint64_t left;
} wire_fault;

/* Reads the record at *at, moves *at past it. False (fault filled) where there is none within [*at, end). */
bool wire_next(const uint8_t *bytes, size_t *at, size_t end, wire_record *out, wire_fault *fault);
/* Reads a varint at *at. False where it does not end before `end` or has more than 64 bits. */
bool wire_varint(const uint8_t *bytes, size_t *at, size_t end, uint64_t *out);
/* Unpacks into `a`; nothing has to be freed. STATUS_INVALID with the fault filled, or STATUS_RESOURCE. */
status wire_unpack(const uint8_t *bytes, size_t n, const ProtobufCMessageDescriptor *type, arena *a, wire_fault *fault,
                   ProtobufCMessage **out);
/* The fault in words, e.g. "truncated: field 7 of ModelProto, at byte 12, needs 5000 bytes, and 3000 are left". NULL
 * when out of memory. */
const char *wire_explain(const wire_fault *fault, arena *a);

#endif
