#include "overrides.h"

#include <string.h>

static int same_text(const char *x, const char *y) {
    return x == y || (x != NULL && y != NULL && strcmp(x, y) == 0);
}

static int same_items(const tenon_plugin_host *h, const tenon_option_1 *o, const char *name, const tenon_node *n) {
    size_t count = o->count(h, name, NULL);
    int same = o->count(h, name, n) == count;
    for (size_t i = 0; same && i < count; i++)
        same = same_text(o->item(h, name, n, i), o->item(h, name, NULL, i));
    return same;
}

/* Has the option for the node the value that it has for the pass? */
static int is_same(const tenon_plugin_host *h, const tenon_option_1 *o, const tenon_option *of, const tenon_node *n) {
    switch (of->kind) {
    case TENON_OPTION_BOOL:
        return o->boolean(h, of->name, n) == o->boolean(h, of->name, NULL);
    case TENON_OPTION_INT:
        return o->integer(h, of->name, n) == o->integer(h, of->name, NULL);
    case TENON_OPTION_FLOAT:
        return o->real(h, of->name, n) == o->real(h, of->name, NULL);
    case TENON_OPTION_ENUM:
    case TENON_OPTION_STRING:
        return same_text(o->text(h, of->name, n), o->text(h, of->name, NULL));
    default:
        return same_items(h, o, of->name, n);
    }
}

int overrides_check(const tenon_plugin_host *host, const tenon_graph *g, const tenon_option *const *whole) {
    const tenon_graph_1 *graph = host->get_interface(host, TENON_GRAPH_1);
    const tenon_option_1 *option = host->get_interface(host, TENON_OPTION_1);
    const tenon_diag_1 *diag = host->get_interface(host, TENON_DIAG_1);
    for (const tenon_node *n = graph->first(g); n != NULL; n = graph->next(n))
        for (const tenon_option *const *o = whole; *o != NULL; o++)
            if (!is_same(host, option, *o, n)) {
                diag->error(host, n, "usage", "%s= is of the pass as a whole: it cannot differ by node", (*o)->name);
                return TENON_PASS_USAGE;
            }
    return TENON_OK;
}
