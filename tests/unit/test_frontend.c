/* rooms: frontend */
/* Importing models: the small ones of tests/frontend and tests/errors/frontend against expected.txt beside them, and
 * models that are cut, altered, deep or out of memory. With TENON_UPDATE_GOLDEN set, expected.txt is written instead.
 */
#include <dirent.h>
#include <stdio.h>
#include <unistd.h>

#include "frontend/frontend.h"
#include "test_support.h"

#define GOOD TENON_SOURCE_DIR "/tests/frontend"
#define BAD TENON_SOURCE_DIR "/tests/errors/frontend"

/* ---- a table of a few operators ---- */

static const op_param ONE[] = {{"X", TYPES_ANY, 'T', 0}, {NULL, 0, 0, 0}},
                      TWO[] = {{"A", TYPES_ANY, 'T', 0}, {"B", TYPES_ANY, 'T', 0}, {NULL, 0, 0, 0}};
static const op_param CLIP[] = {{"X", TYPES_ANY, 'T', 0},
                                {"min", TYPES_ANY, 'T', PARAM_OPTIONAL},
                                {"max", TYPES_ANY, 'T', PARAM_OPTIONAL},
                                {NULL, 0, 0, 0}};
static const op_param SQUEEZE[] = {
    {"X", TYPES_ANY, 'T', 0}, {"axes", TYPE_BIT(DT_I64), 0, PARAM_OPTIONAL}, {NULL, 0, 0, 0}};
static const int SINCE_7[] = {7, 13, 14, 0}, SINCE_13[] = {13, 0}, SQUEEZE_VERSIONS[] = {1, 11, 13, 0};

static status squeeze_upgrade(node *n) {
    int64_t n_axes;
    const int64_t *axes = op_ints(n, "axes", &n_axes);
    if (axes == NULL)
        return STATUS_OK;
    tensor *t = tensor_new(n->graph->memory, DT_I64, 1, &n_axes, axes);
    TRY_ALLOC(t);
    value *v = graph_add_constant(n->graph, NULL, t);
    TRY_ALLOC(v);
    TRY(node_set_input(n, 1, v));
    node_remove_attr(n, "axes");
    /* Rewrites may rely on types. */
    return op_input_rank(n, 0) == 3 ? STATUS_OK : op_invalid(n, "test", "the input's type is not known");
}

static status squeeze_infer(node *n) {
    int64_t n_axes, axis = -1;
    const int64_t *axes = op_known_ints(n, 1, &n_axes);
    dim dims[TENSOR_MAX_RANK];
    int rank = 0;
    axis = axes != NULL ? axes[0] : axis;
    for (int i = 0; i < op_input_rank(n, 0); i++)
        if (i != axis)
            dims[rank++] = op_input_type(n, 0)->dims[i];
    return op_set_output(n, 0, op_input_type(n, 0)->elem, rank, dims);
}

static const op_row ADD = {
    .name = "Add", .domain = "", .versions = SINCE_7, .kind = OP_SCALAR, .inputs = TWO, .outputs = ONE};
static const op_row CLIP_ROW = {
    .name = "Clip", .domain = "", .versions = SINCE_7, .kind = OP_SCALAR, .inputs = CLIP, .outputs = ONE};
static const op_row LATER = {
    .name = "Later", .domain = "", .versions = SINCE_13, .kind = OP_SCALAR, .inputs = ONE, .outputs = ONE};
static const op_row MUL = {
    .name = "Mul", .domain = "", .versions = SINCE_7, .kind = OP_SCALAR, .inputs = TWO, .outputs = ONE};
static const op_row RELU = {
    .name = "Relu", .domain = "", .versions = SINCE_7, .kind = OP_SCALAR, .inputs = ONE, .outputs = ONE};
static const op_row SQUEEZE_ROW = {.name = "Squeeze",
                                   .domain = "",
                                   .versions = SQUEEZE_VERSIONS,
                                   .kind = OP_LOWER,
                                   .inputs = SQUEEZE,
                                   .outputs = ONE,
                                   .infer = squeeze_infer,
                                   .upgrade = squeeze_upgrade};
static const op_row *const ROWS[] = {&ADD, &CLIP_ROW, &LATER, &MUL, &RELU, &SQUEEZE_ROW};
static const op_table OPS = {ROWS, sizeof ROWS / sizeof *ROWS};

/* ---- files ---- */

