/* tenon check --suite: folders of models with data, each run in a worker. */
#ifndef TENON_API_SUITE_H
#define TENON_API_SUITE_H

#include "api/check_data.h"
#include "base/worker.h"

/* The worker's job: cases in a row. The request is texts: the suite's folder, a folder for temporary files, the options
 * by pairs of name and value ("" for none), "", and the names of the cases. The answer grows by SUITE_FIELDS texts with
 * each case that is done. */
#define SUITE_JOB "suite"

typedef enum suite_field {
    SUITE_STATUS, /* in digits */
    SUITE_OP,
    SUITE_MESSAGE,
    SUITE_MS,
    SUITE_FIELDS
} suite_field;

/* Texts one behind the other, each with its '\0'. */
void suite_put(strbuf *s, const char *text);
/* The next one, *at moves behind it; NULL where there is no whole one before `end`. */
const char *suite_take(const char **at, const char *end);

typedef VEC(const char *) suite_names;

/* ---- suite_find.c ---- */
/* The folders below `folder` (as names relative to it, itself "."), in order, that hold a model.onnx. Folders that are
 * symbolic links are not entered. [file], [no-cases] STATUS_RESOURCE. */
status suite_find(const char *folder, arena *a, diag *d, suite_names *out);
/* The case's folder. */
const char *suite_path(arena *a, const char *folder, const char *name);

/* ---- suite_serve.c ---- */
/* Those of the options, where given; else what the ONNX project compares with. */
check_limits suite_limits(const tenon_options *o);
/* Inside of the worker. */
status suite_serve(const parcel *request, parcel *answer);

/* ---- suite_operator.c ---- */
/* The operator that a case is about: that of the model's only kind of node; or the longest, of the model's and of all
 * that there are, that the name begins with ("test_reduce_sum_..."); or that of the first node. "" where there is none.
 */
const char *suite_operator(const char *name, const char *const *ops, size_t n);

#endif
