/* Names of inputs in options. */
#include "api/input_names.h"

#include <string.h>

value *input_find(const graph *g, const char *name) {
    for (size_t i = 0; i < g->inputs.n; i++)
        if (strcmp(g->inputs.at[i]->name, name) == 0)
            return g->inputs.at[i];
    return NULL;
}

static status report(tenon_context *c, arena *a, const graph *g, const char *option, const char *name) {
    const char **names = ARENA_NEW_N(a, const char *, g->inputs.n + 1), *text;
    strbuf list = strbuf_in(a);
    TRY_ALLOC(names);
    for (size_t i = 0; i < g->inputs.n; i++) {
        names[i] = g->inputs.at[i]->name;
        strbuf_printf(&list, "%s'%s'", i > 0 ? ", " : "", names[i]);
    }
    TRY(strbuf_finish(&list, &text));
    diag_error(c->diags, STATUS_USAGE, "unknown-input", DIAG_NOWHERE, "%s: the model has no input '%s'; it has %s",
               option, name, g->inputs.n > 0 ? text : "none");
    const char *near = text_nearest(name, names, g->inputs.n);
    if (near != NULL)
        diag_note(c->diags, "did you mean '%s'?", near);
    return STATUS_USAGE;
}

status input_unknown(tenon_context *c, const graph *g, const char *option, const char *name) {
    arena *scratch = arena_new(&c->memory);
    TRY_ALLOC(scratch);
    status s = report(c, scratch, g, option, name);
    arena_free(scratch);
    return s;
}

status input_check_names(tenon_context *c, const graph *g, const graph *other, const char *option,
                         const named_list *list) {
    status worst = STATUS_OK;
    for (size_t i = 0; i < list->n && worst != STATUS_RESOURCE; i++)
        if (input_find(g, list->at[i].name) == NULL && (other == NULL || input_find(other, list->at[i].name) == NULL))
            worst = input_unknown(c, g, option, list->at[i].name);
    return worst;
}
