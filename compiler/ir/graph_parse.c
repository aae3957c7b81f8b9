/* Graphs from text: see graph_text.h for the form. The text is untrusted. */
#include <string.h>

#include "ir/graph_parts.h"
#include "ir/graph_text.h"

enum { GRAPH_DEPTH_MAX = 8 };

/* An input or output whose value may be defined further down. */
typedef struct reference {
    node *user; /* NULL: a graph output */
    int index;
    const char *name;
    const char *output_name;
    int line;
} reference;

typedef struct parser {
    scan *s;
    graph *g;
    const allocator *from;
    graph_resolver resolve;
    void *ctx;
    int depth;
    VEC(reference) references;
    VEC(value *) outputs; /* of the node being read; NULL: absent */
} parser;

static status parse_graph(const parser *outer, graph **out);

/* ---- errors ---- */

static status error_at(const parser *p, int line, const char *id, const char *what, const char *name) {
    if (name == NULL)
        return diag_error(p->g->diags, STATUS_INVALID, id, graph_place(p->g), "line %d: %s", line, what);
    return diag_error(p->g->diags, STATUS_INVALID, id, graph_place(p->g), "line %d: %s '%s'", line, what, name);
}

static status syntax(const parser *p, const char *what) {
    return error_at(p, p->s->line, "graph-syntax", what, NULL);
}

static status expect(const parser *p, const char *token) {
    return scan_take(p->s, token) ? STATUS_OK : error_at(p, p->s->line, "graph-syntax", "expected", token);
}

/* ---- names and types ---- */

/* A quoted text without zero bytes. */
static status parse_text(const parser *p, const char **out) {
    size_t n;
    status s = scan_quoted(p->s, p->g->memory, out, &n);
    if (s == STATUS_INVALID)
        return syntax(p, "expected a text in quotes");
    TRY(s);
    return memchr(*out, '\0', n) == NULL ? STATUS_OK : syntax(p, "a zero byte in a name");
}

static status copy_text(const parser *p, const char *text, size_t n, const char **out) {
    *out = arena_strndup(p->g->memory, text, n);
    TRY_ALLOC(*out);
    return STATUS_OK;
}

static status parse_word_or_text(const parser *p, const char **out) {
    const char *text;
    size_t n;
    if (scan_word(p->s, &text, &n))
        return copy_text(p, text, n, out);
    return parse_text(p, out);
}

/* A value's name behind its %. */
static status parse_name(const parser *p, const char **out) {
    scan *s = p->s;
    TRY(expect(p, "%"));
    const char *from = s->at;
    while (s->at < s->end && text_is_name_part(*s->at))
        s->at++;
    if (s->at > from)
        return copy_text(p, from, (size_t)(s->at - from), out);
    if (s->at == s->end || *s->at != '"')
        return syntax(p, "expected a name after %");
    return parse_text(p, out);
}

static status parse_dims(const parser *p, dim dims[TENSOR_MAX_RANK], int *out_rank) {
    *out_rank = 0;
    if (scan_take(p->s, "]"))
        return STATUS_OK;
    do {
        if (*out_rank == TENSOR_MAX_RANK)
            return syntax(p, "too many dimensions");
        status s = scan_dim(p->s, p->g->memory, &dims[*out_rank]);
        if (s == STATUS_INVALID)
            return syntax(p, "expected a dimension");
        TRY(s);
        int64_t low, high;
        dim_range(dims[*out_rank], &low, &high);
        if (high < 0)
            return syntax(p, "a dimension below 0");
        ++*out_rank;
    } while (scan_take(p->s, ","));
    return expect(p, "]");
}

