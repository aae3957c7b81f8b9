/* What moves lanes or changes their width: broadcast, ramp, shuffle, reduce, cast, dot products. */
#include "codegen/c99/c99.h"

value c99_broadcast(c99 *c, const expr *x, int bits) {
    dtype t = x->type.elem;
    value v = c99_value(c, t, bits, x->type.lanes);
    code s = x->kind == EXPR_INT     ? c99_int(c, t, x->imm)
             : x->kind == EXPR_FLOAT ? c99_float(c, t, x->f)
                                     : c99_scalar_expr(c, x->arg[0]);
    if (v.n > 1)
        s = c99_temporary(c, t, bits, 1, s);
    dtype in_vector = c99_lane_type(&v);
    code lane = s;
    if (t == DT_BOOL)
        lane = c99_code(c, LEVEL_ANY, s.cost + 1, "%s ? -1 : 0", c99_inside(c, s, LEVEL_UNARY));
    for (int i = 0; i < v.n; i++) {
        part *p = &v.at[i];
        if (p->count == 1) {
            p->code = s;
        } else if (i > 0 && v.at[i - 1].count == p->count) {
            v.at[i - 1].code = c99_temporary(c, t, bits, p->count, v.at[i - 1].code);
            p->code = v.at[i - 1].code;
        } else {
            p->code = c99_vector_splat(c, in_vector, p->count, lane);
        }
    }
    return v;
}

value c99_ramp(c99 *c, const expr *x) {
    dtype t = x->type.elem;
    int bits = dtype_bits(t);
    value v = c99_value(c, t, bits, x->type.lanes);
    value *start = c99_expr(c, x->arg[0]);
    if (v.n > 1)
        c99_name_parts(c, start);
    code base = c99_lane(c, start, 0), lanes[MAX_LANES];
    for (int i = 0; i < v.n && !c->failed; i++) {
        part *p = &v.at[i];
        if (p->count == 1) {
            p->code = c99_lane_of(c, x, p->first);
            continue;
        }
        for (int j = 0; j < p->count; j++) {
            uint64_t step = (uint64_t)x->imm * (uint64_t)(p->first + j);
            lanes[j] = c99_int(c, t,
                               dtype_is_signed(t) ? (int64_t)(step << (64 - bits)) >> (64 - bits)
                                                  : (int64_t)(step << (64 - bits) >> (64 - bits)));
        }
        code operands[2] = {c99_vector_splat(c, t, p->count, base), c99_gathered(c, t, bits, p->count, lanes)};
        c99_vector_op(c, EXPR_ADD, t, p->count, 2, operands, &p->code);
    }
    return v;
}

/* The vector part of one of the two operands that has lane `lane` of their concatenation. */
static part *source_part(value *const *ab, int lane, int *out_first) {
    value *v = ab[lane >= ab[0]->lanes];
    *out_first = v == ab[1] && lane >= ab[0]->lanes ? ab[0]->lanes : 0;
    for (int i = 0; i < v->n; i++)
        if (lane - *out_first < v->at[i].first + v->at[i].count) {
            *out_first += v->at[i].first;
            return &v->at[i];
        }
    return NULL;
}

/* Lanes from one or two registers. */
static bool shuffle_two(c99 *c, value *const *ab, const uint8_t *lanes, int count, code *out) {
    part *source[2] = {NULL, NULL};
    int start[2] = {0, 0};
    strbuf s = strbuf_in(c->scratch);
    for (int j = 0; j < count; j++) {
        int first;
        part *p = source_part(ab, lanes[j], &first);
        if (p == NULL || p->count == 1)
            return false;
        int k = source[0] == NULL || source[0] == p ? 0 : 1;
        if (source[k] != NULL && source[k] != p)
            return false;
        source[k] = p;
        start[k] = first;
        if (source[1] != NULL && source[1]->count != source[0]->count)
            return false;
        strbuf_printf(&s, ", %d", lanes[j] - start[k] + k * p->count);
    }
    if (source[1] == NULL) {
        source[0]->code = c99_temporary(c, ab[0]->elem, ab[0]->bits, source[0]->count, source[0]->code);
        source[1] = source[0];
    }
    const char *text = c99_keep(c, s.failed ? NULL : s.text);
    *out = c99_code(c, LEVEL_ATOM, 4, "__builtin_shufflevector(%s, %s%s)", source[0]->code.s, source[1]->code.s, text);
    return true;
}

