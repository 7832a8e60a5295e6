/* etcd: names that stand in an etcd, in the form of SkyDNS. Each question asks it; the cache before it keeps answers
 * for their TTL. A name's records are the values below its key, and its own when there are none below.
 * source  coredns.io/plugins/etcd */
#include "plugin/etcd.h"

#include "base/duration.h"
#include "core/zone_answer.h"
#include "plugin/arguments.h"
#include "plugin/zoneserve.h"

#define PATH_DEFAULT "/skydns"
#define ENDPOINT_DEFAULT "http://localhost:2379"
#define LEASE_MIN_DEFAULT 30u
#define LEASE_MAX_DEFAULT 86400u
#define SOA_TTL 30u
#define RRS_MAX (2u * SKYDNS_VALUES_MAX + 1u)   /* a record and an address for each value, and an SOA */
#define TEXT_MAX 255u                           /* of one character-string */
#define WEIGHT_ALL 100u

struct work {
	struct arena *a;
	const struct question *q;
	struct name zone;
	struct skydns *found;
	struct msg m;
	bool full;                   /* the arena is */
};

/* ---- records ---- */

/* One more record, or none if it is there already. A set has one TTL, the least (RFC2181 5.2). */
static void add(struct work *w, struct rr rr)
{
	uint32_t least = rr.ttl;
	bool twice = false;
	for (size_t i = 0; i < w->m.nrrs; i++) {
		const struct rr *old = &w->m.rrs[i];
		if (old->type != rr.type || old->section != rr.section || !name_eq(old->owner, rr.owner))
			continue;
		least = MIN(least, old->ttl);
		twice |= span_eq(old->rdata, rr.rdata);
	}
	for (size_t i = 0; i < w->m.nrrs; i++) {
		struct rr *old = &w->m.rrs[i];
		if (old->type == rr.type && old->section == rr.section && name_eq(old->owner, rr.owner))
			old->ttl = least;
	}
	rr.class = CLASS_IN;
	rr.ttl = least;
	rr.rdata = arena_span(w->a, rr.rdata);
	w->full |= rr.rdata.p == NULL;
	if (!twice && rr.rdata.p != NULL && w->m.nrrs < RRS_MAX)
		w->m.rrs[w->m.nrrs++] = rr;
}

static void add_name(struct work *w, uint16_t type, uint32_t ttl, struct name target)
{
	struct rr rr = { .owner = w->q->name, .type = type, .ttl = ttl, .section = SEC_ANSWER,
		             .rdata = span_of(target.wire, target.len) };
	add(w, rr);
}

static void add_address(struct work *w, const struct skydns_value *v, enum section section, struct name owner)
{
	if (v->addr.family == ADDR_NONE)
		return;
	add(w, (struct rr){ .owner = owner, .type = v->addr.family == ADDR_4 ? RR_A : RR_AAAA, .ttl = v->ttl,
		            .section = (uint8_t)section, .rdata = span_of(v->addr.ip, addr_len(&v->addr)) });
}

static void add_soa(struct work *w, enum section section, uint32_t serial)
{
	static const uint8_t ns[] = "\2ns\3dns", mail[] = "\12hostmaster";
	uint8_t rdata[2 * (NAME_MAX_BYTES + sizeof(mail)) + 20];
	struct buf b = buf_on(rdata, sizeof(rdata));
	buf_put(&b, ns, sizeof(ns) - 1);
	buf_put(&b, w->zone.wire, w->zone.len);
	buf_put(&b, mail, sizeof(mail) - 1);
	buf_put(&b, w->zone.wire, w->zone.len);
	buf_u32(&b, serial);
	buf_u32(&b, 7200);
	buf_u32(&b, 1800);
	buf_u32(&b, 86400);
	buf_u32(&b, SOA_TTL);
	add(w, (struct rr){ .owner = w->zone, .type = RR_SOA, .ttl = SOA_TTL, .section = (uint8_t)section,
		            .rdata = buf_span(&b) });
}

/* Where a value sends who asks for a service: its host, or for an address the name that its key is of. */
static struct name target_of(const struct skydns_value *v)
{
	struct name n = v->addr.family == ADDR_NONE ? v->host : v->owner;
	unsigned labels = 0;
	for (size_t at = 0; n.wire[at] != 0; at += n.wire[at] + 1u)
		labels++;
	return name_up(n, MIN(v->strip, labels));
}

