/* /tmp/perf-PID.map: a line "ADDRESS SIZE NAME" for each function, numbers in hexadecimal. */
#include "api/perf_map.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Anyone may have put something at a path in /tmp: neither links are followed nor others' files written. */
static int open_own(const char *path) {
    struct stat there;
    int file = open(path, O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600);
    if (file < 0)
        return -1;
    if (fstat(file, &there) == 0 && S_ISREG(there.st_mode) && there.st_uid == geteuid())
        return file;
    close(file);
    errno = EPERM;
    return -1;
}

/* Returns errno, 0 where all is well. In one write, so that the lines of two threads do not mix. */
static int append(const char *path, const char *text, size_t bytes) {
    int file = open_own(path);
    if (file < 0)
        return errno;
    ssize_t written = write(file, text, bytes);
    int error = written < 0 ? errno : (size_t)written < bytes ? ENOSPC : 0;
    return close(file) != 0 && error == 0 ? errno : error;
}

status perf_map_add(const llvm_symbol *symbols, size_t n, arena *scratch, diag *d) {
    const char *text, *path = arena_printf(scratch, "/tmp/perf-%ld.map", (long)getpid());
    TRY_ALLOC(path);
    strbuf s = strbuf_in(scratch);
    for (size_t i = 0; i < n; i++)
        strbuf_printf(&s, "%llx %llx %s\n", (unsigned long long)symbols[i].address,
                      (unsigned long long)symbols[i].bytes, symbols[i].name);
    size_t bytes = s.n;
    TRY(strbuf_finish(&s, &text));
    int error = append(path, text, bytes);
    if (error == 0)
        return STATUS_OK;
    diag_place where = DIAG_NOWHERE;
    where.file = path;
    return diag_error(d, STATUS_RESOURCE, "perf-map", where, "cannot be written: %s", strerror(error));
}
