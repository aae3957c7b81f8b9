/* Loading plugins and giving them back. */
#include <dirent.h>
#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "plugin/services.h"

static diag_place place(const char *file) {
    return (diag_place){file, NULL, -1, NULL, NULL};
}

/* In reverse order of loading: the arena runs its clean-ups so. */
static void unload(void *object) {
    loaded_plugin *l = object;
    if (l->is_open && l->plugin->close != NULL)
        l->plugin->close(l->state);
    if (l->library != NULL)
        dlclose(l->library);
}

plugin_set *plugin_set_new(arena *a, diag *d) {
    plugin_set *s = ARENA_NEW(a, plugin_set);
    pass_registry *r = pass_registry_new(a);
    if (s == NULL || r == NULL)
        return NULL;
    r->get_interface = plugin_interface;
    *s = (plugin_set){.memory = a, .registry = r, .d = d};
    return pass_registry_sort(r, d) == STATUS_OK ? s : NULL;
}

/* ---- one file ---- */

static bool is_loaded(const plugin_set *s, const char *path) {
    struct stat x, y;
    if (stat(path, &x) != 0)
        return false;
    for (size_t i = 0; i < s->all.n; i++)
        if (stat(s->all.at[i]->file, &y) == 0 && x.st_dev == y.st_dev && x.st_ino == y.st_ino)
            return true;
    return false;
}

static status open_library(const plugin_set *s, loaded_plugin *l) {
    const char *path = strchr(l->file, '/') != NULL ? l->file : arena_printf(s->memory, "./%s", l->file);
    TRY_ALLOC(path);
    l->library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (l->library == NULL)
        return diag_error(s->d, STATUS_RESOURCE, "plugin", place(l->file), "the plugin cannot be loaded: %s",
                          dlerror());
    return STATUS_OK;
}

static status query(const plugin_set *s, loaded_plugin *l) {
    tenon_plugin_query_function ask = (tenon_plugin_query_function)(uintptr_t)dlsym(l->library, "tenon_plugin_query");
    if (ask == NULL) {
        diag_error(s->d, STATUS_INVALID, "plugin", place(l->file),
                   "this is no plugin: it has no function tenon_plugin_query");
        diag_note(s->d, "declare it as plugin.h does, with TENON_PLUGIN_EXPORT");
        return STATUS_INVALID;
    }
    l->plugin = ask(TENON_PLUGIN_ABI);
    if (l->plugin == NULL)
        return diag_error(s->d, STATUS_UNSUPPORTED, "plugin-version", place(l->file),
                          "the plugin refuses version %u.%u of the plugin ABI, which this tenon has",
                          TENON_PLUGIN_ABI_MAJOR, TENON_PLUGIN_ABI_MINOR);
    return plugin_check(l->plugin, l->file, s->d);
}

static status check_unique(const plugin_set *s, const loaded_plugin *l) {
    for (size_t i = 0; i < s->all.n; i++) {
        if (strcmp(s->all.at[i]->plugin->name, l->plugin->name) != 0)
            continue;
        diag_error(s->d, STATUS_INVALID, "duplicate-plugin", DIAG_NOWHERE, "there are two plugins '%s'",
                   l->plugin->name);
        diag_note(s->d, "one is %s", s->all.at[i]->file);
        diag_note(s->d, "the other is %s", l->file);
        return STATUS_INVALID;
    }
    return STATUS_OK;
}

static status call_open(const plugin_set *s, loaded_plugin *l) {
    if (l->plugin->open == NULL)
        return STATUS_OK;
    arena *scratch = arena_new(arena_allocator(s->memory));
    TRY_ALLOC(scratch);
    pass_entry e = {.pass = l->plugin->passes[0], .plugin = l->plugin->name, .file = l->file};
    pass_host h;
    pass_host_begin(&h, s->registry, &e, s->d, scratch);
    size_t errors = diag_errors(s->d);
    int code = l->plugin->open(&h.base, &l->state);
    arena_free(scratch);
    l->is_open = code == TENON_OK;
    if (l->is_open)
        return STATUS_OK;
    if (diag_errors(s->d) == errors)
        diag_error(s->d, STATUS_INVALID, "plugin", place(l->file), "plugin '%s' could not open: code %d",
                   l->plugin->name, code);
    return STATUS_INVALID;
}

