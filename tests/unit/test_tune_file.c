/* rooms: api schedule ir loop base */
#include "test_support.h"

#include <string.h>

#include "api/tune_file.h"
#include "base/diag.h"

#define HEAD "tenon-tune 1\n"
#define NUMBERS "along 2 rows_along 1 lanes 16 vectors 4 tail 8 rows 6 panels 1 default_us 14.1 tuned_us 12.85"
#define LINE "\"x86-64-v4\" threads 2 \"8x56x64 sum 576 of 1\" " NUMBERS "\n"
#define BARE "\"z80\" threads 1 \"64 sum 9 of 1\" along 0 lanes 1 vectors 1 tail 1 rows 1 default_us 3 tuned_us 2\n"

typedef struct setup {
    diag *d;
    arena *a;
    tune_table t;
} setup;

static status parse(setup *s, const char *text) {
    s->d = diag_new(&allocator_system);
    s->a = arena_new(&allocator_system);
    return tune_file_parse("x.tune", text, strlen(text), s->a, s->d, &s->t);
}

static void end(setup *s) {
    arena_free(s->a);
    diag_free(s->d);
}

static void reads_every_field(void **state) {
    (void)state;
    setup s;
    const kernel_choice want = {2, 1, -1, 16, 4, 8, 6, 1, false, 0}, bare = {0, -1, -1, 1, 1, 1, 1, -1, false, 0};
    assert_int_equal(parse(&s, HEAD "# a comment\n\n" LINE BARE), STATUS_OK);
    assert_int_equal(s.t.at.n, 2);
    const tune_entry *e = &s.t.at.at[0];
    assert_string_equal(e->target, "x86-64-v4");
    assert_int_equal(e->threads, 2);
    assert_string_equal(e->kernel, "8x56x64 sum 576 of 1");
    assert_true(kernel_choice_is_same(&e->choice, &want));
    assert_true(e->default_us == 14.1 && e->tuned_us == 12.85);
    assert_int_equal(e->line, 4);
    assert_true(kernel_choice_is_same(&s.t.at.at[1].choice, &bare));
    end(&s);
}

/* In an order of its own, whatever that of the file was. */
static void writes_what_it_reads(void **state) {
    (void)state;
    setup s, again;
    const char *text, *second;
    assert_int_equal(parse(&s, HEAD BARE LINE), STATUS_OK);
    assert_int_equal(tune_file_print(&s.t, s.a, &text), STATUS_OK);
    assert_non_null(strstr(text, "\n" LINE BARE));
    assert_int_equal(parse(&again, text), STATUS_OK);
    assert_int_equal(tune_file_print(&again.t, again.a, &second), STATUS_OK);
    assert_string_equal(text, second);
    end(&again);
    end(&s);
}

static void finds_by_target_threads_and_kernel(void **state) {
    (void)state;
    setup s;
    assert_int_equal(parse(&s, HEAD BARE LINE), STATUS_OK);
    const target *v4 = target_find("x86-64-v4", s.d), *v3 = target_find("x86-64-v3", s.d);
    const tuning two = {.table = &s.t, .threads = 2}, one = {.table = &s.t, .threads = 1}, none = {.threads = 2};
    const char *kernel = "8x56x64 sum 576 of 1";
    assert_ptr_equal(tuning_find(&two, v4, kernel), &s.t.at.at[1]);
    assert_null(tuning_find(&two, v3, kernel));
    assert_null(tuning_find(&one, v4, kernel));
    assert_null(tuning_find(&two, v4, "8x56x64"));
    assert_null(tuning_find(&none, v4, kernel));
    assert_int_equal(tune_table_count(&s.t, v4, 2), 1);
    assert_int_equal(tune_table_count(&s.t, v4, 1), 0);
    end(&s);
}

