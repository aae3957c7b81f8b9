/* Type inference: of one node, of the graph, and the help that the rows' infer functions use. */
#include <string.h>

#include "ir/graph_parts.h"
#include "ir/op.h"

/* Bytes of a tensor stay far from overflow in all that is computed from them. */
#define ELEMENTS_MAX (INT64_C(1) << 48)

/* ---- setting an output's type ---- */

static const op_param *param_at(const op_param *p, int index) {
    for (int i = 0; p != NULL && p->name != NULL && i < index; i++)
        p += (p->flags & PARAM_VARIADIC) == 0;
    return p != NULL && p->name != NULL ? p : NULL;
}

static const op_param *output_param(const node *n, int index) {
    return param_at(n->row == NULL ? NULL : n->row->outputs, index);
}

/* The row's parameter for input `index`; NULL where there is none. */
const op_param *op_input_param(const node *n, int index) {
    return param_at(n->row == NULL ? NULL : n->row->inputs, index);
}

/* Is all known that lowering or expanding the node needs? */
bool op_is_ready(const node *n) {
    for (int i = 0; n->row != NULL && i < n->n_inputs; i++) {
        const value *v = node_input(n, i);
        const op_param *p = op_input_param(n, i);
        if (v == NULL || v->constant != NULL)
            continue;
        if (!type_shape(&v->type, NULL) || (p != NULL && (p->flags & PARAM_KNOWN) != 0))
            return false;
    }
    return n->row != NULL;
}

static status check_elem(const node *n, int index, dtype elem) {
    const value *v = n->outputs[index];
    const op_param *p = output_param(n, index);
    if (v->type.elem != DT_NONE && v->type.elem != elem)
        return op_invalid(n, "type-mismatch", "output '%s' is declared %s, but is %s", v->name,
                          dtype_name(v->type.elem), dtype_name(elem));
    if (p != NULL && (p->types & TYPE_BIT(elem)) == 0)
        return op_unsupported(n, "unsupported-type", "output '%s' would be %s, which %s does not support", v->name,
                              dtype_name(elem), n->op);
    return STATUS_OK;
}

static status declared_conflict(const node *n, const value *v, const tensor_type *inferred) {
    strbuf text = strbuf_in(n->graph->memory);
    strbuf_printf(&text, "output '%s' is declared ", v->name);
    type_print(&v->type, &text);
    strbuf_add(&text, ", but its inputs make it ");
    type_print(inferred, &text);
    const char *message;
    TRY(strbuf_finish(&text, &message));
    return op_invalid(n, "shape-mismatch", "%s", message);
}

/* Known integers of the declared type fill in what inference could not tell; a contradiction is an error. */
static status merge_declared(const node *n, const value *v, tensor_type *inferred, dim *dims) {
    if (v->type.rank < 0)
        return STATUS_OK;
    if (v->type.rank != inferred->rank)
        return declared_conflict(n, v, inferred);
    for (int i = 0; i < inferred->rank; i++) {
        dim declared = v->type.dims[i];
        if (!dim_is_known(declared))
            continue;
        if (dim_is_known(dims[i]) && dims[i].n != declared.n)
            return declared_conflict(n, v, inferred);
        dims[i] = declared;
    }
    return STATUS_OK;
}

static status check_dims(const node *n, const value *v, const tensor_type *t) {
    int64_t count = 1;
    for (int i = 0; i < t->rank; i++) {
        if (dim_status(t->dims[i]) == STATUS_RESOURCE)
            return STATUS_RESOURCE;
        if (dim_status(t->dims[i]) != STATUS_OK)
            return op_invalid(n, "shape-mismatch", "dimension %d of output '%s' cannot be computed: too large", i,
                              v->name);
        if (!dim_is_known(t->dims[i]))
            continue;
        if (t->dims[i].n < 0)
            return op_invalid(n, "shape-mismatch", "dimension %d of output '%s' would be %lld", i, v->name,
                              (long long)t->dims[i].n);
        int64_t size = t->dims[i].n == 0 ? 1 : t->dims[i].n;
        if (size > ELEMENTS_MAX / count)
            return op_invalid(n, "too-large", "output '%s' would have more than 2^48 elements", v->name);
        count *= size;
    }
    return STATUS_OK;
}

