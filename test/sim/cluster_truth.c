#include "sim/cluster_truth.h"

#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "base/buf.h"

#define LONG_LABEL "a23456789-b23456789-c23456789-d23456789-e23456789-f23456789-g23"   /* 63 bytes */

const char *const thing_protocols[3] = { "TCP", "UDP", "SCTP" };

/* Called as parts of names are, as public suffixes, as long as may be. */
static const char *const spaces[] = { "default", "shop", "data", "com", "svc", "pod", "kube-system", "co", "dns",
	LONG_LABEL, "x-1", "quiet" };
static const char *const services[] = { "web", "db", "svc", "pod", "com", "kubernetes", "dns", "a", LONG_LABEL,
	"dns-version", "ns", "x-1", "cart", "ring" };

static unsigned below(struct cluster_truth *t, unsigned n)
{
	return rng_below(t->rng, n);
}

/* ---- states ---- */

static unsigned place(const struct cluster_state *s, enum thing_kind kind, const char *ns, const char *name)
{
	unsigned i = 0;
	while (i < s->n[kind] &&
	       (strcmp(s->things[kind][i]->name, name) != 0 || strcmp(s->things[kind][i]->ns, ns) != 0))
		i++;
	return i;
}

const struct thing *state_find(const struct cluster_state *s, enum thing_kind kind, const char *ns, const char *name)
{
	unsigned i = place(s, kind, ns, name);
	return i < s->n[kind] ? s->things[kind][i] : NULL;
}

void state_put(struct cluster_state *s, const struct thing *t)
{
	unsigned i = place(s, t->kind, t->ns, t->name);
	ASSERT(i < THINGS_MAX);
	s->things[t->kind][i] = t;
	s->n[t->kind] = MAX(s->n[t->kind], i + 1);
}

void state_remove(struct cluster_state *s, const struct thing *t)
{
	unsigned i = place(s, t->kind, t->ns, t->name);
	if (i < s->n[t->kind])
		s->things[t->kind][i] = s->things[t->kind][--s->n[t->kind]];
}

void truth_at(const struct cluster_truth *t, uint64_t version, struct cluster_state *ret)
{
	memset(ret->n, 0, sizeof(ret->n));
	for (unsigned i = 0; i < t->nchanges && t->changes[i].version <= version; i++) {
		if (t->changes[i].after != NULL)
			state_put(ret, t->changes[i].after);
		else
			state_remove(ret, t->changes[i].before);
	}
}

/* ---- the story ---- */

static void tell(struct cluster_truth *t, const struct thing *before, const struct thing *after)
{
	if (t->nchanges == CHANGES_MAX)
		return;
	t->changes[t->nchanges++] = (struct cluster_change){ t->version, before != NULL ? before->kind : after->kind,
		                                             before, after };
	if (after != NULL)
		state_put(&t->now, after);
	else
		state_remove(&t->now, before);
}

static void put(struct cluster_truth *t, struct thing *thing)
{
	const struct thing *was = state_find(&t->now, thing->kind, thing->ns, thing->name);
	if (was == NULL && t->now.n[thing->kind] == THINGS_MAX)
		return;
	thing->version = ++t->version;
	struct thing *copy = ARENA_NEW(t->arena, struct thing);
	ASSERT(copy != NULL);
	*copy = *thing;
	tell(t, was, copy);
}

static void drop(struct cluster_truth *t, const struct thing *thing)
{
	++t->version;
	tell(t, thing, NULL);
}

static const struct thing *any(struct cluster_truth *t, enum thing_kind kind)
{
	return t->now.n[kind] == 0 ? NULL : t->now.things[kind][below(t, t->now.n[kind])];
}

static void copy_text(char *to, size_t size, const char *text)
{
	struct buf b = buf_on(to, size);
	buf_text(&b, text);
	(void)buf_cstr(&b);
}

/* ---- what things are made of ---- */

static struct addr cluster_ip(struct cluster_truth *t, unsigned family)
{
	struct addr a = { .family = (uint8_t)family, .ip = { 10, 96, 0, 0 } };
	if (family == ADDR_6)
		memcpy(a.ip, (uint8_t[]){ 0xfd, 0, 0, 0x10, 0, 0x96 }, 6);
	a.ip[addr_len(&a) - 2] = (uint8_t)below(t, 4);
	a.ip[addr_len(&a) - 1] = (uint8_t)(1 + below(t, 250));
	return a;
}

