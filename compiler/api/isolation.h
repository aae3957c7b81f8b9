/* Option isolate: how plugins are kept out of this process. */
#ifndef TENON_API_ISOLATION_H
#define TENON_API_ISOLATION_H

#include "api/options.h"
#include "plugin/plugin.h"

/* By the option's limits, in `a`; Ctrl-C (the host's stop) ends a worker, too. */
status isolation_new(const tenon_options *o, arena *a, const plugin_isolation **out);

#endif
