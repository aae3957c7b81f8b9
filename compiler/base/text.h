/* Text: a growing string buffer, identifier making, nearest-name suggestion, sha256. */
#ifndef TENON_BASE_TEXT_H
#define TENON_BASE_TEXT_H

#include <stdarg.h>

#include "base/memory.h"

/* A growing, always terminated string in an arena. After a failed allocation `failed` stays set,
 * further output is dropped, and strbuf_finish says so: check once at the end. */
typedef struct strbuf {
    arena *memory;
    char *text;
    size_t n, cap;
    bool failed;
} strbuf;

strbuf strbuf_in(arena *a);
void strbuf_add(strbuf *s, const char *text);
void strbuf_add_n(strbuf *s, const char *text, size_t n);
void strbuf_char(strbuf *s, char c);
void strbuf_printf(strbuf *s, const char *format, ...) __attribute__((format(printf, 2, 3)));
void strbuf_vprintf(strbuf *s, const char *format, va_list args);
/* Shortest decimal text that reads back as the same double / float: "1" (no point where whole), "0.5", "1e-7";
 * "inf", "-inf", "nan". The same in every locale. */
void strbuf_double(strbuf *s, double x);
void strbuf_float(strbuf *s, float x);
/* Between double quotes with \" \\ \n \t \xNN escapes: printable ASCII whatever the input. Reads back. */
void strbuf_quoted(strbuf *s, const char *text, size_t n);
/* The text (never NULL) and STATUS_OK, or STATUS_RESOURCE. */
status strbuf_finish(strbuf *s, const char **out_text);

/* `name` as a C identifier: other characters become '_', a leading digit or a C keyword gets '_' in front. */
char *text_identifier(arena *a, const char *name);
/* Edit distance based: the entry of `names` (n) nearest to `wrong`, or NULL where none is near. */
const char *text_nearest(const char *wrong, const char *const *names, size_t n);
/* Does `text` match the glob (`*`, `?`)? */
bool text_glob(const char *glob, const char *text);
/* Bytes of the UTF-8 character that `text` begins with, 0 where it begins with none. */
size_t text_utf8_length(const char *text);
/* Lower-case hex sha256 of the bytes into out[65]. */
void text_sha256(const void *bytes, size_t n, char out[65]);

#endif
