/* Passes over the graph: what there are, what a user asks of them, and how one is run.
 *
 * A pass is a tenon_pass of plugin.h, built in or from a plugin. The registry holds them; a request is one -p (or one
 * table of a pipeline file) with its options read; pass_apply runs one as a transaction; passes_clean_up runs those of
 * stage "clean-up" until nothing changes.
 */
#ifndef TENON_PASSES_PASSES_H
#define TENON_PASSES_PASSES_H

#include <regex.h>

#include "ir/op.h"

typedef struct tenon_pass tenon_pass;
typedef struct tenon_option tenon_option;
typedef struct tenon_plugin_host tenon_plugin_host;
struct pass_host;

/* ---- registry.c ---- */

/* Runs passes that are not in this process: changes the host's graph as the pass would, and returns what the pass did.
 */
typedef struct pass_runner {
    int (*run)(const struct pass_runner *self, struct pass_host *h);
} pass_runner;

/* A pass, and where it comes from. */
typedef struct pass_entry {
    const tenon_pass *pass;
    const char *plugin;        /* its name; NULL: built in */
    const char *file;          /* NULL: built in */
    void *state;               /* what the plugin's open made */
    const pass_runner *runner; /* NULL: its own function, here */
} pass_entry;

/* What a plugin lends to others, and where it comes from. */
typedef struct criterion_entry {
    const struct tenon_criterion *criterion;
    const char *plugin, *file;
    void *state;
} criterion_entry;

typedef struct pass_registry {
    arena *memory;
    VEC(const pass_entry *) all;      /* built in first, then in the order of loading */
    VEC(const pass_entry *) clean_up; /* those of that stage, in the order in which they run */
    VEC(const criterion_entry *) criteria;
    const char *const *skip; /* what a clean-up that a pass asks for leaves out; NULL-terminated, or NULL */
    /* The interface with this id; NULL: none. Set by whoever loads plugins; built-in passes need none. */
    const void *(*get_interface)(const char *id);
    const struct plugin_engine *engine; /* what evaluates graphs for plugins (plugin/engine.h); NULL: nothing does */
} pass_registry;

/* The built-in passes. NULL when out of memory. */
pass_registry *pass_registry_new(arena *a);
/* Adds a copy of `e`, whose name must be new: [duplicate-pass] STATUS_INVALID names both files. */
status pass_registry_add(pass_registry *r, const pass_entry *e, diag *d);
/* Sorts stage "clean-up" by what passes say of each other (stable); [pass-order] STATUS_INVALID names those that
 * contradict. After the last pass_registry_add. */
status pass_registry_sort(pass_registry *r, diag *d);
const pass_entry *pass_registry_find(const pass_registry *r, const char *name);
/* Every name, NULL-terminated. */
status pass_registry_names(const pass_registry *r, arena *a, const char *const **out, size_t *out_n);

const char *pass_name(const pass_entry *e);
const char *pass_help(const pass_entry *e);
const char *pass_stage(const pass_entry *e);
/* Does it promise that outputs keep their values? */
bool pass_keeps_numbers(const pass_entry *e);
/* The nearest of `names` as a note under the last diagnostic, where one is near. */
void pass_suggest(diag *d, const char *wrong, const char *const *names, size_t n);

/* ---- selector.c ---- */

/* Nodes by name, glob, re:REGEX, or op:GLOB; a node is selected by any of them. */
typedef struct selector_term {
    const char *text; /* as it was given */
    const char *glob; /* NULL: the regular expression counts */
    bool is_op;
    regex_t *regex;
} selector_term;
typedef struct selector {
    const selector_term *terms;
    size_t n;
} selector;

/* Reads the terms, which stay borrowed. STATUS_USAGE with the reason in *out_why where one is not a selector. */
status selector_read(arena *a, const char *const *terms, size_t n, selector *out, const char **out_why);
bool selector_has(const selector *s, const node *n);
/* Does each term select a node of g? A name that no node has is [usage], STATUS_USAGE, with the nearest; any other term
 * a warning [no-node]. where: how messages begin; option: what the user calls the selector. */
status selector_check(const selector *s, const graph *g, const char *where, const char *option, arena *a, diag *d);

/* ---- request.c ---- */

/* What an option is, by its kind. */
typedef struct option_value {
    bool given;               /* by the user */
    const char *where;        /* given: how messages about it begin */
    const char *text;         /* BOOL, INT, FLOAT, STRING, ENUM; NULL: none */
    int64_t i;                /* BOOL, INT; ENUM: the choice's index */
    double f;                 /* FLOAT */
    const char *const *items; /* LIST, FLOATS, SELECTOR */
    const double *numbers;    /* FLOATS */
    selector select;          /* SELECTOR */
    size_t n;
} option_value;

/* Other values for some nodes. */
typedef struct pass_override {
    selector where;
    const char *line;           /* "pipeline.toml: line 7" */
    const option_value *values; /* those that are `given` count */
} pass_override;

typedef struct pass_request {
    const pass_entry *entry;
    const char *text;  /* as it was given: "input:type=uint8" */
    const char *where; /* how messages begin: "-p input" */
    size_t n_options;
    option_value *values; /* one for each option */
    VEC(pass_override) overrides;
} pass_request;

