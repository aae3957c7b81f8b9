/* rooms: base */
/* The arena: contents, alignment, marks, clean-ups, and every allocation failing. */
#include "test_support.h"

static void memory_blocks_are_zeroed_aligned_and_apart(void **state) {
    (void)state;
    test_memory m = {0};
    allocator from = test_memory_allocator(&m);
    arena *a = arena_new(&from);
    unsigned char *blocks[2000];
    for (size_t i = 0; i < 2000; i++) {
        size_t bytes = i % 700;
        blocks[i] = arena_alloc(a, bytes);
        assert_non_null(blocks[i]);
        assert_int_equal((uintptr_t)blocks[i] % (bytes >= 256 ? 64 : 16), 0);
        for (size_t k = 0; k < bytes; k++)
            assert_int_equal(blocks[i][k], 0);
        memset(blocks[i], (int)(i % 251), bytes);
    }
    for (size_t i = 0; i < 2000; i++)
        for (size_t k = 0; k < i % 700; k++)
            assert_int_equal(blocks[i][k], i % 251);
    arena_free(a);
    assert_int_equal(m.live_blocks, 0);
}

static void memory_many_small_blocks_need_few_allocations(void **state) {
    (void)state;
    test_memory m = {0};
    allocator from = test_memory_allocator(&m);
    arena *a = arena_new(&from);
    for (int i = 0; i < 1000000; i++)
        assert_non_null(arena_alloc(a, 16));
    assert_in_range(arena_bytes(a), 16000000, 16100000);
    assert_in_range(m.calls, 1, 30);
    arena_free(a);
}

static void memory_large_block_leaves_room_for_small_ones(void **state) {
    (void)state;
    test_memory m = {0};
    allocator from = test_memory_allocator(&m);
    arena *a = arena_new(&from);
    char *first = arena_alloc(a, 16);
    size_t before = m.live_bytes;
    unsigned char *large = arena_alloc(a, 10000000);
    assert_int_equal((uintptr_t)large % 64, 0);
    assert_int_equal(large[9999999], 0);
    assert_in_range(m.live_bytes - before, 10000000, 10000200);
    char *second = arena_alloc(a, 16);
    assert_ptr_equal(second, first + 16);
    arena_free(a);
    assert_int_equal(m.live_bytes, 0);
}

static void memory_impossible_sizes_fail(void **state) {
    (void)state;
    arena *a = arena_new(&allocator_system);
    assert_null(arena_alloc_n(a, SIZE_MAX / 2, 3));
    assert_null(arena_alloc(a, SIZE_MAX));
    assert_null(arena_alloc(a, SIZE_MAX - 64));
    int *at = NULL;
    size_t cap = 0;
    assert_int_equal(vec_reserve(a, &at, &cap, sizeof *at, SIZE_MAX / 2), STATUS_RESOURCE);
    assert_int_equal(cap, 0);
    assert_non_null(arena_alloc(a, 0));
    assert_ptr_equal(arena_allocator(a), &allocator_system);
    arena_free(a);
    arena_free(NULL);
}

static void memory_copies(void **state) {
    (void)state;
    arena *a = arena_new(&allocator_system);
    assert_string_equal(arena_strdup(a, "tenon"), "tenon");
    assert_string_equal(arena_strndup(a, "tenon", 3), "ten");
    assert_string_equal(arena_strndup(a, "tenon", 99), "tenon");
    assert_string_equal(arena_printf(a, "%d-%s", 42, "x"), "42-x");
    assert_string_equal(arena_printf(a, "%s", ""), "");
    assert_int_equal(strlen(arena_printf(a, "%5000d", 1)), 5000);
    int numbers[] = {1, 2, 3};
    assert_memory_equal(arena_copy(a, numbers, sizeof numbers), numbers, sizeof numbers);
    assert_non_null(arena_copy(a, NULL, 0));
    arena_free(a);
}

/* Appends its number to the log that it points into. */
typedef struct logged {
    int *log;
    int *n;
    int number;
} logged;

static void log_number(void *object) {
    logged *l = object;
    l->log[(*l->n)++] = l->number;
}

static void memory_cleanups_run_newest_first(void **state) {
    (void)state;
    int log[4] = {0}, n = 0;
    logged objects[3] = {{log, &n, 1}, {log, &n, 2}, {log, &n, 3}};
    arena *a = arena_new(&allocator_system);
    assert_int_equal(arena_on_free(a, log_number, &objects[0]), STATUS_OK);
    arena_mark mark = arena_get_mark(a);
    assert_int_equal(arena_on_free(a, log_number, &objects[1]), STATUS_OK);
    assert_int_equal(arena_on_free(a, log_number, &objects[2]), STATUS_OK);
    arena_reset(a, mark);
    assert_int_equal(n, 2);
    arena_free(a);
    assert_int_equal(n, 3);
    assert_memory_equal(log, ((int[]){3, 2, 1, 0}), sizeof log);
}

