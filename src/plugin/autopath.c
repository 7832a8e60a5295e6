/* autopath: a client's search list, walked here. A pod's resolver asks for www.example.com.NS.svc.cluster.local before
 * it asks for www.example.com, and for more in between; here the first question is answered as the last would be, with
 * an alias in front that says so. The name tried is the question while it is tried, so access lists behind see it.
 * No name is made below namespaces that are called like a public suffix (CVE-2022-2837).
 * Whose pod asks is known where pods are watched. Elsewhere endpoints are known, and the name that one asks for says
 * which of its namespaces it means, as a search list's first domain is that of the pod's own namespace; but a name may
 * stand there for itself, so only such are taken that no service can mean: see list_of_question. */
#include <stdatomic.h>

#include "base/heap.h"
#include "core/sample.h"
#include "plugin/arguments.h"
#include "plugin/kubernetes.h"
#include "plugin/lines.h"

#define SEARCH_MAX 6u            /* domains of a file, as many as resolvers take */
#define TRIES_MAX (SEARCH_MAX + 4u)
#define HOST_FILE "/etc/resolv.conf"
#define NO_LINK CHAIN_MAX

_Static_assert(AGAIN_MAX >= 8, "names that may be tried");

struct autopath {
	struct zone_list zones;
	const char *file;            /* resolv.conf: the list, or what comes behind the cluster's */
	bool of_cluster;
	struct name search[SEARCH_MAX];
	unsigned nsearch;
	unsigned kubernetes;         /* its link; NO_LINK: there is none */
	bool verified;               /* it watches all pods */
	const struct directive *said;
	const struct name *zone;     /* the cluster's */
};

struct live {
	_Atomic uint64_t found;
};

struct trail {
	struct question asked;
	struct name tries[TRIES_MAX];
	unsigned n, at;
	const struct packed *first;  /* what was said to the question itself */
};

/* ---- what is tried ---- */

/* The list's domains; the first is that in which a client's names begin. */
struct list {
	struct name names[TRIES_MAX];
	unsigned n;
	uint8_t store[3][NAME_MAX_BYTES];
};

struct asker {
	const struct chain *chain;
	const struct engine *engine;
	const struct addr *from;
	const struct question *q;    /* as it came here */
};

static void list_add(struct list *l, struct name n)
{
	if (l->n < TRIES_MAX && n.len > 0)
		l->names[l->n++] = n;
}

/* NS.svc.ZONE, svc.ZONE, ZONE. */
static bool list_of_cluster(const struct autopath *s, struct span ns, struct list *l)
{
	uint8_t labels[LABEL_MAX + 6];
	struct buf b = buf_on(labels, sizeof(labels));
	struct name name;
	buf_u8(&b, (uint8_t)ns.n);
	buf_span_put(&b, ns);
	buf_put(&b, "\3svc", 4);
	struct name first = { labels, (uint8_t)b.n, 2 }, svc = { (const uint8_t *)"\3svc", 4, 1 };
	if (name_join(first, 2, *s->zone, l->store[0], &name) != OK)
		return false;
	list_add(l, name);
	if (name_join(svc, 1, *s->zone, l->store[1], &name) == OK)
		list_add(l, name);
	list_add(l, *s->zone);
	return true;
}

/* That of the pod that asks. false: nobody knows whose pod it is. */
static bool list_of_pod(const struct autopath *s, const struct cluster_view *v, const struct addr *from,
                        struct list *l)
{
	struct span ns;
	uint32_t id;
	bool shown;
	return cluster_view_pod_namespace(v, from, &id) && cluster_view_number(v, id, &ns, &shown) &&
	       list_of_cluster(s, ns, l);
}

/* Is the address that of an endpoint in the namespace? */
static bool is_endpoint(const struct cluster_view *v, const struct addr *from, uint32_t ns)
{
	struct cluster_slices all = cluster_view_at(v, from);
	struct cluster_slice slice;
	while (cluster_view_next(v, &all, &slice))   /* at most the slices of a block of 256 addresses */
		if (!slice.import && slice.ns == ns)
			return true;
	return false;
}

