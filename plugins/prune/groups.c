/* Dependency groups: which dimensions of which values have to be cut together, found by walking from one of them over
 * the operators that read or make it. */
#include <string.h>

#include "prune.h"

static int bar_at(group *g, const char *why, const char *at) {
    if (g->barrier != NULL)
        return TENON_OK;
    g->barrier = why;
    g->at = at;
    return TENON_OK;
}

static int bar(const job *j, group *g, const char *why, const tenon_node *n, const tenon_value *v) {
    const char *name = n != NULL ? j->graph->node_name(n) : "";
    return bar_at(g, why, *name != '\0' ? name : v != NULL ? j->graph->value_name(v) : j->graph->op(n));
}

/* ---- members ---- */

static int add_member(const job *j, group *g, const member *m) {
    if (g->n == g->room) {
        int more = g->room > 0 ? 2 * g->room : 64;
        member *wider = prune_room(j, (size_t)more, sizeof *wider);
        if (wider == NULL)
            return TENON_PASS_RESOURCE;
        if (g->n > 0)
            memcpy(wider, g->members, (size_t)g->n * sizeof *wider);
        g->members = wider;
        g->room = more;
    }
    g->members[g->n++] = *m;
    return TENON_OK;
}

static int visit(const job *j, group *g, tenon_value *v, int axis, int64_t outer, int64_t inner) {
    const member m = {v, axis, outer, inner};
    if (j->graph->dim(v, axis) != outer * g->units * inner)
        return bar(j, g, "another size meets it", NULL, v);
    for (int i = 0; i < g->n; i++) {
        const member *k = &g->members[i];
        if (k->value == v)
            return k->axis == axis && k->outer == outer && k->inner == inner
                       ? TENON_OK
                       : bar(j, g, "it is there in two dimensions", NULL, v);
    }
    return add_member(j, g, &m);
}

/* ---- other shapes of the same elements ---- */

int prune_is_reshape(const job *j, const tenon_node *n) {
    static const char *const ops[] = {"Reshape", "Flatten", "Squeeze", "Unsqueeze"};
    for (size_t i = 0; i < sizeof ops / sizeof *ops; i++)
        if (prune_is_op(j, n, ops[i]))
            return 1;
    return 0;
}

static int same_dim(const job *j, const tenon_value *x, int i, const tenon_value *y, int k) {
    int64_t a = j->graph->dim(x, i), b = j->graph->dim(y, k);
    if (a >= 0 || b >= 0)
        return a == b;
    const char *text = j->graph->dim_text(j->host, x, i), *other = j->graph->dim_text(j->host, y, k);
    return text != NULL && other != NULL && strcmp(text, other) == 0;
}

/* The product of dims from..to; -1 where one is not known. */
static int64_t product(const job *j, const tenon_value *v, int from, int to) {
    int64_t p = 1;
    for (int i = from; i < to; i++) {
        if (j->graph->dim(v, i) < 0)
            return -1;
        p *= j->graph->dim(v, i);
    }
    return p;
}

/* Within first..end of `from` and first..last of `to`, which have the same elements. */
static int through_middle(const job *j, const tenon_value *from, const tenon_value *to, const int ends[3],
                          int64_t units, const member *m, member *out) {
    int64_t before = product(j, from, ends[0], m->axis), after = product(j, from, m->axis + 1, ends[1]);
    for (int axis = ends[0]; axis < ends[2] && before > 0 && after > 0; axis++) {
        int64_t outer = before * m->outer, inner = after * m->inner, pre = product(j, to, ends[0], axis),
                post = product(j, to, axis + 1, ends[2]);
        if (pre < 1 || post < 1 || outer % pre != 0 || inner % post != 0)
            continue;
        *out = (member){m->value, axis, outer / pre, inner / post};
        if (j->graph->dim(to, axis) == out->outer * units * out->inner)
            return 1;
    }
    return 0;
}

int group_through_reshape(const job *j, const tenon_value *from, const tenon_value *to, int64_t units, const member *m,
                          member *out) {
    int x = j->graph->rank(from), y = j->graph->rank(to), head = 0, tail = 0;
    while (head < x && head < y && same_dim(j, from, head, to, head))
        head++;
    while (tail < x - head && tail < y - head && same_dim(j, from, x - 1 - tail, to, y - 1 - tail))
        tail++;
    *out = *m;
    if (m->axis < head)
        return 1;
    if (m->axis >= x - tail) {
        out->axis = m->axis + y - x;
        return 1;
    }
    const int ends[3] = {head, x - tail, y - tail};
    return through_middle(j, from, to, ends, units, m, out);
}

static int visit_reshape(const job *j, group *g, tenon_node *n, tenon_value *from, tenon_value *to, const member *m) {
    member out;
    if (!group_through_reshape(j, from, to, g->units, m, &out))
        return bar(j, g, "another shape takes it apart", n, NULL);
    return visit(j, g, to, out.axis, out.outer, out.inner);
}

/* ---- over operators ---- */

