/* What the drawing module, which is linked to libgvc, and api/ know of each other. */
#ifndef TENON_REPORT_DRAWER_H
#define TENON_REPORT_DRAWER_H

#include <stddef.h>
#include <stdint.h>

#define DRAWER_VERSION 1u

typedef struct drawer {
    uint32_t version;
    /* Lays the DOT text out and draws it: "svg", "png" or "pdf". *out_data is libgvc's until `release`. 0 where it
     * fails. What libgvc has to say goes to `said`, as lines; on success, too: warnings. Threads take turns.
     * libgvc 2.42 itself loses some memory with each picture that has frames: 0.6 MB with 74 nodes. */
    int (*draw)(const char *dot, const char *format, char **out_data, size_t *out_bytes, char *said, size_t said_bytes);
    void (*release)(char *data);
    void (*library)(char *out, size_t n); /* "Graphviz 2.43.0" */
} drawer;

/* NULL for another version. */
const drawer *tenon_draw_query(uint32_t version);

#endif
