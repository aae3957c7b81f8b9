/* tenon.diag/1: what a plugin tells the user. */
#include <stdarg.h>

#include "plugin/services.h"

static diag_place place_of(const pass_host *h, const tenon_node *n) {
    if (n != NULL)
        return node_place(plugin_node(n));
    return h->g != NULL ? (diag_place){h->g->file, NULL, -1, NULL, NULL} : DIAG_NOWHERE;
}

static const char *format_text(pass_host *h, const char *format, va_list args) {
    strbuf s = strbuf_in(h->scratch);
    const char *text;
    strbuf_vprintf(&s, format, args);
    return strbuf_finish(&s, &text) == STATUS_OK ? text : "out of memory";
}

/* Where the node's options come from, if not from the pass's. */
static void say_overrides(pass_host *h, const tenon_node *n) {
    for (size_t i = 0; n != NULL && h->request != NULL && i < h->request->overrides.n; i++) {
        const pass_override *o = &h->request->overrides.at[i];
        if (selector_has(&o->where, plugin_node(n)))
            diag_note(h->d, "%s gives this node other options", o->line);
    }
}

static void error(const tenon_plugin_host *host, const tenon_node *n, const char *id, const char *format, ...) {
    pass_host *h = pass_host_of(host);
    va_list args;
    va_start(args, format);
    diag_error(h->d, STATUS_INVALID, id, place_of(h, n), "%s", format_text(h, format, args));
    va_end(args);
    say_overrides(h, n);
}

static void warning(const tenon_plugin_host *host, const tenon_node *n, const char *id, const char *format, ...) {
    pass_host *h = pass_host_of(host);
    va_list args;
    va_start(args, format);
    diag_warn(h->d, id, place_of(h, n), "%s", format_text(h, format, args));
    va_end(args);
}

static void note(const tenon_plugin_host *host, const char *format, ...) {
    pass_host *h = pass_host_of(host);
    va_list args;
    va_start(args, format);
    diag_note(h->d, "%s", format_text(h, format, args));
    va_end(args);
}

static const char *nearest(const tenon_plugin_host *host, const char *wrong, const char *const *names, size_t n) {
    (void)host;
    return text_nearest(wrong, names, n);
}

const tenon_diag_1 plugin_diag = {sizeof plugin_diag, error, warning, note, nearest};