static struct span label_of(struct name n, unsigned up)
{
	struct name at = name_up(n, up);
	return span_of(at.wire + 1, at.wire[0]);
}

/* That of NS, when the name is BASE.NS.svc.ZONE and cannot mean BASE in the namespace NS:
 * - NS is there, and is called like no public suffix: else it would be the next name of a list,
 *   www.example.COM.svc.ZONE, and BASE another name of the world
 * - BASE has several labels, and the last is no service of NS: else it is the service, or an endpoint or port of it
 * - the client is an endpoint there: anybody else may mean just the name that it asks for, one of another namespace, or
 *   of a service that is gone, which must not become a name of the world */
static bool list_of_question(const struct autopath *s, const struct cluster_view *v, const struct asker *who,
                             struct list *l)
{
	uint8_t folded[NAME_MAX_BYTES];
	struct name asked = who->q->name;
	struct cluster_service service;
	uint32_t id;
	if (asked.labels < s->zone->labels + 4u || !name_below(asked, *s->zone))
		return false;
	unsigned base = asked.labels - s->zone->labels - 2u;
	asked = name_fold(asked, folded);
	struct span ns = label_of(asked, base);
	if (!span_is(label_of(asked, base + 1), "svc") || !cluster_view_namespace(v, ns, &id) || kubernetes_is_odd(ns))
		return false;
	return !cluster_view_service(v, ROW_SERVICE, id, label_of(asked, base - 1), &service) &&
	       is_endpoint(v, who->from, id) && list_of_cluster(s, ns, l);
}

static bool list_make(const struct autopath *s, const struct asker *who, struct list *l)
{
	l->n = 0;
	if (s->of_cluster && s->kubernetes == NO_LINK)
		return false;
	if (s->of_cluster) {
		const struct kubernetes_live *live = who->chain->links[s->kubernetes].live;
		struct cluster_view v = cluster_view_open(live->cluster, who->engine->worker);
		bool known = s->verified ? list_of_pod(s, &v, who->from, l) : list_of_question(s, &v, who, l);
		cluster_view_close(&v);
		if (!known)
			return false;
	}
	for (unsigned i = 0; i < s->nsearch; i++)
		list_add(l, s->search[i]);
	return l->n > 0;
}

/* Is it of a namespace that means something else in the world? A domain of the list that begins with svc has namespaces
 * in front, whoever serves it. */
static bool is_caught(struct name n, struct name domain)
{
	uint8_t folded[NAME_MAX_BYTES];
	if (domain.labels == 0 || n.labels <= domain.labels)
		return false;
	n = name_fold(n, folded);
	struct name svc = name_up(n, n.labels - domain.labels), ns = name_up(n, n.labels - domain.labels - 1u);
	return svc.wire[0] == 3 && memcmp(svc.wire + 1, "svc", 3) == 0 &&
	       kubernetes_is_odd(span_of(ns.wire + 1, ns.wire[0]));
}

/* Does the question stand in the list's first domain? */
static bool concerns(const struct autopath *s, const struct question *q, const struct list *l)
{
	return zones_find(&s->zones, q->name) != NULL && q->name.labels > l->names[0].labels &&
	       name_below(q->name, l->names[0]);
}

/* The question's own name, its base in the other domains, its base alone. */
static enum err trail_make(const struct autopath *s, struct query *q, const struct list *l, struct trail *t)
{
	unsigned base = q->question.name.labels - l->names[0].labels;
	t->asked = q->question;
	t->tries[t->n++] = q->question.name;
	for (unsigned i = 1; i <= l->n && t->n <= AGAIN_MAX && t->n < TRIES_MAX; i++) {
		uint8_t store[NAME_MAX_BYTES];
		struct name name, domain = i < l->n ? l->names[i] : name_root;
		if (name_join(q->question.name, base, domain, store, &name) != OK || is_caught(name, domain))
			continue;
		t->tries[t->n] = name_dup(&q->arena, name);
		if (t->tries[t->n++].wire == NULL)
			return ERR_LIMIT;
	}
	return OK;
}

