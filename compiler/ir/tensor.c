/* Tensor types and constant tensors. */
#include <string.h>

#include "ir/graph.h"

/* Are element type, rank and all dimensions the same? Unknown equals unknown. */
bool type_equal(const tensor_type *x, const tensor_type *y) {
    if (x->elem != y->elem || x->rank != y->rank)
        return false;
    for (int i = 0; i < x->rank; i++)
        if (!dim_equal(x->dims[i], y->dims[i]))
            return false;
    return true;
}

/* Are all dimensions known integers? Then they go to out_dims (may be NULL). */
bool type_shape(const tensor_type *t, int64_t *out_dims) {
    for (int i = 0; i < t->rank; i++)
        if (!dim_is_known(t->dims[i]))
            return false;
    for (int i = 0; i < t->rank && out_dims != NULL; i++)
        out_dims[i] = t->dims[i].n;
    return t->rank >= 0;
}

/* Product of known dimensions; -1 where one is not known, or where it overflows. */
int64_t type_count(const tensor_type *t) {
    if (!type_shape(t, NULL))
        return -1;
    int64_t count = 1;
    bool overflow = false, empty = false;
    for (int i = 0; i < t->rank; i++) {
        overflow |= __builtin_mul_overflow(count, t->dims[i].n, &count);
        empty |= t->dims[i].n == 0;
    }
    return empty ? 0 : overflow ? -1 : count;
}

/* Prints "f32[batch,128]"; "f32[*]" where the rank is not known. */
void type_print(const tensor_type *t, strbuf *out) {
    strbuf_add(out, dtype_name(t->elem));
    strbuf_char(out, '[');
    if (t->rank < 0)
        strbuf_char(out, '*');
    for (int i = 0; i < t->rank; i++) {
        strbuf_add(out, i > 0 ? "," : "");
        dim_print(t->dims[i], out);
    }
    strbuf_char(out, ']');
}

static bool count_elements(int rank, const int64_t *dims, int64_t *out) {
    *out = 1;
    bool overflow = false, empty = false;
    for (int i = 0; i < rank; i++) {
        if (dims[i] < 0)
            return false;
        overflow |= __builtin_mul_overflow(*out, dims[i], out);
        empty |= dims[i] == 0;
    }
    if (empty)
        *out = 0;
    return empty || (!overflow && *out <= INT64_MAX / 64);
}

/* A tensor in arena `a`; data NULL: zeroed and writable until shared, else borrowed. NULL when out of memory, and where
 * the dimensions are negative or their product overflows. */
tensor *tensor_new(arena *a, dtype elem, int rank, const int64_t *dims, const void *data) {
    int64_t count;
    if (!count_elements(rank, dims, &count))
        return NULL;
    tensor *t = ARENA_NEW(a, tensor);
    int64_t *own_dims = ARENA_NEW_N(a, int64_t, rank);
    size_t bytes = dtype_bytes(elem, (size_t)count);
    if (t == NULL || own_dims == NULL)
        return NULL;
    if (data == NULL)
        data = arena_alloc(a, bytes);
    if (data == NULL)
        return NULL;
    for (int i = 0; i < rank; i++)
        own_dims[i] = dims[i];
    *t = (tensor){.elem = elem, .rank = rank, .dims = own_dims, .data = data, .bytes = bytes, .count = count};
    return t;
}

static void tensor_let_go(void *object) {
    tensor *t = object;
    if (__atomic_sub_fetch(&t->refs, 1, __ATOMIC_ACQ_REL) == 0)
        t->release(t);
}

/* Holds t until the arena is freed. Graphs on several threads may share a tensor. */
status tensor_hold(arena *a, tensor *t) {
    if (t->release == NULL)
        return STATUS_OK;
    __atomic_add_fetch(&t->refs, 1, __ATOMIC_RELAXED);
    return arena_on_free(a, tensor_let_go, t);
}

/* Element i of an integer or bool tensor. */
int64_t tensor_int(const tensor *t, int64_t i) {
    return dtype_get_int(t->elem, t->data, (size_t)i);
}

/* Element i as a double. */
double tensor_double(const tensor *t, int64_t i) {
    return dtype_get_double(t->elem, t->data, (size_t)i);
}

/* Lower-case hex sha256 of the data (not of type and shape); returns out. */
const char *tensor_sha256(const tensor *t, char out[65]) {
    text_sha256(t->data, t->bytes, out);
    return out;
}
