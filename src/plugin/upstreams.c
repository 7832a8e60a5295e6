/* upstreams: the options that say how all upstreams are asked, whatever clause names them. */
#include "plugin/plugin.h"

static void never(void *self, const struct directive *d, struct arena *a, struct diag *diag)
{
	struct chain_conf *c = self;
	const struct word *arg = &d->args[0];
	struct prefix p;
	if (prefix_parse(span_text(arg->text), &p) != OK) {
		diag_error(diag, d->file, arg->line, arg->column,
		           "'%s' is no address; expected ADDRESS or ADDRESS/BITS", arg->text);
		return;
	}
	struct prefix *all = ARENA_ARRAY(a, struct prefix, c->nnever + 1);
	if (all == NULL)
		return;
	if (c->nnever > 0)
		memcpy(all, c->never, sizeof(*all) * c->nnever);
	all[c->nnever++] = p;
	c->never = all;
}

static void client_string(void *self, const struct directive *d, struct arena *a, struct diag *diag)
{
	struct chain_conf *c = self;
	const struct word *net = &d->args[0], *text = &d->args[1];
	struct client_string s;
	if (prefix_parse(span_text(net->text), &s.net) != OK) {
		diag_error(diag, d->file, net->line, net->column,
		           "'%s' is no address; expected ADDRESS or ADDRESS/BITS", net->text);
		return;
	}
	s.text = span_text(text->text);
	if (s.text.n == 0 || s.text.n > CLIENT_STRING_MAX) {
		diag_error(diag, d->file, text->line, text->column, "expected a text of 1 to %u bytes",
		           CLIENT_STRING_MAX);
		return;
	}
	struct client_string *all = ARENA_ARRAY(a, struct client_string, c->nstrings + 1);
	s.text = arena_span(a, s.text);
	if (all == NULL || s.text.p == NULL)
		return;
	if (c->nstrings > 0)
		memcpy(all, c->strings, sizeof(*all) * c->nstrings);
	all[c->nstrings++] = s;
	c->strings = all;
}

static const struct opt opts[] = {
	{ { NULL }, { "disable-edns-do", "no" }, BOOL(struct chain_conf, no_dnssec_ok), 0, 0,
	  "Do not ask upstreams for signatures.", NULL, false },
	{ { NULL }, { "pad-queries", "yes" }, BOOL(struct chain_conf, pad_queries), 0, 0,
	  "Pad questions sent over TLS, so that their length tells nothing (RFC8467).", NULL, false },
	{ { NULL }, { "pad-queries-block-size", "128" }, U32(struct chain_conf, pad_block), 1, 4096,
	  "Padded questions are a multiple of this long.", NULL, false },
	{ { NULL }, { "tls-upstream", "no" }, BOOL(struct chain_conf, tls_upstream), 0, 0,
	  "Ask all upstreams over TLS.", NULL, false },
	{ { NULL }, { "tcp-upstream", "no" }, BOOL(struct chain_conf, tcp_upstream), 0, 0,
	  "Ask all upstreams over TCP.", NULL, false },
	{ { NULL }, { "udp-upstream-without-downstream", "no" }, BOOL(struct chain_conf, udp_upstream), 0, 0,
	  "Ask upstreams over UDP even with do-udp: no.", NULL, false },
	{ { .dflt = "no" }, { "iter-scrub-promiscuous", "yes" }, BOOL(struct chain_conf, drop.ns), 0, 0,
	  "Leave out name servers that an answer brings along unasked; nothing is learnt from them either way.", NULL,
	  false },
	{ { NULL }, { "harden-unknown-additional", "no" }, BOOL(struct chain_conf, drop.unknown), 0, 0,
	  "Leave out of the additional section what is no address of what was asked for.", NULL, false },
	{ { .dflt = "no" }, { "do-not-query-localhost", "yes" }, BOOL(struct chain_conf, no_localhost), 0, 0,
	  "Never ask an upstream on loopback.", NULL, false },
	{ { NULL }, { "do-not-query-address", NULL }, CUSTOM, 0, 0,
	  "Never ask an upstream in this network.", never, true },
	{ { NULL }, { "edns-client-string", NULL }, CUSTOM, 0, 0,
	  "Tell upstreams in this network this string of who asks.", client_string, true },
	{ { NULL }, { "edns-client-string-opcode", "65001" }, U32(struct chain_conf, string_code), 0, 65535,
	  "The EDNS option that carries it.", NULL, false },
};

const struct settings upstreams_settings = {
	.name = "upstreams", .doc = "how upstreams are asked", .clause = "server", .size = sizeof(struct chain_conf),
	.opts = opts, .nopts = COUNT(opts),
};
