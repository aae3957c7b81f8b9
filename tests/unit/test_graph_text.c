/* rooms: ir base */
/* The graph's text form: everything survives, to the byte; whatever else is fed in is refused with a line number. */
#include <math.h>

#include "ir_support.h"

/* Printed form of every feature. */
static const char FULL[] =
    "graph \"ma\\\"in\"(%input_ids: i64[batch,2*sequence+1], %/enc/layer.0/x: f32[*], %\"onnx::x:0\": i8[2], %\"od "
    "d\\n\": ?[*], %w: f32[2] = [1, -0.5]) {\n"
    "  opset \"\" 17\n"
    "  opset \"com.microsoft\" 1\n"
    "  meta \"producer_name\" \"py\\\\torch\\t\\x01\"\n"
    "  meta \"\" \"\"\n"
    "  const %c: i64[2] = [0, -9223372036854775808]\n"
    "  const %none: f16[0,3] = []\n"
    "  const %one: f64[] = [1e-300]\n"
    "  const %odd: f32[6] = [nan, nan:ffc00001, inf, -inf, -0, 1e-45]\n"
    "  const %u: u64[2] = [18446744073709551615, 0]\n"
    "  const %n: i4[3] = [-8, 7, -1]\n"
    "  const %b: bool[2] = [0, 1]\n"
    "  %h: f32[batch,\"odd dim\"], _, %t: ?[*] = Split-13(%w, _, %c, _) {axis=-1, alpha=0.1, whole=1.0, big=1e20, "
    "nan=nan, minus=-inf, "
    "s=\"a\\x00\\\"b\", ints=[1, -2], floats=[1.0, 2.5, nan:7fc00002], strings=[\"x\", \"\"], \"no ints\"=ints [], "
    "e=floats [], f=strings [], "
    "t=tensor f32[1,2] [1, 2], g=tensor i2[0] [], zero=none} name \"the \\\"split\\\"\" source 12 note \"why\" "
    "\"because\" note \"k\" \"\"\n"
    "  = \"ai.onnx.ml\"::\"odd op\"-0()\n"
    "  %z: f32[min(batch,3)] = \"com.microsoft\"::Fused-1(%h, %\"od d\\n\") {body=graph \"inner\"(%h: f32[]) {\n"
    "      opset \"\" 17\n"
    "      %r: f32[] = Relu-13(%h)\n"
    "      return %r as \"r\"\n"
    "    }, k=1}\n"
    "  return %z as \"logits\", %z as \"again\", %input_ids as \"\"\n"
    "}\n";

static void text_parses_back_byte_for_byte(void **state) {
    (void)state;
    bench b = bench_parse(FULL);
    assert_string_equal(graph_text(b.g, b.memory), FULL);
    graph *copy = graph_copy(b.g);
    assert_string_equal(graph_text(copy, b.memory), FULL);
    graph_free(copy);
    bench_free(&b);
}

static void text_keeps_values(void **state) {
    (void)state;
    bench b = bench_parse(FULL);
    node *n = find_node(b.g, "the \"split\"");
    assert_int_equal(n->source, 12);
    assert_int_equal(n->version, 13);
    assert_string_equal(map_get(n->notes, "why"), "because");
    assert_true(op_float(n, "alpha") == (double)0.1f);
    const attr *s = node_attr(n, "s");
    assert_int_equal(s->kind, ATTR_STRING);
    assert_int_equal(s->s_bytes, 4);
    assert_memory_equal(s->s, "a\0\"b", 5);
    assert_int_equal(node_attr(n, "whole")->kind, ATTR_FLOAT);
    assert_int_equal(node_attr(n, "no ints")->kind, ATTR_INTS);
    assert_int_equal(node_attr(n, "f")->kind, ATTR_STRINGS);
    assert_int_equal(node_attr(n, "g")->t->count, 0);
    assert_null(node_input(n, 1));
    assert_int_equal(n->n_inputs, 4);
    assert_null(node_output(n, 1));
    assert_int_equal((intptr_t)map_get(&b.g->opsets, "com.microsoft"), 1);
    assert_string_equal(map_get(&b.g->metadata, "producer_name"), "py\\torch\t\1");
    const tensor *odd = graph_find_value(b.g, "odd")->constant;
    uint32_t bits[6];
    memcpy(bits, odd->data, sizeof bits);
    assert_int_equal(bits[1], 0xffc00001);
    assert_int_equal(bits[4], 0x80000000);
    assert_int_equal(bits[5], 1);
    assert_int_equal(tensor_int(graph_find_value(b.g, "n")->constant, 0), -8);
    assert_true(graph_find_value(b.g, "w")->is_input && value_is_constant(graph_find_value(b.g, "w")));
    assert_int_equal(graph_find_value(b.g, "z")->n_uses, 2);
    bench_free(&b);
}

