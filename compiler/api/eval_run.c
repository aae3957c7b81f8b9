/* tenon eval: a model's accuracy or error on labelled data, one sample a run; beside another's on the same samples. */
#include <math.h>
#include <string.h>

#include "api/measure.h"
#include "api/model_side.h"
#include "api/reports.h"

/* A model with what has been found of it. */
typedef struct evaluated {
    model_side m;
    real_output judged; /* by the metric */
    accuracy right;
    squares error;
    double margin; /* of the label's class before the best other, in the last sample */
    int64_t class; /* that it found in the last sample */
} evaluated;

typedef struct evaluation {
    tenon_graph *t;
    diag *d;
    arena *memory; /* the report's */
    data_file file;
    const array *labels; /* NULL: none are needed */
    evaluated sides[2];  /* the model, the one of option against */
    int n_sides;
    paired pairs;
    int64_t same_class, n_margins;
    double margin_squares;
    double seconds; /* of the model's runs */
} evaluation;

static int64_t elements(const evaluated *s) {
    return model_side_elements(&s->m, &s->judged);
}

static double element(const evaluated *s, int64_t i) {
    return model_side_element(&s->m, &s->judged, i);
}

static const char *title(const evaluated *s) {
    return code_output(s->m.code, (size_t)s->judged.number)->title;
}

/* ---- the models and their data ---- */

static status open_models(evaluation *e) {
    const tenon_options *o = e->t->o;
    evaluated *a = &e->sides[0], *b = &e->sides[1];
    e->n_sides = o->against != NULL ? 2 : 1;
    if (o->against == NULL) {
        model_side_take(&a->m, e->t);
        return STATUS_OK;
    }
    TRY(model_side_open(&b->m, e->t->c, o, o->against));
    return model_side_options(&a->m, e->t, &b->m, b->m.opened, e->memory);
}

static status compile(evaluation *e) {
    const model_side *b = e->n_sides > 1 ? &e->sides[1].m : NULL;
    TRY(model_side_open_data(&e->sides[0].m, b, e->t->o, e->memory, &e->file));
    for (int i = 0; i < e->n_sides; i++) {
        TRY(model_side_compile(&e->sides[i].m, &e->file, e->memory));
        if (e->sides[i].m.code == NULL)
            return STATUS_OK;
    }
    return STATUS_OK;
}

/* ---- the metrics ---- */

static status read_labels(evaluation *e) {
    return data_file_array(&e->file, e->t->o->label, "--label NAME names the array with what is expected", &e->labels);
}

static status check_labels(const evaluation *e, const evaluated *s) {
    for (int64_t i = 0; i < data_file_samples(&e->file); i++) {
        double label = dtype_get_double(e->labels->elem, e->labels->data, (size_t)i);
        if (!(label >= 0 && label < (double)elements(s)) || label != floor(label))
            return diag_error(e->d, STATUS_INVALID, "label", DIAG_NOWHERE,
                              "array '%s' has label %g for sample %lld; output '%s' has classes 0 to %lld",
                              e->t->o->label, label, (long long)i, title(s), (long long)elements(s) - 1);
    }
    return STATUS_OK;
}

static status begin_accuracy(evaluation *e, evaluated *s) {
    TRY(read_labels(e));
    if (e->labels->count != e->file.samples)
        return diag_error(e->d, STATUS_INVALID, "wrong-shape", DIAG_NOWHERE,
                          "array '%s' has more than one label for a sample", e->t->o->label);
    if (model_side_classes(&s->m, &s->judged))
        return check_labels(e, s);
    return diag_error(e->d, STATUS_UNSUPPORTED, "metric", DIAG_NOWHERE,
                      "accuracy needs an output with an element for each class");
}

static double margin_of(const evaluated *s, double label) {
    double best = -INFINITY, own = -INFINITY;
    for (int64_t i = 0; i < elements(s); i++) {
        double x = element(s, i);
        if ((double)i == label)
            own = x;
        else if (x > best)
            best = x;
    }
    return own - best;
}

static double judge_accuracy(evaluation *e, evaluated *s, int64_t sample) {
    const program_buffer *b = code_output(s->m.code, (size_t)s->judged.number);
    double label = dtype_get_double(e->labels->elem, e->labels->data, (size_t)sample);
    s->class = metric_argmax(b->elem, s->m.outputs[s->judged.number], b->n);
    s->margin = margin_of(s, label);
    bool right = (double)s->class == label;
    s->right.samples++;
    s->right.correct += right;
    return right;
}

static void pair_accuracy(evaluation *e) {
    double apart = e->sides[0].margin - e->sides[1].margin;
    e->same_class += e->sides[0].class == e->sides[1].class;
    if (!isfinite(apart))
        return;
    e->n_margins++;
    e->margin_squares += apart * apart;
}

/* Of the first output, whose elements are those of a label. */
static status begin_mse(evaluation *e, evaluated *s) {
    TRY(read_labels(e));
    s->judged = model_side_output(&s->m, 0);
    int64_t each = e->file.samples > 0 ? e->labels->count / e->file.samples : 0;
    if (each != elements(s))
        return diag_error(e->d, STATUS_INVALID, "wrong-shape", DIAG_NOWHERE,
                          "array '%s' has %lld elements a sample, output '%s' has %lld", e->t->o->label,
                          (long long)each, title(s), (long long)elements(s));
    return STATUS_OK;
}

static void judge_element(evaluated *s, double want, int64_t i, squares *into) {
    double have = element(s, i);
    metric_squares(DT_F64, &want, &have, 1, into);
}

