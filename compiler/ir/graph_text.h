/* The text form of constants, shared by graph_print.c and graph_parse.c.
 *
 *   graph "main"(%ids: i64[batch,128]) {
 *     opset "" 17
 *     meta "producer_name" "pytorch"
 *     const %w: f32[128,2] = sha256:6c1f... bytes 1024
 *     const %axes: i64[2] = [0, -1]
 *     %x: f32[batch,64], %y: f32[batch,64] = Split-13(%a, _, %axes) {axis=1} name "split" source 12 note "k" "text"
 *     return %x as "logits", %y as "rest"
 *   }
 *
 * `_` is an absent input or output; `#` begins a comment; a value's name stands in quotes where it has other characters
 * than letters, digits and _ . / - (no colon). Types: "f32[*]" of unknown rank, "?[*]" nothing known. Attributes: 1
 * integer, 1.0 float, "s" string, [1, 2] list, `ints []` empty list, `tensor f32[2] [1, 2]`, `graph ...`.
 */
#ifndef TENON_IR_GRAPH_TEXT_H
#define TENON_IR_GRAPH_TEXT_H

#include "ir/graph.h"
#include "ir/scan.h"

/* May character c stand in a name without quotes? */
bool text_is_name_part(char c);

/* ---- graph_print.c ---- */
/* "axis=-1" */
void attr_print(const attr *a, strbuf *out);

/* ---- tensor_text.c ---- */
/* Element i, so that it reads back as the same bits. */
void element_print(dtype elem, const void *data, size_t i, strbuf *out);
/* Reads what element_print wrote into element i; false where it is not an element of that type. */
bool element_scan(scan *s, dtype elem, void *data, size_t i);
/* "[1, 2]", or the hash (or name, by NULL: the hash) where there are many elements. */
void tensor_print_data(const tensor *t, const graph_naming *by, strbuf *out);
/* Reads it: STATUS_INVALID with the reason in *out_why. */
status tensor_scan_data(scan *s, arena *a, const tensor_type *type, graph_resolver resolve, void *ctx, tensor **out,
                        const char **out_why);

#endif
