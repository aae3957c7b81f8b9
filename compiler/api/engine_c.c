/* The back end that goes through C: the program is written as C99, compiled by $CC into a shared object, and opened. */
#include <dlfcn.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "api/engine.h"
#include "api/files.h"
#include "frontend/mapped_file.h"
#include "tenon/runtime.h"

extern char **environ;

typedef struct opened {
    void *object;
    const tenon_model *model;
    const void *weights;
    size_t weights_bytes;
} opened;

/* ---- the compiler ---- */

enum { MAX_WORDS = 32 };

/* $CC may be several words: "ccache gcc". */
static size_t compiler_words(arena *a, char **out) {
    const char *cc = getenv("CC");
    size_t n = 0;
    char *text = arena_strdup(a, cc != NULL && cc[0] != '\0' ? cc : "cc");
    for (char *rest = text, *word; text != NULL && n < MAX_WORDS / 2 && (word = strsep(&rest, " ")) != NULL;)
        if (*word != '\0')
            out[n++] = word;
    return n;
}

/* Starts it with its messages in `log`, and with signals as a program expects them. */
static int spawn(pid_t *child, char **words, const char *log) {
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t nothing;
    sigemptyset(&nothing);
    int error = posix_spawn_file_actions_init(&actions);
    if (error != 0)
        return error;
    if ((error = posix_spawnattr_init(&attributes)) == 0) {
        posix_spawnattr_setsigmask(&attributes, &nothing);
        posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
        error = posix_spawn_file_actions_addopen(&actions, 1, log, O_WRONLY | O_CREAT | O_TRUNC, 0666);
        if (error == 0)
            error = posix_spawn_file_actions_adddup2(&actions, 1, 2);
        if (error == 0)
            error = posix_spawnp(child, words[0], &actions, &attributes, words, environ);
        posix_spawnattr_destroy(&attributes);
    }
    posix_spawn_file_actions_destroy(&actions);
    return error;
}

/* The first line that the compiler wrote. */
static const char *first_line(const char *log, arena *a) {
    mapped_file file;
    const char *why;
    if (mapped_file_open(a, log, &file, &why) != STATUS_OK || file.n == 0)
        return "it says nothing";
    const uint8_t *end = memchr(file.bytes, '\n', file.n);
    const char *line = arena_strndup(a, (const char *)file.bytes, end != NULL ? (size_t)(end - file.bytes) : file.n);
    return line != NULL ? line : "";
}

static status compile(engine *e, const char *folder, const char *source, const char *object) {
    diag *d = e->c->diags;
    char *words[MAX_WORDS + 1], *log = arena_printf(e->memory, "%s/log", folder);
    size_t n = compiler_words(e->memory, words);
    const char *const rest[] = {"-O2", "-shared", "-fPIC", "-I", folder, "-o", object, source};
    for (size_t i = 0; i < sizeof rest / sizeof *rest; i++)
        TRY_ALLOC(words[n++] = arena_strdup(e->memory, rest[i]));
    words[n] = NULL;
    TRY_ALLOC(log);
    pid_t child;
    int error = spawn(&child, words, log), outcome = 0;
    if (error != 0) {
        diag_error(d, STATUS_RESOURCE, "no-compiler", DIAG_NOWHERE, "cannot start the C compiler '%s': %s", words[0],
                   strerror(error));
        diag_note(d, "set CC to one that this machine has");
        return STATUS_RESOURCE;
    }
    while (waitpid(child, &outcome, 0) < 0 && errno == EINTR)
        ;
    TRY(context_check_stop(e->c));
    if (outcome == 0)
        return STATUS_OK;
    diag_error(d, STATUS_RESOURCE, "compiler-failed", DIAG_NOWHERE, "the C compiler '%s' refused the generated code",
               words[0]);
    diag_note(d, "%s", first_line(log, e->memory));
    return STATUS_RESOURCE;
}

/* ---- the object ---- */

