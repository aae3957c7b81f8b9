/* rooms: lower passes ops */
/* WinogradConv against the convolution in double: both forms, odd shapes and borders, every target and the naive
 * schedule, within the bound that docs/performance.md states; and what the pass takes and leaves. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ir/winograd.h"
#include "loop/interp.h"
#include "lower/lower.h"
#include "ops/ops.h"
#include "passes_support.h"
#include "test_support.h"

#define ROUNDING 0x1p-24

typedef struct shape {
    int64_t batch, inputs, results, in[2], pads[4];
} shape;

typedef struct data {
    float *x, *w, *bias, *rest;
} data;

typedef struct maker {
    uint64_t state;
    arena *a;
    diag *d;
} maker;

static uint32_t next(maker *m) {
    m->state = m->state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(m->state >> 33);
}

static float unit(maker *m) {
    return (float)((double)next(m) / 0x1p30 - 1);
}

static float *numbers(maker *m, int64_t n) {
    float *x = arena_alloc(m->a, (size_t)n * sizeof *x + 64);
    assert_non_null(x);
    for (int64_t i = 0; i < n; i++)
        x[i] = unit(m);
    return x;
}

static int64_t out_of(const shape *s, int d) {
    return s->in[d] + s->pads[d] + s->pads[2 + d] - 2;
}

/* ---- the graph: y = Relu(Conv(-x, w, bias)) + rest ---- */

static value *input(graph *g, const char *name, int64_t batch, int64_t channels, int64_t h, int64_t w) {
    dim dims[4] = {DIM(batch), DIM(channels), DIM(h), DIM(w)};
    tensor_type t = {DT_F32, 4, dims};
    value *v = graph_add_input(g, name, &t);
    assert_non_null(v);
    return v;
}

static value *weights(graph *g, int rank, const int64_t *dims, const float *from) {
    tensor *t = tensor_new(g->memory, DT_F32, rank, dims, from);
    assert_non_null(t);
    return graph_add_constant(g, NULL, t);
}

static value *apply(graph *g, const char *name, value *const *inputs, int n, const attr *attrs, int n_attrs) {
    node *made = graph_build(g, NULL, name, inputs, n, attrs, n_attrs, 1);
    assert_non_null(made);
    return made->outputs[0];
}

static graph *convolution(maker *m, const shape *s, const data *d, node **out_conv) {
    graph *g = graph_new(&allocator_system, m->d, &ops_table, "main", "test");
    value *x = input(g, "x", s->batch, s->inputs, s->in[0], s->in[1]),
          *rest = input(g, "rest", s->batch, s->results, out_of(s, 0), out_of(s, 1));
    value *w = weights(g, 4, (int64_t[]){s->results, s->inputs, 3, 3}, d->w),
          *bias = weights(g, 1, &s->results, d->bias);
    const attr pads = {.name = "pads", .kind = ATTR_INTS, .ints = s->pads, .n = 4};
    value *conv = apply(g, "Conv", (value *[]){apply(g, "Neg", &x, 1, NULL, 0), w, bias}, 3, &pads, 1);
    value *y = apply(g, "Add", (value *[]){apply(g, "Relu", &conv, 1, NULL, 0), rest}, 2, NULL, 0);
    *out_conv = conv->def;
    assert_int_equal(graph_add_output(g, y, "y"), STATUS_OK);
    return g;
}

static const float *run(maker *m, const graph *g, const target *t, bool naive, const data *d) {
    lower_options o = {.target = t, .naive = naive};
    program *p;
    interp *i;
    int code = 0;
    assert_int_equal(lower_graph(g, &o, m->a, &p), STATUS_OK);
    assert_int_equal(program_verify(p, m->d), STATUS_OK);
    assert_int_equal(interp_new(p, m->a, &i), STATUS_OK);
    char *scratch = arena_alloc(m->a, (size_t)p->arena_bytes + 64);
    float *y = arena_alloc(m->a, (size_t)p->buffers.at[2].n * sizeof *y + 64);
    assert_true(scratch != NULL && y != NULL);
    memset(scratch, 0xff, (size_t)p->arena_bytes + 64); /* NaN: what is read must have been written */
    assert_int_equal(interp_run(i, (const void *const[]){d->x, d->rest}, (void *[]){y},
                                (void *)(((uintptr_t)scratch + 63) & ~(uintptr_t)63), &code),
                     STATUS_OK);
    assert_int_equal(code, 0);
    return y;
}

/* ---- the bound ---- */

static float at(const shape *s, const float *x, int64_t n, int64_t c, int64_t i, int64_t k) {
    return i < 0 || k < 0 || i >= s->in[0] || k >= s->in[1] ? 0
                                                            : x[((n * s->inputs + c) * s->in[0] + i) * s->in[1] + k];
}

