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

tenon_status output_report_of(cli *c, tenon_status (*make)(tenon_graph *graph, tenon_report **out)) {
    tenon_graph *graph = NULL;
    tenon_report *report = NULL;
    tenon_status s = tenon_graph_open(c->context, c->words[0], c->options, &graph);
    if (s == TENON_DONE)
        s = make(graph, &report);
    tenon_graph_free(graph);
    return output_report(c, s, report);
}
