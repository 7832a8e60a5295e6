/* metadata: lets plugins say more of a question than its name, for lines of the log and formulas that ask for it. */
#include "core/metadata.h"

#include "plugin/plugin.h"
#include "plugin/zones.h"

struct metadata {
	struct zone_list zones;
	struct metadata_zones told;
};

static void head(void *self, const struct directive *d, struct arena *a, struct diag *diag)
{
	((struct metadata *)self)->zones = zones_read(d, 0, a, diag);
}

static void joined(void *self, struct chain *chain, struct arena *a, struct diag *diag)
{
	struct metadata *s = self;
	(void)a;
	(void)diag;
	s->told = (struct metadata_zones){ s->zones.names, s->zones.n };
	chain->told = &s->told;
}

static enum verdict fast(const struct link *l, struct fast *f)
{
	(void)l;
	(void)f;
	return PASS;
}

const struct plugin plugin_metadata = {
	.settings = { .name = "metadata", .doc = "more to say of a question",
	              .corefile = { "metadata", DIRECTIVE_ONCE, head }, .size = sizeof(struct metadata) },
	.steps = { .fast = fast },
	.joined = joined,
};
