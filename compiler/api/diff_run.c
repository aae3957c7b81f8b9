/* tenon diff: the values inside two forms of a model, compared on data, one sample a run. */
#include "api/diff_compare.h"
#include "api/reports.h"

/* ---- the models ---- */

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
    TRY(model_side_open_data(&x->a.m, &x->b.m, x->t->o, x->memory, &x->file));
    x->file.bound = &x->t->plan.bound;
    TRY(diff_side_build(&x->a, &x->file, x->machine, x->memory));
    TRY(diff_side_build(&x->b, &x->file, x->machine, x->memory));
    x->stopped = x->a.built.stopped || x->b.built.stopped;
    return STATUS_OK;
}

/* ---- the report ---- */

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
        TRY(diff_compare_describe(c->of.a, &c->ends[0], x->memory, &rows[i].a));
        TRY(diff_compare_describe(c->of.b, &c->ends[1], x->memory, &rows[i].b));
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
        TRY(diff_compare_describe(p, NULL, x->memory, &lost[out->n_lost].value));
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
    TRY(diff_compare_match(x));
    TRY(diff_compare_run(x));
    return x->stopped ? STATUS_OK : report_all(x, out);
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
