/* Recurrent networks: RNN, GRU, LSTM. Expanded step by step: the products with the inputs of all steps are one, each
 * step adds the product with the state before it. Equal steps become one kernel. */
#include <string.h>
#include <strings.h>

#include "ops/kit.h"

/* ---- activations ---- */

typedef struct activation {
    const char *name, *op;
    bool has_alpha, has_beta;
    double alpha, beta;
} activation;

static const activation activations[] = {
    {"Relu", "Relu", false, false, 0, 0},
    {"Tanh", "Tanh", false, false, 0, 0},
    {"Sigmoid", "Sigmoid", false, false, 0, 0},
    {"Softsign", "Softsign", false, false, 0, 0},
    {"Softplus", "Softplus", false, false, 0, 0},
    {"Elu", "Elu", true, false, 1, 0},
    {"LeakyRelu", "LeakyRelu", true, false, 0.01f, 0},
    {"ThresholdedRelu", "ThresholdedRelu", true, false, 1, 0},
    {"HardSigmoid", "HardSigmoid", true, true, 0.2f, 0.5},
    {"ScaledTanh", "Tanh", true, true, 1, 1},
    {"Affine", NULL, true, true, 1, 0},
};
enum { N_ACTIVATIONS = sizeof activations / sizeof *activations, GATES_MAX = 4, FUNCTIONS_MAX = 3 };

/* ---- the node as read ---- */

typedef struct recurrent {
    kit_chain c;
    const node *n;
    int gates, functions;
    int64_t steps, hidden, directions;
    bool batch_first, reverse;
    dtype t; /* computed in */
    activation fn[2][FUNCTIONS_MAX];
    value *x;       /* [steps, batch, input] */
    value *lengths; /* [batch, 1] of i32, or NULL */
    /* of the direction at work */
    int64_t direction;
    value *w, *r, *bias;   /* transposed weights; the bias that every gate adds, or NULL */
    value *recurrent_bias; /* GRU with linear_before_reset: the hidden gate's own, or NULL */
    value *h, *cell;       /* the state */
} recurrent;

static const activation *find_activation(const char *name) {
    for (int k = 0; k < N_ACTIVATIONS; k++)
        if (strcasecmp(activations[k].name, name) == 0)
            return &activations[k];
    return NULL;
}

/* The functions of each direction, with alpha and beta taken in order by those that have them. */
static status read_activations(recurrent *r, const char *const *usual) {
    const attr *names = node_attr(r->n, "activations"), *alpha = node_attr(r->n, "activation_alpha"),
               *beta = node_attr(r->n, "activation_beta");
    int64_t next_alpha = 0, next_beta = 0;
    if (names != NULL && names->n != r->functions * r->directions)
        return op_invalid(r->n, "wrong-attribute", "'activations' has %lld entries, expected %lld", (long long)names->n,
                          (long long)(r->functions * r->directions));
    for (int k = 0; k < r->functions * r->directions; k++) {
        const char *name = names == NULL ? usual[k % r->functions] : names->strings[k];
        const activation *found = find_activation(name);
        if (found == NULL)
            return op_unsupported(r->n, "unsupported-attribute", "activation '%s' is not known", name);
        activation *fn = &r->fn[k / r->functions][k % r->functions];
        *fn = *found;
        if (fn->has_alpha && alpha != NULL && next_alpha < alpha->n)
            fn->alpha = alpha->floats[next_alpha++];
        if (fn->has_beta && beta != NULL && next_beta < beta->n)
            fn->beta = beta->floats[next_beta++];
    }
    return STATUS_OK;
}

