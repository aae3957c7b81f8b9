/* What a picture says of nodes and values. */
#include <string.h>

#include "api/draw.h"
#include "ir/graph_text.h"

enum { MOST_LINES = 6, LONGEST_LINE = 44, LONGEST_TIP = 240, MOST_INTEGERS = 8, LONGEST_WORD = 28 };

static const char *or_empty(const char *text) {
    return text != NULL ? text : "";
}

/* Whole lines of ASCII, cut. */
static const char *cut(const char *text, size_t longest, arena *a) {
    return strlen(text) <= longest ? text : or_empty(arena_printf(a, "%.*s...", (int)longest - 3, text));
}

const char *draw_type(const tensor_type *t, arena *a) {
    strbuf s = strbuf_in(a);
    const char *text;
    type_print(t, &s);
    return strbuf_finish(&s, &text) == STATUS_OK ? text : "";
}

const char *draw_input_name(const node *n, int index, arena *a) {
    const op_param *p = n->row != NULL ? op_input_param(n, index) : NULL;
    if (p == NULL)
        return or_empty(arena_printf(a, "input %d", index));
    return (p->flags & PARAM_VARIADIC) != 0 ? or_empty(arena_printf(a, "%s %d", p->name, index)) : p->name;
}

/* Contents of one number, or of a few integers: a shape, axes. */
static bool is_short(const tensor *t) {
    return t->count == 1 || (t->count <= MOST_INTEGERS && dtype_is_int(t->elem) && t->rank == 1);
}

static const char *contents(const tensor *t, arena *a) {
    strbuf s = strbuf_in(a);
    const char *text;
    if (t->count == 1)
        element_print(t->elem, t->data, 0, &s);
    else
        tensor_print_data(t, &s);
    return strbuf_finish(&s, &text) == STATUS_OK ? text : "";
}

const char *draw_value_words(const value *v, arena *a) {
    if (v == NULL)
        return "nothing";
    if (v->constant != NULL)
        return is_short(v->constant) ? contents(v->constant, a)
                                     : or_empty(arena_printf(a, "constant %s", draw_type(&v->type, a)));
    return v->def != NULL ? v->def->op : report_name(a, v->name, LONGEST_WORD);
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

static const char *attribute(const attr *x, arena *a) {
    strbuf s = strbuf_in(a);
    const char *text;
    attr_print(x, &s);
    return strbuf_finish(&s, &text) == STATUS_OK ? text : "";
}

/* ---- a node's box ---- */

static int add_line(strbuf *s, int n, const char *text, arena *a) {
    if (n < MOST_LINES)
        strbuf_printf(s, "%s\n", cut(text, LONGEST_LINE, a));
    return n + 1;
}

static const char *constant_line(const node *n, int index, arena *a) {
    const value *v = node_input(n, index);
    const char *name = draw_input_name(n, index, a);
    return or_empty(is_short(v->constant) ? arena_printf(a, "%s = %s", name, contents(v->constant, a))
                                          : arena_printf(a, "%s %s", name, draw_type(&v->type, a)));
}

status draw_node_lines(const node *n, arena *a, const char **out) {
    strbuf s = strbuf_in(a);
    int lines = 0;
    for (int i = 0; i < n->n_inputs; i++)
        if (value_is_constant(node_input(n, i)))
            lines = add_line(&s, lines, constant_line(n, i, a), a);
    for (int i = 0; i < n->n_attrs; i++)
        if (!is_plain(n, &n->attrs[i]))
            lines = add_line(&s, lines, attribute(&n->attrs[i], a), a);
    if (lines > MOST_LINES)
        strbuf_printf(&s, "and %d more\n", lines - MOST_LINES);
    return strbuf_finish(&s, out);
}

/* ---- its tooltip ---- */

static void tip_value(strbuf *s, const char *what, const value *v, arena *a) {
    if (v == NULL)
        return;
    strbuf_printf(s, "\n%s: %s %s", what, draw_type(&v->type, a), v->name);
    if (v->constant != NULL && is_short(v->constant))
        strbuf_printf(s, " = %s", contents(v->constant, a));
}

status draw_node_tip(const picture_box *b, const node *n, arena *a, strbuf *tip) {
    strbuf_printf(tip, "%s%s%s%s%s-%d", n->name, n->name[0] != '\0' ? "\n" : "", n->domain,
                  n->domain[0] != '\0' ? "::" : "", n->op, n->version);
    if (n->source >= 0)
        strbuf_printf(tip, ", node %lld of the file", (long long)n->source);
    for (int i = 0; i < n->n_inputs; i++)
        tip_value(tip, draw_input_name(n, i, a), node_input(n, i), a);
    for (int i = 0; i < n->n_outputs; i++)
        tip_value(tip, "gives", n->outputs[i], a);
    for (int i = 0; i < n->n_attrs; i++)
        strbuf_printf(tip, "\n%s", cut(attribute(&n->attrs[i], a), LONGEST_TIP, a));
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
