/* What a user asks of a pass: -p NAME[:ITEMS], read by the options that the pass declares. */
#include <string.h>

#include "ir/scan.h"
#include "passes/host.h"

const tenon_option *const *request_options(const pass_entry *e, size_t *out_n) {
    const tenon_option *const *options = e->pass->options;
    *out_n = 0;
    while (options != NULL && options[*out_n] != NULL)
        ++*out_n;
    return options;
}

static status join(arena *a, const char *before, const char *const *words, size_t n, const char **out) {
    strbuf s = strbuf_in(a);
    strbuf_add(&s, before);
    for (size_t i = 0; i < n; i++)
        strbuf_printf(&s, "%s%s", i > 0 ? ", " : "", words[i]);
    return strbuf_finish(&s, out);
}

/* ---- values ---- */

/* One option being set. */
typedef struct setting {
    const pass_request *q;
    const tenon_option *option;
    option_value *to;
    const char *const *items;
    size_t n;
    arena *a;
    diag *d;
} setting;

static status wrong(const setting *s, const char *near, const char *what, const char *text) {
    diag_error(s->d, STATUS_USAGE, "usage", DIAG_NOWHERE, "%s: '%s': %s", s->q->where, text, what);
    if (near != NULL)
        diag_note(s->d, "did you mean '%s'?", near);
    return STATUS_USAGE;
}

/* "scale=x", as the user wrote it. */
static const char *as_written(const setting *s, const char *item) {
    const char *text = arena_printf(s->a, "%s=%s", s->option->name, item);
    return text != NULL ? text : item;
}

static status option_names(const pass_request *q, arena *a, const char ***out) {
    size_t n;
    const tenon_option *const *options = request_options(q->entry, &n);
    TRY_ALLOC(*out = ARENA_NEW_N(a, const char *, n + 1));
    for (size_t i = 0; i < n; i++)
        (*out)[i] = options[i]->name;
    return STATUS_OK;
}

static bool read_number(const char *text, double *out) {
    scan s = scan_text(text, strlen(text));
    return scan_float(&s, false, out) && scan_at_end(&s) && *out - *out == 0;
}

static status set_bool(const setting *s) {
    bool yes = strcmp(s->items[0], "true") == 0;
    if (!yes && strcmp(s->items[0], "false") != 0)
        return wrong(s, NULL, "there are true, false", as_written(s, s->items[0]));
    s->to->i = yes;
    return STATUS_OK;
}

static status check_range(const setting *s, double x) {
    const tenon_option *o = s->option;
    if ((o->least == 0 && o->most == 0) || (x >= o->least && x <= o->most))
        return STATUS_OK;
    strbuf why = strbuf_in(s->a);
    const char *text;
    strbuf_add(&why, "expected a number from ");
    strbuf_double(&why, o->least);
    strbuf_add(&why, " to ");
    strbuf_double(&why, o->most);
    TRY(strbuf_finish(&why, &text));
    return wrong(s, NULL, text, as_written(s, s->items[0]));
}

static status set_int(const setting *s) {
    scan in = scan_text(s->items[0], strlen(s->items[0]));
    if (!scan_int(&in, &s->to->i) || !scan_at_end(&in))
        return wrong(s, NULL, "expected an integer", as_written(s, s->items[0]));
    return check_range(s, (double)s->to->i);
}

static status set_float(const setting *s) {
    if (!read_number(s->items[0], &s->to->f))
        return wrong(s, NULL, "expected a number", as_written(s, s->items[0]));
    return check_range(s, s->to->f);
}

static status set_enum(const setting *s) {
    const char *const *choices = s->option->choices, *there_are, *text = s->items[0];
    size_t n = 0;
    for (; choices[n] != NULL; n++) {
        s->to->i = (int64_t)n;
        if (strcmp(choices[n], text) == 0)
            return STATUS_OK;
    }
    TRY(join(s->a, "there are ", choices, n, &there_are));
    return wrong(s, text_nearest(text, choices, n), there_are, as_written(s, text));
}

static status set_string(const setting *s) {
    (void)s;
    return STATUS_OK;
}

/* The item is perhaps a misspelt option. */
static const char *near_option(const setting *s, const char *item) {
    const char *equals = strchr(item, '='), **names, *name;
    size_t n;
    request_options(s->q->entry, &n);
    if (equals == NULL || option_names(s->q, s->a, &names) != STATUS_OK)
        return NULL;
    name = arena_strndup(s->a, item, (size_t)(equals - item));
    return name != NULL ? text_nearest(name, names, n) : NULL;
}

static status set_floats(const setting *s) {
    double *numbers = ARENA_NEW_N(s->a, double, s->n + 1);
    TRY_ALLOC(numbers);
    for (size_t i = 0; i < s->n; i++)
        if (!read_number(s->items[i], &numbers[i]))
            return wrong(s, near_option(s, s->items[i]),
                         *s->items[i] == '\0' ? "expected a number, found nothing" : "expected a number",
                         i == 0 ? as_written(s, s->items[i]) : s->items[i]);
    s->to->numbers = numbers;
    return STATUS_OK;
}

