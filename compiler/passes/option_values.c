/* Options as a running pass reads them: the interface tenon.option/1. */
#include <string.h>

#include "passes/host.h"

static const tenon_option *declared(const pass_host *h, const char *name, size_t *out_index) {
    size_t n;
    const tenon_option *const *options = request_options(h->entry, &n);
    for (*out_index = 0; *out_index < n; ++*out_index)
        if (strcmp(options[*out_index]->name, name) == 0)
            return options[*out_index];
    return NULL;
}

/* The override that comes last counts. */
static const option_value *value_at(const pass_request *q, size_t i, const node *n) {
    for (size_t k = q->overrides.n; k > 0 && n != NULL; k--) {
        const pass_override *o = &q->overrides.at[k - 1];
        if (o->values[i].given && selector_has(&o->where, n))
            return &o->values[i];
    }
    return &q->values[i];
}

const option_value *option_find(const tenon_plugin_host *host, const char *name, unsigned kinds, const node *n) {
    pass_host *h = pass_host_of(host);
    size_t i;
    const tenon_option *o = declared(h, name, &i);
    if (o == NULL)
        pass_host_blame(h, "undeclared-option", "reads the option '%s', which it does not declare", name);
    else if ((kinds >> o->kind & 1) == 0)
        pass_host_blame(h, "undeclared-option", "reads the option '%s' as another kind than it declares", name);
    else if (h->request != NULL)
        return value_at(h->request, i, n);
    return NULL;
}

#define KIND(name) (1u << TENON_OPTION_##name)
#define LISTS (KIND(LIST) | KIND(FLOATS) | KIND(SELECTOR))

static int given(const tenon_plugin_host *h, const char *name) {
    const option_value *v = option_find(h, name, ~0u, NULL);
    return v != NULL && v->given;
}

static int boolean(const tenon_plugin_host *h, const char *name, const tenon_node *n) {
    const option_value *v = option_find(h, name, KIND(BOOL), (const node *)n);
    return v != NULL && v->i != 0;
}

static int64_t integer(const tenon_plugin_host *h, const char *name, const tenon_node *n) {
    const option_value *v = option_find(h, name, KIND(INT), (const node *)n);
    return v != NULL ? v->i : 0;
}

static double real(const tenon_plugin_host *h, const char *name, const tenon_node *n) {
    const option_value *v = option_find(h, name, KIND(FLOAT), (const node *)n);
    return v != NULL ? v->f : 0;
}

static const char *text(const tenon_plugin_host *h, const char *name, const tenon_node *n) {
    const option_value *v = option_find(h, name, KIND(STRING) | KIND(ENUM), (const node *)n);
    return v != NULL ? v->text : NULL;
}

static size_t count(const tenon_plugin_host *h, const char *name, const tenon_node *n) {
    const option_value *v = option_find(h, name, LISTS, (const node *)n);
    return v != NULL ? v->n : 0;
}

static const char *item(const tenon_plugin_host *h, const char *name, const tenon_node *n, size_t i) {
    const option_value *v = option_find(h, name, LISTS, (const node *)n);
    return v != NULL && i < v->n ? v->items[i] : NULL;
}

static double number(const tenon_plugin_host *h, const char *name, const tenon_node *n, size_t i) {
    const option_value *v = option_find(h, name, KIND(FLOATS), (const node *)n);
    return v != NULL && i < v->n ? v->numbers[i] : 0;
}

static int selects(const tenon_plugin_host *h, const char *name, const tenon_node *n) {
    const option_value *v = option_find(h, name, KIND(SELECTOR), (const node *)n);
    return v != NULL && selector_has(&v->select, (const node *)n);
}

static int given_for(const tenon_plugin_host *h, const char *name, const tenon_node *n) {
    const option_value *v = option_find(h, name, ~0u, (const node *)n);
    return v != NULL && v->given;
}

const tenon_option_1 option_interface = {
    sizeof option_interface, given, boolean, integer, real, text, count, item, number, selects, given_for,
};
