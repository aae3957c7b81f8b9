/* The texts of a picture: labels in DOT's HTML-like form, and quoted strings. */
#include <stdlib.h>
#include <string.h>

#include "report/picture.h"

enum { LONGEST_NAME = 40, LONGEST_TITLE = 100, MOST_OPERATORS = 5, BAR_WIDTH = 150, CHIPS_A_ROW = 5 };
#define TABLE "<TABLE BORDER=\"0\" CELLBORDER=\"0\" CELLSPACING=\"0\" CELLPADDING=\"1\">"

/* ---- characters ---- */

/* Bytes of the character at `text` that XML allows; 0 where it is none. */
static size_t html_character(const char *text) {
    const unsigned char *c = (const unsigned char *)text;
    size_t n = text_utf8_length(text);
    bool last_two = n == 3 && c[0] == 0xef && c[1] == 0xbf && c[2] >= 0xbe; /* U+FFFE, U+FFFF */
    return c[0] < ' ' || c[0] == 0x7f || last_two ? 0 : n;
}

static void add_character(strbuf *s, const char *text, size_t n) {
    static const struct {
        char c;
        const char *text;
    } entities[] = {{'&', "&amp;"}, {'<', "&lt;"}, {'>', "&gt;"}, {'"', "&quot;"}};
    for (size_t i = 0; i < sizeof entities / sizeof *entities; i++)
        if (*text == entities[i].c) {
            strbuf_add(s, entities[i].text);
            return;
        }
    strbuf_add_n(s, n > 0 ? text : "?", n > 0 ? n : 1);
}

static void html_n(strbuf *s, const char *text, size_t n_bytes) {
    for (size_t i = 0; i < n_bytes;) {
        size_t n = html_character(text + i);
        add_character(s, text + i, n);
        i += n > 0 ? n : 1;
    }
}

void picture_html(strbuf *s, const char *text) {
    html_n(s, text, strlen(text));
}

/* report_name, whose failure is the text's. */
static const char *cut(strbuf *s, const char *name, size_t longest, arena *a) {
    const char *text = report_name(a, name, longest);
    s->failed = s->failed || (*text == '\0' && *name != '\0');
    return text;
}

void picture_name(strbuf *s, const char *name, size_t longest, arena *a) {
    picture_html(s, cut(s, name, longest, a));
}

void picture_quoted(strbuf *s, const char *text) {
    strbuf_char(s, '"');
    for (size_t n; *text != '\0'; text += n > 0 ? n : 1) {
        n = html_character(text);
        if (*text == '\n')
            strbuf_add(s, "\\n");
        else if (*text == '\\')
            strbuf_add(s, "\\\\\\\\"); /* libgvc takes escapes out twice */
        else
            add_character(s, text, n);
    }
    strbuf_char(s, '"');
}

/* ---- boxes ---- */

static void small_n(strbuf *s, const char *text, size_t n, const char *color, bool bold) {
    strbuf_printf(s, "<TR><TD><FONT POINT-SIZE=\"8\" COLOR=\"%s\">", color);
    strbuf_add(s, bold ? "<B>" : "");
    html_n(s, text, n);
    strbuf_add(s, bold ? "</B>" : "");
    strbuf_add(s, "</FONT></TD></TR>");
}

static void small(strbuf *s, const char *name, const char *color, arena *a) {
    const char *text = cut(s, name, LONGEST_NAME, a);
    small_n(s, text, strlen(text), color, false);
}

static void lines(strbuf *s, const char *text, const char *color, bool bold) {
    for (size_t n; *text != '\0'; text += n + (text[n] == '\n')) {
        n = strcspn(text, "\n");
        small_n(s, text, n, color, bold);
    }
}

/* "_1" where the name is the operator's and a number; NULL where it is something else. */
static const char *number_after(const char *name, const char *op) {
    size_t n = strlen(op);
    if (strncmp(name, op, n) != 0)
        return NULL;
    const char *rest = name + n;
    bool number = rest[0] == '_' && strspn(rest + 1, "0123456789") == strlen(rest + 1);
    return rest[0] == '\0' || number ? rest : NULL;
}

static void node_title(strbuf *s, const picture_box *b, const scope *in, const picture_color *c, arena *a) {
    const char *rest = scope_rest(in, b), *slash = strrchr(rest, '/');
    const char *leaf = slash != NULL ? slash + 1 : rest, *number = number_after(leaf, b->op);
    picture_name(s, b->op, LONGEST_NAME, a);
    strbuf_add(s, "</B>");
    if (number != NULL && *number != '\0')
        strbuf_printf(s, "<FONT POINT-SIZE=\"8\" COLOR=\"%s\">%s</FONT>", c->soft, number);
    strbuf_add(s, "</TD></TR>");
    size_t n = number != NULL ? (size_t)(leaf - rest) : strlen(rest);
    const char *where = arena_strndup(a, rest, n - (n > 0 && number != NULL));
    s->failed = s->failed || where == NULL;
    if (where != NULL && *where != '\0' && b->name[0] != '\0')
        small(s, where, c->soft, a);
}