static void text_is_free_of_layout(void **state) {
    (void)state;
    bench b = bench_parse("graph\"main\"(%x:f32[2])# comment { \n{%z : f32 [ 2 ]=Add-13( %y ,%x )\n%y: f32[2] = "
                          "Relu-13(%x)\treturn %z as\"o\"}  # end");
    assert_string_equal(graph_text(b.g, b.memory), "graph \"main\"(%x: f32[2]) {\n"
                                                   "  %y: f32[2] = Relu-13(%x)\n"
                                                   "  %z: f32[2] = Add-13(%y, %x)\n"
                                                   "  return %z as \"o\"\n"
                                                   "}\n");
    assert_graph_is_whole(&b);
    bench_free(&b);
}

/* ---- large constants ---- */

typedef struct store {
    const void *data;
    const char *sha;
    size_t bytes;
} store;

static const void *look_up(void *ctx, const char *sha256, size_t bytes) {
    const store *s = ctx;
    return strcmp(s->sha, sha256) == 0 && s->bytes == bytes ? s->data : NULL;
}

static void text_refers_to_large_constants(void **state) {
    (void)state;
    bench b = bench_new();
    float data[65];
    for (int i = 0; i < 65; i++)
        data[i] = (float)i;
    tensor *t = tensor_new(b.g->memory, DT_F32, 2, (int64_t[]){5, 13}, data);
    assert_non_null(graph_add_constant(b.g, "w", t));
    char sha[65];
    tensor_sha256(t, sha);
    const char *text = graph_text(b.g, b.memory);
    assert_string_equal(
        text, arena_printf(b.memory, "graph \"main\"() {\n  const %%w: f32[5,13] = sha256:%s bytes 260\n}\n", sha));
    store s = {data, sha, 260};
    graph *again = NULL;
    assert_int_equal(
        graph_parse(text, strlen(text), NULL, &allocator_system, b.messages, &ir_table, look_up, &s, &again),
        STATUS_OK);
    assert_ptr_equal(graph_find_value(again, "w")->constant->data, data);
    assert_string_equal(graph_text(again, b.memory), text);
    graph_free(again);
    s.bytes = 1;
    assert_int_equal(
        graph_parse(text, strlen(text), "t", &allocator_system, b.messages, &ir_table, look_up, &s, &again),
        STATUS_INVALID);
    assert_int_equal(graph_parse(text, strlen(text), "t", &allocator_system, b.messages, &ir_table, NULL, NULL, &again),
                     STATUS_INVALID);
    assert_string_equal(bench_messages(&b),
                        "t: main: error[graph-syntax]: line 2: the contents of this constant are not at hand\n"
                        "t: main: error[graph-syntax]: line 2: the contents of this constant are not at hand\n");
    bench_free(&b);
}

/* ---- elements ---- */

