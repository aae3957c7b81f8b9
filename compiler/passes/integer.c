/* The pass `integer`: quantised models compute with integers. */
#include "passes/integer.h"

#include "loop/target.h"

bool integer_is_asked(const integer_options *o) {
    return o->no_float || o->force || o->target == NULL || o->target->vector_bytes == 0;
}

/* Integers are exact and smaller, but a target with vectors multiplies floats faster unless it has sums of products of
 * bytes; each contraction is chosen for alone (integer_choice.c). */
static bool pays(const integer_options *o) {
    return integer_is_asked(o) || o->target->dot4 > 0;
}

static bool has_quantised(const graph *g) {
    for (const node *n = g->first; n != NULL; n = n->next)
        if (is_op(n, "DequantizeLinear") || is_op(n, "QuantizeLinear") || is_op(n, "QLinearConv") ||
            is_op(n, "QLinearMatMul") || is_op(n, "MatMulInteger") || is_op(n, "ConvInteger"))
            return true;
    return false;
}

/* In this order: operators of one form; what moves, which may move constants; sums; what is left between them. */
static status run(integer_work *w) {
    TRY(integer_from_qoperators(w));
    TRY(integer_move_down(w));
    TRY(pass_fold(w->g));
    TRY(integer_recode(w));
    TRY(integer_contractions(w));
    if (!integer_is_asked(w->o))
        TRY(integer_pools(w));
    TRY(integer_dynamic_products(w));
    return integer_maps(w);
}

status pass_integer(graph *g, const integer_options *o) {
    if (!pays(o) || !has_quantised(g))
        return STATUS_OK;
    arena *scratch = arena_new(arena_allocator(g->memory));
    TRY_ALLOC(scratch);
    integer_work w = {g, scratch, o};
    status s = run(&w);
    arena_free(scratch);
    return s;
}

/* ---- a program without floats ---- */

/* What to do about a node that computes in floats. */
static const struct advice {
    const char *op, *text;
} advice[] = {
    {"QuantizeLinear",
     "it quantises real numbers; where those are an input, feed integers (tenon compile -p input:...), else quantise "
     "what comes before it"},
    {"DequantizeLinear",
     "it makes real numbers; where those are an output, end the model at the QuantizeLinear before it"},
    {"DynamicQuantizeLinear", "it looks for a scale while the model runs; quantise the model statically"},
};

static const char *advice_for(const node *n) {
    for (size_t k = 0; k < sizeof advice / sizeof *advice; k++)
        if (is_op(n, advice[k].op))
            return advice[k].text;
    return "its inputs and its output must be quantised, by constants for the whole tensor, for it to compute in "
           "integers";
}

status integer_check(const graph *g) {
    status s = STATUS_OK;
    for (const node *n = g->first; n != NULL; n = n->next)
        if (node_has_floats(n))
            s = op_unsupported(n, "needs-float", "it computes in floats, and --float=none allows none: %s",
                               advice_for(n));
    return s;
}
