/* tenon bench */
#include "cli.h"

static tenon_status run(cli *c) {
    tenon_graph *graph = NULL;
    tenon_report *report = NULL;
    tenon_status s = tenon_graph_open(c->context, c->words[0], c->options, &graph);
    if (s == TENON_DONE)
        s = tenon_bench(graph, &report);
    tenon_graph_free(graph);
    return output_report(c, s, report);
}

const command command_bench = {
    .name = "bench",
    .arguments = "MODEL",
    .summary = "measures latency, compile time, memory and code size",
    .details = "Inputs are random but the same for the same --seed: floats N(0,1); integers that index are in range; "
               "masks are 1.\n"
               "MODEL may also be a .so that tenon compile --emit shared has written.",
    .examples = "  tenon bench mnist.onnx --dim batch=1\n"
                "  tenon bench bert.onnx --shape input_ids=1x128 --time 5 --json",
    .id = TENON_BENCH,
    .flags = FLAG_JSON | FLAG_PIPELINE,
    .least = 1,
    .most = 1,
    .run = run,
};
