/* Names of compiled kernels that lead to ONNX nodes, and where perf and gdb find them. */
#include "codegen/llvm/llvm_emit.h"

#include <ctype.h>
#include <llvm-c/ExecutionEngine.h>
#include <llvm-c/Object.h>
#include <llvm-c/OrcEE.h>
#include <string.h>

/* ---- names ---- */

/* Characters of a node's name in a symbol: long names differ at their ends. */
enum { LONGEST_NODE = 96 };

/* The nodes whose steps call kernel k: the first, and how many there are besides. */
static const char *lead_of(const program *p, int k, int *out_more) {
    const char *first = NULL, *last = NULL;
    *out_more = 0;
    for (size_t i = 0; i < p->steps.n; i++) {
        const char *lead = p->steps.at[i].lead;
        if (p->steps.at[i].kernel != k || lead == NULL || (last != NULL && strcmp(last, lead) == 0))
            continue;
        *out_more += first != NULL;
        first = first != NULL ? first : lead;
        last = lead;
    }
    return first;
}

/* Adds the end of a node's name: "/encoder/layer.0/MatMul" as encoder_layer_0_MatMul. */
static void add_node(strbuf *s, const char *name) {
    size_t n = strlen(name);
    name += n > LONGEST_NODE ? n - LONGEST_NODE : 0;
    while (*name != '\0' && !isalnum((unsigned char)*name))
        name++;
    for (; *name != '\0'; name++)
        strbuf_char(s, isalnum((unsigned char)*name) && (unsigned char)*name < 128 ? *name : '_');
}

const char *llvm_symbols_kernel(const program *p, int k, arena *a) {
    int more;
    const char *text, *lead = lead_of(p, k, &more);
    strbuf s = strbuf_in(a);
    strbuf_printf(&s, "%s__", p->name);
    if (lead != NULL) {
        add_node(&s, lead);
        if (more > 0)
            strbuf_printf(&s, "_and_%d_more", more);
        strbuf_add(&s, "__");
    }
    strbuf_add(&s, p->kernels.at[k]->name);
    return strbuf_finish(&s, &text) == STATUS_OK ? text : NULL;
}

/* ---- the symbol table of an object ---- */

typedef struct symbol_list {
    VEC(llvm_symbol) at;
    arena *memory;
} symbol_list;

/* The section that holds the symbol called `name`, and its place there. The iterator is the caller's. */
static LLVMSectionIteratorRef section_of(LLVMBinaryRef binary, const char *name, uint64_t *out_place) {
    LLVMSectionIteratorRef s = LLVMObjectFileCopySectionIterator(binary);
    LLVMSymbolIteratorRef i = LLVMObjectFileCopySymbolIterator(binary);
    for (; !LLVMObjectFileIsSymbolIteratorAtEnd(binary, i); LLVMMoveToNextSymbol(i)) {
        if (LLVMGetSymbolName(i) == NULL || strcmp(LLVMGetSymbolName(i), name) != 0)
            continue;
        *out_place = LLVMGetSymbolAddress(i);
        LLVMMoveToContainingSection(s, i);
        break;
    }
    LLVMDisposeSymbolIterator(i);
    return s;
}

static status list_section(LLVMBinaryRef binary, LLVMSectionIteratorRef section, uint64_t entry, symbol_list *l) {
    status result = STATUS_OK;
    LLVMSymbolIteratorRef i = LLVMObjectFileCopySymbolIterator(binary);
    for (; !LLVMObjectFileIsSymbolIteratorAtEnd(binary, i) && result == STATUS_OK; LLVMMoveToNextSymbol(i)) {
        const char *name = LLVMGetSymbolName(i);
        if (name == NULL || LLVMGetSymbolSize(i) == 0 || !LLVMGetSectionContainsSymbol(section, i))
            continue;
        llvm_symbol one = {arena_strdup(l->memory, name), (uintptr_t)(LLVMGetSymbolAddress(i) - entry),
                           (size_t)LLVMGetSymbolSize(i)};
        result = one.name != NULL ? VEC_PUSH(l->memory, l->at, one) : STATUS_RESOURCE;
    }
    LLVMDisposeSymbolIterator(i);
    return result;
}

status llvm_symbols_list(LLVMMemoryBufferRef object, const char *entry, arena *a, diag *d, llvm_symbol **out,
                         size_t *out_n) {
    char *message = NULL;
    LLVMBinaryRef binary = LLVMCreateBinary(object, NULL, &message);
    if (binary == NULL)
        return llvm_target_fail(message, "reading the object", d);
    uint64_t place = 0;
    symbol_list l = {.memory = a};
    LLVMSectionIteratorRef section = section_of(binary, entry, &place);
    status result = list_section(binary, section, place, &l);
    LLVMDisposeSectionIterator(section);
    LLVMDisposeBinary(binary);
    *out = l.at.at;
    *out_n = l.at.n;
    return result;
}

/* ---- gdb ---- */

/* The linker that can tell a listener; the default one cannot without LLVM's own runtime in the process. */
static LLVMOrcObjectLayerRef telling_layer(void *ctx, LLVMOrcExecutionSessionRef session, const char *triple) {
    (void)ctx;
    (void)triple;
    LLVMOrcObjectLayerRef layer = LLVMOrcCreateRTDyldObjectLinkingLayerWithSectionMemoryManager(session);
    LLVMOrcRTDyldObjectLinkingLayerRegisterJITEventListener(layer, LLVMCreateGDBRegistrationListener());
    return layer;
}

void llvm_symbols_tell_gdb(LLVMOrcLLJITBuilderRef settings) {
    LLVMOrcLLJITBuilderSetObjectLinkingLayerCreator(settings, telling_layer, NULL);
}
