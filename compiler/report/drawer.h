/* What the drawing module, which is linked to libgvc, and api/ know of each other. */
#ifndef TENON_REPORT_DRAWER_H
#define TENON_REPORT_DRAWER_H

#include <stddef.h>
#include <stdint.h>

#define DRAWER_VERSION 1u

typedef enum drawer_result {
    DRAWER_DONE,
    DRAWER_FAILED, /* drawn.said says why */
    DRAWER_STOPPED
} drawer_result;

typedef struct drawer_host {
    int (*stop)(void *ctx); /* asked several times a second, in the caller's thread: other than 0 ends the call */
    void *ctx;
} drawer_host;

typedef struct drawn {
    char *data; /* libgvc's, until `release` */
    size_t bytes;
    char *said; /* what libgvc has to say, as lines; on success, too: warnings. The caller's memory, of said_bytes */
    size_t said_bytes;
} drawn;

typedef struct drawer {
    uint32_t version;
    /* Lays the DOT text out and draws it: "svg", "png" or "pdf". Threads take turns. libgvc 2.42 itself loses some
     * memory with each picture that has frames: 0.6 MB with 74 nodes. */
    drawer_result (*draw)(const char *dot, const char *format, const drawer_host *host, drawn *out);
    void (*release)(char *data);
    void (*library)(char *out, size_t n); /* "Graphviz 2.43.0" */
} drawer;

/* NULL for another version. */
const drawer *tenon_draw_query(uint32_t version);

#endif
