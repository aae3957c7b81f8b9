/* Pipeline files: what -p, --skip and --plugin say, as TOML, with other options for some nodes. */
#ifndef TENON_PLUGIN_PIPELINE_FILE_H
#define TENON_PLUGIN_PIPELINE_FILE_H

#include "passes/passes.h"
#include "plugin/toml_reader.h"

/* A key with its values, or (an override) a table of such. */
typedef struct pipeline_option {
    const char *name;
    const char *const *items;
    size_t n;
    int line;
} pipeline_option;

typedef struct pipeline_override {
    const char *const *select;
    size_t n_select;
    VEC(pipeline_option) options;
    int line;
} pipeline_override;

typedef struct pipeline_pass {
    const char *name; /* NULL until it is read */
    VEC(pipeline_option) options;
    VEC(pipeline_override) overrides;
    int line;
} pipeline_pass;

typedef struct pipeline_file {
    const char *path;
    VEC(const char *) plugins, skip;
    VEC(pipeline_pass) passes;
} pipeline_file;

/* Reads the file; everything lives in `a`. [file] STATUS_RESOURCE, [pipeline] STATUS_USAGE with the line. */
status pipeline_file_read(const toml_reader *reader, const char *path, const char *text, size_t n, arena *a, diag *d,
                          pipeline_file *out);
/* Pass i as a request: [unknown-pass], [usage] STATUS_USAGE name file and line. */
status pipeline_file_request(const pipeline_file *f, size_t i, const pass_registry *r, arena *a, diag *d,
                             pass_request *out);

#endif
