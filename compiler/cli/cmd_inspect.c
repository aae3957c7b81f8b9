/* tenon inspect */
#include "cli.h"

static tenon_status run(cli *c) {
    return output_report_of(c, tenon_inspect);
}

const command command_inspect = {
    .name = "inspect",
    .arguments = "MODEL",
    .summary = "lists operators, parameters, multiply-accumulates and memory",
    .details =
        "Nodes are those left after the clean-up, with their number in the file (that of the node that they were made "
        "from). output: type of\n"
        "the first output; params: elements of a node's own weights; bytes: of its outputs; arena: scratch memory that "
        "its loops touch, nothing\n"
        "where it is fused into another. bits a w, bits a d: what an element of the constants and of the other data "
        "that "
        "they work on\n"
        "takes in memory; moved: bytes that they read and write, each element once; cycles: by a model of the target's "
        "core, nothing is\n"
        "measured. Then all nodes of each operator, and totals; microseconds are given where the target runs here, by "
        "the "
        "clock that the\n"
        "system tells.\n"
        "MODEL may also be a .so that tenon compile --emit shared has written. Of that it tells less.",
    .examples = "  tenon inspect mnist.onnx --dim batch=1\n"
                "  tenon inspect bert.onnx --shape input_ids=1x128 --json",
    .id = TENON_INSPECT,
    .flags = FLAG_JSON | FLAG_PIPELINE,
    .least = 1,
    .most = 1,
    .run = run,
};
