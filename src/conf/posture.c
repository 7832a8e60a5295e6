/* posture: what a configuration comes to, for people: what is enforced, what is inert in this context, what leaks, and
 * what this program does not do yet. */
#include <string.h>

#include "conf/corefile_posture.h"
#include "conf/model.h"
#include "conf/vocabulary.h"
#include "plugin/access.h"
#include "plugin/forwarding.h"
#include "plugin/validate.h"

#define SERVERS_TOLD_MAX 32u /* of one zone */

static void addr_put(const struct addr *a, struct buf *to)
{
	addr_text(a, to);
	buf_printf(to, "@%u", a->port);
}

static const void *settings_of(const struct model *m, const struct settings *s)
{
	for (unsigned i = 0; i < m->ninstances; i++)
		if (m->instances[i].settings == s)
			return m->instances[i].self;
	return NULL;
}

/* The last statement of an option in the clause server:, or NULL. */
static const struct directive *given(const struct model *m, const char *name)
{
	const struct directive *last = NULL;
	for (const struct directive *d = m->statements; d != NULL; d = d->next)
		if (strcmp(d->word.text, name) == 0 && strcmp(d->clause, "server") == 0)
			last = d;
	return last;
}

static bool given_as(const struct model *m, const char *name, const char *value)
{
	const struct directive *d = given(m, name);
	return d != NULL && strcmp(d->args[0].text, value) == 0;
}

static bool has_plugin(const struct model *m, const char *name)
{
	for (unsigned i = 0; i < m->sites[0].chain.n; i++)
		if (strcmp(m->sites[0].chain.links[i].name, name) == 0)
			return true;
	return false;
}

/* The n-th zone whose servers are asked, in the order of the chain; NULL behind the last. */
static const struct forwarding *zone_at(const struct model *m, unsigned n, const char **ret_kind)
{
	for (unsigned i = 0; i < m->sites[0].chain.n; i++) {
		const struct plugin *p = m->sites[0].plugins[i];
		if (p != &plugin_forward && p != &plugin_stub)
			continue;
		*ret_kind = p->settings.clause;
		if (n-- == 0)
			return m->sites[0].chain.links[i].self;
	}
	return NULL;
}

static bool forwards_all(const struct model *m)
{
	const char *kind;
	const struct forwarding *f;
	for (unsigned i = 0; (f = zone_at(m, i, &kind)) != NULL; i++)
		if (f->zone.labels == 0 && f->group.n > 0)
			return true;
	return false;
}

/* ---- clients ---- */

static void clients_put(const struct model *m, struct buf *to)
{
	for (unsigned i = 0; i < m->listen.nlistens; i++) {
		const struct listen *l = &m->listen.listens[i];
		buf_text(to, "enforced: listens on ");
		if (l->name != NULL)
			buf_printf(to, "%s@%u", l->name, l->addr.port);
		else
			addr_put(&l->addr, to);
		buf_printf(to, " (%s)\n",
		           l->transport == TRANSPORT_TLS ? "DNS over TLS"
		           : !m->listen.do_tcp           ? "UDP"
		           : !m->listen.do_udp           ? "TCP"
		                                         : "UDP and TCP");
	}
	const struct access_table *t = settings_of(m, &plugin_acl.settings);
	static const struct addr far_4 = { .family = ADDR_4, .ip = { 203, 0, 113, 1 } };
	static const struct addr far_6 = { .family = ADDR_6, .ip = { 0x20, 0x01, 0x0d, 0xb8 } };
	bool open_4 = access_find(t, &far_4) >= ACCESS_ALLOW, open_6 = access_find(t, &far_6) >= ACCESS_ALLOW;
	if (open_4 || open_6)
		buf_printf(
			to,
			"leak: clients from anywhere (%s) may ask: an open resolver serves attackers as an amplifier; "
			"cure: access-control: %s refuse\n",
			open_4 ? "IPv4" : "IPv6", open_4 ? "0.0.0.0/0" : "::/0");
	else
		buf_text(to, "enforced: clients that access-control does not allow are refused\n");
	if (given(m, "ip-ratelimit") != NULL && has_plugin(m, "iplimit"))
		buf_printf(to, "enforced: ip-ratelimit: %s questions a second from one client address\n",
		           given(m, "ip-ratelimit")->args[0].text);
}

