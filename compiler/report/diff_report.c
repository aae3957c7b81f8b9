/* What `tenon diff` found. */
#include <math.h>
#include <string.h>

#include "report/json.h"
#include "report/report.h"

enum { COLUMNS = 11, LEFT_COLUMNS = 3, LONGEST_NAME = 40, MOST_LOST = 6 };

static bool is_equal(const diff_row *row) {
    return row->numbers.n_differ == 0;
}

static bool departs(const diff_result *r, const diff_row *row) {
    return !is_equal(row) && (row->numbers.n_odd > 0 || !(metric_sqnr(&row->numbers.squares) >= r->threshold));
}

static const diff_row *first_departing(const diff_result *r) {
    for (size_t i = 0; i < r->n; i++)
        if (departs(r, &r->rows[i]))
            return &r->rows[i];
    return NULL;
}

bool diff_report_departs(const diff_result *r) {
    return first_departing(r) != NULL;
}

/* The form whose node brings the difference in: what only b quantises or changes, b's node makes. */
static const diff_value *maker(const diff_row *row) {
    bool quantised = row->b.is_quantised && !row->a.is_quantised && !row->is_input;
    return row->is_of_b || quantised ? &row->b : &row->a;
}

/* ---- text: the table ---- */

static const char *print(arena *a, const char *format, double x) {
    const char *text = arena_printf(a, format, x);
    return text != NULL ? text : "";
}

static const char *print_error(arena *a, double x) {
    return x == 0 ? "." : print(a, "%.3g", x);
}

static const char *print_range(arena *a, const comparison *c, int side) {
    if (c->low[side] > c->high[side])
        return ".";
    const char *text = arena_printf(a, "%.3g .. %.3g", c->low[side] + 0.0, c->high[side] + 0.0); /* never -0 */
    return text != NULL ? text : "";
}

static const char *print_sqnr(arena *a, const diff_row *row) {
    if (is_equal(row))
        return row->same_bits ? "same bits" : "equal";
    return row->numbers.n_odd > 0 ? "inf, nan" : print(a, "%.1f", metric_sqnr(&row->numbers.squares));
}

static const char *print_saturated(arena *a, const diff_value *v) {
    return !v->has_integers || v->saturated == 0 ? "." : print(a, "%.2g%%", 100 * v->saturated);
}

static status fill_row(const diff_result *r, const diff_row *row, arena *a, const char **cells) {
    const diff_value *v = maker(row);
    cells[0] = v->index < 0 ? "-" : v != &row->a ? "B" : arena_printf(a, "%lld", (long long)v->index);
    TRY_ALLOC(cells[0]);
    cells[1] = v->op;
    cells[2] = report_name(a, v->name[0] != '\0' ? v->name : v->value, LONGEST_NAME);
    cells[3] = print_sqnr(a, row);
    cells[4] = print_error(a, row->numbers.error_max);
    cells[5] = print_error(a, metric_mean_error(&row->numbers));
    cells[6] = print(a, "%.6f", metric_cosine(&row->numbers));
    cells[7] = print_saturated(a, row->b.has_integers ? &row->b : &row->a);
    cells[8] = print_range(a, &row->numbers, 0);
    cells[9] = print_range(a, &row->numbers, 1);
    cells[10] = row == first_departing(r) ? "first" : departs(r, row) ? "departs" : ".";
    return STATUS_OK;
}

static status add_table(const diff_result *r, arena *a, strbuf *s) {
    static const char *const heads[COLUMNS] = {"node",   "operator",  "name",    "SQNR dB", "max error", "mean error",
                                               "cosine", "saturated", "range A", "range B", "departs"};
    const char **cells = ARENA_NEW_N(a, const char *, (r->n + 1) * COLUMNS);
    TRY_ALLOC(cells);
    memcpy(cells, heads, sizeof heads);
    for (size_t i = 0; i < r->n; i++)
        TRY(fill_row(r, &r->rows[i], a, cells + (i + 1) * COLUMNS));
    report_table(s, cells, r->n + 1, COLUMNS, LEFT_COLUMNS);
    return STATUS_OK;
}

