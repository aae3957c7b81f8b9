/* The pass winograd: convolutions by 3x3 windows of stride 1 with constant weights become WinogradConv where that is
 * less work on the target. */
#include "ir/winograd.h"

#include <stdio.h>
#include <string.h>

#include "loop/target.h"
#include "passes/builtin.h"
#include "schedule/schedule.h"
#include "schedule/tuning.h"

#define WINDOW 9

typedef struct conv3 {
    node *n;
    const tensor *w;
    int64_t batch, inputs, results; /* channels */
    int64_t in[2], out[2];          /* extents of data and results */
    int64_t pads[4];
} conv3;

/* ---- which convolutions ---- */

static bool all_ones(const node *n, const char *name) {
    int64_t count;
    const int64_t *list = op_ints(n, name, &count);
    for (int64_t i = 0; i < count; i++)
        if (list[i] != 1)
            return false;
    return true;
}

/* SAME comes to a border of one for this window. */
static void read_pads(conv3 *c) {
    int64_t count;
    const int64_t *list = op_ints(c->n, "pads", &count);
    const char *automatic = op_string(c->n, "auto_pad");
    bool is_same = automatic != NULL && strncmp(automatic, "SAME", 4) == 0;
    bool is_given = !is_same && count == 4 && (automatic == NULL || strcmp(automatic, "VALID") != 0);
    for (int i = 0; i < 4; i++)
        c->pads[i] = is_same ? 1 : is_given ? list[i] : 0;
}

/* The data come from a kernel, which can leave them as the tiles like them: channels last, within a border. */
static bool read_shape(node *n, conv3 *out) {
    int64_t x[TENSOR_MAX_RANK], y[TENSOR_MAX_RANK], w[TENSOR_MAX_RANK];
    const value *data = is_op(n, "Conv") ? node_input(n, 0) : NULL, *weights = data != NULL ? node_input(n, 1) : NULL;
    if (weights == NULL || weights->type.elem != DT_F32 || weights->type.rank != 4 || data->def == NULL ||
        data->constant != NULL || !type_shape(&weights->type, w) || !type_shape(&data->type, x) ||
        !type_shape(&n->outputs[0]->type, y))
        return false;
    *out = (conv3){n, weights->constant, x[0], x[1], y[1], {x[2], x[3]}, {y[2], y[3]}, {0}};
    read_pads(out);
    return w[2] == 3 && w[3] == 3 && op_int(n, "group") == 1 && all_ones(n, "strides") && all_ones(n, "dilations") &&
           type_count(&n->outputs[0]->type) > 0;
}

static bool read_conv(node *n, conv3 *out) {
    return read_shape(n, out) && out->w != NULL;
}

/* ---- what they cost, in vector multiply-adds ---- */

/* A vector load takes as long as a multiply-add, a store as long as two. In that time so many bytes come of tiles that
 * the nearer caches do not hold, of weights where those of the whole model fit into a cache, and where they do not. */
#define LOAD 1
#define STORE 2
#define NEAR_TILES (1 << 19)
#define NEAR_WEIGHTS (1 << 21)
#define TILE_BYTES 24
#define NEAR_BYTES 16
#define FAR_BYTES 4

typedef struct machine {
    int lanes;
    int weight_bytes; /* in the time of a multiply-add */
} machine;

static machine machine_for(const graph *g, const target *t) {
    int64_t bytes = 0;
    for (const node *n = g->first; n != NULL; n = n->next)
        for (int i = 0; i < n->n_inputs; i++) {
            const value *v = node_input(n, i);
            bytes +=
                v != NULL && v->constant != NULL ? (int64_t)dtype_bytes(v->type.elem, (size_t)v->constant->count) : 0;
        }
    return (machine){target_lanes(t, 32), bytes <= NEAR_WEIGHTS ? NEAR_BYTES : FAR_BYTES};
}

static double vectors(const machine *m, int64_t channels) {
    return (double)((channels + m->lanes - 1) / m->lanes);
}

static double weight_cost(const conv3 *c, const machine *m, int per_pair) {
    return (double)c->inputs * (double)c->results * 4 * per_pair / m->weight_bytes;
}

