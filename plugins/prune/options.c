/* The options of prune. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "prune.h"

static const char *const methods[] = {"random", "l1", "l2", "wanda", "hessian", NULL};
static const char *const scopes[] = {"local", "global", NULL};

#define OPTION(variable, kind, name, argument, help, otherwise, least, most, choices)                                  \
    static const tenon_option variable = {sizeof variable, kind, name, argument, help, otherwise, least, most, choices}

OPTION(
    o_method, TENON_OPTION_ENUM, "method", "METHOD",
    "what is pruned: random; the least |w| (l1) or w^2 (l2); |w| times the norm of its input (wanda); what costs the "
    "layer's output least, the rest making up for it (hessian)",
    "l1", 0, 0, methods);
OPTION(o_criterion, TENON_OPTION_STRING, "criterion", "NAME",
       "of another plugin, which scores weights in place of method=", NULL, 0, 0, NULL);
OPTION(o_sparsity, TENON_OPTION_FLOAT, "sparsity", "SHARE", "of the weights that go", "0.5", 0, 1, NULL);
OPTION(o_scope, TENON_OPTION_ENUM, "scope", "SCOPE",
       "local: each layer loses the same share; global: the least of all layers together go", "local", 0, 0, scopes);
OPTION(
    o_granularity, TENON_OPTION_STRING, "granularity", "WHAT",
    "what goes as one: element, column, block:1x4 (outputs x inputs), 2:4 (n of m inputs stay); channel, head, row and "
    "neuron leave the graph",
    "element", 0, 0, NULL);
OPTION(o_calibration, TENON_OPTION_STRING, "calibration", "FILE.npz",
       "inputs to calibrate with, as tenon eval --data has them", NULL, 0, 0, NULL);
OPTION(o_samples, TENON_OPTION_INT, "samples", "N", "of the file, at most", "256", 1, 1000000, NULL);
OPTION(o_map, TENON_OPTION_LIST, "calibration_map", "INPUT=ARRAY,...", "arrays of the file that are called otherwise",
       NULL, 0, 0, NULL);
OPTION(o_scale, TENON_OPTION_LIST, "calibration_scale", "INPUT=X,...", "factors of the file's numbers", NULL, 0, 0,
       NULL);
OPTION(o_bias_correction, TENON_OPTION_BOOL, "bias_correction", "true|false",
       "biases make up for the mean error, where there are calibration data", "true", 0, 0, NULL);
OPTION(o_seed, TENON_OPTION_INT, "seed", "N", "of method=random", "0", 0, 9007199254740992.0, NULL);
OPTION(o_activation, TENON_OPTION_FLOAT, "activation_sparsity", "SHARE",
       "of the data of what multiplies that becomes zeros: the least, by a threshold from the calibration data", "0", 0,
       1, NULL);
OPTION(o_auto, TENON_OPTION_STRING, "auto", "GOAL",
       "sparsity of each layer: accuracy:0.5, the most that loses at most half a point on the calibration data; "
       "latency:0.5, what does least harm and takes half the time, as predicted for target=",
       NULL, 0, 0, NULL);
OPTION(o_target, TENON_OPTION_STRING, "target", "NAME", "of auto=latency, as --target has it", "host", 0, 0, NULL);
OPTION(o_auto_samples, TENON_OPTION_INT, "auto_samples", "N", "that auto= judges by, at most", "512", 1, 1000000, NULL);
OPTION(o_label, TENON_OPTION_STRING, "label", "ARRAY", "of the file: the classes, for auto=", "label", 0, 0, NULL);
OPTION(o_select, TENON_OPTION_SELECTOR, "select", "NODES",
       "prunes these only; tables (Gather) only where they are among them", NULL, 0, 0, NULL);
OPTION(o_keep, TENON_OPTION_SELECTOR, "keep", "NODES", "leaves these as they are", NULL, 0, 0, NULL);

const tenon_option *const prune_options[] = {&o_method,      &o_criterion,  &o_sparsity, &o_scope,  &o_granularity,
                                             &o_calibration, &o_samples,    &o_map,      &o_scale,  &o_bias_correction,
                                             &o_seed,        &o_activation, &o_auto,     &o_target, &o_auto_samples,
                                             &o_label,       &o_select,     &o_keep,     NULL};

const tenon_option *const prune_whole[] = {&o_scope,  &o_calibration,  &o_samples,         &o_map,
                                           &o_scale,  &o_seed,         &o_bias_correction, &o_auto,
                                           &o_target, &o_auto_samples, &o_label,           NULL};

/* ---- granularity ---- */

