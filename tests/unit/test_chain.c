/* rooms: lower passes ops */
/* Chains of nests over row blocks: which nests form one, what is kept between them, the bits of the result, the text of
 * a fused kernel. Random graphs in chains are in test_lower.c. */
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
#include "test_support.h"

#define MAX_INPUTS 8

/* ---- graphs ---- */

/* `{N}` stands for a list of N numbers. */
static const char attention[] = "graph \"main\"(%q: f32[1,3,10,16], %k: f32[1,3,10,16], %v: f32[1,3,10,16]) {\n"
                                "  opset \"\" 28\n  const %s: f32[] = {1}\n"
                                "  %t: f32[1,3,16,10] = Transpose-25(%k) {perm=[0,1,3,2]}\n"
                                "  %a: f32[1,3,10,10] = MatMul-13(%q, %t)\n"
                                "  %m: f32[1,3,10,10] = Mul-14(%a, %s)\n"
                                "  %p: f32[1,3,10,10] = Softmax-13(%m) {axis=-1}\n"
                                "  %y: f32[1,3,10,16] = MatMul-13(%p, %v)\n  return %y as \"y\"\n}\n";

static const char *const graphs[] = {
    attention,
    /* Two products of matrices and a normalisation, 13 rows. */
    "graph \"main\"(%x: f32[13,20], %a: f32[20,48], %b: f32[48,20], %c: f32[48], %g: f32[20], %h: f32[20]) {\n"
    "  opset \"\" 28\n  %p: f32[13,48] = MatMul-13(%x, %a)\n  %q: f32[13,48] = Add-14(%p, %c)\n"
    "  %r: f32[13,48] = Relu-14(%q)\n  %s: f32[13,20] = MatMul-13(%r, %b)\n  %t: f32[13,20] = Add-14(%s, %x)\n"
    "  %y: f32[13,20] = LayerNormalization-17(%t, %g, %h) {axis=-1}\n  return %y as \"y\"\n}\n",
    /* A constant that moves along with the rows. */
    "graph \"main\"(%x: f32[7,5], %a: f32[5,16], %b: f32[16,16]) {\n"
    "  opset \"\" 28\n  const %c: f32[7,1] = {7}\n  %p: f32[7,16] = MatMul-13(%x, %a)\n"
    "  %q: f32[7,16] = Mul-14(%p, %c)\n  %y: f32[7,16] = MatMul-13(%q, %b)\n  return %y as \"y\"\n}\n",
    /* A separable convolution, padded, after a pointwise one: channels last, a border of zeros, two loops. */
    "graph \"main\"(%x: f32[1,2,9,11]) {\n"
    "  opset \"\" 28\n  const %e: f32[16,2,1,1] = {32}\n  const %w: f32[16,1,3,3] = {144}\n"
    "  const %u: f32[16,16,1,1] = {256}\n  %a: f32[1,16,9,11] = Conv-22(%x, %e)\n"
    "  %b: f32[1,16,9,11] = Conv-22(%a, %w) {group=16,pads=[1,1,1,1]}\n  %r: f32[1,16,9,11] = Relu-14(%b)\n"
    "  %c: f32[1,16,9,11] = Conv-22(%r, %u)\n  %y: f32[1,16,7,9] = Conv-22(%c, %w) {group=16}\n"
    "  return %y as \"y\"\n}\n",
};

static const char *with_numbers(const char *text, arena *a) {
    strbuf s = strbuf_in(a);
    const char *made = NULL, *from = text;
    for (const char *at; (at = strpbrk(from, "{")) != NULL; from = at + 1) {
        char *end = NULL;
        long n = strtol(at + 1, &end, 10);
        strbuf_printf(&s, "%.*s%s", (int)(at - from), from, n > 0 ? "[" : "{");
        for (long i = 0; i < n; i++)
            strbuf_printf(&s, "%s%ld.25", i > 0 ? ", " : "", i * 7 % 11 - 5);
        if (n > 0) {
            strbuf_char(&s, ']');
            at = end;
        }
    }
    strbuf_printf(&s, "%s", from);
    return strbuf_finish(&s, &made) == STATUS_OK ? made : "";
}

