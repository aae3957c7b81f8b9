/* Selectors: which nodes a user means. */
#include <string.h>

#include "passes/passes.h"

static void free_regex(void *regex) {
    regfree(regex);
}

static status read_regex(arena *a, const char *text, selector_term *out, const char **out_why) {
    TRY_ALLOC(out->regex = ARENA_NEW(a, regex_t));
    int code = regcomp(out->regex, text, REG_EXTENDED | REG_NOSUB);
    if (code == 0)
        return arena_on_free(a, free_regex, out->regex);
    char why[120];
    regerror(code, out->regex, why, sizeof why);
    *out_why = arena_printf(a, "'%s' is not a regular expression: %s", text, why);
    return *out_why != NULL ? STATUS_USAGE : STATUS_RESOURCE;
}

static status read_term(arena *a, const char *text, selector_term *out, const char **out_why) {
    *out = (selector_term){.text = text, .glob = text};
    if (strncmp(text, "re:", 3) == 0) {
        out->glob = NULL;
        return read_regex(a, text + 3, out, out_why);
    }
    if (strncmp(text, "op:", 3) == 0)
        *out = (selector_term){.text = text, .glob = text + 3, .is_op = true};
    if (*out->glob != '\0')
        return STATUS_OK;
    *out_why = "a selector is a name, a glob, re:REGEX or op:GLOB, and not empty";
    return STATUS_USAGE;
}

status selector_read(arena *a, const char *const *terms, size_t n, selector *out, const char **out_why) {
    selector_term *list = ARENA_NEW_N(a, selector_term, n + 1);
    TRY_ALLOC(list);
    for (size_t i = 0; i < n; i++)
        TRY(read_term(a, terms[i], &list[i], out_why));
    *out = (selector){list, n};
    return STATUS_OK;
}

/* A node without a name goes by that of its first output. */
static const char *name_of(const node *n) {
    const value *v = n->name[0] == '\0' ? node_output(n, 0) : NULL;
    return v != NULL ? v->name : n->name;
}

static bool term_has(const selector_term *t, const node *n) {
    const char *text = t->is_op ? n->op : name_of(n);
    if (t->glob == NULL)
        return regexec(t->regex, text, 0, NULL, 0) == 0;
    return strcmp(t->glob, text) == 0 || text_glob(t->glob, text);
}

/* A name, of those that there are: what it was perhaps meant to be. */
static status suggest_node(const char *name, const graph *g, arena *a, diag *d) {
    VEC(const char *) names = {0};
    for (const node *n = g->first; n != NULL; n = n->next) {
        TRY(VEC_PUSH(a, names, name_of(n)));
        if (strcmp(n->op, name) != 0)
            continue;
        diag_note(d, "op:%s selects by operator", name);
        return STATUS_OK;
    }
    pass_suggest(d, name, names.at, names.n);
    return STATUS_OK;
}

static status check_term(const selector_term *t, const graph *g, const char *where, const char *option, arena *a,
                         diag *d) {
    for (const node *n = g->first; n != NULL; n = n->next)
        if (term_has(t, n))
            return STATUS_OK;
    if (t->is_op || t->glob == NULL || strpbrk(t->glob, "*?") != NULL) {
        diag_warn(d, "no-node", DIAG_NOWHERE, "%s: '%s=%s' selects no node of the model", where, option, t->text);
        return STATUS_OK;
    }
    diag_error(d, STATUS_USAGE, "usage", DIAG_NOWHERE, "%s: '%s=%s': the model has no node of this name", where, option,
               t->text);
    TRY(suggest_node(t->text, g, a, d));
    return STATUS_USAGE;
}

status selector_check(const selector *s, const graph *g, const char *where, const char *option, arena *a, diag *d) {
    for (size_t i = 0; i < s->n; i++)
        TRY(check_term(&s->terms[i], g, where, option, a, d));
    return STATUS_OK;
}

bool selector_has(const selector *s, const node *n) {
    for (size_t i = 0; i < s->n; i++)
        if (term_has(&s->terms[i], n))
            return true;
    return false;
}