static const struct {
    const char *name;
    granularity by;
    grain grain;
} grains[] = {
    {"element", BY_ELEMENT, {1, 1, 0}}, {"row", BY_ROW, {1, 0, 0}},   {"column", BY_COLUMN, {0, 1, 0}},
    {"channel", BY_CHANNEL, {1, 0, 0}}, {"head", BY_HEAD, {1, 0, 0}}, {"neuron", BY_NEURON, {1, 0, 0}},
};
enum { N_GRAINS = sizeof grains / sizeof *grains, SIDE_MOST = 65536 };

static int refuse_grain(const job *j, const tenon_node *node, const char *text) {
    const char *names[N_GRAINS + 1] = {"block:1x4"};
    for (int i = 0; i < N_GRAINS; i++)
        names[i + 1] = grains[i].name;
    const char *near = j->diag->nearest(j->host, text, names, N_GRAINS + 1);
    j->diag->error(
        j->host, node, "usage",
        "granularity=%s: expected element, row, column, channel, head, neuron, block:RxC (outputs x inputs) or "
        "N:M with N below M",
        text);
    if (near != NULL)
        j->diag->note(j->host, "did you mean '%s'?", near);
    return TENON_PASS_USAGE;
}

/* "4x1" or "2:4": two numbers around a sign, and nothing else. */
static int two_numbers(const char *text, char sign, int64_t *x, int64_t *y) {
    char *end;
    long first = strtol(text, &end, 10);
    if (end == text || *end != sign || text[0] == '-' || text[0] == '+')
        return 0;
    const char *second = end + 1;
    long last = strtol(second, &end, 10);
    *x = first;
    *y = last;
    return end != second && *end == '\0' && first >= 1 && last >= 1 && first <= SIDE_MOST && last <= SIDE_MOST;
}

static int read_grain(const job *j, const tenon_node *node, settings *out) {
    const char *text = j->option->text(j->host, "granularity", node);
    int64_t x, y;
    for (int i = 0; i < N_GRAINS; i++)
        if (strcmp(text, grains[i].name) == 0) {
            out->by = grains[i].by;
            out->grain = grains[i].grain;
            return TENON_OK;
        }
    if (strncmp(text, "block:", 6) == 0 && two_numbers(text + 6, 'x', &x, &y)) {
        out->by = BY_BLOCK;
        out->grain = (grain){x, y, 0};
        return TENON_OK;
    }
    if (!two_numbers(text, ':', &x, &y) || x >= y)
        return refuse_grain(j, node, text);
    out->by = BY_N_OF_M;
    out->grain = (grain){1, y, x};
    return TENON_OK;
}

/* ---- all ---- */

static int choice_of(const job *j, const char *name, const tenon_node *node, const char *const *choices) {
    const char *text = j->option->text(j->host, name, node);
    int i = 0;
    while (choices[i + 1] != NULL && strcmp(choices[i], text) != 0)
        i++;
    return i;
}

static int contradiction(const job *j, const tenon_node *node, const char *text) {
    j->diag->error(j->host, node, "usage", "%s", text);
    return TENON_PASS_USAGE;
}

