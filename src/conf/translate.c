#include "conf/translate.h"

#include <string.h>

#include "conf/corefile.h"
#include "conf/instance.h"
#include "conf/tables.h"
#include "conf/value.h"
#include "conf/vocabulary.h"
#include "plugin/access.h"
#include "plugin/forwarding.h"
#include "plugin/validate.h"

#define VALUE_BYTES 4096u
#define SCRATCH_BYTES (4u << 20)   /* one owner's defaults */

static const struct {
	const char *directive, *option, *value;
} equal[] = {
#define EQUAL(directive, option, value) { directive, option, value },
#include "conf/translate.def"
#undef EQUAL
};

static bool is(const char *a, const char *b)
{
	return a != NULL && b != NULL && strcmp(a, b) == 0;
}

static void lose(struct diag *lost, const struct directive *d, const char *why)
{
	diag_warning(lost, d->file, d->word.line, d->word.column, "%s: %s", d->word.text, why);
}

/* ---- to unbound.conf ---- */

/* The row's value as text, and whether it is other than unbound.conf's default. */
static bool differs(const struct instance *in, const struct opt *row, char text[VALUE_BYTES])
{
	struct arena a;
	struct diag d;
	char other[VALUE_BYTES];
	struct instance plain = { .settings = in->settings };
	struct buf x = buf_on(text, VALUE_BYTES), y = buf_on(other, sizeof(other));
	arena_init(&a, SCRATCH_BYTES);
	diag_init(&d, &a);
	const struct instance_env env = { .arena = &a, .diag = &d };
	bool ok = instance_begin(&plain, &env) == OK;
	value_text(row, in->self, &x);
	if (ok)
		value_text(row, plain.self, &y);
	arena_free(&a);
	return strcmp(buf_cstr(&x), buf_cstr(&y)) != 0;
}

static bool has_directive(const struct model *m, const char *name)
{
	for (unsigned i = 0; i < m->ninstances; i++)
		if (m->instances[i].site == 0 && m->instances[i].from != NULL &&
		    is(m->instances[i].from->word.text, name))
			return true;
	return false;
}

static bool by_directive(const char *option)
{
	for (size_t i = 0; i < COUNT(equal); i++)
		if (is(equal[i].option, option))
			return true;
	return false;
}

static void rows_put(const struct instance *in, struct buf *to)
{
	char text[VALUE_BYTES];
	for (size_t k = 0; k < in->settings->nopts; k++) {
		const struct opt *row = &in->settings->opts[k];
		if (row->type == OPT_CUSTOM || row->unbound.name == NULL || strchr(row->unbound.name, '/') != NULL)
			continue;
		if (by_directive(row->unbound.name) || !differs(in, row, text))
			continue;
		buf_printf(to, "    %s: %s\n", row->unbound.name, text);
	}
}

static bool leads_to(const struct listen *l, unsigned site)
{
	for (unsigned i = 0; i < l->nroutes; i++)
		if (l->routes[i].site == site)
			return true;
	return false;
}

static void interfaces_put(const struct model *m, struct buf *to, struct diag *lost)
{
	const char *pem = NULL, *key = NULL;
	uint16_t port = 0;
	for (unsigned i = 0; i < m->listen.nlistens; i++) {
		const struct listen *l = &m->listen.listens[i];
		if (!leads_to(l, 0))
			continue;
		if (l->transport == TRANSPORT_HTTPS && l->addr.family != ADDR_6)
			diag_warning(lost, m->file, m->sites[0].line, 1, "https:// on port %u is left out",
			             l->addr.port);
		if (l->transport == TRANSPORT_HTTPS)
			continue;
		buf_text(to, "    interface: ");
		if (l->name != NULL)
			buf_printf(to, "%s@%u", l->name, l->addr.port);
		else
			addr_port_text(&l->addr, to);
		buf_u8(to, '\n');
		if (l->transport == TRANSPORT_TLS && l->addr.port != port) {
			port = l->addr.port;
			pem = l->tls_pem;
			key = l->tls_key;
			buf_printf(to, "    tls-additional-port: %u\n", port);
		}
	}
	if (pem != NULL) {
		buf_text(to, "    tls-service-pem: ");
		value_quote(pem, to);
		buf_text(to, "\n    tls-service-key: ");
		value_quote(key, to);
		buf_u8(to, '\n');
	}
}