static void check_elements(dtype t, const void *data, int64_t n) {
    bench b = bench_new();
    size_t each = dtype_bytes(t, 64);
    for (int64_t i = 0; i < n; i += 64) {
        const uint8_t *part = (const uint8_t *)data + (size_t)(i / 64) * each;
        assert_non_null(graph_add_constant(b.g, NULL, tensor_new(b.g->memory, t, 1, (int64_t[]){64}, part)));
    }
    graph *again = parse_text(&b, graph_text(b.g, b.memory));
    const value *x = b.g->values, *y = again->values;
    for (; x != NULL; x = x->next, y = y->next)
        assert_memory_equal(x->constant->data, y->constant->data, each);
    assert_null(y);
    graph_free(again);
    bench_free(&b);
}

/* Every pattern of 16 bits or fewer, and random ones of more. */
static void text_elements_are_exact(void **state) {
    (void)state;
    uint64_t seed = 5;
    static uint64_t patterns[65536 / 4];
    for (int t = DT_NONE + 1; t < DT_COUNT; t++) {
        bool sixteen = dtype_bits((dtype)t) == 16, many = dtype_bits((dtype)t) > 16;
        int64_t n = sixteen ? 65536 : many ? 4096 : dtype_bits((dtype)t) == 8 ? 256 : 64;
        for (int i = 0; sixteen && i < 65536; i++)
            ((uint16_t *)patterns)[i] = (uint16_t)i;
        for (int i = 0; !sixteen && !many && i < 256; i++)
            ((uint8_t *)patterns)[i] = (uint8_t)(t == DT_BOOL ? i & 1 : i);
        for (size_t i = 0; many && i < sizeof patterns / sizeof *patterns; i++)
            patterns[i] = (uint64_t)next_random(&seed) << 40 ^ (uint64_t)next_random(&seed) << 20 ^ next_random(&seed);
        check_elements((dtype)t, patterns, n);
    }
}

/* ---- refusals ---- */

typedef struct refusal {
    const char *text, *message;
} refusal;

#define HEAD "graph \"m\"(%x: f32[2]) {\n"
static const refusal REFUSALS[] = {
    {"", "line 1: expected 'graph'"},
    {"graph", "line 1: expected a text in quotes"},
    {"graph \"m", "line 1: expected a text in quotes"},
    {"graph \"m\\x00\"() {}", "line 1: a zero byte in a name"},
    {"graph \"m\"", "line 1: expected '('"},
    {"graph \"m\"(%x: f32[2]", "line 1: expected ','"},
    {"graph \"m\"(%x f32[2])", "line 1: expected ':'"},
    {"graph \"m\"(%x: f33[2])", "line 1: unknown element type 'f33'"},
    {"graph \"m\"(%x: 7)", "line 1: expected a type"},
    {"graph \"m\"(%x: f32[2+])", "line 1: expected a dimension"},
    {"graph \"m\"(%x: f32[-1])", "line 1: a dimension below 0"},
    {"graph \"m\"(%x: f32[2)", "line 1: expected ']'"},
    {"graph \"m\"(%x: f32[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1])", "line 1: too many dimensions"},
    {"graph \"m\"(%x: f32[2], %x: f32[2])", "line 1: a second definition of 'x'"},
    {"graph \"m\"(%: f32[2])", "line 1: expected a name after %"},
    {HEAD, "line 2: expected '}'"},
    {HEAD "\n\n  bogus", "line 4: expected a statement or '}'"},
    {HEAD "} more", "line 2: expected the end of the text"},
    {HEAD "opset \"\" 0 }", "line 2: expected the opset's version"},
    {HEAD "const %c: f32[n] = [1] }", "line 2: a constant's type must have known dimensions"},
    {HEAD "const %c: f32[2] = 7 }", "line 2: expected '[' or 'sha256:'"},
    {HEAD "const %c: f32[2] = [1] }", "line 2: expected one more element"},
    {HEAD "const %c: f32[1] = [1, 2] }", "line 2: expected ']' after the last element"},
    {HEAD "const %c: f32[99999999999] = [1] }", "line 2: expected one more element"},
    {HEAD "const %c: f32[99999999999,99999999999] = [1] }", "line 2: a constant's type must have known dimensions"},
    {HEAD "const %c: u8[1] = [256] }", "line 2: expected an element of the tensor's type"},
    {HEAD "const %c: u64[1] = [-1] }", "line 2: expected an element of the tensor's type"},
    {HEAD "const %c: f32[1] = [nan:3f800000] }", "line 2: expected an element of the tensor's type"},
    {HEAD "const %c: f32[1] = [0x10] }", "line 2: expected an element of the tensor's type"},
    {HEAD "const %c: f32[1] = sha256:12 bytes 4 }", "line 2: expected 64 hexadecimal digits and the number of bytes"},
    {HEAD "%y: f32[2] = Relu(%x)\n}", "line 2: expected '-' and the operator's version"},
    {HEAD "%y: f32[2] = Relu-13(%x\n}", "line 3: expected ','"},
    {HEAD "%y: f32[2] = Relu-13(%z)\n return %q as \"\"}",
     "line 2: no definition of 'z'\nt: m: error[unknown-value]: line 3: no definition of 'q'"},
    {HEAD "%y: f32[2] = Relu-13(%x) {a=1, a=2}\n}", "line 2: a second attribute 'a'"},
    {HEAD "%y: f32[2] = Relu-13(%x) {a=}\n}", "line 2: expected an attribute's value"},
    {HEAD "%y: f32[2] = Relu-13(%x) {a=[]}\n}", "line 2: expected a number"},
    {HEAD "%y: f32[2] = Relu-13(%x) {a=[1, 2.5]}\n}", "line 2: expected an integer"},
    {HEAD "%y: f32[2] = Relu-13(%x) {a=99999999999999999999}\n}", NULL},
    {HEAD "%y: f32[2] = Relu-13(%x) {a=\"\\q\"}\n}",
     "line 2: a text without its closing quote, or with an unknown escape"},
    {HEAD "%y: f32[2] = Relu-13(%x) source -1\n}", "line 2: expected the node's index in its source"},
    {HEAD "%y: f32[2] = Relu-13(%x)\n%y: f32[2] = Relu-13(%x)\n}", "line 3: a second definition of 'y'"},
};

