/* Takes models through everything: import, passes, lowering, C, machine code. usage: run_models [-o FOLDER] < PATHS
 *
 * Reads paths, one a line, and answers each with a line "STATUS MILLISECONDS MEBIBYTES MESSAGE": processor time, and
 * the most memory that tenon held at a time. MESSAGE is the first error's. With -o the C of model number i goes into
 * FOLDER/i. A model that takes more than SECONDS_MOST of processor time ends the process, as does what breaks it. */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <time.h>

#include <tenon/tenon.h>

#define SECONDS_MOST 20 /* the script judges; this is for what would never end */
#define SCRATCH_MOST ((size_t)1 << 30)

typedef struct usage {
    size_t now, most;
    size_t limit; /* of `now`: more is refused; 0: none */
} usage;

static void *resize(void *data, void *block, size_t old_bytes, size_t new_bytes) {
    usage *u = data;
    if (new_bytes == 0) {
        free(block);
        u->now -= old_bytes;
        return NULL;
    }
    bool grows = new_bytes > old_bytes;
    if (grows && u->limit > 0 && new_bytes - old_bytes > u->limit - (u->now < u->limit ? u->now : u->limit))
        return NULL;
    void *p = realloc(block, new_bytes);
    if (p == NULL)
        return NULL;
    u->now += new_bytes - old_bytes;
    if (u->now > u->most)
        u->most = u->now;
    return p;
}

static void limit_time(long seconds) {
    struct itimerval t = {{0, 0}, {seconds, 0}};
    setitimer(ITIMER_PROF, &t, NULL);
}

static double processor_ms(void) {
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec * 1e-6;
}

static tenon_status emit_c(tenon_graph *graph, const char *folder) {
    tenon_files *files;
    tenon_status s = tenon_emit(graph, &files);
    if (s == TENON_DONE && folder != NULL)
        s = tenon_files_write(files, folder);
    tenon_files_free(files);
    return s;
}

/* Compiling is to need little. What a model runs in is as large as its file says, and need not be had. */
static tenon_status take(tenon_context *context, tenon_options *options, const char *path, const char *folder,
                         usage *u) {
    tenon_graph *graph;
    tenon_code *code;
    tenon_status s = tenon_graph_open(context, path, options, &graph);
    if (s == TENON_DONE)
        s = emit_c(graph, folder);
    if (s == TENON_DONE) {
        u->limit = SCRATCH_MOST;
        s = tenon_code_new(graph, &code);
        tenon_code_free(code);
    }
    tenon_graph_free(graph);
    return s;
}

/* A refusal without a reason is a fault of its own. */
static const char *first_error(tenon_context *context, tenon_status s) {
    for (size_t i = 0; i < tenon_message_count(context); i++)
        if (tenon_message_is_error(context, i))
            return tenon_message(context, i);
    return s == TENON_DONE ? "" : "NO MESSAGE";
}

static void run_one(const char *path, const char *folder) {
    usage u = {0};
    tenon_host host = {.struct_size = sizeof host, .data = &u, .resize = resize};
    tenon_context *context;
    tenon_options *options = NULL;
    double begin = processor_ms();
    limit_time(SECONDS_MOST);
    tenon_status s = tenon_context_new(&host, &context);
    if (s == TENON_DONE)
        s = tenon_options_new(context, &options);
    if (s == TENON_DONE)
        s = tenon_options_set(options, "emit", "c");
    if (s == TENON_DONE)
        s = take(context, options, path, folder, &u);
    limit_time(0);
    const char *why = context != NULL ? first_error(context, s) : "NO CONTEXT";
    printf("%d %.0f %.0f %.*s\n", (int)s, processor_ms() - begin, (double)u.most / 1048576, (int)strcspn(why, "\n"),
           why);
    fflush(stdout);
    tenon_options_free(options);
    tenon_context_free(context);
    if (u.now != 0) {
        fprintf(stderr, "%s: %zu bytes are not given back\n", path, u.now);
        abort();
    }
}

int main(int argc, char **argv) {
    const char *root = argc == 3 && strcmp(argv[1], "-o") == 0 ? argv[2] : NULL;
    char path[4096], folder[4200];
    for (size_t i = 0; fgets(path, sizeof path, stdin) != NULL; i++) {
        path[strcspn(path, "\n")] = '\0';
        if (root != NULL)
            snprintf(folder, sizeof folder, "%s/%zu", root, i);
        run_one(path, root != NULL ? folder : NULL);
    }
    return 0;
}
