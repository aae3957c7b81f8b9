/* rooms: loop base */
/* Targets: names, the host, lanes. */
#include "test_support.h"

#include "loop/target.h"

static void target_finds_each_by_name(void **state) {
    (void)state;
    size_t n = 0;
    for (; target_table[n] != NULL; n++) {
        const target *t = target_table[n];
        assert_ptr_equal(target_find(t->name, NULL), t);
        assert_true((t->isa == ISA_NONE) == (t->vector_bytes == 0));
        assert_non_null(strchr(t->triple, '-'));
    }
    assert_int_equal(n, 5);
}

static void target_lists_names_where_there_is_none(void **state) {
    (void)state;
    arena *a = arena_new(&allocator_system);
    diag *d = diag_new(&allocator_system);
    assert_null(target_find("x86-64-v2", d));
    assert_int_equal(diag_at(d, 0)->code, STATUS_USAGE);
    assert_string_equal(diag_at(d, 0)->id, "unknown-target");
    for (size_t i = 0; target_table[i] != NULL; i++)
        assert_non_null(strstr(diag_at(d, 0)->message, target_table[i]->name));
    assert_int_equal(diag_at(d, 0)->n_notes, 1);
    diag_free(d);
    arena_free(a);
}

static void target_host_runs_here(void **state) {
    (void)state;
    const target *host = target_find("host", NULL);
    assert_ptr_equal(host, target_host());
    for (size_t i = 0; target_table[i] != NULL; i++)
        assert_true(!target_runs_here(target_table[i]) || target_table[i]->vector_bytes <= host->vector_bytes);
#if defined(__x86_64__)
    assert_true(target_runs_here(host));
    assert_true(target_runs_here(target_find("generic", NULL)));
    assert_false(target_runs_here(target_find("aarch64", NULL)));
#endif
}

static void target_counts_lanes(void **state) {
    (void)state;
    assert_int_equal(target_lanes(target_find("generic", NULL), 32), 1);
    assert_int_equal(target_lanes(target_find("x86-64", NULL), 64), 2);
    assert_int_equal(target_lanes(target_numeric(), 32), 8);
    assert_int_equal(target_lanes(target_find("x86-64-v4", NULL), 8), 64);
    assert_string_equal(target_numeric()->name, "x86-64-v3");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(target_finds_each_by_name),
        cmocka_unit_test(target_lists_names_where_there_is_none),
        cmocka_unit_test(target_host_runs_here),
        cmocka_unit_test(target_counts_lanes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
