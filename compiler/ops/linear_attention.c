/* Layers that carry a state from call to call: CausalConvWithState, LinearAttention. */
#include <math.h>
#include <string.h>

#include "ops/kit.h"

#define TYPES_LAYER (TYPES_FLOAT & ~TYPE_BIT(DT_F64))

static status check_dim(const node *n, int input, int k, dim wanted) {
    const tensor_type *x = op_input_type(n, input);
    if (x == NULL || x->rank < 0 || !dim_is_known(x->dims[k]) || !dim_is_known(wanted) || x->dims[k].n == wanted.n)
        return STATUS_OK;
    return op_invalid(n, "shape-mismatch", "dimension %d of '%s' is %lld, expected %lld", k, n->row->inputs[input].name,
                      (long long)x->dims[k].n, (long long)wanted.n);
}

static status check_rank(const node *n, int input, int rank) {
    int has = op_input_rank(n, input);
    if (has < 0 || has == rank)
        return STATUS_OK;
    return op_invalid(n, "wrong-rank", "'%s' must have %d dimensions, it has %d", n->row->inputs[input].name, rank,
                      has);
}

/* ---- CausalConvWithState: a convolution of each channel over what was before and is now ---- */

enum { CONV_X, CONV_W, CONV_BIAS, CONV_PAST };

static status causal_conv_infer(node *n) {
    const tensor_type *x = op_input_type(n, CONV_X), *w = op_input_type(n, CONV_W);
    const char *activation = op_string(n, "activation");
    if (strcmp(activation, "none") != 0 && strcmp(activation, "silu") != 0 && strcmp(activation, "swish") != 0)
        return op_invalid(n, "wrong-attribute", "activation is '%s', expected none, silu or swish", activation);
    for (int k = 0; k < 4; k++)
        TRY(check_rank(n, k, k == CONV_BIAS ? 1 : 3));
    TRY(kit_infer_same(n));
    if (x->rank < 0 || w->rank < 0)
        return op_unknown_output(n, 1, x->elem);
    dim before = dim_sub(n->graph->memory, w->dims[2], DIM(1));
    TRY(check_dim(n, CONV_W, 0, x->dims[1]));
    TRY(check_dim(n, CONV_W, 1, DIM(1)));
    TRY(check_dim(n, CONV_BIAS, 0, x->dims[1]));
    for (int k = 0; k < 3; k++)
        TRY(check_dim(n, CONV_PAST, k, k == 2 ? before : x->dims[k]));
    return op_set_output(n, 1, x->elem, 3, (const dim[]){x->dims[0], x->dims[1], before});
}

/* x with what was before in front of it: zeros where the node has none. */
static value *with_past(kit_chain *c, const node *n, int64_t before) {
    value *x = node_input(n, CONV_X), *past = node_input(n, CONV_PAST);
    if (past != NULL)
        return kit_chain_axis(c, "Concat", past, x, 2);
    return kit_chain_binary(c, "Pad", x, kit_chain_ints(c, (const int64_t[]){0, 0, before, 0, 0, 0}, 6));
}

static status causal_conv_expand(graph *g, node *n) {
    kit_chain c = KIT_CHAIN(g, n);
    int64_t x[3], w[3];
    if (!type_shape(op_input_type(n, CONV_X), x) || !type_shape(op_input_type(n, CONV_W), w))
        return op_unsupported(n, "unknown-shape", "the shapes of input and weight must be known");
    value *all = with_past(&c, n, w[2] - 1);
    value *inputs[] = {all, node_input(n, CONV_W), node_input(n, CONV_BIAS)};
    attr groups = {.name = "group", .kind = ATTR_INT, .i = x[1]};
    node *conv = kit_chain_node(&c, "Conv", inputs, inputs[2] == NULL ? 2 : 3, &groups, 1, 1);
    value *y = conv == NULL ? NULL : conv->outputs[0];
    if (strcmp(op_string(n, "activation"), "none") != 0)
        y = kit_chain_unary(&c, "Swish", y);
    value *slice[] = {all, kit_chain_ints(&c, &x[2], 1), kit_chain_ints(&c, (const int64_t[]){INT64_MAX}, 1),
                      kit_chain_ints(&c, (const int64_t[]){2}, 1)};
    node *last = node_output(n, 1) == NULL ? NULL : kit_chain_node(&c, "Slice", slice, 4, NULL, 0, 1);
    TRY(kit_chain_result(&c, node_output(n, 1), last == NULL ? NULL : last->outputs[0]));
    return kit_chain_result(&c, node_output(n, 0), y);
}

