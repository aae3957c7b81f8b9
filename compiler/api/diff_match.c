/* Which values of two models stand for the same. */
#include <string.h>

#include "api/diff_points.h"

typedef struct matching {
    diff_points *a, *b;
    arena *memory;
    diff_pairs pairs;
} matching;

/* ---- one pair ---- */

static bool is_real(const diff_point *p) {
    return p->quantum != NULL || dtype_is_float(p->v->type.elem);
}

static bool same_shape(const tensor_type *x, const tensor_type *y) {
    int64_t dims[TENSOR_MAX_RANK] = {0}, others[TENSOR_MAX_RANK] = {0};
    if (x->rank < 0 || x->rank != y->rank || !type_shape(x, dims) || !type_shape(y, others))
        return false;
    return memcmp(dims, others, sizeof dims) == 0;
}

static status say_why_not(matching *m, diff_point *a, diff_point *b) {
    strbuf s = strbuf_in(m->memory);
    const char *text;
    type_print(&a->v->type, &s);
    strbuf_add(&s, " against ");
    type_print(&b->v->type, &s);
    TRY(strbuf_finish(&s, &text));
    a->reason = b->reason = text;
    return STATUS_OK;
}

static status pair(matching *m, diff_point *a, diff_point *b, const char *by) {
    if (!same_shape(&a->v->type, &b->v->type) || is_real(a) != is_real(b))
        return say_why_not(m, a, b);
    diff_pair made = {.a = a, .b = b, .is_of_b = a->matched, .by = by};
    a->matched = b->matched = true;
    return VEC_PUSH(m->memory, m->pairs, made);
}

/* ---- the ways to find them ---- */

/* A name that the graph made up, as t12, says nothing: the nodes must have the same, too. */
static bool is_made_up(const char *name) {
    return name[0] == 't' && name[1] != '\0' && strspn(name + 1, "0123456789") == strlen(name + 1);
}

static bool same_node(const node *x, const node *y) {
    return x != NULL && y != NULL && strcmp(x->op, y->op) == 0 && strcmp(x->name, y->name) == 0;
}

static status match_names(matching *m) {
    for (size_t i = 0; i < m->a->at.n; i++) {
        diff_point *a = m->a->at.at[i], *b;
        TRY(diff_points_named(m->b, a->v->name, &b));
        if (b == NULL || b->matched)
            continue;
        if (!is_made_up(a->v->name) || same_node(a->v->def, b->v->def))
            TRY(pair(m, a, b, "name"));
    }
    return STATUS_OK;
}

/* Inputs that the same array feeds. */
static status match_data(matching *m) {
    for (size_t i = 0; i < m->a->at.n; i++)
        for (size_t k = 0; k < m->b->at.n; k++) {
            diff_point *a = m->a->at.at[i], *b = m->b->at.at[k];
            if (a->array != NULL && b->array != NULL && !a->matched && !b->matched && strcmp(a->array, b->array) == 0)
                TRY(pair(m, a, b, "data"));
        }
    return STATUS_OK;
}

static status match_nodes(matching *m) {
    for (size_t i = 0; i < m->a->by_node.n; i++) {
        const map_entry *e = &m->a->by_node.entries[i];
        diff_point *a = e->value, *b = map_get(&m->b->by_node, e->name);
        if (b != NULL && !a->matched && !b->matched && !a->ambiguous && !b->ambiguous)
            TRY(pair(m, a, b, "node"));
    }
    return STATUS_OK;
}

static diff_point *output_at(const diff_points *s, size_t i) {
    return map_get_key(&s->by_value, MAP_KEY(s->g->outputs.at[i]->v));
}

static status match_outputs(matching *m) {
    for (size_t i = 0; i < m->a->g->outputs.n && i < m->b->g->outputs.n; i++) {
        diff_point *a = output_at(m->a, i), *b = output_at(m->b, i);
        if (a != NULL && b != NULL && !(a->matched && b->matched))
            TRY(pair(m, a, b, "output"));
    }
    return STATUS_OK;
}

/* The pair of which p's origin is one side; `side` 1: b's. */
static const diff_pair *pair_of_origin(const matching *m, const diff_points *s, const diff_point *p, int side) {
    const diff_point *origin = p->origin != NULL ? map_get_key(&s->by_value, MAP_KEY(p->origin)) : NULL;
    for (size_t i = 0; origin != NULL && i < m->pairs.n; i++)
        if ((side == 0 ? m->pairs.at[i].a : m->pairs.at[i].b) == origin)
            return &m->pairs.at[i];
    return NULL;
}

/* What only one graph quantises belongs to what it was made of. */
static status match_quantised(matching *m, int side) {
    const diff_points *s = side == 0 ? m->a : m->b;
    for (size_t i = 0; i < s->at.n; i++) {
        diff_point *p = s->at.at[i];
        const diff_pair *of = p->matched ? NULL : pair_of_origin(m, s, p, side);
        if (of != NULL)
            TRY(pair(m, side == 0 ? p : of->a, side == 0 ? of->b : p, "quantised"));
    }
    return STATUS_OK;
}

/* ---- all ---- */

static bool is_before(const diff_pair *x, const diff_pair *y) {
    return x->a->index != y->a->index ? x->a->index < y->a->index : x->b->index < y->b->index;
}

/* Pairs found by name are in order already, and nearly all are. */
static void sort(diff_pairs *pairs) {
    for (size_t i = 1; i < pairs->n; i++) {
        diff_pair x = pairs->at[i];
        size_t k = i;
        for (; k > 0 && is_before(&x, &pairs->at[k - 1]); k--)
            pairs->at[k] = pairs->at[k - 1];
        pairs->at[k] = x;
    }
}

status diff_match(diff_points *a, diff_points *b, arena *memory, diff_pairs *out) {
    matching m = {.a = a, .b = b, .memory = memory};
    TRY(match_names(&m));
    TRY(match_data(&m));
    TRY(match_nodes(&m));
    TRY(match_outputs(&m));
    TRY(match_quantised(&m, 1));
    TRY(match_quantised(&m, 0));
    sort(&m.pairs);
    *out = m.pairs;
    return STATUS_OK;
}
