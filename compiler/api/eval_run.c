/* tenon eval: a model's accuracy, or its mean squared error, on labelled data, one sample a run. */
#include <string.h>

#include "api/fed_data.h"
#include "api/input_names.h"
#include "api/measure.h"
#include "api/reports.h"

typedef struct evaluation {
    tenon_graph *t;
    diag *d;
    arena *memory; /* the report's */
    data_file file;
    fed_data fed;
    const array *labels;
    tenon_code *code;
    void **outputs;
    int judged; /* number of the output that the metric looks at */
    accuracy right;
    squares error;
} evaluation;

/* ---- the data ---- */

static status read_data(evaluation *e) {
    const tenon_options *o = e->t->o;
    TRY(data_file_open(e->t->c, o, e->memory, &e->file));
    TRY(input_check_names(e->t->c, e->t->g, "--map", &o->maps));
    TRY(input_check_names(e->t->c, e->t->g, "--scale", &o->scales));
    TRY(fed_data_read(&e->file, e->t, &e->fed));
    return data_file_array(&e->file, o->label, "--label NAME names the array with what is expected", &e->labels);
}

/* ---- the code ---- */

static status compile(evaluation *e) {
    const input_shape *shapes;
    size_t n_shapes;
    TRY(fed_data_shapes(&e->fed, &shapes, &n_shapes));
    TRY(code_new(e->t, shapes, n_shapes, &e->code));
    if (e->code == NULL)
        return STATUS_OK;
    TRY(fed_data_prepare(&e->fed, e->code));
    return code_new_outputs(e->code, e->memory, &e->outputs);
}

/* ---- the metrics ---- */

/* The first output of more than one element has the classes. */
static status begin_accuracy(evaluation *e) {
    if (e->labels->count != e->file.samples)
        return diag_error(e->d, STATUS_INVALID, "wrong-shape", DIAG_NOWHERE,
                          "array '%s' has more than one label for a sample", e->t->o->label);
    for (e->judged = 0; e->judged < e->code->p->n_outputs; e->judged++)
        if (code_output(e->code, (size_t)e->judged)->n > 1)
            return STATUS_OK;
    return diag_error(e->d, STATUS_UNSUPPORTED, "metric", DIAG_NOWHERE,
                      "accuracy needs an output with an element for each class");
}

static status judge_accuracy(evaluation *e, int64_t sample) {
    const program_buffer *b = code_output(e->code, (size_t)e->judged);
    int64_t class = metric_argmax(b->elem, e->outputs[e->judged], b->n);
    e->right.samples++;
    e->right.correct += (double)class == dtype_get_double(e->labels->elem, e->labels->data, (size_t)sample);
    return STATUS_OK;
}

static status begin_mse(evaluation *e) {
    e->judged = 0;
    int64_t each = e->file.samples > 0 ? e->labels->count / e->file.samples : 0;
    const program_buffer *b = code_output(e->code, 0);
    if (each != b->n)
        return diag_error(e->d, STATUS_INVALID, "wrong-shape", DIAG_NOWHERE,
                          "array '%s' has %lld elements a sample, output '%s' has %lld", e->t->o->label,
                          (long long)each, b->title, (long long)b->n);
    return STATUS_OK;
}

static status judge_mse(evaluation *e, int64_t sample) {
    const program_buffer *b = code_output(e->code, 0);
    for (int64_t i = 0; i < b->n; i++) {
        double want = dtype_get_double(e->labels->elem, e->labels->data, (size_t)(sample * b->n + i));
        double have = dtype_get_double(b->elem, e->outputs[0], (size_t)i);
        metric_squares(DT_F64, &want, &have, 1, &e->error);
    }
    return STATUS_OK;
}

typedef struct metric_row {
    const char *name;
    status (*begin)(evaluation *e);
    status (*judge)(evaluation *e, int64_t sample);
} metric_row;

static const metric_row metrics[] = {{"accuracy", begin_accuracy, judge_accuracy}, {"mse", begin_mse, judge_mse}};

static const metric_row *find_metric(const char *name) {
    const metric_row *m = metrics;
    while (strcmp(m->name, name) != 0)
        m++;
    return m;
}

/* ---- the samples ---- */

static status run_samples(evaluation *e, const metric_row *m, int64_t n) {
    const void **inputs = ARENA_NEW_N(e->memory, const void *, e->fed.n + 1);
    TRY_ALLOC(inputs);
    for (int64_t s = 0; s < n; s++) {
        TRY(context_check_stop(e->t->c));
        TRY(fed_data_sample(&e->fed, s, inputs));
        TRY(code_run(e->code, inputs, e->outputs));
        TRY(m->judge(e, s));
        context_progress(e->t->c, "evaluating", s + 1, n);
    }
    return STATUS_OK;
}

static status evaluate(evaluation *e, report *out) {
    const tenon_options *o = e->t->o;
    const metric_row *m = find_metric(o->metric);
    TRY(read_data(e));
    TRY(compile(e));
    if (e->code == NULL)
        return STATUS_OK;
    TRY(m->begin(e));
    int64_t n = data_file_samples(&e->file);
    double begin = clock_ms();
    TRY(run_samples(e, m, n));
    const program_facts *facts = &e->code->facts;
    eval_result r = {.head = report_head_of(e->t, e->code->p->target),
                     .metric = m->name,
                     .samples = n,
                     .correct = e->right.correct,
                     .seconds = (clock_ms() - begin) * 1e-3,
                     .weight_bytes = facts->weight_bytes,
                     .weight_bits = facts->weight_bits,
                     .data_bits = facts->data_bits};
    r.mse = e->error.n > 0 ? e->error.noise / (double)e->error.n : 0;
    metric_wilson(r.correct, n, &r.low, &r.high);
    return eval_report(&r, e->memory, out);
}

TENON_API tenon_status tenon_eval(tenon_graph *t, tenon_report **out) {
    size_t errors = context_begin(t->c);
    tenon_report *r = report_new(t->c);
    evaluation e = {.t = t, .d = t->c->diags};
    status s = STATUS_RESOURCE;
    if (r != NULL) {
        e.memory = r->memory;
        s = evaluate(&e, &r->forms);
        if (s == STATUS_OK && e.code == NULL)
            s = report_stopped(r);
    }
    tenon_code_free(e.code);
    return report_end_of(t, s, errors, r, out);
}