static bool has_host(const struct skydns_value *v)
{
	return v->addr.family != ADDR_NONE || v->host.len > 0;
}

/* ---- what the values say ---- */

static void say_addresses(struct work *w)
{
	for (unsigned i = 0; i < w->found->n; i++) {
		const struct skydns_value *v = &w->found->list[i];
		if (v->addr.family == (w->q->type == RR_A ? ADDR_4 : ADDR_6))
			add_address(w, v, SEC_ANSWER, w->q->name);
	}
}

static void say_text(struct work *w)
{
	for (unsigned i = 0; i < w->found->n; i++) {
		struct span rest = w->found->list[i].text;
		uint8_t bytes[4096];
		struct buf b = buf_on(bytes, sizeof(bytes));
		while (rest.n > 0 && buf_ok(&b)) {
			size_t n = MIN(rest.n, TEXT_MAX);
			buf_u8(&b, (uint8_t)n);
			buf_put(&b, rest.p, n);
			rest = span_from(rest, n);
		}
		if (b.n > 0)
			add(w, (struct rr){ .owner = w->q->name, .type = RR_TXT, .ttl = w->found->list[i].ttl,
				            .section = SEC_ANSWER, .rdata = buf_span(&b) });
	}
}

/* Of what its priority's values have in all; those without have as much as any other. */
static uint16_t weight_of(const struct work *w, const struct skydns_value *v)
{
	uint64_t sum = 0, own = v->weight == 0 ? WEIGHT_ALL : v->weight;
	for (unsigned i = 0; i < w->found->n; i++) {
		const struct skydns_value *other = &w->found->list[i];
		if (has_host(other) && other->priority == v->priority)
			sum += other->weight == 0 ? WEIGHT_ALL : other->weight;
	}
	return (uint16_t)MAX(own * WEIGHT_ALL / MAX(sum, 1), 1);
}

/* SRV and MX, and the addresses that are known of their targets. */
static void say_services(struct work *w)
{
	bool mail = w->q->type == RR_MX;
	for (unsigned i = 0; i < w->found->n; i++) {
		const struct skydns_value *v = &w->found->list[i];
		uint8_t rdata[6 + NAME_MAX_BYTES];
		struct buf b = buf_on(rdata, sizeof(rdata));
		if (!has_host(v) || (mail && !v->mail))
			continue;
		struct name target = target_of(v);
		buf_u16(&b, v->priority);
		if (!mail) {
			buf_u16(&b, weight_of(w, v));
			buf_u16(&b, v->port);
		}
		buf_put(&b, target.wire, target.len);
		add(w, (struct rr){ .owner = w->q->name, .type = w->q->type, .ttl = v->ttl, .section = SEC_ANSWER,
			            .rdata = buf_span(&b) });
	}
	for (unsigned i = 0; i < w->found->n; i++)
		if (has_host(&w->found->list[i]) && (!mail || w->found->list[i].mail))
			add_address(w, &w->found->list[i], SEC_ADDITIONAL, target_of(&w->found->list[i]));
}

static void say_servers(struct work *w)
{
	if (w->q->name.len != w->zone.len)
		return;
	for (unsigned i = 0; i < w->found->n; i++)
		if (w->found->list[i].addr.family != ADDR_NONE)
			add_name(w, RR_NS, w->found->list[i].ttl, w->found->list[i].owner);
	for (unsigned i = 0; i < w->found->n; i++)
		add_address(w, &w->found->list[i], SEC_ADDITIONAL, w->found->list[i].owner);
}

static void say_names(struct work *w)
{
	for (unsigned i = 0; i < w->found->n; i++) {
		const struct skydns_value *v = &w->found->list[i];
		if (v->host.len > 0 && (w->q->type == RR_PTR || w->m.nrrs == 0))
			add_name(w, w->q->type, v->ttl, v->host);
	}
}

static const struct {
	uint16_t type;
	bool exact;                  /* of values at the name alone */
	bool follows;                /* a host that is a name is an alias */
	void (*say)(struct work *w);
} types[] = {
	{ RR_A, false, true, say_addresses }, { RR_AAAA, false, true, say_addresses },
	{ RR_TXT, false, true, say_text },
	{ RR_SRV, false, false, say_services }, { RR_MX, false, false, say_services },
	{ RR_NS, false, false, say_servers }, { RR_CNAME, true, false, say_names }, { RR_PTR, true, false, say_names },
};

