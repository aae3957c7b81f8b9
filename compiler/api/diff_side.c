/* One of the two models of tenon diff. */
#include "api/diff_side.h"

status diff_side_open(diff_side *s, tenon_context *c, const tenon_options *o, const char *path) {
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

static status share(const named_list *all, concern names, diff_side *a, named_list *of_a, diff_side *b,
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

static void take(diff_side *s, const tenon_graph *t) {
    s->o = *t->o;
    s->t = *t;
    s->t.o = &s->o;
}

status diff_side_options(diff_side *a, const tenon_graph *of_a, diff_side *b, const tenon_graph *of_b, arena *memory) {
    const tenon_options *o = of_a->o;
    take(a, of_a);
    take(b, of_b);
    TRY(share(&o->dims, graph_symbols, a, &a->o.dims, b, &b->o.dims, memory));
    TRY(share(&o->shapes, input_names, a, &a->o.shapes, b, &b->o.shapes, memory));
    return share(&o->freeze, input_names, a, &a->o.freeze, b, &b->o.freeze, memory);
}

/* ---- code ---- */

status diff_side_build(diff_side *s, data_file *file, const target *machine, arena *memory) {
    const input_shape *shapes;
    size_t n_shapes;
    TRY(fed_data_read(file, &s->t, &s->fed));
    TRY(fed_data_shapes(&s->fed, &shapes, &n_shapes));
    TRY(model_build(&s->t, shapes, n_shapes, machine, NULL, PIPELINE_PASSES, &s->built));
    if (s->built.stopped)
        return STATUS_OK;
    graph *g = s->built.g;
    s->numbers = map_in(memory);
    for (size_t i = 0; i < g->outputs.n; i++)
        TRY(map_set_key(&s->numbers, MAP_KEY(g->outputs.at[i]->v), (void *)(uintptr_t)(i + 1)));
    return diff_points_find(g, &s->fed, memory, &s->points);
}

status diff_side_expose(diff_side *s, const value *v, int *out_number) {
    graph *g = s->built.g;
    uintptr_t number = (uintptr_t)map_get_key(&s->numbers, MAP_KEY(v));
    if (number == 0) {
        TRY(graph_add_output(g, graph_find_value(g, v->name), v->name));
        number = (uintptr_t)g->outputs.n;
        TRY(map_set_key(&s->numbers, MAP_KEY(v), (void *)number));
    }
    *out_number = (int)number - 1;
    return STATUS_OK;
}

status diff_side_compile(diff_side *s, arena *memory) {
    TRY(code_new_built(&s->t, &s->built, &s->code));
    if (s->code == NULL)
        return STATUS_OK;
    TRY_ALLOC(s->inputs = ARENA_NEW_N(memory, const void *, s->fed.n + 1));
    TRY(fed_data_prepare(&s->fed, s->code));
    return code_new_outputs(s->code, memory, &s->outputs);
}

status diff_side_run(diff_side *s, int64_t sample) {
    TRY(fed_data_sample(&s->fed, sample, s->inputs));
    return code_run(s->code, s->inputs, s->outputs);
}

void diff_side_free(diff_side *s) {
    tenon_code_free(s->code);
    model_build_free(&s->built);
    tenon_graph_free(s->opened);
}
