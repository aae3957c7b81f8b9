/* Graphs run on data for a pass. What is decided by it may not depend on the machine: one numeric target, the same bits
 * from the JIT and the interpreter, integers computed in floats as the graph says. */
#include "api/pass_engine.h"

#include <string.h>

#include "api/input_names.h"
#include "api/model_side.h"

struct engine_samples {
    tenon_context *c;
    tenon_options *o;
    data_file file;
};

/* A graph that is being run. */
typedef struct engine_run {
    model_side m;
    tensor *seen; /* the outputs, as tensors */
} engine_run;

static void free_context(void *c) {
    tenon_context_free(c);
}

static void free_options(void *o) {
    tenon_options_free(o);
}

/* ---- the data ---- */

static status own_context(const plugin_engine *self, arena *a, tenon_context **out) {
    const tenon_options *asked = self->ctx;
    if (asked != NULL) {
        *out = asked->c;
        return STATUS_OK;
    }
    const allocator *from = arena_allocator(a);
    const tenon_host host = {.struct_size = sizeof host, .resize = from->resize, .data = from->ctx};
    TRY((status)tenon_context_new(&host, out));
    return arena_on_free(a, free_context, *out);
}

static status read_pairs(const char *option, const char *const *texts, arena *a, diag *d, named_list *out) {
    for (size_t i = 0; texts != NULL && texts[i] != NULL; i++) {
        const char *equals = strrchr(texts[i], '=');
        if (equals == NULL || equals == texts[i] || equals[1] == '\0')
            return diag_error(d, STATUS_USAGE, "usage", DIAG_NOWHERE, "%s of the data: '%s' is not INPUT=%s", option,
                              texts[i], strcmp(option, "scale") == 0 ? "X" : "ARRAY");
        named_text pair = {arena_strndup(a, texts[i], (size_t)(equals - texts[i])), arena_strdup(a, equals + 1)};
        if (pair.name == NULL || pair.text == NULL)
            return STATUS_RESOURCE;
        TRY(VEC_PUSH(a, *out, pair));
    }
    return STATUS_OK;
}

/* Where the command itself is to interpret, so it is here; the bits are the same. */
static bool has_jit(const plugin_engine *self, const tenon_context *c, arena *a) {
    const tenon_options *asked = self->ctx;
    const char *why;
    return (asked == NULL || strcmp(asked->backend, "interp") != 0) && target_runs_here(target_numeric()) &&
           (c->llvm != NULL ||
            context_module("tenon-llvm.so", "tenon_llvm_query", LLVM_TABLE_VERSION, a, &why) != NULL);
}

static status open(const plugin_engine *self, const char *path, const char *const *maps, const char *const *scales,
                   arena *a, diag *d, engine_samples **out) {
    engine_samples *s = ARENA_NEW(a, engine_samples);
    TRY_ALLOC(s);
    TRY(own_context(self, a, &s->c));
    TRY((status)tenon_options_new(s->c, &s->o));
    TRY(arena_on_free(a, free_options, s->o));
    TRY_ALLOC(s->o->data = arena_strdup(a, path));
    s->o->target = target_numeric()->name;
    s->o->backend = has_jit(self, s->c, a) ? "jit" : "interp";
    TRY(read_pairs("map", maps, a, d, &s->o->maps));
    TRY(read_pairs("scale", scales, a, d, &s->o->scales));
    s->file = (data_file){.c = s->c,
                          .o = s->o,
                          .memory = a,
                          .arrays = map_in(a),
                          .samples = -1,
                          .map = "calibration map",
                          .scale = "calibration scale"};
    TRY(npz_open(path, a, d, &s->file.file));
    *out = s;
    return STATUS_OK;
}

/* ---- a graph ---- */

/* What names g as an opened model, for those who work on such. Its messages go where the graph's go. */
static status begin(const engine_samples *s, graph *g, arena *a, engine_run *out) {
    static const char *const skip[] = {"integer", NULL};
    tenon_graph *t = &out->m.t;
    *out = (engine_run){0};
    *t = (tenon_graph){.c = s->c, .o = s->o, .memory = a, .path = "", .file = g->file, .prefix = "pass", .g = g};
    TRY_ALLOC(t->plan.plugins = plugin_set_new(a, g->diags));
    t->plan.registry = t->plan.plugins->registry;
    t->plan.skip.at = (const char **)(uintptr_t)skip;
    t->plan.skip.n = 1;
    t->seen = true;
    TRY(input_check_names(s->c, g, NULL, s->file.map, &s->o->maps));
    return input_check_names(s->c, g, NULL, s->file.scale, &s->o->scales);
}