/* Bytes of the executable sections of an ELF file. */
static size_t code_bytes(const char *path, arena *a) {
    mapped_file file;
    const char *why;
    Elf64_Ehdr head;
    if (mapped_file_open(a, path, &file, &why) != STATUS_OK || file.n < sizeof head)
        return 0;
    memcpy(&head, file.bytes, sizeof head);
    size_t bytes = 0;
    for (size_t i = 0; i < head.e_shnum && head.e_shoff <= file.n && head.e_shentsize == sizeof(Elf64_Shdr); i++) {
        Elf64_Shdr section;
        if ((i + 1) * sizeof section > file.n - head.e_shoff)
            break;
        memcpy(&section, file.bytes + head.e_shoff + i * sizeof section, sizeof section);
        if (section.sh_type == SHT_PROGBITS && (section.sh_flags & SHF_EXECINSTR) != 0)
            bytes += section.sh_size;
    }
    return bytes;
}

static status open_object(engine *e, opened *o, const char *path) {
    diag *d = e->c->diags;
    o->object = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (o->object == NULL)
        return diag_error(d, STATUS_RESOURCE, "object", DIAG_NOWHERE, "the compiled model cannot be opened: %s",
                          dlerror());
    const char *name = arena_printf(e->memory, "%s_model", e->p->name);
    TRY_ALLOC(name);
    tenon_model_query query = (tenon_model_query)(uintptr_t)dlsym(o->object, name);
    o->model = query != NULL ? query(TENON_ABI) : NULL;
    if (o->model == NULL)
        return diag_error(d, STATUS_RESOURCE, "object", DIAG_NOWHERE, "the compiled model has no '%s'", name);
    e->code_bytes = code_bytes(path, e->memory);
    return STATUS_OK;
}

static status write_sources(engine *e, const char *folder, const char *source, const c99_files *files) {
    diag *d = e->c->diags;
    const char *header = arena_printf(e->memory, "%s/%s.h", folder, e->p->name);
    const char *tenon = arena_printf(e->memory, "%s/tenon", folder);
    const char *runtime = arena_printf(e->memory, "%s/tenon/runtime.h", folder);
    if (header == NULL || tenon == NULL || runtime == NULL)
        return STATUS_RESOURCE;
    TRY(files_write(source, files->source, files->source_bytes, d));
    TRY(files_write(header, files->header, files->header_bytes, d));
    TRY(files_make_folder(tenon, d));
    return files_write(runtime, files_runtime_header, files_runtime_header_bytes, d);
}

/* The weights at an address that the model accepts: small blocks of an arena lie less well aligned. */
static status take_weights(engine *e, opened *o, const c99_files *files) {
    const size_t align = 64, large = 256;
    o->weights = files->weights;
    o->weights_bytes = files->weights_bytes;
    if ((uintptr_t)o->weights % align == 0)
        return STATUS_OK;
    void *copy = arena_alloc(e->memory, o->weights_bytes + large);
    TRY_ALLOC(copy);
    o->weights = memcpy(copy, o->weights, o->weights_bytes);
    return STATUS_OK;
}

static status build_in(engine *e, opened *o, const char *folder) {
    c99_files files;
    const char *source = arena_printf(e->memory, "%s/%s.c", folder, e->p->name);
    const char *object = arena_printf(e->memory, "%s/%s.so", folder, e->p->name);
    if (source == NULL || object == NULL)
        return STATUS_RESOURCE;
    TRY(c99_emit(e->p, WEIGHTS_BIN, e->memory, &files));
    TRY(take_weights(e, o, &files));
    TRY(write_sources(e, folder, source, &files));
    TRY(compile(e, folder, source, object));
    return open_object(e, o, object);
}

static status prepare(engine *e) {
    opened *o = ARENA_NEW(e->memory, opened);
    TRY_ALLOC(o);
    e->state = o;
    const char *folder = files_make_temporary(e->memory, e->c->diags);
    TRY_ALLOC(folder);
    status s = build_in(e, o, folder);
    files_remove(folder, e->memory);
    return s;
}

static status run(engine *e, const void *const *inputs, void *const *outputs, void *scratch, int *out_code) {
    const opened *o = e->state;
    tenon_env env = {.struct_size = sizeof env,
                     .arena = scratch,
                     .arena_bytes = (uint64_t)e->p->arena_bytes,
                     .weights = o->weights,
                     .weights_bytes = o->weights_bytes};
    *out_code = o->model->run(inputs, outputs, &env);
    return STATUS_OK;
}

static void release(engine *e) {
    opened *o = e->state;
    if (o != NULL && o->object != NULL)
        dlclose(o->object);
}

const engine_row engine_c = {.name = "c", .is_native = true, .prepare = prepare, .run = run, .release = release};