static unsigned char *read_whole(const char *path, size_t *out_n) {
    FILE *f = fopen(path, "rb");
    assert_non_null(f);
    unsigned char *bytes = malloc(1 << 20);
    assert_non_null(bytes);
    *out_n = fread(bytes, 1, 1 << 20, f);
    assert_true(*out_n < 1 << 20);
    fclose(f);
    bytes[*out_n] = 0;
    return bytes;
}

static int is_case(const struct dirent *e) {
    return strstr(e->d_name, ".onnx") != NULL || strstr(e->d_name, ".pb") != NULL;
}

static void print_lines(const diag *d, arena *a, strbuf *out) {
    for (size_t i = 0; i < diag_count(d); i++)
        strbuf_printf(out, "%s\n", diag_line(d, i, a));
}

static status describe(const char *name, arena *a, diag *d, strbuf *out) {
    if (strstr(name, ".pb") != NULL) {
        tensor *t;
        const char *tensor_name;
        status s = tensor_proto_read(name, a, d, &t, &tensor_name);
        for (int64_t i = 0; s == STATUS_OK && i < t->count; i++)
            strbuf_printf(out, "%s: %s, rank %d: %lld\n", tensor_name, dtype_name(t->elem), t->rank,
                          (long long)tensor_int(t, i));
        return s;
    }
    graph *g;
    status s = onnx_import(name, &allocator_system, d, &OPS, &g);
    if (s == STATUS_OK) {
        assert_int_equal(graph_verify(g), STATUS_OK);
        graph_print(g, out);
        /* A copy outlives the graph that it was made of, with its weights. */
        graph *copy = graph_copy(g);
        assert_non_null(copy);
        graph_free(g);
        strbuf again = strbuf_in(a);
        graph_print(copy, &again);
        assert_string_equal(again.text, out->text + out->n - again.n);
        graph_free(copy);
    } else {
        assert_null(g);
    }
    return s;
}

/* All cases of a folder, as one text. */
static void check_folder(const char *folder) {
    assert_int_equal(chdir(folder), 0);
    arena *a = arena_new(&allocator_system);
    strbuf text = strbuf_in(a);
    struct dirent **entries;
    int n = scandir(".", &entries, is_case, alphasort);
    assert_true(n > 5);
    for (int i = 0; i < n; i++) {
        diag *d = diag_new(&allocator_system);
        strbuf body = strbuf_in(a);
        status s = describe(entries[i]->d_name, a, d, &body);
        assert_true((s == STATUS_OK) == (diag_errors(d) == 0));
        strbuf_printf(&text, "== %s: %d\n%s", entries[i]->d_name, (int)s, body.n > 0 ? body.text : "");
        print_lines(d, a, &text);
        diag_free(d);
        free(entries[i]);
    }
    free(entries);
    if (getenv("TENON_UPDATE_GOLDEN") != NULL) {
        FILE *f = fopen("expected.txt", "wb");
        assert_non_null(f);
        assert_int_equal(fwrite(text.text, 1, text.n, f), text.n);
        fclose(f);
    }
    size_t n_expected;
    unsigned char *expected = read_whole("expected.txt", &n_expected);
    assert_string_equal(text.text, (char *)expected);
    free(expected);
    arena_free(a);
}

static void frontend_imports_good_models(void **state) {
    (void)state;
    check_folder(GOOD);
}

static void frontend_reports_bad_models(void **state) {
    (void)state;
    check_folder(BAD);
}

static status import_bytes(const void *bytes, size_t n, diag *d) {
    graph *g;
    status s = onnx_import_bytes(bytes, n, "m.onnx", GOOD, &allocator_system, d, &OPS, &g);
    graph_free(g);
    return s;
}

/* Functions come last in a file: cut off at the right place, what is left is a valid model with unknown operators. */
static const char *const MODELS[] = {GOOD "/types.onnx",     GOOD "/symbols.onnx",   GOOD "/external_data.onnx",
                                     GOOD "/old_opset.onnx", GOOD "/constants.onnx", GOOD "/functions.onnx"};
enum { N_MODELS = sizeof MODELS / sizeof *MODELS, N_UNCUT = N_MODELS - 1 };

