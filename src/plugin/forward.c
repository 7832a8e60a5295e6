/* forward: ask recursive servers, over UDP, TCP or authenticated TLS. A Corefile's hands on what they say. */
#include "plugin/forwarding.h"

#define T struct forwarding
#define R relaying.rules
#define MSEC_MAX ((int64_t)HOUR * 1000 * 24)
#define WORDLESS { NULL, 0, NULL }
#define NONE { NULL, NULL }

static const struct opt opts[] = {
	{ WORDLESS, { "name", NULL }, CUSTOM, 0, 0,
	  "Names at and below this one are forwarded.", forwarding_name, false },
	{ WORDLESS, { "forward-addr", NULL }, CUSTOM, 0, 0,
	  "A server to ask: IP[@PORT][#TLSNAME]. Its certificate must have that name.", forwarding_addr, true },
	{ WORDLESS, { "forward-host", NULL }, CUSTOM, 0, 0, "A server to ask, by address.", forwarding_host, true },
	{ WORDLESS, { "forward-tls-upstream", "no" }, BOOL(T, tls), 0, 0,
	  "Ask over TLS; there is no way back to clear text.", NULL, false },
	{ { "force_tcp", 0, "no" }, { "forward-tcp-upstream", "no" }, BOOL(T, tcp), 0, 0,
	  "Ask over TCP.", NULL, false },
	{ WORDLESS, { "forward-first", "no" }, BOOL(T, first), 0, 0,
	  "When all servers fail, go on without them.", NULL, false },
	{ WORDLESS, { "forward-no-cache", "no" }, BOOL(T, no_cache), 0, 0,
	  "Keep none of these answers.", NULL, false },
	{ { "except", 0, NULL }, NONE, CUSTOM, .parse = relaying_except, .repeats = true,
	  .doc = "Names at and below these are not forwarded here." },
	{ { "prefer_udp", 0, "no" }, NONE, BOOL(T, R.prefer_udp),
	  .doc = "Ask over UDP first, whatever the client used, and over TCP when the answer was cut short." },
	{ { "expire", 1, "10s" }, NONE, MSEC(T, R.expire), .min = 1, .max = MSEC_MAX,
	  .doc = "How long an idle connection to a server is kept." },
	{ { "max_age", 1, "0s" }, NONE, MSEC(T, R.max_age), .min = 0, .max = MSEC_MAX,
	  .doc = "How old a connection to a server may become; 0s is however old." },
	{ { "max_idle_conns", 1, "0" }, NONE, U32(T, R.max_idle), .min = 0, .max = UINT32_MAX,
	  .doc = "Idle connections kept to each server; 0 is any number." },
	{ { "read_timeout", 1, "2s" }, NONE, MSEC(T, R.read_timeout), .min = 1, .max = MSEC_MAX,
	  .doc = "How long an answer of one server is waited for; the next is asked before that." },
	{ { "max_fails", 1, "2" }, NONE, U32(T, R.max_fails), .min = 0, .max = 1000,
	  .doc = "Questions in a row that a server may leave unanswered before it is passed over; 0: it never is." },
	{ { "max_connect_attempts", 1, NULL }, NONE, CUSTOM, .parse = relaying_attempts,
	  .doc = "Questions sent for one of a client; 0 is as many as may be. Without it two for each server." },
	{ { "health_check", 1, NULL }, NONE, CUSTOM, .parse = relaying_health,
	  .doc = "DURATION [no_rec] [domain NAME]: how often a server that is passed over is asked whether it is back "
	         "(500ms), with RD clear, for which name's NS records (the root's)." },
	{ { "policy", 1, NULL }, NONE, CUSTOM, .parse = relaying_policy,
	  .doc = "Which server is asked first: random, round_robin or sequential. Without it the quickest." },
	{ { "max_concurrent", 1, "0" }, NONE, U32(T, R.max_concurrent), .min = 0, .max = UINT32_MAX,
	  .doc = "Questions under way at once; those beyond are answered REFUSED. 0 is any number." },
	{ { "next", 0, NULL }, NONE, CUSTOM, .parse = relaying_next, .repeats = true,
	  .doc = "RCODEs for which the next plugin is asked instead." },
	{ { "next_on_nodata", 0, "no" }, NONE, BOOL(T, R.next_on_nodata),
	  .doc = "The same for an answer without records." },
	{ { "failover", 0, NULL }, NONE, CUSTOM, .parse = relaying_failover, .repeats = true,
	  .doc = "RCODEs for which the next server is asked." },
	{ { "failfast_all_unhealthy_upstreams", 0, "no" }, NONE, BOOL(T, R.failfast),
	  .doc = "When all servers are passed over, fail without trying one of them." },
	{ { "tls", 0, NULL }, NONE, CUSTOM, .parse = relaying_tls,
	  .doc = "[CERTIFICATE KEY] [AUTHORITIES]: files with who we are to servers asked over TLS, and by whom they "
	         "are vouched for; without the latter the system's authorities." },
	{ { "tls_servername", 1, NULL }, NONE, TEXT(T, relaying.tls_servername),
	  .doc = "The name that certificates of servers asked over TLS must have; without it their address." },
	{ { "source_address", 1, NULL }, NONE, CUSTOM, .parse = relaying_source,
	  .doc = "Ask from this address." },
	{ { "doh_method", 1, NULL }, NONE, CUSTOM, .parse = relaying_refused, .doc = "Not supported." },
	{ { "resolver", 1, NULL }, NONE, CUSTOM, .parse = relaying_refused, .doc = "Not supported." },
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
	              .corefile = { "forward", DIRECTIVE_EACH, relaying_head },
	              .size = sizeof(T), .opts = opts, .nopts = COUNT(opts), .ready = ready },
	.steps = { .request = forwarding_request, .wake = forwarding_wake, .tend = forwarding_tend },
	.live_text = forwarding_live_text, .live_make = forwarding_live_make, .live_free = forwarding_live_free,
	.live_leave = forwarding_live_leave, .live_forget = forwarding_live_forget,
	.report = forwarding_report, .measure = forwarding_measure,
	.joined = forwarding_joined, .wanted = forwarding_wanted,
	.samples = relaying_samples, .file_want = relaying_file_want, .file_take = relaying_file_take,
};
