/* -p input: what an application feeds becomes what the model wants, inside the model: another element type, another
 * layout, (fed - mean) * scale. */
#include <string.h>

#include "passes/builtin.h"

enum { IMAGE_RANK = 4 };

static const char *const type_names[] = {"uint8",    "int8",    "uint16", "int16",   "uint32",
                                         "int32",    "uint64",  "int64",  "float",   "float16",
                                         "bfloat16", "float32", "double", "float64", NULL};
static const dtype types[] = {DT_U8,  DT_I8,  DT_U16, DT_I16,  DT_U32, DT_I32, DT_U64,
                              DT_I64, DT_F32, DT_F16, DT_BF16, DT_F32, DT_F64, DT_F64};
_Static_assert(sizeof type_names / sizeof *type_names == sizeof types / sizeof *types + 1, "a type for each name");

typedef enum layout { LAYOUT_NCHW, LAYOUT_NHWC } layout;
static const char *const layout_names[] = {[LAYOUT_NCHW] = "nchw", [LAYOUT_NHWC] = "nhwc", NULL};
/* Dimension k of the other layout is dimension perm[k] of this one. */
static const int64_t to_other[][IMAGE_RANK] = {[LAYOUT_NCHW] = {0, 2, 3, 1}, [LAYOUT_NHWC] = {0, 3, 1, 2}};

#define OPTION(id, kind, name, argument, help, choices)                                                                \
    static const tenon_option option_##id = {sizeof option_##id, kind, name, argument, help, NULL, 0, 0, choices}
OPTION(name, TENON_OPTION_STRING, "name", "INPUT", "which input (default: the only one)", NULL);
OPTION(scale, TENON_OPTION_FLOATS, "scale", "X[,X...]",
       "what the model gets is (fed - mean) * scale; one number, or one per channel", NULL);
OPTION(mean, TENON_OPTION_FLOATS, "mean", "X[,X...]", "likewise", NULL);
OPTION(type, TENON_OPTION_ENUM, "type", "TYPE", "what is fed: uint8, int8, ..., float16, bfloat16, float, double",
       type_names);
OPTION(layout, TENON_OPTION_ENUM, "layout", "LAYOUT",
       "how pictures are fed: nhwc or nchw; transposed where the model differs", layout_names);

typedef struct change {
    graph *g;
    const option_value *name, *scale, *mean, *type, *layout; /* what was asked */
    value *v;                                                /* the input */
    tensor_type model;                                       /* its type before */
    dtype fed;                                               /* element type after */
    layout has;            /* of the model's tensor, as far as its rank lets it have one */
    int channels;          /* axis of the model's tensor */
    const node *quantised; /* the DequantizeLinear whose parameters bring real values to the model; NULL */
    node *before;          /* new nodes go there */
    value *x;              /* where the chain has got to */
} change;

__attribute__((format(printf, 2, 3))) static status refuse(const change *c, const char *format, ...) {
    strbuf s = strbuf_in(c->g->memory);
    const char *text;
    va_list args;
    va_start(args, format);
    strbuf_vprintf(&s, format, args);
    va_end(args);
    TRY(strbuf_finish(&s, &text));
    return diag_error(c->g->diags, STATUS_USAGE, "usage", DIAG_NOWHERE, "-p input: %s", text);
}

/* ---- which input ---- */

static status find_input(change *c) {
    const graph *g = c->g;
    const char *wanted = c->name->text, *text;
    if (wanted == NULL && g->inputs.n == 1) {
        c->v = g->inputs.at[0];
        return STATUS_OK;
    }
    const char **names = ARENA_NEW_N(g->memory, const char *, g->inputs.n + 1);
    TRY_ALLOC(names);
    strbuf list = strbuf_in(g->memory);
    for (size_t i = 0; i < g->inputs.n; i++) {
        c->v = g->inputs.at[i];
        names[i] = c->v->name;
        if (wanted != NULL && strcmp(names[i], wanted) == 0)
            return STATUS_OK;
        strbuf_printf(&list, "%s'%s'", i > 0 ? ", " : "", names[i]);
    }
    TRY(strbuf_finish(&list, &text));
    if (wanted == NULL)
        return g->inputs.n > 0 ? refuse(c, "say with name= which input is meant: the model has %s", text)
                               : refuse(c, "the model has no input");
    diag_error(g->diags, STATUS_USAGE, "unknown-input", DIAG_NOWHERE,
               "-p input: the model has no input '%s'; it has %s", wanted, g->inputs.n > 0 ? text : "none");
    const char *near = text_nearest(wanted, names, g->inputs.n);
    if (near != NULL)
        diag_note(g->diags, "did you mean '%s'?", near);
    return STATUS_USAGE;
}

/* ---- what the model makes of it ---- */