/* Sets an output's type, after comparing it with what is declared; no-op for an absent output. */
status op_set_output(node *n, int index, dtype elem, int rank, const dim *dims) {
    value *v = node_output(n, index);
    if (v == NULL)
        return STATUS_OK;
    if (rank < 0)
        return op_unknown_output(n, index, elem);
    TRY(check_elem(n, index, elem));
    if (rank > TENSOR_MAX_RANK)
        return op_unsupported(n, "unsupported-rank", "output '%s' would have rank %d, above %d", v->name, rank,
                              TENSOR_MAX_RANK);
    dim merged[TENSOR_MAX_RANK];
    for (int i = 0; i < rank; i++)
        merged[i] = dims[i];
    tensor_type t = {elem, rank, merged};
    TRY(check_dims(n, v, &t));
    TRY(merge_declared(n, v, &t, merged));
    return type_equal(&t, &v->type) ? STATUS_OK : graph_set_type(n->graph, v, &t);
}

/* Sets the element type of an output whose shape cannot be told; a declared shape stays. */
status op_unknown_output(node *n, int index, dtype elem) {
    value *v = node_output(n, index);
    if (v == NULL)
        return STATUS_OK;
    TRY(check_elem(n, index, elem));
    v->type.elem = elem;
    return STATUS_OK;
}

status op_output_of_rank(node *n, int index, dtype elem, int rank) {
    const value *v = node_output(n, index);
    TRY(op_unknown_output(n, index, elem));
    if (v == NULL || v->type.rank < 0 || v->type.rank == rank)
        return STATUS_OK;
    return op_invalid(n, "shape-mismatch", "output '%s' is declared with %d dimensions, it has %d", v->name,
                      v->type.rank, rank);
}

/* ---- reading inputs ---- */

/* The type of input `index`; NULL where absent. */
tensor_type *op_input_type(const node *n, int index) {
    value *v = node_input(n, index);
    return v == NULL ? NULL : &v->type;
}

/* The rank of input `index`; -1 where absent or not known. */
int op_input_rank(const node *n, int index) {
    const value *v = node_input(n, index);
    return v == NULL ? -1 : v->type.rank;
}

/* axis in [-rank, rank) to [0, rank). */
status op_axis(node *n, int64_t axis, int rank, int *out) {
    if (axis < -rank || axis >= rank)
        return op_invalid(n, "bad-axis", "axis %lld is out of range for rank %d", (long long)axis, rank);
    *out = (int)(axis < 0 ? axis + rank : axis);
    return STATUS_OK;
}

/* Contents of input `index` as integers; NULL and -1 where they are not known (or memory is out). */
const int64_t *op_known_ints(const node *n, int index, int64_t *out_n) {
    const value *v = node_input(n, index);
    *out_n = -1;
    if (v == NULL || v->constant == NULL || !(dtype_is_int(v->constant->elem) || v->constant->elem == DT_BOOL))
        return NULL;
    const tensor *t = v->constant;
    int64_t *ints = ARENA_NEW_N(n->graph->memory, int64_t, t->count);
    for (int64_t i = 0; i < t->count && ints != NULL; i++)
        ints[i] = tensor_int(t, i);
    if (ints != NULL)
        *out_n = t->count;
    else
        n->graph->out_of_memory = true;
    return ints;
}

/* ---- broadcasting ---- */

static bool broadcast(dim x, dim y, dim *out) {
    bool x_one = dim_is_known(x) && x.n == 1, y_one = dim_is_known(y) && y.n == 1;
    if (x_one || y_one)
        *out = x_one ? y : x;
    else
        *out = dim_is_known(y) && !dim_is_known(x) ? y : x;
    return x_one || y_one || !dim_is_known(x) || !dim_is_known(y) || x.n == y.n;
}

/* numpy broadcasting of two dimensions: see op.h. */
status op_broadcast_dim(node *n, dim x, dim y, dim *out) {
    if (broadcast(x, y, out))
        return STATUS_OK;
    return op_invalid(n, "shape-mismatch", "dimensions %lld and %lld cannot be broadcast", (long long)x.n,
                      (long long)y.n);
}

static status broadcast_conflict(const node *n, const value *x, const value *y) {
    strbuf text = strbuf_in(n->graph->memory);
    strbuf_printf(&text, "inputs '%s' ", x->name);
    type_print(&x->type, &text);
    strbuf_printf(&text, " and '%s' ", y->name);
    type_print(&y->type, &text);
    strbuf_add(&text, " cannot be broadcast");
    const char *message;
    TRY(strbuf_finish(&text, &message));
    return op_invalid(n, "shape-mismatch", "%s", message);
}

