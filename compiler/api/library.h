/* Libraries of objects: through the archiver or the C compiler, in a temporary folder. */
#ifndef TENON_API_LIBRARY_H
#define TENON_API_LIBRARY_H

#include "api/context.h"
#include "api/files.h"

typedef enum library_kind { LIBRARY_ARCHIVE, LIBRARY_SHARED } library_kind;

/* Makes the library `name` of n objects (.o) and C files (.c) for machine t, in `a`. The diagnostics are toolchain.h's.
 */
status library_make(tenon_context *c, library_kind kind, const char *name, const target *t, const named_file *parts,
                    size_t n, arena *a, named_file *out);

#endif
