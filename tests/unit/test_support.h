/* What unit tests share: cmocka, and an allocator that fails on demand and notices leaks. */
#ifndef TENON_TEST_SUPPORT_H
#define TENON_TEST_SUPPORT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/memory.h"

/* An allocator whose fail_at-th allocation (from 1; 0 never) fails, and with `for_good` each one after it.
 * New memory holds rubbish, so that nobody relies on zeros that malloc happens to give. */
typedef struct test_memory {
    size_t fail_at;
    bool for_good;
    size_t calls; /* allocations asked for, failed ones included */
    size_t live_bytes;
    size_t live_blocks;
} test_memory;

enum { TEST_MEMORY_HEADER = 64 };

static inline bool test_memory_fails(const test_memory *m) {
    return m->fail_at != 0 && (m->for_good ? m->calls >= m->fail_at : m->calls == m->fail_at);
}

/* Did the failure come? */
static inline bool test_memory_has_failed(const test_memory *m) {
    return m->fail_at != 0 && m->calls >= m->fail_at;
}

static inline void test_memory_free(test_memory *m, unsigned char *memory, size_t bytes) {
    size_t recorded;
    memcpy(&recorded, memory - TEST_MEMORY_HEADER, sizeof recorded);
    assert_int_equal(recorded, bytes);
    m->live_bytes -= bytes;
    m->live_blocks--;
    free(memory - TEST_MEMORY_HEADER);
}

static inline void *test_memory_resize(void *ctx, void *memory, size_t old_bytes, size_t new_bytes) {
    test_memory *m = ctx;
    unsigned char *fresh = NULL;
    if (new_bytes > 0) {
        m->calls++;
        fresh = test_memory_fails(m) ? NULL : malloc(TEST_MEMORY_HEADER + new_bytes);
        if (fresh == NULL)
            return NULL;
        memcpy(fresh, &new_bytes, sizeof new_bytes);
        fresh += TEST_MEMORY_HEADER;
        memset(fresh, 0xa5, new_bytes);
        m->live_bytes += new_bytes;
        m->live_blocks++;
    }
    if (memory != NULL) {
        if (fresh != NULL)
            memcpy(fresh, memory, old_bytes < new_bytes ? old_bytes : new_bytes);
        test_memory_free(m, memory, old_bytes);
    }
    return fresh;
}

static inline allocator test_memory_allocator(test_memory *m) {
    return (allocator){test_memory_resize, m};
}

/* Runs `work` with its n-th allocation failing, for every n, once with that one alone and once with all that follow.
 * It must return STATUS_RESOURCE, or STATUS_OK after checking that its result is whole, and leave nothing allocated.
 * Gives the number of allocations of a run without failure. */
static inline size_t test_each_allocation(status (*work)(const allocator *from, void *ctx), void *ctx) {
    for (size_t n = 1;; n++) {
        for (int for_good = 0; for_good < 2; for_good++) {
            test_memory m = {.fail_at = n, .for_good = for_good};
            allocator from = test_memory_allocator(&m);
            status result = work(&from, ctx);
            assert_int_equal(m.live_blocks, 0);
            assert_int_equal(m.live_bytes, 0);
            if (!test_memory_has_failed(&m)) {
                assert_int_equal(result, STATUS_OK);
                return m.calls;
            }
            assert_true(result == STATUS_RESOURCE || result == STATUS_OK);
        }
    }
}

#endif