void picture_box_label(strbuf *s, const picture *p, const picture_box *b, const scope *in, arena *a) {
    const picture_color *c = picture_color_at(picture_color_of(p, b));
    strbuf_add(s, TABLE "<TR><TD><B>");
    if (b->kind == PICTURE_NODE) {
        node_title(s, b, in, c, a);
    } else {
        picture_name(s, b->name, LONGEST_NAME, a);
        strbuf_add(s, "</B></TD></TR>");
    }
    lines(s, b->lines, c->text, false);
    lines(s, b->change, c->text, true);
    strbuf_add(s, "</TABLE>");
}

/* ---- closed scopes ---- */

const char *picture_scope_name(const scope *s, const scope *in, arena *a) {
    if (s->is_run)
        return "as before";
    size_t from = in->path != NULL ? in->end : 0;
    while (s->path[from] == '/')
        from++;
    const char *name = arena_strndup(a, s->path + from, s->name_end - from);
    return name != NULL ? name : "";
}

typedef struct tally {
    const char *op;
    int64_t n;
} tally;

typedef struct sums {
    VEC(tally) operators;
    int64_t colors[PICTURE_COLORS], nodes, params, macs;
} sums;

static status count_operator(sums *t, const char *op, arena *a) {
    for (size_t i = 0; i < t->operators.n; i++)
        if (strcmp(t->operators.at[i].op, op) == 0) {
            t->operators.at[i].n++;
            return STATUS_OK;
        }
    tally fresh = {op, 1};
    return VEC_PUSH(a, t->operators, fresh);
}

static status count_box(sums *t, const picture *p, const picture_box *b, arena *a) {
    if (b->kind != PICTURE_NODE)
        return STATUS_OK;
    t->nodes++;
    t->params += b->params;
    t->macs += b->macs > 0 ? b->macs : 0;
    t->colors[picture_color_of(p, b)]++;
    return count_operator(t, b->op, a);
}

static status count_scope(sums *t, const picture *p, const scope *s, arena *a) {
    for (size_t i = 0; i < s->items.n; i++) {
        const scope_item *item = &s->items.at[i];
        TRY(item->inside != NULL ? count_scope(t, p, item->inside, a) : count_box(t, p, &p->boxes.at[item->box], a));
    }
    return STATUS_OK;
}

static int more_first(const void *x, const void *y) {
    const tally *a = x, *b = y;
    return a->n != b->n ? (a->n < b->n ? 1 : -1) : strcmp(a->op, b->op);
}

static int64_t bar_width(const sums *t, size_t color) {
    int64_t width = t->colors[color] * BAR_WIDTH / t->nodes;
    return width > 0 || t->colors[color] == 0 ? width : 1;
}

/* A bar with the colors of what is inside, as wide as there are nodes of each. */
static void color_bar(strbuf *s, const sums *t) {
    int64_t all = 0;
    for (size_t i = 0; i < PICTURE_COLORS; i++)
        all += bar_width(t, i);
    strbuf_printf(s,
                  "<TABLE BORDER=\"0\" CELLBORDER=\"0\" CELLSPACING=\"0\" CELLPADDING=\"0\" FIXEDSIZE=\"TRUE\" "
                  "WIDTH=\"%lld\" HEIGHT=\"6\"><TR>",
                  (long long)all);
    for (size_t i = 0; i < PICTURE_COLORS; i++) {
        if (t->colors[i] > 0)
            strbuf_printf(s, "<TD BGCOLOR=\"%s\" WIDTH=\"%lld\" HEIGHT=\"6\" FIXEDSIZE=\"TRUE\"></TD>",
                          picture_color_at(i)->line, (long long)bar_width(t, i));
    }
    strbuf_add(s, "</TR></TABLE>");
}

/* "198 k" */
static const char *amount(strbuf *s, int64_t n, arena *a) {
    const char *text = report_amount(a, (double)n, "");
    size_t bytes = strlen(text);
    const char *kept = arena_strndup(a, text, bytes - (bytes > 0 && text[bytes - 1] == ' '));
    s->failed = s->failed || bytes == 0 || kept == NULL;
    return kept != NULL ? kept : "";
}

static void amounts(strbuf *s, const sums *t, arena *a) {
    strbuf_printf(s, "%lld node%s", (long long)t->nodes, t->nodes == 1 ? "" : "s");
    if (t->params > 0)
        strbuf_printf(s, " · %s parameters", amount(s, t->params, a));
    if (t->macs > 0)
        strbuf_printf(s, " · %s MACs", amount(s, t->macs, a));
}

