/* Pictures as DOT text. */
#include <string.h>

#include "report/picture.h"

enum { MOST_TYPES = 2, LONGEST_NAME = 40, MOST_NODES = 40 };

typedef struct writing {
    const picture *p;
    scopes found;
    strbuf s;
    arena *memory;
    picture_view view;
} writing;

/* ---- boxes and scopes ---- */

static void write_box(writing *w, size_t i, const scope *in) {
    const picture_box *b = &w->p->boxes.at[i];
    const picture_color *c = picture_color_at(picture_color_of(w->p, b));
    strbuf_printf(&w->s, "n%zu [id=n%zu, label=<", i, i);
    picture_box_label(&w->s, w->p, b, in, w->memory);
    strbuf_printf(&w->s, ">, fillcolor=\"%s\", color=\"%s\", fontcolor=\"%s\"", c->fill, c->line, c->text);
    if (b->kind != PICTURE_NODE)
        strbuf_add(&w->s, ", style=\"filled,rounded\", penwidth=1.5, margin=\"0.16,0.07\"");
    strbuf_add(&w->s, ", tooltip=");
    picture_quoted(&w->s, b->tip);
    strbuf_add(&w->s, "];\n");
    w->view.boxes++;
}

static const char *scope_name(writing *w, const scope *s, const scope *in) {
    const char *name = picture_scope_name(s, in, w->memory);
    w->s.failed = w->s.failed || *name == '\0';
    return name;
}

/* As many as a tooltip has room for. */
static void list_nodes(const writing *w, const scope *s, strbuf *tip, int *left) {
    for (size_t i = 0; i < s->items.n && *left >= 0; i++) {
        const picture_box *b = &w->p->boxes.at[s->items.at[i].box];
        if (s->items.at[i].inside != NULL)
            list_nodes(w, s->items.at[i].inside, tip, left);
        else if (b->kind == PICTURE_NODE && (*left)-- > 0)
            strbuf_printf(tip, "\n%s %s", b->op, b->name);
        else if (b->kind == PICTURE_NODE)
            strbuf_add(tip, "\n...");
    }
}

static void write_closed(writing *w, const scope *s, const scope *in) {
    strbuf_printf(&w->s, "s%zu [id=s%zu, label=<", s->id, s->id);
    picture_scope_label(&w->s, w->p, s, in, w->memory);
    const picture_color *same = picture_color_at(picture_color_number(PICTURE_SAME));
    if (w->p->other != NULL)
        strbuf_printf(&w->s, ">, fillcolor=\"%s\", color=\"%s\", fontcolor=\"%s\"", same->fill, same->line, same->text);
    else
        strbuf_add(&w->s, ">, fillcolor=\"#ffffff\", color=\"#8c959f\"");
    strbuf_add(&w->s, ", peripheries=2, tooltip=");
    strbuf tip = strbuf_in(w->memory);
    int left = MOST_NODES;
    strbuf_add(&tip, s->above != NULL ? scope_name(w, s, w->found.root) : w->p->title);
    list_nodes(w, s, &tip, &left);
    w->s.failed = w->s.failed || tip.failed;
    picture_quoted(&w->s, tip.failed ? "" : tip.text);
    strbuf_add(&w->s, "];\n");
    w->view.boxes++;
    w->view.closed++;
}

static void write_items(writing *w, const scope *s, const scope *in, int level);

static void write_cluster(writing *w, const scope *s, const scope *in, int level) {
    static const char *const fills[] = {"#f6f8fb", "#edf1f6"};
    strbuf_printf(
        &w->s,
        "subgraph cluster_s%zu { id=s%zu; style=\"filled,rounded\"; color=\"#d5dbe3\"; fillcolor=\"%s\"; label=<<B>",
        s->id, s->id, fills[level % 2]);
    picture_name(&w->s, scope_name(w, s, in), LONGEST_NAME, w->memory);
    strbuf_add(&w->s, "</B>>; tooltip=");
    picture_quoted(&w->s, scope_name(w, s, w->found.root));
    strbuf_add(&w->s, ";\n");
    write_items(w, s, s, level + 1);
    strbuf_add(&w->s, "}\n");
}

/* A scope that holds nothing but another is drawn as that. */
static void write_scope(writing *w, const scope *s, const scope *in, int level) {
    bool transparent = s->items.n == 1 && s->items.at[0].inside != NULL;
    if (s->closed)
        write_closed(w, s, in);
    else if (transparent)
        write_items(w, s, in, level);
    else
        write_cluster(w, s, in, level);
}

static void write_items(writing *w, const scope *s, const scope *in, int level) {
    for (size_t i = 0; i < s->items.n; i++) {
        const scope_item *item = &s->items.at[i];
        if (item->inside != NULL)
            write_scope(w, item->inside, in, level);
        else if (w->found.shown[item->box] == NULL)
            write_box(w, item->box, in);
    }
}

/* ---- edges ---- */

/* What goes from one thing that is drawn to another. */
typedef struct bundle {
    size_t from, to; /* things: boxes, then scopes */
    picture_state state;
    VEC(const picture_edge *) values;
} bundle;

typedef struct bundles {
    VEC(bundle *) all;
    map by_ends;
} bundles;

static size_t thing_of(const writing *w, size_t box) {
    const scope *s = w->found.shown[box];
    return s != NULL ? w->p->boxes.n + s->id : box;
}

