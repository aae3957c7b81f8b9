/* Tune files. */
#include "api/tune_file.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "frontend/mapped_file.h"
#include "ir/scan.h"

#define FORMAT 1
#define HEAD "tenon-tune"

/* The numbers of a line, in order. */
typedef struct field {
    const char *name;
    size_t offset; /* in kernel_choice */
    bool optional; /* left out where it is -1 */
} field;
static const field fields[] = {
    {"along", offsetof(kernel_choice, along), false},     {"rows_along", offsetof(kernel_choice, rows_along), true},
    {"runs_on", offsetof(kernel_choice, runs_on), true},  {"lanes", offsetof(kernel_choice, lanes), false},
    {"vectors", offsetof(kernel_choice, vectors), false}, {"tail", offsetof(kernel_choice, tail), false},
    {"rows", offsetof(kernel_choice, rows), false},       {"panels", offsetof(kernel_choice, panels), true},
};
enum { N_FIELDS = sizeof fields / sizeof *fields };

/* ---- reading ---- */

typedef struct reading {
    scan s;
    const char *path;
    arena *a;
    diag *d;
    tune_table *table;
    map seen; /* target, threads and kernel -> the entry's number + 1 */
} reading;

static status broken(const reading *r, const char *what, const char *name) {
    diag_error(r->d, STATUS_INVALID, "tune-file", (diag_place){.file = r->path, .node = -1}, "line %d: %s%s", r->s.line,
               what, name);
    diag_note(r->d, "take the line out, or let tenon tune make the file anew");
    return STATUS_INVALID;
}

static status read_head(reading *r) {
    int64_t format = 0;
    const diag_place where = {.file = r->path, .node = -1};
    if (!scan_take(&r->s, HEAD) || !scan_int(&r->s, &format)) {
        diag_error(r->d, STATUS_INVALID, "tune-file", where, "this is no tune file: it does not begin with %s %d", HEAD,
                   FORMAT);
        diag_note(r->d, "tenon tune MODEL -o FILE makes one");
        return STATUS_INVALID;
    }
    if (format == FORMAT)
        return STATUS_OK;
    diag_error(r->d, STATUS_INVALID, "tune-file", where, "its format is %lld; this tenon reads %d", (long long)format,
               FORMAT);
    diag_note(r->d, "tenon tune MODEL -o ANOTHER_FILE makes one that it reads");
    return STATUS_INVALID;
}

static status read_text(reading *r, const char *what, const char **out) {
    size_t n;
    status s = scan_quoted(&r->s, r->a, out, &n);
    return s == STATUS_INVALID || (s == STATUS_OK && (n == 0 || strlen(*out) != n)) ? broken(r, "expected ", what) : s;
}

static status read_number(reading *r, const char *name, int64_t most, int *out) {
    int64_t x;
    if (!scan_int(&r->s, &x) || x < 0 || x > most)
        return broken(r, "expected a small number after ", name);
    *out = (int)x;
    return STATUS_OK;
}

static status read_choice(reading *r, kernel_choice *out) {
    const int64_t most = 1 << 20;
    const char *why;
    *out = (kernel_choice){.is_form = scan_take(&r->s, "form")};
    if (out->is_form)
        return read_number(r, "form", most, &out->form);
    for (size_t i = 0; i < N_FIELDS; i++) {
        int *to = (int *)(void *)((char *)out + fields[i].offset);
        *to = -1;
        if (scan_take(&r->s, fields[i].name))
            TRY(read_number(r, fields[i].name, most, to));
        else if (!fields[i].optional)
            return broken(r, "expected ", fields[i].name);
    }
    return kernel_choice_is_sound(out, &why) ? STATUS_OK : broken(r, "there is no such tile: ", why);
}

static status read_time(reading *r, const char *name, double *out) {
    bool found = scan_take(&r->s, name) && scan_float(&r->s, false, out) && *out >= 0 && *out - *out == 0;
    return found ? STATUS_OK : broken(r, "expected microseconds: ", name);
}

static status is_new(reading *r, const tune_entry *e) {
    const char *key = arena_printf(r->a, "%d %s %s", e->threads, e->target, e->kernel);
    TRY_ALLOC(key);
    size_t known = (size_t)(uintptr_t)map_get(&r->seen, key);
    if (known > 0) {
        const char *line = arena_printf(r->a, "%d", r->table->at.at[known - 1].line);
        TRY_ALLOC(line);
        return broken(r, "the kernel has an entry already, in line ", line);
    }
    return map_set(&r->seen, key, (void *)(uintptr_t)(r->table->at.n + 1));
}