/* What an output is: a tensor over the memory that runs write. */
static status see_outputs(engine_run *r, arena *a) {
    int n = r->m.code->p->n_outputs;
    TRY_ALLOC(r->seen = ARENA_NEW_N(a, tensor, n + 1));
    for (int i = 0; i < n; i++) {
        const program_buffer *b = code_output(r->m.code, (size_t)i);
        r->seen[i] = (tensor){.elem = b->elem,
                              .rank = b->rank,
                              .dims = b->dims,
                              .data = r->m.outputs[i],
                              .bytes = code_buffer_bytes(b),
                              .count = b->n};
    }
    return STATUS_OK;
}

/* ---- running it ---- */

static status run_samples(engine_samples *s, engine_run *r, int64_t first, int64_t n, engine_sample each,
                          void *each_ctx, int *out_code) {
    *out_code = 0;
    if (first < 0 || n > s->file.samples - first)
        return diag_error(s->c->diags, STATUS_INVALID, "no-data", DIAG_NOWHERE,
                          "samples %lld to %lld are asked for; the data have %lld", (long long)first,
                          (long long)(first + n - 1), (long long)s->file.samples);
    for (int64_t i = first; i < first + n && *out_code == 0; i++) {
        TRY(context_check_stop(s->c));
        TRY(model_side_run(&r->m, i));
        *out_code = each(each_ctx, i, r->seen);
        context_progress(s->c, "calibrating", i - first + 1, n);
    }
    return STATUS_OK;
}

static status run_graph(engine_samples *s, graph *g, int64_t first, int64_t n, engine_sample each, void *each_ctx,
                        arena *a, int *out_code) {
    engine_run r;
    TRY(begin(s, g, a, &r));
    status done = model_side_compile(&r.m, &s->file, a);
    if (done == STATUS_OK)
        done = see_outputs(&r, a);
    if (done == STATUS_OK)
        done = run_samples(s, &r, first, n, each, each_ctx, out_code);
    model_side_free(&r.m);
    return done;
}

/* The graph's messages are those of the context for as long: in a worker they are another's. */
static diag *lend_messages(const engine_samples *s, diag *d) {
    diag *own = s->c->diags;
    s->c->diags = d;
    return own;
}

static status run(const plugin_engine *self, engine_samples *s, graph *g, int64_t first, int64_t n, engine_sample each,
                  void *each_ctx, int *out_code) {
    (void)self;
    arena *a = arena_new(&s->c->memory);
    TRY_ALLOC(a);
    diag *own = lend_messages(s, g->diags);
    status done = run_graph(s, g, first, n, each, each_ctx, a, out_code);
    lend_messages(s, own);
    arena_free(a);
    return done;
}

static status count(const plugin_engine *self, engine_samples *s, graph *g, int64_t *out) {
    (void)self;
    engine_run r;
    diag *own = lend_messages(s, g->diags);
    status done = begin(s, g, s->file.memory, &r);
    if (done == STATUS_OK)
        done = fed_data_read(&s->file, &r.m.t, &r.m.fed);
    lend_messages(s, own);
    *out = s->file.samples > 0 ? s->file.samples : 0;
    return done;
}

static status array_of(const plugin_engine *self, engine_samples *s, const char *name, diag *d, const tensor **out) {
    (void)self;
    array *x = ARENA_NEW(s->file.memory, array);
    tensor *made;
    TRY_ALLOC(x);
    TRY(npz_read(s->file.file, name, s->file.memory, d, x));
    TRY_ALLOC(made = tensor_new(s->file.memory, x->elem, x->rank, x->dims, x->data));
    *out = made;
    return STATUS_OK;
}

plugin_engine pass_engine(const tenon_options *o) {
    return (plugin_engine){o, open, count, array_of, run};
}
