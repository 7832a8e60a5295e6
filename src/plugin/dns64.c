/* dns64: names that have IPv4 addresses alone get IPv6 ones, under a prefix behind which a translator stands, for
 * clients that have no IPv4 (RFC6147). It stands above the cache: what is kept is what the world says.
 *
 * AAAA       asked as usual; when that brings no address of use, A is asked too, and what it has is translated
 * A first    where the zone's own AAAA are not wanted (translate_all, dns64-synthall, dns64-ignore-aaaa)
 * PTR        of a name under the prefix: what the IPv4 address has (RFC6147 5.3; unbound.conf alone)
 *
 * Nothing is made of an answer that could not be proved, nor for a client that proves by itself, which would find a
 * forgery (5.5): one that sets CD with DO, and of unbound.conf one that sets CD. What a Corefile's server has made up
 * is never AD; unbound.conf's is when all it was made of is. */
#include <stdatomic.h>

#include "base/assert.h"
#include "base/heap.h"
#include "core/embed.h"
#include "core/sample.h"
#include "plugin/arguments.h"
#include "plugin/plugin.h"
#include "plugin/zones.h"

#define TTL_WITHOUT_SOA 600u    /* RFC6147 5.1.7 */
#define REVERSE_LABELS 34u      /* 32 nibbles below ip6.arpa */
#define REVERSE_TEXT_MAX 40u    /* "255.255.255.255.in-addr.arpa." */

struct dns64 {
	struct prefix prefix;
	bool all;                  /* the zone's own AAAA are passed over */
	bool block;                /* of a Corefile */
	bool allow_ipv4;
	bool off;                  /* module-config does not have it */
	struct zone_list ignored;  /* where they are passed over too */
};

struct live {
	_Atomic uint64_t translated;
};

enum stage { STAGE_NONE, STAGE_A, STAGE_A_FIRST, STAGE_REVERSE };

struct dns64_state {
	enum stage stage;
	const struct packed *before;   /* what AAAA brought */
	enum err err;
};

/* Is the client one to translate for? */
static bool is_for(const struct dns64 *s, const struct client *c)
{
	if (s->block)
		return (s->allow_ipv4 || c->from.family == ADDR_6) &&
		       !(c->flags & FLAG_CD && client_wants_dnssec(c));
	return !(c->flags & FLAG_CD);
}

/* The IPv4 address that a reverse name means, if it is one under the prefix. */
static bool reverse_of(const struct dns64 *s, struct name name, struct addr *ret)
{
	static const uint8_t arpa[] = "\3ip6\4arpa";
	struct addr a = { .family = ADDR_6 };
	if (name.labels != REVERSE_LABELS || !name_below(name, (struct name){ arpa, sizeof(arpa), 2 }))
		return false;
	for (unsigned i = 0; i < 32; i++) {
		uint8_t c = fold(name.wire[2 * i + 1]);
		bool digit = c >= '0' && c <= '9', letter = c >= 'a' && c <= 'f';
		if (name.wire[2 * i] != 1 || !(digit || letter))
			return false;
		unsigned nibble = digit ? c - (unsigned)'0' : c - 'a' + 10u;
		a.ip[15 - i / 2] |= (uint8_t)(nibble << (i % 2 == 0 ? 0 : 4));
	}
	return embed_holds(&s->prefix, &a, ret);
}

static bool concerns(const struct dns64 *s, const struct question *q, const struct client *c)
{
	struct addr v4;
	if (q->class != CLASS_IN || !is_for(s, c))
		return false;
	return q->type == RR_AAAA || (q->type == RR_PTR && !s->block && reverse_of(s, q->name, &v4));
}

/* ---- what is there already ---- */

/* An IPv4 address in disguise is none that an IPv6 host can reach (RFC6147 5.1.4). */
static bool is_mapped(const struct rr *rr)
{
	static const uint8_t mapped[12] = { [10] = 0xff, 0xff };
	return rr->rdata.n == 16 && memcmp(rr->rdata.p, mapped, sizeof(mapped)) == 0;
}

