/* Expressions on one vector: a table from (kind, element type, instruction set) to C. */
#include "codegen/c99/c99.h"

#define E(type) (1u << DT_##type)
#define FLOATS (E(F32) | E(F64))
#define SIGNED (E(I8) | E(I16) | E(I32) | E(I64))
#define UNSIGNED (E(U8) | E(U16) | E(U32) | E(U64))
#define INTS (SIGNED | UNSIGNED)
#define ALL (INTS | FLOATS)

#define ON(isa) (1u << ISA_##isa)
#define AVX512 ON(AVX512)
#define AVX2 (ON(AVX2) | AVX512)
#define X86 (ON(SSE2) | AVX2)
#define NEON ON(NEON)
#define GNU (X86 | NEON)
#define VNNI (1u << 31)
#define DOTPROD (1u << 30)
#define AVXVNNI (1u << 29) /* of 16 and 32 bytes, without AVX-512 */

enum { HALF = 8, XMM = 16, YMM = 32, ZMM = 64, REGISTER = XMM | YMM | ZMM, SIZES = HALF | REGISTER };

typedef struct vector_row {
    expr_kind kind;
    uint32_t types, isas;
    int bytes;    /* sizes of vectors */
    bool repeats; /* an operand stands more than once */
    level result;
    /* $0 $1 $2 operands; @0 the same as __m128i .., float32x4_t ..; $P _mm, _mm256, _mm512; $e ps pd epi8 epu8 ..;
     * $T the type, $U and $I its unsigned and signed form; $t NEON's suffix, $B its mask's type; $m all bits but the
     * sign, $b width, $w width - 1; $s si128, si256, si512; $R the register's type, for floats; $C operand 1 as a shift
     * count */
    const char *text;
} vector_row;

#define CALL(kind, types, isas, bytes, text) {EXPR_##kind, types, isas, bytes, false, LEVEL_ATOM, text}
#define INFIX(kind, types, text) {EXPR_##kind, types, GNU, SIZES, false, LEVEL_ANY, text}
#define TWICE(kind, types, text) {EXPR_##kind, types, GNU, SIZES, true, LEVEL_ANY, text}
#define HIGH(isas, bytes, text) {EXPR_MUL_HIGH, E(I32), isas, bytes, true, LEVEL_UNARY, "($T)" text}
/* Products of even lanes, moved down; those of odd lanes, whose lower halves do not count. */
#define HALVES_X86 "$P_srli_epi64($P_mul_epi32(@0, @1), 32), $P_mul_epi32($P_srli_epi64(@0, 32), $P_srli_epi64(@1, 32))"
/* By a mask. NEON's own fmin and fmax differ on NaN and on zeros. */
#define CHOICE(kind, text) {EXPR_##kind, ALL, NEON, XMM, true, LEVEL_ATOM, text}

