/* zoneacl: a Corefile's acl: what clients of some networks may ask for below some zones. The first line that fits
 * decides; what none fits is allowed. It stands before the cache, which so gives nobody what he may not have, and
 * behind rewrite: what is asked for in the end is judged, by its name and its type. So is, on the way up, where
 * aliases of our own lead: what may not be asked for is not to be had by another name either. */
#include <stdatomic.h>

#include "base/heap.h"
#include "core/sample.h"
#include "plugin/arguments.h"
#include "plugin/saying.h"
#include "plugin/zones.h"

#define EDE_BLOCKED 15         /* RFC8914 4.16 */
#define EDE_FILTERED 17        /* RFC8914 4.18 */

enum action { ACTION_ALLOW, ACTION_BLOCK, ACTION_FILTER, ACTION_DROP, ACTIONS };

static const char *const action_words[ACTIONS] = { "allow", "block", "filter", "drop" };

struct acl_line {
	struct acl_line *next;
	enum action action;
	const uint16_t *types;     /* NULL: all */
	unsigned ntypes;
	const struct prefix *nets; /* NULL: all */
	unsigned nnets;
};

struct acl_stanza {
	struct acl_stanza *next;
	struct zone_list zones;
	struct acl_line *lines, **last;
};

struct zoneacl {
	struct acl_stanza *stanzas, *latest;
};

struct acl_parse {
	struct arena *arena;
	struct diag *diag;
};

/* Of one worker, on a cache line of its own. */
struct tally {
	_Alignas(64) _Atomic uint64_t n[ACTIONS];
};

struct live {
	uint32_t workers;
	struct tally tallies[];
};

/* ---- who may ---- */

static bool fits(const struct acl_line *l, uint16_t type, const struct addr *from)
{
	bool of_type = l->types == NULL, of_net = l->nets == NULL;
	for (unsigned i = 0; i < l->ntypes && !of_type; i++)
		of_type = l->types[i] == type;
	for (unsigned i = 0; i < l->nnets && of_type && !of_net; i++)
		of_net = prefix_holds(&l->nets[i], from);
	return of_type && of_net;
}

static enum action judge(const struct zoneacl *s, const struct client *c, const struct question *q)
{
	for (const struct acl_stanza *z = s->stanzas; z != NULL; z = z->next) {
		const struct acl_line *line = zones_find(&z->zones, q->name) == NULL ? NULL : z->lines;
		while (line != NULL && !fits(line, q->type, &c->from))
			line = line->next;
		if (line != NULL)
			return line->action;
	}
	return ACTION_ALLOW;
}

static enum action counted(const struct link *l, const struct engine *e, enum action action)
{
	struct live *live = l->live;
	_Atomic uint64_t *n = &live->tallies[e->worker % live->workers].n[action];
	atomic_store_explicit(n, atomic_load_explicit(n, memory_order_relaxed) + 1, memory_order_relaxed);
	return action;
}

static enum verdict act(struct query *q, enum action action)
{
	switch (action) {
	case ACTION_ALLOW: break;
	case ACTION_BLOCK: return query_fail(q, RCODE_REFUSED, EDE_BLOCKED, NULL);
	case ACTION_FILTER: return query_fail(q, RCODE_NOERROR, EDE_FILTERED, NULL);
	case ACTION_DROP: return DROP;
	case ACTIONS: break;
	}
	return PASS;
}

static enum verdict request(const struct link *l, struct query *q)
{
	if (q->client == NULL)
		return PASS;
	return act(q, counted(l, q->engine, judge(l->self, q->client, &q->question)));
}

/* Asked by a step above this one (rewrite), or by another block's: its client stands here as if it had come itself. */
static bool admits(const struct link *l, const struct engine *e, const struct client *c, const struct question *asked)
{
	enum action action = judge(l->self, c, asked);
	if (action != ACTION_ALLOW)
		counted(l, e, action);
	return action == ACTION_ALLOW;
}

