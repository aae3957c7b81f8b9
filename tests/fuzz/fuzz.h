/* What the fuzz targets share. Each is one file, fuzz_NAME.c, with the function that libFuzzer calls; linked to
 * replay.c instead, it runs files. */
#ifndef TENON_FUZZ_H
#define TENON_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/diag.h"
#include "base/memory.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

/* What must hold whatever the input is. */
#define FUZZ_CHECK(condition)                                                                                          \
    ((condition) ? (void)0 : (fprintf(stderr, "%s:%d: %s does not hold\n", __FILE__, __LINE__, #condition), abort()))

/* A refusal says why. */
static inline void fuzz_check_refusal(status s, const diag *d) {
    FUZZ_CHECK(s == STATUS_OK || diag_errors(d) > 0);
}

/* The input as a text; freed by the caller. */
static inline char *fuzz_text(const uint8_t *data, size_t n) {
    char *text = malloc(n + 1);
    FUZZ_CHECK(text != NULL);
    for (size_t i = 0; i < n; i++)
        text[i] = (char)data[i];
    text[n] = '\0';
    return text;
}

#endif
