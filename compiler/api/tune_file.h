/* Tune files: what tenon tune writes and option tune reads. A line of its format, then one for each kernel. */
#ifndef TENON_API_TUNE_FILE_H
#define TENON_API_TUNE_FILE_H

#include "base/text.h"
#include "schedule/tuning.h"

/* Reads the text, of a file called `path`, in `a`. [tune-file] STATUS_INVALID. */
status tune_file_parse(const char *path, const char *text, size_t n, arena *a, diag *d, tune_table *out);
/* The same of a file; where there is none, [file] STATUS_RESOURCE, or with `may_be_missing` an empty table. */
status tune_file_read(const char *path, bool may_be_missing, arena *a, diag *d, tune_table *out);
/* The table as text, in an order of its own. */
status tune_file_print(const tune_table *t, arena *a, const char **out);
/* "2x16 along 2, 7 rows along 1": vectors and their lanes, the axes as the kernel's name lists them. */
status tune_file_describe(const kernel_choice *c, arena *a, const char **out);

#endif
