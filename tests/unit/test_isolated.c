/* rooms: plugin ops */
/* Isolated plugins: what a pass does to a graph, and that one that harms its process leaves the graph as it was. */
#include "test_support.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>

#include "ops/ops.h"
#include "plugin/plugin.h"

#define HOSTILE TENON_BUILD_DIR "/tests/hostile.so"

#if defined(__SANITIZE_ADDRESS__)
#define HAS_MEMORY_LIMIT false
#else
#define HAS_MEMORY_LIMIT true
#endif

/* An input that is a constant, values whose order is not that of the text, a big constant, an annotation. */
static const char text[] = "graph \"main\"(%x: f32[batch,2], %k: f32[2] = [1, 2]) {\n"
                           "  opset \"\" 28\n"
                           "  meta \"producer_name\" \"by hand\"\n"
                           "  const %\"b c\": f32[2] = [nan, -0]\n"
                           "  const %big: f32[2,64] = sha256:"
                           "0000000000000000000000000000000000000000000000000000000000000000 bytes 512\n"
                           "  %a: f32[batch,2] = Add-14(%x, %\"b c\") name \"add\" source 3 note \"n\" \"t\\n\\xff\"\n"
                           "  %m: f32[batch,64] = MatMul-13(%a, %big) source 4\n"
                           "  %y: f32[batch,2] = Mul-14(%a, %k) name \"mul\"\n"
                           "  return %y as \"y\", %m as \"m\"\n"
                           "}\n";

typedef struct fixture {
    arena *a;
    diag *d;
    graph *g;
    plugin_set *plugins;
    plugin_isolation how;
} fixture;

static const void *resolve(void *ctx, const char *sha256, size_t bytes) {
    static const float weights[128] = {1, 2, 3};
    (void)ctx, (void)sha256;
    return bytes == sizeof weights ? weights : NULL;
}

static const char *print(const graph *g, arena *a) {
    strbuf s = strbuf_in(a);
    const char *printed;
    graph_print(g, &s);
    graph_state_print(g, &s);
    return strbuf_finish(&s, &printed) == STATUS_OK ? printed : "";
}

/* Everything is over `from`; STATUS_RESOURCE where that gives out. */
static status begin(const allocator *from, const char *harm, fixture *f) {
    *f = (fixture){.a = arena_new(from), .d = diag_new(from)};
    if (f->a == NULL || f->d == NULL)
        return STATUS_RESOURCE;
    setenv("HARM", harm, 1);
    f->how.worker = (worker_setup){.program = TENON_BUILD_DIR "/lib/tenon/tenon-worker",
                                   .seconds = strstr(harm, "hang") != NULL ? 1 : 60,
                                   .bytes = (size_t)256 << 20};
    f->how.ops = &ops_table;
    TRY_ALLOC(f->plugins = plugin_set_new(f->a, f->d));
    f->plugins->isolation = &f->how;
    TRY(graph_parse(text, sizeof text - 1, "test.onnx", from, f->d, &ops_table, resolve, NULL, &f->g));
    return plugin_load(f->plugins, HOSTILE);
}

static void end(fixture *f) {
    graph_free(f->g);
    arena_free(f->a);
    diag_free(f->d);
}

static status apply(fixture *f) {
    pass_request q;
    pass_report r = {.memory = f->a};
    bound_inputs bound = {0};
    TRY(request_parse(f->plugins->registry, "hostile", f->a, f->d, &q));
    r.entry = q.entry;
    return pass_apply(f->plugins->registry, &q, &f->g, &r, &bound, f->a);
}

