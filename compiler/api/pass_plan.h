/* The passes of one model: what plugins there are, and what the user asks for. */
#ifndef TENON_API_PASS_PLAN_H
#define TENON_API_PASS_PLAN_H

#include "api/options.h"
#include "plugin/plugin.h"
#include "schedule/tuning.h"

typedef struct pass_plan {
    plugin_set *plugins;
    const pass_registry *registry;
    VEC(pass_request) asked;    /* in order */
    word_list skip;             /* of the options and of pipeline files */
    VEC(pass_report *) reports; /* of those that have run */
    bound_inputs bound;
    word_list bound_dims; /* symbols that are bound before the passes run */
    tune_table *tuned;    /* of option tune; NULL: none */
} pass_plan;

/* Loads the plugins of option plugin and of TENON_PLUGIN_PATH (and with `all`, or where a pass is asked for that those
 * do not have, of the folder beside the library), reads what is asked for, and checks the names of options skip,
 * dump-after and stop-after. Reads the file of option tune. Everything lives in `a`. [usage], [unknown-pass]
 * STATUS_USAGE, and what plugin_load and tune_file_read say. */
status pass_plan_make(const tenon_options *o, bool all, arena *a, pass_plan *out);

#endif
