#include "sim/cluster_expect.h"

#include <stdio.h>
#include <string.h>

#include "base/buf.h"

#define SPLIT_MAX 10u
#define SPOTS_MAX 512u
#define ALIASES_MAX 11u         /* one behind the other; more have no end */
#define VERSION_TTL 28800u
#define DENIAL_TTL_MAX 300u

/* An address of a ready endpoint of a service, under its label. */
struct spot {
	const struct thing *slice;
	struct addr addr;
	char label[THING_LABEL];
};

/* A question under work. */
struct work {
	const struct expecting *x;
	struct expected *e;
	const char *name, *zone;
	uint16_t type;
	unsigned aliases;                       /* that led here */
	unsigned n;
	char labels[SPLIT_MAX][THING_LABEL];   /* in front of the zone, from the left */
};

static void lower(char *text)
{
	for (; *text != 0; text++)
		*text = (char)fold((uint8_t)*text);
}

/* ---- ways to end ---- */

static bool is_reverse(const char *zone)
{
	size_t n = strlen(zone);
	return n > 5 && strcmp(zone + n - 5, ".arpa") == 0;
}

static void nothing(struct work *w)
{
	w->e->n = w->e->nbeside = 0;
	w->e->rcode = RCODE_NOERROR;
}

static void absent(struct work *w)
{
	nothing(w);
	w->e->rcode = w->x->synced ? RCODE_NXDOMAIN : RCODE_SERVFAIL;
	w->e->passes = w->x->terms->falls && is_reverse(w->zone);
}

static void add_to(struct expect_record *list, unsigned *n, const struct expect_record *r)
{
	for (unsigned i = 0; i < *n; i++) {
		if (list[i].type == r->type && strcmp(list[i].owner, r->owner) == 0 &&
		    strcmp(list[i].data, r->data) == 0) {
			list[i].may &= r->may;
			return;
		}
	}
	if (*n < EXPECT_RECORDS_MAX)
		list[(*n)++] = *r;
}

static void say(struct work *w, const char *owner, uint16_t type, const char *data, bool may)
{
	struct expect_record r = { .type = type, .may = may };
	struct buf b = buf_on(r.owner, sizeof(r.owner));
	buf_printf(&b, "%s.", owner);
	(void)buf_cstr(&b);
	b = buf_on(r.data, sizeof(r.data));
	buf_text(&b, data);
	(void)buf_cstr(&b);
	lower(r.owner);
	lower(r.data);
	add_to(w->e->records, &w->e->n, &r);
}

static uint16_t type_of(const struct addr *a)
{
	return a->family == ADDR_4 ? RR_A : RR_AAAA;
}

static void say_address(struct work *w, const char *owner, const struct addr *a, bool may)
{
	char text[64];
	struct buf b = buf_on(text, sizeof(text));
	addr_text(a, &b);
	if (type_of(a) == w->type)
		say(w, owner, w->type, buf_cstr(&b), may);
}

/* The address of what an SRV record points to. */
static void beside(struct work *w, const char *owner, const struct addr *a)
{
	struct expect_record r = { .type = type_of(a) };
	struct buf b = buf_on(r.data, sizeof(r.data));
	addr_text(a, &b);
	(void)buf_cstr(&b);
	b = buf_on(r.owner, sizeof(r.owner));
	buf_printf(&b, "%s.", owner);
	(void)buf_cstr(&b);
	lower(r.owner);
	add_to(w->e->beside, &w->e->nbeside, &r);
}

/* ---- what there is ---- */

static bool is_kept(const struct expect_terms *t, const char *ns)
{
	bool is = t->only[0] == NULL;
	for (unsigned i = 0; i < EXPECT_ONLY_MAX && t->only[i] != NULL; i++)
		is |= strcmp(t->only[i], ns) == 0;
	return is;
}

static bool has_space(const struct work *w, const char *ns)
{
	return is_kept(w->x->terms, ns) && state_find(w->x->state, THING_NAMESPACE, "", ns) != NULL;
}

