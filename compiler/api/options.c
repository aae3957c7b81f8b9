/* The table of options, and their setting by name. */
#include "api/options.h"

#include <string.h>
#include <strings.h>

#include "api/engine.h"
#include "api/opened_model.h"
#include "api/pipeline.h"
#include "ir/graph.h"
#include "ir/scan.h"

typedef enum option_kind {
    KIND_FLAG,
    KIND_TEXT,
    KIND_CHOICE,
    KIND_COUNT,
    KIND_THREADS,
    KIND_REAL,
    KIND_PAIRS,
    KIND_WORDS,
    KIND_ASKED,
    KIND_ISOLATE,
    KIND_REGION
} option_kind;

typedef struct option_row {
    tenon_option_info info;
    option_kind kind;
    size_t offset;
    const char *const *choices; /* of a KIND_CHOICE; NULL-terminated */
} option_row;

static const char *const schedules[] = {"best", "naive", NULL};
static const char *const emissions[] = {"c",     "obj",   "lib",  "shared", "llvm", "asm",
                                        "loops", "graph", "onnx", "dot",    NULL};
static const char *const weight_forms[] = {"inline", "c", "obj", "bin", NULL};
static const char *const integers[] = {"best", "force", NULL};
static const char *const floats[] = {"any", "none", NULL};
static const char *const metrics[] = {"accuracy", "mse", "sqnr", NULL};

#define TUNED                                                                                                          \
    (TENON_COMPILE | TENON_RUN | TENON_CHECK | TENON_BENCH | TENON_EVAL | TENON_INSPECT | TENON_DIFF | TENON_DRAW |    \
     TENON_EXPLAIN)
#define ALL (TUNED | TENON_TUNE)
#define RUNNING (TENON_RUN | TENON_CHECK | TENON_BENCH | TENON_EVAL | TENON_DIFF | TENON_EXPLAIN)
#define FED (TENON_EVAL | TENON_DIFF | TENON_EXPLAIN)
#define FIELD(name) offsetof(struct tenon_options, name)