OP_ROW(CausalConvWithState) = {
    .name = "CausalConvWithState",
    .domain = "",
    .versions = VERSIONS(27),
    .kind = OP_EXPAND,
    .inputs = PARAMS({"input", TYPES_LAYER, 'T', 0}, {"weight", TYPES_LAYER, 'T', 0},
                     {"bias", TYPES_LAYER, 'T', PARAM_OPTIONAL}, {"past_state", TYPES_LAYER, 'T', PARAM_OPTIONAL}),
    .outputs = PARAMS({"output", TYPES_LAYER, 'T', 0}, {"present_state", TYPES_LAYER, 'T', PARAM_OPTIONAL}),
    .attrs = ATTRS({"activation", ATTR_STRING, .s = "none"}),
    .infer = causal_conv_infer,
    .expand = causal_conv_expand,
};

/* ---- LinearAttention: a state of d_k by d_v for each head, changed and read by each token in turn ---- */

enum { LIN_Q, LIN_K, LIN_V, LIN_PAST, LIN_DECAY, LIN_BETA, LIN_INPUTS };

static const struct update_rule {
    const char *name;
    bool gated, delta;
} update_rules[] = {
    {"linear", false, false}, {"gated", true, false}, {"delta", false, true}, {"gated_delta", true, true}};

static const struct update_rule *rule_of(const node *n) {
    for (size_t k = 0; k < sizeof update_rules / sizeof *update_rules; k++)
        if (strcmp(op_string(n, "update_rule"), update_rules[k].name) == 0)
            return &update_rules[k];
    return NULL;
}

static status check_rule(const node *n) {
    const struct update_rule *rule = rule_of(n);
    if (rule == NULL)
        return op_invalid(n, "wrong-attribute", "update_rule is '%s', expected linear, gated, delta or gated_delta",
                          op_string(n, "update_rule"));
    if (rule->gated != (node_input(n, LIN_DECAY) != NULL) || rule->delta != (node_input(n, LIN_BETA) != NULL))
        return op_invalid(n, "wrong-arity", "update_rule '%s' %s 'decay' and %s 'beta'", rule->name,
                          rule->gated ? "needs" : "has no", rule->delta ? "needs" : "has no");
    return STATUS_OK;
}

/* The last dimension of the input holds `parts` of something. */
static status check_parts(const node *n, int input, int64_t parts) {
    const tensor_type *x = op_input_type(n, input);
    if (x == NULL || x->rank < 0 || !dim_is_known(x->dims[2]) || x->dims[2].n % parts == 0)
        return STATUS_OK;
    return op_invalid(n, "shape-mismatch", "the %lld of '%s' do not divide among %lld heads", (long long)x->dims[2].n,
                      n->row->inputs[input].name, (long long)parts);
}

static status linear_attention_infer(node *n) {
    const tensor_type *q = op_input_type(n, LIN_Q), *v = op_input_type(n, LIN_V), *past = op_input_type(n, LIN_PAST);
    int64_t heads = op_int(n, "q_num_heads"), kv_heads = op_int(n, "kv_num_heads");
    dtype state = past != NULL ? past->elem : q->elem;
    TRY(check_rule(n));
    if (kv_heads < 1 || heads < 1 || heads % kv_heads != 0)
        return op_invalid(n, "wrong-attribute", "q_num_heads = %lld is no multiple of kv_num_heads = %lld",
                          (long long)heads, (long long)kv_heads);
    for (int k = 0; k < LIN_INPUTS; k++)
        TRY(check_rank(n, k, k == LIN_PAST ? 4 : 3));
    if (q->rank < 0 || v->rank < 0) {
        TRY(op_unknown_output(n, 0, q->elem));
        return op_unknown_output(n, 1, state);
    }
    arena *a = n->graph->memory;
    TRY(check_parts(n, LIN_Q, heads));
    for (int k = LIN_K; k <= LIN_V; k++)
        TRY(check_parts(n, k, kv_heads));
    dim d_k = dim_floor_div(a, q->dims[2], DIM(heads)), d_v = dim_floor_div(a, v->dims[2], DIM(kv_heads));
    dim inner[] = {q->dims[0], DIM(kv_heads), d_k, d_v};
    TRY(check_dim(n, LIN_K, 2, dim_mul(a, d_k, DIM(kv_heads))));
    for (int k = LIN_K; k < LIN_INPUTS; k++)
        for (int d = 0; d < 2 && k != LIN_PAST; d++)
            TRY(check_dim(n, k, d, q->dims[d]));
    for (int d = 0; d < 4; d++)
        TRY(check_dim(n, LIN_PAST, d, inner[d]));
    TRY(op_set_output(n, 0, q->elem, 3, (const dim[]){q->dims[0], q->dims[1], dim_mul(a, d_v, DIM(heads))}));
    return op_set_output(n, 1, state, 4, inner);
}

