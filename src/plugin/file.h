/* file: zones of our own from zone files, as others see them before they are served. */
#ifndef PLUGIN_FILE_H
#define PLUGIN_FILE_H

#include "core/zone.h"
#include "plugin/plugin.h"

/* The i-th zone that was read with the configuration, while nothing that lives has taken it over; NULL: these were all.
 * *ret_path: its file. */
const struct zone *file_zone(const void *self, unsigned i, const char **ret_path);

#endif
