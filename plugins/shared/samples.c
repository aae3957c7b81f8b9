#include "samples.h"

/* A list option as a NULL-terminated array. */
static const char *const *texts_of(const tenon_plugin_host *host, const char *name) {
    const tenon_option_1 *option = host->get_interface(host, TENON_OPTION_1);
    size_t n = option->count(host, name, NULL);
    const char **list = pass_room(host, n + 1, sizeof *list);
    for (size_t i = 0; list != NULL && i < n; i++)
        list[i] = option->item(host, name, NULL, i);
    return list;
}

int samples_open(const tenon_plugin_host *host, const tenon_graph *g, tenon_samples **out, int64_t *out_n) {
    const tenon_option_1 *option = host->get_interface(host, TENON_OPTION_1);
    const tenon_eval_1 *eval = host->get_interface(host, TENON_EVAL_1);
    const tenon_diag_1 *diag = host->get_interface(host, TENON_DIAG_1);
    const char *path = option->text(host, "calibration", NULL);
    if (path == NULL)
        return TENON_OK;
    const char *const *maps = texts_of(host, "calibration_map"), *const *scales = texts_of(host, "calibration_scale");
    if (maps == NULL || scales == NULL)
        return TENON_PASS_RESOURCE;
    *out = eval->open(host, path, maps, scales);
    if (*out == NULL)
        return TENON_PASS_INVALID;
    int64_t wanted = option->integer(host, "samples", NULL);
    *out_n = eval->count(host, *out, g);
    if (*out_n < 0)
        return TENON_PASS_INVALID;
    if (*out_n == 0) {
        diag->error(host, NULL, "no-data", "calibration=%s: the file has no samples", path);
        return TENON_PASS_INVALID;
    }
    *out_n = wanted < *out_n ? wanted : *out_n;
    return TENON_OK;
}