typedef struct linear_attention {
    const node *n;
    nest_list *l;
    builder *b;
    int state; /* temporary [batch, kv heads, d_k, d_v] in f32 */
    const int64_t *dims;
    int64_t group; /* query heads of one key head */
    const expr *batch, *head, *token;
    int sum; /* a register */
} linear_attention;

/* Element `at` of the `size` that input `k` has for a head at the token. */
static const expr *element(const linear_attention *a, int k, const expr *head, int64_t size, const expr *at) {
    const nest_operand *x = kit_operand(a->l, k);
    const expr *last = build_add(a->b, build_mul(a->b, head, build_index(a->b, size)), at);
    const expr *place = nest_linear(a->b, (const expr *[]){a->batch, a->token, last}, 3, x->dims);
    return kit_wide(a->b, build_load(a->b, k, LTYPE(x->elem, 1), place, NULL));
}

static const expr *state_place(const linear_attention *a, const expr *d, const expr *m) {
    return nest_linear(a->b, (const expr *[]){a->batch, a->head, d, m}, 4, a->dims);
}

static const expr *load_state(const linear_attention *a, const expr *d, const expr *m) {
    return build_load(a->b, a->state, LTYPE(DT_F32, 1), state_place(a, d, m), NULL);
}

/* Sum over d of the state's column m times input k. */
static const expr *read_column(const linear_attention *a, int k, const expr *head, const expr *m) {
    builder *b = a->b;
    const expr *zero = build_index(b, 0);
    build_set(b, a->sum, zero, build_float(b, DT_F32, 0));
    const expr *d = build_for(b, "d", build_index(b, a->dims[2]), LOOP_SERIAL);
    const expr *term = build_mul(b, load_state(a, d, m), element(a, k, head, a->dims[2], d));
    build_set(b, a->sum, zero, build_add(b, build_reg_get(b, a->sum, LTYPE(DT_F32, 1), zero), term));
    build_end(b);
    return build_let(b, "sum", build_reg_get(b, a->sum, LTYPE(DT_F32, 1), zero));
}

static void decay_state(const linear_attention *a) {
    builder *b = a->b;
    int64_t each = kit_operand(a->l, LIN_DECAY)->dims[2] / a->dims[1];
    const expr *d = build_for(b, "d", build_index(b, a->dims[2]), LOOP_SERIAL);
    const expr *g = element(a, LIN_DECAY, a->head, each, each == 1 ? build_index(b, 0) : d);
    const expr *factor = build_let(b, "factor", build_exp(b, g));
    const expr *m = build_for(b, "m", build_index(b, a->dims[3]), LOOP_SERIAL);
    build_store(b, a->state, state_place(a, d, m), build_mul(b, load_state(a, d, m), factor), NULL);
    build_end(b);
    build_end(b);
}

static void write_state(const linear_attention *a, bool delta) {
    builder *b = a->b;
    const expr *zero = build_index(b, 0), *m = build_for(b, "m", build_index(b, a->dims[3]), LOOP_SERIAL);
    const expr *v = element(a, LIN_V, a->head, a->dims[3], m);
    if (delta) {
        bool shared = kit_operand(a->l, LIN_BETA)->dims[2] == 1;
        const expr *beta = element(a, LIN_BETA, shared ? zero : a->head, 1, zero);
        v = build_mul(b, beta, build_sub(b, v, read_column(a, LIN_K, a->head, m)));
    }
    v = build_let(b, "written", v);
    const expr *d = build_for(b, "d", build_index(b, a->dims[2]), LOOP_SERIAL);
    const expr *term = build_mul(b, element(a, LIN_K, a->head, a->dims[2], d), v);
    build_store(b, a->state, state_place(a, d, m), build_add(b, load_state(a, d, m), term), NULL);
    build_end(b);
    build_end(b);
}

