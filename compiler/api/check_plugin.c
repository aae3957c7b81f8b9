/* tenon passes --check: what is wrong with a plugin's file, and with what it does when it is called as plugin.h says
 * that it will be. */
#include <string.h>

#include "api/elf_file.h"
#include "api/isolation.h"
#include "api/reports.h"
#include "ops/ops.h"
#include "report/json.h"

typedef enum verdict { FINE, WARNING, FAULT } verdict;

static const char *const verdict_marks[] = {[FINE] = "ok  ", [WARNING] = "warn", [FAULT] = "FAIL"};
static const char *const verdict_words[] = {[FINE] = "ok", [WARNING] = "warning", [FAULT] = "fail"};

typedef struct finding {
    const char *check;
    verdict is;
    const char *message; /* may have several lines */
} finding;

typedef struct checking {
    tenon_context *c;
    const char *file;
    arena *a;
    diag *d; /* of the checks: what they say goes into the findings */
    plugin_set *plugins;
    mapped_file bytes;
    VEC(finding) found;
    size_t n[FAULT + 1];
    status worst;
} checking;

/* What every pass is run on. */
static const char small_graph[] = "graph \"small\"(%x: f32[batch,3], %mask: f32[batch,4]) {\n"
                                  "  opset \"\" 28\n"
                                  "  const %w: f32[3,4] = [0.5, -1, 2, 0.25, 1, 0.125, -0.5, 3, -2, 1.5, 0.75, -0.25]\n"
                                  "  const %b: f32[4] = [0.1, 0.2, -0.3, 0.4]\n"
                                  "  %product: f32[batch,4] = MatMul-13(%x, %w) name \"dense/product\" source 0\n"
                                  "  %sum: f32[batch,4] = Add-14(%product, %b) name \"dense/sum\" source 1\n"
                                  "  %same: f32[batch,4] = Identity-25(%sum) name \"same\" source 2\n"
                                  "  %relu: f32[batch,4] = Relu-14(%same) name \"relu\" source 3\n"
                                  "  %masked: f32[batch,4] = Mul-14(%relu, %mask) name \"mask\" source 4\n"
                                  "  %y: f32[batch,4] = Softmax-13(%masked) {axis=1} name \"softmax\" source 5\n"
                                  "  return %y as \"y\", %sum as \"scores\"\n"
                                  "}\n";

static status add(checking *k, const char *check, verdict is, const char *message) {
    const finding f = {check, is, message};
    TRY_ALLOC(message);
    k->n[is]++;
    return VEC_PUSH(k->a, k->found, f);
}

/* A fault, with what has been said since the last; and the status that it gives the command. */
static status add_said(checking *k, const char *check, verdict is, status s) {
    strbuf text = strbuf_in(k->a);
    const char *message;
    for (size_t i = 0; i < diag_count(k->d); i++) {
        const char *line = diag_line(k->d, i, k->a);
        strbuf_printf(&text, "%s%s", i > 0 ? "\n" : "", line != NULL ? line : "out of memory");
    }
    TRY(strbuf_finish(&text, &message));
    diag_clear(k->d);
    if (is == FAULT && k->worst == STATUS_OK)
        k->worst = s;
    return add(k, check, is, message);
}

/* ---- the file ---- */

typedef struct name_list {
    strbuf text;
    size_t n;
} name_list;

static void add_name(name_list *list, const char *name) {
    strbuf_printf(&list->text, "%s%s", list->n++ > 0 ? ", " : "", name);
}

static void take_tenon_library(void *ctx, const char *name) {
    if (strncmp(name, "libtenon", strlen("libtenon")) == 0)
        add_name(ctx, name);
}

static void take_tenon_function(void *ctx, const char *name) {
    if (strncmp(name, "tenon_", strlen("tenon_")) == 0)
        add_name(ctx, name);
}

/* What a linker makes itself. */
static void take_export(void *ctx, const char *name) {
    static const char *const made[] = {"tenon_plugin_query", "_init", "_fini", "_edata", "_end", "__bss_start"};
    for (size_t i = 0; i < sizeof made / sizeof *made; i++)
        if (strcmp(made[i], name) == 0)
            return;
    add_name(ctx, name);
}

static status check_links(checking *k) {
    name_list libraries = {.text = strbuf_in(k->a)}, functions = {.text = strbuf_in(k->a)};
    elf_each_needed(&k->bytes, take_tenon_library, &libraries);
    elf_each_import(&k->bytes, take_tenon_function, &functions);
    if (libraries.n > 0)
        diag_error(k->d, STATUS_INVALID, "plugin", DIAG_NOWHERE,
                   "it links to %s: a plugin links to nothing of tenon, and has what plugin.h offers",
                   libraries.text.text);
    if (functions.n > 0)
        diag_error(k->d, STATUS_INVALID, "plugin", DIAG_NOWHERE,
                   "it calls %s of tenon's library; a plugin gets functions through host->get_interface",
                   functions.text.text);
    if (libraries.n + functions.n > 0)
        return add_said(k, "links", FAULT, STATUS_INVALID);
    return add(k, "links", FINE, "to nothing of tenon");
}

static status check_symbols(checking *k) {
    name_list others = {.text = strbuf_in(k->a)};
    elf_each_export(&k->bytes, take_export, &others);
    if (others.n == 0)
        return add(k, "symbols", FINE, "nothing but tenon_plugin_query is visible");
    return add(k, "symbols", WARNING,
               arena_printf(k->a, "also visible: %s; compile with -fvisibility=hidden", others.text.text));
}

/* ---- calling it ---- */

