/* Binding a model's inputs: dimensions by options and by the shapes of data, contents by option freeze. */
#include <string.h>

#include "api/input_names.h"
#include "api/pipeline.h"
#include "data/data.h"

typedef struct binding {
    pipeline *w;
    graph *g;
    diag *d;
    arena *a;     /* the graph's */
    map bindings; /* symbol -> int64_t */
    VEC(input_shape) shapes;
    status worst;
} binding;

static void note_failure(binding *b, status s) {
    if (b->worst == STATUS_OK || s == STATUS_RESOURCE)
        b->worst = s;
}

static status set_symbol(binding *b, const char *symbol, int64_t n) {
    int64_t *own = arena_copy(b->a, &n, sizeof n);
    TRY_ALLOC(own);
    return map_set(&b->bindings, symbol, own);
}

/* ---- --dim ---- */

static status no_such_dim(binding *b, const map *symbols, const char *name) {
    const char **names = ARENA_NEW_N(b->a, const char *, symbols->n + 1);
    TRY_ALLOC(names);
    for (size_t i = 0; i < symbols->n; i++)
        names[i] = symbols->entries[i].name;
    diag_error(b->d, STATUS_USAGE, "unknown-dimension", DIAG_NOWHERE, "--dim %s: no input has a dimension of this name",
               name);
    const char *near = text_nearest(name, names, symbols->n);
    if (near != NULL)
        diag_note(b->d, "did you mean '%s'?", near);
    return STATUS_USAGE;
}

static status bind_dim(binding *b, const map *symbols, const named_text *option) {
    int64_t n = 0;
    if (map_get(symbols, option->name) == NULL)
        return no_such_dim(b, symbols, option->name);
    if (strstr(option->text, "..") != NULL)
        return diag_error(
            b->d, STATUS_UNSUPPORTED, "not-yet", DIAG_NOWHERE,
            "--dim %s=%s: dimensions that vary at run time are planned, but not there yet; give one number",
            option->name, option->text);
    if (!options_count(option->text, &n) || n > DIM_SYMBOL_MAX)
        return diag_error(b->d, STATUS_USAGE, "usage", DIAG_NOWHERE, "--dim %s=%s: expected a size, 0 to %lld",
                          option->name, option->text, (long long)DIM_SYMBOL_MAX);
    return set_symbol(b, option->name, n);
}

static bool is_bound_already(const binding *b, const char *symbol) {
    const word_list *list = &b->w->plan->bound_dims;
    for (size_t i = 0; i < list->n; i++)
        if (strcmp(list->at[i], symbol) == 0)
            return true;
    return false;
}

static status bind_dims(binding *b) {
    map symbols = map_in(b->a);
    TRY(graph_symbols(b->g, &symbols));
    for (size_t i = 0; i < b->w->o->dims.n; i++) {
        const named_text *option = &b->w->o->dims.at[i];
        if (map_get(&symbols, option->name) != NULL || !is_bound_already(b, option->name))
            note_failure(b, bind_dim(b, &symbols, option));
    }
    return b->worst;
}

/* Those that the model has; what is left may belong to inputs that a pass makes. */
static status bind_known_dims(binding *b) {
    map symbols = map_in(b->a);
    TRY(graph_symbols(b->g, &symbols));
    for (size_t i = 0; i < b->w->o->dims.n; i++) {
        const named_text *option = &b->w->o->dims.at[i];
        if (map_get(&symbols, option->name) == NULL)
            continue;
        note_failure(b, bind_dim(b, &symbols, option));
        TRY(VEC_PUSH(b->w->plan->plugins->memory, b->w->plan->bound_dims, option->name));
    }
    TRY(b->worst);
    return b->bindings.n > 0 ? graph_bind(b->g, &b->bindings) : STATUS_OK;
}

/* ---- shapes ---- */

static void print_shape(strbuf *s, int rank, const int64_t *dims) {
    for (int i = 0; i < rank; i++)
        strbuf_printf(s, "%s%lld", i > 0 ? "x" : "", (long long)dims[i]);
    if (rank == 0)
        strbuf_add(s, "scalar");
}

