/* Graphs between tenon and its workers: the text form, in which contents are named by their place in a parcel.
 *
 * A name is 64 hexadecimal digits: 1 for a parcel of the worker's, 0 for what it was sent; and the place there.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "plugin/wire.h"

typedef struct wire_blob {
    uint64_t at;
    bool sent; /* to the worker: both have it */
    const tensor *t;
} wire_blob;

/* Addresses and places are told apart by the lowest bit. */
static uint64_t place_key(uint64_t at) {
    return at << 1 | 1;
}

static uint64_t address_key(const void *data) {
    return (uint64_t)(uintptr_t)data << 1;
}

status wire_store_send(wire_store *s, parcel *to, arena *a) {
    *s = (wire_store){.to = to, .a = a, .known = map_in(a)};
    return STATUS_OK;
}

status wire_store_receive(wire_store *s, const parcel *request, parcel *answer, arena *a) {
    *s = (wire_store){.to = answer, .a = a, .known = map_in(a), .from = request};
    return parcel_map(request, a, &s->mapped, &s->mapped_bytes);
}

/* ---- sending ---- */

static status add_blob(wire_store *s, const tensor *t, const wire_blob **out) {
    wire_blob *b = ARENA_NEW(s->a, wire_blob);
    TRY_ALLOC(b);
    *b = (wire_blob){.sent = s->from == NULL, .t = t};
    TRY(parcel_add(s->to, t->data, t->bytes, &b->at));
    TRY(map_set_key(&s->known, place_key(b->at), b));
    TRY(map_set_key(&s->known, address_key(t->data), b));
    *out = b;
    return STATUS_OK;
}

/* What lies in the request has its place there. */
static status find_place(wire_store *s, const tensor *t, uint64_t *out_at, bool *out_sent) {
    const uint8_t *data = t->data;
    if (s->mapped != NULL && data >= s->mapped && data < s->mapped + s->mapped_bytes) {
        *out_at = (uint64_t)(data - s->mapped);
        *out_sent = true;
        return STATUS_OK;
    }
    const wire_blob *b = map_get_key(&s->known, address_key(data));
    if (b == NULL || b->t->bytes != t->bytes)
        TRY(add_blob(s, t, &b));
    *out_at = b->at;
    *out_sent = b->sent;
    return STATUS_OK;
}

static status name_contents(void *ctx, const tensor *t, char out[65]) {
    uint64_t at = 0;
    bool sent = false;
    TRY(find_place(ctx, t, &at, &sent));
    snprintf(out, 65, "%048d%016llx", !sent, (unsigned long long)at);
    return STATUS_OK;
}

/* The state's length comes first, for both go on to their end. */
status wire_put_graph(strbuf *out, const graph *g, wire_store *s) {
    const graph_naming by = {name_contents, s};
    strbuf state = strbuf_in(s->a);
    const char *text;
    graph_state_print(g, &state);
    TRY(strbuf_finish(&state, &text));
    strbuf_printf(out, "state %zu\n%s", strlen(text), text);
    graph_print_named(g, &by, out);
    return out->failed ? STATUS_RESOURCE : STATUS_OK;
}

status wire_put_tensor(strbuf *out, const tensor *t, wire_store *s) {
    uint64_t at = 0;
    bool sent = false;
    TRY(find_place(s, t, &at, &sent));
    strbuf_printf(out, " %d %llu %d %d", sent, (unsigned long long)at, (int)t->elem, t->rank);
    for (int i = 0; i < t->rank; i++)
        strbuf_printf(out, " %lld", (long long)t->dims[i]);
    return STATUS_OK;
}

/* ---- receiving ---- */

typedef struct resolving {
    wire_store *s;
    const parcel *answer;
    arena *keep; /* what the new graph's constants need */
    VEC(const wire_blob *) used;
    bool out_of_memory;
} resolving;

/* Are there so many bytes? Asked before memory for them is. */
static bool has_blob(const parcel *from, uint64_t at, size_t bytes) {
    uint8_t last;
    return from != NULL && bytes <= INT64_MAX - at && (bytes == 0 || parcel_read(from, at + bytes - 1, &last, 1));
}

static status copy_blob(const parcel *from, uint64_t at, size_t bytes, arena *a, const void **out) {
    if (!has_blob(from, at, bytes))
        return STATUS_INVALID;
    void *data = arena_alloc(a, bytes);
    TRY_ALLOC(data);
    *out = data;
    return parcel_read(from, at, data, bytes) ? STATUS_OK : STATUS_INVALID;
}

/* A tensor of ours: shared where it outlives its graph. */
static status share(resolving *r, uint64_t at, size_t bytes, const void **out) {
    const wire_blob *b = map_get_key(&r->s->known, place_key(at));
    if (b == NULL || b->t->bytes != bytes)
        return STATUS_INVALID;
    *out = b->t->release != NULL ? b->t->data : arena_copy(r->keep, b->t->data, bytes);
    TRY_ALLOC(*out);
    return b->t->release != NULL ? VEC_PUSH(r->keep, r->used, b) : STATUS_OK;
}

