/* tenon draw: a picture of a model, or of what went and came between two. */
#include <string.h>

#include "api/diff_side.h"
#include "api/draw.h"
#include "api/files.h"
#include "api/reports.h"
#include "report/drawer.h"

enum { SAID_BYTES = 4096 };

status draw_open(tenon_context *c, const drawer **out) {
    arena *scratch = arena_new(&c->memory);
    TRY_ALLOC(scratch);
    const char *why;
    *out = context_module("tenon-draw.so", "tenon_draw_query", DRAWER_VERSION, scratch, &why);
    if (*out == NULL && why != NULL) {
        diag_error(c->diags, STATUS_RESOURCE, "no-drawing", DIAG_NOWHERE, "the module that draws cannot be opened: %s",
                   why);
        diag_note(c->diags, "install Graphviz's library (Debian: libgvc6); -o FILE.dot works without it");
    }
    arena_free(scratch);
    return *out != NULL ? STATUS_OK : STATUS_RESOURCE;
}

/* ---- the picture ---- */

/* The model's file, and what -p makes of it. */
static status title_of(const tenon_graph *t, arena *a, const char **out) {
    strbuf s = strbuf_in(a);
    strbuf_add(&s, t->file);
    for (size_t i = 0; i < t->o->asked.n; i++)
        strbuf_printf(&s, " %s%s %s", strcmp(t->o->asked.at[i].name, "p") == 0 ? "-" : "--", t->o->asked.at[i].name,
                      t->o->asked.at[i].text);
    return strbuf_finish(&s, out);
}

status draw_dot(const tenon_graph *t, graph *g, arena *a, const char **out) {
    drawing d = {.memory = a, .registry = t->plan.registry, .g = g};
    picture_view view;
    TRY(title_of(t, a, &d.p.title));
    TRY(draw_picture(&d));
    return picture_dot(&d.p, t->o->depth, a, out, &view);
}

/* ---- files ---- */

static const char *const formats[] = {"svg", "png", "pdf", "dot"};

typedef struct drawing_run {
    tenon_graph *t;
    arena *memory; /* the report's */
    const char *file, *format;
    const drawer *module; /* NULL: DOT needs none */
    diff_side a, b;       /* the graph's, and what it is compared with */
    drawing d;
    draw_result r;
} drawing_run;

static status choose_format(drawing_run *x) {
    const char *dot = strrchr(x->file, '.');
    for (size_t i = 0; i < sizeof formats / sizeof *formats && dot != NULL; i++)
        if (strcmp(dot + 1, formats[i]) == 0)
            x->format = formats[i];
    if (x->format == NULL)
        return diag_error(x->t->c->diags, STATUS_USAGE, "usage", DIAG_NOWHERE,
                          "-o %s: the file's name says what is drawn: .svg, .png, .pdf or .dot", x->file);
    return strcmp(x->format, "dot") == 0 ? STATUS_OK : draw_open(x->t->c, &x->module);
}

/* libgvc's words as one line. */
static const char *one_line(char *said) {
    size_t n = strlen(said);
    while (n > 0 && (said[n - 1] == '\n' || said[n - 1] == ' '))
        said[--n] = '\0';
    for (char *c = said; *c != '\0'; c++)
        if (*c == '\n')
            *c = ' ';
    return *said != '\0' ? said : "it does not say why";
}

static int is_stopped(void *ctx) {
    const tenon_context *c = ctx;
    return c->host.stop != NULL && c->host.stop(c->host.data) != 0;
}

static status complain(drawing_run *x, drawer_result done, char *said) {
    diag *diags = x->t->c->diags;
    if (done == DRAWER_STOPPED)
        return diag_error(diags, STATUS_RESOURCE, "stopped", DIAG_NOWHERE, "stopped before the end");
    diag_error(diags, STATUS_RESOURCE, "drawing", (diag_place){.file = x->file, .node = -1},
               "Graphviz cannot draw it: %s", one_line(said));
    diag_note(diags, "are its plugins there (Debian: libgvc6)? -o FILE.dot writes what it was given");
    return STATUS_RESOURCE;
}

