/* Loads, stores and the rearranging of lanes: a template, compiled once per instruction set. Values are moved as plain
 * bits of 1, 2, 4 or 8 bytes, whatever their element type. Memory is accessed through memcpy: buffers need no
 * alignment. */

/* The slots hold values of other types of the same size. */
typedef uint8_t bits1;
typedef uint16_t __attribute__((may_alias)) bits2;
typedef uint32_t __attribute__((may_alias)) bits4;
typedef uint64_t __attribute__((may_alias)) bits8;

#define INDEX_AT(p, j) ((int64_t)((uint64_t)((const int64_t *)(p)->a)[j] + (uint64_t)(p)->imm))

/* Contiguous lanes. a: scalar index. */
#define DEFINE_LOAD(name, width)                                                                                       \
    static const op *load_##name(const op *p) {                                                                        \
        memcpy(p->out, interp_at(p, INDEX_AT(p, 0), p->n), width);                                                     \
        return p + 1;                                                                                                  \
    }
/* a: scalar index, c: value. */
#define DEFINE_STORE(name, width)                                                                                      \
    static const op *store_##name(const op *p) {                                                                       \
        memcpy(interp_at(p, INDEX_AT(p, 0), p->n), p->c, width);                                                       \
        return p + 1;                                                                                                  \
    }
/* out = a, all its bytes. */
#define DEFINE_COPY(name, width)                                                                                       \
    static const op *copy_##name(const op *p) {                                                                        \
        memcpy(p->out, p->a, width);                                                                                   \
        return p + 1;                                                                                                  \
    }
#define EACH_WIDTH(X)                                                                                                  \
    X(1, 1) X(2, 2) X(4, 4) X(8, 8) X(16, 16) X(32, 32) X(64, 64) X(any, (size_t)p->n *(size_t)p->size)

EACH_WIDTH(DEFINE_LOAD)
EACH_WIDTH(DEFINE_STORE)
EACH_WIDTH(DEFINE_COPY)

#define DEFINE_BROADCAST(name)                                                                                         \
    static const op *broadcast_##name(const op *p) {                                                                   \
        const bits##name x = *(const bits##name *)p->a;                                                                \
        for (intptr_t k = 0; k < p->n; k += INTERP_BLOCK) {                                                            \
            BLOCK_FENCE(k);                                                                                            \
            bits##name *out = (bits##name *)p->out + k;                                                                \
            for (int i = 0; i < INTERP_BLOCK; i++)                                                                     \
                out[i] = x;                                                                                            \
        }                                                                                                              \
        return p + 1;                                                                                                  \
    }

/* The broadcast of a loaded scalar. a: its index. */
#define DEFINE_LOAD_BROADCAST(name)                                                                                    \
    static const op *load_broadcast_##name(const op *p) {                                                              \
        bits##name x;                                                                                                  \
        memcpy(&x, interp_at(p, INDEX_AT(p, 0), 1), sizeof x);                                                         \
        for (intptr_t k = 0; k < p->n; k += INTERP_BLOCK) {                                                            \
            BLOCK_FENCE(k);                                                                                            \
            bits##name *out = (bits##name *)p->out + k;                                                                \
            for (int i = 0; i < INTERP_BLOCK; i++)                                                                     \
                out[i] = x;                                                                                            \
        }                                                                                                              \
        return p + 1;                                                                                                  \
    }

/* a: condition; b where it is true, c where it is false. */
#define DEFINE_SELECT(name)                                                                                            \
    static const op *select_##name##_1(const op *p) {                                                                  \
        *(bits##name *)p->out = *(const bits##name *)(*(const uint8_t *)p->a ? p->b : p->c);                           \
        return p + 1;                                                                                                  \
    }                                                                                                                  \
    static const op *select_##name##_n(const op *p) {                                                                  \
        for (intptr_t k = 0; k < p->n; k += INTERP_BLOCK) {                                                            \
            BLOCK_FENCE(k);                                                                                            \
            const uint8_t *condition = (const uint8_t *)p->a + k;                                                      \
            const bits##name *x = (const bits##name *)p->b + k, *y = (const bits##name *)p->c + k;                     \
            bits##name *out = (bits##name *)p->out + k, r[INTERP_BLOCK];                                               \
            for (int i = 0; i < INTERP_BLOCK; i++)                                                                     \
                r[i] = condition[i] ? x[i] : y[i];                                                                     \
            BLOCK_STORE(out, r);                                                                                       \
        }                                                                                                              \
        return p + 1;                                                                                                  \
    }