static void read_state(const linear_attention *a) {
    builder *b = a->b;
    int y = nest_output(a->l, 0);
    const nest_operand *out = kit_operand(a->l, y);
    double scale = op_float(a->n, "scale") != 0 ? op_float(a->n, "scale") : 1 / sqrt((double)a->dims[2]);
    const expr *r = build_for(b, "r", build_index(b, a->group), LOOP_SERIAL);
    const expr *head = build_add(b, build_mul(b, a->head, build_index(b, a->group)), r);
    const expr *m = build_for(b, "m", build_index(b, a->dims[3]), LOOP_SERIAL);
    const expr *sum = build_mul(b, build_float(b, DT_F32, scale), read_column(a, LIN_Q, head, m));
    const expr *last = build_add(b, build_mul(b, head, build_index(b, a->dims[3])), m);
    const expr *place = nest_linear(b, (const expr *[]){a->batch, a->token, last}, 3, out->dims);
    build_store(b, y, place, kit_narrow(b, out->elem, sum), NULL);
    build_end(b);
    build_end(b);
}

static status linear_attention_lower(const node *n, nest_list *l) {
    builder *b = l->b;
    const struct update_rule *rule = rule_of(n);
    int out_state = nest_output(l, 1);
    const expr *i[TENSOR_MAX_RANK];
    const nest_operand *q = kit_operand(l, LIN_Q), *v = kit_operand(l, LIN_V);
    int64_t heads = op_int(n, "q_num_heads"), kv_heads = op_int(n, "kv_num_heads"), tokens = q->dims[1];
    bool has_past = LIN_PAST < l->n_inputs && kit_operand(l, LIN_PAST)->present;
    int64_t *dims = ARENA_NEW_N(builder_arena(b), int64_t, 4);
    TRY_ALLOC(dims);
    dims[0] = q->dims[0];
    dims[1] = kv_heads;
    dims[2] = q->dims[2] / heads;
    dims[3] = v->dims[2] / kv_heads;
    linear_attention a = {.n = n, .l = l, .b = b, .dims = dims, .group = heads / kv_heads};
    a.state = nest_temporary(l, DT_F32, 4, dims);
    nest *m = kit_over(l, "begin", a.state, i);
    kit_store(l, m, a.state, i, has_past ? kit_read(l, LIN_PAST, i) : build_float(b, DT_F32, 0));
    m = nest_add(l, "linear_attention");
    nest_raw_begin(l, m);
    a.sum = build_declare(b, "column", LTYPE(DT_F32, 1), 1);
    a.batch = build_for(b, "batch", build_index(b, dims[0]), LOOP_SERIAL);
    a.head = build_for(b, "head", build_index(b, kv_heads), LOOP_SERIAL);
    a.token = build_for(b, "token", build_index(b, tokens), LOOP_SERIAL);
    if (rule->gated)
        decay_state(&a);
    write_state(&a, rule->delta);
    read_state(&a);
    for (int k = 0; k < 3; k++)
        build_end(b);
    nest_raw_end(l, m);
    if (!kit_operand(l, out_state)->present)
        return builder_status(b);
    m = kit_over(l, "present", out_state, i);
    kit_store(l, m, out_state, i, nest_read(l, a.state, i));
    return builder_status(b);
}

OP_ROW(LinearAttention) = {
    .name = "LinearAttention",
    .domain = "",
    .versions = VERSIONS(27),
    .kind = OP_LOWER,
    .inputs = PARAMS({"query", TYPES_LAYER, 'T', 0}, {"key", TYPES_LAYER, 'T', 0}, {"value", TYPES_LAYER, 'T', 0},
                     {"past_state", TYPES_LAYER, 'S', PARAM_OPTIONAL}, {"decay", TYPES_LAYER, 'T', PARAM_OPTIONAL},
                     {"beta", TYPES_LAYER, 'T', PARAM_OPTIONAL}),
    .outputs = PARAMS({"output", TYPES_LAYER, 'T', 0}, {"present_state", TYPES_LAYER, 'S', PARAM_OPTIONAL}),
    .attrs = ATTRS({"chunk_size", ATTR_INT, .i = 64}, {"kv_num_heads", ATTR_INT, .required = true},
                   {"q_num_heads", ATTR_INT, .required = true}, {"scale", ATTR_FLOAT, .f = 0},
                   {"update_rule", ATTR_STRING, .s = "gated_delta"}),
    .infer = linear_attention_infer,
    .lower = linear_attention_lower,
};
