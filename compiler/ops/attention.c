/* Attention (expanded into matrix products and a softmax) and RotaryEmbedding. */
#include <math.h>
#include <string.h>

#include "ops/kit.h"

enum { ATT_Q, ATT_K, ATT_V, ATT_MASK, ATT_PAST_K, ATT_PAST_V, ATT_LENGTHS };
enum { OUT_Y, OUT_K, OUT_V, OUT_SCORES };

/* ---- shapes ---- */

/* [batch, heads, sequence, size] of operand k, which may have its heads in the last dimension. */
static status read_heads(const node *n, int k, const char *attribute, dim *out) {
    const tensor_type *x = op_input_type(n, k);
    arena *a = n->graph->memory;
    if (x->rank == 4) {
        kit_copy_dims(out, x->dims, 4);
        return STATUS_OK;
    }
    int64_t heads = op_int(n, attribute);
    if (x->rank != 3 || heads < 1)
        return op_invalid(n, "wrong-rank", "'%s' must have 4 dimensions, or 3 with the attribute '%s'",
                          n->row->inputs[k].name, attribute);
    if (dim_is_known(x->dims[2]) && x->dims[2].n % heads != 0)
        return op_invalid(n, "shape-mismatch", "the last dimension of '%s', %lld, does not divide into %lld heads",
                          n->row->inputs[k].name, (long long)x->dims[2].n, (long long)heads);
    out[0] = x->dims[0];
    out[1] = DIM(heads);
    out[2] = x->dims[1];
    out[3] = dim_floor_div(a, x->dims[2], DIM(heads));
    return STATUS_OK;
}

static status check_equal(const node *n, dim x, dim y, const char *what) {
    if (!dim_is_known(x) || !dim_is_known(y) || x.n == y.n)
        return STATUS_OK;
    return op_invalid(n, "shape-mismatch", "%s: %lld and %lld", what, (long long)x.n, (long long)y.n);
}

typedef struct attention_shape {
    dim q[4], k[4], v[4];
    dim past, total; /* keys in the cache, all keys */
} attention_shape;

static status read_shapes(const node *n, attention_shape *s) {
    TRY(read_heads(n, ATT_Q, "q_num_heads", s->q));
    TRY(read_heads(n, ATT_K, "kv_num_heads", s->k));
    TRY(read_heads(n, ATT_V, "kv_num_heads", s->v));
    TRY(check_equal(n, s->q[3], s->k[3], "head sizes of 'Q' and 'K'"));
    TRY(check_equal(n, s->k[1], s->v[1], "heads of 'K' and 'V'"));
    TRY(check_equal(n, s->k[2], s->v[2], "sequences of 'K' and 'V'"));
    if (dim_is_known(s->q[1]) && dim_is_known(s->k[1]) && (s->k[1].n < 1 || s->q[1].n % s->k[1].n != 0))
        return op_invalid(n, "shape-mismatch", "%lld query heads are no multiple of %lld key heads",
                          (long long)s->q[1].n, (long long)s->k[1].n);
    const tensor_type *past = op_input_type(n, ATT_PAST_K);
    if ((past == NULL) != (node_input(n, ATT_PAST_V) == NULL) || (past != NULL && node_input(n, ATT_LENGTHS) != NULL))
        return op_invalid(n, "wrong-arity", "'past_key' and 'past_value' go together, and not with 'nonpad_kv_seqlen'");
    s->past = past == NULL || past->rank != 4 ? DIM(0) : past->dims[2];
    s->total = dim_add(n->graph->memory, s->past, s->k[2]);
    return STATUS_OK;
}

