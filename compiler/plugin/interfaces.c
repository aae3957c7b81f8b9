/* The interfaces there are. */
#include <string.h>

#include "plugin/services.h"

static const struct interface_row {
    const char *id;
    const void *functions;
} rows[] = {
    {TENON_DIAG_1, &plugin_diag},   {TENON_OPTION_1, &option_interface}, {TENON_TENSOR_1, &plugin_tensor},
    {TENON_GRAPH_1, &plugin_graph}, {TENON_COST_1, &plugin_cost},        {TENON_REPORT_1, &plugin_report},
    {TENON_EVAL_1, &plugin_eval},   {TENON_OPINFO_1, &plugin_opinfo},    {TENON_CRITERION_1, &plugin_criterion},
};

const void *plugin_interface(const char *id) {
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (strcmp(rows[i].id, id) == 0)
            return rows[i].functions;
    return NULL;
}
