/* Names of values and versions of domains, in the main graph or in one call of a function. */
#include <string.h>

#include "frontend/frontend.h"
#include "frontend/import.h"

scope scope_in(importer *im, const char *graph_name, const char *prefix) {
    arena *a = im->scratch;
    return (scope){
        .graph = graph_name, .prefix = prefix, .values = map_in(a), .absent = map_in(a), .opsets = map_in(a)};
}

diag_place scope_place(const importer *im, const scope *s) {
    diag_place p = DIAG_NOWHERE;
    p.file = im->g->file;
    p.graph = s->graph;
    return p;
}

status scope_define(importer *im, scope *s, diag_place where, const char *name, value *v) {
    if (map_get(&s->values, name) != NULL || map_get(&s->absent, name) != NULL)
        return diag_error(im->d, STATUS_INVALID, "duplicate-value", where, "value '%s' is defined twice", name);
    return v != NULL ? map_set(&s->values, name, v) : map_set(&s->absent, name, im);
}

const char *scope_name(importer *im, const scope *s, const char *name) {
    return s->prefix[0] == '\0' ? name : arena_printf(im->scratch, "%s%s", s->prefix, name);
}

value *scope_stand_in(importer *im, const scope *s, const char *name) {
    const char *full = scope_name(im, s, name);
    return full == NULL ? NULL : graph_add_input(im->g, full, NULL);
}

const char *scope_domain(const char *domain) {
    return domain == NULL || strcmp(domain, "ai.onnx") == 0 ? "" : domain;
}

static status check_opset(importer *im, diag_place where, const char *domain, int64_t version) {
    if (version < 1 || version > INT32_MAX)
        return diag_error(im->d, STATUS_INVALID, "bad-opset", where, "domain '%s' is imported in version %lld", domain,
                          (long long)version);
    if (domain[0] == '\0' && (version < ONNX_OPSET_OLDEST || version > ONNX_OPSET_NEWEST))
        return diag_error(im->d, STATUS_UNSUPPORTED, "unsupported-opset", where,
                          "opset %lld of ai.onnx is not supported; supported are opsets %d to %d", (long long)version,
                          ONNX_OPSET_OLDEST, ONNX_OPSET_NEWEST);
    return STATUS_OK;
}

status scope_opsets(importer *im, diag_place where, Onnx__OperatorSetIdProto *const *list, size_t n, map *out) {
    for (size_t i = 0; i < n; i++) {
        const char *domain = scope_domain(list[i]->domain);
        TRY(check_opset(im, where, domain, list[i]->version));
        TRY(map_set(out, domain, (void *)(intptr_t)list[i]->version));
    }
    if (n == 0)
        return diag_error(im->d, STATUS_INVALID, "missing-opset", where, "it imports no opset");
    return STATUS_OK;
}
