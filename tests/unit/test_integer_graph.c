/* rooms: passes lower loop ops */
/* The pass `integer` on small graphs: which operators it makes, and that it survives each failing allocation. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "ops/ops.h"
#include "passes_support.h"
#include "test_support.h"

/* i8 -> Conv with padding, Relu -> Sigmoid -> AveragePool -> u8, and the parameters that all tests share. */
#define HEAD(x)                                                                                                        \
    "graph \"main\"(" x ") {\n"                                                                                        \
    "  opset \"\" 28\n"                                                                                                \
    "  const %s: f32[] = [0.05]\n"                                                                                     \
    "  const %t: f32[] = [0.02]\n"                                                                                     \
    "  const %z: i8[] = [-128]\n"                                                                                      \
    "  const %o: i8[] = [3]\n"
#define CONV                                                                                                           \
    HEAD("%x: i8[1,2,4,4]")                                                                                            \
    "  const %w: i8[2,2,2,1] = [1, -2, 3, 4, -5, 6, 7, 127]\n"                                                         \
    "  const %ws: f32[2] = [0.01, 0.03]\n"                                                                             \
    "  const %b: i32[2] = [10, -20]\n"                                                                                 \
    "  const %bs: f32[2] = [0.0005, 0.0015]\n"                                                                         \
    "  %xr: f32[1,2,4,4] = DequantizeLinear-28(%x, %s, %o)\n"                                                          \
    "  %wr: f32[2,2,2,1] = DequantizeLinear-28(%w, %ws) {axis=0}\n"                                                    \
    "  %br: f32[2] = DequantizeLinear-28(%b, %bs) {axis=0}\n"                                                          \
    "  %c: f32[1,2,5,4] = Conv-22(%xr, %wr, %br) {pads=[1, 0, 1, 0]}\n"                                                \
    "  %r: f32[1,2,5,4] = Relu-14(%c)\n"                                                                               \
    "  %q: i8[1,2,5,4] = QuantizeLinear-28(%r, %t, %z)\n"                                                              \
    "  %qr: f32[1,2,5,4] = DequantizeLinear-28(%q, %t, %z)\n"                                                          \
    "  %f: f32[1,2,5,4] = Sigmoid-13(%qr)\n"                                                                           \
    "  %g: i8[1,2,5,4] = QuantizeLinear-28(%f, %t, %o)\n"                                                              \
    "  %gr: f32[1,2,5,4] = DequantizeLinear-28(%g, %t, %o)\n"                                                          \
    "  %a: f32[1,2,5,4] = Add-14(%gr, %qr)\n"                                                                          \
    "  %h: i8[1,2,5,4] = QuantizeLinear-28(%a, %s, %o)\n"                                                              \
    "  %hr: f32[1,2,5,4] = DequantizeLinear-28(%h, %s, %o)\n"                                                          \
    "  %p: f32[1,2,1,1] = GlobalAveragePool-22(%hr)\n"                                                                 \
    "  %y: i8[1,2,1,1] = QuantizeLinear-28(%p, %t, %o)\n"                                                              \
    "  return %y as \"y\"\n"                                                                                           \
    "}\n"
#define BLOCKS                                                                                                         \
    HEAD("%x: i8[2,4]")                                                                                                \
    "  const %w: i8[4,2] = [1, -2, 3, 4, -5, 6, 7, 127]\n"                                                             \
    "  const %ws: f32[2,2] = [0.01, 0.03, 0.02, 0.04]\n"                                                               \
    "  const %b: f32[2] = [0.1, -0.2]\n"                                                                               \
    "  %xr: f32[2,4] = DequantizeLinear-28(%x, %s, %o)\n"                                                              \
    "  %wr: f32[4,2] = DequantizeLinear-28(%w, %ws) {axis=0, block_size=2}\n"                                          \
    "  %m: f32[2,2] = MatMul-13(%xr, %wr)\n"                                                                           \
    "  %a: f32[2,2] = Add-14(%m, %b)\n"                                                                                \
    "  %q: i8[2,2] = QuantizeLinear-28(%a, %t, %o)\n"                                                                  \
    "  %qr: f32[2,2] = DequantizeLinear-28(%q, %t, %o)\n"                                                              \
    "  %n: f32[2,2] = Softmax-13(%qr) {axis=-1}\n"                                                                     \
    "  %y: i8[2,2] = QuantizeLinear-28(%n, %t, %z)\n"                                                                  \
    "  return %y as \"y\"\n"                                                                                           \
    "}\n"
