/* Writing files, and temporary folders. */
#include "api/files.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static status report(diag *d, const char *path, const char *what, int error) {
    diag_place where = DIAG_NOWHERE;
    where.file = path;
    return diag_error(d, STATUS_RESOURCE, "file", where, "cannot be %s: %s", what, strerror(error));
}

status files_write(const char *path, const void *data, size_t bytes, diag *d) {
    FILE *f = fopen(path, "wb");
    if (f == NULL)
        return report(d, path, "written", errno);
    int error = fwrite(data, 1, bytes, f) == bytes ? 0 : errno;
    if (fclose(f) != 0 && error == 0)
        error = errno;
    return error == 0 ? STATUS_OK : report(d, path, "written", error);
}

status files_make_folder(const char *path, diag *d) {
    char part[PATH_MAX];
    struct stat there;
    size_t n = strlen(path);
    if (n >= sizeof part)
        return report(d, path, "made a folder", ENAMETOOLONG);
    for (size_t i = 1; i <= n; i++) {
        if (path[i] != '/' && path[i] != '\0')
            continue;
        memcpy(part, path, i);
        part[i] = '\0';
        if (mkdir(part, 0777) != 0 && errno != EEXIST)
            return report(d, part, "made a folder", errno);
    }
    return stat(path, &there) == 0 && S_ISDIR(there.st_mode) ? STATUS_OK : report(d, path, "made a folder", ENOTDIR);
}

const char *files_make_temporary(arena *a, diag *d) {
    const char *base = getenv("TMPDIR");
    char *path = arena_printf(a, "%s/tenon-XXXXXX", base != NULL && base[0] != '\0' ? base : "/tmp");
    if (path == NULL)
        return NULL;
    if (mkdtemp(path) != NULL)
        return path;
    report(d, path, "made a folder", errno);
    return NULL;
}

static void remove_below(const char *folder, arena *a, int depth) {
    DIR *open = opendir(folder);
    for (struct dirent *e; open != NULL && (e = readdir(open)) != NULL;) {
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
            continue;
        const char *path = arena_printf(a, "%s/%s", folder, e->d_name);
        if (path == NULL)
            break;
        if (unlink(path) != 0 && depth > 0)
            remove_below(path, a, depth - 1);
    }
    if (open != NULL)
        closedir(open);
    rmdir(folder);
}

void files_remove(const char *folder, arena *a) {
    remove_below(folder, a, 2);
}
