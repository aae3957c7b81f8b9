/* Words, numbers and messages between tenon and its workers. */
#include "plugin/wire.h"

#include <string.h>

void wire_put(strbuf *out, const char *text) {
    strbuf_char(out, ' ');
    if (text == NULL)
        strbuf_char(out, '_');
    else
        strbuf_quoted(out, text, strlen(text));
}

void wire_put_real(strbuf *out, double x) {
    strbuf_char(out, ' ');
    strbuf_double(out, x);
}

wire wire_read(const char *text, size_t n, arena *a) {
    return (wire){.s = scan_text(text, n), .a = a, .ok = true};
}

bool wire_take(wire *w, const char *word) {
    return w->ok && scan_take(&w->s, word);
}

const char *wire_text(wire *w) {
    const char *text;
    size_t n;
    if (!w->ok)
        return "";
    status s = scan_quoted(&w->s, w->a, &text, &n);
    w->ok = s == STATUS_OK && memchr(text, '\0', n) == NULL;
    w->out_of_memory = s == STATUS_RESOURCE;
    return w->ok ? text : "";
}

const char *wire_optional(wire *w) {
    return wire_take(w, "_") ? NULL : wire_text(w);
}

int64_t wire_integer(wire *w, int64_t least, int64_t most) {
    int64_t x;
    w->ok = w->ok && scan_int(&w->s, &x) && x >= least && x <= most;
    return w->ok ? x : 0;
}

double wire_real(wire *w) {
    double x;
    w->ok = w->ok && scan_float(&w->s, false, &x);
    return w->ok ? x : 0;
}

status wire_status(const wire *w) {
    return w->ok ? STATUS_OK : w->out_of_memory ? STATUS_RESOURCE : STATUS_INVALID;
}

/* ---- messages ---- */

void wire_put_messages(strbuf *out, const diag *d) {
    for (size_t i = 0; i < diag_count(d); i++) {
        const diag_item *item = diag_at(d, i);
        strbuf_printf(out, "message %d %d", (int)item->severity, (int)item->code);
        wire_put(out, item->id);
        wire_put(out, item->place);
        wire_put(out, item->message);
        for (size_t k = 0; k < item->n_notes; k++) {
            strbuf_add(out, " note");
            wire_put(out, item->notes[k]);
        }
        strbuf_char(out, '\n');
    }
}

/* An error has a code, so that it cannot be taken for success. */
static status read_message(wire *w, diag_item *out) {
    VEC(const char *) notes = {0};
    *out = (diag_item){.severity = (diag_severity)wire_integer(w, DIAG_ERROR, DIAG_INFO)};
    out->code = (status)wire_integer(w, out->severity == DIAG_ERROR ? STATUS_USAGE : STATUS_OK, STATUS_RESOURCE);
    out->id = wire_text(w);
    out->place = wire_text(w);
    out->message = wire_text(w);
    while (wire_take(w, "note"))
        TRY(VEC_PUSH(w->a, notes, wire_text(w)));
    out->notes = notes.at;
    out->n_notes = notes.n;
    return wire_status(w);
}

void wire_messages(wire *w, diag *d) {
    while (wire_take(w, "message")) {
        diag_item item;
        status s = read_message(w, &item);
        if (s == STATUS_OK)
            diag_add(d, &item);
        w->out_of_memory |= s == STATUS_RESOURCE;
        w->ok &= s == STATUS_OK;
    }
}
