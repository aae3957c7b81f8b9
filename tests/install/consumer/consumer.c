/* A program outside the project: opens the model of its argument, compiles it for batch 1 and runs it on zeros. */
#include <stdio.h>
#include <stdlib.h>

#include <tenon/runtime.h>
#include <tenon/tenon.h>

static int run(tenon_code *code) {
    tenon_tensor in = tenon_code_input(code, 0), out = tenon_code_output(code, 0);
    float *x = calloc(1, in.bytes), *y = calloc(1, out.bytes);
    const void *inputs[] = {x};
    void *outputs[] = {y};
    int failed = x == NULL || y == NULL || out.element_type != TENON_FLOAT ||
                 tenon_code_run(code, inputs, outputs) != TENON_DONE;
    if (!failed)
        printf("%s: %zu values, the first is %g\n", out.name, out.bytes / sizeof *y, (double)*y);
    free(x);
    free(y);
    return failed;
}

int main(int argc, char **argv) {
    tenon_context *context;
    tenon_options *options = NULL;
    tenon_graph *graph = NULL;
    tenon_code *code = NULL;
    if (argc != 2 || tenon_context_new(NULL, &context) != TENON_DONE)
        return 2;
    int failed = tenon_options_new(context, &options) != TENON_DONE ||
                 tenon_options_set(options, "dim", "batch=1") != TENON_DONE ||
                 tenon_graph_open(context, argv[1], options, &graph) != TENON_DONE ||
                 tenon_code_new(graph, &code) != TENON_DONE || run(code);
    for (size_t i = 0; i < tenon_message_count(context); i++)
        fprintf(stderr, "%s\n", tenon_message(context, i));
    tenon_code_free(code);
    tenon_graph_free(graph);
    tenon_options_free(options);
    tenon_context_free(context);
    return failed;
}
