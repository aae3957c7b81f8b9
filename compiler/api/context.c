/* Contexts and their messages. */
#include "api/context.h"

#include <string.h>
#include <time.h>

_Static_assert((int)TENON_DONE == (int)STATUS_OK && (int)TENON_DIFFER == (int)STATUS_DIFFER &&
                   (int)TENON_USAGE == (int)STATUS_USAGE && (int)TENON_INVALID == (int)STATUS_INVALID &&
                   (int)TENON_UNSUPPORTED == (int)STATUS_UNSUPPORTED && (int)TENON_RESOURCE == (int)STATUS_RESOURCE,
               "both are the command's exit codes");

TENON_API const char *tenon_version(void) {
    return TENON_VERSION;
}

TENON_API const char *tenon_nearest(const char *wrong, const char *const *names, size_t n) {
    return text_nearest(wrong, names, n);
}

/* As much of the host's struct as it has. */
static tenon_host copy_host(const tenon_host *host) {
    tenon_host copy = {.struct_size = sizeof copy};
    if (host != NULL) {
        memcpy(&copy, host, host->struct_size < sizeof copy ? host->struct_size : sizeof copy);
        copy.struct_size = sizeof copy;
    }
    return copy;
}

TENON_API tenon_status tenon_context_new(const tenon_host *host, tenon_context **out) {
    *out = NULL;
    tenon_host h = copy_host(host);
    allocator memory = h.resize != NULL ? (allocator){h.resize, h.data} : allocator_system;
    tenon_context *c = memory.resize(memory.ctx, NULL, 0, sizeof *c);
    if (c == NULL)
        return TENON_RESOURCE;
    *c = (tenon_context){.memory = memory, .host = h};
    c->diags = diag_new(&c->memory);
    c->lines = arena_new(&c->memory);
    if (c->diags == NULL || c->lines == NULL) {
        tenon_context_free(c);
        return TENON_RESOURCE;
    }
    *out = c;
    return TENON_DONE;
}

TENON_API void tenon_context_free(tenon_context *c) {
    if (c == NULL)
        return;
    diag_free(c->diags);
    arena_free(c->lines);
    c->memory.resize(c->memory.ctx, c, sizeof *c, 0);
}

TENON_API size_t tenon_message_count(const tenon_context *c) {
    return diag_count(c->diags);
}

TENON_API const char *tenon_message(tenon_context *c, size_t i) {
    const char *line = i < diag_count(c->diags) ? diag_line(c->diags, i, c->lines) : "";
    return line != NULL ? line : "tenon: error[out-of-memory]: out of memory";
}

TENON_API int tenon_message_is_error(const tenon_context *c, size_t i) {
    return i < diag_count(c->diags) && diag_at(c->diags, i)->severity == DIAG_ERROR;
}

TENON_API void tenon_messages_clear(tenon_context *c) {
    diag_clear(c->diags);
    arena *fresh = arena_new(&c->memory);
    if (fresh == NULL)
        return;
    arena_free(c->lines);
    c->lines = fresh;
}

TENON_API tenon_status tenon_fail(tenon_context *c, tenon_status code, const char *id, const char *note,
                                  const char *format, ...) {
    va_list args;
    va_start(args, format);
    strbuf text = strbuf_in(c->lines);
    strbuf_vprintf(&text, format, args);
    va_end(args);
    const char *message;
    if (strbuf_finish(&text, &message) != STATUS_OK)
        message = "out of memory";
    diag_error(c->diags, (status)code, id, DIAG_NOWHERE, "%s", message);
    if (note != NULL)
        diag_note(c->diags, "%s", note);
    return code;
}

status context_check_stop(tenon_context *c) {
    if (c->host.stop == NULL || c->host.stop(c->host.data) == 0)
        return STATUS_OK;
    return diag_error(c->diags, STATUS_RESOURCE, "stopped", DIAG_NOWHERE, "stopped before the end");
}

void context_progress(tenon_context *c, const char *what, int64_t done, int64_t total) {
    if (c->host.progress != NULL)
        c->host.progress(c->host.data, what, done, total);
}

void context_note(tenon_context *c, const char *text) {
    if (c->host.note != NULL)
        c->host.note(c->host.data, text);
}

double clock_ms(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec * 1e-6;
}

int64_t clock_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

size_t context_begin(const tenon_context *c) {
    return diag_errors(c->diags);
}

tenon_status context_end(tenon_context *c, status s, size_t n_before) {
    if (s == STATUS_RESOURCE && diag_errors(c->diags) == n_before)
        diag_error(c->diags, s, "out-of-memory", DIAG_NOWHERE, "out of memory");
    return (tenon_status)s;
}
