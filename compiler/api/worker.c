/* The inside of lib/tenon/tenon-worker. */
#include "base/worker.h"

#include <stdio.h>
#include <string.h>

#include "api/pass_engine.h"
#include "api/suite.h"
#include "ops/ops.h"
#include "plugin/plugin.h"

TENON_API int tenon_worker(int argc, char **argv) {
    const char *job = worker_enter(argc, argv);
    parcel request = parcel_of(WORKER_REQUEST_FD), answer = parcel_of(WORKER_ANSWER_FD);
    status s = STATUS_USAGE;
    if (job != NULL && strcmp(job, SUITE_JOB) == 0)
        return (int)suite_serve(&request, &answer);
    const plugin_engine evaluates = pass_engine(NULL);
    const serve_means with = {&ops_table, &allocator_system, &evaluates};
    if (job == NULL || !plugin_serve(job, &request, &answer, &with, &s))
        fputs("tenon-worker: started by tenon --isolate or --suite, not by hand\n", stderr);
    return (int)s;
}
