#include "app/generation.h"

#include <sys/socket.h>

#include "base/heap.h"
#include "conf/corefile.h"
#include "io/iface.h"
#include "io/process.h"
#include "plugin/validate.h"

#define LIFE_TEXT_MAX 16384u
#define ARENA_MAX (64u << 20)   /* of one configuration: certificates, and the tables of LISTENS_MAX listens */

/* ---- listeners ---- */

static void listener_close(struct listener *l, unsigned workers)
{
	for (unsigned i = 0; i < workers; i++) {
		if (l->has_udp && l->udp[i].fd >= 0)
			udp_close(&l->udp[i]);
		if (l->has_tcp && l->tcp[i].fd >= 0)
			stream_listener_close(&l->tcp[i]);
	}
}

static struct listen_conf bind_conf(const struct socket_conf *c, const struct listen *what)
{
	/* Addresses may come later than we do: the service starts before the network is up. */
	return (struct listen_conf){ .addr = what->addr, .reuseport = true, .transparent = c->transparent,
		                     .freebind = true, .rcvbuf = (uint32_t)c->rcvbuf,
		                     .sndbuf = (uint32_t)c->sndbuf, .dscp = (uint8_t)c->dscp,
		                     .mss = (uint16_t)c->mss };
}

/* Is the port ours already? An address and every address may both be listened on, and the narrower one gets what is
 * sent to it. */
static bool is_our_port(const struct registry *r, uint16_t port)
{
	const struct listener *l = r->listeners;
	while (l != NULL && l->what.addr.port != port)
		l = l->next;
	return l != NULL;
}

/* alone: nobody else may listen there */
static enum err bind_all(struct listener *l, const struct socket_conf *c, unsigned workers, bool alone,
                         struct buf *why)
{
	struct listen_conf bc = bind_conf(c, &l->what);
	l->has_udp = c->do_udp && l->what.transport == TRANSPORT_DNS;
	l->has_tcp = c->do_tcp;
	for (unsigned i = 0; i < WORKERS_MAX; i++)
		l->udp[i].fd = l->tcp[i].fd = -1;
	if (l->has_udp && alone)
		TRY(listen_alone(&bc, SOCK_DGRAM, why));
	if (l->has_tcp && alone)
		TRY(listen_alone(&bc, SOCK_STREAM, why));
	for (unsigned i = 0; i < workers; i++) {
		if (l->has_udp)
			TRY(udp_listen(&bc, &l->udp[i], why));
		if (l->has_tcp)
			TRY(stream_listen(&bc, &l->tcp[i], why));
	}
	return OK;
}

static struct listener *listener_find(struct registry *r, const struct listen *what)
{
	for (struct listener *l = r->listeners; l != NULL; l = l->next) {
		if (!l->retired && l->what.transport == what->transport && addr_eq(&l->what.addr, &what->addr))
			return l;
	}
	return NULL;
}

/* Sockets that stay get what the new configuration says of them. */
static void listener_tune(const struct listener *l, const struct socket_conf *c, unsigned workers)
{
	struct listen_conf bc = bind_conf(c, &l->what);
	for (unsigned i = 0; i < workers; i++) {
		if (l->has_udp)
			listen_tune(l->udp[i].fd, &bc, SOCK_DGRAM);
		if (l->has_tcp)
			listen_tune(l->tcp[i].fd, &bc, SOCK_STREAM);
	}
}

/* What the configuration says of one address; `road` is where its questions go. */
struct address {
	struct listen what;
	const struct road *road;
};

static enum err listener_take(struct registry *r, struct generation *g, const struct address *at, unsigned workers,
                              struct buf *why)
{
	const struct listen *what = &at->what;
	struct listener *l = listener_find(r, what);
	const struct socket_conf *c = &g->model->listen;
	if (l != NULL && (l->has_udp != (c->do_udp && what->transport == TRANSPORT_DNS) || l->has_tcp != c->do_tcp)) {
		buf_text(why, "do-udp or do-tcp changed for ");
		addr_port_text(&what->addr, why);
		buf_text(why, ", which is in service; that takes a restart");
		return ERR_WORLD;
	}
	if (l == NULL) {
		l = heap_new(sizeof(*l));
		l->what = *what;
		l->nr = ++r->listener_nr;
		enum err err = bind_all(l, c, workers, !is_our_port(r, what->addr.port), why);
		if (err != OK) {
			listener_close(l, workers);
			heap_free(l);
			return err;
		}
		l->next = r->listeners;
		r->listeners = l;
	}
	l->uses++;
	g->roads[g->nlisteners] = at->road;
	g->listeners[g->nlisteners++] = l;
	return OK;
}

