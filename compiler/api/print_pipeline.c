/* What --print-pipeline says. */
#include "api/reports.h"
#include "report/json.h"

static status print_pipeline(const tenon_options *o, arena *a, report *out) {
    const pipeline_row *rows;
    size_t n;
    pass_plan plan;
    TRY(pass_plan_make(o, false, a, &plan));
    TRY(pipeline_rows(a, &plan, &rows, &n));
    strbuf s = strbuf_in(a);
    json j = json_begin();
    cJSON *list = json_list(&j, NULL, "pipeline");
    for (size_t i = 0; i < n; i++) {
        strbuf_printf(&s, "%s%-*s  %s\n", rows[i].is_pass ? "  " : "", rows[i].is_pass ? 12 : 14, rows[i].name,
                      rows[i].help);
        cJSON *item = json_item(&j, list);
        json_text(&j, item, "name", rows[i].name);
        json_text(&j, item, "kind", rows[i].is_pass ? "pass" : "stage");
        json_text(&j, item, "help", rows[i].help);
    }
    TRY(json_finish(&j, a, &out->json));
    return strbuf_finish(&s, &out->text);
}

TENON_API tenon_status tenon_pipeline(const tenon_options *o, tenon_report **out) {
    size_t errors = context_begin(o->c);
    tenon_report *r = report_new(o->c);
    status s = r == NULL ? STATUS_RESOURCE : print_pipeline(o, r->memory, &r->forms);
    return report_end(o->c, s, errors, r, out);
}