static void anchors_put(const struct site *s, struct buf *to)
{
	const struct validating *v = validate_settings(&s->chain);
	if (v == NULL)
		return;
	buf_text(to, "    auto-trust-anchor-file: /var/lib/unbound/root.key\n");
	for (unsigned i = 0; i < v->nsources; i++) {
		if (v->sources[i].kind != ANCHOR_FILE)
			continue;
		buf_text(to, "    trust-anchor-file: ");
		value_quote(v->sources[i].text, to);
		buf_u8(to, '\n');
	}
}

static void forward_zone_put(const struct instance *in, struct buf *to)
{
	const struct forwarding *f = in->self;
	bool tls = f->group.tls;
	buf_text(to, "forward-zone:\n    name: ");
	value_quote(f->name_text, to);
	buf_u8(to, '\n');
	for (unsigned i = 0; i < f->group.n; i++) {
		const struct upstream *u = &f->group.servers[i];
		tls |= u->tls;
		buf_text(to, "    forward-addr: ");
		addr_port_text(&u->addr, to);
		if (u->tls_name != NULL)
			buf_printf(to, "#%s", u->tls_name);
		buf_u8(to, '\n');
	}
	if (tls)
		buf_text(to, "    forward-tls-upstream: yes\n");
	rows_put(in, to);
}

/* Is what the directive says told, but for what is said to be lost? */
static bool directive_told(const struct settings *s)
{
	static const struct settings *const told[] = { &bind_settings, &tls_settings, &root_settings };
	for (size_t i = 0; i < COUNT(told); i++)
		if (told[i] == s)
			return true;
	for (size_t i = 0; i < COUNT(equal); i++)
		if (is(equal[i].directive, s->corefile.directive))
			return true;
	return s->clause != NULL;
}

/* Does another owner of the directive have options there? */
static bool is_shared(const struct model *m, const struct instance *in)
{
	for (unsigned i = 0; i < m->ninstances; i++)
		if (m->instances[i].from == in->from && m->instances[i].settings->clause != NULL)
			return true;
	return false;
}

/* Lines that anchors_put has told. */
static bool line_told(const char *word)
{
	return is(word, "validate") || is(word, "trust-anchor");
}

static void directive_lose(const struct model *m, const struct instance *in, struct diag *lost)
{
	if (!directive_told(in->settings) && !is_shared(m, in)) {
		lose(lost, in->from, "unbound.conf has no option for it");
		return;
	}
	for (size_t k = 0; k < in->settings->nopts; k++)
		if (in->given[k] != NULL && !line_told(in->given[k]->word.text) &&
		    (in->settings->opts[k].unbound.name == NULL ||
		                             in->settings->opts[k].type == OPT_CUSTOM) &&
		    in->settings != &bind_settings)
			lose(lost, in->given[k], "unbound.conf has no option that says just this");
}

void translate_to_unbound(const struct model *m, struct buf *to, struct diag *lost)
{
	const struct site *s = &m->sites[0];
	for (unsigned i = 1; i < m->nsites; i++)
		diag_warning(lost, m->file, m->sites[i].line, 1,
		             "%s: an unbound.conf is one for all names: this server block is left out",
		             m->sites[i].label);
	if (s->nzones != 1 || s->zones[0].labels > 0)
		diag_warning(lost, m->file, s->line, 1, "%s: an unbound.conf serves every name, not some zones",
		             s->label);
	buf_text(to, "server:\n");
	interfaces_put(m, to, lost);
	/* Without acl a Corefile answers everybody. */
	if (!has_directive(m, "acl"))
		buf_text(to, "    access-control: 0.0.0.0/0 allow\n    access-control: ::/0 allow\n");
	for (size_t i = 0; i < COUNT(equal); i++)
		buf_printf(to, "    %s: %s\n", equal[i].option,
		           has_directive(m, equal[i].directive) ? equal[i].value : "no");
	anchors_put(s, to);
	for (unsigned i = 0; i < m->ninstances; i++)
		if (m->instances[i].site == 0 && is(m->instances[i].settings->clause, "server"))
			rows_put(&m->instances[i], to);
	for (unsigned i = 0; i < m->ninstances; i++) {
		const struct instance *in = &m->instances[i];
		if (in->site != 0)
			continue;
		if (in->plugin == &plugin_forward)
			forward_zone_put(in, to);
		if (in->from != NULL)
			directive_lose(m, in, lost);
	}
}

/* ---- to a Corefile ---- */

