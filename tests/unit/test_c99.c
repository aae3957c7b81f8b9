/* rooms: codegen loop base */
/* Generated C against the interpreter, bit for bit: every expression kind with every element type and several lane
 * counts, the cases of the JIT's test. */
#include "test_c99_support.h"

#define open_module engine_table
#define bench_compare engine_compare
#define bench_compile engine_compile
#define main jit_main
#include "test_llvm.c"
#undef main

int main(void) {
    /* It reads LLVM's assembly; of compiled C, compile_model looks at the undefined symbols. */
    cmocka_set_skip_filter("llvm_calls_no_library");
    return jit_main();
}
