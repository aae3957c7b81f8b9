/* rooms: lower passes ops */
/* Grouping, composition and layouts against their oracle: random graphs, fused and scheduled, give what the naive
 * program of the same graph gives, for every target row: integers exactly, floats within a bound relative to the size
 * of the values. In chains (lower/chain.h) it gives the same bits as without. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lower/lower.h"
#include "ops/ops.h"
#include "passes_support.h"

#define GRAPHS 600
#define MAX_ELEMENTS 4096

typedef struct maker {
    uint64_t state;
    graph *g;
    arena *a;
    value *pool[64];
    int n;
} maker;

static uint32_t next(maker *m) {
    m->state = m->state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(m->state >> 33);
}

static int64_t between(maker *m, int64_t low, int64_t high) {
    return low + (int64_t)(next(m) % (uint64_t)(high - low + 1));
}

static value *constant(maker *m, dtype t, int rank, const int64_t *dims, const int64_t *ints) {
    tensor *x = tensor_new(m->g->memory, t, rank, dims, NULL);
    assert_non_null(x);
    for (int64_t i = 0; i < x->count; i++)
        if (ints != NULL)
            ((int64_t *)(uintptr_t)x->data)[i] = ints[i];
        else
            ((float *)(uintptr_t)x->data)[i] = (float)between(m, -100, 100) / 64.0f;
    return graph_add_constant(m->g, NULL, x);
}

static value *ints(maker *m, int n, const int64_t *x) {
    return constant(m, DT_I64, 1, (int64_t[]){n}, x);
}

static value *pick(maker *m) {
    return m->pool[next(m) % (uint32_t)m->n];
}

static int shape(const value *v, int64_t *out) {
    assert_true(type_shape(&v->type, out));
    return v->type.rank;
}

static value *build(maker *m, const char *op, value *const *x, int n, const attr *attrs, int n_attrs) {
    node *made = graph_build(m->g, NULL, op, x, n, attrs, n_attrs, 1);
    if (made == NULL)
        fail_msg("%s: %s", op, diag_line(m->g->diags, diag_count(m->g->diags) - 1, m->a));
    return made->outputs[0];
}

static attr int_attr(const char *name, int64_t i) {
    return (attr){.name = name, .kind = ATTR_INT, .i = i};
}

static attr ints_attr(const char *name, const int64_t *x, int64_t n) {
    return (attr){.name = name, .kind = ATTR_INTS, .ints = x, .n = n};
}

/* ---- one random node each; NULL where the value does not suit ---- */

static value *make_unary(maker *m) {
    static const char *const ops[] = {"Relu", "Tanh", "Sigmoid", "Neg", "Abs", "Erf", "Identity"};
    value *x = pick(m);
    return build(m, ops[next(m) % 7], &x, 1, NULL, 0);
}

static value *make_binary(maker *m) {
    static const char *const ops[] = {"Add", "Sub", "Mul", "Max"};
    value *x[2] = {pick(m), pick(m)};
    int64_t dims[8];
    int rank = shape(x[0], dims);
    if (!type_equal(&x[0]->type, &x[1]->type)) { /* a constant that broadcasts */
        for (int d = 0; d < rank; d++)
            dims[d] = next(m) % 2 ? dims[d] : 1;
        int drop = rank > 0 ? (int)between(m, 0, rank) : 0;
        x[1] = constant(m, DT_F32, rank - drop, dims + drop, NULL);
    }
    int turn = (int)(next(m) % 2);
    return build(m, ops[next(m) % 4], (value *[]){x[turn], x[1 - turn]}, 2, NULL, 0);
}

static value *make_transpose(maker *m) {
    value *x = pick(m);
    int64_t dims[8], perm[8];
    int rank = shape(x, dims);
    for (int d = 0; d < rank; d++) {
        int64_t k = between(m, 0, d);
        perm[d] = perm[k];
        perm[k] = d;
    }
    attr p = ints_attr("perm", perm, rank);
    return build(m, "Transpose", &x, 1, &p, 1);
}

