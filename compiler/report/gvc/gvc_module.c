/* Drawing through libgvc. Its messages go through a global function without a context, so calls take turns. */
#include <graphviz/gvc.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "report/drawer.h"

static pthread_mutex_t turn = PTHREAD_MUTEX_INITIALIZER;
/* Of the call whose turn it is. */
static char *said_text;
static size_t said_left;

/* Graphviz says one message in several pieces. */
static int listen(char *piece) {
    size_t n = strlen(piece);
    n = n < said_left ? n : said_left;
    memcpy(said_text, piece, n);
    said_text += n;
    said_left -= n;
    *said_text = '\0';
    return 0;
}

static int render(GVC_t *gvc, graph_t *g, const char *format, char **out_data, size_t *out_bytes) {
    unsigned n = 0;
    if (gvLayout(gvc, g, "dot") != 0)
        return 0;
    int done = gvRenderData(gvc, g, format, out_data, &n) == 0 && *out_data != NULL;
    gvFreeLayout(gvc, g);
    *out_bytes = n;
    return done;
}

static int draw_in_turn(const char *dot, const char *format, char **out_data, size_t *out_bytes) {
    GVC_t *gvc = gvContext();
    graph_t *g = gvc != NULL ? agmemread(dot) : NULL;
    int done = g != NULL && render(gvc, g, format, out_data, out_bytes);
    if (g != NULL)
        agclose(g);
    if (gvc != NULL)
        gvFreeContext(gvc);
    return done;
}

static int draw(const char *dot, const char *format, char **out_data, size_t *out_bytes, char *said,
                size_t said_bytes) {
    *out_data = NULL;
    *out_bytes = 0;
    *said = '\0';
    pthread_mutex_lock(&turn);
    said_text = said;
    said_left = said_bytes - 1;
    agusererrf before = agseterrf(listen);
    int done = draw_in_turn(dot, format, out_data, out_bytes);
    agseterrf(before);
    pthread_mutex_unlock(&turn);
    return done;
}

static void version(char *out, size_t n) {
    pthread_mutex_lock(&turn);
    GVC_t *gvc = gvContext();
    snprintf(out, n, "Graphviz %s", gvc != NULL ? gvcVersion(gvc) : "");
    if (gvc != NULL)
        gvFreeContext(gvc);
    pthread_mutex_unlock(&turn);
}

static const drawer table = {DRAWER_VERSION, draw, gvFreeRenderData, version};

__attribute__((visibility("default"))) const drawer *tenon_draw_query(uint32_t version) {
    return version == DRAWER_VERSION ? &table : NULL;
}