static status attention_infer(node *n) {
    const tensor_type *q = op_input_type(n, ATT_Q), *v = op_input_type(n, ATT_V), *past = op_input_type(n, ATT_PAST_K);
    attention_shape s;
    if (op_int(n, "left_window_size") < -1 || op_int(n, "right_window_size") < -1 ||
        op_int(n, "qk_matmul_output_mode") < 0 || op_int(n, "qk_matmul_output_mode") > 3)
        return op_invalid(n, "wrong-attribute", "a window size is below -1, or qk_matmul_output_mode is not 0 to 3");
    if (q->rank < 0 || op_input_rank(n, ATT_K) < 0 || v->rank < 0 || (past != NULL && past->rank < 0)) {
        for (int k = 0; k < 4; k++)
            TRY(op_unknown_output(n, k, k == OUT_V ? v->elem : q->elem));
        return STATUS_OK;
    }
    TRY(read_shapes(n, &s));
    dim y[4] = {s.q[0], s.q[1], s.q[2], s.v[3]}, flat[3] = {s.q[0], s.q[2], dim_mul(n->graph->memory, s.q[1], s.v[3])};
    dim key[4] = {s.k[0], s.k[1], s.total, s.k[3]}, values[4] = {s.v[0], s.v[1], s.total, s.v[3]},
        scores[4] = {s.q[0], s.q[1], s.q[2], s.total};
    TRY(op_set_output(n, OUT_Y, q->elem, q->rank, q->rank == 4 ? y : flat));
    TRY(op_set_output(n, OUT_K, q->elem, 4, key));
    TRY(op_set_output(n, OUT_V, v->elem, 4, values));
    return op_set_output(n, OUT_SCORES, q->elem, 4, scores);
}

/* ---- the expansion ---- */

typedef struct attention {
    kit_chain c;
    node *n;
    dtype t; /* computed in */
    int64_t batch, heads, kv_heads, queries, keys, past, size, v_size;
} attention;

static status read_node(attention *a, graph *g, node *n) {
    attention_shape s;
    *a = (attention){.c = KIT_CHAIN(g, n), .n = n, .t = node_input(n, ATT_Q)->type.elem == DT_F64 ? DT_F64 : DT_F32};
    for (int k = 0; k < n->n_inputs; k++)
        if (n->inputs[k].v != NULL && (op_input_rank(n, k) < 0 || !type_shape(op_input_type(n, k), NULL)))
            return op_unsupported(n, "unknown-shape",
                                  "the shapes of all inputs must be known; bind the dimensions they are made of");
    TRY(read_shapes(n, &s));
    a->batch = s.q[0].n;
    a->heads = s.q[1].n;
    a->kv_heads = s.k[1].n;
    a->queries = s.q[2].n;
    a->keys = s.total.n;
    a->past = s.past.n;
    a->size = s.q[3].n;
    a->v_size = s.v[3].n;
    return STATUS_OK;
}

/* Operand k as [batch, heads, sequence, size]. */
static value *split_heads(attention *a, int k, int64_t heads, int64_t size) {
    value *x = kit_chain_cast(&a->c, node_input(a->n, k), a->t);
    if (x == NULL || x->type.rank == 4)
        return x;
    int64_t dims[] = {a->batch, x->type.dims[1].n, heads, size};
    return kit_chain_transpose(&a->c, kit_chain_reshape(&a->c, x, dims, 4), (const int64_t[]){0, 2, 1, 3}, 4);
}

static value *concat(kit_chain *c, value *x, value *y, int64_t axis) {
    return kit_chain_axis(c, "Concat", x, y, axis);
}

/* 0, 1, ... n-1 as a tensor of 4 dimensions, n of them along `axis`. */
static value *positions(kit_chain *c, int64_t n, int axis) {
    int64_t *data = ARENA_NEW_N(c->g->memory, int64_t, n + 1), dims[4] = {1, 1, 1, 1};
    c->failed |= data == NULL;
    for (int64_t k = 0; k < n && data != NULL; k++)
        data[k] = k;
    dims[axis] = n;
    tensor *t = data == NULL ? NULL : tensor_new(c->g->memory, DT_I64, 4, dims, data);
    value *made = t == NULL ? NULL : graph_add_constant(c->g, NULL, t);
    c->failed |= made == NULL;
    return made;
}

static value *both(kit_chain *c, value *x, value *y) {
    return x == NULL ? y : y == NULL ? x : kit_chain_binary(c, "And", x, y);
}

