/* quantize: a float model becomes one of integers, as QuantizeLinear and DequantizeLinear say them.
 *
 * The pass finds what multiplies (find), looks at what the float graph does on calibration data (calibrate), chooses a
 * format for each value and each weight (choose, weights), puts the operators into the graph (insert), and then gives
 * every layer its float mean output (bias).
 */
#include "quantize.h"
#include "overrides.h"
#include "samples.h"

void *quant_room(const job *j, size_t n, size_t each) {
    return pass_room(j->host, n, each);
}

static int nothing(const job *j) {
    j->diag->error(j->host, NULL, "nothing-to-do",
                   "nothing is quantised: the model has no such operators, select= and keep= leave none, or all widths "
                   "are 0");
    return TENON_PASS_USAGE;
}

static int quantise(job *j) {
    settings s;
    TRY(quant_settings(j, NULL, &s));
    TRY(overrides_check(j->host, j->g, quant_whole));
    TRY(samples_open(j->host, j->g, &j->samples, &j->n_samples));
    TRY(quant_equalise(j));
    TRY(quant_smooth(j));
    TRY(quant_find(j));
    if (j->n_points == 0 && j->n_weights == 0)
        return nothing(j);
    TRY(quant_calibrate(j));
    TRY(quant_choose(j));
    TRY(quant_auto(j));
    TRY(quant_weights(j));
    TRY(quant_insert(j));
    if (j->samples != NULL && j->option->boolean(j->host, "bias_correction", NULL))
        TRY(quant_correct(j));
    TRY(quant_biases(j));
    quant_report(j);
    return quant_ends(j);
}

static int run(const tenon_plugin_host *host, void *state, tenon_graph *g) {
    job j = {.host = host, .g = g};
    (void)state;
    j.graph = host->get_interface(host, TENON_GRAPH_1);
    j.tensor = host->get_interface(host, TENON_TENSOR_1);
    j.option = host->get_interface(host, TENON_OPTION_1);
    j.diag = host->get_interface(host, TENON_DIAG_1);
    j.report = host->get_interface(host, TENON_REPORT_1);
    j.eval = host->get_interface(host, TENON_EVAL_1);
    if (j.graph == NULL || j.tensor == NULL || j.option == NULL || j.diag == NULL || j.report == NULL || j.eval == NULL)
        return TENON_PASS_UNSUPPORTED;
    return quantise(&j);
}

static const tenon_pass pass = {
    sizeof pass,
    0,
    "quantize",
    "weights and values become integers of 2 to 16 bits, fixed point or with a scale",
    "edit",
    NULL,
    NULL,
    quant_options,
    run,
    "What multiplies (Conv, ConvTranspose, MatMul, Gemm, Attention) gets integers: its data, by QuantizeLinear and "
    "DequantizeLinear in\n"
    "front of it, and its weight, which is stored as integers. So are Gather's tables (embeddings), and what is added "
    "to each place.\n"
    "A width that ONNX has no type for is stored in the next wider one; data are clipped to the true range first.\n\n"
    "quantize:data_width=8,weight_width=4,calibration=train.npz: 8 bits of data and 4 of weights, fixed point, "
    "fractions by the least\n"
    "squared error on 128 samples of train.npz, which has an array for each input. data_width=0,weight_width=4: "
    "weights only, no data needed.\n\n"
    "format=fixed has scales that are powers of two, as Q(w,f) has: data_frac=, weight_frac= and bias_frac= give f "
    "where it is not to be\n"
    "chosen. With calibration data, biases make up for what rounding does to the mean of each layer. select= and keep= "
    "choose nodes; a\n"
    "pipeline file gives other options to some of them."};
static const tenon_pass *const passes[] = {&pass, NULL};
static const tenon_plugin plugin = {.struct_size = sizeof plugin,
                                    .abi = TENON_PLUGIN_ABI,
                                    .name = "quantize",
                                    .version = "1.0",
                                    .passes = passes,
                                    .licence = "Apache-2.0"};

const tenon_plugin *tenon_plugin_query(uint32_t host_abi) {
    return host_abi >> 16 == TENON_PLUGIN_ABI_MAJOR && host_abi >= TENON_PLUGIN_ABI ? &plugin : NULL;
}