/* Few, so that many share one; some end in zeros. */
static struct addr pod_ip(struct cluster_truth *t, unsigned family)
{
	struct addr a = { .family = (uint8_t)family, .ip = { 10, 244, 0, 0 } };
	if (family == ADDR_6)
		memcpy(a.ip, (uint8_t[]){ 0xfd, 0, 0, 0x10, 2, 0x44 }, 6);
	a.ip[addr_len(&a) / 2] = (uint8_t)below(t, 3);
	a.ip[addr_len(&a) - 1] = (uint8_t)below(t, 40);
	return a;
}

static bool is_taken(const struct cluster_truth *t, const struct addr *a)
{
	for (unsigned i = 0; i < t->now.n[THING_SERVICE]; i++) {
		const struct thing *s = t->now.things[THING_SERVICE][i];
		for (unsigned k = 0; k < s->naddrs; k++)
			if (addr_eq(&s->addrs[k], a))
				return true;
	}
	return false;
}

static void make_ports(struct cluster_truth *t, struct thing *to)
{
	static const char *const names[] = { "http", "https", "dns", "dns-tcp", "pg" };
	to->nports = below(t, 8) == 0 ? 0 : 1 + below(t, THING_PORTS_MAX);
	for (unsigned i = 0; i < to->nports; i++) {
		struct thing_port *p = &to->ports[i];
		p->number = (uint16_t)(53 + below(t, 3) * 27);
		p->protocol = (uint8_t)below(t, 3);
		p->name[0] = 0;
		/* Several have names, all of them other ones; a single one needs none. */
		if (to->nports > 1 || below(t, 3) != 0)
			copy_text(p->name, sizeof(p->name), names[(i + t->version) % COUNT(names)]);
	}
}

static void make_target(struct cluster_truth *t, struct thing *to)
{
	static const char *const world[] = { "api.partner.example", "Two.Partner.example", "gone.partner.example",
		                             "192.0.2.55", "short" };
	const struct thing *s = any(t, THING_SERVICE);
	struct buf b = buf_on(to->target, sizeof(to->target));
	if (s == NULL || below(t, 2) == 0)
		buf_text(&b, world[below(t, COUNT(world))]);
	else
		buf_printf(&b, "%s.%s.svc.cluster.local", s->name, s->ns);
	(void)buf_cstr(&b);
}

static void make_service(struct cluster_truth *t, struct thing *to)
{
	unsigned dice = below(t, 10);
	to->type = dice < 5 ? THING_CLUSTER_IP : dice < 8 ? THING_HEADLESS : THING_ALIAS;
	to->labelled = below(t, 3) != 0;
	to->naddrs = 0;
	to->target[0] = 0;
	make_ports(t, to);
	if (to->type == THING_ALIAS)
		make_target(t, to);
	unsigned first = below(t, 3) == 0 ? ADDR_6 : ADDR_4, families = 1 + (below(t, 3) == 0);
	for (unsigned i = 0; to->type == THING_CLUSTER_IP && i < families; i++) {
		do
			to->addrs[i] = cluster_ip(t, i == 0 ? first : first ^ ADDR_4 ^ ADDR_6);
		while (is_taken(t, &to->addrs[i]));
		to->naddrs = i + 1;
	}
}

static void make_endpoint(struct cluster_truth *t, const struct thing *slice, struct thing_endpoint *e)
{
	static const char *const hosts[] = { "db-0", "db-1", "twin", "10-244-0-7", LONG_LABEL };
	static const char *const pods[] = { "ring-aaa", "ring.bbb", LONG_LABEL "-and-more", "db-0", "web-1" };
	memset(e, 0, sizeof(*e));
	e->naddrs = below(t, 6) == 0 ? 2 : 1;
	for (unsigned i = 0; i < e->naddrs; i++)
		e->addrs[i] = pod_ip(t, slice->family == ADDR_6 ? ADDR_6 : ADDR_4);
	if (below(t, 3) == 0)
		copy_text(e->hostname, sizeof(e->hostname), hosts[below(t, COUNT(hosts))]);
	if (below(t, 2) == 0)
		copy_text(e->pod, sizeof(e->pod), pods[below(t, COUNT(pods))]);
	unsigned dice = below(t, 6);
	e->ready = dice == 0 ? READY_NO : dice == 1 ? READY_UNSAID : READY_YES;
	e->serving = below(t, 2);
	e->terminating = below(t, 4) == 0;
}

