/* Programs from their text. */
#ifndef TENON_PROGRAM_SUPPORT_H
#define TENON_PROGRAM_SUPPORT_H

#include "test_support.h"

#include "loop/loop.h"

/* The program, parsed in `a` and verified. */
static inline program *parse(arena *a, const char *text) {
    program *p = NULL;
    diag *d = diag_new(&allocator_system);
    if (program_parse(text, strlen(text), "test", a, d, NULL, NULL, &p) != STATUS_OK ||
        program_verify(p, d) != STATUS_OK)
        fail_msg("%s in %s", diag_at(d, 0)->message, text);
    diag_free(d);
    return p;
}

#endif
