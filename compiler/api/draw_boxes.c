/* The boxes and edges of a picture: of one graph, or of two in one. */
#include <string.h>

#include "api/draw.h"
#include "ops/ops.h"

/* ---- boxes ---- */

static status add_box(drawing *d, const picture_box *b, const void *of, const void *other) {
    void *number = (void *)(uintptr_t)(d->p.boxes.n + 1);
    TRY(VEC_PUSH(d->memory, d->p.boxes, *b));
    if (of != NULL)
        TRY(map_set_key(&d->boxes, MAP_KEY(of), number));
    return other != NULL ? map_set_key(&d->boxes, MAP_KEY(other), number) : STATUS_OK;
}

static const void *other_of(const drawing *d, const void *x) {
    return map_get_key(&d->other, MAP_KEY(x));
}

/* Of what one graph alone has. */
static picture_state state_alone(const drawing *d, const graph *g) {
    return d->before == NULL ? PICTURE_SAME : g == d->before ? PICTURE_REMOVED : PICTURE_ADDED;
}

static int64_t own_params(drawing *d, const node *n) {
    int64_t params = 0;
    for (int i = 0; i < n->n_inputs; i++) {
        const value *v = node_input(n, i);
        if (!model_is_parameter(v) || map_get_key(&d->counted, MAP_KEY(v)) != NULL)
            continue;
        if (map_set_key(&d->counted, MAP_KEY(v), d) == STATUS_OK)
            params += v->constant->count;
    }
    return params;
}

static const char *path_of(const node *n) {
    if (n->name[0] != '\0')
        return n->name;
    return n->n_outputs > 0 && n->outputs[0] != NULL ? n->outputs[0]->name : "";
}

/* x: its like before, NULL. */
static status add_node(drawing *d, const node *n, const node *x) {
    strbuf tip = strbuf_in(d->memory), changes = strbuf_in(d->memory);
    picture_box b = {.kind = PICTURE_NODE,
                     .state = x == NULL ? state_alone(d, n->graph) : PICTURE_SAME,
                     .name = n->name,
                     .path = path_of(n),
                     .op = n->op,
                     .row = n->row,
                     .family = ops_family(n->row),
                     .index = n->source,
                     .params = own_params(d, n),
                     .macs = passes_known_macs(d->registry, n)};
    TRY(draw_node_lines(n, &d->words, &b.lines));
    TRY(draw_node_tip(&b, n, &d->words, &tip));
    if (x != NULL)
        TRY(draw_node_changes(d, x, n, &changes, &tip));
    TRY(strbuf_finish(&changes, &b.change));
    TRY(strbuf_finish(&tip, &b.tip));
    if (*b.change != '\0')
        b.state = PICTURE_CHANGED;
    return add_box(d, &b, n, x);
}

/* An input or output: what has changed of it can be its type. */
static status add_end(drawing *d, picture_kind kind, const char *name, picture_state state, const value *v,
                      const value *x, const void *of, const void *other) {
    const char *type = draw_type(&v->type, &d->words), *before = x != NULL ? draw_type(&x->type, &d->words) : type;
    bool changed = strcmp(type, before) != 0;
    picture_box b = {.kind = kind,
                     .state = changed ? PICTURE_CHANGED : state,
                     .name = name,
                     .path = name,
                     .op = "",
                     .index = -1,
                     .lines = arena_printf(d->memory, "%s\n", type),
                     .change = changed ? arena_printf(d->memory, "was %s\n", before) : "",
                     .macs = -1};
    b.tip = arena_printf(d->memory, "%s %s: %s%s%s", kind == PICTURE_INPUT ? "input" : "output", name, type,
                         changed ? "\nchanged: was " : "", changed ? before : "");
    if (b.lines == NULL || b.change == NULL || b.tip == NULL)
        return STATUS_RESOURCE;
    return add_box(d, &b, of, other);
}

static status add_inputs(drawing *d) {
    const graph *gone = d->before;
    for (size_t i = 0; gone != NULL && i < gone->inputs.n; i++)
        if (other_of(d, gone->inputs.at[i]) == NULL)
            TRY(add_end(d, PICTURE_INPUT, gone->inputs.at[i]->name, PICTURE_REMOVED, gone->inputs.at[i], NULL,
                        gone->inputs.at[i], NULL));
    for (size_t i = 0; i < d->g->inputs.n; i++) {
        const value *v = d->g->inputs.at[i], *x = other_of(d, v);
        TRY(add_end(d, PICTURE_INPUT, v->name, x == NULL ? state_alone(d, d->g) : PICTURE_SAME, v, x, v, x));
    }
    return STATUS_OK;
}

static status add_removed(drawing *d, const node *n) {
    return other_of(d, n) == NULL ? add_node(d, n, NULL) : STATUS_OK;
}