/* What Graphviz has drawn, in the report's memory. */
static status render(drawing_run *x, const char *dot, const void **out, size_t *out_n) {
    char said[SAID_BYTES] = "";
    drawn made = {.said = said, .said_bytes = sizeof said};
    drawer_host host = {is_stopped, x->t->c};
    drawer_result done = x->module->draw(dot, x->format, &host, &made);
    if (done != DRAWER_DONE)
        return complain(x, done, said);
    if (said[0] != '\0')
        diag_warn(x->t->c->diags, "drawing", (diag_place){.file = x->file, .node = -1}, "%s", one_line(said));
    status s = STATUS_OK;
    *out_n = made.bytes;
    if (strcmp(x->format, "svg") == 0)
        s = picture_svg(made.data, made.bytes, x->memory, (const char **)out, out_n);
    else if ((*out = arena_copy(x->memory, made.data, made.bytes)) == NULL)
        s = STATUS_RESOURCE;
    x->module->release(made.data);
    return s;
}

static status write_picture(drawing_run *x) {
    const char *dot;
    const void *data;
    TRY(picture_dot(&x->d.p, x->t->o->depth, x->memory, &dot, &x->r.view));
    size_t n = strlen(dot);
    data = dot;
    TRY(context_check_stop(x->t->c));
    if (x->module != NULL)
        TRY(render(x, dot, &data, &n));
    x->r.bytes = (int64_t)n;
    return files_write(x->file, data, n, x->t->c->diags);
}

/* ---- the models ---- */

static status build_both(drawing_run *x, const char *other) {
    tenon_graph *t = x->t;
    if (other == NULL)
        return model_build(t, NULL, 0, NULL, NULL, PIPELINE_PASSES, &x->a.built);
    TRY(model_side_open(&x->b.m, t->c, t->o, other));
    if (x->b.m.opened->shared != NULL)
        return shared_model_refuse(t->c, x->b.m.opened->file, "draw");
    TRY(model_side_options(&x->a.m, t, &x->b.m, x->b.m.opened, x->memory));
    TRY(model_build(&x->a.m.t, NULL, 0, NULL, NULL, PIPELINE_PASSES, &x->a.built));
    TRY(model_build(&x->b.m.t, NULL, 0, NULL, NULL, PIPELINE_PASSES, &x->b.built));
    x->d.before = x->b.built.g;
    x->d.p.other = x->b.m.opened->file;
    return STATUS_OK;
}

static status draw(drawing_run *x, const char *other, tenon_report *out) {
    if (x->t->shared != NULL)
        return shared_model_refuse(x->t->c, x->t->file, "draw");
    TRY(choose_format(x));
    TRY(build_both(x, other));
    if (x->a.built.stopped || x->b.built.stopped)
        return report_stopped(out);
    x->d.memory = x->memory;
    x->d.registry = x->t->plan.registry;
    x->d.g = x->a.built.g;
    TRY(title_of(x->t, x->memory, &x->d.p.title));
    TRY(draw_picture(&x->d));
    TRY(write_picture(x));
    x->r.p = &x->d.p;
    x->r.file = x->file;
    x->r.constants = x->d.constants.at;
    x->r.n_constants = x->d.constants.n;
    return draw_report(&x->r, x->memory, &out->forms);
}

TENON_API tenon_status tenon_draw(tenon_graph *t, const char *other, const char *file, tenon_report **out) {
    size_t errors = context_begin(t->c);
    tenon_report *r = report_new(t->c);
    drawing_run x = {.t = t, .file = file};
    status s = STATUS_RESOURCE;
    if (r != NULL) {
        x.memory = r->memory;
        s = draw(&x, other, r);
    }
    diff_side_free(&x.a);
    diff_side_free(&x.b);
    return report_end_of(t, s, errors, r, out);
}
