/* Diagnostics: what a user is told, collected in order, printed by the command.
 *
 *   bert.onnx: main/node 12 'conv1' (Conv-22): error[shape-mismatch]: input 'W' has 3 channels, expected 4
 *   note: ...
 */
#ifndef TENON_BASE_DIAG_H
#define TENON_BASE_DIAG_H

#include <stdarg.h>

#include "base/memory.h"

typedef enum diag_severity { DIAG_ERROR, DIAG_WARNING, DIAG_INFO } diag_severity;

/* Where it is. Any field may be NULL / -1; with no file the line begins with "tenon:". */
typedef struct diag_place {
    const char *file;  /* file name as the user gave it, no folders added */
    const char *graph; /* "main", or the function's name */
    int64_t node;      /* index in file order, -1 none */
    const char *name;  /* node's name */
    const char *op;    /* "Conv-22": type and opset version */
} diag_place;
#define DIAG_NOWHERE ((diag_place){NULL, NULL, -1, NULL, NULL})

typedef struct diag_item {
    diag_severity severity;
    status code;
    const char *id;    /* kebab-case, e.g. "shape-mismatch" */
    const char *place; /* printed form, "" for none */
    const char *message;
    const char **notes;
    size_t n_notes;
} diag_item;

typedef struct diag diag; /* a collector */

/* NULL when out of memory. Reporting never fails: when memory is out, a fixed out-of-memory item is kept. */
diag *diag_new(const allocator *from);
void diag_free(diag *d);
/* Adds an error; returns `code`, so `return diag_error(...)` reads well. STATUS_RESOURCE for want of
 * memory needs no diagnostic: whoever presents the result adds the line. */
status diag_error(diag *d, status code, const char *id, diag_place where, const char *format, ...)
    __attribute__((format(printf, 5, 6)));
void diag_warn(diag *d, const char *id, diag_place where, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/* Adds a copy of an item of another collector, whose texts may be anybody's. */
void diag_add(diag *d, const diag_item *item);
/* A note under the last item. */
void diag_note(diag *d, const char *format, ...) __attribute__((format(printf, 2, 3)));
size_t diag_count(const diag *d);
const diag_item *diag_at(const diag *d, size_t i);
size_t diag_errors(const diag *d);
void diag_clear(diag *d);
/* One printed line (and its notes) of item i, names cut to a readable length, control characters escaped. */
char *diag_line(const diag *d, size_t i, arena *a);

/* A broken invariant of ours: prints the place, aborts. */
#define TENON_ASSERT(condition) ((condition) ? (void)0 : diag_assert_failed(#condition, __FILE__, __LINE__))
_Noreturn void diag_assert_failed(const char *condition, const char *file, int line);

#endif