static const struct thing *find_service(const struct work *w, const char *ns, const char *name)
{
	return is_kept(w->x->terms, ns) ? state_find(w->x->state, THING_SERVICE, ns, name) : NULL;
}

void expect_label(const struct addr *a, char *to, size_t size)
{
	struct buf b = buf_on(to, size);
	addr_text(a, &b);
	for (size_t i = 0; i < b.n; i++)
		if (b.p[i] == '.' || b.p[i] == ':')
			b.p[i] = '-';
	if (b.p[b.n - 1] == '-')
		buf_u8(&b, '0');
	(void)buf_cstr(&b);
}

static bool is_label(const char *text)
{
	return *text != 0 && strlen(text) <= LABEL_MAX && strchr(text, '.') == NULL;
}

void expect_endpoint_label(const struct expect_terms *terms, const struct thing_endpoint *e, const struct addr *a,
                           char *to)
{
	struct buf b = buf_on(to, THING_LABEL);
	if (is_label(e->hostname))
		buf_text(&b, e->hostname);
	else if (terms->pod_names && is_label(e->pod))
		buf_text(&b, e->pod);
	if (b.n == 0)
		expect_label(a, to, THING_LABEL);
	else
		(void)buf_cstr(&b);
}

static unsigned add_spots(const struct work *w, const struct thing *slice, struct spot *to, unsigned n)
{
	for (unsigned i = 0; i < slice->nendpoints && slice->family != ADDR_NONE; i++) {
		const struct thing_endpoint *e = &slice->endpoints[i];
		for (unsigned k = 0; k < e->naddrs && e->ready != READY_NO && n < SPOTS_MAX; k++) {
			to[n] = (struct spot){ .slice = slice, .addr = e->addrs[k] };
			expect_endpoint_label(w->x->terms, e, &e->addrs[k], to[n++].label);
		}
	}
	return n;
}

/* Those of a service; label NULL: all, else those called so. */
static unsigned find_spots(const struct work *w, const struct thing *s, const char *label, struct spot *to)
{
	const struct cluster_state *state = w->x->state;
	unsigned n = 0, kept = 0;
	for (unsigned i = 0; i < state->n[THING_SLICE]; i++) {
		const struct thing *slice = state->things[THING_SLICE][i];
		if (strcmp(slice->ns, s->ns) == 0 && strcmp(slice->service, s->name) == 0)
			n = add_spots(w, slice, to, n);
	}
	for (unsigned i = 0; i < n; i++)
		if (label == NULL || strcmp(to[i].label, label) == 0)
			to[kept++] = to[i];
	return kept;
}

/* ---- services ---- */

/* The port and protocol that a name says; all NULL: all ports. */
struct wanted {
	const char *port, *protocol;
};

static bool same_fold(const char *a, const char *b)
{
	while (*a != 0 && fold((uint8_t)*a) == fold((uint8_t)*b))
		a++, b++;
	return *a == *b;
}

static bool is_port(const struct wanted *want, const struct thing_port *p)
{
	return want->port == NULL ||
	       (p->name[0] != 0 && strcmp(want->port, p->name) == 0 &&
	        same_fold(want->protocol, thing_protocols[p->protocol]));
}

static unsigned count_ports(const struct wanted *want, const struct thing *of)
{
	unsigned n = 0;
	for (unsigned i = 0; i < of->nports; i++)
		n += is_port(want, &of->ports[i]);
	return n;
}

static void say_srv(struct work *w, const struct wanted *want, const struct thing *of, const char *target,
                    unsigned candidates)
{
	char data[EXPECT_NAME];
	for (unsigned i = 0; i < of->nports; i++) {
		struct buf b = buf_on(data, sizeof(data));
		buf_printf(&b, "0 %u %u %s.", MAX(100u / candidates, 1u), of->ports[i].number, target);
		if (is_port(want, &of->ports[i]))
			say(w, w->name, RR_SRV, buf_cstr(&b), false);
	}
}

