/* rooms: passes ops */
/* -p NAME:ITEMS, and the pass input on small graphs. */
#include "test_support.h"

#include <stdio.h>

#include "ops/ops.h"
#include "passes/passes.h"

enum { NAME, SCALE, MEAN, TYPE, LAYOUT }; /* as the pass declares them */

typedef struct fixture {
    arena *a;
    diag *d;
    pass_registry *r;
} fixture;

static fixture begin(void) {
    arena *a = arena_new(&allocator_system);
    return (fixture){a, diag_new(&allocator_system), pass_registry_new(a)};
}

static void end(fixture *f) {
    arena_free(f->a);
    diag_free(f->d);
}

static void lists_go_on_until_the_next_option(void **state) {
    (void)state;
    fixture f = begin();
    pass_request p;
    assert_int_equal(request_parse(f.r, "input:mean=1,-2.5,3e2,type=int8,scale=0.5,name=x", f.a, f.d, &p), STATUS_OK);
    assert_string_equal(pass_name(p.entry), "input");
    assert_int_equal(p.values[MEAN].n, 3);
    assert_true(p.values[MEAN].numbers[0] == 1 && p.values[MEAN].numbers[1] == -2.5 &&
                p.values[MEAN].numbers[2] == 300);
    assert_int_equal(p.values[SCALE].n, 1);
    assert_int_equal(p.values[TYPE].i, 1);
    assert_string_equal(p.values[TYPE].text, "int8");
    assert_string_equal(p.values[NAME].text, "x");
    assert_false(p.values[LAYOUT].given);
    end(&f);
}

static void quotes_protect(void **state) {
    (void)state;
    static const char *const texts[][2] = {
        {"input:name=\"a,b\"", "a,b"}, {"input:name=a\",\"b", "a,b"},     {"input:name=\"type=int8\"", "type=int8"},
        {"input:name=x=y:z", "x=y:z"}, {"input:name=\"a:b\"", "a:b"},     {"input:type=int8,name=\",\"", ","},
        {"input:name=\"\"x\"\"", "x"}, {"input:name=\"a\"\"b\"", "a\"b"}, {"input:name=\"\"\"\"", "\""},
        {"input:name=\"\"", ""},       {"input:name=[]", "[]"},
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        fixture f = begin();
        pass_request p;
        assert_int_equal(request_parse(f.r, texts[i][0], f.a, f.d, &p), STATUS_OK);
        assert_string_equal(p.values[NAME].text, texts[i][1]);
        end(&f);
    }
}

static void what_is_wrong_is_refused(void **state) {
    (void)state;
    static const char *const texts[] = {
        "",
        "inptu",
        "input:",
        "input:,",
        "input:x=1",
        "input:name=a,b",
        "input:name=a,",
        "input:name",
        "input:scale=1,",
        "input:scale=1 2",
        "input:scale=nan",
        "input:scale",
        "input:\"name=x\"",
        "input:name=\"x",
        "input:=1",
        "input:type=",
        "input:type=\"\"",
        "input:name=",
        "input:mean=",
        "input:mean=\"[]\"",
        "input:type=u8",
        "input:\"name\"=x",
        "input :a=1",
        "input:name=a,name=b",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        fixture f = begin();
        pass_request p;
        if (request_parse(f.r, texts[i], f.a, f.d, &p) != STATUS_USAGE || diag_errors(f.d) != 1)
            fail_msg("'%s' is not refused with one error", texts[i]);
        end(&f);
    }
}

/* ---- the pass ---- */

