/* Vectors of one element type from another's, pieces of vectors, masked memory. */
#include "codegen/c99/c99.h"

static bool has_avx2(const c99 *c) {
    return c->target->isa == ISA_AVX2 || c->target->isa == ISA_AVX512;
}

static bool is_x86(const c99 *c) {
    return has_avx2(c) || c->target->isa == ISA_SSE2;
}

static const char *prefix_of(int bytes) {
    return bytes == 64 ? "_mm512" : bytes == 32 ? "_mm256" : "_mm";
}

static const char *register_of(int bytes) {
    return bytes == 64 ? "__m512i" : bytes == 32 ? "__m256i" : "__m128i";
}

/* A vector of 8, 16, 32 or 64 bytes as an integer register. */
static const char *as_register(c99 *c, code x, int bytes) {
    const char *inner = c99_inside(c, x, LEVEL_UNARY);
    if (bytes >= 16)
        return c99_code(c, LEVEL_UNARY, 0, "(%s)%s", register_of(bytes), inner).s;
    return c99_code(c, LEVEL_UNARY, 0, "(__m128i)(%s){(int64_t)%s, 0}", c99_vector(c, DT_I64, 2), inner).s;
}

/* The vector type `t` of `count` lanes out of a register; the low half of one where that is all it needs. */
static code from_register(c99 *c, dtype t, int count, const char *x, int cost) {
    const char *type = c99_vector(c, t, count);
    if (dtype_bits(c99_stored(t)) / 8 * count >= 16)
        return c99_code(c, LEVEL_UNARY, cost, "(%s)%s", type, x);
    return c99_code(c, LEVEL_UNARY, cost, "(%s)((%s)%s)[0]", type, c99_vector(c, DT_I64, 2), x);
}

static code widen(c99 *c, dtype to, dtype from, int count, code x) {
    int bytes = dtype_bits(to) / 8 * count, from_bytes = dtype_bits(from) / 8 * count;
    code y =
        c99_code(c, LEVEL_ATOM, x.cost + 1, "%s_cvtep%c%d_epi%d(%s)", prefix_of(bytes),
                 dtype_is_signed(from) ? 'i' : 'u', dtype_bits(from), dtype_bits(to), as_register(c, x, from_bytes));
    return from_register(c, to, count, y.s, y.cost);
}

/* ---- NEON ---- */

static bool is_neon(const c99 *c) {
    return c->target->isa == ISA_NEON;
}

/* Between floats and integers of one width: NEON's instructions do both signs, saturate, and make NaN 0, as the loop IR
 * wants it. */
static bool neon_same_width(c99 *c, dtype to, dtype from, int count, code x, code *out) {
    const bool to_float = dtype_is_float(to);
    const dtype whole = to_float ? from : to;
    const int bits = dtype_bits(to);
    if (!is_neon(c) || bits != dtype_bits(from) || bits * count != 128)
        return false;
    const char *const sign = dtype_is_signed(whole) ? "s" : "u", *const stem = dtype_is_signed(whole) ? "int" : "uint";
    const char *const inner = c99_inside(c, x, LEVEL_UNARY), *const type = c99_vector(c, to, count);
    if (to_float)
        *out = c99_code(c, LEVEL_UNARY, x.cost + 1, "(%s)vcvtq_f%d_%s%d((%s%dx%d_t)%s)", type, bits, sign, bits, stem,
                        bits, count, inner);
    else
        *out = c99_code(c, LEVEL_UNARY, x.cost + 1, "(%s)vcvtq_%s%d_f%d((float%dx%d_t)%s)", type, sign, bits, bits,
                        bits, count, inner);
    return true;
}

static bool neon_half(c99 *c, dtype to, int count, code x, code *out) {
    if (!is_neon(c) || count != 4)
        return false;
    const char *const inner = c99_inside(c, x, LEVEL_UNARY);
    if (to == DT_F16)
        *out = c99_code(c, LEVEL_UNARY, x.cost + 2, "(%s)vreinterpret_u16_f16(vcvt_f16_f32((float32x4_t)%s))",
                        c99_vector(c, DT_U16, 4), inner);
    else
        *out = c99_code(c, LEVEL_UNARY, x.cost + 2, "(%s)vcvt_f32_f16(vreinterpret_f16_u16((uint16x4_t)%s))",
                        c99_vector(c, DT_F32, 4), inner);
    return true;
}

