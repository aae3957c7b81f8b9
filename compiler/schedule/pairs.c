/* Fours of bytes by PAIRS, which sums products by twos in 16 bits, and is exact only where those hold the sums.
 *
 * Data can be anything from 0 to 255, weights are known. Where no two weights that are summed are more than 128
 * together, those of each sign by themselves, in any of the channels that a block computes at once, a step is PLAIN.
 * Else it is SIGNED: data less 128 are -128 to 127, and twice a product of such a number and the size of a weight
 * fits. The weights' signs go to the data: for a weight below 0, -1 - x stands in place of x. To take 128 off and that
 * are one xor, with other bits in each lane; what the sum then lacks, a channel's weights say.
 * The steps of a block are sorted by their kind, each of which is a loop. A table says which four of the data a step
 * reads. All blocks have as many steps of each kind: where one could have more that are plain, these are SIGNED, too.
 * Two weights of one sign that are less than 128 together leave room for more than one step: where all steps are plain,
 * a chain of them is summed in 16 bits.
 */
#include <string.h>

#include "schedule/tiles.h"

#define EACH 4
#define MOST 128 /* of two weights of one sign: 255 * 128 fits, 255 * 129 does not */
#define MOST_CHAIN 16
#define SIGN 0x80 /* added to data with a sign, taken off those without */
#define MEMOS 32

typedef struct memo {
    int64_t width;
    pair_steps steps;
} memo;

/* What is known of a stage's weights, with channels along one outer axis. */
struct byte_pairs {
    const expr *along;
    int64_t around, channels, fours; /* other outer axes that the weights step along, as one */
    int64_t chain;                   /* steps that 16 bits hold the sum of */
    const bool *plain;               /* [around][channel][four] */
    memo memos[MEMOS];
    int n;
};

byte_pairs *pairs_new(arena *a) {
    return ARENA_NEW(a, byte_pairs);
}

/* ---- the weights ---- */

typedef struct weights_view {
    const int8_t *at;
    access x;
    int around[PLAN_MAX_AXES], n_around;
    int first, n_axes; /* of the reduction, in plan_all_axes */
    nest_axis axes[PLAN_MAX_AXES];
} weights_view;

static const expr *weights_of(const plan *p, const plan_stage *g) {
    const expr *data, *weights;
    plan_dot_loads(p, g, &data, &weights);
    return weights;
}

static weights_view view_of(const plan *p, int stage, int a) {
    const plan_stage *g = &p->stages[stage];
    weights_view v = {.x = plan_access(p, weights_of(p, g)), .first = plan_first_axis(p, stage), .n_axes = g->n_axes};
    const schedule_buffer *b = plan_slot_buffer(p, v.x.load->ref);
    v.at = b->data;
    plan_all_axes(p, v.axes);
    for (int i = 0; i < p->n_axes; i++)
        if (i != a && v.x.step[i] != 0)
            v.around[v.n_around++] = i;
    return v;
}

static int64_t around_of(const weights_view *v) {
    int64_t n = 1;
    for (int i = 0; i < v->n_around; i++)
        n *= v->axes[v->around[i]].extent;
    return n;
}

/* How far the i-th place of the axes lies, outermost first, by the steps of `step`. */
static int64_t place_of(const nest_axis *axes, const int *which, int n, const int64_t *step, int64_t i) {
    int64_t at = 0;
    for (int k = n - 1; k >= 0; k--) {
        at += i % axes[which[k]].extent * step[which[k]];
        i /= axes[which[k]].extent;
    }
    return at;
}

/* Places of all fours of the reduction. */
static status places_of_fours(const plan *p, const weights_view *v, int64_t fours, int64_t **out) {
    int which[PLAN_MAX_AXES];
    TRY_ALLOC(*out = ARENA_NEW_N(p->memory, int64_t, fours));
    for (int i = 0; i < v->n_axes; i++)
        which[i] = v->first + i;
    for (int64_t i = 0; i < fours; i++)
        (*out)[i] = place_of(v->axes, which, v->n_axes, v->x.step, i);
    return STATUS_OK;
}

/* Of two weights, those of the sign that has more. */
static int together(int x, int y) {
    int more = (x > 0 ? x : 0) + (y > 0 ? y : 0), less = (x < 0 ? x : 0) + (y < 0 ? y : 0);
    return more > -less ? more : -less;
}

static int most_together(const int8_t *w) {
    int first = together(w[0], w[1]), second = together(w[2], w[3]);
    return first > second ? first : second;
}

static int64_t chain_of(int together) {
    int64_t fit = together == 0 ? MOST_CHAIN : INT16_MAX / (together * UINT8_MAX);
    return fit < 1 ? 1 : fit < MOST_CHAIN ? fit : MOST_CHAIN;
}

