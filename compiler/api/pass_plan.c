/* Which passes there are for a model, and what is asked of them. */
#include "api/pass_plan.h"

#include <stdlib.h>
#include <string.h>

#include "api/isolation.h"
#include "api/pass_engine.h"
#include "api/pipeline.h"
#include "api/tune_file.h"
#include "frontend/mapped_file.h"
#include "plugin/pipeline_file.h"

typedef struct planning {
    const tenon_options *o;
    arena *a;
    diag *d;
    pass_plan *plan;
    bool searched;            /* the folder beside the library */
    VEC(pipeline_file) files; /* in the order of their options */
} planning;

/* NULL follows the last. */
static status add_skip(planning *p, const char *name) {
    word_list *list = &p->plan->skip;
    TRY(VEC_RESERVE(p->a, *list, list->n + 2));
    list->at[list->n++] = name;
    list->at[list->n] = NULL;
    return STATUS_OK;
}

/* ---- pipeline files ---- */

static bool is_file(const named_text *asked) {
    return strcmp(asked->name, "pipeline") == 0;
}

static status open_reader(const planning *p, const toml_reader **out) {
    const char *why;
    *out = context_module("tenon-toml.so", "tenon_toml_query", TOML_READER_VERSION, p->a, &why);
    if (*out != NULL)
        return STATUS_OK;
    if (why == NULL)
        return STATUS_RESOURCE;
    diag_error(p->d, STATUS_RESOURCE, "no-toml", DIAG_NOWHERE, "the reader of pipeline files cannot be opened: %s",
               why);
    diag_note(p->d, "-p, --skip and --plugin say the same");
    return STATUS_RESOURCE;
}

static status read_file(planning *p, const char *path) {
    mapped_file text;
    pipeline_file f;
    const toml_reader *reader;
    const char *why;
    status s = mapped_file_open(p->a, path, &text, &why);
    if (s != STATUS_OK)
        return diag_error(p->d, STATUS_RESOURCE, "file", (diag_place){path, NULL, -1, NULL, NULL}, "%s",
                          why != NULL ? why : "out of memory");
    TRY(open_reader(p, &reader));
    TRY(pipeline_file_read(reader, path, (const char *)text.bytes, text.n, p->a, p->d, &f));
    for (size_t i = 0; i < f.skip.n; i++)
        TRY(add_skip(p, f.skip.at[i]));
    return VEC_PUSH(p->a, p->files, f);
}

static status read_files(planning *p) {
    for (size_t i = 0; i < p->o->asked.n; i++)
        if (is_file(&p->o->asked.at[i]))
            TRY(read_file(p, p->o->asked.at[i].text));
    return STATUS_OK;
}

/* ---- plugins ---- */

static status load_path(const planning *p) {
    const char *at = getenv("TENON_PLUGIN_PATH");
    while (at != NULL && *at != '\0') {
        size_t n = strcspn(at, ":");
        const char *folder = arena_strndup(p->a, at, n);
        TRY_ALLOC(folder);
        if (n > 0)
            TRY(plugin_load_folder(p->plan->plugins, folder));
        at += n + (at[n] == ':');
    }
    return STATUS_OK;
}

/* tenon/plugins beside libtenon.so, or in lib/ beside a program's folder. */
static status load_own(planning *p) {
    static const char *const places[] = {"tenon/plugins", "../lib/tenon/plugins"};
    const char *folder = context_folder(p->a);
    p->searched = true;
    for (size_t i = 0; i < sizeof places / sizeof *places && folder != NULL; i++) {
        const char *path = arena_printf(p->a, "%s/%s", folder, places[i]);
        TRY_ALLOC(path);
        TRY(plugin_load_folder(p->plan->plugins, path));
    }
    return STATUS_OK;
}