/* The values at the name, or those below it. */
static void pick(struct skydns *s, bool exact)
{
	unsigned n = 0, below = 0;
	for (unsigned i = 0; i < s->n; i++)
		below += !s->list[i].exact;
	for (unsigned i = 0; i < s->n; i++)
		if (s->list[i].exact == (exact || below == 0))
			s->list[n++] = s->list[i];
	s->n = n;
	skydns_group(s);
}

/* The name that all else is asked of: where no value has an address or, for TXT, a text, the first that has a name. */
static const struct skydns_value *alias_of(const struct work *w)
{
	const struct skydns_value *alias = NULL;
	for (unsigned i = w->found->n; i-- > 0;) {
		const struct skydns_value *v = &w->found->list[i];
		if (v->addr.family != ADDR_NONE || (w->q->type == RR_TXT && v->text.n > 0))
			return NULL;
		if (v->host.len > 0 && v->text.n == 0 && !name_eq(v->host, w->q->name))
			alias = v;
	}
	return alias;
}

static enum verdict finish(struct work *w, struct query *q)
{
	if (w->m.nrrs == 0)
		add_soa(w, SEC_AUTHORITY, (uint32_t)q->engine->now.wall.sec);
	enum err err = w->full ? ERR_LIMIT : OK;
	if (err == OK)
		err = packed_make(&q->arena, &q->question, &w->m, &zone_packing, &q->answer);
	return err == OK ? ANSWERED : query_fail_err(q, err);
}

static enum err work_open(struct work *w, const struct link *l, struct query *q)
{
	const struct etcd *s = l->self;
	*w = (struct work){ .a = &q->arena, .q = &q->question };
	w->zone = *zones_find(&s->zones, q->question.name);
	w->m = (struct msg){ .flags = (uint16_t)(FLAG_QR | FLAG_AA | s->flags), .question = q->question,
		             .rrs = ARENA_ARRAY(&q->arena, struct rr, RRS_MAX) };
	return w->m.rrs == NULL ? ERR_LIMIT : OK;
}

static enum verdict answer(const struct link *l, struct query *q, struct skydns *found)
{
	struct work w;
	const struct etcd *s = l->self;
	if (work_open(&w, l, q) != OK)
		return query_fail_err(q, ERR_LIMIT);
	bool apex = q->question.name.len == w.zone.len;
	if (!found->found && !apex) {
		if (s->falls && zones_find(&s->fall_zones, q->question.name) != NULL)
			return PASS;
		w.m.rcode = RCODE_NXDOMAIN;
	}
	w.found = found;
	for (unsigned i = 0; i < COUNT(types); i++) {
		if (types[i].type != q->question.type)
			continue;
		pick(found, types[i].exact);
		const struct skydns_value *alias = types[i].follows ? alias_of(&w) : NULL;
		if (alias != NULL) {
			add_name(&w, RR_CNAME, alias->ttl, alias->host);
			struct zone_reply r = { .msg = w.m, .target = alias->host };
			return w.full ? query_fail_err(q, ERR_LIMIT) : zoneserve_follow(q, &r);
		}
		types[i].say(&w);
	}
	return finish(&w, q);
}

/* ---- steps ---- */

static const struct name *zone_for(const struct etcd *s, const struct question *q)
{
	if (q->class != CLASS_IN || q->type == RR_AXFR || q->type == RR_IXFR)
		return NULL;
	return zones_find(&s->zones, q->name);
}

/* A zone's own records stand at names of their own: its servers, and all else. */
static enum err asked_name(struct query *q, struct name zone, struct name *ret)
{
	static const uint8_t servers[] = "\2ns\3dns", apex[] = "\4apex\3dns";
	uint8_t wire[NAME_MAX_BYTES];
	struct buf b = buf_on(wire, sizeof(wire));
	*ret = q->question.name;
	if (q->question.name.len != zone.len)
		return OK;
	if (q->question.type == RR_NS)
		buf_put(&b, servers, sizeof(servers) - 1);
	else
		buf_put(&b, apex, sizeof(apex) - 1);
	buf_put(&b, zone.wire, zone.len);
	if (!buf_ok(&b))
		return ERR_NAME;
	TRY(name_from_wire(buf_span(&b), ret));
	*ret = name_dup(&q->arena, *ret);
	return ret->wire == NULL ? ERR_LIMIT : OK;
}

