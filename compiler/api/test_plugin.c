/* tenon passes --test: a plugin's passes on small graphs, each in a file.
 *
 *   # pass: NAME[:ITEMS]                     as -p has it
 *   # error: ID                              only where the pass must fail so; then the file ends with the graph
 *   graph "main"(%x: f32[2]) { ... }
 *   ---
 *   graph "main"(%x: f32[2]) { ... }         what it has to become
 */
#include <dirent.h>
#include <stdlib.h>
#include <string.h>

#include "api/isolation.h"
#include "api/reports.h"
#include "frontend/mapped_file.h"
#include "ops/ops.h"
#include "plugin/plugin.h"
#include "report/json.h"

typedef struct plugin_case {
    const char *name, *path;
    const char *why; /* it failed; NULL where it passed */
} plugin_case;

typedef struct testing {
    tenon_context *c;
    plugin_set *plugins;
    arena *a;
    diag *d; /* of the cases: what they say is compared, not shown */
    VEC(plugin_case) cases;
} testing;

/* One file, taken apart. */
typedef struct case_text {
    const char *pass, *error; /* error NULL: none is expected */
    const char *before, *after;
    size_t n_before, n_after;
} case_text;

/* ---- the file ---- */

/* The rest of a line "# KEY: ...", which is taken; NULL where the text does not begin with one. */
static const char *take_line(const testing *t, const char **text, const char *key) {
    size_t n = strlen(key);
    if (strncmp(*text, key, n) != 0)
        return NULL;
    const char *from = *text + n, *end = strchr(from, '\n');
    size_t bytes = end != NULL ? (size_t)(end - from) : strlen(from);
    *text = from + bytes + (end != NULL);
    while (bytes > 0 && (from[bytes - 1] == ' ' || from[bytes - 1] == '\r'))
        bytes--;
    return arena_strndup(t->a, from, bytes);
}

/* What is wrong with the file; NULL: nothing. */
static const char *take_apart(const testing *t, const char *text, case_text *out) {
    static const char rule[] = "\n---\n";
    *out = (case_text){.pass = take_line(t, &text, "# pass: ")};
    if (out->pass == NULL)
        return "the first line is not '# pass: NAME[:ITEMS]'";
    out->error = take_line(t, &text, "# error: ");
    const char *middle = strstr(text, rule);
    if (out->error == NULL && middle == NULL)
        return "there is neither '# error: ID' nor a line '---' with the graph that is expected after it";
    out->before = text;
    out->n_before = middle != NULL ? (size_t)(middle - text) + 1 : strlen(text);
    out->after = middle != NULL ? middle + sizeof rule - 1 : "";
    out->n_after = strlen(out->after);
    return NULL;
}

static const char *first_error(const testing *t) {
    for (size_t i = 0; i < diag_count(t->d); i++)
        if (diag_at(t->d, i)->severity == DIAG_ERROR)
            return arena_printf(t->a, "error[%s]: %s", diag_at(t->d, i)->id, diag_at(t->d, i)->message);
    return "out of memory";
}

static graph *read_graph(const testing *t, const char *text, size_t n, const char *path) {
    graph *g = NULL;
    if (graph_parse(text, n, path, &t->c->memory, t->d, &ops_table, NULL, NULL, &g) != STATUS_OK)
        return NULL;
    if (graph_infer(g) == STATUS_OK)
        return g;
    graph_free(g);
    return NULL;
}

static const char *print(const testing *t, const graph *g) {
    strbuf s = strbuf_in(t->a);
    const char *text;
    graph_print(g, &s);
    return strbuf_finish(&s, &text) == STATUS_OK ? text : "";
}

/* ---- one case; each function gives what is wrong, NULL where nothing is ---- */

/* The first line in which the two differ. */
static const char *compare(const testing *t, const char *got, const char *want) {
    while (*got != '\0' && *want != '\0') {
        size_t n = strcspn(got, "\n"), m = strcspn(want, "\n");
        if (n != m || strncmp(got, want, n) != 0)
            break;
        got += n + (got[n] == '\n');
        want += m + (want[m] == '\n');
    }
    if (*got == '\0' && *want == '\0')
        return NULL;
    return arena_printf(t->a, "got:  %.*s\nwant: %.*s", (int)strcspn(got, "\n"), got, (int)strcspn(want, "\n"), want);
}

static const char *expect_error(const testing *t, const case_text *c, status s) {
    if (s == STATUS_OK)
        return arena_printf(t->a, "the pass has not failed; error[%s] is expected", c->error);
    for (size_t i = 0; i < diag_count(t->d); i++)
        if (diag_at(t->d, i)->severity == DIAG_ERROR && strcmp(diag_at(t->d, i)->id, c->error) == 0)
            return NULL;
    return arena_printf(t->a, "error[%s] is expected, got %s", c->error, first_error(t));
}

static const char *expect_graph(const testing *t, const case_text *c, status s, const graph *got, const char *path) {
    if (s != STATUS_OK)
        return first_error(t);
    graph *want = read_graph(t, c->after, c->n_after, path);
    if (want == NULL)
        return arena_printf(t->a, "the graph after --- cannot be read: %s", first_error(t));
    const char *why = compare(t, print(t, got), print(t, want));
    graph_free(want);
    return why;
}