/* Which keys a query may attend by position alone, NULL where all: causal order, window, padding. */
static value *allowed_keys(attention *a) {
    kit_chain *c = &a->c;
    int64_t left = op_int(a->n, "left_window_size"), right = op_int(a->n, "right_window_size");
    value *lengths = node_input(a->n, ATT_LENGTHS), *allowed = NULL,
          *offset = kit_chain_scalar(c, DT_I64, (double)a->past);
    value *key = positions(c, a->keys, 3);
    if (lengths != NULL) {
        lengths = kit_chain_reshape(c, lengths, (const int64_t[]){-1, 1, 1, 1}, 4);
        offset = kit_chain_binary(c, "Sub", lengths, kit_chain_scalar(c, DT_I64, (double)a->queries));
        allowed = kit_chain_binary(c, "Less", key, lengths);
    }
    if (op_int(a->n, "is_causal") == 0 && left < 0 && right < 0)
        return allowed;
    value *here = kit_chain_binary(c, "Add", positions(c, a->queries, 2), offset);
    if (op_int(a->n, "is_causal") != 0)
        allowed = both(c, allowed, kit_chain_binary(c, "LessOrEqual", key, here));
    if (left >= 0)
        allowed = both(c, allowed,
                       kit_chain_binary(c, "GreaterOrEqual", key,
                                        kit_chain_binary(c, "Sub", here, kit_chain_scalar(c, DT_I64, (double)left))));
    if (right >= 0)
        allowed = both(c, allowed,
                       kit_chain_binary(c, "LessOrEqual", key,
                                        kit_chain_binary(c, "Add", here, kit_chain_scalar(c, DT_I64, (double)right))));
    return allowed;
}

static value *choose(kit_chain *c, value *mask, value *x, value *y) {
    node *made = kit_chain_node(c, "Where", (value *[]){mask, x, y}, 3, NULL, 0, 1);
    return made == NULL ? NULL : made->outputs[0];
}

/* The mask operand with its last dimension filled up with what masks out. */
static value *full_mask(attention *a, value *mask) {
    kit_chain *c = &a->c;
    int rank = mask->type.rank;
    int64_t pads[2 * TENSOR_MAX_RANK] = {0}, given = rank > 0 ? mask->type.dims[rank - 1].n : 1;
    bool is_bool = mask->type.elem == DT_BOOL;
    if (!is_bool)
        mask = kit_chain_cast(c, mask, a->t);
    if (rank == 0 || given == 1 || given >= a->keys)
        return mask;
    pads[2 * rank - 1] = a->keys - given;
    value *inputs[] = {mask, kit_chain_ints(c, pads, 2 * rank),
                       kit_chain_scalar(c, is_bool ? DT_BOOL : a->t, is_bool ? 0 : -INFINITY)};
    node *made = kit_chain_node(c, "Pad", inputs, 3, NULL, 0, 1);
    return made == NULL ? NULL : made->outputs[0];
}

/* The mask as it was before an Expand made more rows of it: adding it does that, too. */
static value *narrow(value *mask) {
    while (mask != NULL && mask->def != NULL && mask->constant == NULL && strcmp(mask->def->op, "Expand") == 0) {
        const tensor_type *t = &node_input(mask->def, 0)->type;
        if (t->rank < 1 || !dim_equal(t->dims[t->rank - 1], mask->type.dims[mask->type.rank - 1]))
            break;
        mask = node_input(mask->def, 0);
    }
    return mask;
}

/* What is added to the scores: 0, the mask's value, or -inf. NULL: nothing is. */
static value *additive_bias(attention *a) {
    kit_chain *c = &a->c;
    value *allowed = allowed_keys(a), *mask = narrow(node_input(a->n, ATT_MASK)), *kept = kit_chain_scalar(c, a->t, 0);
    if (mask != NULL) {
        mask = full_mask(a, mask);
        if (mask != NULL && mask->type.elem == DT_BOOL)
            allowed = both(c, allowed, mask);
        else if (allowed == NULL)
            return mask;
        else
            kept = mask;
    }
    return allowed == NULL ? NULL : choose(c, allowed, kept, kit_chain_scalar(c, a->t, -INFINITY));
}

