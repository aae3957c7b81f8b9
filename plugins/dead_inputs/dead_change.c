/* dead_inputs: the changes of the graph. */
#include <stdlib.h>
#include <string.h>

#include "dead_inputs.h"

static int remove_asked(const job *j) {
    for (int i = j->n_outputs - 1; i >= 0; i--)
        if (j->outputs[i].fate != STAYS)
            TRY(j->graph->remove_output(j->host, j->g, i));
    for (int k = j->n_rows - 1; k >= 0; k--)
        if (j->rows[k].dropped >= 0)
            TRY(j->graph->erase(j->host, j->g, j->graph->producer(j->graph->find_value(j->g, j->rows[k].value))));
    for (int i = j->n_inputs - 1; i >= 0; i--)
        if (dead_is_removed(&j->inputs[i]))
            TRY(j->graph->remove_value(j->host, j->g, j->graph->find_value(j->g, j->inputs[i].name)));
    return TENON_OK;
}

/* A number, as an integer where it is one; the host says where the input cannot hold it. */
static tenon_tensor *number(const job *j, const char *text) {
    char *end;
    int64_t whole = strtoll(text, &end, 10);
    if (*text != '\0' && *end == '\0')
        return j->tensor->make(j->host, j->g, TENON_INT64, 0, NULL, &whole);
    double real = strtod(text, &end);
    if (*text != '\0' && *end == '\0')
        return j->tensor->make(j->host, j->g, TENON_DOUBLE, 0, NULL, &real);
    return NULL;
}

static int bind_one(const job *j, const entry *e) {
    size_t n = strlen(e->with);
    int is_file = n > 4 && strcmp(e->with + n - 4, ".npy") == 0;
    tenon_tensor *t = is_file ? j->tensor->read_npy(j->host, j->g, e->with) : number(j, e->with);
    if (t == NULL && !is_file)
        j->diag->error(j->host, NULL, "usage", "bind=%s=%s: expected a number or a .npy file", e->name, e->with);
    if (t == NULL)
        return is_file ? TENON_PASS_INVALID : TENON_PASS_USAGE;
    return j->graph->bind_input(j->host, j->g, j->graph->find_value(j->g, e->name), t);
}

static int bind_all(const job *j) {
    for (int i = 0; i < j->n_inputs; i++)
        if (j->inputs[i].fate == BOUND)
            TRY(bind_one(j, &j->inputs[i]));
    return TENON_OK;
}

/* Does output i say what its caller does not know? */
static fate judge_output(const job *j, int i, const char **with) {
    const tenon_value *v = j->graph->output(j->g, i);
    for (int k = 0; k < i; k++) {
        *with = j->graph->output_name(j->g, k);
        if (j->graph->output(j->g, k) == v)
            return REPEATED;
    }
    *with = j->graph->value_name(v);
    return j->graph->constant(v) != NULL ? CONSTANT : j->graph->is_input(v) ? HANDED_ON : STAYS;
}

/* From the last to the first; one stays whatever it is. */
static int remove_useless_outputs(const job *j) {
    for (int i = j->graph->outputs(j->g) - 1; i >= 0 && j->graph->outputs(j->g) > 1; i--) {
        const char *with, *name = j->graph->output_name(j->g, i);
        entry *e = dead_find(j->outputs, j->n_outputs, name, strlen(name));
        fate f = judge_output(j, i, &with);
        if (f == STAYS || e->kept)
            continue;
        e->fate = f;
        e->with = dead_copy(j, with);
        TRY(j->graph->remove_output(j->host, j->g, i));
    }
    return TENON_OK;
}

static int is_used(const job *j, const tenon_node *n) {
    int uses = 0;
    for (int i = 0; i < j->graph->node_outputs(n); i++)
        if (j->graph->node_output(n, i) != NULL)
            uses += j->graph->uses(j->graph->node_output(n, i));
    return uses > 0;
}

static int remove_unused_nodes(const job *j) {
    tenon_node *last = NULL, *before;
    for (tenon_node *n = j->graph->first(j->g); n != NULL; n = j->graph->next(n))
        last = n;
    for (tenon_node *n = last; n != NULL; n = before) {
        before = j->graph->previous(n);
        if (!is_used(j, n))
            TRY(j->graph->erase(j->host, j->g, n));
    }
    return TENON_OK;
}

static int remove_unused_values(const job *j) {
    for (tenon_value *v = j->graph->first_value(j->g), *next; v != NULL; v = next) {
        const char *name = j->graph->value_name(v);
        entry *e = j->graph->is_input(v) ? dead_find(j->inputs, j->n_inputs, name, strlen(name)) : NULL;
        next = j->graph->next_value(v);
        if (j->graph->uses(v) > 0 || j->graph->producer(v) != NULL || (e != NULL && e->kept))
            continue;
        if (e != NULL)
            e->fate = UNUSED;
        TRY(j->graph->remove_value(j->host, j->g, v));
    }
    return TENON_OK;
}

int dead_change(const job *j) {
    TRY(remove_asked(j));
    TRY(bind_all(j));
    TRY(j->graph->clean_up(j->host, j->g));
    TRY(remove_useless_outputs(j));
    TRY(remove_unused_nodes(j));
    return remove_unused_values(j);
}