/* To half the width: from signed lanes to both signs, from unsigned ones to unsigned. */
static bool neon_saturate(c99 *c, dtype to, dtype from, int count, code x, code *out) {
    const int bits = dtype_bits(from);
    const bool is_signed = dtype_is_signed(from), changes = is_signed && !dtype_is_signed(to);
    if (!is_neon(c) || bits != 2 * dtype_bits(to) || bits * count != 128 || (!is_signed && dtype_is_signed(to)))
        return false;
    *out = c99_code(c, LEVEL_UNARY, x.cost + 1, "(%s)vqmov%sn_%s%d((%s%dx%d_t)%s)", c99_vector(c, to, count),
                    changes ? "u" : "", is_signed ? "s" : "u", bits, is_signed ? "int" : "uint", bits, count,
                    c99_inside(c, x, LEVEL_UNARY));
    return true;
}

/* ---- x86 ---- */

/* Takes the lower halves of lanes by saturating packs: all values already fit the narrower type, or saturation is
 * wanted. `packs` are the instructions from the operand's width down, e.g. packs_epi32 packus_epi16. */
static code pack(c99 *c, dtype to, dtype from, int count, code x, const char *const *packs, int n_packs) {
    int from_bytes = dtype_bits(from) / 8 * count;
    const char *low, *high;
    if (from_bytes == 32) {
        x = c99_temporary(c, from, dtype_bits(from), count, x);
        low = c99_code(c, LEVEL_ATOM, 0, "_mm256_castsi256_si128((__m256i)%s)", x.s).s;
        high = c99_code(c, LEVEL_ATOM, 0, "_mm256_extracti128_si256((__m256i)%s, 1)", x.s).s;
    } else {
        x = c99_temporary(c, from, dtype_bits(from), count, x);
        low = high = as_register(c, x, from_bytes);
    }
    code y = c99_code(c, LEVEL_ATOM, 2, "_mm_%s(%s, %s)", packs[0], low, high);
    if (n_packs == 2) {
        y = c99_temporary(c, c99_int_type(16, true), 16, 8, from_register(c, DT_I16, 8, y.s, 2));
        y = c99_code(c, LEVEL_ATOM, 2, "_mm_%s((__m128i)%s, (__m128i)%s)", packs[1], y.s, y.s);
    }
    return from_register(c, to, count, y.s, y.cost);
}

/* Truncation of lanes. AVX-512 has instructions; before it the upper bits are cleared and the rest packed. */
static bool narrow(c99 *c, dtype to, dtype from, int count, code x, code *out) {
    int from_bytes = dtype_bits(from) / 8 * count, from_bits = dtype_bits(from), to_bits = dtype_bits(to);
    if (c->target->isa == ISA_AVX512) {
        code y = c99_code(c, LEVEL_ATOM, x.cost + 1, "%s_cvtepi%d_epi%d(%s)", prefix_of(from_bytes), from_bits, to_bits,
                          as_register(c, x, from_bytes));
        *out = from_register(c, to, count, y.s, y.cost);
        return true;
    }
    if (!is_x86(c) || from_bits == 64 || (from_bits == 32 && !has_avx2(c)))
        return false;
    static const char *const packs[] = {"packus_epi32", "packus_epi16"};
    dtype u = c99_int_type(from_bits, false);
    code low = c99_code(c, LEVEL_ANY, x.cost + 1, "(%s)%s & %u", c99_vector(c, u, count), c99_inside(c, x, LEVEL_UNARY),
                        (1u << to_bits) - 1);
    *out = pack(c, to, u, count, low, packs + (from_bits == 16), from_bits == 32 && to_bits == 8 ? 2 : 1);
    return true;
}

