/* tenon explain: where a quantised model loses its accuracy. Every node beside the float model's, and the model with
 * that node alone in floats. */
#include <string.h>

#include "api/diff_compare.h"
#include "api/operand.h"
#include "api/reports.h"

enum { SAMPLES = 128, MOST_FORMATS = 8 };

/* A form of the model before any value in it became an output. */
typedef struct form {
    const model_side *m;
    pipeline w;
} form;

typedef struct explaining {
    tenon_graph *t;
    tenon_options o; /* t's, with the number of samples */
    arena *memory;   /* the report's */
    differing d;     /* a: the float model, b: the quantised one */
    form floats, quantised;
    const array *labels; /* NULL: there are none */
    double **wanted;     /* by sample: the judged output of the float model */
    int64_t n_wanted;    /* elements of it */
    explain_row *rows;
    size_t n;
} explaining;

/* ---- the two models ---- */

static bool refuses_shared(const tenon_graph *t, status *out) {
    *out = t->shared != NULL ? shared_model_refuse(t->c, t->file, "explain") : STATUS_OK;
    return t->shared != NULL;
}

/* The float model: option against, else the file without option p. */
static status open_both(explaining *x) {
    tenon_graph *t = x->t;
    status s;
    if (refuses_shared(t, &s))
        return s;
    if (t->o->against == NULL && t->o->asked.n == 0) {
        model_side_take(&x->d.a.m, t);
        model_side_take(&x->d.b.m, t);
        return STATUS_OK;
    }
    TRY(model_side_open(&x->d.a.m, t->c, t->o, t->o->against != NULL ? t->o->against : t->path));
    if (refuses_shared(x->d.a.m.opened, &s))
        return s;
    return model_side_options(&x->d.a.m, x->d.a.m.opened, &x->d.b.m, t, x->memory);
}

static status open_data(explaining *x) {
    const tenon_options *o = &x->o;
    differing *d = &x->d;
    TRY(model_side_open_data(&d->a.m, &d->b.m, o, x->memory, &d->file));
    d->file.bound = &x->t->plan.bound;
    if (!data_file_has(&d->file, o->label) && !options_are_given(o, "label"))
        return STATUS_OK;
    TRY(data_file_array(&d->file, o->label, "--label NAME names the array with what is expected", &x->labels));
    return x->labels->count == d->file.samples
               ? STATUS_OK
               : diag_error(x->t->c->diags, STATUS_INVALID, "wrong-shape", DIAG_NOWHERE,
                            "array '%s' has more than one label for a sample", o->label);
}

/* Without a float model: the quantised one, with every node in floats. Its weights stay the rounded ones. */
static status take_out_quantisation(explaining *x) {
    graph *g = x->d.a.built.g;
    for (node *n = g->first; n != NULL; n = n->next)
        if (operand_any(n))
            TRY(operand_to_float(g, n, NULL, x->memory));
    return STATUS_OK;
}

static status keep(form *f, const diff_side *s) {
    f->m = &s->m;
    return model_build_copy(&s->built, &f->w);
}

static status build(explaining *x) {
    differing *d = &x->d;
    TRY(open_data(x));
    TRY(diff_side_build(&d->b, &d->file, d->machine, x->memory));
    TRY(diff_side_build(&d->a, &d->file, d->machine, x->memory));
    d->stopped = d->a.built.stopped || d->b.built.stopped;
    if (d->stopped)
        return STATUS_OK;
    if (x->t->o->against == NULL && x->t->o->asked.n == 0)
        TRY(take_out_quantisation(x));
    TRY(keep(&x->floats, &d->a));
    return keep(&x->quantised, &d->b);
}

/* ---- one form on all samples ---- */

typedef struct running {
    const explaining *x;
    model_side m; /* with code of its own */
    real_output judged;
    explain_score score;
} running;

static bool is_right(const running *r, int64_t sample) {
    const array *labels = r->x->labels;
    const program_buffer *b = code_output(r->m.code, (size_t)r->judged.number);
    int64_t class = metric_argmax(b->elem, r->m.outputs[r->judged.number], b->n);
    return labels != NULL && (double)class == dtype_get_double(labels->elem, labels->data, (size_t)sample);
}

