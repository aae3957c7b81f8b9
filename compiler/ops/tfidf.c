/* TfIdfVectorizer of integers: expanded into comparisons of shifted inputs with the items of the pool, and sums of
 * them. */
#include <string.h>

#include "ops/kit.h"

/* Nodes that one operator may become, and grams of a pool. */
enum { MOST_NODES = 1024, MOST_GRAMS = 1 << 21 };

typedef struct grams {
    const int64_t *pool, *counts, *indexes;
    const double *weights;
    int64_t n_pool, n_counts, n_indexes, n_weights, shortest, longest, skips, size; /* size: of the output's rows */
} grams;

/* Where the items of grams of this length begin and end in the pool. */
static void range_of(const grams *s, int64_t length, int64_t *first, int64_t *end) {
    *first = s->counts[length - 1];
    *end = length < s->n_counts ? s->counts[length] : s->n_pool;
}

static status check_pool(const node *n, const grams *s) {
    int64_t total = 0;
    for (int64_t length = 1; length <= s->n_counts; length++) {
        int64_t first, end;
        range_of(s, length, &first, &end);
        if (first < 0 || end < first || end > s->n_pool || (end - first) % length != 0)
            return op_invalid(n, "wrong-attribute", "'ngram_counts' says that items %lld to %lld are grams of %lld",
                              (long long)first, (long long)end, (long long)length);
        total += (end - first) / length;
    }
    if (total != s->n_indexes)
        return op_invalid(n, "wrong-attribute", "the pool has %lld grams, 'ngram_indexes' %lld entries",
                          (long long)total, (long long)s->n_indexes);
    return STATUS_OK;
}

static status read_grams(const node *n, grams *s) {
    const attr *weights = node_attr(n, "weights");
    *s = (grams){.shortest = op_int(n, "min_gram_length"),
                 .longest = op_int(n, "max_gram_length"),
                 .skips = op_int(n, "max_skip_count")};
    s->pool = op_ints(n, "pool_int64s", &s->n_pool);
    s->counts = op_ints(n, "ngram_counts", &s->n_counts);
    s->indexes = op_ints(n, "ngram_indexes", &s->n_indexes);
    s->weights = weights == NULL ? NULL : weights->floats;
    s->n_weights = weights == NULL ? 0 : weights->n;
    if (s->pool == NULL || op_has(n, "pool_strings"))
        return op_unsupported(n, "unsupported-type", "only pools of integers are supported: give 'pool_int64s'");
    const char *mode = op_string(n, "mode");
    if (strcmp(mode, "TF") != 0 && strcmp(mode, "IDF") != 0 && strcmp(mode, "TFIDF") != 0)
        return op_invalid(n, "wrong-attribute", "mode is '%s', expected TF, IDF or TFIDF", mode);
    if (s->shortest < 1 || s->longest < s->shortest || s->longest > s->n_counts || s->skips < 0)
        return op_invalid(n, "wrong-attribute",
                          "grams of %lld to %lld items, %lld skipped, in a pool of grams of up to %lld items",
                          (long long)s->shortest, (long long)s->longest, (long long)s->skips, (long long)s->n_counts);
    for (int64_t k = 0; k < s->n_indexes; k++) {
        if (s->indexes[k] < 0 || s->indexes[k] >= MOST_GRAMS)
            return op_invalid(n, "wrong-attribute", "'ngram_indexes' has the entry %lld", (long long)s->indexes[k]);
        s->size = s->indexes[k] >= s->size ? s->indexes[k] + 1 : s->size;
    }
    if (s->n_weights != 0 && s->n_weights != s->size)
        return op_invalid(n, "wrong-attribute", "'weights' has %lld entries, the output's rows %lld",
                          (long long)s->n_weights, (long long)s->size);
    return check_pool(n, s);
}

static status tfidf_infer(node *n) {
    const tensor_type *x = op_input_type(n, 0);
    grams s;
    TRY(read_grams(n, &s));
    if (x->rank < 0)
        return op_unknown_output(n, 0, DT_F32);
    if (x->rank < 1 || x->rank > 2)
        return op_invalid(n, "wrong-rank", "'X' must have 1 or 2 dimensions, it has %d", x->rank);
    dim dims[2] = {x->dims[0], x->dims[0]};
    dims[x->rank - 1] = DIM(s.size);
    return op_set_output(n, 0, DT_F32, x->rank, dims);
}