static bool is_nchw_transpose(const node *n) {
    int64_t rank;
    const int64_t *perm = op_ints(n, "perm", &rank);
    return perm != NULL && rank == IMAGE_RANK && memcmp(perm, to_other[LAYOUT_NHWC], sizeof to_other[0]) == 0;
}

/* ONNX's operators on pictures are NCHW; so is the tensor, unless a Transpose to NCHW is the first that moves its
 * elements. */
static layout layout_of(const value *v) {
    while (v->type.rank == IMAGE_RANK && v->n_uses == 1 && v->uses->user != NULL) {
        const node *n = v->uses->user;
        if (is_op(n, "Transpose"))
            return is_nchw_transpose(n) ? LAYOUT_NHWC : LAYOUT_NCHW;
        if (n->row == NULL || (n->row->kind != OP_SCALAR && !is_op(n, "DequantizeLinear")) || n->outputs[0] == NULL)
            break;
        v = n->outputs[0];
    }
    return LAYOUT_NCHW;
}

static bool is_known(const value *v) {
    return v == NULL || v->constant != NULL;
}

static const node *find_dequantize(const value *v) {
    const uint64_t may = TYPE_BIT(DT_U8) | TYPE_BIT(DT_I8) | TYPE_BIT(DT_U16) | TYPE_BIT(DT_I16);
    for (const use *u = v->uses; u != NULL && (may & TYPE_BIT(v->type.elem)) != 0; u = u->next)
        if (u->user != NULL && u->index == 0 && is_op(u->user, "DequantizeLinear") &&
            is_known(node_input(u->user, 1)) && is_known(node_input(u->user, 2)) && op_int(u->user, "block_size") == 0)
            return u->user;
    return NULL;
}

/* ---- what cannot be done ---- */

static status check_numbers(const change *c, const char *name, const option_value *x) {
    if (x->n == 1 || !x->given)
        return STATUS_OK;
    if (c->channels >= c->model.rank)
        return refuse(c, "'%s' has no channels: give one number for %s=", c->v->name, name);
    dim d = c->model.dims[c->channels];
    if (dim_is_known(d) && d.n == (int64_t)x->n)
        return STATUS_OK;
    const char *text;
    strbuf s = strbuf_in(c->g->memory);
    type_print(&c->model, &s);
    TRY(strbuf_finish(&s, &text));
    return refuse(c, "%s= has %zu numbers, but '%s' is %s, with the channels in dimension %d", name, x->n, c->v->name,
                  text, c->channels);
}

static status check(const change *c) {
    bool moves = c->scale->given || c->mean->given, is_real = dtype_is_float(c->model.elem);
    if (!moves && !c->type->given && !c->layout->given)
        return refuse(c, "what is to change about '%s'? give scale=, mean=, type= or layout=", c->v->name);
    if (c->layout->given && c->model.rank != IMAGE_RANK)
        return refuse(c, "layout= is for inputs of four dimensions, which '%s' has not", c->v->name);
    if (!is_real && c->quantised == NULL && (moves || dtype_is_float(c->fed)))
        return refuse(
            c, "'%s' is %s and feeds no DequantizeLinear: another integer type may be fed, without scale and mean",
            c->v->name, dtype_name(c->model.elem));
    TRY(check_numbers(c, "mean", c->mean));
    return check_numbers(c, "scale", c->scale);
}

/* ---- the nodes ---- */

/* Appends a node whose first input is where the chain has got to. */
static status append(change *c, const char *op, value *second, value *third, const attr *a) {
    value *inputs[] = {c->x, second, third};
    int n = third != NULL ? 3 : second != NULL ? 2 : 1;
    size_t errors = diag_errors(c->g->diags);
    node *made = graph_build(c->g, c->before, op, inputs, n, a, a != NULL ? 1 : 0, 1);
    if (made == NULL)
        return diag_errors(c->g->diags) > errors ? STATUS_INVALID : STATUS_RESOURCE;
    c->x = made->outputs[0];
    return STATUS_OK;
}

static status append_cast(change *c, dtype t) {
    attr to = {.name = "to", .kind = ATTR_INT, .i = dtype_to_onnx(t)};
    return c->x->type.elem == t ? STATUS_OK : append(c, "Cast", NULL, NULL, &to);
}

/* x op numbers, which lie along the channels. */
static status append_numbers(change *c, const char *op, const char *name, const option_value *from) {
    if (from->n == 0)
        return STATUS_OK;
    int64_t dims[TENSOR_MAX_RANK];
    int rank = from->n > 1 ? c->model.rank - c->channels : 0;
    for (int i = 0; i < rank; i++)
        dims[i] = i == 0 ? (int64_t)from->n : 1;
    tensor *t = tensor_new(c->g->memory, c->x->type.elem, rank, dims, NULL);
    TRY_ALLOC(t);
    for (size_t i = 0; i < from->n; i++)
        dtype_set_double(t->elem, (void *)(uintptr_t)t->data, i, from->numbers[i]);
    value *numbers = graph_add_constant(c->g, name, t);
    TRY_ALLOC(numbers);
    return append(c, op, numbers, NULL, NULL);
}