/* Result before Relu, and the sum over the channels of the largest number that a tile around it can read times the sum
 * of its weights' sizes. */
static double exact(const shape *s, const winograd_form *f, const data *d, int64_t n, int64_t co, int64_t i, int64_t k,
                    double *out_size) {
    double sum = (double)d->bias[co];
    int64_t top = i - s->pads[0], left = k - s->pads[1], reach = f->outputs - 1;
    *out_size = 0;
    for (int64_t c = 0; c < s->inputs; c++) {
        const float *w = &d->w[(co * s->inputs + c) * 9];
        double most = 0, size = 0;
        for (int u = 0; u < 9; u++) {
            sum += (double)w[u] * (double)-at(s, d->x, n, c, top + u / 3, left + u % 3);
            size += fabs((double)w[u]);
        }
        for (int64_t u = -reach; u <= 2 + reach; u++)
            for (int64_t v = -reach; v <= 2 + reach; v++)
                most = fmax(most, fabs((double)at(s, d->x, n, c, top + u, left + v)));
        *out_size += most * size;
    }
    return sum;
}

/* The largest error, as a part of its bound. */
static double largest_error(const shape *s, const winograd_form *f, const data *d, const float *y) {
    double largest = 0, size;
    int64_t e = 0;
    for (int64_t n = 0; n < s->batch; n++)
        for (int64_t co = 0; co < s->results; co++)
            for (int64_t i = 0; i < out_of(s, 0); i++)
                for (int64_t k = 0; k < out_of(s, 1); k++, e++) {
                    double conv = exact(s, f, d, n, co, i, k, &size), want = fmax(conv, 0) + (double)d->rest[e];
                    double bound = ((double)s->inputs + 20) * f->growth * size * ROUNDING +
                                   2 * (fabs(conv) + fabs((double)d->bias[co]) + fabs(want)) * ROUNDING;
                    largest = fmax(largest, isnan(y[e]) ? INFINITY : fabs((double)y[e] - want) / bound);
                }
    return largest;
}

/* Both forms on every target, scheduled and naive; the largest part of the bound that an error has. */
static double check_shape(maker *m, const shape *s, const data *d, bool takes_large) {
    double largest = 0;
    for (const winograd_form *f = winograd_forms; f->outputs != 0; f++) {
        node *conv;
        bool done;
        graph *g = convolution(m, s, d, &conv);
        assert_int_equal(winograd_rewrite(g, conv, f, &done), STATUS_OK);
        assert_int_equal(done, f->outputs == 2 || takes_large);
        assert_int_equal(graph_verify(g), STATUS_OK);
        for (int t = 0; target_table[t] != NULL && done; t++)
            for (int naive = 0; naive < 2; naive++) {
                double part = largest_error(s, f, d, run(m, g, target_table[t], naive, d));
                if (!(part <= 1))
                    fail_msg("F(%d): error %g times its bound for %s%s, %lldx%lld", f->outputs, part,
                             target_table[t]->name, naive ? " naive" : "", (long long)s->in[0], (long long)s->in[1]);
                largest = fmax(largest, part);
            }
        graph_free(g);
    }
    return largest;
}

static data random_data(maker *m, const shape *s) {
    return (data){numbers(m, s->batch * s->inputs * s->in[0] * s->in[1]), numbers(m, s->results * s->inputs * 9),
                  numbers(m, s->results), numbers(m, s->batch * s->results * out_of(s, 0) * out_of(s, 1))};
}

static maker maker_new(void) {
    maker m = {1, arena_new(&allocator_system), diag_new(&allocator_system)};
    assert_true(m.a != NULL && m.d != NULL);
    return m;
}

static void maker_free(maker *m) {
    arena_free(m->a);
    diag_free(m->d);
}

/* ---- the tests ---- */

static void winograd_is_right_for_odd_shapes(void **state) {
    (void)state;
    static const struct {
        shape s;
        bool large;
    } cases[] = {
        {{1, 16, 16, {8, 8}, {1, 1, 1, 1}}, true},  {{2, 3, 5, {2, 5}, {1, 1, 1, 1}}, false},
        {{1, 17, 3, {5, 2}, {1, 1, 1, 1}}, false},  {{2, 5, 17, {7, 7}, {1, 1, 1, 1}}, true},
        {{1, 3, 33, {6, 9}, {0, 1, 2, 1}}, true},   {{3, 17, 17, {6, 6}, {0, 0, 0, 0}}, true},
        {{1, 5, 8, {3, 3}, {2, 2, 2, 2}}, true},    {{1, 4, 4, {1, 1}, {2, 3, 3, 2}}, true},
        {{1, 8, 24, {4, 13}, {1, 0, 1, 2}}, true},  {{1, 1, 1, {11, 4}, {1, 1, 1, 1}}, true},
        {{1, 64, 16, {14, 5}, {1, 1, 1, 1}}, true}, {{2, 32, 8, {16, 16}, {1, 1, 1, 1}}, true},
    };
    maker m = maker_new();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        arena_mark mark = arena_get_mark(m.a);
        data d = random_data(&m, &cases[i].s);
        check_shape(&m, &cases[i].s, &d, cases[i].large);
        arena_reset(m.a, mark);
    }
    maker_free(&m);
}

