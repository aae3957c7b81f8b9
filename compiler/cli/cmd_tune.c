/* tenon tune */
#include <stdio.h>
#include <string.h>

#include "cli.h"

/* "dir/bert.onnx" gives bert.tune, here. */
static const char *default_file(const char *model, char *room, size_t bytes) {
    const char *slash = strrchr(model, '/'), *file = slash != NULL ? slash + 1 : model, *dot = strrchr(file, '.');
    int stem = (int)(dot != NULL && dot != file ? (size_t)(dot - file) : strlen(file));
    snprintf(room, bytes, "%.*s.tune", stem < 200 ? stem : 200, file);
    return room;
}

static tenon_status run(cli *c) {
    char room[256];
    const char *file = c->output != NULL ? c->output : default_file(c->words[0], room, sizeof room);
    tenon_graph *graph = NULL;
    tenon_report *report = NULL;
    tenon_status s = tenon_graph_open(c->context, c->words[0], c->options, &graph);
    if (s == TENON_DONE)
        s = tenon_tune(graph, file, &report);
    tenon_graph_free(graph);
    return output_report(c, s, report);
}

const command command_tune = {
    .name = "tune",
    .arguments = "MODEL",
    .summary = "measures what the fastest kernels are here, for --tune FILE of the other commands",
    .details = "Compiles variants of the model, in each of which every contraction (Conv, MatMul, Gemm, ...) has "
               "another tile, and runs\n"
               "each in turns with what the cost model chooses, for --time seconds in all. 3x3 convolutions are also "
               "computed directly\n"
               "(form 0) and by Winograd's tiles of 2x2 or 4x4 results (2, 4), chains of kernels that run in turns "
               "over blocks (1) one\n"
               "after the other (0). What was found is then measured again, all together, twice. An entry is written "
               "where the median over\n"
               "the rounds of the kernel's time divided by that without it is below 0.98, and three quarters of the "
               "rounds are below 1.\n"
               "\n"
               "OUT (default: MODEL's name with .tune) is a text for --tune OUT of the other commands. Its entries are "
               "for kernels by what\n"
               "they compute, for one target and number of threads: one file can serve several models. Where it is "
               "there already, what it\n"
               "has for this model is measured first, and the rest stays. Ctrl-C ends the search; what was found by "
               "then is written.",
    .examples = "  tenon tune resnet.onnx --time 60\n"
                "  tenon tune bert.onnx --shape input_ids=1x128 --target x86-64-v3 --threads 2 -o all.tune",
    .id = TENON_TUNE,
    .flags = FLAG_OUTPUT | FLAG_JSON | FLAG_PIPELINE,
    .least = 1,
    .most = 1,
    .run = run,
};
