/* An input becomes a constant, whatever its shape. */
#include "data/data.h"
#include "plugin/services.h"

/* A scalar is written out for each element up to here; beyond, and where a dimension is not known, an Expand says it.
 */
#define WRITTEN_BYTES 4096

typedef struct binding {
    graph *g;
    value *v; /* the input */
    const tensor *t;
    node *before; /* new nodes go there */
} binding;

static status refuse(const binding *b, const char *what) {
    strbuf s = strbuf_in(b->g->memory);
    const char *text;
    type_print(&b->v->type, &s);
    TRY(strbuf_finish(&s, &text));
    return diag_error(b->g->diags, STATUS_USAGE, "shape-mismatch", DIAG_NOWHERE, "input '%s' is %s: %s", b->v->name,
                      text, what);
}

/* ---- a tensor of the input's shape ---- */

static void take_symbol(const char *symbol, void *ctx) {
    *(const char **)ctx = symbol;
}

/* A size that is a symbol and nothing else becomes what the tensor has there. */
static status solve(const binding *b, map *sizes) {
    for (int i = 0; i < b->v->type.rank; i++) {
        const char *symbol = NULL;
        dim d = b->v->type.dims[i];
        dim_symbols(d, take_symbol, &symbol);
        if (symbol != NULL && map_get(sizes, symbol) == NULL && dim_equal(d, dim_symbol(b->g->memory, symbol)))
            TRY(map_set(sizes, symbol, (void *)(uintptr_t)&b->t->dims[i]));
    }
    return STATUS_OK;
}

/* Sizes that the tensor gives to symbols hold everywhere. */
static status take_shape(const binding *b) {
    const tensor_type *type = &b->v->type;
    map sizes = map_in(b->g->memory);
    bool same = type->rank < 0 || type->rank == b->t->rank;
    if (same)
        TRY(solve(b, &sizes));
    for (int i = 0; same && i < type->rank; i++)
        same = dim_equal(dim_bind(b->g->memory, type->dims[i], &sizes), DIM(b->t->dims[i]));
    if (!same)
        return refuse(b, "what it is bound to has another shape");
    if (type->rank < 0) {
        dim dims[TENSOR_MAX_RANK];
        for (int i = 0; i < b->t->rank; i++)
            dims[i] = DIM(b->t->dims[i]);
        TRY(graph_set_type(b->g, b->v, &(tensor_type){type->elem, b->t->rank, dims}));
    } else if (sizes.n == 0) {
        return STATUS_OK;
    }
    return graph_bind(b->g, &sizes);
}

/* Values of other types are converted where the input's type can hold them. */
static status convert(binding *b) {
    const tensor *t = b->t;
    if (t->elem == b->v->type.elem)
        return STATUS_OK;
    tensor *made = tensor_new(b->g->memory, b->v->type.elem, t->rank, t->dims, NULL);
    TRY_ALLOC(made);
    b->t = made;
    const array from = {.elem = t->elem, .count = t->count, .data = (void *)(uintptr_t)t->data};
    const array_want want = {.name = b->v->name, .elem = made->elem, .scale = 1};
    return array_convert(&from, &want, (void *)(uintptr_t)made->data, b->g->diags);
}

/* ---- one number for all elements ---- */

/* Has a symbol of the dimension another source: does `d` stand in the type of another input? */
static bool find_source(const binding *b, dim d, value **out, int *out_index) {
    for (size_t i = 0; i < b->g->inputs.n; i++) {
        *out = b->g->inputs.at[i];
        for (*out_index = 0; *out != b->v && *out_index < (*out)->type.rank; ++*out_index)
            if (dim_equal((*out)->type.dims[*out_index], d))
                return true;
    }
    return false;
}

static value *int_constant(const binding *b, int64_t x) {
    tensor *t = tensor_new(b->g->memory, DT_I64, 1, &(int64_t){1}, NULL);
    if (t == NULL)
        return NULL;
    *(int64_t *)(uintptr_t)t->data = x;
    return graph_add_constant(b->g, NULL, t);
}

static status build(const binding *b, const char *op, value *const *inputs, int n, const attr *attrs, int n_attrs,
                    value **out) {
    size_t errors = diag_errors(b->g->diags);
    node *made = graph_build(b->g, b->before, op, inputs, n, attrs, n_attrs, 1);
    if (made == NULL)
        return diag_errors(b->g->diags) > errors ? STATUS_INVALID : STATUS_RESOURCE;
    *out = made->outputs[0];
    return STATUS_OK;
}