static status load_plugins(planning *p, bool all) {
    for (size_t i = 0; i < p->o->own_plugins.n; i++) {
        const own_plugin *own = &p->o->own_plugins.at[i];
        TRY(plugin_add(p->plan->plugins, own->plugin, own->state, own->where));
    }
    for (size_t i = 0; i < p->o->plugins.n; i++)
        TRY(plugin_load(p->plan->plugins, p->o->plugins.at[i]));
    for (size_t i = 0; i < p->files.n; i++)
        for (size_t k = 0; k < p->files.at[i].plugins.n; k++)
            TRY(plugin_load(p->plan->plugins, p->files.at[i].plugins.at[k]));
    TRY(load_path(p));
    return all ? load_own(p) : STATUS_OK;
}

/* ---- what is asked for ---- */

/* Loads what may have the pass, where nothing that is loaded has it. */
static status seek_pass(planning *p, const char *name) {
    if (p->searched || pass_registry_find(p->plan->registry, name) != NULL)
        return STATUS_OK;
    return load_own(p);
}

static status read_asked(planning *p, const char *text) {
    pass_request q;
    const char *name = arena_strndup(p->a, text, strcspn(text, ":"));
    TRY_ALLOC(name);
    TRY(seek_pass(p, name));
    TRY(request_parse(p->plan->registry, text, p->a, p->d, &q));
    return VEC_PUSH(p->a, p->plan->asked, q);
}

static status take_file(planning *p, const pipeline_file *f) {
    for (size_t i = 0; i < f->passes.n; i++) {
        pass_request q;
        TRY(seek_pass(p, f->passes.at[i].name));
        TRY(pipeline_file_request(f, i, p->plan->registry, p->a, p->d, &q));
        TRY(VEC_PUSH(p->a, p->plan->asked, q));
    }
    return STATUS_OK;
}

static status read_all(planning *p) {
    const pipeline_file *file = p->files.at;
    for (size_t i = 0; i < p->o->asked.n; i++) {
        const named_text *asked = &p->o->asked.at[i];
        TRY(is_file(asked) ? take_file(p, file++) : read_asked(p, asked->text));
    }
    return STATUS_OK;
}

/* ---- names of stages and passes ---- */

static status check_words(planning *p, const char *option, const word_list *words, bool stages) {
    for (size_t i = 0; i < words->n; i++) {
        const char *const *names;
        size_t n;
        bool known = false;
        TRY(seek_pass(p, words->at[i]));
        TRY(pipeline_names(p->a, p->plan->registry, stages, &names, &n));
        for (size_t k = 0; k < n; k++)
            known |= strcmp(names[k], words->at[i]) == 0;
        if (known)
            continue;
        diag_error(p->d, STATUS_USAGE, "usage", DIAG_NOWHERE,
                   "--%s %s: there is no such %spass; tenon %s lists what there is", option, words->at[i],
                   stages ? "stage or " : "", stages ? "compile --print-pipeline" : "passes");
        pass_suggest(p->d, words->at[i], names, n);
        return STATUS_USAGE;
    }
    return STATUS_OK;
}

status pass_plan_make(const tenon_options *o, bool all, arena *a, pass_plan *out) {
    planning p = {.o = o, .a = a, .d = o->c->diags, .plan = out};
    *out = (pass_plan){.plugins = plugin_set_new(a, o->c->diags)};
    TRY_ALLOC(out->plugins);
    out->registry = out->plugins->registry;
    plugin_engine *engine = ARENA_NEW(a, plugin_engine);
    TRY_ALLOC(engine);
    *engine = pass_engine(o);
    out->plugins->registry->engine = engine;
    if (o->tune != NULL) {
        TRY_ALLOC(out->tuned = ARENA_NEW(a, tune_table));
        TRY(tune_file_read(o->tune, false, a, p.d, out->tuned));
    }
    if (o->isolate.wanted)
        TRY(isolation_new(o, a, &out->plugins->isolation));
    for (size_t i = 0; i < o->skip.n; i++)
        TRY(add_skip(&p, o->skip.at[i]));
    TRY(read_files(&p));
    TRY(load_plugins(&p, all));
    TRY(read_all(&p));
    out->plugins->registry->skip = out->skip.at;
    TRY(check_words(&p, "skip", &out->skip, false));
    TRY(check_words(&p, "dump-after", &o->dump_after, true));
    return check_words(&p, "stop-after", &o->stop_after, true);
}
