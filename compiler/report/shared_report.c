/* What `tenon inspect` finds in a model that comes compiled. */
#include "report/json.h"
#include "report/report.h"

static status as_json(const shared_result *r, arena *a, const char **out) {
    json j = json_begin();
    json_text(&j, NULL, "model", r->model);
    json_text(&j, NULL, "name", r->name);
    inspect_report_list(&j, "inputs", r->inputs, r->n_inputs);
    inspect_report_list(&j, "outputs", r->outputs, r->n_outputs);
    json_list(&j, NULL, "nodes");
    cJSON *totals = json_object(&j, NULL, "totals");
    json_integer(&j, totals, "arena_bytes", r->arena_bytes);
    inspect_report_region_list(&j, totals, r->regions, r->n_regions);
    json_integer(&j, totals, "weight_bytes", r->weight_bytes);
    json_integer(&j, totals, "code_bytes", r->code_bytes);
    return json_finish(&j, a, out);
}

status shared_report(const shared_result *r, arena *a, report *out) {
    strbuf s = strbuf_in(a);
    strbuf_printf(&s, "model   %s (compiled; %s_run)\n", r->model, r->name);
    inspect_report_tensors(&s, "input ", r->inputs, r->n_inputs);
    inspect_report_tensors(&s, "output", r->outputs, r->n_outputs);
    strbuf_printf(&s, "\narena       %lld B (%s)\n", (long long)r->arena_bytes,
                  report_amount(a, (double)r->arena_bytes, "B"));
    inspect_report_regions(&s, r->regions, r->n_regions, a);
    strbuf_printf(&s, "weights     %lld B (%s) with all other constants, %s\n", (long long)r->weight_bytes,
                  report_amount(a, (double)r->weight_bytes, "B"),
                  r->weights_file != NULL ? r->weights_file : "compiled in");
    strbuf_printf(&s, "code        %lld B (%s)\n", (long long)r->code_bytes,
                  report_amount(a, (double)r->code_bytes, "B"));
    TRY(strbuf_finish(&s, &out->text));
    return as_json(r, a, &out->json);
}