static graph *parse(const char *pattern, const allocator *from, diag *d) {
    arena *a = arena_new(&allocator_system);
    const char *text = with_numbers(pattern, a);
    graph *g = NULL;
    status s = graph_parse(text, strlen(text), "test", from, d, &ops_table, NULL, NULL, &g);
    arena_free(a);
    if (s == STATUS_OK)
        s = graph_infer(g);
    if (s == STATUS_OK)
        s = passes_run(g, &(pass_options){.verify = true});
    if (s == STATUS_OK)
        s = passes_drive(passes_before_lowering, g, &(pass_options){.verify = true});
    if (s == STATUS_OK)
        return g;
    if (from == &allocator_system)
        fail_msg("%s", diag_line(d, 0, arena_new(from)));
    graph_free(g);
    return NULL;
}

static bool is_chain(const kernel *k) {
    for (size_t i = 0; i < k->buffers.n; i++)
        if (k->buffers.at[i].access == ACCESS_SCRATCH)
            return true;
    return false;
}

/* The largest temporary, in elements. */
static int64_t largest(const program *p) {
    int64_t most = 0;
    for (size_t i = 0; i < p->buffers.n; i++)
        if (p->buffers.at[i].place == PLACE_ARENA && p->buffers.at[i].n > most)
            most = p->buffers.at[i].n;
    return most;
}

static program *lower(const graph *g, const target *t, chain_policy chains, arena *a) {
    program *p = NULL;
    lower_options o = {.target = t, .chains = chains};
    assert_int_equal(lower_graph(g, &o, a, &p), STATUS_OK);
    assert_int_equal(program_verify(p, g->diags), STATUS_OK);
    return p;
}

static int count_chains(const program *p) {
    int n = 0;
    for (size_t i = 0; i < p->steps.n; i++)
        n += is_chain(p->kernels.at[p->steps.at[i].kernel]);
    return n;
}

/* ---- the bits ---- */

static const float *run(const program *p, arena *a) {
    const void *inputs[MAX_INPUTS];
    uint32_t state = 7;
    interp *i = NULL;
    int code = -1;
    for (int k = 0; k < p->n_inputs; k++) {
        float *x = arena_alloc(a, (size_t)p->buffers.at[k].n * sizeof *x);
        for (int64_t e = 0; e < p->buffers.at[k].n; e++) {
            state = state * 1664525 + 1013904223;
            x[e] = (float)(int32_t)(state >> 8) / 8388608.0f - 1.0f;
        }
        inputs[k] = x;
    }
    void *y = arena_alloc(a, (size_t)p->buffers.at[p->n_inputs].n * sizeof(float));
    char *scratch = arena_alloc(a, (size_t)p->arena_bytes + 64);
    assert_int_equal(interp_new(p, a, &i), STATUS_OK);
    assert_int_equal(interp_run(i, inputs, &y, scratch + (64 - (uintptr_t)scratch % 64) % 64, &code), STATUS_OK);
    assert_int_equal(code, 0);
    return y;
}

static void a_chain_has_the_bits_of_its_nests(void **state) {
    (void)state;
    for (size_t k = 0; k < sizeof graphs / sizeof *graphs; k++)
        for (int t = 0; target_table[t] != NULL; t++) {
            diag *d = diag_new(&allocator_system);
            arena *a = arena_new(&allocator_system);
            graph *g = parse(graphs[k], &allocator_system, d);
            program *apart = lower(g, target_table[t], CHAINS_NEVER, a);
            program *chained = lower(g, target_table[t], CHAINS_ALWAYS, a);
            assert_int_equal(count_chains(apart), 0);
            if (count_chains(chained) != 1)
                fail_msg("graph %zu on %s: %d chains", k, target_table[t]->name, count_chains(chained));
            assert_true(chained->steps.n < apart->steps.n);
            const float *x = run(apart, a), *y = run(chained, a);
            if (memcmp(x, y, (size_t)apart->buffers.at[apart->n_inputs].n * sizeof *x) != 0)
                fail_msg("graph %zu on %s differs in a chain", k, target_table[t]->name);
            graph_free(g);
            arena_free(a);
            diag_free(d);
        }
}

/* ---- what is one, and what is not ---- */

static program *lower_text(const char *text, chain_policy chains, arena *a, diag *d) {
    graph *g = parse(text, &allocator_system, d);
    program *p = lower(g, target_find("x86-64-v3", d), chains, a);
    graph_free(g); /* no data of it is looked at */
    return p;
}

