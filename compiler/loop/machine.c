/* Targets made of a row and the user's own words for LLVM: --triple, --cpu, --features. What is wrong in form is said
 * here; whether LLVM knows a processor or feature, only LLVM can say (codegen/llvm/llvm_names.c). */
#include <string.h>

#include "base/text.h"
#include "loop/target.h"

#define RISCV_REFUSED "reserve-,experimental-,zabha,zc,zdinx,zfinx,zhinx,zvb,zvk,zvl,xcv,xwchc"

typedef struct architecture {
    const char *names[5]; /* what a triple begins with */
    bool has_versions;    /* more may follow: armv7, thumbv7em */
    const char *features; /* what keeps LLVM from aborting, and floats from being anything but IEEE */
    const char *usual;    /* where there is an operating system and the user names no processor: what its libraries take
                             for given */
    const char *refused;  /* beginnings of features that make LLVM abort, alone or with the usual ones */
} architecture;

/* All little-endian: so are compiled weights. */
static const architecture architectures[] = {
    {{"x86_64", "amd64"}, false, "+64bit,+sse2", "", "64bit-mode,32bit-mode,16bit-mode"},
    {{"i386", "i486", "i586", "i686"}, false, "+sse2", "", "64bit-mode,32bit-mode,16bit-mode"},
    {{"aarch64", "arm64"}, false, "+neon", "", "reserve-,zcm"},
    {{"arm", "thumb"}, true, "", "", "v4t,v5t,v6,v7,v8,noarm,thumb-mode"},
    {{"riscv64"}, false, "+64bit,-32bit", "+m,+a,+f,+d,+c", RISCV_REFUSED},
    {{"riscv32"}, false, "+32bit,-64bit,-xventanacondops", "+m,+a,+f,+d,+c", RISCV_REFUSED},
    {{"powerpc64le", "ppc64le"}, false, "-spe", "", "64bit,aix-"},
    {{"loongarch64"}, false, "-32bit,+64bit,+d", "", ""},
};
enum { N_ARCHITECTURES = sizeof architectures / sizeof *architectures, MOST_NAMES = 4 };

typedef struct system_row {
    const char *name; /* what a part of a triple begins with */
    bool is_bare;
} system_row;

static const system_row systems[] = {
    {"linux", false}, {"freebsd", false}, {"netbsd", false}, {"openbsd", false}, {"darwin", false},
    {"macos", false}, {"none", true},     {"elf", true},     {"eabi", true},
};

static const architecture *architecture_of(const char *triple) {
    const size_t n = strcspn(triple, "-");
    for (size_t i = 0; i < N_ARCHITECTURES; i++)
        for (int k = 0; k < MOST_NAMES && architectures[i].names[k] != NULL; k++) {
            const char *name = architectures[i].names[k];
            const size_t length = strlen(name);
            if (strncmp(triple, name, length) == 0 &&
                (n == length || (architectures[i].has_versions && triple[length] == 'v')))
                return &architectures[i];
        }
    return NULL;
}

/* The first part that names an operating system, else one that says that there is none ("aarch64-none-linux-gnu" has
 * one). */
static const system_row *system_of(const char *triple) {
    const system_row *bare = NULL;
    for (const char *part = strchr(triple, '-'); part != NULL; part = strchr(part + 1, '-'))
        for (size_t i = 0; i < sizeof systems / sizeof *systems; i++) {
            const system_row *s = &systems[i];
            if (strncmp(part + 1, s->name, strlen(s->name)) != 0)
                continue;
            if (!s->is_bare)
                return s;
            bare = s;
        }
    return bare;
}

static status refuse_triple(const char *triple, diag *d) {
    char names[128] = "";
    for (size_t i = 0; i < N_ARCHITECTURES; i++)
        strcat(strcat(names, i == 0 ? "" : ", "), architectures[i].names[0]);
    diag_error(d, STATUS_USAGE, "unknown-triple", DIAG_NOWHERE,
               "--triple %s: expected ARCHITECTURE-SYSTEM, e.g. riscv64-unknown-linux-gnu", triple);
    diag_note(d, "architectures: %s", names);
    diag_note(d, "systems: linux, freebsd, netbsd, openbsd, darwin, macos, none (elf, eabi)");
    return STATUS_USAGE;
}

/* Does the name of n characters begin with one of the words? */
static bool begins_with(const char *name, size_t n, const char *words) {
    while (*words != '\0') {
        const size_t length = strcspn(words, ",");
        if (length <= n && strncmp(name, words, length) == 0)
            return true;
        words += length + (words[length] == ',');
    }
    return false;
}

/* "+name,-name". LLVM takes "+help" and "+cputype" for questions. */
static status check_features(const architecture *own, const char *list, diag *d) {
    for (const char *s = list;; s++) {
        const size_t n = strcspn(s, ",");
        if (n < 2 || (*s != '+' && *s != '-') || strcspn(s, " \t\n") < n)
            return diag_error(d, STATUS_USAGE, "unknown-feature", DIAG_NOWHERE,
                              "--features %s: expected +NAME or -NAME, separated by commas", list);
        if (begins_with(s + 1, n - 1, own->refused) || begins_with(s + 1, n - 1, "help,cputype"))
            return diag_error(d, STATUS_USAGE, "unknown-feature", DIAG_NOWHERE,
                              "--features %.*s: LLVM cannot compile for %s with it", (int)n, s, own->names[0]);
        s += n;
        if (*s == '\0')
            return STATUS_OK;
    }
}

/* The user's features, then those without which the program would not be what the row says: the last word counts. */
static status join_features(const target *row, const architecture *own, arena *a, const char **out) {
    strbuf s = strbuf_in(a);
    const char *usual = row->is_bare || row->asked_cpu != NULL ? "" : own->usual;
    const char *const parts[] = {usual, row->asked_features != NULL ? row->asked_features : "", row->features,
                                 own->features};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        strbuf_printf(&s, "%s%s", s.n > 0 && *parts[i] != '\0' ? "," : "", parts[i]);
    bool are_features = row->c_target != NULL && strchr(row->c_target, '=') == NULL;
    for (const char *name = are_features ? row->c_target : NULL; name != NULL && *name != '\0';) {
        const size_t n = strcspn(name, ",");
        strbuf_printf(&s, "%s+%.*s", s.n > 0 ? "," : "", (int)n, name);
        name += n + (name[n] == ',');
    }
    return strbuf_finish(&s, out);
}

status machine_of(const target *row, const char *triple, const char *cpu, const char *features, arena *a, diag *d,
                  target *out) {
    const char *words = triple != NULL ? triple : row->triple;
    const architecture *own = architecture_of(words);
    const system_row *system = system_of(words);
    if (own == NULL || system == NULL)
        return refuse_triple(triple, d);
    if (features != NULL)
        TRY(check_features(own, features, d));
    *out = *row;
    if (architecture_of(row->triple) != own) {
        *out = *target_find("generic", d);
        out->cpu = out->features = "";
    }
    out->triple = words;
    out->is_bare = system->is_bare;
    out->cpu = cpu != NULL ? cpu : out->cpu;
    out->asked_cpu = cpu;
    out->asked_features = features;
    return join_features(out, own, a, &out->features);
}
