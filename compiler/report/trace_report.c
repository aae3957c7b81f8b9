/* One run of a model as a trace: the JSON that chrome://tracing and Perfetto read. */
#include "report/json.h"
#include "report/report.h"

enum { PROCESS = 1, THREAD = 1 };

/* An event of the given phase: "X" lasts from ts, "M" names something. */
static cJSON *add_event(json *j, cJSON *list, const char *phase, const char *name) {
    cJSON *event = json_item(j, list);
    json_text(j, event, "ph", phase);
    json_text(j, event, "name", name);
    json_integer(j, event, "pid", PROCESS);
    json_integer(j, event, "tid", THREAD);
    return event;
}

static void add_name(json *j, cJSON *list, const char *what, const char *name) {
    json_text(j, json_object(j, add_event(j, list, "M", what), "args"), "name", name);
}

static cJSON *add_span(json *j, cJSON *list, const char *name, const char *category, double begin_us, double us) {
    cJSON *event = add_event(j, list, "X", name);
    json_text(j, event, "cat", category);
    json_number(j, event, "ts", begin_us);
    json_number(j, event, "dur", us);
    return json_object(j, event, "args");
}

static void add_call(json *j, cJSON *list, const bench_nodes *b, const bench_call *c) {
    const bench_node *n = &b->at[c->node];
    const char *name = *n->lead.name != '\0' ? n->lead.name : n->lead.op;
    cJSON *args = add_span(j, list, name, n->lead.op, c->begin_us, c->us);
    json_integer(j, args, "node", n->lead.index);
    json_text(j, args, "op", n->lead.op);
    json_text(j, args, "shapes", n->shapes);
    json_integer(j, args, "macs", c->macs);
    json_integer(j, args, "bytes", c->bytes);
    json_text(j, args, "kernel", c->kernel);
    cJSON *fused = json_list(j, args, "fused");
    for (size_t i = 0; i < n->n_fused; i++)
        json_item_text(j, fused, *n->fused[i].name != '\0' ? n->fused[i].name : n->fused[i].op);
}

status trace_report(const bench_result *r, arena *a, const char **out) {
    const bench_nodes *b = r->nodes;
    json j = json_begin();
    json_text(&j, NULL, "displayTimeUnit", "ns");
    cJSON *other = json_object(&j, NULL, "otherData");
    json_text(&j, other, "model", r->head.model);
    json_text(&j, other, "target", r->head.target);
    json_text(&j, other, "cpu", r->cpu);
    json_number(&j, other, "median_us", r->median_us);
    json_number(&j, other, "peak_gflops", b->peak_gflops);
    json_number(&j, other, "bandwidth_gbs", b->bandwidth_gbs);
    cJSON *events = json_list(&j, NULL, "traceEvents");
    add_name(&j, events, "process_name", "tenon");
    add_name(&j, events, "thread_name", r->head.model);
    add_span(&j, events, r->head.model, "run", 0, b->run_us);
    for (size_t i = 0; i < b->n_calls; i++)
        add_call(&j, events, b, &b->calls[i]);
    return json_finish(&j, a, out);
}