static double direct_cost(const conv3 *c, const machine *m) {
    double results = (double)(c->batch * c->out[0] * c->out[1]);
    return results * vectors(m, c->results) * (double)c->inputs * WINDOW + weight_cost(c, m, WINDOW);
}

/* Operations of a line's transform, of the data as of the results. */
static int line_operations(const winograd_form *f) {
    return f->far == 0 ? 4 : 12;
}

static double winograd_cost(const conv3 *c, const winograd_form *f, const machine *m) {
    int points = f->points * f->points, size = f->outputs;
    double tiles = (double)(c->batch * ((c->out[0] + size - 1) / size) * ((c->out[1] + size - 1) / size));
    double product = tiles * points * vectors(m, c->results) * (double)c->inputs;
    double data = 2 * f->points * line_operations(f) + points * (LOAD + STORE);
    double results = (f->points + size) * line_operations(f) + points * (LOAD + STORE) + size * size * STORE;
    double bytes = tiles * points * 4 * (double)(c->inputs + c->results);
    double moved = bytes > NEAR_TILES ? 2 * bytes / TILE_BYTES : 0;
    return product + tiles * (data * vectors(m, c->inputs) + results * vectors(m, c->results)) + moved +
           weight_cost(c, m, points);
}

/* A direct convolution that leaves zeros out: in multiply-adds, one that is left, with the loads that no other shares.
 */
#define SPARSE_WORK 4.5
#define SPARSE_MOST 40 /* in a hundred; with more that are not zero it does not pay */

static double sparse_cost(const conv3 *c, const machine *m) {
    if (c->w == NULL)
        return __builtin_inf();
    int64_t each = c->w->count / 100, most = each * SPARSE_MOST;
    int64_t full = schedule_not_zero(c->w->elem, c->w->data, c->w->count, most);
    if (full > most || each == 0)
        return __builtin_inf();
    int64_t percent = full > each ? (full + each - 1) / each : 1;
    return direct_cost(c, m) * SPARSE_WORK * (double)percent / 100;
}

/* Does it fill a tile? */
static bool has_tile(const conv3 *c, const winograd_form *f) {
    return c->out[0] >= f->outputs && c->out[1] >= f->outputs;
}

/* Is it better to leave the zeros out? What comes of weights is half hidden behind the products; and lists whose places
 * are anywhere have to save more than a count can tell. */
#define SPARSE_GAIN 0.8

static bool is_sparse_better(const conv3 *c, const winograd_form *f, const machine *m) {
    double cost = winograd_cost(c, f, m) - weight_cost(c, m, f->points * f->points) / 2;
    return sparse_cost(c, m) < SPARSE_GAIN * cost;
}

/* The cheapest form; NULL where the direct way is, and where channels do not fill a vector: a little less work is not
 * worth the weights. */
static const winograd_form *choose(const conv3 *c, const machine *m) {
    const winograd_form *best = NULL;
    double least = 0.95 * direct_cost(c, m);
    if (c->inputs < m->lanes || c->results < m->lanes)
        return NULL;
    for (const winograd_form *f = winograd_forms; f->outputs != 0; f++) {
        double cost = winograd_cost(c, f, m);
        if (!has_tile(c, f) || cost >= least)
            continue;
        least = cost;
        best = f;
    }
    return best != NULL && is_sparse_better(c, best, m) ? NULL : best;
}

double winograd_share(graph *g, node *n, const target *t) {
    conv3 c;
    if (t->vector_bytes == 0 || !read_shape(n, &c))
        return 1;
    const machine m = machine_for(g, t);
    const winograd_form *f = choose(&c, &m);
    return f != NULL ? winograd_cost(&c, f, &m) / direct_cost(&c, &m) : 1;
}