static status parse_type(const parser *p, tensor_type *out) {
    *out = (tensor_type){DT_NONE, -1, NULL};
    const char *text, *name;
    size_t n;
    if (!scan_take(p->s, "?")) {
        if (!scan_word(p->s, &text, &n))
            return syntax(p, "expected a type");
        TRY(copy_text(p, text, n, &name));
        out->elem = dtype_parse(name);
        if (out->elem == DT_NONE)
            return error_at(p, p->s->line, "graph-syntax", "unknown element type", name);
    }
    TRY(expect(p, "["));
    if (scan_take(p->s, "*"))
        return expect(p, "]");
    dim dims[TENSOR_MAX_RANK];
    TRY(parse_dims(p, dims, &out->rank));
    out->dims = arena_copy(p->g->memory, dims, (size_t)out->rank * sizeof *dims);
    TRY_ALLOC(out->dims);
    return STATUS_OK;
}

/* "%name: type" of a value that is new. */
static status parse_typed(const parser *p, const char **out_name, tensor_type *out_type) {
    TRY(parse_name(p, out_name));
    if (graph_find_value(p->g, *out_name) != NULL)
        return error_at(p, p->s->line, "duplicate-value", "a second definition of", *out_name);
    TRY(expect(p, ":"));
    return parse_type(p, out_type);
}

static status parse_data(const parser *p, const tensor_type *type, tensor **out) {
    const char *why = NULL;
    status s = tensor_scan_data(p->s, p->g->memory, type, p->resolve, p->ctx, out, &why);
    return s == STATUS_INVALID ? syntax(p, why) : s;
}

/* ---- attributes ---- */

/* An integer is a number without point, exponent or letters. */
static bool scan_attr_int(scan *s, int64_t *out) {
    scan before = *s;
    if (scan_int(s, out) && (s->at == s->end || strchr(".e", *s->at) == NULL || *s->at == '\0'))
        return true;
    *s = before;
    return false;
}

static bool scan_attr_float(scan *s, double *out) {
    float f;
    bool ok = element_scan(s, DT_F32, &f, 0);
    *out = ok ? (double)f : 0;
    return ok;
}

static status parse_ints(const parser *p, attr *a) {
    VEC(int64_t) list = {0};
    int64_t x;
    do {
        if (!scan_attr_int(p->s, &x))
            return syntax(p, "expected an integer");
        TRY(VEC_PUSH(p->g->memory, list, x));
    } while (scan_take(p->s, ","));
    a->kind = ATTR_INTS;
    a->ints = list.at;
    a->n = (int64_t)list.n;
    return expect(p, "]");
}

static status parse_floats(const parser *p, attr *a) {
    VEC(double) list = {0};
    double x;
    do {
        if (!scan_attr_float(p->s, &x))
            return syntax(p, "expected a number");
        TRY(VEC_PUSH(p->g->memory, list, x));
    } while (scan_take(p->s, ","));
    a->kind = ATTR_FLOATS;
    a->floats = list.at;
    a->n = (int64_t)list.n;
    return expect(p, "]");
}

static status parse_strings(const parser *p, attr *a) {
    VEC(const char *) list = {0};
    const char *text;
    do {
        TRY(parse_text(p, &text));
        TRY(VEC_PUSH(p->g->memory, list, text));
    } while (scan_take(p->s, ","));
    a->kind = ATTR_STRINGS;
    a->strings = list.at;
    a->n = (int64_t)list.n;
    return expect(p, "]");
}

static status parse_list(const parser *p, attr *a) {
    if (scan_peek(p->s) == '"')
        return parse_strings(p, a);
    scan before = *p->s;
    int64_t ignored;
    bool ints = scan_attr_int(p->s, &ignored);
    *p->s = before;
    return ints ? parse_ints(p, a) : parse_floats(p, a);
}

static status parse_empty_list(const parser *p, attr_kind kind, attr *a) {
    a->kind = kind;
    TRY(expect(p, "["));
    return expect(p, "]");
}

static status parse_string(const parser *p, attr *a) {
    a->kind = ATTR_STRING;
    status s = scan_quoted(p->s, p->g->memory, &a->s, &a->s_bytes);
    return s == STATUS_INVALID ? syntax(p, "a text without its closing quote, or with an unknown escape") : s;
}

