/* corefile_posture: what a Corefile comes to, for people: what is enforced and what leaks, block by block. */
#include "conf/corefile_posture.h"

#include <string.h>

#include "core/peer.h"
#include "plugin/forwarding.h"

#define SERVERS_TOLD_MAX 32u /* of one forward */

static const struct link *link_of(const struct site *s, const char *name)
{
	for (unsigned i = 0; i < s->chain.n; i++)
		if (strcmp(s->chain.links[i].name, name) == 0)
			return &s->chain.links[i];
	return NULL;
}

/* The directive of that name in the block, NULL none. */
static const struct directive *directive_of(const struct model *m, unsigned site, const char *name)
{
	for (unsigned i = 0; i < m->ninstances; i++)
		if (m->instances[i].site == site && m->instances[i].from != NULL &&
		    strcmp(m->instances[i].from->word.text, name) == 0)
			return m->instances[i].from;
	return NULL;
}

static void listens_put(const struct model *m, struct buf *to)
{
	for (unsigned i = 0; i < m->listen.nlistens; i++) {
		const struct listen *l = &m->listen.listens[i];
		bool clear = l->transport == TRANSPORT_HTTPS && l->tls_pem[0] == 0;
		buf_text(to, clear ? "leak: listens on " : "enforced: listens on ");
		if (l->name != NULL)
			buf_printf(to, "%s@%u", l->name, l->addr.port);
		else
			addr_port_text(&l->addr, to);
		buf_text(to, l->transport == TRANSPORT_DNS   ? " (UDP and TCP)\n"
		             : l->transport == TRANSPORT_TLS ? " (DNS over TLS)\n"
		             : clear ? " (DNS over HTTP, in clear text: for a proxy in front of it); cure: tls\n"
		                     : " (DNS over HTTPS)\n");
	}
}

static void servers_put(const struct site *s, const struct forwarding *f, struct buf *to)
{
	unsigned clear = 0;
	for (unsigned i = 0; i < f->group.n; i++) {
		const struct upstream *u = &f->group.servers[i];
		bool tls = u->tls || f->group.tls;
		clear += !tls;
		if (!tls || i >= SERVERS_TOLD_MAX)
			continue;
		buf_printf(to, "enforced: %s: questions below %s leave over TLS to ", s->label, f->name_text);
		addr_port_text(&u->addr, to);
		if (u->tls_name != NULL)
			buf_printf(to, ", which must prove the name %s\n", u->tls_name);
		else
			buf_text(to, ", which must prove its address\n");
	}
	if (clear > 0)
		buf_printf(to, "leak: %s: questions below %s leave in clear text to %u server%s; cure: forward %s "
		           "tls://ADDRESS\n", s->label, f->name_text, clear, clear == 1 ? "" : "s", f->name_text);
}

/* Servers that sign, so that a zone, or word of its change, comes of nobody else. */
static void peers_put(const struct site *s, struct buf *to)
{
	const struct peers *p = s->chain.peers;
	for (unsigned i = 0; p != NULL && i < p->n && i < SERVERS_TOLD_MAX; i++) {
		buf_printf(to, "enforced: %s: transfers and NOTIFY between us and ", s->label);
		addr_text(&p->list[i].net.addr, to);
		buf_printf(to, "/%u are signed with the key ", p->list[i].net.bits);
		name_text(p->list[i].name, to);
		buf_text(to, " (signet: CoreDNS refuses this block)\n");
	}
}

static void site_put(const struct model *m, unsigned site, struct buf *to)
{
	const struct site *s = &m->sites[site];
	if (s->chain.n == 0) {
		buf_printf(to, "enforced: %s: no plugin, so every question is refused\n", s->label);
		return;
	}
	if (directive_of(m, site, "acl") == NULL)
		buf_printf(to, "leak: %s: clients from anywhere may ask; cure: acl, or bind to an address that only "
		           "those reach who may\n", s->label);
	bool proved = link_of(s, "validate") != NULL;
	for (unsigned i = 0; i < s->chain.n; i++) {
		if (s->plugins[i] != &plugin_forward)
			continue;
		const struct forwarding *f = s->chain.links[i].self;
		servers_put(s, f, to);
		if (!proved)
			buf_printf(to, "leak: %s: what servers say below %s is believed; cure: dnssec { validate }\n",
			           s->label, f->name_text);
	}
	peers_put(s, to);
	if (proved)
		buf_printf(to, "enforced: %s: answers of servers are proved by DNSSEC\n", s->label);
}

void corefile_posture(const struct model *m, struct buf *to)
{
	listens_put(m, to);
	for (unsigned i = 0; i < m->nsites; i++)
		site_put(m, i, to);
	if (!m->daemon.reload)
		buf_text(to, "leak: no server block has reload: changes count from the next start on\n");
}