static status set_selector(const setting *s) {
    const char *why = NULL;
    status result = selector_read(s->a, s->items, s->n, &s->to->select, &why);
    return result == STATUS_USAGE ? wrong(s, NULL, why, s->option->name) : result;
}

/* What there is to know of a kind of option. */
static const struct kind_row {
    status (*set)(const setting *s);
    bool is_list, takes_none /* a list without items */, takes_empty /* a text without characters */;
} kinds[] = {
    [TENON_OPTION_BOOL] = {set_bool, false, false, false},
    [TENON_OPTION_INT] = {set_int, false, false, false},
    [TENON_OPTION_FLOAT] = {set_float, false, false, false},
    [TENON_OPTION_ENUM] = {set_enum, false, false, false},
    [TENON_OPTION_STRING] = {set_string, false, false, true},
    [TENON_OPTION_LIST] = {set_string, true, true, true},
    [TENON_OPTION_FLOATS] = {set_floats, true, true, false},
    [TENON_OPTION_SELECTOR] = {set_selector, true, false, false},
};

static bool is_list(const tenon_option *o) {
    return kinds[o->kind].is_list;
}

static status needs_value(const setting *s) {
    return wrong(s, NULL, "needs a value", as_written(s, ""));
}

static status set_value(const setting *s) {
    const struct kind_row *kind = &kinds[s->option->kind];
    if ((s->n == 0 && !kind->takes_none) || (s->n == 1 && *s->items[0] == '\0' && !kind->takes_empty))
        return needs_value(s);
    if (s->n > 1 && !is_list(s->option))
        return wrong(s, NULL, "takes one value", s->option->name);
    *s->to = (option_value){.text = s->n > 0 ? s->items[0] : NULL, .items = s->items, .n = s->n};
    return kind->set(s);
}

static int find_option(const pass_request *q, const char *name, size_t bytes) {
    size_t n;
    const tenon_option *const *options = request_options(q->entry, &n);
    for (size_t i = 0; i < n; i++)
        if (strlen(options[i]->name) == bytes && strncmp(options[i]->name, name, bytes) == 0)
            return (int)i;
    return -1;
}

static status unknown_option(const setting *s, const char *name) {
    const char **names, *there_are;
    size_t n;
    request_options(s->q->entry, &n);
    if (n == 0)
        return wrong(s, NULL, "the pass has no options", name);
    TRY(option_names(s->q, s->a, &names));
    TRY(join(s->a, "there is no such option; there are ", names, n, &there_are));
    return wrong(s, text_nearest(name, names, n), there_are, name);
}

status request_set(const pass_request *q, option_value *values, const char *name, const char *const *items, size_t n,
                   arena *a, diag *d) {
    setting s = {.q = q, .items = items, .n = n, .a = a, .d = d};
    int i = find_option(q, name, strlen(name));
    if (i < 0)
        return unknown_option(&s, name);
    s.option = request_options(q->entry, &(size_t){0})[i];
    s.to = &values[i];
    if (s.to->given)
        return wrong(&s, NULL, "given twice", name);
    TRY(set_value(&s));
    s.to->given = true;
    s.to->where = q->where;
    return STATUS_OK;
}

/* ---- a request ---- */

static status set_defaults(const pass_request *q, arena *a, diag *d) {
    size_t n;
    const tenon_option *const *options = request_options(q->entry, &n);
    for (size_t i = 0; i < n; i++) {
        const char **item = ARENA_NEW(a, const char *);
        TRY_ALLOC(item);
        *item = options[i]->default_value;
        setting s = {q, options[i], &q->values[i], item, 1, a, d};
        if (*item != NULL)
            TRY(set_value(&s));
    }
    return STATUS_OK;
}

static status unknown_pass(const pass_registry *r, const char *name, const char *where, arena *a, diag *d) {
    const char *const *names;
    size_t n;
    TRY(pass_registry_names(r, a, &names, &n));
    diag_error(d, STATUS_USAGE, "unknown-pass", DIAG_NOWHERE,
               "%s: there is no such pass; tenon passes lists what there is", where);
    pass_suggest(d, name, names, n);
    return STATUS_USAGE;
}

status request_begin(const pass_registry *r, const char *name, const char *where, arena *a, diag *d,
                     pass_request *out) {
    *out = (pass_request){.entry = pass_registry_find(r, name), .text = name, .where = where};
    if (out->entry == NULL)
        return unknown_pass(r, name, where, a, d);
    if (strcmp(pass_stage(out->entry), "lowering") == 0)
        return diag_error(d, STATUS_USAGE, "unknown-pass", DIAG_NOWHERE,
                          "%s: this pass runs by itself, when a model is lowered; --skip %s leaves it out", where,
                          name);
    request_options(out->entry, &out->n_options);
    TRY_ALLOC(out->values = ARENA_NEW_N(a, option_value, out->n_options + 1));
    return set_defaults(out, a, d);
}

