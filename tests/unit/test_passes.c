/* rooms: passes lower ops */
/* Graph passes on text files: tests/passes/NAME.graph holds a line `# passes: NAME...` (or `all`), a graph, a line `---`, and the
 * graph expected after them. TENON_UPDATE_GOLDEN=1 rewrites what is expected. Also: lowering, with every allocation failing in turn. */
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lower/lower.h"
#include "ops/ops.h"
#include "passes_support.h"
#include "test_support.h"

#define FOLDER TENON_SOURCE_DIR "/tests/passes"

static char *read_text(const char *path) {
    FILE *f = fopen(path, "rb");
    assert_non_null(f);
    fseek(f, 0, SEEK_END);
    long n = ftell(f);
    rewind(f);
    char *text = calloc(1, (size_t)n + 1);
    assert_int_equal(fread(text, 1, (size_t)n, f), n);
    fclose(f);
    return text;
}

/* is `name` among the names on the first line? */
static bool is_named(const char *text, const char *name) {
    char line[256], wanted[64];
    snprintf(line, sizeof line, "%.*s ", (int)strcspn(text, "\n"), text);
    snprintf(wanted, sizeof wanted, " %s ", name);
    return strstr(line, wanted) != NULL || strstr(line, " all ") != NULL;
}

static graph *parse(const char *text, size_t n, const allocator *from, diag *d, const char *path) {
    graph *g = NULL;
    if (graph_parse(text, n, path, from, d, &ops_table, NULL, NULL, &g) != STATUS_OK || graph_infer(g) != STATUS_OK) {
        arena *a = arena_new(&allocator_system);
        fail_msg("%s", diag_line(d, 0, a));
    }
    return g;
}

static void check_file(const char *path, bool update) {
    char *text = read_text(path);
    char *start = strchr(text, '\n') + 1, *middle = strstr(text, "\n---\n");
    assert_non_null(middle);
    diag *d = diag_new(&allocator_system);
    graph *g = parse(start, (size_t)(middle + 1 - start), &allocator_system, d, path);
    const char *skip[64] = {NULL}, *after = NULL;
    int n = 0;
    pass_registry *r = pass_registry_new(g->memory);
    assert_int_equal(pass_registry_sort(r, d), STATUS_OK);
    for (size_t i = 0; i < r->clean_up.n; i++)
        if (!is_named(text, pass_name(r->clean_up.at[i])))
            skip[n++] = pass_name(r->clean_up.at[i]);
    pass_options options = {.skip = skip, .verify = true};
    assert_int_equal(passes_run(g, &options), STATUS_OK);
    strbuf out = strbuf_in(g->memory);
    graph_print(g, &out);
    assert_int_equal(strbuf_finish(&out, &after), STATUS_OK);
    if (update) {
        FILE *f = fopen(path, "wb");
        fwrite(text, 1, (size_t)(middle + 5 - text), f);
        fputs(after, f);
        fclose(f);
    } else {
        assert_string_equal(after, middle + 5);
    }
    graph_free(g);
    diag_free(d);
    free(text);
}

static void passes_match_golden_files(void **state) {
    (void)state;
    DIR *folder = opendir(FOLDER);
    int n = 0;
    assert_non_null(folder);
    for (struct dirent *e; (e = readdir(folder)) != NULL;) {
        size_t length = strlen(e->d_name);
        if (length < 7 || strcmp(e->d_name + length - 6, ".graph") != 0)
            continue;
        char path[512];
        snprintf(path, sizeof path, FOLDER "/%s", e->d_name);
        check_file(path, getenv("TENON_UPDATE_GOLDEN") != NULL);
        n++;
    }
    closedir(folder);
    assert_true(n >= 5);
}

static void skipping_an_unknown_pass_is_refused(void **state) {
    (void)state;
    static const char text[] = "graph \"main\"(%x: f32[2]) {\n  opset \"\" 28\n  return %x as \"x\"\n}\n";
    diag *d = diag_new(&allocator_system);
    graph *g = parse(text, sizeof text - 1, &allocator_system, d, "t");
    pass_options options = {.skip = (const char *const[]){"fold", "csf", NULL}};
    assert_int_equal(passes_run(g, &options), STATUS_USAGE);
    assert_string_equal(diag_at(d, 0)->id, "unknown-pass");
    assert_string_equal(diag_at(d, 0)->notes[0], "did you mean 'cse'?");
    graph_free(g);
    diag_free(d);
}

/* ---- lowering when memory runs out ---- */

static const char model[] =
    "graph \"main\"(%x: f32[1,3,8,8], %ids: i64[4]) {\n  opset \"\" 28\n"
    "  const %w: f32[2,3,1,1] = [1, 2, 3, 4, 5, 6]\n  const %t: f32[3,2] = [1, 2, 3, 4, 5, 6]\n"
    "  %c: f32[1,2,8,8] = Conv-22(%x, %w)\n  %r: f32[1,2,8,8] = Relu-14(%c)\n  %s: f32[1,2,8,8] = Softmax-13(%r) {axis=-1}\n"
    "  %g: f32[4,2] = Gather-13(%t, %ids)\n  return %s as \"s\", %g as \"g\"\n}\n";

static status lower_model(const allocator *from, void *ctx) {
    (void)ctx;
    status s = STATUS_RESOURCE;
    diag *d = diag_new(from);
    arena *a = arena_new(from);
    graph *g = NULL;
    program *p = NULL;
    if (d != NULL && a != NULL)
        s = graph_parse(model, sizeof model - 1, "m", from, d, &ops_table, NULL, NULL, &g);
    pass_options passes = {.verify = true};
    if (s == STATUS_OK)
        s = graph_infer(g);
    if (s == STATUS_OK)
        s = passes_run(g, &passes);
    lower_options options = {.target = target_numeric()};
    if (s == STATUS_OK)
        s = lower_graph(g, &options, a, &p);
    graph_free(g);
    arena_free(a);
    diag_free(d);
    return s;
}

static void lowering_survives_each_failing_allocation(void **state) {
    (void)state;
    test_each_allocation(lower_model, NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(passes_match_golden_files),
        cmocka_unit_test(skipping_an_unknown_pass_is_refused),
        cmocka_unit_test(lowering_survives_each_failing_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
