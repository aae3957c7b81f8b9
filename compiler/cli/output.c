/* What is said on stdout. */
#include <stdio.h>

#include "cli.h"

tenon_status output_report(cli *c, tenon_status status, tenon_report *report) {
    terminal_clear_progress(c);
    if (report != NULL)
        fputs(c->json ? tenon_report_json(report) : tenon_report_text(report), stdout);
    tenon_report_free(report);
    return status;
}
