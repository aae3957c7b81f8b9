/* The part of `tenon bench` that goes by ONNX node. */
#ifndef TENON_REPORT_NODE_REPORT_H
#define TENON_REPORT_NODE_REPORT_H

#include "report/json.h"
#include "report/report.h"

/* Billions of floating-point operations in a second, where a multiply-accumulate is two. */
double node_gflops(int64_t macs, double us);
/* r->nodes as a table, with totals and what they compare to. */
status node_report_text(const bench_result *r, arena *a, strbuf *s);
/* The same as members of the document. */
status node_report_json(const bench_result *r, arena *a, json *j);

#endif
