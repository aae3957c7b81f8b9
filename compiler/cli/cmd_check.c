/* tenon check */
#include <limits.h>

#include "cli.h"

static tenon_status run(cli *c) {
    tenon_graph *graph = NULL;
    tenon_report *report = NULL;
    tenon_status s = tenon_graph_open(c->context, c->words[0], c->options, &graph);
    if (s == TENON_DONE)
        s = tenon_check(graph, (const char *const *)c->words + 1, (size_t)c->n_words - 1, &report);
    tenon_graph_free(graph);
    return output_report(c, s, report);
}

const command command_check = {
    .name = "check",
    .arguments = "MODEL DATA_DIR...",
    .summary = "runs ONNX test data and compares the outputs",
    .details = "A DATA_DIR holds input_0.pb, ..., output_0.pb, ..., or folders test_data_set_0, ... that do. An "
               "element passes within\n"
               "atol + rtol * |expected|. Exit status 1 where one does not.\n"
               "MODEL may also be a .so that tenon compile --emit shared has written.",
    .examples = "  tenon check mnist/model.onnx mnist\n"
                "  tenon check bert/model.onnx bert/test_data_set_0 --backend all\n"
                "  tenon check bert/model.onnx bert --backend interp --schedule naive --rtol 1e-5",
    .id = TENON_CHECK,
    .flags = FLAG_JSON | FLAG_PIPELINE,
    .least = 2,
    .most = INT_MAX,
    .run = run,
};
