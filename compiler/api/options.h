/* Options: what the command's --NAME VALUE say, as fields. One table row in options.c for each. */
#ifndef TENON_API_OPTIONS_H
#define TENON_API_OPTIONS_H

#include "api/context.h"
#include "schedule/schedule.h"

/* NAME=TEXT */
typedef struct named_text {
    const char *name, *text;
} named_text;
typedef VEC(named_text) named_list;
typedef VEC(const char *) word_list; /* NULL after the last */

/* A plugin of the embedder's. */
typedef struct own_plugin {
    const struct tenon_plugin *plugin;
    void *state;
    const char *where;
} own_plugin;

/* Of option isolate. */
typedef struct isolate_limits {
    bool wanted;
    int64_t seconds, memory; /* MiB */
} isolate_limits;

struct tenon_options {
    tenon_context *c;
    arena *memory;
    /* common */
    named_list dims, shapes, freeze;
    word_list skip, dump_after, stop_after;
    named_list asked; /* -p and --pipeline, in order: option, text */
    word_list plugins;
    VEC(own_plugin) own_plugins;
    const char *tune;                                            /* a file; NULL none */
    const char *schedule, *floats, *integers, *backend, *target; /* target NULL: what the command takes */
    bool verify_passes, verbose, time_passes, perf_map;
    isolate_limits isolate;
    memory_regions regions; /* of the arena, the first is filled first */
    named_list given;       /* options as they were set; text NULL where there was none */
    int64_t seed;
    /* compile, and what runs code */
    int64_t threads;
    /* compile */
    const char *emit, *weights, *name;
    const char *triple, *cpu, *features; /* NULL: the target's */
    const char *command;                 /* as generated code names it */
    /* run */
    named_list inputs;
    /* check */
    double rtol, atol;
    int64_t steps;
    /* bench */
    double seconds;
    bool per_node;
    const char *trace; /* a file to write; NULL none */
    /* eval, and diff in part */
    const char *data, *metric, *label;
    const char *against; /* a model file; NULL none */
    int64_t limit;       /* 0: all */
    named_list maps, scales;
    /* diff */
    double threshold; /* dB */
    /* draw */
    int64_t depth; /* of scopes that are open */
};

/* The text given for `name`, NULL where there is none. */
const char *options_find(const named_list *list, const char *name);
/* Has the option been set? */
bool options_are_given(const tenon_options *o, const char *name);
/* "1x128" as dimensions, at most TENSOR_MAX_RANK; "" is a scalar. False where it is not a shape. */
bool options_shape(const char *text, int *out_rank, int64_t *out_dims);
/* A decimal integer of at least 0; false where the text is not one. */
bool options_count(const char *text, int64_t *out);
bool options_real(const char *text, double *out);
/* Bytes: a decimal number, with K, M or G behind it that many times 1024, 1024^2 or 1024^3. */
bool options_size(const char *text, int64_t *out);

#endif
