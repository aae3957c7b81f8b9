/* What auto= can ask for. */
#include "auto.h"

/* ---- accuracy:POINTS: as many zeros as lose no more ---- */

static int begin_accuracy(judging *a) {
    return judge_find_labels(&a->by);
}

static int gain_zeros(judging *a, const weight *w, int level, double *out) {
    (void)a;
    *out = auto_levels[level] * (double)w->count;
    return TENON_OK;
}

static int judge_accuracy(judging *a, int *out_met) {
    job *j = a->j;
    TRY(judge_run(&a->by, a->by.n));
    *out_met = judge_lost_at_most(&a->by, a->asked);
    if (*out_met) {
        j->lost = a->by.before - a->by.right;
        j->judged = a->by.n;
    }
    return TENON_OK;
}

/* ---- latency:SHARE: as little harm as takes no longer, by the cost model ---- */

static int cycles_of(const judging *a, double *out) {
    *out = a->j->cost->cycles(a->j->host, a->j->g, a->target);
    return *out >= 0 ? TENON_OK : TENON_PASS_INVALID;
}

/* An input's dimension that is open is said here, once; what computes the cycles would say it of each node. */
static int check_shapes(const job *j) {
    int is_open = 0;
    for (int i = 0; i < j->graph->inputs(j->g); i++) {
        const tenon_value *v = j->graph->input(j->g, i);
        for (int k = 0; k < j->graph->rank(v); k++) {
            const char *dim = j->graph->dim(v, k) < 0 ? j->graph->dim_text(j->host, v, k) : NULL;
            if (dim != NULL)
                j->diag->error(j->host, NULL, "unbound-dimension",
                               "auto=latency: dimension '%s' of input '%s' has no size: give it with --dim %s=N", dim,
                               j->graph->value_name(v), dim);
            is_open |= dim != NULL;
        }
    }
    return is_open ? TENON_PASS_USAGE : TENON_OK;
}

static int begin_latency(judging *a) {
    TRY(check_shapes(a->j));
    a->target = a->j->option->text(a->j->host, "target", NULL);
    a->by.n = a->by.probes;
    return cycles_of(a, &a->cycles_before);
}

static int gain_cycles(judging *a, const weight *w, int level, double *out) {
    double cycles;
    (void)w;
    (void)level;
    TRY(cycles_of(a, &cycles));
    *out = a->cycles_before - cycles;
    return TENON_OK;
}

static int judge_latency(judging *a, int *out_met) {
    double cycles;
    TRY(cycles_of(a, &cycles));
    *out_met = cycles <= a->asked * a->cycles_before;
    if (*out_met)
        a->j->cycles_share = cycles / a->cycles_before;
    return TENON_OK;
}

const goal auto_goals[] = {
    {"accuracy", "expected points from 0 to 100, as in accuracy:0.5", 100, 1, begin_accuracy, gain_zeros,
     judge_accuracy},
    {"latency", "expected a share of the time from 0 to 1, as in latency:0.5", 1, 0, begin_latency, gain_cycles,
     judge_latency},
};
const int auto_n_goals = sizeof auto_goals / sizeof *auto_goals;
