/* What an ELF file says of itself: read with care, for it may be damaged. */
#ifndef TENON_API_ELF_FILE_H
#define TENON_API_ELF_FILE_H

#include "base/diag.h"
#include "frontend/mapped_file.h"

/* Does it begin as ELF files do? */
bool elf_is(const mapped_file *file);
/* Can this machine open it as a shared library? [not-a-library] STATUS_INVALID for what is none or is cut off,
 * [wrong-machine] STATUS_RESOURCE. */
status elf_check_library(const mapped_file *file, diag *d, diag_place where);
/* Calls fn with each NAME for which NAME_model, NAME_run and NAME_run_env are functions that the library exports. The
 * file has gone through elf_check_library. The text is NAME_model, the NAME its first n characters. */
void elf_each_model(const mapped_file *file, void (*fn)(void *ctx, const char *text, size_t n), void *ctx);
typedef void (*elf_name_fn)(void *ctx, const char *name);
/* Calls fn with each symbol that others can use, and with each that has to come from elsewhere; none for a file that is
 * no ELF file. */
void elf_each_export(const mapped_file *file, elf_name_fn fn, void *ctx);
void elf_each_import(const mapped_file *file, elf_name_fn fn, void *ctx);
/* Calls fn with each library that the file asks for. */
void elf_each_needed(const mapped_file *file, elf_name_fn fn, void *ctx);
/* Bytes of code, and of constant data; 0 for a file that is no ELF file. */
size_t elf_code_bytes(const mapped_file *file);
size_t elf_constant_bytes(const mapped_file *file);

#endif