static value *make_reshape(maker *m) {
    value *x = pick(m);
    int64_t dims[8], to[4], left = 1;
    int rank = shape(x, dims), n = (int)between(m, 1, 4);
    for (int d = 0; d < rank; d++)
        left *= dims[d];
    for (int d = 0; d < n - 1; d++) {
        to[d] = between(m, 1, 6);
        while (left % to[d] != 0)
            to[d]--;
        left /= to[d];
    }
    to[n - 1] = left;
    return build(m, "Reshape", (value *[]){x, ints(m, n, to)}, 2, NULL, 0);
}

static value *make_softmax(maker *m) {
    value *x = pick(m);
    int64_t dims[8];
    int rank = shape(x, dims);
    attr axis = int_attr("axis", rank > 0 ? between(m, -rank, rank - 1) : 0);
    return rank == 0 ? NULL : build(m, "Softmax", &x, 1, &axis, 1);
}

static value *make_reduce(maker *m) {
    static const char *const ops[] = {"ReduceSum", "ReduceMean", "ReduceMax"};
    value *x = pick(m);
    int64_t dims[8], axis;
    int rank = shape(x, dims);
    if (rank == 0)
        return NULL;
    axis = between(m, 0, rank - 1);
    attr keep = int_attr("keepdims", (int64_t)(next(m) % 2));
    return build(m, ops[next(m) % 3], (value *[]){x, ints(m, 1, &axis)}, 2, &keep, 1);
}

static value *make_matmul(maker *m) {
    value *x = pick(m);
    int64_t dims[8];
    int rank = shape(x, dims);
    if (rank < 2)
        return NULL;
    if (rank == 2 && next(m) % 3 == 0) { /* both operands computed */
        value *t = build(m, "Transpose", &x, 1, NULL, 0);
        return build(m, "MatMul", (value *[]){x, t}, 2, NULL, 0);
    }
    return build(m, "MatMul",
                 (value *[]){x, constant(m, DT_F32, 2, (int64_t[]){dims[rank - 1], between(m, 1, 20)}, NULL)}, 2, NULL,
                 0);
}

static value *make_conv(maker *m) {
    value *x = pick(m);
    int64_t dims[8], k = between(m, 1, 3), pad = between(m, 0, 1), stride = between(m, 1, 2);
    if (shape(x, dims) != 4 || dims[2] < k || dims[3] < k)
        return NULL;
    bool deep = next(m) % 3 == 0;
    int64_t out = deep ? dims[1] : between(m, 1, 9), pads[4] = {pad, pad, pad, pad}, strides[2] = {stride, stride};
    attr attrs[3] = {ints_attr("pads", pads, 4), ints_attr("strides", strides, 2),
                     int_attr("group", deep ? dims[1] : 1)};
    value *w = constant(m, DT_F32, 4, (int64_t[]){out, deep ? 1 : dims[1], k, k}, NULL);
    return build(m, "Conv", (value *[]){x, w, constant(m, DT_F32, 1, &out, NULL)}, 3, attrs, 3);
}

static value *make_conv_transpose(maker *m) {
    value *x = pick(m);
    int64_t dims[8], k = between(m, 1, 4), stride = between(m, 1, 3), pads[4] = {0, 0, 0, 0},
                     strides[2] = {stride, between(m, 1, 3)};
    if (shape(x, dims) != 4 || dims[2] > 12 || dims[3] > 12)
        return NULL;
    pads[0] = pads[3] = k > 2 ? 1 : 0;
    int64_t out = between(m, 1, 9);
    attr attrs[2] = {ints_attr("pads", pads, 4), ints_attr("strides", strides, 2)};
    value *w = constant(m, DT_F32, 4, (int64_t[]){dims[1], out, k, k}, NULL);
    return build(m, "ConvTranspose", (value *[]){x, w, constant(m, DT_F32, 1, &out, NULL)}, 3, attrs, 2);
}

