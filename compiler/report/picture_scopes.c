/* Scopes: the tree that nodes' names make. */
#include "report/picture.h"

#include <string.h>

/* Names are the file's: a scope inside of so many others is none. */
enum { MOST_DEEP = 24 };
/* So many nodes and more are put together. */
enum { LEAST_RUN = 3 };
/* Of layout_cost: ten times as much takes Graphviz minutes. */
enum { MOST_COST = 4000 };

/* ---- names ---- */

/* What separates the parts of this name. */
static char separator_of(const char *path) {
    return strchr(path, '/') != NULL ? '/' : '.';
}

/* Where the part that begins at `from` ends, if more follows: "" and a number alone do not name a node. Else 0. */
static size_t part_end(const char *path, size_t from) {
    char separator = separator_of(path);
    const char *end = strchr(path + from, separator);
    if (end == NULL || end[1] == '\0')
        return 0;
    bool number = separator == '.' && strspn(end + 1, "0123456789") == strlen(end + 1);
    return number ? 0 : (size_t)(end - path);
}

static size_t skip_separators(const char *path, size_t from) {
    char separator = separator_of(path);
    while (path[from] == separator && path[from + 1] != '\0')
        from++;
    return from;
}

const char *scope_rest(const scope *s, const picture_box *b) {
    return b->path + skip_separators(b->path, s->end);
}

/* ---- the tree ---- */

typedef struct building {
    const picture *p;
    arena *memory;
    scopes *s;
} building;

static bool has_name(const scope *s, const char *name, size_t n) {
    return s->name_end - s->begin == n && memcmp(s->path + s->begin, name, n) == 0;
}

/* The scope of this name in `above`, the newest first: nodes come scope by scope. */
static scope *find_inside(const scope *above, const char *name, size_t n) {
    for (size_t i = above->items.n; i-- > 0;)
        if (above->items.at[i].inside != NULL && has_name(above->items.at[i].inside, name, n))
            return above->items.at[i].inside;
    return NULL;
}

static status enter(building *b, scope *above, const char *path, size_t begin, size_t end, scope **out) {
    *out = find_inside(above, path + begin, end - begin);
    if (*out != NULL)
        return STATUS_OK;
    scope *s = ARENA_NEW(b->memory, scope);
    TRY_ALLOC(s);
    *s = (scope){.above = above, .begin = begin, .name_end = end, .end = end + 1, .path = path, .id = b->s->n++};
    scope_item item = {s, 0};
    *out = s;
    return VEC_PUSH(b->memory, above->items, item);
}

static status add_box(building *b, size_t i) {
    const picture_box *box = &b->p->boxes.at[i];
    scope *s = b->s->root;
    size_t at = skip_separators(box->path, 0);
    for (int deep = 0; box->kind == PICTURE_NODE && deep < MOST_DEEP; deep++) {
        size_t end = part_end(box->path, at);
        if (end == 0)
            break;
        TRY(enter(b, s, box->path, at, end, &s));
        at = skip_separators(box->path, end + 1);
    }
    scope_item item = {NULL, i};
    return VEC_PUSH(b->memory, s->items, item);
}

/* ---- what is known of each ---- */

static void sum_up(const picture *p, scope *s) {
    for (size_t i = 0; i < s->items.n; i++) {
        scope *inside = s->items.at[i].inside;
        const picture_box *b = &p->boxes.at[s->items.at[i].box];
        if (inside != NULL)
            sum_up(p, inside);
        s->n_nodes += inside != NULL ? inside->n_nodes : b->kind == PICTURE_NODE;
        s->touched = s->touched || (inside != NULL ? inside->touched : b->state != PICTURE_SAME);
    }
}

/* A scope of one node is no more than a part of its name. */
static void dissolve(scope *s) {
    for (size_t i = 0; i < s->items.n; i++) {
        scope_item *item = &s->items.at[i];
        while (item->inside != NULL && item->inside->n_nodes == 1)
            *item = item->inside->items.at[0];
        if (item->inside != NULL)
            dissolve(item->inside);
    }
}

/* A scope that holds every node says nothing of any: the tree begins inside of it. Inputs and outputs come along. */
static status unwrap(building *b) {
    for (;;) {
        scope *root = b->s->root, *only = NULL;
        for (size_t i = 0; i < root->items.n; i++)
            if (root->items.at[i].inside != NULL && root->items.at[i].inside->n_nodes == root->n_nodes)
                only = root->items.at[i].inside;
        if (only == NULL)
            return STATUS_OK;
        scope *fresh = ARENA_NEW(b->memory, scope);
        TRY_ALLOC(fresh);
        *fresh = *only;
        fresh->above = NULL;
        fresh->items.at = NULL;
        fresh->items.n = fresh->items.cap = 0;
        for (size_t i = 0; i < root->items.n; i++) {
            if (root->items.at[i].inside == NULL)
                TRY(VEC_PUSH(b->memory, fresh->items, root->items.at[i]));
            for (size_t k = 0; root->items.at[i].inside == only && k < only->items.n; k++) {
                if (only->items.at[k].inside != NULL)
                    only->items.at[k].inside->above = fresh;
                TRY(VEC_PUSH(b->memory, fresh->items, only->items.at[k]));
            }
        }
        fresh->touched = root->touched;
        b->s->root = fresh;
    }
}

