/* rooms: api */
#include "test_support.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <tenon/tenon.h>
#include <unistd.h>

#define MODEL TENON_SOURCE_DIR "/tests/frontend/constants.onnx"
#define OTHER TENON_SOURCE_DIR "/tests/frontend/functions.onnx"
#define MODULE TENON_BUILD_DIR "/lib/tenon/tenon-draw.so"

/* Draws MODEL against `other` (NULL: alone) into `file`. */
static tenon_status draw(const tenon_host *host, const char *other, const char *file) {
    tenon_context *context;
    tenon_options *options = NULL;
    tenon_graph *graph = NULL;
    tenon_report *report = NULL;
    tenon_status s = tenon_context_new(host, &context);
    if (s != TENON_DONE)
        return s;
    s = tenon_options_new(context, &options);
    if (s == TENON_DONE)
        s = tenon_graph_open(context, MODEL, options, &graph);
    if (s == TENON_DONE)
        s = tenon_draw(graph, other, file, &report);
    if (s == TENON_RESOURCE)
        assert_non_null(strstr(tenon_message(context, tenon_message_count(context) - 1), "out of memory"));
    tenon_report_free(report);
    tenon_graph_free(graph);
    tenon_options_free(options);
    tenon_context_free(context);
    return s;
}

enum { MOST_BYTES = 65536 };

static size_t read_whole(const char *path, char *to) {
    FILE *f = fopen(path, "rb");
    assert_non_null(f);
    size_t n = fread(to, 1, MOST_BYTES - 1, f);
    to[n] = '\0';
    fclose(f);
    return n;
}

#define DOT TENON_BUILD_DIR "/tests/draw.dot"

/* What is drawn is whole. */
static status work(const allocator *from, void *whole) {
    char text[MOST_BYTES];
    tenon_host host = {.struct_size = sizeof host, .data = from->ctx, .resize = from->resize};
    status s = (status)draw(&host, OTHER, DOT);
    if (s == STATUS_OK && read_whole(DOT, text) > 0)
        assert_string_equal(text, whole);
    return s;
}

static void draw_survives_each_failed_allocation(void **state) {
    (void)state;
    char whole[MOST_BYTES];
    assert_int_equal(draw(NULL, OTHER, DOT), TENON_DONE);
    assert_true(read_whole(DOT, whole) > 1000);
    assert_true(test_each_allocation(work, whole) > 20);
}

static void *draw_often(void *file) {
    for (int i = 0; i < 20; i++)
        if (draw(NULL, NULL, file) != TENON_DONE)
            return NULL;
    return file;
}

/* libgvc has globals. */
static void draw_takes_turns_between_threads(void **state) {
    (void)state;
    static const char *const files[] = {TENON_BUILD_DIR "/tests/draw_a.svg", TENON_BUILD_DIR "/tests/draw_b.svg"};
    pthread_t threads[2];
    char text[2][MOST_BYTES];
    size_t n[2];
#ifdef __SANITIZE_ADDRESS__
    skip(); /* libgvc loses memory */
#endif
    if (access(MODULE, R_OK) != 0)
        skip();
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, draw_often, (void *)(uintptr_t)files[i]), 0);
    for (int i = 0; i < 2; i++) {
        void *done;
        pthread_join(threads[i], &done);
        assert_non_null(done);
        n[i] = read_whole(files[i], text[i]);
    }
    assert_true(n[0] > 1000);
    assert_int_equal(n[0], n[1]);
    assert_memory_equal(text[0], text[1], n[0]);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(draw_survives_each_failed_allocation),
        cmocka_unit_test(draw_takes_turns_between_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