static void judge(running *r, int64_t sample) {
    const double *wanted = r->x->wanted[sample];
    for (int64_t i = 0; i < r->x->n_wanted; i++) {
        double have = model_side_element(&r->m, &r->judged, i);
        metric_squares(DT_F64, &wanted[i], &have, 1, &r->score.error);
    }
    r->score.correct += is_right(r, sample);
}

static status keep_wanted(const explaining *x, const running *r, int64_t sample) {
    TRY_ALLOC(x->wanted[sample] = ARENA_NEW_N(x->memory, double, x->n_wanted + 1));
    for (int64_t i = 0; i < x->n_wanted; i++)
        x->wanted[sample][i] = model_side_element(&r->m, &r->judged, i);
    return STATUS_OK;
}

/* The float model comes first: its outputs are what the others are compared with. */
static status run_samples(explaining *x, running *r, bool is_float) {
    int64_t n = data_file_samples(&x->d.file), elements = model_side_elements(&r->m, &r->judged);
    if (is_float) {
        x->n_wanted = elements;
        TRY_ALLOC(x->wanted = ARENA_NEW_N(x->memory, double *, n + 1));
    } else if (elements != x->n_wanted) {
        return diag_error(x->t->c->diags, STATUS_INVALID, "wrong-shape", DIAG_NOWHERE,
                          "the output of the float model has %lld elements, the quantised one's has %lld",
                          (long long)x->n_wanted, (long long)elements);
    }
    for (int64_t s = 0; s < n; s++) {
        TRY(context_check_stop(x->t->c));
        TRY(model_side_run(&r->m, s));
        if (is_float)
            TRY(keep_wanted(x, r, s));
        judge(r, s);
    }
    return STATUS_OK;
}

/* Compiles f's graph, changed so that node `n` (NULL: none) computes in floats, and runs all samples. */
static status score(explaining *x, const form *f, const node *n, const node *from, explain_score *out) {
    running r = {.x = x, .m = *f->m};
    pipeline w;
    r.m.code = NULL;
    status s = model_build_copy(&f->w, &w);
    if (s == STATUS_OK && n != NULL)
        s = operand_to_float(w.g, graph_find_value(w.g, n->outputs[0]->name)->def, from, w.memory);
    if (s == STATUS_OK)
        s = code_new_built(&r.m.t, &w, &r.m.code);
    if (s == STATUS_OK)
        s = model_side_prepare(&r.m, x->memory);
    if (s == STATUS_OK) {
        model_side_classes(&r.m, &r.judged);
        s = run_samples(x, &r, f == &x->floats);
    }
    *out = r.score;
    tenon_code_free(r.m.code);
    model_build_free(&w);
    return s;
}

/* ---- the nodes ---- */

/* The pair that b's value of this name belongs to, with its own name where a has it too. */
static const compared *find_pair(const differing *d, const char *name) {
    const compared *found = NULL;
    for (size_t i = 0; i < d->n; i++) {
        const diff_pair *of = &d->rows[i].of;
        if (strcmp(of->b->v->name, name) == 0 && (found == NULL || strcmp(of->a->v->name, name) == 0))
            found = &d->rows[i];
    }
    return found;
}

/* The same node in the float model; NULL where it is not known. */
static const node *float_node(const explaining *x, const compared *pair, const node *n) {
    const value *v = pair != NULL ? graph_find_value(x->floats.w.g, pair->of.a->v->name) : NULL;
    const node *from = v != NULL ? v->def : NULL;
    bool same = from != NULL && strcmp(from->op, n->op) == 0 && from->n_inputs == n->n_inputs;
    return same ? from : NULL;
}

static status add_format(const explaining *x, const operand *in, explain_row *row) {
    const char *text, **list = in->real != NULL ? row->data : row->weights;
    TRY(operand_format(in, x->memory, &text));
    for (int i = 0; i < MOST_FORMATS; i++) {
        if (list[i] == NULL)
            list[i] = text;
        if (strcmp(list[i], text) == 0)
            break;
    }
    return STATUS_OK;
}

