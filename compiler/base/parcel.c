/* Writing parcels, and reading them with care. */
#include "base/parcel.h"

#include <errno.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { BLOB_ALIGN = 64 };

_Static_assert(sizeof(parcel_head) <= BLOB_ALIGN, "blobs begin behind the head");

static void close_file(void *object) {
    close(*(int *)object);
}

status parcel_new(arena *a, parcel *out) {
    int *fd = ARENA_NEW(a, int);
    TRY_ALLOC(fd);
    *fd = memfd_create("tenon", MFD_CLOEXEC);
    if (*fd < 0)
        return STATUS_RESOURCE;
    *out = parcel_of(*fd);
    return arena_on_free(a, close_file, fd);
}

parcel parcel_of(int fd) {
    return (parcel){fd, BLOB_ALIGN};
}

static status write_at(const parcel *p, uint64_t at, const void *data, size_t n) {
    const char *from = data;
    while (n > 0) {
        ssize_t done = pwrite(p->fd, from, n, (off_t)at);
        if (done < 0 && errno == EINTR)
            continue;
        if (done <= 0)
            return STATUS_RESOURCE;
        from += done;
        at += (uint64_t)done;
        n -= (size_t)done;
    }
    return STATUS_OK;
}

status parcel_add(parcel *p, const void *data, size_t n, uint64_t *out_at) {
    TRY(write_at(p, p->end, data, n));
    *out_at = p->end;
    p->end = (p->end + n + BLOB_ALIGN - 1) / BLOB_ALIGN * BLOB_ALIGN;
    return STATUS_OK;
}

status parcel_finish(parcel *p, const char *text, size_t n) {
    uint64_t head[2] = {0, n};
    TRY(parcel_add(p, text, n, &head[0]));
    return write_at(p, 0, head, sizeof head);
}

/* ---- reading ---- */

static uint64_t file_bytes(const parcel *p) {
    struct stat s;
    return fstat(p->fd, &s) == 0 && s.st_size > 0 ? (uint64_t)s.st_size : 0;
}

bool parcel_read(const parcel *p, uint64_t at, void *to, size_t n) {
    uint64_t bytes = file_bytes(p);
    if (at > bytes || n > bytes - at)
        return false;
    for (char *next = to; n > 0;) {
        ssize_t done = pread(p->fd, next, n, (off_t)at);
        if (done < 0 && errno == EINTR)
            continue;
        if (done <= 0)
            return false;
        next += done;
        at += (uint64_t)done;
        n -= (size_t)done;
    }
    return true;
}

parcel_head parcel_read_head(const parcel *p) {
    parcel_head head = {0, 0, 0};
    if (!parcel_read(p, 0, &head, sizeof head) && !parcel_read(p, 0, &head, offsetof(parcel_head, refused)))
        head = (parcel_head){0, 0, 0};
    return head;
}

status parcel_read_text(const parcel *p, arena *a, const char **out, size_t *out_n) {
    parcel_head head = parcel_read_head(p);
    uint64_t bytes = file_bytes(p);
    if (head.text_at < BLOB_ALIGN || head.text_at > bytes || head.text_bytes > bytes - head.text_at)
        return STATUS_INVALID;
    char *text = arena_alloc(a, (size_t)head.text_bytes + 1);
    TRY_ALLOC(text);
    *out = text;
    *out_n = (size_t)head.text_bytes;
    return parcel_read(p, head.text_at, text, *out_n) ? STATUS_OK : STATUS_INVALID;
}

typedef struct mapping {
    void *at;
    size_t n;
} mapping;

static void unmap(void *object) {
    const mapping *m = object;
    munmap(m->at, m->n);
}

status parcel_map(const parcel *p, arena *a, const uint8_t **out, size_t *out_n) {
    mapping *m = ARENA_NEW(a, mapping);
    TRY_ALLOC(m);
    m->n = (size_t)file_bytes(p);
    if (m->n == 0)
        return STATUS_INVALID;
    m->at = mmap(NULL, m->n, PROT_READ, MAP_SHARED, p->fd, 0);
    if (m->at == MAP_FAILED)
        return STATUS_RESOURCE;
    *out = m->at;
    *out_n = m->n;
    return arena_on_free(a, unmap, m);
}
