/* tenon explain */
#include "cli.h"

static tenon_status run(cli *c) {
    return output_report_of(c, tenon_explain);
}

const command command_explain = {
    .name = "explain",
    .arguments = "MODEL --data FILE.npz",
    .summary = "says where a quantised model loses its accuracy, node by node",
    .details =
        "MODEL, after -p where that is given, is compared with the float model: the one that --against names; else "
        "MODEL without -p;\n"
        "without -p MODEL itself, its quantisation taken out. Each node that reads quantised values is a line, what "
        "costs most first:\n"
        "the formats of its weights and data, Q(8,4) being fixed point of 8 bits with 4 behind the point (U: "
        "unsigned), i8 and u8\n"
        "integers with a scale; SQNR, largest error and cosine of its result beside the float model's, errors from "
        "before included;\n"
        "the share of its data at the ends of their range; and what the model's output gains, in dB of its SQNR and "
        "(where the data\n"
        "have labels) in points of accuracy, where that node alone computes with floats. Without --limit 128 samples "
        "are run.",
    .examples = "  tenon explain resnet8_int8.onnx --against resnet8.onnx --data cifar10.npz --map input_int8=input\n"
                "  tenon explain resnet8_int8.onnx --data cifar10.npz --map input_int8=input --json",
    .id = TENON_EXPLAIN,
    .flags = FLAG_JSON | FLAG_PIPELINE,
    .least = 1,
    .most = 1,
    .run = run,
};
