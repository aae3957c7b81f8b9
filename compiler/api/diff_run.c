/* tenon diff: the values inside two forms of a model, compared on data, one sample a run. */
#include <string.h>

#include "api/diff_side.h"
#include "api/reports.h"

/* A pair, where its values are among the outputs, and what has been found so far. */
typedef struct compared {
    diff_pair of;
    int real[2];    /* numbers of outputs, of a and of b */
    int integer[2]; /* likewise; -1 none */
    bool is_output, same_bits;
    comparison numbers;
    saturation ends[2];
} compared;

typedef struct differing {
    tenon_graph *t;
    arena *memory; /* the report's */
    data_file file;
    diff_side a, b;
    const target *machine;
    compared *rows;
    size_t n;
    int64_t samples;
    bool stopped;
} differing;

/* ---- what is compared ---- */

static status open_other(differing *x, const char *path) {
    const tenon_graph *t = x->t;
    if (t->shared != NULL)
        return shared_model_refuse(t->c, t->file, "diff");
    if (path == NULL && t->o->asked.n == 0)
        return diag_error(t->c->diags, STATUS_USAGE, "usage", DIAG_NOWHERE,
                          "there is nothing to compare with: give a second model, or a pass with -p");
    diff_side *other = path != NULL ? &x->b : &x->a;
    TRY(model_side_open(&other->m, t->c, t->o, path != NULL ? path : t->path));
    const tenon_graph *opened = other->m.opened;
    if (opened->shared != NULL)
        return shared_model_refuse(t->c, opened->file, "diff");
    return model_side_options(&x->a.m, path != NULL ? t : opened, &x->b.m, path != NULL ? opened : t, x->memory);
}

static status build(differing *x) {
    const tenon_options *o = x->t->o;
    TRY(data_file_open(x->t->c, o, x->memory, &x->file));
    x->file.bound = &x->t->plan.bound;
    TRY(model_side_check_names(&x->a.m, &x->b.m, "--map", &o->maps));
    TRY(model_side_check_names(&x->a.m, &x->b.m, "--scale", &o->scales));
    TRY(diff_side_build(&x->a, &x->file, x->machine, x->memory));
    TRY(diff_side_build(&x->b, &x->file, x->machine, x->memory));
    x->stopped = x->a.built.stopped || x->b.built.stopped;
    return STATUS_OK;
}

static bool is_output(const diff_side *s, const diff_point *p) {
    return map_get_key(&s->numbers, MAP_KEY(p->v)) != NULL ||
           (p->real != NULL && map_get_key(&s->numbers, MAP_KEY(p->real)) != NULL);
}

static status expose(diff_side *s, diff_point *p, int *out_real, int *out_integer) {
    const value *real;
    TRY(diff_point_real(&s->points, p, &real));
    TRY(diff_side_expose(s, real, out_real));
    *out_integer = -1;
    return diff_point_is_integer(p) ? diff_side_expose(s, p->v, out_integer) : STATUS_OK;
}

static status match(differing *x) {
    diff_pairs pairs;
    TRY(diff_match(&x->a.points, &x->b.points, x->memory, &pairs));
    if (pairs.n == 0)
        return diag_error(x->t->c->diags, STATUS_INVALID, "no-match", DIAG_NOWHERE,
                          "the models have nothing in common: no value, node or output that could be compared");
    TRY_ALLOC(x->rows = ARENA_NEW_N(x->memory, compared, pairs.n));
    x->n = pairs.n;
    for (size_t i = 0; i < x->n; i++) { /* before any value becomes an output that was none */
        const diff_pair *of = &pairs.at[i];
        bool ends = is_output(&x->a, of->a) && is_output(&x->b, of->b);
        x->rows[i] = (compared){.of = *of, .is_output = ends, .same_bits = true, .numbers = metric_comparison()};
    }
    for (size_t i = 0; i < x->n; i++) {
        compared *row = &x->rows[i];
        TRY(expose(&x->a, row->of.a, &row->real[0], &row->integer[0]));
        TRY(expose(&x->b, row->of.b, &row->real[1], &row->integer[1]));
    }
    return STATUS_OK;
}

/* ---- the samples ---- */

static void count_ends(const diff_side *s, compared *row, int side) {
    int number = row->integer[side];
    if (number < 0)
        return;
    const program_buffer *b = code_output(s->m.code, (size_t)number);
    metric_saturation(b->elem, s->m.outputs[number], b->n, &row->ends[side]);
}

static void compare(const differing *x, compared *row) {
    const program_buffer *a = code_output(x->a.m.code, (size_t)row->real[0]);
    const program_buffer *b = code_output(x->b.m.code, (size_t)row->real[1]);
    const void *of_a = x->a.m.outputs[row->real[0]], *of_b = x->b.m.outputs[row->real[1]];
    int64_t at;
    metric_compare(a->elem, of_a, b->elem, of_b, a->n, &row->numbers);
    row->same_bits = row->same_bits && a->elem == b->elem && code_same_bits(a->elem, of_a, of_b, a->n, &at);
    count_ends(&x->a, row, 0);
    count_ends(&x->b, row, 1);
}

