/* What `tenon passes` says, and what passes report of their work. */
#include <string.h>

#include <tenon/plugin.h>

#include "report/json.h"
#include "report/report.h"

static const char *const kind_names[] = {
    [TENON_OPTION_BOOL] = "bool",      [TENON_OPTION_INT] = "int",           [TENON_OPTION_FLOAT] = "float",
    [TENON_OPTION_ENUM] = "enum",      [TENON_OPTION_STRING] = "text",       [TENON_OPTION_LIST] = "list",
    [TENON_OPTION_FLOATS] = "numbers", [TENON_OPTION_SELECTOR] = "selector",
};

static const char *doc_of(const tenon_pass *p) {
    return TENON_HAS(p, doc) ? p->doc : NULL;
}

static void json_option(json *j, cJSON *list, const tenon_option *o) {
    cJSON *item = json_item(j, list);
    json_text(j, item, "name", o->name);
    json_text(j, item, "kind", kind_names[o->kind]);
    json_text(j, item, "help", o->help);
    json_text(j, item, "default", o->default_value);
    cJSON *choices = o->choices != NULL ? json_list(j, item, "choices") : NULL;
    for (const char *const *c = o->choices; c != NULL && *c != NULL; c++)
        json_item_text(j, choices, *c);
}

static void json_names(json *j, cJSON *object, const char *key, const char *const *names) {
    cJSON *list = json_list(j, object, key);
    for (; names != NULL && *names != NULL; names++)
        json_item_text(j, list, *names);
}

static void json_pass(json *j, cJSON *list, const pass_entry *e) {
    const tenon_pass *p = e->pass;
    cJSON *item = json_item(j, list);
    json_text(j, item, "name", p->name);
    json_text(j, item, "stage", p->stage);
    json_text(j, item, "help", p->help);
    json_text(j, item, "doc", doc_of(p));
    json_text(j, item, "plugin", e->plugin);
    json_text(j, item, "file", e->file);
    json_bool(j, item, "keeps_numbers", (p->flags & TENON_PASS_KEEPS_NUMBERS) != 0);
    json_names(j, item, "after", p->after);
    json_names(j, item, "before", p->before);
    cJSON *options = json_list(j, item, "options");
    for (const tenon_option *const *o = p->options; o != NULL && *o != NULL; o++)
        json_option(j, options, *o);
}

static status as_json(const pass_entry *const *entries, size_t n, arena *a, const char **out) {
    json j = json_begin();
    cJSON *list = json_list(&j, NULL, "passes");
    for (size_t i = 0; i < n; i++)
        json_pass(&j, list, entries[i]);
    return json_finish(&j, a, out);
}

/* ---- all ---- */

static status list_stage(strbuf *s, arena *a, const char *title, const pass_entry *const *entries, size_t n,
                         const char *stage) {
    const char **cells = ARENA_NEW_N(a, const char *, 3 * n + 1);
    TRY_ALLOC(cells);
    size_t rows = 0;
    for (size_t i = 0; i < n; i++) {
        if (strcmp(entries[i]->pass->stage, stage) != 0)
            continue;
        cells[3 * rows] = entries[i]->pass->name;
        cells[3 * rows + 1] = entries[i]->plugin != NULL ? "plugin" : "built in";
        cells[3 * rows++ + 2] = entries[i]->pass->help;
    }
    strbuf_printf(s, "%s\n", title);
    report_table(s, cells, rows, 3, 3);
    return STATUS_OK;
}

status passes_report(const pass_registry *r, arena *a, report *out) {
    strbuf s = strbuf_in(a);
    TRY(list_stage(&s, a, "Asked for by -p NAME[:OPTION=VALUE,...]", r->all.at, r->all.n, "edit"));
    strbuf_char(&s, '\n');
    TRY(list_stage(&s, a, "Run on every model, in this order, until nothing changes; --skip NAME leaves one out",
                   r->clean_up.at, r->clean_up.n, "clean-up"));
    strbuf_char(&s, '\n');
    TRY(list_stage(&s, a, "Run when a model is lowered for its target; --skip NAME leaves one out", r->all.at, r->all.n,
                   "lowering"));
    strbuf_add(&s, "\ntenon passes NAME explains one\n");
    TRY(strbuf_finish(&s, &out->text));
    return as_json(r->all.at, r->all.n, a, &out->json);
}