/* Data whose signs or sizes make the most of every rounding: an error that would not be seen among random numbers. */
static void winograd_stays_within_its_bound(void **state) {
    (void)state;
    const shape s = {1, 64, 16, {8, 12}, {1, 1, 1, 1}};
    maker m = maker_new();
    double largest = 0;
    for (int kind = 0; kind < 6; kind++) {
        arena_mark mark = arena_get_mark(m.a);
        data d = random_data(&m, &s);
        int64_t nx = s.inputs * s.in[0] * s.in[1], nw = s.results * s.inputs * 9;
        for (int64_t i = 0; i < nx; i++) {
            bool odd = (i / s.in[1] + i % s.in[1]) % 2 != 0;
            float size = fabsf(d.x[i]), sign = odd ? -1.0f : 1.0f;
            d.x[i] = kind == 0   ? size                                       /* no cancellation among data */
                     : kind == 1 ? sign                                       /* a chequered board */
                     : kind == 2 ? (i % s.in[1] == 5 ? 1e6f : d.x[i] * 1e-3f) /* zeros, nearly, beside large ones */
                     : kind == 3 ? copysignf(1, d.x[i])
                     : kind == 4 ? 1 + d.x[i] * 0x1p-20f /* weights cancel */
                                 : d.x[i] * exp2f((float)(i % 40 - 20));
        }
        for (int64_t i = 0; i < nw; i++)
            d.w[i] = kind == 0   ? fabsf(d.w[i])
                     : kind == 3 ? copysignf(1, d.w[i])
                     : kind == 4 ? (i % 9 == 8 ? -8.0f : 1.0f) * (1 + (float)(i / 9 % 5))
                                 : d.w[i];
        largest = fmax(largest, check_shape(&m, &s, &d, true));
        arena_reset(m.a, mark);
    }
    assert_true(largest > 1e-4); /* the bound says something */
    maker_free(&m);
}

static bool takes(maker *m, const shape *s, const target *t) {
    node *conv;
    data d = random_data(m, s);
    graph *g = convolution(m, s, &d, &conv);
    assert_int_equal(pass_winograd(g, t, NULL), STATUS_OK);
    bool taken = false;
    for (const node *n = g->first; n != NULL; n = n->next)
        taken |= strcmp(n->op, WINOGRAD_OP) == 0;
    graph_free(g);
    return taken;
}

static void winograd_is_chosen_where_it_is_faster(void **state) {
    (void)state;
    maker m = maker_new();
    const target *avx2 = target_find("x86-64-v3", m.d), *avx512 = target_find("x86-64-v4", m.d),
                 *generic = target_find("generic", m.d), *small = target_find("cortex-m4", m.d);
    const shape usual = {1, 32, 32, {16, 16}, {1, 1, 1, 1}}, few = {1, 3, 16, {32, 32}, {1, 1, 1, 1}},
                tiny = {1, 64, 64, {1, 1}, {1, 1, 1, 1}}, many = {1, 512, 512, {2, 2}, {1, 1, 1, 1}};
    assert_true(takes(&m, &usual, avx2) && takes(&m, &usual, avx512));
    assert_false(takes(&m, &few, avx2) || takes(&m, &few, avx512));
    assert_false(takes(&m, &tiny, avx2) || takes(&m, &tiny, avx512));
    assert_false(takes(&m, &many, avx2) || takes(&m, &many, avx512));
    assert_false(takes(&m, &usual, generic) || takes(&m, &usual, small));
    maker_free(&m);
}

