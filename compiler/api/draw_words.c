/* What a picture says of nodes and values. */
#include <string.h>

#include "api/draw.h"
#include "ir/graph_text.h"

enum { MOST_LINES = 6, LONGEST_LINE = 44, LONGEST_TIP = 240, MOST_INTEGERS = 8, LONGEST_WORD = 28 };

static const char *kept(words *w, const char *text) {
    w->failed = w->failed || text == NULL;
    return text != NULL ? text : "";
}

static const char *finished(words *w, strbuf *s) {
    const char *text;
    return kept(w, strbuf_finish(s, &text) == STATUS_OK ? text : NULL);
}

/* Whole lines of ASCII, cut. */
static const char *cut(const char *text, size_t longest, words *w) {
    return strlen(text) <= longest ? text : kept(w, arena_printf(w->memory, "%.*s...", (int)longest - 3, text));
}

const char *draw_type(const tensor_type *t, words *w) {
    strbuf s = strbuf_in(w->memory);
    type_print(t, &s);
    return finished(w, &s);
}

const char *draw_name(const char *name, size_t longest, words *w) {
    const char *text = report_name(w->memory, name, longest);
    return kept(w, *text != '\0' || *name == '\0' ? text : NULL);
}

const char *draw_input_name(const node *n, int index, words *w) {
    const op_param *p = n->row != NULL ? op_input_param(n, index) : NULL;
    if (p == NULL)
        return kept(w, arena_printf(w->memory, "input %d", index));
    return (p->flags & PARAM_VARIADIC) != 0 ? kept(w, arena_printf(w->memory, "%s %d", p->name, index)) : p->name;
}

/* Contents of one number, or of a few integers: a shape, axes. */
static bool is_short(const tensor *t) {
    return t->count == 1 || (t->count <= MOST_INTEGERS && dtype_is_int(t->elem) && t->rank == 1);
}

static const char *contents(const tensor *t, words *w) {
    strbuf s = strbuf_in(w->memory);
    if (t->count == 1)
        element_print(t->elem, t->data, 0, &s);
    else
        tensor_print_data(t, NULL, &s);
    return finished(w, &s);
}

const char *draw_value_words(const value *v, words *w) {
    if (v == NULL)
        return "nothing";
    if (v->constant != NULL)
        return is_short(v->constant) ? contents(v->constant, w)
                                     : kept(w, arena_printf(w->memory, "constant %s", draw_type(&v->type, w)));
    return v->def != NULL ? v->def->op : draw_name(v->name, LONGEST_WORD, w);
}

/* ---- attributes ---- */

static bool is_uniform(const attr *x) {
    for (int64_t i = 0; x->kind == ATTR_INTS && i < x->n; i++)
        if (x->ints[i] != x->ints[0] || x->ints[i] < 0 || x->ints[i] > 1)
            return false;
    return x->kind == ATTR_INTS;
}

/* Does it say no more than what is so without it: the row's default, or a list of zeros or ones? */
static bool is_plain(const node *n, const attr *x) {
    if (is_uniform(x))
        return true;
    for (const op_attr *d = n->row != NULL ? n->row->attrs : NULL; d != NULL && d->name != NULL; d++) {
        if (strcmp(d->name, x->name) != 0 || d->required || d->kind != x->kind)
            continue;
        return (x->kind == ATTR_INT && x->i == d->i) || (x->kind == ATTR_FLOAT && (float)x->f == (float)d->f) ||
               (x->kind == ATTR_STRING && d->s != NULL && strcmp(x->s, d->s) == 0);
    }
    return false;
}

static const char *attribute(const attr *x, words *w) {
    strbuf s = strbuf_in(w->memory);
    attr_print(x, &s);
    return finished(w, &s);
}

/* ---- a node's box ---- */

static int add_line(strbuf *s, int n, const char *text, words *w) {
    if (n < MOST_LINES)
        strbuf_printf(s, "%s\n", cut(text, LONGEST_LINE, w));
    return n + 1;
}

static const char *constant_line(const node *n, int index, words *w) {
    const value *v = node_input(n, index);
    const char *name = draw_input_name(n, index, w);
    return kept(w, is_short(v->constant) ? arena_printf(w->memory, "%s = %s", name, contents(v->constant, w))
                                         : arena_printf(w->memory, "%s %s", name, draw_type(&v->type, w)));
}

status draw_node_lines(const node *n, words *w, const char **out) {
    strbuf s = strbuf_in(w->memory);
    int lines = 0;
    for (int i = 0; i < n->n_inputs; i++)
        if (node_input(n, i) != NULL && node_input(n, i)->constant != NULL)
            lines = add_line(&s, lines, constant_line(n, i, w), w);
    for (int i = 0; i < n->n_attrs; i++)
        if (!is_plain(n, &n->attrs[i]))
            lines = add_line(&s, lines, attribute(&n->attrs[i], w), w);
    if (lines > MOST_LINES)
        strbuf_printf(&s, "and %d more\n", lines - MOST_LINES);
    return strbuf_finish(&s, out);
}

/* ---- its tooltip ---- */

static void tip_value(strbuf *s, const char *what, const value *v, words *w) {
    if (v == NULL)
        return;
    strbuf_printf(s, "\n%s: %s %s", what, draw_type(&v->type, w), v->name);
    if (v->constant != NULL && is_short(v->constant))
        strbuf_printf(s, " = %s", contents(v->constant, w));
}

status draw_node_tip(const picture_box *b, const node *n, words *w, strbuf *tip) {
    strbuf_printf(tip, "%s%s%s%s%s-%d", n->name, n->name[0] != '\0' ? "\n" : "", n->domain,
                  n->domain[0] != '\0' ? "::" : "", n->op, n->version);
    if (n->source >= 0)
        strbuf_printf(tip, ", node %lld of the file", (long long)n->source);
    for (int i = 0; i < n->n_inputs; i++)
        tip_value(tip, draw_input_name(n, i, w), node_input(n, i), w);
    for (int i = 0; i < n->n_outputs; i++)
        tip_value(tip, "gives", n->outputs[i], w);
    for (int i = 0; i < n->n_attrs; i++)
        strbuf_printf(tip, "\n%s", cut(attribute(&n->attrs[i], w), LONGEST_TIP, w));
    if (b->params > 0)
        strbuf_printf(tip, "\nparameters: %lld", (long long)b->params);
    if (b->macs > 0)
        strbuf_printf(tip, "\nmultiply-accumulates: %lld", (long long)b->macs);
    for (size_t i = 0; n->notes != NULL && i < n->notes->n; i++)
        if (n->notes->entries[i].value != NULL)
            strbuf_printf(tip, "\nnote %s: %.*s", n->notes->entries[i].name, LONGEST_TIP,
                          (const char *)n->notes->entries[i].value);
    return tip->failed ? STATUS_RESOURCE : STATUS_OK;
}