/* Lanes that follow each other in the concatenation of both operands. */
static bool shuffle_run(c99 *c, value *const *ab, const uint8_t *lanes, int count, code *out) {
    for (int j = 1; j < count; j++)
        if (lanes[j] != lanes[0] + j)
            return false;
    int first = lanes[0], split = ab[0]->lanes;
    if (first >= split || first + count <= split) {
        *out = first >= split ? c99_piece(c, ab[1], first - split, count) : c99_piece(c, ab[0], first, count);
        return true;
    }
    if (split - first != count / 2 || count / 2 * ab[0]->bits < 64)
        return false;
    code lo = c99_piece(c, ab[0], first, count / 2), hi = c99_piece(c, ab[1], 0, count / 2);
    *out = c99_vector_concat(c, c99_lane_type(ab[0]), count / 2, lo, hi);
    return true;
}

/* Four bytes of memory in every group of four. */
static bool shuffle_word(c99 *c, const expr *x, value *out) {
    const expr *from = x->arg[0];
    dtype t = x->type.elem;
    if (!expr_repeats_word(x) || from->kind != EXPR_LOAD || from->masked || from->arg[0]->type.lanes > 1)
        return false;
    *out = c99_value(c, t, dtype_bits(t), x->type.lanes);
    code word = c99_load_word(c, from);
    if (out->n > 1)
        word = c99_temporary(c, DT_I32, 32, 1, word);
    for (int i = 0; i < out->n; i++) {
        part *p = &out->at[i];
        int words = p->count / from->type.lanes;
        if (words < 2)
            return false;
        code all = c99_vector_splat(c, DT_I32, words, word);
        p->code =
            c99_code(c, LEVEL_UNARY, all.cost, "(%s)%s", c99_vector(c, t, p->count), c99_inside(c, all, LEVEL_UNARY));
    }
    return true;
}

value c99_shuffle(c99 *c, const expr *x) {
    value *ab[2], repeated;
    if (shuffle_word(c, x, &repeated))
        return repeated;
    ab[0] = c99_expr(c, x->arg[0]);
    ab[1] = x->type.elem == DT_BOOL ? c99_mask(c, x->arg[1], ab[0]->bits) : c99_expr(c, x->arg[1]);
    value v = c99_value(c, x->type.elem, ab[0]->bits, x->type.lanes);
    for (int i = 0; i < v.n && !c->failed; i++) {
        part *p = &v.at[i];
        const uint8_t *from = x->lanes + p->first;
        if (p->count > 1 &&
            (shuffle_run(c, ab, from, p->count, &p->code) || shuffle_two(c, ab, from, p->count, &p->code)))
            continue;
        code lanes[MAX_LANES];
        for (int j = 0; j < p->count; j++)
            lanes[j] =
                from[j] >= ab[0]->lanes ? c99_lane(c, ab[1], from[j] - ab[0]->lanes) : c99_lane(c, ab[0], from[j]);
        p->code = c99_gathered(c, v.elem, v.bits, p->count, lanes);
    }
    return v;
}

value c99_reduce(c99 *c, const expr *x) {
    expr_kind kind = x->kind == EXPR_REDUCE_ADD   ? EXPR_ADD
                     : x->kind == EXPR_REDUCE_MUL ? EXPR_MUL
                     : x->kind == EXPR_REDUCE_MIN ? EXPR_MIN
                                                  : EXPR_MAX;
    dtype t = x->type.elem;
    value v = *c99_expr(c, x->arg[0]);
    while (v.lanes > 1 && !c->failed) {
        int half = v.lanes / 2;
        value w = c99_value(c, t, dtype_bits(t), half);
        for (int i = 0; i < w.n; i++) {
            part *p = &w.at[i];
            code ab[2] = {c99_piece(c, &v, p->first, p->count), c99_piece(c, &v, p->first + half, p->count)};
            if (p->count == 1 || !c99_vector_op(c, kind, t, p->count, 2, ab, &p->code))
                p->code = c99_scalar(c, kind, t, t, ab, 2, false);
        }
        c99_name_parts(c, &w);
        v = w;
    }
    return v;
}