/* Item k of each of the grams that begin at `first` in the pool, as [1, 1, grams]. */
static value *pool_items(kit_chain *c, const grams *s, int64_t length, int64_t first, int64_t count, int64_t k) {
    int64_t *items = ARENA_NEW_N(c->g->memory, int64_t, count + 1);
    c->failed |= items == NULL;
    for (int64_t i = 0; i < count && items != NULL; i++)
        items[i] = s->pool[first + i * length + k];
    return c->failed ? NULL : kit_chain_ints(c, items, count);
}

/* Elements from..from + count of the rows of x, as [rows, count, 1]. */
static value *shifted(kit_chain *c, value *x, int64_t rows, int64_t from, int64_t count) {
    value *inputs[] = {x, kit_chain_ints(c, (int64_t[]){from}, 1), kit_chain_ints(c, (int64_t[]){from + count}, 1),
                       kit_chain_ints(c, (int64_t[]){1}, 1)};
    node *made = kit_chain_node(c, "Slice", inputs, 4, NULL, 0, 1);
    return made == NULL ? NULL : kit_chain_reshape(c, made->outputs[0], (int64_t[]){rows, count, 1}, 3);
}

/* How often each gram of this length stands in each row with items `skip` apart: [rows, grams]. */
static value *count_grams(kit_chain *c, const grams *s, value *x, int64_t length, int64_t skip) {
    int64_t first, end, rows = x->type.dims[0].n, places = x->type.dims[1].n - skip * (length - 1);
    attr keep = {.name = "keepdims", .kind = ATTR_INT, .i = 0};
    value *all = NULL;
    range_of(s, length, &first, &end);
    for (int64_t k = 0; k < length; k++) {
        value *item = shifted(c, x, rows, k * skip, places);
        value *same = kit_chain_binary(c, "Equal", item, pool_items(c, s, length, first, (end - first) / length, k));
        all = all == NULL ? same : kit_chain_binary(c, "And", all, same);
    }
    return kit_chain_with(c, "ReduceSum", kit_chain_cast(c, all, DT_F32), kit_chain_ints(c, (int64_t[]){1}, 1), &keep);
}

/* The counts of the grams of this length over all skips; zeros where no row is long enough. */
static value *count_all(kit_chain *c, const grams *s, value *x, int64_t length) {
    int64_t first, end, rows = x->type.dims[0].n, columns = x->type.dims[1].n, most = length == 1 ? 0 : s->skips;
    value *sum = NULL;
    range_of(s, length, &first, &end);
    for (int64_t skip = 1; skip <= most + 1 && skip * (length - 1) < columns && end > first; skip++) {
        value *part = count_grams(c, s, x, length, skip);
        sum = sum == NULL ? part : kit_chain_binary(c, "Add", sum, part);
    }
    if (sum != NULL)
        return sum;
    return kit_chain_binary(c, "Expand", kit_chain_scalar(c, DT_F32, 0),
                            kit_chain_ints(c, (int64_t[]){rows, (end - first) / length}, 2));
}

/* For each element of a row, the gram that it counts; the one behind the last where there is none. [unsupported-value]
 * where two grams count together. */
static status places_of(const node *n, const grams *s, int64_t *places) {
    int64_t gram = 0, used = 0;
    for (int64_t k = 0; k < s->size; k++)
        places[k] = -1;
    for (int64_t length = 1; length <= s->n_counts; length++) {
        int64_t first, end;
        range_of(s, length, &first, &end);
        bool counts = length >= s->shortest && length <= s->longest;
        for (int64_t at = first; at < end; at += length, gram++) {
            if (!counts)
                continue;
            if (places[s->indexes[gram]] >= 0)
                return op_unsupported(n, "unsupported-value", "two grams have the index %lld",
                                      (long long)s->indexes[gram]);
            places[s->indexes[gram]] = used++;
        }
    }
    for (int64_t k = 0; k < s->size; k++)
        places[k] = places[k] < 0 ? used : places[k];
    return STATUS_OK;
}