static status add_passes(plugin_set *s, const loaded_plugin *l) {
    for (const tenon_pass *const *p = l->plugin->passes; *p != NULL; p++) {
        pass_entry e = {*p, l->plugin->name, l->file, l->state, l->runner};
        pass_request ignored;
        TRY(pass_registry_add(s->registry, &e, s->d));
        TRY(request_begin(s->registry, (*p)->name, l->file, s->memory, s->d, &ignored)); /* are the defaults right? */
    }
    return pass_registry_sort(s->registry, s->d);
}

static status add_criteria(plugin_set *s, const loaded_plugin *l) {
    const tenon_plugin *p = l->plugin;
    for (int i = 0; TENON_HAS(p, criteria) && p->criteria != NULL && p->criteria[i] != NULL; i++) {
        criterion_entry *e = ARENA_NEW(s->memory, criterion_entry);
        TRY_ALLOC(e);
        *e = (criterion_entry){p->criteria[i], p->name, l->file, l->state};
        for (size_t k = 0; k < s->registry->criteria.n; k++) {
            const criterion_entry *o = s->registry->criteria.at[k];
            if (strcmp(o->criterion->name, e->criterion->name) != 0)
                continue;
            diag_error(s->d, STATUS_INVALID, "duplicate-criterion", place(l->file), "there are two criteria '%s'",
                       e->criterion->name);
            diag_note(s->d, "the other is of plugin '%s' (%s)", o->plugin, o->file);
            return STATUS_INVALID;
        }
        TRY(VEC_PUSH(s->registry->memory, s->registry->criteria, e));
    }
    return STATUS_OK;
}

static status load_here(const plugin_set *s, loaded_plugin *l) {
    TRY(open_library(s, l));
    TRY(arena_on_free(s->memory, unload, l));
    return query(s, l);
}

static loaded_plugin *new_plugin(const plugin_set *s, const char *file) {
    loaded_plugin *l = ARENA_NEW(s->memory, loaded_plugin);
    if (l != NULL)
        l->file = arena_strdup(s->memory, file);
    return l != NULL && l->file != NULL ? l : NULL;
}

/* One that has been checked is opened, and what it has is there from then on. */
static status take(plugin_set *s, loaded_plugin *l) {
    TRY(check_unique(s, l));
    if (l->runner == NULL)
        TRY(call_open(s, l));
    TRY(VEC_PUSH(s->memory, s->all, l));
    TRY(add_criteria(s, l));
    return add_passes(s, l);
}

status plugin_load(plugin_set *s, const char *path) {
    if (is_loaded(s, path))
        return STATUS_OK;
    loaded_plugin *l = new_plugin(s, path);
    TRY_ALLOC(l);
    TRY(s->isolation != NULL ? isolated_load(s, l) : load_here(s, l));
    return take(s, l);
}

status plugin_add(plugin_set *s, const tenon_plugin *plugin, void *state, const char *where) {
    loaded_plugin *l = new_plugin(s, where);
    TRY_ALLOC(l);
    l->plugin = plugin;
    l->state = state;
    TRY(arena_on_free(s->memory, unload, l));
    TRY(plugin_check(plugin, l->file, s->d));
    return take(s, l);
}

/* ---- a folder ---- */

typedef VEC(const char *) path_list;

static status list_libraries(const plugin_set *s, const char *folder, DIR *open, path_list *out) {
    for (const struct dirent *e; (e = readdir(open)) != NULL;) {
        size_t n = strlen(e->d_name);
        if (n <= 3 || strcmp(e->d_name + n - 3, ".so") != 0)
            continue;
        const char *path = arena_printf(s->memory, "%s/%s", folder, e->d_name);
        TRY_ALLOC(path);
        TRY(VEC_PUSH(s->memory, *out, path));
    }
    return STATUS_OK;
}

static int compare_paths(const void *x, const void *y) {
    return strcmp(*(const char *const *)x, *(const char *const *)y);
}

status plugin_load_folder(plugin_set *s, const char *folder) {
    path_list paths = {0};
    DIR *open = opendir(folder);
    if (open == NULL)
        return STATUS_OK;
    status result = list_libraries(s, folder, open, &paths);
    closedir(open);
    if (paths.n > 0)
        qsort(paths.at, paths.n, sizeof *paths.at, compare_paths);
    for (size_t i = 0; i < paths.n && result == STATUS_OK; i++)
        result = plugin_load(s, paths.at[i]);
    return result;
}
