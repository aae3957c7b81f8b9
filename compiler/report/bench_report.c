/* What `tenon bench` measured. */
#include "report/node_report.h"

static double gflops(const bench_result *r) {
    return node_gflops(r->macs, r->median_us);
}

static status as_json(const bench_result *r, arena *a, const char **out) {
    json j = json_begin();
    json_text(&j, NULL, "model", r->head.model);
    json_text(&j, NULL, "backend", r->head.backend);
    json_text(&j, NULL, "target", r->head.target);
    json_text(&j, NULL, "cpu", r->cpu);
    json_integer(&j, NULL, "threads", r->threads);
    cJSON *latency = json_object(&j, NULL, "latency_us");
    json_number(&j, latency, "min", r->min_us);
    json_number(&j, latency, "median", r->median_us);
    json_number(&j, latency, "p99", r->p99_us);
    json_integer(&j, latency, "runs", r->runs);
    json_number(&j, NULL, "compile_ms", r->compile_ms);
    json_number(&j, NULL, "import_ms", r->import_ms);
    json_integer(&j, NULL, "macs", r->macs);
    json_number(&j, NULL, "gflops", gflops(r));
    json_integer(&j, NULL, "arena_bytes", r->arena_bytes);
    json_integer(&j, NULL, "weight_bytes", r->weight_bytes);
    json_integer(&j, NULL, "code_bytes", r->code_bytes);
    json_integer(&j, NULL, "resident_bytes", r->resident_bytes);
    json_integer(&j, NULL, "kernels", r->kernels);
    json_integer(&j, NULL, "steps", r->steps);
    if (r->cost != NULL)
        cost_report_json(&j, NULL, r->cost);
    tuned_report_json(&j, &r->tuned);
    status nodes = r->nodes != NULL ? node_report_json(r, a, &j) : STATUS_OK;
    status finished = json_finish(&j, a, out);
    return nodes != STATUS_OK ? nodes : finished;
}

status bench_report(const bench_result *r, arena *a, report *out) {
    strbuf s = strbuf_in(a);
    strbuf_printf(&s, "%s on %s (%s, %s, %d thread%s)\n", r->head.model, r->cpu, r->head.backend, r->head.target,
                  r->threads, r->threads == 1 ? "" : "s");
    strbuf_printf(&s, "latency   min %.1f us, median %.1f us, p99 %.1f us (%lld runs)\n", r->min_us, r->median_us,
                  r->p99_us, (long long)r->runs);
    if (r->macs > 0)
        strbuf_printf(&s, "speed     %.1f GFLOP/s (%s)\n", gflops(r), report_amount(a, (double)r->macs, "MACs"));
    strbuf_printf(&s, "compile   %.0f ms\n", r->compile_ms);
    strbuf_printf(&s, "arena     %s\n", report_amount(a, (double)r->arena_bytes, "B"));
    strbuf_printf(&s, "weights   %s\n", report_amount(a, (double)r->weight_bytes, "B"));
    strbuf_printf(&s, "code      %s", report_amount(a, (double)r->code_bytes, "B"));
    if (r->kernels > 0) /* a model that comes compiled tells nothing of them */
        strbuf_printf(&s, " in %lld kernels, %lld calls", (long long)r->kernels, (long long)r->steps);
    strbuf_char(&s, '\n');
    if (r->cost != NULL)
        cost_report_text(&s, r->cost, a);
    if (r->tuned.file != NULL)
        strbuf_add(&s, "tuned by  ");
    tuned_report_text(&s, &r->tuned);
    strbuf_printf(&s, "resident  %s\n", report_amount(a, (double)r->resident_bytes, "B"));
    if (r->nodes != NULL)
        TRY(node_report_text(r, a, &s));
    TRY(strbuf_finish(&s, &out->text));
    return as_json(r, a, &out->json);
}