static void service_name(const struct thing *s, const char *before, const char *zone, char *to, size_t size)
{
	struct buf b = buf_on(to, size);
	if (before != NULL)
		buf_printf(&b, "%s.", before);
	buf_printf(&b, "%s.%s.svc.%s", s->name, s->ns, zone);
	(void)buf_cstr(&b);
}

/* Endpoints, of which there is one at least. */
static void say_spots(struct work *w, const struct thing *s, const struct wanted *want, const struct spot *spots,
                      unsigned n)
{
	char target[EXPECT_NAME];
	unsigned candidates = 0;
	for (unsigned i = 0; i < n; i++)
		candidates += count_ports(want, spots[i].slice);
	if (want->port != NULL && candidates == 0) {
		absent(w);
		return;
	}
	for (unsigned i = 0; i < n; i++) {
		bool others = count_ports(want, spots[i].slice) == 0;   /* its slice has no such port */
		service_name(s, spots[i].label, w->zone, target, sizeof(target));
		if (w->type != RR_SRV) {
			say_address(w, w->name, &spots[i].addr, want->port != NULL && others);
		} else if (!others) {
			say_srv(w, want, spots[i].slice, target, candidates);
			beside(w, target, &spots[i].addr);
		}
	}
}

static void headless(struct work *w, const struct thing *s, const struct wanted *want, const char *label)
{
	static struct spot spots[SPOTS_MAX];
	unsigned n = find_spots(w, s, label, spots);
	if (n == 0)
		absent(w);
	else
		say_spots(w, s, want, spots, n);
}

static void cluster_ip(struct work *w, const struct thing *s, const struct wanted *want)
{
	char target[EXPECT_NAME];
	unsigned ports = count_ports(want, s);
	if (want->port != NULL && ports == 0) {
		absent(w);
		return;
	}
	service_name(s, NULL, w->zone, target, sizeof(target));
	for (unsigned i = 0; i < s->naddrs; i++) {
		if (w->type == RR_SRV && ports > 0)
			beside(w, target, &s->addrs[i]);
		else
			say_address(w, w->name, &s->addrs[i], false);
	}
	if (w->type == RR_SRV && ports > 0 && s->naddrs > 0)
		say_srv(w, want, s, target, ports * s->naddrs);
}

static void answer(struct work *w);

static bool ends_in(const char *name, const char *zone)
{
	size_t n = strlen(name), z = strlen(zone);
	return n >= z && strcmp(name + n - z, zone) == 0 && (n == z || name[n - z - 1] == '.');
}

/* What hosts, which stands behind, has of the world. */
static void say_world(struct work *w, const char *target)
{
	if (strcmp(target, "api.partner.example") == 0 && w->type == RR_A)
		say(w, target, RR_A, "203.0.113.5", false);
	if (strcmp(target, "two.partner.example") == 0 && w->type == RR_A)
		say(w, target, RR_A, "203.0.113.6", false);
	if (strcmp(target, "two.partner.example") == 0 && w->type == RR_AAAA)
		say(w, target, RR_AAAA, "2001:db8::6", false);
}

static const char *zone_of(const struct expect_terms *t, const char *name)
{
	for (unsigned i = 0; i < EXPECT_ZONES_MAX && t->zones[i] != NULL; i++)
		if (ends_in(name, t->zones[i]))
			return t->zones[i];
	return NULL;
}

/* The alias leads to another zone of ours. */
static void into_zone(struct work *w, const char *target, const char *zone)
{
	static struct expected other;
	struct work next = { .x = w->x, .e = &other, .name = target, .zone = zone, .type = w->type };
	other.n = other.nbeside = 0;
	answer(&next);
	if (other.rcode == RCODE_SERVFAIL)
		nothing(w);
	for (unsigned i = 0; i < other.n; i++)
		add_to(w->e->records, &w->e->n, &other.records[i]);
}