static value *make_pool(maker *m) {
    value *x = pick(m);
    int64_t dims[8], window[2] = {2, 2}, strides[2] = {2, 2};
    if (shape(x, dims) != 4 || dims[2] < 2 || dims[3] < 2)
        return NULL;
    attr attrs[2] = {ints_attr("kernel_shape", window, 2), ints_attr("strides", strides, 2)};
    return build(m, next(m) % 2 ? "MaxPool" : "AveragePool", &x, 1, attrs, 2);
}

static value *make_concat(maker *m) {
    value *x = pick(m), *y = pick(m);
    int64_t dims[8];
    int rank = shape(x, dims);
    if (rank == 0 || !type_equal(&x->type, &y->type))
        return NULL;
    attr axis = int_attr("axis", between(m, 0, rank - 1));
    return build(m, "Concat", (value *[]){x, y}, 2, &axis, 1);
}

static value *make_slice(maker *m) {
    value *x = pick(m);
    int64_t dims[8], axis, start, end, step = between(m, 1, 2);
    int rank = shape(x, dims);
    if (rank == 0)
        return NULL;
    axis = between(m, 0, rank - 1);
    start = between(m, 0, dims[axis] - 1);
    end = between(m, start + 1, dims[axis]);
    return build(m, "Slice", (value *[]){x, ints(m, 1, &start), ints(m, 1, &end), ints(m, 1, &axis), ints(m, 1, &step)},
                 5, NULL, 0);
}

static value *make_gather(maker *m) {
    value *x = pick(m);
    int64_t dims[8], index[3], axis;
    int rank = shape(x, dims);
    if (rank == 0)
        return NULL;
    axis = between(m, 0, rank - 1);
    for (int i = 0; i < 3; i++)
        index[i] = between(m, -dims[axis], dims[axis] - 1);
    attr a = int_attr("axis", axis);
    return build(m, "Gather", (value *[]){x, ints(m, 3, index)}, 2, &a, 1);
}

/* A constant of small numbers: steps shall not amplify what rounding differs in. */
static value *weights(maker *m, int rank, const int64_t *dims) {
    value *w = constant(m, DT_F32, rank, dims, NULL);
    for (int64_t i = 0; i < w->constant->count; i++)
        ((float *)(uintptr_t)w->constant->data)[i] /= 16;
    return w;
}

/* Over the first dimension, with the second as the batch. */
static value *make_recurrent(maker *m) {
    static const char *const ops[] = {"RNN", "GRU", "LSTM"}, *const directions[] = {"forward", "reverse",
                                                                                    "bidirectional"};
    static const int64_t gates[] = {1, 3, 4};
    value *x = pick(m);
    int64_t dims[8], rank = shape(x, dims), way = between(m, 0, 2), kind = between(m, 0, 2),
                     hidden = between(m, 1, next(m) % 2 ? 40 : 3);
    if (rank < 3)
        return NULL;
    for (; rank > 3; rank--)
        dims[2] *= dims[rank - 1];
    int64_t n = way == 2 ? 2 : 1, rows = gates[kind] * hidden;
    attr attrs[2] = {{.name = "direction", .kind = ATTR_STRING, .s = directions[way]},
                     int_attr("linear_before_reset", next(m) % 2)};
    attrs[0].s_bytes = strlen(attrs[0].s);
    value *inputs[] = {build(m, "Reshape", (value *[]){x, ints(m, 3, dims)}, 2, NULL, 0),
                       weights(m, 3, (int64_t[]){n, rows, dims[2]}), weights(m, 3, (int64_t[]){n, rows, hidden}),
                       weights(m, 2, (int64_t[]){n, 2 * rows})};
    return build(m, ops[kind], inputs, next(m) % 2 ? 4 : 3, attrs, kind == 1 ? 2 : 1);
}

