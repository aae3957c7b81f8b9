/* What the verifier's files share. */
#ifndef TENON_LOOP_VERIFY_INTERNAL_H
#define TENON_LOOP_VERIFY_INTERNAL_H

#include "loop/build_internal.h"

typedef enum scope { SCOPE_NEVER, SCOPE_OPEN, SCOPE_CLOSED } scope;

typedef struct verify_var {
    scope scope;
    const expr *value; /* of a LET */
    int64_t extent;    /* of a loop of constant extent; 0 otherwise */
} verify_var;

typedef struct verifier {
    const kernel *k; /* NULL while the program's tables are checked */
    const char *name;
    diag *d;
    arena *memory;
    verify_var *vars;  /* by variable */
    bool *reg_visible; /* by register array */
    bool parallel;     /* the current statement is within a parallel loop */
    bool certain;      /* the current statement runs for all values of the loop variables */
    status result;     /* of the first broken rule */
} verifier;

/* Reports the first broken rule; returns v->result. */
status verify_fail(verifier *v, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* May buffers hold elements of this type? */
bool verify_storable(dtype t);
bool verify_identifier(const char *name);
status kernel_verify_in(const kernel *k, diag *d, arena *scratch);

/* ---- verify_bounds.c ---- */
/* Reports an access of `lanes` elements that certainly leaves the buffer for some values of the loop variables. */
void verify_bounds(verifier *v, int buffer, int lanes, const expr *index, bool masked);

#endif
