#include "conf/routes.h"

#include <stdlib.h>
#include <string.h>

#include "conf/tables.h"
#include "conf/watch.h"

#define LABEL_MAX_BYTES (NAME_TEXT_MAX + 64u)
#define CERTIFICATES_EVERY (10 * SECOND)   /* they are exchanged by those who renew them, who wait for nothing */

/* ---- keys ---- */

static enum err site_keys(struct routing *ro, unsigned i, uint16_t dns_port, struct model *m)
{
	struct arena *a = &m->arena;
	struct block_keys *k = &ro->blocks[i];
	struct site *s = &m->sites[i];
	unsigned n = 0;
	k->keys = ARENA_ARRAY(a, struct server_key, k->block->nkeys);
	if (k->keys == NULL)
		return ERR_LIMIT;
	for (unsigned j = 0; j < k->block->nkeys; j++) {
		if (!server_key_read(ro->r, k->block->file, &k->block->keys[j], dns_port, &k->keys[j]))
			return OK;
		n += k->keys[j].nzones;
	}
	struct name *zones = ARENA_ARRAY(a, struct name, n);
	if (zones == NULL)
		return ERR_LIMIT;
	for (unsigned j = 0; j < k->block->nkeys; j++)
		for (unsigned z = 0; z < k->keys[j].nzones; z++)
			zones[s->nzones++] = k->keys[j].zones[z];
	s->zones = zones;
	s->keys = k->block->keys;
	s->nkeys = k->block->nkeys;
	s->line = k->block->keys[0].line;
	return OK;
}

enum err routes_keys(struct routing *ro, const struct reading *r, const struct corefile *from, uint16_t dns_port,
                     struct model *m)
{
	*ro = (struct routing){ .r = r, .blocks = ARENA_ARRAY(&m->arena, struct block_keys, m->nsites) };
	if (ro->blocks == NULL)
		return ERR_LIMIT;
	unsigned i = 0;
	for (const struct corefile_block *b = from->first; b != NULL; b = b->next, i++) {
		ro->blocks[i].block = b;
		TRY(site_keys(ro, i, dns_port, m));
	}
	return OK;
}

/* ---- addresses ---- */

/* A route that is being made knows the key it comes from. */
struct draft {
	struct route route;
	unsigned key;
};

struct draft_listen {
	struct listen listen;
	bool wild;                 /* every address */
	struct draft *routes;
	unsigned n, cap;
	const struct securing *tls;
};

struct making {
	struct routing *ro;
	struct model *m;
	struct draft_listen *list;
	unsigned n;
};

static const void *table_of(const struct model *m, unsigned site, const struct settings *s)
{
	for (unsigned i = 0; i < m->ninstances; i++)
		if (m->instances[i].site == site && m->instances[i].settings == s)
			return m->instances[i].self;
	return NULL;
}

static void key_wrong(const struct making *k, unsigned site, unsigned key, const char *what)
{
	const struct corefile_block *b = k->ro->blocks[site].block;
	diag_error(k->ro->r->diag, b->file, b->keys[key].line, b->keys[key].column, "%s",
	           what == NULL ? "out of memory" : what);
}

static bool same_place(const struct listen *x, const struct listen *y)
{
	if (x->transport != y->transport || x->addr.port != y->addr.port)
		return false;
	if (x->name != NULL || y->name != NULL)
		return x->name != NULL && y->name != NULL && strcmp(x->name, y->name) == 0;
	return addr_eq(&x->addr, &y->addr);
}

static struct draft_listen *listen_find(struct making *k, const struct listen *what, bool wild)
{
	for (unsigned i = 0; i < k->n; i++)
		if (same_place(&k->list[i].listen, what))
			return &k->list[i];
	if (k->n == LISTENS_MAX)
		return NULL;
	struct draft_listen *l = &k->list[k->n++];
	*l = (struct draft_listen){ .listen = *what, .wild = wild };
	return l;
}