/* The counters of its routes, where monitoring wants them; and what its sites' numbers are labelled with. */
static enum err road_count(struct registry *r, struct generation *g, const struct listen *what, unsigned workers,
                           struct road *road)
{
	char text[ADDR_TEXT_MAX + 32], zone[NAME_TEXT_MAX];
	struct buf server = buf_on(text, sizeof(text));
	server_label(what, &server);
	road->tallies = ARENA_ARRAY(&g->arena, struct tally_row *, road->n);
	if (road->tallies == NULL)
		return ERR_LIMIT;
	for (unsigned i = 0; i < road->n; i++) {
		const struct site *site = &g->model->sites[road->routes[i].site];
		struct sample_labels *labels = &g->labels[road->routes[i].site];
		struct buf b = buf_on(zone, sizeof(zone));
		if (labels->server == NULL)
			TRY(site_labels(site, buf_cstr(&server), &g->arena, labels));
		if (!site->counted)
			continue;
		name_text(road->routes[i].zone, &b);
		road->tallies[i] = tallies_take(&r->tallies, workers, buf_cstr(&server), buf_cstr(&b), site->view);
		road->dropped = tallies_take(&r->tallies, workers, buf_cstr(&server), "dropped", "");
		if (what->transport == TRANSPORT_HTTPS)
			road->https = tallies_take(&r->tallies, workers, buf_cstr(&server), NULL, NULL);
	}
	return OK;
}

/* An interface is all the addresses it has now. */
static enum err listeners_take(struct registry *r, struct generation *g, const struct listen *what, unsigned workers,
                               struct buf *why)
{
	const struct socket_conf *c = &g->model->listen;
	struct addr found[LISTENS_MAX];
	unsigned n = 1;
	const struct credentials *tls;
	TRY(credentials_read(what, c, &g->arena, &tls, why));
	if (what->transport == TRANSPORT_TLS && tls == NULL)
		return OK;   /* closed for want of a certificate, as the configuration's warning says */
	struct road *road = ARENA_NEW(&g->arena, struct road);
	if (road == NULL || road_make(what, g->model->sites, &g->arena, road) != OK ||
	    road_count(r, g, what, workers, road) != OK) {
		buf_text(why, "more zones than there is room for");
		return ERR_LIMIT;
	}
	road->tls = tls;
	found[0] = what->addr;
	if (what->name != NULL)
		n = iface_addrs(what->name, what->addr.port, found, LISTENS_MAX);
	if (n == 0) {
		buf_printf(why, "interface %s does not exist or has no address", what->name);
		return ERR_WORLD;
	}
	for (unsigned i = 0; i < n; i++) {
		struct address one = { { .addr = found[i], .transport = what->transport }, road };
		if ((found[i].family == ADDR_4 && !c->do_ip4) || (found[i].family == ADDR_6 && !c->do_ip6))
			continue;
		if (g->nlisteners == LISTENS_MAX) {
			buf_printf(why, "more than %u addresses to listen on", LISTENS_MAX);
			return ERR_LIMIT;
		}
		TRY(listener_take(r, g, &one, workers, why));
	}
	return OK;
}

static void listener_drop(struct registry *r, struct listener *gone, unsigned workers)
{
	if (--gone->uses > 0)
		return;
	for (struct listener **at = &r->listeners; *at != NULL; at = &(*at)->next) {
		if (*at == gone) {
			*at = gone->next;
			break;
		}
	}
	listener_close(gone, workers);
	heap_free(gone);
}

/* ---- lives ---- */

static struct life *life_find(struct registry *r, const struct plugin *p, const char *text)
{
	for (struct life *l = r->lives; l != NULL; l = l->next) {
		if (l->plugin == p && strcmp(l->text, text) == 0)
			return l;
	}
	return NULL;
}

