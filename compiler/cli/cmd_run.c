/* tenon run */
#include "cli.h"

static tenon_status run(cli *c) {
    tenon_graph *graph = NULL;
    tenon_report *report = NULL;
    tenon_status s = tenon_graph_open(c->context, c->words[0], c->options, &graph);
    if (s == TENON_DONE)
        s = tenon_run(graph, c->output, &report);
    tenon_graph_free(graph);
    return output_report(c, s, report);
}

const command command_run = {
    .name = "run",
    .arguments = "MODEL",
    .summary = "runs a model on data and says what came out",
    .details = "Every input needs --input NAME=FILE.npy (or --freeze); the data bind the dimensions. Integers are "
               "converted where every\n"
               "value fits. With -o DIR each output is written to DIR/OUTPUT.npy.\n"
               "MODEL may also be a .so that tenon compile --emit shared has written.",
    .examples = "  tenon run mnist.onnx --input input=digit.npy\n"
                "  tenon run bert.onnx --input input_ids=ids.npy --input attention_mask=mask.npy -o out --backend all",
    .id = TENON_RUN,
    .flags = FLAG_OUTPUT | FLAG_JSON | FLAG_PIPELINE,
    .least = 1,
    .most = 1,
    .run = run,
};
