/* Graphs as text: see graph_text.h for the form. */
#include <stdio.h>
#include <string.h>

#include "ir/graph_text.h"

static void print_graph(const graph *g, int indent, const graph_naming *by, strbuf *out);

static void print_indent(int indent, strbuf *out) {
    for (int i = 0; i < indent; i++)
        strbuf_add(out, "  ");
}

static void print_quoted(const char *text, strbuf *out) {
    strbuf_quoted(out, text, strlen(text));
}

/* May character c stand in a name without quotes? */
bool text_is_name_part(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (c != '\0' && strchr("_./-", c) != NULL);
}

static void print_name(const char *name, strbuf *out) {
    size_t n = 0;
    while (text_is_name_part(name[n]))
        n++;
    strbuf_char(out, '%');
    if (n == 0 || name[n] != '\0')
        print_quoted(name, out);
    else
        strbuf_add(out, name);
}

static void print_typed(const value *v, strbuf *out) {
    print_name(v->name, out);
    strbuf_add(out, ": ");
    type_print(&v->type, out);
}

/* With a point, an exponent or letters, so that it does not read as an integer. */
static void print_float(double x, strbuf *out) {
    float f = (float)x;
    size_t from = out->n;
    element_print(DT_F32, &f, 0, out);
    if (out->text[from + strspn(out->text + from, "-0123456789")] == '\0')
        strbuf_add(out, ".0");
}

static void print_list(const attr *a, strbuf *out) {
    if (a->n == 0) {
        strbuf_add(out, a->kind == ATTR_INTS ? "ints []" : a->kind == ATTR_FLOATS ? "floats []" : "strings []");
        return;
    }
    for (int64_t i = 0; i < a->n; i++) {
        strbuf_add(out, i == 0 ? "[" : ", ");
        if (a->kind == ATTR_INTS)
            strbuf_printf(out, "%lld", (long long)a->ints[i]);
        else if (a->kind == ATTR_FLOATS)
            print_float(a->floats[i], out);
        else
            print_quoted(a->strings[i], out);
    }
    strbuf_char(out, ']');
}

static void print_tensor(const tensor *t, const graph_naming *by, strbuf *out) {
    strbuf_printf(out, "tensor %s[", dtype_name(t->elem));
    for (int i = 0; i < t->rank; i++)
        strbuf_printf(out, "%s%lld", i > 0 ? "," : "", (long long)t->dims[i]);
    strbuf_add(out, "] ");
    tensor_print_data(t, by, out);
}

static void print_attr(const attr *a, int indent, const graph_naming *by, strbuf *out) {
    if (scan_is_word(a->name))
        strbuf_add(out, a->name);
    else
        print_quoted(a->name, out);
    strbuf_char(out, '=');
    switch (a->kind) {
    case ATTR_NONE:
        strbuf_add(out, "none");
        break;
    case ATTR_INT:
        strbuf_printf(out, "%lld", (long long)a->i);
        break;
    case ATTR_FLOAT:
        print_float(a->f, out);
        break;
    case ATTR_STRING:
        strbuf_quoted(out, a->s, a->s_bytes);
        break;
    case ATTR_INTS:
    case ATTR_FLOATS:
    case ATTR_STRINGS:
        print_list(a, out);
        break;
    case ATTR_TENSOR:
        print_tensor(a->t, by, out);
        break;
    case ATTR_GRAPH:
        print_graph(a->g, indent + 1, by, out);
        break;
    }
}

void attr_print(const attr *a, strbuf *out) {
    print_attr(a, 0, NULL, out);
}

static void print_operator(const node *n, strbuf *out) {
    if (n->domain[0] != '\0') {
        print_quoted(n->domain, out);
        strbuf_add(out, "::");
    }
    if (scan_is_word(n->op))
        strbuf_add(out, n->op);
    else
        print_quoted(n->op, out);
    strbuf_printf(out, "-%d", n->version);
}

static void print_notes(const map *notes, strbuf *out) {
    for (size_t i = 0; i < notes->n; i++) {
        if (notes->entries[i].value == NULL)
            continue;
        strbuf_add(out, " note ");
        print_quoted(notes->entries[i].name, out);
        strbuf_char(out, ' ');
        print_quoted(notes->entries[i].value, out);
    }
}

