/* What `tenon eval` found. */
#include <string.h>

#include "report/json.h"
#include "report/report.h"

static double per_second(const eval_result *r) {
    return r->seconds > 0 ? (double)r->samples / r->seconds : 0;
}

static bool is_accuracy(const eval_result *r) {
    return strcmp(r->metric, "accuracy") == 0;
}

static double accuracy_of(const eval_result *r) {
    return r->samples > 0 ? (double)r->correct / (double)r->samples : 0;
}

static status as_json(const eval_result *r, arena *a, const char **out) {
    json j = json_begin();
    json_text(&j, NULL, "model", r->head.model);
    json_text(&j, NULL, "backend", r->head.backend);
    json_text(&j, NULL, "target", r->head.target);
    json_text(&j, NULL, "metric", r->metric);
    json_integer(&j, NULL, "samples", r->samples);
    if (is_accuracy(r)) {
        json_integer(&j, NULL, "correct", r->correct);
        json_number(&j, NULL, "accuracy", accuracy_of(r));
        cJSON *interval = json_list(&j, NULL, "ci95");
        json_item_number(&j, interval, r->low);
        json_item_number(&j, interval, r->high);
    } else {
        json_number(&j, NULL, "mse", r->mse);
    }
    json_number(&j, NULL, "samples_per_second", per_second(r));
    json_integer(&j, NULL, "weight_bytes", r->weight_bytes);
    cJSON *bits = json_object(&j, NULL, "average_bits");
    json_number(&j, bits, "weights", r->weight_bits);
    json_number(&j, bits, "data", r->data_bits);
    return json_finish(&j, a, out);
}

status eval_report(const eval_result *r, arena *a, report *out) {
    strbuf s = strbuf_in(a);
    if (is_accuracy(r))
        strbuf_printf(&s, "accuracy  %.4f (%lld of %lld; 95 %% interval %.4f to %.4f)\n", accuracy_of(r),
                      (long long)r->correct, (long long)r->samples, r->low, r->high);
    else
        strbuf_printf(&s, "mse       %.6g (%lld samples)\n", r->mse, (long long)r->samples);
    strbuf_printf(&s, "speed     %.0f samples/s (%s, %s)\n", per_second(r), r->head.backend, r->head.target);
    strbuf_printf(&s, "weights   %s", report_amount(a, (double)r->weight_bytes, "B"));
    if (r->data_bits > 0) /* a model that comes compiled tells nothing of them */
        strbuf_printf(&s, ", %.3g bits on average; data %.3g bits", r->weight_bits, r->data_bits);
    strbuf_char(&s, '\n');
    TRY(strbuf_finish(&s, &out->text));
    return as_json(r, a, &out->json);
}