/* [batch, heads, queries, last] in groups of the query heads that share a key head, and back. */
static value *grouped(attention *a, value *x, int64_t last) {
    if (a->heads == a->kv_heads)
        return x;
    return kit_chain_reshape(&a->c, x,
                             (const int64_t[]){a->batch, a->kv_heads, a->heads / a->kv_heads, a->queries, last}, 5);
}
static value *ungrouped(attention *a, value *x, int64_t last) {
    if (a->heads == a->kv_heads)
        return x;
    return kit_chain_reshape(&a->c, x, (const int64_t[]){a->batch, a->heads, a->queries, last}, 4);
}
/* Keys and values get a dimension of 1 for the group. */
static value *shared(attention *a, value *x) {
    return a->heads == a->kv_heads
               ? x
               : kit_chain_binary(&a->c, "Unsqueeze", x, kit_chain_ints(&a->c, (const int64_t[]){2}, 1));
}

/* Probabilities; a query that may attend no key gets zeros. */
static value *probabilities(attention *a, value *scores, value *bias) {
    kit_chain *c = &a->c;
    attr keep = {.name = "keepdims", .kind = ATTR_INT, .i = 1};
    value *p = kit_chain_axis(c, "Softmax", scores, NULL, -1);
    if (bias == NULL)
        return p;
    value *most = bias->type.rank == 0
                      ? bias
                      : kit_chain_with(c, "ReduceMax", bias, kit_chain_ints(c, (const int64_t[]){-1}, 1), &keep);
    value *nothing = kit_chain_binary(c, "Equal", most, kit_chain_scalar(c, a->t, -INFINITY));
    return choose(c, nothing, kit_chain_scalar(c, a->t, 0), p);
}

static status attention_expand(graph *g, node *n) {
    attention a;
    TRY(read_node(&a, g, n));
    kit_chain *c = &a.c;
    dtype elem = node_input(n, ATT_Q)->type.elem, v_elem = node_input(n, ATT_V)->type.elem;
    bool flat = op_input_rank(n, ATT_Q) == 3;
    double scale = op_has(n, "scale") ? op_float(n, "scale") : 1 / sqrt((double)a.size), cap = op_float(n, "softcap");
    value *q = split_heads(&a, ATT_Q, a.heads, a.size), *k = split_heads(&a, ATT_K, a.kv_heads, a.size),
          *v = split_heads(&a, ATT_V, a.kv_heads, a.v_size), *stages[4];
    if (node_input(n, ATT_PAST_K) != NULL) {
        k = concat(c, kit_chain_cast(c, node_input(n, ATT_PAST_K), a.t), k, 2);
        v = concat(c, kit_chain_cast(c, node_input(n, ATT_PAST_V), a.t), v, 2);
    }
    value *turned = kit_chain_transpose(c, k, (const int64_t[]){0, 1, 3, 2}, 4);
    value *product = ungrouped(&a, kit_chain_binary(c, "MatMul", grouped(&a, q, a.size), shared(&a, turned)), a.keys);
    stages[0] = kit_chain_binary(c, "Mul", product, kit_chain_scalar(c, a.t, scale));
    stages[1] = stages[0];
    if (cap > 0) {
        value *limit = kit_chain_scalar(c, a.t, cap);
        stages[1] =
            kit_chain_binary(c, "Mul", limit, kit_chain_unary(c, "Tanh", kit_chain_binary(c, "Div", stages[0], limit)));
    }
    value *bias = additive_bias(&a);
    stages[2] = bias == NULL ? stages[1] : kit_chain_binary(c, "Add", stages[1], bias);
    stages[3] = probabilities(&a, stages[2], bias);
    value *y = ungrouped(&a, kit_chain_binary(c, "MatMul", grouped(&a, stages[3], a.keys), shared(&a, v)), a.v_size);
    if (flat)
        y = kit_chain_reshape(c, kit_chain_transpose(c, y, (const int64_t[]){0, 2, 1, 3}, 4),
                              (const int64_t[]){a.batch, a.queries, a.heads * a.v_size}, 3);
    TRY(kit_chain_result(c, node_output(n, OUT_Y), kit_chain_cast(c, y, elem)));
    TRY(kit_chain_result(c, node_output(n, OUT_K), kit_chain_cast(c, k, elem)));
    TRY(kit_chain_result(c, node_output(n, OUT_V), kit_chain_cast(c, v, v_elem)));
    return kit_chain_result(c, node_output(n, OUT_SCORES),
                            kit_chain_cast(c, stages[op_int(n, "qk_matmul_output_mode")], elem));
}

