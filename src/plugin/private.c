/* private: addresses of one's own network do not come from the internet. Whoever may answer for a name of his own
 * could point it at a machine behind the user's firewall, and a browser would talk to it for him (DNS rebinding).
 * Addresses in the networks given are taken out of what upstreams say, before it is kept; names below a private-domain
 * may have them.
 * What the configuration itself says is answered above this place and passes untouched.
 * A set that loses an address keeps its signatures, so who validates it finds it altered, as with Unbound. */
#include "plugin/plugin.h"

#define EDE_BLOCKED 15                /* RFC8914 4.16 */
#define EDE_BLOCKED_TEXT "private-address: an address was left out"
#define NETS_MAX 4096u                /* networks, each looked at for each address */
#define DOMAINS_MAX 4096u
#define SVC_IPV4HINT 4u               /* RFC9460 14.3.2 */
#define SVC_IPV6HINT 6u

struct private {
	struct prefix *nets;
	struct name *domains;
	unsigned nnets, ndomains;
};

/* ---- addresses in records ---- */

static bool in_nets(const struct private *p, const struct addr *a)
{
	for (unsigned i = 0; i < p->nnets; i++)
		if (prefix_holds(&p->nets[i], a))
			return true;
	return false;
}

/* An IPv4 address written as IPv6 (::ffff:0:0/96) reaches the same machine. */
static bool is_private(const struct private *p, uint8_t family, const uint8_t *ip)
{
	static const uint8_t mapped[12] = { [10] = 0xff, 0xff };
	struct addr a = { .family = family };
	memcpy(a.ip, ip, addr_len(&a));
	if (in_nets(p, &a))
		return true;
	if (family != ADDR_6 || memcmp(ip, mapped, sizeof(mapped)) != 0)
		return false;
	a = (struct addr){ .family = ADDR_4 };
	memcpy(a.ip, ip + sizeof(mapped), 4);
	return in_nets(p, &a);
}

/* The hints of an SVCB or HTTPS record: priority, target, then key, length, value. What cannot be read holds none. */
static bool has_private_hint(const struct private *p, struct span rdata)
{
	struct name target;
	if (rdata.n < 2 || name_from_wire(span_from(rdata, 2), &target) != OK)
		return false;
	struct span s = span_from(rdata, 2u + target.len);
	while (s.n >= 4) {
		unsigned key = get_u16(s.p), n = get_u16(s.p + 2);
		if (n > s.n - 4)
			return false;
		uint8_t family = key == SVC_IPV4HINT ? ADDR_4 : ADDR_6;
		unsigned size = family == ADDR_4 ? 4 : 16;
		for (unsigned at = 0; (key == SVC_IPV4HINT || key == SVC_IPV6HINT) && at + size <= n; at += size)
			if (is_private(p, family, s.p + 4 + at))
				return true;
		s = span_from(s, 4u + n);
	}
	return false;
}

static bool holds_private(const struct private *p, const struct rr *rr)
{
	if (rr->type == RR_A)
		return rr->rdata.n == 4 && is_private(p, ADDR_4, rr->rdata.p);
	if (rr->type == RR_AAAA)
		return rr->rdata.n == 16 && is_private(p, ADDR_6, rr->rdata.p);
	return (rr->type == RR_SVCB || rr->type == RR_HTTPS) && has_private_hint(p, rr->rdata);
}

static bool may_have(const struct private *p, struct name owner)
{
	for (unsigned i = 0; i < p->ndomains; i++)
		if (name_below(owner, p->domains[i]))
			return true;
	return false;
}

/* ---- the answer ---- */

/* Signatures whose set is gone as a whole go too. */
static bool signs_nothing(const struct msg *m, const struct rr *sig)
{
	if (sig->type != RR_RRSIG || sig->rdata.n < 2)
		return false;
	uint16_t type = get_u16(sig->rdata.p);
	if (type != RR_A && type != RR_AAAA && type != RR_SVCB && type != RR_HTTPS)
		return false;
	for (size_t i = 0; i < m->nrrs; i++)
		if (m->rrs[i].type == type && m->rrs[i].section == sig->section && name_eq(m->rrs[i].owner, sig->owner))
			return false;
	return true;
}

