/* tenon eval */
#include "cli.h"

static tenon_status run(cli *c) {
    return output_report_of(c, tenon_eval);
}

const command command_eval = {
    .name = "eval",
    .arguments = "MODEL --data FILE.npz",
    .summary = "measures accuracy on labelled data",
    .details =
        "FILE.npz holds an array for each input by its name, samples along the first dimension, and the array "
        "label. Samples with fewer\n"
        "dimensions than the input get the batch dimension. Integers are converted where every value fits; real "
        "numbers for an integer\n"
        "input that feeds a DequantizeLinear are quantised as that says.\n"
        "MODEL may also be a .so that tenon compile --emit shared has written.\n\n"
        "With --against the other model runs on the same samples, as its file has it, without -p. The 95 % interval is "
        "of the paired\n"
        "difference: of accuracies by Agresti and Min, of mean squared errors by the normal approximation. A sample's "
        "margin is the\n"
        "output of its label's class less the best of the others. With --metric sqnr the other model's output is the "
        "reference.\n"
        "Integers of a QuantizeLinear at the model's end count as the real numbers that they stand for.",
    .examples = "  tenon eval mnist.onnx --data mnist_test.npz --scale input=0.00392156862745098\n"
                "  tenon eval bert.onnx --data imdb_test_256.npz --limit 1000\n"
                "  tenon eval autoencoder.onnx --data normal.npz --map input=x --label x --metric mse\n"
                "  tenon eval resnet8_int8.onnx --against resnet8.onnx --data cifar10.npz --map input_int8=input",
    .id = TENON_EVAL,
    .flags = FLAG_JSON | FLAG_PIPELINE,
    .least = 1,
    .most = 1,
    .run = run,
};
