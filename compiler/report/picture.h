/* Pictures of models: boxes and edges, which api/ fills in, and the DOT text that becomes of them. */
#ifndef TENON_REPORT_PICTURE_H
#define TENON_REPORT_PICTURE_H

#include "ir/op.h"
#include "report/report.h"

/* In a picture of two models: which of them have it. A picture of one has nothing but PICTURE_SAME. */
typedef enum picture_state {
    PICTURE_SAME,
    PICTURE_REMOVED,
    PICTURE_ADDED,
    PICTURE_CHANGED,
    PICTURE_STATES
} picture_state;

typedef enum picture_kind { PICTURE_INPUT, PICTURE_NODE, PICTURE_OUTPUT } picture_kind;

typedef struct picture_box {
    picture_kind kind;
    picture_state state;
    const char *name;   /* of the node, input or output; may be "" */
    const char *path;   /* a name that says in which scope a node is */
    const char *op;     /* of a node */
    const op_row *row;  /* NULL where nobody knows the operator */
    const char *family; /* the file of ops/ that the row stands in; NULL */
    int64_t index;      /* in the file; -1 none */
    const char *lines;  /* below the title, each ending with a newline */
    const char *change; /* what has changed, in some words, likewise; "" */
    const char *tip;    /* lines with all there is to say */
    int64_t params;     /* elements of constants that no node before it reads */
    int64_t macs;       /* -1: not known */
} picture_box;

/* A value on its way from where it is made to a reader. */
typedef struct picture_edge {
    size_t from, to; /* boxes */
    int output;      /* which output of `from` it is */
    picture_state state;
    const char *type; /* "f32[1,128]" */
    const char *name; /* of the value */
} picture_edge;

typedef struct picture {
    const char *title;
    const char *other; /* what it is compared with; NULL: a picture of one model */
    VEC(picture_box) boxes;
    VEC(picture_edge) edges;
} picture;

/* How much of it is to be seen. */
typedef struct picture_view {
    size_t boxes, edges; /* that the picture has */
    size_t closed;       /* boxes that stand for a scope */
} picture_view;

/* ---- picture_scopes.c: scopes are what the names of nodes have in common, "/bert/encoder" or "bert.encoder" ---- */
typedef struct scope scope;
/* A scope, or (inside NULL) a box. */
typedef struct scope_item {
    scope *inside;
    size_t box;
} scope_item;

struct scope {
    const scope *above; /* NULL: the root */
    size_t begin, end;  /* of its name, and of what stands before the names inside, in the path of each of its nodes */
    size_t name_end;
    const char *path; /* of one of its nodes */
    size_t id;
    int64_t depth; /* 0: the root */
    size_t n_nodes;
    bool touched; /* has a box that is not PICTURE_SAME */
    bool is_run;  /* no scope of the names: nodes far from any change */
    bool closed;  /* is drawn as one box */
    VEC(scope_item) items;
};

typedef struct scopes {
    scope *root;         /* what is outside of all nodes' names is left out of it */
    const scope **shown; /* by box: the closed scope that stands for it; NULL: itself */
    size_t n;            /* of ids */
} scopes;

/* Closes scopes of two nodes and more at `depth`; in a picture of two models only where nothing has changed. depth -1
 * of one model: no more than it takes to draw it in seconds. Of two: 1, and nodes that stand
 * next to no change are put together. */
status scopes_find(const picture *p, int64_t depth, arena *a, scopes *out);
/* The part of a box's path inside of the scope. */
const char *scope_rest(const scope *s, const picture_box *b);

/* ---- picture_colors.c ---- */
typedef struct picture_color {
    const char *what; /* for the legend */
    const char *fill, *line, *text;
    const char *soft; /* of text beside the main thing */
} picture_color;
enum { PICTURE_COLORS = 16 };
/* Which color the box has: an index below PICTURE_COLORS. In a picture of two models it is the state's. */
size_t picture_color_of(const picture *p, const picture_box *b);
const picture_color *picture_color_at(size_t i);
/* The same of a state. */
size_t picture_color_number(picture_state s);

/* ---- picture_text.c ---- */
/* Text in DOT's HTML-like labels; what is no character becomes '?'. */
void picture_html(strbuf *s, const char *text);
/* A name, of which at most the last characters are shown. */
void picture_name(strbuf *s, const char *name, size_t longest, arena *a);
/* A quoted string of DOT, in which newlines stay; for tooltips. */
void picture_quoted(strbuf *s, const char *text);
/* The labels of a box and of a closed scope, drawn inside of `in`; and the head of the picture. */
void picture_box_label(strbuf *s, const picture *p, const picture_box *b, const scope *in, arena *a);
void picture_scope_label(strbuf *s, const picture *p, const scope *closed, const scope *in, arena *a);
void picture_head(strbuf *s, const picture *p, arena *a);
/* A scope's name, as seen from the one that it is drawn in; "" where memory is out. */
const char *picture_scope_name(const scope *s, const scope *in, arena *a);

/* ---- picture_dot.c ---- */
/* The picture in DOT. Ids: n12 is box 12, s3 a scope. The same picture gives the same bytes. depth: see
 * scopes_find. */
status picture_dot(const picture *p, int64_t depth, arena *a, const char **out, picture_view *out_view);

/* ---- picture_svg.c ---- */
/* libgvc's SVG with tooltips where browsers look for them, and without its version. */
status picture_svg(const char *svg, size_t n, arena *a, const char **out, size_t *out_n);

/* ---- draw_report.c ---- */
/* A constant that only one of two models has, or that has changed. */
typedef struct draw_constant {
    picture_state state;
    const char *name, *type;
} draw_constant;

typedef struct draw_result {
    const picture *p;
    picture_view view;
    const char *file; /* that was written */
    int64_t bytes;
    const draw_constant *constants;
    size_t n_constants;
} draw_result;
status draw_report(const draw_result *r, arena *a, report *out);

#endif
