/* Facts on a program and on this machine. */
#include "api/measure.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void count(element_count *c, const program_buffer *b) {
    c->elements += (double)b->n;
    c->bits += (double)b->n * dtype_bits(b->elem);
}

void measure_step(const program *p, const program_step *s, bool *seen, element_count *weights, element_count *data) {
    for (size_t i = 0; i < p->kernels.at[s->kernel]->buffers.n; i++) {
        const program_buffer *b = &p->buffers.at[s->args[i].buffer];
        if (seen != NULL && seen[s->args[i].buffer])
            continue;
        if (seen != NULL)
            seen[s->args[i].buffer] = true;
        count(b->place == PLACE_CONST ? weights : data, b);
    }
}

status measure_program(const program *p, arena *scratch, program_facts *out) {
    bool *seen = ARENA_NEW_N(scratch, bool, p->buffers.n + 1);
    TRY_ALLOC(seen);
    element_count weights = {0, 0}, data = {0, 0};
    *out = (program_facts){0};
    for (size_t s = 0; s < p->steps.n; s++) {
        out->macs += p->steps.at[s].macs;
        measure_step(p, &p->steps.at[s], seen, &weights, &data);
    }
    out->weight_bytes = (int64_t)(weights.bits / 8);
    out->weight_bits = weights.elements > 0 ? weights.bits / weights.elements : 0;
    out->data_bits = data.elements > 0 ? data.bits / data.elements : 0;
    return STATUS_OK;
}

/* The text after "key:" in a file of lines "key : text", in `a`; NULL where there is none. */
static const char *read_key(const char *path, const char *key, arena *a) {
    char line[512];
    const char *found = NULL;
    FILE *f = fopen(path, "r");
    while (f != NULL && found == NULL && fgets(line, sizeof line, f) != NULL) {
        char *text = strchr(line, ':');
        if (text == NULL || strncmp(line, key, strlen(key)) != 0)
            continue;
        text += 1 + strspn(text + 1, " \t");
        found = arena_strndup(a, text, strcspn(text, "\n"));
    }
    if (f != NULL)
        fclose(f);
    return found;
}

const char *measure_cpu(arena *a) {
    const char *name = read_key("/proc/cpuinfo", "model name", a);
    return name != NULL ? name : "unknown";
}

/* A number that a file begins with; 0 where there is none. */
static double read_number(const char *path) {
    double x = 0;
    FILE *f = fopen(path, "r");
    if (f == NULL)
        return 0;
    if (fscanf(f, "%lf", &x) != 1)
        x = 0;
    fclose(f);
    return x;
}

double measure_megahertz(void) {
    char text[64];
    double kilohertz = read_number("/sys/devices/system/cpu/cpu0/cpufreq/cpuinfo_max_freq"), megahertz = 0;
    FILE *f = kilohertz > 0 ? NULL : fopen("/proc/cpuinfo", "r");
    while (f != NULL && megahertz == 0 && fgets(text, sizeof text, f) != NULL)
        if (sscanf(text, "cpu MHz : %lf", &megahertz) != 1)
            megahertz = 0;
    if (f != NULL)
        fclose(f);
    return kilohertz > 0 ? kilohertz * 1e-3 : megahertz;
}

int64_t measure_resident(void) {
    long long kilobytes = 0;
    char line[256];
    FILE *f = fopen("/proc/self/status", "r");
    while (f != NULL && kilobytes == 0 && fgets(line, sizeof line, f) != NULL)
        if (sscanf(line, "VmRSS: %lld kB", &kilobytes) != 1)
            kilobytes = 0;
    if (f != NULL)
        fclose(f);
    return kilobytes * 1024;
}

static int by_size(const void *x, const void *y) {
    double a = *(const double *)x, b = *(const double *)y;
    return (a > b) - (a < b);
}

void measure_sort(double *x, size_t n) {
    qsort(x, n, sizeof *x, by_size);
}

double measure_quantile(const double *sorted, size_t n, double share) {
    size_t at = (size_t)(share * (double)(n - 1) + 0.5);
    return n > 0 ? sorted[at] : 0;
}
