/* Plugins: finding, checking and loading them, and what the host offers them. */
#ifndef TENON_PLUGIN_PLUGIN_H
#define TENON_PLUGIN_PLUGIN_H

#include "passes/passes.h"

typedef struct tenon_plugin tenon_plugin;

/* ---- load.c ---- */

typedef struct loaded_plugin {
    const tenon_plugin *plugin;
    const char *file;
    void *library; /* of dlopen; NULL where it came from elsewhere */
    void *state;
    bool is_open;
} loaded_plugin;

typedef struct plugin_set {
    arena *memory; /* frees: closes and unloads when it goes */
    pass_registry *registry;
    diag *d;
    VEC(loaded_plugin *) all;
} plugin_set;

/* A set with the built-in passes. Everything lives in `a`; when that is freed, plugins are closed and unloaded. NULL
 * when out of memory. */
plugin_set *plugin_set_new(arena *a, diag *d);
/* Loads, checks and opens one. [plugin] STATUS_RESOURCE where it cannot be loaded, STATUS_INVALID where it is none or
 * wrongly built; [plugin-version] STATUS_UNSUPPORTED; [duplicate-plugin], [duplicate-pass] STATUS_INVALID. A file that
 * has been loaded is not loaded again. */
status plugin_load(plugin_set *s, const char *path);
/* All *.so in a folder, by name. A folder that is not there holds none. */
status plugin_load_folder(plugin_set *s, const char *folder);

/* ---- check.c ---- */
/* Is it built as plugin.h asks? Each fault is a diagnostic: [plugin], [plugin-version]. Calls nothing of it. */
status plugin_check(const tenon_plugin *p, const char *file, diag *d);
/* What a plugin says of itself, as lines in `out`. */
void plugin_describe(const tenon_plugin *p, strbuf *out);

/* ---- interfaces.c ---- */
/* The interface with this id; NULL: there is none. */
const void *plugin_interface(const char *id);

#endif
