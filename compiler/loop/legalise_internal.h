/* The rules of legalise.c: each spells one expression in operations that every target has. Not for other rooms. */
#ifndef TENON_LOOP_LEGALISE_INTERNAL_H
#define TENON_LOOP_LEGALISE_INTERNAL_H

#include "loop/loop.h"

/* ---- legalise_cast.c: CAST from and to f16, bf16 and the float8 kinds ---- */
bool legalise_is_narrow(dtype t);
/* Is CAST between these types an instruction of the target, or ordinary arithmetic? */
bool legalise_cast_is_legal(const target *t, dtype from, dtype to);
const expr *legalise_cast(builder *b, dtype to, const expr *x);

/* ---- legalise_float.c: f32 and f64 ---- */
const expr *legalise_sqrt(builder *b, const expr *x);
const expr *legalise_floor(builder *b, const expr *x);
const expr *legalise_ceil(builder *b, const expr *x);
const expr *legalise_trunc(builder *b, const expr *x);
const expr *legalise_rint(builder *b, const expr *x);

#endif
