/* Graph passes and the way they are run. A pass is a row: name, what it does, the function. */
#ifndef TENON_PASSES_PASSES_H
#define TENON_PASSES_PASSES_H

#include "ir/op.h"

typedef struct pass {
    const char *name;  /* "fold" */
    const char *help;  /* one line */
    status (*run)(graph *g);
} pass;

/* The built-in passes in the order in which they run after import; NULL-terminated. */
extern const pass *const pass_table[];
const pass *pass_find(const char *name);

typedef struct pass_options {
    const char *const *skip; /* names of passes to leave out; NULL-terminated, or NULL */
    bool verify;             /* run the verifier after each */
    /* Called after each pass; stop by returning other than STATUS_OK. May be NULL. */
    status (*after)(void *ctx, const char *pass, graph *g);
    void *ctx;
} pass_options;

/* ---- passes that a user asks for: -p NAME[:ITEMS], before the clean-up ---- */

typedef enum item_kind {
    ITEM_TEXT,
    ITEM_CHOICE,  /* one of `choices` */
    ITEM_NUMBERS, /* a list of finite numbers */
} item_kind;

/* An option that a pass declares. */
typedef struct pass_item {
    const char *name, *argument, *help; /* name NULL ends the list */
    item_kind kind;
    const char *const *choices; /* NULL-terminated */
} pass_item;

/* What was given for it: nothing where text is NULL. */
typedef struct item_value {
    const char *text;
    const double *numbers;
    size_t n;
    int choice; /* index */
} item_value;

typedef struct asked_row {
    const char *name;
    const char *help; /* one line */
    const pass_item *items;
    /* values[i] belongs to items[i]. */
    status (*run)(graph *g, const item_value *values);
} asked_row;

/* Every such pass; NULL-terminated. */
extern const asked_row *const asked_table[];

/* One -p, read. */
typedef struct asked_pass {
    const asked_row *row;
    const char *text;         /* as it was given */
    const item_value *values; /* one for each of row->items */
} asked_pass;

/* ---- asked.c ---- */
/* Reads NAME[:ITEMS]. Items are split at commas; one that does not begin with a declared option and '=' continues the list before
 * it; double quotes protect ',', '=' and ':'. [unknown-pass], [usage] STATUS_USAGE. Everything lives in `a`. */
status asked_parse(const char *text, arena *a, diag *d, asked_pass *out);

/* Runs the clean-up pipeline (fold, expand, canonicalise, cse, dead-code, until nothing changes). An unknown name in skip is
 * [unknown-pass], STATUS_USAGE, with the nearest name. */
status passes_run(graph *g, const pass_options *o);

#endif