/* The inputs' axes that come to axis m of n's output. */
static int visit_sources(const job *j, group *g, tenon_node *n, const member *m) {
    int found = 0;
    if (j->graph->node_output(n, 0) != m->value)
        return bar(j, g, "it is a further output", n, NULL);
    if (prune_is_reshape(j, n))
        return visit_reshape(j, g, n, m->value, j->graph->node_input(n, 0), m);
    for (int i = 0; i < j->graph->node_inputs(n); i++) {
        tenon_value *x = j->graph->node_input(n, i);
        for (int axis = 0; x != NULL && axis < j->graph->rank(x); axis++) {
            if (j->opinfo->axis(j->host, n, i, axis) != m->axis || j->graph->dim(x, axis) == 1)
                continue;
            found = 1;
            TRY(visit(j, g, x, axis, m->outer, m->inner));
        }
    }
    return found ? TENON_OK : bar(j, g, "an operator makes it of no single dimension", n, NULL);
}

/* The other factor of what is summed up. */
static int visit_partners(const job *j, group *g, tenon_node *n, int input, const member *m) {
    int found = 0;
    for (int i = 0; i < j->graph->node_inputs(n); i++) {
        tenon_value *x = i != input ? j->graph->node_input(n, i) : NULL;
        for (int axis = 0; x != NULL && axis < j->graph->rank(x); axis++)
            if (j->opinfo->axis(j->host, n, i, axis) == TENON_AXIS_SUMMED) {
                found = 1;
                TRY(visit(j, g, x, axis, m->outer, m->inner));
            }
    }
    return found ? TENON_OK : bar(j, g, "an operator sums it up alone", n, NULL);
}

static int has_other_outputs(const job *j, const tenon_node *n) {
    for (int i = 1; i < j->graph->node_outputs(n); i++)
        if (j->graph->node_output(n, i) != NULL && j->graph->uses(j->graph->node_output(n, i)) > 0)
            return 1;
    return 0;
}

static int visit_user(const job *j, group *g, const tenon_use *u, const member *m) {
    if (u->node == NULL)
        return bar_at(g, "the model gives it out", j->graph->output_name(j->g, u->index));
    if (prune_is_op(j, u->node, "Shape"))
        return TENON_OK; /* says what there is, whatever that is */
    if (prune_is_reshape(j, u->node))
        return u->index == 0 ? visit_reshape(j, g, u->node, m->value, j->graph->node_output(u->node, 0), m)
                             : bar(j, g, "it is a shape", u->node, NULL);
    int to = j->opinfo->axis(j->host, u->node, u->index, m->axis);
    if (to == TENON_AXIS_SUMMED)
        return visit_partners(j, g, u->node, u->index, m);
    if (to < 0 || has_other_outputs(j, u->node))
        return bar(j, g, "an operator mixes it", u->node, NULL);
    return visit(j, g, j->graph->node_output(u->node, 0), to, m->outer, m->inner);
}

/* ---- who is in it ---- */

static int add_linear(const job *j, group *g, const tenon_use *u, const member *m) {
    int input;
    if (!prune_is_linear(j, u->node, &input) || input != u->index)
        return TENON_OK;
    if (j->opinfo->axis(j->host, u->node, input, m->axis) == TENON_AXIS_SUMMED)
        g->consumers[g->n_consumers++] = u->node;
    else
        g->producers[g->n_producers++] = u->node;
    return TENON_OK;
}

static int find_linears(const job *j, group *g) {
    size_t most = 1;
    for (int i = 0; i < g->n; i++)
        most += j->graph->constant(g->members[i].value) != NULL ? (size_t)j->graph->uses(g->members[i].value) : 0;
    g->producers = prune_room(j, most, sizeof(tenon_node *));
    g->consumers = prune_room(j, most, sizeof(tenon_node *));
    if (g->producers == NULL || g->consumers == NULL)
        return TENON_PASS_RESOURCE;
    for (int i = 0; i < g->n; i++)
        for (int k = 0; j->graph->constant(g->members[i].value) != NULL && k < j->graph->uses(g->members[i].value);
             k++) {
            tenon_use u = j->graph->use(g->members[i].value, k);
            TRY(u.node != NULL ? add_linear(j, g, &u, &g->members[i]) : TENON_OK);
        }
    return TENON_OK;
}

int group_grow(const job *j, group *g, const member *from, int64_t units) {
    memset(g, 0, sizeof *g);
    g->units = units;
    TRY(visit(j, g, from->value, from->axis, from->outer, from->inner));
    for (int i = 0; i < g->n && g->barrier == NULL; i++) {
        const member m = g->members[i];
        tenon_node *producer = j->graph->producer(m.value);
        if (j->graph->is_input(m.value))
            return bar(j, g, "it is fed", NULL, m.value);
        if (j->graph->element_type(m.value) != TENON_FLOAT)
            return bar(j, g, "its numbers are no floats", NULL, m.value);
        if (producer != NULL)
            TRY(visit_sources(j, g, producer, &m));
        for (int k = 0; k < j->graph->uses(m.value); k++) {
            const tenon_use u = j->graph->use(m.value, k);
            TRY(visit_user(j, g, &u, &m));
        }
    }
    return find_linears(j, g);
}
