/* Values as parts: temporaries, lanes, pieces, masks of another width. */
#include "codegen/c99/c99.h"

dtype c99_lane_type(const value *v) {
    return v->elem == DT_BOOL ? c99_int_type(v->bits, true) : c99_stored(v->elem);
}

code c99_temporary(c99 *c, dtype elem, int bits, int count, code x) {
    if (x.level == LEVEL_NAME)
        return x;
    const char *type = c99_scalar_type(elem);
    if (count > 1)
        type = c99_vector(c, elem == DT_BOOL ? c99_int_type(bits, true) : elem, count);
    code wanted = c99_code(c, LEVEL_NAME, 1, "t%d", c->n_temporaries++);
    wanted.s = c99_name(c, &c->locals, wanted.s);
    c99_line(c, "const %s %s = %s;", type, wanted.s, x.s);
    return wanted;
}

void c99_name_parts(c99 *c, value *v) {
    for (int i = 0; i < v->n; i++)
        v->at[i].code = c99_temporary(c, v->elem, v->bits, v->at[i].count, v->at[i].code);
}

static part *part_with(value *v, int lane) {
    int i = 0;
    while (i + 1 < v->n && v->at[i + 1].first <= lane)
        i++;
    return &v->at[i];
}

code c99_lane(c99 *c, value *v, int lane) {
    if (v->n == 0)
        return (code){"0", LEVEL_NAME, 0};
    part *p = part_with(v, lane);
    if (p->count == 1)
        return p->code;
    p->code = c99_temporary(c, v->elem, v->bits, p->count, p->code);
    if (v->elem == DT_BOOL)
        return c99_code(c, LEVEL_ANY, 2, "%s[%d] != 0", p->code.s, lane - p->first);
    return c99_code(c, LEVEL_ATOM, 1, "%s[%d]", p->code.s, lane - p->first);
}

code c99_gathered(c99 *c, dtype elem, int bits, int count, const code *lanes) {
    if (count == 1)
        return lanes[0];
    strbuf s = strbuf_in(c->scratch);
    strbuf_printf(&s, "(%s){", c99_vector(c, elem == DT_BOOL ? c99_int_type(bits, true) : elem, count));
    for (int i = 0; i < count; i++) {
        strbuf_add(&s, i == 0 ? "" : ", ");
        if (elem == DT_BOOL)
            strbuf_printf(&s, "%s ? -1 : 0", c99_inside(c, lanes[i], LEVEL_UNARY));
        else
            strbuf_add(&s, lanes[i].s);
    }
    strbuf_char(&s, '}');
    /* A macro would take the commas for its own, so no operand stands without parentheses. */
    return (code){c99_keep(c, s.failed ? NULL : s.text), LEVEL_ANY, 2 * count};
}

static code gather_piece(c99 *c, value *v, int first, int count) {
    code lanes[MAX_LANES];
    for (int i = 0; i < count; i++)
        lanes[i] = c99_lane(c, v, first + i);
    return c99_gathered(c, v->elem, v->bits, count, lanes);
}

code c99_piece(c99 *c, value *v, int first, int count) {
    if (count == 1 || v->n == 0)
        return c99_lane(c, v, first);
    part *p = part_with(v, first);
    dtype t = c99_lane_type(v);
    int bits = dtype_bits(t);
    if (p->first == first && p->count == count)
        return p->code;
    if (p->count > count && (first - p->first) % count == 0 && count * bits >= 64) {
        p->code = c99_temporary(c, v->elem, v->bits, p->count, p->code);
        return c99_vector_piece(c, t, p->count, p->code, first - p->first, count);
    }
    if (p->first == first && p->count > 1 && p->count < count && count / 2 * bits >= 64) {
        code lo = c99_piece(c, v, first, count / 2), hi = c99_piece(c, v, first + count / 2, count / 2);
        return c99_vector_concat(c, t, count / 2, lo, hi);
    }
    return gather_piece(c, v, first, count);
}

bool c99_convert_piece(c99 *c, value *v, int first, int count, dtype to, c99_converter convert, code *out) {
    dtype from = c99_lane_type(v);
    if (v->elem == DT_F16)
        from = DT_F16;
    int from_bits = dtype_bits(from), to_bits = dtype_bits(to);
    if (from_bits * count <= c->target->vector_bytes * 8) {
        if (from_bits * count < 64)
            return false;
        return convert(c, to, from, count, c99_piece(c, v, first, count), out);
    }
    code lo, hi;
    if (count / 2 * to_bits < 64 || !c99_convert_piece(c, v, first, count / 2, to, convert, &lo) ||
        !c99_convert_piece(c, v, first + count / 2, count / 2, to, convert, &hi))
        return false;
    *out = c99_vector_concat(c, to, count / 2, lo, hi);
    return true;
}

value c99_mask_as(c99 *c, value *mask, int bits) {
    if (mask->bits == bits || mask->lanes == 1)
        return *mask;
    value v = c99_value(c, DT_BOOL, bits, mask->lanes);
    for (int i = 0; i < v.n; i++) {
        part *p = &v.at[i];
        if (p->count > 1 &&
            c99_convert_piece(c, mask, p->first, p->count, c99_int_type(bits, true), c99_vector_cast, &p->code))
            continue;
        code lanes[MAX_LANES];
        for (int j = 0; j < p->count; j++)
            lanes[j] = c99_lane(c, mask, p->first + j);
        p->code = c99_gathered(c, DT_BOOL, bits, p->count, lanes);
    }
    return v;
}
