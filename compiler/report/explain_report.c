/* What `tenon explain` found. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "report/json.h"
#include "report/report.h"

enum { COLUMNS = 11, LEFT_COLUMNS = 5, LONGEST_NAME = 36 };

static double gain_of(const explain_result *r, const explain_row *row) {
    return metric_sqnr(&row->alone.error) - metric_sqnr(&r->quantised.error);
}

static double points_of(const explain_result *r, const explain_row *row) {
    return r->samples > 0 ? 100.0 * (double)(row->alone.correct - r->quantised.correct) / (double)r->samples : 0;
}

/* ---- what costs most comes first ---- */

typedef struct ranked {
    const explain_row *row;
    double gain;
} ranked;

static int compare(const void *x, const void *y) {
    const ranked *a = x, *b = y;
    if (a->gain != b->gain)
        return a->gain > b->gain ? -1 : 1;
    return a->row < b->row ? -1 : a->row > b->row;
}

static ranked *rank(const explain_result *r, arena *a) {
    ranked *list = ARENA_NEW_N(a, ranked, r->n + 1);
    for (size_t i = 0; list != NULL && i < r->n; i++) {
        double gain = gain_of(r, &r->rows[i]);
        list[i] = (ranked){&r->rows[i], isnan(gain) ? 0 : gain};
    }
    if (list != NULL)
        qsort(list, r->n, sizeof *list, compare);
    return list;
}

/* ---- text ---- */

static const char *join(arena *a, const char *const *texts) {
    strbuf s = strbuf_in(a);
    const char *out;
    for (; *texts != NULL; texts++)
        strbuf_printf(&s, "%s%s", s.n > 0 ? ", " : "", *texts);
    return strbuf_finish(&s, &out) != STATUS_OK ? NULL : out[0] != '\0' ? out : ".";
}

static const char *print(arena *a, bool known, const char *format, double x) {
    return known ? arena_printf(a, format, x) : ".";
}

static const char *print_sqnr(arena *a, const explain_row *row) {
    const comparison *c = &row->numbers;
    if (row->is_compared && c->n_odd == 0 && c->n_differ == 0)
        return "equal";
    return c->n_odd > 0 ? "inf, nan" : print(a, row->is_compared, "%.1f", metric_sqnr(&c->squares));
}

static status fill_row(const explain_result *r, const ranked *of, arena *a, const char **cells) {
    const explain_row *row = of->row;
    const comparison *c = &row->numbers;
    cells[0] = row->index < 0 ? "-" : arena_printf(a, "%lld", (long long)row->index);
    cells[1] = row->op;
    cells[2] = report_name(a, row->name[0] != '\0' ? row->name : row->value, LONGEST_NAME);
    cells[3] = join(a, row->weights);
    cells[4] = join(a, row->data);
    cells[5] = print_sqnr(a, row);
    cells[6] = print(a, row->is_compared, "%.3g", c->error_max);
    cells[7] = print(a, row->is_compared, "%.6f", metric_cosine(c));
    cells[8] = print(a, row->saturated > 0, "%.2g%%", 100 * row->saturated);
    cells[9] = print(a, true, "%+.2f", of->gain);
    cells[10] = print(a, r->has_labels, "%+.2f", points_of(r, row));
    for (int i = 0; i < COLUMNS; i++)
        TRY_ALLOC(cells[i]);
    return STATUS_OK;
}

static status add_table(const explain_result *r, const ranked *list, arena *a, strbuf *s) {
    static const char *const heads[COLUMNS] = {"node",      "operator", "name",      "weights", "data",  "SQNR dB",
                                               "max error", "cosine",   "saturated", "gain dB", "points"};
    const char **cells = ARENA_NEW_N(a, const char *, (r->n + 1) * COLUMNS);
    TRY_ALLOC(cells);
    memcpy(cells, heads, sizeof heads);
    for (size_t i = 0; i < r->n; i++)
        TRY(fill_row(r, &list[i], a, cells + (i + 1) * COLUMNS));
    report_table(s, cells, r->n + 1, COLUMNS, LEFT_COLUMNS);
    return STATUS_OK;
}

