/* tenon passes --new: plugins/example under another name. */
#include <string.h>
#include <unistd.h>

#include "api/files.h"
#include "api/reports.h"
#include "report/json.h"

#define OLD_NAME "example"

static const char *rename_in(arena *a, const char *text, const char *name) {
    strbuf s = strbuf_in(a);
    const char *renamed;
    for (const char *at; (at = strstr(text, OLD_NAME)) != NULL; text = at + strlen(OLD_NAME)) {
        strbuf_add_n(&s, text, (size_t)(at - text));
        strbuf_add(&s, name);
    }
    strbuf_add(&s, text);
    return strbuf_finish(&s, &renamed) == STATUS_OK ? renamed : NULL;
}

static bool is_name(const char *text) {
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-";
    return *text != '\0' && *text != '-' && strlen(text) <= 64 && text[strspn(text, letters)] == '\0';
}

static status check(tenon_context *c, const char *name, const char *folder, arena *a) {
    if (!is_name(name))
        return diag_error(c->diags, STATUS_USAGE, "usage", DIAG_NOWHERE,
                          "--new %s: expected a name of letters, digits, _ and -", name);
    for (const named_file *f = files_example_plugin; f->name != NULL; f++) {
        const char *file = rename_in(a, f->name, name),
                   *path = file != NULL ? arena_printf(a, "%s/%s", folder, file) : NULL;
        TRY_ALLOC(path);
        if (access(path, F_OK) == 0)
            return diag_error(c->diags, STATUS_USAGE, "usage", (diag_place){path, NULL, -1, NULL, NULL},
                              "is there already, and is not written over");
    }
    return STATUS_OK;
}

static status write_one(tenon_context *c, const named_file *f, const char *name, const char *folder, arena *a,
                        const char **out) {
    const char *file = rename_in(a, f->name, name), *text = rename_in(a, f->data, name);
    TRY_ALLOC(file);
    TRY_ALLOC(text);
    *out = arena_printf(a, "%s/%s", folder, file);
    TRY_ALLOC(*out);
    const char *above = arena_strndup(a, *out, (size_t)(strrchr(*out, '/') - *out));
    TRY_ALLOC(above);
    TRY(files_make_folder(above, c->diags));
    return files_write(*out, text, strlen(text), c->diags);
}

static status write_all(tenon_context *c, const char *name, const char *folder, arena *a, report *out) {
    strbuf s = strbuf_in(a);
    TRY(check(c, name, folder, a));
    json j = json_begin();
    status result = STATUS_OK;
    cJSON *list = json_list(&j, NULL, "files");
    for (const named_file *f = files_example_plugin; f->name != NULL && result == STATUS_OK; f++) {
        const char *path;
        result = write_one(c, f, name, folder, a, &path);
        if (result == STATUS_OK) {
            json_item_text(&j, list, path);
            strbuf_printf(&s, "%s\n", path);
        }
    }
    strbuf_printf(&s, "\ncmake -S %s -B %s/build && cmake --build %s/build && ctest --test-dir %s/build\n", folder,
                  folder, folder, folder);
    status finished = json_finish(&j, a, &out->json);
    TRY(result);
    TRY(finished);
    return strbuf_finish(&s, &out->text);
}

TENON_API tenon_status tenon_passes_new(tenon_context *c, const char *name, const char *folder, tenon_report **out) {
    size_t errors = context_begin(c);
    tenon_report *r = report_new(c);
    status s = r == NULL ? STATUS_RESOURCE : write_all(c, name, folder, r->memory, &r->forms);
    return report_end(c, s, errors, r, out);
}
