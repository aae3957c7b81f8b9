/* rooms: api */
#include "test_support.h"

#include <stdio.h>
#include <string.h>
#include <tenon/tenon.h>

#define MODEL TENON_SOURCE_DIR "/tests/frontend/constants.onnx"
#define LINEAR TENON_SOURCE_DIR "/tests/diff/linear.onnx"
#define SAMPLES TENON_SOURCE_DIR "/tests/diff/constants.npz"
#define SYMBOLS TENON_SOURCE_DIR "/tests/frontend/symbols.onnx"

/* An embedder: its memory is counted. */
typedef struct embedder {
    test_memory memory;
    int stops; /* polls until it says stop; -1 never */
    char notes[65536];
} embedder;

static void *resize(void *data, void *block, size_t old_bytes, size_t new_bytes) {
    return test_memory_resize(&((embedder *)data)->memory, block, old_bytes, new_bytes);
}

static int stop(void *data) {
    embedder *e = data;
    return e->stops >= 0 && e->stops-- == 0;
}

static void note(void *data, const char *text) {
    embedder *e = data;
    size_t n = strlen(e->notes);
    snprintf(e->notes + n, sizeof e->notes - n, "%s", text);
}

static tenon_host host_of(embedder *e) {
    return (tenon_host){.struct_size = sizeof(tenon_host), .data = e, .resize = resize, .stop = stop, .note = note};
}

/* Options as a list of names and values; NULL ends it. */
static tenon_status set_all(tenon_options *o, const char *const *words) {
    tenon_status s = TENON_DONE;
    for (; *words != NULL && s == TENON_DONE; words += 2)
        s = tenon_options_set(o, words[0], words[1]);
    return s;
}

typedef struct session {
    embedder *e;
    tenon_context *context;
    tenon_options *options;
    tenon_graph *graph;
} session;

static tenon_status begin(session *s, embedder *e, const char *model, const char *const *words) {
    tenon_host host = host_of(e);
    *s = (session){.e = e};
    tenon_status done = tenon_context_new(&host, &s->context);
    if (done == TENON_DONE)
        done = tenon_options_new(s->context, &s->options);
    if (done == TENON_DONE)
        done = set_all(s->options, words);
    if (done == TENON_DONE)
        done = tenon_graph_open(s->context, model, s->options, &s->graph);
    return done;
}

static void end(session *s) {
    tenon_graph_free(s->graph);
    tenon_options_free(s->options);
    tenon_context_free(s->context);
    assert_int_equal(s->e->memory.live_blocks, 0);
    assert_int_equal(s->e->memory.live_bytes, 0);
}

static const char *const NO_OPTIONS[] = {NULL};

/* ---- running ---- */

/* y = x + a + b + c + w with the constants of tests/frontend/constants.onnx. */
static const float X[6] = {0, 1, 2, 3, 4, 5};
static const float Y[6] = {3.5f, 7.5f, 11.5f, 9.5f, 13.5f, 17.5f};

static tenon_status run_model(session *s, float y[6]) {
    tenon_code *code;
    tenon_status done = tenon_code_new(s->graph, &code);
    if (done == TENON_DONE) {
        const void *inputs[] = {X};
        void *outputs[] = {y};
        done = tenon_code_run(code, inputs, outputs);
    }
    tenon_code_free(code);
    return done;
}

static void check_backend(const char *backend) {
    embedder e = {.stops = -1};
    session s;
    const char *const words[] = {"backend", backend, NULL};
    float y[6];
    assert_int_equal(begin(&s, &e, MODEL, words), TENON_DONE);
    assert_int_equal(run_model(&s, y), TENON_DONE);
    assert_memory_equal(y, Y, sizeof Y);
    end(&s);
}

static void api_interp_runs(void **state) {
    (void)state;
    check_backend("interp");
}

static void api_c_runs(void **state) {
    (void)state;
    check_backend("c");
}

static void api_code_describes_its_tensors(void **state) {
    (void)state;
    embedder e = {.stops = -1};
    session s;
    tenon_code *code;
    const char *const words[] = {"backend", "interp",    "dim",   "batch=2", "shape", "past=2x4x4",
                                 "shape",   "odd=1x6x7", "shape", "free=5",  NULL};
    assert_int_equal(begin(&s, &e, SYMBOLS, words), TENON_DONE);
    assert_int_equal(tenon_code_new(s.graph, &code), TENON_DONE);
    assert_int_equal(tenon_code_inputs(code), 4);
    assert_int_equal(tenon_code_outputs(code), 3);
    tenon_tensor x = tenon_code_input(code, 0), o = tenon_code_output(code, 2);
    assert_string_equal(x.name, "x");
    assert_int_equal(x.rank, 3);
    assert_int_equal(x.dims[1], 3);
    assert_int_equal(x.bytes, 2 * 3 * 4 * sizeof(float));
    assert_string_equal(o.name, "o");
    assert_int_equal(o.element_type, 1);
    assert_int_equal(o.dims[2], 7);
    tenon_code_free(code);
    end(&s);
}

