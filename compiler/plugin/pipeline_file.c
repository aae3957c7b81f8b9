/* Reading pipeline files.
 *
 *   plugins = ["my_pass.so"]            # beside the file
 *   skip = ["cse"]
 *   [[pass]]
 *   name = "dead_inputs"
 *   drop = ["labels"]
 *   bind = {attention_mask = 1}         # as ["attention_mask=1"]
 *   [[pass.override]]
 *   select = "op:MatMul"
 *   bits = 4
 */
#include "plugin/pipeline_file.h"

#include <string.h>

/* Where the reader is: the tables and arrays that are open. */
typedef enum place {
    PLACE_ROOT,
    PLACE_WORDS,  /* plugins or skip */
    PLACE_PASSES, /* the array pass */
    PLACE_PASS,
    PLACE_OVERRIDES, /* the array override of a pass */
    PLACE_OVERRIDE,
    PLACE_ITEMS, /* an array of values */
    PLACE_PAIRS, /* a table of values */
} place;

enum { MOST_OPEN = 8 };

typedef struct reading {
    pipeline_file *f;
    arena *a;
    diag *d;
    place open[MOST_OPEN];
    int depth;
    const char *key; /* of the array or table of values that is open */
    VEC(const char *) items;
    int line;
    status result;
} reading;

static int stop(reading *r, status s) {
    r->result = s;
    return s == STATUS_OK ? 0 : 1;
}

static int wrong(reading *r, int line, const char *what, const char *name) {
    return stop(r, diag_error(r->d, STATUS_USAGE, "pipeline", (diag_place){r->f->path, NULL, -1, NULL, NULL},
                              "line %d: %s%s%s%s", line, what, name != NULL ? " '" : "", name != NULL ? name : "",
                              name != NULL ? "'" : ""));
}

static pipeline_pass *pass_now(reading *r) {
    return &r->f->passes.at[r->f->passes.n - 1];
}

static pipeline_override *override_now(reading *r) {
    pipeline_pass *p = pass_now(r);
    return &p->overrides.at[p->overrides.n - 1];
}

/* ---- values ---- */

static status keep_items(reading *r, const char *const **out, size_t *out_n) {
    const char **copy = arena_copy(r->a, r->items.at, r->items.n * sizeof *copy);
    TRY_ALLOC(copy);
    *out = copy;
    *out_n = r->items.n;
    return STATUS_OK;
}

/* The value of `key` is complete: where does it belong? */
static int finish_value(reading *r, place at, const char *key, int line) {
    pipeline_option o = {.name = arena_strdup(r->a, key), .line = line};
    if (o.name == NULL || keep_items(r, &o.items, &o.n) != STATUS_OK)
        return stop(r, STATUS_RESOURCE);
    if (at == PLACE_ROOT)
        return wrong(r, line, "expected plugins, skip or [[pass]], found", key);
    if (at == PLACE_PASS && strcmp(key, "name") == 0) {
        if (o.n != 1 || *o.items[0] == '\0')
            return wrong(r, line, "a pass has one", key);
        pass_now(r)->name = o.items[0];
        return 0;
    }
    if (at == PLACE_PASS)
        return stop(r, VEC_PUSH(r->a, pass_now(r)->options, o));
    if (strcmp(key, "select") != 0)
        return stop(r, VEC_PUSH(r->a, override_now(r)->options, o));
    override_now(r)->select = o.items;
    override_now(r)->n_select = o.n;
    return 0;
}

static int add_item(reading *r, const char *text) {
    const char *copy = arena_strdup(r->a, text);
    return stop(r, copy == NULL ? STATUS_RESOURCE : VEC_PUSH(r->a, r->items, copy));
}

/* Files of plugins lie beside the pipeline file, unless their path is absolute. */
static const char *beside(const reading *r, const char *text) {
    const char *slash = strrchr(r->f->path, '/');
    int folder = slash != NULL && text[0] != '/' ? (int)(slash - r->f->path) + 1 : 0;
    return arena_printf(r->a, "%.*s%s", folder, r->f->path, text);
}

static int add_word(reading *r, const char *text) {
    bool plugin = strcmp(r->key, "plugins") == 0;
    const char *copy = plugin ? beside(r, text) : arena_strdup(r->a, text);
    if (copy == NULL)
        return stop(r, STATUS_RESOURCE);
    return stop(r, plugin ? VEC_PUSH(r->a, r->f->plugins, copy) : VEC_PUSH(r->a, r->f->skip, copy));
}

static int on_value(void *ctx, const char *key, const char *text, int line) {
    reading *r = ctx;
    place at = r->open[r->depth];
    if (at == PLACE_WORDS)
        return add_word(r, text);
    if (at == PLACE_ITEMS)
        return add_item(r, text);
    if (at == PLACE_PASSES || at == PLACE_OVERRIDES)
        return wrong(r, line, "expected a table, found", text);
    if (at == PLACE_PAIRS) {
        const char *pair = arena_printf(r->a, "%s=%s", key, text);
        return pair == NULL ? stop(r, STATUS_RESOURCE) : add_item(r, pair);
    }
    r->items.n = 0;
    int code = add_item(r, text);
    return code == 0 ? finish_value(r, at, key, line) : code;
}

/* ---- tables and arrays ---- */

static int push(reading *r, place p, int line) {
    if (r->depth + 1 == MOST_OPEN)
        return wrong(r, line, "too deep", NULL);
    r->open[++r->depth] = p;
    return 0;
}

static int open_pass(reading *r, int line) {
    pipeline_pass p = {.line = line};
    int code = stop(r, VEC_PUSH(r->a, r->f->passes, p));
    return code == 0 ? push(r, PLACE_PASS, line) : code;
}