static status read_node(recurrent *r, graph *g, node *n, int gates, const char *const *usual, int functions) {
    const tensor_type *x = op_input_type(n, 0), *state = op_input_type(n, 2);
    const char *direction = op_string(n, "direction");
    *r = (recurrent){.c = KIT_CHAIN(g, n), .n = n, .gates = gates, .functions = functions, .directions = 1};
    r->batch_first = op_int(n, "layout") != 0;
    r->reverse = strcmp(direction, "reverse") == 0;
    if (strcmp(direction, "bidirectional") == 0)
        r->directions = 2;
    if (x->rank != 3 || state->rank != 3 || !dim_is_known(x->dims[r->batch_first ? 1 : 0]) ||
        !dim_is_known(state->dims[2]))
        return op_unsupported(
            n, "unknown-shape",
            "the number of steps and the hidden size must be known; bind the dimensions they are made of");
    r->steps = x->dims[r->batch_first ? 1 : 0].n;
    r->hidden = state->dims[2].n;
    r->t = x->elem == DT_F64 ? DT_F64 : DT_F32;
    if (r->steps < 1 || r->hidden < 1)
        return op_unsupported(n, "unsupported-shape", "a sequence of no steps or no hidden elements");
    TRY(read_activations(r, usual));
    r->x = kit_chain_cast(&r->c, node_input(n, 0), r->t);
    if (r->batch_first)
        r->x = kit_chain_transpose(&r->c, r->x, (const int64_t[]){1, 0, 2}, 3);
    if (node_input(n, 4) != NULL)
        r->lengths =
            kit_chain_binary(&r->c, "Unsqueeze", node_input(n, 4), kit_chain_ints(&r->c, (const int64_t[]){1}, 1));
    return kit_chain_status(&r->c);
}

/* ---- parts of the operands ---- */

/* Entry `at` of axis `axis`, which goes away. */
static value *take(kit_chain *c, value *x, int64_t at, int axis) {
    return kit_chain_axis(c, "Gather", x, kit_chain_scalar(c, DT_I64, (double)at), axis);
}

/* Elements [from, to) of the last axis. */
static value *part(kit_chain *c, value *x, int64_t from, int64_t to) {
    value *inputs[] = {x, kit_chain_ints(c, &from, 1), kit_chain_ints(c, &to, 1),
                       kit_chain_ints(c, (const int64_t[]){-1}, 1)};
    node *made = kit_chain_node(c, "Slice", inputs, 4, NULL, 0, 1);
    return made == NULL ? NULL : made->outputs[0];
}

static value *gate(recurrent *r, value *x, int which) {
    return part(&r->c, x, which * r->hidden, (which + 1) * r->hidden);
}

/* Operand k of the direction at work, in the computed type; NULL where absent. */
static value *of_direction(recurrent *r, int k, int axis) {
    value *v = node_input(r->n, k);
    return v == NULL ? NULL : take(&r->c, kit_chain_cast(&r->c, v, r->t), r->direction, axis);
}

static value *initial_state(recurrent *r, int k) {
    value *given = of_direction(r, k, r->batch_first ? 1 : 0);
    if (given != NULL)
        return given;
    const int64_t dims[] = {1, r->hidden};
    tensor *zero = tensor_new(r->c.g->memory, r->t, 2, dims, NULL);
    value *made = zero == NULL ? NULL : graph_add_constant(r->c.g, NULL, zero);
    r->c.failed |= made == NULL;
    return made;
}

/* Weights and state of a direction. `own_bias`: the last gate's recurrent bias is kept apart. */
static void begin_direction(recurrent *r, int64_t direction, bool own_bias) {
    kit_chain *c = &r->c;
    int64_t all = r->gates * r->hidden;
    r->direction = direction;
    r->w = kit_chain_transpose(c, of_direction(r, 1, 0), (const int64_t[]){1, 0}, 2);
    r->r = kit_chain_transpose(c, of_direction(r, 2, 0), (const int64_t[]){1, 0}, 2);
    r->bias = r->recurrent_bias = NULL;
    value *bias = of_direction(r, 3, 0);
    if (bias != NULL) {
        value *of_w = part(c, bias, 0, all), *of_r = part(c, bias, all, 2 * all);
        if (own_bias) {
            value *none = kit_chain_binary(c, "Sub", gate(r, of_r, r->gates - 1), gate(r, of_r, r->gates - 1));
            r->recurrent_bias = gate(r, of_r, r->gates - 1);
            of_r = kit_chain_axis(c, "Concat", part(c, of_r, 0, all - r->hidden), none, 0);
        }
        r->bias = kit_chain_binary(c, "Add", of_w, of_r);
    }
    r->h = initial_state(r, 5);
}