static void frontend_refuses_a_truncated_file(void **state) {
    (void)state;
    for (int m = 0; m < N_UNCUT; m++) {
        size_t n;
        unsigned char *bytes = read_whole(MODELS[m], &n);
        for (size_t percent = 0; percent < 100; percent++) {
            size_t cut = n * percent / 100;
            unsigned char *part = malloc(cut + 1); /* so that ASan sees a read past the end */
            memcpy(part, bytes, cut);
            diag *d = diag_new(&allocator_system);
            assert_int_equal(import_bytes(part, cut, d), STATUS_INVALID);
            assert_int_equal(diag_count(d), 1);
            diag_free(d);
            free(part);
        }
        free(bytes);
    }
}

static void frontend_survives_altered_bytes(void **state) {
    (void)state;
    static const unsigned char values[] = {0x00, 0x01, 0x7f, 0x80, 0xff};
    for (int m = 0; m < N_MODELS; m++) {
        size_t n;
        unsigned char *bytes = read_whole(MODELS[m], &n);
        for (size_t i = 0; i < n * sizeof values; i++) {
            unsigned char old = bytes[i / sizeof values];
            bytes[i / sizeof values] = values[i % sizeof values];
            diag *d = diag_new(&allocator_system);
            status s = import_bytes(bytes, n, d);
            assert_true(s == STATUS_OK || diag_errors(d) > 0);
            assert_true(s == STATUS_OK || s == STATUS_INVALID || s == STATUS_UNSUPPORTED || s == STATUS_RESOURCE);
            diag_free(d);
            bytes[i / sizeof values] = old;
        }
        free(bytes);
    }
}

static status import_file(const allocator *from, void *path) {
    diag *d = diag_new(&allocator_system);
    graph *g;
    status s = onnx_import(path, from, d, &OPS, &g);
    if (s == STATUS_OK)
        assert_int_equal(graph_verify(g), STATUS_OK);
    graph_free(g);
    diag_free(d);
    return s;
}

static void frontend_survives_every_failing_allocation(void **state) {
    (void)state;
    for (int m = 0; m < N_MODELS; m++)
        assert_true(test_each_allocation(import_file, (void *)(uintptr_t)MODELS[m]) > 5);
}

static status read_tensor(const allocator *from, void *path) {
    diag *d = diag_new(&allocator_system);
    arena *a = arena_new(from);
    tensor *t;
    const char *name;
    status s = a == NULL ? STATUS_RESOURCE : tensor_proto_read(path, a, d, &t, &name);
    arena_free(a);
    diag_free(d);
    return s;
}

static void frontend_reads_tensors_without_memory(void **state) {
    (void)state;
    static char path[] = GOOD "/tensor.pb";
    assert_true(test_each_allocation(read_tensor, path) > 2);
}