static status parse_tensor(const parser *p, attr *a) {
    tensor_type type;
    a->kind = ATTR_TENSOR;
    TRY(parse_type(p, &type));
    return parse_data(p, &type, &a->t);
}

static status parse_attr_value(const parser *p, attr *a) {
    scan *s = p->s;
    if (scan_peek(s) == '"')
        return parse_string(p, a);
    if (scan_take(s, "["))
        return parse_list(p, a);
    if (scan_take(s, "tensor"))
        return parse_tensor(p, a);
    if (scan_take(s, "ints"))
        return parse_empty_list(p, ATTR_INTS, a);
    if (scan_take(s, "floats"))
        return parse_empty_list(p, ATTR_FLOATS, a);
    if (scan_take(s, "strings"))
        return parse_empty_list(p, ATTR_STRINGS, a);
    if (scan_take(s, "none"))
        return STATUS_OK;
    a->kind = ATTR_INT;
    if (scan_attr_int(s, &a->i))
        return STATUS_OK;
    a->kind = ATTR_FLOAT;
    return scan_attr_float(s, &a->f) ? STATUS_OK : syntax(p, "expected an attribute's value");
}

static status parse_attr(const parser *p, node *n) {
    attr a = {.name = NULL};
    TRY(parse_word_or_text(p, &a.name));
    if (node_attr(n, a.name) != NULL)
        return error_at(p, p->s->line, "graph-syntax", "a second attribute", a.name);
    TRY(expect(p, "="));
    if (!scan_take(p->s, "graph")) {
        TRY(parse_attr_value(p, &a));
        return node_set_attr(n, &a);
    }
    a.kind = ATTR_GRAPH;
    TRY(parse_graph(p, &a.g));
    status s = node_set_attr(n, &a);
    graph_free(a.g);
    return s;
}

/* ---- statements ---- */

static status parse_node_outputs(parser *p) {
    p->outputs.n = 0;
    while (!scan_take(p->s, "=")) {
        if (p->outputs.n > 0)
            TRY(expect(p, ","));
        value *v = NULL;
        if (!scan_take(p->s, "_")) {
            const char *name;
            tensor_type type;
            TRY(parse_typed(p, &name, &type));
            v = value_new(p->g, name, NULL, 0);
            TRY_ALLOC(v);
            v->type = type;
        }
        TRY(VEC_PUSH(p->g->memory, p->outputs, v));
    }
    return STATUS_OK;
}

static status parse_operator(const parser *p, const char **out_domain, const char **out_op, int *out_version) {
    *out_domain = "";
    TRY(parse_word_or_text(p, out_op));
    if (scan_take(p->s, "::")) {
        *out_domain = *out_op;
        TRY(parse_word_or_text(p, out_op));
    }
    int64_t version;
    if (!scan_take(p->s, "-") || !scan_int(p->s, &version) || version < 0 || version > INT32_MAX)
        return syntax(p, "expected '-' and the operator's version");
    *out_version = (int)version;
    return STATUS_OK;
}

static status parse_node_inputs(parser *p, node *n) {
    int count = 0;
    TRY(expect(p, "("));
    for (; !scan_take(p->s, ")"); count++) {
        if (count > 0)
            TRY(expect(p, ","));
        reference r = {.user = n, .index = count, .line = p->s->line};
        bool absent = scan_take(p->s, "_");
        if (!absent) {
            TRY(parse_name(p, &r.name));
            TRY(VEC_PUSH(p->g->memory, p->references, r));
        }
    }
    return count > 0 ? node_set_input(n, count - 1, NULL) : STATUS_OK;
}

