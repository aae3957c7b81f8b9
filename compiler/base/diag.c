/* Diagnostics: collecting them, and printing one as a line. */
#include "base/diag.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

enum { NAME_LIMIT = 200, NAME_HEAD = 100 };

struct diag {
    arena *memory;
    arena_mark empty; /* the arena with nothing but this struct */
    VEC(diag_item) items;
    size_t notes_cap; /* of the last item */
    size_t n_errors;
    bool lost;      /* something could not be kept: OUT_OF_MEMORY follows the items */
    bool last_lost; /* that was the last item, so its notes have no place either */
};

static const diag_item OUT_OF_MEMORY = {
    .severity = DIAG_ERROR, .code = STATUS_RESOURCE, .id = "out-of-memory", .place = "", .message = "out of memory"};

static const char *const SEVERITIES[] = {[DIAG_ERROR] = "error", [DIAG_WARNING] = "warning", [DIAG_INFO] = "info"};

/* An empty collector; NULL when out of memory. */
diag *diag_new(const allocator *from) {
    arena *memory = arena_new(from);
    diag *d = memory == NULL ? NULL : ARENA_NEW(memory, diag);
    if (d == NULL) {
        arena_free(memory);
        return NULL;
    }
    d->memory = memory;
    d->empty = arena_get_mark(memory);
    return d;
}

/* Frees the collector and its items; NULL is allowed. */
void diag_free(diag *d) {
    if (d != NULL)
        arena_free(d->memory);
}