static const char *run_case(const testing *t, const char *text, const char *path) {
    case_text c;
    pass_request q;
    const char *why = take_apart(t, text, &c);
    if (why != NULL)
        return why;
    if (request_parse(t->plugins->registry, c.pass, t->a, t->d, &q) != STATUS_OK)
        return c.error != NULL ? expect_error(t, &c, STATUS_USAGE) : first_error(t);
    graph *g = read_graph(t, c.before, c.n_before, path);
    if (g == NULL)
        return arena_printf(t->a, "the graph cannot be read: %s", first_error(t));
    status s = pass_apply(t->plugins->registry, &q, &g, NULL, NULL, t->a);
    why = c.error != NULL ? expect_error(t, &c, s) : expect_graph(t, &c, s, g, path);
    graph_free(g);
    return why;
}

/* ---- all ---- */

static int compare_cases(const void *x, const void *y) {
    return strcmp(((const plugin_case *)x)->name, ((const plugin_case *)y)->name);
}

static status list_cases(testing *t, const char *folder, DIR *open) {
    for (const struct dirent *e; (e = readdir(open)) != NULL;) {
        size_t n = strlen(e->d_name);
        if (n <= 6 || strcmp(e->d_name + n - 6, ".graph") != 0)
            continue;
        plugin_case one = {arena_strdup(t->a, e->d_name), arena_printf(t->a, "%s/%s", folder, e->d_name), NULL};
        TRY_ALLOC(one.name);
        TRY_ALLOC(one.path);
        TRY(VEC_PUSH(t->a, t->cases, one));
    }
    if (t->cases.n > 0)
        qsort(t->cases.at, t->cases.n, sizeof *t->cases.at, compare_cases);
    return STATUS_OK;
}

static status find_cases(testing *t, const char *folder) {
    DIR *open = opendir(folder);
    diag_place where = {folder, NULL, -1, NULL, NULL};
    if (open == NULL)
        return diag_error(t->c->diags, STATUS_RESOURCE, "file", where, "the folder cannot be opened");
    status s = list_cases(t, folder, open);
    closedir(open);
    if (s == STATUS_OK && t->cases.n == 0)
        return diag_error(t->c->diags, STATUS_USAGE, "usage", where, "there is no *.graph in the folder");
    return s;
}

static status run_cases(testing *t) {
    for (size_t i = 0; i < t->cases.n; i++) {
        plugin_case *one = &t->cases.at[i];
        mapped_file file;
        const char *why;
        TRY(context_check_stop(t->c));
        diag_clear(t->d);
        if (mapped_file_open(t->a, one->path, &file, &why) != STATUS_OK) {
            one->why = why != NULL ? why : "out of memory";
            continue;
        }
        const char *text = arena_strndup(t->a, (const char *)file.bytes, file.n);
        TRY_ALLOC(text);
        one->why = run_case(t, text, one->path);
    }
    return STATUS_OK;
}

static status tell(const testing *t, arena *a, report *out) {
    strbuf s = strbuf_in(a);
    json j = json_begin();
    size_t passed = 0;
    cJSON *list = json_list(&j, NULL, "cases");
    for (size_t i = 0; i < t->cases.n; i++) {
        const plugin_case *one = &t->cases.at[i];
        passed += one->why == NULL;
        strbuf_printf(&s, "%s %s\n", one->why == NULL ? "ok  " : "FAIL", one->name);
        if (one->why != NULL)
            strbuf_printf(&s, "%s\n", one->why);
        cJSON *item = json_item(&j, list);
        json_text(&j, item, "name", one->name);
        json_text(&j, item, "result", one->why == NULL ? "pass" : "fail");
        json_text(&j, item, "message", one->why);
    }
    strbuf_printf(&s, "%zu of %zu passed\n", passed, t->cases.n);
    json_integer(&j, NULL, "passed", (int64_t)passed);
    json_integer(&j, NULL, "total", (int64_t)t->cases.n);
    TRY(json_finish(&j, a, &out->json));
    TRY(strbuf_finish(&s, &out->text));
    return passed == t->cases.n ? STATUS_OK : STATUS_DIFFER;
}

static status test_plugin(testing *t, const tenon_options *o, const char *file, const char *folder, arena *a,
                          report *out) {
    TRY_ALLOC(t->d = diag_new(&t->c->memory));
    TRY_ALLOC(t->a = arena_new(&t->c->memory));
    TRY_ALLOC(t->plugins = plugin_set_new(t->a, t->c->diags));
    if (o->isolate.wanted)
        TRY(isolation_new(o, t->a, &t->plugins->isolation));
    TRY(plugin_load(t->plugins, file));
    TRY(find_cases(t, folder));
    TRY(run_cases(t));
    return tell(t, a, out);
}

TENON_API tenon_status tenon_passes_test(const tenon_options *o, const char *file, const char *folder,
                                         tenon_report **out) {
    tenon_context *c = o->c;
    size_t errors = context_begin(c);
    testing t = {.c = c};
    tenon_report *r = report_new(c);
    status s = r == NULL ? STATUS_RESOURCE : test_plugin(&t, o, file, folder, r->memory, &r->forms);
    arena_free(t.a);
    diag_free(t.d);
    return report_end(c, s, errors, r, out);
}