static bool has_address(struct query *q, const struct packed *p, uint16_t type)
{
	struct question asked = { q->question.name, type, CLASS_IN };
	struct msg m;
	if (p->counts[SEC_ANSWER] == 0 || packed_parse(&q->arena, p, &asked, &m) != OK)
		return false;
	for (size_t i = 0; i < m.nrrs; i++)
		if (m.rrs[i].section == SEC_ANSWER && m.rrs[i].type == type && !is_mapped(&m.rrs[i]))
			return true;
	return false;
}

/* ---- what is made of it ---- */

/* A record of the address, in place. */
static enum err translate(const struct dns64 *s, struct arena *a, struct rr *rr, uint32_t ttl)
{
	struct addr v4 = { .family = ADDR_4 };
	memcpy(v4.ip, rr->rdata.p, 4);
	struct addr v6 = embed_addr(&s->prefix, &v4);
	rr->rdata = arena_span(a, span_of(v6.ip, 16));
	rr->type = RR_AAAA;
	rr->ttl = MIN(rr->ttl, ttl);
	return rr->rdata.p == NULL ? ERR_LIMIT : OK;
}

static bool signs(const struct rr *rr, uint16_t type)
{
	return rr->type == RR_RRSIG && rr->rdata.n >= 2 && get_u16(rr->rdata.p) == type;
}

static enum err pack(struct query *q, struct msg *m, const struct packed *from, enum security security)
{
	struct pack_conf conf = pack_as_is;
	conf.origin = (enum origin)from->origin;
	conf.security = security;
	conf.no_store = from->ttl == 0;
	m->question = q->question;
	return packed_make(&q->arena, &q->question, m, &conf, &q->answer);
}

/* How long the absence of AAAA lasts bounds how long these are told. */
static uint32_t ttl_of(const struct packed *before)
{
	if (before == NULL)
		return UINT32_MAX;
	return before->flags & PACKED_SOA ? before->ttl : TTL_WITHOUT_SOA;
}

static enum verdict synthesise(const struct link *l, struct query *q, const struct query *child,
                               const struct packed *before)
{
	const struct dns64 *s = l->self;
	struct question asked = { q->question.name, RR_A, CLASS_IN };
	struct live *live = l->live;
	struct msg m;
	size_t n = 0;
	enum err err = packed_parse(&q->arena, child->answer, &asked, &m);
	for (size_t i = 0; err == OK && i < m.nrrs; i++) {
		struct rr *rr = &m.rrs[i];
		if (rr->section == SEC_ANSWER && signs(rr, RR_A))
			continue;   /* it is not theirs any more */
		if (rr->section == SEC_ANSWER && rr->type == RR_A && rr->rdata.n == 4)
			err = translate(s, &q->arena, rr, ttl_of(before));
		m.rrs[n++] = *rr;
	}
	if (err != OK)
		return query_fail_err(q, err);
	m.nrrs = n;
	enum security proved = (enum security)child->answer->security;
	if (before != NULL && before->security < (uint8_t)proved)
		proved = (enum security)before->security;
	if (s->block)
		proved = MIN(proved, SECURITY_INSECURE);
	err = pack(q, &m, child->answer, proved);
	if (err != OK)
		return query_fail_err(q, err);
	atomic_fetch_add_explicit(&live->translated, 1, memory_order_relaxed);
	q->err = OK;
	return ANSWERED;
}

/* The IPv4 address's names, under the name that was asked for. */
static enum verdict rename_owner(struct query *q, const struct query *child)
{
	struct question asked = child->question;
	struct msg m;
	size_t n = 0;
	enum err err = packed_parse(&q->arena, child->answer, &asked, &m);
	if (err != OK)
		return query_fail_err(q, err);
	for (size_t i = 0; i < m.nrrs; i++) {
		struct rr *rr = &m.rrs[i];
		bool own = rr->section == SEC_ANSWER && name_eq(rr->owner, asked.name);
		if (own && rr->type == RR_RRSIG)
			continue;
		if (own)
			rr->owner = q->question.name;
		m.rrs[n++] = *rr;
	}
	m.nrrs = n;
	err = pack(q, &m, child->answer, MIN((enum security)child->answer->security, SECURITY_INSECURE));
	q->err = child->err;
	return err == OK ? ANSWERED : query_fail_err(q, err);
}

/* ---- the way of a question ---- */

