/* What evaluates graphs for passes: tenon.eval/1. */
#ifndef TENON_API_PASS_ENGINE_H
#define TENON_API_PASS_ENGINE_H

#include "api/options.h"
#include "plugin/engine.h"

/* By the JIT, or the interpreter where there is none or option backend is that, for the fixed numeric target. o NULL:
 * contexts of its own, for a process that has none. */
plugin_engine pass_engine(const tenon_options *o);

#endif
