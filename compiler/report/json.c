/* JSON for reports. */
#include "report/json.h"

#include <cjson/cJSON.h>
#include <string.h>

json json_begin(void) {
    cJSON *root = cJSON_CreateObject();
    return (json){root, root == NULL};
}

json json_parse(const char *text) {
    cJSON *root = cJSON_Parse(text);
    return (json){root, root == NULL};
}

static void clean(char *text) {
    for (size_t n; text != NULL && *text != '\0'; text += n) {
        n = text_utf8_length(text);
        if (n == 0) {
            *text = '?';
            n = 1;
        }
    }
}

static void add(json *j, cJSON *object, const char *name, cJSON *item) {
    cJSON *to = object != NULL ? object : j->root;
    if (item != NULL && (name != NULL ? cJSON_AddItemToObject(to, name, item) : cJSON_AddItemToArray(to, item)))
        return;
    cJSON_Delete(item);
    j->failed = true;
}

static cJSON *new_text(const char *text) {
    cJSON *item = text != NULL ? cJSON_CreateString(text) : cJSON_CreateNull();
    if (item != NULL)
        clean(item->valuestring);
    return item;
}

void json_text(json *j, cJSON *object, const char *name, const char *text) {
    add(j, object, name, new_text(text));
}

void json_number(json *j, cJSON *object, const char *name, double x) {
    add(j, object, name, cJSON_CreateNumber(x));
}

void json_integer(json *j, cJSON *object, const char *name, int64_t x) {
    add(j, object, name, cJSON_CreateNumber((double)x));
}

void json_bool(json *j, cJSON *object, const char *name, bool x) {
    add(j, object, name, cJSON_CreateBool(x));
}

/* Added before it is filled, so that the root owns everything; NULL goes on into the root, whose text is then not used.
 */
static cJSON *add_container(json *j, cJSON *object, const char *name, cJSON *item) {
    bool failed = j->failed;
    j->failed = false;
    add(j, object, name, item);
    cJSON *added = j->failed ? NULL : item;
    j->failed |= failed;
    return added;
}

cJSON *json_object(json *j, cJSON *object, const char *name) {
    return add_container(j, object, name, cJSON_CreateObject());
}

cJSON *json_list(json *j, cJSON *object, const char *name) {
    return add_container(j, object, name, cJSON_CreateArray());
}

cJSON *json_item(json *j, cJSON *list) {
    return add_container(j, list, NULL, cJSON_CreateObject());
}

cJSON *json_item_list(json *j, cJSON *list) {
    return add_container(j, list, NULL, cJSON_CreateArray());
}

void json_item_number(json *j, cJSON *list, double x) {
    add(j, list, NULL, cJSON_CreateNumber(x));
}

void json_item_text(json *j, cJSON *list, const char *text) {
    add(j, list, NULL, new_text(text));
}

status json_finish(json *j, arena *a, const char **out) {
    char *text = j->failed ? NULL : cJSON_Print(j->root);
    *out = text != NULL ? arena_printf(a, "%s\n", text) : NULL;
    cJSON_free(text);
    cJSON_Delete(j->root);
    j->root = NULL;
    TRY_ALLOC(*out);
    return STATUS_OK;
}