/* A part of a conversion that has no vector form. */
static code cast_lanes(c99 *c, const expr *x, value *from, const part *p, int bits) {
    code lanes[MAX_LANES];
    for (int j = 0; j < p->count; j++) {
        code lane = c99_lane(c, from, p->first + j);
        lanes[j] = c99_scalar(c, x->kind, x->type.elem, from->elem, &lane, 1, false);
    }
    return c99_gathered(c, x->type.elem, bits, p->count, lanes);
}

static code mask_to_number(c99 *c, dtype t, int count, code mask) {
    uint64_t one = dtype_is_float(t) ? c99_float_bits(t, 1) : 1;
    return c99_code(c, LEVEL_UNARY, mask.cost + 1, "(%s)(%s & %s)", c99_vector(c, t, count),
                    c99_inside(c, mask, LEVEL_UNARY), c99_int(c, DT_I64, (int64_t)one).s);
}

static bool is_zero_test(const expr *x) {
    return x->kind == EXPR_CAST && x->type.elem == DT_BOOL;
}

/* A register of bytes out of four of 32 bits. Packs work within halves of registers, so words change places. */
static bool pack_bytes(c99 *c, const expr *x, value *from, const part *p, code *out) {
    dtype to = x->type.elem;
    bool packs = x->kind == EXPR_SATURATE && c->target->isa == ISA_AVX2 && from->elem == DT_I32 &&
                 dtype_bits(to) == 8 && p->count == 32;
    if (!packs)
        return false;
    code q[4];
    for (int k = 0; k < 4; k++)
        q[k] = c99_piece(c, from, p->first + 8 * k, 8);
    *out =
        c99_code(c, LEVEL_UNARY, q[0].cost + q[1].cost + q[2].cost + q[3].cost + 4,
                 "(%s)_mm256_permutevar8x32_epi32(_mm256_%s_epi16(_mm256_packs_epi32((__m256i)%s, (__m256i)%s), "
                 "_mm256_packs_epi32((__m256i)%s, (__m256i)%s)), _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7))",
                 c99_vector(c, to, 32), dtype_is_signed(to) ? "packs" : "packus", c99_inside(c, q[0], LEVEL_UNARY),
                 c99_inside(c, q[1], LEVEL_UNARY), c99_inside(c, q[2], LEVEL_UNARY), c99_inside(c, q[3], LEVEL_UNARY));
    return true;
}

static bool cast_vector(c99 *c, const expr *x, value *from, const part *p, code *out) {
    dtype to = x->type.elem, t = from->elem;
    if (pack_bytes(c, x, from, p, out))
        return true;
    if (x->kind == EXPR_BITCAST) {
        code piece = c99_piece(c, from, p->first, p->count);
        *out = c99_code(c, LEVEL_UNARY, piece.cost, "(%s)%s", c99_vector(c, to, p->count),
                        c99_inside(c, piece, LEVEL_UNARY));
        return true;
    }
    if (is_zero_test(x)) {
        code ab[2] = {c99_piece(c, from, p->first, p->count), {0}};
        ab[1] = c99_vector_splat(c, t, p->count, dtype_is_float(t) ? c99_float(c, t, 0) : c99_int(c, t, 0));
        return c99_vector_op(c, EXPR_NE, t, p->count, 2, ab, out);
    }
    if (t == DT_BOOL) {
        *out = mask_to_number(c, to, p->count, c99_piece(c, from, p->first, p->count));
        return true;
    }
    return c99_convert_piece(c, from, p->first, p->count, to,
                             x->kind == EXPR_CAST ? c99_vector_cast : c99_vector_saturate, out);
}

