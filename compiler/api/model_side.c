/* A model of the two that a command compares. */
#include "api/model_side.h"

#include <string.h>

#include "api/input_names.h"

status model_side_open(model_side *s, tenon_context *c, const tenon_options *o, const char *path) {
    s->o = *o;
    s->o.asked.n = 0;
    s->o.dump_after = s->o.stop_after = (word_list){0};
    return (status)tenon_graph_open(c, path, &s->o, &s->opened);
}

/* ---- options ---- */

typedef status (*concern)(const graph *g, map *names);

static status input_names(const graph *g, map *names) {
    for (size_t i = 0; i < g->inputs.n; i++)
        TRY(map_set(names, g->inputs.at[i]->name, g->inputs.at[i]));
    return STATUS_OK;
}

static status share(const named_list *all, concern names, model_side *a, named_list *of_a, model_side *b,
                    named_list *of_b, arena *memory) {
    map in_a = map_in(memory), in_b = map_in(memory);
    named_list for_a = {0}, for_b = {0};
    TRY(names(a->t.g, &in_a));
    TRY(names(b->t.g, &in_b));
    for (size_t i = 0; i < all->n; i++) {
        bool b_has = map_get(&in_b, all->at[i].name) != NULL;
        if (!b_has || map_get(&in_a, all->at[i].name) != NULL)
            TRY(VEC_PUSH(memory, for_a, all->at[i]));
        if (b_has)
            TRY(VEC_PUSH(memory, for_b, all->at[i]));
    }
    *of_a = for_a;
    *of_b = for_b;
    return STATUS_OK;
}

void model_side_take(model_side *s, const tenon_graph *t) {
    s->o = *t->o;
    s->t = *t;
    s->t.o = &s->o;
}

status model_side_options(model_side *a, const tenon_graph *of_a, model_side *b, const tenon_graph *of_b,
                          arena *memory) {
    const tenon_options *o = of_a->o;
    model_side_take(a, of_a);
    model_side_take(b, of_b);
    TRY(share(&o->dims, graph_symbols, a, &a->o.dims, b, &b->o.dims, memory));
    TRY(share(&o->shapes, input_names, a, &a->o.shapes, b, &b->o.shapes, memory));
    return share(&o->freeze, input_names, a, &a->o.freeze, b, &b->o.freeze, memory);
}

/* ---- data ---- */

status model_side_open_data(const model_side *a, const model_side *b, const tenon_options *o, arena *memory,
                            data_file *out) {
    const graph *other = b != NULL ? b->t.g : NULL;
    TRY(data_file_open(a->t.c, o, memory, out));
    TRY(input_check_names(a->t.c, a->t.g, other, "--map", &o->maps));
    return input_check_names(a->t.c, a->t.g, other, "--scale", &o->scales);
}

/* ---- code ---- */

status model_side_compile(model_side *s, data_file *file, arena *memory) {
    const input_shape *shapes;
    size_t n_shapes;
    TRY(fed_data_read(file, &s->t, &s->fed));
    TRY(fed_data_shapes(&s->fed, &shapes, &n_shapes));
    TRY(code_new(&s->t, shapes, n_shapes, &s->code));
    return s->code != NULL ? model_side_prepare(s, memory) : STATUS_OK;
}

status model_side_prepare(model_side *s, arena *memory) {
    TRY_ALLOC(s->inputs = ARENA_NEW_N(memory, const void *, s->fed.n + 1));
    TRY(fed_data_prepare(&s->fed, s->code));
    return program_new_outputs(s->code->p, memory, &s->outputs);
}

status model_side_run(model_side *s, int64_t sample) {
    TRY(fed_data_sample(&s->fed, sample, s->inputs));
    return code_run(s->code, s->inputs, s->outputs);
}

/* ---- outputs ---- */

real_output model_side_output(const model_side *s, int number) {
    real_output out = {number, 1, 0};
    const node *n = s->t.shared == NULL ? s->t.g->outputs.at[number]->v->def : NULL;
    if (!is_op(n, "QuantizeLinear"))
        return out;
    const value *scale = node_input(n, 1), *zero = node_input(n, 2);
    if (!value_is_constant(scale) || scale->constant->count != 1 || (zero != NULL && !value_is_constant(zero)))
        return out;
    out.scale = tensor_double(scale->constant, 0);
    out.zero = zero != NULL ? (double)tensor_int(zero->constant, 0) : 0;
    return out;
}

bool model_side_classes(const model_side *s, real_output *out) {
    for (int i = 0; i < s->code->p->n_outputs; i++) {
        *out = model_side_output(s, i);
        if (model_side_elements(s, out) > 1)
            return true;
    }
    *out = model_side_output(s, 0);
    return false;
}

int64_t model_side_elements(const model_side *s, const real_output *o) {
    return code_output(s->code, (size_t)o->number)->n;
}

double model_side_element(const model_side *s, const real_output *o, int64_t i) {
    double x = dtype_get_double(code_output(s->code, (size_t)o->number)->elem, s->outputs[o->number], (size_t)i);
    return (x - o->zero) * o->scale;
}

void model_side_free(model_side *s) {
    tenon_code_free(s->code);
    tenon_graph_free(s->opened);
}
