/* RandomUniform, RandomNormal, their Like forms, Bernoulli, Multinomial: numbers by a function of a seed and a place.
 *
 * There is no state: element k of a node is made of splitmix64's k-th output (Steele, Lea, Flood 2014) from the node's
 * seed, which is the attribute's bits, or, where that is not given, the hash of the output's name. So a model gives the
 * same numbers in each run, on every back end and target.
 */
#include <string.h>

#include "base/map.h"
#include "ops/kit.h"

static uint64_t seed_of(const node *n) {
    const attr *given = node_attr(n, "seed");
    const char *name = n->outputs[0]->name;
    uint64_t bits = 0;
    if (given == NULL)
        return hash_bytes(name, strlen(name), 0);
    memcpy(&bits, &given->f, sizeof given->f);
    return bits;
}

/* x ^= x >> shift; x *= factor. */
static const expr *mix(builder *b, const expr *x, int shift, uint64_t factor) {
    const expr *mixed = build_binary(b, EXPR_XOR, x, build_binary(b, EXPR_SHR, x, build_int(b, DT_U64, shift)));
    return build_mul(b, mixed, build_int(b, DT_U64, (int64_t)factor));
}

/* Number `place` (an i64) of the sequence, as a float of type t in [0, 1): its upper 24 or 53 bits. */
static const expr *draw(builder *b, uint64_t seed, const expr *place, dtype t) {
    const uint64_t step = UINT64_C(0x9E3779B97F4A7C15);
    bool is_double = t == DT_F64;
    const expr *x = build_mul(b, build_cast(b, DT_U64, place), build_int(b, DT_U64, (int64_t)step));
    x = build_add(b, x, build_int(b, DT_U64, (int64_t)(seed + step)));
    x = mix(b, mix(b, x, 30, UINT64_C(0xBF58476D1CE4E5B9)), 27, UINT64_C(0x94D049BB133111EB));
    x = build_binary(b, EXPR_XOR, x, build_binary(b, EXPR_SHR, x, build_int(b, DT_U64, 31)));
    x = build_binary(b, EXPR_SHR, x, build_int(b, DT_U64, is_double ? 11 : 40));
    x = build_cast(b, t, build_cast(b, is_double ? DT_I64 : DT_I32, x));
    return build_mul(b, x, build_float(b, t, is_double ? 0x1p-53 : 0x1p-24));
}

/* The linear place of an element of the output, and a nest over it. */
static nest *open_nest(nest_list *l, const char *name, const expr **index, const expr **out_place) {
    int y = nest_output(l, 0);
    nest *m = kit_over(l, name, y, index);
    *out_place = nest_linear(l->b, index, kit_operand(l, y)->rank, kit_operand(l, y)->dims);
    return m;
}

static const expr *uniform(builder *b, const node *n, const expr *place, dtype t) {
    const expr *low = build_float(b, t, op_float(n, "low")), *high = build_float(b, t, op_float(n, "high"));
    return build_add(b, low, build_mul(b, draw(b, seed_of(n), place, t), build_sub(b, high, low)));
}

/* Box and Muller 1958: two numbers of the sequence for one of the normal distribution. */
static const expr *normal(builder *b, const node *n, const expr *place, dtype t) {
    const expr *two = build_index(b, 2), *first = build_mul(b, place, two);
    const expr *u = draw(b, seed_of(n), first, t), *v = draw(b, seed_of(n), build_add(b, first, build_index(b, 1)), t);
    const expr *above_zero = build_sub(b, build_float(b, t, 1), u);
    const expr *length = build_unary(b, EXPR_SQRT, build_mul(b, build_float(b, t, -2), build_log(b, above_zero)));
    const expr *x = build_mul(b, length, build_cos(b, build_mul(b, v, build_float(b, t, 6.283185307179586))));
    return build_add(b, build_float(b, t, op_float(n, "mean")),
                     build_mul(b, build_float(b, t, op_float(n, "scale")), x));
}

static status lower_with(nest_list *l, const node *n, const char *name,
                         const expr *(*number)(builder *b, const node *n, const expr *place, dtype t)) {
    const expr *index[TENSOR_MAX_RANK], *place;
    int y = nest_output(l, 0);
    nest *m = open_nest(l, name, index, &place);
    kit_store(l, m, y, index, number(l->b, n, place, kit_compute(kit_operand(l, y)->elem)));
    return builder_status(l->b);
}