OP_ROW(Attention) = {
    .name = "Attention",
    .domain = "",
    .versions = VERSIONS(23, 24, 25),
    .kind = OP_EXPAND,
    .inputs = PARAMS({"Q", TYPES_FLOAT, 'T', 0}, {"K", TYPES_FLOAT, 'T', 0}, {"V", TYPES_FLOAT, 'V', 0},
                     {"attn_mask", TYPES_NUMBER | TYPES_BOOL, 'U', PARAM_OPTIONAL},
                     {"past_key", TYPES_FLOAT, 'T', PARAM_OPTIONAL}, {"past_value", TYPES_FLOAT, 'V', PARAM_OPTIONAL},
                     {"nonpad_kv_seqlen", TYPE_BIT(DT_I64), 0, PARAM_OPTIONAL}),
    .outputs = PARAMS({"Y", TYPES_FLOAT, 'T', 0}, {"present_key", TYPES_FLOAT, 'T', PARAM_OPTIONAL},
                      {"present_value", TYPES_FLOAT, 'V', PARAM_OPTIONAL},
                      {"qk_matmul_output", TYPES_FLOAT, 'T', PARAM_OPTIONAL}),
    .attrs = ATTRS({"is_causal", ATTR_INT, .i = 0}, {"kv_num_heads", .kind = ATTR_INT},
                   {"left_window_size", ATTR_INT, .i = -1}, {"q_num_heads", .kind = ATTR_INT},
                   {"qk_matmul_output_mode", ATTR_INT, .i = 0}, {"right_window_size", ATTR_INT, .i = -1},
                   {"scale", .kind = ATTR_FLOAT}, {"softcap", ATTR_FLOAT, .f = 0},
                   {"softmax_precision", .kind = ATTR_INT}),
    .note = "the softmax is computed in f32 (f64 for f64) whatever softmax_precision says",
    .infer = attention_infer,
    .expand = attention_expand,
};

/* ---- RotaryEmbedding: pairs of elements of a head, turned by an angle that depends on the position ---- */

enum { ROT_X, ROT_COS, ROT_SIN, ROT_IDS };

/* Elements of a head that are turned, and of a whole head. */
static status rotary_sizes(const node *n, int rank, const int64_t *dims, int64_t *out_turned, int64_t *out_head) {
    int64_t heads = op_int(n, "num_heads");
    if (rank == 3 && (heads < 1 || dims[2] % heads != 0))
        return op_invalid(n, "wrong-attribute",
                          "an input of 3 dimensions needs num_heads, which must divide the last dimension");
    *out_head = rank == 3 ? dims[2] / heads : dims[3];
    *out_turned = op_int(n, "rotary_embedding_dim") != 0 ? op_int(n, "rotary_embedding_dim") : *out_head;
    if (*out_turned < 0 || *out_turned > *out_head || *out_turned % 2 != 0)
        return op_invalid(n, "wrong-attribute", "%lld elements of a head of %lld cannot be turned in pairs",
                          (long long)*out_turned, (long long)*out_head);
    return STATUS_OK;
}

static status rotary_infer(node *n) {
    const tensor_type *x = op_input_type(n, ROT_X);
    int64_t dims[TENSOR_MAX_RANK], turned, head;
    if (x->rank >= 0 && x->rank != 3 && x->rank != 4)
        return op_invalid(n, "wrong-rank", "the input must have 3 or 4 dimensions, it has %d", x->rank);
    if (x->rank >= 0 && type_shape(x, dims)) {
        TRY(rotary_sizes(n, x->rank, dims, &turned, &head));
        int wanted = node_input(n, ROT_IDS) == NULL ? 3 : 2;
        for (int k = ROT_COS; k <= ROT_SIN; k++) {
            const tensor_type *t = op_input_type(n, k);
            if (t->rank >= 0 &&
                (t->rank != wanted || (dim_is_known(t->dims[wanted - 1]) && t->dims[wanted - 1].n != turned / 2)))
                return op_invalid(n, "shape-mismatch", "'%s' must have %d dimensions, the last of them %lld",
                                  n->row->inputs[k].name, wanted, (long long)(turned / 2));
        }
    }
    return kit_infer_same(n);
}

