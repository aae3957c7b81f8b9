/* What passes of several plugins share. Each plugin has it compiled in: nothing here is of the host. */
#ifndef SHARED_PASS_H
#define SHARED_PASS_H

#include <tenon/plugin.h>

#define TRY(code)                                                                                                      \
    do {                                                                                                               \
        int code_of_try = (code);                                                                                      \
        if (code_of_try != TENON_OK)                                                                                   \
            return code_of_try;                                                                                        \
    } while (0)

/* n zeroed elements until the pass ends; NULL where there is no memory. */
static inline void *pass_room(const tenon_plugin_host *host, size_t n, size_t each) {
    return n <= SIZE_MAX / each ? host->scratch(host, n * each) : NULL;
}

#endif
