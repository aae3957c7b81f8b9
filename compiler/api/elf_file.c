/* Reading ELF: sections and the dynamic symbol table. */
#include "api/elf_file.h"

#include <elf.h>
#include <string.h>

#if defined(__x86_64__)
#define OWN_MACHINE EM_X86_64
#elif defined(__aarch64__)
#define OWN_MACHINE EM_AARCH64
#else
#define OWN_MACHINE EM_NONE
#endif

static const struct {
    unsigned id;
    const char *name;
} machines[] = {{EM_X86_64, "x86-64"}, {EM_AARCH64, "aarch64"}, {EM_386, "x86"},
                {EM_ARM, "arm"},       {EM_RISCV, "riscv"},     {EM_PPC64, "powerpc64"}};

static const char *machine_name(unsigned id) {
    for (size_t i = 0; i < sizeof machines / sizeof *machines; i++)
        if (machines[i].id == id)
            return machines[i].name;
    return "another machine";
}

bool elf_is(const mapped_file *file) {
    return file->n >= SELFMAG && memcmp(file->bytes, ELFMAG, SELFMAG) == 0;
}

static bool is_inside(const mapped_file *file, uint64_t at, uint64_t bytes) {
    return at <= file->n && bytes <= file->n - at;
}

/* The header of a 64-bit file of this machine's byte order; false for any other. */
static bool read_head(const mapped_file *file, Elf64_Ehdr *out) {
    if (!elf_is(file) || file->n < sizeof *out)
        return false;
    memcpy(out, file->bytes, sizeof *out);
    return out->e_ident[EI_CLASS] == ELFCLASS64 && out->e_ident[EI_DATA] == ELFDATA2LSB &&
           out->e_shentsize == sizeof(Elf64_Shdr) &&
           is_inside(file, out->e_shoff, (uint64_t)out->e_shnum * sizeof(Elf64_Shdr));
}

static Elf64_Shdr section_at(const mapped_file *file, const Elf64_Ehdr *head, unsigned i) {
    Elf64_Shdr s;
    memcpy(&s, file->bytes + head->e_shoff + i * sizeof s, sizeof s);
    return s;
}

/* ---- libraries ---- */

/* Is everything there that the loader will map? Else it would end the process by a signal. */
static bool is_whole(const mapped_file *file, const Elf64_Ehdr *head) {
    if (head->e_phentsize != sizeof(Elf64_Phdr) ||
        !is_inside(file, head->e_phoff, (uint64_t)head->e_phnum * sizeof(Elf64_Phdr)))
        return false;
    for (unsigned i = 0; i < head->e_phnum; i++) {
        Elf64_Phdr p;
        memcpy(&p, file->bytes + head->e_phoff + i * sizeof p, sizeof p);
        if (p.p_type == PT_LOAD && !is_inside(file, p.p_offset, p.p_filesz))
            return false;
    }
    return true;
}

static status refuse(diag *d, diag_place where, const char *why) {
    return diag_error(d, STATUS_INVALID, "not-a-library", where, "not a compiled model: %s", why);
}

status elf_check_library(const mapped_file *file, diag *d, diag_place where) {
    Elf64_Ehdr head;
    if (!elf_is(file))
        return refuse(d, where, "it is no shared library (ELF)");
    if (file->n < sizeof head)
        return refuse(d, where, "the file is cut off");
    memcpy(&head, file->bytes, sizeof head);
    if (head.e_machine != OWN_MACHINE || head.e_ident[EI_CLASS] != ELFCLASS64)
        return diag_error(d, STATUS_RESOURCE, "wrong-machine", where, "is compiled for %s; this machine is %s",
                          machine_name(head.e_machine), machine_name(OWN_MACHINE));
    if (head.e_type != ET_DYN)
        return refuse(d, where, "it is an object or a program, not a shared library; --emit shared writes one");
    if (!read_head(file, &head) || !is_whole(file, &head))
        return refuse(d, where, "the file is cut off");
    return STATUS_OK;
}

/* ---- symbols ---- */

typedef struct symbol_table {
    const uint8_t *at;
    uint64_t n;
    const char *names; /* with '\0' at the end */
    uint64_t name_bytes;
} symbol_table;