/* ---- one ---- */

static void describe_names(strbuf *s, const char *what, const char *const *names) {
    for (size_t i = 0; names != NULL && names[i] != NULL; i++)
        strbuf_printf(s, "%s %s%s", i == 0 ? what : ",", names[i], names[i + 1] == NULL ? "\n" : "");
}

static status describe_options(strbuf *s, arena *a, const pass_entry *e) {
    size_t n;
    const tenon_option *const *options = request_options(e, &n);
    const char **cells = ARENA_NEW_N(a, const char *, 2 * n + 1);
    TRY_ALLOC(cells);
    for (size_t i = 0; i < n; i++) {
        const tenon_option *o = options[i];
        TRY_ALLOC(cells[2 * i] = arena_printf(a, "  %s=%s", o->name, o->argument));
        TRY_ALLOC(cells[2 * i + 1] = o->default_value == NULL
                                         ? o->help
                                         : arena_printf(a, "%s (default %s)", o->help, o->default_value));
    }
    if (n > 0)
        strbuf_add(s, "\noptions\n");
    report_table(s, cells, n, 2, 2);
    return STATUS_OK;
}

status pass_report_one(const pass_entry *e, arena *a, report *out) {
    const tenon_pass *p = e->pass;
    strbuf s = strbuf_in(a);
    strbuf_printf(&s, "%s: %s\n", p->name, p->help);
    if (doc_of(p) != NULL)
        strbuf_printf(&s, "\n%s\n", doc_of(p));
    strbuf_printf(&s, "\n%s, stage %s\n", e->plugin == NULL ? "built in" : e->file, p->stage);
    describe_names(&s, "runs after", p->after);
    describe_names(&s, "runs before", p->before);
    TRY(describe_options(&s, a, e));
    TRY(strbuf_finish(&s, &out->text));
    return as_json(&e, 1, a, &out->json);
}

/* ---- what they did ---- */

enum { MOST_DEEP = 32 };

static cJSON *open_event(json *j, cJSON *at, const report_event *e) {
    if (e->key == NULL)
        return e->kind == REPORT_LIST ? json_item_list(j, at) : json_item(j, at);
    return e->kind == REPORT_LIST ? json_list(j, at, e->key) : json_object(j, at, e->key);
}

static void write_event(json *j, cJSON *at, const report_event *e) {
    if (e->kind == REPORT_TEXT && e->key == NULL)
        json_item_text(j, at, e->text);
    else if (e->kind == REPORT_TEXT)
        json_text(j, at, e->key, e->text);
    else if (e->key == NULL)
        json_item_number(j, at, e->kind == REPORT_INTEGER ? (double)e->i : e->f);
    else if (e->kind == REPORT_INTEGER)
        json_integer(j, at, e->key, e->i);
    else
        json_number(j, at, e->key, e->f);
}

/* Ends that nothing was begun for, and what is too deep, is dropped. */
static void add_report(json *j, cJSON *list, const pass_report *r) {
    cJSON *open[MOST_DEEP] = {json_item(j, list)};
    int depth = 0, too_deep = 0;
    json_text(j, open[0], "pass", pass_name(r->entry));
    cJSON *lines = json_list(j, open[0], "text");
    for (size_t i = 0; i < r->events.n; i++) {
        const report_event *e = &r->events.at[i];
        if (e->kind == REPORT_LINE)
            json_item_text(j, lines, e->text);
        else if (e->kind == REPORT_END && too_deep > 0)
            too_deep--;
        else if (e->kind == REPORT_END)
            depth -= depth > 0;
        else if (e->kind > REPORT_END)
            write_event(j, open[depth], e);
        else if (depth + 1 == MOST_DEEP)
            too_deep++;
        else {
            cJSON *made = open_event(j, open[depth], e);
            open[++depth] = made;
        }
    }
}

status pass_reports_add(const pass_report *const *reports, size_t n, arena *a, const char **text) {
    json j = json_parse(*text);
    cJSON *list = json_list(&j, NULL, "passes");
    for (size_t i = 0; i < n; i++)
        add_report(&j, list, reports[i]);
    return json_finish(&j, a, text);
}