static enum verdict request(const struct link *l, struct query *q)
{
	const struct autopath *s = l->self;
	struct trail *t = q->state[q->place];
	struct list list;
	if (t != NULL || q->client == NULL || q->question.class != CLASS_IN)
		return PASS;
	struct asker who = { q->chain, q->engine, &q->client->from, &q->question };
	if (!list_make(s, &who, &list) || !concerns(s, &q->question, &list))
		return PASS;
	t = query_state(q, sizeof(*t));
	return t == NULL || trail_make(s, q, &list, t) != OK ? query_fail_err(q, ERR_LIMIT) : PASS;
}

static enum verdict fast(const struct link *l, struct fast *f)
{
	const struct autopath *s = l->self;
	const struct question *q = &f->client->question;
	struct asker who = { f->chain, f->engine, &f->client->from, q };
	struct list list;
	if (q->class != CLASS_IN || zones_find(&s->zones, q->name) == NULL || !list_make(s, &who, &list))
		return PASS;
	return concerns(s, q, &list) ? SLOW : PASS;
}

/* ---- what was said ---- */

/* The alias from the name asked for to the one that was found, and its answer. */
static enum err answer_found(struct query *q, const struct trail *t, const struct packed *p)
{
	struct question found = { t->tries[t->at], t->asked.type, t->asked.class };
	struct pack_conf conf = pack_as_is;
	struct msg m;
	TRY(packed_parse(&q->arena, p, &found, &m));
	struct rr *rrs = ARENA_ARRAY(&q->arena, struct rr, m.nrrs + 1);
	if (rrs == NULL)
		return ERR_LIMIT;
	uint32_t ttl = p->ttl;
	rrs[0] = (struct rr){ .owner = t->asked.name, .type = RR_CNAME, .class = CLASS_IN, .ttl = ttl,
		              .rdata = { found.name.wire, found.name.len }, .section = SEC_ANSWER };
	if (m.nrrs > 0)
		memcpy(rrs + 1, m.rrs, sizeof(*rrs) * m.nrrs);
	m.rrs = rrs;
	m.nrrs++;
	m.question = t->asked;
	conf.origin = (enum origin)p->origin;
	conf.security = SECURITY_UNCHECKED;   /* the alias is ours */
	return packed_make(&q->arena, &t->asked, &m, &conf, &q->answer);
}

static enum err answer_error(struct query *q, const struct trail *t, const struct packed *p)
{
	struct reason why = { -1, NULL };
	return packed_error(&q->arena, &t->asked, p->rcode, why, &q->answer);
}

static enum verdict settle(struct query *q, const struct trail *t, enum err err)
{
	q->question = t->asked;
	return err == OK ? ANSWERED : query_fail_err(q, err);
}

static enum verdict response(const struct link *l, struct query *q)
{
	struct trail *t = q->state[q->place];
	struct live *live = l->live;
	const struct packed *p = q->answer;
	if (t == NULL || p == NULL || t->n == 0)
		return PASS;
	if (t->at == 0)
		t->first = p;
	if (p->rcode != RCODE_NXDOMAIN && t->at == 0)
		return PASS;
	if (p->rcode == RCODE_NOERROR) {
		atomic_fetch_add_explicit(&live->found, 1, memory_order_relaxed);
		return settle(q, t, answer_found(q, t, p));
	}
	if (p->rcode != RCODE_NXDOMAIN)
		return settle(q, t, answer_error(q, t, p));
	if (++t->at < t->n) {
		q->question.name = t->tries[t->at];
		return AGAIN;
	}
	q->answer = t->first;
	return settle(q, t, OK);
}

/* ---- settings ---- */

