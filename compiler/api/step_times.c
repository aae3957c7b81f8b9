/* Traced runs: a clock read before each step and after the last. */
#include "api/step_times.h"

#include <string.h>

#include "api/measure.h"

enum { LEAST_RUNS = 5, MOST_RUNS = 2000, MOST_TICKS = 4000000, TICK_RUNS = 1001 };
static const double WARM_UP_SHARE = 0.1;

typedef struct tracing {
    tenon_code *code;
    llvm_code *traced;
    const void *const *inputs;
    void *const *outputs;
    size_t n_steps;
    size_t n_runs, most_runs;
    int64_t *ns; /* n_steps + 1 of each run */
    arena *memory;
} tracing;

void step_times_tick(void *ctx, int64_t step) {
    ((int64_t *)ctx)[step] = clock_ns();
}

static int64_t *ticks_of(const tracing *t, size_t run) {
    return t->ns + run * (t->n_steps + 1);
}

/* The median of two ticks with nothing between them, called as traced code calls them. */
static status cost_of_tick(arena *a, double *out_us) {
    llvm_tick volatile call = step_times_tick;
    double *us = ARENA_NEW_N(a, double, TICK_RUNS);
    int64_t at[2];
    TRY_ALLOC(us);
    for (size_t i = 0; i < TICK_RUNS; i++) {
        call(at, 0);
        call(at, 1);
        us[i] = (double)(at[1] - at[0]) * 1e-3;
    }
    measure_sort(us, TICK_RUNS);
    *out_us = measure_quantile(us, TICK_RUNS, 0.5);
    return STATUS_OK;
}

/* Runs for so many milliseconds, or `most` times where that is sooner. */
static status run_for(tracing *t, double milliseconds, size_t most) {
    double end = clock_ms() + milliseconds;
    for (t->n_runs = 0; t->n_runs < most && (t->n_runs < LEAST_RUNS || clock_ms() < end); t->n_runs++) {
        TRY(context_check_stop(t->code->c));
        TRY(code_check(t->code, t->code->c->llvm->run_traced(t->traced, t->inputs, t->outputs, t->code->scratch,
                                                             &t->code->engines[0].env, step_times_tick,
                                                             ticks_of(t, t->n_runs))));
    }
    return STATUS_OK;
}

/* Microseconds from tick `first` to tick `last` in each run, sorted. */
static void sorted_times(const tracing *t, size_t first, size_t last, double *out) {
    for (size_t r = 0; r < t->n_runs; r++)
        out[r] = (double)(ticks_of(t, r)[last] - ticks_of(t, r)[first]) * 1e-3;
    measure_sort(out, t->n_runs);
}

/* A run as long as the median one. */
static const int64_t *median_run(const tracing *t, double *scratch) {
    sorted_times(t, 0, t->n_steps, scratch);
    double median = measure_quantile(scratch, t->n_runs, 0.5);
    for (size_t r = 0; r < t->n_runs; r++)
        if ((double)(ticks_of(t, r)[t->n_steps] - ticks_of(t, r)[0]) * 1e-3 == median)
            return ticks_of(t, r);
    return t->ns;
}

static status summarise(const tracing *t, step_times *out) {
    double *us = ARENA_NEW_N(t->memory, double, t->n_steps + 1);
    double *runs = ARENA_NEW_N(t->memory, double, t->n_runs + 1);
    if (us == NULL || runs == NULL)
        return STATUS_RESOURCE;
    *out = (step_times){.us = us, .runs = (int64_t)t->n_runs};
    TRY(cost_of_tick(t->memory, &out->tick_us));
    for (size_t s = 0; s < t->n_steps; s++) {
        sorted_times(t, s, s + 1, runs);
        double median = measure_quantile(runs, t->n_runs, 0.5) - out->tick_us;
        us[s] = median > 0 ? median : 0;
    }
    out->line_ns = median_run(t, runs);
    return STATUS_OK;
}

static status trace(tracing *t, double seconds, step_times *out) {
    t->most_runs = MOST_TICKS / (t->n_steps + 1);
    t->most_runs = t->most_runs > MOST_RUNS ? MOST_RUNS : t->most_runs < LEAST_RUNS ? LEAST_RUNS : t->most_runs;
    TRY_ALLOC(t->ns = ARENA_NEW_N(t->memory, int64_t, t->most_runs *(t->n_steps + 1)));
    TRY(run_for(t, seconds * 1e3 * WARM_UP_SHARE, t->most_runs));
    TRY(run_for(t, seconds * 1e3, t->most_runs));
    return summarise(t, out);
}

status step_times_measure(tenon_code *code, const void *const *inputs, void *const *outputs, double seconds, arena *a,
                          step_times *out) {
    const llvm_options options = {.is_traced = true};
    const llvm_table *llvm;
    tracing t = {.code = code, .inputs = inputs, .outputs = outputs, .n_steps = code->p->steps.n, .memory = a};
    TRY(context_llvm(code->c, &llvm));
    TRY(llvm->compile(code->p, &options, &code->c->memory, code->c->diags, &t.traced));
    status s = trace(&t, seconds, out);
    llvm->release(t.traced);
    return s;
}
