/* The words that print.c and parse.c share.
 *
 *   program NAME target "x86-64-v3" arena 4096 {
 *     origin "..."
 *     input x "X:0": f32[1, 16]    output y: f32[1, 8]       (the text after a name: what the model calls it)
 *     const w: f32[4] = { 1 2 3 4 }     const v: f32[65] = sha256 "..."     arena t: f32[8] at 64
 *     kernel NAME(a: f32[16] read, b: f32[8] write) {
 *       reg acc: f32x8[2]
 *       for i < 64 { ... }             parallel for i < 64 { ... }
 *       let t: f32x8 = load<f32x8>(a, i*8 + 4)
 *       set acc[0] = fma(t, broadcast<8>(f32(0.5)), acc[0])
 *       store b[i*8] = acc[0]          store b[i*8, mask] = acc[0]
 *       if lt(i, 4) { ... } else { ... }
 *       check le(i, 4), 3
 *       note "..."
 *     }
 *     step NAME(x, t@8) node 3 macs 100 note "..."
 *   }
 *
 * Expressions: a variable's name; `12`, an i64; `f32(0.5)`, `u8(255)`, `bool(1)`, constants of other types; `acc[0]`, a
 * register; + - * / % with the usual precedence, left to right; everything else is a word of expr.def, what it needs to
 * know between < >, and its operands:
 *   load<type>(buffer, index) or (buffer, index, mask)    broadcast<lanes>(x)    ramp<lanes, stride>(x)
 *   shuffle<lane, lane ...>(x, y)    cast<element type>(x), saturate<..>(x), bitcast<..>(x)    min(x, y) ... */
#ifndef TENON_LOOP_LOOP_TEXT_H
#define TENON_LOOP_LOOP_TEXT_H

#include "loop/loop.h"

/* Constants of more elements are printed as their sha256. */
#define TEXT_INLINE_ELEMENTS 64

/* How an operation's word is followed. */
typedef enum text_form { FORM_PLAIN, FORM_TYPE, FORM_LANES, FORM_RAMP, FORM_SHUFFLE, FORM_ELEM } text_form;
text_form text_form_of(expr_kind k);
const char *text_kind_name(expr_kind k);
/* The operator that stands between operands: 0 none. */
char text_infix(expr_kind k);
/* 1 for + -, 2 for * / %, 3 for everything else. */
int text_precedence(expr_kind k);
const char *text_access_name(buffer_access a);

#endif