static void head(void *self, const struct directive *d, struct arena *a, struct diag *diag)
{
	struct autopath *s = self;
	struct directive zones = *d;
	s->kubernetes = NO_LINK;
	s->said = d;
	if (!arguments_at_least(d, 1, diag))
		return;
	const char *last = d->args[d->nargs - 1].text;
	zones.nargs = d->nargs - 1;
	s->zones = zones_read(&zones, 0, a, diag);
	s->of_cluster = last[0] == '@';
	s->file = s->of_cluster ? HOST_FILE : directive_path(d, last, a);
	if (s->of_cluster && strcmp(last, "@kubernetes") != 0)
		diag_error(diag, d->file, d->args[d->nargs - 1].line, d->args[d->nargs - 1].column,
		           "no plugin %s; expected @kubernetes or a resolv.conf", last);
}

static bool file_want(const void *self, unsigned i, struct file_want *ret)
{
	const struct autopath *s = self;
	*ret = (struct file_want){ .path = s->file, .optional = s->of_cluster };
	return i == 0 && s->file != NULL;
}

/* The last "search" line counts (resolv.conf(5)). */
static void file_take(void *self, unsigned i, struct span text, struct arena *a, struct diag *diag)
{
	struct autopath *s = self;
	struct span line;
	(void)i;
	(void)diag;
	while (text.p != NULL && lines_next(&text, &line)) {
		struct span word = lines_word(&line);
		if (!span_is(word, "search") && !span_is(word, "domain"))
			continue;
		s->nsearch = 0;
		for (word = lines_word(&line); word.n > 0 && s->nsearch < SEARCH_MAX; word = lines_word(&line)) {
			uint8_t store[NAME_MAX_BYTES];
			struct name name;
			if (name_from_text(word, NULL, store, &name) == OK && name.labels > 0)
				s->search[s->nsearch++] = name_dup(a, name);
		}
	}
}

static void warn(const struct autopath *s, struct diag *diag, const char *what)
{
	diag_warning(diag, s->said->file, s->said->word.line, s->said->word.column, "autopath @kubernetes: %s", what);
}

/* Whose pods they are is asked of the block's kubernetes. */
static void joined(void *self, struct chain *chain, struct arena *a, struct diag *diag)
{
	struct autopath *s = self;
	bool blind = false;
	(void)a;
	if (!s->of_cluster)
		return;
	for (unsigned i = 0; i < chain->n; i++) {
		const struct kubernetes *k = chain->links[i].self;
		if (chain->links[i].steps != &plugin_kubernetes.steps)
			continue;
		s->zone = k->primary;
		s->kubernetes = i;
		s->verified = k->what.pods == CLUSTER_PODS_VERIFIED;
		blind = k->what.no_endpoints;
	}
	if (s->kubernetes == NO_LINK)
		warn(s, diag, "this block has no kubernetes, so no search list is walked");
	else if (!s->verified && blind)
		warn(s, diag, "kubernetes watches neither pods nor endpoints, so no search list is walked");
	else if (!s->verified)
		warn(s, diag, "kubernetes does not watch pods, so lists are walked for clients that are endpoints of a "
		              "service in the namespace they ask in, and for names of two labels and more; with "
		              "\"pods verified\" for all pods");
}

static void *live_make(const void *self, const struct live_env *env)
{
	(void)self;
	(void)env;
	return heap_new(sizeof(struct live));
}

static void samples(const struct link *l, const struct sample_labels *where, struct samples *to)
{
	static const struct family found = { .name = "coredns_autopath_success_total", .type = SAMPLE_COUNTER,
		                             .help = "Counter of requests that did autopath." };
	struct live *live = l->live;
	sample_add(to, &found, atomic_load(&live->found), where->server, NULL);
}

const struct plugin plugin_autopath = {
	.settings = { .name = "autopath", .doc = "walks the clients' search lists for them",
	              .corefile = { "autopath", DIRECTIVE_ONCE, head }, .size = sizeof(struct autopath) },
	.steps = { .request = request, .response = response, .fast = fast },
	.live_make = live_make, .live_free = heap_free,
	.joined = joined, .file_want = file_want, .file_take = file_take, .samples = samples,
};