static status run_samples(differing *x) {
    x->samples = x->a.m.fed.n + x->b.m.fed.n > 0 ? data_file_samples(&x->file) : 1;
    if (x->samples == 0)
        return diag_error(x->t->c->diags, STATUS_INVALID, "no-data", DIAG_NOWHERE, "the data have no samples");
    for (int64_t s = 0; s < x->samples; s++) {
        TRY(context_check_stop(x->t->c));
        TRY(model_side_run(&x->a.m, s));
        TRY(model_side_run(&x->b.m, s));
        for (size_t i = 0; i < x->n; i++)
            compare(x, &x->rows[i]);
        context_progress(x->t->c, "comparing", s + 1, x->samples);
    }
    return STATUS_OK;
}

/* ---- the report ---- */

static double share_of(int64_t part, int64_t whole) {
    return whole > 0 ? (double)part / (double)whole : 0;
}

static status describe(const diff_point *p, const saturation *ends, arena *a, diff_value *out) {
    const node *n = p->v->def;
    strbuf s = strbuf_in(a);
    type_print(&p->v->type, &s);
    *out = (diff_value){.index = n != NULL ? n->source : -1,
                        .op = n != NULL        ? n->op
                              : p->v->is_input ? "(input)"
                                               : "(constant)",
                        .name = n != NULL && n->name != NULL ? n->name : "",
                        .value = p->v->name,
                        .is_quantised = p->quantum != NULL,
                        .has_integers = ends != NULL && ends->n > 0};
    if (out->has_integers) {
        int64_t zero = 0;
        bool known = diff_point_zero(p, &zero);
        dtype t = p->v->type.elem;
        out->least = share_of(ends->least, ends->n);
        out->largest = share_of(ends->largest, ends->n);
        out->saturated = (known && zero == dtype_min(t) ? 0 : out->least) +
                         (known && zero >= 0 && (uint64_t)zero == dtype_max(t) ? 0 : out->largest);
    }
    return strbuf_finish(&s, &out->type);
}

static status list_rows(const differing *x, diff_result *r) {
    diff_row *rows = ARENA_NEW_N(x->memory, diff_row, x->n + 1);
    TRY_ALLOC(rows);
    for (size_t i = 0; i < x->n; i++) {
        const compared *c = &x->rows[i];
        rows[i] = (diff_row){.by = c->of.by,
                             .is_of_b = c->of.is_of_b,
                             .is_input = c->of.a->v->is_input,
                             .is_output = c->is_output,
                             .same_bits = c->same_bits,
                             .numbers = c->numbers};
        TRY(describe(c->of.a, &c->ends[0], x->memory, &rows[i].a));
        TRY(describe(c->of.b, &c->ends[1], x->memory, &rows[i].b));
    }
    r->rows = rows;
    r->n = x->n;
    return STATUS_OK;
}

static status list_form(const differing *x, const diff_side *s, diff_form *out) {
    const tenon_options *o = &s->m.o;
    diff_pass *passes = ARENA_NEW_N(x->memory, diff_pass, o->asked.n + 1);
    diff_lost *lost = ARENA_NEW_N(x->memory, diff_lost, s->points.at.n + 1);
    if (passes == NULL || lost == NULL)
        return STATUS_RESOURCE;
    *out = (diff_form){.path = s->m.t.path, .passes = passes, .n_passes = o->asked.n, .lost = lost};
    for (size_t i = 0; i < o->asked.n; i++)
        passes[i] = (diff_pass){o->asked.at[i].name, o->asked.at[i].text};
    for (size_t i = 0; i < s->points.at.n; i++) {
        const diff_point *p = s->points.at.at[i];
        if (p->group != 0)
            continue;
        TRY(describe(p, NULL, x->memory, &lost[out->n_lost].value));
        lost[out->n_lost++].reason = p->reason;
    }
    return STATUS_OK;
}

static status report_all(const differing *x, report *out) {
    diff_result r = {.head = report_head_of(x->t, x->machine), .samples = x->samples, .threshold = x->t->o->threshold};
    TRY(list_rows(x, &r));
    TRY(list_form(x, &x->a, &r.a));
    TRY(list_form(x, &x->b, &r.b));
    TRY(diff_report(&r, x->memory, out));
    return diff_report_departs(&r) ? STATUS_DIFFER : STATUS_OK;
}

/* ---- all ---- */

static status compare_all(differing *x, const char *other, report *out) {
    TRY(open_other(x, other));
    x->machine = model_target(x->t, "host");
    if (x->machine == NULL)
        return STATUS_USAGE;
    TRY(build(x));
    if (x->stopped)
        return STATUS_OK;
    TRY(match(x));
    TRY(diff_side_compile(&x->a, x->memory));
    TRY(diff_side_compile(&x->b, x->memory));
    x->stopped = x->a.m.code == NULL || x->b.m.code == NULL;
    if (x->stopped)
        return STATUS_OK;
    TRY(run_samples(x));
    return report_all(x, out);
}

TENON_API tenon_status tenon_diff(tenon_graph *t, const char *other, tenon_report **out) {
    size_t errors = context_begin(t->c);
    tenon_report *r = report_new(t->c);
    differing x = {.t = t};
    status s = STATUS_RESOURCE;
    if (r != NULL) {
        x.memory = r->memory;
        s = compare_all(&x, other, &r->forms);
        if (s == STATUS_OK && x.stopped)
            s = report_stopped(r);
    }
    diff_side_free(&x.a);
    diff_side_free(&x.b);
    return report_end(t->c, s, errors, r, out);
}