/* What upstreams say of aliases is theirs; what we looked up for one is judged as if it had been asked for. */
static enum verdict response(const struct link *l, struct query *q)
{
	const struct packed *p = q->answer;
	struct msg m;
	if (q->client == NULL || p == NULL || p->origin == ORIGIN_UPSTREAM || !packed_has_alias(p, &q->question))
		return PASS;
	if (packed_parse(&q->arena, p, &q->question, &m) != OK)
		return query_fail_err(q, ERR_LIMIT);
	for (size_t i = 0; i < m.nrrs; i++) {
		const struct rr *rr = &m.rrs[i];
		struct question had = { rr->owner, q->question.type, q->question.class };
		if (rr->section != SEC_ANSWER || rr->type == RR_DNAME || rr->type == RR_RRSIG ||
		    name_eq(rr->owner, q->question.name))
			continue;
		enum action action = judge(l->self, q->client, &had);
		if (action != ACTION_ALLOW)
			return act(q, counted(l, q->engine, action));
	}
	return PASS;
}

static enum verdict fast(const struct link *l, struct fast *f)
{
	switch (counted(l, f->engine, judge(l->self, f->client, &f->client->question))) {
	case ACTION_ALLOW: break;
	case ACTION_BLOCK: return saying_fast_error(f, RCODE_REFUSED, (struct reason){ EDE_BLOCKED, NULL });
	case ACTION_FILTER: return saying_fast_error(f, RCODE_NOERROR, (struct reason){ EDE_FILTERED, NULL });
	case ACTION_DROP: return DROP;
	case ACTIONS: break;
	}
	return PASS;
}

/* ---- settings ---- */

static void joined(void *self, struct chain *chain, struct arena *a, struct diag *diag)
{
	(void)self;
	(void)a;
	(void)diag;
	chain->judges_aliases = true;
}

static void head(void *self, const struct directive *d, struct arena *a, struct diag *diag)
{
	struct zoneacl *s = self;
	struct acl_stanza *z = ARENA_NEW(a, struct acl_stanza);
	if (z == NULL)
		return;
	z->zones = zones_read(d, 0, a, diag);
	z->last = &z->lines;
	if (s->latest == NULL)
		s->stanzas = z;
	else
		s->latest->next = z;
	s->latest = z;
}

static bool is_section(const char *text)
{
	return strcmp(text, "type") == 0 || strcmp(text, "net") == 0;
}

/* Words from `from` to the next section, or "*" among them: then all is meant. returns how many, or 0 */
static unsigned section_words(const struct directive *d, unsigned from, bool *ret_all)
{
	unsigned n = 0;
	for (; from + n < d->nargs && !is_section(d->args[from + n].text); n++)
		*ret_all |= strcmp(d->args[from + n].text, "*") == 0;
	return n;
}

static void types_read(struct acl_line *l, const struct directive *d, unsigned from, unsigned n, struct acl_parse *p)
{
	uint16_t *types = ARENA_ARRAY(p->arena, uint16_t, n);
	for (unsigned i = 0; i < n && types != NULL; i++) {
		const struct word *w = &d->args[from + i];
		if (rrtype_from_text(span_text(w->text), &types[i]) != OK)
			diag_error(p->diag, d->file, w->line, w->column,
			           "unexpected token \"%s\"; expect legal QTYPE", w->text);
	}
	l->types = types;
	l->ntypes = n;
}

static void nets_read(struct acl_line *l, const struct directive *d, unsigned from, unsigned n, struct acl_parse *p)
{
	struct prefix *nets = ARENA_ARRAY(p->arena, struct prefix, n);
	for (unsigned i = 0; i < n && nets != NULL; i++) {
		const struct word *w = &d->args[from + i];
		if (prefix_parse(span_text(w->text), &nets[i]) != OK)
			diag_error(p->diag, d->file, w->line, w->column, "illegal CIDR notation \"%s\"", w->text);
	}
	l->nets = nets;
	l->nnets = n;
}