/* The text of a graph before and after, but for the numbers of the weights. */
static void winograd_keeps_names_and_edges(void **state) {
    (void)state;
    static const char *const wanted[] = {"WinogradConv-1(", "{tile=4, pads=[1, 1, 1, 1]} name \"middle\"",
                                         "%seen: f32[1,16,8,8]"};
    static const char text[] = "graph \"main\"(%x: f32[1,16,8,8], %w: f32[16,16,3,3]) {\n"
                               "  opset \"\" 28\n"
                               "  const %b: f32[1] = [0.5]\n"
                               "  %n: f32[1,16,8,8] = Neg-13(%x)\n"
                               "  %seen: f32[1,16,8,8] = Conv-22(%n, %w) {pads=[1, 1, 1, 1]} name \"middle\"\n"
                               "  %strided: f32[1,16,4,4] = Conv-22(%seen, %w) {pads=[1, 1, 1, 1], strides=[2, 2]}\n"
                               "  return %strided as \"y\"\n"
                               "}\n";
    maker m = maker_new();
    graph *g = NULL;
    const char *after;
    assert_int_equal(graph_parse(text, strlen(text), "test", &allocator_system, m.d, &ops_table, NULL, NULL, &g),
                     STATUS_OK);
    assert_int_equal(graph_infer(g), STATUS_OK);
    const target *t = target_numeric();
    assert_int_equal(pass_winograd(g, t, NULL), STATUS_OK); /* weights that are not constant */
    strbuf out = strbuf_in(g->memory);
    graph_print(g, &out);
    assert_int_equal(strbuf_finish(&out, &after), STATUS_OK);
    assert_null(strstr(after, WINOGRAD_OP));
    float *w = numbers(&m, 16 * 16 * 9);
    value *constant = weights(g, 4, (int64_t[]){16, 16, 3, 3}, w);
    for (node *n = g->first; n != NULL; n = n->next)
        if (strcmp(n->op, "Conv") == 0)
            assert_int_equal(node_set_input(n, 1, constant), STATUS_OK);
    assert_int_equal(passes_drive(passes_before_lowering, g, &(pass_options){.target = NULL}), STATUS_OK);
    out = strbuf_in(g->memory);
    graph_print(g, &out);
    assert_int_equal(strbuf_finish(&out, &after), STATUS_OK);
    assert_null(strstr(after, WINOGRAD_OP)); /* no target, no choice */
    const char *const skip[] = {"winograd", NULL};
    assert_int_equal(passes_drive(passes_before_lowering, g, &(pass_options){.target = t, .skip = skip}), STATUS_OK);
    out = strbuf_in(g->memory);
    graph_print(g, &out);
    assert_int_equal(strbuf_finish(&out, &after), STATUS_OK);
    assert_null(strstr(after, WINOGRAD_OP));
    assert_int_equal(passes_drive(passes_before_lowering, g, &(pass_options){.target = t, .verify = true}), STATUS_OK);
    out = strbuf_in(g->memory);
    graph_print(g, &out);
    assert_int_equal(strbuf_finish(&out, &after), STATUS_OK);
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++)
        if (strstr(after, wanted[i]) == NULL)
            fail_msg("no '%s' in\n%s", wanted[i], after);
    assert_non_null(strstr(after, "Conv-22(")); /* of stride 2 */
    graph_free(g);
    maker_free(&m);
}

/* ---- when memory runs out ---- */

static status lower_model(const allocator *from, void *ctx) {
    (void)ctx;
    static const char model[] = "graph \"main\"(%x: f32[1,2,5,6]) {\n  opset \"\" 28\n"
                                "  const %w: f32[1,2,3,3] = [1, 2, 3, 4, 5, 6, 7, 8, 9, 1, 2, 3, 4, 5, 6, 7, 8, 9]\n"
                                "  %n: f32[1,2,5,6] = Neg-13(%x)\n"
                                "  %c: f32[1,1,5,6] = Conv-22(%n, %w) {pads=[1, 1, 1, 1]}\n"
                                "  %r: f32[1,1,5,6] = Relu-14(%c)\n  return %r as \"r\"\n}\n";
    status s = STATUS_RESOURCE;
    diag *d = diag_new(from);
    arena *a = arena_new(from);
    graph *g = NULL;
    program *p = NULL;
    bool done = true;
    if (d != NULL && a != NULL)
        s = graph_parse(model, sizeof model - 1, "m", from, d, &ops_table, NULL, NULL, &g);
    if (s == STATUS_OK)
        s = graph_infer(g);
    for (node *n = s == STATUS_OK ? g->first->next : NULL; n != NULL; n = NULL)
        s = winograd_rewrite(g, n, winograd_form_of(4), &done);
    if (s == STATUS_OK)
        s = lower_graph(g, &(lower_options){.target = target_numeric()}, a, &p);
    assert_true(done);
    graph_free(g);
    arena_free(a);
    diag_free(d);
    return s;
}

static void winograd_survives_each_failing_allocation(void **state) {
    (void)state;
    assert_true(test_each_allocation(lower_model, NULL) > 10);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(winograd_is_right_for_odd_shapes),          cmocka_unit_test(winograd_stays_within_its_bound),
        cmocka_unit_test(winograd_is_chosen_where_it_is_faster),     cmocka_unit_test(winograd_keeps_names_and_edges),
        cmocka_unit_test(winograd_survives_each_failing_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
