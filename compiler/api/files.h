/* Files and folders that api/ itself writes. */
#ifndef TENON_API_FILES_H
#define TENON_API_FILES_H

#include "base/diag.h"

/* The text of tenon/runtime.h, compiled in. */
extern const char files_runtime_header[];
extern const size_t files_runtime_header_bytes;

/* A file in memory. */
typedef struct named_file {
    const char *name;
    const void *data;
    size_t bytes;
} named_file;

/* The files of runtime/pool, name NULL at the end. */
extern const named_file files_pool[];
/* The files of plugins/example as texts, by their path there; name NULL at the end. */
extern const named_file files_example_plugin[];

/* Writes a whole file. [file] STATUS_RESOURCE. */
status files_write(const char *path, const void *data, size_t bytes, diag *d);
/* Makes the folder and those above it, where there are none. [file] STATUS_RESOURCE. */
status files_make_folder(const char *path, diag *d);
/* A fresh folder for temporary files; NULL after a diagnostic or out of memory. */
const char *files_make_temporary(arena *a, diag *d);
/* Removes a folder of plain files and two levels of folders below it; what cannot be removed stays. */
void files_remove(const char *folder, arena *a);

#endif
