/* What `tenon eval` found. */
#include <math.h>
#include <string.h>

#include "report/json.h"
#include "report/report.h"

static double per_second(const eval_result *r) {
    return r->seconds > 0 ? (double)r->samples / r->seconds : 0;
}

static double accuracy_of(const eval_result *r, const eval_score *s) {
    return r->samples > 0 ? (double)s->correct / (double)r->samples : 0;
}

static double difference(const eval_result *r) {
    return r->pairs.n > 0 ? r->pairs.sum / (double)r->pairs.n : 0;
}

/* ---- one row for each metric ---- */

static void accuracy_text(const eval_result *r, const eval_score *s, strbuf *to) {
    strbuf_printf(to, "%.4f (%lld of %lld; 95 %% interval %.4f to %.4f)", accuracy_of(r, s), (long long)s->correct,
                  (long long)r->samples, s->low, s->high);
}

static void accuracy_json(const eval_result *r, const eval_score *s, json *j, cJSON *to) {
    json_integer(j, to, "correct", s->correct);
    json_number(j, to, "accuracy", accuracy_of(r, s));
    cJSON *interval = json_list(j, to, "ci95");
    json_item_number(j, interval, s->low);
    json_item_number(j, interval, s->high);
}

static void accuracy_pair_text(const eval_result *r, strbuf *to) {
    double low, high;
    metric_paired_proportions(&r->pairs, &low, &high);
    strbuf_printf(to, "difference %+.2f points (95 %% interval %+.2f to %+.2f); right alone: %lld against %lld\n",
                  100 * difference(r), 100 * low, 100 * high, (long long)r->pairs.first_better,
                  (long long)r->pairs.second_better);
    strbuf_printf(to, "same      class on %lld of %lld samples; mean squared error of the margin %.4g\n",
                  (long long)r->same_class, (long long)r->pairs.n, r->margin_mse);
}

static void difference_json(double mean, double low, double high, json *j, cJSON *to) {
    json_number(j, to, "difference", mean);
    cJSON *interval = json_list(j, to, "difference_ci95");
    json_item_number(j, interval, low);
    json_item_number(j, interval, high);
}

static void accuracy_pair_json(const eval_result *r, json *j, cJSON *to) {
    double low, high;
    metric_paired_proportions(&r->pairs, &low, &high);
    difference_json(difference(r), low, high, j, to);
    json_integer(j, to, "right_alone", r->pairs.first_better);
    json_integer(j, to, "wrong_alone", r->pairs.second_better);
    json_integer(j, to, "same_class", r->same_class);
    json_number(j, to, "margin_mse", r->margin_mse);
}

static void mse_text(const eval_result *r, const eval_score *s, strbuf *to) {
    strbuf_printf(to, "%.6g (%lld samples)", s->mse, (long long)r->samples);
}

static void mse_json(const eval_result *r, const eval_score *s, json *j, cJSON *to) {
    (void)r;
    json_number(j, to, "mse", s->mse);
}

static void mse_pair_text(const eval_result *r, strbuf *to) {
    double low, high;
    metric_paired_means(&r->pairs, &low, &high);
    strbuf_printf(to, "difference %+.4g (95 %% interval %+.4g to %+.4g)\n", difference(r), low, high);
}

static void mse_pair_json(const eval_result *r, json *j, cJSON *to) {
    double low, high;
    metric_paired_means(&r->pairs, &low, &high);
    difference_json(difference(r), low, high, j, to);
}

static void sqnr_text(const eval_result *r, const eval_score *s, strbuf *to) {
    strbuf_printf(to, "%.2f dB (%lld samples", s->sqnr, (long long)r->samples);
    if (r->has_against)
        strbuf_printf(to, "; against %s", r->against.path);
    strbuf_char(to, ')');
}

static void sqnr_json(const eval_result *r, const eval_score *s, json *j, cJSON *to) {
    (void)r;
    json_number(j, to, "sqnr_db", s->sqnr);
    json_number(j, to, "mse", s->mse);
}

typedef struct metric_form {
    const char *name;
    void (*text)(const eval_result *r, const eval_score *s, strbuf *to);
    void (*json)(const eval_result *r, const eval_score *s, json *j, cJSON *to);
    /* Of two models; NULL where the metric is between them. */
    void (*pair_text)(const eval_result *r, strbuf *to);
    void (*pair_json)(const eval_result *r, json *j, cJSON *to);
} metric_form;

static const metric_form forms[] = {{"accuracy", accuracy_text, accuracy_json, accuracy_pair_text, accuracy_pair_json},
                                    {"mse", mse_text, mse_json, mse_pair_text, mse_pair_json},
                                    {"sqnr", sqnr_text, sqnr_json, NULL, NULL}};

static const metric_form *form_of(const eval_result *r) {
    const metric_form *f = forms;
    while (strcmp(f->name, r->metric) != 0)
        f++;
    return f;
}

/* ---- all ---- */

static void add_against_json(const eval_result *r, const metric_form *f, json *j) {
    cJSON *other = json_object(j, NULL, "against");
    json_text(j, other, "model", r->against.path);
    if (f->pair_json == NULL)
        return;
    f->json(r, &r->against, j, other);
    f->pair_json(r, j, other);
}

static status as_json(const eval_result *r, arena *a, const char **out) {
    const metric_form *f = form_of(r);
    json j = json_begin();
    json_text(&j, NULL, "model", r->head.model);
    json_text(&j, NULL, "backend", r->head.backend);
    json_text(&j, NULL, "target", r->head.target);
    json_text(&j, NULL, "metric", r->metric);
    json_integer(&j, NULL, "samples", r->samples);
    f->json(r, &r->score, &j, NULL);
    if (r->has_against)
        add_against_json(r, f, &j);
    json_number(&j, NULL, "samples_per_second", per_second(r));
    json_integer(&j, NULL, "weight_bytes", r->weight_bytes);
    cJSON *bits = json_object(&j, NULL, "average_bits");
    json_number(&j, bits, "weights", r->weight_bits);
    json_number(&j, bits, "data", r->data_bits);
    return json_finish(&j, a, out);
}

static void add_against_text(const eval_result *r, const metric_form *f, strbuf *s) {
    strbuf_add(s, "against   ");
    f->text(r, &r->against, s);
    strbuf_printf(s, ": %s\n", r->against.path);
    f->pair_text(r, s);
}

status eval_report(const eval_result *r, arena *a, report *out) {
    const metric_form *f = form_of(r);
    strbuf s = strbuf_in(a);
    strbuf_printf(&s, "%-9s ", r->metric);
    f->text(r, &r->score, &s);
    strbuf_char(&s, '\n');
    if (r->has_against && f->pair_text != NULL)
        add_against_text(r, f, &s);
    strbuf_printf(&s, "speed     %.0f samples/s (%s, %s)\n", per_second(r), r->head.backend, r->head.target);
    strbuf_printf(&s, "weights   %s", report_amount(a, (double)r->weight_bytes, "B"));
    if (r->data_bits > 0) /* a model that comes compiled tells nothing of them */
        strbuf_printf(&s, ", %.3g bits on average; data %.3g bits", r->weight_bits, r->data_bits);
    strbuf_char(&s, '\n');
    TRY(strbuf_finish(&s, &out->text));
    return as_json(r, a, &out->json);
}