/* The same for its own zone. A target that is not there leaves the aliases alone. */
static void follow(struct work *w, const char *target)
{
	struct expected *e = w->e;
	struct expect_record kept[ALIASES_MAX];
	unsigned had = e->n;
	struct work next = { .x = w->x, .e = e, .name = target, .zone = w->zone, .type = w->type,
		             .aliases = w->aliases + 1 };
	if (next.aliases == ALIASES_MAX) {
		nothing(w);
		return;
	}
	memcpy(kept, e->records, sizeof(kept[0]) * had);
	answer(&next);
	if (e->rcode != RCODE_NXDOMAIN)
		return;
	memcpy(e->records, kept, sizeof(kept[0]) * had);
	e->n = had;
	e->rcode = RCODE_NOERROR;
}

/* Aliases lead from one into the next, and then to what the last is. */
static void alias(struct work *w, const struct thing *s)
{
	char target[2 * THING_LABEL + 1];
	struct buf b = buf_on(target, sizeof(target));
	struct addr ip;
	if (addr_parse(span_text(s->target), 0, &ip) == OK) {
		absent(w);
		return;
	}
	if (w->type == RR_SRV)
		return;
	buf_printf(&b, "%s.", s->target);
	say(w, w->name, RR_CNAME, buf_cstr(&b), false);
	lower(target);
	target[b.n - 1] = 0;
	const char *zone = zone_of(w->x->terms, target);
	if (w->type == RR_CNAME)
		return;
	if (zone == NULL)
		say_world(w, target);
	else if (strcmp(zone, w->zone) == 0)
		follow(w, target);
	else
		into_zone(w, target, zone);
}

static bool has_any_spot(const struct work *w, const struct thing *s)
{
	static struct spot spots[SPOTS_MAX];
	return find_spots(w, s, NULL, spots) > 0;
}

static const char *bare(const char *label)
{
	return label + (label[0] == '_');
}

/* "_tcp" before a service: an empty name, as there is one below it. */
static bool is_protocol(const struct thing *s, const char *label)
{
	for (unsigned i = 0; i < s->nports; i++)
		if (label[0] == '_' && s->ports[i].name[0] != 0 &&
		    same_fold(label + 1, thing_protocols[s->ports[i].protocol]))
			return true;
	return false;
}

static void service(struct work *w, const struct thing *s, unsigned before)
{
	struct wanted all = { NULL, NULL }, one = { bare(w->labels[0]), bare(w->labels[1]) };
	if (s->type == THING_ALIAS) {
		if (before == 0)
			alias(w, s);
		else
			absent(w);
	} else if (before == 1) {
		if (!is_protocol(s, w->labels[0]))
			headless(w, s, &all, w->labels[0]);
	} else if (before > 2) {
		absent(w);
	} else if (s->type == THING_HEADLESS) {
		headless(w, s, before == 2 ? &one : &all, NULL);
	} else if (w->x->terms->ignore_empty && !has_any_spot(w, s)) {
		absent(w);
	} else {
		cluster_ip(w, s, before == 2 ? &one : &all);
	}
}

static void svc(struct work *w)
{
	if (w->n == 1)
		return;
	const char *ns = w->labels[w->n - 2];
	const struct thing *s = w->n == 2 ? NULL : find_service(w, ns, w->labels[w->n - 3]);
	if (!has_space(w, ns) || (w->n > 2 && s == NULL))
		absent(w);
	else if (s != NULL)
		service(w, s, w->n - 3);
}

/* ---- pods ---- */

/* The address that a label is in its one form. */
static bool label_address(const char *label, struct addr *ret)
{
	static const uint8_t families[] = { ADDR_4, ADDR_6 };
	char text[THING_LABEL], again[THING_LABEL];
	for (unsigned f = 0; f < COUNT(families); f++) {
		struct buf b = buf_on(text, sizeof(text));
		struct addr a;
		buf_text(&b, label);
		(void)buf_cstr(&b);
		for (size_t i = 0; i < b.n; i++)
			if (text[i] == '-')
				text[i] = families[f] == ADDR_4 ? '.' : ':';
		if (addr_parse(span_text(text), 0, &a) != OK || a.family != families[f])
			continue;
		expect_label(&a, again, sizeof(again));
		if (strcmp(again, label) == 0) {
			*ret = a;
			return true;
		}
	}
	return false;
}