static status read_entry(reading *r) {
    const int64_t most_threads = 1 << 16;
    tune_entry e = {.threads = 1};
    scan_space(&r->s);
    e.line = r->s.line;
    TRY(read_text(r, "a target in quotes", &e.target));
    if (!scan_take(&r->s, "threads"))
        return broken(r, "expected ", "threads");
    TRY(read_number(r, "threads", most_threads, &e.threads));
    TRY(read_text(r, "a kernel in quotes", &e.kernel));
    TRY(read_choice(r, &e.choice));
    TRY(read_time(r, "default_us", &e.default_us));
    TRY(read_time(r, "tuned_us", &e.tuned_us));
    TRY(is_new(r, &e));
    return VEC_PUSH(r->a, r->table->at, e);
}

status tune_file_parse(const char *path, const char *text, size_t n, arena *a, diag *d, tune_table *out) {
    reading r = {.s = scan_text(text, n), .path = path, .a = a, .d = d, .table = out, .seen = map_in(a)};
    *out = (tune_table){.file = path};
    TRY(read_head(&r));
    while (!scan_at_end(&r.s))
        TRY(read_entry(&r));
    return STATUS_OK;
}

status tune_file_read(const char *path, bool may_be_missing, arena *a, diag *d, tune_table *out) {
    mapped_file f;
    const char *why, *copy = arena_strdup(a, path);
    TRY_ALLOC(copy);
    *out = (tune_table){.file = copy};
    if (may_be_missing && access(path, F_OK) != 0)
        return STATUS_OK;
    status s = mapped_file_open(a, path, &f, &why);
    if (s != STATUS_OK && why != NULL)
        return diag_error(d, s, "file", (diag_place){.file = copy, .node = -1}, "%s", why);
    TRY(s);
    return tune_file_parse(copy, (const char *)f.bytes, f.n, a, d, out);
}

/* ---- writing ---- */

static int by_name(const void *x, const void *y) {
    const tune_entry *a = *(const tune_entry *const *)x, *b = *(const tune_entry *const *)y;
    int order = strcmp(a->target, b->target);
    order = order != 0 ? order : (a->threads > b->threads) - (a->threads < b->threads);
    return order != 0 ? order : strcmp(a->kernel, b->kernel);
}

static void print_time(strbuf *s, const char *name, double us) {
    strbuf_printf(s, " %s ", name);
    strbuf_double(s, (double)(int64_t)(us * 100 + 0.5) / 100);
}

static void print_entry(strbuf *s, const tune_entry *e) {
    strbuf_quoted(s, e->target, strlen(e->target));
    strbuf_printf(s, " threads %d ", e->threads);
    strbuf_quoted(s, e->kernel, strlen(e->kernel));
    if (e->choice.is_form)
        strbuf_printf(s, " form %d", e->choice.form);
    for (size_t i = 0; i < N_FIELDS && !e->choice.is_form; i++) {
        int x = *(const int *)(const void *)((const char *)&e->choice + fields[i].offset);
        if (x >= 0 || !fields[i].optional)
            strbuf_printf(s, " %s %d", fields[i].name, x);
    }
    print_time(s, "default_us", e->default_us);
    print_time(s, "tuned_us", e->tuned_us);
    strbuf_char(s, '\n');
}

status tune_file_print(const tune_table *t, arena *a, const char **out) {
    const tune_entry **sorted = ARENA_NEW_N(a, const tune_entry *, t->at.n + 1);
    strbuf s = strbuf_in(a);
    TRY_ALLOC(sorted);
    for (size_t i = 0; i < t->at.n; i++)
        sorted[i] = &t->at.at[i];
    qsort(sorted, t->at.n, sizeof *sorted, by_name);
    strbuf_printf(&s, "%s %d\n", HEAD, FORMAT);
    strbuf_add(&s,
               "# Written by tenon tune, read by --tune: kernels for which another tile was measured to be faster than "
               "the cost model's.\n");
    for (size_t i = 0; i < t->at.n; i++)
        print_entry(&s, sorted[i]);
    return strbuf_finish(&s, out);
}

status tune_file_describe(const kernel_choice *c, arena *a, const char **out) {
    strbuf s = strbuf_in(a);
    if (c->is_form) {
        strbuf_printf(&s, "form %d", c->form);
        return strbuf_finish(&s, out);
    }
    strbuf_printf(&s, "%dx%d", c->vectors, c->lanes);
    if (c->tail != c->lanes)
        strbuf_printf(&s, " (last %d)", c->tail);
    strbuf_printf(&s, " along %d", c->along);
    if (c->rows_along >= 0)
        strbuf_printf(&s, ", %d row%s along %d", c->rows, c->rows == 1 ? "" : "s", c->rows_along);
    if (c->runs_on >= 0)
        strbuf_printf(&s, " and %d", c->runs_on);
    if (c->panels >= 0)
        strbuf_add(&s, c->panels ? ", vectors outermost" : ", vectors inside");
    return strbuf_finish(&s, out);
}
