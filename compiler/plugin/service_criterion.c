/* tenon.criterion/1: what plugins lend to each other. */
#include <string.h>

#include "plugin/services.h"

static int unknown(pass_host *h, const char *name) {
    const pass_registry *r = h->registry;
    const char **names = ARENA_NEW_N(h->scratch, const char *, r->criteria.n + 1);
    if (names == NULL)
        return TENON_PASS_RESOURCE;
    diag_error(h->d, STATUS_USAGE, "unknown-criterion", DIAG_NOWHERE, "no plugin that is loaded has a criterion '%s'",
               name);
    for (size_t i = 0; i < r->criteria.n; i++) {
        names[i] = r->criteria.at[i]->criterion->name;
        diag_note(h->d, "there is '%s' of plugin '%s'", names[i], r->criteria.at[i]->plugin);
    }
    pass_suggest(h->d, name, names, r->criteria.n);
    if (r->criteria.n == 0)
        diag_note(h->d, "give its plugin with --plugin, without --isolate: isolated plugins do not see each other");
    return TENON_PASS_USAGE;
}

static int score(const tenon_plugin_host *host, const char *name, const tenon_graph *g, const tenon_node *n, int input,
                 tenon_samples *samples, int64_t n_samples, double *scores) {
    pass_host *h = pass_host_of(host);
    for (size_t i = 0; i < h->registry->criteria.n; i++) {
        const criterion_entry *e = h->registry->criteria.at[i];
        if (strcmp(e->criterion->name, name) == 0)
            return e->criterion->score(host, e->state, g, n, input, samples, n_samples, scores);
    }
    return unknown(h, name);
}

const tenon_criterion_1 plugin_criterion = {sizeof plugin_criterion, score};
