/* What the cost model says of a lowered model. */
#ifndef TENON_API_MODEL_COST_H
#define TENON_API_MODEL_COST_H

#include "api/pipeline.h"
#include "report/report.h"
#include "schedule/latency.h"

/* What a lowered node computes in: what a contraction says of itself ("i8xi8->i32"), "table", "int" or "float". */
const char *cost_precision(const node *lowered);
/* Of a run of w's program p (which is not w's where the code has it by now). What both point at lies in `a`. */
status cost_of_model(const pipeline *w, const program *p, arena *a, program_cost *out_steps, cost_result *out);

#endif
