/* What a file that is not a model looks like, for the error message. */
#include <string.h>

#include "frontend/import.h"

typedef struct signature {
    size_t at, n;
    const char *bytes;
    const char *kind;
} signature;

#define STARTS(bytes, kind) {0, sizeof(bytes) - 1, bytes, kind}

static const signature SIGNATURES[] = {
    STARTS("\x89PNG\r\n\x1a\n", "a PNG image"),
    STARTS("\xff\xd8\xff", "a JPEG image"),
    STARTS("GIF8", "a GIF image"),
    STARTS("%PDF-", "a PDF document"),
    STARTS("PK\x03\x04", "a zip archive (.npz, PyTorch's .pt)"),
    STARTS("\x1f\x8b", "a gzip file"),
    STARTS("\xfd"
           "7zXZ",
           "an xz file"),
    STARTS("BZh", "a bzip2 file"),
    STARTS("\x28\xb5\x2f\xfd", "a zstd file"),
    STARTS("\x7f"
           "ELF",
           "a program or library (ELF)"),
    STARTS("\x93NUMPY", "a NumPy array (.npy)"),
    STARTS("\x89HDF", "an HDF5 file (Keras)"),
    STARTS("version https://git-lfs", "a Git LFS pointer; `git lfs pull` gets the file itself"),
    {4, 4, "TFL3", "a TensorFlow Lite model"},
    {4, 4, "ORTM", "an ONNX Runtime (.ort) model"},
};

static bool is_text(const uint8_t *bytes, size_t n) {
    for (size_t i = 0; i < n && i < 512; i++)
        if (bytes[i] < 0x20 ? bytes[i] != '\n' && bytes[i] != '\r' && bytes[i] != '\t' : bytes[i] == 0x7f)
            return false;
    return n > 0;
}

const char *file_kind(const uint8_t *bytes, size_t n) {
    for (size_t i = 0; i < sizeof SIGNATURES / sizeof *SIGNATURES; i++) {
        const signature *s = &SIGNATURES[i];
        if (n >= s->at + s->n && memcmp(bytes + s->at, s->bytes, s->n) == 0)
            return s->kind;
    }
    return is_text(bytes, n) ? "text" : NULL;
}