static bool has_pod(const struct work *w, const char *ns, const struct addr *a)
{
	const struct cluster_state *s = w->x->state;
	bool is = false;
	for (unsigned i = 0; i < s->n[THING_POD]; i++) {
		const struct thing *p = s->things[THING_POD][i];
		for (unsigned k = 0; k < p->naddrs; k++)
			is |= p->runs && strcmp(p->ns, ns) == 0 && addr_eq(&p->addrs[k], a);
	}
	return is;
}

static void pod(struct work *w)
{
	struct addr a;
	enum expect_pods mode = w->x->terms->pods;
	if (w->n == 1)
		return;
	const char *ns = w->labels[w->n - 2];
	if (mode == EXPECT_DISABLED || !has_space(w, ns))
		absent(w);
	else if (w->n == 2)
		return;
	else if (w->n > 3 || !label_address(w->labels[0], &a) || (mode == EXPECT_VERIFIED && !has_pod(w, ns, &a)))
		absent(w);
	else
		say_address(w, w->name, &a, false);
}

/* ---- addresses to names ---- */

static bool reverse_address(const char *name, struct addr *ret)
{
	unsigned byte[4], n = 0;
	char digits[33], more;
	int end = 0;
	if (sscanf(name, "%3u.%3u.%3u.%3u.in-addr.arp%c%n", &byte[3], &byte[2], &byte[1], &byte[0], &more, &end) == 5 &&
	    name[end] == 0) {
		*ret = (struct addr){ .family = ADDR_4 };
		for (unsigned i = 0; i < 4; i++)
			ret->ip[i] = (uint8_t)byte[i];
		return true;
	}
	for (; n < 32 && name[2 * n] != 0 && name[2 * n + 1] == '.'; n++)
		digits[31 - n] = name[2 * n];
	digits[32] = 0;
	if (n != 32 || strcmp(name + 64, "ip6.arpa") != 0)
		return false;
	*ret = (struct addr){ .family = ADDR_6 };
	for (unsigned i = 0; i < 16; i++) {
		unsigned v;
		if (sscanf(digits + 2 * i, "%2x", &v) != 1)
			return false;
		ret->ip[i] = (uint8_t)v;
	}
	return true;
}

static void pointer(struct work *w, const char *target, bool may)
{
	char data[EXPECT_NAME];
	struct buf b = buf_on(data, sizeof(data));
	buf_printf(&b, "%s.", target);
	say(w, w->name, RR_PTR, buf_cstr(&b), may);
}

/* Two may have had it, one behind the other, while the list that says who is gone is not whole. */
static bool points_to_service(struct work *w, const struct addr *a)
{
	const struct cluster_state *s = w->x->state;
	char target[EXPECT_NAME];
	for (unsigned i = 0; i < s->n[THING_SERVICE]; i++) {
		const struct thing *of = s->things[THING_SERVICE][i];
		for (unsigned k = 0; k < of->naddrs; k++) {
			if (!addr_eq(&of->addrs[k], a) || !is_kept(w->x->terms, of->ns))
				continue;
			service_name(of, NULL, w->x->terms->zones[0], target, sizeof(target));
			pointer(w, target, true);
			w->e->one = true;
		}
	}
	return w->e->one;
}

/* One for each endpoint; those of services that are not there, or of namespaces that are not shown, may be told. */
static void points_to_endpoints(struct work *w, const struct addr *a)
{
	static struct spot spots[SPOTS_MAX];
	const struct cluster_state *s = w->x->state;
	char target[EXPECT_NAME];
	for (unsigned i = 0; i < s->n[THING_SLICE]; i++) {
		const struct thing *slice = s->things[THING_SLICE][i];
		unsigned n = add_spots(w, slice, spots, 0);
		for (unsigned k = 0; k < n; k++) {
			if (!addr_eq(&spots[k].addr, a) || slice->service[0] == 0 || !is_kept(w->x->terms, slice->ns))
				continue;
			struct thing of = { .kind = THING_SERVICE };
			memcpy(of.ns, slice->ns, sizeof(of.ns));
			memcpy(of.name, slice->service, sizeof(of.name));
			service_name(&of, spots[k].label, w->x->terms->zones[0], target, sizeof(target));
			pointer(w, target, !has_space(w, slice->ns) || find_service(w, of.ns, of.name) == NULL);
		}
	}
}