static const char *run_pass(const allocator *from, const char *text, const char *asked, status *out) {
    static char printed[2048];
    diag *d = diag_new(from);
    arena *a = arena_new(from);
    graph *g = NULL;
    pass_request q;
    pass_registry *r = a != NULL ? pass_registry_new(a) : NULL;
    *out = d != NULL && r != NULL ? request_parse(r, asked, a, d, &q) : STATUS_RESOURCE;
    if (*out == STATUS_OK)
        *out = graph_parse(text, strlen(text), "g", from, d, &ops_table, NULL, NULL, &g);
    if (*out == STATUS_OK)
        *out = graph_infer(g);
    if (*out == STATUS_OK)
        *out = pass_apply(r, &q, &g, NULL, NULL, a);
    const char *made = "";
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

static void has(const char *text, const char *asked, const char *const *parts) {
    status s;
    const char *made = run_pass(&allocator_system, text, asked, &s);
    assert_int_equal(s, STATUS_OK);
    for (const char *at = made; *parts != NULL; parts++) {
        at = strstr(at, *parts);
        if (at == NULL)
            fail_msg("-p %s: no '%s' in its place in\n%s", asked, *parts, made);
    }
}

#define NCHW                                                                                                           \
    "graph \"g\"(%x: f32[n,3,4,5]) {\n  opset \"\" 28\n  %y: f32[n,3,4,5] = Relu-14(%x)\n  return %y as \"y\", %x as " \
    "\"z\"\n}\n"
#define NHWC                                                                                                           \
    "graph \"g\"(%x: f32[1,4,5,3]) {\n  opset \"\" 28\n  %a: f32[1,4,5,3] = Neg-13(%x)\n"                              \
    "  %y: f32[1,3,4,5] = Transpose-25(%a) {perm=[0, 3, 1, 2]}\n  return %y as \"y\"\n}\n"
#define QUANTISED                                                                                                      \
    "graph \"g\"(%x: i8[2,3]) {\n  opset \"\" 28\n  const %s: f32[] = [0.5]\n  const %z: i8[] = [-3]\n"                \
    "  %y: f32[2,3] = DequantizeLinear-28(%x, %s, %z)\n  return %y as \"y\"\n}\n"

static void nodes_are_put_between_input_and_users(void **state) {
    (void)state;
    has(NCHW, "input:type=uint8,mean=1,2,3,scale=0.5,layout=nhwc",
        (const char *[]){"(%x: u8[n,4,5,3])", "%mean: f32[3,1,1] = [1, 2, 3]", "%scale: f32[] = [0.5]",
                         "u8[n,3,4,5] = Transpose", "f32[n,3,4,5] = Cast", "Sub", "%t", ": f32[n,3,4,5] = Mul",
                         "Relu-14(%t", "return %y as \"y\", %t", NULL});
    has(NCHW, "input:layout=nhwc",
        (const char *[]){"(%x: f32[n,4,5,3])", "Transpose-25(%x) {perm=[0, 3, 1, 2]}", "Relu-14(%t", NULL});
    has(NCHW, "input:type=bfloat16", (const char *[]){"(%x: bf16[n,3,4,5])", "Cast-", "Relu-14(%t", NULL});
}

static void a_transpose_tells_the_models_layout(void **state) {
    (void)state;
    has(NHWC, "input:layout=nchw,mean=1,2,3",
        (const char *[]){"(%x: f32[1,3,4,5])", "%mean: f32[3] = [1, 2, 3]",
                         "f32[1,4,5,3] = Transpose-25(%x) {perm=[0, 2, 3, 1]}", "Sub", "Neg", NULL});
    has(NHWC, "input:layout=nhwc,type=uint8", (const char *[]){"(%x: u8[1,4,5,3])", "Cast-28(%x)", "Neg-13(%t", NULL});
}

static void quantised_inputs_get_real_values(void **state) {
    (void)state;
    has(QUANTISED, "input:type=uint8,scale=2",
        (const char *[]){"(%x: u8[2,3])", "Cast-28(%x)", "Mul", "QuantizeLinear", ", %s, %z)", "DequantizeLinear-28(%t",
                         NULL});
    has(QUANTISED, "input:mean=1,2,3",
        (const char *[]){"(%x: i8[2,3])", "%mean: f32[3] = [1, 2, 3]", "QuantizeLinear", NULL});
}

static status change(const allocator *from, void *ctx) {
    status s;
    run_pass(from, ctx, "input:type=uint8,mean=1,2,3,scale=0.5", &s);
    return s;
}

static void it_survives_each_failing_allocation(void **state) {
    (void)state;
    char nchw[] = NCHW, quantised[] = QUANTISED;
    test_each_allocation(change, nchw);
    test_each_allocation(change, quantised);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lists_go_on_until_the_next_option),
        cmocka_unit_test(quotes_protect),
        cmocka_unit_test(what_is_wrong_is_refused),
        cmocka_unit_test(nodes_are_put_between_input_and_users),
        cmocka_unit_test(a_transpose_tells_the_models_layout),
        cmocka_unit_test(quantised_inputs_get_real_values),
        cmocka_unit_test(it_survives_each_failing_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