static void api_contradicting_shape_is_refused(void **state) {
    (void)state;
    embedder e = {.stops = -1};
    session s;
    tenon_code *code;
    const char *const words[] = {"backend", "interp", "dim", "batch=2", "shape", "x=3x3x4", NULL};
    assert_int_equal(begin(&s, &e, SYMBOLS, words), TENON_DONE);
    assert_int_equal(tenon_code_new(s.graph, &code), TENON_USAGE);
    assert_null(code);
    assert_non_null(
        strstr(tenon_message(s.context, 0), "error[shape-mismatch]: --shape gives input 'x' the shape 3x3x4"));
    end(&s);
}

/* Every dimension that is not bound is named, with the flag that binds it. */
static void api_unbound_dimensions_are_named(void **state) {
    (void)state;
    embedder e = {.stops = -1};
    session s;
    tenon_code *code;
    const char *const names[] = {"batch", "seq", "batch-size", "odd_dim2", "free"};
    assert_int_equal(begin(&s, &e, SYMBOLS, NO_OPTIONS), TENON_DONE);
    assert_int_equal(tenon_code_new(s.graph, &code), TENON_USAGE);
    assert_int_equal(tenon_message_count(s.context), 5);
    for (size_t i = 0; i < 5; i++) {
        assert_non_null(strstr(tenon_message(s.context, i), names[i]));
        assert_non_null(strstr(tenon_message(s.context, i), i < 4 ? "--dim" : "--shape"));
        assert_true(tenon_message_is_error(s.context, i));
    }
    tenon_messages_clear(s.context);
    assert_int_equal(tenon_message_count(s.context), 0);
    end(&s);
}

/* ---- stages ---- */

static void api_dump_after_prints_the_form(void **state) {
    (void)state;
    embedder e = {.stops = -1};
    session s;
    float y[6];
    const char *const words[] = {"backend", "interp",     "dump-after", "import", "dump-after",
                                 "fold",    "dump-after", "lower",      NULL};
    assert_int_equal(begin(&s, &e, MODEL, words), TENON_DONE);
    assert_int_equal(run_model(&s, y), TENON_DONE);
    const char *imported = strstr(e.notes, "# after import\ngraph \"main\"");
    const char *folded = strstr(e.notes, "# after fold\ngraph \"main\"");
    const char *lowered = strstr(e.notes, "# after lower\nprogram ");
    assert_true(imported != NULL && folded > imported && lowered > folded);
    end(&s);
}

static void api_stop_after_ends_the_work(void **state) {
    (void)state;
    static const char *const stages[] = {"import", "fold", "lower"};
    for (size_t i = 0; i < 3; i++) {
        embedder e = {.stops = -1};
        session s;
        tenon_files *files;
        const char *const words[] = {"stop-after", stages[i], "emit", "c", NULL};
        assert_int_equal(begin(&s, &e, MODEL, words), TENON_DONE);
        assert_int_equal(tenon_emit(s.graph, &files), TENON_DONE);
        assert_int_equal(tenon_files_count(files), 0);
        tenon_files_free(files);
        end(&s);
    }
}

/* Wherever the host says stop, the work ends with that message and nothing is left. */
static void api_stops_when_the_host_says(void **state) {
    (void)state;
    tenon_status done = TENON_RESOURCE;
    int polls = 0;
    for (; done != TENON_DONE; polls++) {
        embedder e = {.stops = polls};
        session s;
        float y[6];
        const char *const words[] = {"backend", "interp", NULL};
        done = begin(&s, &e, MODEL, words);
        if (done == TENON_DONE)
            done = run_model(&s, y);
        if (done != TENON_DONE) {
            assert_int_equal(done, TENON_RESOURCE);
            assert_string_equal(tenon_message(s.context, 0), "tenon: error[stopped]: stopped before the end");
        }
        end(&s);
    }
    assert_true(polls > 5);
}

/* ---- emission ---- */