/* Both graphs' nodes in one order: those that are gone stand before what followed them. */
static status add_nodes(drawing *d) {
    const node *gone = d->before != NULL ? d->before->first : NULL;
    for (const node *n = d->g->first; n != NULL; n = n->next) {
        const node *x = other_of(d, n);
        for (; x != NULL && gone != NULL && (gone == x || node_is_before(gone, x)); gone = gone->next)
            TRY(add_removed(d, gone));
        TRY(add_node(d, n, x));
    }
    for (; gone != NULL; gone = gone->next)
        TRY(add_removed(d, gone));
    return STATUS_OK;
}

/* The output's number + 1 by its name; 0. */
static size_t find_output(const graph *g, const char *name) {
    for (size_t i = 0; g != NULL && i < g->outputs.n; i++)
        if (strcmp(g->output_names.at[i], name) == 0)
            return i + 1;
    return 0;
}

static status add_outputs(drawing *d) {
    const graph *gone = d->before;
    for (size_t i = 0; gone != NULL && i < gone->outputs.n; i++)
        if (find_output(d->g, gone->output_names.at[i]) == 0)
            TRY(add_end(d, PICTURE_OUTPUT, gone->output_names.at[i], PICTURE_REMOVED, gone->outputs.at[i]->v, NULL,
                        gone->outputs.at[i], NULL));
    for (size_t i = 0; i < d->g->outputs.n; i++) {
        size_t found = find_output(gone, d->g->output_names.at[i]);
        const use *of = d->g->outputs.at[i], *x = found > 0 ? gone->outputs.at[found - 1] : NULL;
        TRY(add_end(d, PICTURE_OUTPUT, d->g->output_names.at[i], x == NULL ? state_alone(d, d->g) : PICTURE_SAME, of->v,
                    x != NULL ? x->v : NULL, of, x));
    }
    return STATUS_OK;
}

/* ---- edges ---- */

typedef struct joining {
    drawing *d;
    const graph *g;
    map known; /* ends and output -> edge + 1 */
} joining;

static size_t box_of(const drawing *d, const void *x) {
    return (size_t)(uintptr_t)map_get_key(&d->boxes, MAP_KEY(x)) - 1;
}

/* The same edge in both graphs stays one. */
static status add_edge(joining *j, const value *v, const void *reader) {
    drawing *d = j->d;
    if (v == NULL || v->constant != NULL)
        return STATUS_OK;
    picture_edge e = {.from = box_of(d, v->def != NULL ? (const void *)v->def : v),
                      .to = box_of(d, reader),
                      .output = v->def_index,
                      .state = state_alone(d, j->g),
                      .type = draw_type(&v->type, &d->words),
                      .name = v->name};
    uint64_t key = ((uint64_t)e.from * d->p.boxes.n + e.to) << 16 | (uint64_t)(e.output & 0xffff);
    uintptr_t at = (uintptr_t)map_get_key(&j->known, key);
    if (at == 0) {
        TRY(VEC_PUSH(d->memory, d->p.edges, e));
        return map_set_key(&j->known, key, (void *)(uintptr_t)d->p.edges.n);
    }
    picture_edge *same = &d->p.edges.at[at - 1];
    if (same->state != PICTURE_REMOVED || j->g == d->before)
        return STATUS_OK;
    bool changed = strcmp(same->type, e.type) != 0;
    e.state = changed ? PICTURE_CHANGED : PICTURE_SAME;
    if (changed)
        TRY_ALLOC(e.type = arena_printf(d->memory, "%s → %s", same->type, e.type));
    *same = e;
    return STATUS_OK;
}

static status add_edges(joining *j, const graph *g) {
    j->g = g;
    for (const node *n = g->first; n != NULL; n = n->next)
        for (int i = 0; i < n->n_inputs; i++)
            TRY(add_edge(j, node_input(n, i), n));
    for (size_t i = 0; i < g->outputs.n; i++)
        TRY(add_edge(j, g->outputs.at[i]->v, g->outputs.at[i]));
    return STATUS_OK;
}

/* ---- all ---- */

static status fill(drawing *d) {
    joining j = {.d = d, .known = map_in(d->memory)};
    if (d->before != NULL)
        TRY(draw_match(d));
    TRY(add_inputs(d));
    TRY(add_nodes(d));
    TRY(add_outputs(d));
    if (d->before != NULL) {
        TRY(add_edges(&j, d->before));
        TRY(draw_constants(d));
    }
    TRY(add_edges(&j, d->g));
    return d->words.failed ? STATUS_RESOURCE : STATUS_OK;
}

/* A node that cannot be lowered has no number of multiply-accumulates; its picture needs no message. */
status draw_picture(drawing *d) {
    diag *quiet = diag_new(arena_allocator(d->memory));
    TRY_ALLOC(quiet);
    diag *theirs = d->g->diags;
    d->words.memory = d->memory;
    d->boxes = map_in(d->memory);
    d->other = map_in(d->memory);
    d->counted = map_in(d->memory);
    d->g->diags = quiet;
    if (d->before != NULL)
        d->before->diags = quiet;
    status s = fill(d);
    d->g->diags = theirs;
    if (d->before != NULL)
        d->before->diags = theirs;
    diag_free(quiet);
    return s;
}
