/* tenon bench: how long a run takes, and what the code needs. */
#include "api/measure.h"
#include "api/model_cost.h"
#include "api/per_node.h"
#include "api/reports.h"
#include "api/seeded.h"

enum { LEAST_RUNS = 5 };
static const double WARM_UP_SHARE = 0.1;

typedef struct timing {
    tenon_code *code;
    const void *const *inputs;
    void *const *outputs;
    VEC(double) us;
} timing;

/* Runs for so many milliseconds, and LEAST_RUNS times at least; keeps the times only where `into` is given. */
static status run_for(timing *t, double milliseconds, arena *into) {
    double end = clock_ms() + milliseconds;
    for (int64_t runs = 0;; runs++) {
        double begin = clock_ms();
        if (runs >= LEAST_RUNS && begin >= end)
            return STATUS_OK;
        TRY(context_check_stop(t->code->c));
        begin = clock_ms();
        TRY(code_run_once(t->code, t->inputs, t->outputs));
        double us = (clock_ms() - begin) * 1e3;
        if (into != NULL)
            TRY(VEC_PUSH(into, t->us, us));
    }
}

static void fill_times(timing *t, bench_result *r) {
    measure_sort(t->us.at, t->us.n);
    r->runs = (int64_t)t->us.n;
    r->min_us = measure_quantile(t->us.at, t->us.n, 0);
    r->median_us = measure_quantile(t->us.at, t->us.n, 0.5);
    r->p99_us = measure_quantile(t->us.at, t->us.n, 0.99);
}

static status measure_times(timing *t, double seconds, arena *a, bench_result *r) {
    TRY(code_run(t->code, t->inputs, t->outputs)); /* with --backend all: do they agree? */
    TRY(run_for(t, seconds * 1e3 * WARM_UP_SHARE, NULL));
    TRY(run_for(t, seconds * 1e3, a));
    fill_times(t, r);
    return STATUS_OK;
}

static status bench(tenon_graph *t, tenon_code **code, arena *a, report *out) {
    double begin = clock_ms();
    void **inputs, **outputs;
    TRY(per_node_check(t));
    TRY(code_new(t, NULL, 0, code));
    if (*code == NULL)
        return STATUS_OK;
    bench_result r = {
        .compile_ms = t->import_ms + (clock_ms() - begin), .import_ms = t->import_ms, .threads = (int)t->o->threads};
    const program *p = (*code)->p;
    const program_facts *facts = &(*code)->facts;
    r.head = report_head_of(t, p->target);
    TRY(seeded_inputs((*code)->built.g, p, t->o->seed, a, &inputs));
    TRY(program_new_outputs((*code)->p, a, &outputs));
    timing times = {.code = *code, .inputs = (const void *const *)inputs, .outputs = outputs};
    TRY(measure_times(&times, t->o->seconds, a, &r));
    r.cpu = measure_cpu(a);
    r.macs = facts->macs;
    r.weight_bytes = facts->weight_bytes;
    r.arena_bytes = p->arena_bytes;
    r.code_bytes = (int64_t)(*code)->engines[0].code_bytes;
    r.resident_bytes = measure_resident();
    r.kernels = (int64_t)p->kernels.n;
    r.steps = (int64_t)p->steps.n;
    program_cost steps;
    cost_result cost;
    if (t->shared == NULL) {
        TRY(cost_of_model(&(*code)->built, p, a, &steps, &cost));
        r.cost = &cost;
    }
    r.tuned = (tuned_by){t->o->tune, (int64_t)(*code)->built.n_tuned};
    if (t->o->per_node || t->o->trace != NULL)
        TRY(per_node_measure(t, *code, times.inputs, outputs, a, &steps, &r));
    return bench_report(&r, a, out);
}

TENON_API tenon_status tenon_bench(tenon_graph *t, tenon_report **out) {
    size_t errors = context_begin(t->c);
    tenon_report *r = report_new(t->c);
    tenon_code *code = NULL;
    status s = r == NULL ? STATUS_RESOURCE : bench(t, &code, r->memory, &r->forms);
    if (s == STATUS_OK && code == NULL)
        s = report_stopped(r);
    tenon_code_free(code);
    return report_end_of(t, s, errors, r, out);
}
