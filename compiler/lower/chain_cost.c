/* How large the blocks of a chain are, and whether it pays. */
#include "lower/chain.h"

/* Caches as cores of servers and desktops have them, and what a byte from each costs, in nanoseconds. */
static const struct {
    double bytes, cost;
} caches[] = {{24e3, 0}, {512e3, 0.0008}, {4e6, 0.0045}, {__builtin_inf(), 0.022}};

/* A chain has to save this part of the bytes' time. */
#define WORTH 0.9

/* Blocks of fewer elements along the innermost loop are not considered. */
#define GRAIN 8

/* Nanoseconds to begin a nest's loops. */
#define CALL 5

static double byte_cost(double within) {
    int k = 0;
    while (within > caches[k].bytes)
        k++;
    return caches[k].cost;
}

/* Time for the bytes that the members hand on, where `kept` of them lie between a store and its loads. */
static double handing_on(const chain *c, const chain_work *work, double kept) {
    double time = 0;
    for (int k = 0; k + 1 < c->n; k++)
        time += (double)work[k].stored * (1 + work[k].passes) * byte_cost(kept > 0 ? kept : (double)work[k].stored);
    return time;
}

/* Time for what is read again for each block: what does not move along a loop, once for each of its steps. */
static double reading_again(const chain *c, const chain_load *load) {
    double portion = (double)load->bytes, times = 1, distinct = 1;
    for (int l = 0; l < c->n_loops; l++) {
        double blocks = (double)fused_blocks(&c->loops[l]);
        times *= blocks;
        distinct *= load->moves[l] ? blocks : 1;
    }
    return portion * (times / distinct - 1) * byte_cost(portion / distinct);
}

static double kept_bytes(const chain *c, const chain_work *work) {
    double share = 1, all = 0;
    for (int l = 0; l < c->n_loops; l++)
        share *= (double)c->loops[l].block / (double)c->loops[l].extent;
    for (int k = 0; k + 1 < c->n; k++)
        all += share * (double)work[k].stored;
    return all;
}

static double loaded_bytes(const chain_work *w) {
    double all = 0;
    for (size_t i = 0; i < w->loads.n; i++)
        all += w->loads.at[i].constant ? 0 : (double)w->loads.at[i].bytes;
    return all;
}

/* Time that blocks cost: to begin them, for what the last one does again, and for short ends of tiles. */
static double losing_work(const chain *c, const chain_work *work, const target *t) {
    double again = 1, rows = 1, blocks = 1, macs = 0;
    for (int l = 0; l < c->n_loops; l++) {
        double number = (double)fused_blocks(&c->loops[l]), size = (double)c->loops[l].block;
        again *= number * size / (double)c->loops[l].extent;
        rows *= size;
        blocks *= number;
    }
    for (int k = 0; k < c->n; k++)
        macs += work[k].macs;
    return CALL * blocks * c->n + macs * (again - 1 + 0.1 / rows) / (4 * target_lanes(t, 32));
}

/* Bytes that are alive at once, at most: where each nest runs alone, and as a chain. */
static double alive_apart(const chain *c, const chain_work *work) {
    double most = 0;
    for (int k = 0; k < c->n; k++) {
        double alive = (double)work[k].stored + (k > 0 ? (double)work[k - 1].stored : 0);
        for (int m = k; m < c->n; m++)
            alive += loaded_bytes(&work[m]);
        most = alive > most ? alive : most;
    }
    return most;
}

static double alive_chained(const chain *c, const chain_work *work) {
    double alive = (double)work[c->n - 1].stored + kept_bytes(c, work);
    for (int k = 0; k < c->n; k++)
        alive += loaded_bytes(&work[k]);
    return alive;
}

static double chain_cost(const chain *c, const chain_work *work, const target *t) {
    double time = handing_on(c, work, kept_bytes(c, work)) + losing_work(c, work, t);
    for (int k = 0; k < c->n; k++)
        for (size_t i = 0; i < work[k].loads.n; i++)
            time += reading_again(c, &work[k].loads.at[i]);
    return time;
}

/* The smallest blocks that are `blocks` in number. */
static int64_t block_of(const fused_loop *l, int64_t blocks) {
    return (l->extent + blocks - 1) / blocks;
}

/* The next larger blocks: the innermost loop's grow until it is one block, then those of the loop around it. */
static bool grow(chain *c) {
    for (int i = c->n_loops - 1; i >= 0; i--) {
        fused_loop *l = &c->loops[i];
        if (l->block == l->extent)
            continue;
        int64_t blocks = fused_blocks(l) - 1, most = (l->extent + GRAIN - 1) / GRAIN;
        l->block = block_of(l, i == c->n_loops - 1 && blocks > most ? most : blocks);
        return true;
    }
    return false;
}

/* A third of the innermost loop. More members before fewer. */
static double small_blocks(chain *c) {
    for (int l = 0; l < c->n_loops; l++)
        c->loops[l].block = 1;
    fused_loop *inner = &c->loops[c->n_loops - 1];
    inner->block = block_of(inner, 3);
    return c->n;
}

double chain_choose_blocks(chain *c, const chain_work *work, const lower_options *o) {
    if (o->chains == CHAINS_ALWAYS)
        return small_blocks(c);
    chain best = *c;
    double whole = handing_on(c, work, 0), least = WORTH * whole, saves = 0, apart = alive_apart(c, work);
    for (int l = 0; l < c->n_loops; l++)
        c->loops[l].block = 1;
    while (grow(c)) {
        double cost = chain_cost(c, work, o->target);
        if (cost >= least || alive_chained(c, work) > apart)
            continue;
        least = cost;
        best = *c;
        saves = whole - cost;
    }
    *c = best;
    return saves;
}
