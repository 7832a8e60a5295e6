/* local: the names that every resolver answers itself: localhost, what is below it, and the reverse zones of loopback,
 * "this network" and broadcast (RFC6303 4.2, RFC6761 6.3). Nothing of them leaves the machine. */
#include <stdatomic.h>

#include "base/heap.h"
#include "core/sample.h"
#include "plugin/saying.h"

#define LOCAL_TTL 604800u

struct local {
	bool no_prefix;
};

struct live {
	_Atomic uint64_t prefixed;
};

/* "\11" is nine. */
static const uint8_t localhost_wire[] = "\11localhost", root_wire[] = "\4root\11localhost";
static const struct name localhost = { localhost_wire, sizeof(localhost_wire), 1 };
static const uint8_t loopback_wire[] = "\1" "1\1" "0\1" "0\3" "127\7in-addr\4arpa";
static const struct name loopback = { loopback_wire, sizeof(loopback_wire), 6 };

#define ZONE(net) { (const uint8_t *)net "\7in-addr\4arpa", sizeof(net "\7in-addr\4arpa"), 3 }
static const struct name reverses[] = { ZONE("\1" "0"), ZONE("\3" "127"), ZONE("\3" "255") };

enum place { PLACE_ELSEWHERE, PLACE_LOCALHOST, PLACE_PREFIX, PLACE_APEX, PLACE_LOOPBACK, PLACE_ABSENT };

/* Is it the name's first label? */
static bool is_prefixed(struct name name)
{
	for (unsigned i = 0; i < 1u + localhost_wire[0]; i++)
		if ((name.wire[i] | (i > 0 ? 0x20 : 0)) != localhost_wire[i])
			return false;
	return name.labels > 1;
}

/* Where the name stands, and the zone that holds it. */
static enum place find(const struct local *s, struct name name, struct name *ret_zone)
{
	*ret_zone = localhost;
	if (name_below(name, localhost))
		return PLACE_LOCALHOST;
	*ret_zone = name;
	if (!s->no_prefix && name.wire[0] == localhost_wire[0] && is_prefixed(name))
		return PLACE_PREFIX;
	for (unsigned i = 0; i < COUNT(reverses); i++) {
		*ret_zone = reverses[i];
		if (!name_below(name, reverses[i]))
			continue;
		if (name.labels == reverses[i].labels)
			return PLACE_APEX;
		return name_eq(name, loopback) ? PLACE_LOOPBACK : PLACE_ABSENT;
	}
	return PLACE_ELSEWHERE;
}

static void add_soa(struct saying *s, struct name zone, enum section section)
{
	static const uint8_t numbers[20] = { 0, 0, 0, 1, [17] = LOCAL_TTL >> 16 & 0xff, LOCAL_TTL >> 8 & 0xff,
		                             LOCAL_TTL & 0xff };
	uint8_t rdata[sizeof(localhost_wire) + sizeof(root_wire) + sizeof(numbers)];
	struct buf b = buf_on(rdata, sizeof(rdata));
	buf_put(&b, localhost_wire, sizeof(localhost_wire));
	buf_put(&b, root_wire, sizeof(root_wire));
	buf_put(&b, numbers, sizeof(numbers));
	struct rr *soa = saying_add(s, RR_SOA, LOCAL_TTL, span_of(saying_keep(s, rdata, b.n), b.n));
	soa->owner = zone;
	soa->section = (uint8_t)section;
}

static void say_address(struct saying *s, uint16_t type)
{
	static const uint8_t four[4] = { 127, 0, 0, 1 }, six[16] = { [15] = 1 };
	if (type == RR_A)
		saying_add(s, type, LOCAL_TTL, span_of(four, sizeof(four)));
	else if (type == RR_AAAA)
		saying_add(s, type, LOCAL_TTL, span_of(six, sizeof(six)));
}

/* The answer, or none: such names are not here. */
static bool say(const struct local *self, struct live *live, struct saying *s, const struct question *q)
{
	struct name zone;
	struct span target = span_of(localhost_wire, sizeof(localhost_wire));
	enum place place = q->class == CLASS_IN ? find(self, q->name, &zone) : PLACE_ELSEWHERE;
	if (LIKELY(place == PLACE_ELSEWHERE))
		return false;
	saying_open(s, q, 0);
	if (place == PLACE_PREFIX)
		atomic_fetch_add_explicit(&live->prefixed, 1, memory_order_relaxed);
	if (place == PLACE_PREFIX || place == PLACE_LOCALHOST)
		say_address(s, q->type);
	else if (place == PLACE_APEX && q->type == RR_NS)
		saying_add(s, RR_NS, LOCAL_TTL, target);
	else if (place == PLACE_LOOPBACK && q->type == RR_PTR)
		saying_add(s, RR_PTR, LOCAL_TTL, target);
	if ((place == PLACE_APEX || name_eq(zone, q->name)) && q->type == RR_SOA)
		add_soa(s, zone, SEC_ANSWER);
	if (s->m.nrrs == 0)
		add_soa(s, zone, SEC_AUTHORITY);
	s->m.rcode = place == PLACE_ABSENT ? RCODE_NXDOMAIN : RCODE_NOERROR;
	return true;
}

static enum verdict request(const struct link *l, struct query *q)
{
	struct saying s;
	return say(l->self, l->live, &s, &q->question) ? saying_query(&s, q) : PASS;
}

static enum verdict fast(const struct link *l, struct fast *f)
{
	struct saying s;
	return say(l->self, l->live, &s, &f->client->question) ? saying_fast(&s, f) : PASS;
}

/* ---- settings ---- */

static void prefix_parse_line(void *self, const struct directive *d, struct arena *a, struct diag *diag)
{
	struct local *s = self;
	(void)a;
	bool on = d->nargs == 1 && strcmp(d->args[0].text, "on") == 0;
	bool off = d->nargs == 1 && strcmp(d->args[0].text, "off") == 0;
	if (!on && !off)
		diag_error(diag, d->file, d->word.line, d->word.column,
		           "localhost_prefix has a wrong value; expected 'on' or 'off'");
	s->no_prefix = off;
}

static void *live_make(const void *self, const struct live_env *env)
{
	(void)self;
	(void)env;
	return heap_new(sizeof(struct live));
}

static void samples(const struct link *l, const struct sample_labels *where, struct samples *to)
{
	static const struct family family = {
		.name = "coredns_local_localhost_requests_total", .help = "Counter of localhost.<domain> requests.",
		.type = SAMPLE_COUNTER
	};
	struct live *live = l->live;
	(void)where;
	sample_add(to, &family, atomic_load_explicit(&live->prefixed, memory_order_relaxed), NULL, NULL);
}

static const struct opt opts[] = {
	{ .corefile = { "localhost_prefix", 1, NULL }, .type = OPT_CUSTOM, .parse = prefix_parse_line,
	  .doc = "Answer names whose first label is localhost as localhost itself: on or off." },
};

const struct plugin plugin_local = {
	.settings = { .name = "local", .doc = "localhost and the reverse zones that are nobody's",
	              .corefile = { "local", DIRECTIVE_ONCE, NULL }, .size = sizeof(struct local), .opts = opts,
	              .nopts = COUNT(opts) },
	.steps = { .request = request, .fast = fast },
	.live_make = live_make, .live_free = heap_free,
	.samples = samples,
};
