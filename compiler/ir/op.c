/* Operator rows: look-up, attribute access with defaults, checks of a node against its row. */
#include "ir/op.h"

#include <stdio.h>
#include <string.h>

#include "ir/graph_parts.h"

enum { NAMES_MAX = 64, TYPES_NAMED_MAX = 8 };

static int compare_row(const op_row *row, const char *domain, const char *name) {
    int c = strcmp(row->domain, domain);
    return c != 0 ? c : strcmp(row->name, name);
}

/* The row of that name, or NULL. */
const op_row *op_find(const op_table *t, const char *domain, const char *name) {
    size_t low = 0, high = t == NULL ? 0 : t->n;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int c = compare_row(t->rows[middle], domain, name);
        if (c == 0)
            return t->rows[middle];
        if (c < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

/* The version that the row's form follows: the last of its list. */
int op_newest(const op_row *row) {
    int newest = 0;
    for (const int *v = row->versions; *v != 0; v++)
        newest = *v;
    return newest;
}

/* ---- diagnostics at a node ---- */

__attribute__((format(printf, 4, 0))) static status report(const node *n, status code, const char *id,
                                                           const char *format, va_list args) {
    strbuf text = strbuf_in(n->graph->memory);
    strbuf_vprintf(&text, format, args);
    const char *message;
    TRY(strbuf_finish(&text, &message));
    return diag_error(n->graph->diags, code, id, node_place(n), "%s", message);
}

/* An error at the node; returns STATUS_INVALID. */
status op_invalid(const node *n, const char *id, const char *format, ...) {
    va_list args;
    va_start(args, format);
    status s = report(n, STATUS_INVALID, id, format, args);
    va_end(args);
    return s;
}

/* An error at the node; returns STATUS_UNSUPPORTED. */
status op_unsupported(const node *n, const char *id, const char *format, ...) {
    va_list args;
    va_start(args, format);
    status s = report(n, STATUS_UNSUPPORTED, id, format, args);
    va_end(args);
    return s;
}

/* ---- attributes ---- */

static const op_attr *row_attr(const op_row *row, const char *name) {
    for (const op_attr *a = row == NULL ? NULL : row->attrs; a != NULL && a->name != NULL; a++)
        if (strcmp(a->name, name) == 0)
            return a;
    return NULL;
}

/* The attribute, or the row's default, or 0. */
int64_t op_int(const node *n, const char *name) {
    const attr *a = node_attr(n, name);
    const op_attr *d = row_attr(n->row, name);
    return a != NULL ? a->i : d != NULL ? d->i : 0;
}

/* The attribute, or the row's default, or 0. */
double op_float(const node *n, const char *name) {
    const attr *a = node_attr(n, name);
    const op_attr *d = row_attr(n->row, name);
    return a != NULL ? a->f : d != NULL ? d->f : 0;
}

/* The attribute, or the row's default, or NULL. */
const char *op_string(const node *n, const char *name) {
    const attr *a = node_attr(n, name);
    const op_attr *d = row_attr(n->row, name);
    return a != NULL ? a->s : d != NULL ? d->s : NULL;
}

/* Does the node itself have the attribute? */
bool op_has(const node *n, const char *name) {
    return node_attr(n, name) != NULL;
}

/* The list and its length; NULL and 0 where the node has none. */
const int64_t *op_ints(const node *n, const char *name, int64_t *out_n) {
    const attr *a = node_attr(n, name);
    *out_n = a != NULL ? a->n : 0;
    return a != NULL ? a->ints : NULL;
}

/* ---- checks by the row ---- */

static int count_params(const op_param *p, int *out_required, bool *out_variadic) {
    int n = 0;
    *out_required = 0;
    *out_variadic = false;
    for (; p != NULL && p->name != NULL; p++) {
        n++;
        if ((p->flags & PARAM_OPTIONAL) == 0)
            *out_required = n;
        *out_variadic |= (p->flags & PARAM_VARIADIC) != 0;
    }
    return n;
}

static status check_count(const node *n, const char *what, int count, const op_param *params) {
    int required;
    bool variadic;
    int most = count_params(params, &required, &variadic);
    if (count >= required && (variadic || count <= most))
        return STATUS_OK;
    const char *s = count == 1 ? "" : "s";
    if (variadic)
        return op_invalid(n, "wrong-arity", "%d %s%s, expected at least %d", count, what, s, required);
    if (required == most)
        return op_invalid(n, "wrong-arity", "%d %s%s, expected %d", count, what, s, most);
    return op_invalid(n, "wrong-arity", "%d %s%s, expected %d to %d", count, what, s, required, most);
}

static status check_arity(const node *n) {
    int inputs = n->n_inputs;
    while (inputs > 0 && n->inputs[inputs - 1].v == NULL)
        inputs--;
    TRY(check_count(n, "input", inputs, n->row->inputs));
    TRY(check_count(n, "output", n->n_outputs, n->row->outputs));
    const op_param *p = n->row->inputs;
    for (int i = 0; i < inputs && p->name != NULL; i++) {
        if (n->inputs[i].v == NULL && (p->flags & PARAM_OPTIONAL) == 0)
            return op_invalid(n, "wrong-arity", "input %d '%s' is missing", i, p->name);
        p += (p->flags & PARAM_VARIADIC) == 0;
    }
    return STATUS_OK;
}

static const char *kind_name(attr_kind kind) {
    static const char *const names[] = {
        [ATTR_NONE] = "nothing",
        [ATTR_INT] = "an integer",
        [ATTR_FLOAT] = "a float",
        [ATTR_STRING] = "a string",
        [ATTR_INTS] = "a list of integers",
        [ATTR_FLOATS] = "a list of floats",
        [ATTR_STRINGS] = "a list of strings",
        [ATTR_TENSOR] = "a tensor",
        [ATTR_GRAPH] = "a graph",
    };
    return names[kind];
}

static status unknown_attribute(const node *n, const attr *a) {
    const char *names[NAMES_MAX];
    size_t n_names = 0;
    for (const op_attr *known = n->row->attrs; known != NULL && known->name != NULL && n_names < NAMES_MAX; known++)
        names[n_names++] = known->name;
    status s = op_invalid(n, "unknown-attribute", "%s has no attribute '%s'", n->op, a->name);
    const char *near = text_nearest(a->name, names, n_names);
    if (near != NULL)
        diag_note(n->graph->diags, "did you mean '%s'?", near);
    return s;
}

/* Remembers the worst of several outcomes: no memory, then invalid, then unsupported. */
status op_worse(status x, status y) {
    static const int rank[] = {[STATUS_OK] = 0, [STATUS_UNSUPPORTED] = 1, [STATUS_INVALID] = 2, [STATUS_RESOURCE] = 3};
    return rank[y] > rank[x] ? y : x;
}

/* The first unknown, the first wrong, and the first missing attribute. */
static status check_attributes(const node *n) {
    status unknown = STATUS_OK, wrong = STATUS_OK, missing = STATUS_OK;
    for (int i = 0; i < n->n_attrs; i++) {
        const attr *a = &n->attrs[i];
        const op_attr *known = row_attr(n->row, a->name);
        if (known == NULL && unknown == STATUS_OK)
            unknown = unknown_attribute(n, a);
        else if (known != NULL && known->kind != a->kind && wrong == STATUS_OK)
            wrong = op_invalid(n, "wrong-attribute", "attribute '%s' is %s, expected %s", a->name, kind_name(a->kind),
                               kind_name(known->kind));
    }
    for (const op_attr *a = n->row->attrs; a != NULL && a->name != NULL; a++)
        if (a->required && missing == STATUS_OK && node_attr(n, a->name) == NULL)
            missing = op_invalid(n, "missing-attribute", "%s needs the attribute '%s', %s", n->op, a->name,
                                 kind_name(a->kind));
    return op_worse(unknown, op_worse(wrong, missing));
}

static void print_types(uint64_t types, strbuf *out) {
    int listed = 0;
    for (int t = DT_NONE + 1; t < DT_COUNT; t++) {
        if ((types & TYPE_BIT(t)) == 0)
            continue;
        if (listed++ == TYPES_NAMED_MAX) {
            strbuf_add(out, ", ...");
            return;
        }
        strbuf_printf(out, "%s%s", listed > 1 ? ", " : "", dtype_name((dtype)t));
    }
}

static status wrong_type(const node *n, const char *what, const op_param *p, dtype t) {
    strbuf allowed = strbuf_in(n->graph->memory);
    print_types(p->types, &allowed);
    const char *text;
    TRY(strbuf_finish(&allowed, &text));
    return op_invalid(n, "wrong-type", "%s '%s' has type %s, expected one of: %s", what, p->name, dtype_name(t), text);
}

/* Which input first gave a type variable its type. */
typedef struct var_type {
    dtype type;
    const char *param;
} var_type;

/* Element types against the row's, and against those of the inputs before that share a type variable. */
static status check_types(const node *n) {
    var_type vars[128] = {{DT_NONE, NULL}};
    const op_param *p = n->row->inputs;
    for (int i = 0; i < n->n_inputs && p != NULL && p->name != NULL; i++) {
        dtype t = n->inputs[i].v == NULL ? DT_NONE : n->inputs[i].v->type.elem;
        var_type *var = &vars[p->var & 127];
        if (t != DT_NONE && (p->types & TYPE_BIT(t)) == 0)
            return wrong_type(n, "input", p, t);
        if (t != DT_NONE && p->var != 0 && var->type != DT_NONE && var->type != t)
            return op_invalid(n, "wrong-type", "input '%s' has type %s, but '%s' has %s: they must be the same",
                              p->name, dtype_name(t), var->param, dtype_name(var->type));
        if (t != DT_NONE && var->type == DT_NONE)
            *var = (var_type){t, p->name};
        p += (p->flags & PARAM_VARIADIC) == 0;
    }
    return STATUS_OK;
}

static status unsupported_operator(const node *n) {
    const op_table *t = n->graph->ops;
    const char *domain = n->domain[0] == '\0' ? "ai.onnx" : n->domain;
    status s =
        op_unsupported(n, "unsupported-operator", "operator '%s' of domain '%s' is not supported", n->op, domain);
    arena *a = n->graph->memory;
    arena_mark mark = arena_get_mark(a);
    const char **names = ARENA_NEW_N(a, const char *, t == NULL ? 0 : t->n);
    TRY_ALLOC(names);
    size_t n_names = 0;
    for (size_t i = 0; t != NULL && i < t->n; i++)
        if (strcmp(t->rows[i]->domain, n->domain) == 0)
            names[n_names++] = t->rows[i]->name;
    const char *near = text_nearest(n->op, names, n_names);
    if (near != NULL)
        diag_note(n->graph->diags, "the nearest supported operator is '%s'", near);
    arena_reset(a, mark);
    return s;
}

/* Checks the node against its row: see op.h. */
status op_check(node *n) {
    if (n->row == NULL)
        return unsupported_operator(n);
    status s = check_arity(n);
    s = op_worse(s, check_attributes(n));
    return op_worse(s, check_types(n));
}
