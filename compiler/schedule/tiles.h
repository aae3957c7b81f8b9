/* Register tiles: what tiles.c, tile_choice.c, tile_cost.c and tile_pack.c share. Private to schedule/. */
#ifndef TENON_SCHEDULE_TILES_H
#define TENON_SCHEDULE_TILES_H

#include "schedule/plan.h"

/* How fours of bytes are multiplied: by PAIRS or by products of 16 bits where DOT4 is no instruction; are weights
 * packed, several in a byte? */
typedef struct dot_way {
    bool by_pairs, packed;
} dot_way;

/* A block of `rows` steps of axis c by `vectors` vectors of `lanes` lanes along axis a, computed in registers. Blocks
 * are as many as cover both axes; the last block along an axis steps back to end with it, so that there are no edges:
 * some elements are computed twice, alike. */
typedef struct tile {
    plan *p;
    int a, c; /* outer axes; c is -1 where there is none */
    int d;    /* an outer axis around c that rows run on into, or -1; gone once the tile is chosen */
    int lanes, vectors, rows;
    int tail; /* lanes of the last vector of a block: `lanes`, or half as many where that covers axis a better */
    int64_t a_blocks, c_blocks;
    int *unrolled; /* [stage]: how many innermost axes of a reduction are */
    dot_way *ways; /* [stage] */
    bool panels;   /* the blocks along a are the outermost loop, for the sake of the caches */
    /* Placeholders in addresses of repacked constants: block along a and c, row and lane inside the block. */
    const expr *a_block, *c_block, *row, *lane;
} tile;

/* First element of block `i` along a / c. */
int64_t tile_a_first(const tile *t, int64_t i);
int64_t tile_c_first(const tile *t, int64_t i);
/* Element inside the block where vector v begins. */
int64_t tile_vector_first(const tile *t, int v);
int tile_lanes(const tile *t, int v);
/* Element inside the block that a lane of a row stands for. */
int64_t tile_lane_first(const tile *t, int64_t lane);
/* Lanes of a row of the block. */
int64_t tile_width(const tile *t);

/* tile_choice.c: picks c, rows and vectors by the registers of the target and tile_cost, or as `given` says where that
 * is not NULL. Where rows run over two axes the plan's are merged. */
status tile_choose(plan *p, int a, int lanes, const kernel_choice *given, tile *out);

/* How many reductions from this stage on go side by side: as many as have the same steps, none of which takes what
 * another gives. */
int tile_team(const plan *p, int stage);

/* Vectors of 32 bits that fill a register once they are narrowed to bytes. */
#define TILE_PACKED 4
/* Does the stage store results narrowed to bytes, by instructions that take whole registers and give one? */
bool tile_narrows(const plan *p, const plan_stage *g);

/* Does any stage reduce? Else there are no rows, and vectors cost the same whichever way. */
bool tile_reduces(const plan *p);

/* Half cycles of the best tile along axis a, with what is moved so that vectors can lie along it. */
status tile_cost_along(plan *p, int a, int lanes, double *out);

/* ---- tile_cost.c ---- */
/* What the reductions load. */
typedef struct tile_load {
    access x;
    int stage;
    bool is_constant;
} tile_load;
typedef struct tile_loads {
    VEC(tile_load) at;
} tile_loads;
status tile_loads_of(const plan *p, tile_loads *out);
/* Half cycles of the whole nest. */
double tile_cost(const tile *t, const tile_loads *loads);
/* What it takes besides to transpose operands whose step along a is neither 0 nor 1, and to scatter results. */
double tile_moves(const tile *t, const tile_loads *loads);
/* Half cycles for each element of a copy whose step along a is not 1, or that is loaded or stored lane by lane. */
#define TILE_GATHER 4
#define TILE_SCATTER 3
/* Do fewer bytes come from beyond the caches where the blocks along a are the outermost loop? */
bool tile_panels(const tile *t, const tile_loads *loads);
/* The number of innermost axes of a reduction that are unrolled: short ones, so that what neighbouring rows read in
 * neighbouring steps is loaded once. */
int tile_unrolled(const tile *t, const tile_loads *loads, int stage);
/* The way in which the stage's fours cost least, or little more in fewer bytes. */
dot_way tile_way(const tile *t, const tile_loads *loads, int stage);
/* Registers that a step of the reductions needs, with fours of bytes by PAIRS or by products of 16 bits. */
int tile_registers_for(const tile *t, bool by_pairs);
/* As many vector registers as the target has, or LLVM and C compilers may be asked to hold in others. */
int tile_registers(const plan *p);
int64_t tile_extent(const plan *p, int axis);
/* Blocks of a size that cover the extent. */
static inline int64_t tile_blocks(int64_t extent, int64_t size) {
    return (extent + size - 1) / size;
}

/* ---- tuning.c ---- */
typedef struct tile_candidate {
    kernel_choice tile;
    double cost;
    size_t number; /* in order of appearance */
} tile_candidate;
typedef struct tile_candidates {
    VEC(tile_candidate) at;
} tile_candidates;
/* What the plan, before anything is chosen, computes: the same text for the same kernel in any model. */
status tuning_kernel(const plan *p, const char **out);
kernel_choice tuning_choice(const tile *t);
void tuning_apply(const kernel_choice *c, tile *t);
/* One more for the plan's candidates. */
void tuning_note(const tile *t, double cost);
bool tuning_allows(const tile_candidates *all, const kernel_choice *c);
/* Once p's tile is emitted: `name` is one of the schedule's kernels, and one of the sites that are wanted. Sorts `all`.
 */
status tuning_record(const plan *p, const char *name, tile_candidates *all);

/* ---- pairs.c ---- */
/* The steps of a block where the stage goes by PAIRS; all 0 where it cannot in such tiles. */
status pairs_count(const tile *t, int stage, pair_steps *out);
int64_t pairs_total(const pair_steps *s);
/* Makes it go by them. */
status pairs_pack(tile *t, int stage);

/* ---- codes.c ---- */
/* Would packing make the stage's weights fewer bytes? */
bool codes_can(const tile *t, int stage);
/* Vectors of bytes that hold a step's codes. */
int codes_vectors(const tile *t, int bits);
/* Registers that unpacking them takes. */
int codes_registers(const tile *t, bool by_pairs);
/* Half cycles of unpacking them. */
double codes_cost(const tile *t, int stage, bool by_pairs);
/* Packs weights in the order [step][lane][each]: of a step, codes_vectors whole vectors. */
status codes_pack(const tile *t, plan_stage *g, bool by_pairs, const int8_t *weights, int64_t steps,
                  schedule_buffer *out);
/* Which of these vectors has the codes of the block's vector v; and they, unpacked. */
int codes_vector_of(const plan_stage *g, int v);
const expr *codes_unpack(builder *b, const plan_stage *g, const expr *packed, int v);
/* Of a stage that scales: the sum as it would be without. */
const expr *codes_divide(builder *b, const plan_stage *g, const expr *sum);

/* tile_pack.c: constants that reductions read go into the order in which the tile reads them; operands whose step along
 * a is neither 0 nor 1 are transposed into scratch first. */
status tile_pack(tile *t);
/* A copy over the axes that the load steps along, axis a last, which has room for so many elements; *out_load reads it.
 */
status tile_copy(plan *p, int a, int64_t room, const access *x, const expr **out_load);
#endif