static status look_at_weights(const plan *p, int stage, int a, byte_pairs *out) {
    weights_view v = view_of(p, stage, a);
    *out = (byte_pairs){.around = around_of(&v), .channels = p->axes[a].extent};
    out->fours = plan_steps(&p->stages[stage]);
    int64_t *fours;
    TRY(places_of_fours(p, &v, out->fours, &fours));
    bool *plain = ARENA_NEW_N(p->memory, bool, out->around * out->channels * out->fours);
    TRY_ALLOC(plain);
    out->plain = plain;
    int most = 0;
    for (int64_t i = 0; i < out->around; i++)
        for (int64_t c = 0; c < out->channels; c++) {
            const int8_t *row =
                v.at + v.x.first + c * v.x.step[a] + place_of(v.axes, v.around, v.n_around, v.x.step, i);
            for (int64_t k = 0; k < out->fours; k++) {
                int own = most_together(row + fours[k]);
                *plain++ = own <= MOST;
                most = own > most ? own : most;
            }
        }
    out->chain = chain_of(most);
    out->along = p->axes[a].var;
    return STATUS_OK;
}

/* ---- how many steps ---- */

/* Which of a block's fours are plain in all of its channels; returns how many. */
static int64_t plain_of_block(const byte_pairs *b, int64_t around, int64_t first, int64_t width, bool *out) {
    const bool *from = b->plain + (around * b->channels + first) * b->fours;
    int64_t n = width < b->channels ? width : b->channels, found = 0;
    for (int64_t k = 0; k < b->fours; k++) {
        out[k] = true;
        for (int64_t c = 0; c < n; c++)
            out[k] &= from[c * b->fours + k];
        found += out[k];
    }
    return found;
}

static int64_t least(int64_t x, int64_t y) {
    return x < y ? x : y;
}

static pair_steps steps_of(const byte_pairs *b, int64_t plain) {
    return (pair_steps){.of = {[PAIR_PLAIN] = plain, [PAIR_SIGNED] = b->fours - plain},
                        .chain = plain == b->fours ? b->chain : 1};
}

static status count_steps(const tile *t, const byte_pairs *b, pair_steps *out) {
    int64_t width = tile_width(t), blocks = tile_blocks(b->channels, width), plain = b->fours;
    bool *of_block = ARENA_NEW_N(t->p->memory, bool, b->fours);
    TRY_ALLOC(of_block);
    for (int64_t i = 0; i < b->around * blocks; i++)
        plain = least(plain, plain_of_block(b, i / blocks, tile_a_first(t, i % blocks), width, of_block));
    *out = steps_of(b, plain);
    return STATUS_OK;
}

static bool applies(const tile *t, int stage) {
    const plan *p = t->p;
    const plan_stage *g = &p->stages[stage];
    if (g->pairs == NULL || tile_team(p, stage) > 1)
        return false;
    const access x = plan_access(p, weights_of(p, g));
    return x.affine && (t->c < 0 || x.step[t->c] == 0) && (t->d < 0 || x.step[t->d] == 0);
}

status pairs_count(const tile *t, int stage, pair_steps *out) {
    byte_pairs *b = t->p->stages[stage].pairs;
    int64_t width = tile_width(t);
    *out = (pair_steps){.chain = 1};
    if (!applies(t, stage))
        return STATUS_OK;
    if (b->along != t->p->axes[t->a].var)
        TRY(look_at_weights(t->p, stage, t->a, b));
    for (int i = 0; i < b->n; i++)
        if (b->memos[i].width == width) {
            *out = b->memos[i].steps;
            return STATUS_OK;
        }
    TRY(count_steps(t, b, out));
    if (b->n < MEMOS)
        b->memos[b->n++] = (memo){width, *out};
    return STATUS_OK;
}

int64_t pairs_total(const pair_steps *s) {
    int64_t n = 0;
    for (int kind = 0; kind < PAIR_KINDS; kind++)
        n += s->of[kind];
    return n;
}

/* ---- the steps ---- */

/* Sorts a block's fours into its steps, by kind. */
static void assign(const pair_steps *n, const bool *plain, int64_t fours, int64_t *out) {
    int64_t left = n->of[PAIR_PLAIN], *signed_from = out + left;
    for (int64_t k = 0; k < fours; k++) {
        bool is = plain[k] && left > 0;
        left -= is;
        *(is ? out++ : signed_from++) = k;
    }
}

/* ---- what the steps read ---- */

typedef struct packing {
    tile *t;
    int stage;
    plan_stage *g;
    weights_view v;
    pair_steps n;
    int64_t total, width, blocks; /* steps and lanes of a block; all blocks */
    int64_t *fours, *data;        /* places of fours in the weights and in the data */
    bool has_sign;
    int8_t *weights;  /* [block][step][lane][EACH] */
    int32_t *offsets; /* [block][step] */
    uint8_t *masks;   /* [block][step that is not plain][lane][EACH] */
    int32_t *more;    /* [block][lane]: what such steps lack */
} packing;

