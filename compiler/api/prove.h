/* --verify-passes: a pass that keeps the numbers is held to it. */
#ifndef TENON_API_PROVE_H
#define TENON_API_PROVE_H

#include "api/pipeline.h"

/* Interprets both graphs on seeded inputs and compares the outputs that both have. Dimensions that options do not bind
 * are given a size; inputs that the pass bound are fed with what they were bound to. [pass-changed-numbers]
 * STATUS_INVALID names pass, output and element; a warning [not-verified] where the graph before cannot be run so. */
status prove_pass(const pipeline *w, const pass_entry *e, const graph *before, const graph *after);

#endif
