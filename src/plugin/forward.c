/* forward: ask recursive servers, over UDP, TCP or authenticated TLS. */
#include "plugin/forwarding.h"

static const struct opt opts[] = {
	{ { NULL }, { "name", NULL }, CUSTOM, 0, 0,
	  "Names at and below this one are forwarded.", forwarding_name, false },
	{ { NULL }, { "forward-addr", NULL }, CUSTOM, 0, 0,
	  "A server to ask: IP[@PORT][#TLSNAME]. Its certificate must have that name.", forwarding_addr, true },
	{ { NULL }, { "forward-host", NULL }, CUSTOM, 0, 0, "A server to ask, by address.", forwarding_host, true },
	{ { NULL }, { "forward-tls-upstream", "no" }, BOOL(struct forwarding, tls), 0, 0,
	  "Ask over TLS; there is no way back to clear text.", NULL, false },
	{ { NULL }, { "forward-tcp-upstream", "no" }, BOOL(struct forwarding, tcp), 0, 0,
	  "Ask over TCP.", NULL, false },
	{ { NULL }, { "forward-first", "no" }, BOOL(struct forwarding, first), 0, 0,
	  "When all servers fail, go on without them.", NULL, false },
	{ { NULL }, { "forward-no-cache", "no" }, BOOL(struct forwarding, no_cache), 0, 0,
	  "Keep none of these answers.", NULL, false },
};

static void ready(void *self, struct arena *a, struct diag *diag)
{
	(void)a;
	(void)diag;
	struct forwarding *f = self;
	f->group.recursive = true;
}

const struct plugin plugin_forward = {
	.settings = { .name = "forward", .doc = "asks recursive servers", .clause = "forward-zone",
	              .size = sizeof(struct forwarding), .opts = opts, .nopts = COUNT(opts), .ready = ready },
	.steps = { .request = forwarding_request, .wake = forwarding_wake, .tend = forwarding_tend },
	.live_text = forwarding_live_text, .live_make = forwarding_live_make, .live_free = forwarding_live_free,
	.live_leave = forwarding_live_leave, .live_forget = forwarding_live_forget,
	.report = forwarding_report, .measure = forwarding_measure,
	.joined = forwarding_joined, .wanted = forwarding_wanted,
};
