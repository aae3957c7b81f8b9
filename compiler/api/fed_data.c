/* A data set on its way into a model. */
#include "api/fed_data.h"

#include <string.h>

/* ---- the file ---- */

status data_file_open(tenon_context *c, const tenon_options *o, arena *a, data_file *out) {
    *out = (data_file){
        .c = c, .o = o, .memory = a, .arrays = map_in(a), .samples = -1, .map = "--map", .scale = "--scale"};
    if (o->data == NULL)
        return diag_error(c->diags, STATUS_USAGE, "usage", DIAG_NOWHERE,
                          "the data are missing: give them with --data FILE.npz");
    return npz_open(o->data, a, c->diags, &out->file);
}

static status read_array(data_file *f, const char *name, const char *hint, array *out) {
    diag *d = f->c->diags;
    status s = npz_read(f->file, name, f->memory, d, out);
    if (s == STATUS_INVALID)
        diag_note(d, "%s", hint);
    TRY(s);
    if (out->rank == 0)
        return diag_error(d, STATUS_INVALID, "wrong-shape", DIAG_NOWHERE,
                          "array '%s' is one number; its first dimension must be the samples", name);
    if (f->samples >= 0 && f->samples != out->dims[0])
        return diag_error(d, STATUS_INVALID, "wrong-shape", DIAG_NOWHERE,
                          "array '%s' has %lld samples, others have %lld", name, (long long)out->dims[0],
                          (long long)f->samples);
    f->samples = out->dims[0];
    return STATUS_OK;
}

status data_file_array(data_file *f, const char *name, const char *hint, const array **out) {
    *out = map_get(&f->arrays, name);
    if (*out != NULL)
        return STATUS_OK;
    array *made = ARENA_NEW(f->memory, array);
    TRY_ALLOC(made);
    TRY(read_array(f, name, hint, made));
    *out = made;
    return map_set(&f->arrays, name, made);
}

int64_t data_file_samples(const data_file *f) {
    return f->o->limit > 0 && f->o->limit < f->samples ? f->o->limit : f->samples > 0 ? f->samples : 0;
}

/* ---- inputs ---- */

/* Real numbers for an integer input that feeds a DequantizeLinear are quantised as that undoes it. */
static void find_quantum(const value *v, array_want *w) {
    for (const use *u = v->uses; u != NULL && dtype_is_int(v->type.elem); u = u->next) {
        if (u->index != 0 || !is_op(u->user, "DequantizeLinear"))
            continue;
        const value *scale = node_input(u->user, 1), *zero = node_input(u->user, 2);
        if (scale == NULL || scale->constant == NULL || scale->constant->count != 1 ||
            (zero != NULL && zero->constant == NULL))
            continue;
        w->quantised = true;
        w->quantum = tensor_double(scale->constant, 0);
        w->zero_point = zero != NULL ? tensor_int(zero->constant, 0) : 0;
    }
}

/* A sample with fewer dimensions than the input gets dimensions of 1 in front: the batch. */
static status sample_shape(const data_file *f, fed_input *in) {
    int rank = in->samples->rank - 1;
    int wanted = in->v->type.rank > rank ? in->v->type.rank : rank;
    int64_t *dims = ARENA_NEW_N(f->memory, int64_t, wanted + 1);
    const char *giver = arena_printf(f->memory, "a sample of array '%s' of %s", in->array_name, f->o->data);
    if (dims == NULL || giver == NULL)
        return STATUS_RESOURCE;
    for (int i = 0; i < wanted; i++)
        dims[i] = i < wanted - rank ? 1 : in->samples->dims[i - (wanted - rank) + 1];
    in->shape = (input_shape){in->v->name, giver, STATUS_INVALID, wanted, dims};
    return STATUS_OK;
}

bool data_file_has(const data_file *f, const char *name) {
    for (size_t i = 0; i < npz_count(f->file); i++)
        if (strcmp(npz_name(f->file, i), name) == 0)
            return true;
    return false;
}