/* "conv 1x64x56x56 to 64x56x56": form 0 is the direct way, others are of so many results a tile. */
static status choose_tuned(const conv3 *c, const target *t, const tuning *tuned, const winograd_form **form) {
    char name[160];
    int forms[4] = {0}, n = 1, chosen = *form != NULL ? (*form)->outputs : 0;
    snprintf(name, sizeof name, "conv 3x3 %lldx%lldx%lldx%lld to %lldx%lldx%lld", (long long)c->batch,
             (long long)c->inputs, (long long)c->in[0], (long long)c->in[1], (long long)c->results,
             (long long)c->out[0], (long long)c->out[1]);
    for (const winograd_form *f = winograd_forms; f->outputs != 0; f++)
        if (has_tile(c, f))
            forms[n++] = f->outputs;
    TRY(tuning_decide(tuned, t, name, forms, (size_t)n, &c->n->source, 1, &chosen));
    *form = chosen != 0 ? winograd_form_of(chosen) : NULL;
    return STATUS_OK;
}

/* ---- the new node ---- */

/* [point][input channel][result's channel] */
static status transform_weights(graph *g, const conv3 *c, const winograd_form *f, value **out) {
    int points = f->points * f->points;
    int64_t dims[3] = {points, c->inputs, c->results};
    double matrix[WINOGRAD_MOST_POINTS][3], w[WINDOW], u[WINOGRAD_MOST_POINTS * WINOGRAD_MOST_POINTS];
    tensor *t = tensor_new(g->memory, DT_F32, 3, dims, NULL);
    TRY_ALLOC(t);
    float *to = (float *)(uintptr_t)t->data;
    float window[WINDOW];
    const char *from = c->w->data; /* a file's bytes, aligned to nothing */
    winograd_matrix(f, matrix);
    for (int64_t ci = 0; ci < c->inputs; ci++)
        for (int64_t co = 0; co < c->results; co++) {
            memcpy(window, from + (size_t)(co * c->inputs + ci) * sizeof window, sizeof window);
            for (int k = 0; k < WINDOW; k++)
                w[k] = (double)window[k];
            winograd_weights(matrix, f->points, w, u);
            for (int k = 0; k < points; k++)
                to[(k * c->inputs + ci) * c->results + co] = (float)u[k];
        }
    TRY_ALLOC(*out = graph_add_constant(g, NULL, t));
    return STATUS_OK;
}

static status replace(graph *g, const conv3 *c, const winograd_form *f) {
    node *n = c->n;
    value *inputs[3] = {node_input(n, 0), NULL, node_input(n, 2)};
    TRY(transform_weights(g, c, f, &inputs[1]));
    node *made =
        graph_add_node(g, n, OP_OWN_DOMAIN, WINOGRAD_OP, 1, n->name, inputs, inputs[2] != NULL ? 3 : 2, NULL, 1);
    const attr tile = {.name = "tile", .kind = ATTR_INT, .i = f->outputs},
               pads = {.name = "pads", .kind = ATTR_INTS, .ints = c->pads, .n = 4};
    TRY_ALLOC(made);
    made->source = n->source;
    made->part_of = n->part_of != NULL ? n->part_of : n->op;
    TRY(node_set_attr(made, &tile));
    TRY(node_set_attr(made, &pads));
    TRY(op_infer(made));
    const char *name = n->outputs[0]->name;
    TRY(graph_replace_all_uses(g, n->outputs[0], made->outputs[0]));
    TRY(graph_erase_node(g, n));
    return graph_set_name(g, made->outputs[0], name);
}

status winograd_rewrite(graph *g, node *n, const winograd_form *f, bool *out_done) {
    conv3 c;
    *out_done = read_conv(n, &c) && has_tile(&c, f);
    return *out_done ? replace(g, &c, f) : STATUS_OK;
}

status pass_winograd(graph *g, const target *t, const tuning *tuned) {
    conv3 c;
    const machine m = machine_for(g, t);
    for (node *n = g->first, *next; n != NULL && t->vector_bytes > 0; n = next) {
        next = n->next;
        if (!read_conv(n, &c))
            continue;
        const winograd_form *f = choose(&c, &m);
        if (tuned != NULL)
            TRY(choose_tuned(&c, t, tuned, &f));
        if (f != NULL)
            TRY(replace(g, &c, f));
    }
    return STATUS_OK;
}