/* The input before `index` whose dimension `from_end` is known and not 1: the one that a conflict is with. */
static const value *conflicting(const node *n, int first, int index, int from_end) {
    for (int i = first; i < index; i++) {
        const value *v = n->inputs[i].v;
        int at = v == NULL ? -1 : v->type.rank - from_end;
        if (at >= 0 && dim_is_known(v->type.dims[at]) && v->type.dims[at].n != 1)
            return v;
    }
    return n->inputs[first].v;
}

/* numpy broadcasting of n_inputs inputs from first_input on, absent ones left out; rank -1 where one's rank is not
 * known. */
status op_broadcast(node *n, int first_input, int n_inputs, int *out_rank, dim out_dims[TENSOR_MAX_RANK]) {
    int rank = 0, end = first_input + n_inputs < n->n_inputs ? first_input + n_inputs : n->n_inputs;
    *out_rank = -1;
    for (int i = first_input; i < end; i++) {
        const value *v = n->inputs[i].v;
        if (v != NULL && v->type.rank < 0)
            return STATUS_OK;
        if (v != NULL && v->type.rank > rank)
            rank = v->type.rank;
    }
    for (int d = 0; d < rank; d++)
        out_dims[d] = DIM(1);
    for (int i = first_input; i < end; i++) {
        const value *v = n->inputs[i].v;
        for (int d = 0; v != NULL && d < v->type.rank; d++) {
            int from_end = v->type.rank - d;
            dim *out = &out_dims[rank - from_end];
            if (!broadcast(*out, v->type.dims[d], out))
                return broadcast_conflict(n, conflicting(n, first_input, i, from_end), v);
        }
    }
    *out_rank = rank;
    return STATUS_OK;
}

/* ---- nodes ---- */

static dtype only_type(uint64_t types) {
    for (int t = DT_NONE + 1; t < DT_COUNT; t++)
        if (types == TYPE_BIT(t))
            return (dtype)t;
    return DT_NONE;
}

/* The type of the input that shares the output's type variable, or the only type that the output may have. */
static dtype output_elem(const node *n, const op_param *out) {
    const op_param *p = n->row->inputs;
    for (int i = 0; i < n->n_inputs && p->name != NULL; i++) {
        if (out->var != 0 && p->var == out->var && n->inputs[i].v != NULL)
            return n->inputs[i].v->type.elem;
        p += (p->flags & PARAM_VARIADIC) == 0;
    }
    return only_type(out->types);
}

static status infer_scalar(node *n) {
    int rank;
    dim dims[TENSOR_MAX_RANK];
    TRY(op_broadcast(n, 0, n->n_inputs, &rank, dims));
    for (int i = 0; i < n->n_outputs; i++) {
        dtype elem = output_elem(n, output_param(n, i));
        TENON_ASSERT(elem != DT_NONE);
        TRY(op_set_output(n, i, elem, rank, dims));
    }
    return STATUS_OK;
}

static bool has_unknown_input(const node *n) {
    for (int i = 0; i < n->n_inputs; i++)
        if (n->inputs[i].v != NULL && n->inputs[i].v->type.elem == DT_NONE)
            return true;
    return false;
}

static status check_ranks(const node *n) {
    for (int i = 0; i < n->n_inputs; i++)
        if (op_input_rank(n, i) > TENSOR_MAX_RANK)
            return op_unsupported(n, "unsupported-rank", "input '%s' has rank %d, above %d", n->inputs[i].v->name,
                                  op_input_rank(n, i), TENSOR_MAX_RANK);
    return STATUS_OK;
}

/* Checks the node and sets its outputs' types. Behind an input whose type is not known nothing can be told: no error.
 */
status op_infer(node *n) {
    TRY(op_check(n));
    TRY(check_ranks(n));
    if (has_unknown_input(n))
        return STATUS_OK;
    status s = n->row->infer != NULL ? n->row->infer(n) : infer_scalar(n);
    return n->graph->out_of_memory ? STATUS_RESOURCE : s;
}

/* Infers all nodes in order, reports every independent error, and returns the worst: invalid before unsupported. */
status graph_infer(graph *g) {
    status worst = STATUS_OK;
    for (node *n = g->first; n != NULL; n = n->next) {
        status s = op_infer(n);
        if (s == STATUS_RESOURCE)
            return s;
        worst = op_worse(worst, s);
    }
    return worst;
}