static void frontend_says_why_a_file_cannot_be_read(void **state) {
    (void)state;
    static const struct {
        const char *path, *line;
    } cases[] = {{"/nowhere/m.onnx", "/nowhere/m.onnx: error[file]: cannot be read: no such file"},
                 {"/dev/null", "/dev/null: error[file]: cannot be read: it is not a regular file"},
                 {"/", "/: error[file]: cannot be read: it is a folder"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        diag *d = diag_new(&allocator_system);
        arena *a = arena_new(&allocator_system);
        graph *g;
        assert_int_equal(onnx_import(cases[i].path, &allocator_system, d, &OPS, &g), STATUS_RESOURCE);
        assert_int_equal(diag_count(d), 1);
        assert_string_equal(diag_line(d, 0, a), cases[i].line);
        arena_free(a);
        diag_free(d);
    }
}

/* ---- models written here ---- */

/* A message under construction. */
typedef struct message {
    unsigned char bytes[200000];
    size_t n;
} message;

static void put_varint(message *m, size_t x) {
    for (; x > 0x7f; x >>= 7)
        m->bytes[m->n++] = (unsigned char)(0x80 | (x & 0x7f));
    m->bytes[m->n++] = (unsigned char)x;
}

static void put_bytes(message *m, int field, const void *bytes, size_t n) {
    put_varint(m, (size_t)field << 3 | 2);
    put_varint(m, n);
    memcpy(m->bytes + m->n, bytes, n);
    m->n += n;
}

static void put_number(message *m, int field, size_t x) {
    put_varint(m, (size_t)field << 3);
    put_varint(m, x);
}

static void put_message(message *m, int field, const message *part) {
    put_bytes(m, field, part->bytes, part->n);
}

static void put_tensor_info(message *graph_message, int field, const char *name) {
    message elem = {.n = 0}, type = {.n = 0}, info = {.n = 0};
    put_number(&elem, 1, 1);
    put_message(&type, 1, &elem);
    put_bytes(&info, 1, name, strlen(name));
    put_message(&info, 2, &type);
    put_message(graph_message, field, &info);
}

static void put_model(message *m, const message *graph_message) {
    message opset = {.n = 0};
    put_number(&opset, 2, 17);
    put_number(m, 1, 8);
    put_message(m, 7, graph_message);
    put_message(m, 8, &opset);
}

static void frontend_imports_long_names(void **state) {
    (void)state;
    static message relu, graph_message, model;
    relu.n = graph_message.n = model.n = 0;
    char *name = malloc(10001);
    memset(name, 'n', 10000);
    name[10000] = 0;
    put_bytes(&relu, 1, name, 10000);
    put_bytes(&relu, 2, "y", 1);
    put_bytes(&relu, 3, name, 10000);
    put_bytes(&relu, 4, "Relu", 4);
    put_message(&graph_message, 1, &relu);
    put_tensor_info(&graph_message, 11, name);
    put_tensor_info(&graph_message, 12, "y");
    put_model(&model, &graph_message);
    diag *d = diag_new(&allocator_system);
    graph *g;
    assert_int_equal(onnx_import_bytes(model.bytes, model.n, "m.onnx", NULL, &allocator_system, d, &OPS, &g),
                     STATUS_OK);
    assert_string_equal(g->inputs.at[0]->name, name);
    assert_string_equal(g->first->name, name);
    graph_free(g);
    diag_free(d);
    free(name);
}

/* Sub-graphs in attributes in nodes, one in the other. */
static void frontend_refuses_deep_messages(void **state) {
    (void)state;
    static message parts[4], model;
    memset(parts, 0, sizeof parts);
    model.n = 0;
    int fields[] = {1, 5, 6};
    for (int depth = 0; depth < 3000; depth++) {
        parts[1].n = 0;
        put_message(&parts[1], fields[(2 - depth % 3)], &parts[0]);
        parts[0] = parts[1];
    }
    put_model(&model, &parts[0]);
    diag *d = diag_new(&allocator_system);
    arena *a = arena_new(&allocator_system);
    assert_int_equal(import_bytes(model.bytes, model.n, d), STATUS_INVALID);
    assert_non_null(strstr(diag_line(d, 0, a), "messages nested too deeply"));
    arena_free(a);
    diag_free(d);
}

/* ---- external data ---- */

static void frontend_keeps_links_inside_the_folder(void **state) {
    (void)state;
    char folder[] = TENON_BUILD_DIR "/external-XXXXXX", link[sizeof folder + 20];
    assert_non_null(mkdtemp(folder));
    snprintf(link, sizeof link, "%s/external.bin", folder);
    assert_int_equal(symlink(GOOD "/external.bin", link), 0);
    size_t n;
    unsigned char *bytes = read_whole(GOOD "/external_data.onnx", &n);
    arena *a = arena_new(&allocator_system);
    static const struct {
        const char *folder;
        status outcome;
        const char *says;
    } cases[] = {{GOOD, STATUS_OK, NULL},
                 {"FOLDER", STATUS_INVALID, "outside the model's folder"},
                 {NULL, STATUS_RESOURCE, "has no folder"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        diag *d = diag_new(&allocator_system);
        graph *g;
        const char *where = cases[i].folder != NULL && cases[i].folder[0] == 'F' ? folder : cases[i].folder;
        assert_int_equal(onnx_import_bytes(bytes, n, "m.onnx", where, &allocator_system, d, &OPS, &g),
                         cases[i].outcome);
        assert_true(cases[i].says == NULL || strstr(diag_line(d, 0, a), cases[i].says) != NULL);
        graph_free(g);
        diag_free(d);
    }
    arena_free(a);
    free(bytes);
    unlink(link);
    rmdir(folder);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(frontend_imports_good_models),
        cmocka_unit_test(frontend_reports_bad_models),
        cmocka_unit_test(frontend_refuses_a_truncated_file),
        cmocka_unit_test(frontend_survives_altered_bytes),
        cmocka_unit_test(frontend_survives_every_failing_allocation),
        cmocka_unit_test(frontend_reads_tensors_without_memory),
        cmocka_unit_test(frontend_says_why_a_file_cannot_be_read),
        cmocka_unit_test(frontend_imports_long_names),
        cmocka_unit_test(frontend_refuses_deep_messages),
        cmocka_unit_test(frontend_keeps_links_inside_the_folder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