/* The last one counts: what was bound and made an input again may be bound anew. */
static const tensor *find_bound(const data_file *f, const value *v) {
    for (size_t i = f->bound != NULL ? f->bound->n : 0; i > 0; i--)
        if (strcmp(f->bound->at[i - 1].name, v->name) == 0 && f->bound->at[i - 1].value->elem == v->type.elem)
            return f->bound->at[i - 1].value;
    return NULL;
}

static status read_input(data_file *f, fed_input *in) {
    const char *mapped = options_find(&f->o->maps, in->v->name), *factor = options_find(&f->o->scales, in->v->name);
    in->array_name = mapped != NULL ? mapped : in->v->name;
    in->bound = data_file_has(f, in->array_name) ? NULL : find_bound(f, in->v);
    if (in->bound != NULL) {
        in->array_name = NULL;
        return STATUS_OK;
    }
    in->want = (array_want){.name = in->v->name, .elem = in->v->type.elem, .scale = 1};
    if (factor != NULL && !options_real(factor, &in->want.scale))
        return diag_error(f->c->diags, STATUS_USAGE, "usage", DIAG_NOWHERE, "%s %s=%s: expected a number", f->scale,
                          in->v->name, factor);
    find_quantum(in->v, &in->want);
    const char *hint = arena_printf(f->memory, "%s INPUT=ARRAY names the array of an input", f->map);
    TRY_ALLOC(hint);
    TRY(data_file_array(f, in->array_name, hint, &in->samples));
    array_prepare(in->samples, &in->want);
    return sample_shape(f, in);
}

status fed_data_read(data_file *f, const tenon_graph *t, fed_data *out) {
    const graph *g = t->g;
    *out = (fed_data){.file = f};
    TRY_ALLOC(out->at = ARENA_NEW_N(f->memory, fed_input, g->inputs.n + 1));
    for (size_t i = 0; i < g->inputs.n; i++) {
        if (options_find(&t->o->freeze, g->inputs.at[i]->name) != NULL)
            continue;
        out->at[out->n].v = g->inputs.at[i];
        TRY(read_input(f, &out->at[out->n++]));
    }
    return STATUS_OK;
}

status fed_data_shapes(const fed_data *fed, const input_shape **out, size_t *out_n) {
    input_shape *shapes = ARENA_NEW_N(fed->file->memory, input_shape, fed->n + 1);
    TRY_ALLOC(shapes);
    *out = shapes;
    *out_n = 0;
    for (size_t i = 0; i < fed->n; i++)
        if (fed->at[i].bound == NULL)
            shapes[(*out_n)++] = fed->at[i].shape;
    return STATUS_OK;
}

/* ---- samples ---- */

/* A scalar is for every element. */
static status fill(fed_input *in, diag *d) {
    const tensor *t = in->bound;
    if (t->count != 1 && t->count != in->count)
        return diag_error(d, STATUS_INVALID, "wrong-shape", DIAG_NOWHERE,
                          "input '%s' takes %lld elements; it was bound to %lld", in->v->name, (long long)in->count,
                          (long long)t->count);
    for (int64_t k = 0; k < in->count; k++)
        dtype_set_double(t->elem, in->data, (size_t)k, tensor_double(t, t->count == 1 ? 0 : k));
    return STATUS_OK;
}

status fed_data_prepare(fed_data *fed, const tenon_code *code) {
    for (size_t i = 0; i < fed->n; i++) {
        fed_input *in = &fed->at[i];
        in->count = code_input(code, i)->n;
        TRY_ALLOC(in->data = arena_alloc(fed->file->memory, code_buffer_bytes(code_input(code, i)) + 64));
        TRY(in->bound != NULL ? fill(in, fed->file->c->diags) : STATUS_OK);
    }
    return STATUS_OK;
}

status fed_data_sample(fed_data *fed, int64_t i, const void **inputs) {
    for (size_t k = 0; k < fed->n; k++) {
        fed_input *in = &fed->at[k];
        if (in->bound == NULL)
            TRY(array_sample(in->samples, i, &in->want, in->count, in->data, fed->file->c->diags));
        inputs[k] = in->data;
    }
    return STATUS_OK;
}
