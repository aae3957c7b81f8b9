/* A plugin that harms the process that it is in, as the variable HARM says: see test_isolate.py and test_isolated.c. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <tenon/plugin.h>

static int harm(const char *name) {
    const char *asked = getenv("HARM");
    return asked != NULL && strcmp(asked, name) == 0;
}

static void crash(void) {
    volatile int *volatile nowhere = NULL;
    *nowhere = 1;
}

static void hang(void) {
    for (;;)
        pause();
}

static void stop(void) {
    raise(SIGSTOP);
}

/* As programs do that do not look at what malloc gives. */
static void eat_each(size_t bytes) {
    for (;;)
        memset(malloc(bytes), 1, bytes);
}

static void eat(void) {
    eat_each((size_t)1 << 20);
}

static void eat_at_once(void) {
    eat_each((size_t)1 << 40);
}

static int overflow_from(volatile char *above) {
    volatile char here[4096];
    here[0] = *above;
    return overflow_from(here) + here[0];
}

static void overflow(void) {
    volatile char here = 1;
    overflow_from(&here);
}

static void talk(void) {
    puts("hello from the plugin");
    fflush(stdout);
}

static void leave(void) {
    exit(0);
}

static void leave_at_once(void) {
    _exit(0);
}

/* Everything that is open for writing, from 3 on. */
static void spoil(void) {
    static const char nonsense[] = "graph result 0 0 0 nonsense nonsense nonsense nonsense nonsense nonsense nonsense";
    for (int fd = 3; fd < 32; fd++)
        for (int i = 0; i < 100; i++)
            if (pwrite(fd, nonsense, sizeof nonsense, i * (off_t)sizeof nonsense) < 0)
                break;
}

/* When all is said; the plugin stays loaded (-z nodelete). */
static void spoil_late(void) {
    atexit(spoil);
}

static void close_all(void) {
    for (int fd = 0; fd < 1024; fd++)
        close(fd);
}

static void leave_child(void) {
    if (fork() == 0)
        hang();
}

static const struct row {
    const char *name;
    void (*act)(void);
} rows[] = {{"crash", crash},
            {"hang", hang},
            {"stop", stop},
            {"eat", eat},
            {"eat-at-once", eat_at_once},
            {"abort", abort},
            {"overflow", overflow},
            {"talk", talk},
            {"exit", leave},
            {"_exit", leave_at_once},
            {"spoil", spoil},
            {"spoil-late", spoil_late},
            {"close-all", close_all},
            {"leave-child", leave_child}};

/* HARM is "crash in open": what, and where. */
static void act(const char *where) {
    char name[64];
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        snprintf(name, sizeof name, "%s in %s", rows[i].name, where);
        if (harm(name))
            rows[i].act();
    }
}

static void write_weights(const tenon_plugin_host *host, tenon_graph *g) {
    const tenon_graph_1 *graph = host->get_interface(host, TENON_GRAPH_1);
    const tenon_tensor_1 *tensor = host->get_interface(host, TENON_TENSOR_1);
    for (tenon_value *v = graph->first_value(g); v != NULL; v = graph->next_value(v))
        if (graph->constant(v) != NULL && tensor->bytes(graph->constant(v)) > 256)
            *(volatile char *)(uintptr_t)tensor->data(graph->constant(v)) = 1;
}

/* The descriptors beside the standard ones, and whether there is input. */
static int say_what_is_open(const tenon_plugin_host *host) {
    const tenon_diag_1 *diag = host->get_interface(host, TENON_DIAG_1);
    int n = 0;
    char c;
    for (int fd = 3; fd < 1024; fd++)
        n += fcntl(fd, F_GETFD) >= 0;
    diag->error(host, NULL, "open", "%d descriptors, %d bytes of input", n, (int)read(STDIN_FILENO, &c, 1));
    return TENON_PASS_INVALID;
}

static int run(const tenon_plugin_host *host, void *state, tenon_graph *g) {
    const tenon_graph_1 *graph = host->get_interface(host, TENON_GRAPH_1);
    (void)state;
    if (graph->annotate(host, graph->first(g), "hostile", "yes") != TENON_OK)
        return TENON_PASS_RESOURCE;
    act("run");
    if (harm("write weights"))
        write_weights(host, g);
    if (harm("eat and say"))
        return malloc((size_t)1 << 40) == NULL ? TENON_PASS_RESOURCE : TENON_OK;
    return harm("say what is open") ? say_what_is_open(host) : TENON_OK;
}

static int open_plugin(const tenon_plugin_host *host, void **state) {
    static int opened;
    (void)host;
    act("open");
    *state = malloc(16);
    return harm("open once") && opened++ > 0 ? TENON_PASS_INVALID : TENON_OK;
}

/* "close twice": as one does that keeps its state in a global, and frees another's. */
static void close_plugin(void *state) {
    static void *last;
    act("close");
    if (harm("close twice") && last != NULL)
        crash();
    last = state;
    free(state);
}

__attribute__((constructor)) static void load(void) {
    act("load");
}

__attribute__((destructor)) static void unload(void) {
    act("unload");
}

static const tenon_pass pass = {sizeof pass, 0, "hostile", "does harm", "edit", NULL, NULL, NULL, run, NULL};
static const tenon_pass *const passes[] = {&pass, NULL};
#define HOSTILE(version_)                                                                                              \
    {.struct_size = sizeof(tenon_plugin),                                                                              \
     .abi = TENON_PLUGIN_ABI,                                                                                          \
     .name = "hostile",                                                                                                \
     .version = version_,                                                                                              \
     .passes = passes,                                                                                                 \
     .open = open_plugin,                                                                                              \
     .close = close_plugin}
static const tenon_plugin plugin = HOSTILE("1"), another = HOSTILE("2");

const tenon_plugin *tenon_plugin_query(uint32_t host_abi) {
    static int asked;
    act("query");
    if (harm("refuse newer") && host_abi > TENON_PLUGIN_ABI)
        return NULL;
    return harm("impure") && asked++ > 1 ? &another : &plugin;
}