/* c: lane numbers in the concatenation of a and b, which have imm lanes each. out is neither a nor b. */
#define DEFINE_SHUFFLE(name)                                                                                           \
    static const op *shuffle_##name(const op *p) {                                                                     \
        const uint8_t *lane = p->c;                                                                                    \
        const bits##name *x = p->a, *y = p->b;                                                                         \
        bits##name *out = p->out;                                                                                      \
        for (int j = 0; j < p->n; j++)                                                                                 \
            out[j] = lane[j] < p->imm ? x[lane[j]] : y[lane[j] - p->imm];                                              \
        return p + 1;                                                                                                  \
    }

/* a: an index per lane; b: mask, or NULL. */
#define DEFINE_GATHER(name)                                                                                            \
    static const op *gather_##name(const op *p) {                                                                      \
        const uint8_t *mask = p->b;                                                                                    \
        bits##name *out = p->out;                                                                                      \
        for (int j = 0; j < p->n; j++) {                                                                               \
            bits##name x = 0;                                                                                          \
            if (mask == NULL || mask[j])                                                                               \
                memcpy(&x, interp_at(p, INDEX_AT(p, j), 1), sizeof x);                                                 \
            out[j] = x;                                                                                                \
        }                                                                                                              \
        return p + 1;                                                                                                  \
    }

/* a: an index per lane; b: mask, or NULL; c: value. */
#define DEFINE_SCATTER(name)                                                                                           \
    static const op *scatter_##name(const op *p) {                                                                     \
        const uint8_t *mask = p->b;                                                                                    \
        const bits##name *x = p->c;                                                                                    \
        for (int j = 0; j < p->n; j++)                                                                                 \
            if (mask == NULL || mask[j])                                                                               \
                memcpy(interp_at(p, INDEX_AT(p, j), 1), &x[j], sizeof *x);                                             \
        return p + 1;                                                                                                  \
    }

/* Contiguous lanes where the mask b is true. a: scalar index. */
#define DEFINE_LOAD_MASKED(name)                                                                                       \
    static const op *load_masked_##name(const op *p) {                                                                 \
        const uint8_t *mask = p->b;                                                                                    \
        bits##name *out = p->out;                                                                                      \
        const int64_t first = INDEX_AT(p, 0);                                                                          \
        for (int j = 0; j < p->n; j++) {                                                                               \
            bits##name x = 0;                                                                                          \
            if (mask[j])                                                                                               \
                memcpy(&x, interp_at(p, (int64_t)((uint64_t)first + (uint64_t)j), 1), sizeof x);                       \
            out[j] = x;                                                                                                \
        }                                                                                                              \
        return p + 1;                                                                                                  \
    }
#define DEFINE_STORE_MASKED(name)                                                                                      \
    static const op *store_masked_##name(const op *p) {                                                                \
        const uint8_t *mask = p->b;                                                                                    \
        const bits##name *x = p->c;                                                                                    \
        const int64_t first = INDEX_AT(p, 0);                                                                          \
        for (int j = 0; j < p->n; j++)                                                                                 \
            if (mask[j])                                                                                               \
                memcpy(interp_at(p, (int64_t)((uint64_t)first + (uint64_t)j), 1), &x[j], sizeof *x);                   \
        return p + 1;                                                                                                  \
    }

#define EACH_SIZE(X) X(1) X(2) X(4) X(8)
EACH_SIZE(DEFINE_BROADCAST)
EACH_SIZE(DEFINE_LOAD_BROADCAST)
EACH_SIZE(DEFINE_SELECT)
EACH_SIZE(DEFINE_SHUFFLE)
EACH_SIZE(DEFINE_GATHER)
EACH_SIZE(DEFINE_SCATTER)
EACH_SIZE(DEFINE_LOAD_MASKED)
EACH_SIZE(DEFINE_STORE_MASKED)

#define BY_SIZE(name) static const op_fn name##_table[INTERP_SIZES] = {name##_1, name##_2, name##_4, name##_8}
static const op_pair select_table[INTERP_SIZES] = {
    {select_1_1, select_1_n}, {select_2_1, select_2_n}, {select_4_1, select_4_n}, {select_8_1, select_8_n}};
#define BY_WIDTH(name)                                                                                                 \
    static const op_fn name##_table[INTERP_WIDTHS] = {name##_1,  name##_2,  name##_4,  name##_8,                       \
                                                      name##_16, name##_32, name##_64, name##_any}
BY_SIZE(broadcast);
BY_SIZE(load_broadcast);
BY_SIZE(shuffle);
BY_SIZE(gather);
BY_SIZE(scatter);
BY_SIZE(load_masked);
BY_SIZE(store_masked);
BY_WIDTH(load);
BY_WIDTH(store);
BY_WIDTH(copy);
