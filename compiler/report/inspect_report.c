/* What `tenon inspect` found. */
#include <string.h>

#include "report/json.h"
#include "report/report.h"

/* The last two columns are for models with weights that are zero. */
enum { COLUMNS = 15, DENSE_COLUMNS = 13, SUMS = 4, LONGEST_NAME = 48 };

static bool is_sparse(const inspect_result *r) {
    return r->zeros > 0 && 100 * r->zeros >= r->matrix;
}

static const char *number(arena *a, int64_t x) {
    const char *text = x == 0 ? "." : arena_printf(a, "%lld", (long long)x);
    return text != NULL ? text : "";
}

static const char *bits(arena *a, double x) {
    const char *text = x == 0 ? "." : arena_printf(a, "%.3g", x);
    return text != NULL ? text : "";
}

static status add_nodes(strbuf *s, const inspect_result *r, arena *a) {
    static const char *const heads[COLUMNS] = {"node",     "operator", "name",   "output", "computes in",
                                               "MACs",     "params",   "bytes",  "arena",  "bits a w",
                                               "bits a d", "moved",    "cycles", "stored", "effective"};
    const size_t columns = is_sparse(r) ? COLUMNS : DENSE_COLUMNS;
    const char **cells = ARENA_NEW_N(a, const char *, (r->n_nodes + 1) * columns);
    TRY_ALLOC(cells);
    for (size_t c = 0; c < columns; c++)
        cells[c] = heads[c];
    for (size_t i = 0; i < r->n_nodes; i++) {
        const inspect_node *n = &r->nodes[i];
        const char *row[COLUMNS] = {n->index < 0 ? "-" : arena_printf(a, "%lld", (long long)n->index),
                                    n->op,
                                    report_name(a, n->name, LONGEST_NAME),
                                    n->output,
                                    n->precision[0] != '\0' ? n->precision : ".",
                                    number(a, n->macs),
                                    number(a, n->params),
                                    number(a, n->bytes),
                                    number(a, n->arena),
                                    bits(a, n->weight_bits),
                                    bits(a, n->data_bits),
                                    number(a, n->moved),
                                    number(a, (int64_t)n->cycles),
                                    number(a, n->stored),
                                    number(a, n->effective)};
        for (size_t c = 0; c < columns; c++)
            TRY_ALLOC(cells[(i + 1) * columns + c] = row[c]);
    }
    report_table(s, cells, r->n_nodes + 1, columns, 5);
    return STATUS_OK;
}

static status add_operators(strbuf *s, const inspect_result *r, arena *a) {
    static const char *const heads[SUMS] = {"operator", "nodes", "MACs", "params"};
    const char **cells = ARENA_NEW_N(a, const char *, (r->n_operators + 1) * SUMS);
    TRY_ALLOC(cells);
    for (size_t c = 0; c < SUMS; c++)
        cells[c] = heads[c];
    for (size_t i = 0; i < r->n_operators; i++) {
        const inspect_operator *o = &r->operators[i];
        const char **row = &cells[(i + 1) * SUMS];
        row[0] = o->op;
        row[1] = number(a, o->nodes);
        row[2] = number(a, o->macs);
        row[3] = number(a, o->params);
    }
    report_table(s, cells, r->n_operators + 1, SUMS, 1);
    return STATUS_OK;
}

void inspect_report_tensors(strbuf *s, const char *what, const inspect_tensor *t, size_t n) {
    for (size_t i = 0; i < n; i++)
        strbuf_printf(s, "%s  %s: %s\n", what, t[i].name, t[i].type);
}

void inspect_report_regions(strbuf *s, const program_region *r, size_t n, arena *a) {
    for (size_t i = 0; i < n; i++) {
        strbuf_printf(s, "  %-9s %lld B (%s", r[i].name, (long long)r[i].bytes,
                      report_amount(a, (double)r[i].bytes, "B"));
        if (r[i].limit > 0)
            strbuf_printf(s, " of %s", report_amount(a, (double)r[i].limit, "B"));
        strbuf_printf(s, "), aligned to %d\n", PLAN_ALIGN);
    }
}

void inspect_report_region_list(json *j, cJSON *parent, const program_region *r, size_t n) {
    cJSON *list = json_list(j, parent, "regions");
    for (size_t i = 0; i < n; i++) {
        cJSON *item = json_item(j, list);
        json_text(j, item, "name", r[i].name);
        json_integer(j, item, "bytes", r[i].bytes);
        if (r[i].limit > 0)
            json_integer(j, item, "limit_bytes", r[i].limit);
        json_integer(j, item, "alignment", PLAN_ALIGN);
    }
}