static status uniform_lower(const node *n, nest_list *l) {
    return lower_with(l, n, "uniform", uniform);
}
static status normal_lower(const node *n, nest_list *l) {
    return lower_with(l, n, "normal", normal);
}

/* ---- types and shapes ---- */

static status check_type(const node *n, dtype elem, uint64_t allowed) {
    if ((allowed & TYPE_BIT(elem)) != 0)
        return STATUS_OK;
    return op_unsupported(n, "unsupported-type", "'dtype' is %lld", (long long)op_int(n, "dtype"));
}

static status shape_infer(node *n) {
    dtype elem = dtype_from_onnx((int32_t)op_int(n, "dtype"));
    int64_t rank = 0;
    const int64_t *shape = op_ints(n, "shape", &rank);
    TRY(check_type(n, elem, TYPES_FLOAT));
    return kit_output_of_ints(n, elem, shape, rank);
}

static dtype asked_type(const node *n) {
    return op_has(n, "dtype") ? dtype_from_onnx((int32_t)op_int(n, "dtype")) : op_input_type(n, 0)->elem;
}

static status like_infer(node *n) {
    TRY(check_type(n, asked_type(n), TYPES_FLOAT));
    return kit_output_shaped(n, 0, 0, asked_type(n));
}

#define TYPES_LIKE (TYPES_NUMBER | TYPES_BOOL)
#define OUTPUT PARAMS({"output", TYPES_FLOAT, 'U', 0})
#define SEED {"seed", .kind = ATTR_FLOAT}
#define RANGE {"low", ATTR_FLOAT, .f = 0}, {"high", ATTR_FLOAT, .f = 1}
#define SPREAD {"mean", ATTR_FLOAT, .f = 0}, {"scale", ATTR_FLOAT, .f = 1}
#define RANDOM_ROW(NAME, INPUTS, OUTPUTS, INFER, LOWER, ...)                                                           \
    {.name = NAME,                                                                                                     \
     .domain = "",                                                                                                     \
     .versions = VERSIONS(1, 22),                                                                                      \
     .kind = OP_LOWER,                                                                                                 \
     .is_random = true,                                                                                                \
     .inputs = INPUTS,                                                                                                 \
     .outputs = OUTPUTS,                                                                                               \
     .attrs = ATTRS(__VA_ARGS__, SEED),                                                                                \
     .note = "the same numbers in each run; those of no other runtime",                                                \
     .infer = INFER,                                                                                                   \
     .lower = LOWER}
#define SHAPED                                                                                                         \
    {"dtype", ATTR_INT, .i = 1}, {                                                                                     \
        "shape", .kind = ATTR_INTS, .required = true                                                                   \
    }
#define LIKE {"dtype", .kind = ATTR_INT}
#define INPUT PARAMS({"input", TYPES_LIKE, 'T', PARAM_SHAPE})
OP_ROW(RandomUniform) = RANDOM_ROW("RandomUniform", PARAMS({0}), OUTPUT, shape_infer, uniform_lower, SHAPED, RANGE);
OP_ROW(RandomNormal) = RANDOM_ROW("RandomNormal", PARAMS({0}), OUTPUT, shape_infer, normal_lower, SHAPED, SPREAD);
OP_ROW(RandomUniformLike) = RANDOM_ROW("RandomUniformLike", INPUT, OUTPUT, like_infer, uniform_lower, LIKE, RANGE);
OP_ROW(RandomNormalLike) = RANDOM_ROW("RandomNormalLike", INPUT, OUTPUT, like_infer, normal_lower, LIKE, SPREAD);

/* ---- Bernoulli ---- */

static status bernoulli_infer(node *n) {
    TRY(check_type(n, asked_type(n), TYPES_NUMBER | TYPES_BOOL));
    return kit_output_shaped(n, 0, 0, asked_type(n));
}

static status bernoulli_lower(const node *n, nest_list *l) {
    const expr *index[TENSOR_MAX_RANK], *place;
    builder *b = l->b;
    int y = nest_output(l, 0);
    nest *m = open_nest(l, "bernoulli", index, &place);
    const expr *chance = kit_read(l, 0, index);
    const expr *is_one = build_lt(b, draw(b, seed_of(n), place, chance->type.elem), chance);
    nest_store(m, y, index, kit_operand(l, y)->rank, kit_cast(b, kit_operand(l, y)->elem, is_one));
    return builder_status(b);
}

