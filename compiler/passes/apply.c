/* Running one pass: on a copy, verified, then put in place. */
#include <stdarg.h>

#include "passes/host.h"

static const void *get_interface(const tenon_plugin_host *host, const char *id) {
    pass_host *h = pass_host_of(host);
    const void *found = h->registry->get_interface != NULL ? h->registry->get_interface(id) : NULL;
    if (found == NULL)
        pass_host_blame(h, "unknown-interface", "asks for the interface '%s', which this tenon does not have", id);
    return found;
}

static void *scratch(const tenon_plugin_host *host, size_t bytes) {
    return arena_alloc(pass_host_of(host)->scratch, bytes);
}

void pass_host_begin(pass_host *h, const pass_registry *r, const pass_entry *e, diag *d, arena *memory) {
    *h = (pass_host){.base = {sizeof h->base, TENON_PLUGIN_ABI, TENON_VERSION, get_interface, scratch},
                     .registry = r,
                     .entry = e,
                     .d = d,
                     .scratch = memory};
}

const char *pass_host_who(pass_host *h) {
    const pass_entry *e = h->entry;
    const char *who = e->plugin == NULL
                          ? arena_printf(h->scratch, "pass '%s'", pass_name(e))
                          : arena_printf(h->scratch, "pass '%s' of plugin '%s' (%s)", pass_name(e), e->plugin, e->file);
    return who != NULL ? who : pass_name(e);
}

void pass_host_blame(pass_host *h, const char *id, const char *format, ...) {
    va_list args;
    va_start(args, format);
    strbuf s = strbuf_in(h->scratch);
    strbuf_vprintf(&s, format, args);
    va_end(args);
    const char *text;
    if (strbuf_finish(&s, &text) == STATUS_OK)
        diag_error(h->d, STATUS_INVALID, id, DIAG_NOWHERE, "%s %s", pass_host_who(h), text);
    h->broke_rules = true;
}

/* ---- the transaction ---- */

static status code_status(int code) {
    return code >= STATUS_USAGE && code <= STATUS_RESOURCE ? (status)code : STATUS_INVALID;
}

/* What the host has said names the pass already. */
static void say_who(pass_host *h) {
    if (h->broke_rules)
        diag_note(h->d, "the graph is as it was before");
    else if (h->entry->plugin != NULL)
        diag_note(h->d, "said by %s; the graph is as it was before", pass_host_who(h));
}

/* Why it failed: what the host itself has said first (a file that is not there), else what the pass returned. */
static status failure(const pass_host *h, int code, size_t first) {
    for (size_t i = first; i < diag_count(h->d); i++)
        if (diag_at(h->d, i)->severity == DIAG_ERROR && diag_at(h->d, i)->code != STATUS_INVALID)
            return diag_at(h->d, i)->code;
    return code != TENON_OK ? code_status(code) : STATUS_INVALID;
}

/* What the pass returned, and what it did without saying so. */
static status judge(pass_host *h, int code, size_t errors, size_t first) {
    bool said = diag_errors(h->d) > errors;
    if (code != TENON_OK && !said && code != TENON_PASS_RESOURCE)
        diag_error(h->d, code_status(code), "pass-failed", DIAG_NOWHERE, "%s failed with code %d and did not say why",
                   pass_host_who(h), code);
    if (h->report != NULL)
        h->report->refused = code != TENON_OK && said && !h->broke_rules;
    if (code != TENON_OK || h->broke_rules || said) {
        if (said)
            say_who(h);
        return failure(h, code, first);
    }
    status s = graph_verify(h->g);
    if (s == STATUS_INVALID)
        diag_note(h->d, "%s left this graph, which is not valid: it is as it was before", pass_host_who(h));
    return s;
}

static status run(pass_host *h) {
    size_t errors = diag_errors(h->d), first = diag_count(h->d);
    const pass_entry *e = h->entry;
    int code = e->runner != NULL ? e->runner->run(e->runner, h) : e->pass->run(&h->base, e->state, (tenon_graph *)h->g);
    return judge(h, code, errors, first);
}

/* Is there a node for all that selects some? */
static status check_nodes(const pass_request *q, const graph *g, arena *a) {
    size_t n;
    const tenon_option *const *options = request_options(q->entry, &n);
    for (size_t i = 0; i < n; i++) {
        const option_value *v = &q->values[i];
        if (v->given)
            TRY(selector_check(&v->select, g, v->where, options[i]->name, a, g->diags));
    }
    for (size_t i = 0; i < q->overrides.n; i++)
        TRY(selector_check(&q->overrides.at[i].where, g, q->overrides.at[i].line, "select", a, g->diags));
    return STATUS_OK;
}

status pass_apply(const pass_registry *r, const pass_request *q, graph **g, pass_report *report, bound_inputs *bound,
                  arena *a) {
    arena *memory = arena_new(arena_allocator(a));
    TRY_ALLOC(memory);
    status s = check_nodes(q, *g, memory);
    pass_host h;
    pass_host_begin(&h, r, q->entry, (*g)->diags, memory);
    h.request = q;
    h.report = report;
    h.bound = bound;
    h.bound_memory = a;
    h.g = s == STATUS_OK ? graph_copy(*g) : NULL;
    if (s == STATUS_OK)
        s = h.g != NULL ? run(&h) : STATUS_RESOURCE;
    if (s == STATUS_OK) {
        graph *before = *g;
        *g = h.g;
        h.g = before;
    }
    graph_free(h.g);
    arena_free(memory);
    return s;
}
