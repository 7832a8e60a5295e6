#include "core/metrics.h"

#include <stddef.h>

const struct metric_row metric_rows[METRIC_COUNT] = {
#define METRIC(id, name, labels, help) { name, labels, help },
#include "core/metrics.def"
#undef METRIC
};
