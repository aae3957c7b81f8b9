/* Structured pruning: which channels, heads, neurons and rows leave the graph. One group after the other, so that each
 * sees what those before it have left; the layers that read what goes make up for it. */
#include <math.h>
#include <string.h>

#include "obs.h"
#include "prune.h"

/* ---- where to begin ---- */

static int is_head(const job *j, const tenon_node *n) {
    const tenon_value *y = j->graph->node_output(n, 0);
    int input;
    return (prune_is_op(j, n, "Attention") || (prune_is_op(j, n, "MatMul") && !prune_is_linear(j, n, &input))) &&
           j->graph->rank(y) == 4;
}

static int begins(const job *j, const tenon_node *n, granularity by) {
    int input, is_linear = prune_is_linear(j, n, &input), is_conv = prune_is_op(j, n, "Conv");
    switch (by) {
    case BY_HEAD:
        return is_head(j, n);
    case BY_CHANNEL:
        return is_linear && is_conv;
    case BY_NEURON:
        return is_linear && !is_conv;
    case BY_ROW:
        return is_linear;
    default:
        return 0;
    }
}

static member first_member(const job *j, const structure *s) {
    tenon_value *y = j->graph->node_output(s->node, 0);
    int is_last = !prune_is_op(j, s->node, "Conv") && s->how.by != BY_HEAD;
    return (member){y, is_last ? j->graph->rank(y) - 1 : 1, 1, 1};
}

static int find_structures(job *j) {
    j->structures = prune_room(j, (size_t)j->graph->nodes(j->g) + 1, sizeof *j->structures);
    if (j->structures == NULL)
        return TENON_PASS_RESOURCE;
    for (tenon_node *n = j->graph->first(j->g); n != NULL; n = j->graph->next(n)) {
        structure *s = &j->structures[j->n_structures];
        if (!prune_is_selected(j, n))
            continue;
        memset(s, 0, sizeof *s);
        TRY(prune_settings(j, n, &s->how));
        if (!begins(j, n, s->how.by) || j->graph->rank(j->graph->node_output(n, 0)) < 2)
            continue;
        s->node = n;
        s->share = s->how.sparsity;
        const member m = first_member(j, s);
        s->units = j->graph->dim(m.value, m.axis);
        j->n_structures += s->units > 0;
    }
    return TENON_OK;
}

/* ---- may it go? ---- */

/* Those that would begin elsewhere in the same group have nothing to do any more. */
static void settle_others(const job *j, const structure *s, const group *g) {
    for (structure *o = j->structures; o < j->structures + j->n_structures; o++) {
        const member m = first_member(j, o);
        for (int i = 0; i < g->n && o != s; i++)
            if (g->members[i].value == m.value && g->members[i].axis == m.axis)
                o->barrier = "";
    }
}

static const tenon_node *left_out(const job *j, const structure *s, const group *g) {
    for (int i = 0; i < g->n_producers && s->how.by != BY_HEAD; i++)
        if (!prune_is_selected(j, g->producers[i]))
            return g->producers[i];
    return NULL;
}

static void bar(const job *j, structure *s, const char *why, const tenon_node *n) {
    s->barrier = why;
    s->at = n != NULL ? j->graph->node_name(n) : "";
}

/* Grows the group; *out_goes: whether it is what was asked for, and nothing stands against it. */
static int consider(const job *j, structure *s, group *g, int *out_goes) {
    const member m = first_member(j, s);
    *out_goes = 0;
    if (s->barrier != NULL)
        return TENON_OK;
    s->units = j->graph->dim(m.value, m.axis);
    TRY(group_grow(j, g, &m, s->units));
    s->barrier = g->barrier;
    s->at = g->at;
    if (s->barrier == NULL && left_out(j, s, g) != NULL)
        bar(j, s, "select= or keep= leaves out what goes with it", left_out(j, s, g));
    if (s->barrier == NULL && s->how.by == BY_NEURON && g->n_producers != 1)
        bar(j, s, "several layers make it (granularity=row takes such, too)", s->node);
    if (s->barrier == NULL && s->units < 2)
        bar(j, s, "it is the only one", s->node);
    *out_goes = s->barrier == NULL;
    return TENON_OK;
}

/* ---- what units are worth ---- */

static tenon_value *weight_value(const job *j, const tenon_node *n) {
    int input = 0;
    return prune_is_linear(j, n, &input) ? j->graph->node_input(n, input) : NULL;
}

static const member *member_of(const group *g, const tenon_value *v) {
    for (int i = 0; i < g->n; i++)
        if (g->members[i].value == v)
            return &g->members[i];
    return NULL;
}

