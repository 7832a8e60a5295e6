/* stub: ask authoritative servers that the configuration names for a zone, and those that they delegate to. */
#include "plugin/resolving.h"

static const struct opt opts[] = {
	{ { NULL }, { "name", NULL }, CUSTOM, 0, 0, "Names at and below this one are asked of the servers given.",
	  forwarding_name, false },
	{ { NULL }, { "stub-addr", NULL }, CUSTOM, 0, 0, "An authoritative server: IP[@PORT][#TLSNAME].",
	  forwarding_addr, true },
	{ { NULL }, { "stub-host", NULL }, CUSTOM, 0, 0,
	  "An authoritative server, by address.", forwarding_host, true },
	{ { NULL }, { "stub-tls-upstream", "no" }, BOOL(struct forwarding, tls), 0, 0, "Ask over TLS.", NULL, false },
	{ { NULL }, { "stub-tcp-upstream", "no" }, BOOL(struct forwarding, tcp), 0, 0, "Ask over TCP.", NULL, false },
	{ { NULL }, { "stub-first", "no" }, BOOL(struct forwarding, first), 0, 0,
	  "When all servers fail, go on without them.", NULL, false },
	{ { NULL }, { "stub-no-cache", "no" }, BOOL(struct forwarding, no_cache), 0, 0, "Keep none of these answers.",
	  NULL, false },
};

static enum verdict request(const struct link *l, struct query *q)
{
	const struct forwarding *f = l->self;
	if (f->resolver == NULL)
		return forwarding_request(l, q);
	return forwarding_holds(f, q) ? resolving_request(f->resolver, f, forwarding_pool(l, q), q) : PASS;
}

static enum verdict wake(const struct link *l, struct query *q, const struct query *child)
{
	const struct forwarding *f = l->self;
	return f->resolver == NULL ? forwarding_wake(l, q, child) : resolving_wake(f, q, child);
}

static void joined(void *self, struct chain *chain, struct arena *a, struct diag *diag)
{
	struct forwarding *f = self;
	forwarding_joined(self, chain, a, diag);
	for (unsigned i = 0; i < chain->n; i++) {
		if (chain->links[i].steps == &plugin_resolve.steps)
			f->resolver = &chain->links[i];
	}
}

const struct plugin plugin_stub = {
	.settings = { .name = "stub", .doc = "asks authoritative servers", .clause = "stub-zone",
	              .size = sizeof(struct forwarding), .opts = opts, .nopts = COUNT(opts) },
	.steps = { .request = request, .wake = wake },
	.live_text = forwarding_live_text, .live_make = forwarding_live_make, .live_free = forwarding_live_free,
	.live_leave = forwarding_live_leave, .live_forget = forwarding_live_forget,
	.report = forwarding_report, .joined = joined, .wanted = forwarding_wanted,
};