static void reverse(struct work *w)
{
	struct addr a;
	bool must = false;
	if (w->type != RR_PTR || !reverse_address(w->name, &a)) {
		absent(w);
		return;
	}
	if (points_to_service(w, &a))
		return;
	points_to_endpoints(w, &a);
	for (unsigned i = 0; i < w->e->n; i++)
		must |= !w->e->records[i].may;
	if (w->e->n == 0)
		absent(w);
	w->e->maybe = !must;
}

/* ---- all of it ---- */

/* The labels before the zone. false: there are too many. */
static bool split(struct work *w)
{
	const char *at = w->name, *end = w->name + strlen(w->name) - strlen(w->zone);
	for (w->n = 0; at < end; at++) {
		struct buf b = buf_on(w->labels[w->n], THING_LABEL);
		if (++w->n == SPLIT_MAX)
			return false;
		for (; *at != '.'; at++)
			buf_u8(&b, (uint8_t)*at);
		(void)buf_cstr(&b);
	}
	return true;
}

static void answer(struct work *w)
{
	w->e->rcode = RCODE_NOERROR;
	if (strcmp(w->name, w->zone) == 0)
		return;
	if (is_reverse(w->zone)) {
		reverse(w);
	} else if (!split(w)) {
		absent(w);
	} else if (strcmp(w->labels[w->n - 1], "svc") == 0) {
		svc(w);
	} else if (strcmp(w->labels[w->n - 1], "pod") == 0) {
		pod(w);
	} else if (strcmp(w->labels[w->n - 1], "dns-version") == 0 && w->n == 1) {
		if (w->type == RR_TXT)
			say(w, w->name, RR_TXT, "\"1.1.0\"", false);
	} else if (strcmp(w->labels[w->n - 1], "dns") == 0 && (w->n == 1 || strcmp(w->labels[0], "ns") == 0)) {
		if (w->n > 2)
			absent(w);
	} else {
		absent(w);
	}
}

void expect_answer(const struct expecting *x, const char *name, uint16_t type, struct expected *ret)
{
	ret->n = ret->nbeside = 0;
	ret->passes = ret->maybe = ret->one = false;
	ret->zone = zone_of(x->terms, name);
	struct work w = { .x = x, .e = ret, .name = name, .zone = ret->zone, .type = type };
	if (ret->zone != NULL)
		answer(&w);
	else
		ret->passes = true;
}

/* ---- judging ---- */

static void record_text(const struct rr *rr, struct expect_record *ret)
{
	struct buf owner = buf_on(ret->owner, sizeof(ret->owner)), data = buf_on(ret->data, sizeof(ret->data));
	ret->type = rr->type;
	name_text(rr->owner, &owner);
	if (rdata_text(rr->type, rr->rdata, &data) != OK)
		buf_text(&data, "unreadable");
	lower(buf_cstr(&owner));
	lower(buf_cstr(&data));
}

static bool holds(const struct expect_record *list, unsigned n, const struct expect_record *r)
{
	for (unsigned i = 0; i < n; i++)
		if (list[i].type == r->type && strcmp(list[i].owner, r->owner) == 0 &&
		    strcmp(list[i].data, r->data) == 0)
			return true;
	return false;
}

static struct expect_record got[EXPECT_RECORDS_MAX];

static const char *judge_records(const struct expect_record *list, unsigned n, unsigned ngot, bool cut)
{
	for (unsigned i = 0; i < ngot; i++) {
		if (!holds(list, n, &got[i]))
			return "a record that is not so";
		if (holds(got, i, &got[i]))
			return "a record twice";
	}
	for (unsigned i = 0; i < n && !cut; i++)
		if (!list[i].may && !holds(got, ngot, &list[i]))
			return "a record is missing";
	return NULL;
}

