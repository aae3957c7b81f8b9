/* What the TOML module, which is C++, and the room plugin know of each other. C and C++. */
#ifndef TENON_PLUGIN_TOML_READER_H
#define TENON_PLUGIN_TOML_READER_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define TOML_READER_VERSION 1u

/* Called in the order of reading; tables come by key, arrays in their order. `key` is NULL inside of an array. `line`
 * is counted from 1. Other than 0 ends the reading. */
typedef struct toml_visitor {
    void *ctx;
    int (*open)(void *ctx, const char *key, int is_array, int line); /* a table or array begins */
    int (*close)(void *ctx);
    int (*value)(void *ctx, const char *key, const char *text,
                 int line); /* text as a user would write it on the command line */
} toml_visitor;

typedef struct toml_reader {
    uint32_t version;
    /* The document's root is the visitor's: no open and close for it. 0, what the visitor returned, or -1 where the
     * text is not TOML: then why (why_bytes) and line say it. */
    int (*read)(const char *text, size_t n, const toml_visitor *visitor, char *why, size_t why_bytes, int *line);
} toml_reader;

/* NULL for another version. */
const toml_reader *tenon_toml_query(uint32_t version);

#ifdef __cplusplus
}
#endif

#endif