static int open_override(reading *r, int line) {
    pipeline_override o = {.line = line};
    int code = stop(r, VEC_PUSH(r->a, pass_now(r)->overrides, o));
    return code == 0 ? push(r, PLACE_OVERRIDE, line) : code;
}

static int open_values(reading *r, const char *key, bool is_array, int line) {
    r->key = arena_strdup(r->a, key);
    r->items.n = 0;
    r->line = line;
    return r->key == NULL ? stop(r, STATUS_RESOURCE) : push(r, is_array ? PLACE_ITEMS : PLACE_PAIRS, line);
}

static int open_in_root(reading *r, const char *key, bool is_array, int line) {
    if (is_array && strcmp(key, "pass") == 0)
        return push(r, PLACE_PASSES, line);
    if (!is_array || (strcmp(key, "plugins") != 0 && strcmp(key, "skip") != 0))
        return wrong(r, line, "expected plugins = [...], skip = [...] or [[pass]], found", key);
    r->key = arena_strdup(r->a, key);
    return r->key == NULL ? stop(r, STATUS_RESOURCE) : push(r, PLACE_WORDS, line);
}

static int on_open(void *ctx, const char *key, int is_array, int line) {
    reading *r = ctx;
    place at = r->open[r->depth];
    if (at == PLACE_ROOT)
        return open_in_root(r, key, is_array, line);
    if (at == PLACE_PASSES && !is_array)
        return open_pass(r, line);
    if (at == PLACE_OVERRIDES && !is_array)
        return open_override(r, line);
    if (at == PLACE_PASS && is_array && strcmp(key, "override") == 0)
        return push(r, PLACE_OVERRIDES, line);
    if (at == PLACE_PASS || at == PLACE_OVERRIDE)
        return open_values(r, key, is_array, line);
    return wrong(r, line, is_array ? "an array has no place here" : "a table has no place here", key);
}

static int on_close(void *ctx) {
    reading *r = ctx;
    place closed = r->open[r->depth--];
    if (closed == PLACE_PASS && pass_now(r)->name == NULL)
        return wrong(r, pass_now(r)->line, "a pass without a name", NULL);
    if (closed == PLACE_OVERRIDE && override_now(r)->n_select == 0)
        return wrong(r, override_now(r)->line, "an override without select, which says for which nodes it is", NULL);
    if (closed == PLACE_ITEMS || closed == PLACE_PAIRS)
        return finish_value(r, r->open[r->depth], r->key, r->line);
    return 0;
}

status pipeline_file_read(const toml_reader *reader, const char *path, const char *text, size_t n, arena *a, diag *d,
                          pipeline_file *out) {
    reading r = {.f = out, .a = a, .d = d, .open = {PLACE_ROOT}};
    toml_visitor v = {&r, on_open, on_close, on_value};
    char why[200];
    int line = 0;
    *out = (pipeline_file){.path = path};
    if (reader->read(text, n, &v, why, sizeof why, &line) < 0)
        wrong(&r, line, why, NULL);
    return r.result;
}

/* ---- requests ---- */

/* As -p would have it, for --print-pipeline. */
static status request_text(const pipeline_pass *p, arena *a, const char **out) {
    strbuf s = strbuf_in(a);
    strbuf_add(&s, p->name);
    for (size_t i = 0; i < p->options.n; i++) {
        const pipeline_option *o = &p->options.at[i];
        strbuf_printf(&s, "%c%s=", i == 0 ? ':' : ',', o->name);
        for (size_t k = 0; k < o->n; k++)
            strbuf_printf(&s, "%s%s", k > 0 ? "," : "", o->items[k]);
    }
    return strbuf_finish(&s, out);
}

static status set_options(const pass_request *q, const char *path, option_value *values, const pipeline_option *options,
                          size_t n, arena *a, diag *d) {
    for (size_t i = 0; i < n; i++) {
        pass_request at_line = *q;
        TRY_ALLOC(at_line.where = arena_printf(a, "%s: line %d: pass %s", path, options[i].line, pass_name(q->entry)));
        TRY(request_set(&at_line, values, options[i].name, options[i].items, options[i].n, a, d));
    }
    return STATUS_OK;
}

static status add_override(pass_request *q, const pipeline_file *f, const pipeline_override *from, arena *a, diag *d) {
    option_value *values = ARENA_NEW_N(a, option_value, q->n_options + 1);
    const char *why = NULL;
    pass_override made = {.values = values, .line = arena_printf(a, "%s: line %d", f->path, from->line)};
    TRY_ALLOC(values);
    TRY_ALLOC(made.line);
    status s = selector_read(a, from->select, from->n_select, &made.where, &why);
    if (s == STATUS_USAGE)
        return diag_error(d, s, "pipeline", (diag_place){f->path, NULL, -1, NULL, NULL}, "line %d: select: %s",
                          from->line, why);
    TRY(s);
    TRY(set_options(q, f->path, values, from->options.at, from->options.n, a, d));
    return VEC_PUSH(a, q->overrides, made);
}

status pipeline_file_request(const pipeline_file *f, size_t i, const pass_registry *r, arena *a, diag *d,
                             pass_request *out) {
    const pipeline_pass *p = &f->passes.at[i];
    const char *where = arena_printf(a, "%s: line %d: pass %s", f->path, p->line, p->name);
    TRY_ALLOC(where);
    TRY(request_begin(r, p->name, where, a, d, out));
    TRY_ALLOC(out->where = arena_printf(a, "%s: pass %s", f->path, p->name));
    TRY(request_text(p, a, &out->text));
    TRY(set_options(out, f->path, out->values, p->options.at, p->options.n, a, d));
    for (size_t k = 0; k < p->overrides.n; k++)
        TRY(add_override(out, f, &p->overrides.at[k], a, d));
    return STATUS_OK;
}
