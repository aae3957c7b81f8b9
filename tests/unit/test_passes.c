/* rooms: passes lower loop ops */
/* Graph passes on text files: tests/passes/NAME.graph holds a line `# passes: NAME...` (or `all`: the clean-up), a
 * graph, a line `---`, and the graph expected after them. Passes of stage lowering have to be named.
 * TENON_UPDATE_GOLDEN=1 rewrites what is expected. Both are interpreted on the same inputs, where those are floats, and
 * have to give the same. Also: lowering, and each file, with every allocation failing in turn. */
#include <dirent.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "loop/loop.h"
#include "lower/lower.h"
#include "ops/ops.h"
#include "passes_support.h"
#include "test_support.h"

#define FOLDER TENON_SOURCE_DIR "/tests/passes"

static char *read_text(const char *path) {
    FILE *f = fopen(path, "rb");
    assert_non_null(f);
    fseek(f, 0, SEEK_END);
    long n = ftell(f);
    rewind(f);
    char *text = calloc(1, (size_t)n + 1);
    assert_int_equal(fread(text, 1, (size_t)n, f), n);
    fclose(f);
    return text;
}

/* is `name` among the names on the first line? */
static bool is_named(const char *text, const char *name) {
    char line[256], wanted[64];
    snprintf(line, sizeof line, "%.*s ", (int)strcspn(text, "\n"), text);
    snprintf(wanted, sizeof wanted, " %s ", name);
    return strstr(line, wanted) != NULL || strstr(line, " all ") != NULL;
}

static graph *parse(const char *text, size_t n, const allocator *from, diag *d, const char *path) {
    graph *g = NULL;
    if (graph_parse(text, n, path, from, d, &ops_table, NULL, NULL, &g) != STATUS_OK || graph_infer(g) != STATUS_OK) {
        arena *a = arena_new(&allocator_system);
        fail_msg("%s", diag_line(d, 0, a));
    }
    return g;
}

/* ---- the numbers ---- */

typedef struct evaluation {
    graph *g;
    arena *a;
    program *p;
    void *outputs[12];
} evaluation;

/* Symbols become 3. */
static void bind_symbols(graph *g, arena *a) {
    static int64_t three = 3;
    map symbols = map_in(a), sizes = map_in(a);
    assert_int_equal(graph_symbols(g, &symbols), STATUS_OK);
    for (size_t i = 0; i < symbols.n; i++)
        assert_int_equal(map_set(&sizes, symbols.entries[i].name, &three), STATUS_OK);
    assert_int_equal(graph_bind(g, &sizes), STATUS_OK);
}

/* Numbers in [-1, 1) that depend on the input's name alone. */
static void *fed(arena *a, const program_buffer *b) {
    float *data = arena_alloc(a, (size_t)b->n * sizeof *data + 64);
    uint64_t seed = hash_bytes(b->title, strlen(b->title), 1);
    for (int64_t i = 0; i < b->n; i++) {
        seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        data[i] = (float)(int32_t)(seed >> 32) / 2147483648.0f;
    }
    return data;
}

/* Lowers a copy with no more passes than that takes, and interprets it. */
static void evaluate(const graph *from, evaluation *x) {
    static const char *const skip[] = {"fold-batch-norm", "algebra", "canonicalise", "fuse",
                                       "fuse-attention",  "layout",  "cse",          NULL};
    const pass_options minimal = {.skip = skip};
    const lower_options options = {.target = target_numeric(), .name = "numbers"};
    const void *inputs[8];
    interp *m;
    int code = 0;
    *x = (evaluation){.g = graph_copy(from), .a = arena_new(&allocator_system)};
    bind_symbols(x->g, x->a);
    assert_int_equal(passes_run(x->g, &minimal), STATUS_OK);
    assert_int_equal(passes_drive(passes_before_lowering, x->g, &minimal), STATUS_OK);
    assert_int_equal(lower_graph(x->g, &options, x->a, &x->p), STATUS_OK);
    assert_int_equal(interp_new(x->p, x->a, &m), STATUS_OK);
    assert_true(x->p->n_inputs <= 8 && x->p->n_outputs <= 12);
    for (int i = 0; i < x->p->n_inputs; i++)
        inputs[i] = fed(x->a, &x->p->buffers.at[i]);
    for (int i = 0; i < x->p->n_outputs; i++)
        x->outputs[i] = arena_alloc(x->a, (size_t)x->p->buffers.at[x->p->n_inputs + i].n * 8 + 64);
    char *scratch = arena_alloc(x->a, (size_t)x->p->arena_bytes + 64);
    assert_int_equal(interp_run(m, inputs, x->outputs, (void *)(((uintptr_t)scratch + 63) & ~(uintptr_t)63), &code),
                     STATUS_OK);
    assert_int_equal(code, 0);
}

