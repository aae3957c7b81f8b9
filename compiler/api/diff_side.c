/* One of the two models of tenon diff. */
#include "api/diff_side.h"

status diff_side_build(diff_side *s, data_file *file, const target *machine, arena *memory) {
    const input_shape *shapes;
    size_t n_shapes;
    TRY(fed_data_read(file, &s->m.t, &s->m.fed));
    TRY(fed_data_shapes(&s->m.fed, &shapes, &n_shapes));
    TRY(model_build(&s->m.t, shapes, n_shapes, machine, NULL, PIPELINE_PASSES, &s->built));
    if (s->built.stopped)
        return STATUS_OK;
    graph *g = s->built.g;
    s->numbers = map_in(memory);
    for (size_t i = 0; i < g->outputs.n; i++)
        TRY(map_set_key(&s->numbers, MAP_KEY(g->outputs.at[i]->v), (void *)(uintptr_t)(i + 1)));
    return diff_points_find(g, &s->m.fed, memory, &s->points);
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
    TRY(code_new_built(&s->m.t, &s->built, &s->m.code));
    return s->m.code != NULL ? model_side_prepare(&s->m, memory) : STATUS_OK;
}

void diff_side_free(diff_side *s) {
    model_build_free(&s->built);
    model_side_free(&s->m);
}
