/* Programs of the machine's toolchain: the C compiler and the archiver, as the environment names them. */
#ifndef TENON_API_TOOLCHAIN_H
#define TENON_API_TOOLCHAIN_H

#include "api/context.h"

typedef enum tool { TOOL_CC, TOOL_AR, TOOL_COUNT } tool;

/* The program's name: the first word of $CC or $AR, or the default; NULL when out of memory. */
const char *toolchain_program(tool which, arena *a);
/* Runs the program with `words` (NULL-terminated) in `folder`, which also gets the file "log". t: the machine that the
 * files are for. STATUS_RESOURCE: [no-compiler], [no-archiver] it cannot be started, [compiler-failed],
 * [archiver-failed] it refuses, with the first line that it wrote. */
status toolchain_run(tenon_context *c, tool which, const target *t, const char *folder, const char *const *words);

#endif
