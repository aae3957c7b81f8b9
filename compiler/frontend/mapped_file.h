/* Files mapped for reading, unmapped with their arena; a model's external data files. */
#ifndef TENON_FRONTEND_MAPPED_FILE_H
#define TENON_FRONTEND_MAPPED_FILE_H

#include "base/diag.h"
#include "base/map.h"

typedef struct mapped_file {
    const uint8_t *bytes; /* never NULL, not to be read where n is 0 */
    size_t n;
} mapped_file;

/* Maps a regular file for as long as `a` lives. STATUS_RESOURCE where that is not possible: *out_why says why ("no such
 * file"), or is NULL when out of memory. */
status mapped_file_open(arena *a, const char *path, mapped_file *out, const char **out_why);

/* The external data files of one model: each is mapped once. */
typedef struct external_files {
    const char *folder; /* of the model; NULL: there is none, so nothing is found */
    arena *memory;      /* keeps the files mapped */
    map files;          /* location -> mapped_file * */
} external_files;

/* The file at `location`, relative to the folder and inside it, symbolic links resolved. STATUS_INVALID where it is
 * outside, STATUS_RESOURCE where it cannot be read, both with an [external-data] diagnostic about `what`. */
status external_files_find(external_files *files, const char *location, diag *d, diag_place where, const char *what,
                           const mapped_file **out);

#endif