static bool carries(const bundle *b, const picture_edge *e) {
    for (size_t i = 0; i < b->values.n; i++)
        if (b->values.at[i]->from == e->from && b->values.at[i]->output == e->output)
            return true;
    return false;
}

static status add_edge(writing *w, bundles *all, const picture_edge *e) {
    size_t from = thing_of(w, e->from), to = thing_of(w, e->to), n = w->p->boxes.n + w->found.n;
    if (from == to)
        return STATUS_OK;
    uint64_t key = ((uint64_t)from * n + to) * PICTURE_STATES + (uint64_t)e->state;
    bundle *b = map_get_key(&all->by_ends, key);
    if (b == NULL) {
        TRY_ALLOC(b = ARENA_NEW(w->memory, bundle));
        *b = (bundle){.from = from, .to = to, .state = e->state};
        TRY(map_set_key(&all->by_ends, key, b));
        TRY(VEC_PUSH(w->memory, all->all, b));
    }
    return carries(b, e) ? STATUS_OK : VEC_PUSH(w->memory, b->values, e);
}

static void write_thing(writing *w, size_t thing) {
    if (thing < w->p->boxes.n)
        strbuf_printf(&w->s, "n%zu", thing);
    else
        strbuf_printf(&w->s, "s%zu", thing - w->p->boxes.n);
}

static void write_types(writing *w, const bundle *b) {
    strbuf_add(&w->s, "label=<&#160;");
    for (size_t i = 0; i < b->values.n && i < MOST_TYPES; i++) {
        strbuf_add(&w->s, i > 0 ? "<BR/>&#160;" : "");
        picture_html(&w->s, b->values.at[i]->type);
    }
    if (b->values.n > MOST_TYPES)
        strbuf_printf(&w->s, "<BR/>&#160;and %zu more", b->values.n - MOST_TYPES);
    strbuf_add(&w->s, ">");
}

static status write_bundle(writing *w, const bundle *b, size_t number) {
    strbuf tip = strbuf_in(w->memory);
    const char *text;
    for (size_t i = 0; i < b->values.n; i++)
        strbuf_printf(&tip, "%s%s %s", i > 0 ? "\n" : "", b->values.at[i]->name, b->values.at[i]->type);
    TRY(strbuf_finish(&tip, &text));
    write_thing(w, b->from);
    strbuf_add(&w->s, " -> ");
    write_thing(w, b->to);
    strbuf_printf(&w->s, " [id=e%zu, ", number);
    write_types(w, b);
    if (w->p->other != NULL) {
        const picture_color *c = picture_color_at(picture_color_number(b->state));
        bool same = b->state == PICTURE_SAME;
        strbuf_printf(&w->s, ", color=\"%s\", fontcolor=\"%s\"", c->line, c->text);
        strbuf_add(&w->s, same ? "" : ", penwidth=1.8");
        strbuf_add(&w->s, b->state == PICTURE_REMOVED ? ", style=dashed" : "");
    }
    strbuf_add(&w->s, ", tooltip=");
    picture_quoted(&w->s, text);
    strbuf_add(&w->s, "];\n");
    w->view.edges++;
    return STATUS_OK;
}

static status write_edges(writing *w) {
    bundles all = {.by_ends = map_in(w->memory)};
    for (size_t i = 0; i < w->p->edges.n; i++)
        TRY(add_edge(w, &all, &w->p->edges.at[i]));
    for (size_t i = 0; i < all.all.n; i++)
        TRY(write_bundle(w, all.all.at[i], i));
    return STATUS_OK;
}

/* ---- all ---- */

/* Helvetica is a name that every renderer has a font for. */
static void write_begin(writing *w) {
    strbuf_add(&w->s, "digraph model {\n"
                      "graph [rankdir=TB, nodesep=0.22, ranksep=0.22, pad=0.3, fontname=\"Helvetica\", fontsize=10, "
                      "fontcolor=\"#4b5563\", labeljust=l, labelloc=t, bgcolor=\"#ffffff\", tooltip=\" \",\nlabel=<");
    picture_head(&w->s, w->p, w->memory);
    strbuf_add(&w->s, ">];\n"
                      "node [shape=box, style=\"filled,rounded\", fontname=\"Helvetica\", fontsize=11, height=0.3, "
                      "margin=\"0.11,0.055\"];\n"
                      "edge [fontname=\"Helvetica\", fontsize=8, fontcolor=\"#6b7280\", color=\"#6e7b8a\", "
                      "arrowsize=0.6];\n");
}

status picture_dot(const picture *p, int64_t depth, arena *a, const char **out, picture_view *out_view) {
    writing w = {.p = p, .s = strbuf_in(a), .memory = a};
    TRY(scopes_find(p, depth, a, &w.found));
    write_begin(&w);
    if (w.found.root->closed) {
        write_closed(&w, w.found.root, w.found.root);
        for (size_t i = 0; i < p->boxes.n; i++)
            if (p->boxes.at[i].kind != PICTURE_NODE)
                write_box(&w, i, w.found.root);
    } else {
        write_items(&w, w.found.root, w.found.root, 0);
    }
    TRY(write_edges(&w));
    strbuf_add(&w.s, "}\n");
    *out_view = w.view;
    return strbuf_finish(&w.s, out);
}
