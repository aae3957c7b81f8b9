/* Models as they were read, and their way down to a program. */
#include <string.h>

#include "api/handles.h"

/* "dir/bert-tiny.onnx" gives bert-tiny.onnx and bert_tiny. */
static status name_files(tenon_graph *t, const char *path) {
    TRY_ALLOC(t->path = arena_strdup(t->memory, path));
    const char *slash = strrchr(t->path, '/');
    t->file = slash != NULL ? slash + 1 : t->path;
    const char *dot = strrchr(t->file, '.');
    size_t n = dot != NULL && dot != t->file ? (size_t)(dot - t->file) : strlen(t->file);
    const char *stem = t->o->name != NULL ? t->o->name : arena_strndup(t->memory, t->file, n);
    TRY_ALLOC(stem);
    t->prefix = text_identifier(t->memory, stem);
    TRY_ALLOC(t->prefix);
    return STATUS_OK;
}

bool model_is_parameter(const value *v) {
    return v != NULL && v->constant != NULL && v->constant->count > 1 && v->type.elem != DT_I64 &&
           v->type.elem != DT_BOOL;
}

static void count_file(tenon_graph *t) {
    t->file_nodes = t->g->n_nodes;
    for (const value *v = t->g->values; v != NULL; v = v->next) {
        if (!model_is_parameter(v) || v->n_uses == 0)
            continue;
        t->params += v->constant->count;
        t->param_bytes += (int64_t)v->constant->bytes;
    }
}

static status name_ends(tenon_graph *t) {
    for (size_t i = 0; i < t->g->inputs.n + t->g->outputs.n; i++) {
        bool is_input = i < t->g->inputs.n;
        const char *name = is_input ? t->g->inputs.at[i]->name : t->g->output_names.at[i - t->g->inputs.n];
        TRY_ALLOC(name = arena_strdup(t->memory, name));
        if (is_input)
            TRY(VEC_PUSH(t->memory, t->file_inputs, name));
        else
            TRY(VEC_PUSH(t->memory, t->file_outputs, name));
    }
    return STATUS_OK;
}

static status import(tenon_graph *t) {
    pipeline w = {.c = t->c, .o = t->o, .path = t->path, .plan = &t->plan};
    TRY(pass_plan_make(t->o, false, t->memory, &t->plan));
    TRY(pipeline_run(&w, PIPELINE_IMPORT, PIPELINE_IMPORT));
    t->g = w.g;
    count_file(t);
    TRY(name_ends(t));
    status s = pipeline_run(&w, PIPELINE_EDIT, PIPELINE_EDIT);
    t->g = w.g;
    t->import_ms = w.milliseconds;
    t->stopped = w.stopped;
    return s;
}

/* What cannot be read is left to the import to complain of. */
static status open_graph(tenon_graph *t, const char *path) {
    mapped_file contents;
    const char *why;
    double begin = clock_ms();
    TRY(name_files(t, path));
    if (mapped_file_open(t->memory, t->path, &contents, &why) != STATUS_OK || !shared_model_is(t->path, &contents))
        return import(t);
    TRY(shared_model_open(t->c, t->o, t->path, &contents, t->memory, &t->shared, &t->g));
    t->import_ms = clock_ms() - begin;
    return STATUS_OK;
}

TENON_API tenon_status tenon_graph_open(tenon_context *c, const char *path, const tenon_options *options,
                                        tenon_graph **out) {
    *out = NULL;
    size_t errors = context_begin(c);
    arena *memory = arena_new(&c->memory);
    tenon_graph *t = memory != NULL ? ARENA_NEW(memory, tenon_graph) : NULL;
    if (t == NULL) {
        arena_free(memory);
        return context_end(c, STATUS_RESOURCE, errors);
    }
    *t = (tenon_graph){.c = c, .o = options, .memory = memory};
    status s = open_graph(t, path);
    if (s == STATUS_OK)
        *out = t;
    else
        tenon_graph_free(t);
    return context_end(c, s, errors);
}

TENON_API void tenon_graph_free(tenon_graph *t) {
    if (t == NULL)
        return;
    graph_free(t->g);
    shared_model_close(t->shared);
    arena_free(t->memory);
}

const target *model_target(const tenon_graph *t, const char *otherwise) {
    if (t->shared != NULL)
        return &shared_model_target;
    return target_find(t->o->target != NULL ? t->o->target : otherwise, t->c->diags);
}

status model_build(tenon_graph *t, const input_shape *shapes, size_t n_shapes, const target *machine,
                   const char *origin, stage_id last, pipeline *out) {
    *out = (pipeline){.c = t->c,
                      .o = t->o,
                      .path = t->path,
                      .plan = &t->plan,
                      .shapes = shapes,
                      .n_shapes = n_shapes,
                      .machine = machine,
                      .name = t->prefix,
                      .origin = origin,
                      .stopped = t->stopped,
                      .quiet = t->seen};
    out->may_be_unbound = last < PIPELINE_LOWER && n_shapes == 0;
    out->g = graph_copy(t->g);
    out->memory = arena_new(&t->c->memory);
    status s = out->g == NULL || out->memory == NULL ? STATUS_RESOURCE : STATUS_OK;
    if (s == STATUS_OK)
        s = pipeline_run(out, PIPELINE_BIND, t->shared != NULL ? PIPELINE_BIND : last);
    if (s == STATUS_OK && t->shared != NULL)
        s = shared_model_program(t->shared, out->memory, &out->p);
    t->seen = true;
    if (s != STATUS_OK)
        model_build_free(out);
    return s;
}

status model_build_copy(const pipeline *from, pipeline *out) {
    *out = *from;
    out->quiet = true;
    out->g = graph_copy(from->g);
    out->memory = arena_new(&from->c->memory);
    if (out->g != NULL && out->memory != NULL)
        return STATUS_OK;
    model_build_free(out);
    return STATUS_RESOURCE;
}

void model_build_free(pipeline *w) {
    arena_free(w->memory);
    graph_free(w->g);
    w->memory = NULL;
    w->g = NULL;
}
