/* rooms: data base */
/* Data sets: an .npz with every array in it, and the same bytes as an .npy. */
#include <sys/mman.h>
#include <unistd.h>

#include "fuzz.h"

#include "data/data.h"

static void read_all(const char *path, arena *a, diag *d) {
    npz *z;
    array x;
    status s = npz_open(path, a, d, &z);
    fuzz_check_refusal(s, d);
    for (size_t i = 0; s == STATUS_OK && i < npz_count(z); i++)
        fuzz_check_refusal(npz_read(z, npz_name(z, i), a, d, &x), d);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
    const allocator memory = allocator_system;
    diag *d = diag_new(&memory);
    arena *a = arena_new(&memory);
    array x;
    char path[40];
    FUZZ_CHECK(d != NULL && a != NULL);
    int fd = memfd_create("fuzz", MFD_CLOEXEC);
    FUZZ_CHECK(fd >= 0 && write(fd, data, n) == (ssize_t)n);
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    read_all(path, a, d);
    diag_clear(d);
    fuzz_check_refusal(npy_parse(data, n, "fuzz", a, d, &x), d);
    arena_free(a);
    close(fd);
    diag_free(d);
    return 0;
}