static void make_slice(struct cluster_truth *t, struct thing *to)
{
	const struct thing *s = any(t, THING_SERVICE);
	if (s == NULL || below(t, 12) == 0) {
		copy_text(to->service, sizeof(to->service), below(t, 2) == 0 ? "" : "nobody");
	} else {
		copy_text(to->service, sizeof(to->service), s->name);
		copy_text(to->ns, sizeof(to->ns), s->ns);
	}
	unsigned dice = below(t, 16);
	to->family = dice == 0 ? ADDR_NONE : dice < 5 ? ADDR_6 : ADDR_4;
	to->labelled = below(t, 3) != 0;
	make_ports(t, to);
	to->nendpoints = below(t, THING_ENDPOINTS_MAX + 1);
	for (unsigned i = 0; i < to->nendpoints; i++)
		make_endpoint(t, to, &to->endpoints[i]);
}

static void make_pod(struct cluster_truth *t, struct thing *to)
{
	to->naddrs = below(t, 8) == 0 ? 0 : 1 + (below(t, 4) == 0);
	for (unsigned i = 0; i < to->naddrs; i++)
		to->addrs[i] = pod_ip(t, i == 0 ? ADDR_4 : ADDR_6);
	to->runs = below(t, 5) != 0;
}

/* ---- coming, changing, going ---- */

static void come(struct cluster_truth *t, enum thing_kind kind)
{
	struct thing new = { .kind = kind };
	const struct thing *ns = any(t, THING_NAMESPACE);
	struct buf b = buf_on(new.name, sizeof(new.name));
	const char *space = ns == NULL || below(t, 20) == 0 ? spaces[below(t, COUNT(spaces))] : ns->name;
	if (kind != THING_NAMESPACE)
		copy_text(new.ns, sizeof(new.ns), space);
	if (kind == THING_NAMESPACE) {
		buf_text(&b, spaces[below(t, COUNT(spaces))]);
		new.labelled = below(t, 3) != 0;
	} else if (kind == THING_SERVICE) {
		buf_text(&b, services[below(t, COUNT(services))]);
		if (below(t, 3) == 0 && b.n < 20)
			buf_printf(&b, "-%u", below(t, 300));
		make_service(t, &new);
	} else if (kind == THING_SLICE) {
		make_slice(t, &new);
		buf_printf(&b, "slice.%u", below(t, 3 * THINGS_MAX));
	} else {
		make_pod(t, &new);
		buf_printf(&b, "pod-%u", below(t, 3 * THINGS_MAX));
	}
	(void)buf_cstr(&b);
	if (state_find(&t->now, kind, new.ns, new.name) == NULL)
		put(t, &new);
}

static void change_slice(struct cluster_truth *t, struct thing *s)
{
	unsigned dice = below(t, 5), at = s->nendpoints == 0 ? 0 : below(t, s->nendpoints);
	const struct thing *service = any(t, THING_SERVICE);
	if (dice == 0 && s->nendpoints > 0)
		s->endpoints[at] = s->endpoints[--s->nendpoints];
	else if (dice == 1 && s->nendpoints < THING_ENDPOINTS_MAX)
		make_endpoint(t, s, &s->endpoints[s->nendpoints++]);
	else if (dice == 2 && s->nendpoints > 0)
		s->endpoints[at].ready = (enum thing_ready)below(t, 3);
	else if (dice == 3 && service != NULL && strcmp(service->ns, s->ns) == 0)
		copy_text(s->service, sizeof(s->service), service->name);
	else
		make_ports(t, s);
}

static void change(struct cluster_truth *t, enum thing_kind kind)
{
	const struct thing *was = any(t, kind);
	if (was == NULL)
		return;
	struct thing now = *was;
	bool label = below(t, 4) == 0;
	now.labelled ^= label;
	if (kind == THING_SERVICE && !label)
		make_service(t, &now);
	else if (kind == THING_SLICE && !label)
		change_slice(t, &now);
	else if (kind == THING_POD)
		make_pod(t, &now);
	put(t, &now);
}

