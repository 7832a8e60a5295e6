#include "conf/story.h"

#include <string.h>

#include "conf/corefile.h"
#include "conf/server_key.h"

static void where_put(const struct listen *l, struct buf *to)
{
	static const char *const transports[] = {
		[TRANSPORT_DNS] = "UDP and TCP", [TRANSPORT_TLS] = "TLS", [TRANSPORT_HTTPS] = "HTTPS"
	};
	if (l->name != NULL)
		buf_printf(to, "%s@%u", l->name, l->addr.port);
	else
		addr_port_text(&l->addr, to);
	bool clear = l->transport == TRANSPORT_HTTPS && l->tls_pem != NULL && l->tls_pem[0] == 0;
	buf_printf(to, " (%s)", clear ? "HTTP" : transports[l->transport]);
}

/* May the name go to the site? Those with conditions (view) leave some of its questions to the ones behind them.
 * nsites: to nobody. */
static bool leads_to(const struct model *m, const struct listen *l, struct name name, unsigned site)
{
	for (unsigned i = 0; i < l->nroutes; i++) {
		if (!name_below(name, l->routes[i].zone))
			continue;
		if (l->routes[i].site == site)
			return true;
		if (m->sites[l->routes[i].site].nconditions == 0)
			return false;
	}
	return site == m->nsites;
}

static const struct instance *instance_of(const struct model *m, const struct link *l)
{
	for (unsigned i = 0; i < m->ninstances; i++)
		if (m->instances[i].self == l->self && m->instances[i].plugin != NULL)
			return &m->instances[i];
	return NULL;
}

/* A zone clause of unbound.conf is met by the names in it alone. */
static bool meets(const struct instance *in, struct name name)
{
	uint8_t store[NAME_MAX_BYTES];
	struct name zone;
	if (in == NULL || in->zone == NULL)
		return true;
	return name_from_text(span_text(in->zone), NULL, store, &zone) == OK && name_below(name, zone);
}

static void link_put(const struct instance *in, const struct link *l, struct buf *to)
{
	buf_printf(to, "    %s", l->name);
	if (in != NULL && in->zone != NULL)
		buf_printf(to, " %s", in->zone);
	for (unsigned i = 0; in != NULL && in->from != NULL && i < in->from->nargs; i++) {
		buf_u8(to, ' ');
		corefile_word(in->from->args[i].text, to);
	}
	if (in != NULL && in->from != NULL)
		buf_printf(to, " (line %u)", in->from->word.line);
}

static bool has_steps(const struct link *l)
{
	const struct steps *s = l->steps;
	return s->request != NULL || s->response != NULL || s->fast != NULL;
}

/* Up to the first link without a fast step a question is answered out of its packet, if a link before it can. */
static void chain_put(const struct model *m, unsigned site, struct name name, struct buf *to)
{
	const struct chain *c = &m->sites[site].chain;
	bool left = false, any = false;
	for (unsigned i = 0; i < c->n; i++) {
		const struct instance *in = instance_of(m, &c->links[i]);
		if (!meets(in, name) || !has_steps(&c->links[i]))
			continue;
		any = true;
		link_put(in, &c->links[i], to);
		if (!left && c->links[i].steps->fast == NULL) {
			buf_text(to, ": leaves the fast path");
			left = true;
		}
		buf_u8(to, '\n');
	}
	if (!any)
		buf_text(to, "    no plugin: REFUSED\n");
	else if (!left)
		buf_text(to, "    all of them have a fast step\n");
}

bool model_story(const struct model *m, const char *name, struct buf *to)
{
	uint8_t store[NAME_MAX_BYTES];
	struct name n;
	if (name_from_text(span_text(name), NULL, store, &n) != OK)
		return false;
	for (unsigned i = 0; i <= m->nsites; i++) {
		bool any = false;
		for (unsigned k = 0; k < m->listen.nlistens; k++) {
			const struct listen *l = &m->listen.listens[k];
			if (!leads_to(m, l, n, i))
				continue;
			buf_text(to, any ? ", " : "");
			where_put(l, to);
			any = true;
		}
		if (!any)
			continue;
		if (i == m->nsites) {
			buf_text(to, ": no server block has the name: REFUSED\n");
			continue;
		}
		if (m->daemon.corefile)
			buf_printf(to, ": server block %s of line %u\n", m->sites[i].label, m->sites[i].line);
		else
			buf_text(to, ": the configuration is one for all names\n");
		chain_put(m, i, n, to);
	}
	return true;
}