/* kernel_legalise leaves no conversion of the small floats but f16 to and from f32. */
static bool is_legal(dtype to, dtype from) {
    bool small = dtype_is_float(to) && dtype_bits(to) < 32, from_small = dtype_is_float(from) && dtype_bits(from) < 32;
    return to == from || (!small && !from_small) || (to == DT_F16 && from == DT_F32) ||
           (to == DT_F32 && from == DT_F16) || (from == DT_BOOL && !from_small);
}

value c99_cast(c99 *c, const expr *x) {
    dtype to = x->type.elem, t = x->arg[0]->type.elem;
    TENON_ASSERT(x->kind == EXPR_BITCAST || is_legal(to, t));
    int bits = is_zero_test(x) ? dtype_bits(t) : dtype_bits(to);
    value *from = t == DT_BOOL ? c99_mask(c, x->arg[0], bits) : c99_expr(c, x->arg[0]);
    value v = c99_value(c, to, bits, x->type.lanes);
    for (int i = 0; i < v.n && !c->failed; i++) {
        part *p = &v.at[i];
        if (p->count == 1 || !cast_vector(c, x, from, p, &p->code))
            p->code = cast_lanes(c, x, from, p, bits);
    }
    return v;
}

/* Legal only where it fills a register, and the target has it. */
value c99_pairs(c99 *c, const expr *x) {
    value v = c99_value(c, DT_I16, 16, x->type.lanes);
    value *args[2] = {c99_expr(c, x->arg[0]), c99_expr(c, x->arg[1])};
    for (int i = 0; i < v.n && !c->failed; i++) {
        part *p = &v.at[i];
        code operands[2];
        for (int k = 0; k < 2; k++)
            operands[k] = c99_piece(c, args[k], 2 * p->first, 2 * p->count);
        if (!c99_vector_op(c, EXPR_PAIRS, DT_I16, p->count, 2, operands, &p->code))
            c->failed = true;
    }
    return v;
}

/* One lane of a dot product: the accumulator plus `n` products of widened lanes. */
static code dot_lane(c99 *c, value *const *args, int lane, int n) {
    code sum[2] = {c99_lane(c, args[0], lane), {0}};
    for (int k = 0; k < n; k++) {
        code ab[2];
        for (int i = 0; i < 2; i++) {
            code x = c99_lane(c, args[1 + i], lane * n + k);
            ab[i] = c99_scalar(c, EXPR_CAST, DT_I32, args[1 + i]->elem, &x, 1, false);
        }
        sum[1] = c99_scalar(c, EXPR_MUL, DT_I32, DT_I32, ab, 2, false);
        sum[0] = c99_temporary(c, DT_I32, 32, 1, c99_scalar(c, EXPR_ADD, DT_I32, DT_I32, sum, 2, false));
    }
    return sum[0];
}

value c99_dot(c99 *c, const expr *x) {
    int n = x->kind == EXPR_DOT2 ? 2 : 4;
    value v = c99_value(c, DT_I32, 32, x->type.lanes);
    value *args[3];
    for (int k = 0; k < 3; k++)
        args[k] = c99_expr(c, x->arg[k]);
    for (int i = 0; i < v.n && !c->failed; i++) {
        part *p = &v.at[i];
        if (p->count > 1) {
            code operands[3] = {c99_piece(c, args[0], p->first, p->count)};
            for (int k = 1; k < 3; k++) /* named: they may stand in it more than once */
                operands[k] = c99_temporary(c, args[k]->elem, args[k]->bits, n * p->count,
                                            c99_piece(c, args[k], n * p->first, n * p->count));
            if (c99_vector_op(c, x->kind, DT_I32, p->count, 3, operands, &p->code))
                continue;
        }
        code lanes[MAX_LANES];
        for (int j = 0; j < p->count; j++)
            lanes[j] = dot_lane(c, args, p->first + j, n);
        p->code = c99_gathered(c, DT_I32, 32, p->count, lanes);
    }
    return v;
}