static const vector_row rows[] = {
    CALL(MIN, FLOATS, X86, REGISTER, "$P_min_$e($0, $1)"),
    CALL(MAX, FLOATS, X86, REGISTER, "$P_max_$e($0, $1)"),
    CALL(MIN, E(I16) | E(U8), X86, REGISTER, "($T)$P_min_$e(@0, @1)"),
    CALL(MAX, E(I16) | E(U8), X86, REGISTER, "($T)$P_max_$e(@0, @1)"),
    CALL(MIN, E(I8) | E(U16) | E(I32) | E(U32), AVX2, REGISTER, "($T)$P_min_$e(@0, @1)"),
    CALL(MAX, E(I8) | E(U16) | E(I32) | E(U32), AVX2, REGISTER, "($T)$P_max_$e(@0, @1)"),
    CALL(MIN, E(I64) | E(U64), AVX512, REGISTER, "($T)$P_min_$e(@0, @1)"),
    CALL(MAX, E(I64) | E(U64), AVX512, REGISTER, "($T)$P_max_$e(@0, @1)"),
    CALL(MIN, INTS & ~(E(I64) | E(U64)), NEON, XMM, "($T)vminq_$t(@0, @1)"),
    CALL(MAX, INTS & ~(E(I64) | E(U64)), NEON, XMM, "($T)vmaxq_$t(@0, @1)"),
    CHOICE(MIN, "($T)vbslq_$t(($B)($0 < $1), @0, @1)"),
    CHOICE(MAX, "($T)vbslq_$t(($B)($0 > $1), @0, @1)"),
    TWICE(MIN, ALL, "($T)((($I)($0 < $1) & ($I)$0) | (~($I)($0 < $1) & ($I)$1))"),
    TWICE(MAX, ALL, "($T)((($I)($0 > $1) & ($I)$0) | (~($I)($0 > $1) & ($I)$1))"),
    CALL(SQRT, FLOATS, X86, REGISTER, "$P_sqrt_$e($0)"),
    CALL(FLOOR, FLOATS, AVX2, REGISTER, "$P_floor_$e($0)"),
    CALL(CEIL, FLOATS, AVX2, REGISTER, "$P_ceil_$e($0)"),
    CALL(TRUNC, FLOATS, AVX2, XMM | YMM, "$P_round_$e($0, 3 | 8)"),
    CALL(RINT, FLOATS, AVX2, XMM | YMM, "$P_round_$e($0, 0 | 8)"),
    CALL(TRUNC, FLOATS, AVX512, ZMM, "$P_roundscale_$e($0, 3 | 8)"),
    CALL(RINT, FLOATS, AVX512, ZMM, "$P_roundscale_$e($0, 0 | 8)"),
    CALL(FMA, FLOATS, AVX2, REGISTER, "$P_fmadd_$e($0, $1, $2)"),
    CALL(SQRT, FLOATS, NEON, XMM, "($T)vsqrtq_$t(@0)"),
    CALL(FLOOR, FLOATS, NEON, XMM, "($T)vrndmq_$t(@0)"),
    CALL(CEIL, FLOATS, NEON, XMM, "($T)vrndpq_$t(@0)"),
    CALL(TRUNC, FLOATS, NEON, XMM, "($T)vrndq_$t(@0)"),
    CALL(RINT, FLOATS, NEON, XMM, "($T)vrndnq_$t(@0)"),
    CALL(FMA, FLOATS, NEON, XMM, "($T)vfmaq_$t(@2, @0, @1)"),
    CALL(ABS, SIGNED | FLOATS, NEON, XMM, "($T)vabsq_$t(@0)"),
    CALL(ABS, E(I8) | E(I16) | E(I32), AVX2, REGISTER, "($T)$P_abs_$e(@0)"),
    TWICE(ABS, SIGNED, "($T)(($U)($0 ^ ($0 >> $w)) - ($U)($0 >> $w))"),
    INFIX(ABS, UNSIGNED, "$0"),
    INFIX(ABS, FLOATS, "($T)(($U)$0 & $m)"),
    INFIX(NEG, FLOATS, "-$0"),
    INFIX(NEG, INTS, "($T)-($U)$0"),
    INFIX(NOT, INTS, "~$0"),
    INFIX(ADD, UNSIGNED | FLOATS, "$0 + $1"),
    INFIX(SUB, UNSIGNED | FLOATS, "$0 - $1"),
    INFIX(MUL, UNSIGNED | FLOATS, "$0 * $1"),
    INFIX(ADD, SIGNED, "($T)(($U)$0 + ($U)$1)"),
    INFIX(SUB, SIGNED, "($T)(($U)$0 - ($U)$1)"),
    INFIX(MUL, SIGNED, "($T)(($U)$0 * ($U)$1)"),
    HIGH(AVX512, ZMM, "$P_mask_blend_epi32(0xAAAA, " HALVES_X86 ")"),
    HIGH(AVX2, YMM, "$P_blend_epi32(" HALVES_X86 ", 0xAA)"),
    HIGH(AVX2, XMM, "$P_blend_epi32(" HALVES_X86 ", 0xA)"),
    HIGH(NEON, XMM,
         "vcombine_s32(vshrn_n_s64(vmull_s32(vget_low_s32(@0), vget_low_s32(@1)), 32), "
         "vshrn_n_s64(vmull_high_s32(@0, @1), 32))"),
    INFIX(DIV, FLOATS, "$0 / $1"),
    INFIX(AND, INTS, "$0 & $1"),
    INFIX(OR, INTS, "$0 | $1"),
    INFIX(XOR, INTS, "$0 ^ $1"),
    INFIX(SHL, INTS, "($T)(($U)$0 << $C)"),
    INFIX(SHR, INTS, "$0 >> $C"),
    INFIX(EQ, ALL, "($I)($0 == $1)"),
    INFIX(NE, ALL, "($I)($0 != $1)"),
    INFIX(LT, ALL, "($I)($0 < $1)"),
    INFIX(LE, ALL, "($I)($0 <= $1)"),
    CALL(PAIRS, E(I16), AVX2, REGISTER, "($T)$P_maddubs_epi16(@0, @1)"),
    CALL(DOT2, E(I32), VNNI, REGISTER, "($T)$P_dpwssd_epi32(@0, @1, @2)"),
    CALL(DOT2, E(I32), AVXVNNI, REGISTER, "($T)$P_dpwssd_avx_epi32(@0, @1, @2)"),
    CALL(PERMUTE, E(F32), AVX2, YMM, "_mm256_permutevar8x32_ps($0, @1)"),
    CALL(PERMUTE, E(I32) | E(U32), AVX2, YMM, "($T)_mm256_permutevar8x32_epi32(@0, @1)"),
    CALL(PERMUTE, E(F32), AVX512, ZMM, "_mm512_permutexvar_ps(@1, $0)"),
    CALL(PERMUTE, E(I32) | E(U32), AVX512, ZMM, "($T)_mm512_permutexvar_epi32(@1, @0)"),
    CALL(PERMUTE2, E(F32), AVX512, YMM | ZMM, "$P_permutex2var_ps($0, @2, $1)"),
    CALL(PERMUTE2, E(I32) | E(U32), AVX512, YMM | ZMM, "($T)$P_permutex2var_epi32(@0, @2, @1)"),
    CALL(DOT4, E(I32), DOTPROD, XMM, "($T)vdotq_s32(@0, (int8x16_t)$1, (int8x16_t)$2)"),
    CALL(DOT4, E(I32), VNNI, REGISTER, "($T)$P_dpbusd_epi32(@0, @1, @2)"),
    CALL(DOT4, E(I32), AVXVNNI, REGISTER, "($T)$P_dpbusd_avx_epi32(@0, @1, @2)"),
    CALL(DOT4, E(I32), X86, REGISTER,
         "($T)(($U)$0 + ($U)$P_madd_epi16($P_and_$s(@1, $P_set1_epi16(255)), "
         "$P_srai_epi16($P_slli_epi16(@2, 8), 8)) + ($U)$P_madd_epi16($P_srli_epi16(@1, 8), $P_srai_epi16(@2, 8)))"),
    CALL(DOT2, E(I32), X86, REGISTER, "($T)(($U)$0 + ($U)$P_madd_epi16(@1, @2))"),
};