static void add_totals(strbuf *s, const inspect_result *r, arena *a) {
    strbuf_printf(s, "nodes       %zu after clean-up, %lld in the file\n", r->n_nodes, (long long)r->file_nodes);
    strbuf_printf(s, "parameters  %lld (%s)\n", (long long)r->params, report_amount(a, (double)r->param_bytes, "B"));
    if (is_sparse(r))
        strbuf_printf(s, "sparsity    %.4f (%lld of %lld numbers of weights are 0)\n",
                      (double)r->zeros / (double)r->matrix, (long long)r->zeros, (long long)r->matrix);
    strbuf_printf(s, "MACs        %lld (%s)\n", (long long)r->macs, report_amount(a, (double)r->macs, "MACs"));
    if (is_sparse(r))
        strbuf_printf(s, "effective   %lld (%s by weights that are not 0)\n", (long long)r->effective,
                      report_amount(a, (double)r->effective, "MACs"));
    strbuf_printf(s, "arena       %lld B (%s; no plan needs less than %lld B)\n", (long long)r->arena_bytes,
                  report_amount(a, (double)r->arena_bytes, "B"), (long long)r->arena_least);
    inspect_report_regions(s, r->regions, r->n_regions, a);
    strbuf_printf(s, "weights     %lld B (%s)\n", (long long)r->weight_bytes,
                  report_amount(a, (double)r->weight_bytes, "B"));
    strbuf_printf(s, "code        %lld kernels, %lld calls (%s)\n", (long long)r->kernels, (long long)r->steps,
                  r->head.target);
    cost_report_text(s, &r->cost, a);
    if (r->tuned.file != NULL)
        strbuf_add(s, "tuned by    ");
    tuned_report_text(s, &r->tuned);
}

void inspect_report_list(json *j, const char *name, const inspect_tensor *t, size_t n) {
    cJSON *list = json_list(j, NULL, name);
    for (size_t i = 0; i < n; i++) {
        cJSON *item = json_item(j, list);
        json_text(j, item, "name", t[i].name);
        json_text(j, item, "type", t[i].type);
    }
}

static void json_nodes(json *j, const inspect_result *r) {
    cJSON *list = json_list(j, NULL, "nodes");
    for (size_t i = 0; i < r->n_nodes; i++) {
        const inspect_node *n = &r->nodes[i];
        cJSON *item = json_item(j, list);
        json_integer(j, item, "index", n->index);
        json_text(j, item, "name", n->name);
        json_text(j, item, "op", n->op);
        json_text(j, item, "output", n->output);
        json_text(j, item, "precision", n->precision);
        json_integer(j, item, "macs", n->macs);
        json_integer(j, item, "effective_macs", n->effective);
        json_integer(j, item, "params", n->params);
        json_integer(j, item, "stored_bytes", n->stored);
        json_integer(j, item, "bytes", n->bytes);
        json_integer(j, item, "arena", n->arena);
        json_number(j, item, "weight_bits", n->weight_bits);
        json_number(j, item, "data_bits", n->data_bits);
        json_integer(j, item, "moved_bytes", n->moved);
        json_number(j, item, "cycles", n->cycles);
        json_number(j, item, "sparsity", n->matrix > 0 ? (double)n->zeros / (double)n->matrix : 0);
    }
}

static void json_operators(json *j, const inspect_result *r) {
    cJSON *list = json_list(j, NULL, "operators");
    for (size_t i = 0; i < r->n_operators; i++) {
        const inspect_operator *o = &r->operators[i];
        cJSON *item = json_item(j, list);
        json_text(j, item, "op", o->op);
        json_integer(j, item, "nodes", o->nodes);
        json_integer(j, item, "macs", o->macs);
        json_integer(j, item, "params", o->params);
    }
}

static status as_json(const inspect_result *r, arena *a, const char **out) {
    json j = json_begin();
    json_text(&j, NULL, "model", r->head.model);
    json_text(&j, NULL, "target", r->head.target);
    inspect_report_list(&j, "inputs", r->inputs, r->n_inputs);
    inspect_report_list(&j, "outputs", r->outputs, r->n_outputs);
    json_nodes(&j, r);
    json_operators(&j, r);
    cJSON *totals = json_object(&j, NULL, "totals");
    json_integer(&j, totals, "nodes", (int64_t)r->n_nodes);
    json_integer(&j, totals, "file_nodes", r->file_nodes);
    json_integer(&j, totals, "params", r->params);
    json_integer(&j, totals, "param_bytes", r->param_bytes);
    json_number(&j, totals, "sparsity", r->matrix > 0 ? (double)r->zeros / (double)r->matrix : 0);
    json_integer(&j, totals, "macs", r->macs);
    json_integer(&j, totals, "effective_macs", r->effective);
    json_integer(&j, totals, "arena_bytes", r->arena_bytes);
    json_integer(&j, totals, "arena_least_bytes", r->arena_least);
    inspect_report_region_list(&j, totals, r->regions, r->n_regions);
    json_integer(&j, totals, "weight_bytes", r->weight_bytes);
    cost_report_json(&j, totals, &r->cost);
    json_integer(&j, totals, "kernels", r->kernels);
    json_integer(&j, totals, "steps", r->steps);
    tuned_report_json(&j, &r->tuned);
    return json_finish(&j, a, out);
}

status inspect_report(const inspect_result *r, arena *a, report *out) {
    strbuf s = strbuf_in(a);
    strbuf_printf(&s, "model   %s (graph '%s')\n", r->head.model, r->graph);
    inspect_report_tensors(&s, "input ", r->inputs, r->n_inputs);
    inspect_report_tensors(&s, "output", r->outputs, r->n_outputs);
    strbuf_char(&s, '\n');
    TRY(add_nodes(&s, r, a));
    strbuf_char(&s, '\n');
    TRY(add_operators(&s, r, a));
    strbuf_char(&s, '\n');
    add_totals(&s, r, a);
    TRY(strbuf_finish(&s, &out->text));
    return as_json(r, a, &out->json);
}
