/* LOAD and STORE: contiguous, masked, gathered. */
#include <stdlib.h>
#include <string.h>

#include "codegen/c99/c99.h"

static bool is_number(const char *s) {
    return *s >= '0' && *s <= '9' && strspn(s, "0123456789") == strlen(s);
}

/* index + n, for constant n >= 0. */
static code advanced(c99 *c, code index, int n) {
    if (n == 0)
        return index;
    if (is_number(index.s))
        return c99_code(c, LEVEL_NAME, 1, "%lld", strtoll(index.s, NULL, 10) + n);
    return c99_code(c, LEVEL_ADD, index.cost, "%s + %d", c99_inside(c, index, LEVEL_ADD), n);
}

/* The address of an element: b + i. */
static const char *address(c99 *c, int buffer, code index) {
    if (strcmp(index.s, "0") == 0)
        return c->buffer_names[buffer];
    return c99_code(c, LEVEL_ADD, 0, "%s + %s", c->buffer_names[buffer], c99_inside(c, index, LEVEL_ADD)).s;
}

static code element(c99 *c, int buffer, code index) {
    return c99_code(c, LEVEL_ATOM, index.cost + 1, "%s[%s]", c->buffer_names[buffer], index.s);
}

/* A vector in memory, as what may be read or written. */
static code vector_at(c99 *c, int buffer, dtype elem, int count, code index) {
    bool is_const = c->k->buffers.at[buffer].access == ACCESS_READ;
    return c99_code(c, LEVEL_UNARY, index.cost + 1, "*(%s%s *)(%s)", is_const ? "const " : "",
                    c99_memory_vector(c, elem, count), address(c, buffer, index));
}

/* One element, 0 where the mask is false. */
static code load_lane(c99 *c, int buffer, dtype elem, code index, const code *mask) {
    code x = element(c, buffer, index);
    if (elem == DT_BOOL)
        x = c99_code(c, LEVEL_ANY, x.cost + 1, "%s != 0", x.s);
    if (mask == NULL)
        return x;
    const char *m = c99_inside(c, *mask, LEVEL_UNARY), *cast = "";
    if (dtype_bits(elem) < 32 && elem != DT_BOOL)
        cast = c99_code(c, LEVEL_ANY, 0, "(%s)", c99_scalar_type(elem)).s;
    const char *zero = elem == DT_F32 ? "0.0f" : elem == DT_F64 ? "0.0" : elem == DT_BOOL ? "false" : "0";
    return c99_code(c, LEVEL_ANY, x.cost + mask->cost + 1, *cast ? "%s(%s ? %s : %s)" : "%s%s ? %s : %s", cast, m,
                    c99_inside(c, x, LEVEL_UNARY), zero);
}

/* A byte vector of bools as a mask. */
static code bytes_to_mask(c99 *c, int count, code bytes) {
    return c99_code(c, LEVEL_UNARY, bytes.cost + 1, "(%s)(%s != 0)", c99_vector(c, DT_I8, count),
                    c99_inside(c, bytes, LEVEL_UNARY));
}

static bool load_vector(c99 *c, const expr *x, code index, value *mask, const part *p, code *out) {
    dtype t = c99_stored(x->type.elem);
    code at = advanced(c, index, p->first);
    if (mask == NULL)
        *out = vector_at(c, x->ref, t, p->count, at);
    else if (!c99_vector_masked_load(c, t, p->count, address(c, x->ref, at), c99_piece(c, mask, p->first, p->count),
                                     out))
        return false;
    if (x->type.elem == DT_BOOL)
        *out = bytes_to_mask(c, p->count, *out);
    return true;
}

value c99_load(c99 *c, const expr *x) {
    dtype t = x->type.elem;
    const expr *i = x->arg[0];
    value v = c99_value(c, t, dtype_bits(t), x->type.lanes);
    value *mask = x->masked ? c99_mask(c, x->arg[x->n_args - 1], dtype_bits(t)) : NULL;
    bool gathers = i->type.lanes > 1;
    code index = gathers ? (code){"0", LEVEL_NAME, 0} : c99_scalar_expr(c, i);
    if (x->type.lanes > 1)
        index = index.cost > 3 ? c99_temporary(c, DT_I64, 64, 1, index) : index;
    for (int k = 0; k < v.n && !c->failed; k++) {
        part *p = &v.at[k];
        if (p->count > 1 && !gathers && load_vector(c, x, index, mask, p, &p->code))
            continue;
        code lanes[MAX_LANES];
        for (int j = 0; j < p->count; j++) {
            int lane = p->first + j;
            code m = mask == NULL ? (code){"", LEVEL_NAME, 0} : c99_lane(c, mask, lane);
            lanes[j] = load_lane(c, x->ref, t, gathers ? c99_lane_of(c, i, lane) : advanced(c, index, lane),
                                 mask == NULL ? NULL : &m);
        }
        p->code = c99_gathered(c, t, v.bits, p->count, lanes);
    }
    return v;
}