static void expect(const char *text, chain_policy chains, int wanted, int64_t most) {
    diag *d = diag_new(&allocator_system);
    arena *a = arena_new(&allocator_system);
    program *p = lower_text(text, chains, a, d);
    assert_int_equal(count_chains(p), wanted);
    if (most > 0)
        assert_true(largest(p) <= most);
    arena_free(a);
    diag_free(d);
}

static void attention_keeps_a_block_of_scores(void **state) {
    (void)state;
    diag *d = diag_new(&allocator_system);
    arena *a = arena_new(&allocator_system);
    program *p = lower_text(attention, CHAINS_ALWAYS, a, d);
    assert_int_equal(p->steps.n, 1);
    assert_int_equal(largest(p), 160); /* a head's keys, transposed; scores and shares are 4 x 10 */
    assert_int_equal(p->steps.at[0].macs, 3 * 10 * 10 * (16 + 16));
    arena_free(a);
    diag_free(d);
}

#define ATTENTION(heads, rows)                                                                                         \
    "graph \"main\"(%q: f32[" heads "," rows ",64], %k: f32[" heads ",64," rows "], %v: f32[" heads "," rows           \
    ",64]) {\n  opset \"\" 28\n  %a: f32[" heads "," rows "," rows "] = MatMul-13(%q, %k)\n  %p: f32[" heads "," rows  \
    "," rows "] = Softmax-13(%a) {axis=-1}\n  %y: f32[" heads "," rows ",64] = MatMul-13(%p, %v)\n"                    \
    "  return %y as \"y\"\n}\n"

static void large_scores_pay_and_small_ones_do_not(void **state) {
    (void)state;
    expect(ATTENTION("8", "256"), CHAINS_THAT_PAY, 1, 128 * 256);
    expect(ATTENTION("2", "16"), CHAINS_THAT_PAY, 0, 0);
    expect(ATTENTION("8", "256"), CHAINS_NEVER, 0, 0);
}

#define TWO_PRODUCTS(more)                                                                                             \
    "graph \"main\"(%x: f32[7,5], %a: f32[5,6], %b: f32[6,7]) {\n  opset \"\" 28\n"                                    \
    "  %p: f32[7,6] = MatMul-13(%x, %a)\n  %y: f32[7,7] = MatMul-13(%p, %b)\n" more "}\n"

static void what_others_read_is_no_link(void **state) {
    (void)state;
    expect(TWO_PRODUCTS("  return %y as \"y\"\n"), CHAINS_ALWAYS, 1, 18);
    expect(TWO_PRODUCTS("  return %y as \"y\", %p as \"p\"\n"), CHAINS_ALWAYS, 0, 0);
    expect(TWO_PRODUCTS("  %z: f32[7,6] = MatMul-13(%y, %p)\n  return %z as \"z\"\n"), CHAINS_ALWAYS, 1, 0);
}

static void an_axis_that_is_summed_over_is_no_link(void **state) {
    (void)state;
    expect("graph \"main\"(%x: f32[7,5], %a: f32[5,6], %b: f32[4,7]) {\n  opset \"\" 28\n"
           "  %p: f32[7,6] = MatMul-13(%x, %a)\n  %s: f32[7,6] = Softmax-13(%p) {axis=0}\n"
           "  %y: f32[4,6] = MatMul-13(%b, %s)\n  return %y as \"y\"\n}\n",
           CHAINS_ALWAYS, 0, 0);
}

/* ---- softmax alone ---- */

/* A row's exponentials are stored by the sum and loaded by the end, which divides once. */
static void softmax_computes_exponentials_once(void **state) {
    (void)state;
    diag *d = diag_new(&allocator_system);
    arena *a = arena_new(&allocator_system);
    program *p = lower_text("graph \"main\"(%x: f32[4,19]) {\n  opset \"\" 28\n"
                            "  %y: f32[4,19] = Softmax-13(%x) {axis=-1}\n  return %y as \"y\"\n}\n",
                            CHAINS_THAT_PAY, a, d);
    strbuf out = strbuf_in(a);
    const char *text = NULL;
    assert_int_equal(p->kernels.n, 1);
    kernel_print(p->kernels.at[0], &out);
    assert_int_equal(strbuf_finish(&out, &text), STATUS_OK);
    const char *exponential = strstr(text, "1.442695"), *division = strstr(text, "f32(1)/");
    for (int k = 0; k < 3; k++) { /* two vectors and a remainder, in the sum alone */
        assert_non_null(exponential);
        assert_true(exponential < division);
        exponential = strstr(exponential + 1, "1.442695");
    }
    assert_null(exponential);
    arena_free(a);
    diag_free(d);
}

