/* Runs files, or all files of folders, through a fuzz target. usage: fuzz_NAME PATH... */
#include <dirent.h>
#include <string.h>

#include "fuzz.h"

static size_t n_files;

static void run_file(const char *path) {
    FILE *f = fopen(path, "rb");
    FUZZ_CHECK(f != NULL);
    FUZZ_CHECK(fseek(f, 0, SEEK_END) == 0);
    long n = ftell(f);
    FUZZ_CHECK(n >= 0);
    rewind(f);
    uint8_t *data = malloc((size_t)n + (n == 0)); /* no byte more, so that a sanitizer sees what reads beyond */
    FUZZ_CHECK(data != NULL && fread(data, 1, (size_t)n, f) == (size_t)n);
    fclose(f);
    fprintf(stderr, "%s\n", path); /* the last line names the file that broke it */
    LLVMFuzzerTestOneInput(data, (size_t)n);
    free(data);
    n_files++;
}

static void run_path(const char *path) {
    DIR *folder = opendir(path);
    if (folder == NULL) {
        run_file(path);
        return;
    }
    for (const struct dirent *e; (e = readdir(folder)) != NULL;) {
        char inside[4096];
        snprintf(inside, sizeof inside, "%s/%s", path, e->d_name);
        if (e->d_name[0] != '.')
            run_file(inside);
    }
    closedir(folder);
}

int main(int argc, char **argv) {
    for (int i = 1; i < argc; i++)
        run_path(argv[i]);
    printf("%zu files\n", n_files);
    return n_files > 0 ? 0 : 1;
}