static status parse_node_trailer(const parser *p, node *n) {
    const char *name, *text;
    if (scan_take(p->s, "name"))
        TRY(parse_text(p, &n->name));
    if (scan_take(p->s, "source") && (!scan_int(p->s, &n->source) || n->source < 0))
        return syntax(p, "expected the node's index in its source");
    while (scan_take(p->s, "note")) {
        TRY(parse_text(p, &name));
        TRY(parse_text(p, &text));
        TRY(node_note(n, name, text));
    }
    return STATUS_OK;
}

static status parse_node(parser *p) {
    const char *domain, *op;
    int version = 0;
    TRY(parse_node_outputs(p));
    TRY(parse_operator(p, &domain, &op, &version));
    node *n = graph_add_node(p->g, NULL, domain, op, version, NULL, NULL, 0, NULL, 0);
    TRY_ALLOC(n);
    n->outputs = arena_copy(p->g->memory, p->outputs.at, p->outputs.n * sizeof *p->outputs.at);
    TRY_ALLOC(n->outputs);
    n->n_outputs = (int)p->outputs.n;
    for (int i = 0; i < n->n_outputs; i++)
        if (n->outputs[i] != NULL) {
            n->outputs[i]->def = n;
            n->outputs[i]->def_index = i;
        }
    TRY(parse_node_inputs(p, n));
    if (scan_take(p->s, "{"))
        while (!scan_take(p->s, "}")) {
            if (n->n_attrs > 0)
                TRY(expect(p, ","));
            TRY(parse_attr(p, n));
        }
    return parse_node_trailer(p, n);
}

static status parse_inputs(const parser *p) {
    TRY(expect(p, "("));
    while (!scan_take(p->s, ")")) {
        if (p->g->inputs.n > 0)
            TRY(expect(p, ","));
        const char *name;
        tensor_type type;
        TRY(parse_typed(p, &name, &type));
        value *v = graph_add_input(p->g, name, &type);
        TRY_ALLOC(v);
        if (!scan_take(p->s, "="))
            continue;
        TRY(parse_data(p, &type, &v->constant));
    }
    return STATUS_OK;
}

static status parse_constant(const parser *p) {
    const char *name;
    tensor_type type;
    tensor *t;
    TRY(parse_typed(p, &name, &type));
    TRY(expect(p, "="));
    TRY(parse_data(p, &type, &t));
    TRY_ALLOC(graph_add_constant(p->g, name, t));
    return STATUS_OK;
}

static status parse_opset(const parser *p) {
    const char *domain;
    int64_t version;
    TRY(parse_text(p, &domain));
    if (!scan_int(p->s, &version) || version <= 0 || version > INT32_MAX)
        return syntax(p, "expected the opset's version");
    return map_set(&p->g->opsets, domain, (void *)(intptr_t)version);
}

static status parse_meta(const parser *p) {
    const char *name, *text;
    TRY(parse_text(p, &name));
    TRY(parse_text(p, &text));
    return map_set(&p->g->metadata, name, (void *)(uintptr_t)text);
}

static status parse_return(parser *p) {
    do {
        reference r = {.user = NULL, .line = p->s->line};
        TRY(parse_name(p, &r.name));
        TRY(expect(p, "as"));
        TRY(parse_text(p, &r.output_name));
        TRY(VEC_PUSH(p->g->memory, p->references, r));
    } while (scan_take(p->s, ","));
    return STATUS_OK;
}

static status parse_statement(parser *p) {
    if (scan_take(p->s, "opset"))
        return parse_opset(p);
    if (scan_take(p->s, "meta"))
        return parse_meta(p);
    if (scan_take(p->s, "const"))
        return parse_constant(p);
    if (scan_take(p->s, "return"))
        return parse_return(p);
    char c = scan_peek(p->s);
    return c == '%' || c == '_' || c == '=' ? parse_node(p) : syntax(p, "expected a statement or '}'");
}

/* ---- the whole ---- */

