/* What a worker does with its share of a suite. */
#include <stdlib.h>
#include <string.h>

#include "api/suite.h"
#include "frontend/frontend.h"

/* The share. */
typedef struct serving {
    arena *a;
    const char *folder, *options, *at, *end; /* `options`: where they begin; `at`: the cases that are left */
    strbuf reply;
    parcel *answer;
} serving;

/* One case, in a context of its own. */
typedef struct running {
    tenon_context *c;
    tenon_options *o;
    tenon_graph *graph;
    arena *a;
    const char *path, *text; /* the case's folder; what the outputs have to say */
} running;

void suite_put(strbuf *s, const char *text) {
    strbuf_add_n(s, text, strlen(text) + 1);
}

const char *suite_take(const char **at, const char *end) {
    const char *text = *at, *zero = text < end ? memchr(text, '\0', (size_t)(end - text)) : NULL;
    if (zero == NULL)
        return NULL;
    *at = zero + 1;
    return text;
}

/* ---- one case ---- */

static status set_options(const serving *j, running *r) {
    const char *at = j->options;
    for (const char *name; (name = suite_take(&at, j->end)) != NULL && *name != '\0';) {
        const char *text = suite_take(&at, j->end);
        TRY((status)tenon_options_set(r->o, name, text != NULL && *text != '\0' ? text : NULL));
    }
    return STATUS_OK;
}

check_limits suite_limits(const tenon_options *o) {
    bool given = options_are_given(o, "rtol");
    return (check_limits){.rtol = given ? o->rtol : 1e-3,
                          .rtol_bf16 = given ? o->rtol : 0x1p-6,
                          .atol = options_are_given(o, "atol") ? o->atol : 1e-7,
                          .steps = o->steps};
}

/* "test_data_set_0: largest error ..." of the first that does not pass. */
static status tell(running *r, const check_result *found) {
    strbuf s = strbuf_in(r->a);
    size_t i = 0;
    while (i < found->n && found->cases[i].passed)
        i++;
    if (i == found->n)
        return STATUS_OK;
    const char *slash = strrchr(found->cases[i].name, '/');
    strbuf_printf(&s, "%s: ", slash != NULL ? slash + 1 : found->cases[i].name);
    check_report_case(&s, &found->cases[i]);
    return strbuf_finish(&s, &r->text);
}

static status check(const serving *j, running *r) {
    bool stopped;
    check_result found;
    const char *model = arena_printf(r->a, "%s/model.onnx", r->path);
    TRY_ALLOC(model);
    TRY((status)tenon_options_new(r->c, &r->o));
    TRY(set_options(j, r));
    TRY((status)tenon_graph_open(r->c, model, r->o, &r->graph));
    const check_limits limits = suite_limits(r->o);
    status s = check_data(r->graph, &limits, &r->path, 1, r->a, &found, &stopped);
    if (s == STATUS_DIFFER)
        TRY(tell(r, &found));
    return s;
}

/* ---- the answer ---- */

/* The error that gave the status, where one did. */
static const diag_item *find_error(const running *r, status s) {
    for (size_t i = 0; i < diag_count(r->c->diags); i++)
        if (diag_at(r->c->diags, i)->severity == DIAG_ERROR && diag_at(r->c->diags, i)->code == s)
            return diag_at(r->c->diags, i);
    return NULL;
}

static const char *strip(const char *text, const char *before) {
    return text + (strncmp(text, before, strlen(before)) == 0 ? strlen(before) : 0);
}

/* The error's line; that it is about the case's model.onnx goes without saying. */
static status line_of(const running *r, const diag_item *error, const char **out) {
    for (size_t i = 0; i < diag_count(r->c->diags); i++) {
        if (diag_at(r->c->diags, i) != error)
            continue;
        char *line = diag_line(r->c->diags, i, r->a);
        TRY_ALLOC(line);
        line[strcspn(line, "\n")] = '\0';
        const char *inside = strip(line, r->path);
        *out = inside == line ? strip(line, "tenon: ") : strip(strip(strip(inside, ": "), "/"), "model.onnx: ");
    }
    return STATUS_OK;
}

static status find_operator(const running *r, const char *name, const char **out) {
    onnx_operator_list ops;
    const char *model = arena_printf(r->a, "%s/model.onnx", r->path);
    TRY_ALLOC(model);
    TRY(onnx_operators(model, r->a, &ops));
    *out = suite_operator(name, ops.at, ops.n);
    return STATUS_OK;
}

static status put_case(serving *j, const running *r, const char *name, status s, double ms) {
    const diag_item *error = s != STATUS_OK && s != STATUS_DIFFER ? find_error(r, s) : NULL;
    const char *fields[SUITE_FIELDS] = {NULL};
    TRY(find_operator(r, name, &fields[SUITE_OP]));
    /* A case without data is none. */
    s = error != NULL && strcmp(error->id, "no-data") == 0 ? STATUS_INVALID : s;
    fields[SUITE_STATUS] = arena_printf(r->a, "%d", (int)s);
    fields[SUITE_MS] = arena_printf(r->a, "%.3f", ms);
    fields[SUITE_MESSAGE] = r->text != NULL ? r->text : "out of memory";
    if (error != NULL)
        TRY(line_of(r, error, &fields[SUITE_MESSAGE]));
    for (int i = 0; i < SUITE_FIELDS; i++) {
        TRY_ALLOC(fields[i]);
        suite_put(&j->reply, fields[i]);
    }
    const char *all;
    TRY(strbuf_finish(&j->reply, &all));
    return parcel_finish(j->answer, all, j->reply.n);
}

static status serve_case(serving *j, const char *name) {
    running r = {.a = arena_new(&allocator_system)};
    status s = STATUS_RESOURCE;
    if (r.a != NULL && tenon_context_new(NULL, &r.c) == TENON_DONE &&
        (r.path = suite_path(r.a, j->folder, name)) != NULL) {
        double begin = clock_ms();
        s = check(j, &r);
        s = put_case(j, &r, name, s, clock_ms() - begin);
    }
    tenon_graph_free(r.graph);
    tenon_options_free(r.o);
    tenon_context_free(r.c);
    arena_free(r.a);
    return s;
}

static status serve(serving *j, const parcel *request) {
    const char *temporary;
    size_t n;
    TRY(parcel_read_text(request, j->a, &j->at, &n));
    j->end = j->at + n;
    j->folder = suite_take(&j->at, j->end);
    temporary = suite_take(&j->at, j->end);
    if (temporary == NULL || setenv("TMPDIR", temporary, 1) != 0)
        return STATUS_RESOURCE;
    j->options = j->at;
    for (const char *name; (name = suite_take(&j->at, j->end)) != NULL && *name != '\0';)
        suite_take(&j->at, j->end);
    for (const char *name; (name = suite_take(&j->at, j->end)) != NULL;)
        TRY(serve_case(j, name));
    return STATUS_OK;
}

status suite_serve(const parcel *request, parcel *answer) {
    serving j = {.a = arena_new(&allocator_system), .answer = answer};
    TRY_ALLOC(j.a);
    j.reply = strbuf_in(j.a);
    status s = serve(&j, request);
    arena_free(j.a);
    return s;
}
