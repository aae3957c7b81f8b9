/* A compiled model in this process, behind the tenon_model of runtime.h: what the engines c, object and shared run. */
#ifndef TENON_API_OPENED_MODEL_H
#define TENON_API_OPENED_MODEL_H

#include "base/diag.h"
#include "tenon/runtime.h"

enum { MOST_REGIONS = 8 };

typedef struct opened_model {
    void *library; /* dlopen's; NULL where it came otherwise */
    const tenon_model *model;
    const void *weights; /* of models that want them: aligned, borrowed */
    uint64_t weights_bytes;
} opened_model;

/* Opens the shared library `path` (with a folder in it) and asks its PREFIX_model. [object] STATUS_RESOURCE where that
 * is not possible, [abi] STATUS_UNSUPPORTED where the model is made for a newer runtime.h. Whatever comes of it, the
 * caller closes it. */
status opened_model_open(opened_model *m, const char *path, const char *prefix, arena *scratch, diag *d,
                         diag_place where);
/* Asks the function PREFIX_model. [abi] as above. */
status opened_model_ask(opened_model *m, tenon_model_query query, diag *d, diag_place where);
void opened_model_close(opened_model *m);
/* How many regions the model has; 0: its arena is one. */
size_t opened_model_regions(const tenon_model *m);
/* Runs it; scratch as the model's arena, its regions one after another, parallel_for and its ctx from `threads`.
 * TENON_OK or a TENON_E... code. */
int opened_model_run(const opened_model *m, const void *const *inputs, void *const *outputs, void *scratch,
                     const tenon_env *threads);

#endif