/* Bytes of the valid UTF-8 character at p, 0 where there is none; *out is the character. */
static size_t utf8_at(const unsigned char *p, size_t left, uint32_t *out) {
    static const uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
    size_t n = p[0] < 0x80 ? 1 : p[0] >> 5 == 6 ? 2 : p[0] >> 4 == 14 ? 3 : p[0] >> 3 == 30 ? 4 : 0;
    if (n == 0 || n > left)
        return 0;
    uint32_t c = n == 1 ? p[0] : p[0] & (0x7fu >> n);
    for (size_t i = 1; i < n; i++) {
        if (p[i] >> 6 != 2)
            return 0;
        c = c << 6 | (p[i] & 63);
    }
    if (c < smallest[n] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
        return 0;
    *out = c;
    return n;
}

/* Characters that would break the line, move the cursor, or turn the direction of reading. */
static bool is_unprintable(uint32_t c) {
    return c < 0x20 || (c >= 0x7f && c < 0xa0) || c == 0x200e || c == 0x200f || (c >= 0x2028 && c <= 0x202e) ||
           (c >= 0x2066 && c <= 0x2069);
}

/* Bytes of the next thing to print as a whole: a character, or a byte that is none. */
static size_t add_character(strbuf *s, const char *text, size_t left, bool print) {
    uint32_t c = 0;
    size_t n = utf8_at((const unsigned char *)text, left, &c);
    size_t step = n == 0 ? 1 : n;
    if (!print)
        return step;
    if (n != 0 && !is_unprintable(c)) {
        strbuf_add_n(s, text, n);
    } else if (c == '\n' || c == '\t') {
        strbuf_add(s, c == '\n' ? "\\n" : "\\t");
    } else {
        for (size_t i = 0; i < step; i++)
            strbuf_printf(s, "\\x%02x", (unsigned char)text[i]);
    }
    return step;
}

/* A name, with unprintable characters escaped, and the middle left out where it is long. */
static void add_name(strbuf *s, const char *name, size_t n) {
    size_t characters = 0;
    for (size_t i = 0; i < n; characters++)
        i += add_character(s, name + i, n - i, false);
    size_t gap_from = NAME_HEAD, gap_to = NAME_HEAD;
    if (characters > NAME_LIMIT)
        gap_to = characters - (NAME_LIMIT - NAME_HEAD - strlen("..."));
    for (size_t i = 0, at = 0; i < n; at++) {
        if (at == gap_from && gap_to > gap_from)
            strbuf_add(s, "...");
        i += add_character(s, name + i, n - i, at < gap_from || at >= gap_to);
    }
}

/* Free text: each of its words is treated as a name. */
static void add_words(strbuf *s, const char *text) {
    for (;;) {
        size_t word = strcspn(text, " ");
        add_name(s, text, word);
        text += word;
        if (*text == '\0')
            return;
        strbuf_char(s, *text++);
    }
}

/* "file: graph/node 12 'name' (op)", with only the parts that are known; "" for nowhere. */
static status format_place(arena *a, diag_place where, const char **out) {
    strbuf s = strbuf_in(a);
    bool inner = where.node >= 0 || where.name != NULL || where.op != NULL;
    if (where.file != NULL)
        add_name(&s, where.file, strlen(where.file));
    else if (where.graph != NULL || inner)
        strbuf_add(&s, "tenon");
    if (where.graph != NULL || inner)
        strbuf_add(&s, ": ");
    if (where.graph != NULL)
        add_name(&s, where.graph, strlen(where.graph));
    const char *before = where.graph == NULL ? "" : "/";
    if (where.node >= 0) {
        strbuf_printf(&s, "%snode %lld", before, (long long)where.node);
        before = " ";
    }
    if (where.name != NULL) {
        strbuf_printf(&s, "%s'", before);
        add_name(&s, where.name, strlen(where.name));
        strbuf_char(&s, '\'');
        before = " ";
    }
    if (where.op != NULL) {
        strbuf_printf(&s, "%s(", before);
        add_name(&s, where.op, strlen(where.op));
        strbuf_char(&s, ')');
    }
    return strbuf_finish(&s, out);
}

static status add_item(diag *d, diag_severity severity, status code, const char *id, diag_place where,
                       const char *format, va_list args) {
    diag_item item = {.severity = severity, .code = code};
    TRY_ALLOC(item.id = arena_strdup(d->memory, id));
    TRY(format_place(d->memory, where, &item.place));
    strbuf message = strbuf_in(d->memory);
    strbuf_vprintf(&message, format, args);
    TRY(strbuf_finish(&message, &item.message));
    TRY(VEC_PUSH(d->memory, d->items, item));
    d->notes_cap = 0;
    d->n_errors += severity == DIAG_ERROR;
    return STATUS_OK;
}

static void keep(diag *d, status outcome) {
    d->last_lost = outcome != STATUS_OK;
    d->lost |= d->last_lost;
}

/* Adds an error and returns `code`. */
status diag_error(diag *d, status code, const char *id, diag_place where, const char *format, ...) {
    va_list args;
    va_start(args, format);
    keep(d, add_item(d, DIAG_ERROR, code, id, where, format, args));
    va_end(args);
    return code;
}

/* Adds a warning. */
void diag_warn(diag *d, const char *id, diag_place where, const char *format, ...) {
    va_list args;
    va_start(args, format);
    keep(d, add_item(d, DIAG_WARNING, STATUS_OK, id, where, format, args));
    va_end(args);
}

/* A place that is printed already: nothing is cut, what does not print is escaped. */
static status copy_place(arena *a, const char *place, const char **out) {
    strbuf s = strbuf_in(a);
    size_t n = strlen(place);
    for (size_t i = 0; i < n;)
        i += add_character(&s, place + i, n - i, true);
    return strbuf_finish(&s, out);
}

static status copy_item(diag *d, const diag_item *from) {
    diag_item item = {.severity = from->severity, .code = from->code, .n_notes = from->n_notes};
    TRY_ALLOC(item.id = arena_strdup(d->memory, from->id));
    TRY(copy_place(d->memory, from->place, &item.place));
    TRY_ALLOC(item.message = arena_strdup(d->memory, from->message));
    TRY_ALLOC(item.notes = ARENA_NEW_N(d->memory, const char *, from->n_notes + 1));
    for (size_t i = 0; i < from->n_notes; i++)
        TRY_ALLOC(item.notes[i] = arena_strdup(d->memory, from->notes[i]));
    TRY(VEC_PUSH(d->memory, d->items, item));
    d->notes_cap = from->n_notes + 1;
    d->n_errors += item.severity == DIAG_ERROR;
    return STATUS_OK;
}

/* Adds a copy of an item of another collector. */
void diag_add(diag *d, const diag_item *item) {
    keep(d, copy_item(d, item));
}

static status add_note(diag *d, const char *format, va_list args) {
    diag_item *item = &d->items.at[d->items.n - 1];
    strbuf text = strbuf_in(d->memory);
    strbuf_vprintf(&text, format, args);
    const char *note;
    TRY(strbuf_finish(&text, &note));
    TRY(vec_reserve(d->memory, &item->notes, &d->notes_cap, sizeof *item->notes, item->n_notes + 1));
    item->notes[item->n_notes++] = note;
    return STATUS_OK;
}

/* A note under the last item; dropped where there is none, because it was lost. */
void diag_note(diag *d, const char *format, ...) {
    if (d->last_lost || d->items.n == 0)
        return;
    va_list args;
    va_start(args, format);
    d->lost |= add_note(d, format, args) != STATUS_OK;
    va_end(args);
}

/* Items, the one that says that others were lost included. */
size_t diag_count(const diag *d) {
    return d->items.n + d->lost;
}

/* Item i, valid until the next call that changes the collector. */
const diag_item *diag_at(const diag *d, size_t i) {
    return i < d->items.n ? &d->items.at[i] : &OUT_OF_MEMORY;
}

/* Items that are errors. */
size_t diag_errors(const diag *d) {
    return d->n_errors + d->lost;
}

/* Forgets everything. */
void diag_clear(diag *d) {
    arena_reset(d->memory, d->empty);
    *d = (diag){.memory = d->memory, .empty = d->empty};
}

/* Item i as printed: one line, and one for each note; no newline at the end. NULL when out of memory. */
char *diag_line(const diag *d, size_t i, arena *a) {
    const diag_item *item = diag_at(d, i);
    strbuf s = strbuf_in(a);
    strbuf_printf(&s, "%s: %s[%s]: ", item->place[0] == '\0' ? "tenon" : item->place, SEVERITIES[item->severity],
                  item->id);
    add_words(&s, item->message);
    for (size_t k = 0; k < item->n_notes; k++) {
        strbuf_add(&s, "\nnote: ");
        add_words(&s, item->notes[k]);
    }
    return s.failed ? NULL : s.text;
}

/* A broken invariant of ours: says where, and aborts. */
_Noreturn void diag_assert_failed(const char *condition, const char *file, int line) {
    fprintf(stderr, "tenon: internal error: %s:%d: %s\n", file, line, condition);
    abort();
}
