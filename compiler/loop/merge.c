/* A kernel with two of its buffer parameters made one. */
#include "loop/copy.h"

status kernel_merge_buffers(const kernel *k, int from, int to, const char *name, const target *t, arena *a,
                            kernel **out) {
    VEC(kernel_buffer) buffers = {0};
    kernel_copy c = {.k = k, .b = builder_new(a, t)};
    int *numbers = ARENA_NEW_N(a, int, k->buffers.n);
    TRY_ALLOC(c.b);
    TRY_ALLOC(numbers);
    for (int i = 0; i < (int)k->buffers.n; i++) {
        kernel_buffer b = k->buffers.at[i];
        if (i == to)
            b.access |= k->buffers.at[from].access;
        numbers[i] = (int)buffers.n;
        if (i != from)
            TRY(VEC_PUSH(a, buffers, b));
    }
    numbers[from] = numbers[to];
    c.buffers = numbers;
    TRY(kernel_copy_body(&c));
    *out = builder_kernel(c.b, name, buffers.at, (int)buffers.n);
    TRY_ALLOC(*out);
    return STATUS_OK;
}
