/* rooms: base */
/* Diagnostics: their printed form, hostile names, and reporting without memory. */
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/diag.h"
#include "test_support.h"

static const diag_place CONV = {"model.onnx", "main", 12, "conv1", "Conv-22"};

static void diag_prints_place_and_notes(void **state) {
    (void)state;
    diag *d = diag_new(&allocator_system);
    arena *a = arena_new(&allocator_system);
    assert_int_equal(diag_error(d, STATUS_INVALID, "shape-mismatch", CONV, "input '%s' has %d channels", "W", 3),
                     STATUS_INVALID);
    diag_note(d, "expected %d", 4);
    for (int i = 0; i < 20; i++)
        diag_note(d, "%d", i);
    diag_warn(d, "slow", DIAG_NOWHERE, "no vector unit");
    assert_int_equal(diag_count(d), 2);
    assert_int_equal(diag_errors(d), 1);
    assert_int_equal(diag_at(d, 0)->code, STATUS_INVALID);
    assert_int_equal(diag_at(d, 0)->n_notes, 21);
    assert_string_equal(diag_at(d, 0)->notes[20], "19");
    assert_string_equal(diag_at(d, 0)->id, "shape-mismatch");
    assert_string_equal(diag_at(d, 0)->message, "input 'W' has 3 channels");
    assert_string_equal(diag_at(d, 1)->place, "");
    static const char start[] =
        "model.onnx: main/node 12 'conv1' (Conv-22): error[shape-mismatch]: input 'W' has 3 channels\n"
        "note: expected 4\nnote: 0\n";
    assert_memory_equal(diag_line(d, 0, a), start, strlen(start));
    assert_string_equal(diag_line(d, 1, a), "tenon: warning[slow]: no vector unit");
    diag_clear(d);
    assert_int_equal(diag_count(d), 0);
    assert_int_equal(diag_errors(d), 0);
    diag_note(d, "under nothing");
    assert_int_equal(diag_error(d, STATUS_USAGE, "usage", DIAG_NOWHERE, "unknown option"), STATUS_USAGE);
    assert_int_equal(diag_at(d, 0)->n_notes, 0);
    assert_string_equal(diag_line(d, 0, a), "tenon: error[usage]: unknown option");
    diag_free(d);
    diag_free(NULL);
    arena_free(a);
}

static void diag_prints_what_is_known_of_the_place(void **state) {
    (void)state;
    static const struct {
        diag_place where;
        const char *place;
    } cases[] = {
        {{NULL, NULL, -1, NULL, NULL}, ""},
        {{"m.onnx", NULL, -1, NULL, NULL}, "m.onnx"},
        {{"m.onnx", "main", -1, NULL, NULL}, "m.onnx: main"},
        {{"m.onnx", "main", 0, NULL, NULL}, "m.onnx: main/node 0"},
        {{"m.onnx", "f", 3, NULL, "Add-14"}, "m.onnx: f/node 3 (Add-14)"},
        {{"m.onnx", NULL, 3, "n", NULL}, "m.onnx: node 3 'n'"},
        {{"m.onnx", "main", -1, "x", NULL}, "m.onnx: main/'x'"},
        {{NULL, "main", 3, NULL, NULL}, "tenon: main/node 3"},
        {{NULL, NULL, -1, NULL, "Add-14"}, "tenon: (Add-14)"},
    };
    diag *d = diag_new(&allocator_system);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        diag_warn(d, "x", cases[i].where, "y");
        assert_string_equal(diag_at(d, i)->place, cases[i].place);
    }
    diag_free(d);
}

static void diag_escapes_what_would_break_the_line(void **state) {
    (void)state;
    static const struct {
        const char *message, *printed;
    } cases[] = {
        {"a\nb\tc\rd\033[31m", "a\\nb\\tc\\x0dd\\x1b[31m"},
        {"gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x99\x82", "gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x99\x82"},
        {"\xff\xc3", "\\xff\\xc3"},
        {"\xc0\xaf \xed\xa0\x80 \xf4\x90\x80\x80", "\\xc0\\xaf \\xed\\xa0\\x80 \\xf4\\x90\\x80\\x80"},
        {"\xe2\x80\xae"
         "x \xc2\x85 \x7f",
         "\\xe2\\x80\\xaex \\xc2\\x85 \\x7f"},
        {"", ""},
        {" two  spaces ", " two  spaces "},
    };
    diag *d = diag_new(&allocator_system);
    arena *a = arena_new(&allocator_system);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        diag_warn(d, "x", DIAG_NOWHERE, "%s", cases[i].message);
        assert_string_equal(diag_line(d, i, a) + strlen("tenon: warning[x]: "), cases[i].printed);
    }
    diag_place hostile = {"m\n.onnx", "g\x01", 0, "n\xff", "O\x1b"};
    diag_warn(d, "x", hostile, "y");
    diag_note(d, "z\n");
    assert_string_equal(diag_line(d, diag_count(d) - 1, a),
                        "m\\n.onnx: g\\x01/node 0 'n\\xff' (O\\x1b): warning[x]: y\nnote: z\\n");
    diag_free(d);
    arena_free(a);
}

