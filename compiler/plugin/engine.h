/* How passes evaluate graphs. The back ends stand above this room: api/ fills the table in and hands it down. */
#ifndef TENON_PLUGIN_ENGINE_H
#define TENON_PLUGIN_ENGINE_H

#include "ir/graph.h"

/* An opened .npz file, and how its arrays are meant. */
typedef struct engine_samples engine_samples;

/* A sample has been run: the outputs of the graph, in its order. Returns TENON_OK to go on. */
typedef int (*engine_sample)(void *ctx, int64_t sample, const tensor *outputs);

typedef struct plugin_engine {
    const void *ctx; /* of whoever filled it in */
    /* maps "INPUT=ARRAY", scales "INPUT=X"; NULL-terminated, or NULL. Everything lives in `a`. */
    status (*open)(const struct plugin_engine *self, const char *path, const char *const *maps,
                   const char *const *scales, arena *a, diag *d, engine_samples **out);
    status (*count)(const struct plugin_engine *self, engine_samples *samples, graph *g, int64_t *out);
    /* An array of the file, in the memory of the samples. */
    status (*array)(const struct plugin_engine *self, engine_samples *samples, const char *name, diag *d,
                    const tensor **out);
    /* Runs g on samples first .. first + n - 1. What `each` returned last goes to *out_code. */
    status (*run)(const struct plugin_engine *self, engine_samples *samples, graph *g, int64_t first, int64_t n,
                  engine_sample each, void *each_ctx, int *out_code);
} plugin_engine;

#endif
