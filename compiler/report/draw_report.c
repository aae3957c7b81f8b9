/* What `tenon draw` has drawn. */
#include <string.h>

#include "report/json.h"
#include "report/picture.h"

static const char *const states[] = {"same", "removed", "added", "changed"};
static const char marks[] = {' ', '-', '+', '~'};
static const char *const kinds[] = {"input", "node", "output"};

/* ---- text ---- */

static void count(strbuf *s, const picture *p) {
    size_t n[PICTURE_STATES] = {0};
    for (size_t i = 0; i < p->boxes.n; i++)
        n[p->boxes.at[i].state] += p->boxes.at[i].kind == PICTURE_NODE;
    strbuf_printf(s, "nodes: %zu removed, %zu added, %zu changed, %zu as before\n", n[PICTURE_REMOVED],
                  n[PICTURE_ADDED], n[PICTURE_CHANGED], n[PICTURE_SAME]);
}

/* "op: Mul -> Add; B: ..." */
static void changes(strbuf *s, const char *text) {
    for (size_t n; *text != '\0'; text += n + (text[n] == '\n')) {
        n = strcspn(text, "\n");
        strbuf_add_n(s, text, n);
        strbuf_add(s, text[n] == '\n' && text[n + 1] != '\0' ? "; " : "");
    }
}

static void list_box(strbuf *s, const picture_box *b) {
    strbuf_printf(s, "%c %s ", marks[b->state], kinds[b->kind]);
    if (b->kind == PICTURE_NODE && b->index >= 0)
        strbuf_printf(s, "%lld ", (long long)b->index);
    if (b->kind == PICTURE_NODE)
        strbuf_printf(s, "%s ", b->op);
    strbuf_quoted(s, b->name, strlen(b->name));
    strbuf_add(s, *b->change != '\0' ? ": " : "");
    changes(s, b->change);
    strbuf_char(s, '\n');
}

static void list_changes(strbuf *s, const draw_result *r) {
    count(s, r->p);
    for (int state = PICTURE_REMOVED; state < PICTURE_STATES; state++) {
        for (size_t i = 0; i < r->p->boxes.n; i++)
            if ((int)r->p->boxes.at[i].state == state)
                list_box(s, &r->p->boxes.at[i]);
        for (size_t i = 0; i < r->n_constants; i++) {
            const draw_constant *c = &r->constants[i];
            if ((int)c->state != state)
                continue;
            strbuf_printf(s, "%c constant ", marks[state]);
            strbuf_quoted(s, c->name, strlen(c->name));
            strbuf_printf(s, " %s\n", c->type);
        }
    }
}

/* ---- JSON ---- */

static void json_box(json *j, cJSON *list, const picture_box *b) {
    cJSON *item = json_item(j, list);
    json_text(j, item, "kind", kinds[b->kind]);
    json_text(j, item, "name", b->name);
    if (b->kind == PICTURE_NODE) {
        json_text(j, item, "op", b->op);
        json_integer(j, item, "index", b->index);
    }
    if (b->state != PICTURE_CHANGED)
        return;
    cJSON *what = json_list(j, item, "changes");
    for (const char *at = b->change; *at != '\0';) {
        char line[256];
        size_t n = strcspn(at, "\n"), kept = n < sizeof line ? n : sizeof line - 1;
        memcpy(line, at, kept);
        line[kept] = '\0';
        json_item_text(j, what, line);
        at += n + (at[n] == '\n');
    }
}

static void json_changes(json *j, const draw_result *r) {
    int64_t same = 0;
    for (size_t i = 0; i < r->p->boxes.n; i++)
        same += r->p->boxes.at[i].kind == PICTURE_NODE && r->p->boxes.at[i].state == PICTURE_SAME;
    json_integer(j, NULL, "same", same);
    for (int state = PICTURE_REMOVED; state < PICTURE_STATES; state++) {
        cJSON *list = json_list(j, NULL, states[state]);
        for (size_t i = 0; i < r->p->boxes.n; i++)
            if ((int)r->p->boxes.at[i].state == state)
                json_box(j, list, &r->p->boxes.at[i]);
        for (size_t i = 0; i < r->n_constants; i++) {
            const draw_constant *c = &r->constants[i];
            if ((int)c->state != state)
                continue;
            cJSON *item = json_item(j, list);
            json_text(j, item, "kind", "constant");
            json_text(j, item, "name", c->name);
            json_text(j, item, "type", c->type);
        }
    }
}

static status as_json(const draw_result *r, int64_t nodes, arena *a, const char **out) {
    json j = json_begin();
    json_text(&j, NULL, "model", r->p->title);
    json_text(&j, NULL, "file", r->file);
    json_integer(&j, NULL, "bytes", r->bytes);
    json_integer(&j, NULL, "nodes", nodes);
    json_integer(&j, NULL, "boxes", (int64_t)r->view.boxes);
    json_integer(&j, NULL, "closed_scopes", (int64_t)r->view.closed);
    json_integer(&j, NULL, "edges", (int64_t)r->view.edges);
    if (r->p->other != NULL) {
        json_text(&j, NULL, "against", r->p->other);
        json_changes(&j, r);
    }
    return json_finish(&j, a, out);
}

status draw_report(const draw_result *r, arena *a, report *out) {
    strbuf s = strbuf_in(a);
    int64_t nodes = 0;
    for (size_t i = 0; i < r->p->boxes.n; i++)
        nodes += r->p->boxes.at[i].kind == PICTURE_NODE;
    strbuf_printf(&s, "%s: %lld nodes, %zu boxes (%zu of them scopes), %zu edges; %s\n", r->file, (long long)nodes,
                  r->view.boxes, r->view.closed, r->view.edges, report_amount(a, (double)r->bytes, "B"));
    if (r->p->other != NULL)
        list_changes(&s, r);
    TRY(strbuf_finish(&s, &out->text));
    return as_json(r, nodes, a, &out->json);
}