static const char *prefix_of(int bytes) {
    return bytes == 64 ? "_mm512" : bytes == 32 ? "_mm256" : "_mm";
}

/* f32, s8, u64 */
static void add_suffix(strbuf *s, dtype t) {
    strbuf_printf(s, "%c%d", dtype_is_float(t) ? 'f' : dtype_is_signed(t) ? 's' : 'u', dtype_bits(t));
}

/* What the intrinsics take. */
static void add_register(const c99 *c, strbuf *s, dtype t, int count) {
    static const char *const stems[] = {"uint", "int", "float"};
    const int bits = dtype_bits(t);
    if (c->target->isa == ISA_NEON)
        strbuf_printf(s, "(%s%dx%d_t)", stems[dtype_is_float(t) ? 2 : dtype_is_signed(t)], bits, count);
    else
        strbuf_printf(s, "(__m%di)", bits * count);
}

static void add_type(c99 *c, strbuf *s, dtype t, int count, char field) {
    int bits = dtype_bits(t);
    switch (field) {
    case 'T':
        strbuf_add(s, c99_vector(c, t, count));
        break;
    case 'U':
    case 'I':
        strbuf_add(s, c99_vector(c, c99_int_type(bits, field == 'I'), count));
        break;
    case 'P':
        strbuf_add(s, prefix_of(bits / 8 * count));
        break;
    case 'e':
        if (dtype_is_float(t))
            strbuf_add(s, t == DT_F32 ? "ps" : "pd");
        else
            strbuf_printf(s, "ep%c%d", dtype_is_signed(t) ? 'i' : 'u', bits);
        break;
    case 'm':
        strbuf_add(s, t == DT_F32 ? "0x7fffffffu" : "UINT64_C(0x7fffffffffffffff)");
        break;
    case 'b':
        strbuf_printf(s, "%d", bits);
        break;
    case 'R':
        strbuf_printf(s, "__m%d%s", bits * count, t == DT_F32 ? "" : "d");
        break;
    case 'w':
        strbuf_printf(s, "%d", bits - 1);
        break;
    case 's':
        strbuf_printf(s, "si%d", bits * count);
        break;
    case 'B':
        strbuf_printf(s, "uint%dx%d_t", bits, count);
        break;
    default: /* 't' */
        add_suffix(s, t);
        break;
    }
}

