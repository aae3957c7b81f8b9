/* rooms: base */
/* Maps against a plain array, order, removal, and the hash's fixed values. */
#include <stdio.h>

#include "base/map.h"
#include "test_support.h"

static void map_finds_what_was_set(void **state) {
    (void)state;
    arena *a = arena_new(&allocator_system);
    map m = map_in(a);
    int values[3];
    assert_null(map_get(&m, "x"));
    assert_int_equal(map_set(&m, "x", &values[0]), STATUS_OK);
    assert_int_equal(map_set(&m, "", &values[1]), STATUS_OK);
    assert_ptr_equal(map_get(&m, "x"), &values[0]);
    assert_ptr_equal(map_get(&m, ""), &values[1]);
    assert_null(map_get(&m, "y"));
    assert_int_equal(map_set(&m, "x", &values[2]), STATUS_OK);
    assert_ptr_equal(map_get(&m, "x"), &values[2]);
    assert_int_equal(m.n, 2);
    arena_free(a);
}

static void map_keeps_order_through_growth(void **state) {
    (void)state;
    arena *a = arena_new(&allocator_system);
    map m = map_in(a);
    for (size_t i = 0; i < 5000; i++)
        assert_int_equal(map_set(&m, arena_printf(a, "name %zu", i), arena_printf(a, "%zu", i)), STATUS_OK);
    assert_int_equal(m.n, 5000);
    for (size_t i = 0; i < m.n; i++) {
        char number[32];
        snprintf(number, sizeof number, "%zu", i);
        assert_string_equal(m.entries[i].value, number);
        assert_ptr_equal(map_get(&m, m.entries[i].name), m.entries[i].value);
    }
    arena_free(a);
}

/* Sets and removes at random; the model is an array of what each name should hold. */
static void map_agrees_with_an_array(void **state) {
    (void)state;
    enum { NAMES = 200 };
    arena *a = arena_new(&allocator_system);
    map m = map_in(a);
    char names[NAMES][16];
    void *expected[NAMES] = {0};
    for (int i = 0; i < NAMES; i++)
        snprintf(names[i], sizeof names[i], "n%d", i);
    uint64_t random = 1;
    for (int step = 0; step < 20000; step++) {
        random = random * 6364136223846793005u + 1442695040888963407u;
        size_t i = random >> 33 & 0x7fff;
        i %= NAMES;
        if (random >> 60 < 7) {
            map_remove(&m, names[i]);
            expected[i] = NULL;
        } else {
            expected[i] = &names[random >> 50 & 63];
            assert_int_equal(map_set(&m, names[i], expected[i]), STATUS_OK);
        }
        size_t probe = (size_t)(random >> 20) % NAMES;
        assert_ptr_equal(map_get(&m, names[probe]), expected[probe]);
    }
    for (size_t i = 0; i < NAMES; i++)
        assert_ptr_equal(map_get(&m, names[i]), expected[i]);
    assert_true(m.cap <= 4 * NAMES);
    arena_free(a);
}

static void map_removed_entry_comes_back_last(void **state) {
    (void)state;
    arena *a = arena_new(&allocator_system);
    map m = map_in(a);
    int x, y;
    assert_int_equal(map_set(&m, "x", &x), STATUS_OK);
    assert_int_equal(map_set(&m, "y", &y), STATUS_OK);
    map_remove(&m, "x");
    map_remove(&m, "never there");
    assert_null(map_get(&m, "x"));
    assert_null(m.entries[0].value);
    assert_int_equal(map_set(&m, "x", &x), STATUS_OK);
    assert_int_equal(m.n, 3);
    assert_string_equal(m.entries[2].name, "x");
    assert_ptr_equal(map_get(&m, "x"), &x);
    arena_free(a);
}

static void map_takes_integer_keys(void **state) {
    (void)state;
    arena *a = arena_new(&allocator_system);
    map m = map_in(a);
    char values[4096];
    for (uint64_t i = 0; i < 4096; i++)
        assert_int_equal(map_set_key(&m, i << 40, &values[i]), STATUS_OK);
    for (uint64_t i = 0; i < 4096; i++)
        assert_ptr_equal(map_get_key(&m, i << 40), &values[i]);
    assert_null(map_get_key(&m, 5));
    assert_int_equal(map_set_key(&m, MAP_KEY(values), values), STATUS_OK);
    assert_ptr_equal(map_get_key(&m, MAP_KEY(values)), values);
    arena_free(a);
}

static void map_hash_is_fixed(void **state) {
    (void)state;
    unsigned char bytes[100];
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (unsigned char)(i * 7);
    assert_int_equal(hash_bytes(bytes, 0, 0), 0x480be5734cc954ddu);
    assert_int_equal(hash_bytes(bytes, 3, 0), 0xac51885b91946ff9u);
    assert_int_equal(hash_bytes(bytes, 100, 0), 0xd66aff5334e4b9c0u);
    assert_int_equal(hash_bytes(bytes, 100, 1), 0xe21b51f5df138e5bu);
    assert_int_not_equal(hash_bytes("\0", 1, 0), hash_bytes("\0\0", 2, 0));
}

/* Each of the 800 input bits should flip about half of the 64 output bits. */
static void map_hash_depends_on_every_bit(void **state) {
    (void)state;
    unsigned char bytes[100] = {0};
    uint64_t plain = hash_bytes(bytes, sizeof bytes, 0);
    for (size_t bit = 0; bit < 8 * sizeof bytes; bit++) {
        bytes[bit / 8] = (unsigned char)(1u << bit % 8);
        int flipped = __builtin_popcountll(plain ^ hash_bytes(bytes, sizeof bytes, 0));
        assert_in_range(flipped, 12, 52);
        bytes[bit / 8] = 0;
    }
}

static status work_with_map(const allocator *from, void *ctx) {
    (void)ctx;
    static const char *const names[] = {"a", "b", "c", "d", "e", "f", "g", "h", "i", "j"};
    arena *a = arena_new(from);
    TRY_ALLOC(a);
    map m = map_in(a);
    status s = STATUS_OK;
    for (uint64_t i = 0; i < 500 && s == STATUS_OK; i++)
        s = map_set_key(&m, i, a);
    size_t n = m.n;
    for (size_t i = 0; i < 10; i++)
        if (s == STATUS_OK)
            s = map_set(&m, names[i], a);
    for (uint64_t i = 0; i < n; i++)
        assert_ptr_equal(map_get_key(&m, i), a);
    assert_null(map_get_key(&m, n));
    arena_free(a);
    return s;
}

static void map_every_allocation_may_fail(void **state) {
    (void)state;
    assert_in_range(test_each_allocation(work_with_map, NULL), 5, 30);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(map_finds_what_was_set),        cmocka_unit_test(map_keeps_order_through_growth),
        cmocka_unit_test(map_agrees_with_an_array),      cmocka_unit_test(map_removed_entry_comes_back_last),
        cmocka_unit_test(map_takes_integer_keys),        cmocka_unit_test(map_hash_is_fixed),
        cmocka_unit_test(map_hash_depends_on_every_bit), cmocka_unit_test(map_every_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
