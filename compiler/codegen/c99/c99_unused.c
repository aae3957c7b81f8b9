/* Drops what nothing uses from a kernel's text, constants and registers: a compiler would warn about them. A value is
 * spelt before it is known which of its parts are needed. */
#include <string.h>

#include "codegen/c99/c99.h"

static bool is_letter(char x) {
    return (x >= 'a' && x <= 'z') || (x >= 'A' && x <= 'Z') || x == '_';
}

static bool is_word(char x) {
    return is_letter(x) || (x >= '0' && x <= '9');
}

/* The name that a line sets, `NAME = ...` or `TYPE NAME = ...`: nothing else happens there. NULL for other lines. */
static const char *sets(const char *line, const char *end, size_t *out_n) {
    const char *stop = line;
    while (stop < end && (is_word(*stop) || *stop == ' '))
        stop++;
    if (stop == end || *stop != '=' || stop - line < 2)
        return NULL;
    const char *name = --stop;
    while (name > line && is_word(name[-1]))
        name--;
    *out_n = (size_t)(stop - name);
    return *out_n == 0 ? NULL : name;
}

bool c99_is_used(const map *used, const char *name, size_t n) {
    return map_get_key(used, hash_bytes(name, n, 0)) != NULL;
}

static status use_words(map *used, const char *line, const char *end) {
    while (line < end) {
        if (!is_word(*line)) {
            line++;
            continue;
        }
        const char *start = line;
        while (line < end && is_word(*line))
            line++;
        if (is_letter(*start))
            TRY(map_set_key(used, hash_bytes(start, (size_t)(line - start), 0), used));
    }
    return STATUS_OK;
}

/* One look at every line from the end, so that most uses come before what they use; kept[] is by a line's first
 * character. */
static status keep_used(const char *text, size_t n, char *kept, map *used, bool *out_more) {
    const char *end = text + n;
    *out_more = false;
    while (end > text) {
        const char *line = end - 1;
        while (line > text && line[-1] != '\n')
            line--;
        size_t length = 0;
        const char *name = sets(line, end, &length);
        if (!kept[line - text] && (name == NULL || c99_is_used(used, name, length))) {
            kept[line - text] = 1;
            *out_more = true;
            TRY(use_words(used, name == NULL ? line : name + length, end));
        }
        end = line;
    }
    return STATUS_OK;
}

status c99_drop_unused(arena *scratch, const char *text, size_t n, map *used, strbuf *out) {
    char *kept = arena_alloc(scratch, n + 1);
    bool more = true;
    TRY_ALLOC(kept);
    while (more)
        TRY(keep_used(text, n, kept, used, &more));
    for (const char *line = text, *stop = text + n; line < stop;) {
        const char *next = memchr(line, '\n', (size_t)(stop - line));
        next = next == NULL ? stop : next + 1;
        if (kept[line - text])
            strbuf_add_n(out, line, (size_t)(next - line));
        line = next;
    }
    return STATUS_OK;
}