static value *activate(recurrent *r, int which, value *x) {
    const activation *fn = &r->fn[r->direction][which];
    kit_chain *c = &r->c;
    if (op_has(r->n, "clip")) {
        double clip = op_float(r->n, "clip");
        value *inputs[] = {x, kit_chain_scalar(c, r->t, -clip), kit_chain_scalar(c, r->t, clip)};
        node *made = kit_chain_node(c, "Clip", inputs, 3, NULL, 0, 1);
        x = made == NULL ? NULL : made->outputs[0];
    }
    if (fn->op == NULL)
        return kit_chain_binary(c, "Add", kit_chain_binary(c, "Mul", x, kit_chain_scalar(c, r->t, fn->alpha)),
                                kit_chain_scalar(c, r->t, fn->beta));
    if (strcmp(fn->name, "ScaledTanh") == 0) {
        value *y = kit_chain_unary(c, "Tanh", kit_chain_binary(c, "Mul", x, kit_chain_scalar(c, r->t, fn->beta)));
        return kit_chain_binary(c, "Mul", y, kit_chain_scalar(c, r->t, fn->alpha));
    }
    attr attrs[2] = {{.name = "alpha", .kind = ATTR_FLOAT, .f = fn->alpha},
                     {.name = "beta", .kind = ATTR_FLOAT, .f = fn->beta}};
    node *made = kit_chain_node(c, fn->op, &x, 1, attrs, fn->has_alpha + fn->has_beta, 1);
    return made == NULL ? NULL : made->outputs[0];
}

/* ---- one step each: from the step's input product to the new state (and cell, of LSTM) ---- */

typedef void (*step_fn)(recurrent *r, value *input, value **h, value **cell);

static void rnn_step(recurrent *r, value *input, value **h, value **cell) {
    kit_chain *c = &r->c;
    (void)cell;
    *h = activate(r, 0, kit_chain_binary(c, "Add", input, kit_chain_binary(c, "MatMul", r->h, r->r)));
}

static void gru_step(recurrent *r, value *input, value **h, value **cell) {
    kit_chain *c = &r->c;
    int64_t size = r->hidden;
    bool linear = op_int(r->n, "linear_before_reset") != 0;
    (void)cell;
    value *state = kit_chain_binary(c, "MatMul", r->h, linear ? r->r : part(c, r->r, 0, 2 * size));
    value *update = activate(r, 0, kit_chain_binary(c, "Add", gate(r, input, 0), gate(r, state, 0)));
    value *reset = activate(r, 0, kit_chain_binary(c, "Add", gate(r, input, 1), gate(r, state, 1)));
    value *candidate;
    if (linear) {
        value *own = gate(r, state, 2);
        if (r->recurrent_bias != NULL)
            own = kit_chain_binary(c, "Add", own, r->recurrent_bias);
        candidate = kit_chain_binary(c, "Mul", reset, own);
    } else {
        candidate =
            kit_chain_binary(c, "MatMul", kit_chain_binary(c, "Mul", reset, r->h), part(c, r->r, 2 * size, 3 * size));
    }
    candidate = activate(r, 1, kit_chain_binary(c, "Add", gate(r, input, 2), candidate));
    value *fresh =
        kit_chain_binary(c, "Mul", kit_chain_binary(c, "Sub", kit_chain_scalar(c, r->t, 1), update), candidate);
    *h = kit_chain_binary(c, "Add", fresh, kit_chain_binary(c, "Mul", update, r->h));
}

enum { LSTM_I, LSTM_O, LSTM_F, LSTM_C };

