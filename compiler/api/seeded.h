/* Random inputs that a model can run on: the same for the same seed, on every machine. */
#ifndef TENON_API_SEEDED_H
#define TENON_API_SEEDED_H

#include "ir/op.h"
#include "loop/loop.h"

/* Data for each input of p in `a`. g is the graph that p was made from: what its nodes do with an integer input tells
 * which values that may have. Floats are N(0, 1); integers that index are below what they index; other integers and
 * bools are 1, as masks are. */
status seeded_inputs(const graph *g, const program *p, int64_t seed, arena *a, void ***out);

#endif
