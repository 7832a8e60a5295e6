/* peers: what is ours in a server block, `signet { ... }`: with which of the block's keys (plugin tsig) transfers and
 * NOTIFY are signed between this server and others. What such a server says, or asks for, without that key is not
 * believed. */
#include "core/peer.h"

#include "plugin/arguments.h"
#include "plugin/plugin.h"

#define PEERS_MAX 1024u

struct peering {
	struct peer *list;
	const struct directive **at;   /* where each is written */
	struct peers known;
};

/* Questions are not its matter: it stands on the fast path. */
static enum verdict fast(const struct link *l, struct fast *f)
{
	(void)l;
	(void)f;
	return PASS;
}

/* key NAME ADDRESS... */
static void key(void *self, const struct directive *d, struct arena *a, struct diag *diag)
{
	struct peering *s = self;
	uint8_t store[NAME_MAX_BYTES];
	struct name n;
	if (!arguments_at_least(d, 2, diag))
		return;
	if (s->list == NULL) {
		s->list = ARENA_ARRAY(a, struct peer, PEERS_MAX);
		s->at = ARENA_ARRAY(a, const struct directive *, PEERS_MAX);
		s->known.list = s->list;
	}
	if (s->list == NULL || s->at == NULL || s->known.n + d->nargs - 1 > PEERS_MAX) {
		diag_error(diag, d->file, d->word.line, d->word.column, "too many servers; expected at most %u",
		           PEERS_MAX);
		return;
	}
	bool named = d->args[0].text[0] != 0 && name_from_text(span_text(d->args[0].text), NULL, store, &n) == OK;
	if (!named)
		diag_error(diag, d->file, d->args[0].line, d->args[0].column,
		           "'%.200s' is no name; expected that of a key", d->args[0].text);
	for (unsigned i = 1; named && i < d->nargs; i++) {
		struct peer *p = &s->list[s->known.n];
		p->name = name_dup(a, n);
		if (prefix_parse(span_text(d->args[i].text), &p->net) == OK && p->name.wire != NULL)
			s->at[s->known.n++] = d;
		else
			diag_error(diag, d->file, d->args[i].line, d->args[i].column,
			           "'%.200s' is no address; expected ADDRESS or ADDRESS/BITS", d->args[i].text);
	}
}

static void joined(void *self, struct chain *chain, struct arena *a, struct diag *diag)
{
	struct peering *s = self;
	(void)a;
	for (unsigned i = 0; i < s->known.n; i++) {
		struct peer *p = &s->list[i];
		for (unsigned k = 0; chain->keys != NULL && k < chain->keys->n; k++)
			if (name_eq(chain->keys->list[k].name, p->name))
				p->key = &chain->keys->list[k];
		if (p->key == NULL)
			diag_error(diag, s->at[i]->file, s->at[i]->args[0].line, s->at[i]->args[0].column,
			           "there is no key '%.200s'; expected tsig { secret NAME KEY } in this server block",
			           s->at[i]->args[0].text);
	}
	chain->peers = &s->known;
}

#define WORD(text, arg) .corefile = { text, arg, NULL }, .unbound = { NULL, NULL }, CUSTOM

static const struct opt opts[] = {
	{ WORD("key", 1), .parse = key, .repeats = true,
	  .doc = "NAME ADDRESS...: transfers and NOTIFY to and from these servers are signed with this key of tsig." },
};

const struct plugin plugin_peers = {
	.settings = { .name = "peers", .doc = "what CoreDNS does not have, and refuses",
	              .corefile = { "signet", DIRECTIVE_ADDS, NULL }, .size = sizeof(struct peering), .opts = opts,
	              .nopts = COUNT(opts) },
	.steps = { .fast = fast },
	.joined = joined,
};