static bool int_to_int(c99 *c, dtype to, dtype from, int count, code x, code *out) {
    int to_bits = dtype_bits(to), from_bits = dtype_bits(from);
    if (to_bits == from_bits) {
        *out = c99_code(c, LEVEL_UNARY, x.cost, "(%s)%s", c99_vector(c, to, count), c99_inside(c, x, LEVEL_UNARY));
        return true;
    }
    if (to_bits > from_bits && has_avx2(c)) {
        *out = widen(c, to, from, count, x);
        return true;
    }
    if (to_bits < from_bits && narrow(c, to, from, count, x, out))
        return true;
    *out = c99_code(c, LEVEL_ATOM, x.cost + 1, "__builtin_convertvector(%s, %s)", x.s, c99_vector(c, to, count));
    return true;
}

static bool int_to_float(c99 *c, dtype to, dtype from, int count, code x, code *out) {
    int bytes = dtype_bits(to) / 8 * count, from_bytes = dtype_bits(from) / 8 * count;
    const char *p = prefix_of(bytes), *suffix = to == DT_F32 ? "ps" : "pd";
    if (dtype_bits(from) < 32) {
        code wide;
        if (!c99_vector_cast(c, DT_I32, from, count, x, &wide))
            return false;
        return int_to_float(c, to, DT_I32, count, wide, out);
    }
    if (neon_same_width(c, to, from, count, x, out))
        return true;
    if (from == DT_I32 && is_x86(c) && from_bytes >= 16) {
        *out = c99_code(c, LEVEL_ATOM, x.cost + 1, "%s_cvtepi32_%s(%s)", p, suffix, as_register(c, x, from_bytes));
        return true;
    }
    if (c->target->isa == ISA_AVX512 && from_bytes >= 16 && from_bytes >= bytes / 2 &&
        dtype_bits(from) <= dtype_bits(to)) {
        *out = c99_code(c, LEVEL_ATOM, x.cost + 1, "%s_cvtep%c%d_%s(%s)", p, dtype_is_signed(from) ? 'i' : 'u',
                        dtype_bits(from), suffix, as_register(c, x, from_bytes));
        return true;
    }
    if (from != DT_I32 || to != DT_F32)
        return false;
    *out = c99_code(c, LEVEL_ATOM, x.cost + 1, "__builtin_convertvector(%s, %s)", x.s, c99_vector(c, to, count));
    return true;
}

/* f32 to i32. The x86 instruction gives the smallest integer for what does not fit: turned into the largest above, 0
 * for NaN. */
static bool float_to_i32(c99 *c, int count, code x, code *out) {
    const char *type = c99_vector(c, DT_I32, count);
    if (is_neon(c))
        return neon_same_width(c, DT_I32, DT_F32, count, x, out);
    x = c99_temporary(c, DT_F32, 32, count, x);
    *out = c99_code(c, LEVEL_ANY, 4, "((%s)%s_cvttps_epi32(%s) ^ (%s)(%s >= 2147483648.0f)) & (%s)(%s == %s)", type,
                    prefix_of(4 * count), x.s, type, x.s, type, x.s, x.s);
    return true;
}

static bool float_to_int(c99 *c, dtype to, dtype from, int count, code x, code *out) {
    if (neon_same_width(c, to, from, count, x, out))
        return true;
    if (from != DT_F32 || to == DT_U32 || dtype_bits(to) == 64)
        return false;
    code wide;
    if (!float_to_i32(c, count, x, &wide))
        return false;
    if (to == DT_I32) {
        *out = wide;
        return true;
    }
    return c99_vector_saturate(c, to, DT_I32, count, wide, out);
}

static bool float_to_float(c99 *c, dtype to, dtype from, int count, code x, code *out) {
    int from_bytes = dtype_bits(from) / 8 * count;
    const char *p = prefix_of(4 * count);
    if (from == DT_F16 && has_avx2(c)) {
        *out = c99_code(c, LEVEL_ATOM, x.cost + 1, "%s_cvtph_ps(%s)", p, as_register(c, x, from_bytes));
        return true;
    }
    if (to == DT_F16 && has_avx2(c)) {
        code y = c99_code(c, LEVEL_ATOM, x.cost + 1, "%s_cvtps_ph(%s, 0)", p, c99_inside(c, x, LEVEL_UNARY));
        *out = from_register(c, DT_U16, count, y.s, y.cost);
        return true;
    }
    if (from == DT_F16 || to == DT_F16)
        return neon_half(c, to, count, x, out);
    if (has_avx2(c) && count >= 4)
        *out = c99_code(c, LEVEL_ATOM, x.cost + 1, to == DT_F64 ? "%s_cvtps_pd(%s)" : "%s_cvtpd_ps(%s)",
                        prefix_of(8 * count), x.s);
    else
        *out = c99_code(c, LEVEL_ATOM, x.cost + 1, "__builtin_convertvector(%s, %s)", x.s, c99_vector(c, to, count));
    return true;
}

