/* Plugins that are kept out of this process: each call of one is a worker's, whose answer nobody has to believe. */
#include <string.h>

#include "plugin/wire.h"

/* A plugin as its passes' entries know it. */
typedef struct isolated_plugin {
    pass_runner runner; /* first: an entry has a pointer to it */
    const plugin_isolation *how;
    const char *file;
} isolated_plugin;

/* One call of a worker. */
typedef struct asking {
    const plugin_isolation *how;
    arena *a;
    parcel request, answer;
    strbuf text; /* of the request */
    const char *reply;
    size_t n_reply;
    worker_outcome outcome;
} asking;

/* What the worker says of its work. */
typedef struct result {
    status s;
    int code;
    bool broke_rules;
} result;

static const char *const fate_ids[] = {
    [WORKER_CRASHED] = "plugin-crashed",
    [WORKER_LATE] = "plugin-late",
    [WORKER_OUT_OF_MEMORY] = "plugin-memory",
    [WORKER_NOT_STARTED] = "no-worker",
};

static const char *what_of(const asking *k) {
    return k->outcome.what != NULL ? k->outcome.what : "failed";
}

static diag_place place(const char *file) {
    return (diag_place){file, NULL, -1, NULL, NULL};
}

static status begin(const plugin_isolation *how, const char *file, arena *a, asking *out) {
    *out = (asking){.how = how, .a = a, .text = strbuf_in(a)};
    TRY(parcel_new(a, &out->request));
    TRY(parcel_new(a, &out->answer));
    wire_put(&out->text, file);
    return STATUS_OK;
}

/* The reply is there where the outcome is WORKER_ANSWERED. */
static status ask(asking *k, const char *job) {
    const char *text;
    TRY(strbuf_finish(&k->text, &text));
    TRY(parcel_finish(&k->request, text, k->text.n));
    k->outcome = worker_call(&k->how->worker, job, &k->request, &k->answer, k->a);
    if (k->outcome.fate != WORKER_ANSWERED)
        return STATUS_OK;
    status s = parcel_read_text(&k->answer, k->a, &k->reply, &k->n_reply);
    return s == STATUS_INVALID ? STATUS_OK : s; /* an empty reply is no answer */
}

static result read_result(wire *w) {
    result r = {STATUS_INVALID, TENON_PASS_INVALID, true};
    w->ok = wire_take(w, "result");
    r.s = (status)wire_integer(w, STATUS_OK, STATUS_RESOURCE);
    r.code = (int)wire_integer(w, INT32_MIN, INT32_MAX);
    r.broke_rules = wire_integer(w, 0, 1) == 1;
    return r;
}

/* ---- loading and trying ---- */

static status fail(const asking *k, const char *file, const char *doing, diag *d) {
    worker_fate fate = k->outcome.fate;
    if (fate == WORKER_STOPPED)
        return STATUS_RESOURCE; /* said by who stopped it */
    if (fate == WORKER_NOT_STARTED)
        return diag_error(d, STATUS_RESOURCE, fate_ids[fate], DIAG_NOWHERE, "--isolate: %s", what_of(k));
    diag_error(d, STATUS_INVALID, fate_ids[fate], place(file), "the plugin %s", what_of(k));
    diag_note(d, "that was in a process of its own, while it was %s", doing);
    return STATUS_INVALID;
}

static status no_answer(const char *file, diag *d) {
    return diag_error(d, STATUS_INVALID, "plugin-answer", place(file),
                      "the plugin spoilt what its process answers: it cannot be read");
}

/* Has the job done; the reader stands behind the messages, which `d` then has. */
static status converse(asking *k, const char *job, const char *doing, const char *file, diag *d, wire *out) {
    TRY(ask(k, job));
    if (k->outcome.fate != WORKER_ANSWERED)
        return fail(k, file, doing, d);
    *out = wire_read(k->reply, k->n_reply, k->a);
    result r = read_result(out);
    wire_messages(out, d);
    status s = wire_status(out);
    return s == STATUS_INVALID ? no_answer(file, d) : s != STATUS_OK ? s : r.s;
}