static enum verdict request(const struct link *l, struct query *q)
{
	const struct etcd *s = l->self;
	const struct name *zone = zone_for(s, &q->question);
	struct skydns_key key;
	struct name name;
	struct work w;
	if (zone == NULL)
		return PASS;
	if (q->question.type == RR_SOA && q->question.name.len == zone->len) {
		if (work_open(&w, l, q) != OK)
			return query_fail_err(q, ERR_LIMIT);
		add_soa(&w, SEC_ANSWER, (uint32_t)q->engine->now.wall.sec);
		return finish(&w, q);
	}
	enum err err = asked_name(q, *zone, &name);
	if (err == OK)
		err = skydns_key(&q->arena, s->path, name, &key);
	if (err == ERR_NAME) {
		struct skydns none = { 0 };
		return answer(l, q, &none);
	}
	if (err == OK)
		err = etcd_ask(l, q, &key);
	return err == OK ? WAIT : query_fail_err(q, err);
}

static enum verdict wake(const struct link *l, struct query *q, const struct query *child)
{
	struct skydns *found = NULL;
	const char *why = NULL;
	enum verdict v = WAIT;
	if (child != NULL)
		return zoneserve_wake(l, q, child);
	enum etcd_state state = etcd_look(l, q, &found, &why);
	if (state == ETCD_NONE || state == ETCD_WAITS)
		return WAIT;
	if (state == ETCD_HAS) {
		v = answer(l, q, found);
	} else {
		const char *kept = arena_text(&q->arena, span_text(why));
		q->err = ERR_UPSTREAM;   /* plugin errors tells of it */
		v = query_fail(q, RCODE_SERVFAIL, EDE_NETWORK_ERROR, kept);
	}
	etcd_done(l, q);
	return v;
}

static enum verdict fast(const struct link *l, struct fast *f)
{
	return zone_for(l->self, &f->client->question) == NULL ? PASS : SLOW;
}

/* ---- settings ---- */

static void head(void *self, const struct directive *d, struct arena *a, struct diag *diag)
{
	struct etcd *s = self;
	s->zones = zones_read(d, 0, a, diag);
	s->path = PATH_DEFAULT;
	s->endpoints[0] = ENDPOINT_DEFAULT;
	s->lease_min = LEASE_MIN_DEFAULT;
	s->lease_max = LEASE_MAX_DEFAULT;
}

#define PARSE(what) static void what##_parse(void *self, const struct directive *d, struct arena *a, struct diag *diag)

PARSE(path)
{
	struct etcd *s = self;
	if (!arguments_are(d, 1, diag))
		return;
	struct span path = span_trim(span_text(d->args[0].text), "/");
	char *kept = path.n == 0 ? arena_text(a, path) : arena_printf(a, "/%.*s", (int)path.n, (const char *)path.p);
	if (path.n + 2 > SKYDNS_PATH_MAX || kept == NULL)
		diag_error(diag, d->file, d->args[0].line, d->args[0].column, "the path is longer than %u bytes",
		           SKYDNS_PATH_MAX - 2);
	else
		s->path = kept;
}

/* http:// or https://, and something behind it. */
static bool is_url(const char *text)
{
	const char *rest = strstr(text, "://");
	if (strncmp(text, "http://", 7) != 0 && strncmp(text, "https://", 8) != 0)
		return false;
	rest += sizeof("://") - 1;
	return rest[0] != 0 && rest[0] != '/' && strlen(text) < FETCH_TEXT_MAX;
}

PARSE(endpoint)
{
	struct etcd *s = self;
	if (!arguments_at_least(d, 1, diag) || !arguments_at_most(d, ETCD_ENDPOINTS_MAX, diag))
		return;
	s->nendpoints = 0;
	for (unsigned i = 0; i < d->nargs; i++) {
		struct span url = span_text(d->args[i].text);
		while (url.n > 0 && url.p[url.n - 1] == '/')
			url.n--;
		if (!is_url(d->args[i].text))
			diag_error(diag, d->file, d->args[i].line, d->args[i].column,
			           "'%.200s' is no endpoint; expected http://HOST:PORT or https://HOST:PORT",
			           d->args[i].text);
		else
			s->endpoints[s->nendpoints++] = arena_text(a, url);
	}
}