code c99_load_word(c99 *c, const expr *x) {
    code at = vector_at(c, x->ref, c99_stored(x->type.elem), x->type.lanes, c99_scalar_expr(c, x->arg[0]));
    return c99_code(c, LEVEL_UNARY, at.cost, "(int32_t)%s", c99_inside(c, at, LEVEL_UNARY));
}

static bool store_vector(c99 *c, const stmt *s, code index, value *v, value *mask, const part *p) {
    dtype t = c99_stored(v->elem);
    code x = c99_piece(c, v, p->first, p->count), at = advanced(c, index, p->first);
    if (v->elem == DT_BOOL)
        x = c99_code(c, LEVEL_UNARY, x.cost + 1, "(%s)(%s & 1)", c99_vector(c, DT_U8, p->count),
                     c99_inside(c, x, LEVEL_UNARY));
    if (mask == NULL) {
        c99_line(c, "%s = %s;", vector_at(c, s->store.buffer, t, p->count, at).s, x.s);
        return true;
    }
    const char *text;
    code m = c99_piece(c, mask, p->first, p->count);
    if (!c99_vector_masked_store(c, t, p->count, address(c, s->store.buffer, at), m, x, &text))
        return false;
    c99_line(c, "%s;", text);
    return true;
}

static void store_lane(c99 *c, const stmt *s, code index, value *v, value *mask, int lane) {
    const char *to = element(c, s->store.buffer, index).s;
    code x = c99_lane(c, v, lane);
    const char *text =
        v->elem == DT_BOOL ? c99_code(c, LEVEL_UNARY, 0, "(uint8_t)%s", c99_inside(c, x, LEVEL_UNARY)).s : x.s;
    if (mask == NULL)
        c99_line(c, "%s = %s;", to, text);
    else {
        code m = c99_lane(c, mask, lane);
        c99_line(c, "if (%s)", m.s);
        c->indent++;
        c99_line(c, "%s = %s;", to, text);
        c->indent--;
    }
}

void c99_store(c99 *c, const stmt *s) {
    const expr *i = s->store.index;
    value *v = c99_expr(c, s->store.value);
    int width = dtype_bits(v->elem);
    if (v->elem == DT_BOOL)
        v = c99_mask(c, s->store.value, 8);
    value *mask = s->store.mask == NULL ? NULL : c99_mask(c, s->store.mask, width);
    bool scatters = i->type.lanes > 1;
    code index = scatters ? (code){"0", LEVEL_NAME, 0} : c99_scalar_expr(c, i), lanes[MAX_LANES];
    for (int j = 0; scatters && j < v->lanes; j++)
        lanes[j] = c99_lane_of(c, i, j);
    /* What is stored in several pieces must not be read between them. */
    if (v->lanes > 1 && c->k->buffers.at[s->store.buffer].access != ACCESS_WRITE) {
        c99_name_parts(c, v);
        index = c99_temporary(c, DT_I64, 64, 1, index);
        for (int j = 0; scatters && j < v->lanes; j++)
            lanes[j] = c99_temporary(c, DT_I64, 64, 1, lanes[j]);
        if (mask != NULL)
            c99_name_parts(c, mask);
    }
    if (v->lanes > 1)
        index = index.cost > 3 ? c99_temporary(c, DT_I64, 64, 1, index) : index;
    for (int k = 0; k < v->n && !c->failed; k++) {
        part *p = &v->at[k];
        if (p->count > 1 && !scatters && store_vector(c, s, index, v, mask, p))
            continue;
        for (int j = p->first; j < p->first + p->count; j++)
            store_lane(c, s, scatters ? lanes[j] : advanced(c, index, j), v, mask, j);
    }
}