static void refuses(void **state) {
    (void)state;
    static const struct {
        const char *text, *says;
    } cases[] = {
        {"", "this is no tune file"},
        {"tenon-tune\n", "this is no tune file"},
        {"tenon-tune 1x\n", "line 1"},
        {"tenon-tune 0\n", "its format is 0; this tenon reads 1"},
        {HEAD "x", "line 2: expected a target in quotes"},
        {HEAD "\"\" threads 1", "line 2: expected a target in quotes"},
        {HEAD "\"a\\x00b\" threads 1", "line 2: expected a target in quotes"},
        {HEAD "\"a\" thread 1", "line 2: expected threads"},
        {HEAD "\"a\" threads 99999", "line 2: expected a small number after threads"},
        {HEAD "\"a\" threads -1", "line 2: expected a small number after threads"},
        {HEAD "\"a\" threads 1 8", "line 2: expected a kernel in quotes"},
        {HEAD "\"a\" threads 1 \"k\" along", "line 2: expected a small number after along"},
        {HEAD "\"a\" threads 1 \"k\" along 0 rows_along 0 lanes 8 vectors 1 tail 8 rows 1", "one axis stands for two"},
        {HEAD "\"a\" threads 1 \"k\" along 0 lanes 8 vectors 1 tail 4 rows 2", "several rows need an axis"},
        {HEAD "\"a\" threads 1 \"k\" along 0 lanes 8 vectors 1 tail 2 rows 1", "a tail has all lanes, or half"},
        {HEAD "\"a\" threads 1 \"k\" along 0 lanes 128 vectors 1 tail 128 rows 1", "lanes are a power of two"},
        {HEAD "\"a\" threads 1 \"k\" along 0 lanes 8 vectors 9 tail 8 rows 1", "vectors are 1 to 8"},
        {HEAD "\"a\" threads 1 \"k\" along 0 lanes 8 vectors 1 tail 8 rows 1 panels 2", "panels are 0 or 1"},
        {HEAD "\"a\" threads 1 \"k\" along 99 lanes 8 vectors 1 tail 8 rows 1", "there is no such axis"},
        {HEAD "\"a\" threads 1 \"k\" along 0 lanes 8 vectors 1 tail 8 rows 1 default_us -1",
         "microseconds: default_us"},
        {HEAD "\"a\" threads 1 \"k\" along 0 lanes 8 vectors 1 tail 8 rows 1 default_us 1 tuned_us inf", "tuned_us"},
        {HEAD LINE BARE LINE, "line 4: the kernel has an entry already, in line 2"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        setup s;
        assert_int_equal(parse(&s, cases[i].text), STATUS_INVALID);
        assert_int_equal(diag_count(s.d), 1);
        assert_string_equal(diag_at(s.d, 0)->id, "tune-file");
        if (strstr(diag_at(s.d, 0)->message, cases[i].says) == NULL)
            fail_msg("case %zu: '%s' is not in '%s'", i, cases[i].says, diag_at(s.d, 0)->message);
        assert_int_equal(diag_at(s.d, 0)->n_notes, 1);
        end(&s);
    }
}

static status read_and_write(const allocator *from, void *ctx) {
    (void)ctx;
    static const char text[] = HEAD LINE BARE;
    diag *d = diag_new(from);
    arena *a = arena_new(from);
    tune_table t;
    const char *out = "";
    status s = d != NULL && a != NULL ? STATUS_OK : STATUS_RESOURCE;
    if (s == STATUS_OK)
        s = tune_file_parse("x.tune", text, strlen(text), a, d, &t);
    if (s == STATUS_OK)
        s = tune_file_print(&t, a, &out);
    if (s == STATUS_OK)
        assert_non_null(strstr(out, LINE BARE));
    arena_free(a);
    diag_free(d);
    return s;
}

static void survives_failing_allocations(void **state) {
    (void)state;
    assert_true(test_each_allocation(read_and_write, NULL) > 2);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_every_field),
        cmocka_unit_test(writes_what_it_reads),
        cmocka_unit_test(finds_by_target_threads_and_kernel),
        cmocka_unit_test(refuses),
        cmocka_unit_test(survives_failing_allocations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
