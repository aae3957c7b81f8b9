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
        assert_true((t->isa == ISA_NONE || t->isa == ISA_VFP) == (t->vector_bytes == 0));
        assert_non_null(strchr(t->triple, '-'));
    }
    assert_int_equal(n, 9);
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
    assert_false(target_runs_here(target_find("aarch64-dotprod", NULL)));
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

static void target_answers_by_element(void **state) {
    (void)state;
    const target *v3 = target_find("x86-64-v3", NULL), *m4 = target_find("cortex-m4", NULL);
    const target *v1 = target_find("x86-64", NULL);
    assert_true(target_has_fma(v3, DT_F32) && target_has_fma(v3, DT_F64));
    assert_true(target_has_fma(m4, DT_F32) && target_has_sqrt(m4, DT_F32));
    assert_false(target_has_fma(m4, DT_F64) || target_has_sqrt(m4, DT_F64) || target_has_rint(m4, DT_F32));
    assert_true(target_has_sqrt(v1, DT_F64));
    assert_false(target_has_fma(v1, DT_F32) || target_has_fma(v3, DT_I32) || target_has_fma(v3, DT_F16));
}

static void target_takes_the_users_words(void **state) {
    (void)state;
    arena *a = arena_new(&allocator_system);
    const target *v3 = target_find("x86-64-v3", NULL);
    target t;
    assert_int_equal(machine_of(v3, NULL, "znver1", "-fma,+sse4a", a, NULL, &t), STATUS_OK);
    assert_string_equal(t.name, "x86-64-v3");
    assert_string_equal(t.cpu, "znver1");
    assert_string_equal(t.triple, v3->triple);
    assert_string_equal(t.features, "-fma,+sse4a,+64bit,+sse2,+avx2,+fma,+f16c,+bmi,+bmi2,+lzcnt,+popcnt");
    assert_int_equal(machine_of(v3, "amd64-freebsd", NULL, NULL, a, NULL, &t), STATUS_OK);
    assert_string_equal(t.cpu, v3->cpu);
    assert_false(t.is_bare);
    arena_free(a);
}

static void target_of_another_architecture_is_generic(void **state) {
    (void)state;
    arena *a = arena_new(&allocator_system);
    const target *v3 = target_find("x86-64-v3", NULL);
    target t;
    assert_int_equal(machine_of(v3, "riscv64-linux-gnu", NULL, "+zba", a, NULL, &t), STATUS_OK);
    assert_string_equal(t.name, "generic");
    assert_string_equal(t.cpu, "");
    assert_string_equal(t.features, "+m,+a,+f,+d,+c,+zba,+64bit,-32bit");
    assert_false(target_has_fma(&t, DT_F32));
    assert_int_equal(machine_of(v3, "riscv64-none-elf", NULL, NULL, a, NULL, &t), STATUS_OK);
    assert_string_equal(t.features, "+64bit,-32bit");
    assert_true(t.is_bare);
    assert_int_equal(machine_of(v3, "aarch64-none-linux-gnu", NULL, NULL, a, NULL, &t), STATUS_OK);
    assert_false(t.is_bare);
    arena_free(a);
}

static void target_refuses_words_of_no_meaning(void **state) {
    (void)state;
    static const char *const triples[] = {"",      "riscv64", "x86_64x-linux", "armeb-linux", "x86_64-pc-windows-msvc",
                                          "-linux"};
    static const char *const features[] = {"", "avx2", "+", "+a,,+b", "+a,", "+a +b", "+help", "-64bit-mode"};
    arena *a = arena_new(&allocator_system);
    diag *d = diag_new(&allocator_system);
    target t;
    for (size_t i = 0; i < sizeof triples / sizeof *triples; i++)
        assert_int_equal(machine_of(target_numeric(), triples[i], NULL, NULL, a, d, &t), STATUS_USAGE);
    for (size_t i = 0; i < sizeof features / sizeof *features; i++)
        assert_int_equal(machine_of(target_numeric(), NULL, NULL, features[i], a, d, &t), STATUS_USAGE);
    assert_int_equal(diag_errors(d), sizeof triples / sizeof *triples + sizeof features / sizeof *features);
    diag_free(d);
    arena_free(a);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(target_finds_each_by_name),
        cmocka_unit_test(target_lists_names_where_there_is_none),
        cmocka_unit_test(target_host_runs_here),
        cmocka_unit_test(target_counts_lanes),
        cmocka_unit_test(target_answers_by_element),
        cmocka_unit_test(target_takes_the_users_words),
        cmocka_unit_test(target_of_another_architecture_is_generic),
        cmocka_unit_test(target_refuses_words_of_no_meaning),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