static void memory_cleanup_runs_at_once_when_it_cannot_be_kept(void **state) {
    (void)state;
    int log[1] = {0}, n = 0;
    logged object = {log, &n, 7};
    test_memory m = {.fail_at = 2};
    allocator from = test_memory_allocator(&m);
    arena *a = arena_new(&from);
    assert_int_equal(arena_on_free(a, log_number, &object), STATUS_RESOURCE);
    assert_int_equal(n, 1);
    arena_free(a);
    assert_int_equal(n, 1);
}

static void memory_reset_gives_everything_after_the_mark_back(void **state) {
    (void)state;
    test_memory m = {0};
    allocator from = test_memory_allocator(&m);
    arena *a = arena_new(&from);
    arena_mark empty = arena_get_mark(a);
    size_t empty_bytes = m.live_bytes;
    for (size_t kept_bytes = 16; kept_bytes < 100000; kept_bytes *= 3) {
        unsigned char *kept = arena_alloc(a, kept_bytes);
        memset(kept, 0x11, kept_bytes);
        arena_mark mark = arena_get_mark(a);
        size_t used = arena_bytes(a), live = m.live_bytes;
        for (size_t i = 0; i < 300; i++)
            memset(arena_alloc(a, i * i), 0xff, i * i);
        arena_reset(a, mark);
        assert_int_equal(arena_bytes(a), used);
        assert_int_equal(m.live_bytes, live);
        unsigned char *again = arena_alloc(a, 500);
        for (size_t k = 0; k < 500; k++)
            assert_int_equal(again[k], 0);
        for (size_t k = 0; k < kept_bytes; k++)
            assert_int_equal(kept[k], 0x11);
    }
    arena_reset(a, empty);
    assert_int_equal(m.live_bytes, empty_bytes);
    assert_int_equal(arena_bytes(a), 0);
    arena_free(a);
}

static void memory_mark_below_a_large_block(void **state) {
    (void)state;
    arena *a = arena_new(&allocator_system);
    assert_non_null(arena_alloc(a, 1000000));
    assert_non_null(arena_alloc(a, 16));
    arena_mark mark = arena_get_mark(a);
    size_t used = arena_bytes(a);
    assert_non_null(arena_alloc(a, 16));
    assert_non_null(arena_alloc(a, 2000000));
    assert_non_null(arena_alloc(a, 16));
    arena_reset(a, mark);
    assert_int_equal(arena_bytes(a), used);
    arena_free(a);
}

static void memory_vectors_grow_and_keep_their_elements(void **state) {
    (void)state;
    arena *a = arena_new(&allocator_system);
    VEC(size_t) v = {0};
    for (size_t i = 0; i < 10000; i++)
        assert_int_equal(VEC_PUSH(a, v, i * i), STATUS_OK);
    assert_int_equal(v.n, 10000);
    for (size_t i = 0; i < v.n; i++)
        assert_int_equal(v.at[i], i * i);
    assert_int_equal(VEC_RESERVE(a, v, 50000), STATUS_OK);
    assert_true(v.cap >= 50000);
    assert_int_equal(v.at[9999], 9999 * 9999);
    arena_free(a);
}

static void count_up(void *object) {
    ++*(int *)object;
}

static status work_with_arena(const allocator *from, void *ctx) {
    int *cleaned = ctx;
    arena *a = arena_new(from);
    TRY_ALLOC(a);
    VEC(int) v = {0};
    *cleaned = 0;
    status s = arena_on_free(a, count_up, cleaned);
    for (int i = 0; i < 3000 && s == STATUS_OK; i++)
        s = VEC_PUSH(a, v, i);
    if (s == STATUS_OK &&
        (arena_alloc(a, 100000) == NULL || arena_strdup(a, "x") == NULL || arena_printf(a, "%d", 1) == NULL))
        s = STATUS_RESOURCE;
    for (size_t i = 0; i < v.n; i++)
        assert_int_equal(v.at[i], i);
    arena_free(a);
    assert_int_equal(*cleaned, 1);
    return s;
}

static void memory_every_allocation_may_fail(void **state) {
    (void)state;
    int cleaned;
    assert_in_range(test_each_allocation(work_with_arena, &cleaned), 5, 20);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(memory_blocks_are_zeroed_aligned_and_apart),
        cmocka_unit_test(memory_many_small_blocks_need_few_allocations),
        cmocka_unit_test(memory_large_block_leaves_room_for_small_ones),
        cmocka_unit_test(memory_impossible_sizes_fail),
        cmocka_unit_test(memory_copies),
        cmocka_unit_test(memory_cleanups_run_newest_first),
        cmocka_unit_test(memory_cleanup_runs_at_once_when_it_cannot_be_kept),
        cmocka_unit_test(memory_reset_gives_everything_after_the_mark_back),
        cmocka_unit_test(memory_mark_below_a_large_block),
        cmocka_unit_test(memory_vectors_grow_and_keep_their_elements),
        cmocka_unit_test(memory_every_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
