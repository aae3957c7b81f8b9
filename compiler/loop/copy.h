/* Copies of a kernel's body. Private to loop/. */
#ifndef TENON_LOOP_COPY_H
#define TENON_LOOP_COPY_H

#include "base/map.h"
#include "loop/loop.h"

typedef struct kernel_copy {
    const kernel *k;
    builder *b; /* where the copy goes: its current block */
    /* Makes an operation (no LOAD or REG) anew; NULL: build_like. */
    const expr *(*spell)(builder *b, const expr *x, const expr *const *args);
    const int *buffers;        /* new number of each buffer; NULL: the same */
    const expr *const *shifts; /* what is added to each buffer's indices; NULL: nothing */
    /* the copier's own */
    map to;    /* old expression -> new */
    int *regs; /* old register array -> new */
    status result;
} kernel_copy;

status kernel_copy_body(kernel_copy *c);

#endif