static void add_count(c99 *c, strbuf *s, dtype t, int count, code n) {
    const char *text = c99_inside(c, n, LEVEL_UNARY);
    if (n.level == LEVEL_NAME && *n.s >= '0' && *n.s <= '9')
        strbuf_add(s, text);
    else
        strbuf_printf(s, "(%s)(%s & %d)", c99_vector(c, t, count), text, dtype_bits(t) - 1);
}

static const char *fill(c99 *c, const char *text, dtype t, int count, const code *args) {
    strbuf s = strbuf_in(c->scratch);
    for (; *text != '\0'; text++) {
        if (*text == '@')
            add_register(c, &s, t, count);
        else if (*text != '$')
            strbuf_char(&s, *text);
        if (*text != '@' && *text != '$')
            continue;
        text++;
        if (*text >= '0' && *text <= '2')
            strbuf_add(&s, c99_inside(c, args[*text - '0'], LEVEL_UNARY));
        else if (*text == 'C')
            add_count(c, &s, text[-2] == '>' ? t : c99_int_type(dtype_bits(t), false), count, args[1]);
        else
            add_type(c, &s, t, count, *text);
    }
    const char *out = "";
    if (strbuf_finish(&s, &out) != STATUS_OK)
        c->failed = true;
    return out;
}

static uint32_t isas_of(const target *t) {
    uint32_t vnni = t->isa == ISA_AVX2 ? AVXVNNI : VNNI;
    return (1u << t->isa) | (t->has_vnni ? vnni : 0) | (t->has_dotprod ? DOTPROD : 0);
}

static const vector_row *find_row(const c99 *c, expr_kind kind, dtype t, int bytes) {
    const uint32_t isas = isas_of(c->target);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const vector_row *r = &rows[i];
        if (r->kind == kind && (r->types & (1u << t)) && (r->isas & isas) && (r->bytes & bytes))
            return r;
    }
    return NULL;
}

bool c99_vector_op(c99 *c, expr_kind kind, dtype elem, int count, int n, const code *args, code *out) {
    dtype t = c99_stored(elem);
    const vector_row *r = find_row(c, kind, t, dtype_bits(t) / 8 * count);
    if (r == NULL)
        return false;
    code named[3];
    int cost = 1;
    for (int i = 0; i < n; i++) {
        named[i] = r->repeats ? c99_temporary(c, t, dtype_bits(t), count, args[i]) : args[i];
        cost += named[i].cost;
    }
    *out = (code){fill(c, r->text, t, count, named), r->result, cost};
    return true;
}