/* Reads NAME[:ITEMS]. Items are split at commas; one that does not begin with a declared option and '=' continues the
 * list before it; double quotes protect ',', '=' and ':', two of them within are one, and "" is an empty text, [] a
 * list without items. [unknown-pass], [usage] STATUS_USAGE. Everything lives in `a`. */
status request_parse(const pass_registry *r, const char *text, arena *a, diag *d, pass_request *out);
/* A request with every option at its default, for request_set. [unknown-pass]. */
status request_begin(const pass_registry *r, const char *name, const char *where, arena *a, diag *d, pass_request *out);
/* Sets option `name` among `values` (n_options of them) from its items: one, but for lists. [usage] STATUS_USAGE. */
status request_set(const pass_request *q, option_value *values, const char *name, const char *const *items, size_t n,
                   arena *a, diag *d);
/* The options of a pass; *out_n of them. */
const tenon_option *const *request_options(const pass_entry *e, size_t *out_n);

/* ---- apply.c ---- */

/* What a pass reported: a stream of lines and of JSON's events. */
typedef enum report_kind {
    REPORT_LINE,
    REPORT_OBJECT,
    REPORT_LIST,
    REPORT_END,
    REPORT_TEXT,
    REPORT_INTEGER,
    REPORT_REAL
} report_kind;
typedef struct report_event {
    report_kind kind;
    const char *key, *text;
    int64_t i;
    double f;
} report_event;
typedef struct pass_report {
    const pass_entry *entry;
    arena *memory; /* of the texts */
    VEC(report_event) events;
    bool refused; /* it has failed, and said itself why */
} pass_report;

/* An input that a pass made a constant. */
typedef struct bound_input {
    const char *name;
    const tensor *value; /* of its shape, or a scalar for all elements */
} bound_input;
typedef VEC(bound_input) bound_inputs;

/* Runs the pass on a copy of *g, verifies that, and puts it in place of *g. On failure *g is as it was and a diagnostic
 * names plugin and pass. report may be NULL. bound (may be NULL): the inputs that it bound, names and all in `a`. */
status pass_apply(const pass_registry *r, const pass_request *q, graph **g, pass_report *report, bound_inputs *bound,
                  arena *a);

/* ---- passes.c ---- */

typedef struct target target; /* loop/target.h */

/* How quantised nodes are to be computed. */
typedef struct integer_options {
    const target *target;
    bool no_float; /* --float=none: in integers, or not at all */
    bool force;    /* --int=force: in integers, also where floats are faster */
} integer_options;

/* The annotation by which a lowered contraction says what it multiplies, and sums in: "i8xi8->i32". */
#define INTEGER_NOTE "tenon.precision"

typedef struct pass_options {
    const char *const *skip;     /* names of passes to leave out; NULL-terminated, or NULL */
    bool verify;                 /* run the verifier after each */
    bool in_place;               /* only the built-in passes, which put no copy in the graph's place */
    integer_options integer;     /* of the pass `integer`, before lowering */
    const target *target;        /* that passes_before_lowering chooses by; NULL: it leaves out what would choose */
    const struct tuning *tuning; /* and what was measured; NULL: the cost model alone */
    /* Called after each pass; stop by returning other than STATUS_OK. May be NULL. */
    status (*after)(void *ctx, const char *pass, graph *g);
    /* Called after each pass that changed something, with a copy of the graph as it was before. May be NULL. */
    status (*prove)(void *ctx, const pass_entry *e, graph *before, graph *after);
    void *ctx;
} pass_options;

/* Runs the clean-up: the registry's passes of that stage in order, until nothing changes. An unknown name in skip is
 * [unknown-pass], STATUS_USAGE, with the nearest name. */
status passes_clean_up(const pass_registry *r, graph **g, const pass_options *o);
/* What lowering needs beyond that: the operators that the clean-up leaves whole are expanded, quantised ones become
 * integer ones (the pass `integer`), what is left of weights is dequantised, and the clean-up runs once more; then the
 * other passes of stage "lowering", once each, where the target is known. With integer.no_float, [needs-float]
 * STATUS_UNSUPPORTED for each node that computes in floats. */
status passes_before_lowering(const pass_registry *r, graph **g, const pass_options *o);

/* ---- winograd.c ---- */
struct winograd_form; /* ir/winograd.h */
status pass_winograd(graph *g, const target *t, const struct tuning *tuned);
/* The time of a Conv that pass_winograd would take, once its weights are constant floats, as a part of the direct
 * way's; 1 of any other node. */
double winograd_share(graph *g, node *n, const target *t);
/* The node as a WinogradConv of the form, whatever that costs; *out_done false where it cannot be one. */
status winograd_rewrite(graph *g, node *n, const struct winograd_form *f, bool *out_done);

/* ---- node_macs.c ---- */
/* Multiply-accumulates of the operator itself: of its naive program, or of what it is expanded to. Its inputs' shapes
 * must be known. */
status passes_node_macs(const pass_registry *r, const node *n, const target *t, int64_t *out);
/* The same; -1 where a shape is not known, or the node cannot be lowered. */
int64_t passes_known_macs(const pass_registry *r, const node *n);
/* Cycles of a run of g, whose shapes must be known, on one core of t: see schedule/latency.h. g stays as it is. What
 * cannot be lowered is told. */
status passes_cycles(const pass_registry *r, const graph *g, const target *t, double *out);

#endif