static void text_refuses_with_the_line(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof REFUSALS / sizeof *REFUSALS; i++) {
        bench b = bench_new();
        graph *g = NULL;
        const refusal *r = &REFUSALS[i];
        status s = graph_parse(r->text, strlen(r->text), "t", &allocator_system, b.messages, &ir_table, NULL, NULL, &g);
        if (r->message == NULL) {
            assert_int_equal(s, STATUS_OK);
            graph_free(g);
        } else {
            assert_int_equal(s, STATUS_INVALID);
            assert_null(g);
            const char *behind = strstr(bench_messages(&b), "]: ");
            assert_non_null(behind);
            assert_string_equal(behind + 3, arena_printf(b.memory, "%s\n", r->message));
        }
        bench_free(&b);
    }
}

static void text_names_cycles(void **state) {
    (void)state;
    static const char text[] = HEAD "%y: f32[2] = Add-13(%x, %z) name \"p\"\n%z: f32[2] = Relu-13(%y) name \"q\"\n}";
    bench b = bench_new();
    graph *g;
    assert_int_equal(graph_parse(text, strlen(text), "t", &allocator_system, b.messages, &ir_table, NULL, NULL, &g),
                     STATUS_INVALID);
    assert_string_equal(
        bench_messages(&b),
        "t: m/'p' (Add-13): error[cycle]: the graph has a cycle: 'q' (Relu) -> 'p' (Add) -> 'q' (Relu)\n");
    bench_free(&b);
}

static void text_nesting_is_bounded(void **state) {
    (void)state;
    bench b = bench_new();
    strbuf s = strbuf_in(b.memory);
    for (int i = 0; i < 10000; i++)
        strbuf_add(&s, "graph \"g\"() { = A-1() {a=");
    graph *g;
    assert_int_equal(graph_parse(s.text, s.n, "t", &allocator_system, b.messages, &ir_table, NULL, NULL, &g),
                     STATUS_INVALID);
    assert_non_null(strstr(bench_messages(&b), "graphs nested too deeply"));
    bench_free(&b);
}

