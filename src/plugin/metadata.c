/* metadata: lets plugins say more of a question than its name, for lines of the log that ask for it. Nobody here has
 * anything to say yet, so it costs nothing. */
#include "plugin/plugin.h"
#include "plugin/zones.h"

struct metadata {
	struct zone_list zones;
};

static void head(void *self, const struct directive *d, struct arena *a, struct diag *diag)
{
	((struct metadata *)self)->zones = zones_read(d, 0, a, diag);
}

static bool wanted(const void *self)
{
	(void)self;
	return false;
}

const struct plugin plugin_metadata = {
	.settings = { .name = "metadata", .doc = "more to say of a question",
	              .corefile = { "metadata", DIRECTIVE_ONCE, head }, .size = sizeof(struct metadata) },
	.wanted = wanted,
};
