/* tenon draw */
#include "cli.h"

static tenon_status run(cli *c) {
    tenon_graph *graph = NULL;
    tenon_report *report = NULL;
    if (c->output == NULL)
        return tenon_fail(c->context, TENON_USAGE, "usage", NULL, "'draw' needs -o FILE.svg, .png, .pdf or .dot");
    tenon_status s = tenon_graph_open(c->context, c->words[0], c->options, &graph);
    if (s == TENON_DONE)
        s = tenon_draw(graph, c->against, c->output, &report);
    tenon_graph_free(graph);
    return output_report(c, s, report);
}

const command command_draw = {
    .name = "draw",
    .arguments = "MODEL [--diff OTHER] -o FILE.svg|png|pdf|dot",
    .summary = "draws a model, or what has changed between two",
    .details =
        "The model is drawn as -p and the clean-up leave it: a box for each node, with its weights and attributes, in "
        "frames for the\n"
        "scopes that the nodes' names have in common (/bert/encoder/layer.0). Colors say what an operator does. In SVG "
        "and DOT, a\n"
        "tooltip says all there is to say of a box. --depth N makes each scope inside of N others one box.\n\n"
        "--diff OTHER draws the way from OTHER to MODEL: what has gone is red, what has come green, what reads, says "
        "or "
        "makes something\n"
        "else amber. OTHER is taken as its file has it, without -p; so MODEL -p PASS --diff MODEL shows what PASS "
        "does. "
        "A scope without\n"
        "any change is one box, unless --depth N opens it. Nodes belong together as for tenon diff: by name, else by "
        "place.",
    .examples = "  tenon draw bert.onnx -o bert.svg\n"
                "  tenon draw bert.onnx --dim batch=1 --dim sequence=128 --depth 3 -o bert.png\n"
                "  tenon draw bert.onnx -p dead_inputs:drop=labels,bind=attention_mask=1 --diff bert.onnx -o gone.svg\n"
                "  tenon draw new.onnx --diff old.onnx --json -o changes.pdf",
    .id = TENON_DRAW,
    .flags = FLAG_OUTPUT | FLAG_JSON | FLAG_PIPELINE | FLAG_DRAW,
    .least = 1,
    .most = 1,
    .run = run,
};