/* An option's value, given or not. */
static const char *value_of(const struct model *m, const char *name, char text[VALUE_BYTES])
{
	struct buf b = buf_on(text, VALUE_BYTES);
	if (!model_option(m, name, &b))
		return "";
	if (b.n > 0 && b.p[b.n - 1] == '\n')
		b.n--;
	return buf_cstr(&b);
}

/* Options whose meaning is in what is written, whatever their rows. */
static const char *const told_options[] = {
	"interface", "port", "tls-port", "tls-additional-port", "tls-service-pem", "tls-service-key", "access-control",
	"name", "forward-addr", "forward-tls-upstream", "forward-tcp-upstream", "cache-max-ttl", "cache-min-ttl",
	"cache-max-negative-ttl", "prefetch", "serve-expired", "auto-trust-anchor-file", "trust-anchor-file",
	"identity", "version",
};

static void keys_put(const struct model *m, struct buf *to)
{
	for (unsigned i = 0; i < m->listen.nlistens; i++) {
		const struct listen *l = &m->listen.listens[i];
		bool again = false;
		for (unsigned k = 0; k < i && !again; k++)
			again = m->listen.listens[k].transport == l->transport &&
			        m->listen.listens[k].addr.port == l->addr.port;
		if (!again)
			buf_printf(to, "%s.:%u ", l->transport == TRANSPORT_TLS ? "tls://" : "", l->addr.port);
	}
	buf_text(to, "{\n");
}

static void bind_put(const struct model *m, struct buf *to)
{
	buf_text(to, "    bind");
	for (unsigned i = 0; i < m->listen.nlistens; i++) {
		const struct listen *l = &m->listen.listens[i];
		bool again = false;
		for (unsigned k = 0; k < i && !again; k++) {
			struct addr a = m->listen.listens[k].addr;
			a.port = l->addr.port;
			again = l->name != NULL ? is(m->listen.listens[k].name, l->name)
			                        : m->listen.listens[k].name == NULL && addr_eq(&a, &l->addr);
		}
		if (again)
			continue;
		buf_u8(to, ' ');
		if (l->name != NULL)
			corefile_word(l->name, to);
		else
			addr_text(&l->addr, to);
	}
	buf_u8(to, '\n');
	if (m->listen.tls_pem != NULL && m->listen.tls_pem[0] != 0) {
		buf_text(to, "    tls ");
		corefile_word(m->listen.tls_pem, to);
		buf_u8(to, ' ');
		corefile_word(m->listen.tls_key, to);
		buf_u8(to, '\n');
	}
}

/* The longest netblock counts there, the first line here. */
static void acl_put(const struct model *m, struct buf *to)
{
	static const char *const actions[ACCESS_COUNT] = {
		[ACCESS_DENY] = "drop", [ACCESS_REFUSE] = "block", [ACCESS_DENY_NON_LOCAL] = "drop",
		[ACCESS_REFUSE_NON_LOCAL] = "block", [ACCESS_ALLOW] = "allow", [ACCESS_ALLOW_SETRD] = "allow",
		[ACCESS_ALLOW_SNOOP] = "allow", [ACCESS_ALLOW_COOKIE] = "allow",
	};
	const struct access_table *t = NULL;
	for (unsigned i = 0; i < m->ninstances; i++)
		if (m->instances[i].settings == &plugin_acl.settings)
			t = m->instances[i].self;
	buf_text(to, "    acl {\n");
	for (int bits = 128; t != NULL && bits >= 0; bits--)
		for (uint32_t i = t->nrules; i-- > 0;) {   /* of two for one netblock the last counts */
			const struct access_rule *r = &t->rules[i];
			if (r->net.bits != bits)
				continue;
			buf_printf(to, "        %s net ", actions[r->action]);
			addr_text(&r->net.addr, to);
			buf_printf(to, "/%u\n", r->net.bits);
		}
	buf_text(to, "        allow net 127.0.0.0/8 ::1\n        block\n    }\n");
}

static void cache_directive_put(const struct model *m, struct buf *to)
{
	char most[VALUE_BYTES], least[VALUE_BYTES], negative[VALUE_BYTES], yes[VALUE_BYTES];
	buf_printf(to, "    cache %s {\n", value_of(m, "cache-max-ttl", most));
	buf_printf(to, "        success 9984 %s %s\n", most, value_of(m, "cache-min-ttl", least));
	buf_printf(to, "        denial 9984 %s\n", value_of(m, "cache-max-negative-ttl", negative));
	if (is(value_of(m, "prefetch", yes), "yes"))
		buf_text(to, "        prefetch 1\n");
	if (is(value_of(m, "serve-expired", yes), "yes"))
		buf_text(to, "        serve_stale\n");
	buf_text(to, "    }\n");
}