/* Does an override give the node this option, and not what the pass has for all? */
static int is_own(const job *j, const tenon_node *node, const char *name) {
    const char *text, *of_all;
    if (node == NULL || !j->option->given_for(j->host, name, node))
        return 0;
    if (!j->option->given(j->host, name))
        return 1;
    text = j->option->text(j->host, name, node);
    of_all = j->option->text(j->host, name, NULL);
    return strcmp(text, of_all) != 0;
}

static int has_own_sparsity(const job *j, const tenon_node *node, double sparsity) {
    return node != NULL &&
           (!j->option->given(j->host, "sparsity") || sparsity != j->option->real(j->host, "sparsity", NULL));
}

/* An override's N:M takes the place of the pass's share. */
static int has_needless_share(const job *j, const tenon_node *node, const settings *s) {
    double of_m = 1 - (double)s->grain.kept / (double)s->grain.columns;
    return s->by == BY_N_OF_M && j->option->given_for(j->host, "sparsity", node) && s->sparsity != of_m &&
           (!is_own(j, node, "granularity") || has_own_sparsity(j, node, s->sparsity));
}

/* target= is read by nobody else. */
static int has_idle_target(const job *j) {
    const char *goal = j->option->text(j->host, "auto", NULL);
    return j->option->given(j->host, "target") && (goal == NULL || strncmp(goal, "latency:", 8) != 0);
}

static int check(const job *j, const tenon_node *node, const settings *s) {
    int has_data = j->option->text(j->host, "calibration", NULL) != NULL;
    if (node == NULL && has_idle_target(j))
        return contradiction(j, node, "target= is of auto=latency: give that, or leave target= away");
    if (has_needless_share(j, node, s))
        return contradiction(j, node, "granularity=N:M says how many stay: leave sparsity= away");
    if (s->by == BY_N_OF_M && j->is_global)
        return contradiction(j, node, "granularity=N:M is the same everywhere: scope=global chooses nothing there");
    if (s->by > BY_COLUMN && j->is_global)
        return contradiction(j, node,
                             "channels, heads, neurons and rows go layer by layer: leave scope=global away for them");
    if (!has_data && (s->method == METHOD_WANDA || s->method == METHOD_HESSIAN)) {
        j->diag->error(j->host, node, "no-calibration", "method=%s: without data, nobody knows what is multiplied",
                       methods[s->method]);
        j->diag->note(j->host, "give calibration=FILE.npz, or method=l1, which looks at weights alone");
        return TENON_PASS_USAGE;
    }
    return TENON_OK;
}

/* Of method= and criterion=, an override's takes the place of the pass's. */
static int read_method(const job *j, const tenon_node *node, settings *out) {
    int owns_method = is_own(j, node, "method"), owns_criterion = is_own(j, node, "criterion");
    out->method = (method)choice_of(j, "method", node, methods);
    out->criterion = j->option->text(j->host, "criterion", node);
    if (out->criterion == NULL)
        return TENON_OK;
    if (j->option->given_for(j->host, "method", node) && owns_method == owns_criterion)
        return contradiction(j, node, "criterion= stands in place of method=: give one of them");
    if (owns_method)
        out->criterion = NULL;
    else
        out->method = METHOD_OTHER;
    return TENON_OK;
}

int prune_settings(const job *j, const tenon_node *node, settings *out) {
    memset(out, 0, sizeof *out);
    TRY(read_method(j, node, out));
    out->sparsity = j->option->real(j->host, "sparsity", node);
    TRY(read_grain(j, node, out));
    TRY(check(j, node, out));
    if (out->by == BY_N_OF_M)
        out->sparsity = 1 - (double)out->grain.kept / (double)out->grain.columns;
    return TENON_OK;
}

int prune_is_selected(const job *j, const tenon_node *node) {
    int all = j->option->count(j->host, "select", NULL) == 0;
    return (all || j->option->selects(j->host, "select", node)) && !j->option->selects(j->host, "keep", node);
}

const char *prune_method_name(const weight *w) {
    return w->used == METHOD_OTHER ? w->how.criterion : methods[w->used];
}
