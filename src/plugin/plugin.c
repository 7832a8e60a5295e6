#include "plugin/plugin.h"

const struct plugin *const plugins[] = {
#define PLUGIN(name) &plugin_##name,
#include "plugin/plugins.def"
#undef PLUGIN
};
const unsigned nplugins = COUNT(plugins);