static status find_sent(resolving *r, uint64_t at, size_t bytes, const void **out) {
    const wire_store *s = r->s;
    if (s->mapped == NULL)
        return share(r, at, bytes, out);
    *out = s->mapped + at;
    return at <= s->mapped_bytes && bytes <= s->mapped_bytes - at ? STATUS_OK : STATUS_INVALID;
}

static const void *resolve(void *ctx, const char *name, size_t bytes) {
    resolving *r = ctx;
    const void *data = NULL;
    bool sent = name[47] == '0';
    if (strspn(name, "0") < 47)
        return NULL;
    uint64_t at = strtoull(name + 48, NULL, 16);
    status s = sent ? find_sent(r, at, bytes, &data) : copy_blob(r->answer, at, bytes, r->keep, &data);
    r->out_of_memory |= s == STATUS_RESOURCE;
    return s == STATUS_OK ? data : NULL;
}

static bool same_shape(const tensor *x, const tensor *y) {
    return x->elem == y->elem && x->rank == y->rank && memcmp(x->dims, y->dims, (size_t)x->rank * sizeof *x->dims) == 0;
}

/* The graph holds what it borrows, and its values have the very tensors, so that copies of it share them, too. */
static status hold(const resolving *r, graph *g) {
    map ours = map_in(r->keep);
    for (size_t i = 0; i < r->used.n; i++) {
        tensor *t = (tensor *)(uintptr_t)r->used.at[i]->t;
        if (map_get_key(&ours, MAP_KEY(t->data)) != NULL)
            continue;
        TRY(tensor_hold(g->memory, t));
        TRY(map_set_key(&ours, MAP_KEY(t->data), t));
    }
    for (value *v = g->values; v != NULL; v = v->next) {
        tensor *t = v->constant != NULL ? map_get_key(&ours, MAP_KEY(v->constant->data)) : NULL;
        if (t != NULL && same_shape(t, v->constant))
            v->constant = t;
    }
    return STATUS_OK;
}

static void free_arena(void *a) {
    arena_free(a);
}

static status finish(const resolving *r, const char *state, size_t n, graph *g) {
    TRY(arena_on_free(g->memory, free_arena, r->keep));
    TRY(hold(r, g));
    return graph_state_restore(g, state, n);
}

status wire_graph(wire *w, wire_store *s, const parcel *answer, const char *file, const allocator *from, diag *d,
                  const op_table *ops, graph **out) {
    bool has_state = wire_take(w, "state");
    size_t n = (size_t)wire_integer(w, 0, has_state ? INT32_MAX : -1);
    if (!w->ok || w->s.at == w->s.end || n > (size_t)(w->s.end - w->s.at) - 1)
        return STATUS_INVALID;
    const char *state = w->s.at + 1;
    resolving r = {.s = s, .answer = answer, .keep = arena_new(from)};
    TRY_ALLOC(r.keep);
    graph *g;
    status parsed = graph_parse(state + n, (size_t)(w->s.end - state) - n, file, from, d, ops, resolve, &r, &g);
    if (parsed != STATUS_OK) {
        arena_free(r.keep);
        return r.out_of_memory ? STATUS_RESOURCE : parsed;
    }
    status done = finish(&r, state, n, g);
    if (done == STATUS_OK)
        *out = g;
    else
        graph_free(g);
    return done;
}

status wire_tensor(wire *w, const wire_store *s, const parcel *answer, arena *a, tensor **out) {
    int64_t dims[TENSOR_MAX_RANK];
    bool sent = wire_integer(w, 0, 1) == 1;
    uint64_t at = (uint64_t)wire_integer(w, 0, INT64_MAX);
    dtype elem = (dtype)wire_integer(w, DT_NONE + 1, DT_COUNT - 1);
    int rank = (int)wire_integer(w, 0, TENSOR_MAX_RANK);
    for (int i = 0; i < rank; i++)
        dims[i] = wire_integer(w, 0, INT64_MAX);
    tensor *shape = w->ok ? tensor_new(a, elem, rank, dims, "") : NULL;
    if (shape == NULL)
        return STATUS_INVALID;
    const wire_blob *b = sent ? map_get_key(&s->known, place_key(at)) : NULL;
    const void *data = NULL;
    if (b == NULL)
        TRY(copy_blob(answer, at, shape->bytes, a, &data));
    else if (b->t->bytes != shape->bytes)
        return STATUS_INVALID;
    else
        TRY_ALLOC(data = arena_copy(a, b->t->data, shape->bytes));
    *out = tensor_new(a, elem, rank, dims, data);
    return *out != NULL ? STATUS_OK : STATUS_RESOURCE;
}