/* The same under another name: it goes, and comes. */
static void rename_it(struct cluster_truth *t, enum thing_kind kind)
{
	const struct thing *was = any(t, kind);
	if (was == NULL || kind == THING_NAMESPACE)
		return;
	struct thing now = *was;
	struct buf b = buf_on(now.name, sizeof(now.name));
	buf_printf(&b, "other-%u", below(t, 3 * THINGS_MAX));
	(void)buf_cstr(&b);
	drop(t, was);
	if (state_find(&t->now, kind, now.ns, now.name) == NULL)
		put(t, &now);
}

static enum thing_kind random_kind(struct cluster_truth *t)
{
	unsigned dice = below(t, 20);
	return dice == 0 ? THING_NAMESPACE : dice < 7 ? THING_SERVICE : dice < 15 ? THING_SLICE : THING_POD;
}

void truth_change(struct cluster_truth *t)
{
	enum thing_kind kind = random_kind(t);
	unsigned dice = below(t, 8);
	if (dice < 2)
		come(t, kind);
	else if (dice < 5)
		change(t, kind);
	else if (dice == 5)
		rename_it(t, kind);
	else if (any(t, kind) != NULL)
		drop(t, any(t, kind));
}

void truth_make(struct cluster_truth *t, struct arena *a, struct rng *rng, unsigned things)
{
	t->arena = a;
	t->rng = rng;
	t->version = 1000 + below(t, 1000000);
	t->nchanges = 0;
	memset(t->now.n, 0, sizeof(t->now.n));
	for (unsigned i = 0; i < 2 + things / 8; i++)
		come(t, THING_NAMESPACE);
	for (unsigned i = 0; i < things; i++)
		come(t, i < things / 3 ? THING_SERVICE : random_kind(t));
}

void truth_wipe(struct cluster_truth *t)
{
	for (unsigned kind = 0; kind < THING_KINDS; kind++)
		while (t->now.n[kind] > 0 && t->nchanges < CHANGES_MAX)
			drop(t, t->now.things[kind][0]);
}

/* ---- to be read ---- */

static void print_addrs(const struct addr *list, unsigned n)
{
	char text[64];
	for (unsigned i = 0; i < n; i++) {
		struct buf b = buf_on(text, sizeof(text));
		addr_text(&list[i], &b);
		printf(" %s", buf_cstr(&b));
	}
}

static void print_thing(const struct thing *s)
{
	static const char *const kinds[] = { "namespace", "service", "slice", "pod" };
	static const char *const types[] = { "ClusterIP", "headless", "ExternalName" };
	static const char *const ready[] = { "", " ready", " not-ready" };
	printf("%s %s/%s%s", kinds[s->kind], s->ns, s->name, s->labelled ? " app=web" : "");
	if (s->kind == THING_SERVICE)
		printf(" %s %s", types[s->type], s->target);
	if (s->kind == THING_SLICE)
		printf(" of \"%s\" family %u", s->service, s->family);
	if (s->kind == THING_POD)
		printf(" %s", s->runs ? "runs" : "is over");
	print_addrs(s->addrs, s->naddrs);
	for (unsigned i = 0; i < s->nports; i++)
		printf(" %s:%u/%s", s->ports[i].name, s->ports[i].number, thing_protocols[s->ports[i].protocol]);
	for (unsigned i = 0; i < s->nendpoints; i++) {
		printf("\n      ");
		print_addrs(s->endpoints[i].addrs, s->endpoints[i].naddrs);
		printf(" host \"%s\" pod \"%s\"%s", s->endpoints[i].hostname, s->endpoints[i].pod,
		       ready[s->endpoints[i].ready]);
	}
	printf("\n");
}

void truth_print(const struct cluster_truth *t)
{
	for (unsigned i = 0; i < t->nchanges; i++) {
		const struct cluster_change *c = &t->changes[i];
		printf("%llu %s ", (unsigned long long)c->version,
		       c->before == NULL ? "came" : c->after == NULL ? "went" : "changed");
		print_thing(c->after != NULL ? c->after : c->before);
	}
}