static value *(*const makers[])(maker *m) = {
    make_unary,          make_unary,   make_binary, make_binary, make_binary, make_transpose,
    make_reshape,        make_softmax, make_reduce, make_matmul, make_conv,   make_conv,
    make_conv_transpose, make_pool,    make_concat, make_slice,  make_gather, make_recurrent};

static void make_graph(maker *m) {
    static const int64_t starts[][4] = {{1, 3, 8, 8}, {2, 4, 6, 5}, {1, 16, 4, 4}, {3, 2, 1, 9}};
    dim dims[4];
    for (int d = 0; d < 4; d++)
        dims[d] = DIM(starts[next(m) % 4][d]);
    tensor_type t = {DT_F32, 4, dims};
    m->pool[m->n++] = graph_add_input(m->g, "x", &t);
    int wanted = (int)between(m, 2, 14);
    for (int tries = 0; m->n < wanted && tries < 200; tries++) {
        value *v = makers[next(m) % (sizeof makers / sizeof *makers)](m);
        if (v != NULL && type_count(&v->type) <= MAX_ELEMENTS)
            m->pool[m->n++] = v;
    }
    assert_int_equal(graph_add_output(m->g, m->pool[m->n - 1], "y"), STATUS_OK);
    if (m->n > 3)
        assert_int_equal(graph_add_output(m->g, m->pool[m->n - 3], "z"), STATUS_OK);
}

/* ---- running it both ways ---- */

/* How many of the program's kernels are chains. */
static int count_chains(const program *p) {
    int n = 0;
    for (size_t k = 0; k < p->kernels.n; k++)
        for (size_t i = 0; i < p->kernels.at[k]->buffers.n; i++)
            if (p->kernels.at[k]->buffers.at[i].access == ACCESS_SCRATCH) {
                n++;
                break;
            }
    return n;
}

static int run(const graph *g, lower_options o, arena *a, const void *x, void **y, int number) {
    const target *t = o.target;
    program *p = NULL;
    interp *i = NULL;
    int code = -1;
    status s = lower_graph(g, &o, a, &p);
    if (s == STATUS_OK)
        s = program_verify(p, g->diags);
    if (s != STATUS_OK)
        fail_msg("graph %d on %s: %s", number, t->name, diag_line(g->diags, diag_count(g->diags) - 1, a));
    assert_int_equal(interp_new(p, a, &i), STATUS_OK);
    for (int k = 0; k < p->n_outputs; k++)
        y[k] = arena_alloc(a, (size_t)p->buffers.at[p->n_inputs + k].n * 4 + 4);
    char *scratch = arena_alloc(a, (size_t)p->arena_bytes + 64);
    assert_int_equal(interp_run(i, (const void *const[]){x}, y, scratch + (64 - (uintptr_t)scratch % 64) % 64, &code),
                     STATUS_OK);
    assert_int_equal(code, 0);
    return count_chains(p);
}

/* A chain changes no bit. */
static void compare_bits(const graph *g, int k, const float *apart, const float *chained, int number,
                         const char *name) {
    int64_t n = type_count(&g->outputs.at[k]->v->type);
    for (int64_t i = 0; i < n; i++)
        if (memcmp(&apart[i], &chained[i], sizeof *apart) != 0 && !(isnan(apart[i]) && isnan(chained[i])))
            fail_msg("graph %d on %s: output %d element %lld is %.9g in a chain, %.9g apart", number, name, k,
                     (long long)i, (double)chained[i], (double)apart[i]);
}

static void compare(const graph *g, int k, const float *naive, const float *fast, int number, const char *name) {
    int64_t n = type_count(&g->outputs.at[k]->v->type);
    double most = 0;
    for (int64_t i = 0; i < n; i++)
        most = fmax(most, isfinite(naive[i]) ? fabs((double)naive[i]) : 0);
    for (int64_t i = 0; i < n; i++) {
        bool same = (isnan(naive[i]) && isnan(fast[i])) || naive[i] == fast[i];
        if (!same && !(fabs((double)naive[i] - (double)fast[i]) <= 1e-3 * most + 1e-6)) {
            strbuf s = strbuf_in(g->memory);
            const char *text = "";
            graph_print(g, &s);
            (void)strbuf_finish(&s, &text);
            fail_msg("graph %d on %s: output %d element %lld is %g, naive %g\n%s", number, name, k, (long long)i,
                     (double)fast[i], (double)naive[i], text);
        }
    }
}

