/* Running a model on ONNX test data: what tenon_check and each case of a suite do. */
#ifndef TENON_API_CHECK_DATA_H
#define TENON_API_CHECK_DATA_H

#include "api/handles.h"
#include "report/report.h"

/* An element passes within atol + rtol * |expected|, an integer within so many steps, too. */
typedef struct check_limits {
    double rtol, rtol_bf16; /* the second for outputs of that type */
    double atol;
    int64_t steps;
} check_limits;

/* Runs the data sets that are in the folders. STATUS_DIFFER where one does not pass. What `out` refers to lives in `a`
 * and as long as the graph; nothing is in it where option stop-after has ended the work. */
status check_data(tenon_graph *t, const check_limits *limits, const char *const *folders, size_t n, arena *a,
                  check_result *out, bool *out_stopped);

#endif