/* By what makes them: the numbers of their rows. */
static int add_rows(const job *j, const structure *s, const group *g, double *scores) {
    for (int i = 0; i < g->n_producers; i++) {
        const member *m = member_of(g, weight_value(j, g->producers[i]));
        const tenon_tensor *t = j->graph->constant(m->value);
        double *theirs = NULL;
        if (s->how.method == METHOD_OTHER) {
            int input = 0;
            theirs = prune_room(j, (size_t)j->tensor->count(t), sizeof *theirs);
            if (theirs == NULL || !prune_is_linear(j, g->producers[i], &input))
                return TENON_PASS_RESOURCE;
            TRY(j->criterion->score(j->host, s->how.criterion, j->g, g->producers[i], input, j->samples, j->n_samples,
                                    theirs));
        }
        int64_t inner = m->inner;
        for (int a = m->axis + 1; a < j->tensor->rank(t); a++)
            inner *= j->tensor->dims(t)[a];
        for (int64_t e = 0; e < j->tensor->count(t); e++) {
            double x = j->tensor->real(t, e);
            scores[e / inner % g->units] += theirs != NULL ? theirs[e] : s->how.method == METHOD_L2 ? x * x : fabs(x);
        }
    }
    return TENON_OK;
}

/* A layer that reads them: its weight, and where they lie among its inputs. */
typedef struct reader {
    weight w;
    obs_units by;
    double *x, *inverse;
    growing place;
} reader;

static int take_reader(const job *j, const group *g, tenon_node *n, method how, reader *r) {
    TRY(prune_take(j, n, &r->w));
    const member *m = member_of(g, r->w.value);
    int64_t places = r->w.is_conv ? r->w.shape.inputs / r->w.shape.run : 1;
    r->by = (obs_units){places * m->outer, g->units, m->inner};
    r->w.used = how;
    if (!prune_is_fed(j, &r->w) || j->samples == NULL)
        return TENON_OK;
    r->w.seen = prune_new_seen(j, &r->w, how != METHOD_HESSIAN);
    if (r->w.seen == NULL)
        return TENON_PASS_RESOURCE;
    r->w.seen->place = &r->place;
    return TENON_OK;
}

/* Those that can be seen; one that shares its weight with another is left as it is. */
static int take_readers(const job *j, const structure *s, const group *g, reader **out, int *out_n) {
    reader *list = prune_room(j, (size_t)g->n_consumers + 1, sizeof *list);
    int n = 0;
    if (list == NULL)
        return TENON_PASS_RESOURCE;
    for (int i = 0; i < g->n_consumers; i++) {
        if (j->graph->uses(weight_value(j, g->consumers[i])) > 1)
            continue;
        memset(&list[n], 0, sizeof *list);
        TRY(take_reader(j, g, g->consumers[i], s->how.method, &list[n]));
        n += list[n].w.seen != NULL;
    }
    *out = list;
    *out_n = n;
    return TENON_OK;
}

static int see_reader(job *j, reader *r) {
    seen *s = r->w.seen;
    TRY(prune_see(j, s));
    for (int64_t i = 0; i < s->k * s->groups; i++)
        s->means[i] = s->totals[i] / (double)(s->rows > 0 ? s->rows : 1);
    if (s->is_diagonal)
        return TENON_OK;
    size_t k = (size_t)s->k;
    TRY(weight_inverse(j, &r->w, 0));
    r->inverse = prune_room(j, k * k, sizeof *r->inverse);
    r->x = prune_room(j, (size_t)r->w.count, sizeof *r->x);
    if (r->inverse == NULL || r->x == NULL)
        return TENON_PASS_RESOURCE;
    memcpy(r->inverse, j->inverse.at, k * k * sizeof *r->inverse);
    for (int64_t i = 0; i < r->w.count; i++)
        r->x[i] = (double)r->w.x[i];
    return TENON_OK;
}

/* By what reads them: the numbers of their columns, times the norms of their data. */
static int add_columns(job *j, const reader *r, double *scores) {
    double *each = prune_grown(j, &j->scores, (size_t)r->w.count);
    if (each == NULL)
        return TENON_PASS_RESOURCE;
    TRY(weight_scores(j, &r->w, each));
    for (int64_t i = 0; i < r->w.count; i++)
        scores[i % r->w.shape.inputs / r->by.inner % r->by.n_units] += each[i];
    return TENON_OK;
}

static int score_units(job *j, const structure *s, const group *g, reader *readers, int n, double *scores) {
    memset(scores, 0, (size_t)g->units * sizeof *scores);
    if (s->how.method == METHOD_RANDOM)
        for (int64_t u = 0; u < g->units; u++)
            scores[u] = random_score(j->seed, j->graph->node_name(s->node), u);
    else if (n == 0 || (s->how.method != METHOD_WANDA && s->how.method != METHOD_HESSIAN))
        TRY(add_rows(j, s, g, scores));
    for (int i = 0; i < n && s->how.method == METHOD_WANDA; i++)
        TRY(add_columns(j, &readers[i], scores));
    return TENON_OK;
}

