/* tenon bench */
#include "cli.h"

static tenon_status run(cli *c) {
    return output_report_of(c, tenon_bench);
}

const command command_bench = {
    .name = "bench",
    .arguments = "MODEL",
    .summary = "measures latency (by node, too), compile time, memory and code size",
    .details =
        "Inputs are random but the same for the same --seed: floats N(0,1); integers that index are in range; "
        "masks are 1.\n"
        "MODEL may also be a .so that tenon compile --emit shared has written.\n\n"
        "--per-node compiles the model a second time, with a clock between its kernels, and runs that for as long "
        "again.\n"
        "Nodes that are computed together share a line: the one that leads, and the last parts of the others' names.\n"
        "GFLOP/s count a multiply-accumulate as two. The peak is that of f32 multiply-adds in registers, the "
        "bandwidth\n"
        "that of reading as much memory as the model touches, both measured here, by code for the same target. A node\n"
        "whose data are still in a nearer cache can be above that bandwidth. Bytes are those of different elements, "
        "so\n"
        "that of a table only the rows count that can be read. Cycles are those that the cost model predicts, as in "
        "tenon inspect.",
    .examples = "  tenon bench mnist.onnx --dim batch=1\n"
                "  tenon bench bert.onnx --shape input_ids=1x128 --time 5 --json\n"
                "  tenon bench resnet.onnx --trace resnet.json\n"
                "  perf record tenon bench resnet.onnx --perf-map",
    .id = TENON_BENCH,
    .flags = FLAG_JSON | FLAG_PIPELINE,
    .least = 1,
    .most = 1,
    .run = run,
};
