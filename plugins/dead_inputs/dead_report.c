/* dead_inputs: what is said of its work. */
#include <stdio.h>
#include <string.h>

#include "dead_inputs.h"

/* For JSON, and how a line goes on after "input 'x' i64[2]"; %s is entry.with. */
static const struct fate_row {
    const char *word, *why;
} fates[] = {
    [STAYS] = {"stays", ""},
    [DROPPED] = {"dropped", "removed: drop= names it"},
    [NOT_KEPT] = {"not-kept", "removed: keep= does not name it"},
    [BOUND] = {"bound", "bound to %s"},
    [UNUSED] = {"unused", "removed: no output needs it"},
    [DEPENDS] = {"depends", "removed: it depends on '%s'"},
    [CONSTANT] = {"constant", "removed: it is the same whatever is fed"},
    [REPEATED] = {"repeated", "removed: it is output '%s' again"},
    [HANDED_ON] = {"handed-on", "removed: it is input '%s' as it was fed"},
};

static void find_gone(const job *j) {
    for (int k = 0; k < j->n_rows; k++) {
        const tenon_value *v = j->graph->find_value(j->g, j->rows[k].value);
        j->rows[k].gone = v == NULL || j->graph->producer(v) == NULL;
    }
}

/* The input or output that took the node along; NULL: nobody needed it. */
static const entry *cause(const job *j, const row *r) {
    if (r->dropped >= 0)
        return &j->inputs[r->dropped];
    if (r->output != STAYING)
        return r->output >= 0 ? &j->outputs[r->output] : NULL;
    return r->bound >= 0 ? &j->inputs[r->bound] : NULL;
}

#define KINDS 8

/* "Mul 2, Cast": operators of the nodes that went because of `why`. */
static int name_operators(const job *j, const entry *why, char *text, size_t bytes) {
    const char *kinds[KINDS];
    int counts[KINDS], n_kinds = 0, n = 0, others = 0;
    for (int k = 0, i; k < j->n_rows; k++) {
        if (!j->rows[k].gone || cause(j, &j->rows[k]) != why)
            continue;
        n++;
        for (i = 0; i < n_kinds && strcmp(kinds[i], j->rows[k].op) != 0;)
            i++;
        if (i == KINDS) {
            others++;
            continue;
        }
        kinds[i] = j->rows[k].op;
        counts[i] = i == n_kinds ? 1 : counts[i] + 1;
        n_kinds += i == n_kinds;
    }
    size_t at = 0;
    for (int i = 0; i < n_kinds && at < bytes; i++) {
        at += (size_t)snprintf(text + at, bytes - at, "%s%s", i > 0 ? ", " : "", kinds[i]);
        if (counts[i] > 1 && at < bytes)
            at += (size_t)snprintf(text + at, bytes - at, " %d", counts[i]);
    }
    if (others > 0 && at < bytes)
        snprintf(text + at, bytes - at, ", %d others", others);
    return n;
}

static void say_nodes(const job *j, const entry *why, const char *how) {
    char text[512];
    int n = name_operators(j, why, text, sizeof text);
    if (n > 0)
        j->report->line(j->host, "%d node%s %s%s%s%s: %s", n, n == 1 ? "" : "s", how, why != NULL ? " '" : "",
                        why != NULL ? why->name : "", why != NULL ? "'" : "", text);
}

static void say_entry(const job *j, const char *kind, const entry *e) {
    char why[512];
    const char *text = fates[e->fate].why, *at = strstr(text, "%s");
    if (at == NULL)
        snprintf(why, sizeof why, "%s", text);
    else
        snprintf(why, sizeof why, "%.*s%s%s", (int)(at - text), text, e->with, at + 2);
    j->report->line(j->host, "%s '%s' %s %s", kind, e->name, e->type, why);
}

static void say(const job *j) {
    for (int i = 0; i < j->n_inputs; i++)
        if (j->inputs[i].fate != STAYS)
            say_entry(j, "input", &j->inputs[i]);
    for (int i = 0; i < j->n_outputs; i++)
        if (j->outputs[i].fate != STAYS)
            say_entry(j, "output", &j->outputs[i]);
    for (int i = 0; i < j->n_inputs; i++)
        say_nodes(j, &j->inputs[i], j->inputs[i].fate == BOUND ? "fed by" : "depending on");
    for (int i = 0; i < j->n_outputs; i++)
        say_nodes(j, &j->outputs[i], "only for");
    say_nodes(j, NULL, "for no output");
    j->report->line(j->host, "nodes %lld -> %lld, parameters %lld -> %lld, their bytes %lld -> %lld",
                    (long long)j->before.nodes, (long long)j->after.nodes, (long long)j->before.parameters,
                    (long long)j->after.parameters, (long long)j->before.bytes, (long long)j->after.bytes);
    if (j->before.macs >= 0 && j->after.macs >= 0)
        j->report->line(j->host, "multiply-accumulates %lld -> %lld", (long long)j->before.macs,
                        (long long)j->after.macs);
    else
        j->report->line(j->host, "multiply-accumulates are counted where all dimensions are known (--dim)");
}

static void write_entries(const job *j, const char *key, const entry *list, int n) {
    const tenon_report_1 *r = j->report;
    r->begin_list(j->host, key);
    for (int i = 0; i < n; i++) {
        if (list[i].fate == STAYS)
            continue;
        r->begin_object(j->host, NULL);
        r->text(j->host, "name", list[i].name);
        r->text(j->host, "type", list[i].type);
        r->text(j->host, "why", fates[list[i].fate].word);
        if (strstr(fates[list[i].fate].why, "%s") != NULL)
            r->text(j->host, list[i].fate == BOUND ? "value" : "of", list[i].with);
        r->end(j->host);
    }
    r->end(j->host);
}

static void write_nodes(const job *j) {
    const tenon_report_1 *r = j->report;
    r->begin_list(j->host, "nodes");
    for (int k = 0; k < j->n_rows; k++) {
        const entry *why = cause(j, &j->rows[k]);
        if (!j->rows[k].gone)
            continue;
        r->begin_object(j->host, NULL);
        r->text(j->host, "name", j->rows[k].name);
        r->text(j->host, "op", j->rows[k].op);
        r->text(j->host, "why", why != NULL ? fates[why->fate].word : "unused");
        if (why != NULL)
            r->text(j->host, "of", why->name);
        r->end(j->host);
    }
    r->end(j->host);
}

static void write_totals(const job *j, const char *key, const totals *t) {
    const tenon_report_1 *r = j->report;
    r->begin_object(j->host, key);
    r->integer(j->host, "nodes", t->nodes);
    r->integer(j->host, "parameters", t->parameters);
    r->integer(j->host, "bytes", t->bytes);
    if (j->before.macs >= 0 && j->after.macs >= 0)
        r->integer(j->host, "macs", t->macs);
    r->end(j->host);
}

void dead_report(const job *j) {
    totals removed = {j->before.nodes - j->after.nodes, j->before.parameters - j->after.parameters,
                      j->before.bytes - j->after.bytes, j->before.macs - j->after.macs};
    find_gone(j);
    say(j);
    write_entries(j, "inputs", j->inputs, j->n_inputs);
    write_entries(j, "outputs", j->outputs, j->n_outputs);
    write_nodes(j);
    write_totals(j, "before", &j->before);
    write_totals(j, "after", &j->after);
    write_totals(j, "removed", &removed);
}