static void operators(strbuf *s, sums *t, arena *a) {
    qsort(t->operators.at, t->operators.n, sizeof *t->operators.at, more_first);
    for (size_t i = 0; i < t->operators.n && i < MOST_OPERATORS; i++) {
        strbuf_add(s, i > 0 ? " · " : "");
        picture_name(s, t->operators.at[i].op, LONGEST_NAME, a);
        if (t->operators.at[i].n > 1)
            strbuf_printf(s, " %lld", (long long)t->operators.at[i].n);
    }
    if (t->operators.n > MOST_OPERATORS)
        strbuf_printf(s, " · %zu more", t->operators.n - MOST_OPERATORS);
}

void picture_scope_label(strbuf *s, const picture *p, const scope *closed, const scope *in, arena *a) {
    sums t = {0};
    s->failed = s->failed || count_scope(&t, p, closed, a) != STATUS_OK;
    const char *name = closed->above != NULL ? picture_scope_name(closed, in, a) : p->title;
    s->failed = s->failed || *name == '\0';
    strbuf_add(s, TABLE "<TR><TD><B>");
    picture_name(s, name, LONGEST_NAME, a);
    strbuf_add(s, "</B></TD></TR>");
    if (p->other == NULL && t.nodes > 0) {
        strbuf_add(s, "<TR><TD>");
        color_bar(s, &t);
        strbuf_add(s, "</TD></TR>");
    }
    strbuf_add(s, "<TR><TD><FONT POINT-SIZE=\"9\">");
    amounts(s, &t, a);
    strbuf_add(s, "</FONT></TD></TR><TR><TD><FONT POINT-SIZE=\"8\">");
    operators(s, &t, a);
    strbuf_add(s, "</FONT></TD></TR></TABLE>");
}

/* ---- the head ---- */

/* A colored square and a word for each color. */
static void legend(strbuf *s, const bool used[PICTURE_COLORS]) {
    int n = 0;
    strbuf_add(s, "<FONT POINT-SIZE=\"9\">");
    for (size_t i = 0; i < PICTURE_COLORS; i++) {
        if (!used[i])
            continue;
        strbuf_add(s, n > 0 && n % CHIPS_A_ROW == 0 ? "</FONT></TD></TR><TR><TD ALIGN=\"LEFT\"><FONT POINT-SIZE=\"9\">"
                                                    : "");
        strbuf_printf(s, "<FONT COLOR=\"%s\">■</FONT> %s&#160;&#160;&#160;", picture_color_at(i)->line,
                      picture_color_at(i)->what);
        n++;
    }
    strbuf_add(s, "</FONT>");
}

static void count_states(strbuf *s, const picture *p) {
    size_t n[PICTURE_STATES] = {0};
    for (size_t i = 0; i < p->boxes.n; i++)
        n[p->boxes.at[i].state] += p->boxes.at[i].kind == PICTURE_NODE;
    strbuf_printf(s, "nodes: %zu removed · %zu added · %zu changed · %zu as before", n[PICTURE_REMOVED],
                  n[PICTURE_ADDED], n[PICTURE_CHANGED], n[PICTURE_SAME]);
}

void picture_head(strbuf *s, const picture *p, arena *a) {
    sums t = {0};
    bool used[PICTURE_COLORS] = {false};
    for (size_t i = 0; i < p->boxes.n; i++) {
        used[picture_color_of(p, &p->boxes.at[i])] = true;
        s->failed = s->failed || count_box(&t, p, &p->boxes.at[i], a) != STATUS_OK;
    }
    for (size_t i = 0; i < p->edges.n && p->other != NULL; i++)
        used[picture_color_number(p->edges.at[i].state)] = true;
    strbuf_add(s, "<TABLE BORDER=\"0\" CELLBORDER=\"0\" CELLSPACING=\"0\" CELLPADDING=\"2\">"
                  "<TR><TD ALIGN=\"LEFT\"><FONT POINT-SIZE=\"16\"><B>");
    if (p->other != NULL) {
        picture_name(s, p->other, LONGEST_TITLE, a);
        strbuf_add(s, " → ");
    }
    picture_name(s, p->title, LONGEST_TITLE, a);
    strbuf_add(s, "</B></FONT></TD></TR><TR><TD ALIGN=\"LEFT\"><FONT POINT-SIZE=\"10\" COLOR=\"#57606a\">");
    if (p->other != NULL)
        count_states(s, p);
    else
        amounts(s, &t, a);
    strbuf_add(s, "</FONT></TD></TR><TR><TD ALIGN=\"LEFT\">");
    if (p->boxes.n > 0)
        legend(s, used);
    strbuf_add(s, "</TD></TR></TABLE>");
}
