/* rooms: codegen loop base */
/* Generated C against the interpreter on random programs: every third of the JIT's test. */
#include "test_c99_support.h"

#define open_module engine_table
#define bench_compare engine_compare
#define bench_compile engine_compile
#define main jit_main
#include "test_llvm_random.c"
#undef main

int main(void) {
    engine.skips = 3;
    return jit_main();
}