static struct life *life_take(struct registry *r, const struct plugin *p, const char *label, const void *self)
{
	char text[LIFE_TEXT_MAX];
	struct buf b = buf_on(text, sizeof(text));
	buf_printf(&b, "%s\n", p->live_shared ? "" : label);
	if (p->live_text != NULL)
		p->live_text(self, &b);
	bool whole = buf_ok(&b) && b.n < sizeof(text);   /* else it may be cut where another is not the same any more */
	struct life *l = whole ? life_find(r, p, buf_cstr(&b)) : NULL;
	if (l == NULL) {
		l = heap_new(sizeof(*l));
		l->plugin = p;
		size_t size = whole ? b.n + 1 : 1;
		l->text = memcpy(heap_new(size), whole ? text : "", size);
		l->live = p->live_make(self, &r->env);
		l->next = r->lives;
		r->lives = l;
	}
	l->uses++;
	return l;
}

static void life_drop(struct registry *r, struct life *gone)
{
	if (--gone->uses > 0)
		return;
	for (struct life **at = &r->lives; *at != NULL; at = &(*at)->next) {
		if (*at == gone) {
			*at = gone->next;
			break;
		}
	}
	gone->plugin->live_free(gone->live);
	heap_free((void *)(uintptr_t)gone->text);
	heap_free(gone);
}

static void lives_take(struct registry *r, struct generation *g, struct site *site)
{
	struct chain *c = &site->chain;
	for (unsigned i = 0; i < c->n; i++) {
		const struct plugin *p = site->plugins[i];
		if (p->live_make == NULL)
			continue;
		struct life *l = life_take(r, p, site->label, c->links[i].self);
		if (p->settings_drop != NULL)
			p->settings_drop((void *)c->links[i].self);
		c->links[i].live = l->live;
		g->lives[g->nlives++] = l;
	}
}

/* ---- tenures ---- */

#define DIRECTIVES_TEXT 65536u

/* The directive and the lines in its braces, in one form. */
static void directive_text(const struct directive *d, unsigned braces, struct buf *to)
{
	buf_text(to, d->word.text);
	for (unsigned i = 0; i < d->nargs; i++)
		buf_printf(to, " %s", d->args[i].text);
	for (const struct directive *in = d->inside; in != NULL && braces > 0; in = in->next) {
		buf_u8(to, '{');
		directive_text(in, braces - 1, to);
	}
	buf_u8(to, '\n');
}

/* What the files of anchors say: answers judged by other anchors are no answers any more. */
static void anchors_text(const struct registry *r, const struct chain *c, struct buf *to)
{
	const struct validating *v = validate_settings(c);
	for (unsigned i = 0; v != NULL && i < v->nsources; i++) {
		if (v->sources[i].bytes.p != NULL)
			buf_printf(to, " %016llx", (unsigned long long)hash_bytes(&r->env.key, v->sources[i].bytes));
	}
}

/* An unbound.conf is one server, whose answers stay good over a reload; a block of a Corefile is what it says. */
static void tenure_text(const struct registry *r, const struct model *m, unsigned site, struct buf *to)
{
	/* each token, once more with its quotes and its comma */
	size_t cap = 2 * m->canonical.n + DIRECTIVES_TEXT + ANCHOR_SOURCES_MAX * 17;
	struct buf b = buf_on(heap_new(cap), cap);
	for (unsigned i = 0; i < m->ninstances; i++) {
		if (m->instances[i].site == site && m->instances[i].from != NULL)
			directive_text(m->instances[i].from, BRACES_MAX, &b);
	}
	anchors_text(r, &m->sites[site].chain, &b);
	buf_printf(to, "%s\n%016llx%zu", m->sites[site].label,
	           (unsigned long long)hash_bytes(&r->env.key, buf_span(&b)), b.n);
	heap_free(b.p);
}

static struct tenure *tenure_take(struct registry *r, const struct model *m, unsigned site)
{
	char text[LIFE_TEXT_MAX];
	struct buf b = buf_on(text, sizeof(text));
	tenure_text(r, m, site, &b);
	struct tenure *t = r->tenures;
	while (t != NULL && strcmp(t->text, buf_cstr(&b)) != 0)
		t = t->next;
	if (t == NULL) {
		t = heap_new(sizeof(*t));
		t->text = memcpy(heap_new(b.n + 1), text, b.n + 1);
		t->instance = ++r->instances;
		t->next = r->tenures;
		r->tenures = t;
	}
	t->uses++;
	return t;
}