/* Of a SIGNED step: the weights' sizes, and what the data are xored with. */
static void pack_signed(packing *k, int64_t number, int64_t i, int64_t lane, const int8_t *w) {
    int64_t total = k->total - k->n.of[PAIR_PLAIN];
    int8_t *to = k->weights + ((number * k->total + k->n.of[PAIR_PLAIN] + i) * k->width + lane) * EACH;
    uint8_t *mask = k->masks + ((number * total + i) * k->width + lane) * EACH;
    int32_t *more = &k->more[number * k->width + lane];
    for (int j = 0; j < EACH; j++) {
        int size = w[j] < 0 ? -w[j] : w[j];
        to[j] = (int8_t)(uint8_t)size;
        mask[j] = (uint8_t)((k->has_sign ? 0 : SIGN) ^ (w[j] < 0 ? UINT8_MAX : 0));
        *more += SIGN * w[j] + (w[j] < 0 ? size : 0);
    }
}

static void pack_step(packing *k, int64_t number, int64_t i, int64_t four) {
    const tile *t = k->t;
    int64_t at = number * k->total + i, around = number / t->a_blocks, first = tile_a_first(t, number % t->a_blocks);
    int64_t plain = k->n.of[PAIR_PLAIN];
    const int8_t *rows =
        k->v.at + k->v.x.first + k->fours[four] + place_of(k->v.axes, k->v.around, k->v.n_around, k->v.x.step, around);
    k->offsets[at] = (int32_t)k->data[four];
    for (int64_t lane = 0; lane < k->width; lane++) {
        const int8_t *w = rows + (first + tile_lane_first(t, lane)) * k->v.x.step[t->a];
        if (i >= plain)
            pack_signed(k, number, i - plain, lane, w);
        else
            memcpy(k->weights + (at * k->width + lane) * EACH, w, EACH);
    }
}

static int64_t mask_bytes(const packing *k) {
    return k->blocks * k->n.of[PAIR_SIGNED] * k->width * EACH;
}

static status pack_blocks(packing *k, const byte_pairs *b) {
    arena *a = k->t->p->memory;
    int64_t *steps = ARENA_NEW_N(a, int64_t, k->total);
    bool *plain = ARENA_NEW_N(a, bool, b->fours);
    TRY_ALLOC(steps);
    TRY_ALLOC(plain);
    TRY_ALLOC(k->weights = ARENA_NEW_N(a, int8_t, k->blocks * k->total * k->width * EACH));
    TRY_ALLOC(k->offsets = ARENA_NEW_N(a, int32_t, k->blocks * k->total));
    TRY_ALLOC(k->masks = ARENA_NEW_N(a, uint8_t, mask_bytes(k) + 1));
    TRY_ALLOC(k->more = ARENA_NEW_N(a, int32_t, k->blocks * k->width));
    for (int64_t n = 0; n < k->blocks; n++) {
        (void)plain_of_block(b, n / k->t->a_blocks, tile_a_first(k->t, n % k->t->a_blocks), k->width, plain);
        assign(&k->n, plain, b->fours, steps);
        for (int64_t i = 0; i < k->total; i++)
            pack_step(k, n, i, steps[i]);
    }
    return STATUS_OK;
}

/* ---- the stage that reads them ---- */

static const expr *load_const(packing *k, dtype elem, const void *data, int64_t n, const expr *address) {
    int slot = plan_new_slot(k->t->p, (schedule_buffer){.kind = SCHEDULE_CONST, .elem = elem, .n = n, .data = data});
    return slot < 0 ? build_fail(k->t->p->b) : build_load(k->t->p->b, slot, LTYPE(elem, 1), address, NULL);
}

/* The number of the block that is computed. */
static const expr *block_number(const packing *k) {
    builder *b = k->t->p->b;
    const expr *n = build_index(b, 0);
    for (int i = 0; i < k->v.n_around; i++) {
        const nest_axis *x = &k->v.axes[k->v.around[i]];
        n = build_add(b, build_mul(b, n, build_index(b, x->extent)), x->var);
    }
    return build_add(b, build_mul(b, n, build_index(b, k->t->a_blocks)), k->t->a_block);
}

