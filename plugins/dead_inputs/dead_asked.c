/* What is asked of dead_inputs, and what that means for everything behind. */
#include <string.h>

#include "dead_inputs.h"

/* ---- what is asked for ---- */

/* [unknown-input]: with the nearest of the names that there are. */
static int unknown(const job *j, const char *option, const char *item, size_t bytes, int with_outputs) {
    size_t n = 0;
    const char **names = j->host->scratch(j->host, ((size_t)j->n_inputs + (size_t)j->n_outputs + 1) * sizeof *names);
    char *wrong = j->host->scratch(j->host, bytes + 1);
    if (names == NULL || wrong == NULL)
        return TENON_PASS_RESOURCE;
    memcpy(wrong, item, bytes);
    for (int i = 0; i < j->n_inputs; i++)
        names[n++] = j->inputs[i].name;
    for (int i = 0; i < j->n_outputs && with_outputs; i++)
        names[n++] = j->outputs[i].name;
    const char *near = j->diag->nearest(j->host, wrong, names, n);
    j->diag->error(j->host, NULL, "unknown-input", "%s=%s: the model has no input%s of this name", option, wrong,
                   with_outputs ? " or output" : "");
    if (near != NULL)
        j->diag->note(j->host, "did you mean '%s'?", near);
    for (size_t i = 0; i < n && near == NULL; i++)
        j->diag->note(j->host, "there is '%s'", names[i]);
    return TENON_PASS_USAGE;
}

/* Sets what becomes of it; twice is a contradiction. */
static int decide(const job *j, entry *e, fate f) {
    if (e->fate == STAYS && !e->kept) {
        e->fate = f;
        return TENON_OK;
    }
    j->diag->error(j->host, NULL, "usage", "'%s' stands in more than one place of drop=, bind= and keep=", e->name);
    return TENON_PASS_USAGE;
}

static int read_names(const job *j, const char *option, fate f) {
    for (size_t i = 0; i < j->option->count(j->host, option, NULL); i++) {
        const char *name = j->option->item(j->host, option, NULL, i);
        entry *e = dead_find(j->inputs, j->n_inputs, name, strlen(name));
        e = e != NULL ? e : dead_find(j->outputs, j->n_outputs, name, strlen(name));
        if (e == NULL)
            return unknown(j, option, name, strlen(name), 1);
        TRY(decide(j, e, f));
        e->kept = f == STAYS;
    }
    return TENON_OK;
}

/* NAME=VALUE; the name may have '=' in it. */
static int read_bind(const job *j, const char *item) {
    const char *equals = strchr(item, '=');
    for (const char *at = equals; at != NULL; at = strchr(at + 1, '=')) {
        entry *e = dead_find(j->inputs, j->n_inputs, item, (size_t)(at - item));
        if (e != NULL) {
            e->with = dead_copy(j, at + 1);
            return decide(j, e, BOUND);
        }
    }
    if (equals != NULL)
        return unknown(j, "bind", item, (size_t)(equals - item), 0);
    j->diag->error(j->host, NULL, "usage", "bind=%s: expected INPUT=NUMBER or INPUT=FILE.npy", item);
    return TENON_PASS_USAGE;
}

static int any_kept(const entry *list, int n) {
    int any = 0;
    for (int i = 0; i < n; i++)
        any |= list[i].kept;
    return any;
}

static void leave_kept(entry *list, int n) {
    int any = any_kept(list, n);
    for (int i = 0; i < n; i++)
        if (any && !list[i].kept && list[i].fate == STAYS)
            list[i].fate = NOT_KEPT;
}

static int read_options(const job *j) {
    TRY(read_names(j, "keep", STAYS));
    TRY(read_names(j, "drop", DROPPED));
    for (size_t i = 0; i < j->option->count(j->host, "bind", NULL); i++)
        TRY(read_bind(j, j->option->item(j->host, "bind", NULL, i)));
    leave_kept(j->inputs, j->n_inputs);
    leave_kept(j->outputs, j->n_outputs);
    return TENON_OK;
}

/* ---- what depends on what ---- */

static void take_from(const job *j, const tenon_value *v, int *dropped, int *bound) {
    const tenon_node *from = j->graph->producer(v);
    if (from != NULL) {
        const row *r = dead_row_of(j, from);
        *dropped = *dropped >= 0 ? *dropped : r->dropped;
        *bound = *bound >= 0 ? *bound : r->bound;
    }
    for (int i = 0; i < j->n_inputs && j->graph->is_input(v); i++) {
        if (j->graph->input(j->g, i) != v)
            continue;
        if (dead_is_removed(&j->inputs[i]))
            *dropped = i;
        else if (j->inputs[i].fate == BOUND)
            *bound = i;
    }
}

/* Definitions come before uses, so one walk is enough. */
static void trace(const job *j) {
    for (int k = 0; k < j->n_rows; k++) {
        row *r = &j->rows[k];
        for (int i = 0; i < j->graph->node_inputs(r->node); i++)
            if (j->graph->node_input(r->node, i) != NULL)
                take_from(j, j->graph->node_input(r->node, i), &r->dropped, &r->bound);
    }
}

static void need(const job *j, const tenon_value *v, int output) {
    const tenon_node *from = v != NULL ? j->graph->producer(v) : NULL;
    row *r = from != NULL ? dead_row_of(j, from) : NULL;
    if (r != NULL && r->output != STAYING)
        r->output = output;
}

/* And the same from uses to definitions. */
static void trace_back(const job *j) {
    for (int i = 0; i < j->n_outputs; i++)
        need(j, j->graph->output(j->g, i), j->outputs[i].fate == STAYS ? STAYING : i);
    for (int k = j->n_rows - 1; k >= 0; k--)
        for (int i = 0; i < j->graph->node_inputs(j->rows[k].node) && j->rows[k].output != -1; i++)
            need(j, j->graph->node_input(j->rows[k].node, i), j->rows[k].output);
}

/* Outputs that depend on an input that goes, go with it. */
static int judge_outputs(const job *j) {
    int left = 0;
    for (int i = 0; i < j->n_outputs; i++) {
        int dropped = -1, bound = -1;
        entry *e = &j->outputs[i];
        take_from(j, j->graph->output(j->g, i), &dropped, &bound);
        if (dropped >= 0 && e->kept) {
            j->diag->error(j->host, NULL, "kept-output",
                           "output '%s' cannot be kept: it depends on '%s', which is to go", e->name,
                           j->inputs[dropped].name);
            return TENON_PASS_USAGE;
        }
        if (dropped >= 0 && e->fate == STAYS) {
            e->fate = DEPENDS;
            e->with = j->inputs[dropped].name;
        }
        left += e->fate == STAYS;
    }
    if (left > 0)
        return TENON_OK;
    j->diag->error(j->host, NULL, "no-output-left", "no output would be left");
    for (int i = 0; i < j->n_outputs; i++)
        if (j->outputs[i].fate == DEPENDS)
            j->diag->note(j->host, "output '%s' depends on '%s'; bind=%s=VALUE would make that a constant",
                          j->outputs[i].name, j->outputs[i].with, j->outputs[i].with);
    return TENON_PASS_USAGE;
}

int dead_read_asked(const job *j) {
    TRY(read_options(j));
    trace(j);
    TRY(judge_outputs(j));
    trace_back(j);
    return TENON_OK;
}
