/* Reading -p NAME[:ITEMS] by the tables of options that the passes declare. */
#include <string.h>

#include "ir/scan.h"
#include "passes/builtin.h"

const asked_row *const asked_table[] = {&input_row, NULL};

/* An item with its quotes taken off. */
typedef struct item {
    const char *text;
    size_t name_bytes; /* before its first '=' outside of quotes; 0: none */
} item;

typedef struct reading {
    const asked_row *row;
    const char *at; /* what is left of the items */
    const char *names[16];
    size_t n_names;
    item_value *values;
    arena *a;
    diag *d;
} reading;

static status wrong(const reading *r, const char *near, const char *what, const char *text) {
    diag_error(r->d, STATUS_USAGE, "usage", DIAG_NOWHERE, "-p %s: '%s': %s", r->row->name, text, what);
    if (near != NULL)
        diag_note(r->d, "did you mean '%s'?", near);
    return STATUS_USAGE;
}

static status join(arena *a, const char *before, const char *const *words, size_t n, const char **out) {
    strbuf s = strbuf_in(a);
    strbuf_add(&s, before);
    for (size_t i = 0; i < n; i++)
        strbuf_printf(&s, "%s%s", i > 0 ? ", " : "", words[i]);
    return strbuf_finish(&s, out);
}

/* ---- items ---- */

/* Takes the text up to the next comma outside of quotes. */
static status next_item(reading *r, item *out) {
    strbuf s = strbuf_in(r->a);
    bool quoted = false;
    *out = (item){NULL, 0};
    for (; *r->at != '\0' && (quoted || *r->at != ','); r->at++) {
        if (*r->at == '"') {
            quoted = !quoted;
            continue;
        }
        if (*r->at == '=' && !quoted && out->name_bytes == 0)
            out->name_bytes = s.n;
        strbuf_char(&s, *r->at);
    }
    TRY(strbuf_finish(&s, &out->text));
    if (quoted)
        return wrong(r, NULL, "a double quote is missing", out->text);
    return STATUS_OK;
}

/* The number of the declared option that the item begins with; -1 where there is none. */
static int named_option(const reading *r, const item *x) {
    for (size_t i = 0; i < r->n_names; i++)
        if (strlen(r->names[i]) == x->name_bytes && strncmp(r->names[i], x->text, x->name_bytes) == 0)
            return (int)i;
    return -1;
}

static status unknown_option(const reading *r, const item *x) {
    const char *name = x->name_bytes > 0 ? arena_strndup(r->a, x->text, x->name_bytes) : x->text, *there_are;
    TRY_ALLOC(name);
    TRY(join(r->a, "there is no such option; there are ", r->names, r->n_names, &there_are));
    return wrong(r, text_nearest(name, r->names, r->n_names), there_are, name);
}

/* ---- values ---- */

static status add_number(reading *r, const pass_item *option, const item *x, const char *text) {
    item_value *to = &r->values[option - r->row->items];
    double number, *grown = ARENA_NEW_N(r->a, double, to->n + 1);
    scan s = scan_text(text, strlen(text));
    if (!scan_float(&s, false, &number) || !scan_at_end(&s) || number - number != 0) {
        bool continues = text == x->text && x->name_bytes > 0; /* perhaps a misspelt option */
        const char *name = continues ? arena_strndup(r->a, x->text, x->name_bytes) : NULL;
        return wrong(r, name != NULL ? text_nearest(name, r->names, r->n_names) : NULL,
                     *text == '\0' ? "expected a number, found nothing" : "expected a number", x->text);
    }
    TRY_ALLOC(grown);
    for (size_t i = 0; i < to->n; i++)
        grown[i] = to->numbers[i];
    grown[to->n++] = number;
    to->numbers = grown;
    return STATUS_OK;
}

static status choose(reading *r, const pass_item *option, const item *x, const char *text) {
    item_value *to = &r->values[option - r->row->items];
    const char *there_are;
    size_t n = 0;
    for (; option->choices[n] != NULL; n++) {
        to->choice = (int)n;
        if (strcmp(option->choices[n], text) == 0)
            return STATUS_OK;
    }
    TRY(join(r->a, "there are ", option->choices, n, &there_are));
    return wrong(r, text_nearest(text, option->choices, n), there_are, x->text);
}

static status keep_text(reading *r, const pass_item *option, const item *x, const char *text) {
    (void)r, (void)option, (void)x, (void)text;
    return STATUS_OK;
}

static status (*const setters[])(reading *r, const pass_item *option, const item *x, const char *text) = {
    [ITEM_TEXT] = keep_text, [ITEM_CHOICE] = choose, [ITEM_NUMBERS] = add_number};

static status set_option(reading *r, const pass_item *option, const item *x) {
    item_value *to = &r->values[option - r->row->items];
    const char *text = x->text + x->name_bytes + 1;
    if (to->text != NULL)
        return wrong(r, NULL, "given twice", option->name);
    if (*text == '\0')
        return wrong(r, NULL, "needs a value", x->text);
    to->text = text;
    return setters[option->kind](r, option, x, text);
}

static status read_items(reading *r) {
    const pass_item *last = NULL;
    for (bool more = true; more; r->at += more) {
        item x;
        TRY(next_item(r, &x));
        more = *r->at == ',';
        int i = named_option(r, &x);
        if (i >= 0) {
            last = &r->row->items[i];
            TRY(set_option(r, last, &x));
        } else if (last != NULL && last->kind == ITEM_NUMBERS) {
            TRY(add_number(r, last, &x, x.text));
        } else {
            return unknown_option(r, &x);
        }
    }
    return STATUS_OK;
}

/* ---- the pass ---- */

static status find_row(const char *text, size_t n, arena *a, diag *d, const asked_row **out) {
    const char *names[sizeof asked_table / sizeof *asked_table], *there_are;
    size_t k = 0;
    for (; asked_table[k] != NULL; k++) {
        *out = asked_table[k];
        names[k] = asked_table[k]->name;
        if (strlen(names[k]) == n && strncmp(names[k], text, n) == 0)
            return STATUS_OK;
    }
    TRY(join(a, "", names, k, &there_are));
    const char *name = arena_strndup(a, text, n);
    TRY_ALLOC(name);
    diag_error(d, STATUS_USAGE, "unknown-pass", DIAG_NOWHERE, "-p %s: there is no such pass; there are: %s", text,
               there_are);
    const char *near = text_nearest(name, names, k);
    if (near != NULL)
        diag_note(d, "did you mean '%s'?", near);
    return STATUS_USAGE;
}

status asked_parse(const char *text, arena *a, diag *d, asked_pass *out) {
    size_t n = strcspn(text, ":");
    reading r = {.a = a, .d = d};
    TRY(find_row(text, n, a, d, &r.row));
    for (const pass_item *x = r.row->items; x->name != NULL; x++) {
        TENON_ASSERT(r.n_names < sizeof r.names / sizeof *r.names);
        r.names[r.n_names++] = x->name;
    }
    TRY_ALLOC(r.values = ARENA_NEW_N(a, item_value, r.n_names + 1));
    TRY_ALLOC(text = arena_strdup(a, text));
    if (text[n] == ':') {
        r.at = text + n + 1;
        TRY(read_items(&r));
    }
    *out = (asked_pass){r.row, text, r.values};
    return STATUS_OK;
}