static void diag_shortens_long_names_in_the_middle(void **state) {
    (void)state;
    char name[1001], wide[601] = "", expected[300];
    for (int i = 0; i < 1000; i++)
        name[i] = (char)('a' + i % 26);
    name[1000] = '\0';
    diag *d = diag_new(&allocator_system);
    arena *a = arena_new(&allocator_system);
    diag_warn(d, "x", (diag_place){"m", "main", -1, name, NULL}, "%s", name);
    snprintf(expected, sizeof expected, "m: main/'%.100s...%s'", name, name + 1000 - 97);
    assert_string_equal(diag_at(d, 0)->place, expected);
    assert_string_equal(diag_at(d, 0)->message, name);
    snprintf(expected, sizeof expected, "warning[x]: %.100s...%s", name, name + 1000 - 97);
    assert_non_null(strstr(diag_line(d, 0, a), expected));

    name[200] = '\0';
    diag_warn(d, "x", DIAG_NOWHERE, "%s", name);
    assert_non_null(strstr(diag_line(d, 1, a), name));
    name[200] = 'x';
    name[201] = '\0';
    diag_warn(d, "x", DIAG_NOWHERE, "%s", name);
    assert_int_equal(strlen(strstr(diag_line(d, 2, a), "abc")), 200);

    /* 300 characters of two bytes each: none may be cut in half. */
    for (int i = 0; i < 300; i++)
        memcpy(wide + 2 * i, "\xc3\xa9", 3);
    diag_warn(d, "x", DIAG_NOWHERE, "%s", wide);
    const char *line = diag_line(d, 3, a) + strlen("tenon: warning[x]: ");
    assert_int_equal(strlen(line), 2 * 197 + 3);
    assert_memory_equal(line + 200, "...", 3);
    diag_free(d);
    arena_free(a);
}

static void diag_keeps_one_item_when_memory_is_out(void **state) {
    (void)state;
    test_memory m = {0};
    allocator from = test_memory_allocator(&m);
    diag *d = diag_new(&from);
    m.fail_at = 1;
    m.for_good = true;
    char name[3000];
    memset(name, 'n', sizeof name);
    name[2999] = '\0';
    for (int i = 0; i < 100; i++)
        assert_int_equal(diag_error(d, STATUS_INVALID, "x", CONV, "%s", name), STATUS_INVALID);
    diag_note(d, "lost with its item");
    m.fail_at = 0;
    diag_note(d, "lost with its item");
    size_t n = diag_count(d);
    assert_in_range(n, 1, 5);
    assert_int_equal(diag_errors(d), n);
    assert_int_equal(diag_at(d, n - 1)->code, STATUS_RESOURCE);
    assert_string_equal(diag_at(d, n - 1)->id, "out-of-memory");
    assert_int_equal(diag_error(d, STATUS_INVALID, "later", CONV, "y"), STATUS_INVALID);
    diag_note(d, "kept");
    assert_int_equal(diag_count(d), n + 1);
    assert_string_equal(diag_at(d, n - 1)->id, "later");
    assert_int_equal(diag_at(d, n - 1)->n_notes, 1);
    assert_string_equal(diag_at(d, n)->id, "out-of-memory");
    diag_clear(d);
    assert_int_equal(diag_count(d), 0);
    diag_free(d);
    assert_int_equal(m.live_blocks, 0);
}

static status work_with_diag(const allocator *from, void *ctx) {
    (void)ctx;
    diag *d = diag_new(from);
    TRY_ALLOC(d);
    size_t added = 0;
    for (; added < 100; added++) {
        assert_int_equal(diag_error(d, STATUS_INVALID, "x", CONV, "message %zu", added), STATUS_INVALID);
        diag_note(d, "note");
    }
    size_t count = diag_count(d);
    bool whole = count == added && strcmp(diag_at(d, count - 1)->id, "x") == 0;
    assert_true(whole || strcmp(diag_at(d, count - 1)->id, "out-of-memory") == 0);
    assert_int_equal(diag_errors(d), count);
    arena *a = arena_new(from);
    bool printed = a != NULL;
    for (size_t i = 0; i < count && printed; i++)
        printed = diag_line(d, i, a) != NULL;
    arena_free(a);
    diag_free(d);
    return whole && printed ? STATUS_OK : STATUS_RESOURCE;
}

static void diag_every_allocation_may_fail(void **state) {
    (void)state;
    assert_in_range(test_each_allocation(work_with_diag, NULL), 5, 60);
}

static void diag_assertion_names_the_place_and_aborts(void **state) {
    (void)state;
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    if (child == 0) {
        dup2(ends[1], STDERR_FILENO);
        signal(SIGABRT, SIG_DFL);
        TENON_ASSERT(1 + 1 == 2);
        diag_assert_failed("x > 0", "file.c", 42);
    }
    close(ends[1]);
    char text[200] = "";
    ssize_t n = read(ends[0], text, sizeof text - 1);
    assert_true(n > 0);
    assert_string_equal(text, "tenon: internal error: file.c:42: x > 0\n");
    int how;
    assert_int_equal(waitpid(child, &how, 0), child);
    assert_true(WIFSIGNALED(how) && WTERMSIG(how) == SIGABRT);
    close(ends[0]);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(diag_prints_place_and_notes),
        cmocka_unit_test(diag_prints_what_is_known_of_the_place),
        cmocka_unit_test(diag_escapes_what_would_break_the_line),
        cmocka_unit_test(diag_shortens_long_names_in_the_middle),
        cmocka_unit_test(diag_keeps_one_item_when_memory_is_out),
        cmocka_unit_test(diag_every_allocation_may_fail),
        cmocka_unit_test(diag_assertion_names_the_place_and_aborts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