static int random_graph(int number, const target *t) {
    diag *d = diag_new(&allocator_system);
    graph *g = graph_new(&allocator_system, d, &ops_table, "main", "random");
    arena *a = arena_new(&allocator_system);
    maker m = {.state = 77 + (uint64_t)number, .g = g, .a = a};
    assert_int_equal(map_set(&g->opsets, "", (void *)(intptr_t)28), STATUS_OK);
    make_graph(&m);
    pass_options passes = {.verify = true};
    assert_int_equal(passes_run(g, &passes), STATUS_OK);
    float x[MAX_ELEMENTS];
    for (int i = 0; i < MAX_ELEMENTS; i++)
        x[i] = (float)between(&m, -200, 200) / 100.0f;
    void *naive[2], *fast[2], *chained[2];
    run(g, (lower_options){.target = t, .naive = true}, a, x, naive, number);
    run(g, (lower_options){.target = t, .chains = CHAINS_NEVER}, a, x, fast, number);
    int chains = run(g, (lower_options){.target = t, .chains = CHAINS_ALWAYS}, a, x, chained, number);
    for (size_t k = 0; k < g->outputs.n; k++) {
        compare(g, (int)k, naive[k], fast[k], number, t->name);
        compare_bits(g, (int)k, fast[k], chained[k], number, t->name);
    }
    graph_free(g);
    arena_free(a);
    diag_free(d);
    return chains;
}

static void fused_agrees_with_naive(void **state) {
    (void)state;
    int targets = 0, chains = 0;
    while (target_table[targets] != NULL)
        targets++;
    for (int i = 0; i < GRAPHS; i++)
        chains += random_graph(i, target_table[i % targets]);
    assert_true(chains >= GRAPHS / 10);
}

static int count_constants(const program *p) {
    int n = 0;
    for (size_t i = 0; i < p->buffers.n; i++)
        n += p->buffers.at[i].place == PLACE_CONST;
    return n;
}

/* x * w * w2, where w2 differs from w in its last element or not at all. */
static int constants_of_two_products(float difference) {
    diag *d = diag_new(&allocator_system);
    graph *g = graph_new(&allocator_system, d, &ops_table, "main", "shared");
    arena *a = arena_new(&allocator_system);
    maker m = {.state = 5, .g = g, .a = a};
    const int64_t dims[] = {48, 48};
    tensor_type t = {DT_F32, 2, (dim[]){DIM(7), DIM(48)}};
    value *x = graph_add_input(g, "x", &t), *w = constant(&m, DT_F32, 2, dims, NULL);
    m.state = 5;
    value *w2 = constant(&m, DT_F32, 2, dims, NULL);
    ((float *)(uintptr_t)w2->constant->data)[48 * 48 - 1] += difference;
    value *y = build(&m, "MatMul", (value *[]){build(&m, "MatMul", (value *[]){x, w}, 2, NULL, 0), w2}, 2, NULL, 0);
    assert_int_equal(graph_add_output(g, y, "y"), STATUS_OK);
    lower_options o = {.target = target_numeric()};
    program *p = NULL;
    assert_int_equal(lower_graph(g, &o, a, &p), STATUS_OK);
    int n = count_constants(p);
    graph_free(g);
    arena_free(a);
    diag_free(d);
    return n;
}

static void equal_constants_are_one(void **state) {
    (void)state;
    assert_int_equal(constants_of_two_products(0), 1);
    assert_int_equal(constants_of_two_products(1), 2);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(fused_agrees_with_naive),
                                       cmocka_unit_test(equal_constants_are_one)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