bool c99_vector_cast(c99 *c, dtype to, dtype from, int count, code x, code *out) {
    if (to == from) {
        *out = x;
        return true;
    }
    if (dtype_bits(to) * count < 64 || dtype_bits(from) * count < 64)
        return false;
    bool from_float = dtype_is_float(from), to_float = dtype_is_float(to);
    if (from_float)
        return to_float ? float_to_float(c, to, from, count, x, out) : float_to_int(c, to, from, count, x, out);
    return to_float ? int_to_float(c, to, from, count, x, out) : int_to_int(c, to, from, count, x, out);
}

/* x clamped in its own type to the values of `to`. */
static bool clamp(c99 *c, dtype to, dtype from, int count, code *x) {
    c99_range t = c99_type_range(to), f = c99_type_range(from);
    if (f.lo < t.lo) {
        code args[2] = {*x, c99_vector_splat(c, from, count, c99_int(c, from, (int64_t)t.lo))};
        if (!c99_vector_op(c, EXPR_MAX, from, count, 2, args, x))
            return false;
    }
    if (f.hi > t.hi) {
        code args[2] = {*x, c99_vector_splat(c, from, count, c99_int(c, from, (int64_t)t.hi))};
        if (!c99_vector_op(c, EXPR_MIN, from, count, 2, args, x))
            return false;
    }
    return true;
}

bool c99_vector_saturate(c99 *c, dtype to, dtype from, int count, code x, code *out) {
    static const char *const to_i8[] = {"packs_epi32", "packs_epi16"}, *const to_u8[] = {"packs_epi32", "packus_epi16"};
    int from_bytes = dtype_bits(from) / 8 * count;
    if (dtype_bits(to) * count < 64 || from_bytes < 8)
        return false;
    if (is_x86(c) && from_bytes <= 32) {
        bool i32 = from == DT_I32, i16 = from == DT_I16;
        if ((i32 || i16) && (to == DT_I8 || to == DT_U8)) {
            *out = pack(c, to, from, count, x, (to == DT_I8 ? to_i8 : to_u8) + i16, i32 ? 2 : 1);
            return true;
        }
        if (i32 && to == DT_I16) {
            *out = pack(c, to, from, count, x, to_i8, 1);
            return true;
        }
    }
    if (neon_saturate(c, to, from, count, x, out))
        return true;
    return clamp(c, to, from, count, &x) && c99_vector_cast(c, to, from, count, x, out);
}

code c99_vector_piece(c99 *c, dtype elem, int whole, code x, int first, int count) {
    int each = dtype_bits(c99_stored(elem)) / 8, bytes = each * count, from_bytes = each * whole;
    const char *type = c99_vector(c, elem, count);
    const char *r = is_x86(c) ? register_of(from_bytes) : "";
    int k = first / count;
    if (bytes == 8 && from_bytes == 16)
        return c99_code(c, LEVEL_UNARY, 1, "(%s)((%s)%s)[%d]", type, c99_vector(c, DT_I64, 2), x.s, k);
    if (bytes >= 16 && k == 0 && is_x86(c))
        return c99_code(c, LEVEL_UNARY, 1, "(%s)%s_castsi%d_si%d((%s)%s)", type, prefix_of(from_bytes), from_bytes * 8,
                        bytes * 8, r, x.s);
    if (bytes == 16 && from_bytes == 32)
        return c99_code(c, LEVEL_UNARY, 1, "(%s)_mm256_extracti128_si256((%s)%s, 1)", type, r, x.s);
    if (bytes == 16 && from_bytes == 64)
        return c99_code(c, LEVEL_UNARY, 1, "(%s)_mm512_extracti32x4_epi32((%s)%s, %d)", type, r, x.s, k);
    if (bytes == 32 && from_bytes == 64)
        return c99_code(c, LEVEL_UNARY, 1, "(%s)_mm512_extracti64x4_epi64((%s)%s, 1)", type, r, x.s);
    strbuf s = strbuf_in(c->scratch);
    strbuf_printf(&s, "__builtin_shufflevector(%s, %s", x.s, x.s);
    for (int i = 0; i < count; i++)
        strbuf_printf(&s, ", %d", first + i);
    strbuf_char(&s, ')');
    return (code){c99_keep(c, s.failed ? NULL : s.text), LEVEL_ATOM, 1};
}