static void dnssec_put(const struct model *m, struct buf *to)
{
	const struct validating *v = validate_settings(&m->sites[0].chain);
	if (v == NULL || v->nsources == 0)
		return;
	buf_text(to, "    dnssec {\n        validate\n");
	for (unsigned i = 0; i < v->nsources; i++)
		if (v->sources[i].kind == ANCHOR_FILE || v->sources[i].kind == ANCHOR_AUTO_FILE) {
			buf_text(to, "        trust-anchor ");
			corefile_word(v->sources[i].text, to);
			buf_u8(to, '\n');
		}
	buf_text(to, "    }\n");
}

static void forward_put(const struct forwarding *f, struct diag *lost, struct buf *to)
{
	const char *name = NULL;
	buf_text(to, "    forward ");
	corefile_word(f->name_text, to);
	for (unsigned i = 0; i < f->group.n; i++) {
		const struct upstream *u = &f->group.servers[i];
		bool six = u->addr.family == ADDR_6;
		buf_text(to, f->group.tls ? " tls://" : " ");
		buf_text(to, six ? "[" : "");
		addr_text(&u->addr, to);
		buf_text(to, six ? "]" : "");
		if (f->group.tls && u->tls_name != NULL)
			buf_printf(to, "%%%s", u->tls_name);
		buf_printf(to, ":%u", u->addr.port);
		name = f->group.tls && u->tls_name == NULL ? "" : name;
	}
	buf_text(to, f->group.tcp ? " {\n        force_tcp\n    }\n" : "\n");
	if (f->group.n > 15)
		diag_warning(lost, NULL, 0, 0, "forward-zone %s: a forward has at most 15 servers", f->name_text);
	if (name != NULL)
		diag_warning(lost, NULL, 0, 0, "forward-zone %s: a certificate without #NAME must have the server's "
		             "address there", f->name_text);
}

static bool told(const char *option)
{
	for (size_t i = 0; i < COUNT(told_options); i++)
		if (is(told_options[i], option))
			return true;
	return by_directive(option);
}

/* A value that is the default says nothing; lists and what is irregular do. */
static bool says_something(const struct model *m, const struct directive *d)
{
	char text[VALUE_BYTES];
	const struct option *o = vocabulary_other(d->clause, d->word.text);
	if (o != NULL)
		return o->quiet == NULL || (!is(o->quiet, "*") && !is(o->quiet, d->args[0].text));
	for (unsigned i = 0; i < m->ninstances; i++)
		for (size_t k = 0; k < m->instances[i].settings->nopts; k++) {
			const struct opt *row = &m->instances[i].settings->opts[k];
			if (is(row->unbound.name, d->word.text) && row->type != OPT_CUSTOM)
				return differs(&m->instances[i], row, text);
		}
	return true;
}

void translate_to_corefile(const struct model *m, struct buf *to, struct diag *lost)
{
	bool root = false;
	keys_put(m, to);
	bind_put(m, to);
	for (size_t i = 0; i < COUNT(equal); i++) {
		char text[VALUE_BYTES];
		if (is(value_of(m, equal[i].option, text), equal[i].value))
			buf_printf(to, "    %s\n", equal[i].directive);
	}
	acl_put(m, to);
	cache_directive_put(m, to);
	dnssec_put(m, to);
	for (unsigned i = 0; i < m->sites[0].chain.n; i++) {
		if (m->sites[0].plugins[i] != &plugin_forward)
			continue;
		const struct forwarding *f = m->sites[0].chain.links[i].self;
		root |= f->zone.labels == 0 && f->group.n > 0;
		forward_put(f, lost, to);
	}
	buf_text(to, "}\n");
	if (!root)
		diag_warning(lost, NULL, 0, 0, "names that no forward-zone holds are asked of the world's servers from "
		             "the root down; a Corefile has no plugin for that");
	for (const struct directive *d = m->statements; d != NULL; d = d->next)
		if (!told(d->word.text) && says_something(m, d))
			lose(lost, d, "a Corefile has no word that says just this");
}
