/* tenon eval: a model's accuracy, or its mean squared error, on labelled data, one sample a run. */
#include <string.h>

#include "api/input_names.h"
#include "api/measure.h"
#include "api/reports.h"
#include "data/data.h"

/* An input of the model, and the array that brings its samples. */
typedef struct fed_input {
    const value *v; /* of the imported graph */
    array samples;
    array_want want;
    input_shape shape; /* of one sample */
    void *data;        /* of the sample that is being run */
    int64_t count;     /* elements of it */
} fed_input;

typedef struct evaluation {
    tenon_graph *t;
    diag *d;
    arena *memory; /* the report's */
    npz *file;
    fed_input *inputs; /* those of the model that are not frozen, in its order */
    size_t n;
    array labels;
    int64_t samples;
    tenon_code *code;
    void **outputs;
    int judged; /* number of the output that the metric looks at */
    accuracy right;
    squares error;
} evaluation;

/* ---- the data ---- */

/* Real numbers for an integer input that feeds a DequantizeLinear are quantised as that undoes it. */
static void find_quantum(const value *v, array_want *w) {
    for (const use *u = v->uses; u != NULL && dtype_is_int(v->type.elem); u = u->next) {
        if (u->user == NULL || u->index != 0 || strcmp(u->user->op, "DequantizeLinear") != 0)
            continue;
        const value *scale = node_input(u->user, 1), *zero = node_input(u->user, 2);
        if (scale == NULL || scale->constant == NULL || scale->constant->count != 1 ||
            (zero != NULL && zero->constant == NULL))
            continue;
        w->quantised = true;
        w->quantum = tensor_double(scale->constant, 0);
        w->zero_point = zero != NULL ? tensor_int(zero->constant, 0) : 0;
    }
}

/* A sample with fewer dimensions than the input gets dimensions of 1 in front: the batch. */
static status sample_shape(evaluation *e, fed_input *in, const char *array_name) {
    int rank = in->samples.rank - 1;
    int wanted = in->v->type.rank > rank ? in->v->type.rank : rank;
    int64_t *dims = ARENA_NEW_N(e->memory, int64_t, wanted + 1);
    const char *giver = arena_printf(e->memory, "a sample of array '%s'", array_name);
    if (dims == NULL || giver == NULL)
        return STATUS_RESOURCE;
    for (int i = 0; i < wanted; i++)
        dims[i] = i < wanted - rank ? 1 : in->samples.dims[i - (wanted - rank) + 1];
    in->shape = (input_shape){in->v->name, giver, STATUS_INVALID, wanted, dims};
    return STATUS_OK;
}

static status read_array(evaluation *e, const char *name, const char *hint, array *out) {
    status s = npz_read(e->file, name, e->memory, e->d, out);
    if (s == STATUS_INVALID)
        diag_note(e->d, "%s", hint);
    TRY(s);
    if (out->rank == 0)
        return diag_error(e->d, STATUS_INVALID, "wrong-shape", DIAG_NOWHERE,
                          "array '%s' is one number; its first dimension must be the samples", name);
    if (e->samples >= 0 && e->samples != out->dims[0])
        return diag_error(e->d, STATUS_INVALID, "wrong-shape", DIAG_NOWHERE,
                          "array '%s' has %lld samples, others have %lld", name, (long long)out->dims[0],
                          (long long)e->samples);
    e->samples = out->dims[0];
    return STATUS_OK;
}

static status read_input(evaluation *e, fed_input *in) {
    const tenon_options *o = e->t->o;
    const char *mapped = options_find(&o->maps, in->v->name), *factor = options_find(&o->scales, in->v->name);
    const char *name = mapped != NULL ? mapped : in->v->name;
    in->want = (array_want){.name = in->v->name, .elem = in->v->type.elem, .scale = 1};
    if (factor != NULL && !options_real(factor, &in->want.scale))
        return diag_error(e->d, STATUS_USAGE, "usage", DIAG_NOWHERE, "--scale %s=%s: expected a number", in->v->name,
                          factor);
    find_quantum(in->v, &in->want);
    TRY(read_array(e, name, "--map INPUT=ARRAY names the array of an input", &in->samples));
    array_prepare(&in->samples, &in->want);
    return sample_shape(e, in, name);
}

static status read_data(evaluation *e) {
    const tenon_options *o = e->t->o;
    const graph *g = e->t->g;
    if (o->data == NULL)
        return diag_error(e->d, STATUS_USAGE, "usage", DIAG_NOWHERE,
                          "the data are missing: give them with --data FILE.npz");
    TRY_ALLOC(e->inputs = ARENA_NEW_N(e->memory, fed_input, g->inputs.n + 1));
    for (size_t i = 0; i < g->inputs.n; i++)
        if (options_find(&o->freeze, g->inputs.at[i]->name) == NULL)
            e->inputs[e->n++].v = g->inputs.at[i];
    TRY(input_check_names(e->t->c, g, "--map", &o->maps));
    TRY(input_check_names(e->t->c, g, "--scale", &o->scales));
    TRY(npz_open(o->data, e->memory, e->d, &e->file));
    for (size_t i = 0; i < e->n; i++)
        TRY(read_input(e, &e->inputs[i]));
    return read_array(e, o->label, "--label NAME names the array with what is expected", &e->labels);
}

/* ---- the code ---- */

static status compile(evaluation *e) {
    input_shape *shapes = ARENA_NEW_N(e->memory, input_shape, e->n + 1);
    TRY_ALLOC(shapes);
    for (size_t i = 0; i < e->n; i++)
        shapes[i] = e->inputs[i].shape;
    TRY(code_new(e->t, shapes, e->n, &e->code));
    if (e->code == NULL)
        return STATUS_OK;
    for (size_t i = 0; i < e->n; i++) {
        fed_input *in = &e->inputs[i];
        in->count = code_input(e->code, i)->n;
        TRY_ALLOC(in->data = arena_alloc(e->memory, code_buffer_bytes(code_input(e->code, i)) + 64));
    }
    return code_new_outputs(e->code, e->memory, &e->outputs);
}

/* ---- the metrics ---- */

/* The first output of more than one element has the classes. */
static status begin_accuracy(evaluation *e) {
    if (e->labels.count != e->samples)
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
    e->right.correct += (double)class == dtype_get_double(e->labels.elem, e->labels.data, (size_t)sample);
    return STATUS_OK;
}

static status begin_mse(evaluation *e) {
    e->judged = 0;
    int64_t each = e->samples > 0 ? e->labels.count / e->samples : 0;
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
        double want = dtype_get_double(e->labels.elem, e->labels.data, (size_t)(sample * b->n + i));
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
    const void **inputs = ARENA_NEW_N(e->memory, const void *, e->n + 1);
    TRY_ALLOC(inputs);
    for (int64_t s = 0; s < n; s++) {
        TRY(context_check_stop(e->t->c));
        for (size_t i = 0; i < e->n; i++) {
            fed_input *in = &e->inputs[i];
            TRY(array_sample(&in->samples, s, &in->want, in->count, in->data, e->d));
            inputs[i] = in->data;
        }
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
    int64_t n = o->limit > 0 && o->limit < e->samples ? o->limit : e->samples;
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
    evaluation e = {.t = t, .d = t->c->diags, .samples = -1};
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