static status add_saturation(const explaining *x, const operand *in, explain_row *row) {
    const compared *pair = in->real != NULL ? find_pair(&x->d, in->q->name) : NULL;
    diff_value v;
    if (pair == NULL)
        return STATUS_OK;
    TRY(diff_compare_describe(pair->of.b, &pair->ends[1], x->memory, &v));
    if (v.has_integers) {
        row->has_integers = true;
        row->saturated = v.saturated > row->saturated ? v.saturated : row->saturated;
    }
    return STATUS_OK;
}

static status fill_row(explaining *x, const node *n, explain_row *row) {
    const compared *pair = find_pair(&x->d, n->outputs[0]->name);
    const node *from = float_node(x, pair, n);
    *row = (explain_row){.index = n->source, .op = n->op, .value = n->outputs[0]->name};
    row->name = n->name != NULL ? n->name : "";
    TRY_ALLOC(row->weights = ARENA_NEW_N(x->memory, const char *, MOST_FORMATS + 1));
    TRY_ALLOC(row->data = ARENA_NEW_N(x->memory, const char *, MOST_FORMATS + 1));
    for (int i = 0; i < n->n_inputs; i++) {
        operand in;
        if (!operand_read(node_input(n, i), &in))
            continue;
        TRY(add_format(x, &in, row));
        TRY(add_saturation(x, &in, row));
    }
    row->is_compared = pair != NULL;
    if (pair != NULL)
        row->numbers = pair->numbers;
    return score(x, &x->quantised, n, from, &row->alone);
}

static status explain_nodes(explaining *x) {
    const graph *g = x->quantised.w.g;
    int64_t total = 0;
    for (const node *n = g->first; n != NULL; n = n->next)
        total += operand_any(n) && n->outputs[0] != NULL;
    TRY_ALLOC(x->rows = ARENA_NEW_N(x->memory, explain_row, total + 1));
    for (const node *n = g->first; n != NULL; n = n->next) {
        if (!operand_any(n) || n->outputs[0] == NULL)
            continue;
        TRY(fill_row(x, n, &x->rows[x->n++]));
        context_progress(x->t->c, "explaining", (int64_t)x->n, total);
    }
    return STATUS_OK;
}

/* ---- all ---- */

static status explain(explaining *x, report *out) {
    x->o = *x->t->o;
    x->o.limit = x->o.limit > 0 ? x->o.limit : SAMPLES;
    x->d = (differing){.t = x->t, .memory = x->memory, .machine = model_target(x->t, "host")};
    if (x->d.machine == NULL)
        return STATUS_USAGE;
    TRY(open_both(x));
    TRY(build(x));
    if (x->d.stopped)
        return STATUS_OK;
    TRY(diff_compare_match(&x->d));
    TRY(diff_compare_run(&x->d));
    if (x->d.stopped)
        return STATUS_OK;
    explain_result r = {.head = report_head_of(x->t, x->d.machine), .samples = x->d.samples};
    r.has_labels = x->labels != NULL;
    r.is_own_reference = x->t->o->against == NULL && x->t->o->asked.n == 0;
    r.reference = x->d.a.m.t.path;
    TRY(score(x, &x->floats, NULL, NULL, &r.floats));
    TRY(score(x, &x->quantised, NULL, NULL, &r.quantised));
    TRY(explain_nodes(x));
    r.rows = x->rows;
    r.n = x->n;
    return explain_report(&r, x->memory, out);
}

TENON_API tenon_status tenon_explain(tenon_graph *t, tenon_report **out) {
    size_t errors = context_begin(t->c);
    tenon_report *r = report_new(t->c);
    explaining x = {.t = t};
    status s = STATUS_RESOURCE;
    if (r != NULL) {
        x.memory = r->memory;
        s = explain(&x, &r->forms);
        if (s == STATUS_OK && x.d.stopped)
            s = report_stopped(r);
    }
    model_build_free(&x.floats.w);
    model_build_free(&x.quantised.w);
    diff_side_free(&x.d.a);
    diff_side_free(&x.d.b);
    return report_end_of(t, s, errors, r, out);
}
