/* The cases of a suite. */
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "api/suite.h"

static const char model_file[] = "model.onnx";

typedef struct finding {
    arena *a;
    diag *d;
    const char *folder;
    suite_names *out;
} finding;

const char *suite_path(arena *a, const char *folder, const char *name) {
    return strcmp(name, ".") == 0 ? arena_strdup(a, folder) : arena_printf(a, "%s/%s", folder, name);
}

static bool is_folder(const char *path) {
    struct stat s;
    return lstat(path, &s) == 0 && S_ISDIR(s.st_mode);
}

static status find_below(finding *f, const char *name);

static status take(finding *f, const char *name, const char *path, const char *entry) {
    if (strcmp(entry, model_file) == 0)
        return VEC_PUSH(f->a, *f->out, name);
    const char *below = strcmp(name, ".") == 0 ? arena_strdup(f->a, entry) : arena_printf(f->a, "%s/%s", name, entry);
    path = arena_printf(f->a, "%s/%s", path, entry);
    if (below == NULL || path == NULL)
        return STATUS_RESOURCE;
    return is_folder(path) ? find_below(f, below) : STATUS_OK;
}

static status find_below(finding *f, const char *name) {
    const char *path = suite_path(f->a, f->folder, name);
    TRY_ALLOC(path);
    diag_place where = DIAG_NOWHERE;
    where.file = path;
    DIR *open = opendir(path);
    if (open == NULL)
        return diag_error(f->d, STATUS_RESOURCE, "file", where, "cannot be read: %s", strerror(errno));
    status s = STATUS_OK;
    for (struct dirent *e; s == STATUS_OK && (e = readdir(open)) != NULL;)
        if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
            s = take(f, name, path, e->d_name);
    closedir(open);
    return s;
}

static int by_name(const void *x, const void *y) {
    return strcmp(*(const char *const *)x, *(const char *const *)y);
}

status suite_find(const char *folder, arena *a, diag *d, suite_names *out) {
    finding f = {a, d, folder, out};
    diag_place where = DIAG_NOWHERE;
    where.file = folder;
    TRY(find_below(&f, "."));
    if (out->n == 0)
        return diag_error(d, STATUS_RESOURCE, "no-cases", where,
                          "holds no case: a case is a folder with model.onnx and test_data_set_0, ...");
    qsort(out->at, out->n, sizeof *out->at, by_name);
    return STATUS_OK;
}