static bool ask(struct query *q, enum stage stage, const struct question *what)
{
	struct dns64_state *st = query_state(q, sizeof(*st));
	if (st == NULL)
		return false;
	*st = (struct dns64_state){ .stage = stage, .before = q->answer, .err = q->err };
	return query_ask(q, DOOR_BELOW, what) == OK;
}

static enum verdict request(const struct link *l, struct query *q)
{
	const struct dns64 *s = l->self;
	struct question what = { q->question.name, RR_A, CLASS_IN };
	struct addr v4;
	uint8_t store[NAME_MAX_BYTES];
	char text[REVERSE_TEXT_MAX];
	if (q->client == NULL || !concerns(s, &q->question, q->client))
		return PASS;
	if (q->question.type == RR_AAAA && (s->all || zones_find(&s->ignored, q->question.name) != NULL))
		return ask(q, STAGE_A_FIRST, &what) ? WAIT : PASS;
	if (q->question.type != RR_PTR || !reverse_of(s, q->question.name, &v4))
		return PASS;
	struct buf b = buf_on(text, sizeof(text));
	buf_printf(&b, "%u.%u.%u.%u.in-addr.arpa.", v4.ip[3], v4.ip[2], v4.ip[1], v4.ip[0]);
	what.type = RR_PTR;
	if (name_from_text(buf_span(&b), NULL, store, &what.name) != OK)
		return PASS;
	return ask(q, STAGE_REVERSE, &what) ? WAIT : PASS;
}

static enum verdict response(const struct link *l, struct query *q)
{
	const struct dns64 *s = l->self;
	struct question what = { q->question.name, RR_A, CLASS_IN };
	const struct packed *p = q->answer;
	bool mine = q->client != NULL && q->question.type == RR_AAAA && concerns(s, &q->question, q->client);
	if (!mine || q->state[q->place] != NULL || p == NULL || p->rcode == RCODE_NXDOMAIN || q->err == ERR_BOGUS)
		return PASS;
	if (has_address(q, p, RR_AAAA))
		return PASS;
	return ask(q, STAGE_A, &what) ? WAIT : PASS;
}

static enum verdict wake(const struct link *l, struct query *q, const struct query *child)
{
	const struct dns64_state *st = q->state[q->place];
	if (child == NULL)
		return WAIT;
	const struct packed *p = child->answer;
	if (st->stage == STAGE_REVERSE && p != NULL)
		return rename_owner(q, child);
	if (p != NULL && child->err == OK && has_address(q, p, RR_A))
		return synthesise(l, q, child, st->before);
	if (st->stage != STAGE_A)
		return PASS;
	/* What failed to be proved is not told as if it were not there (RFC6147 5.5). */
	bool bogus = child->err == ERR_BOGUS && p != NULL;
	q->err = bogus ? child->err : st->err;
	q->answer = bogus ? packed_dup(&q->arena, p) : st->before;
	return q->answer == NULL ? query_fail_err(q, ERR_LIMIT) : ANSWERED;
}

static enum verdict fast(const struct link *l, struct fast *f)
{
	return concerns(l->self, &f->client->question, f->client) ? SLOW : PASS;
}

/* ---- settings ---- */

static void prefix_set(struct dns64 *s, const struct directive *d, const struct word *arg, struct diag *diag)
{
	struct prefix p;
	if (prefix_parse(span_text(arg->text), &p) == OK && embed_fits(&p))
		s->prefix = p;
	else
		diag_error(diag, d->file, arg->line, arg->column,
		           "invalid prefix '%.200s'; expected IPV6/32, /40, /48, /56, /64 or /96", arg->text);
}

static void well_known(struct dns64 *s)
{
	enum err err = prefix_parse(span_text("64:ff9b::/96"), &s->prefix);
	ASSERT(err == OK);
}

static void head(void *self, const struct directive *d, struct arena *a, struct diag *diag)
{
	struct dns64 *s = self;
	(void)a;
	s->block = true;
	well_known(s);
	if (arguments_at_most(d, 1, diag) && d->nargs == 1)
		prefix_set(s, d, &d->args[0], diag);
}

static void prefix(void *self, const struct directive *d, struct arena *a, struct diag *diag)
{
	(void)a;
	if (arguments_are(d, 1, diag))
		prefix_set(self, d, &d->args[0], diag);
}

static void all(void *self, const struct directive *d, struct arena *a, struct diag *diag)
{
	(void)a;
	((struct dns64 *)self)->all = arguments_are(d, 0, diag);
}