PARSE(credentials)
{
	struct etcd *s = self;
	(void)a;
	if (!arguments_are(d, 2, diag))
		return;
	s->user = d->args[0].text;
	s->password = d->args[1].text;
	if (s->user[0] == 0 || strlen(s->user) + strlen(s->password) > FETCH_TEXT_MAX / 2)
		diag_error(diag, d->file, d->word.line, d->word.column, "credentials are a name and a password");
}

/* Nothing, CA, CERT KEY or CERT KEY CA. */
PARSE(tls)
{
	struct etcd *s = self;
	if (!arguments_at_most(d, 3, diag))
		return;
	if (d->nargs >= 2) {
		s->login.cert_file = directive_path(d, d->args[0].text, a);
		s->login.key_file = directive_path(d, d->args[1].text, a);
	}
	if (d->nargs % 2 == 1)
		s->login.ca_file = directive_path(d, d->args[d->nargs - 1].text, a);
}

PARSE(lease)
{
	struct etcd *s = self;
	bool least = strncmp(d->word.text, "min", 3) == 0;
	msec t;
	(void)a;
	s->said = d;
	if (!arguments_are(d, 1, diag))
		return;
	if (duration_parse(span_text(d->args[0].text), &t) != OK || t < SECOND || t > (msec)ETCD_TTL_MAX * SECOND)
		diag_error(diag, d->file, d->args[0].line, d->args[0].column,
		           "%s: '%s' is no duration from 1s to 168h", d->word.text, d->args[0].text);
	else
		*(least ? &s->lease_min : &s->lease_max) = (uint32_t)(t / SECOND);
}

PARSE(fallthrough)
{
	struct etcd *s = self;
	s->falls = true;
	s->fall_zones = zones_or_all(d, 0, a, diag);
}

#define ROW(w, n, what, text) { .corefile = { w, n, NULL }, .type = OPT_CUSTOM, .parse = what##_parse, .doc = text }

static const struct opt opts[] = {
	ROW("path", 1, path, "Where in the etcd the names stand; else /skydns."),
	ROW("endpoint", 1, endpoint, "URLs of the etcd's members; else http://localhost:2379."),
	ROW("credentials", 1, credentials, "USER PASSWORD: to log in with."),
	ROW("tls", 1, tls, "[CERT KEY] [CA]: towards the etcd."),
	ROW("min-lease-ttl", 1, lease, "Least TTL of a value that has a lease; else 30s."),
	ROW("max-lease-ttl", 1, lease, "Largest TTL of a value that has a lease; else 24h."),
	ROW("fallthrough", 1, fallthrough, "Names that are not there are the next plugin's, in these zones or in all."),
};

static void ready(void *self, struct arena *a, struct diag *diag)
{
	struct etcd *s = self;
	(void)a;
	s->nendpoints = MAX(s->nendpoints, 1);
	if (s->lease_min > s->lease_max)
		diag_error(diag, s->said->file, s->said->word.line, s->said->word.column,
		           "min-lease-ttl is more than max-lease-ttl; expected it not above");
}

static void joined(void *self, struct chain *chain, struct arena *a, struct diag *diag)
{
	struct zoneserve serve = { 0 };
	(void)a;
	(void)diag;
	zoneserve_joined(&serve, chain);
	((struct etcd *)self)->flags = serve.flags;
}

const struct plugin plugin_etcd = {
	.settings = { .name = "etcd", .doc = "names that stand in an etcd",
	              .corefile = { "etcd", DIRECTIVE_EACH, head }, .size = sizeof(struct etcd),
	              .opts = opts, .nopts = COUNT(opts), .ready = ready },
	.steps = { .request = request, .wake = wake, .fast = fast, .fetched = etcd_fetched },
	.live_text = etcd_live_text, .live_make = etcd_live_make, .live_free = etcd_live_free,
	.live_leave = etcd_live_leave, .joined = joined, .samples = etcd_samples,
};