/* x + peephole * cell, where there are peepholes (of i, o, f). */
static value *peep(recurrent *r, value *x, value *cell, int which) {
    value *all = of_direction(r, 7, 0);
    return all == NULL ? x
                       : kit_chain_binary(&r->c, "Add", x, kit_chain_binary(&r->c, "Mul", gate(r, all, which), cell));
}

static void lstm_step(recurrent *r, value *input, value **h, value **cell) {
    kit_chain *c = &r->c;
    value *gates = kit_chain_binary(c, "Add", input, kit_chain_binary(c, "MatMul", r->h, r->r));
    value *in = activate(r, 0, peep(r, gate(r, gates, LSTM_I), r->cell, 0)), *forget;
    if (op_int(r->n, "input_forget") != 0)
        forget = kit_chain_binary(c, "Sub", kit_chain_scalar(c, r->t, 1), in);
    else
        forget = activate(r, 0, peep(r, gate(r, gates, LSTM_F), r->cell, 2));
    value *fresh = kit_chain_binary(c, "Mul", in, activate(r, 1, gate(r, gates, LSTM_C)));
    *cell = kit_chain_binary(c, "Add", kit_chain_binary(c, "Mul", forget, r->cell), fresh);
    value *out = activate(r, 0, peep(r, gate(r, gates, LSTM_O), *cell, 1));
    *h = kit_chain_binary(c, "Mul", out, activate(r, 2, *cell));
}

/* ---- all steps of all directions ---- */

static value *choose(kit_chain *c, value *mask, value *x, value *y) {
    node *made = kit_chain_node(c, "Where", (value *[]){mask, x, y}, 3, NULL, 0, 1);
    return made == NULL ? NULL : made->outputs[0];
}

/* x as [1, ...] or with the new axis at `axis`. */
static value *stacked(kit_chain *c, value *x, int64_t axis) {
    return kit_chain_binary(c, "Unsqueeze", x, kit_chain_ints(c, &axis, 1));
}

static value *joined(kit_chain *c, value **parts, int64_t n, int64_t axis) {
    attr a = {.name = "axis", .kind = ATTR_INT, .i = axis};
    node *made = kit_chain_node(c, "Concat", parts, (int)n, &a, 1, 1);
    return made == NULL ? NULL : made->outputs[0];
}

/* The output of every step into outs[steps], each [1, batch, hidden]; the last state stays in r. */
static void run_direction(recurrent *r, step_fn step, value **outs) {
    kit_chain *c = &r->c;
    value *products = kit_chain_binary(c, "MatMul", r->x, r->w);
    if (r->bias != NULL)
        products = kit_chain_binary(c, "Add", products, r->bias);
    bool backwards = r->reverse || r->direction == 1;
    for (int64_t k = 0; k < r->steps && !c->failed; k++) {
        int64_t t = backwards ? r->steps - 1 - k : k;
        value *h = NULL, *cell = NULL, *out;
        step(r, take(c, products, t, 0), &h, &cell);
        out = h;
        if (r->lengths != NULL) {
            value *live = kit_chain_binary(c, "Less", kit_chain_scalar(c, DT_I32, (double)t), r->lengths);
            out = choose(c, live, h, kit_chain_scalar(c, r->t, 0));
            h = choose(c, live, h, r->h);
            cell = cell == NULL ? NULL : choose(c, live, cell, r->cell);
        }
        outs[t] = stacked(c, out, 0);
        r->h = h;
        r->cell = cell;
    }
}

