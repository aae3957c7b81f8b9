/* Report handles. */
#include "api/reports.h"

#include "report/json.h"

tenon_report *report_new(tenon_context *c) {
    arena *memory = arena_new(&c->memory);
    tenon_report *r = memory != NULL ? ARENA_NEW(memory, tenon_report) : NULL;
    if (r == NULL)
        arena_free(memory);
    else
        r->memory = memory;
    return r;
}

tenon_status report_end(tenon_context *c, status s, size_t errors, tenon_report *r, tenon_report **out) {
    *out = NULL;
    if (s == STATUS_OK || s == STATUS_DIFFER)
        *out = r;
    else
        tenon_report_free(r);
    return context_end(c, s, errors);
}

tenon_status report_end_of(const tenon_graph *t, status s, size_t errors, tenon_report *r, tenon_report **out) {
    const pass_plan *plan = &t->plan;
    if ((s == STATUS_OK || s == STATUS_DIFFER) && r->forms.json != NULL && plan->reports.n > 0) {
        status added =
            pass_reports_add((const pass_report *const *)plan->reports.at, plan->reports.n, r->memory, &r->forms.json);
        s = added == STATUS_OK ? s : added;
    }
    return report_end(t->c, s, errors, r, out);
}

TENON_API void tenon_report_free(tenon_report *r) {
    if (r != NULL)
        arena_free(r->memory);
}

TENON_API const char *tenon_report_text(const tenon_report *r) {
    return r->forms.text;
}

TENON_API const char *tenon_report_json(const tenon_report *r) {
    return r->forms.json;
}

report_head report_head_of(const tenon_graph *t, const target *machine) {
    return (report_head){t->file, t->shared != NULL ? "shared" : t->o->backend, machine->name};
}

status report_stopped(tenon_report *r) {
    json j = json_begin();
    json_bool(&j, NULL, "stopped", true);
    r->forms.text = "";
    return json_finish(&j, r->memory, &r->forms.json);
}
