/* What has changed between two graphs. */
#include <string.h>

#include "api/diff_points.h"
#include "api/draw.h"
#include "ir/graph_text.h"

enum { LONGEST_WORD = 32 };

/* ---- what stands for the same ---- */

static bool is_new(const drawing *d, const void *x, const void *y) {
    return map_get_key(&d->other, MAP_KEY(x)) == NULL && map_get_key(&d->other, MAP_KEY(y)) == NULL;
}

/* The nodes that make the two values, or the values as inputs, where neither belongs to another already. */
static status join(drawing *d, value *x, value *y) {
    void *of_x = x->def != NULL ? (void *)x->def : x, *of_y = y->def != NULL ? (void *)y->def : y;
    bool alike = x->constant == NULL && y->constant == NULL && (x->def == NULL) == (y->def == NULL);
    if (!alike || !is_new(d, of_x, of_y))
        return STATUS_OK;
    TRY(map_set_key(&d->other, MAP_KEY(of_x), of_y));
    return map_set_key(&d->other, MAP_KEY(of_y), of_x);
}

/* What has a name in common first. */
status draw_match(drawing *d) {
    diff_points x, y;
    diff_pairs pairs;
    TRY(diff_points_find(d->before, NULL, d->memory, &x));
    TRY(diff_points_find(d->g, NULL, d->memory, &y));
    TRY(diff_match(&x, &y, d->memory, &pairs));
    for (int by_name = 1; by_name >= 0; by_name--)
        for (size_t i = 0; i < pairs.n; i++)
            if ((strcmp(pairs.at[i].by, "name") == 0) == by_name)
                TRY(join(d, graph_find_value(d->before, pairs.at[i].a->v->name),
                         graph_find_value(d->g, pairs.at[i].b->v->name)));
    return STATUS_OK;
}

static bool same_contents(const tensor *x, const tensor *y) {
    if (x->elem != y->elem || x->rank != y->rank || x->bytes != y->bytes)
        return false;
    for (int i = 0; i < x->rank; i++)
        if (x->dims[i] != y->dims[i])
            return false;
    return x->data == y->data || memcmp(x->data, y->data, x->bytes) == 0;
}

static bool same_value(const drawing *d, const value *x, const value *y) {
    if (x == NULL || y == NULL)
        return x == y;
    if (x->constant != NULL || y->constant != NULL)
        return x->constant != NULL && y->constant != NULL && same_contents(x->constant, y->constant);
    const void *of_x = x->def != NULL ? (const void *)x->def : x, *of_y = y->def != NULL ? (const void *)y->def : y;
    return x->def_index == y->def_index && map_get_key(&d->other, MAP_KEY(of_x)) == of_y;
}

/* ---- nodes ---- */

typedef struct changes {
    drawing *d;
    words *w;
    const node *x, *y;
    strbuf *lines, *tip;
} changes;

static void say(changes *c, const char *what, const char *before, const char *after) {
    const char *between = what[0] != '\0' ? ": " : "";
    strbuf_printf(c->lines, "%s%s%s → %s\n", what, between, before, after);
}

static void compare_input(changes *c, int i) {
    const value *x = node_input(c->x, i), *y = node_input(c->y, i);
    if (same_value(c->d, x, y))
        return;
    const char *name = draw_input_name(i < c->y->n_inputs ? c->y : c->x, i, c->w);
    const char *before = draw_value_words(x, c->w), *after = draw_value_words(y, c->w);
    if (strcmp(before, after) != 0)
        say(c, name, before, after);
    else
        strbuf_printf(c->lines, x != NULL && x->constant != NULL ? "%s: other contents\n" : "%s: another %s\n", name,
                      after);
    strbuf_printf(c->tip, "\nchanged: %s was %s", name, x != NULL ? x->name : "absent");
}

static const char *attribute(const node *n, const char *name, words *w) {
    const attr *found = node_attr(n, name);
    strbuf s = strbuf_in(w->memory);
    const char *text;
    if (found != NULL)
        attr_print(found, &s);
    else
        strbuf_printf(&s, "no %s", name);
    bool made = strbuf_finish(&s, &text) == STATUS_OK;
    w->failed = w->failed || !made;
    return made ? text : "";
}