/* Wires what was named; all unknown names are reported. */
static status link_references(const parser *p) {
    status worst = STATUS_OK;
    for (size_t i = 0; i < p->references.n; i++) {
        const reference *r = &p->references.at[i];
        value *v = graph_find_value(p->g, r->name);
        if (v == NULL) {
            worst = error_at(p, r->line, "unknown-value", "no definition of", r->name);
            continue;
        }
        if (r->user != NULL)
            TRY(node_set_input(r->user, r->index, v));
        else
            TRY(graph_add_output(p->g, v, r->output_name));
    }
    return worst;
}

static status order_nodes(graph *g) {
    for (const node *n = g->first; n != NULL; n = n->next)
        for (int i = 0; i < n->n_inputs; i++) {
            const value *v = n->inputs[i].v;
            if (v != NULL && v->def != NULL && !node_is_before(v->def, n))
                return graph_sort(g, g->first, g->last);
        }
    return STATUS_OK;
}

static status parse_body(parser *p) {
    TRY(parse_inputs(p));
    TRY(expect(p, "{"));
    while (!scan_take(p->s, "}")) {
        if (scan_at_end(p->s))
            return syntax(p, "expected '}'");
        TRY(parse_statement(p));
    }
    TRY(link_references(p));
    return order_nodes(p->g);
}

/* A graph behind the word `graph`, in the graph of `outer`. */
static status parse_graph(const parser *outer, graph **out) {
    parser p = {
        .s = outer->s, .from = outer->from, .resolve = outer->resolve, .ctx = outer->ctx, .depth = outer->depth + 1};
    const char *name;
    if (p.depth > GRAPH_DEPTH_MAX)
        return syntax(outer, "graphs nested too deeply");
    TRY(parse_text(outer, &name));
    p.g = graph_new(p.from, outer->g->diags, outer->g->ops, name, outer->g->file);
    TRY_ALLOC(p.g);
    status s = parse_body(&p);
    if (s == STATUS_OK)
        *out = p.g;
    else
        graph_free(p.g);
    return s;
}

/* Reads what graph_print wrote; see graph.h. On failure there is a diagnostic, and *out is not set. */
status graph_parse(const char *text, size_t n, const char *file, const allocator *from, diag *d, const op_table *ops,
                   graph_resolver resolve, void *ctx, graph **out) {
    scan s = scan_text(text, n);
    /* Holds the name and the place of diagnostics until the graph itself exists. */
    graph *root = graph_new(from, d, ops, "", file);
    TRY_ALLOC(root);
    parser p = {.s = &s, .g = root, .from = from, .resolve = resolve, .ctx = ctx};
    status result = expect(&p, "graph");
    graph *parsed = NULL;
    if (result == STATUS_OK)
        result = parse_graph(&p, &parsed);
    if (result == STATUS_OK && !scan_at_end(&s)) {
        result = syntax(&p, "expected the end of the text");
        graph_free(parsed);
    }
    graph_free(root);
    if (result == STATUS_OK)
        *out = parsed;
    return result;
}

/* ---- parts ---- */

status graph_parse_attrs(graph *g, const char *text, attr **out, int *out_n) {
    scan s = scan_text(text, strlen(text));
    parser p = {.s = &s, .g = g};
    VEC(attr) list = {0};
    while (!scan_at_end(&s)) {
        attr a = {.name = NULL};
        if (list.n > 0)
            TRY(expect(&p, ","));
        TRY(parse_word_or_text(&p, &a.name));
        TRY(expect(&p, "="));
        TRY(parse_attr_value(&p, &a));
        TRY(VEC_PUSH(g->memory, list, a));
    }
    *out = list.at;
    *out_n = (int)list.n;
    return STATUS_OK;
}

status graph_parse_type(graph *g, const char *text, tensor_type *out) {
    scan s = scan_text(text, strlen(text));
    parser p = {.s = &s, .g = g};
    TRY(parse_type(&p, out));
    return scan_at_end(&s) ? STATUS_OK : syntax(&p, "something follows the type");
}