code c99_vector_concat(c99 *c, dtype elem, int count, code lo, code hi) {
    int half = dtype_bits(c99_stored(elem)) / 8 * count;
    const char *type = c99_vector(c, elem, 2 * count);
    int cost = lo.cost + hi.cost + 1;
    const char *a = c99_inside(c, lo, LEVEL_UNARY), *b = c99_inside(c, hi, LEVEL_UNARY);
    if (half == 8)
        return c99_code(c, LEVEL_UNARY, cost, "(%s)(%s){(int64_t)%s, (int64_t)%s}", type, c99_vector(c, DT_I64, 2), a,
                        b);
    if (half == 16)
        return c99_code(c, LEVEL_UNARY, cost, "(%s)_mm256_set_m128i((__m128i)%s, (__m128i)%s)", type, b, a);
    return c99_code(c, LEVEL_UNARY, cost, "(%s)_mm512_inserti64x4(_mm512_castsi256_si512((__m256i)%s), (__m256i)%s, 1)",
                    type, a, b);
}

/* Is there an instruction that loads and stores under a mask? */
static bool masks_memory(const c99 *c, dtype t, int count) {
    int bits = dtype_bits(t), bytes = bits / 8 * count;
    if (bytes < 16 || !has_avx2(c))
        return false;
    return c->target->isa == ISA_AVX512 || bits >= 32;
}

bool c99_vector_masked_load(c99 *c, dtype elem, int count, const char *address, code mask, code *out) {
    dtype t = c99_stored(elem);
    int bits = dtype_bits(t), bytes = bits / 8 * count;
    if (!masks_memory(c, t, count))
        return false;
    const char *p = prefix_of(bytes), *r = register_of(bytes), *type = c99_vector(c, t, count);
    const char *m = c99_inside(c, mask, LEVEL_UNARY);
    if (c->target->isa == ISA_AVX512)
        *out = c99_code(c, LEVEL_UNARY, mask.cost + 2, "(%s)%s_maskz_loadu_epi%d(%s_movepi%d_mask((%s)%s), %s)", type,
                        p, bits, p, bits, r, m, address);
    else
        *out = c99_code(c, LEVEL_UNARY, mask.cost + 2, "(%s)%s_maskload_epi%d((const %s *)(const void *)(%s), (%s)%s)",
                        type, p, bits, bits == 32 ? "int" : "long long", address, r, m);
    return true;
}

bool c99_vector_masked_store(c99 *c, dtype elem, int count, const char *address, code mask, code x, const char **out) {
    dtype t = c99_stored(elem);
    int bits = dtype_bits(t), bytes = bits / 8 * count;
    if (!masks_memory(c, t, count))
        return false;
    const char *p = prefix_of(bytes), *r = register_of(bytes);
    const char *m = c99_inside(c, mask, LEVEL_UNARY), *v = c99_inside(c, x, LEVEL_UNARY);
    if (c->target->isa == ISA_AVX512)
        *out = c99_code(c, LEVEL_ATOM, 0, "%s_mask_storeu_epi%d(%s, %s_movepi%d_mask((%s)%s), (%s)%s)", p, bits,
                        address, p, bits, r, m, r, v)
                   .s;
    else
        *out = c99_code(c, LEVEL_ATOM, 0, "%s_maskstore_epi%d((%s *)(void *)(%s), (%s)%s, (%s)%s)", p, bits,
                        bits == 32 ? "int" : "long long", address, r, m, r, v)
                   .s;
    return true;
}