static const option_row rows[] = {
    {{"emit", "FORM", "what to write: c, obj, lib, shared, llvm, asm, loops, graph, onnx or dot", TENON_COMPILE},
     KIND_CHOICE,
     FIELD(emit),
     emissions},
    {{"name", "PREFIX", "begins every name in generated code (default: the model file's)", TENON_COMPILE},
     KIND_TEXT,
     FIELD(name),
     NULL},
    {{"weights", "FORM", "weights in the code (inline), in PREFIX_weights.c or .o (c, obj), or in PREFIX.weights (bin)",
      TENON_COMPILE},
     KIND_CHOICE,
     FIELD(weights),
     weight_forms},
    {{"input", "NAME=FILE.npy", "the data of an input", TENON_RUN}, KIND_PAIRS, FIELD(inputs), NULL},
    {{"rtol", "R", "relative tolerance (default 1e-3)", TENON_CHECK}, KIND_REAL, FIELD(rtol), NULL},
    {{"atol", "A", "absolute tolerance (default 1e-5; with --suite 1e-7)", TENON_CHECK}, KIND_REAL, FIELD(atol), NULL},
    {{"steps", "N", "how far an integer may be off, as a quantised output is by a rounding (default 0)", TENON_CHECK},
     KIND_COUNT,
     FIELD(steps),
     NULL},
    {{"time", "SECONDS", "how long to measure (default 1; tune 30)", TENON_BENCH | TENON_TUNE},
     KIND_REAL,
     FIELD(seconds),
     NULL},
    {{"per-node", NULL, "measures each node, and the machine's peak", TENON_BENCH}, KIND_FLAG, FIELD(per_node), NULL},
    {{"trace", "FILE.json", "the same, and writes one run for chrome://tracing or Perfetto", TENON_BENCH},
     KIND_TEXT,
     FIELD(trace),
     NULL},
    {{"data", "FILE.npz",
      "one array for each input, samples along the first dimension (for eval and explain their labels, too)", FED},
     KIND_TEXT,
     FIELD(data),
     NULL},
    {{"limit", "N", "only the first N samples", FED}, KIND_COUNT, FIELD(limit), NULL},
    {{"metric", "NAME",
      "accuracy (default), mse against the array that --label names, or sqnr against that or the other model",
      TENON_EVAL},
     KIND_CHOICE,
     FIELD(metric),
     metrics},
    {{"label", "ARRAY", "the array with the labels (default label)", TENON_EVAL | TENON_EXPLAIN},
     KIND_TEXT,
     FIELD(label),
     NULL},
    {{"against", "MODEL_B", "another model, as its file has it: what the model is compared with",
      TENON_EVAL | TENON_EXPLAIN},
     KIND_TEXT,
     FIELD(against),
     NULL},
    {{"map", "INPUT=ARRAY", "the array of an input, where its name is another", FED}, KIND_PAIRS, FIELD(maps), NULL},
    {{"scale", "INPUT=FACTOR", "multiplies the data of an input", FED}, KIND_PAIRS, FIELD(scales), NULL},
    {{"threshold", "DB", "the SQNR below which a value departs (default 60: the error is a thousandth)", TENON_DIFF},
     KIND_REAL,
     FIELD(threshold),
     NULL},
    {{"depth", "N",
      "scopes inside of N others are one box each (default: as many as are drawn in seconds; with --diff 1, where "
      "nothing changed)",
      TENON_DRAW},
     KIND_COUNT,
     FIELD(depth),
     NULL},
    {{"backend", "NAME", "jit (default), object, c, interp, or all, which must agree to the bit", RUNNING},
     KIND_CHOICE,
     FIELD(backend),
     engine_names},
    {{"threads", "N", "cuts kernels into parts for N threads (default 1), and runs them so; the bits stay the same",
      TENON_COMPILE | RUNNING | TENON_TUNE},
     KIND_THREADS,
     FIELD(threads),
     NULL},
    {{"perf-map", NULL, "names the JIT's code to perf (/tmp/perf-PID.map) and gdb", RUNNING},
     KIND_FLAG,
     FIELD(perf_map),
     NULL},
    {{"target", "NAME",
      "the machine to compile for: host, generic, x86-64, x86-64-v3, x86-64-avxvnni, x86-64-v4, x86-64-vnni, "
      "aarch64, aarch64-dotprod, cortex-m4",
      ALL},
     KIND_TEXT,
     FIELD(target),
     NULL},
    {{"p", "PASS[:ITEMS]", "changes the model first; tenon passes lists what there is", ALL},
     KIND_ASKED,
     FIELD(asked),
     NULL},
    {{"pipeline", "FILE.toml", "the same from a file, with other options for some nodes", ALL},
     KIND_ASKED,
     FIELD(asked),
     NULL},
    {{"plugin", "FILE.so", "loads a plugin, whose passes -p can then name", ALL | TENON_PASSES},
     KIND_WORDS,
     FIELD(plugins),
     NULL},
    {{"isolate", "[=LIMITS]",
      "runs plugins in processes of their own; LIMITS: seconds=60,memory=2048 (MiB), with --suite of each case",
      ALL | TENON_PASSES},
     KIND_ISOLATE,
     FIELD(isolate),
     NULL},
    {{"triple", "TRIPLE", "LLVM's name of a machine, in place of the target's: riscv64-unknown-linux-gnu",
      TENON_COMPILE},
     KIND_TEXT,
     FIELD(triple),
     NULL},
    {{"cpu", "NAME", "LLVM's name of a processor, in place of the target's", TENON_COMPILE},
     KIND_TEXT,
     FIELD(cpu),
     NULL},
    {{"features", "+NAME,-NAME", "LLVM's processor features, besides those that the target uses", TENON_COMPILE},
     KIND_TEXT,
     FIELD(features),
     NULL},
    {{"region", "NAME=SIZE",
      "memory for the arena, as sram=256K; several: what moves most lies in the first that holds it", ALL},
     KIND_REGION,
     FIELD(regions),
     NULL},
    {{"dim", "NAME=N", "binds a symbolic dimension", ALL}, KIND_PAIRS, FIELD(dims), NULL},
    {{"shape", "INPUT=1x128", "binds the dimensions of an input", ALL}, KIND_PAIRS, FIELD(shapes), NULL},
    {{"freeze", "INPUT=FILE.npy", "makes an input a constant", ALL}, KIND_PAIRS, FIELD(freeze), NULL},
    {{"schedule", "NAME", "naive: loops as the operators define them, nothing fused or vectorised", ALL},
     KIND_CHOICE,
     FIELD(schedule),
     schedules},
    {{"tune", "FILE", "tiles that tenon tune has measured, where it has some for the target", TUNED},
     KIND_TEXT,
     FIELD(tune),
     NULL},
    {{"float", "any|none", "none: a quantised model without one float instruction; says which nodes prevent that", ALL},
     KIND_CHOICE,
     FIELD(floats),
     floats},
    {{"int", "best|force", "force: a quantised model in integers, also where floats are faster", ALL},
     KIND_CHOICE,
     FIELD(integers),
     integers},
    {{"skip", "PASS", "leaves a built-in pass out", ALL}, KIND_WORDS, FIELD(skip), NULL},
    {{"dump-after", "STAGE|PASS", "prints the form after a stage or pass, on stderr", ALL},
     KIND_WORDS,
     FIELD(dump_after),
     NULL},
    {{"stop-after", "STAGE|PASS", "ends there", ALL}, KIND_WORDS, FIELD(stop_after), NULL},
    {{"verify-passes", NULL,
      "checks after each pass that the graph is valid and, where the pass has to keep them, the numbers", ALL},
     KIND_FLAG,
     FIELD(verify_passes),
     NULL},
    {{"time-passes", NULL, "prints how long each stage took, on stderr", ALL}, KIND_FLAG, FIELD(time_passes), NULL},
    {{"seed", "N", "of random inputs (default 0)", ALL}, KIND_COUNT, FIELD(seed), NULL},
    {{"verbose", NULL, "stage times and sizes, on stderr", ALL}, KIND_FLAG, FIELD(verbose), NULL},
};
#define OPTIONS_MOST_THREADS 256

