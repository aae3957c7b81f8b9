/* The passes that there are, and the order in which those of the clean-up run. */
#include <string.h>

#include "passes/builtin.h"

const char *pass_name(const pass_entry *e) {
    return e->pass->name;
}

const char *pass_help(const pass_entry *e) {
    return e->pass->help;
}

const char *pass_stage(const pass_entry *e) {
    return e->pass->stage;
}

bool pass_keeps_numbers(const pass_entry *e) {
    return (e->pass->flags & TENON_PASS_KEEPS_NUMBERS) != 0 && (e->pass->flags & TENON_PASS_CHANGES_INPUTS) == 0;
}

void pass_suggest(diag *d, const char *wrong, const char *const *names, size_t n) {
    const char *near = text_nearest(wrong, names, n);
    if (near != NULL)
        diag_note(d, "did you mean '%s'?", near);
}

pass_registry *pass_registry_new(arena *a) {
    pass_registry *r = ARENA_NEW(a, pass_registry);
    if (r == NULL)
        return NULL;
    r->memory = a;
    for (const tenon_pass *const *p = builtin_passes; *p != NULL; p++) {
        pass_entry *e = ARENA_NEW(a, pass_entry);
        if (e == NULL)
            return NULL;
        e->pass = *p;
        if (VEC_PUSH(a, r->all, e) != STATUS_OK)
            return NULL;
    }
    return r;
}

const pass_entry *pass_registry_find(const pass_registry *r, const char *name) {
    for (size_t i = 0; i < r->all.n; i++)
        if (strcmp(pass_name(r->all.at[i]), name) == 0)
            return r->all.at[i];
    return NULL;
}

status pass_registry_add(pass_registry *r, const pass_entry *e, diag *d) {
    const pass_entry *same = pass_registry_find(r, pass_name(e));
    if (same != NULL) {
        diag_error(d, STATUS_INVALID, "duplicate-pass", DIAG_NOWHERE, "there are two passes '%s'", pass_name(e));
        diag_note(d, "one is %s%s", same->file != NULL ? "in " : "built in", same->file != NULL ? same->file : "");
        diag_note(d, "the other is in %s", e->file);
        return STATUS_INVALID;
    }
    pass_entry *copy = arena_copy(r->memory, e, sizeof *e);
    TRY_ALLOC(copy);
    return VEC_PUSH(r->memory, r->all, copy);
}

status pass_registry_names(const pass_registry *r, arena *a, const char *const **out, size_t *out_n) {
    const char **names = ARENA_NEW_N(a, const char *, r->all.n + 1);
    TRY_ALLOC(names);
    for (size_t i = 0; i < r->all.n; i++)
        names[i] = pass_name(r->all.at[i]);
    *out = names;
    *out_n = r->all.n;
    return STATUS_OK;
}

/* ---- order ---- */

static bool names(const char *const *list, const char *name) {
    for (; list != NULL && *list != NULL; list++)
        if (strcmp(*list, name) == 0)
            return true;
    return false;
}

/* Must x run before y? */
static bool precedes(const tenon_pass *x, const tenon_pass *y) {
    return names(y->after, x->name) || names(x->before, y->name);
}

/* The first of `left` that none of the others must precede; n where each waits for another. */
static size_t next_pass(const pass_entry *const *left, size_t n) {
    for (size_t i = 0; i < n; i++) {
        bool waits = false;
        for (size_t k = 0; k < n; k++)
            waits |= k != i && precedes(left[k]->pass, left[i]->pass);
        if (!waits)
            return i;
    }
    return n;
}

static status refuse_order(const pass_registry *r, const pass_entry *const *left, size_t n, diag *d) {
    strbuf s = strbuf_in(r->memory);
    const char *text;
    for (size_t i = 0; i < n; i++)
        strbuf_printf(&s, "%s'%s'", i > 0 ? ", " : "", pass_name(left[i]));
    TRY(strbuf_finish(&s, &text));
    return diag_error(d, STATUS_INVALID, "pass-order", DIAG_NOWHERE,
                      "no order satisfies what these passes say of each other: %s", text);
}

status pass_registry_sort(pass_registry *r, diag *d) {
    const pass_entry **left = ARENA_NEW_N(r->memory, const pass_entry *, r->all.n + 1);
    TRY_ALLOC(left);
    size_t n = 0;
    for (size_t i = 0; i < r->all.n; i++)
        if (strcmp(pass_stage(r->all.at[i]), "clean-up") == 0)
            left[n++] = r->all.at[i];
    r->clean_up.n = 0;
    while (n > 0) {
        size_t i = next_pass(left, n);
        if (i == n)
            return refuse_order(r, left, n, d);
        TRY(VEC_PUSH(r->memory, r->clean_up, left[i]));
        memmove(&left[i], &left[i + 1], (--n - i) * sizeof *left);
    }
    return STATUS_OK;
}