/* Counts become what the mode says. */
static value *weigh(kit_chain *c, const node *n, const grams *s, value *counts) {
    const char *mode = op_string(n, "mode");
    if (strcmp(mode, "IDF") == 0)
        counts = kit_chain_cast(c, kit_chain_binary(c, "Greater", counts, kit_chain_scalar(c, DT_F32, 0)), DT_F32);
    if (strcmp(mode, "TF") == 0 || s->weights == NULL)
        return counts;
    unsigned char *data = arena_alloc(c->g->memory, dtype_bytes(DT_F32, (size_t)s->size) + 1);
    for (int64_t k = 0; k < s->size && data != NULL; k++)
        dtype_set_double(DT_F32, data, (size_t)k, s->weights[k]);
    tensor *t = data == NULL ? NULL : tensor_new(c->g->memory, DT_F32, 1, &s->size, data);
    value *weights = t == NULL ? NULL : graph_add_constant(c->g, NULL, t);
    c->failed |= weights == NULL;
    return kit_chain_binary(c, "Mul", counts, weights);
}

static status tfidf_expand(graph *g, node *n) {
    kit_chain c = KIT_CHAIN(g, n);
    grams s;
    int64_t shape[2] = {1, 1};
    value *x = node_input(n, 0), *parts[MOST_NODES];
    int rank = x->type.rank, n_parts = 0;
    TRY(read_grams(n, &s));
    if (!type_shape(&x->type, rank == 1 ? shape + 1 : shape))
        return op_unsupported(n, "unknown-shape", "the shape of 'X' must be known; bind its dimensions");
    if (s.skips > MOST_NODES || s.longest > MOST_NODES || (s.skips + 1) * s.longest * s.longest > MOST_NODES)
        return op_unsupported(n, "too-large", "grams of up to %lld items with up to %lld skipped are too many to try",
                              (long long)s.longest, (long long)s.skips);
    int64_t *places = ARENA_NEW_N(g->memory, int64_t, s.size + 1);
    TRY_ALLOC(places);
    TRY(places_of(n, &s, places));
    x = kit_chain_cast(&c, rank == 1 ? kit_chain_reshape(&c, x, shape, 2) : x, DT_I64);
    for (int64_t length = s.shortest; length <= s.longest && !c.failed; length++)
        parts[n_parts++] = count_all(&c, &s, x, length);
    parts[n_parts++] = kit_chain_binary(&c, "Expand", kit_chain_scalar(&c, DT_F32, 0),
                                        kit_chain_ints(&c, (int64_t[]){shape[0], 1}, 2));
    attr axis = {.name = "axis", .kind = ATTR_INT, .i = 1};
    node *all = kit_chain_node(&c, "Concat", parts, n_parts, &axis, 1, 1);
    value *y =
        kit_chain_axis(&c, "Gather", all == NULL ? NULL : all->outputs[0], kit_chain_ints(&c, places, s.size), 1);
    y = weigh(&c, n, &s, y);
    return kit_chain_result(&c, node_output(n, 0), rank == 1 ? kit_chain_reshape(&c, y, &s.size, 1) : y);
}

OP_ROW(TfIdfVectorizer) = {
    .name = "TfIdfVectorizer",
    .domain = "",
    .versions = VERSIONS(9),
    .kind = OP_EXPAND,
    .inputs = PARAMS({"X", TYPES_INDEX, 'T', 0}),
    .outputs = PARAMS({"Y", TYPE_BIT(DT_F32), 0, 0}),
    .attrs = ATTRS({"max_gram_length", ATTR_INT, .required = true}, {"max_skip_count", ATTR_INT, .required = true},
                   {"min_gram_length", ATTR_INT, .required = true}, {"mode", ATTR_STRING, .required = true},
                   {"ngram_counts", ATTR_INTS, .required = true}, {"ngram_indexes", ATTR_INTS, .required = true},
                   {"pool_int64s", .kind = ATTR_INTS}, {"pool_strings", .kind = ATTR_STRINGS},
                   {"weights", .kind = ATTR_FLOATS}),
    .note = "pools of integers only",
    .infer = tfidf_infer,
    .expand = tfidf_expand,
};