static status recurrent_expand(recurrent *r, step_fn step, bool has_cell, bool own_bias) {
    kit_chain *c = &r->c;
    const node *n = r->n;
    dtype elem = node_input(n, 0)->type.elem;
    value *all[2], *states[2], *cells[2], **outs = ARENA_NEW_N(c->g->memory, value *, r->steps);
    TRY_ALLOC(outs);
    int64_t at = r->batch_first ? 1 : 0;
    for (int64_t d = 0; d < r->directions; d++) {
        begin_direction(r, d, own_bias);
        r->cell = has_cell ? initial_state(r, 6) : NULL;
        run_direction(r, step, outs);
        TRY(kit_chain_status(c));
        all[d] = stacked(c, joined(c, outs, r->steps, 0), 1);
        states[d] = stacked(c, r->h, at);
        cells[d] = has_cell ? stacked(c, r->cell, at) : NULL;
    }
    value *y = joined(c, all, r->directions, 1), *h = joined(c, states, r->directions, at);
    if (r->batch_first)
        y = kit_chain_transpose(c, y, (const int64_t[]){2, 0, 1, 3}, 4);
    TRY(kit_chain_result(c, node_output(n, 0), kit_chain_cast(c, y, elem)));
    TRY(kit_chain_result(c, node_output(n, 1), kit_chain_cast(c, h, elem)));
    if (has_cell)
        TRY(kit_chain_result(c, node_output(n, 2), kit_chain_cast(c, joined(c, cells, r->directions, at), elem)));
    return kit_chain_status(c);
}

static status rnn_expand(graph *g, node *n) {
    static const char *const usual[] = {"Tanh"};
    recurrent r;
    TRY(read_node(&r, g, n, 1, usual, 1));
    return recurrent_expand(&r, rnn_step, false, false);
}

static status gru_expand(graph *g, node *n) {
    static const char *const usual[] = {"Sigmoid", "Tanh"};
    recurrent r;
    TRY(read_node(&r, g, n, 3, usual, 2));
    return recurrent_expand(&r, gru_step, false, op_int(n, "linear_before_reset") != 0);
}

static status lstm_expand(graph *g, node *n) {
    static const char *const usual[] = {"Sigmoid", "Tanh", "Tanh"};
    recurrent r;
    TRY(read_node(&r, g, n, 4, usual, 3));
    return recurrent_expand(&r, lstm_step, true, false);
}

/* ---- shapes ---- */

static status recurrent_infer(node *n, int gates, int n_outputs) {
    const tensor_type *x = op_input_type(n, 0), *w = op_input_type(n, 1), *r = op_input_type(n, 2);
    const char *direction = op_string(n, "direction");
    int64_t directions = strcmp(direction, "bidirectional") == 0 ? 2 : 1;
    bool batch_first = op_int(n, "layout") != 0;
    if (directions == 1 && strcmp(direction, "forward") != 0 && strcmp(direction, "reverse") != 0)
        return op_invalid(n, "wrong-attribute", "direction is '%s', expected forward, reverse or bidirectional",
                          direction);
    if (x->rank < 0 || w->rank < 0 || r->rank < 0) {
        for (int k = 0; k < n_outputs; k++)
            TRY(op_unknown_output(n, k, x->elem));
        return STATUS_OK;
    }
    if (x->rank != 3 || w->rank != 3 || r->rank != 3)
        return op_invalid(n, "wrong-rank", "'X', 'W' and 'R' must have 3 dimensions, they have %d, %d and %d", x->rank,
                          w->rank, r->rank);
    dim hidden = r->dims[2], rows = dim_mul(n->graph->memory, hidden, DIM(gates));
    const dim found[] = {w->dims[0], r->dims[0], w->dims[1],
                         r->dims[1], w->dims[2], op_has(n, "hidden_size") ? DIM(op_int(n, "hidden_size")) : hidden};
    const dim wanted[] = {DIM(directions), DIM(directions), rows, rows, x->dims[2], hidden};
    for (size_t k = 0; k < sizeof found / sizeof *found; k++)
        if (dim_is_known(found[k]) && dim_is_known(wanted[k]) && found[k].n != wanted[k].n)
            return op_invalid(n, "shape-mismatch", "the weights do not fit: %lld where %lld is expected",
                              (long long)found[k].n, (long long)wanted[k].n);
    dim steps = x->dims[batch_first ? 1 : 0], batch = x->dims[batch_first ? 0 : 1];
    dim whole[4] = {steps, DIM(directions), batch, hidden},
        whole_batch_first[4] = {batch, steps, DIM(directions), hidden};
    dim state[3] = {DIM(directions), batch, hidden}, state_batch_first[3] = {batch, DIM(directions), hidden};
    TRY(op_set_output(n, 0, x->elem, 4, batch_first ? whole_batch_first : whole));
    for (int k = 1; k < n_outputs; k++)
        TRY(op_set_output(n, k, x->elem, 3, batch_first ? state_batch_first : state));
    return STATUS_OK;
}