/* ---- a fused kernel ---- */

static const kernel *simple(arena *a, const target *t, const char *name, expr_kind k) {
    builder *b = builder_new(a, t);
    const kernel_buffer buffers[] = {{"y", DT_F32, 10, ACCESS_WRITE}, {"x", DT_F32, 10, ACCESS_READ}};
    const expr *i = build_for(b, "i", build_index(b, 4), LOOP_SERIAL);
    const expr *x = build_load(b, 1, LTYPE(DT_F32, 1), i, NULL);
    build_store(b, 0, i, build_binary(b, k, x, x), NULL);
    build_end(b);
    return builder_kernel(b, name, buffers, 2);
}

static void the_last_block_steps_back(void **state) {
    (void)state;
    static const char wanted[] = "kernel both(x: f32[10] read, t: f32[4] scratch, y: f32[10] write) {\n"
                                 "  for block < 3 {\n"
                                 "    let first: i64 = min(block*4, 6)\n"
                                 "    for i < 4 {\n"
                                 "      let x_2: f32 = load<f32>(x, first + i)\n"
                                 "      store t[i] = x_2 + x_2\n"
                                 "    }\n"
                                 "    for i_2 < 4 {\n"
                                 "      let x_2_2: f32 = load<f32>(t, i_2)\n"
                                 "      store y[first + i_2] = x_2_2*x_2_2\n"
                                 "    }\n"
                                 "  }\n"
                                 "}\n";
    arena *a = arena_new(&allocator_system);
    const target *t = target_numeric();
    static const int64_t in_steps[2][FUSE_MAX_LOOPS] = {{0}, {1}}, out_steps[2][FUSE_MAX_LOOPS] = {{1}, {0}};
    static const kernel_buffer buffers[] = {
        {"x", DT_F32, 10, ACCESS_READ}, {"t", DT_F32, 4, ACCESS_SCRATCH}, {"y", DT_F32, 10, ACCESS_WRITE}};
    const fused_call calls[] = {{simple(a, t, "twice", EXPR_ADD), (const int[]){1, 0}, in_steps, 1},
                                {simple(a, t, "square", EXPR_MUL), (const int[]){2, 1}, out_steps, 1}};
    const fusion f = {"both", buffers, 3, {{10, 4}}, 1, calls, 2};
    kernel *k = NULL;
    strbuf out = strbuf_in(a);
    const char *text = NULL;
    assert_int_equal(kernel_fuse(&f, a, t, &k), STATUS_OK);
    kernel_print(k, &out);
    assert_int_equal(strbuf_finish(&out, &text), STATUS_OK);
    assert_string_equal(text, wanted);
    arena_free(a);
}

/* ---- out of memory ---- */

static status lower_chained(const allocator *from, void *ctx) {
    status s = STATUS_RESOURCE;
    diag *d = diag_new(from);
    arena *a = arena_new(from);
    graph *g = d != NULL && a != NULL ? parse(ctx, from, d) : NULL;
    program *p = NULL;
    lower_options o = {.target = target_numeric(), .chains = CHAINS_ALWAYS};
    if (g != NULL)
        s = lower_graph(g, &o, a, &p);
    if (s == STATUS_OK)
        assert_int_equal(count_chains(p), 1);
    graph_free(g);
    arena_free(a);
    diag_free(d);
    return s;
}

static void chains_survive_each_failing_allocation(void **state) {
    (void)state;
    for (size_t k = 0; k < sizeof graphs / sizeof *graphs; k++)
        test_each_allocation(lower_chained, (void *)(uintptr_t)graphs[k]);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_chain_has_the_bits_of_its_nests),
        cmocka_unit_test(attention_keeps_a_block_of_scores),
        cmocka_unit_test(large_scores_pay_and_small_ones_do_not),
        cmocka_unit_test(what_others_read_is_no_link),
        cmocka_unit_test(an_axis_that_is_summed_over_is_no_link),
        cmocka_unit_test(softmax_computes_exponentials_once),
        cmocka_unit_test(the_last_block_steps_back),
        cmocka_unit_test(chains_survive_each_failing_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
