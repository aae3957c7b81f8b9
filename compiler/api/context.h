/* The context: memory, messages, the host's functions. Everything in api/ hangs on one. */
#ifndef TENON_API_CONTEXT_H
#define TENON_API_CONTEXT_H

#include <tenon/tenon.h>

#include "base/diag.h"
#include "codegen/codegen.h"

struct tenon_context {
    allocator memory; /* of everything below */
    tenon_host host;
    diag *diags;
    arena *lines;           /* messages as printed */
    const llvm_table *llvm; /* NULL until first used */
};

/* The LLVM module's table, opened on first use: lib/tenon/tenon-llvm.so beside libtenon.so. [no-llvm] STATUS_RESOURCE.
 */
status context_llvm(tenon_context *c, const llvm_table **out);
/* The folder that holds libtenon.so, or the program that the library is linked into; NULL where that cannot be told. */
const char *context_folder(arena *a);
/* The table of a module, lib/tenon/NAME beside libtenon.so: what its function `query` gives for the version. NULL with
 * the reason in *out_why, in `a`; a reason of NULL is want of memory. */
const void *context_module(const char *name, const char *query, uint32_t version, arena *a, const char **out_why);
/* The path of a program of the library's, lib/tenon/NAME beside libtenon.so; NULL when out of memory. */
const char *context_program(const char *name, arena *a);
/* Has the host said stop? Then [stopped], STATUS_RESOURCE. */
status context_check_stop(tenon_context *c);
void context_progress(tenon_context *c, const char *what, int64_t done, int64_t total);
/* Milliseconds of a clock that never goes back. */
double clock_ms(void);
/* Nanoseconds of the same clock. */
int64_t clock_ns(void);
/* Hands text to the host's note function, where there is one. */
void context_note(tenon_context *c, const char *text);
/* The end of a call of tenon.h: STATUS_RESOURCE for which nobody has given a reason (n_before: errors when the call
 * began) is out of memory. */
tenon_status context_end(tenon_context *c, status s, size_t n_before);
size_t context_begin(const tenon_context *c);

#endif