enum { N_ROWS = sizeof rows / sizeof *rows };

TENON_API const tenon_option_info *tenon_option_at(size_t i) {
    return i < N_ROWS ? &rows[i].info : NULL;
}

TENON_API tenon_status tenon_options_new(tenon_context *c, tenon_options **out) {
    *out = NULL;
    arena *memory = arena_new(&c->memory);
    tenon_options *o = memory != NULL ? ARENA_NEW(memory, tenon_options) : NULL;
    if (o == NULL) {
        arena_free(memory);
        return context_end(c, STATUS_RESOURCE, context_begin(c));
    }
    *o = (tenon_options){.c = c,
                         .memory = memory,
                         .schedule = "best",
                         .floats = "any",
                         .integers = "best",
                         .backend = "jit",
                         .emit = "c",
                         .weights = "inline",
                         .rtol = 1e-3,
                         .atol = 1e-5,
                         .seconds = 1,
                         .metric = "accuracy",
                         .label = "label",
                         .threshold = 60,
                         .depth = -1,
                         .threads = 1,
                         .isolate = {false, 60, 2048}};
    *out = o;
    return TENON_DONE;
}

TENON_API void tenon_options_free(tenon_options *o) {
    if (o != NULL)
        arena_free(o->memory);
}

const char *options_find(const named_list *list, const char *name) {
    for (size_t i = 0; i < list->n; i++)
        if (strcmp(list->at[i].name, name) == 0)
            return list->at[i].text;
    return NULL;
}

bool options_are_given(const tenon_options *o, const char *name) {
    for (size_t i = 0; i < o->given.n; i++)
        if (strcmp(o->given.at[i].name, name) == 0)
            return true;
    return false;
}