static void evaluation_free(evaluation *x) {
    graph_free(x->g);
    arena_free(x->a);
}

static bool takes_floats(const graph *g) {
    for (size_t i = 0; i < g->inputs.n; i++)
        if (g->inputs.at[i]->type.elem != DT_F32)
            return false;
    return true;
}

/* Do both give the same, up to rounding? */
static void compare_numbers(const char *path, const graph *before, const graph *after) {
    evaluation x, y;
    evaluate(before, &x);
    evaluate(after, &y);
    assert_int_equal(x.p->n_outputs, y.p->n_outputs);
    for (int i = 0; i < x.p->n_outputs; i++) {
        const program_buffer *b = &x.p->buffers.at[x.p->n_inputs + i];
        assert_int_equal(b->n, y.p->buffers.at[y.p->n_inputs + i].n);
        double most = 1e-3;
        for (int64_t k = 0; k < b->n; k++)
            if (isfinite(dtype_get_double(b->elem, x.outputs[i], (size_t)k)))
                most = fmax(most, fabs(dtype_get_double(b->elem, x.outputs[i], (size_t)k)));
        for (int64_t k = 0; k < b->n; k++) {
            double u = dtype_get_double(b->elem, x.outputs[i], (size_t)k),
                   v = dtype_get_double(b->elem, y.outputs[i], (size_t)k);
            if (u != v && !(fabs(u - v) <= 1e-5 * most) && !(isnan(u) && isnan(v)))
                fail_msg("%s: output %d has %g at element %lld, which was %g", path, i, v, (long long)k, u);
        }
    }
    evaluation_free(&x);
    evaluation_free(&y);
}

/* ---- golden files ---- */

static const char *text_of(const graph *g) {
    strbuf out = strbuf_in(g->memory);
    const char *text;
    graph_print(g, &out);
    assert_int_equal(strbuf_finish(&out, &text), STATUS_OK);
    return text;
}

/* The clean-up, and the passes of stage lowering that the first line names. */
static status run_named(graph *g, const pass_registry *r, const char *text) {
    const char *skip[64] = {NULL};
    int n = 0;
    bool lowers = false;
    for (size_t i = 0; i < r->all.n; i++) {
        const char *name = pass_name(r->all.at[i]);
        bool late = strcmp(pass_stage(r->all.at[i]), "lowering") == 0;
        bool named = is_named(text, name) && !(late && is_named(text, "all"));
        lowers |= late && named;
        if (!named && strcmp(pass_stage(r->all.at[i]), "edit") != 0)
            skip[n++] = name;
    }
    pass_options options = {.skip = skip, .verify = true, .target = lowers ? target_numeric() : NULL};
    TRY(passes_run(g, &options));
    return lowers ? passes_drive(passes_before_lowering, g, &options) : STATUS_OK;
}

static void check_file(const char *path) {
    char *text = read_text(path);
    char *start = strchr(text, '\n') + 1, *middle = strstr(text, "\n---\n");
    assert_non_null(middle);
    diag *d = diag_new(&allocator_system);
    graph *g = parse(start, (size_t)(middle + 1 - start), &allocator_system, d, path);
    graph *before = graph_copy(g);
    const char *after = NULL;
    bool comparable = takes_floats(g);
    pass_registry *r = pass_registry_new(g->memory);
    assert_int_equal(pass_registry_sort(r, d), STATUS_OK);
    assert_int_equal(run_named(g, r, text), STATUS_OK);
    after = text_of(g);
    if (getenv("TENON_UPDATE_GOLDEN") != NULL) {
        FILE *f = fopen(path, "wb");
        fwrite(text, 1, (size_t)(middle + 5 - text), f);
        fputs(after, f);
        fclose(f);
    } else {
        assert_string_equal(after, middle + 5);
    }
    if (comparable)
        compare_numbers(path, before, g);
    assert_int_equal(run_named(g, r, text), STATUS_OK); /* once more changes nothing */
    assert_string_equal(text_of(g), after);
    graph_free(before);
    graph_free(g);
    diag_free(d);
    free(text);
}