static void identity_put(const struct model *m, struct buf *to)
{
	static const struct {
		const char *option, *names;
	} rows[] = {
		{ "hide-identity", "id.server and hostname.bind" },
		{ "hide-version", "version.server and version.bind" },
	};
	for (unsigned i = 0; i < COUNT(rows); i++)
		if (given_as(m, rows[i].option, "yes"))
			buf_printf(to, "enforced: %s are refused\n", rows[i].names);
		else
			buf_printf(to, "leak: %s are answered; cure: %s: yes\n", rows[i].names, rows[i].option);
}

/* ---- upstreams ---- */

static bool has_bundle(const struct model *m)
{
	return m->process.ca_system || (m->process.ca_bundle != NULL && m->process.ca_bundle[0] != 0);
}

static const char *tls_option(const char *kind)
{
	return strcmp(kind, "stub-zone") == 0 ? "stub-tls-upstream" : "forward-tls-upstream";
}

/* The servers of a zone that is asked over TLS. */
static void tls_zone_put(const struct model *m, const struct forwarding *f, const char *kind, struct buf *to)
{
	if (!has_bundle(m)) {
		buf_printf(to,
		           "leak: none, but zone %s gets no answers: without tls-cert-bundle: no server can prove its "
		           "name, and there is no way back to clear text\n",
		           f->name_text);
		return;
	}
	buf_printf(to, "enforced: %s: questions at and below %s leave over TLS alone\n",
	           m->sites[0].chain.conf.tls_upstream ? "tls-upstream" : tls_option(kind), f->name_text);
	for (unsigned i = 0; i < f->group.n && i < SERVERS_TOLD_MAX; i++) {
		const struct upstream *u = &f->group.servers[i];
		buf_text(to, u->tls_name != NULL ? "enforced: " : "leak: ");
		addr_put(&u->addr, to);
		if (u->tls_name != NULL)
			buf_printf(to, " must prove the name %s\n", u->tls_name);
		else
			buf_text(to,
			         " may be anybody with a certificate of a known authority; cure: ADDRESS@PORT#NAME\n");
	}
}

static void zone_put(const struct model *m, const struct forwarding *f, const char *kind, struct buf *to)
{
	bool any_name = false;
	for (unsigned i = 0; i < f->group.n; i++)
		any_name = any_name || f->group.servers[i].tls_name != NULL;
	if (f->group.n == 0) {
		buf_printf(to, "enforced: names at and below %s go to no server of this %s\n", f->name_text, kind);
		return;
	}
	if (f->group.tls) {
		tls_zone_put(m, f, kind, to);
	} else {
		buf_printf(to,
		           "leak: questions at and below %s leave in clear text over %s to %u server%s%s; cure: "
		           "%s: yes\n",
		           f->name_text, f->group.tcp ? "TCP" : "UDP and TCP", f->group.n, f->group.n == 1 ? "" : "s",
		           any_name ? ", their #NAMEs are not looked at" : "", tls_option(kind));
	}
	if (f->first && f->group.tls)
		buf_printf(
			to,
			"leak: when the TLS servers of %s fail, its -first: yes lets the next zone that holds the name "
			"be asked, whatever its transport\n",
			f->name_text);
}

static void upstreams_put(const struct model *m, struct buf *to)
{
	const char *kind;
	const struct forwarding *f;
	unsigned zones = 0, clear = 0;
	for (; (f = zone_at(m, zones, &kind)) != NULL; zones++) {
		zone_put(m, f, kind, to);
		clear += !f->group.tls && f->group.n > 0;
	}
	if (zones > 0 && clear == 0)
		buf_text(to, "enforced: nothing leaves in clear text\n");
	if (!forwards_all(m))
		buf_text(to, "leak: names that no zone holds are asked of the world's authoritative servers, in clear "
		             "text\n");
	const struct directive *d = given(m, "ratelimit");
	if (d != NULL && strcmp(d->args[0].text, "0") != 0 && has_plugin(m, "zonelimit"))
		buf_printf(
			to,
			"enforced: ratelimit: %s questions a second to upstreams for one registrable domain (Unbound "
			"does not count what is forwarded)\n",
			d->args[0].text);
}