OP_ROW(Bernoulli) = {
    .name = "Bernoulli",
    .domain = "",
    .versions = VERSIONS(15, 22),
    .kind = OP_LOWER,
    .is_random = true,
    .inputs = PARAMS({"input", TYPES_FLOAT, 'T', 0}),
    .outputs = PARAMS({"output", TYPES_NUMBER | TYPES_BOOL, 'U', 0}),
    .attrs = ATTRS({"dtype", .kind = ATTR_INT}, SEED),
    .note = "the same numbers in each run; those of no other runtime",
    .infer = bernoulli_infer,
    .lower = bernoulli_lower,
};

/* ---- Multinomial: the largest of the classes' log-probabilities with Gumbel noise (Gumbel 1954) ---- */

static status multinomial_infer(node *n) {
    dtype elem = dtype_from_onnx((int32_t)op_int(n, "dtype"));
    const tensor_type *x = op_input_type(n, 0);
    int64_t samples = op_int(n, "sample_size");
    TRY(check_type(n, elem, TYPES_INDEX));
    if (samples < 1)
        return op_invalid(n, "bad-value", "'sample_size' is %lld, expected 1 or more", (long long)samples);
    if (x->rank < 0)
        return op_unknown_output(n, 0, elem);
    if (x->rank != 2)
        return op_invalid(n, "wrong-rank", "'input' must be a matrix, it has %d dimensions", x->rank);
    dim dims[] = {x->dims[0], DIM(samples)};
    return op_set_output(n, 0, elem, 2, dims);
}

static status multinomial_expand(graph *g, node *n) {
    int64_t shape[2];
    kit_chain c = KIT_CHAIN(g, n);
    value *x = node_input(n, 0);
    if (x->type.rank != 2 || !type_shape(&x->type, shape))
        return op_unsupported(n, "unknown-shape", "the input's shape must be known; bind the dimensions it is made of");
    uint64_t seed = seed_of(n);
    int64_t dims[] = {shape[0], op_int(n, "sample_size"), shape[1]};
    attr attrs[] = {{.name = "shape", .kind = ATTR_INTS, .n = 3, .ints = dims},
                    {.name = "seed", .kind = ATTR_FLOAT, .f = (float)(seed >> 40)}};
    const attr *given = node_attr(n, "seed");
    if (given != NULL)
        attrs[1].f = given->f;
    node *made = kit_chain_node(&c, "RandomUniform", NULL, 0, attrs, 2, 1);
    value *noise = made == NULL ? NULL : made->outputs[0];
    for (int k = 0; k < 2; k++)
        noise = kit_chain_unary(&c, "Neg", kit_chain_unary(&c, "Log", noise));
    value *scores =
        kit_chain_binary(&c, "Unsqueeze", kit_chain_cast(&c, x, DT_F32), kit_chain_ints(&c, &(int64_t){1}, 1));
    attr last[] = {{.name = "axis", .kind = ATTR_INT, .i = 2}, {.name = "keepdims", .kind = ATTR_INT, .i = 0}};
    value *sum = kit_chain_binary(&c, "Add", scores, noise);
    made = kit_chain_node(&c, "ArgMax", &sum, 1, last, 2, 1);
    return kit_chain_result(&c, node_output(n, 0),
                            kit_chain_cast(&c, made == NULL ? NULL : made->outputs[0], node_output(n, 0)->type.elem));
}

OP_ROW(Multinomial) = {
    .name = "Multinomial",
    .domain = "",
    .versions = VERSIONS(7, 22),
    .kind = OP_EXPAND,
    .is_random = true,
    .inputs = PARAMS({"input", TYPES_FLOAT, 'T', 0}),
    .outputs = PARAMS({"output", TYPES_INDEX, 'U', 0}),
    .attrs = ATTRS({"dtype", ATTR_INT, .i = 6}, {"sample_size", ATTR_INT, .i = 1}, SEED),
    .note = "the same numbers in each run; those of no other runtime",
    .infer = multinomial_infer,
    .expand = multinomial_expand,
};
