/* Elements narrower than a byte: packed in the model's inputs and outputs, one to a byte everywhere else. Private to
 * lower/. */
#ifndef TENON_LOWER_PACKED_H
#define TENON_LOWER_PACKED_H

#include "ir/graph.h"
#include "schedule/schedule.h"

/* The constant's elements as kernels read them: its own data, or an unpacked copy in `a`. */
status packed_constant(const tensor *t, arena *a, const void **out);

/* A nest that moves n elements of a narrow type between packed bytes and elements; operand 0 is read, 1 written. */
typedef struct packed_move {
    struct nest *nest;
    schedule_operand operands[2];
    int64_t n[2];
} packed_move;
status packed_copy(dtype t, int64_t n, bool to_packed, builder *b, packed_move *out);

#endif