/* Where the data's fours lie beside the first; its address with that. */
static status places_of_data(packing *k, const expr *address, const expr **out_first) {
    const plan *p = k->t->p;
    int64_t step[PLAN_MAX_AXES] = {0}, fours = plan_steps(k->g);
    int which[PLAN_MAX_AXES];
    const expr *zero = build_index(p->b, 0);
    TRY_ALLOC(k->data = ARENA_NEW_N(p->memory, int64_t, fours));
    *out_first = address;
    for (int i = 0; i < k->g->n_axes; i++) {
        which[i] = k->v.first + i;
        bool is_affine = plan_step(p, address, k->g->axes[i].var, &step[which[i]]);
        TENON_ASSERT(is_affine);
        *out_first = build_substitute(p->b, *out_first, &k->g->axes[i].var, &zero, 1);
    }
    for (int64_t i = 0; i < fours; i++)
        k->data[i] = place_of(k->v.axes, which, k->v.n_axes, step, i);
    return STATUS_OK;
}

/* Codes multiply data with a sign, 128 less than those without. */
static void add_middle(packing *k) {
    for (int64_t i = 0; i < k->blocks * k->total * k->width; i++)
        for (int j = 0; j < EACH; j++)
            k->more[i / (k->total * k->width) * k->width + i % k->width] += SIGN * k->weights[i * EACH + j];
    int64_t most = (k->g->most - k->g->least) * 2 * SIGN, fit = most == 0 ? MOST_CHAIN : INT16_MAX / most;
    k->n.chain = fit < k->n.chain ? fit : k->n.chain;
}

/* Of the step of this number. */
static status load_weights(packing *k, const expr *step, const expr **out) {
    int64_t steps = k->blocks * k->total, n = steps * k->width * EACH;
    schedule_buffer w = {.kind = SCHEDULE_CONST, .elem = DT_I8, .n = n, .data = k->weights};
    if (k->t->ways[k->stage].packed) {
        TRY(codes_pack(k->t, k->g, true, k->weights, steps, &w));
        add_middle(k);
    }
    builder *b = k->t->p->b;
    const expr *lane = build_mul(b, k->t->lane, build_index(b, EACH));
    *out = load_const(k, w.elem, w.data, w.n, build_add(b, build_mul(b, step, build_index(b, w.n / steps)), lane));
    return STATUS_OK;
}

/* The steps become the stage's one axis. */
static status rewrite(packing *k, const expr *data, const expr *first) {
    builder *b = k->t->p->b;
    const expr *var = build_var(b, LTYPE(DT_I64, 1), "step"), *number = block_number(k);
    const expr *at = build_add(b, build_mul(b, number, build_index(b, k->total)), var);
    const expr *offset = load_const(k, DT_I32, k->offsets, k->blocks * k->total, at);
    const expr *x = build_load(b, data->ref, data->type, build_add(b, first, build_cast(b, DT_I64, offset)), NULL);
    int64_t plain = k->n.of[PAIR_PLAIN];
    const expr *mask =
        build_add(b, build_mul(b, number, build_index(b, k->total - plain)), build_sub(b, var, build_index(b, plain)));
    mask = build_add(b, build_mul(b, mask, build_index(b, k->width)), k->t->lane);
    if (mask_bytes(k) > 0)
        k->g->flips = load_const(k, DT_U8, k->masks, mask_bytes(k), build_mul(b, mask, build_index(b, EACH)));
    const expr *w;
    TRY(load_weights(k, at, &w));
    k->g->value = build_mul(b, build_cast(b, DT_I32, x), build_cast(b, DT_I32, w));
    k->g->axes[0] = (nest_axis){var, k->total};
    k->g->n_axes = 1;
    const expr *more = load_const(k, DT_I32, k->more, k->blocks * k->width,
                                  build_add(b, build_mul(b, number, build_index(b, k->width)), k->t->lane));
    const expr *sum = build_add(b, k->g->result, more);
    plan_substitute(k->t->p, &k->g->result, &sum, 1);
    return STATUS_OK;
}

status pairs_pack(tile *t, int stage) {
    plan *p = t->p;
    plan_stage *g = &p->stages[stage];
    packing k = {.t = t, .stage = stage, .g = g, .v = view_of(p, stage, t->a), .width = tile_width(t)};
    const expr *data, *weights, *first;
    plan_dot_loads(p, g, &data, &weights);
    TRY(pairs_count(t, stage, &k.n));
    k.total = pairs_total(&k.n);
    k.blocks = g->pairs->around * t->a_blocks;
    k.has_sign = data->type.elem == DT_I8;
    TRY(places_of_fours(p, &k.v, g->pairs->fours, &k.fours));
    TRY(places_of_data(&k, data->arg[0], &first));
    TRY(pack_blocks(&k, g->pairs));
    TRY(rewrite(&k, data, first));
    pair_steps *steps = ARENA_NEW(p->memory, pair_steps);
    TRY_ALLOC(steps);
    *steps = k.n;
    g->steps = steps;
    return builder_status(p->b);
}