static status rotary_lower(const node *n, nest_list *l) {
    builder *b = l->b;
    const nest_operand *x = kit_operand(l, ROT_X);
    const expr *i[4], *f[4], *at[3];
    int64_t turned, head;
    int y = nest_output(l, 0), last = x->rank - 1;
    TRY(rotary_sizes(n, x->rank, x->dims, &turned, &head));
    if (node_input(n, ROT_IDS) != NULL)
        kit_check_index(n, l, ROT_IDS, 0, kit_operand(l, ROT_COS)->dims[0], NULL);
    nest *m = kit_over(l, "rotary_embedding", y, i);
    memcpy(f, i, (size_t)x->rank * sizeof *i);
    const expr *batch = i[0], *step = i[x->rank == 3 ? 1 : 2], *half = build_index(b, turned / 2),
               *one = build_index(b, 1), *two = build_index(b, 2);
    const expr *d = x->rank == 3 ? build_rem(b, i[2], build_index(b, head)) : i[3], *pair, *is_first, *partner;
    if (op_int(n, "interleaved") != 0) {
        pair = build_div(b, d, two);
        is_first = build_eq(b, build_rem(b, d, two), build_index(b, 0));
        partner = build_select(b, is_first, build_add(b, i[last], one), build_sub(b, i[last], one));
    } else {
        is_first = build_lt(b, d, half);
        pair = build_select(b, is_first, d, build_sub(b, d, half));
        partner = build_select(b, is_first, build_add(b, i[last], half), build_sub(b, i[last], half));
    }
    const expr *mask = turned < head ? build_lt(b, d, build_index(b, turned)) : NULL;
    at[0] = batch;
    at[1] = step;
    if (node_input(n, ROT_IDS) != NULL)
        at[0] = nest_read(l, ROT_IDS, (const expr *[]){batch, step});
    at[node_input(n, ROT_IDS) != NULL ? 1 : 2] = pair;
    f[last] = partner;
    const expr *own = kit_read(l, ROT_X, i), *other = kit_read_masked(l, ROT_X, f, mask);
    const expr *cosine = kit_read_masked(l, ROT_COS, at, mask), *sine = kit_read_masked(l, ROT_SIN, at, mask);
    const expr *turn = build_mul(b, sine, other), *kept = build_mul(b, cosine, own);
    const expr *result = build_select(b, is_first, build_sub(b, kept, turn), build_add(b, kept, turn));
    kit_store(l, m, y, i, mask == NULL ? result : build_select(b, mask, result, own));
    return builder_status(b);
}

#define TYPES_ROTARY (TYPES_FLOAT & ~TYPE_BIT(DT_F64))
OP_ROW(RotaryEmbedding) = {
    .name = "RotaryEmbedding",
    .domain = "",
    .versions = VERSIONS(23),
    .kind = OP_LOWER,
    .inputs = PARAMS({"X", TYPES_ROTARY, 'T', 0}, {"cos_cache", TYPES_ROTARY, 'T', 0},
                     {"sin_cache", TYPES_ROTARY, 'T', 0}, {"position_ids", TYPE_BIT(DT_I64), 0, PARAM_OPTIONAL}),
    .outputs = PARAMS({"Y", TYPES_ROTARY, 'T', 0}),
    .attrs = ATTRS({"interleaved", ATTR_INT, .i = 0}, {"num_heads", .kind = ATTR_INT},
                   {"rotary_embedding_dim", ATTR_INT, .i = 0}),
    .infer = rotary_infer,
    .lower = rotary_lower,
};
