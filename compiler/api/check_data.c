/* tenon check: ONNX test data sets through the engines. */
#include <dirent.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "api/check_data.h"
#include "api/reports.h"
#include "frontend/frontend.h"

typedef struct checking {
    tenon_graph *t;
    diag *d;
    arena *memory;          /* the report's */
    VEC(const char *) sets; /* folders */
    VEC(check_case) cases;
    tenon_code *code; /* for the shapes of the set before */
    bool stopped;
    const target *machine;
    check_limits limits;
    size_t n_passed;
} checking;

/* ---- finding data sets ---- */

static bool has_tensors(arena *a, const char *folder) {
    const char *in = arena_printf(a, "%s/input_0.pb", folder), *out = arena_printf(a, "%s/output_0.pb", folder);
    return (in != NULL && access(in, F_OK) == 0) || (out != NULL && access(out, F_OK) == 0);
}

/* test_data_set_2 before test_data_set_10. */
static int by_number(const void *x, const void *y) {
    const char *a = *(const char *const *)x, *b = *(const char *const *)y;
    size_t n = strlen(a), m = strlen(b);
    return n != m ? (n < m ? -1 : 1) : strcmp(a, b);
}

static status find_below(checking *k, const char *folder) {
    diag_place where = DIAG_NOWHERE;
    where.file = folder;
    DIR *open = opendir(folder);
    if (open == NULL)
        return diag_error(k->d, STATUS_RESOURCE, "file", where, "cannot be read: %s", strerror(errno));
    size_t before = k->sets.n;
    status s = STATUS_OK;
    for (struct dirent *e; s == STATUS_OK && (e = readdir(open)) != NULL;) {
        if (strncmp(e->d_name, "test_data_set_", strlen("test_data_set_")) != 0)
            continue;
        const char *path = arena_printf(k->memory, "%s/%s", folder, e->d_name);
        s = path == NULL ? STATUS_RESOURCE : VEC_PUSH(k->memory, k->sets, path);
    }
    closedir(open);
    TRY(s);
    if (k->sets.n == before)
        return diag_error(k->d, STATUS_RESOURCE, "no-data", where,
                          "holds neither input_0.pb nor folders test_data_set_0, ...");
    qsort(&k->sets.at[before], k->sets.n - before, sizeof *k->sets.at, by_number);
    return STATUS_OK;
}

static status find_sets(checking *k, const char *folder) {
    size_t n = strlen(folder);
    while (n > 1 && folder[n - 1] == '/')
        n--;
    const char *own = arena_strndup(k->memory, folder, n);
    TRY_ALLOC(own);
    if (!has_tensors(k->memory, own))
        return find_below(k, own);
    return VEC_PUSH(k->memory, k->sets, own);
}

/* ---- one data set ---- */

typedef struct data_set {
    checking *k;
    const char *folder;
    arena *memory;
    input_shape *shapes; /* one per input of the model */
    tensor **inputs;
    size_t n;
} data_set;

static status read_tensor(data_set *s, const char *kind, size_t i, tensor **out, const char **out_file) {
    const char *name;
    *out_file = arena_printf(s->memory, "%s_%zu.pb", kind, i);
    const char *path = arena_printf(s->memory, "%s/%s_%zu.pb", s->folder, kind, i);
    if (path == NULL || *out_file == NULL)
        return STATUS_RESOURCE;
    return tensor_proto_read(path, s->memory, s->k->d, out, &name);
}

static size_t count_files(const data_set *s, const char *kind) {
    for (size_t n = 0;; n++) {
        const char *path = arena_printf(s->memory, "%s/%s_%zu.pb", s->folder, kind, n);
        if (path == NULL || access(path, F_OK) != 0)
            return n;
    }
}

/* The number of the file for input (output) i of the n that there are. Passes may have removed some: the data of the
 * model as it was keep their numbers, and data of the model as it is now are as many as it has. */
static size_t file_number(const data_set *s, const char *kind, const word_list *names, size_t n, size_t i,
                          const char *name) {
    if (n == names->n || count_files(s, kind) == n)
        return i;
    for (size_t k = 0; k < names->n; k++)
        if (strcmp(names->at[k], name) == 0)
            return k;
    return i;
}

