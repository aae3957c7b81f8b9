/* What evaluates graphs for passes: tenon.eval/1. */
#ifndef TENON_API_PASS_ENGINE_H
#define TENON_API_PASS_ENGINE_H

#include "api/context.h"
#include "plugin/engine.h"

/* By the JIT, or the interpreter where there is none, for the fixed numeric target. c NULL: contexts of its own, for a
 * process that has none. */
plugin_engine pass_engine(tenon_context *c);

#endif