static void ipv4(void *self, const struct directive *d, struct arena *a, struct diag *diag)
{
	(void)a;
	((struct dns64 *)self)->allow_ipv4 = arguments_are(d, 0, diag);
}

static void ignored(void *self, const struct directive *d, struct arena *a, struct diag *diag)
{
	struct zone_list *z = &((struct dns64 *)self)->ignored, more = zones_or_all(d, 0, a, diag);
	struct name *all_of = z->n + more.n > ZONES_MAX ? NULL : ARENA_ARRAY(a, struct name, z->n + more.n + 1);
	if (all_of == NULL) {
		diag_error(diag, d->file, d->word.line, d->word.column, "too many names; expected at most %u",
		           ZONES_MAX);
		return;
	}
	if (z->n > 0)
		memcpy(all_of, z->names, sizeof(*all_of) * z->n);
	if (more.n > 0)
		memcpy(all_of + z->n, more.names, sizeof(*all_of) * more.n);
	*z = (struct zone_list){ all_of, z->n + more.n };
}

/* Of the parts that Unbound can be put together of this is the one that is there only when it is named. */
static void modules(void *self, const struct directive *d, struct arena *a, struct diag *diag)
{
	struct dns64 *s = self;
	bool others = false;
	(void)a;
	s->off = true;
	for (const char *at = d->args[0].text; *(at += strspn(at, " \t")) != 0; at += strcspn(at, " \t")) {
		struct span word = span_of(at, strcspn(at, " \t"));
		s->off &= !span_is(word, "dns64");
		others |= !span_is(word, "dns64") && !span_is(word, "iterator");
	}
	if (others && d->word.line > 0)
		diag_warning(diag, d->file, d->word.line, d->word.column,
		             "module-config: has no effect: the parts of the program and their order are fixed but for "
		             "dns64, and validation depends on trust anchors alone");
}

static bool wanted(const void *self)
{
	return !((const struct dns64 *)self)->off;
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
		.name = "coredns_dns64_requests_translated_total",
		.help = "Counter of DNS requests translated by dns64.",
		.type = SAMPLE_COUNTER
	};
	const struct live *live = l->live;
	sample_add(to, &family, atomic_load_explicit(&live->translated, memory_order_relaxed), where->server, NULL);
}

static const struct opt opts[] = {
	{ .corefile = { "prefix", 1, NULL }, .unbound = { "dns64-prefix", "64:ff9b::/96" }, CUSTOM, .parse = prefix,
	  .doc = "The prefix of the IPv6 addresses that are made of IPv4 ones: of 32, 40, 48, 56, 64 or 96 bits." },
	{ .corefile = { "translate_all", 0, NULL }, .unbound = { NULL, NULL }, CUSTOM, .parse = all,
	  .doc = "Make addresses for names that have IPv6 ones of their own too." },
	{ .corefile = { "allow_ipv4", 0, NULL }, .unbound = { NULL, NULL }, CUSTOM, .parse = ipv4,
	  .doc = "Make addresses for clients that ask over IPv4 too." },
	{ .corefile = { .dflt = "dns64" }, .unbound = { "module-config", "validator iterator" }, CUSTOM,
	  .parse = modules,
	  .doc = "With the word dns64, AAAA records are made of A records for names that have none." },
	{ .corefile = { .dflt = "no" }, .unbound = { "dns64-synthall", "no" }, BOOL(struct dns64, all),
	  .doc = "Make AAAA records for names that have some of their own too." },
	{ .unbound = { "dns64-ignore-aaaa", NULL }, CUSTOM, .parse = ignored, .repeats = true,
	  .doc = "The AAAA records of this name, and of those below it, are passed over where there are A records." },
};

const struct plugin plugin_dns64 = {
	.settings = { .name = "dns64", .doc = "IPv6 addresses for names that have IPv4 ones alone", .clause = "server",
	              .corefile = { "dns64", DIRECTIVE_ONCE, head }, .size = sizeof(struct dns64), .opts = opts,
	              .nopts = COUNT(opts) },
	.steps = { .request = request, .response = response, .wake = wake, .fast = fast },
	.wanted = wanted,
	.live_make = live_make, .live_free = heap_free,
	.samples = samples,
};
