/* Drops constants that nothing uses from a kernel's text: a compiler would warn about them. A value is spelt before it is
 * known which of its parts are needed. */
#include <string.h>

#include "codegen/c99/c99.h"

static bool is_letter(char x) {
    return (x >= 'a' && x <= 'z') || (x >= 'A' && x <= 'Z') || x == '_';
}

static bool is_word(char x) {
    return is_letter(x) || (x >= '0' && x <= '9');
}

/* The name that a line of the form `const TYPE NAME = ...` declares; NULL for other lines. */
static const char *declared(const char *line, const char *end, size_t *out_n) {
    while (line < end && *line == ' ')
        line++;
    if (end - line < 6 || memcmp(line, "const ", 6) != 0)
        return NULL;
    const char *stop = line;
    while (stop < end && *stop != '=')
        stop++;
    if (stop == end)
        return NULL;
    const char *name = --stop;
    while (name > line && is_word(name[-1]))
        name--;
    *out_n = (size_t)(stop - name);
    return name;
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

/* Names are unique in a kernel, and a name stands after its declaration: one pass from the end sees every use first. */
status c99_drop_unused(arena *scratch, const char *text, size_t n, strbuf *out) {
    map used = map_in(scratch);
    char *kept = arena_alloc(scratch, n + 1); /* by a line's first character */
    TRY_ALLOC(kept);
    const char *end = text + n;
    while (end > text) {
        const char *line = end - 1;
        while (line > text && line[-1] != '\n')
            line--;
        size_t length = 0;
        const char *name = declared(line, end, &length);
        kept[line - text] = name == NULL || map_get_key(&used, hash_bytes(name, length, 0)) != NULL;
        if (kept[line - text])
            TRY(use_words(&used, name == NULL ? line : name + length, end));
        end = line;
    }
    for (const char *line = text, *stop = text + n; line < stop;) {
        const char *next = memchr(line, '\n', (size_t)(stop - line));
        next = next == NULL ? stop : next + 1;
        if (kept[line - text])
            strbuf_add_n(out, line, (size_t)(next - line));
        line = next;
    }
    return STATUS_OK;
}