/* ---- what is far from any change ---- */

static status find_near(building *b, bool **out) {
    const picture *p = b->p;
    bool *near = ARENA_NEW_N(b->memory, bool, p->boxes.n + 1);
    TRY_ALLOC(*out = near);
    for (size_t i = 0; i < p->boxes.n; i++)
        near[i] = p->boxes.at[i].state != PICTURE_SAME || p->boxes.at[i].kind != PICTURE_NODE;
    for (size_t i = 0; i < p->edges.n; i++) {
        const picture_edge *e = &p->edges.at[i];
        bool changed = p->boxes.at[e->from].state != PICTURE_SAME || p->boxes.at[e->to].state != PICTURE_SAME;
        near[e->from] = near[e->from] || changed;
        near[e->to] = near[e->to] || changed;
    }
    return STATUS_OK;
}

static bool is_far(const scope *s, size_t i, const bool *near) {
    return i < s->items.n && s->items.at[i].inside == NULL && !near[s->items.at[i].box];
}

static status join(building *b, const scope *s, size_t from, size_t to, scope **out) {
    scope *run = ARENA_NEW(b->memory, scope);
    TRY_ALLOC(*out = run);
    *run = (scope){.above = s, .is_run = true, .id = b->s->n++, .n_nodes = to - from};
    for (; from < to; from++)
        TRY(VEC_PUSH(b->memory, run->items, s->items.at[from]));
    return STATUS_OK;
}

/* Nodes that follow each other in the order of the graph: no way leads out of such a run and back. */
static status join_runs(building *b, scope *s, const bool *near) {
    size_t kept = 0, end;
    for (size_t i = 0; i < s->items.n; i = end) {
        for (end = i; is_far(s, end, near);)
            end++;
        scope_item item = s->items.at[i];
        if (end - i >= LEAST_RUN)
            TRY(join(b, s, i, end, &item.inside));
        else
            end = i + 1;
        if (item.inside != NULL && !item.inside->is_run && item.inside->touched)
            TRY(join_runs(b, item.inside, near));
        s->items.at[kept++] = item;
    }
    s->items.n = kept;
    return STATUS_OK;
}

static status join_far(building *b) {
    bool *near;
    TRY(find_near(b, &near));
    return join_runs(b, b->s->root, near);
}

/* ---- what is closed ---- */

static void close(building *b, scope *s, int64_t depth, const scope *closed) {
    s->depth = s->above != NULL ? s->above->depth + 1 : 0;
    bool may = s->n_nodes > 1 && (b->p->other == NULL || !s->touched);
    s->closed = closed == NULL && (s->is_run || (may && s->depth >= depth));
    closed = s->closed ? s : closed;
    for (size_t i = 0; i < s->items.n; i++) {
        const scope_item *item = &s->items.at[i];
        if (item->inside != NULL)
            close(b, item->inside, depth, closed);
        else if (b->p->boxes.at[item->box].kind == PICTURE_NODE)
            b->s->shown[item->box] = closed;
    }
}

static size_t shown_at(const building *b, size_t box) {
    const scope *s = b->s->shown[box];
    return s != NULL ? b->p->boxes.n + s->id : box;
}

/* What it costs to lay out what is shown: the way of each edge, and each box. The order of the graph stands for that of
 * the picture. `places`: one for each box and scope. */
static size_t layout_cost(const building *b, size_t *places) {
    const picture *p = b->p;
    size_t n = 0, cost = 0;
    memset(places, 0, (p->boxes.n + b->s->n) * sizeof *places);
    for (size_t i = 0; i < p->boxes.n; i++)
        if (places[shown_at(b, i)] == 0)
            places[shown_at(b, i)] = ++n;
    for (size_t i = 0; i < p->edges.n; i++) {
        size_t from = places[shown_at(b, p->edges.at[i].from)], to = places[shown_at(b, p->edges.at[i].to)];
        cost += from < to ? to - from : from - to;
    }
    return cost + n;
}

/* Opens as much as Graphviz lays out in seconds. */
static status close_some(building *b) {
    size_t *places = ARENA_NEW_N(b->memory, size_t, b->p->boxes.n + b->s->n);
    TRY_ALLOC(places);
    int64_t depth = MOST_DEEP + 1; /* of none */
    close(b, b->s->root, depth, NULL);
    while (depth > 1 && layout_cost(b, places) > MOST_COST)
        close(b, b->s->root, --depth, NULL);
    return STATUS_OK;
}

status scopes_find(const picture *p, int64_t depth, arena *a, scopes *out) {
    building b = {p, a, out};
    *out = (scopes){.root = ARENA_NEW(a, scope), .shown = ARENA_NEW_N(a, const scope *, p->boxes.n + 1), .n = 1};
    if (out->root == NULL || out->shown == NULL)
        return STATUS_RESOURCE;
    for (size_t i = 0; i < p->boxes.n; i++)
        TRY(add_box(&b, i));
    sum_up(p, out->root);
    TRY(unwrap(&b));
    dissolve(out->root);
    if (depth < 0 && p->other == NULL)
        return close_some(&b);
    if (depth < 0)
        TRY(join_far(&b));
    close(&b, out->root, depth >= 0 ? depth : 1, NULL);
    return STATUS_OK;
}
