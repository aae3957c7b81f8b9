/* .npz: a zip archive of .npy files, through libzip. */
#include <string.h>
#include <sys/stat.h>
#include <zip.h>

#include "base/text.h"
#include "data/data.h"

/* No stream of deflate makes more bytes of one. */
#define MOST_GAIN 1032

struct npz {
    const char *path;
    uint64_t bytes; /* of the file */
    zip_t *zip;
    VEC(const char *) names;
};

static diag_place at_file(const char *name) {
    return (diag_place){name, NULL, -1, NULL, NULL};
}

static void close_zip(void *object) {
    zip_discard(object);
}

static status list_names(npz *z, arena *a) {
    zip_int64_t n = zip_get_num_entries(z->zip, 0);
    for (zip_int64_t i = 0; i < n; i++) {
        const char *name = zip_get_name(z->zip, (zip_uint64_t)i, 0);
        size_t length = name != NULL ? strlen(name) : 0;
        if (length < 5 || strcmp(name + length - 4, ".npy") != 0)
            continue;
        char *stem = arena_strndup(a, name, length - 4);
        TRY_ALLOC(stem);
        TRY(VEC_PUSH(a, z->names, stem));
    }
    return STATUS_OK;
}

status npz_open(const char *path, arena *a, diag *d, npz **out) {
    int code = 0;
    npz *z = ARENA_NEW(a, npz);
    TRY_ALLOC(z);
    TRY_ALLOC(z->path = arena_strdup(a, path));
    z->zip = zip_open(path, ZIP_RDONLY, &code);
    if (z->zip == NULL && (code == ZIP_ER_NOENT || code == ZIP_ER_OPEN || code == ZIP_ER_READ))
        return diag_error(d, STATUS_RESOURCE, "file", at_file(path), "cannot be opened: %m");
    if (z->zip == NULL)
        return code == ZIP_ER_MEMORY ? STATUS_RESOURCE
                                     : diag_error(d, STATUS_INVALID, "npz", at_file(path),
                                                  "not a .npz file (a zip archive of .npy files)");
    TRY(arena_on_free(a, close_zip, z->zip));
    struct stat info;
    if (stat(path, &info) != 0)
        return diag_error(d, STATUS_RESOURCE, "file", at_file(path), "cannot be opened: %m");
    z->bytes = (uint64_t)info.st_size;
    TRY(list_names(z, a));
    *out = z;
    return STATUS_OK;
}

size_t npz_count(const npz *z) {
    return z->names.n;
}

const char *npz_name(const npz *z, size_t i) {
    return z->names.at[i];
}

static status missing(const npz *z, const char *name, arena *a, diag *d) {
    strbuf s = strbuf_in(a);
    const char *text = NULL;
    for (size_t i = 0; i < z->names.n; i++)
        strbuf_printf(&s, "%s'%s'", i > 0 ? ", " : "", z->names.at[i]);
    TRY(strbuf_finish(&s, &text));
    return diag_error(d, STATUS_INVALID, "missing-array", at_file(z->path), "has no array '%s'; it has %s", name,
                      text[0] != '\0' ? text : "none");
}

/* What a damaged archive claims is not believed. */
static bool has_sensible_size(const npz *z, const zip_stat_t *info) {
    return (info->valid & ZIP_STAT_SIZE) && (info->valid & ZIP_STAT_COMP_SIZE) && info->comp_size <= z->bytes &&
           info->size / MOST_GAIN <= info->comp_size;
}

status npz_read(npz *z, const char *name, arena *a, diag *d, array *out) {
    zip_stat_t info;
    char *member = arena_printf(a, "%s.npy", name);
    TRY_ALLOC(member);
    if (zip_stat(z->zip, member, 0, &info) != 0)
        return missing(z, name, a, d);
    if (!has_sensible_size(z, &info))
        return diag_error(d, STATUS_INVALID, "npz", at_file(z->path), "array '%s' has no sensible size", name);
    char *bytes = arena_alloc(a, (size_t)info.size + 1);
    TRY_ALLOC(bytes);
    zip_file_t *f = zip_fopen(z->zip, member, 0);
    zip_int64_t got = f != NULL ? zip_fread(f, bytes, info.size) : -1;
    if (f != NULL)
        zip_fclose(f);
    if (got < 0 || (zip_uint64_t)got != info.size)
        return diag_error(d, STATUS_INVALID, "npz", at_file(z->path), "array '%s' is damaged: %s", name,
                          zip_strerror(z->zip));
    char *full = arena_printf(a, "%s:%s", z->path, name);
    TRY_ALLOC(full);
    return npy_parse(bytes, (size_t)got, full, a, d, out);
}