static enum err draft_add(struct making *k, struct draft_listen *l, const struct draft *d)
{
	if (l->n == l->cap) {
		unsigned cap = l->cap == 0 ? 8 : l->cap * 2;
		struct draft *longer = cap > 2 * ROUTES_MAX ? NULL : ARENA_ARRAY(&k->m->arena, struct draft, cap);
		if (longer == NULL)
			return ERR_LIMIT;
		if (l->n > 0)
			memcpy(longer, l->routes, sizeof(*longer) * l->n);
		l->routes = longer;
		l->cap = cap;
	}
	l->routes[l->n++] = *d;
	return OK;
}

static bool same_text(const char *a, const char *b)
{
	return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

/* A certificate belongs to an address: the first block there that has one gives it to all. */
static void secure(struct making *k, struct draft_listen *l, unsigned site, unsigned key)
{
	const struct securing *t = table_of(k->m, site, &tls_settings);
	if (l->listen.transport == TRANSPORT_DNS)
		return;
	if (t->at == NULL && l->listen.transport == TRANSPORT_TLS) {
		key_wrong(k, site, key, arena_printf(&k->m->arena, "%s is not served without a certificate; expected "
		                                     "tls CERTIFICATE KEY in its server block",
		                                     k->ro->blocks[site].block->keys[key].text));
		return;
	}
	if (l->tls != NULL && t->at != NULL && (strcmp(l->tls->pem, t->pem) != 0 || strcmp(l->tls->key, t->key) != 0))
		diag_warning(k->ro->r->diag, t->at->file, t->at->word.line, t->at->word.column,
		             "tls: another certificate serves this address already (line %u); that one counts",
		             l->tls->at->word.line);
	if (l->tls != NULL && t->at != NULL && (l->tls->auth != t->auth || !same_text(l->tls->ca, t->ca)))
		key_wrong(k, site, key, "tls: client_auth or its authorities differ from those of another server block "
		                        "on this address; expected the same in both");
	if (l->tls == NULL && t->at != NULL)
		l->tls = t;
}

static enum err place_add(struct making *k, const struct listen *what, bool wild, unsigned site, unsigned key)
{
	struct draft_listen *l = listen_find(k, what, wild);
	const struct server_key *from = &k->ro->blocks[site].keys[key];
	if (l == NULL) {
		key_wrong(k, site, key, "too many addresses to listen on; expected at most 256");
		return OK;
	}
	secure(k, l, site, key);
	for (unsigned z = 0; z < from->nzones; z++) {
		struct draft d = { .route = { .zone = from->zones[z], .site = site }, .key = key };
		TRY(draft_add(k, l, &d));
	}
	return OK;
}

/* ---- bind ---- */

static enum err except_make(struct making *k, const struct binding *b, struct listen *to)
{
	unsigned n = 0;
	for (unsigned i = 0; i < b->except.n; i++)
		n += b->except.items[i]->nargs;
	struct addr *list = ARENA_ARRAY(&k->m->arena, struct addr, n);
	if (list == NULL)
		return ERR_LIMIT;
	to->nexcept = 0;
	for (unsigned i = 0; i < b->except.n; i++)
		for (unsigned j = 0; j < b->except.items[i]->nargs; j++)
			if (addr_parse(span_text(b->except.items[i]->args[j].text), 0, &list[to->nexcept]) == OK)
				to->nexcept++;
			else
				diag_error(k->ro->r->diag, b->except.items[i]->file, b->except.items[i]->word.line,
				           b->except.items[i]->args[j].column,
				           "'%.200s' is no address; expected an address of the interface",
				           b->except.items[i]->args[j].text);
	to->except = list;
	return OK;
}

static bool is_excepted(const struct listen *l)
{
	for (unsigned i = 0; i < l->nexcept; i++) {
		struct addr a = l->except[i];
		a.port = l->addr.port;
		if (l->name == NULL && addr_eq(&a, &l->addr))
			return true;
	}
	return false;
}

static enum err bound_add(struct making *k, const struct binding *b, unsigned site, unsigned key)
{
	const struct server_key *from = &k->ro->blocks[site].keys[key];
	for (unsigned i = 0; i < b->places.n; i++)
		for (unsigned j = 0; j < b->places.items[i]->nargs; j++) {
			const char *text = b->places.items[i]->args[j].text;
			struct listen l = { .transport = from->transport };
			TRY(except_make(k, b, &l));
			/* Interfaces come and go, so they are looked up when the sockets are made. */
			if (addr_parse(span_text(text), from->port, &l.addr) != OK) {
				l.addr = (struct addr){ .port = from->port };
				l.name = text;
			}
			if (!is_excepted(&l))
				TRY(place_add(k, &l, false, site, key));
		}
	return OK;
}

static enum err key_add(struct making *k, unsigned site, unsigned key)
{
	const struct binding *b = table_of(k->m, site, &bind_settings);
	const struct server_key *from = &k->ro->blocks[site].keys[key];
	if (b->places.n > 0)
		return bound_add(k, b, site, key);
	struct listen l = { .addr = { .family = ADDR_4, .port = from->port }, .transport = from->transport };
	TRY(place_add(k, &l, true, site, key));
	uint32_t errors = k->ro->r->diag->errors;
	l.addr.family = ADDR_6;
	return errors > 0 ? OK : place_add(k, &l, true, site, key);
}

/* ---- what cannot stand beside each other ---- */

static int draft_cmp(const void *x, const void *y)
{
	const struct draft *a = x, *b = y;
	if (a->route.zone.labels != b->route.zone.labels)
		return a->route.zone.labels > b->route.zone.labels ? -1 : 1;
	int c = name_cmp(a->route.zone, b->route.zone);
	if (c != 0)
		return c;
	return a->route.site != b->route.site ? (a->route.site < b->route.site ? -1 : 1) : (int)a->key - (int)b->key;
}

/* "dns://example.org.:53 on 127.0.0.1" */
static void place_text(const struct listen *l, bool wild, struct name zone, struct buf *to)
{
	server_key_text(l->transport, zone, l->addr.port, to);
	if (wild)
		return;
	buf_text(to, " on ");
	if (l->name != NULL)
		buf_text(to, l->name);
	else
		addr_text(&l->addr, to);
}

static const char *place_kept(struct making *k, const struct draft_listen *l, struct name zone)
{
	char text[LABEL_MAX_BYTES];
	struct buf b = buf_on(text, sizeof(text));
	place_text(&l->listen, l->wild, zone, &b);
	const char *kept = arena_text(&k->m->arena, span_text(buf_cstr(&b)));
	return kept == NULL ? "" : kept;
}

static bool twin(const struct draft_listen *l)
{
	return l->wild && l->listen.addr.family == ADDR_6;   /* the other wildcard says the same */
}

static void twice_check(struct making *k, const struct draft_listen *l)
{
	for (unsigned i = 1; i < l->n && !twin(l); i++) {
		const struct draft *d = &l->routes[i], *before = &l->routes[i - 1];
		bool leaves = k->m->sites[before->route.site].nconditions > 0;   /* some of the zone's questions */
		if (!leaves && name_eq(d->route.zone, before->route.zone))
			key_wrong(k, d->route.site, d->key,
			          arena_printf(&k->m->arena, "cannot serve %s - it is already defined; expected each "
			                       "zone once on an address", place_kept(k, l, d->route.zone)));
	}
}

/* A block that listens everywhere and one that is bound would both have the zone. Both lists are in order. */
static void overlap_check(struct making *k, const struct draft_listen *wild, const struct draft_listen *bound)
{
	unsigned i = 0, j = 0;
	while (i < wild->n && j < bound->n) {
		const struct draft *x = &wild->routes[i], *y = &bound->routes[j];
		struct draft a = *x, b = *y;
		a.route.site = b.route.site = 0;
		a.key = b.key = 0;
		int c = draft_cmp(&a, &b);
		if (c == 0)
			key_wrong(k, y->route.site, y->key,
			          arena_printf(&k->m->arena, "cannot serve %s - zone overlap listener capacity with "
			                       "%s; expected bind in both blocks, or in none",
			                       place_kept(k, bound, y->route.zone),
			                       place_kept(k, wild, x->route.zone)));
		i += c <= 0;
		j += c >= 0;
	}
}

/* ---- the listens ---- */

static enum err listen_finish(struct making *k, struct draft_listen *l, struct listen *to)
{
	struct route *routes = ARENA_ARRAY(&k->m->arena, struct route, l->n);
	if (routes == NULL)
		return ERR_LIMIT;
	for (unsigned i = 0; i < l->n; i++)
		routes[i] = l->routes[i].route;
	*to = l->listen;
	to->routes = routes;
	to->nroutes = l->n;
	if (to->transport == TRANSPORT_DNS)
		return OK;
	to->tls_pem = l->tls == NULL ? "" : l->tls->pem;
	to->tls_key = l->tls == NULL ? "" : l->tls->key;
	to->tls_ca = l->tls == NULL ? NULL : l->tls->ca;
	to->auth = l->tls == NULL ? AUTH_NONE : l->tls->auth;
	const char *const files[] = { to->tls_pem, to->tls_key, to->tls_ca };
	for (unsigned i = 0; i < COUNT(files); i++)
		if (files[i] != NULL && files[i][0] != 0)
			TRY(watch_file(k->m, &k->ro->r->source, files[i], CERTIFICATES_EVERY));
	return OK;
}

static void label_make(struct making *k, unsigned site)
{
	struct site *s = &k->m->sites[site];
	const struct server_key *first = &k->ro->blocks[site].keys[0];
	for (unsigned i = 0; i < k->n; i++) {
		const struct draft_listen *l = &k->list[i];
		if (l->listen.transport != first->transport || l->listen.addr.port != first->port)
			continue;
		for (unsigned r = 0; r < l->n && s->label == NULL; r++)
			if (l->routes[r].route.site == site)
				s->label = place_kept(k, l, s->zones[0]);
	}
	if (s->label == NULL)
		s->label = "";
	if (s->nconditions == 0)
		return;
	/* Blocks with the same zones are told apart by their views, and those that have the same by their order. */
	const char *named = arena_printf(&k->m->arena, "%s view %s", s->label, s->view);
	unsigned same = 0;
	for (unsigned i = 0; i < site && named != NULL; i++)
		same += strncmp(k->m->sites[i].label, named, strlen(named)) == 0;
	if (named != NULL && same > 0)
		named = arena_printf(&k->m->arena, "%s %u", named, same + 1);
	s->label = named == NULL ? "" : named;
}

enum err routes_make(struct routing *ro, struct model *m)
{
	struct making k = { .ro = ro, .m = m, .list = ARENA_ARRAY(&m->arena, struct draft_listen, LISTENS_MAX) };
	if (k.list == NULL)
		return ERR_LIMIT;
	for (unsigned s = 0; s < m->nsites; s++)
		for (unsigned i = 0; i < ro->blocks[s].block->nkeys; i++)
			TRY(key_add(&k, s, i));
	for (unsigned i = 0; i < k.n; i++)
		qsort(k.list[i].routes, k.list[i].n, sizeof(struct draft), draft_cmp);
	for (unsigned i = 0; i < k.n; i++) {
		twice_check(&k, &k.list[i]);
		for (unsigned j = 0; j < k.n && k.list[i].wild && !twin(&k.list[i]); j++)
			if (!k.list[j].wild && k.list[j].listen.transport == k.list[i].listen.transport &&
			    k.list[j].listen.addr.port == k.list[i].listen.addr.port)
				overlap_check(&k, &k.list[i], &k.list[j]);
	}
	m->listen.listens = ARENA_ARRAY(&m->arena, struct listen, k.n);
	if (m->listen.listens == NULL)
		return ERR_LIMIT;
	m->listen.nlistens = k.n;
	for (unsigned i = 0; i < k.n; i++)
		TRY(listen_finish(&k, &k.list[i], &m->listen.listens[i]));
	for (unsigned s = 0; s < m->nsites; s++)
		label_make(&k, s);
	return OK;
}