bool options_count(const char *text, int64_t *out) {
    scan s = scan_text(text, strlen(text));
    return scan_int(&s, out) && scan_at_end(&s) && *out >= 0;
}

bool options_real(const char *text, double *out) {
    scan s = scan_text(text, strlen(text));
    return scan_float(&s, false, out) && scan_at_end(&s) && *out - *out == 0;
}

bool options_size(const char *text, int64_t *out) {
    static const char units[] = "KMG";
    scan s = scan_text(text, strlen(text));
    if (!scan_int(&s, out) || *out < 0)
        return false;
    for (int i = 0; units[i] != '\0'; i++)
        if (s.at < s.end && *s.at == units[i]) {
            s.at++;
            return scan_at_end(&s) && !__builtin_mul_overflow(*out, INT64_C(1024) << 10 * i, out);
        }
    return scan_at_end(&s);
}

bool options_shape(const char *text, int *out_rank, int64_t *out_dims) {
    *out_rank = 0;
    while (*text != '\0') {
        int64_t n = 0;
        if (*out_rank == TENSOR_MAX_RANK || *text < '0' || *text > '9')
            return false;
        for (; *text >= '0' && *text <= '9'; text++)
            if ((n = n * 10 + (*text - '0')) > DIM_SYMBOL_MAX)
                return false;
        if (*text != '\0' && (*text++ != 'x' || *text == '\0'))
            return false;
        out_dims[(*out_rank)++] = n;
    }
    return true;
}

/* ---- setting by kind ---- */

typedef struct setting {
    tenon_options *o;
    const option_row *row;
    const char *value;
    void *field;
} setting;

static status refuse(const setting *s, const char *what, const char *near) {
    diag *d = s->o->c->diags;
    diag_error(d, STATUS_USAGE, "usage", DIAG_NOWHERE, "--%s %s: %s", s->row->info.name, s->value, what);
    if (near != NULL)
        diag_note(d, "did you mean '%s'?", near);
    return STATUS_USAGE;
}

static status set_flag(const setting *s) {
    *(bool *)s->field = true;
    return STATUS_OK;
}

static status set_text(const setting *s) {
    const char *copy = arena_strdup(s->o->memory, s->value);
    TRY_ALLOC(copy);
    *(const char **)s->field = copy;
    return STATUS_OK;
}

static size_t count_words(const char *const *words) {
    size_t n = 0;
    while (words[n] != NULL)
        n++;
    return n;
}

static bool is_among(const char *word, const char *const *words) {
    for (; *words != NULL; words++)
        if (strcmp(*words, word) == 0)
            return true;
    return false;
}

static status join(arena *a, const char *before, const char *const *words, const char **out) {
    strbuf s = strbuf_in(a);
    strbuf_add(&s, before);
    for (size_t i = 0; words[i] != NULL; i++)
        strbuf_printf(&s, "%s%s", i > 0 ? ", " : " ", words[i]);
    return strbuf_finish(&s, out);
}

static status set_choice(const setting *s) {
    const char *const *choices = s->row->choices, *there_are;
    if (is_among(s->value, choices))
        return set_text(s);
    TRY(join(s->o->memory, "there are", choices, &there_are));
    return refuse(s, there_are, text_nearest(s->value, choices, count_words(choices)));
}

static status set_count(const setting *s) {
    return options_count(s->value, s->field) ? STATUS_OK : refuse(s, "expected a number, 0 or more", NULL);
}

static status set_threads(const setting *s) {
    int64_t n;
    if (!options_count(s->value, &n) || n < 1 || n > OPTIONS_MOST_THREADS)
        return refuse(s, "expected a number from 1 to 256", NULL);
    *(int64_t *)s->field = n;
    return STATUS_OK;
}

static status set_real(const setting *s) {
    double x;
    if (!options_real(s->value, &x) || x < 0)
        return refuse(s, "expected a number, 0 or more", NULL);
    *(double *)s->field = x;
    return STATUS_OK;
}