/* [type QTYPE...] [net CIDR...] */
static void sections_read(struct acl_line *l, const struct directive *d, struct acl_parse *p)
{
	for (unsigned i = 0, n; i < d->nargs; i += 1 + n) {
		const struct word *w = &d->args[i];
		bool all = false;
		n = section_words(d, i + 1, &all);
		if (!is_section(w->text)) {
			diag_error(p->diag, d->file, w->line, w->column,
			           "unexpected token \"%s\"; expect 'type | net'", w->text);
			return;
		}
		if (n == 0)
			diag_error(p->diag, d->file, w->line, w->column,
			           "no token specified in \"%s\" section", w->text);
		else if (!all && strcmp(w->text, "type") == 0)
			types_read(l, d, i + 1, n, p);
		else if (!all)
			nets_read(l, d, i + 1, n, p);
	}
}

static void line(void *self, const struct directive *d, struct arena *a, struct diag *diag)
{
	struct zoneacl *s = self;
	struct acl_parse p = { a, diag };
	struct acl_line *l = ARENA_NEW(a, struct acl_line);
	if (l == NULL || s->latest == NULL)
		return;
	while (l->action < ACTIONS && strcmp(action_words[l->action], d->word.text) != 0)
		l->action++;
	if (l->action == ACTIONS) {
		diag_error(diag, d->file, d->word.line, d->word.column,
		           "unexpected token \"%s\"; expect 'allow', 'block', 'filter' or 'drop'", d->word.text);
		return;
	}
	sections_read(l, d, &p);
	*s->latest->last = l;
	s->latest->last = &l->next;
}

/* ---- lives ---- */

static size_t live_size(uint32_t workers)
{
	return sizeof(struct live) + workers * sizeof(struct tally);
}

static void *live_make(const void *self, const struct live_env *env)
{
	uint32_t workers = MAX(env->workers, 1u);
	struct live *live = heap_pages(live_size(workers));
	(void)self;
	live->workers = workers;
	return live;
}

static void live_free(void *self)
{
	struct live *live = self;
	heap_pages_free(live, live_size(live->workers));
}

#define COUNTS(word) { .name = "coredns_acl_" word "_requests_total", .type = SAMPLE_COUNTER, \
	               .help = "Counter of DNS requests being " word "." }

static void samples(const struct link *l, const struct sample_labels *where, struct samples *to)
{
	static const struct family families[ACTIONS] = {
		[ACTION_ALLOW] = COUNTS("allowed"), [ACTION_BLOCK] = COUNTS("blocked"),
		[ACTION_FILTER] = COUNTS("filtered"), [ACTION_DROP] = COUNTS("dropped"),
	};
	const struct live *live = l->live;
	for (unsigned i = 0; i < ACTIONS; i++) {
		uint64_t n = 0;
		for (uint32_t w = 0; w < live->workers; w++)
			n += atomic_load_explicit(&live->tallies[w].n[i], memory_order_relaxed);
		sample_add(to, &families[i], n, where->server, i == ACTION_ALLOW ? where->view : where->zone_view);
	}
}

#define ROW(w, text) { .corefile = { w, 1, NULL }, .type = OPT_CUSTOM, .parse = line, .repeats = true, .doc = text }

static const struct opt opts[] = {
	ROW("allow", "[type QTYPE...] [net CIDR...]: these may ask."),
	ROW("block", "The same: these are refused."),
	ROW("filter", "The same: these get an empty answer."),
	ROW("drop", "The same: these get no answer at all."),
	ROW("*", "Any other word is an error."),
};

const struct plugin plugin_zoneacl = {
	.settings = { .name = "acl", .doc = "who may ask for what",
	              .corefile = { .directive = "acl", .many = DIRECTIVE_ADDS, .head = head },
	              .size = sizeof(struct zoneacl), .opts = opts, .nopts = COUNT(opts) },
	.steps = { .request = request, .response = response, .fast = fast, .admits = admits },
	.joined = joined,
	.live_make = live_make, .live_free = live_free,
	.samples = samples,
};
