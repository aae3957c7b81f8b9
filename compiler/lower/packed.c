/* Elements narrower than a byte: packed in the model's inputs and outputs, one to a byte everywhere else. */
#include "lower/packed.h"

status packed_constant(const tensor *t, arena *a, const void **out) {
    *out = t->data;
    if (dtype_bits(t->elem) >= 8)
        return STATUS_OK;
    int bits = dtype_bits(t->elem), each = 8 / bits;
    unsigned mask = (1u << bits) - 1, sign = dtype_is_signed(t->elem) ? 1u << (bits - 1) : 0;
    const uint8_t *from = t->data;
    uint8_t *to = arena_alloc(a, (size_t)t->count + 1);
    TRY_ALLOC(to);
    for (int64_t i = 0; i < t->count; i++) {
        unsigned code = (unsigned)from[i / each] >> (i % each * bits) & mask;
        to[i] = (uint8_t)((code ^ sign) - sign);
    }
    *out = to;
    return STATUS_OK;
}

/* Element i of n from the bytes of operand 0, to operand 1. */
static void unpack(nest_list *l, dtype t, int64_t n) {
    builder *b = l->b;
    int bits = dtype_bits(t);
    nest *m = nest_add(l, "unpack");
    const expr *i = nest_outer(m, "i", n), *each = build_index(b, 8 / bits), *at = build_div(b, i, each);
    const expr *shift = build_mul(b, build_rem(b, i, each), build_index(b, bits));
    const expr *x = build_binary(b, EXPR_SHR, nest_read(l, 0, &at), build_cast(b, DT_U8, shift));
    x = build_and(b, x, build_int(b, DT_U8, (1 << bits) - 1));
    if (dtype_is_signed(t)) {
        const expr *sign = build_int(b, DT_U8, 1 << (bits - 1));
        x = build_cast(b, DT_I8, build_sub(b, build_binary(b, EXPR_XOR, x, sign), sign));
    }
    nest_store(m, 1, &i, 1, x);
}

/* The bytes of operand 1 from the n elements of operand 0; what is left of the last byte is 0. */
static void pack(nest_list *l, dtype t, int64_t n) {
    builder *b = l->b;
    int bits = dtype_bits(t), each = 8 / bits;
    nest *m = nest_add(l, "pack");
    const expr *i = nest_outer(m, "i", (int64_t)dtype_bytes(t, (size_t)n)), *byte = build_int(b, DT_U8, 0);
    for (int k = 0; k < each; k++) {
        const expr *at = build_add(b, build_mul(b, i, build_index(b, each)), build_index(b, k));
        const expr *inside = n % each == 0 ? NULL : build_lt(b, at, build_index(b, n));
        const expr *x = build_cast(b, DT_U8, nest_read_masked(l, 0, &at, inside));
        x = build_and(b, x, build_int(b, DT_U8, (1 << bits) - 1));
        byte = build_binary(b, EXPR_OR, byte, build_binary(b, EXPR_SHL, x, build_int(b, DT_U8, k * bits)));
    }
    nest_store(m, 1, &i, 1, byte);
}

status packed_copy(dtype t, int64_t n, bool to_packed, builder *b, packed_move *out) {
    nest_list l = {.b = b, .n_inputs = 1, .n_outputs = 1};
    out->n[to_packed] = (int64_t)dtype_bytes(t, (size_t)n);
    out->n[!to_packed] = n;
    for (int k = 0; k < 2; k++) {
        dtype elem = k == to_packed ? DT_U8 : dtype_storage(t);
        out->operands[k] = (schedule_operand){elem, 1, &out->n[k], NULL, NULL};
        TRY(VEC_PUSH(builder_arena(b), l.operands, ((nest_operand){true, elem, 1, &out->n[k]})));
    }
    (to_packed ? pack : unpack)(&l, t, n);
    TRY(builder_status(b));
    out->nest = l.nests.at[0];
    return STATUS_OK;
}
