/* What `tenon bench --per-node` reports: the times of steps, by ONNX node. */
#ifndef TENON_API_PER_NODE_H
#define TENON_API_PER_NODE_H

#include "api/handles.h"
#include "report/report.h"
#include "schedule/latency.h"

/* Is something asked that only the JIT can measure, of another back end? Then [usage]. */
status per_node_check(const tenon_graph *t);
/* Measures on these inputs, and writes option trace's file. What *out points at lies in `a`. The rest of the result
 * must be filled in: it goes into the trace. */
status per_node_measure(tenon_graph *t, tenon_code *code, const void *const *inputs, void *const *outputs, arena *a,
                        const program_cost *cost, bench_result *r);

#endif
