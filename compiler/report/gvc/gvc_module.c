/* Drawing through libgvc. It has globals, and says what is wrong through a function without a context: one picture is
 * drawn at a time. Its layout can take long and asks nobody, so it runs in a thread of its own, which is left behind
 * where the host says stop. */
#include <graphviz/gvc.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "report/drawer.h"

enum { SAID_BYTES = 4096, POLL_NANOSECONDS = 50000000, SECOND = 1000000000 };

/* The picture that is being drawn. The flags are `lock`'s; the rest is the thread's until it has finished. */
static struct {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    int busy, parsed, finished, left_behind;
    const char *dot; /* the caller's, until it is parsed */
    char format[8];
    int done;
    char *data;
    size_t bytes;
    char said[SAID_BYTES];
    size_t n_said;
} job = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

/* Graphviz says one message in several pieces. */
static int listen(char *piece) {
    size_t n = strlen(piece), left = sizeof job.said - 1 - job.n_said;
    n = n < left ? n : left;
    memcpy(job.said + job.n_said, piece, n);
    job.n_said += n;
    job.said[job.n_said] = '\0';
    return 0;
}

/* ---- the thread ---- */

static void tell(int *flag) {
    pthread_mutex_lock(&job.lock);
    *flag = 1;
    pthread_cond_broadcast(&job.changed);
    pthread_mutex_unlock(&job.lock);
}

/* Cairo draws no PNG with more dots to a side: then there have to be fewer to the inch. */
static void fit_dots(graph_t *g) {
    const double most = 32000, dpi = 96, inch = 72, margins = 72;
    double high = GD_bb(g).UR.y - GD_bb(g).LL.y + margins, wide = GD_bb(g).UR.x - GD_bb(g).LL.x + margins;
    double longest = high > wide ? high : wide;
    if (strcmp(job.format, "png") != 0 || longest / inch * dpi <= most)
        return;
    GD_drawing(g)->dpi = most / longest * inch;
    snprintf(job.said, sizeof job.said,
             "too large for a PNG: drawn with %.0f dots to the inch, not %.0f; --depth N draws less, and SVG and PDF "
             "have no bounds",
             GD_drawing(g)->dpi, dpi);
    job.n_said = strlen(job.said);
}

static void render(GVC_t *gvc, graph_t *g) {
    unsigned n = 0;
    if (gvLayout(gvc, g, "dot") != 0)
        return;
    fit_dots(g);
    job.done = gvRenderData(gvc, g, job.format, &job.data, &n) == 0 && job.data != NULL;
    job.bytes = n;
    gvFreeLayout(gvc, g);
}

static void end_job(void) {
    pthread_mutex_lock(&job.lock);
    job.finished = 1;
    if (job.left_behind) {
        if (job.data != NULL)
            gvFreeRenderData(job.data);
        job.busy = 0;
    }
    pthread_cond_broadcast(&job.changed);
    pthread_mutex_unlock(&job.lock);
}

static void *draw_job(void *none) {
    agusererrf before = agseterrf(listen);
    GVC_t *gvc = gvContext();
    graph_t *g = gvc != NULL ? agmemread(job.dot) : NULL;
    tell(&job.parsed);
    if (g != NULL) {
        render(gvc, g);
        agclose(g);
    }
    if (gvc != NULL)
        gvFreeContext(gvc);
    agseterrf(before);
    end_job();
    return none;
}

/* ---- the caller ---- */

/* Waits a little for a change; with the lock. */
static void wait_a_little(void) {
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_nsec += POLL_NANOSECONDS;
    until.tv_sec += until.tv_nsec / SECOND;
    until.tv_nsec %= SECOND;
    pthread_cond_timedwait(&job.changed, &job.lock, &until);
}

/* Until the flag is what it should be, or the host says stop: then 0. With the lock, which the host does not see. */
static int wait_for(const int *flag, int wanted, const drawer_host *host) {
    while (*flag != wanted) {
        wait_a_little();
        pthread_mutex_unlock(&job.lock);
        int stop = host->stop(host->ctx);
        pthread_mutex_lock(&job.lock);
        if (stop && *flag != wanted)
            return 0;
    }
    return 1;
}

static int start(void) {
    pthread_t thread;
    if (pthread_create(&thread, NULL, draw_job, NULL) != 0)
        return 0;
    pthread_detach(thread);
    return 1;
}

/* With the lock. */
static drawer_result draw_in_turn(const drawer_host *host, drawn *out) {
    if (!start()) {
        snprintf(out->said, out->said_bytes, "no thread can be started");
        job.busy = 0;
        return DRAWER_FAILED;
    }
    while (!job.parsed)
        wait_a_little();
    if (!wait_for(&job.finished, 1, host)) {
        job.left_behind = 1;
        return DRAWER_STOPPED;
    }
    out->data = job.data;
    out->bytes = job.bytes;
    snprintf(out->said, out->said_bytes, "%s", job.said);
    job.busy = 0;
    pthread_cond_broadcast(&job.changed);
    return job.done ? DRAWER_DONE : DRAWER_FAILED;
}

static drawer_result draw(const char *dot, const char *format, const drawer_host *host, drawn *out) {
    drawer_result done = DRAWER_STOPPED;
    pthread_mutex_lock(&job.lock);
    if (wait_for(&job.busy, 0, host)) {
        job.busy = 1;
        job.parsed = job.finished = job.left_behind = job.done = 0;
        job.dot = dot;
        job.data = NULL;
        job.n_said = job.bytes = 0;
        job.said[0] = '\0';
        snprintf(job.format, sizeof job.format, "%s", format);
        done = draw_in_turn(host, out);
    }
    pthread_mutex_unlock(&job.lock);
    return done;
}

static void version(char *out, size_t n) {
    pthread_mutex_lock(&job.lock);
    while (job.busy)
        wait_a_little();
    GVC_t *gvc = gvContext();
    snprintf(out, n, "Graphviz %s", gvc != NULL ? gvcVersion(gvc) : "");
    if (gvc != NULL)
        gvFreeContext(gvc);
    pthread_mutex_unlock(&job.lock);
}

static const drawer table = {DRAWER_VERSION, draw, gvFreeRenderData, version};

__attribute__((visibility("default"))) const drawer *tenon_draw_query(uint32_t asked) {
    return asked == DRAWER_VERSION ? &table : NULL;
}
