/* Random inputs that a model can run on. */
#include "api/seeded.h"

#include <math.h>
#include <string.h>

/* ---- which integers an input may hold ---- */

static int64_t known_dim(const node *n, int input, int axis) {
    const tensor_type *t = op_input_type(n, input);
    if (t == NULL || t->rank <= 0 || axis >= t->rank || !dim_is_known(t->dims[axis]))
        return -1;
    return t->dims[axis].n;
}

static int64_t axis_of_data(const node *n) {
    int64_t axis = op_int(n, "axis");
    return known_dim(n, 0, (int)(axis < 0 ? axis + op_input_rank(n, 0) : axis));
}

/* Indices of GatherND and ScatterND run over the leading axes of the data. */
static int64_t leading_axes(const node *n) {
    int64_t least = -1;
    int64_t depth = known_dim(n, 1, op_input_rank(n, 1) - 1);
    for (int axis = 0; axis < depth; axis++) {
        int64_t d = known_dim(n, 0, axis);
        least = least < 0 || d < least ? d : least;
    }
    return least;
}

static int64_t classes(const node *n) {
    return known_dim(n, 0, 1);
}

static int64_t depth_input(const node *n) {
    int64_t count = 0;
    const int64_t *depth = op_known_ints(n, 1, &count);
    return depth != NULL && count > 0 ? depth[0] : -1;
}

/* Every value is as good as any other. */
static int64_t any_value(const node *n) {
    (void)n;
    return INT64_MAX;
}

typedef struct consumer {
    const char *op;
    int input; /* -1: every one */
    int64_t (*limit)(
        const node *n); /* values are below this, -1 not known; NULL: the value is handed on, what follows decides */
} consumer;

static const consumer consumers[] = {
    {"Gather", 1, axis_of_data},
    {"GatherElements", 1, axis_of_data},
    {"GatherND", 1, leading_axes},
    {"ScatterElements", 1, axis_of_data},
    {"ScatterND", 1, leading_axes},
    {"OneHot", 0, depth_input},
    {"NegativeLogLikelihoodLoss", 1, classes},
    {"SoftmaxCrossEntropyLoss", 1, classes},
    {"DequantizeLinear", 0, any_value},
    {"Cast", 0, NULL},
    {"Identity", 0, NULL},
    {"Unsqueeze", 0, NULL},
    {"Squeeze", 0, NULL},
    {"Reshape", 0, NULL},
    {"Flatten", 0, NULL},
    {"Transpose", 0, NULL},
    {"Expand", 0, NULL},
    {"Slice", 0, NULL},
    {"Concat", -1, NULL},
    {"Gather", 0, NULL},
};

typedef struct search {
    map seen;      /* values */
    int64_t limit; /* the least found; -1 none */
} search;

static void follow(search *s, const value *v);

static void look_at(search *s, const use *u) {
    for (size_t i = 0; i < sizeof consumers / sizeof *consumers; i++) {
        const consumer *c = &consumers[i];
        if (strcmp(c->op, u->user->op) != 0 || (c->input >= 0 && c->input != u->index))
            continue;
        if (c->limit == NULL) {
            follow(s, node_output(u->user, 0));
            continue;
        }
        int64_t limit = c->limit(u->user);
        if (limit >= 0 && (s->limit < 0 || limit < s->limit))
            s->limit = limit;
    }
}

/* What is not remembered as seen, for want of memory, is left out. */
static void follow(search *s, const value *v) {
    if (v == NULL || map_get_key(&s->seen, MAP_KEY(v)) != NULL || map_set_key(&s->seen, MAP_KEY(v), s) != STATUS_OK)
        return;
    for (const use *u = v->uses; u != NULL; u = u->next)
        if (u->user != NULL)
            look_at(s, u);
}

static int64_t limit_of(const value *v, arena *a) {
    search s = {.seen = map_in(a), .limit = -1};
    follow(&s, v);
    return s.limit;
}

/* ---- numbers ---- */

/* splitmix64 */
static uint64_t next_bits(uint64_t *state) {
    uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

/* In (-1, 1). */
static double next_symmetric(uint64_t *state) {
    return (double)(int64_t)(next_bits(state) | 1) * 0x1p-63;
}

/* Marsaglia's polar method; the second value of each pair is not used. */
static double next_normal(uint64_t *state) {
    for (;;) {
        double x = next_symmetric(state), y = next_symmetric(state), r = x * x + y * y;
        if (r > 0 && r < 1)
            return x * sqrt(-2 * log(r) / r);
    }
}

static void fill_integers(const program_buffer *b, int64_t limit, uint64_t *state, void *data) {
    uint64_t most = dtype_max(b->elem);
    bool any = limit == INT64_MAX || (limit > 0 && (uint64_t)limit - 1 > most);
    for (int64_t i = 0; i < b->n; i++) {
        uint64_t bits = next_bits(state);
        int64_t x = limit < 0 ? 1 : limit == 0 ? 0 : any ? (int64_t)bits : (int64_t)(bits % (uint64_t)limit);
        dtype_set_int(b->elem, data, (size_t)i, x);
    }
}

static void fill(const program_buffer *b, int64_t limit, uint64_t seed, void *data) {
    uint64_t state = hash_bytes(b->title, strlen(b->title), seed);
    if (dtype_is_int(b->elem))
        fill_integers(b, limit, &state, data);
    else
        for (int64_t i = 0; i < b->n; i++)
            dtype_set_double(b->elem, data, (size_t)i, dtype_is_float(b->elem) ? next_normal(&state) : 1);
}

status seeded_inputs(const graph *g, const program *p, int64_t seed, arena *a, void ***out) {
    TRY_ALLOC(*out = ARENA_NEW_N(a, void *, p->n_inputs + 1));
    for (int i = 0; i < p->n_inputs; i++) {
        const program_buffer *b = &p->buffers.at[i];
        TRY_ALLOC((*out)[i] = arena_alloc(a, dtype_bytes(b->elem, (size_t)b->n) + 64));
        fill(b, limit_of(g->inputs.at[i], a), (uint64_t)seed, (*out)[i]);
    }
    return STATUS_OK;
}
