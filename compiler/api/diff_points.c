/* What can be compared in a model. */
#include "api/diff_points.h"

#include <string.h>

#include "ir/op.h"

static const node *dequantized_by(const value *v) {
    for (const use *u = v->uses; u != NULL; u = u->next)
        if (u->user != NULL && u->index == 0 && is_op(u->user, "DequantizeLinear") && u->user->outputs[0] != NULL)
            return u->user;
    return NULL;
}

static void find_quantum(diff_point *p) {
    const node *after = dequantized_by(p->v), *def = p->v->def;
    bool made = is_op(def, "QuantizeLinear") && dtype_is_float(node_input(def, 1)->type.elem);
    if (made)
        p->origin = node_input(def, 0);
    p->quantum = after != NULL ? after : made ? def : NULL;
    p->real = after != NULL ? after->outputs[0] : made ? NULL : p->v;
}

static status add_node_name(diff_points *s, diff_point *p) {
    const node *n = p->v->def;
    if (n == NULL || n->name == NULL || n->name[0] == '\0')
        return STATUS_OK;
    const char *key = arena_printf(s->memory, "%s:%s\n%s\n%d", n->domain, n->op, n->name, p->v->def_index);
    TRY_ALLOC(key);
    diff_point *same = map_get(&s->by_node, key);
    if (same != NULL)
        same->ambiguous = true;
    return same != NULL ? STATUS_OK : map_set(&s->by_node, key, p);
}

static status add_point(diff_points *s, const value *v, const char *array_name) {
    if (map_get_key(&s->by_value, MAP_KEY(v)) != NULL)
        return STATUS_OK; /* the real numbers of one before */
    diff_point *p = ARENA_NEW(s->memory, diff_point);
    TRY_ALLOC(p);
    *p = (diff_point){.index = s->at.n, .v = v, .array = array_name};
    if (s->plain)
        p->real = v;
    else
        find_quantum(p);
    TRY(map_set_key(&s->by_value, MAP_KEY(v), p));
    if (p->real != NULL)
        TRY(map_set_key(&s->by_value, MAP_KEY(p->real), p));
    TRY(add_node_name(s, p));
    return VEC_PUSH(s->memory, s->at, p);
}

/* The array of an input, by its name. */
static const char *array_of(const fed_data *fed, const value *v) {
    for (size_t i = 0; fed != NULL && i < fed->n; i++)
        if (strcmp(fed->at[i].v->name, v->name) == 0)
            return fed->at[i].array_name;
    return NULL;
}

status diff_points_find(graph *g, const fed_data *fed, arena *a, diff_points *out) {
    *out = (diff_points){.g = g, .memory = a, .by_value = map_in(a), .by_node = map_in(a), .plain = fed == NULL};
    for (size_t i = 0; i < g->inputs.n; i++)
        TRY(add_point(out, g->inputs.at[i], array_of(fed, g->inputs.at[i])));
    for (const node *n = g->first; n != NULL; n = n->next)
        for (int i = 0; i < n->n_outputs; i++)
            if (n->outputs[i] != NULL && n->outputs[i]->constant == NULL)
                TRY(add_point(out, n->outputs[i], NULL));
    return STATUS_OK;
}

status diff_points_named(diff_points *s, const char *name, diff_point **out) {
    const value *v = graph_find_value(s->g, name);
    *out = v != NULL ? map_get_key(&s->by_value, MAP_KEY(v)) : NULL;
    if (v == NULL || *out != NULL || v->constant == NULL)
        return STATUS_OK;
    TRY(add_point(s, v, NULL));
    *out = map_get_key(&s->by_value, MAP_KEY(v));
    return STATUS_OK;
}

status diff_point_real(diff_points *s, diff_point *p, const value **out) {
    *out = p->real;
    if (*out != NULL)
        return STATUS_OK;
    const node *q = p->quantum;
    value *inputs[] = {graph_find_value(s->g, p->v->name), node_input(q, 1), node_input(q, 2)};
    attr attrs[] = {{.name = "axis", .kind = ATTR_INT, .i = op_int(q, "axis")},
                    {.name = "block_size", .kind = ATTR_INT, .i = op_int(q, "block_size")}};
    size_t errors = diag_errors(s->g->diags);
    const node *made = graph_build(s->g, NULL, "DequantizeLinear", inputs, inputs[2] != NULL ? 3 : 2, attrs, 2, 1);
    if (made == NULL)
        return diag_errors(s->g->diags) > errors ? STATUS_INVALID : STATUS_RESOURCE;
    *out = p->real = made->outputs[0];
    return STATUS_OK;
}

bool diff_point_is_integer(const diff_point *p) {
    return p->quantum != NULL && dtype_is_int(p->v->type.elem) && dtype_bits(p->v->type.elem) >= 8;
}

bool diff_point_zero(const diff_point *p, int64_t *out) {
    const value *zero = node_input(p->quantum, 2);
    *out = 0;
    if (zero == NULL)
        return true;
    if (zero->constant == NULL || zero->constant->count == 0)
        return false;
    *out = tensor_int(zero->constant, 0);
    for (int64_t i = 1; i < zero->constant->count; i++)
        if (tensor_int(zero->constant, i) != *out)
            return false;
    return true;
}