static void tenure_drop(struct registry *r, struct tenure *gone)
{
	if (--gone->uses > 0)
		return;
	struct tenure **at = &r->tenures;
	while (*at != gone)
		at = &(*at)->next;
	*at = gone->next;
	heap_free((void *)(uintptr_t)gone->text);
	heap_free(gone);
}

/* ---- generations ---- */

/* Room for what each site has. */
static bool make_rooms(struct generation *g)
{
	unsigned n = g->model->nsites, links = 0;
	for (unsigned i = 0; i < n; i++)
		links += g->model->sites[i].chain.n;
	g->tenures = ARENA_ARRAY(&g->arena, struct tenure *, n);
	g->lives = ARENA_ARRAY(&g->arena, struct life *, links);
	g->ready = ARENA_ARRAY(&g->arena, uint64_t, n);
	g->labels = ARENA_ARRAY(&g->arena, struct sample_labels, n);
	return g->ready != NULL && g->labels != NULL && g->tenures != NULL && g->lives != NULL;
}

/* Whoever answers for it in the end tells questions apart as if they had come to him. */
static void forms_join(struct chain *c)
{
	for (unsigned i = 0; i < c->nroutes; i++) {
		c->leads_by_do |= c->routes[i].chain->conf.by_do;
		c->leads_by_stream |= c->routes[i].chain->by_stream;
	}
}

/* Whom a chain asks about a zone that several sites have, told apart by who asks (view): itself, else one of the same
 * view, else the one that is for everybody; NULL: nobody. *at is the first route of the zone, and moves behind its
 * last. */
static const struct chain *chain_of_zone(const struct model *m, const struct listen *l, unsigned site, unsigned *at)
{
	const struct chain *own = NULL, *like = NULL, *all = NULL;
	const struct name zone = l->routes[*at].zone;
	for (; *at < l->nroutes && name_eq(l->routes[*at].zone, zone); ++*at) {
		const struct site *s = &m->sites[l->routes[*at].site];
		if (l->routes[*at].site == site)
			own = &s->chain;
		else if (s->nconditions == 0)
			all = &s->chain;
		else if (strcmp(s->view, m->sites[site].view) == 0)
			like = &s->chain;
	}
	return own != NULL ? own : like != NULL ? like : all;
}

struct ways_out {
	const struct chain_route *routes;
	unsigned n;
};

static enum err ways_make(struct generation *g, const struct listen *l, unsigned site, struct ways_out *ret)
{
	struct chain_route *routes = ARENA_ARRAY(&g->arena, struct chain_route, l->nroutes + 1);
	unsigned n = 0;
	if (routes == NULL)
		return ERR_LIMIT;
	for (unsigned k = 0; k < l->nroutes;) {
		struct name zone = l->routes[k].zone;
		const struct chain *c = chain_of_zone(g->model, l, site, &k);
		if (c != NULL)
			routes[n++] = (struct chain_route){ zone, c };
	}
	*ret = (struct ways_out){ routes, n };
	return OK;
}

static bool has_views(const struct model *m)
{
	unsigned i = 0;
	while (i < m->nsites && m->sites[i].nconditions == 0)
		i++;
	return i < m->nsites;
}

/* What a chain asks of the whole server goes where clients' questions of the same listener go. Where a site has several
 * the first counts: they differ in addresses, not in what is served. Without views all of a listener share their
 * ways. */
static enum err routes_join(struct generation *g)
{
	struct model *m = g->model;
	bool views = has_views(m);
	for (unsigned i = 0; i < m->listen.nlistens; i++) {
		const struct listen *l = &m->listen.listens[i];
		struct ways_out ways = { 0 };
		for (unsigned k = 0; k < l->nroutes && m->nsites > 1; k++) {
			struct chain *c = &m->sites[l->routes[k].site].chain;
			if (c->routes != NULL)
				continue;
			if (views || ways.routes == NULL)
				TRY(ways_make(g, l, l->routes[k].site, &ways));
			c->routes = ways.routes;
			c->nroutes = ways.n;
			forms_join(c);
		}
	}
	return OK;
}