/* Calls `each` with the path of every file; returns their number. */
static int each_file(void (*each)(const char *path)) {
    DIR *folder = opendir(FOLDER);
    int n = 0;
    assert_non_null(folder);
    for (struct dirent *e; (e = readdir(folder)) != NULL;) {
        size_t length = strlen(e->d_name);
        if (length < 7 || strcmp(e->d_name + length - 6, ".graph") != 0)
            continue;
        char path[512];
        snprintf(path, sizeof path, FOLDER "/%s", e->d_name);
        each(path);
        n++;
    }
    closedir(folder);
    return n;
}

static void passes_match_golden_files(void **state) {
    (void)state;
    assert_true(each_file(check_file) >= 15);
}

static status pass_file(const allocator *from, void *text) {
    const char *start = strchr(text, '\n') + 1, *middle = strstr(text, "\n---\n");
    diag *d = diag_new(from);
    graph *g = NULL;
    status s = d == NULL ? STATUS_RESOURCE
                         : graph_parse(start, (size_t)(middle + 1 - start), "m", from, d, &ops_table, NULL, NULL, &g);
    if (s == STATUS_OK)
        s = graph_infer(g);
    if (s == STATUS_OK)
        s = passes_run(g, &(pass_options){.verify = true});
    if (s == STATUS_OK)
        s = passes_drive(passes_before_lowering, g, &(pass_options){.verify = true, .target = target_numeric()});
    graph_free(g);
    diag_free(d);
    return s;
}

static void starve_file(const char *path) {
    char *text = read_text(path);
    test_each_allocation(pass_file, text);
    free(text);
}

static void passes_survive_each_failing_allocation(void **state) {
    (void)state;
    each_file(starve_file);
}

static void skipping_an_unknown_pass_is_refused(void **state) {
    (void)state;
    static const char text[] = "graph \"main\"(%x: f32[2]) {\n  opset \"\" 28\n  return %x as \"x\"\n}\n";
    diag *d = diag_new(&allocator_system);
    graph *g = parse(text, sizeof text - 1, &allocator_system, d, "t");
    pass_options options = {.skip = (const char *const[]){"fold", "csf", NULL}};
    assert_int_equal(passes_run(g, &options), STATUS_USAGE);
    assert_string_equal(diag_at(d, 0)->id, "unknown-pass");
    assert_string_equal(diag_at(d, 0)->notes[0], "did you mean 'cse'?");
    graph_free(g);
    diag_free(d);
}

/* ---- lowering when memory runs out ---- */

static const char model[] = "graph \"main\"(%x: f32[1,3,8,8], %ids: i64[4], %q: f32[2,1,1]) {\n  opset \"\" 28\n"
                            "  const %w: f32[2,3,1,1] = [1, 2, 3, 4, 5, 6]\n  const %t: f32[3,2] = [1, 2, 3, 4, 5, 6]\n"
                            "  const %i: f32[1,3,1] = [1, 2, 3]\n  const %h: f32[1,3,1] = [3, 2, 1]\n"
                            "  %y: f32[2,1,1,1] = GRU-22(%q, %i, %h)\n"
                            "  %c: f32[1,2,8,8] = Conv-22(%x, %w)\n  %r: f32[1,2,8,8] = Relu-14(%c)\n  %s: "
                            "f32[1,2,8,8] = Softmax-13(%r) {axis=-1}\n"
                            "  %g: f32[4,2] = Gather-13(%t, %ids)\n  return %s as \"s\", %g as \"g\", %y as \"y\"\n}\n";

static status lower_model(const allocator *from, void *ctx) {
    (void)ctx;
    status s = STATUS_RESOURCE;
    diag *d = diag_new(from);
    arena *a = arena_new(from);
    graph *g = NULL;
    program *p = NULL;
    if (d != NULL && a != NULL)
        s = graph_parse(model, sizeof model - 1, "m", from, d, &ops_table, NULL, NULL, &g);
    pass_options passes = {.verify = true};
    if (s == STATUS_OK)
        s = graph_infer(g);
    if (s == STATUS_OK)
        s = passes_run(g, &passes);
    lower_options options = {.target = target_numeric()};
    if (s == STATUS_OK)
        s = lower_graph(g, &options, a, &p);
    graph_free(g);
    arena_free(a);
    diag_free(d);
    return s;
}

static void lowering_survives_each_failing_allocation(void **state) {
    (void)state;
    test_each_allocation(lower_model, NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(passes_match_golden_files),
        cmocka_unit_test(passes_survive_each_failing_allocation),
        cmocka_unit_test(skipping_an_unknown_pass_is_refused),
        cmocka_unit_test(lowering_survives_each_failing_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
