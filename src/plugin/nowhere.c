/* nowhere: the end of unbound.conf's chain: no forward-zone or stub-zone is responsible for the name. */
#include "plugin/plugin.h"

static enum verdict request(const struct link *l, struct query *q)
{
	(void)l;
	return query_fail(q, RCODE_SERVFAIL, 22, "no forward-zone or stub-zone holds this name");
}

const struct plugin plugin_nowhere = {
	.settings = { .name = "nowhere", .doc = "answers SERVFAIL: nobody to ask", .clause = "server" },
	.steps = { .request = request },
};