static void api_emission_is_the_same_twice(void **state) {
    (void)state;
    static const char *const forms[] = {"c", "loops", "graph"};
    for (size_t i = 0; i < 3; i++) {
        embedder e[2] = {{.stops = -1}, {.stops = -1}};
        session s[2];
        tenon_files *files[2];
        const char *const words[] = {"emit", forms[i], "target", "x86-64-v3", NULL};
        for (int k = 0; k < 2; k++) {
            assert_int_equal(begin(&s[k], &e[k], MODEL, words), TENON_DONE);
            assert_int_equal(tenon_emit(s[k].graph, &files[k]), TENON_DONE);
        }
        size_t n = tenon_files_count(files[0]);
        assert_true(n > 0 && n == tenon_files_count(files[1]));
        for (size_t f = 0; f < n; f++) {
            size_t bytes[2];
            const void *data[2];
            for (int k = 0; k < 2; k++)
                data[k] = tenon_files_data(files[k], f, &bytes[k]);
            assert_int_equal(bytes[0], bytes[1]);
            assert_memory_equal(data[0], data[1], bytes[0]);
        }
        for (int k = 0; k < 2; k++) {
            tenon_files_free(files[k]);
            end(&s[k]);
        }
    }
}

static void api_origin_has_no_folders(void **state) {
    (void)state;
    embedder e = {.stops = -1};
    session s;
    tenon_files *files;
    const char *const words[] = {"compile", MODEL, "--freeze", "x=/some/where/x.npy", "-o", "/tmp/out", "--seed", "1"};
    assert_int_equal(begin(&s, &e, MODEL, NO_OPTIONS), TENON_DONE);
    assert_int_equal(tenon_options_set_command(s.options, 8, words), TENON_DONE);
    assert_int_equal(tenon_emit(s.graph, &files), TENON_DONE);
    size_t bytes;
    const char *source = tenon_files_data(files, 0, &bytes);
    assert_string_equal(tenon_files_name(files, 0), "constants.c");
    assert_non_null(strstr(source, ": tenon compile constants.onnx --freeze x=x.npy --seed 1\n"));
    assert_non_null(strstr(source, " * from constants.onnx, sha256 "));
    assert_null(strstr(source, "/some/where"));
    tenon_files_free(files);
    end(&s);
}

/* ---- options ---- */

static void api_wrong_options_are_refused(void **state) {
    (void)state;
    static const struct {
        const char *name, *value;
        tenon_status status;
        const char *says;
    } cases[] = {
        {"dmi", "batch=1", TENON_USAGE, "did you mean --dim?"},
        {"dim", "batch", TENON_USAGE, "expected NAME=VALUE"},
        {"dim", NULL, TENON_USAGE, "--dim needs NAME=N"},
        {"backend", "jitt", TENON_USAGE, "did you mean 'jit'?"},
        {"metric", "sqrn", TENON_USAGE, "did you mean 'sqnr'?"},
        {"target", "x86-64-v9", TENON_USAGE, "did you mean 'x86-64-v3'?"},
        {"rtol", "1e-3x", TENON_USAGE, "expected a number"},
        {"rtol", "-1", TENON_USAGE, "expected a number"},
        {"limit", "1.5", TENON_USAGE, "expected a number"},
    };
    embedder e = {.stops = -1};
    tenon_host host = host_of(&e);
    tenon_context *context;
    tenon_options *options;
    assert_int_equal(tenon_context_new(&host, &context), TENON_DONE);
    assert_int_equal(tenon_options_new(context, &options), TENON_DONE);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(tenon_options_set(options, cases[i].name, cases[i].value), cases[i].status);
        assert_int_equal(tenon_message_count(context), 1);
        assert_non_null(strstr(tenon_message(context, 0), cases[i].says));
        tenon_messages_clear(context);
    }
    tenon_options_free(options);
    tenon_context_free(context);
    assert_int_equal(e.memory.live_blocks, 0);
}

/* ---- memory ---- */

typedef tenon_status (*call)(session *s, tenon_report **out);

static tenon_status call_inspect(session *s, tenon_report **out) {
    return tenon_inspect(s->graph, out);
}

static tenon_status call_pipeline(session *s, tenon_report **out) {
    return tenon_pipeline(s->options, out);
}

static tenon_status call_operators(session *s, tenon_report **out) {
    return tenon_operators(s->context, "Conv", out);
}

static tenon_status call_diff(session *s, tenon_report **out) {
    return tenon_diff(s->graph, MODEL, out);
}