static status contradiction(binding *b, const input_shape *given, const value *v) {
    strbuf s = strbuf_in(b->a);
    const char *text;
    strbuf_printf(&s, "%s gives input '%s' the shape ", given->giver, v->name);
    print_shape(&s, given->rank, given->dims);
    strbuf_add(&s, ", but the model declares ");
    type_print(&v->type, &s);
    bool first = true;
    for (size_t i = 0; i < b->bindings.n; i++) {
        const map_entry *e = &b->bindings.entries[i];
        strbuf_printf(&s, "%s%s=%lld", first ? " with " : ", ", e->name, (long long)*(const int64_t *)e->value);
        first = false;
    }
    TRY(strbuf_finish(&s, &text));
    return diag_error(b->d, given->code, "shape-mismatch", DIAG_NOWHERE, "%s", text);
}

typedef struct only_symbol {
    const char *name;
    int n;
} only_symbol;

static void take_symbol(const char *name, void *ctx) {
    only_symbol *o = ctx;
    o->name = name;
    o->n++;
}

/* The value of d where its only symbol is n. */
static int64_t value_at(binding *b, dim d, const char *symbol, int64_t n) {
    map one = map_in(b->a);
    dim bound = map_set(&one, symbol, &n) == STATUS_OK ? dim_bind(b->a, d, &one) : d;
    return dim_is_known(bound) ? bound.n : -1;
}

/* Binds the only symbol of a dimension such as seq or 2*seq+1 so that it is `n`. Whether it then is, is looked at
 * later. */
static status solve(binding *b, dim d, int64_t n) {
    only_symbol o = {NULL, 0};
    dim_symbols(d, take_symbol, &o);
    if (o.n != 1 || map_get(&b->bindings, o.name) != NULL)
        return STATUS_OK;
    int64_t at_0 = value_at(b, d, o.name, 0), step = value_at(b, d, o.name, 1) - at_0;
    return step > 0 && n >= at_0 ? set_symbol(b, o.name, (n - at_0) / step) : STATUS_OK;
}

/* Binds what the shape says of symbols; everything else is compared once all symbols are known. */
static status take_shape(binding *b, const input_shape *given) {
    value *v = input_find(b->g, given->input);
    if (v == NULL)
        return input_unknown(b->w->c, b->g, given->giver, given->input);
    if (v->type.rank < 0) {
        dim *dims = ARENA_NEW_N(b->a, dim, given->rank + 1);
        TRY_ALLOC(dims);
        for (int i = 0; i < given->rank; i++)
            dims[i] = DIM(given->dims[i]);
        return graph_set_type(b->g, v, &(tensor_type){v->type.elem, given->rank, dims});
    }
    if (v->type.rank != given->rank)
        return contradiction(b, given, v);
    for (int i = 0; i < given->rank; i++)
        TRY(solve(b, v->type.dims[i], given->dims[i]));
    return STATUS_OK;
}

static status compare_shape(binding *b, const input_shape *given) {
    const value *v = input_find(b->g, given->input);
    for (int i = 0; i < given->rank; i++) {
        dim d = dim_bind(b->a, v->type.dims[i], &b->bindings);
        if (!dim_equal(d, DIM(given->dims[i])))
            return contradiction(b, given, v);
    }
    return STATUS_OK;
}

static status option_shape(binding *b, const named_text *text) {
    int64_t dims[TENSOR_MAX_RANK];
    input_shape s = {.input = text->name, .giver = "--shape", .code = STATUS_USAGE};
    if (!options_shape(text->text, &s.rank, dims))
        return diag_error(b->d, STATUS_USAGE, "usage", DIAG_NOWHERE,
                          "--shape %s=%s: expected sizes with x between, as 1x128", text->name, text->text);
    s.dims = arena_copy(b->a, dims, sizeof dims);
    TRY_ALLOC(s.dims);
    return VEC_PUSH(b->a, b->shapes, s);
}