/* By rows of vector_row's templates with $0 the mask, $1 and $2 what it chooses. Smaller integers go without a mask
 * register on AVX-512: of that, a zero and widened bytes gcc 12 makes an instruction that it then cannot split. */
static const vector_row select_rows[] = {
    CALL(SELECT, FLOATS, AVX512, REGISTER, "$P_mask_blend_$e($P_movepi$b_mask(@0), $2, $1)"),
    CALL(SELECT, INTS, AVX512, ZMM, "($T)$P_mask_blend_epi$b($P_movepi$b_mask(@0), @2, @1)"),
    CALL(SELECT, FLOATS, ON(AVX2), REGISTER, "$P_blendv_$e($2, $1, ($R)$0)"),
    CALL(SELECT, INTS, ON(AVX2), REGISTER, "($T)$P_blendv_epi8(@2, @1, @0)"),
    CALL(SELECT, ALL, NEON, XMM, "($T)vbslq_$t(($B)$0, @1, @2)"),
    TWICE(SELECT, ALL, "($T)(($0 & ($I)$1) | (~$0 & ($I)$2))"),
};

code c99_vector_select(c99 *c, dtype elem, int count, code mask, code a, code b) {
    dtype t = c99_stored(elem);
    const vector_row *r = select_rows;
    while (!(r->types & (1u << t)) || !(r->isas & (1u << c->target->isa)) || !(r->bytes & (dtype_bits(t) / 8 * count)))
        r++;
    if (r->repeats)
        mask = c99_temporary(c, DT_BOOL, dtype_bits(t), count, mask);
    code args[3] = {mask, a, b};
    return (code){fill(c, r->text, t, count, args), r->result, mask.cost + a.cost + b.cost + 1};
}

/* {x, x, x, x} of the type; x is a name. */
static code repeated(c99 *c, dtype t, int count, code x) {
    strbuf s = strbuf_in(c->scratch);
    strbuf_printf(&s, "(%s){", c99_vector(c, t, count));
    for (int i = 0; i < count; i++)
        strbuf_printf(&s, "%s%s", i == 0 ? "" : ", ", x.s);
    strbuf_char(&s, '}');
    const char *text = "";
    if (strbuf_finish(&s, &text) != STATUS_OK)
        c->failed = true;
    return (code){text, LEVEL_ANY, 2};
}

static code neon_splat(c99 *c, dtype t, int count, code x) {
    strbuf s = strbuf_in(c->scratch);
    strbuf_printf(&s, "(%s)vdupq_n_", c99_vector(c, t, count));
    add_suffix(&s, t);
    strbuf_printf(&s, "(%s)", x.s);
    const char *text = "";
    if (strbuf_finish(&s, &text) != STATUS_OK)
        c->failed = true;
    return (code){text, LEVEL_ATOM, x.cost + 1};
}

code c99_vector_splat(c99 *c, dtype elem, int count, code x) {
    dtype t = c99_stored(elem);
    int bits = dtype_bits(t), bytes = bits / 8 * count;
    if (bytes < 16 || (c->target->isa == ISA_NEON && x.level == LEVEL_NAME))
        return repeated(c, t, count, c99_temporary(c, t, bits, 1, x));
    if (c->target->isa == ISA_NEON)
        return neon_splat(c, t, count, x);
    if (dtype_is_float(t))
        return c99_code(c, LEVEL_ATOM, x.cost + 1, "%s_set1_%s(%s)", prefix_of(bytes), t == DT_F32 ? "ps" : "pd", x.s);
    static const char *const params[] = {"char", "short", "int", "long long"};
    const char *param = params[bits == 8 ? 0 : bits == 16 ? 1 : bits == 32 ? 2 : 3];
    return c99_code(c, LEVEL_UNARY, x.cost + 1, "(%s)%s_set1_epi%d%s((%s)%s)", c99_vector(c, t, count),
                    prefix_of(bytes), bits, bits == 64 && bytes < 64 ? "x" : "", param, c99_inside(c, x, LEVEL_UNARY));
}
