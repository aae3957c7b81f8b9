/* Constant folding: a node whose inputs are known is lowered alone and interpreted. There is no per-operator folding
 * code. */
#include "loop/loop.h"
#include "lower/lower.h"
#include "passes/builtin.h"

/* A result may be this much larger than what it is made of; then it is better computed at run time. */
#define ALWAYS_BYTES (1 << 16)
#define GROWTH 4

/* Is everything known that the node's results depend on, and is the result of a sensible size? */
static bool may_fold(const node *n, bool all) {
    if (n->row == NULL || n->row->kind == OP_EXPAND || n->n_outputs == 0 || (!all && is_op(n, "DequantizeLinear")))
        return false;
    size_t in = 0, out = 0;
    for (int i = 0; i < n->n_inputs; i++) {
        const value *v = node_input(n, i);
        if (v == NULL)
            continue;
        if (v->constant != NULL)
            in += v->constant->bytes;
        else if (op_input_param(n, i) == NULL || !(op_input_param(n, i)->flags & PARAM_SHAPE) || v->type.rank < 0 ||
                 !type_shape(&v->type, NULL))
            return false;
    }
    for (int i = 0; i < n->n_outputs; i++) {
        const value *v = n->outputs[i];
        if (v == NULL)
            continue;
        if (v->type.rank < 0 || !type_shape(&v->type, NULL))
            return false;
        out += dtype_bytes(v->type.elem, (size_t)type_count(&v->type));
    }
    return out <= ALWAYS_BYTES || out <= GROWTH * in;
}

static status new_tensor(graph *g, const value *v, tensor **out) {
    int64_t dims[TENSOR_MAX_RANK];
    type_shape(&v->type, dims);
    *out = tensor_new(g->memory, v->type.elem, v->type.rank, dims, NULL);
    TRY_ALLOC(*out);
    return STATUS_OK;
}

/* Runs the node's program; results[i] belongs to output i, NULL where that is absent. */
static status evaluate(graph *g, node *n, arena *scratch, tensor **results) {
    program *p = NULL;
    interp *m = NULL;
    TRY(lower_node(n, target_numeric(), scratch, &p));
    TRY(interp_new(p, scratch, &m));
    const void **inputs = ARENA_NEW_N(scratch, const void *, p->n_inputs + 1);
    void **outputs = ARENA_NEW_N(scratch, void *, p->n_outputs + 1);
    void *arena_memory = arena_alloc(scratch, (size_t)p->arena_bytes + 64);
    TRY_ALLOC(inputs);
    TRY_ALLOC(outputs);
    TRY_ALLOC(arena_memory);
    for (int i = 0; i < p->n_inputs; i++) { /* never read: only their shape counts */
        const program_buffer *b = &p->buffers.at[i];
        TRY_ALLOC(inputs[i] = arena_alloc(scratch, dtype_bytes(b->elem, (size_t)b->n) + 1));
    }
    for (int i = 0, k = 0; i < n->n_outputs; i++) {
        if (n->outputs[i] == NULL)
            continue;
        TRY(new_tensor(g, n->outputs[i], &results[i]));
        outputs[k++] = (void *)(uintptr_t)results[i]->data;
    }
    int code = 0;
    TRY(interp_run(m, inputs, outputs, (void *)(((uintptr_t)arena_memory + 63) & ~(uintptr_t)63), &code));
    if (code != 0)
        return op_invalid(n, "bad-constant",
                          "cannot be computed from its constant inputs: an index or divisor is out of range");
    return STATUS_OK;
}

static status fold_node(graph *g, node *n, arena *scratch) {
    arena_mark mark = arena_get_mark(scratch);
    tensor **results = ARENA_NEW_N(scratch, tensor *, n->n_outputs + 1);
    TRY_ALLOC(results);
    TRY(evaluate(g, n, scratch, results));
    for (int i = 0; i < n->n_outputs; i++)
        if (n->outputs[i] != NULL)
            TRY(graph_make_constant(g, n->outputs[i], results[i]));
    arena_reset(scratch, mark);
    return graph_erase_node(g, n);
}

/* A value that folding has made known may tell later nodes their shapes. */
static status infer_again(node *n) {
    for (int i = 0; i < n->n_outputs; i++)
        if (n->outputs[i] != NULL && (n->outputs[i]->type.rank < 0 || !type_shape(&n->outputs[i]->type, NULL)))
            return op_infer(n);
    return STATUS_OK;
}

static status fold(graph *g, bool all) {
    arena *scratch = arena_new(arena_allocator(g->memory));
    TRY_ALLOC(scratch);
    status s = STATUS_OK;
    for (node *n = g->first, *next; n != NULL && s == STATUS_OK; n = next) {
        next = n->next;
        if (n->row != NULL)
            s = infer_again(n);
        if (s == STATUS_OK && may_fold(n, all))
            s = fold_node(g, n, scratch);
    }
    arena_free(scratch);
    return s;
}

status pass_fold(graph *g) {
    return fold(g, false);
}

status pass_fold_all(graph *g) {
    return fold(g, true);
}
