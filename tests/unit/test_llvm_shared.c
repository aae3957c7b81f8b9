/* rooms: api */
/* Compiled models through tenon.h: the object engine, and a library in place of a model. */
#include "test_support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tenon/tenon.h>
#include <unistd.h>

#define MODEL TENON_SOURCE_DIR "/tests/frontend/constants.onnx"

/* y = x + a + b + c + w with the constants of tests/frontend/constants.onnx. */
static const float X[6] = {0, 1, 2, 3, 4, 5};
static const float Y[6] = {3.5f, 7.5f, 11.5f, 9.5f, 13.5f, 17.5f};

/* What a session does with its graph. */
typedef tenon_status (*job)(tenon_graph *graph, void *ctx);

typedef struct session {
    const char *model;
    const char *option, *value; /* NULL: none */
    job run;
    void *ctx;
} session;

static tenon_status in_context(const session *s, tenon_context *c) {
    tenon_options *options = NULL;
    tenon_graph *graph = NULL;
    tenon_status done = tenon_options_new(c, &options);
    if (done == TENON_DONE && s->option != NULL)
        done = tenon_options_set(options, s->option, s->value);
    if (done == TENON_DONE)
        done = tenon_graph_open(c, s->model, options, &graph);
    if (done == TENON_DONE)
        done = s->run(graph, s->ctx);
    tenon_graph_free(graph);
    tenon_options_free(options);
    return done;
}

static status work(const allocator *from, void *ctx) {
    tenon_host host = {.struct_size = sizeof host, .data = from->ctx, .resize = from->resize};
    tenon_context *c;
    tenon_status done = tenon_context_new(&host, &c);
    if (done != TENON_DONE)
        return (status)done;
    done = in_context(ctx, c);
    if (done == TENON_RESOURCE)
        assert_non_null(strstr(tenon_message(c, tenon_message_count(c) - 1), "out of memory"));
    tenon_context_free(c);
    return (status)done;
}

static tenon_status run_model(tenon_graph *graph, void *ctx) {
    (void)ctx;
    tenon_code *code;
    float y[6];
    tenon_status done = tenon_code_new(graph, &code);
    if (done == TENON_DONE) {
        assert_int_equal(tenon_code_inputs(code), 1);
        assert_string_equal(tenon_code_output(code, 0).name, "y");
        done = tenon_code_run(code, (const void *[]){X}, (void *[]){y});
    }
    if (done == TENON_DONE)
        assert_memory_equal(y, Y, sizeof Y);
    tenon_code_free(code);
    return done;
}

static tenon_status write_files(tenon_graph *graph, void *ctx) {
    tenon_files *files;
    tenon_status done = tenon_emit(graph, &files);
    if (done == TENON_DONE)
        done = tenon_files_write(files, ctx);
    tenon_files_free(files);
    return done;
}

static tenon_status inspect(tenon_graph *graph, void *ctx) {
    (void)ctx;
    tenon_report *report;
    tenon_status done = tenon_inspect(graph, &report);
    if (done == TENON_DONE)
        assert_non_null(strstr(tenon_report_text(report), "f32[2,3]"));
    tenon_report_free(report);
    return done;
}

static void runs(const char *backend) {
    session s = {.model = MODEL, .option = "backend", .value = backend, .run = run_model};
    assert_int_equal(work(&allocator_system, &s), STATUS_OK);
}

static void object_engine_runs(void **state) {
    (void)state;
    runs("object");
}

static void all_engines_agree(void **state) {
    (void)state;
    runs("all");
}

static void object_engine_survives_want_of_memory(void **state) {
    (void)state;
    session s = {.model = MODEL, .option = "backend", .value = "object", .run = run_model};
    assert_true(test_each_allocation(work, &s) > 20);
}

/* ---- constants.so in a folder of its own ---- */

static char folder[] = "/tmp/test-llvm-shared-XXXXXX";
static char library[sizeof folder + 16];

static int make_library(void **state) {
    (void)state;
    session s = {.model = MODEL, .option = "emit", .value = "shared", .run = write_files, .ctx = folder};
    if (mkdtemp(folder) == NULL)
        return -1;
    snprintf(library, sizeof library, "%s/constants.so", folder);
    return (int)work(&allocator_system, &s);
}

static int remove_library(void **state) {
    (void)state;
    char command[sizeof folder + 16];
    snprintf(command, sizeof command, "rm -r %s", folder);
    return system(command);
}

static void library_stands_in_for_a_model(void **state) {
    (void)state;
    session s = {.model = library, .run = run_model};
    assert_int_equal(work(&allocator_system, &s), STATUS_OK);
}

static void library_survives_want_of_memory(void **state) {
    (void)state;
    static const job jobs[] = {run_model, inspect};
    for (int i = 0; i < 2; i++) {
        session s = {.model = library, .run = jobs[i]};
        assert_true(test_each_allocation(work, &s) > 5);
    }
}

static void library_is_not_compiled_again(void **state) {
    (void)state;
    session s = {.model = library, .run = write_files, .ctx = folder};
    assert_int_equal(work(&allocator_system, &s), STATUS_USAGE);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(object_engine_runs),
        cmocka_unit_test(all_engines_agree),
        cmocka_unit_test(object_engine_survives_want_of_memory),
        cmocka_unit_test(library_stands_in_for_a_model),
        cmocka_unit_test(library_survives_want_of_memory),
        cmocka_unit_test(library_is_not_compiled_again),
    };
    return cmocka_run_group_tests_name("llvm_shared", tests, make_library, remove_library);
}
