/* Files mapped for reading; external data files, kept inside the model's folder. */
#include "frontend/mapped_file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static const uint8_t NOTHING[1] = {0};

static const char *reason(int error) {
    switch (error) {
    case ENOENT:
        return "no such file";
    case EACCES:
    case EPERM:
        return "permission denied";
    case ENOTDIR:
        return "a part of its path is not a folder";
    case ENAMETOOLONG:
        return "its name is too long";
    case ELOOP:
        return "too many symbolic links";
    case EMFILE:
    case ENFILE:
        return "too many open files";
    case ENOMEM:
        return "out of memory";
    default:
        return "it cannot be opened";
    }
}

static void unmap(void *object) {
    mapped_file *file = object;
    munmap((void *)(uintptr_t)file->bytes, file->n);
}

static status map_bytes(arena *a, int fd, size_t n, mapped_file *out, const char **out_why) {
    *out = (mapped_file){NOTHING, 0};
    if (n == 0)
        return STATUS_OK;
    mapped_file *owned = ARENA_NEW(a, mapped_file);
    TRY_ALLOC(owned);
    void *bytes = mmap(NULL, n, PROT_READ, MAP_PRIVATE, fd, 0);
    if (bytes == MAP_FAILED) {
        *out_why = reason(errno);
        return STATUS_RESOURCE;
    }
    *owned = *out = (mapped_file){bytes, n};
    return arena_on_free(a, unmap, owned);
}

status mapped_file_open(arena *a, const char *path, mapped_file *out, const char **out_why) {
    *out_why = NULL;
    /* Without O_NONBLOCK, opening a named pipe would wait for its writer. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) {
        *out_why = reason(errno);
        return STATUS_RESOURCE;
    }
    struct stat info;
    status result = STATUS_RESOURCE;
    if (fstat(fd, &info) != 0)
        *out_why = reason(errno);
    else if (S_ISDIR(info.st_mode))
        *out_why = "it is a folder";
    else if (!S_ISREG(info.st_mode))
        *out_why = "it is not a regular file";
    else
        result = map_bytes(a, fd, (size_t)info.st_size, out, out_why);
    close(fd);
    return result;
}

static bool has_parent_part(const char *path) {
    for (const char *part = path; *part != '\0';) {
        size_t n = strcspn(part, "/\\");
        if (n == 2 && part[0] == '.' && part[1] == '.')
            return true;
        part += n + (part[n] != '\0');
    }
    return false;
}

/* The absolute path of the file; *out_why where it has none, *out_outside where it leaves the folder. */
static char *resolve(external_files *files, const char *location, const char **out_why, bool *out_outside) {
    char folder[PATH_MAX], full[PATH_MAX];
    char *path = arena_printf(files->memory, "%s/%s", files->folder, location);
    if (path == NULL)
        return NULL;
    if (realpath(files->folder, folder) == NULL || realpath(path, full) == NULL) {
        *out_why = reason(errno);
        return NULL;
    }
    size_t n = strlen(folder);
    bool root = n == 1;
    *out_outside = strncmp(full, folder, n) != 0 || (!root && full[n] != '/');
    return *out_outside ? NULL : arena_strdup(files->memory, full);
}

static status open_file(external_files *files, const char *location, diag *d, diag_place where, const char *what,
                        mapped_file *out) {
    static const char outside[] = "%s: external data file '%s' is outside the model's folder";
    const char *why = NULL;
    bool is_outside = location[0] == '/' || has_parent_part(location);
    char *path = NULL;
    if (!is_outside && files->folder == NULL)
        why = "a model in memory has no folder";
    else if (!is_outside)
        path = resolve(files, location, &why, &is_outside);
    if (is_outside)
        return diag_error(d, STATUS_INVALID, "external-data", where, outside, what, location);
    status result = path == NULL ? STATUS_RESOURCE : mapped_file_open(files->memory, path, out, &why);
    if (why != NULL)
        return diag_error(d, STATUS_RESOURCE, "external-data", where, "%s: external data file '%s': %s", what, location,
                          why);
    return result;
}

status external_files_find(external_files *files, const char *location, diag *d, diag_place where, const char *what,
                           const mapped_file **out) {
    mapped_file *file = map_get(&files->files, location);
    if (file == NULL) {
        mapped_file opened;
        TRY(open_file(files, location, d, where, what, &opened));
        file = arena_copy(files->memory, &opened, sizeof opened);
        TRY_ALLOC(file);
        TRY(map_set(&files->files, location, file));
    }
    *out = file;
    return STATUS_OK;
}
