/* Options that hold for a pass as a whole. */
#ifndef SHARED_OVERRIDES_H
#define SHARED_OVERRIDES_H

#include "pass.h"

/* An override that gives a node another value of one of these (NULL-terminated) is a usage error. */
int overrides_check(const tenon_plugin_host *host, const tenon_graph *g, const tenon_option *const *whole);

#endif
