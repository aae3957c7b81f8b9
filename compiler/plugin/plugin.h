/* Plugins: finding, checking and loading them, and what the host offers them. */
#ifndef TENON_PLUGIN_PLUGIN_H
#define TENON_PLUGIN_PLUGIN_H

#include "base/worker.h"
#include "passes/passes.h"

typedef struct tenon_plugin tenon_plugin;

/* ---- load.c ---- */

typedef struct loaded_plugin {
    const tenon_plugin *plugin;
    const char *file;
    void *library; /* of dlopen; NULL where it came from elsewhere */
    void *state;
    bool is_open;
    const pass_runner *runner; /* of an isolated plugin; NULL: it is in this process */
} loaded_plugin;

/* How plugins are kept out of this process. */
typedef struct plugin_isolation {
    worker_setup worker;
    const op_table *ops; /* of the graphs */
} plugin_isolation;

typedef struct plugin_set {
    arena *memory; /* frees: closes and unloads when it goes */
    pass_registry *registry;
    diag *d;
    const plugin_isolation *isolation; /* NULL: plugins are loaded into this process. To be set before the first is */
    VEC(loaded_plugin *) all;
} plugin_set;

/* A set with the built-in passes. Everything lives in `a`; when that is freed, plugins are closed and unloaded. NULL
 * when out of memory. */
plugin_set *plugin_set_new(arena *a, diag *d);
/* Loads, checks and opens one. [plugin] STATUS_RESOURCE where it cannot be loaded, STATUS_INVALID where it is none or
 * wrongly built; [plugin-version] STATUS_UNSUPPORTED; [duplicate-plugin], [duplicate-pass] STATUS_INVALID. A file that
 * has been loaded is not loaded again. */
status plugin_load(plugin_set *s, const char *path);
/* Checks and opens one that is there already: a descriptor, what its functions get, and where it stands, for messages.
 * It runs in this process, whatever `isolation` says. */
status plugin_add(plugin_set *s, const tenon_plugin *plugin, void *state, const char *where);
/* All *.so in a folder, by name. A folder that is not there holds none. */
status plugin_load_folder(plugin_set *s, const char *folder);

/* ---- isolated.c ---- */
/* Has a worker load and open the plugin and tell what it declares; from then on its passes run in workers.
 * [plugin-crashed], [plugin-late], [plugin-memory], [plugin-answer] STATUS_INVALID; [no-worker] STATUS_RESOURCE; and
 * what plugin_load says. */
status isolated_load(plugin_set *s, loaded_plugin *l);
/* Has a worker ask the plugin for other versions and call it again and again; open and close it, one after the other
 * and two at once. What goes wrong is said as above. */
status isolated_try_versions(const plugin_isolation *how, const char *file, arena *a, diag *d);
status isolated_try_reopening(const plugin_isolation *how, const char *file, arena *a, diag *d);

/* ---- serve.c ---- */
/* What a worker has from the rooms above. */
typedef struct serve_means {
    const op_table *ops;
    const allocator *from;
    const struct plugin_engine *engine;
} serve_means;
/* The work of a worker: does `job` of the request and answers. False where there is no such job. */
bool plugin_serve(const char *job, const parcel *request, parcel *answer, const serve_means *with, status *out);

/* ---- check.c ---- */
/* Is it built as plugin.h asks? Each fault is a diagnostic: [plugin], [plugin-version]. Calls nothing of it. */
status plugin_check(const tenon_plugin *p, const char *file, diag *d);
/* What a plugin says of itself, as lines in `out`. */
void plugin_describe(const tenon_plugin *p, strbuf *out);

/* ---- interfaces.c ---- */
/* The interface with this id; NULL: there is none. */
const void *plugin_interface(const char *id);

#endif