/* Records out of m. returns how many */
static size_t take_out(const struct private *p, struct msg *m)
{
	size_t n = 0;
	for (size_t i = 0; i < m->nrrs; i++)
		if (!holds_private(p, &m->rrs[i]) || may_have(p, m->rrs[i].owner))
			m->rrs[n++] = m->rrs[i];
	size_t gone = m->nrrs - n;
	m->nrrs = n;
	if (gone == 0)
		return 0;
	/* One signature at a time: the others still stand while it is judged, and none is among what it looks for. */
	for (size_t i = m->nrrs; i-- > 0;)
		if (signs_nothing(m, &m->rrs[i])) {
			memmove(&m->rrs[i], &m->rrs[i + 1], (m->nrrs - i - 1) * sizeof(m->rrs[0]));
			m->nrrs--;
		}
	return gone;
}

static enum verdict response(const struct link *l, struct query *q)
{
	const struct private *p = l->self;
	const struct packed *old = q->answer;
	struct msg m;
	if (old == NULL || old->origin != ORIGIN_UPSTREAM || old->nttls == 0)
		return PASS;
	enum err err = packed_parse(&q->arena, old, &q->question, &m);
	if (err != OK)
		return query_fail_err(q, err);
	if (take_out(p, &m) == 0)
		return PASS;
	struct pack_conf pack = pack_as_is;
	pack.origin = (enum origin)old->origin;
	/* what is left is not what was proved */
	pack.security = old->security == SECURITY_SECURE ? SECURITY_INSECURE : (enum security)old->security;
	pack.no_store = old->ttl == 0;
	err = packed_make(&q->arena, &q->question, &m, &pack, &q->answer);
	if (err == OK)
		err = packed_with_ede(&q->arena, q->answer, EDE_BLOCKED, EDE_BLOCKED_TEXT, &q->answer);
	return err == OK ? PASS : query_fail_err(q, err);
}

/* ---- options ---- */

static void address(void *self, const struct directive *d, struct arena *a, struct diag *diag)
{
	struct private *p = self;
	const struct word *arg = &d->args[0];
	struct prefix net;
	if (prefix_parse(span_text(arg->text), &net) != OK) {
		diag_error(diag, d->file, arg->line, arg->column,
		           "cannot parse private-address: %s; expected ADDRESS or ADDRESS/BITS", arg->text);
		return;
	}
	if (p->nnets == NETS_MAX) {
		diag_error(diag, d->file, arg->line, arg->column, "too many networks; expected at most %u", NETS_MAX);
		return;
	}
	struct prefix *all = p->nets;
	if ((p->nnets & (p->nnets - 1)) == 0)   /* room doubles */
		all = ARENA_ARRAY(a, struct prefix, MAX(2 * p->nnets, 1));
	if (all == NULL)
		return;
	if (all != p->nets && p->nnets > 0)
		memcpy(all, p->nets, sizeof(*all) * p->nnets);
	all[p->nnets++] = net;
	p->nets = all;
}

static void domain(void *self, const struct directive *d, struct arena *a, struct diag *diag)
{
	struct private *p = self;
	const struct word *arg = &d->args[0];
	uint8_t store[NAME_MAX_BYTES];
	struct name name;
	if (name_from_text(span_text(arg->text), NULL, store, &name) != OK) {
		diag_error(diag, d->file, arg->line, arg->column,
		           "cannot parse private-domain: %s; expected a domain name", arg->text);
		return;
	}
	if (p->ndomains == DOMAINS_MAX) {
		diag_error(diag, d->file, arg->line, arg->column, "too many names; expected at most %u", DOMAINS_MAX);
		return;
	}
	struct name *all = p->domains;
	if ((p->ndomains & (p->ndomains - 1)) == 0)
		all = ARENA_ARRAY(a, struct name, MAX(2 * p->ndomains, 1));
	name = name_dup(a, name);
	if (all == NULL || name.wire == NULL)
		return;
	if (all != p->domains && p->ndomains > 0)
		memcpy(all, p->domains, sizeof(*all) * p->ndomains);
	all[p->ndomains++] = name;
	p->domains = all;
}

static bool wanted(const void *self)
{
	return ((const struct private *)self)->nnets > 0;
}

static const struct opt opts[] = {
	{ .unbound = { "private-address", NULL }, CUSTOM, .parse = address, .repeats = true,
	  .doc = "Addresses of this network are taken out of what upstreams answer (against DNS rebinding)." },
	{ .unbound = { "private-domain", NULL }, CUSTOM, .parse = domain, .repeats = true,
	  .doc = "Names at and below this one may have addresses of private-address." },
};

const struct plugin plugin_private = {
	.settings = { .name = "private", .doc = "no private addresses from upstreams", .clause = "server",
	              .size = sizeof(struct private), .opts = opts, .nopts = COUNT(opts) },
	.steps = { .response = response },
	.wanted = wanted,
};