/* ---- taking them away ---- */

/* What the readers have lost is zero; with method=hessian the rest of them makes up for it. */
static void clear_columns(reader *r, const unsigned char *keep) {
    for (int64_t i = 0; i < r->w.count; i++) {
        int stays = keep[i % r->w.shape.inputs / r->by.inner % r->by.n_units];
        r->w.pruned[i] = !stays ? 0 : r->x != NULL ? (float)r->x[i] : r->w.x[i];
    }
}

static int remove_jointly(job *j, reader *readers, int n, int64_t gone, unsigned char *keep) {
    obs_reader *list = prune_room(j, (size_t)n, sizeof *list);
    size_t most = 0;
    for (int i = 0; i < n && list != NULL; i++) {
        int64_t each = readers[i].by.outer * readers[i].by.inner, k = each * readers[i].by.n_units;
        list[i] = (obs_reader){readers[i].x, readers[i].w.shape.outputs, readers[i].inverse, readers[i].by, 1};
        most = (size_t)(k + each * each + each) > most ? (size_t)(k + each * each + each) : most;
    }
    double *room = prune_grown(j, &j->h, most);
    if (list == NULL || room == NULL)
        return TENON_PASS_RESOURCE;
    return obs_remove(list, n, gone, keep, room) ? TENON_OK : weight_no_hessian(j, &readers[0].w);
}

static int choose(job *j, structure *s, const group *g, reader *readers, int n, unsigned char *keep) {
    double *scores = prune_room(j, (size_t)g->units, sizeof *scores),
           *room = prune_room(j, (size_t)g->units, sizeof *room);
    if (scores == NULL || room == NULL)
        return TENON_PASS_RESOURCE;
    for (int i = 0; i < n; i++)
        TRY(see_reader(j, &readers[i]));
    memset(keep, 1, (size_t)g->units);
    if (s->how.method == METHOD_HESSIAN && n > 0)
        return remove_jointly(j, readers, n, s->gone, keep);
    TRY(score_units(j, s, g, readers, n, scores));
    keep_but_least(scores, g->units, s->gone, room, keep);
    return TENON_OK;
}

static int take_away(job *j, structure *s, group *g) {
    reader *readers;
    int n;
    unsigned char *keep = prune_room(j, (size_t)g->units, 1);
    s->gone = share_of(s->share, g->units);
    s->gone = s->gone < g->units ? s->gone : g->units - 1;
    if (keep == NULL)
        return TENON_PASS_RESOURCE;
    TRY(take_readers(j, s, g, &readers, &n));
    TRY(choose(j, s, g, readers, n, keep));
    for (int i = 0; i < n; i++) {
        clear_columns(&readers[i], keep);
        TRY(weight_put(j, &readers[i].w, readers[i].w.pruned));
        TRY(prune_correct(j, &readers[i].w));
    }
    const member m = first_member(j, s);
    TRY(group_grow(j, g, &m, s->units)); /* weights and biases are other constants by now */
    settle_others(j, s, g);
    return group_cut(j, g, keep);
}

/* ---- all ---- */

typedef struct sized {
    tenon_node *node;
    int64_t numbers;
} sized;

/* In the constants that it reads. */
static int64_t numbers_of(const job *j, const tenon_node *n) {
    int64_t sum = 0;
    for (int i = 0; i < j->graph->node_inputs(n); i++) {
        const tenon_value *v = j->graph->node_input(n, i);
        const tenon_tensor *t = v != NULL ? j->graph->constant(v) : NULL;
        sum += t != NULL && j->tensor->element_type(t) == TENON_FLOAT ? j->tensor->count(t) : 0;
    }
    return sum;
}

int prune_structures(job *j) {
    TRY(find_structures(j));
    const int n = j->graph->nodes(j->g);
    int i = 0;
    sized *before = prune_room(j, (size_t)n + 1, sizeof *before);
    if (before == NULL)
        return TENON_PASS_RESOURCE;
    for (tenon_node *at = j->graph->first(j->g); at != NULL; at = j->graph->next(at))
        before[i++] = (sized){at, numbers_of(j, at)};
    for (structure *s = j->structures; s < j->structures + j->n_structures; s++) {
        group g;
        int goes;
        TRY(consider(j, s, &g, &goes));
        if (goes)
            TRY(take_away(j, s, &g));
    }
    for (const sized *of = before; of < before + n; of++) {
        int64_t after = numbers_of(j, of->node);
        j->numbers_before += after != of->numbers ? of->numbers : 0;
        j->numbers_after += after != of->numbers ? after : 0;
    }
    return TENON_OK;
}
