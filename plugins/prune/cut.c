/* Cutting a group's units out of the graph: constants get smaller, and what says a size is told the new one. */
#include <stdio.h>
#include <string.h>

#include "prune.h"

static int64_t count_kept(const group *g, const unsigned char *keep) {
    int64_t n = 0;
    for (int64_t u = 0; u < g->units; u++)
        n += keep[u];
    return n;
}

/* ---- constants ---- */

/* The elements whose unit stays. */
static tenon_tensor *cut_tensor(job *j, const group *g, const member *m, const unsigned char *keep) {
    const tenon_tensor *t = j->graph->constant(m->value);
    const float *from = j->tensor->data(t);
    int64_t dims[8], inner = m->inner, n = 0;
    int rank = j->tensor->rank(t);
    float *to = prune_room(j, (size_t)j->tensor->count(t) + 1, sizeof *to);
    if (to == NULL || rank > 8)
        return NULL;
    memcpy(dims, j->tensor->dims(t), (size_t)rank * sizeof *dims);
    for (int i = m->axis + 1; i < rank; i++)
        inner *= dims[i];
    for (int64_t i = 0; i < j->tensor->count(t); i++)
        if (keep[i / inner % g->units])
            to[n++] = from[i];
    dims[m->axis] = m->outer * count_kept(g, keep) * m->inner;
    return j->tensor->make(j->host, j->g, TENON_FLOAT, rank, dims, to);
}

/* ---- changes ---- */

typedef struct changes {
    tenon_change *list;
    int n;
} changes;

static int change_constant(job *j, const group *g, const member *m, const unsigned char *keep, changes *c) {
    tenon_tensor *t = cut_tensor(j, g, m, keep);
    tenon_value *v = t != NULL ? j->graph->add_constant(j->host, j->g, j->graph->value_name(m->value), t) : NULL;
    if (v == NULL)
        return TENON_PASS_RESOURCE;
    for (int k = 0; k < j->graph->uses(m->value); k++) {
        tenon_use u = j->graph->use(m->value, k);
        c->list[c->n++] = (tenon_change){u.node, u.index, v, NULL};
    }
    return TENON_OK;
}

/* A Conv with a filter for each channel says how many there are. */
static int change_groups(job *j, const group *g, const member *m, const unsigned char *keep, changes *c) {
    tenon_node *n = j->graph->producer(m->value);
    char *text = prune_room(j, 48, 1);
    if (text == NULL)
        return TENON_PASS_RESOURCE;
    sprintf(text, "group=%lld", (long long)(m->outer * count_kept(g, keep) * m->inner));
    c->list[c->n++] = (tenon_change){n, 0, NULL, text};
    return TENON_OK;
}

/* A Reshape's shape: known sizes, 0 for what is as it was in the same place, -1 for one more. */
static int change_shape(job *j, const group *g, const member *m, const unsigned char *keep, changes *c) {
    tenon_node *n = j->graph->producer(m->value);
    const tenon_value *from = j->graph->node_input(n, 0);
    int rank = j->graph->rank(m->value), open = 0;
    int64_t *sizes = prune_room(j, (size_t)rank + 1, sizeof *sizes), dims = rank;
    if (sizes == NULL)
        return TENON_PASS_RESOURCE;
    for (int i = 0; i < rank; i++) {
        int is_same = i < j->graph->rank(from) && j->graph->dim(from, i) < 0 &&
                      strcmp(j->graph->dim_text(j->host, from, i), j->graph->dim_text(j->host, m->value, i)) == 0;
        sizes[i] = i == m->axis ? m->outer * count_kept(g, keep) * m->inner : j->graph->dim(m->value, i);
        if (sizes[i] < 0)
            sizes[i] = is_same ? 0 : -1;
        open += sizes[i] == -1;
    }
    if (open > 1 || j->graph->attribute_int(n, "allowzero") != 0) {
        j->diag->error(j->host, n, "unknown-shape",
                       "its new shape cannot be said: more than one of its sizes is not known");
        j->diag->note(j->host, "bind the model's dimensions with --dim, or leave the layers around it out with keep=");
        return TENON_PASS_UNSUPPORTED;
    }
    tenon_tensor *t = j->tensor->make(j->host, j->g, TENON_INT64, 1, &dims, sizes);
    tenon_value *v = t != NULL ? j->graph->add_constant(j->host, j->g, "smaller_shape", t) : NULL;
    c->list[c->n++] = (tenon_change){n, 1, v, NULL};
    return v != NULL ? TENON_OK : TENON_PASS_RESOURCE;
}

static int change_member(job *j, const group *g, const member *m, const unsigned char *keep, changes *c) {
    const tenon_node *n = j->graph->producer(m->value);
    if (j->graph->constant(m->value) != NULL)
        return change_constant(j, g, m, keep, c);
    if (prune_is_op(j, n, "Reshape"))
        return change_shape(j, g, m, keep, c);
    if (prune_is_op(j, n, "Conv") && j->graph->attribute_int(n, "group") > 1)
        return change_groups(j, g, m, keep, c);
    return TENON_OK;
}

/* What was pruned before stays so: a mask of the new size, by the zeros. */
static int renew_masks(job *j, tenon_node *const *nodes, int n) {
    for (int i = 0; i < n; i++) {
        weight w;
        if (j->graph->annotation(nodes[i], "tenon.mask") == NULL)
            continue;
        TRY(j->graph->annotate(j->host, nodes[i], "tenon.mask", NULL));
        TRY(prune_take(j, nodes[i], &w));
        for (int64_t k = 0; k < w.count; k++) {
            w.keep[k] = w.x[k] != 0;
            w.zeros += w.x[k] == 0;
        }
        TRY(mask_write(j, &w));
    }
    return TENON_OK;
}

int group_cut(job *j, const group *g, const unsigned char *keep) {
    size_t most = 1;
    for (int i = 0; i < g->n; i++)
        most += 1 + (size_t)j->graph->uses(g->members[i].value);
    changes c = {prune_room(j, most, sizeof *c.list), 0};
    if (c.list == NULL)
        return TENON_PASS_RESOURCE;
    for (int i = 0; i < g->n; i++)
        TRY(change_member(j, g, &g->members[i], keep, &c));
    TRY(j->graph->change(j->host, j->g, c.list, c.n));
    TRY(renew_masks(j, g->producers, g->n_producers));
    return renew_masks(j, g->consumers, g->n_consumers);
}