static status bind_shapes(binding *b) {
    for (size_t i = 0; i < b->w->o->shapes.n; i++)
        note_failure(b, option_shape(b, &b->w->o->shapes.at[i]));
    for (size_t i = 0; i < b->w->n_shapes; i++)
        TRY(VEC_PUSH(b->a, b->shapes, b->w->shapes[i]));
    for (size_t i = 0; i < b->shapes.n; i++)
        note_failure(b, take_shape(b, &b->shapes.at[i]));
    for (size_t i = 0; i < b->shapes.n && b->worst == STATUS_OK; i++)
        note_failure(b, compare_shape(b, &b->shapes.at[i]));
    return b->worst;
}

/* ---- what is left ---- */

typedef struct unbound {
    binding *b;
    const value *v;
} unbound;

static void report_unbound(const char *symbol, void *ctx) {
    unbound *u = ctx;
    binding *b = u->b;
    if (map_get(&b->bindings, symbol) != NULL)
        return;
    note_failure(b, diag_error(b->d, STATUS_USAGE, "unbound-dimension", DIAG_NOWHERE,
                               "dimension '%s' of input '%s' has no size: give it with --dim %s=N", symbol, u->v->name,
                               symbol));
    note_failure(b, set_symbol(b, symbol, 1)); /* said once */
}

static status check_bound(binding *b) {
    for (size_t i = 0; i < b->g->inputs.n; i++) {
        const value *v = b->g->inputs.at[i];
        unbound u = {b, v};
        if (v->type.rank < 0)
            note_failure(b, diag_error(b->d, STATUS_USAGE, "unbound-dimension", DIAG_NOWHERE,
                                       "the model declares no shape for input '%s': give it with --shape %s=AxB",
                                       v->name, v->name));
        for (int k = 0; k < v->type.rank; k++)
            dim_symbols(v->type.dims[k], report_unbound, &u);
    }
    return b->worst;
}

/* ---- --freeze ---- */

typedef struct frozen {
    value *v;
    array contents;
} frozen;

static status read_frozen(binding *b, const named_text *option, frozen *out) {
    out->v = input_find(b->g, option->name);
    if (out->v == NULL)
        return input_unknown(b->w->c, b->g, "--freeze", option->name);
    TRY(npy_read(option->text, b->a, b->d, &out->contents));
    input_shape s = {.input = option->name,
                     .giver = option->text,
                     .code = STATUS_INVALID,
                     .rank = out->contents.rank,
                     .dims = arena_copy(b->a, out->contents.dims, sizeof out->contents.dims)};
    TRY_ALLOC(s.dims);
    return VEC_PUSH(b->a, b->shapes, s);
}

static status freeze(binding *b, const frozen *f) {
    const array *x = &f->contents;
    tensor *t = tensor_new(b->a, f->v->type.elem, x->rank, x->dims, NULL);
    TRY_ALLOC(t);
    array_want want = {.name = f->v->name, .elem = f->v->type.elem, .scale = 1};
    TRY(array_convert(x, &want, (void *)(uintptr_t)t->data, b->d));
    return graph_make_constant(b->g, f->v, t);
}

static status bind_all(binding *b) {
    const named_list *options = &b->w->o->freeze;
    frozen *f = ARENA_NEW_N(b->a, frozen, options->n + 1);
    TRY_ALLOC(f);
    TRY(bind_dims(b));
    for (size_t i = 0; i < options->n; i++)
        note_failure(b, read_frozen(b, &options->at[i], &f[i]));
    TRY(b->worst);
    TRY(bind_shapes(b));
    if (!b->w->may_be_unbound)
        TRY(check_bound(b));
    for (size_t i = 0; i < options->n; i++)
        TRY(freeze(b, &f[i]));
    return graph_bind(b->g, &b->bindings);
}

static binding binding_of(pipeline *w) {
    return (binding){.w = w, .g = w->g, .d = w->c->diags, .a = w->g->memory, .bindings = map_in(w->g->memory)};
}

status bind_inputs(pipeline *w) {
    binding b = binding_of(w);
    return bind_all(&b);
}

status bind_early(pipeline *w) {
    binding b = binding_of(w);
    return bind_known_dims(&b);
}
