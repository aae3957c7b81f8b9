/* Which passes there are for a model, and what is asked of them. */
#include "api/pass_plan.h"

#include <stdlib.h>
#include <string.h>

#include "api/pipeline.h"

typedef struct planning {
    const tenon_options *o;
    arena *a;
    diag *d;
    pass_plan *plan;
    bool searched; /* the folder beside the library */
} planning;

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
    for (size_t i = 0; i < p->o->plugins.n; i++)
        TRY(plugin_load(p->plan->plugins, p->o->plugins.at[i]));
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

static status read_asked(planning *p, const named_text *asked) {
    pass_request q;
    const char *name = arena_strndup(p->a, asked->text, strcspn(asked->text, ":"));
    TRY_ALLOC(name);
    TRY(seek_pass(p, name));
    TRY(request_parse(p->plan->registry, asked->text, p->a, p->d, &q));
    return VEC_PUSH(p->a, p->plan->asked, q);
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
        diag_error(p->d, STATUS_USAGE, "usage", DIAG_NOWHERE, "--%s %s: there is no such %spass; tenon %s lists what there is", option,
                   words->at[i], stages ? "stage or " : "", stages ? "compile --print-pipeline" : "passes");
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
    TRY(load_plugins(&p, all));
    for (size_t i = 0; i < o->asked.n; i++)
        TRY(read_asked(&p, &o->asked.at[i]));
    TRY(check_words(&p, "skip", &o->skip, false));
    TRY(check_words(&p, "dump-after", &o->dump_after, true));
    return check_words(&p, "stop-after", &o->stop_after, true);
}