/* ---- the text of -p ---- */

typedef struct reading {
    const pass_request *q;
    const char *at;             /* what is left of the items */
    const tenon_option *option; /* whose items are gathered; NULL: none yet */
    bool quoted;                /* the first of them */
    VEC(const char *) items;
    arena *a;
    diag *d;
} reading;

/* An item with its quotes taken off. */
typedef struct item {
    const char *text;
    int option;        /* that it names; -1: none */
    size_t name_bytes; /* before its first '=' outside of quotes; 0: none */
    bool quoted;       /* in part at least */
} item;

/* Takes the text up to the next comma outside of quotes, in which two quotes are one. A quoted name is none of an
 * option's. */
static status next_item(reading *r, item *out) {
    strbuf s = strbuf_in(r->a);
    bool quoted = false, quoted_name = *r->at == '"';
    *out = (item){NULL, -1, 0, false};
    for (; *r->at != '\0' && (quoted || *r->at != ','); r->at++) {
        if (*r->at == '"' && quoted && r->at[1] == '"') {
            r->at++;
        } else if (*r->at == '"') {
            quoted = !quoted;
            out->quoted = true;
            continue;
        }
        if (*r->at == '=' && !quoted && out->name_bytes == 0)
            out->name_bytes = s.n;
        strbuf_char(&s, *r->at);
    }
    TRY(strbuf_finish(&s, &out->text));
    if (!quoted_name && out->name_bytes > 0)
        out->option = find_option(r->q, out->text, out->name_bytes);
    setting here = {.q = r->q, .a = r->a, .d = r->d};
    return quoted ? wrong(&here, NULL, "a double quote is missing", out->text) : STATUS_OK;
}

/* Sets the option whose items have been gathered. */
static status finish_option(reading *r) {
    if (r->option == NULL)
        return STATUS_OK;
    setting s = {.q = r->q, .option = r->option, .a = r->a, .d = r->d};
    if (r->items.n == 1 && *r->items.at[0] == '\0' && !r->quoted)
        return needs_value(&s);
    const char **items = arena_copy(r->a, r->items.at, r->items.n * sizeof *items);
    TRY_ALLOC(items);
    return request_set(r->q, r->q->values, r->option->name, items, r->items.n, r->a, r->d);
}

/* With its first item; a bare "[]" is a list without items. */
static status begin_option(reading *r, const tenon_option *o, const char *text, bool quoted) {
    TRY(finish_option(r));
    r->option = o;
    r->quoted = quoted;
    r->items.n = 0;
    if (is_list(o) && !quoted && strcmp(text, "[]") == 0)
        return STATUS_OK;
    return VEC_PUSH(r->a, r->items, text);
}

static status read_item(reading *r, const tenon_option **last) {
    size_t n;
    const tenon_option *const *options = request_options(r->q->entry, &n);
    item x;
    TRY(next_item(r, &x));
    if (x.option >= 0) {
        *last = options[x.option];
        return begin_option(r, *last, x.text + x.name_bytes + 1, x.quoted);
    }
    if (*last != NULL && is_list(*last))
        return VEC_PUSH(r->a, r->items, x.text);
    int flag = find_option(r->q, x.text, strlen(x.text));
    if (flag >= 0 && options[flag]->kind == TENON_OPTION_BOOL) {
        *last = options[flag];
        return begin_option(r, *last, "true", false);
    }
    setting here = {.q = r->q, .a = r->a, .d = r->d};
    const char *name = x.name_bytes > 0 ? arena_strndup(r->a, x.text, x.name_bytes) : x.text;
    TRY_ALLOC(name);
    return unknown_option(&here, name);
}

static status read_items(reading *r) {
    const tenon_option *last = NULL;
    for (bool more = true; more; r->at += more) {
        TRY(read_item(r, &last));
        more = *r->at == ',';
    }
    return finish_option(r);
}

status request_parse(const pass_registry *r, const char *text, arena *a, diag *d, pass_request *out) {
    size_t n = strcspn(text, ":");
    const char *name = arena_strndup(a, text, n), *known = arena_printf(a, "-p %.*s", (int)n, text);
    TRY_ALLOC(name);
    TRY_ALLOC(known);
    const char *where = pass_registry_find(r, name) != NULL ? known : arena_printf(a, "-p %s", text);
    TRY_ALLOC(where);
    TRY(request_begin(r, name, where, a, d, out));
    TRY_ALLOC(out->text = arena_strdup(a, text));
    reading in = {.q = out, .at = text + n + 1, .a = a, .d = d};
    return text[n] == ':' ? read_items(&in) : STATUS_OK;
}