static void compare_attribute(changes *c, const char *name) {
    const char *before = attribute(c->x, name, c->w), *after = attribute(c->y, name, c->w);
    if (strcmp(before, after) == 0)
        return;
    say(c, "", before, after);
    strbuf_printf(c->tip, "\nchanged: was %s", before);
}

static void compare_output(changes *c, int i) {
    const value *x = node_output(c->x, i), *y = node_output(c->y, i);
    const char *before = x != NULL ? draw_type(&x->type, c->w) : "absent";
    const char *after = y != NULL ? draw_type(&y->type, c->w) : "absent";
    if (strcmp(before, after) == 0)
        return;
    say(c, "gives", before, after);
    strbuf_printf(c->tip, "\nchanged: gave %s", before);
}

static const char *note_of(const node *n, const char *name) {
    const char *text = n->notes != NULL ? map_get(n->notes, name) : NULL;
    return text != NULL ? text : "";
}

static void compare_notes(changes *c, const map *names) {
    for (size_t i = 0; names != NULL && i < names->n; i++) {
        const char *name = names->entries[i].name, *before = note_of(c->x, name);
        if (names == c->x->notes && *note_of(c->y, name) != '\0')
            continue; /* seen among y's */
        if (strcmp(before, note_of(c->y, name)) == 0)
            continue;
        strbuf_printf(c->lines, "note %s\n", draw_name(name, LONGEST_WORD, c->w));
        strbuf_printf(c->tip, "\nchanged: note %s was %s", name, *before != '\0' ? before : "absent");
    }
}

static int larger(int x, int y) {
    return x > y ? x : y;
}

status draw_node_changes(drawing *d, const node *x, const node *y, strbuf *lines, strbuf *tip) {
    changes c = {d, &d->words, x, y, lines, tip};
    if (strcmp(x->op, y->op) != 0 || strcmp(x->domain, y->domain) != 0) {
        strbuf_printf(lines, "was %s\n", draw_name(x->op, LONGEST_WORD, c.w));
        strbuf_printf(tip, "\nchanged: was %s%s%s", x->domain, x->domain[0] != '\0' ? "::" : "", x->op);
    }
    for (int i = 0; i < larger(x->n_inputs, y->n_inputs); i++)
        compare_input(&c, i);
    for (int i = 0; i < y->n_attrs; i++)
        compare_attribute(&c, y->attrs[i].name);
    for (int i = 0; i < x->n_attrs; i++)
        if (node_attr(y, x->attrs[i].name) == NULL)
            compare_attribute(&c, x->attrs[i].name);
    for (int i = 0; i < larger(x->n_outputs, y->n_outputs); i++)
        compare_output(&c, i);
    compare_notes(&c, y->notes);
    compare_notes(&c, x->notes);
    return lines->failed || tip->failed ? STATUS_RESOURCE : STATUS_OK;
}

/* ---- constants ---- */

static const value *used_constant(const graph *g, const char *name) {
    const value *v = graph_find_value(g, name);
    return v != NULL && v->constant != NULL && v->n_uses > 0 ? v : NULL;
}

static status add_constant(drawing *d, const value *v, picture_state state) {
    draw_constant one = {state, v->name, draw_type(&v->type, &d->words)};
    return VEC_PUSH(d->memory, d->constants, one);
}

status draw_constants(drawing *d) {
    for (const value *x = d->before->values; x != NULL; x = x->next) {
        if (x->constant == NULL || x->n_uses == 0)
            continue;
        const value *y = used_constant(d->g, x->name);
        if (y == NULL)
            TRY(add_constant(d, x, PICTURE_REMOVED));
        else if (!same_contents(x->constant, y->constant))
            TRY(add_constant(d, y, PICTURE_CHANGED));
    }
    for (const value *y = d->g->values; y != NULL; y = y->next)
        if (y->constant != NULL && y->n_uses > 0 && used_constant(d->before, y->name) == NULL)
            TRY(add_constant(d, y, PICTURE_ADDED));
    return STATUS_OK;
}
