/* What the files of dead_inputs share. */
#ifndef DEAD_INPUTS_H
#define DEAD_INPUTS_H

#include "pass.h"

/* What becomes of an input or output, and why. */
typedef enum fate { STAYS, DROPPED, NOT_KEPT, BOUND, UNUSED, DEPENDS, CONSTANT, REPEATED, HANDED_ON } fate;

/* An input or output, as it was. */
typedef struct entry {
    const char *name, *type;
    fate fate;
    int kept;         /* keep= names it */
    const char *with; /* what it depends on, is bound to, or repeats */
} entry;

/* A node, as it was. */
typedef struct row {
    const tenon_node *node; /* until the first change */
    const char *name, *op;
    const char *value;  /* its first output's name: tells whether it is still there */
    int dropped, bound; /* the first input of that fate that it depends on; -1: none */
    int output;         /* that needs it: STAYING, or one that goes; -1: none */
    int gone;
} row;

#define STAYING -2 /* row.output: one that stays */

typedef struct totals {
    int64_t nodes, parameters, bytes, macs; /* macs -1: not known */
} totals;

typedef struct job {
    const tenon_plugin_host *host;
    const tenon_graph_1 *graph;
    const tenon_tensor_1 *tensor;
    const tenon_option_1 *option;
    const tenon_diag_1 *diag;
    const tenon_cost_1 *cost;
    const tenon_report_1 *report;
    tenon_graph *g;
    entry *inputs, *outputs;
    int n_inputs, n_outputs;
    row *rows;
    int n_rows;
    int *slots; /* hash table of nodes: index in rows + 1, 0 where free */
    size_t n_slots;
    totals before, after;
} job;

/* ---- dead_inputs.c ---- */
/* The one of the n entries whose name is the first `bytes` of `name`; NULL where there is none. */
entry *dead_find(entry *list, int n, const char *name, size_t bytes);
/* A copy that outlives changes of the graph. */
const char *dead_copy(const job *j, const char *text);
/* The node's row. Before the first change only. */
row *dead_row_of(const job *j, const tenon_node *n);
/* Does the entry go, with all that depends on it? */
int dead_is_removed(const entry *e);

/* ---- dead_asked.c ---- */
/* Reads drop=, keep= and bind= into the fates of inputs and outputs, and follows what depends on what.
 * TENON_PASS_USAGE, said, for [unknown-input], contradictions, [kept-output] and [no-output-left]. */
int dead_read_asked(const job *j);

/* ---- dead_change.c ---- */
/* Takes out of the graph what is to go, and what nobody needs then. */
int dead_change(const job *j);

/* ---- dead_report.c ---- */
/* What went and why, as text and as JSON. */
void dead_report(const job *j);

#endif