static const char *judge_section(const struct expect_terms *terms, const struct expected *e, const struct msg *m,
                                 enum section section)
{
	unsigned ngot = 0;
	bool answers = section == SEC_ANSWER;
	for (size_t i = 0; i < m->nrrs; i++) {
		const struct rr *rr = &m->rrs[i];
		if (rr->section != section)
			continue;
		if (ngot == EXPECT_RECORDS_MAX)
			return "more records than there can be";
		record_text(rr, &got[ngot]);
		bool world = strstr(got[ngot++].owner, "partner.example") != NULL;
		if (!world && rr->ttl != (rr->type == RR_TXT ? VERSION_TTL : terms->ttl))
			return "a TTL that nobody set";
	}
	/* What is beside an answer is left out where it does not fit (RFC2181 9). */
	bool cut = (m->flags & FLAG_TC) != 0 || (!answers && e->small);
	return answers ? judge_records(e->records, e->n, ngot, cut) : judge_records(e->beside, e->nbeside, ngot, cut);
}

/* A denial has the zone's SOA, with its own bound on TTL. */
static const char *judge_soa(const struct expect_terms *terms, const struct expected *e, const struct msg *m,
                             uint32_t *ret_serial)
{
	char owner[EXPECT_NAME];
	struct buf b = buf_on(owner, sizeof(owner));
	size_t n;
	const struct rr *soa = msg_section(m, SEC_AUTHORITY, &n);
	if (n != 1 || soa->type != RR_SOA || soa->rdata.n < 20)
		return "a denial without its SOA";
	name_text(soa->owner, &b);
	lower(buf_cstr(&b));
	if (strncmp(owner, e->zone, strlen(e->zone)) != 0 || strlen(owner) != strlen(e->zone) + 1)
		return "the SOA of another zone";
	if (soa->ttl != MIN(terms->ttl, DENIAL_TTL_MAX))
		return "a denial's TTL that nobody set";
	*ret_serial = get_u32(soa->rdata.p + soa->rdata.n - 20);
	return NULL;
}

const char *expect_judge(const struct expect_terms *terms, const struct expected *e, const struct msg *m,
                         uint32_t *ret_serial)
{
	size_t answers;
	(void)msg_section(m, SEC_ANSWER, &answers);
	if (e->passes)
		return answers > 0 ? "an answer to what is not there" : NULL;
	if (e->one && answers != 1)
		return "not one name of an address";
	if (e->maybe && answers == 0)
		return m->rcode == RCODE_NOERROR ? "nothing, and no denial" : NULL;
	if (m->rcode != e->rcode)
		return m->rcode == RCODE_NXDOMAIN ? "a name that is there is denied"
			: m->rcode == RCODE_SERVFAIL ? "a failure although all is known"
			: e->rcode == RCODE_SERVFAIL ? "a name is denied before all is known"
			: "a name that is not there";
	if (!(m->flags & FLAG_AA))
		return "an answer without AA";
	if (m->rcode != RCODE_NOERROR || (answers == 0 && !(m->flags & FLAG_TC))) {
		const char *wrong = judge_soa(terms, e, m, ret_serial);
		if (wrong != NULL)
			return wrong;
	}
	const char *wrong = judge_section(terms, e, m, SEC_ANSWER);
	return wrong != NULL ? wrong : judge_section(terms, e, m, SEC_ADDITIONAL);
}

static void print_records(const char *what, const struct expect_record *list, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		printf("    %s %s %u %s%s\n", what, list[i].owner, list[i].type, list[i].data,
		       list[i].may ? " (may be)" : "");
}

void expect_print(const struct expected *e)
{
	printf("    expected: rcode %u%s%s\n", e->rcode, e->passes ? ", or another plugin's nothing" : "",
	       e->maybe ? ", or nothing" : "");
	print_records("expected", e->records, e->n);
	print_records("beside", e->beside, e->nbeside);
}