/* A section of a type whose entries name texts, and these. */
static bool find_table(const mapped_file *file, unsigned type, size_t entry_bytes, symbol_table *out) {
    Elf64_Ehdr head;
    if (!read_head(file, &head))
        return false;
    for (unsigned i = 0; i < head.e_shnum; i++) {
        Elf64_Shdr s = section_at(file, &head, i);
        if (s.sh_type != type || s.sh_link >= head.e_shnum)
            continue;
        Elf64_Shdr text = section_at(file, &head, s.sh_link);
        if (!is_inside(file, s.sh_offset, s.sh_size) || !is_inside(file, text.sh_offset, text.sh_size) ||
            text.sh_size == 0 || file->bytes[text.sh_offset + text.sh_size - 1] != '\0')
            return false;
        *out = (symbol_table){file->bytes + s.sh_offset, s.sh_size / entry_bytes,
                              (const char *)file->bytes + text.sh_offset, text.sh_size};
        return true;
    }
    return false;
}

static bool find_symbols(const mapped_file *file, symbol_table *out) {
    return find_table(file, SHT_DYNSYM, sizeof(Elf64_Sym), out);
}

/* The name of symbol i where it is a function that is defined here; else "". */
static const char *function_at(const symbol_table *t, uint64_t i) {
    Elf64_Sym s;
    memcpy(&s, t->at + i * sizeof s, sizeof s);
    bool is_function = ELF64_ST_TYPE(s.st_info) == STT_FUNC && s.st_shndx != SHN_UNDEF;
    return is_function && s.st_name < t->name_bytes ? t->names + s.st_name : "";
}

static bool has_function(const symbol_table *t, const char *text, size_t n, const char *suffix) {
    for (uint64_t i = 0; i < t->n; i++) {
        const char *name = function_at(t, i);
        if (strlen(name) == n + strlen(suffix) && memcmp(name, text, n) == 0 && strcmp(name + n, suffix) == 0)
            return true;
    }
    return false;
}

void elf_each_model(const mapped_file *file, void (*fn)(void *ctx, const char *text, size_t n), void *ctx) {
    static const char suffix[] = "_model";
    symbol_table t;
    if (!find_symbols(file, &t))
        return;
    for (uint64_t i = 0; i < t.n; i++) {
        const char *name = function_at(&t, i);
        size_t length = strlen(name), n = length - (sizeof suffix - 1);
        if (length >= sizeof suffix && strcmp(name + n, suffix) == 0 && has_function(&t, name, n, "_run") &&
            has_function(&t, name, n, "_run_env"))
            fn(ctx, name, n);
    }
}

static void each_symbol(const mapped_file *file, bool defined, elf_name_fn fn, void *ctx) {
    symbol_table t;
    if (!find_symbols(file, &t))
        return;
    for (uint64_t i = 1; i < t.n; i++) {
        Elf64_Sym s;
        memcpy(&s, t.at + i * sizeof s, sizeof s);
        bool visible = ELF64_ST_BIND(s.st_info) != STB_LOCAL && ELF64_ST_VISIBILITY(s.st_other) != STV_HIDDEN;
        if (visible && (s.st_shndx != SHN_UNDEF) == defined && s.st_name < t.name_bytes)
            fn(ctx, t.names + s.st_name);
    }
}

void elf_each_export(const mapped_file *file, elf_name_fn fn, void *ctx) {
    each_symbol(file, true, fn, ctx);
}

void elf_each_import(const mapped_file *file, elf_name_fn fn, void *ctx) {
    each_symbol(file, false, fn, ctx);
}

void elf_each_needed(const mapped_file *file, elf_name_fn fn, void *ctx) {
    symbol_table t;
    if (!find_table(file, SHT_DYNAMIC, sizeof(Elf64_Dyn), &t))
        return;
    for (uint64_t i = 0; i < t.n; i++) {
        Elf64_Dyn d;
        memcpy(&d, t.at + i * sizeof d, sizeof d);
        if (d.d_tag == DT_NEEDED && d.d_un.d_val < t.name_bytes)
            fn(ctx, t.names + d.d_un.d_val);
    }
}

/* ---- sizes ---- */

static size_t bytes_of(const mapped_file *file, uint64_t mask, uint64_t flags) {
    Elf64_Ehdr head;
    size_t bytes = 0;
    for (unsigned i = 0; read_head(file, &head) && i < head.e_shnum; i++) {
        Elf64_Shdr s = section_at(file, &head, i);
        if (s.sh_type == SHT_PROGBITS && (s.sh_flags & mask) == flags)
            bytes += s.sh_size;
    }
    return bytes;
}

size_t elf_code_bytes(const mapped_file *file) {
    return bytes_of(file, SHF_EXECINSTR, SHF_EXECINSTR);
}

size_t elf_constant_bytes(const mapped_file *file) {
    return bytes_of(file, SHF_ALLOC | SHF_WRITE | SHF_EXECINSTR, SHF_ALLOC);
}
