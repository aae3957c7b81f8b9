/* tenon ops: what the operator rows say. */
#include <string.h>

#include "api/reports.h"
#include "ops/ops.h"
#include "report/json.h"

/* Sets of element types that have a name of their own in the listing. */
typedef struct type_group {
    const char *name;
    uint64_t types;
} type_group;

static const type_group groups[] = {
    {"any", TYPES_ANY},       {"number", TYPES_NUMBER},     {"float", TYPES_FLOAT},   {"int", TYPES_INT},
    {"signed", TYPES_SIGNED}, {"unsigned", TYPES_UNSIGNED}, {"float8", TYPES_FLOAT8}, {"narrow", TYPES_NARROW},
};

/* "number bool", "f32 f64": groups first, then what is left. */
static void add_types(strbuf *s, uint64_t types) {
    const char *between = "";
    for (size_t i = 0; i < sizeof groups / sizeof *groups; i++) {
        if ((types & groups[i].types) != groups[i].types)
            continue;
        strbuf_printf(s, "%s%s", between, groups[i].name);
        types &= ~groups[i].types;
        between = " ";
    }
    for (int t = 1; t < DT_COUNT; t++) {
        if ((types & TYPE_BIT(t)) == 0)
            continue;
        strbuf_printf(s, "%s%s", between, dtype_name((dtype)t));
        between = " ";
    }
}

static void add_versions(strbuf *s, const op_row *row) {
    for (const int *v = row->versions; *v != 0; v++)
        strbuf_printf(s, "%s%d", v > row->versions ? " " : "", *v);
}

static status full_name(arena *a, const op_row *row, const char **out) {
    *out = row->domain[0] == '\0' ? row->name : arena_printf(a, "%s.%s", row->domain, row->name);
    TRY_ALLOC(*out);
    return STATUS_OK;
}

/* Types of the first input, or of the output of an operator without inputs. */
static status main_types(arena *a, const op_row *row, const char **out) {
    strbuf s = strbuf_in(a);
    add_types(&s, row->inputs[0].name != NULL ? row->inputs[0].types : row->outputs[0].types);
    return strbuf_finish(&s, out);
}

static status list_all(arena *a, const op_table *ops, strbuf *s) {
    enum { COLUMNS = 4 };
    const char **cells = ARENA_NEW_N(a, const char *, (ops->n + 1) * COLUMNS);
    static const char *const heads[COLUMNS] = {"operator", "opsets", "element types", "note"};
    TRY_ALLOC(cells);
    memcpy(cells, heads, sizeof heads);
    size_t n = 0;
    for (size_t i = 0; i < ops->n; i++) {
        if (ops->rows[i]->is_internal)
            continue;
        const char **row = &cells[++n * COLUMNS];
        strbuf versions = strbuf_in(a);
        add_versions(&versions, ops->rows[i]);
        TRY(full_name(a, ops->rows[i], &row[0]));
        TRY(strbuf_finish(&versions, &row[1]));
        TRY(main_types(a, ops->rows[i], &row[2]));
        row[3] = ops->rows[i]->note != NULL ? ops->rows[i]->note : "";
    }
    report_table(s, cells, n + 1, COLUMNS, COLUMNS);
    strbuf_printf(s, "%zu operators\n", n);
    return STATUS_OK;
}

/* ---- one operator ---- */

static void add_params(strbuf *s, const char *what, const op_param *p) {
    for (; p != NULL && p->name != NULL; p++) {
        strbuf_printf(s, "  %s %s: ", what, p->name);
        add_types(s, p->types);
        if (p->var != 0)
            strbuf_printf(s, " (%c)", p->var);
        strbuf_add(s, (p->flags & PARAM_OPTIONAL) != 0 ? ", optional" : "");
        strbuf_add(s, (p->flags & PARAM_VARIADIC) != 0 ? ", any number" : "");
        strbuf_add(s, (p->flags & PARAM_KNOWN) != 0 ? ", known at compile time" : "");
        strbuf_char(s, '\n');
    }
}

static const char *const attr_kinds[] = {
    [ATTR_NONE] = "none",       [ATTR_INT] = "int",       [ATTR_FLOAT] = "float",
    [ATTR_STRING] = "string",   [ATTR_INTS] = "ints",     [ATTR_FLOATS] = "floats",
    [ATTR_STRINGS] = "strings", [ATTR_TENSOR] = "tensor", [ATTR_GRAPH] = "graph",
};

