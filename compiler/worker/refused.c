/* malloc and its kin for the whole process, plugins too: where the limit refuses memory, the answer's head says so, so
 * that a crash after it is known for what it is. */
#include <errno.h>
#include <malloc.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/worker.h"

#define EXPORT __attribute__((visibility("default")))

/* glibc's own, which those below stand in front of. */
void *__libc_malloc(size_t bytes);
void *__libc_calloc(size_t n, size_t each);
void *__libc_realloc(void *block, size_t bytes);
void *__libc_memalign(size_t align, size_t bytes);

static void *look(void *block, size_t bytes) {
    if (block == NULL && bytes > 0) {
        uint64_t refused = bytes;
        ssize_t ignored = pwrite(WORKER_ANSWER_FD, &refused, sizeof refused, offsetof(parcel_head, refused));
        (void)ignored;
        errno = ENOMEM;
    }
    return block;
}

EXPORT void *malloc(size_t bytes) {
    return look(__libc_malloc(bytes), bytes);
}

EXPORT void *calloc(size_t n, size_t each) {
    size_t bytes;
    return look(__libc_calloc(n, each), __builtin_mul_overflow(n, each, &bytes) ? SIZE_MAX : bytes);
}

EXPORT void *realloc(void *block, size_t bytes) {
    return look(__libc_realloc(block, bytes), bytes);
}

EXPORT void *memalign(size_t align, size_t bytes) {
    return look(__libc_memalign(align, bytes), bytes);
}

EXPORT void *aligned_alloc(size_t align, size_t bytes) {
    return look(__libc_memalign(align, bytes), bytes);
}

EXPORT int posix_memalign(void **out, size_t align, size_t bytes) {
    if (align < sizeof(void *) || (align & (align - 1)) != 0)
        return EINVAL;
    void *block = look(__libc_memalign(align, bytes), bytes);
    if (block == NULL && bytes > 0)
        return ENOMEM;
    *out = block;
    return 0;
}