/* ---- text: what it comes to ---- */

static void add_form(strbuf *s, const char *letter, const diff_form *f) {
    strbuf_printf(s, "%-9s %s", letter, f->path);
    for (size_t i = 0; i < f->n_passes; i++)
        strbuf_printf(s, "%s%s%s %s", i == 0 ? " after " : " ", f->passes[i].option[1] == '\0' ? "-" : "--",
                      f->passes[i].option, f->passes[i].text);
    strbuf_char(s, '\n');
}

/* "Conv 'conv1' (node 3, value 'conv1_out')" */
static void add_place(strbuf *s, const diff_row *row) {
    const diff_value *v = maker(row);
    strbuf_printf(s, "%s '%s' (", v->op, v->name[0] != '\0' ? v->name : v->value);
    if (v->index >= 0)
        strbuf_printf(s, "node %lld%s, ", (long long)v->index, v != &row->a ? " of B" : "");
    strbuf_printf(s, "value '%s')", v->value);
}

static void add_size(strbuf *s, const diff_row *row) {
    const comparison *c = &row->numbers;
    if (is_equal(row))
        strbuf_add(s, row->same_bits ? "the same bits" : "equal");
    else
        strbuf_printf(s, "%.1f dB, largest error %.3g", metric_sqnr(&c->squares), c->error_max);
    if (c->n_odd > 0)
        strbuf_printf(s, "; infinite or NaN in one form only: %lld elements", (long long)c->n_odd);
}

static void add_conclusion(const diff_result *r, strbuf *s) {
    const diff_row *first = first_departing(r);
    size_t same = 0, below = 0;
    for (size_t i = 0; i < r->n; i++) {
        same += is_equal(&r->rows[i]);
        below += departs(r, &r->rows[i]);
    }
    strbuf_printf(s, "\ncompared  %zu values on %lld sample%s (%s, %s): %zu the same, %zu below %.4g dB\n", r->n,
                  (long long)r->samples, r->samples == 1 ? "" : "s", r->head.backend, r->head.target, same, below,
                  r->threshold);
    strbuf_add(s, "first     ");
    if (first == NULL) {
        strbuf_add(s, "none departs\n");
    } else {
        add_place(s, first);
        strbuf_add(s, ": ");
        add_size(s, first);
        strbuf_char(s, '\n');
    }
    for (size_t i = 0; i < r->n; i++) {
        if (!r->rows[i].is_output)
            continue;
        strbuf_printf(s, "output    '%s': ", r->rows[i].a.value);
        add_size(s, &r->rows[i]);
        strbuf_char(s, '\n');
    }
}

static void add_lost(strbuf *s, const char *letter, const diff_form *f) {
    if (f->n_lost == 0)
        return;
    strbuf_printf(s, "only in %s %zu not compared: ", letter, f->n_lost);
    for (size_t i = 0; i < f->n_lost && i < MOST_LOST; i++) {
        strbuf_printf(s, "%s%s", i > 0 ? ", " : "", f->lost[i].value.value);
        if (f->lost[i].reason != NULL)
            strbuf_printf(s, " (%s)", f->lost[i].reason);
    }
    if (f->n_lost > MOST_LOST)
        strbuf_printf(s, ", %zu more", f->n_lost - MOST_LOST);
    strbuf_char(s, '\n');
}

/* ---- JSON ---- */

static void json_value(json *j, cJSON *item, const diff_value *v) {
    json_integer(j, item, "index", v->index);
    json_text(j, item, "op", v->op);
    json_text(j, item, "name", v->name);
    json_text(j, item, "value", v->value);
    json_text(j, item, "type", v->type);
    json_bool(j, item, "quantised", v->is_quantised);
}

