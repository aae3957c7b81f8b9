/* Which values of two models stand for the same. */
#include <string.h>

#include "api/diff_points.h"

typedef struct matching {
    diff_points *a, *b;
    arena *memory;
    diff_pairs pairs;
    int n_groups;
} matching;

/* ---- one pair ---- */

static bool is_real(const diff_point *p) {
    return p->quantum != NULL || dtype_is_float(p->v->type.elem);
}

static bool same_shape(const tensor_type *x, const tensor_type *y) {
    bool same = x->rank >= 0 && x->rank == y->rank;
    for (int i = 0; i < x->rank && same; i++)
        same = dim_equal(x->dims[i], y->dims[i]);
    return same;
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
    bool by_name_alone = m->a->plain && strcmp(a->v->name, b->v->name) == 0;
    if (!by_name_alone && (!same_shape(&a->v->type, &b->v->type) || is_real(a) != is_real(b)))
        return say_why_not(m, a, b);
    diff_pair made = {.a = a, .b = b, .is_of_b = a->group != 0, .by = by};
    int group = a->group != 0 ? a->group : b->group != 0 ? b->group : ++m->n_groups;
    a->group = b->group = group;
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
        if (b == NULL || b->group != 0)
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
            if (a->array != NULL && b->array != NULL && a->group == 0 && b->group == 0 &&
                strcmp(a->array, b->array) == 0)
                TRY(pair(m, a, b, "data"));
        }
    return STATUS_OK;
}

static status match_nodes(matching *m) {
    for (size_t i = 0; i < m->a->by_node.n; i++) {
        const map_entry *e = &m->a->by_node.entries[i];
        diff_point *a = e->value, *b = map_get(&m->b->by_node, e->name);
        if (b != NULL && a->group == 0 && b->group == 0 && !a->ambiguous && !b->ambiguous)
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
        if (a != NULL && b != NULL && (a->group == 0 || b->group == 0))
            TRY(pair(m, a, b, "output"));
    }
    return STATUS_OK;
}

/* ---- by their place ---- */

static diff_point *point_of(const diff_points *s, const value *v) {
    return v != NULL ? map_get_key(&s->by_value, MAP_KEY(v)) : NULL;
}

/* A node whose results are to be found in the other graph. */
typedef struct wanted {
    const diff_points *s;
    const node *n;
    int output;
    int input;    /* the first that is no constant */
    bool exactly; /* constants must be the same */
} wanted;

static bool same_constant(const tensor *x, const tensor *y) {
    return x->elem == y->elem && x->bytes == y->bytes && memcmp(x->data, y->data, x->bytes) == 0;
}

/* Is x, which the wanted node reads, what y is in s? */
static bool same_input(const wanted *w, const value *x, const diff_points *s, const value *y) {
    if (x == NULL || y == NULL)
        return x == NULL && y == NULL;
    if (x->constant != NULL || y->constant != NULL)
        return x->constant != NULL && y->constant != NULL && (!w->exactly || same_constant(x->constant, y->constant));
    const diff_point *p = point_of(w->s, x), *q = point_of(s, y);
    return p != NULL && q != NULL && p->group != 0 && p->group == q->group;
}

static bool reads_the_same(const wanted *w, const diff_points *s, const node *n) {
    if (strcmp(n->op, w->n->op) != 0 || strcmp(n->domain, w->n->domain) != 0 || n->n_inputs != w->n->n_inputs)
        return false;
    for (int i = 0; i < n->n_inputs; i++)
        if (!same_input(w, node_input(w->n, i), s, node_input(n, i)))
            return false;
    return true;
}

/* Counts results, not matched yet, of nodes of s that read v and are like the wanted one; *out: one of them. */
static int count_alike(const wanted *w, const diff_points *s, const value *v, diff_point **out) {
    int n = 0;
    for (const use *u = v != NULL ? v->uses : NULL; u != NULL; u = u->next) {
        if (u->user == NULL || u->index != w->input || !reads_the_same(w, s, u->user))
            continue;
        diff_point *p = point_of(s, node_output(u->user, w->output));
        if (p == NULL || p->group != 0)
            continue;
        *out = p;
        n++;
    }
    return n;
}

/* The only one in s; NULL where there is none or more than one. */
static diff_point *only_alike(const wanted *w, const diff_points *s, int group) {
    int n = 0;
    diff_point *found = NULL;
    for (size_t i = 0; i < s->at.n; i++) {
        const diff_point *p = s->at.at[i];
        if (p->group == group)
            n += count_alike(w, s, p->v, &found) + (p->real != p->v ? count_alike(w, s, p->real, &found) : 0);
    }
    return n == 1 ? found : NULL;
}

static int first_read(const node *n) {
    int i = 0;
    while (i < n->n_inputs && (node_input(n, i) == NULL || node_input(n, i)->constant != NULL))
        i++;
    return i;
}

/* The only node of its operator that reads the same. */
static status match_results(matching *m, bool exactly) {
    for (size_t i = 0; i < m->a->at.n; i++) {
        diff_point *a = m->a->at.at[i];
        const node *n = a->v->def;
        if (a->group != 0 || n == NULL || first_read(n) == n->n_inputs)
            continue;
        wanted w = {m->a, n, a->v->def_index, first_read(n), exactly};
        const diff_point *read = point_of(m->a, node_input(n, w.input));
        if (read == NULL || read->group == 0 || only_alike(&w, m->a, read->group) != a)
            continue;
        diff_point *b = only_alike(&w, m->b, read->group);
        if (b != NULL)
            TRY(pair(m, a, b, "place"));
    }
    return STATUS_OK;
}

/* What n reads, where that is one value beside constants. */
static diff_point *only_read(const diff_points *s, const node *n) {
    int first = first_read(n);
    for (int i = first + 1; i < n->n_inputs; i++)
        if (node_input(n, i) != NULL && node_input(n, i)->constant == NULL)
            return NULL;
    return first < n->n_inputs ? point_of(s, node_input(n, first)) : NULL;
}

/* What is read by two nodes of one operator that make the same of it. */
static status match_read(matching *m) {
    for (size_t i = 0; i < m->pairs.n; i++) {
        const node *x = m->pairs.at[i].a->v->def, *y = m->pairs.at[i].b->v->def;
        if (x == NULL || y == NULL || strcmp(x->op, y->op) != 0 || strcmp(x->domain, y->domain) != 0)
            continue;
        diff_point *a = only_read(m->a, x), *b = only_read(m->b, y);
        if (a != NULL && b != NULL && a->group == 0 && b->group == 0)
            TRY(pair(m, a, b, "place"));
    }
    return STATUS_OK;
}

/* ---- what only one of them quantises ---- */

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
        const diff_pair *of = p->group != 0 ? NULL : pair_of_origin(m, s, p, side);
        if (of != NULL)
            TRY(pair(m, side == 0 ? p : of->a, side == 0 ? of->b : p, "quantised"));
    }
    return STATUS_OK;
}

/* ---- all ---- */

/* The surest way first, again after each find. */
static status match_rest(matching *m) {
    size_t before;
    do {
        before = m->pairs.n;
        TRY(match_results(m, true));
        if (m->pairs.n == before)
            TRY(match_results(m, false));
        if (m->pairs.n == before)
            TRY(match_read(m));
        if (m->pairs.n == before)
            TRY(match_quantised(m, 1));
        if (m->pairs.n == before)
            TRY(match_quantised(m, 0));
    } while (m->pairs.n != before);
    return STATUS_OK;
}

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
    TRY(match_rest(&m));
    sort(&m.pairs);
    *out = m.pairs;
    return STATUS_OK;
}