/* ---- options without effect ---- */

/* Options that Unbound too has no use for when all names are forwarded. */
static bool inert_when_forwarding(const char *name)
{
	static const char *const names[] = { "harden-referral-path",      "prefetch-key", "qname-minimisation",
		                             "qname-minimisation-strict", "root-hints",   "target-fetch-policy" };
	for (unsigned i = 0; i < COUNT(names); i++)
		if (strcmp(names[i], name) == 0)
			return true;
	return false;
}

static bool seen_before(const struct model *m, const struct directive *d)
{
	for (const struct directive *x = m->statements; x != d; x = x->next)
		if (strcmp(x->word.text, d->word.text) == 0 && strcmp(x->clause, d->clause) == 0)
			return true;
	return false;
}

/* Does anybody have the option after all? */
static bool has_row(const struct model *m, const struct directive *d)
{
	for (unsigned i = 0; i < m->ninstances; i++)
		for (size_t k = 0; k < m->instances[i].settings->nopts; k++)
			if (m->instances[i].given[k] != NULL &&
			    strcmp(m->instances[i].given[k]->word.text, d->word.text) == 0 &&
			    strcmp(m->instances[i].given[k]->clause, d->clause) == 0)
				return true;
	return false;
}

static void inert_put(const struct model *m, struct buf *to)
{
	bool all = forwards_all(m);
	for (const struct directive *d = m->statements; d != NULL; d = d->next) {
		const struct option *o = vocabulary_other(d->clause, d->word.text);
		if (o == NULL || seen_before(m, d) || has_row(m, d))
			continue;
		if (o->quiet != NULL && (strcmp(o->quiet, "*") == 0 || strcmp(o->quiet, d->args[0].text) == 0))
			continue;
		buf_printf(to, "inert: %s: %s (%s line %u): %s%s\n", d->word.text, d->args[0].text, d->file,
		           d->word.line,
		           all && inert_when_forwarding(o->name) ? "all names are forwarded, Unbound ignores it too; "
		                                                 : "",
		           o->lost);
	}
}

/* What answers are proved from. */
static void proof_put(const struct model *m, struct buf *to)
{
	const struct validating *v = validate_settings(&m->sites[0].chain);
	if (v == NULL) {
		buf_text(to, "leak: no trust anchor: answers are not validated, and a forged answer of an upstream "
		             "would be believed; cure: auto-trust-anchor-file: FILE\n");
		return;
	}
	for (unsigned i = 0; i < v->nsources; i++) {
		const struct anchor_source *s = &v->sources[i];
		bool off = s->kind == ANCHOR_INSECURE;
		buf_printf(to, off ? "leak: names at and below %s are not validated\n"
		                   : "enforced: answers are proved by DNSSEC from the trust anchors of %s\n", s->text);
	}
	if (v->permissive)
		buf_text(to, "leak: val-permissive-mode: what is not proved is handed on\n");
	buf_text(to, "not yet: trust anchors are not kept up to date (RFC5011): "
	             "they are read at start and on reload\n");
}

/* ---- the story ---- */

void model_posture(const struct model *m, struct buf *to)
{
	if (m->daemon.corefile) {
		corefile_posture(m, to);
		return;
	}
	clients_put(m, to);
	identity_put(m, to);
	upstreams_put(m, to);
	if (m->process.username != NULL && m->process.username[0] == 0)
		buf_text(to, "leak: username: \"\" keeps the rights the program was started with\n");
	else
		buf_text(to, "enforced: root is given up once the sockets are open\n");
	inert_put(m, to);
	proof_put(m, to);
}