/* Dimension i of the input, as i64[1]. */
static status dimension(const binding *b, int i, value **out) {
    dim d = b->v->type.dims[i];
    value *from;
    int index;
    if (dim_is_known(d)) {
        *out = int_constant(b, d.n);
        TRY_ALLOC(*out);
        return STATUS_OK;
    }
    if (!find_source(b, d, &from, &index)) {
        strbuf s = strbuf_in(b->g->memory);
        const char *text;
        strbuf_add(&s, "no other input has its dimension ");
        dim_print(d, &s);
        strbuf_add(&s, ", which --dim or --shape can bind");
        TRY(strbuf_finish(&s, &text));
        return refuse(b, text);
    }
    const attr range[] = {{.name = "start", .kind = ATTR_INT, .i = index},
                          {.name = "end", .kind = ATTR_INT, .i = index + 1}};
    return build(b, "Shape", &from, 1, range, 2, out);
}

/* A scalar for every element of a shape that is not known, or large. */
static status expand(const binding *b, value *scalar, value **out) {
    value *dims[TENSOR_MAX_RANK], *shape = NULL;
    int rank = b->v->type.rank;
    if (rank < 0)
        return refuse(b, "of unknown rank, it cannot be bound to one number");
    for (int i = 0; i < rank; i++)
        TRY(dimension(b, i, &dims[i]));
    const attr axis = {.name = "axis", .kind = ATTR_INT, .i = 0};
    TRY(build(b, "Concat", dims, rank, &axis, 1, &shape));
    value *both[] = {scalar, shape};
    TRY(build(b, "Expand", both, 2, NULL, 0, out));
    return graph_set_type(b->g, *out, &b->v->type); /* which inference cannot tell */
}

static status fill(const binding *b, tensor **out) {
    int64_t dims[TENSOR_MAX_RANK];
    type_shape(&b->v->type, dims);
    *out = tensor_new(b->g->memory, b->t->elem, b->v->type.rank, dims, NULL);
    TRY_ALLOC(*out);
    for (int64_t i = 0; i < (*out)->count; i++)
        dtype_set_double((*out)->elem, (void *)(uintptr_t)(*out)->data, (size_t)i, tensor_double(b->t, 0));
    return STATUS_OK;
}

static status make_value(const binding *b, value **out) {
    const tensor *t = b->t;
    bool one = t->rank == 0 && b->v->type.rank != 0;
    if (!one)
        TRY(take_shape(b));
    int64_t count = type_count(&b->v->type);
    tensor *contents = (tensor *)(uintptr_t)t;
    bool write = one && count >= 0 && dtype_bytes(t->elem, (size_t)count) <= WRITTEN_BYTES;
    if (write)
        TRY(fill(b, &contents));
    *out = graph_add_constant(b->g, NULL, contents);
    TRY_ALLOC(*out);
    return one && !write ? expand(b, *out, out) : STATUS_OK;
}

static status bind(binding *b) {
    value *made = NULL;
    TRY(convert(b));
    TRY(make_value(b, &made));
    TRY(graph_replace_all_uses(b->g, b->v, made));
    return graph_remove_value(b->g, b->v);
}

/* What is told of it outlives the graph. */
static status tell(const pass_host *h, const binding *b) {
    arena *a = h->bound_memory;
    if (h->bound == NULL)
        return STATUS_OK;
    const char *name = arena_strdup(a, b->v->name);
    const void *data = arena_copy(a, b->t->data, b->t->bytes);
    const tensor *t = data != NULL ? tensor_new(a, b->t->elem, b->t->rank, b->t->dims, data) : NULL;
    if (name == NULL || t == NULL)
        return STATUS_RESOURCE;
    return VEC_PUSH(a, *h->bound, (bound_input){name, t});
}

int plugin_bind_input(const tenon_plugin_host *host, tenon_graph *g, tenon_value *v, tenon_tensor *t) {
    pass_host *h = pass_host_of(host);
    binding b = {plugin_graph_of(g), plugin_value(v), (const tensor *)t, plugin_graph_of(g)->first};
    if (!b.v->is_input) {
        pass_host_blame(h, "no-such-input", "binds '%s', which is no input", b.v->name);
        return TENON_PASS_INVALID;
    }
    status s = tell(h, &b);
    return (int)(s == STATUS_OK ? bind(&b) : s);
}
