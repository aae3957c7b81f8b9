/* The handle of tenon.h's reports, and what the calls that fill one share. */
#ifndef TENON_API_REPORTS_H
#define TENON_API_REPORTS_H

#include "api/handles.h"
#include "report/report.h"

struct tenon_report {
    arena *memory;
    report forms;
};

/* NULL when out of memory. */
tenon_report *report_new(tenon_context *c);
/* The end of a call: on a status other than OK and DIFFER (or without a report) frees it and sets *out to NULL. */
tenon_status report_end(tenon_context *c, status s, size_t errors, tenon_report *r, tenon_report **out);
/* The same for a report on a model: what its passes reported goes into the JSON. */
tenon_status report_end_of(const tenon_graph *t, status s, size_t errors, tenon_report *r, tenon_report **out);
report_head report_head_of(const tenon_graph *t, const target *machine);
/* ---- inspect_shared.c ---- */
/* tenon_inspect on a shared model. */
status inspect_shared(const tenon_graph *t, arena *a, report *out);

/* ---- reports.c ---- */
/* Says that option stop-after has ended the work. */
status report_stopped(tenon_report *r);

#endif
