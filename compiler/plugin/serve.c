/* What a worker does with a plugin: loads it, has it do one thing, and answers. */
#include <dlfcn.h>
#include <string.h>

#include "plugin/wire.h"

typedef struct serving {
    arena *a; /* of the answer */
    const serve_means *with;
    diag *d;
    wire in;
    const parcel *request;
    parcel *answer;
    strbuf body; /* what the job has to say after the messages */
    int code;    /* of the pass */
    bool broke_rules;
} serving;

/* ---- describe ---- */

static status describe(serving *j, const char *file, arena *memory) {
    plugin_set *s = plugin_set_new(memory, j->d);
    TRY_ALLOC(s);
    TRY(plugin_load(s, file));
    wire_put_plugin(&j->body, s->all.at[0]->plugin);
    return STATUS_OK;
}

/* ---- run ---- */

/* Takes ` item "x"` as often as it comes. */
static status read_items(wire *w, const char *word, const char *const **out, size_t *out_n) {
    VEC(const char *) list = {0};
    while (wire_take(w, word))
        TRY(VEC_PUSH(w->a, list, wire_text(w)));
    *out_n = list.n;
    TRY(VEC_PUSH(w->a, list, NULL));
    *out = list.at;
    return wire_status(w);
}

static status read_values(serving *j, const char *word, const pass_request *q, option_value *values) {
    while (wire_take(&j->in, word)) {
        const char *name = wire_text(&j->in), *const * items;
        size_t n;
        TRY(read_items(&j->in, "item", &items, &n));
        TRY(request_set(q, values, name, items, n, j->a, j->d));
    }
    return STATUS_OK;
}

static status read_override(serving *j, pass_request *q) {
    const char *const *terms, *why = NULL;
    size_t n;
    option_value *values = ARENA_NEW_N(j->a, option_value, q->n_options + 1);
    pass_override o = {.values = values, .line = wire_text(&j->in)};
    TRY_ALLOC(values);
    TRY(read_items(&j->in, "select", &terms, &n));
    TRY(selector_read(j->a, terms, n, &o.where, &why));
    TRY(read_values(j, "with", q, values));
    return VEC_PUSH(j->a, q->overrides, o);
}

static status read_skip(serving *j, pass_registry *r) {
    VEC(const char *) list = {0};
    while (wire_take(&j->in, "skip"))
        TRY(VEC_PUSH(j->a, list, wire_text(&j->in)));
    TRY(VEC_PUSH(j->a, list, NULL));
    r->skip = list.at;
    return STATUS_OK;
}

static status read_request(serving *j, const pass_registry *r, const char *pass, pass_request *out) {
    TRY(request_begin(r, pass, pass, j->a, j->d, out));
    TRY(read_values(j, "set", out, out->values));
    while (wire_take(&j->in, "override"))
        TRY(read_override(j, out));
    return wire_status(&j->in);
}

static void put_events(strbuf *out, const pass_report *report) {
    for (size_t i = 0; i < report->events.n; i++) {
        const report_event *e = &report->events.at[i];
        strbuf_printf(out, "event %d", (int)e->kind);
        wire_put(out, e->key);
        wire_put(out, e->text);
        strbuf_printf(out, " %lld", (long long)e->i);
        wire_put_real(out, e->f);
        strbuf_char(out, '\n');
    }
}

/* Not on a copy: this process has no other use for the graph. */
static status run_pass(serving *j, const pass_registry *r, const pass_request *q, graph *g, wire_store *store,
                       arena *memory) {
    pass_host h;
    pass_report report = {.entry = q->entry, .memory = j->a};
    bound_inputs bound = {0};
    pass_host_begin(&h, r, q->entry, j->d, memory);
    h.request = q;
    h.g = g;
    h.report = &report;
    h.bound = &bound;
    h.bound_memory = j->a;
    j->code = q->entry->pass->run(&h.base, q->entry->state, (tenon_graph *)g);
    j->broke_rules = h.broke_rules;
    put_events(&j->body, &report);
    for (size_t i = 0; i < bound.n; i++) {
        strbuf_add(&j->body, "bound");
        wire_put(&j->body, bound.at[i].name);
        TRY(wire_put_tensor(&j->body, bound.at[i].value, store));
        strbuf_char(&j->body, '\n');
    }
    return j->code == TENON_OK ? wire_put_graph(&j->body, g, store) : STATUS_OK;
}

static status run(serving *j, const char *file, arena *memory) {
    const char *pass = wire_text(&j->in), *graph_file = wire_optional(&j->in);
    plugin_set *s = plugin_set_new(memory, j->d);
    wire_store store;
    pass_request q;
    graph *g;
    TRY_ALLOC(s);
    TRY(plugin_load(s, file));
    s->registry->engine = j->with->engine;
    TRY(read_skip(j, s->registry));
    TRY(read_request(j, s->registry, pass, &q));
    TRY(wire_store_receive(&store, j->request, j->answer, j->a));
    TRY(wire_graph(&j->in, &store, NULL, graph_file, j->with->from, j->d, j->with->ops, &g));
    status done = run_pass(j, s->registry, &q, g, &store, memory);
    graph_free(g);
    return done;
}