status isolated_try_versions(const plugin_isolation *how, const char *file, arena *a, diag *d) {
    asking k;
    wire w;
    TRY(begin(how, file, a, &k));
    return converse(&k, WIRE_VERSIONS, "asked for other versions", file, d, &w);
}

status isolated_try_reopening(const plugin_isolation *how, const char *file, arena *a, diag *d) {
    asking k;
    wire w;
    TRY(begin(how, file, a, &k));
    return converse(&k, WIRE_REOPEN, "opened and closed several times", file, d, &w);
}

static int run_isolated(const pass_runner *self, pass_host *h);

status isolated_load(plugin_set *s, loaded_plugin *l) {
    asking k;
    wire w;
    isolated_plugin *made = ARENA_NEW(s->memory, isolated_plugin);
    TRY_ALLOC(made);
    TRY(begin(s->isolation, l->file, s->memory, &k));
    TRY(converse(&k, WIRE_DESCRIBE, "loaded", l->file, s->d, &w));
    l->plugin = wire_plugin(&w);
    if (l->plugin == NULL)
        return w.out_of_memory ? STATUS_RESOURCE : no_answer(l->file, s->d);
    *made = (isolated_plugin){{run_isolated}, s->isolation, l->file};
    l->runner = &made->runner;
    return plugin_check(l->plugin, l->file, s->d);
}

/* ---- running: the request ---- */

static void put_values(strbuf *out, const char *word, const pass_request *q, const option_value *values) {
    const tenon_option *const *options = request_options(q->entry, &(size_t){0});
    for (size_t i = 0; i < q->n_options; i++) {
        if (!values[i].given)
            continue;
        strbuf_add(out, word);
        wire_put(out, options[i]->name);
        for (size_t k = 0; k < values[i].n; k++) {
            strbuf_add(out, " item");
            wire_put(out, values[i].items[k]);
        }
        strbuf_char(out, '\n');
    }
}

static void put_request(strbuf *out, const pass_host *h) {
    const pass_request *q = h->request;
    wire_put(out, pass_name(h->entry));
    wire_put(out, h->g->file);
    strbuf_char(out, '\n');
    for (const char *const *skip = h->registry->skip; skip != NULL && *skip != NULL; skip++) {
        strbuf_add(out, "skip");
        wire_put(out, *skip);
        strbuf_char(out, '\n');
    }
    put_values(out, "set", q, q->values);
    for (size_t i = 0; i < q->overrides.n; i++) {
        const pass_override *o = &q->overrides.at[i];
        strbuf_add(out, "override");
        wire_put(out, o->line);
        for (size_t k = 0; k < o->where.n; k++) {
            strbuf_add(out, " select");
            wire_put(out, o->where.terms[k].text);
        }
        strbuf_char(out, '\n');
        put_values(out, "with", q, o->values);
    }
}

/* ---- running: the answer ---- */

/* Events that nobody listens to are read all the same. */
static status read_events(wire *w, pass_report *report) {
    while (wire_take(w, "event")) {
        report_event e = {.kind = (report_kind)wire_integer(w, REPORT_LINE, REPORT_REAL)};
        const char *key = wire_optional(w), *text = wire_optional(w);
        e.i = wire_integer(w, INT64_MIN, INT64_MAX);
        e.f = wire_real(w);
        TRY(wire_status(w));
        if ((e.kind == REPORT_LINE || e.kind == REPORT_TEXT) && text == NULL)
            return STATUS_INVALID;
        if (report == NULL)
            continue;
        if (key != NULL)
            TRY_ALLOC(e.key = arena_strdup(report->memory, key));
        if (text != NULL)
            TRY_ALLOC(e.text = arena_strdup(report->memory, text));
        TRY(VEC_PUSH(report->memory, report->events, e));
    }
    return STATUS_OK;
}