static status set_pair(const setting *s) {
    const char *equals = strchr(s->value, '=');
    if (equals == NULL || equals == s->value || equals[1] == '\0')
        return refuse(s, "expected NAME=VALUE", NULL);
    named_text pair = {arena_strndup(s->o->memory, s->value, (size_t)(equals - s->value)),
                       arena_strdup(s->o->memory, equals + 1)};
    TRY_ALLOC(pair.name);
    TRY_ALLOC(pair.text);
    named_list *list = s->field;
    if (options_find(list, pair.name) != NULL)
        return refuse(s, "given twice", NULL);
    return VEC_PUSH(s->o->memory, *list, pair);
}

static status append(arena *a, word_list *list, const char *word) {
    TRY(VEC_RESERVE(a, *list, list->n + 2));
    list->at[list->n++] = word;
    list->at[list->n] = NULL;
    return STATUS_OK;
}

static status add_word(const setting *s) {
    const char *copy = arena_strdup(s->o->memory, s->value);
    TRY_ALLOC(copy);
    return append(s->o->memory, s->field, copy);
}

static status add_asked(const setting *s) {
    named_text one = {s->row->info.name, arena_strdup(s->o->memory, s->value)};
    TRY_ALLOC(one.text);
    return VEC_PUSH(s->o->memory, s->o->asked, one);
}

/* One of "seconds=60", "memory=2048"; *text moves behind it and its comma. */
static bool take_limit(const char **text, isolate_limits *out) {
    static const struct {
        const char *name;
        size_t offset;
    } limits[] = {{"seconds=", offsetof(isolate_limits, seconds)}, {"memory=", offsetof(isolate_limits, memory)}};
    const int64_t most = 1 << 22; /* a month; 4 TiB */
    char digits[16];
    for (size_t i = 0; i < sizeof limits / sizeof *limits; i++) {
        size_t n = strlen(limits[i].name), length = strcspn(*text, ",");
        int64_t *to = (int64_t *)(void *)((char *)out + limits[i].offset);
        if (strncmp(*text, limits[i].name, n) != 0 || length - n >= sizeof digits)
            continue;
        memcpy(digits, *text + n, length - n);
        digits[length - n] = '\0';
        *text += length + ((*text)[length] == ',');
        return options_count(digits, to) && *to > 0 && *to <= most;
    }
    return false;
}

static status set_isolate(const setting *s) {
    isolate_limits *to = s->field;
    to->wanted = true;
    for (const char *text = s->value; text != NULL && *text != '\0';)
        if (!take_limit(&text, to))
            return refuse(s, "expected seconds=N, memory=N (MiB) or both, divided by a comma", NULL);
    return STATUS_OK;
}

/* Generated code makes a macro of the name, in capitals. */
static bool is_region_name(const char *name) {
    enum { LONGEST = 24 };
    size_t n = strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_");
    return n > 0 && n <= LONGEST && name[n] == '\0' && name[0] != '_' && !(name[0] >= '0' && name[0] <= '9');
}

static bool is_region_new(const memory_regions *list, const char *name) {
    for (size_t i = 0; i < list->n; i++)
        if (strcasecmp(list->at[i].name, name) == 0)
            return false;
    return true;
}

static status add_region(const setting *s) {
    const char *equals = strchr(s->value, '=');
    memory_region r = {.bytes = 0};
    memory_regions *list = s->field;
    r.name = arena_strndup(s->o->memory, s->value, equals != NULL ? (size_t)(equals - s->value) : 0);
    TRY_ALLOC(r.name);
    if (equals == NULL || !is_region_name(r.name) || !options_size(equals + 1, &r.bytes) || r.bytes == 0)
        return refuse(s, "expected a name (letters, digits, _) and a size in bytes, as sram=256K, psram=8M", NULL);
    if (!is_region_new(list, r.name))
        return refuse(s, "given twice", NULL);
    if (list->n == MOST_REGIONS)
        return refuse(s, "there are eight regions already", NULL);
    return VEC_PUSH(s->o->memory, *list, r);
}

