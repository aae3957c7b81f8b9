/* Weights of 4 and 2 bits: two or four of them share a byte, and are taken apart in registers.
 *
 * In the order in which a tile reads it, a step has a vector of fours for each of the block's vectors. The first of
 * them has the lowest bits of a vector of bytes, the next the bits above, and so on, so that a load serves two or four
 * vectors, and a shift and an AND of a whole vector unpack one. Signs cost nothing where the sum has room: what lies in
 * the highest bits of a byte is the code times 16 (or 64), and so is the sum, which is divided at its end. Elsewhere
 * codes count from the least weight, which is added: to the codes, or, where they go by PAIRS, to the sum, times the
 * sum of a row's data. There codes are the bytes without a sign, and data have one. */
#include "schedule/tiles.h"

#define OPERATION 0.5 /* half cycles of what multiplies nothing */
#define MOST_DATA 255

static int codes_in_byte(int bits) {
    return 8 / bits;
}

int codes_vectors(const tile *t, int bits) {
    return (int)tile_blocks(t->vectors, codes_in_byte(bits));
}

bool codes_can(const tile *t, int stage) {
    const plan_stage *g = &t->p->stages[stage];
    return g->bits > 0 && (int64_t)codes_vectors(t, g->bits) * t->lanes < tile_width(t);
}

/* Are the weights signed numbers of so many bits, and does the sum of their multiples fit 32 bits? */
static bool can_scale(const plan_stage *g, bool by_pairs) {
    int64_t half = 1 << (g->bits - 1), room = INT32_MAX >> (8 - g->bits);
    return !by_pairs && g->least < 0 && g->least >= -half && g->most < half &&
           g->each * plan_steps(g) <= room / (MOST_DATA * half);
}

/* A mask, what is being taken apart, and the sums of rows. */
int codes_registers(const tile *t, bool by_pairs) {
    return 2 + (by_pairs ? t->rows : 0);
}

double codes_cost(const tile *t, int stage, bool by_pairs) {
    const plan_stage *g = &t->p->stages[stage];
    int shifts =
        t->vectors - (can_scale(g, by_pairs) ? t->vectors / codes_in_byte(g->bits) : codes_vectors(t, g->bits));
    int adds = g->least < 0 && !by_pairs && !can_scale(g, by_pairs) ? t->vectors : 0;
    return OPERATION * (shifts + t->vectors + adds);
}

/* ---- packing ---- */

static void pack_step(const tile *t, const plan_stage *g, const int8_t *weights, uint8_t *out) {
    int64_t row = (int64_t)t->lanes * g->each, n = tile_width(t) * g->each;
    int in_byte = codes_in_byte(g->bits), mask = (1 << g->bits) - 1;
    for (int64_t i = 0; i < n; i++) {
        int v = (int)(i / row), code = (weights[i] - (g->scales ? 0 : g->least)) & mask;
        out[v / in_byte * row + i % row] |= (uint8_t)(code << v % in_byte * g->bits);
    }
}

status codes_pack(const tile *t, plan_stage *g, bool by_pairs, const int8_t *weights, int64_t steps,
                  schedule_buffer *out) {
    int64_t each = (int64_t)codes_vectors(t, g->bits) * t->lanes * g->each, width = tile_width(t) * g->each;
    const int64_t n = steps * each;
    uint8_t *bytes = ARENA_NEW_N(t->p->memory, uint8_t, n);
    TRY_ALLOC(bytes);
    g->packed = true;
    g->scales = can_scale(g, by_pairs);
    for (int64_t i = 0; i < steps; i++)
        pack_step(t, g, weights + i * width, bytes + i * each);
    *out = (schedule_buffer){.kind = SCHEDULE_CONST, .elem = DT_U8, .n = n, .data = bytes};
    return STATUS_OK;
}

/* ---- unpacking ---- */

static const expr *with(builder *b, expr_kind k, const expr *x, int64_t number) {
    return build_binary(b, k, x, build_broadcast(b, build_int(b, x->type.elem, number), x->type.lanes));
}

int codes_vector_of(const plan_stage *g, int v) {
    return v / codes_in_byte(g->bits);
}

/* In the highest bits, or in the lowest. */
static const expr *alone(builder *b, const plan_stage *g, const expr *packed, int place) {
    int from = place * g->bits, to = g->scales ? 8 - g->bits : 0, mask = (1 << g->bits) - 1;
    bool shifts_out = from == (g->scales ? 0 : 8 - g->bits); /* the others */
    if (from != to)
        packed = with(b, g->scales ? EXPR_SHL : EXPR_SHR, packed, g->scales ? to - from : from);
    return shifts_out ? packed : with(b, EXPR_AND, packed, mask << to);
}

const expr *codes_unpack(builder *b, const plan_stage *g, const expr *packed, int v) {
    const expr *codes = alone(b, g, packed, v % codes_in_byte(g->bits));
    if (g->steps != NULL)
        return codes;
    codes = build_bitcast(b, DT_I8, codes);
    return g->scales || g->least == 0 ? codes : with(b, EXPR_ADD, codes, g->least);
}

const expr *codes_divide(builder *b, const plan_stage *g, const expr *sum) {
    return with(b, EXPR_SHR, sum, 8 - g->bits);
}
