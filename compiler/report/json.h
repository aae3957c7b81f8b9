/* JSON for reports, by way of cJSON: a failed allocation is remembered and told once, at the end. */
#ifndef TENON_REPORT_JSON_H
#define TENON_REPORT_JSON_H

#include "base/text.h"

typedef struct cJSON cJSON;

/* A document being made. */
typedef struct json {
    cJSON *root;
    bool failed;
} json;

/* An empty object; json_finish frees it. */
json json_begin(void);
/* Members of `object`; NULL is the document's root. Bytes of `text` that are not UTF-8 become '?'; text NULL becomes
 * null. */
void json_text(json *j, cJSON *object, const char *name, const char *text);
void json_number(json *j, cJSON *object, const char *name, double x); /* null where it is not finite */
void json_integer(json *j, cJSON *object, const char *name, int64_t x);
void json_bool(json *j, cJSON *object, const char *name, bool x);
cJSON *json_object(json *j, cJSON *object, const char *name);
cJSON *json_list(json *j, cJSON *object, const char *name);
/* Members of a list. */
cJSON *json_item(json *j, cJSON *list);
cJSON *json_item_list(json *j, cJSON *list);
void json_item_number(json *j, cJSON *list, double x);
void json_item_text(json *j, cJSON *list, const char *text);
/* A document that begins as `text`, which json_finish wrote. */
json json_parse(const char *text);
/* The document as text in `a`, ending with a newline. STATUS_RESOURCE where any of the above failed. */
status json_finish(json *j, arena *a, const char **out);

#endif
