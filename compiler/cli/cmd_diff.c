/* tenon diff */
#include "cli.h"

static tenon_status run(cli *c) {
    tenon_graph *graph = NULL;
    tenon_report *report = NULL;
    tenon_status s = tenon_graph_open(c->context, c->words[0], c->options, &graph);
    if (s == TENON_DONE)
        s = tenon_diff(graph, c->n_words > 1 ? c->words[1] : NULL, &report);
    tenon_graph_free(graph);
    return output_report(c, s, report);
}

const command command_diff = {
    .name = "diff",
    .arguments = "MODEL [MODEL_B] --data FILE.npz",
    .summary = "compares the values inside two forms of a model on data, node by node",
    .details =
        "With one model: as the file has it (A) against what -p makes of it (B). With two: MODEL (A), after -p where "
        "that is\n"
        "given, against MODEL_B (B). Exit status 1 where a value departs: its SQNR, 10 log10(sum A^2 / sum (A-B)^2) "
        "over all\n"
        "samples, is below --threshold, or only one form is infinite or NaN.\n\n"
        "Values belong together that have the same name; then inputs fed from one array (--map), results of nodes "
        "with the same\n"
        "name and operator, outputs by their number, and what has the same place between such. Integers of "
        "QuantizeLinear and\n"
        "DequantizeLinear are compared as the real numbers they stand for; where only one form quantises a value, "
        "that is a line\n"
        "of its own. Saturated: the share of integers at the ends of their range, an end that means 0 left out. What "
        "only one\n"
        "form has is listed at the end.\n\n"
        "Both models are cleaned up, and compiled so that every value compared is an output: nothing is fused, so the "
        "last bits\n"
        "may be others than in a run. Both are fed the same numbers: with -p input, the data must suit both forms. An "
        "input that\n"
        "a pass has made a constant is fed just that to the form that still has it, where the data lack it.",
    .examples = "  tenon diff resnet8.onnx resnet8_int8.onnx --data cifar10.npz --map input_int8=input --limit 100\n"
                "  tenon diff mnist.onnx -p input:type=uint8 --data mnist_test.npz",
    .id = TENON_DIFF,
    .flags = FLAG_JSON | FLAG_PIPELINE,
    .least = 1,
    .most = 2,
    .run = run,
};