static void add_summary(const explain_result *r, strbuf *s) {
    strbuf_printf(s, "\nfloat     %s%s\n", r->reference,
                  r->is_own_reference ? ", its quantisation taken out (its weights stay rounded)" : "");
    if (r->has_labels)
        strbuf_printf(s, "accuracy  %lld of %lld samples, in floats %lld\n", (long long)r->quantised.correct,
                      (long long)r->samples, (long long)r->floats.correct);
    strbuf_printf(s, "output    SQNR %.1f dB on %lld sample%s (%s, %s)\n", metric_sqnr(&r->quantised.error),
                  (long long)r->samples, r->samples == 1 ? "" : "s", r->head.backend, r->head.target);
    strbuf_add(s, "gain      what the output wins where that node alone computes with floats\n");
}

/* ---- JSON ---- */

static void json_score(json *j, cJSON *to, const explain_result *r, const explain_score *score) {
    json_number(j, to, "sqnr_db", metric_sqnr(&score->error));
    json_number(j, to, "mse", score->error.n > 0 ? score->error.noise / (double)score->error.n : 0);
    if (r->has_labels)
        json_integer(j, to, "correct", score->correct);
}

static void json_texts(json *j, cJSON *to, const char *name, const char *const *texts) {
    cJSON *list = json_list(j, to, name);
    for (; *texts != NULL; texts++)
        json_item_text(j, list, *texts);
}

static void json_row(json *j, cJSON *to, const explain_result *r, const ranked *of) {
    const explain_row *row = of->row;
    const comparison *c = &row->numbers;
    json_integer(j, to, "index", row->index);
    json_text(j, to, "op", row->op);
    json_text(j, to, "name", row->name);
    json_text(j, to, "value", row->value);
    json_texts(j, to, "weights", row->weights);
    json_texts(j, to, "data", row->data);
    bool same = c->n_odd == 0 && c->n_differ == 0;
    json_number(j, to, "sqnr_db", row->is_compared ? same ? INFINITY : metric_sqnr(&c->squares) : NAN);
    json_number(j, to, "max_error", row->is_compared ? c->error_max : NAN);
    json_number(j, to, "cosine", row->is_compared ? metric_cosine(c) : NAN);
    json_number(j, to, "saturation", row->has_integers ? row->saturated : NAN);
    json_number(j, to, "gain_db", of->gain);
    if (r->has_labels)
        json_number(j, to, "gain_points", points_of(r, row));
    json_score(j, json_object(j, to, "alone_in_floats"), r, &row->alone);
}

static status as_json(const explain_result *r, const ranked *list, arena *a, const char **out) {
    json j = json_begin();
    json_text(&j, NULL, "model", r->head.model);
    json_text(&j, NULL, "backend", r->head.backend);
    json_text(&j, NULL, "target", r->head.target);
    json_text(&j, NULL, "reference", r->reference);
    json_bool(&j, NULL, "reference_is_the_model", r->is_own_reference);
    json_integer(&j, NULL, "samples", r->samples);
    json_score(&j, json_object(&j, NULL, "floats"), r, &r->floats);
    json_score(&j, json_object(&j, NULL, "quantised"), r, &r->quantised);
    cJSON *nodes = json_list(&j, NULL, "nodes");
    for (size_t i = 0; i < r->n; i++)
        json_row(&j, json_item(&j, nodes), r, &list[i]);
    return json_finish(&j, a, out);
}

status explain_report(const explain_result *r, arena *a, report *out) {
    const ranked *list = rank(r, a);
    TRY_ALLOC(list);
    strbuf s = strbuf_in(a);
    if (r->n == 0)
        strbuf_add(&s, "no node reads quantised values: there is nothing to explain\n");
    else
        TRY(add_table(r, list, a, &s));
    add_summary(r, &s);
    TRY(strbuf_finish(&s, &out->text));
    return as_json(r, list, a, &out->json);
}
