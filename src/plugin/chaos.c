#include "plugin/chaos.h"

#include "plugin/saying.h"

#define TEXT_BYTES_MAX 255u /* of one character-string (RFC1035 3.3) */

struct chaos {
	bool hide_identity, hide_version, hide_anchors;
	const char *identity, *version, *host;
	/* A Corefile's: what is asked for here and is not known is the next plugin's. */
	bool corefile;
	const struct word *authors;
	unsigned nauthors;
};

enum topic { TOPIC_IDENTITY, TOPIC_VERSION, TOPIC_ANCHORS, TOPIC_AUTHORS };

static const struct {
	const char *name;
	enum topic topic;
} topics[] = {
	{ "id.server", TOPIC_IDENTITY }, /* RFC4892 */
	{ "hostname.bind", TOPIC_IDENTITY }, { "version.server", TOPIC_VERSION },
	{ "version.bind", TOPIC_VERSION },   { "trustanchor.unbound", TOPIC_ANCHORS },
	{ "authors.bind", TOPIC_AUTHORS },
};

static enum verdict answer_text(struct query *q, const char *text)
{
	uint8_t bytes[1 + TEXT_BYTES_MAX];
	size_t n = MIN(strlen(text), TEXT_BYTES_MAX);
	bytes[0] = (uint8_t)n;
	memcpy(bytes + 1, text, n);
	struct rr rr = { .owner = q->question.name,
		         .type = RR_TXT,
		         .class = CLASS_CH,
		         .rdata = span_of(bytes, 1 + n),
		         .section = SEC_ANSWER };
	struct msg m = { .flags = FLAG_RA, .question = q->question, .rrs = &rr, .nrrs = 1 };
	struct pack_conf conf = { .keep_flags = true, .origin = ORIGIN_LOCAL };
	enum err err = packed_make(&q->arena, &q->question, &m, &conf, &q->answer);
	return err == OK ? ANSWERED : query_fail_err(q, err);
}

/* One of them comes first as often as another. */
static enum verdict answer_authors(const struct chaos *c, struct query *q)
{
	struct saying s;
	saying_open(&s, &q->question, 0);
	unsigned first = c->nauthors == 0 ? 0 : rng_below(&q->engine->rng, c->nauthors);
	for (unsigned i = 0; i < c->nauthors; i++)
		saying_add_text(&s, RR_TXT, 0, &c->authors[(first + i) % c->nauthors].text, 1);
	return saying_query(&s, q);
}

static bool is_topic(const struct chaos *c, enum topic topic)
{
	return c->corefile ? topic != TOPIC_ANCHORS && (topic != TOPIC_AUTHORS || c->nauthors > 0)
	                   : topic != TOPIC_AUTHORS;
}

static enum verdict answer(const struct chaos *c, struct query *q, enum topic topic)
{
	bool hidden = topic == TOPIC_IDENTITY  ? c->hide_identity
	              : topic == TOPIC_VERSION ? c->hide_version
	                                       : c->hide_anchors;
	if (hidden)
		return query_fail(q, RCODE_REFUSED, -1, NULL);
	switch (topic) {
	case TOPIC_IDENTITY: return answer_text(q, c->identity[0] != 0 || c->host == NULL ? c->identity : c->host);
	case TOPIC_VERSION: return answer_text(q, c->version[0] != 0 ? c->version : "signet " SIGNET_VERSION);
	case TOPIC_ANCHORS: break;
	case TOPIC_AUTHORS: return answer_authors(c, q);
	}
	return query_fail(q, RCODE_NOERROR, -1, NULL); /* no anchors: nothing is validated */
}

/* IN, or any class, which is IN as well (plugin/recursion). */
static bool is_others(uint16_t class)
{
	return class == CLASS_IN || class == CLASS_ANY;
}

static enum verdict request(const struct link *l, struct query *q)
{
	if (is_others(q->question.class))
		return PASS;
	bool text = q->question.type == RR_TXT || q->question.type == RR_ANY;
	for (unsigned i = 0; i < COUNT(topics) && text && q->question.class == CLASS_CH; i++) {
		uint8_t store[NAME_MAX_BYTES];
		struct name n;
		if (name_from_text(span_text(topics[i].name), NULL, store, &n) == OK &&
		    name_eq(n, q->question.name) && is_topic(l->self, topics[i].topic))
			return answer(l->self, q, topics[i].topic);
	}
	return ((const struct chaos *)l->self)->corefile ? PASS : query_fail(q, RCODE_REFUSED, -1, NULL);
}

/* [VERSION [AUTHORS...]] */
static void head(void *self, const struct directive *d, struct arena *a, struct diag *diag)
{
	struct chaos *c = self;
	(void)a;
	(void)diag;
	c->corefile = true;
	if (d->nargs > 0)
		c->version = d->args[0].text;
	c->nauthors = d->nargs > 1 ? MIN(d->nargs - 1, SAYING_RRS_MAX) : 0;
	c->authors = d->args + 1;
}

static enum verdict fast(const struct link *l, struct fast *f)
{
	(void)l;
	return is_others(f->client->question.class) ? PASS : SLOW;
}

void chaos_host(void *self, const char *host)
{
	((struct chaos *)self)->host = host;
}

#define T struct chaos

static const struct opt opts[] = {
	{ .unbound = { "hide-identity", "no" },
	  BOOL(T, hide_identity),
	  .doc = "Refuse to answer id.server and hostname.bind." },
	{ .unbound = { "hide-version", "no" },
	  BOOL(T, hide_version),
	  .doc = "Refuse to answer version.server and version.bind." },
	{ .unbound = { "hide-trustanchor", "no" },
	  BOOL(T, hide_anchors),
	  .doc = "Refuse to answer trustanchor.unbound." },
	{ .unbound = { "identity", "" },
	  TEXT(T, identity),
	  .doc = "What id.server and hostname.bind say; empty is the host's name." },
	{ .unbound = { "version", "" },
	  TEXT(T, version),
	  .doc = "What version.server and version.bind say; empty is the program's version." },
};

const struct plugin plugin_chaos = {
	.settings = { .name = "chaos",
	              .doc = "who answers: id.server and its like",
	              .clause = "server",
	              .corefile = { "chaos", DIRECTIVE_ONCE, head },
	              .size = sizeof(T),
	              .opts = opts,
	              .nopts = COUNT(opts) },
	.steps = { .request = request, .fast = fast },
};