static void mutate(char *text, size_t *n, uint64_t *seed) {
    static const char alphabet[] = "%_=()[]{},:\"\\-+*/0123456789.einfats \n#?";
    for (int edits = 1 + random_below(seed, 3); edits > 0; edits--) {
        size_t at = (size_t)random_below(seed, (int)*n);
        int length = random_below(seed, 12);
        int what = random_below(seed, 4);
        if (what == 0) {
            text[at] = (char)next_random(seed);
        } else if (what == 1) {
            text[at] = alphabet[random_below(seed, (int)sizeof alphabet - 1)];
        } else if (what == 2 && at + (size_t)length < *n) {
            memmove(text + at, text + at + length, *n - at - (size_t)length);
            *n -= (size_t)length;
        } else if (at + (size_t)length < *n) {
            memmove(text + at, text + random_below(seed, (int)*n - length), (size_t)length);
        }
    }
}

/* Broken texts are refused or read; what was read prints and reads back. */
static void text_survives_mutation(void **state) {
    (void)state;
    uint64_t seed = 7;
    int read = 0;
    for (int round = 0; round < 20000; round++) {
        bench b = bench_new();
        size_t n = strlen(FULL);
        /* Of the exact size, so that a sanitizer sees what reads beyond the end. */
        char *text = malloc(n);
        memcpy(text, FULL, n);
        mutate(text, &n, &seed);
        char *exact = malloc(n);
        memcpy(exact, text, n);
        free(text);
        graph *g = NULL;
        status s = graph_parse(exact, n, "t", &allocator_system, b.messages, &ir_table, NULL, NULL, &g);
        if (s == STATUS_OK) {
            const char *printed = graph_text(g, b.memory);
            graph *again = parse_text(&b, printed);
            assert_string_equal(graph_text(again, b.memory), printed);
            graph_free(again);
            read++;
        } else {
            assert_int_equal(s, STATUS_INVALID);
            assert_in_range(diag_errors(b.messages), 1, 100);
        }
        graph_free(g);
        free(exact);
        bench_free(&b);
    }
    assert_in_range(read, 1000, 19000);
}

static status parse_under_pressure(const allocator *from, void *ctx) {
    const char *text = ctx;
    bench b = {arena_new(&allocator_system), diag_new(&allocator_system), NULL};
    status s = graph_parse(text, strlen(text), "t", from, b.messages, &ir_table, NULL, NULL, &b.g);
    if (s == STATUS_OK)
        assert_string_equal(graph_text(b.g, b.memory), text);
    else
        assert_int_equal(diag_errors(b.messages), 0);
    graph_free(b.g);
    diag_free(b.messages);
    arena_free(b.memory);
    return s;
}

/* Texts of growing length in front move the ends of the arena's chunks through all allocations. */
static void text_survives_want_of_memory(void **state) {
    (void)state;
    const char *body = strstr(FULL, "  meta ");
    for (int pad = 0; pad < 4096; pad += 32) {
        arena *a = arena_new(&allocator_system);
        char *text = arena_printf(a, "%.*s  meta \"pad\" \"%*s\"\n%s", (int)(body - FULL), FULL, pad, "", body);
        test_each_allocation(parse_under_pressure, text);
        arena_free(a);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_parses_back_byte_for_byte),
        cmocka_unit_test(text_keeps_values),
        cmocka_unit_test(text_is_free_of_layout),
        cmocka_unit_test(text_refers_to_large_constants),
        cmocka_unit_test(text_elements_are_exact),
        cmocka_unit_test(text_refuses_with_the_line),
        cmocka_unit_test(text_names_cycles),
        cmocka_unit_test(text_nesting_is_bounded),
        cmocka_unit_test(text_survives_mutation),
        cmocka_unit_test(text_survives_want_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