/* The parameters of the node that undoes it. A zero point that is left out means uint8 to QuantizeLinear. */
static status append_quantise(change *c) {
    value *scale = node_input(c->quantised, 1), *zero = node_input(c->quantised, 2);
    attr axis = {.name = "axis", .kind = ATTR_INT, .i = op_int(c->quantised, "axis")};
    if (zero == NULL) {
        int64_t dims[TENSOR_MAX_RANK];
        type_shape(&scale->type, dims);
        tensor *t = tensor_new(c->g->memory, c->model.elem, scale->type.rank, dims, NULL);
        TRY_ALLOC(t);
        TRY_ALLOC(zero = graph_add_constant(c->g, NULL, t));
    }
    TRY(append_cast(c, scale->type.elem));
    return append(c, "QuantizeLinear", scale, zero, &axis);
}

static status append_all(change *c) {
    bool transposed = c->layout->given && (layout)c->layout->i != c->has;
    bool moves = c->scale->given || c->mean->given;
    if (transposed) {
        attr perm = {.name = "perm", .kind = ATTR_INTS, .ints = to_other[c->layout->i], .n = IMAGE_RANK};
        TRY(append(c, "Transpose", NULL, NULL, &perm));
    }
    if (moves || (c->quantised != NULL && c->type->given)) {
        TRY(append_cast(c, c->fed == DT_F64 || c->model.elem == DT_F64 ? DT_F64 : DT_F32));
        TRY(append_numbers(c, "Sub", "mean", c->mean));
        TRY(append_numbers(c, "Mul", "scale", c->scale));
        if (c->quantised != NULL)
            return append_quantise(c);
    }
    return append_cast(c, c->model.elem);
}

/* ---- the graph ---- */

/* The type that the input has from now on. */
static status set_fed_type(change *c) {
    dim dims[TENSOR_MAX_RANK];
    const int64_t *perm = to_other[c->has];
    bool transposed = c->layout->given && (layout)c->layout->i != c->has;
    for (int i = 0; i < c->model.rank; i++)
        dims[i] = c->model.dims[transposed ? perm[i] : i];
    return graph_set_type(c->g, c->v, &(tensor_type){c->fed, c->model.rank, dims});
}

/* Hands what the chain makes to everybody who used the input before. */
static status splice(change *c) {
    use *old = ARENA_NEW_N(c->g->memory, use, c->v->n_uses + 1);
    TRY_ALLOC(old);
    int n = 0;
    for (const use *u = c->v->uses; u != NULL; u = u->next)
        old[n++] = *u;
    c->x = c->v;
    c->before = c->g->first;
    TRY(set_fed_type(c));
    TRY(append_all(c));
    for (int i = 0; i < n; i++)
        TRY(old[i].user != NULL ? node_set_input(old[i].user, old[i].index, c->x)
                                : graph_set_output(c->g, old[i].index, c->x));
    return STATUS_OK;
}

static status change_input(graph *g, const tenon_plugin_host *h) {
    change c = {.g = g};
    TRY_ALLOC(c.name = option_find(h, "name", ~0u, NULL));
    TRY_ALLOC(c.scale = option_find(h, "scale", ~0u, NULL));
    TRY_ALLOC(c.mean = option_find(h, "mean", ~0u, NULL));
    TRY_ALLOC(c.type = option_find(h, "type", ~0u, NULL));
    TRY_ALLOC(c.layout = option_find(h, "layout", ~0u, NULL));
    TRY(find_input(&c));
    c.model = c.v->type;
    c.fed = c.type->given ? types[c.type->i] : c.model.elem;
    c.has = layout_of(c.v);
    c.channels = c.model.rank < 2 ? 0 : c.has == LAYOUT_NHWC ? c.model.rank - 1 : 1;
    c.quantised = find_dequantize(c.v);
    TRY(check(&c));
    return splice(&c);
}

static int run(const tenon_plugin_host *h, void *state, tenon_graph *g) {
    (void)state;
    return (int)change_input(pass_graph(g), h);
}

const tenon_pass input_pass = {
    .struct_size = sizeof input_pass,
    .flags = TENON_PASS_CHANGES_INPUTS,
    .name = "input",
    .help = "what is fed becomes what the model wants: (fed - mean) * scale, type, layout",
    .stage = "edit",
    .options =
        (const tenon_option *const[]){&option_name, &option_scale, &option_mean, &option_type, &option_layout, NULL},
    .run = run,
    .doc = "An application feeds what it has, such as the bytes of a picture, and the model does the rest: the input "
           "gets another element\n"
           "type or layout, and new nodes bring it to what the model wants. They are fused into the first kernel. An "
           "input that feeds a\n"
           "DequantizeLinear is quantised with that node's parameters.",
};
