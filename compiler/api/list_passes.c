/* What `tenon passes` tells. */
#include "api/reports.h"

static status list_passes(const tenon_options *o, const char *name, arena *a, report *out) {
    pass_plan plan;
    TRY(pass_plan_make(o, true, a, &plan));
    if (name == NULL)
        return passes_report(plan.registry, a, out);
    const pass_entry *e = pass_registry_find(plan.registry, name);
    if (e != NULL)
        return pass_report_one(e, a, out);
    const char *const *names;
    size_t n;
    TRY(pass_registry_names(plan.registry, a, &names, &n));
    diag_error(o->c->diags, STATUS_USAGE, "unknown-pass", DIAG_NOWHERE, "there is no pass '%s'", name);
    const char *near = text_nearest(name, names, n);
    diag_note(o->c->diags, near != NULL ? "did you mean '%s'?" : "tenon passes lists those that there are", near);
    return STATUS_USAGE;
}

TENON_API tenon_status tenon_passes(const tenon_options *o, const char *name, tenon_report **out) {
    size_t errors = context_begin(o->c);
    tenon_report *r = report_new(o->c);
    status s = r == NULL ? STATUS_RESOURCE : list_passes(o, name, r->memory, &r->forms);
    return report_end(o->c, s, errors, r, out);
}
