/* What prune tells of its work. */
#include "prune.h"

static const char *const granularities[] = {"element", "block", "n:m", "column", "row", "channel", "head", "neuron"};

static void put_weights(const job *j) {
    j->report->begin_list(j->host, "weights");
    for (int i = 0; i < j->n_weights; i++) {
        const weight *w = &j->weights[i];
        j->report->begin_object(j->host, NULL);
        j->report->text(j->host, "name", w->name);
        j->report->text(j->host, "node", j->graph->node_name(w->node));
        j->report->text(j->host, "method", prune_method_name(w));
        j->report->text(j->host, "granularity", granularities[w->how.by]);
        j->report->integer(j->host, "numbers", w->count);
        j->report->integer(j->host, "zeros", w->zeros);
        j->report->real(j->host, "sparsity", (double)w->zeros / (double)w->count);
        j->report->real(j->host, "error", w->error);
        if (w->output_error >= 0)
            j->report->real(j->host, "output_error", w->output_error);
        j->report->end(j->host);
    }
    j->report->end(j->host);
}

static void put_activations(const job *j) {
    j->report->begin_list(j->host, "activations");
    for (int i = 0; i < j->n_activations; i++) {
        const activation *a = &j->activations[i];
        j->report->begin_object(j->host, NULL);
        j->report->text(j->host, "value", j->graph->value_name(a->value));
        j->report->real(j->host, "threshold", a->threshold);
        j->report->real(j->host, "sparsity", a->sparsity);
        j->report->real(j->host, "sparsity_before", a->was);
        j->report->end(j->host);
    }
    j->report->end(j->host);
}

static void say_weights(const job *j) {
    int64_t zeros = 0, numbers = 0;
    for (int i = 0; i < j->n_weights; i++) {
        zeros += j->weights[i].zeros;
        numbers += j->weights[i].count;
    }
    j->report->line(j->host, "%lld of %lld numbers of %d weights are zero: sparsity %.4f", (long long)zeros,
                    (long long)numbers, j->n_weights, numbers > 0 ? (double)zeros / (double)numbers : 0);
    for (int i = 0; i < j->n_weights; i++) {
        const weight *w = &j->weights[i];
        const char *where = *j->graph->node_name(w->node) != '\0' ? j->graph->node_name(w->node) : w->name;
        if (w->output_error >= 0)
            j->report->line(j->host, "  %-40s %s %.4f, error %.4f, at the output %.6f", where, prune_method_name(w),
                            (double)w->zeros / (double)w->count, w->error, w->output_error);
        else
            j->report->line(j->host, "  %-40s %s %.4f, error %.4f", where, prune_method_name(w),
                            (double)w->zeros / (double)w->count, w->error);
    }
}

/* What could be pruned, but not by this pass. */
static void put_left(const job *j) {
    j->report->begin_list(j->host, "left");
    for (const unpruned *l = j->left; l < j->left + j->n_left; l++) {
        if (!l->is_unsupported)
            continue;
        j->report->begin_object(j->host, NULL);
        j->report->text(j->host, "node", prune_label(j, l->node));
        j->report->text(j->host, "why", l->why);
        j->report->end(j->host);
    }
    j->report->end(j->host);
}

static void say_left(const job *j) {
    for (const unpruned *l = j->left; l < j->left + j->n_left; l++)
        if (l->is_unsupported)
            j->report->line(j->host, "  %-40s stays: %s", prune_label(j, l->node), l->why);
}

static int64_t gone_of(const structure *s) {
    return s->barrier == NULL ? s->gone : 0;
}

static void put_structures(const job *j) {
    j->report->begin_list(j->host, "structures");
    for (const structure *s = j->structures; s < j->structures + j->n_structures; s++) {
        if (s->barrier != NULL && *s->barrier == '\0')
            continue;
        j->report->begin_object(j->host, NULL);
        j->report->text(j->host, "node", j->graph->node_name(s->node));
        j->report->text(j->host, "granularity", granularities[s->how.by]);
        j->report->integer(j->host, "units", s->units);
        j->report->integer(j->host, "gone", gone_of(s));
        if (s->barrier != NULL)
            j->report->text(j->host, "barrier", s->barrier);
        j->report->end(j->host);
    }
    j->report->end(j->host);
}

static void say_structures(const job *j) {
    j->report->line(j->host, "%lld of the %lld numbers of the layers concerned have left the graph",
                    (long long)(j->numbers_before - j->numbers_after), (long long)j->numbers_before);
    for (const structure *s = j->structures; s < j->structures + j->n_structures; s++)
        if (s->barrier == NULL)
            j->report->line(j->host, "  %-40s %lld of %lld are gone", j->graph->node_name(s->node), (long long)s->gone,
                            (long long)s->units);
        else if (*s->barrier != '\0')
            j->report->line(j->host, "  %-40s all %lld stay: %s (%s)", j->graph->node_name(s->node),
                            (long long)s->units, s->barrier, s->at);
}

void prune_report(const job *j) {
    if (j->n_structures > 0)
        say_structures(j);
    if (j->n_weights > 0)
        say_weights(j);
    say_left(j);
    if (j->judged > 0)
        j->report->line(j->host, "sparsities chosen: %lld of %lld samples lost", (long long)j->lost,
                        (long long)j->judged);
    if (j->cycles_share > 0)
        j->report->line(j->host, "sparsities chosen: %.4f of the cycles that were predicted before", j->cycles_share);
    for (const activation *a = j->activations; a < j->activations + j->n_activations; a++) {
        const char *name = j->graph->value_name(a->value);
        if (a->threshold > 0)
            j->report->line(j->host, "  %-40s below %.6g becomes 0: sparsity %.4f", name, a->threshold, a->sparsity);
        else
            j->report->line(j->host, "  %-40s has as many zeros: sparsity %.4f", name, a->was);
    }
    j->report->integer(j->host, "samples", j->n_samples);
    if (j->cycles_share > 0)
        j->report->real(j->host, "predicted_cycles", j->cycles_share);
    if (j->n_structures > 0) {
        j->report->integer(j->host, "numbers_before", j->numbers_before);
        j->report->integer(j->host, "numbers_after", j->numbers_after);
    }
    put_weights(j);
    put_structures(j);
    put_left(j);
    put_activations(j);
}