/* As here, so there: the same plugin, loaded into this process, is the model. */
static void graphs_survive_the_way(void **state) {
    (void)state;
    fixture here, there;
    assert_int_equal(begin(&allocator_system, "", &there), STATUS_OK);
    assert_int_equal(begin(&allocator_system, "", &here), STATUS_OK);
    arena *a = arena_new(&allocator_system);
    plugin_set *loaded = plugin_set_new(a, here.d);
    assert_int_equal(plugin_load(loaded, HOSTILE), STATUS_OK);
    here.plugins = loaded;
    for (int i = 0; i < 3; i++) {
        assert_int_equal(apply(&there), STATUS_OK);
        assert_int_equal(apply(&here), STATUS_OK);
        assert_string_equal(print(there.g, there.a), print(here.g, here.a));
        assert_non_null(strstr(print(there.g, there.a), "note \"hostile\" \"yes\""));
        /* names that are made from now on are the same, too */
        assert_non_null(graph_add_constant(there.g, NULL, there.g->inputs.at[1]->constant));
        assert_non_null(graph_add_constant(here.g, NULL, here.g->inputs.at[1]->constant));
    }
    arena_free(a);
    end(&here);
    end(&there);
}

static void harm_leaves_the_graph_as_it_was(void **state) {
    (void)state;
    static const struct {
        const char *harm, *id;
        bool needs_limit;
    } cases[] = {{"crash in run", "plugin-crashed", false}, {"hang in run", "plugin-late", false},
                 {"_exit in run", "plugin-crashed", false}, {"spoil-late in run", "plugin-answer", false},
                 {"eat in run", "plugin-memory", true},     {"close-all in run", "plugin-crashed", false}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        if (cases[i].needs_limit && !HAS_MEMORY_LIMIT)
            continue;
        fixture f;
        assert_int_equal(begin(&allocator_system, cases[i].harm, &f), STATUS_OK);
        const graph *same = f.g;
        const char *before = print(f.g, f.a);
        assert_int_equal(apply(&f), STATUS_INVALID);
        assert_string_equal(diag_at(f.d, 0)->id, cases[i].id);
        assert_ptr_equal(f.g, same);
        assert_string_equal(print(f.g, f.a), before);
        setenv("HARM", "", 1);
        assert_int_equal(apply(&f), STATUS_OK); /* it goes on */
        end(&f);
    }
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
    assert_int_equal(errno, ECHILD);
}

/* The order of values and the ids come from the other side: nothing there is believed. */
static void states_are_checked(void **state) {
    (void)state;
    fixture f;
    assert_int_equal(begin(&allocator_system, "", &f), STATUS_OK);
    static const char *const wrong[] = {
        "",
        "next",
        "next 9",
        "next -1 order \"x\" \"k\" \"b c\" \"big\" \"a\" \"m\" \"y\"",
        "next 99999999999 order \"x\" \"k\" \"b c\" \"big\" \"a\" \"m\" \"y\"",
        "next 9 order \"x\" \"k\" \"b c\" \"big\" \"a\" \"m\"",
        "next 9 order \"x\" \"x\" \"b c\" \"big\" \"a\" \"m\" \"y\"",
        "next 9 order \"x\" \"k\" \"b c\" \"big\" \"a\" \"m\" \"z\"",
        "next 9 counted \"x\" 0 order \"x\" \"k\" \"b c\" \"big\" \"a\" \"m\" \"y\"",
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_int_equal(graph_state_restore(f.g, wrong[i], strlen(wrong[i])), STATUS_INVALID);
    const char *right = "next 50 counted \"x\" 4 order \"y\" \"x\" \"k\" \"b c\" \"big\" \"a\" \"m\"";
    assert_int_equal(graph_state_restore(f.g, right, strlen(right)), STATUS_OK);
    assert_string_equal(f.g->values->name, "y");
    assert_int_equal(f.g->next_id, 50);
    assert_string_equal(graph_add_constant(f.g, "x", f.g->inputs.at[1]->constant)->name, "x_5");
    assert_int_equal(graph_verify(f.g), STATUS_OK);
    end(&f);
}

static status work(const allocator *from, void *ctx) {
    fixture f;
    (void)ctx;
    status s = begin(from, "", &f);
    if (s == STATUS_OK)
        s = apply(&f);
    end(&f);
    return s;
}

static void isolation_survives_each_failed_allocation(void **state) {
    (void)state;
    assert_true(test_each_allocation(work, NULL) > 20);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(graphs_survive_the_way),
        cmocka_unit_test(harm_leaves_the_graph_as_it_was),
        cmocka_unit_test(states_are_checked),
        cmocka_unit_test(isolation_survives_each_failed_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