static status (*const setters[])(const setting *) = {
    [KIND_THREADS] = set_threads, [KIND_FLAG] = set_flag,       [KIND_TEXT] = set_text,     [KIND_CHOICE] = set_choice,
    [KIND_COUNT] = set_count,     [KIND_REAL] = set_real,       [KIND_PAIRS] = set_pair,    [KIND_WORDS] = add_word,
    [KIND_ASKED] = add_asked,     [KIND_ISOLATE] = set_isolate, [KIND_REGION] = add_region,
};

static status find_row(tenon_options *o, const char *name, const option_row **out) {
    const char *names[N_ROWS];
    for (size_t i = 0; i < N_ROWS; i++) {
        names[i] = rows[i].info.name;
        *out = &rows[i];
        if (strcmp(names[i], name) == 0)
            return STATUS_OK;
    }
    diag_error(o->c->diags, STATUS_USAGE, "usage", DIAG_NOWHERE, "there is no option --%s", name);
    const char *near = text_nearest(name, names, N_ROWS);
    if (near != NULL)
        diag_note(o->c->diags, "did you mean --%s?", near);
    return STATUS_USAGE;
}

static status set_option(tenon_options *o, const char *name, const char *text) {
    const option_row *row;
    TRY(find_row(o, name, &row));
    if (text == NULL && row->info.argument != NULL && row->info.argument[0] != '[')
        return diag_error(o->c->diags, STATUS_USAGE, "usage", DIAG_NOWHERE, "--%s needs %s", name, row->info.argument);
    setting s = {o, row, text, (char *)o + row->offset};
    TRY(setters[row->kind](&s));
    named_text given = {row->info.name, text != NULL ? arena_strdup(o->memory, text) : NULL};
    if (text != NULL)
        TRY_ALLOC(given.text);
    TRY(VEC_PUSH(o->memory, o->given, given));
    bool is_target = row->offset == FIELD(target);
    return is_target && target_find(text, o->c->diags) == NULL ? STATUS_USAGE : STATUS_OK;
}

TENON_API tenon_status tenon_options_set(tenon_options *o, const char *name, const char *text) {
    size_t errors = context_begin(o->c);
    return context_end(o->c, set_option(o, name, text), errors);
}

/* ---- the command line ---- */

/* A word with the folders of a file name left out: "dir/m.onnx" is m.onnx, "x=dir/x.npy" is x=x.npy. */
static void add_command_word(strbuf *s, const char *word) {
    const char *equals = strchr(word, '='), *slash = strrchr(word, '/');
    const char *last = slash != NULL ? slash + 1 : word;
    const char *key_end = equals != NULL && slash > equals ? equals + 1 : word;
    strbuf_char(s, ' ');
    if (slash != NULL)
        strbuf_add_n(s, word, (size_t)(key_end - word));
    strbuf_add(s, last);
}

TENON_API tenon_status tenon_options_set_command(tenon_options *o, int n, const char *const *words) {
    size_t errors = context_begin(o->c);
    strbuf s = strbuf_in(o->memory);
    strbuf_add(&s, "tenon");
    for (int i = 0; i < n; i++) {
        bool output = strncmp(words[i], "-o", 2) == 0;
        if (!output && !(i > 0 && strcmp(words[i - 1], "-p") == 0))
            add_command_word(&s, words[i]);
        else if (!output)
            strbuf_printf(&s, " %s", words[i]); /* names no file */
        i += output && words[i][2] == '\0';
    }
    return context_end(o->c, strbuf_finish(&s, &o->command), errors);
}

TENON_API tenon_status tenon_options_add_plugin(tenon_options *o, const struct tenon_plugin *plugin, void *state,
                                                const char *where) {
    size_t errors = context_begin(o->c);
    own_plugin own = {plugin, state, arena_strdup(o->memory, where)};
    status s = own.where != NULL ? VEC_PUSH(o->memory, o->own_plugins, own) : STATUS_RESOURCE;
    return context_end(o->c, s, errors);
}