#define FLOAT_RESULT                                                                                                   \
    HEAD("%x: i8[2,4]")                                                                                                \
    "  const %w: i8[4,2] = [1, -2, 3, 4, -5, 6, 7, 127]\n"                                                             \
    "  %xr: f32[2,4] = DequantizeLinear-28(%x, %s, %o)\n"                                                              \
    "  %wr: f32[4,2] = DequantizeLinear-28(%w, %t)\n"                                                                  \
    "  %y: f32[2,2] = MatMul-13(%xr, %wr)\n"                                                                           \
    "  return %y as \"y\"\n"                                                                                           \
    "}\n"

/* The graph before lowering, in a buffer that the next call uses again. */
static const char *lowered(const allocator *from, const char *text, bool no_float, status *out) {
    static char printed[8192];
    diag *d = diag_new(from);
    arena *a = arena_new(from);
    graph *g = NULL;
    const pass_options options = {.integer = {.no_float = no_float}};
    const char *made = "";
    *out = d != NULL && a != NULL ? graph_parse(text, strlen(text), "g", from, d, &ops_table, NULL, NULL, &g)
                                  : STATUS_RESOURCE;
    if (*out == STATUS_OK)
        *out = graph_infer(g);
    if (*out == STATUS_OK)
        *out = passes_run(g, &options);
    if (*out == STATUS_OK)
        *out = passes_drive(passes_before_lowering, g, &options);
    if (*out == STATUS_OK)
        *out = graph_verify(g);
    if (*out == STATUS_OK) {
        strbuf s = strbuf_in(a);
        graph_print(g, &s);
        *out = strbuf_finish(&s, &made);
    }
    snprintf(printed, sizeof printed, "%s", made);
    graph_free(g);
    arena_free(a);
    diag_free(d);
    return printed;
}

static void becomes(const char *text, bool no_float, const char *const *parts, const char *const *gone) {
    status s;
    const char *made = lowered(&allocator_system, text, no_float, &s);
    assert_int_equal(s, STATUS_OK);
    for (; *parts != NULL; parts++)
        if (strstr(made, *parts) == NULL)
            fail_msg("no %s in\n%s", *parts, made);
    for (; *gone != NULL; gone++)
        if (strstr(made, *gone) != NULL)
            fail_msg("%s in\n%s", *gone, made);
}

static void integer_what_is_quantised_has_no_floats(void **state) {
    (void)state;
    becomes(
        CONV, true,
        (const char *[]){"IntegerConv", "wide=0", "Requantize", "Lookup", "ScaledSum", "ReduceSum", "i8xi8->i32", NULL},
        (const char *[]){"f32", "DequantizeLinear", "QuantizeLinear-", "Sigmoid", NULL});
    becomes(BLOCKS, true, (const char *[]){"IntegerMatMul", "WeightedSum", "Requantize", "IntegerSoftmax", NULL},
            (const char *[]){"f32", "DequantizeLinear", NULL});
}

static void integer_softmax_is_in_floats_where_there_are_some(void **state) {
    (void)state;
    becomes(BLOCKS, false, (const char *[]){"IntegerMatMul", "Softmax-13", NULL},
            (const char *[]){"IntegerSoftmax", NULL});
}

static void integer_a_float_result_is_a_scaled_sum(void **state) {
    (void)state;
    becomes(FLOAT_RESULT, false, (const char *[]){"IntegerMatMul", "Cast", "Mul", NULL},
            (const char *[]){"Requantize", "DequantizeLinear", NULL});
    status s;
    lowered(&allocator_system, FLOAT_RESULT, true, &s);
    assert_int_equal(s, STATUS_UNSUPPORTED);
}

static status lower_without_floats(const allocator *from, void *ctx) {
    status s;
    lowered(from, ctx, true, &s);
    return s;
}

static void integer_survives_each_failing_allocation(void **state) {
    (void)state;
    char conv[] = CONV, blocks[] = BLOCKS;
    test_each_allocation(lower_without_floats, conv);
    test_each_allocation(lower_without_floats, blocks);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(integer_what_is_quantised_has_no_floats),
        cmocka_unit_test(integer_softmax_is_in_floats_where_there_are_some),
        cmocka_unit_test(integer_a_float_result_is_a_scaled_sum),
        cmocka_unit_test(integer_survives_each_failing_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