/* ---- for `tenon passes --check` ---- */

static void close_library(void *library) {
    dlclose(library);
}

static status query_of(const serving *j, const char *file, arena *memory, tenon_plugin_query_function *out) {
    const char *path = strchr(file, '/') != NULL ? file : arena_printf(memory, "./%s", file);
    TRY_ALLOC(path);
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (library == NULL)
        return diag_error(j->d, STATUS_RESOURCE, "plugin", DIAG_NOWHERE, "%s", dlerror());
    TRY(arena_on_free(memory, close_library, library));
    *out = (tenon_plugin_query_function)(uintptr_t)dlsym(library, "tenon_plugin_query");
    return *out != NULL ? STATUS_OK : STATUS_INVALID;
}

static status fault(const serving *j, const char *what) {
    return diag_error(j->d, STATUS_INVALID, "plugin", DIAG_NOWHERE, "%s", what);
}

/* The same answer at all times, and for a host that offers more. */
static status versions(serving *j, const char *file, arena *memory) {
    static const uint32_t others[] = {TENON_PLUGIN_ABI + 1,
                                      TENON_PLUGIN_ABI + 0xff,
                                      TENON_PLUGIN_ABI_MAJOR << 16,
                                      (TENON_PLUGIN_ABI_MAJOR + 1) << 16,
                                      0,
                                      UINT32_MAX};
    tenon_plugin_query_function ask = NULL;
    TRY(query_of(j, file, memory, &ask));
    const tenon_plugin *p = ask(TENON_PLUGIN_ABI);
    tenon_plugin *before = p != NULL ? arena_copy(memory, p, p->struct_size) : NULL;
    if (before == NULL)
        return STATUS_OK; /* it refuses this version, which loading it says */
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        const tenon_plugin *other = ask(others[i]);
        if (i < 2 && other == NULL)
            return fault(j, "tenon_plugin_query gives NULL to a host of a newer minor version, which offers all that "
                            "this one does");
        if (ask(TENON_PLUGIN_ABI) != p || memcmp(p, before, before->struct_size) != 0)
            return fault(j, "tenon_plugin_query is not pure: asked again, it gives something else");
    }
    return STATUS_OK;
}

/* Sets one after the other, and two at once, as two models have them. */
static status reopen(serving *j, const char *file, arena *memory) {
    for (int i = 0; i < 3; i++) {
        arena *alone = arena_new(j->with->from);
        plugin_set *s = alone != NULL ? plugin_set_new(alone, j->d) : NULL;
        status done = s != NULL ? plugin_load(s, file) : STATUS_RESOURCE;
        arena_free(alone);
        TRY(done);
    }
    for (int i = 0; i < 2; i++) {
        plugin_set *s = plugin_set_new(memory, j->d);
        TRY_ALLOC(s);
        TRY(plugin_load(s, file));
    }
    return STATUS_OK;
}

/* ---- the answer ---- */

static const struct serve_row {
    const char *job;
    status (*serve)(serving *j, const char *file, arena *memory);
} rows[] = {{WIRE_DESCRIBE, describe}, {WIRE_RUN, run}, {WIRE_VERSIONS, versions}, {WIRE_REOPEN, reopen}};

/* A plugin is closed and unloaded before its work counts as done. */
static status serve_row(const struct serve_row *row, serving *j) {
    const char *file = wire_text(&j->in);
    arena *memory = arena_new(j->with->from);
    TRY_ALLOC(memory);
    status s = row->serve(j, file, memory);
    arena_free(memory);
    return s;
}

static status send(serving *j, status s) {
    strbuf text = strbuf_in(j->a);
    const char *body, *all;
    strbuf_printf(&text, "result %d %d %d\n", (int)s, j->code, j->broke_rules);
    wire_put_messages(&text, j->d);
    TRY(strbuf_finish(&j->body, &body));
    strbuf_add_n(&text, body, j->body.n);
    TRY(strbuf_finish(&text, &all));
    return parcel_finish(j->answer, all, text.n);
}

static status serve(const struct serve_row *row, const parcel *request, parcel *answer, const serve_means *with,
                    arena *a) {
    const char *text;
    size_t n;
    serving j = {
        .a = a, .with = with, .d = diag_new(with->from), .request = request, .answer = answer, .body = strbuf_in(a)};
    TRY_ALLOC(j.d);
    TRY(parcel_read_text(request, a, &text, &n));
    j.in = wire_read(text, n, a);
    status sent = send(&j, serve_row(row, &j));
    diag_free(j.d);
    return sent;
}

bool plugin_serve(const char *job, const parcel *request, parcel *answer, const serve_means *with, status *out) {
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (strcmp(rows[i].job, job) != 0)
            continue;
        arena *a = arena_new(with->from);
        *out = a != NULL ? serve(&rows[i], request, answer, with, a) : STATUS_RESOURCE;
        arena_free(a);
        return true;
    }
    return false;
}