static void add_default(strbuf *s, const op_attr *x) {
    if (x->required)
        strbuf_add(s, ", required");
    else if (x->kind == ATTR_INT)
        strbuf_printf(s, " = %lld", (long long)x->i);
    else if (x->kind == ATTR_FLOAT) {
        strbuf_add(s, " = ");
        strbuf_float(s, (float)x->f);
    } else if (x->kind == ATTR_STRING && x->s != NULL)
        strbuf_printf(s, " = \"%s\"", x->s);
}

static status describe_one(arena *a, const op_row *row, strbuf *s) {
    const char *name;
    TRY(full_name(a, row, &name));
    strbuf_printf(s, "%s, opsets ", name);
    add_versions(s, row);
    strbuf_char(s, '\n');
    add_params(s, "input", row->inputs);
    add_params(s, "output", row->outputs);
    for (const op_attr *x = row->attrs; x != NULL && x->name != NULL; x++) {
        strbuf_printf(s, "  attribute %s: %s", x->name, attr_kinds[x->kind]);
        add_default(s, x);
        strbuf_char(s, '\n');
    }
    if (row->note != NULL)
        strbuf_printf(s, "  note: %s\n", row->note);
    return STATUS_OK;
}

/* ---- JSON ---- */

static void json_params(json *j, cJSON *item, const char *name, const op_param *p) {
    cJSON *list = json_list(j, item, name);
    for (; p != NULL && p->name != NULL; p++) {
        cJSON *one = json_item(j, list);
        json_text(j, one, "name", p->name);
        cJSON *types = json_list(j, one, "types");
        for (int t = 1; t < DT_COUNT; t++)
            if ((p->types & TYPE_BIT(t)) != 0)
                json_item_text(j, types, dtype_name((dtype)t));
        json_bool(j, one, "optional", (p->flags & PARAM_OPTIONAL) != 0);
        json_bool(j, one, "variadic", (p->flags & PARAM_VARIADIC) != 0);
    }
}

static void json_operator(json *j, cJSON *list, const op_row *row) {
    cJSON *item = json_item(j, list), *versions;
    json_text(j, item, "name", row->name);
    json_text(j, item, "domain", row->domain);
    versions = json_list(j, item, "opsets");
    for (const int *v = row->versions; *v != 0; v++)
        json_item_number(j, versions, *v);
    json_params(j, item, "inputs", row->inputs);
    json_params(j, item, "outputs", row->outputs);
    cJSON *attrs = json_list(j, item, "attributes");
    for (const op_attr *x = row->attrs; x != NULL && x->name != NULL; x++) {
        cJSON *one = json_item(j, attrs);
        json_text(j, one, "name", x->name);
        json_text(j, one, "kind", attr_kinds[x->kind]);
        json_bool(j, one, "required", x->required);
    }
    json_text(j, item, "note", row->note);
}

/* ---- the call ---- */

static status no_such_operator(tenon_context *c, arena *a, const char *name) {
    const char **names = ARENA_NEW_N(a, const char *, ops_table.n + 1);
    TRY_ALLOC(names);
    size_t n = 0;
    for (size_t i = 0; i < ops_table.n; i++)
        if (!ops_table.rows[i]->is_internal)
            names[n++] = ops_table.rows[i]->name;
    diag_error(c->diags, STATUS_USAGE, "unknown-operator", DIAG_NOWHERE, "there is no operator '%s'", name);
    const char *near = text_nearest(name, names, n);
    diag_note(c->diags, near != NULL ? "did you mean '%s'?" : "tenon ops lists those that there are", near);
    return STATUS_USAGE;
}

static status list_operators(tenon_context *c, const char *name, arena *a, report *out) {
    strbuf s = strbuf_in(a);
    size_t found = 0;
    json j = json_begin();
    cJSON *list = json_list(&j, NULL, "operators");
    for (size_t i = 0; i < ops_table.n; i++) {
        if (ops_table.rows[i]->is_internal || (name != NULL && strcmp(ops_table.rows[i]->name, name) != 0))
            continue;
        found++;
        json_operator(&j, list, ops_table.rows[i]);
        if (name != NULL && describe_one(a, ops_table.rows[i], &s) != STATUS_OK)
            s.failed = true;
    }
    TRY(json_finish(&j, a, &out->json));
    if (found == 0)
        return no_such_operator(c, a, name);
    if (name == NULL)
        TRY(list_all(a, &ops_table, &s));
    return strbuf_finish(&s, &out->text);
}

TENON_API tenon_status tenon_operators(tenon_context *c, const char *name, tenon_report **out) {
    size_t errors = context_begin(c);
    tenon_report *r = report_new(c);
    status s = r == NULL ? STATUS_RESOURCE : list_operators(c, name, r->memory, &r->forms);
    return report_end(c, s, errors, r, out);
}
