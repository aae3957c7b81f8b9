/* Recurrent networks: RNN, GRU, LSTM. The products with the inputs of all steps are one contraction; a nest with steps
 * does the rest, all gates of a step in one kernel. The state lies in two places that take turns. */
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
enum { N_ACTIVATIONS = sizeof activations / sizeof *activations, FUNCTIONS_MAX = 3 };

/* Inputs and outputs; GRU and RNN have the first ones. */
enum { IN_X, IN_W, IN_R, IN_BIAS, IN_LENGTHS, IN_H, IN_CELL, IN_PEEPHOLES };
enum { OUT_Y, OUT_H, OUT_CELL };

/* ---- the node as read ---- */

typedef struct recurrent {
    const node *n;
    nest_list *l;
    builder *b;
    int gates, functions;
    int64_t steps, batch, hidden, directions;
    bool batch_first, reverse, has_cell;
    dtype t; /* computed in */
    activation fn[2][FUNCTIONS_MAX];
    int products;    /* temporary [directions, steps, batch, gates * hidden]: with the inputs, and their bias */
    int state, cell; /* temporaries [2, batch, hidden] */
    /* of the direction and the nest at work */
    int64_t direction;
    nest *m;
    const expr *before, *after; /* which of two places the state of the step before has, and the step's own */
    const expr *time, *i, *j;   /* in X and Y; of the batch; of the hidden state */
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

static status read_node(recurrent *r, const node *n, nest_list *l, int gates, const char *const *usual, int functions) {
    const nest_operand *x = kit_operand(l, IN_X), *weights = kit_operand(l, IN_R);
    const char *direction = op_string(n, "direction");
    bool batch_first = op_int(n, "layout") != 0;
    *r = (recurrent){.n = n,
                     .l = l,
                     .b = l->b,
                     .gates = gates,
                     .functions = functions,
                     .steps = x->dims[batch_first ? 1 : 0],
                     .batch = x->dims[batch_first ? 0 : 1],
                     .hidden = weights->dims[2],
                     .directions = weights->dims[0],
                     .batch_first = batch_first,
                     .reverse = strcmp(direction, "reverse") == 0,
                     .has_cell = strcmp(n->row->name, "LSTM") == 0,
                     .t = kit_compute(x->elem)};
    if (r->steps < 1 || r->hidden < 1)
        return op_unsupported(n, "unsupported-shape", "a sequence of no steps or no hidden elements");
    return read_activations(r, usual);
}

/* ---- operands ---- */

static bool is_given(const recurrent *r, int operand) {
    return operand < r->l->n_inputs && kit_operand(r->l, operand)->present;
}

static bool is_wanted(const recurrent *r, int output) {
    return output < r->l->n_outputs && kit_operand(r->l, nest_output(r->l, output))->present;
}

static const expr *index_of(const recurrent *r, int64_t i) {
    return build_index(r->b, i);
}

/* Position j of gate `which` where all gates stand in a row. */
static const expr *in_gate(const recurrent *r, int which) {
    return build_add(r->b, r->j, index_of(r, which * r->hidden));
}

/* An element of a vector of gates of the direction: of the bias or the peepholes. */
static const expr *of_gate(const recurrent *r, int operand, int which) {
    return kit_read(r->l, operand, (const expr *[]){index_of(r, r->direction), in_gate(r, which)});
}

/* The index of the state of the direction in an input or output. */
static void state_index(const recurrent *r, const expr **out) {
    out[r->batch_first ? 1 : 0] = index_of(r, r->direction);
    out[r->batch_first ? 0 : 1] = r->i;
    out[2] = r->j;
}

/* Element k of the state (or cell) in a place. */
static const expr *state_at(const recurrent *r, int operand, const expr *place, const expr *k) {
    return nest_read(r->l, operand, (const expr *[]){place, r->i, k});
}

static void keep_state(const recurrent *r, int operand, const expr *place, const expr *x) {
    kit_store(r->l, r->m, operand, (const expr *[]){place, r->i, r->j}, x);
}

/* ---- a step's parts ---- */

static void open_points(recurrent *r) {
    r->i = nest_outer(r->m, "i", r->batch);
    r->j = nest_outer(r->m, "j", r->hidden);
}

/* sum over k of from(k) * R[gate's row j, k] */
static const expr *product(const recurrent *r, int which, int operand, const expr *place) {
    nest_open(r->m);
    const expr *k = nest_inner(r->m, "k", r->hidden);
    const expr *weight = kit_read(r->l, IN_R, (const expr *[]){index_of(r, r->direction), in_gate(r, which), k});
    return nest_reduce(r->m, REDUCE_SUM, build_mul(r->b, state_at(r, operand, place, k), weight));
}

/* The same of the state before, with its bias. */
static const expr *recurrent_product(const recurrent *r, int which) {
    const expr *x = product(r, which, r->state, r->before);
    return is_given(r, IN_BIAS) ? build_add(r->b, x, of_gate(r, IN_BIAS, r->gates + which)) : x;
}

static const expr *input_product(const recurrent *r, int which) {
    return nest_read(r->l, r->products, (const expr *[]){index_of(r, r->direction), r->time, r->i, in_gate(r, which)});
}

/* A gate before its activation. */
static const expr *gate(const recurrent *r, int which) {
    const expr *of_state = recurrent_product(r, which);
    return build_add(r->b, input_product(r, which), of_state);
}

/* What the operator's row computes with these attributes. */
static const expr *apply(const recurrent *r, const activation *fn, const expr *x) {
    attr attrs[2] = {{.name = "alpha", .kind = ATTR_FLOAT, .f = fn->alpha},
                     {.name = "beta", .kind = ATTR_FLOAT, .f = fn->beta}};
    const op_row *row = op_find(r->n->graph->ops, "", fn->op);
    const node n = {.graph = r->n->graph, .op = fn->op, .domain = "", .row = row, .attrs = attrs, .n_attrs = 2};
    return row->scalar(r->b, &n, &x);
}

static const expr *activate(const recurrent *r, int which, const expr *x) {
    const activation *fn = &r->fn[r->direction][which];
    builder *b = r->b;
    const expr *alpha = kit_const(b, x, fn->alpha), *beta = kit_const(b, x, fn->beta);
    if (op_has(r->n, "clip")) {
        double clip = op_float(r->n, "clip");
        x = build_min(b, kit_const(b, x, clip), build_max(b, kit_const(b, x, -clip), x));
    }
    if (fn->op == NULL)
        return build_add(b, build_mul(b, x, alpha), beta);
    if (strcmp(fn->name, "ScaledTanh") == 0)
        return build_mul(b, build_tanh(b, build_mul(b, x, beta)), alpha);
    return apply(r, fn, x);
}

/* ---- one step each: the new state, and the cell of LSTM, are computed and stored ---- */

typedef void (*step_fn)(recurrent *r);

/* Is the sequence at least as long as this step's time? NULL: always. */
static const expr *is_live(const recurrent *r) {
    if (!is_given(r, IN_LENGTHS))
        return NULL;
    const expr *length = build_cast(r->b, DT_I64, nest_read(r->l, IN_LENGTHS, &r->i));
    return build_lt(r->b, r->time, length);
}

/* A state stays as it was where the sequence has ended. */
static const expr *held(const recurrent *r, const expr *live, const expr *x, int operand) {
    return live == NULL ? x : build_select(r->b, live, x, state_at(r, operand, r->before, r->j));
}

static void store_cell(const recurrent *r, const expr *x) {
    keep_state(r, r->cell, r->after, held(r, is_live(r), x, r->cell));
}

static void store_step(const recurrent *r, const expr *h) {
    const expr *live = is_live(r), *whole[4];
    keep_state(r, r->state, r->after, held(r, live, h, r->state));
    if (!is_wanted(r, OUT_Y))
        return;
    whole[r->batch_first ? 1 : 0] = r->time;
    whole[r->batch_first ? 2 : 1] = index_of(r, r->direction);
    whole[r->batch_first ? 0 : 2] = r->i;
    whole[3] = r->j;
    kit_store(r->l, r->m, nest_output(r->l, OUT_Y), whole,
              live == NULL ? h : build_select(r->b, live, h, kit_const(r->b, h, 0)));
}

static void rnn_step(recurrent *r) {
    store_step(r, nest_let(r->m, activate(r, 0, gate(r, 0))));
}

enum { GRU_UPDATE, GRU_RESET, GRU_NEW };

/* (1 - update) * fresh + update * state before */
static void gru_end(const recurrent *r, const expr *update, const expr *fresh) {
    builder *b = r->b;
    const expr *h = build_mul(b, build_sub(b, kit_const(b, update, 1), update), fresh);
    store_step(r, nest_let(r->m, build_add(b, h, build_mul(b, update, state_at(r, r->state, r->before, r->j)))));
}

static void gru_linear_step(recurrent *r) {
    builder *b = r->b;
    const expr *update = activate(r, 0, gate(r, GRU_UPDATE)), *reset = activate(r, 0, gate(r, GRU_RESET));
    const expr *own = build_mul(b, reset, recurrent_product(r, GRU_NEW));
    gru_end(r, update, activate(r, 1, build_add(b, input_product(r, GRU_NEW), own)));
}

/* The reset gate works on the state itself, so that all of it must be there before the last product. */
static void gru_step(recurrent *r) {
    builder *b = r->b;
    const int64_t dims[] = {2, r->batch, r->hidden};
    int parts = nest_temporary(r->l, r->t, 3, dims); /* the state after the reset, and the update gate */
    const expr *reset_place = index_of(r, 0), *update_place = index_of(r, 1);
    const expr *update = activate(r, 0, gate(r, GRU_UPDATE)), *reset = activate(r, 0, gate(r, GRU_RESET));
    keep_state(r, parts, reset_place, build_mul(b, reset, state_at(r, r->state, r->before, r->j)));
    keep_state(r, parts, update_place, update);
    r->m = nest_then(r->l, r->m);
    r->m->contract = true;
    open_points(r);
    const expr *own = product(r, GRU_NEW, parts, reset_place);
    if (is_given(r, IN_BIAS))
        own = build_add(b, own, of_gate(r, IN_BIAS, r->gates + GRU_NEW));
    gru_end(r, state_at(r, parts, update_place, r->j), activate(r, 1, build_add(b, input_product(r, GRU_NEW), own)));
}

enum { LSTM_I, LSTM_O, LSTM_F, LSTM_C };

/* x + peephole * cell, where there are peepholes (of i, o, f). */
static const expr *peep(const recurrent *r, const expr *x, const expr *cell, int which) {
    return is_given(r, IN_PEEPHOLES) ? build_add(r->b, x, build_mul(r->b, of_gate(r, IN_PEEPHOLES, which), cell)) : x;
}

static void lstm_step(recurrent *r) {
    builder *b = r->b;
    const expr *gates[4], *before = state_at(r, r->cell, r->before, r->j), *forget;
    bool couples = op_int(r->n, "input_forget") != 0;
    for (int k = 0; k < 4; k++)
        gates[k] = couples && k == LSTM_F ? NULL : gate(r, k);
    const expr *in = activate(r, 0, peep(r, gates[LSTM_I], before, LSTM_I));
    if (couples)
        forget = build_sub(b, kit_const(b, in, 1), in);
    else
        forget = activate(r, 0, peep(r, gates[LSTM_F], before, LSTM_F));
    const expr *fresh = build_mul(b, in, activate(r, 1, gates[LSTM_C]));
    const expr *cell = nest_let(r->m, build_add(b, build_mul(b, forget, before), fresh));
    const expr *out = activate(r, 0, peep(r, gates[LSTM_O], cell, LSTM_O));
    const expr *h = nest_let(r->m, build_mul(b, out, activate(r, 2, cell)));
    store_cell(r, cell);
    store_step(r, h);
}

/* ---- all steps of all directions ---- */

/* X * W of all steps, with their bias. */
static void lower_products(recurrent *r) {
    builder *b = r->b;
    const int64_t dims[] = {r->directions, r->steps, r->batch, r->gates * r->hidden};
    const expr *i[4];
    r->products = nest_temporary(r->l, r->t, 4, dims);
    nest *m = kit_over(r->l, "recurrent_inputs", r->products, i);
    m->contract = true;
    nest_open(m);
    const expr *k = nest_inner(m, "k", kit_operand(r->l, IN_X)->dims[2]);
    const expr *x = kit_read(r->l, IN_X, (const expr *[]){i[r->batch_first ? 2 : 1], i[r->batch_first ? 1 : 2], k});
    const expr *sum =
        nest_reduce(m, REDUCE_SUM, build_mul(b, x, kit_read(r->l, IN_W, (const expr *[]){i[0], i[3], k})));
    if (is_given(r, IN_BIAS))
        sum = build_add(b, sum, kit_read(r->l, IN_BIAS, (const expr *[]){i[0], i[3]}));
    kit_store(r->l, m, r->products, i, sum);
}

static const expr *initial(const recurrent *r, int operand) {
    const expr *index[3];
    state_index(r, index);
    return is_given(r, operand) ? kit_read(r->l, operand, index) : build_const(r->b, r->t, 0);
}

static void lower_start(recurrent *r) {
    r->m = nest_add(r->l, "recurrent_start");
    open_points(r);
    keep_state(r, r->state, index_of(r, 0), initial(r, IN_H));
    if (r->has_cell)
        keep_state(r, r->cell, index_of(r, 0), initial(r, IN_CELL));
}

static void lower_steps(recurrent *r, step_fn step) {
    builder *b = r->b;
    r->m = nest_add(r->l, "recurrent_steps");
    r->m->contract = true;
    const expr *t = nest_steps(r->m, "t", r->steps), *two = index_of(r, 2);
    r->before = build_rem(b, t, two);
    r->after = build_rem(b, build_add(b, t, index_of(r, 1)), two);
    r->time = r->reverse || r->direction == 1 ? build_sub(b, index_of(r, r->steps - 1), t) : t;
    open_points(r);
    step(r);
}

static void store_last(const recurrent *r, int output, int operand) {
    const expr *index[3];
    state_index(r, index);
    if (is_wanted(r, output))
        kit_store(r->l, r->m, nest_output(r->l, output), index, state_at(r, operand, index_of(r, r->steps % 2), r->j));
}

static void lower_end(recurrent *r) {
    if (!is_wanted(r, OUT_H) && !is_wanted(r, OUT_CELL))
        return;
    r->m = nest_add(r->l, "recurrent_end");
    open_points(r);
    store_last(r, OUT_H, r->state);
    if (r->has_cell)
        store_last(r, OUT_CELL, r->cell);
}

static status recurrent_lower(recurrent *r, step_fn step) {
    const int64_t dims[] = {2, r->batch, r->hidden};
    lower_products(r);
    r->state = nest_temporary(r->l, r->t, 3, dims);
    if (r->has_cell)
        r->cell = nest_temporary(r->l, r->t, 3, dims);
    for (r->direction = 0; r->direction < r->directions; r->direction++) {
        lower_start(r);
        lower_steps(r, step);
        lower_end(r);
    }
    return builder_status(r->b);
}

static status rnn_lower(const node *n, nest_list *l) {
    static const char *const usual[] = {"Tanh"};
    recurrent r;
    TRY(read_node(&r, n, l, 1, usual, 1));
    return recurrent_lower(&r, rnn_step);
}

static status gru_lower(const node *n, nest_list *l) {
    static const char *const usual[] = {"Sigmoid", "Tanh"};
    recurrent r;
    TRY(read_node(&r, n, l, 3, usual, 2));
    return recurrent_lower(&r, op_int(n, "linear_before_reset") != 0 ? gru_linear_step : gru_step);
}

static status lstm_lower(const node *n, nest_list *l) {
    static const char *const usual[] = {"Sigmoid", "Tanh", "Tanh"};
    recurrent r;
    TRY(read_node(&r, n, l, 4, usual, 3));
    return recurrent_lower(&r, lstm_step);
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
    .kind = OP_LOWER,
    .inputs = PARAMS(RECURRENT_INPUTS),
    .outputs = PARAMS(RECURRENT_OUTPUTS),
    .attrs = ATTRS(RECURRENT_ATTRS),
    .infer = rnn_infer,
    .upgrade = recurrent_upgrade,
    .lower = rnn_lower,
};
OP_ROW(GRU) = {
    .name = "GRU",
    .domain = "",
    .versions = VERSIONS(1, 3, 7, 14, 22),
    .kind = OP_LOWER,
    .inputs = PARAMS(RECURRENT_INPUTS),
    .outputs = PARAMS(RECURRENT_OUTPUTS),
    .attrs = ATTRS(RECURRENT_ATTRS, {"linear_before_reset", ATTR_INT, .i = 0}),
    .infer = gru_infer,
    .upgrade = recurrent_upgrade,
    .lower = gru_lower,
};
OP_ROW(LSTM) = {
    .name = "LSTM",
    .domain = "",
    .versions = VERSIONS(1, 7, 14, 22),
    .kind = OP_LOWER,
    .inputs = PARAMS(RECURRENT_INPUTS, {"initial_c", TYPES_FLOAT, 'T', PARAM_OPTIONAL},
                     {"P", TYPES_FLOAT, 'T', PARAM_OPTIONAL}),
    .outputs = PARAMS(RECURRENT_OUTPUTS, {"Y_c", TYPES_FLOAT, 'T', PARAM_OPTIONAL}),
    .attrs = ATTRS(RECURRENT_ATTRS, {"input_forget", ATTR_INT, .i = 0}),
    .infer = lstm_infer,
    .upgrade = recurrent_upgrade,
    .lower = lstm_lower,
};