static status wrong_type(data_set *s, const char *file, dtype has, const char *what, const char *name, dtype expected) {
    diag_place where = DIAG_NOWHERE;
    where.file = arena_printf(s->memory, "%s/%s", s->folder, file);
    return diag_error(s->k->d, STATUS_INVALID, "wrong-type", where, "holds %s, but the model's %s '%s' is %s",
                      dtype_name(has), what, name, dtype_name(expected));
}

static status read_inputs(data_set *s) {
    const graph *g = s->k->t->g;
    s->n = g->inputs.n;
    TRY_ALLOC(s->shapes = ARENA_NEW_N(s->memory, input_shape, s->n + 1));
    TRY_ALLOC(s->inputs = ARENA_NEW_N(s->memory, tensor *, s->n + 1));
    for (size_t i = 0; i < s->n; i++) {
        const value *v = g->inputs.at[i];
        const char *file;
        TRY(read_tensor(s, "input", file_number(s, "input", &s->k->t->file_inputs, s->n, i, v->name), &s->inputs[i],
                        &file));
        const tensor *x = s->inputs[i];
        if (x->elem != v->type.elem)
            return wrong_type(s, file, x->elem, "input", v->name, v->type.elem);
        s->shapes[i] = (input_shape){v->name, file, STATUS_INVALID, x->rank, x->dims};
    }
    return STATUS_OK;
}

static size_t shape_bytes(int rank) {
    return (size_t)rank * sizeof(int64_t);
}

/* Is the code that is there for other shapes? */
static bool fits(const tenon_code *code, const data_set *s) {
    for (size_t i = 0; code != NULL && i < (size_t)code->p->n_inputs; i++) {
        const program_buffer *b = code_input(code, i);
        for (size_t k = 0; k < s->n; k++)
            if (strcmp(s->shapes[k].input, b->title) == 0 &&
                (b->rank != s->shapes[k].rank || memcmp(b->dims, s->shapes[k].dims, shape_bytes(b->rank)) != 0))
                return false;
    }
    return code != NULL;
}

/* The data of the program's inputs, in its order and aligned. */
static status program_inputs(const data_set *s, const tenon_code *code, const void ***out) {
    size_t n = (size_t)code->p->n_inputs;
    TRY_ALLOC(*out = ARENA_NEW_N(s->memory, const void *, n + 1));
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < s->n; k++)
            if (strcmp(s->shapes[k].input, code_input(code, i)->title) == 0)
                TRY_ALLOC((*out)[i] = arena_copy(s->memory, s->inputs[k]->data, s->inputs[k]->bytes));
    return STATUS_OK;
}

/* ---- comparing ---- */

static void compare_element(double most, double want, double have, check_case *c, const char *output, int64_t i) {
    if (want == have || (isnan(want) && isnan(have)))
        return;
    double error = fabs(want - have);
    bool beyond = !(error <= most) || isinf(want);
    c->n_beyond += beyond;
    if (c->output == NULL || !(error <= c->error)) {
        c->output = output;
        c->element = i;
        c->error = error;
    }
}

/* By how much an element may differ. */
static double most_of(const check_limits *l, dtype elem, double want) {
    double most = l->atol + (elem == DT_BF16 ? l->rtol_bf16 : l->rtol) * fabs(want);
    return dtype_is_int(elem) && (double)l->steps > most ? (double)l->steps : most;
}

static status compare_output(data_set *s, size_t i, const void *have, check_case *c) {
    const program_buffer *b = code_output(s->k->code, i);
    tensor *want = NULL;
    const char *file, *name = arena_strdup(s->k->memory, b->title); /* the code may end before the report */
    TRY_ALLOC(name);
    size_t n_outputs = (size_t)s->k->code->p->n_outputs;
    TRY(read_tensor(s, "output", file_number(s, "output", &s->k->t->file_outputs, n_outputs, i, name), &want, &file));
    if (want->elem != b->elem)
        return wrong_type(s, file, want->elem, "output", b->title, b->elem);
    if (want->rank != b->rank || memcmp(want->dims, b->dims, shape_bytes(b->rank)) != 0) {
        c->passed = false;
        c->reason =
            arena_printf(s->k->memory, "output '%s' is %s, expected %s", b->title,
                         report_shape(s->memory, b->rank, b->dims), report_shape(s->memory, want->rank, want->dims));
        TRY_ALLOC(c->reason);
        return STATUS_OK;
    }
    for (int64_t e = 0; e < b->n; e++) {
        double x = dtype_get_double(b->elem, want->data, (size_t)e);
        compare_element(most_of(&s->k->limits, b->elem, x), x, dtype_get_double(b->elem, have, (size_t)e), c, name, e);
    }
    return STATUS_OK;
}