static tenon_status use_everything(session *s) {
    static const call calls[] = {call_inspect, call_pipeline, call_operators, call_diff};
    float y[6];
    tenon_files *files;
    tenon_status done = run_model(s, y);
    for (size_t i = 0; i < sizeof calls / sizeof *calls && done == TENON_DONE; i++) {
        tenon_report *report;
        done = calls[i](s, &report);
        if (done == TENON_DONE)
            assert_int_equal(tenon_report_json(report)[0], '{');
        tenon_report_free(report);
    }
    if (done != TENON_DONE)
        return done;
    done = tenon_emit(s->graph, &files);
    tenon_files_free(files);
    return done;
}

static status work(const allocator *from, void *ctx) {
    (void)ctx;
    session s = {0};
    tenon_host host = {.struct_size = sizeof host, .data = from->ctx, .resize = from->resize};
    const char *const words[] = {"backend", "interp", "data", SAMPLES, NULL};
    tenon_status done = tenon_context_new(&host, &s.context);
    if (done != TENON_DONE)
        return (status)done;
    done = tenon_options_new(s.context, &s.options);
    if (done == TENON_DONE)
        done = set_all(s.options, words);
    if (done == TENON_DONE)
        done = tenon_graph_open(s.context, MODEL, s.options, &s.graph);
    if (done == TENON_DONE)
        done = use_everything(&s);
    if (done != TENON_DONE)
        assert_non_null(strstr(tenon_message(s.context, tenon_message_count(s.context) - 1), "out of memory"));
    tenon_graph_free(s.graph);
    tenon_options_free(s.options);
    tenon_context_free(s.context);
    return (status)done;
}

static void api_survives_each_failed_allocation(void **state) {
    (void)state;
    assert_true(test_each_allocation(work, NULL) > 20);
}

/* A plugin that evaluates the graph on data, and rebuilds it. */
static status quantise(const allocator *from, void *ctx) {
    (void)ctx;
    tenon_context *c = NULL;
    tenon_options *o = NULL;
    tenon_graph *g = NULL;
    tenon_host host = {.struct_size = sizeof host, .data = from->ctx, .resize = from->resize};
    const char *const words[] = {
        "backend", "interp",
        "plugin",  TENON_BUILD_DIR "/lib/tenon/plugins/quantize.so",
        "p",       "quantize:data_width=3,weight_width=4,bias_width=8,data=all,calibration=" SAMPLES,
        NULL,      NULL};
    tenon_status done = tenon_context_new(&host, &c);
    if (done != TENON_DONE)
        return (status)done;
    done = tenon_options_new(c, &o);
    if (done == TENON_DONE)
        done = set_all(o, words);
    if (done == TENON_DONE)
        done = tenon_graph_open(c, LINEAR, o, &g);
    if (done != TENON_DONE)
        assert_int_equal(done, TENON_RESOURCE);
    tenon_graph_free(g);
    tenon_options_free(o);
    tenon_context_free(c);
    return (status)done;
}

static void api_quantising_survives_each_failed_allocation(void **state) {
    (void)state;
    assert_true(test_each_allocation(quantise, NULL) > 200);
}

/* A sweep compiles again and again: a thousand times in one context. */
static void api_repeats_without_leaks(void **state) {
    (void)state;
    embedder e = {.stops = -1};
    session s;
    const char *const words[] = {"backend", "interp", NULL};
    assert_int_equal(begin(&s, &e, MODEL, words), TENON_DONE);
    size_t before = e.memory.live_bytes;
    for (int i = 0; i < 1000; i++) {
        float y[6];
        assert_int_equal(run_model(&s, y), TENON_DONE);
        assert_int_equal(e.memory.live_bytes, before);
    }
    end(&s);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(api_interp_runs),
        cmocka_unit_test(api_c_runs),
        cmocka_unit_test(api_code_describes_its_tensors),
        cmocka_unit_test(api_contradicting_shape_is_refused),
        cmocka_unit_test(api_unbound_dimensions_are_named),
        cmocka_unit_test(api_dump_after_prints_the_form),
        cmocka_unit_test(api_stop_after_ends_the_work),
        cmocka_unit_test(api_stops_when_the_host_says),
        cmocka_unit_test(api_emission_is_the_same_twice),
        cmocka_unit_test(api_origin_has_no_folders),
        cmocka_unit_test(api_wrong_options_are_refused),
        cmocka_unit_test(api_survives_each_failed_allocation),
        cmocka_unit_test(api_quantising_survives_each_failed_allocation),
        cmocka_unit_test(api_repeats_without_leaks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
