/* Calibration data, as options name them. */
#ifndef SHARED_SAMPLES_H
#define SHARED_SAMPLES_H

#include "pass.h"

/* Opens the file of the option calibration, with calibration_map and calibration_scale. *out is NULL where none is
 * asked for; *out_n: its samples, at most as many as the option samples says. Diagnostics: [no-data], [not-finite], and
 * those of the file. */
int samples_open(const tenon_plugin_host *host, const tenon_graph *g, tenon_samples **out, int64_t *out_n);

#endif