static status run_set(data_set *s, check_case *c) {
    tenon_code *code = s->k->code;
    const void **inputs;
    void **outputs;
    TRY(program_inputs(s, code, &inputs));
    TRY(program_new_outputs(code->p, s->memory, &outputs));
    double begin = clock_ms();
    status ran = code_run(code, inputs, outputs);
    c->ms = clock_ms() - begin;
    if (ran == STATUS_DIFFER)
        c->reason = "the back ends differ";
    else
        TRY(ran);
    for (size_t i = 0; i < (size_t)code->p->n_outputs; i++)
        TRY(compare_output(s, i, outputs[i], c));
    c->passed = c->reason == NULL && c->n_beyond == 0;
    return STATUS_OK;
}

static status check_set(data_set *s) {
    checking *k = s->k;
    check_case c = {.name = s->folder};
    TRY(context_check_stop(k->t->c));
    TRY(read_inputs(s));
    if (!fits(k->code, s)) {
        tenon_code_free(k->code);
        TRY(code_new(k->t, s->shapes, s->n, &k->code));
    }
    k->stopped = k->code == NULL;
    if (k->stopped)
        return STATUS_OK;
    TRY(run_set(s, &c));
    k->n_passed += c.passed;
    return VEC_PUSH(k->memory, k->cases, c);
}

static status check_one(checking *k, const char *folder) {
    data_set s = {.k = k, .folder = folder, .memory = arena_new(&k->t->c->memory)};
    TRY_ALLOC(s.memory);
    status result = check_set(&s);
    arena_free(s.memory);
    return result;
}

static status check_all(checking *k, const char *const *folders, size_t n) {
    for (size_t i = 0; i < n; i++)
        TRY(find_sets(k, folders[i]));
    for (size_t i = 0; i < k->sets.n && !k->stopped; i++) {
        context_progress(k->t->c, "checking", (int64_t)i, (int64_t)k->sets.n);
        TRY(check_one(k, k->sets.at[i]));
    }
    return STATUS_OK;
}

status check_data(tenon_graph *t, const check_limits *limits, const char *const *folders, size_t n, arena *a,
                  check_result *out, bool *out_stopped) {
    checking k = {.t = t, .d = t->c->diags, .memory = a, .machine = model_target(t, "host"), .limits = *limits};
    status s = check_all(&k, folders, n);
    tenon_code_free(k.code);
    *out_stopped = k.stopped;
    *out = (check_result){
        report_head_of(t, k.machine), limits->rtol, limits->atol, limits->steps, k.cases.at, k.cases.n, k.n_passed};
    return s == STATUS_OK && !k.stopped && k.n_passed < k.cases.n ? STATUS_DIFFER : s;
}

static status check(tenon_graph *t, const char *const *folders, size_t n, tenon_report *r) {
    const tenon_options *o = t->o;
    check_result found;
    bool stopped;
    status s =
        check_data(t, &(check_limits){o->rtol, o->rtol, o->atol, o->steps}, folders, n, r->memory, &found, &stopped);
    if (s != STATUS_OK && s != STATUS_DIFFER)
        return s;
    TRY(stopped ? report_stopped(r) : check_report(&found, r->memory, &r->forms));
    return s;
}

TENON_API tenon_status tenon_check(tenon_graph *t, const char *const *folders, size_t n, tenon_report **out) {
    size_t errors = context_begin(t->c);
    tenon_report *r = report_new(t->c);
    status s = r == NULL ? STATUS_RESOURCE : check(t, folders, n, r);
    return report_end_of(t, s, errors, r, out);
}
