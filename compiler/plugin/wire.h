/* What tenon and a worker that has a plugin tell each other, as text: words, numbers and quoted texts, read with
 * ir/scan.h. Private to plugin/.
 */
#ifndef TENON_PLUGIN_WIRE_H
#define TENON_PLUGIN_WIRE_H

#include "base/parcel.h"
#include "ir/scan.h"
#include "plugin/services.h"

/* The jobs of a worker. */
#define WIRE_DESCRIBE "describe" /* loads a plugin and tells what it declares */
#define WIRE_RUN "run"           /* runs one of its passes */
#define WIRE_VERSIONS "versions" /* asks it for other versions */
#define WIRE_REOPEN "reopen"     /* opens and closes it several times */

/* ---- wire.c: words ---- */

/* ` "text"`, or ` _` for NULL. */
void wire_put(strbuf *out, const char *text);
void wire_put_real(strbuf *out, double x);

/* A text being read; after the first mistake everything reads as empty, and `ok` is false: look at the end. */
typedef struct wire {
    scan s;
    arena *a;
    bool ok, out_of_memory;
} wire;

wire wire_read(const char *text, size_t n, arena *a);
/* Is this word next? Then it is taken. */
bool wire_take(wire *w, const char *word);
const char *wire_text(wire *w);     /* never NULL */
const char *wire_optional(wire *w); /* NULL for _ */
int64_t wire_integer(wire *w, int64_t least, int64_t most);
double wire_real(wire *w);
/* The reader's outcome: STATUS_INVALID where the text was not what was expected. */
status wire_status(const wire *w);

/* Diagnostics, each of `d`; reading adds them to `d`. */
void wire_put_messages(strbuf *out, const diag *d);
void wire_messages(wire *w, diag *d);

/* ---- wire_plugin.c: what a plugin declares ---- */
void wire_put_plugin(strbuf *out, const tenon_plugin *p);
/* A plugin that declares the same and cannot be called. */
const tenon_plugin *wire_plugin(wire *w);

/* ---- wire_graph.c: graphs ---- */

/* The contents that have been put into a parcel, or are there to be referred to. */
typedef struct wire_store {
    parcel *to; /* new contents go there */
    arena *a;
    map known; /* by their address, and those of `from` by their place: const wire_blob * */
    const parcel *from;
    const uint8_t *mapped; /* of `from`; NULL: it is read */
    size_t mapped_bytes;
} wire_store;

/* For sending first: contents go to `to`. */
status wire_store_send(wire_store *s, parcel *to, arena *a);
/* For the one who was sent them, all in `request`, and adds its own to `answer`. */
status wire_store_receive(wire_store *s, const parcel *request, parcel *answer, arena *a);

/* The graph with its state; it has to come last. */
status wire_put_graph(strbuf *out, const graph *g, wire_store *s);
/* Reads it. Known contents are those of `s`; others are copied from the parcel `answer` (NULL: there are none). */
status wire_graph(wire *w, wire_store *s, const parcel *answer, const char *file, const allocator *from, diag *d,
                  const op_table *ops, graph **out);
/* Contents alone. */
status wire_put_tensor(strbuf *out, const tensor *t, wire_store *s);
status wire_tensor(wire *w, const wire_store *s, const parcel *answer, arena *a, tensor **out);

#endif