static status rnn_infer(node *n) {
    return recurrent_infer(n, 1, 2);
}
static status gru_infer(node *n) {
    return recurrent_infer(n, 3, 2);
}
static status lstm_infer(node *n) {
    return recurrent_infer(n, 4, 3);
}

/* Whether Y is wanted is said by its name since opset 7. */
static status recurrent_upgrade(node *n) {
    node_remove_attr(n, "output_sequence");
    return STATUS_OK;
}

#define RECURRENT_INPUTS                                                                                               \
    {"X", TYPES_FLOAT, 'T', 0}, {"W", TYPES_FLOAT, 'T', 0}, {"R", TYPES_FLOAT, 'T', 0},                                \
        {"B", TYPES_FLOAT, 'T', PARAM_OPTIONAL}, {"sequence_lens", TYPE_BIT(DT_I32), 0, PARAM_OPTIONAL}, {             \
        "initial_h", TYPES_FLOAT, 'T', PARAM_OPTIONAL                                                                  \
    }
#define RECURRENT_OUTPUTS                                                                                              \
    {"Y", TYPES_FLOAT, 'T', PARAM_OPTIONAL}, {                                                                         \
        "Y_h", TYPES_FLOAT, 'T', PARAM_OPTIONAL                                                                        \
    }
#define RECURRENT_ATTRS                                                                                                \
    {"activation_alpha", .kind = ATTR_FLOATS}, {"activation_beta", .kind = ATTR_FLOATS},                               \
        {"activations", .kind = ATTR_STRINGS}, {"clip", .kind = ATTR_FLOAT},                                           \
        {"direction", ATTR_STRING, .s = "forward"}, {"hidden_size", .kind = ATTR_INT}, {"layout", ATTR_INT, .i = 0}

OP_ROW(RNN) = {
    .name = "RNN",
    .domain = "",
    .versions = VERSIONS(1, 7, 14, 22),
    .kind = OP_EXPAND,
    .inputs = PARAMS(RECURRENT_INPUTS),
    .outputs = PARAMS(RECURRENT_OUTPUTS),
    .attrs = ATTRS(RECURRENT_ATTRS),
    .infer = rnn_infer,
    .upgrade = recurrent_upgrade,
    .expand = rnn_expand,
};
OP_ROW(GRU) = {
    .name = "GRU",
    .domain = "",
    .versions = VERSIONS(1, 3, 7, 14, 22),
    .kind = OP_EXPAND,
    .inputs = PARAMS(RECURRENT_INPUTS),
    .outputs = PARAMS(RECURRENT_OUTPUTS),
    .attrs = ATTRS(RECURRENT_ATTRS, {"linear_before_reset", ATTR_INT, .i = 0}),
    .infer = gru_infer,
    .upgrade = recurrent_upgrade,
    .expand = gru_expand,
};
OP_ROW(LSTM) = {
    .name = "LSTM",
    .domain = "",
    .versions = VERSIONS(1, 7, 14, 22),
    .kind = OP_EXPAND,
    .inputs = PARAMS(RECURRENT_INPUTS, {"initial_c", TYPES_FLOAT, 'T', PARAM_OPTIONAL},
                     {"P", TYPES_FLOAT, 'T', PARAM_OPTIONAL}),
    .outputs = PARAMS(RECURRENT_OUTPUTS, {"Y_c", TYPES_FLOAT, 'T', PARAM_OPTIONAL}),
    .attrs = ATTRS(RECURRENT_ATTRS, {"input_forget", ATTR_INT, .i = 0}),
    .infer = lstm_infer,
    .upgrade = recurrent_upgrade,
    .expand = lstm_expand,
};