static status check_load(checking *k) {
    status s = plugin_load(k->plugins, k->file);
    return s != STATUS_OK ? add_said(k, "loading", FAULT, s)
                          : add(k, "loading", FINE, "it loads, is built as plugin.h asks, opens and closes");
}

static status check_versions(checking *k) {
    status s = isolated_try_versions(k->plugins->isolation, k->file, k->a, k->d);
    return s != STATUS_OK ? add_said(k, "versions", FAULT, s)
                          : add(k, "versions", FINE, "tenon_plugin_query is pure, and does not mind newer hosts");
}

static status check_reopening(checking *k) {
    status s = isolated_try_reopening(k->plugins->isolation, k->file, k->a, k->d);
    return s != STATUS_OK ? add_said(k, "reopening", FAULT, s)
                          : add(k, "reopening", FINE, "three times one after the other, and twice at once");
}

static status run_pass(checking *k, const tenon_options *o, const char *check, const char *name) {
    graph *g;
    pass_request q;
    pass_report r = {.memory = k->a};
    const allocator *from = &o->c->memory;
    TRY(request_begin(k->plugins->registry, name, name, k->a, k->d, &q));
    TRY(graph_parse(small_graph, sizeof small_graph - 1, "small graph", from, k->d, &ops_table, NULL, NULL, &g));
    r.entry = q.entry;
    status s = pass_apply(k->plugins->registry, &q, &g, &r, NULL, k->a);
    graph_free(g);
    if (s != STATUS_OK)
        return add_said(k, check, r.refused ? WARNING : FAULT, s);
    return add(k, check, FINE, "runs on a small graph with its default options");
}

static status check_passes(checking *k, const tenon_options *o) {
    const pass_registry *r = k->plugins->registry;
    for (size_t i = 0; i < r->all.n; i++) {
        if (r->all.at[i]->plugin == NULL)
            continue;
        const char *name = pass_name(r->all.at[i]), *check = arena_printf(k->a, "pass %s", name);
        TRY_ALLOC(check);
        TRY(context_check_stop(k->c));
        TRY(run_pass(k, o, check, name));
    }
    return STATUS_OK;
}

/* What cannot be loaded is not tried further. */
static status check_all(checking *k, const tenon_options *o) {
    static status (*const checks[])(checking *) = {check_links, check_symbols, check_load, check_versions,
                                                   check_reopening};
    for (size_t i = 0; i < sizeof checks / sizeof *checks; i++) {
        TRY(context_check_stop(k->c));
        TRY(checks[i](k));
        if (checks[i] == check_load && k->plugins->all.n == 0)
            return STATUS_OK;
    }
    return check_passes(k, o);
}

/* ---- telling ---- */

/* Lines after the first stand under it. */
static void tell_finding(strbuf *s, const finding *f) {
    strbuf_printf(s, "%s  %s: ", verdict_marks[f->is], f->check);
    for (const char *at = f->message; *at != '\0';) {
        size_t n = strcspn(at, "\n");
        strbuf_add_n(s, at, n);
        at += n + (at[n] == '\n');
        strbuf_add(s, *at != '\0' ? "\n      " : "");
    }
    strbuf_char(s, '\n');
}

static status tell(const checking *k, arena *a, report *out) {
    strbuf s = strbuf_in(a);
    json j = json_begin();
    json_text(&j, NULL, "file", k->file);
    if (k->plugins->all.n > 0)
        plugin_describe(k->plugins->all.at[0]->plugin, &s);
    cJSON *list = json_list(&j, NULL, "checks");
    for (size_t i = 0; i < k->found.n; i++) {
        const finding *f = &k->found.at[i];
        cJSON *item = json_item(&j, list);
        tell_finding(&s, f);
        json_text(&j, item, "name", f->check);
        json_text(&j, item, "result", verdict_words[f->is]);
        json_text(&j, item, "message", f->message);
    }
    strbuf_printf(&s, "%zu checks: %zu failed, %zu warnings\n", k->found.n, k->n[FAULT], k->n[WARNING]);
    json_integer(&j, NULL, "failed", (int64_t)k->n[FAULT]);
    json_integer(&j, NULL, "warnings", (int64_t)k->n[WARNING]);
    TRY(json_finish(&j, a, &out->json));
    return strbuf_finish(&s, &out->text);
}

static status open_file(checking *k) {
    const char *why;
    diag_place where = {k->file, NULL, -1, NULL, NULL};
    if (mapped_file_open(k->a, k->file, &k->bytes, &why) == STATUS_OK)
        return STATUS_OK;
    return diag_error(k->c->diags, STATUS_RESOURCE, "file", where, "%s", why != NULL ? why : "out of memory");
}

static status check_plugin(checking *k, const tenon_options *o, arena *a, report *out) {
    TRY_ALLOC(k->d = diag_new(&k->c->memory));
    TRY_ALLOC(k->a = arena_new(&k->c->memory));
    TRY_ALLOC(k->plugins = plugin_set_new(k->a, k->d));
    TRY(isolation_new(o, k->a, &k->plugins->isolation));
    TRY(open_file(k));
    TRY(check_all(k, o));
    return tell(k, a, out);
}

TENON_API tenon_status tenon_passes_check(const tenon_options *o, const char *file, tenon_report **out) {
    size_t errors = context_begin(o->c);
    checking k = {.c = o->c, .file = file};
    tenon_report *r = report_new(o->c);
    status s = r == NULL ? STATUS_RESOURCE : check_plugin(&k, o, r->memory, &r->forms);
    arena_free(k.a);
    diag_free(k.d);
    tenon_status ended = report_end(o->c, s, errors, r, out);
    return ended == TENON_DONE ? (tenon_status)k.worst : ended;
}