static void json_form(json *j, cJSON *item, const diff_row *row, int side) {
    const diff_value *v = side == 0 ? &row->a : &row->b;
    const comparison *c = &row->numbers;
    json_value(j, item, v);
    json_number(j, item, "least", c->low[side] <= c->high[side] ? c->low[side] : NAN);
    json_number(j, item, "largest", c->low[side] <= c->high[side] ? c->high[side] : NAN);
    if (!v->has_integers)
        return;
    json_number(j, item, "saturation", v->saturated);
    json_number(j, item, "share_at_least", v->least);
    json_number(j, item, "share_at_largest", v->largest);
}

static void json_place(json *j, cJSON *item, const diff_row *row) {
    const diff_value *v = maker(row);
    json_text(j, item, "model", v == &row->a ? "a" : "b");
    json_integer(j, item, "index", v->index);
    json_text(j, item, "op", v->op);
    json_text(j, item, "name", v->name);
    json_text(j, item, "value", v->value);
}

static void json_row(json *j, cJSON *item, const diff_result *r, const diff_row *row) {
    const comparison *c = &row->numbers;
    json_place(j, item, row);
    json_text(j, item, "matched_by", row->by);
    json_text(j, item, "role", row->is_input ? "input" : row->is_output ? "output" : "inner");
    json_integer(j, item, "elements", c->squares.n);
    json_bool(j, item, "same_bits", row->same_bits);
    json_integer(j, item, "differing", c->n_differ);
    json_integer(j, item, "not_finite", c->n_odd);
    json_number(j, item, "sqnr_db", is_equal(row) ? INFINITY : metric_sqnr(&c->squares));
    json_number(j, item, "max_error", c->error_max);
    json_number(j, item, "mean_error", metric_mean_error(c));
    json_number(j, item, "cosine", metric_cosine(c));
    json_bool(j, item, "departs", departs(r, row));
    json_form(j, json_object(j, item, "a"), row, 0);
    json_form(j, json_object(j, item, "b"), row, 1);
}

static void json_side(json *j, cJSON *item, const diff_form *f) {
    json_text(j, item, "model", f->path);
    cJSON *passes = json_list(j, item, "passes"), *lost = json_list(j, item, "unmatched");
    for (size_t i = 0; i < f->n_passes; i++)
        json_item_text(j, passes, f->passes[i].text);
    for (size_t i = 0; i < f->n_lost; i++) {
        cJSON *one = json_item(j, lost);
        json_value(j, one, &f->lost[i].value);
        json_text(j, one, "reason", f->lost[i].reason);
    }
}

static status as_json(const diff_result *r, arena *a, const char **out) {
    json j = json_begin();
    const diff_row *first = first_departing(r);
    json_text(&j, NULL, "model", r->head.model);
    json_text(&j, NULL, "backend", r->head.backend);
    json_text(&j, NULL, "target", r->head.target);
    json_side(&j, json_object(&j, NULL, "a"), &r->a);
    json_side(&j, json_object(&j, NULL, "b"), &r->b);
    json_integer(&j, NULL, "samples", r->samples);
    json_number(&j, NULL, "threshold_db", r->threshold);
    json_integer(&j, NULL, "matched", (int64_t)r->n);
    json_bool(&j, NULL, "departs", first != NULL);
    if (first != NULL)
        json_place(&j, json_object(&j, NULL, "first"), first);
    else
        json_text(&j, NULL, "first", NULL);
    cJSON *nodes = json_list(&j, NULL, "nodes");
    for (size_t i = 0; i < r->n; i++)
        json_row(&j, json_item(&j, nodes), r, &r->rows[i]);
    return json_finish(&j, a, out);
}

status diff_report(const diff_result *r, arena *a, report *out) {
    strbuf s = strbuf_in(a);
    add_form(&s, "A", &r->a);
    add_form(&s, "B", &r->b);
    strbuf_char(&s, '\n');
    TRY(add_table(r, a, &s));
    add_conclusion(r, &s);
    add_lost(&s, "A", &r->a);
    add_lost(&s, "B", &r->b);
    TRY(strbuf_finish(&s, &out->text));
    return as_json(r, a, &out->json);
}