static void print_node(const node *n, int indent, const graph_naming *by, strbuf *out) {
    print_indent(indent, out);
    for (int i = 0; i < n->n_outputs; i++) {
        strbuf_add(out, i > 0 ? ", " : "");
        if (n->outputs[i] != NULL)
            print_typed(n->outputs[i], out);
        else
            strbuf_char(out, '_');
    }
    strbuf_add(out, n->n_outputs > 0 ? " = " : "= ");
    print_operator(n, out);
    strbuf_char(out, '(');
    for (int i = 0; i < n->n_inputs; i++) {
        strbuf_add(out, i > 0 ? ", " : "");
        if (n->inputs[i].v != NULL)
            print_name(n->inputs[i].v->name, out);
        else
            strbuf_char(out, '_');
    }
    strbuf_char(out, ')');
    for (int i = 0; i < n->n_attrs; i++) {
        strbuf_add(out, i == 0 ? " {" : ", ");
        print_attr(&n->attrs[i], indent, by, out);
    }
    strbuf_add(out, n->n_attrs > 0 ? "}" : "");
    if (n->name[0] != '\0') {
        strbuf_add(out, " name ");
        print_quoted(n->name, out);
    }
    if (n->source >= 0)
        strbuf_printf(out, " source %lld", (long long)n->source);
    if (n->notes != NULL)
        print_notes(n->notes, out);
    strbuf_char(out, '\n');
}

static void print_inputs(const graph *g, const graph_naming *by, strbuf *out) {
    for (size_t i = 0; i < g->inputs.n; i++) {
        const value *v = g->inputs.at[i];
        strbuf_add(out, i > 0 ? ", " : "");
        print_typed(v, out);
        if (v->constant != NULL) {
            strbuf_add(out, " = ");
            tensor_print_data(v->constant, by, out);
        }
    }
}

static void print_head(const graph *g, int indent, strbuf *out) {
    for (size_t i = 0; i < g->opsets.n; i++) {
        const map_entry *e = &g->opsets.entries[i];
        if (e->value == NULL)
            continue;
        print_indent(indent, out);
        strbuf_add(out, "opset ");
        print_quoted(e->name, out);
        strbuf_printf(out, " %lld\n", (long long)(intptr_t)e->value);
    }
    for (size_t i = 0; i < g->metadata.n; i++) {
        const map_entry *e = &g->metadata.entries[i];
        if (e->value == NULL)
            continue;
        print_indent(indent, out);
        strbuf_add(out, "meta ");
        print_quoted(e->name, out);
        strbuf_char(out, ' ');
        print_quoted(e->value, out);
        strbuf_char(out, '\n');
    }
}

static void print_constants(const graph *g, int indent, const graph_naming *by, strbuf *out) {
    for (const value *v = g->values; v != NULL; v = v->next) {
        if (v->constant == NULL || v->is_input)
            continue;
        print_indent(indent, out);
        strbuf_add(out, "const ");
        print_typed(v, out);
        strbuf_add(out, " = ");
        tensor_print_data(v->constant, by, out);
        strbuf_char(out, '\n');
    }
}

static void print_outputs(const graph *g, int indent, strbuf *out) {
    for (size_t i = 0; i < g->outputs.n; i++) {
        if (i == 0)
            print_indent(indent, out);
        strbuf_add(out, i == 0 ? "return " : ", ");
        print_name(g->outputs.at[i]->v->name, out);
        strbuf_add(out, " as ");
        print_quoted(g->output_names.at[i], out);
    }
    strbuf_add(out, g->outputs.n > 0 ? "\n" : "");
}

static void print_graph(const graph *g, int indent, const graph_naming *by, strbuf *out) {
    strbuf_add(out, "graph ");
    print_quoted(g->name, out);
    strbuf_char(out, '(');
    print_inputs(g, by, out);
    strbuf_add(out, ") {\n");
    print_head(g, indent + 1, out);
    print_constants(g, indent + 1, by, out);
    for (const node *n = g->first; n != NULL; n = n->next)
        print_node(n, indent + 1, by, out);
    print_outputs(g, indent + 1, out);
    print_indent(indent, out);
    strbuf_char(out, '}');
}

/* Prints the graph; graph_parse reads it back. */
void graph_print(const graph *g, strbuf *out) {
    graph_print_named(g, NULL, out);
}

/* Prints the graph, with names of the caller's own for what is not written out. */
void graph_print_named(const graph *g, const graph_naming *by, strbuf *out) {
    print_graph(g, 0, by, out);
    strbuf_char(out, '\n');
}

/* Prints the graph to stderr, for the debugger. */
void graph_dump(const graph *g) {
    arena *a = arena_new(arena_allocator(g->memory));
    if (a == NULL)
        return;
    strbuf text = strbuf_in(a);
    graph_print(g, &text);
    fputs(text.text, stderr);
    arena_free(a);
}
