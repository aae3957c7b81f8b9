/* AttributeProto to attr. */
#include <string.h>

#include "frontend/import.h"

typedef status (*attr_reader)(importer *im, const Onnx__AttributeProto *p, diag_place where, attr *out);

static status read_float(importer *im, const Onnx__AttributeProto *p, diag_place where, attr *out) {
    (void)im;
    (void)where;
    out->f = (double)p->f;
    return STATUS_OK;
}

static status read_int(importer *im, const Onnx__AttributeProto *p, diag_place where, attr *out) {
    (void)im;
    (void)where;
    out->i = p->i;
    return STATUS_OK;
}

static status read_string(importer *im, const Onnx__AttributeProto *p, diag_place where, attr *out) {
    (void)where;
    char *s = arena_alloc(im->scratch, p->s.len + 1);
    TRY_ALLOC(s);
    if (p->s.len > 0)
        memcpy(s, p->s.data, p->s.len);
    out->s = s;
    out->s_bytes = p->s.len;
    return STATUS_OK;
}

static status read_tensor(importer *im, const Onnx__AttributeProto *p, diag_place where, attr *out) {
    if (p->t == NULL)
        return diag_error(im->d, STATUS_INVALID, "bad-attribute", where, "attribute '%s' has no tensor", out->name);
    const char *what = arena_printf(im->scratch, "attribute '%s'", out->name);
    TRY_ALLOC(what);
    TRY(tensor_import(&im->tensors, p->t, where, what, &out->t));
    return weights_share(im->weights, out->t, im->scratch);
}

static status read_floats(importer *im, const Onnx__AttributeProto *p, diag_place where, attr *out) {
    (void)where;
    double *floats = ARENA_NEW_N(im->scratch, double, p->n_floats);
    TRY_ALLOC(floats);
    for (size_t i = 0; i < p->n_floats; i++)
        floats[i] = (double)p->floats[i];
    out->floats = floats;
    out->n = (int64_t)p->n_floats;
    return STATUS_OK;
}

static status read_ints(importer *im, const Onnx__AttributeProto *p, diag_place where, attr *out) {
    (void)where;
    TRY_ALLOC(out->ints = p->n_ints > 0 ? p->ints : arena_alloc(im->scratch, 0));
    out->n = (int64_t)p->n_ints;
    return STATUS_OK;
}

static status read_strings(importer *im, const Onnx__AttributeProto *p, diag_place where, attr *out) {
    (void)where;
    const char **strings = ARENA_NEW_N(im->scratch, const char *, p->n_strings);
    TRY_ALLOC(strings);
    for (size_t i = 0; i < p->n_strings; i++) {
        strings[i] = arena_strndup(im->scratch, (const char *)p->strings[i].data, p->strings[i].len);
        TRY_ALLOC(strings[i]);
    }
    out->strings = strings;
    out->n = (int64_t)p->n_strings;
    return STATUS_OK;
}

enum { TYPE_FLOAT = 1, TYPE_INT, TYPE_STRING, TYPE_TENSOR, TYPE_GRAPH, TYPE_FLOATS, TYPE_INTS, TYPE_STRINGS };

/* By AttributeProto.AttributeType. */
static const struct {
    attr_reader read; /* NULL: not supported */
    attr_kind kind;
    const char *what;
} TYPES[] = {
    [TYPE_FLOAT] = {read_float, ATTR_FLOAT, "a float"},
    [TYPE_INT] = {read_int, ATTR_INT, "an integer"},
    [TYPE_STRING] = {read_string, ATTR_STRING, "a string"},
    [TYPE_TENSOR] = {read_tensor, ATTR_TENSOR, "a tensor"},
    [TYPE_GRAPH] = {NULL, ATTR_GRAPH, "a sub-graph"},
    [TYPE_FLOATS] = {read_floats, ATTR_FLOATS, "a list of floats"},
    [TYPE_INTS] = {read_ints, ATTR_INTS, "a list of integers"},
    [TYPE_STRINGS] = {read_strings, ATTR_STRINGS, "a list of strings"},
    [9] = {NULL, ATTR_NONE, "a list of tensors"},
    [10] = {NULL, ATTR_NONE, "a list of sub-graphs"},
    [11] = {NULL, ATTR_NONE, "a sparse tensor"},
    [12] = {NULL, ATTR_NONE, "a list of sparse tensors"},
    [13] = {NULL, ATTR_NONE, "a type"},
    [14] = {NULL, ATTR_NONE, "a list of types"},
};

/* Models of the first IR versions leave the type out: what is there tells. */
static int type_of(const Onnx__AttributeProto *p) {
    if (p->type != 0)
        return p->type;
    return p->has_f           ? TYPE_FLOAT
           : p->has_i         ? TYPE_INT
           : p->has_s         ? TYPE_STRING
           : p->t != NULL     ? TYPE_TENSOR
           : p->g != NULL     ? TYPE_GRAPH
           : p->n_floats > 0  ? TYPE_FLOATS
           : p->n_ints > 0    ? TYPE_INTS
           : p->n_strings > 0 ? TYPE_STRINGS
                              : 0;
}

static const Onnx__AttributeProto *default_of(const function *f, const char *name) {
    for (size_t i = 0; i < f->proto->n_attribute_proto; i++)
        if (strcmp(import_text(f->proto->attribute_proto[i]->name), name) == 0)
            return f->proto->attribute_proto[i];
    return NULL;
}

/* The attribute of the call, or the function's default, under the name that it has in the body. */
static status import_reference(importer *im, const scope *s, const Onnx__AttributeProto *proto, diag_place where,
                               attr *out) {
    const char *name = out->name;
    if (s->call == NULL)
        return diag_error(im->d, STATUS_INVALID, "bad-attribute", where,
                          "attribute '%s' refers to '%s' of a function, but is in none", name, proto->ref_attr_name);
    const attr *given = node_attr(s->call, proto->ref_attr_name);
    const Onnx__AttributeProto *fallback = default_of(map_get_key(&im->calls, MAP_KEY(s->call)), proto->ref_attr_name);
    if (given != NULL)
        *out = *given;
    else if (fallback != NULL && import_text(fallback->ref_attr_name)[0] == '\0')
        TRY(attr_import(im, s, fallback, where, out));
    out->name = name;
    return STATUS_OK;
}

status attr_import(importer *im, const scope *s, const Onnx__AttributeProto *proto, diag_place where, attr *out) {
    *out = (attr){.name = import_text(proto->name)};
    if (out->name[0] == '\0')
        return diag_error(im->d, STATUS_INVALID, "bad-attribute", where, "an attribute has no name");
    if (import_text(proto->ref_attr_name)[0] != '\0')
        return import_reference(im, s, proto, where, out);
    int type = type_of(proto);
    if (type <= 0 || (size_t)type >= sizeof TYPES / sizeof *TYPES || TYPES[type].what == NULL)
        return diag_error(im->d, STATUS_INVALID, "bad-attribute", where, "attribute '%s' has no known type", out->name);
    if (TYPES[type].read == NULL)
        return diag_error(im->d, STATUS_UNSUPPORTED, "unsupported-attribute", where,
                          "attribute '%s' is %s, which is not supported", out->name, TYPES[type].what);
    out->kind = TYPES[type].kind;
    return TYPES[type].read(im, proto, where, out);
}
