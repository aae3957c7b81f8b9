/* The file in which perf looks for the names of code that no file holds. */
#ifndef TENON_API_PERF_MAP_H
#define TENON_API_PERF_MAP_H

#include "codegen/codegen.h"

/* Adds the functions to /tmp/perf-PID.map. [perf-map] STATUS_RESOURCE where that cannot be written, or is another
 * user's file or a link. */
status perf_map_add(const llvm_symbol *symbols, size_t n, arena *scratch, diag *d);

#endif
