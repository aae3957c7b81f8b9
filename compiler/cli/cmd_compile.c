/* tenon compile */
#include <stdio.h>
#include <string.h>

#include "cli.h"

static tenon_status write_files(cli *c, const tenon_files *files) {
    if (tenon_files_count(files) == 0)
        return TENON_DONE;
    bool is_folder = tenon_files_name(files, 0) != NULL;
    const char *to = c->output != NULL ? c->output : is_folder ? "." : "-";
    bool to_stdout = strcmp(to, "-") == 0;
    if (!to_stdout)
        return tenon_files_write(files, to);
    if (is_folder)
        return tenon_fail(c->context, TENON_USAGE, "usage", NULL, "-o -: these are several files; name a folder");
    if (c->json)
        return tenon_fail(c->context, TENON_USAGE, "usage", NULL,
                          "--json needs stdout: say with -o FILE where the text goes");
    size_t bytes;
    const void *data = tenon_files_data(files, 0, &bytes);
    fwrite(data, 1, bytes, stdout);
    return TENON_DONE;
}

static tenon_status report_files(cli *c, const tenon_files *files) {
    if (!c->json)
        return TENON_DONE;
    tenon_report *report;
    tenon_status s = tenon_files_report(files, &report);
    return output_report(c, s, report);
}

static tenon_status run(cli *c) {
    tenon_graph *graph = NULL;
    tenon_files *files = NULL;
    tenon_status s = tenon_graph_open(c->context, c->words[0], c->options, &graph);
    if (s == TENON_DONE)
        s = tenon_emit(graph, &files);
    if (s == TENON_DONE)
        s = write_files(c, files);
    if (s == TENON_DONE)
        s = report_files(c, files);
    tenon_files_free(files);
    tenon_graph_free(graph);
    return s;
}

const command command_compile = {
    .name = "compile",
    .arguments = "MODEL",
    .summary = "writes C, objects, libraries, LLVM IR, assembly, loops, the graph, ONNX or DOT of a model",
    .details = "--emit c, obj, lib and shared write PREFIX.c, .o, .a or .so with PREFIX.h, PREFIX_example.c and "
               "tenon/runtime.h\n"
               "into the folder OUT (default: here); lib needs the archiver $AR, shared the C compiler $CC. The other "
               "forms are one\n"
               "text in the file OUT, or on stdout; onnx is the model after the -p passes, with the dimensions that "
               "are bound;\n"
               "dot is what tenon draw draws.",
    .examples =
        "  tenon compile mnist.onnx --dim batch=1 -o out && cc -O2 -Iout out/mnist.c out/mnist_example.c -o mnist\n"
        "  tenon compile bert.onnx --shape input_ids=1x128 --target x86-64-v3 --weights bin -o out\n"
        "  tenon compile mnist.onnx --dim batch=1 --emit obj -o out && cc -Iout out/mnist.o out/mnist_example.c -o "
        "mnist\n"
        "  tenon compile mnist.onnx --dim batch=1 --emit shared -o out && tenon bench out/mnist.so\n"
        "  tenon compile bert.onnx --emit graph\n"
        "  tenon compile mnist.onnx -p input:type=uint8,scale=0.00392157 --emit onnx -o mnist_bytes.onnx\n"
        "  tenon compile bert.onnx --dim batch=1 --dim sequence=128 --emit loops -o bert.loops",
    .id = TENON_COMPILE,
    .flags = FLAG_OUTPUT | FLAG_JSON | FLAG_PIPELINE,
    .least = 1,
    .most = 1,
    .run = run,
};