static status read_bound(wire *w, const asking *k, const wire_store *store, pass_host *h) {
    while (wire_take(w, "bound")) {
        bound_input b = {.name = arena_strdup(h->bound_memory, wire_text(w))};
        tensor *t;
        TRY_ALLOC(b.name);
        TRY(wire_tensor(w, store, &k->answer, h->bound_memory, &t));
        b.value = t;
        if (h->bound != NULL)
            TRY(VEC_PUSH(h->bound_memory, *h->bound, b));
    }
    return STATUS_OK;
}

/* What is wrong with a graph's text is told of the pass, not at a line that nobody sees. */
static status read_graph(wire *w, const asking *k, wire_store *store, pass_host *h) {
    graph *g = NULL;
    diag *said = diag_new(arena_allocator(k->a));
    TRY_ALLOC(said);
    status s = wire_graph(w, store, &k->answer, h->g->file, arena_allocator(h->g->memory), said, k->how->ops, &g);
    if (s == STATUS_INVALID)
        pass_host_blame(h, "plugin-answer", "left a graph that cannot be read: %s",
                        diag_count(said) > 0 ? diag_at(said, 0)->message : "it is not complete");
    diag_free(said);
    if (s == STATUS_OK) {
        g->diags = h->d;
        graph_free(h->g);
        h->g = g;
    }
    return s;
}

static status read_answer(const asking *k, wire_store *store, pass_host *h, int *out_code) {
    wire w = wire_read(k->reply, k->n_reply, k->a);
    size_t errors = diag_errors(h->d);
    result r = read_result(&w);
    wire_messages(&w, h->d);
    TRY(wire_status(&w));
    h->broke_rules |= r.broke_rules;
    *out_code = r.s != STATUS_OK ? (int)r.s : r.code;
    TRY(read_events(&w, h->report));
    TRY(read_bound(&w, k, store, h));
    TRY(wire_status(&w));
    return *out_code == TENON_OK && !h->broke_rules && diag_errors(h->d) == errors ? read_graph(&w, k, store, h)
                                                                                   : STATUS_OK;
}

/* ---- running ---- */

static int tell_fate(const asking *k, pass_host *h) {
    worker_fate fate = k->outcome.fate;
    if (fate == WORKER_NOT_STARTED)
        diag_error(h->d, STATUS_RESOURCE, fate_ids[fate], DIAG_NOWHERE, "--isolate: %s", what_of(k));
    else if (fate != WORKER_STOPPED)
        pass_host_blame(h, fate_ids[fate], "%s", what_of(k));
    return fate == WORKER_NOT_STARTED || fate == WORKER_STOPPED ? TENON_PASS_RESOURCE : TENON_PASS_INVALID;
}

static status converse_graph(const isolated_plugin *p, pass_host *h, arena *a, int *out_code) {
    asking k;
    wire_store store;
    TRY(begin(p->how, p->file, a, &k));
    TRY(wire_store_send(&store, &k.request, a));
    put_request(&k.text, h);
    TRY(wire_put_graph(&k.text, h->g, &store));
    TRY(ask(&k, WIRE_RUN));
    if (k.outcome.fate != WORKER_ANSWERED) {
        *out_code = tell_fate(&k, h);
        return STATUS_OK;
    }
    bool blamed = h->broke_rules;
    status s = read_answer(&k, &store, h, out_code);
    if (s == STATUS_INVALID && h->broke_rules == blamed)
        pass_host_blame(h, "plugin-answer", "spoilt what its process answers: it cannot be read");
    if (s == STATUS_OK && *out_code == TENON_PASS_RESOURCE && k.outcome.refused > 0)
        pass_host_blame(h, "plugin-memory", "failed: its limit of %zu MiB of memory refused it %llu more bytes",
                        p->how->worker.bytes >> 20, (unsigned long long)k.outcome.refused);
    return s;
}

static int run_isolated(const pass_runner *self, pass_host *h) {
    const isolated_plugin *p = (const isolated_plugin *)self;
    arena *a = arena_new(arena_allocator(h->scratch));
    int code = TENON_PASS_RESOURCE;
    status s = a != NULL ? converse_graph(p, h, a, &code) : STATUS_RESOURCE;
    arena_free(a);
    return s == STATUS_OK ? code : (int)s;
}
