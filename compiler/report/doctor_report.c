/* What `tenon doctor` found. */
#include "report/json.h"
#include "report/report.h"

static status as_json(const doctor_result *r, arena *a, const char **out) {
    json j = json_begin();
    json_text(&j, NULL, "version", r->version);
    json_text(&j, NULL, "cpu", r->cpu);
    json_integer(&j, NULL, "cores", r->cores);
    json_integer(&j, NULL, "memory_bytes", r->memory_bytes);
    json_text(&j, NULL, "target", r->target);
    cJSON *targets = json_list(&j, NULL, "targets");
    for (size_t i = 0; i < r->n_targets; i++)
        json_item_text(&j, targets, r->targets[i]);
    cJSON *items = json_list(&j, NULL, "items");
    for (size_t i = 0; i < r->n_items; i++) {
        cJSON *item = json_item(&j, items);
        json_text(&j, item, "name", r->items[i].name);
        json_bool(&j, item, "ok", r->items[i].there);
        json_text(&j, item, "detail", r->items[i].detail);
        json_text(&j, item, "help", r->items[i].there ? NULL : r->items[i].help);
    }
    return json_finish(&j, a, out);
}

status doctor_report(const doctor_result *r, arena *a, report *out) {
    strbuf s = strbuf_in(a);
    strbuf_printf(&s, "tenon %s\n", r->version);
    strbuf_printf(&s, "machine  %s, %d cores, %s of memory\n", r->cpu, r->cores,
                  report_amount(a, (double)r->memory_bytes, "B"));
    strbuf_printf(&s, "target   host is %s; here run", r->target);
    for (size_t i = 0; i < r->n_targets; i++)
        strbuf_printf(&s, "%s %s", i > 0 ? "," : "", r->targets[i]);
    strbuf_char(&s, '\n');
    for (size_t i = 0; i < r->n_items; i++) {
        const doctor_item *d = &r->items[i];
        strbuf_printf(&s, "%-7s  %s: %s\n", d->there ? "ok" : "MISSING", d->name, d->detail);
        if (!d->there && d->help != NULL)
            strbuf_printf(&s, "         %s\n", d->help);
    }
    TRY(strbuf_finish(&s, &out->text));
    return as_json(r, a, &out->json);
}
