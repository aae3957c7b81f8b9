/* Parcels: a text, and blobs that it refers to, in a file in memory that another process has as a descriptor. */
#ifndef TENON_BASE_PARCEL_H
#define TENON_BASE_PARCEL_H

#include "base/memory.h"

/* A parcel begins with this. */
typedef struct parcel_head {
    uint64_t text_at, text_bytes; /* both 0: it has not been finished */
    uint64_t refused;             /* bytes of an allocation that the writer was refused; 0: none */
} parcel_head;

typedef struct parcel {
    int fd;
    uint64_t end; /* what is added goes there */
} parcel;

/* An empty parcel, closed when `a` is freed. STATUS_RESOURCE. */
status parcel_new(arena *a, parcel *out);
/* One that this process was given as a descriptor. */
parcel parcel_of(int fd);
/* Adds a blob; *out_at is its place, a multiple of 64. */
status parcel_add(parcel *p, const void *data, size_t n, uint64_t *out_at);
/* Adds the text, and what makes the parcel complete. */
status parcel_finish(parcel *p, const char *text, size_t n);

/* Reading takes copies, for the writer may be hostile and still alive. */
parcel_head parcel_read_head(const parcel *p);
/* The text, with '\0' behind it: STATUS_INVALID where the parcel is not complete. */
status parcel_read_text(const parcel *p, arena *a, const char **out, size_t *out_n);
/* False where there are not so many bytes. */
bool parcel_read(const parcel *p, uint64_t at, void *to, size_t n);
/* The whole of it, mapped until `a` is freed: of a writer that is trusted. STATUS_INVALID, STATUS_RESOURCE. */
status parcel_map(const parcel *p, arena *a, const uint8_t **out, size_t *out_n);

#endif