static double judge_mse(evaluation *e, evaluated *s, int64_t sample) {
    int64_t n = elements(s);
    squares here = {0};
    for (int64_t i = 0; i < n; i++)
        judge_element(s, dtype_get_double(e->labels->elem, e->labels->data, (size_t)(sample * n + i)), i, &here);
    s->error.signal += here.signal;
    s->error.noise += here.noise;
    s->error.n += here.n;
    return here.n > 0 ? here.noise / (double)here.n : 0;
}

/* The other model's output is the reference where there is one, else the labels are. */
static status begin_sqnr(evaluation *e, evaluated *s) {
    if (e->n_sides == 1)
        return begin_mse(e, s);
    s->judged = model_side_output(&s->m, 0);
    if (s == &e->sides[1] && elements(&e->sides[0]) != elements(s))
        return diag_error(e->d, STATUS_INVALID, "wrong-shape", DIAG_NOWHERE,
                          "output '%s' has %lld elements, output '%s' of %s has %lld", title(&e->sides[0]),
                          (long long)elements(&e->sides[0]), title(s), s->m.t.path, (long long)elements(s));
    return STATUS_OK;
}

static double judge_sqnr(evaluation *e, evaluated *s, int64_t sample) {
    return e->n_sides == 1 ? judge_mse(e, s, sample) : 0;
}

static void pair_sqnr(evaluation *e) {
    for (int64_t i = 0; i < elements(&e->sides[0]); i++)
        judge_element(&e->sides[0], element(&e->sides[1], i), i, &e->sides[0].error);
}

static void pair_nothing(evaluation *e) {
    (void)e;
}

typedef struct metric_row {
    const char *name;
    status (*begin)(evaluation *e, evaluated *s);
    double (*judge)(evaluation *e, evaluated *s, int64_t sample); /* what is compared between two models */
    void (*pair)(evaluation *e);                                  /* after both have been judged */
} metric_row;

static const metric_row metrics[] = {{"accuracy", begin_accuracy, judge_accuracy, pair_accuracy},
                                     {"mse", begin_mse, judge_mse, pair_nothing},
                                     {"sqnr", begin_sqnr, judge_sqnr, pair_sqnr}};

static const metric_row *find_metric(const char *name) {
    const metric_row *m = metrics;
    while (strcmp(m->name, name) != 0)
        m++;
    return m;
}

/* ---- the samples ---- */

static status run_sample(evaluation *e, const metric_row *m, int64_t sample) {
    double scores[2];
    double begin = clock_ms();
    TRY(model_side_run(&e->sides[0].m, sample));
    e->seconds += (clock_ms() - begin) * 1e-3;
    if (e->n_sides > 1)
        TRY(model_side_run(&e->sides[1].m, sample));
    for (int i = 0; i < e->n_sides; i++)
        scores[i] = m->judge(e, &e->sides[i], sample);
    if (e->n_sides > 1) {
        metric_pair(scores[0], scores[1], &e->pairs);
        m->pair(e);
    }
    return STATUS_OK;
}

static status run_samples(evaluation *e, const metric_row *m, int64_t n) {
    for (int64_t s = 0; s < n; s++) {
        TRY(context_check_stop(e->t->c));
        TRY(run_sample(e, m, s));
        context_progress(e->t->c, "evaluating", s + 1, n);
    }
    return STATUS_OK;
}

/* ---- the report ---- */

static eval_score score_of(const evaluated *s) {
    eval_score r = {.path = s->m.t.path, .correct = s->right.correct};
    metric_wilson(r.correct, s->right.samples, &r.low, &r.high);
    r.mse = s->error.n > 0 ? s->error.noise / (double)s->error.n : 0;
    r.sqnr = metric_sqnr(&s->error);
    return r;
}

static void add_against(const evaluation *e, eval_result *r) {
    r->has_against = true;
    r->against = score_of(&e->sides[1]);
    r->pairs = e->pairs;
    r->same_class = e->same_class;
    r->margin_mse = e->n_margins > 0 ? e->margin_squares / (double)e->n_margins : NAN;
}

static status evaluate(evaluation *e, report *out, bool *out_stopped) {
    const metric_row *m = find_metric(e->t->o->metric);
    TRY(open_models(e));
    TRY(compile(e));
    *out_stopped = e->sides[e->n_sides - 1].m.code == NULL;
    if (*out_stopped)
        return STATUS_OK;
    int64_t n = data_file_samples(&e->file);
    if (n == 0)
        return diag_error(e->d, STATUS_INVALID, "no-samples", DIAG_NOWHERE, "%s has no samples", e->t->o->data);
    for (int i = 0; i < e->n_sides; i++)
        TRY(m->begin(e, &e->sides[i]));
    TRY(run_samples(e, m, n));
    const tenon_code *code = e->sides[0].m.code;
    eval_result r = {.head = report_head_of(e->t, code->p->target),
                     .metric = m->name,
                     .samples = n,
                     .score = score_of(&e->sides[0]),
                     .seconds = e->seconds,
                     .weight_bytes = code->facts.weight_bytes,
                     .weight_bits = code->facts.weight_bits,
                     .data_bits = code->facts.data_bits};
    if (e->n_sides > 1)
        add_against(e, &r);
    return eval_report(&r, e->memory, out);
}

TENON_API tenon_status tenon_eval(tenon_graph *t, tenon_report **out) {
    size_t errors = context_begin(t->c);
    tenon_report *r = report_new(t->c);
    evaluation e = {.t = t, .d = t->c->diags};
    status s = STATUS_RESOURCE;
    if (r != NULL) {
        bool stopped = false;
        e.memory = r->memory;
        s = evaluate(&e, &r->forms, &stopped);
        if (s == STATUS_OK && stopped)
            s = report_stopped(r);
    }
    model_side_free(&e.sides[0].m);
    model_side_free(&e.sides[1].m);
    return report_end_of(t, s, errors, r, out);
}