static enum err labels_take(struct generation *g)
{
	for (unsigned i = 0; i < g->model->nsites; i++) {
		if (g->labels[i].server == NULL)   /* listened to nowhere */
			TRY(site_labels(&g->model->sites[i], NULL, &g->arena, &g->labels[i]));
	}
	return OK;
}

static void sites_take(struct registry *r, struct generation *g)
{
	struct model *m = g->model;
	for (unsigned i = 0; i < m->nsites; i++) {
		g->tenures[i] = tenure_take(r, m, i);
		m->sites[i].chain.instance = g->tenures[i]->instance;
		m->sites[i].chain.generation = g->number;
		m->sites[i].chain.next = i + 1 < m->nsites ? &m->sites[i + 1].chain : NULL;
		lives_take(r, g, &m->sites[i]);
	}
}

struct generation *generation_make(struct registry *r, struct model *model, unsigned workers, struct buf *why)
{
	struct generation *g = heap_new(sizeof(*g));
	arena_init(&g->arena, ARENA_MAX);
	g->model = model;
	g->number = model->generation;
	enum err err = make_rooms(g) ? OK : ERR_LIMIT;
	if (err == OK)
		err = routes_join(g);
	g->cookie = r->cookie;
	const char *secret = model->process.cookie_secret;
	if (secret != NULL && *secret != 0 && cookie_secret_parse(span_text(secret), &g->cookie) != OK) {
		buf_text(why, "cookie-secret: expected 32 hexadecimal digits");
		err = ERR_SYNTAX;
	}
	if (model->listen.ports.list != NULL && model->listen.ports.n == 0) {
		buf_text(why, "outgoing-port-avoid leaves no port to ask from");
		err = ERR_RANGE;
	}
	for (unsigned i = 0; i < model->listen.nlistens && err == OK; i++)
		err = listeners_take(r, g, &model->listen.listens[i], workers, why);
	if (err == OK)
		err = labels_take(g);
	if (err == OK) {
		sites_take(r, g);
		for (unsigned i = 0; i < g->nlisteners; i++)
			listener_tune(g->listeners[i], &model->listen, workers);
		return g;
	}
	g->model = NULL;
	generation_free(r, g, workers);
	return NULL;
}

void sites_trust(struct model *m, struct anchorage *all)
{
	for (unsigned i = 0; i < m->nsites; i++) {
		struct chain *c = &m->sites[i].chain;
		c->conf.anchorage = validate_settings(c) != NULL ? all : NULL;
	}
}

struct anchorage *generation_anchorage(const struct generation *g)
{
	for (unsigned i = 0; i < g->model->nsites; i++) {
		if (g->model->sites[i].chain.conf.anchorage != NULL)
			return g->model->sites[i].chain.conf.anchorage;
	}
	return NULL;
}

const struct road *generation_road(const struct generation *g, uint32_t listener)
{
	for (unsigned i = 0; i < g->nlisteners; i++) {
		if (g->listeners[i]->nr == listener)
			return g->roads[i];
	}
	return NULL;
}

bool generation_has_life(const struct generation *g, const struct life *life)
{
	for (unsigned i = 0; i < g->nlives; i++) {
		if (g->lives[i] == life)
			return true;
	}
	return false;
}

bool generation_has_listener(const struct generation *g, const struct listener *l)
{
	for (unsigned i = 0; i < g->nlisteners; i++) {
		if (g->listeners[i] == l)
			return true;
	}
	return false;
}

void generation_free(struct registry *r, struct generation *g, unsigned workers)
{
	for (unsigned i = 0; i < g->nlisteners; i++)
		listener_drop(r, g->listeners[i], workers);
	for (unsigned i = 0; i < g->nlives; i++)
		life_drop(r, g->lives[i]);
	for (unsigned i = 0; g->model != NULL && i < g->model->nsites; i++)
		tenure_drop(r, g->tenures[i]);
	if (g->model != NULL)
		model_free(g->model);
	arena_free(&g->arena);
	heap_free(g);
}
