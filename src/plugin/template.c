/* template: answers made of a question by templates (plugin/gotext). What a template writes is read as a line of a zone
 * file: one record, or it is a failure. A name's text has its odd bytes escaped, so no name can add to a record. An
 * alias is asked for where it leads. */
#include <stdatomic.h>

#include "base/assert.h"
#include "base/heap.h"
#include "core/metadata.h"
#include "core/sample.h"
#include "plugin/saying.h"
#include "plugin/templating.h"
#include "wire/zonefile.h"

#define RECORD_BYTES_MAX 16384u    /* of one record's text */
#define READING_BYTES_MAX (256u * 1024u)   /* of the reader of zone files */
#define TTL_DEFAULT 3600u
#define LABEL_BYTES_MAX 1000u      /* of a template in a label */

/* ---- numbers ---- */

/* Those that are told apart; all others are "other". */
static const uint16_t types[] = { RR_A, RR_AAAA, RR_ANY, RR_CAA, RR_CNAME, RR_DNSKEY, RR_DS, RR_HTTPS, RR_MX,
	RR_NAPTR,
	                          RR_NS, RR_PTR, RR_SOA, RR_SRV, RR_SVCB, RR_TXT };
#define TYPES (COUNT(types) + 1)
enum class_kind { KIND_IN, KIND_CH, KIND_OTHER, CLASS_KINDS };
static const char *const class_names[CLASS_KINDS] = { "IN", "CH", "other" };

struct live {
	_Atomic uint64_t matches[CLASS_KINDS][TYPES];
	_Atomic uint64_t failures[TEMPLATE_PARTS_MAX], rr_failures[TEMPLATE_PARTS_MAX];
};

static void count_match(struct live *live, const struct question *q)
{
	unsigned type = 0;
	enum class_kind class = q->class == CLASS_IN ? KIND_IN : q->class == CLASS_CH ? KIND_CH : KIND_OTHER;
	while (type < COUNT(types) && types[type] != q->type)
		type++;
	atomic_fetch_add_explicit(&live->matches[class][type], 1, memory_order_relaxed);
}

/* ---- is it for the question ---- */

struct text {
	uint8_t p[NAME_TEXT_MAX];
	size_t n;
};

static void text_make(struct text *t, struct name name)
{
	struct buf b = buf_on(t->p, sizeof(t->p));
	name_text(name, &b);
	t->n = b.n;
	for (size_t i = 0; i < t->n; i++)
		t->p[i] = fold(t->p[i]);
}

/* All that a template may want to know. */
struct asked {
	struct text name, zone;
	struct datum match[FORMULA_GROUPS_MAX];
	struct named_datum vars[FORMULA_VARS_MAX];
	struct formula_run vars_run;       /* where their texts live */
	struct formula_data data;
};

static const struct name *zone_for(const struct templating *s, const struct question *q)
{
	if (s->class != CLASS_ANY && q->class != CLASS_ANY && s->class != q->class)
		return NULL;
	if (s->type != RR_ANY && q->type != RR_ANY && s->type != q->type)
		return NULL;
	return zones_find(&s->zones, q->name);
}

/* The first expression that is found in the name, and what it found. Without any, the whole name. */
static bool match(const struct templating *s, struct asked *a)
{
	struct span groups[FORMULA_GROUPS_MAX], name = a->data.name;
	unsigned n = 1, i = 0;
	groups[0] = name;
	while (i < s->nmatches && !pattern_find(s->matches[i].pattern, name, groups, FORMULA_GROUPS_MAX))
		i++;
	if (s->nmatches > 0 && i == s->nmatches)
		return false;
	a->data.regex = span_text(".*");
	if (s->nmatches > 0) {
		n = MIN(1 + pattern_groups(s->matches[i].pattern), FORMULA_GROUPS_MAX);
		a->data.pattern = s->matches[i].pattern;
		a->data.regex = s->matches[i].text;
	}
	for (unsigned k = 0; k < n; k++)
		a->match[k] = datum_of_text(groups[k]);
	a->data.match = a->match;
	a->data.nmatch = n;
	return true;
}

/* Do the conditions hold? The variables are made on the way; one that cannot be is no value. */
static bool conditions(const struct templating *s, struct asked *a)
{
	formula_begin(&a->vars_run, &a->data);
	a->data.vars = a->vars;
	for (unsigned i = 0; i < s->nvars; i++) {
		a->vars[i] = (struct named_datum){ .name = s->vars[i].name };
		if (formula_value(&a->vars_run, s->var_nodes[i], &a->vars[i].value) != OK)
			a->vars[i].value = (struct datum){ .kind = DATUM_NIL };
		a->data.nvars = i + 1;
	}
	for (unsigned i = 0; i < s->nexprs; i++)
		if (!expr_holds(s->exprs[i], &a->data))
			return false;
	return true;
}

/* ---- the answer ---- */

struct state {
	struct msg m;
	struct rr rrs[TEMPLATE_PARTS_MAX];
	struct name target;        /* of the alias that is asked for */
};

/* One record, and nothing beside it, out of what a template wrote; its bytes from a. */
static enum err record(struct arena *a, struct zonefile *z, struct rr *ret)
{
	struct zonefile_item item;
	zonefile_next(z, &item);
	if (item.kind != ZF_RR)
		return ERR_SYNTAX;
	*ret = item.rr;
	ret->owner = name_dup(a, item.rr.owner);
	ret->rdata = arena_span(a, item.rr.rdata);
	if (ret->owner.wire == NULL || ret->rdata.p == NULL)
		return ERR_LIMIT;
	zonefile_next(z, &item);
	return item.kind == ZF_END ? OK : ERR_SYNTAX;
}

static enum err record_of(struct arena *a, struct span text, struct rr *ret)
{
	struct zonefile_conf conf = { .origin = name_root, .ttl = TTL_DEFAULT, .ttl_known = true, .class = CLASS_IN };
	struct arena reading;
	arena_init(&reading, READING_BYTES_MAX);
	struct zonefile *z = zonefile_new(&reading, text, &conf);
	enum err err = z == NULL ? ERR_LIMIT : record(a, z, ret);
	arena_free(&reading);
	return err;
}

static enum err part_make(const struct link *l, struct query *q, const struct asked *a, unsigned i, struct rr *ret)
{
	const struct template_part *p = &((const struct templating *)l->self)->parts[i];
	struct live *live = l->live;
	struct formula_run run;
	uint8_t text[RECORD_BYTES_MAX];
	struct buf b = buf_on(text, sizeof(text) - 1);
	formula_begin(&run, &a->data);
	enum err err = formula_write(&run, p->list, &b);
	if (err != OK) {
		atomic_fetch_add_explicit(&live->failures[i], 1, memory_order_relaxed);
		return err;
	}
	b.cap++;
	buf_u8(&b, '\n');
	err = record_of(&q->arena, buf_span(&b), ret);
	if (err != OK)
		atomic_fetch_add_explicit(&live->rr_failures[i], 1, memory_order_relaxed);
	ret->section = p->section;
	return err;
}

static enum verdict say(const struct templating *s, struct query *q, struct state *st)
{
	st->m.question = q->question;
	if (s->ede >= 0) {
		struct ede ede = { .code = (uint16_t)s->ede };
		if (s->ede_text != NULL)
			ede.text = span_text(s->ede_text);
		st->m.edns.ede[0] = ede;
		st->m.edns.nede = 1;
	}
	if (saying_query_msg(&st->m, ORIGIN_LOCAL, q) != ANSWERED || q->err != OK)
		return ANSWERED;
	struct packed *own = arena_dup(&q->arena, q->answer, q->answer->size);
	if (own == NULL)
		return query_fail_err(q, ERR_LIMIT);
	own->flags |= PACKED_OWN;
	q->answer = own;
	return ANSWERED;
}

/* An alias, where an address was asked for: WAIT, until it is known what there is where it leads. */
static bool follow(struct query *q, struct state *st)
{
	const struct rr *alias = NULL;
	if (q->question.type != RR_A && q->question.type != RR_AAAA)
		return false;
	for (size_t i = 0; i < st->m.nrrs; i++) {
		const struct rr *rr = &st->rrs[i];
		if (rr->section == SEC_ANSWER && rr->type == q->question.type)
			return false;
		if (rr->section == SEC_ANSWER && rr->type == RR_CNAME)
			alias = rr;
	}
	if (alias == NULL || name_from_wire(alias->rdata, &st->target) != OK)
		return false;
	struct question next = { st->target, q->question.type, q->question.class };
	return query_ask(q, DOOR_TOP, &next) == OK;
}

static enum verdict answer(const struct link *l, struct query *q, const struct asked *a)
{
	const struct templating *s = l->self;
	struct state *st = query_state(q, sizeof(*st));
	if (st == NULL)
		return query_fail_err(q, ERR_LIMIT);
	st->m = (struct msg){ .flags = FLAG_QR | FLAG_AA | FLAG_RA, .rcode = s->rcode, .rrs = st->rrs };
	for (unsigned i = 0; i < s->nparts; i++) {
		enum err err = part_make(l, q, a, i, &st->rrs[i]);
		if (err == OK) {
			st->m.nrrs++;
			continue;
		}
		q->err = err;
		return query_fail(q, RCODE_SERVFAIL, EDE_OTHER, "a template came to no record");
	}
	return follow(q, st) ? WAIT : say(s, q, st);
}

static enum verdict wake(const struct link *l, struct query *q, const struct query *child)
{
	struct state *st = q->state[q->place];
	struct msg more;
	ASSERT(st != NULL);
	if (child == NULL)
		return WAIT;
	struct question asked = { st->target, q->question.type, q->question.class };
	const struct packed *copy = child->answer == NULL ? NULL : packed_dup(&q->arena, child->answer);
	if (copy == NULL || child->err != OK || packed_parse(&q->arena, copy, &asked, &more) != OK)
		return say(l->self, q, st);   /* the alias alone is true still */
	struct rr *rrs = ARENA_ARRAY(&q->arena, struct rr, st->m.nrrs + more.nrrs);
	if (rrs == NULL)
		return query_fail_err(q, ERR_LIMIT);
	size_t n = st->m.nrrs;
	memcpy(rrs, st->m.rrs, n * sizeof(*rrs));
	for (size_t i = 0; i < more.nrrs; i++)
		if (more.rrs[i].section == SEC_ANSWER)
			rrs[n++] = more.rrs[i];
	st->m.rrs = rrs;
	st->m.nrrs = n;
	return say(l->self, q, st);
}

static enum verdict request(const struct link *l, struct query *q)
{
	const struct templating *s = l->self;
	const struct name *zone = zone_for(s, &q->question);
	struct asked a;
	if (zone == NULL)
		return PASS;
	text_make(&a.name, q->question.name);
	text_make(&a.zone, *zone);
	struct metadata_ask told = { q->chain, q->engine, q->client, &q->question };
	a.data = (struct formula_data){ .question = &q->question, .client = q->client, .told = &told,
		                        .name = span_of(a.name.p, a.name.n), .zone = span_of(a.zone.p, a.zone.n) };
	if (!match(s, &a) || !conditions(s, &a)) {
		if (s->falls && zones_find(&s->fall_zones, q->question.name) != NULL)
			return PASS;
		return query_fail(q, RCODE_SERVFAIL, -1, NULL);
	}
	count_match(l->live, &q->question);
	if (s->rcode == RCODE_SERVFAIL)
		return query_fail(q, RCODE_SERVFAIL, s->ede, s->ede_text);
	return answer(l, q, &a);
}

static enum verdict fast(const struct link *l, struct fast *f)
{
	return zone_for(l->self, &f->client->question) == NULL ? PASS : SLOW;
}

static bool personal(const struct link *l, const struct question *q)
{
	const struct templating *s = l->self;
	return s->personal && zone_for(s, q) != NULL;
}

/* ---- numbers told ---- */

static void live_text(const void *self, struct buf *to)
{
	buf_uint(to, ((const struct templating *)self)->mark);
}

static void *live_make(const void *self, const struct live_env *env)
{
	(void)self;
	(void)env;
	return heap_new(sizeof(struct live));
}

static const char *type_text(struct samples *to, uint16_t type)
{
	char text[16];
	struct buf b = buf_on(text, sizeof(text));
	rrtype_text(type, &b);
	const char *kept = arena_text(to->arena, span_text(buf_cstr(&b)));
	return kept == NULL ? "other" : kept;
}

/* In the form of a label's value. */
static const char *label_text(struct samples *to, const char *text)
{
	char *store = arena_alloc(to->arena, 2 * LABEL_BYTES_MAX + 1);
	struct buf b = buf_on(store, 2 * LABEL_BYTES_MAX + 1);
	if (store == NULL)
		return "";
	for (size_t i = 0; text[i] != 0 && i < LABEL_BYTES_MAX; i++) {
		if (text[i] == '"' || text[i] == '\\' || text[i] == '\n')
			buf_u8(&b, '\\');
		buf_u8(&b, text[i] == '\n' ? 'n' : (uint8_t)text[i]);
	}
	return buf_cstr(&b);
}

static const struct family matched = { .name = "coredns_template_matches_total", .type = SAMPLE_COUNTER,
	                               .help = "Counter of template regex matches." };
static const struct family failed = { .name = "coredns_template_template_failures_total", .type = SAMPLE_COUNTER,
	                              .help = "Counter of go template failures." };
static const struct family rr_failed = { .name = "coredns_template_rr_failures_total", .type = SAMPLE_COUNTER,
	                                 .help = "Counter of mis-templated RRs." };

static void part_samples(const struct link *l, unsigned i, const struct sample_labels *where, struct samples *to)
{
	static const char *const sections[] = { "answer", "authority", "additional" };
	const struct templating *s = l->self;
	const struct template_part *p = &s->parts[i];
	struct live *live = l->live;
	const char *class = s->class == CLASS_IN ? "IN" : s->class == CLASS_ANY ? "ANY" : "CH";
	const char *labels = arena_printf(to->arena, "%s,class=\"%s\",type=\"%s\",section=\"%s\",template=\"%s\"",
	                                  where->zone_view, class, type_text(to, s->type), sections[p->section],
	                                  label_text(to, p->text));
	if (labels == NULL)
		return;
	sample_add(to, &failed, live->failures[i], where->server, labels);
	sample_add(to, &rr_failed, live->rr_failures[i], where->server, labels);
}

static void samples(const struct link *l, const struct sample_labels *where, struct samples *to)
{
	const struct templating *s = l->self;
	struct live *live = l->live;
	for (unsigned c = 0; c < CLASS_KINDS; c++) {
		for (unsigned t = 0; t < TYPES; t++) {
			uint64_t n = live->matches[c][t];
			const char *labels = n == 0 ? NULL
				: arena_printf(to->arena, "%s,class=\"%s\",type=\"%s\"", where->zone_view,
					class_names[c],
			                       t < COUNT(types) ? type_text(to, types[t]) : "other");
			if (labels != NULL)
				sample_add(to, &matched, n, where->server, labels);
		}
	}
	for (unsigned i = 0; i < s->nparts; i++)
		part_samples(l, i, where, to);
}

const struct plugin plugin_template = {
	.settings = { .name = "template", .doc = "answers made of the question",
	              .corefile = { .directive = "template", .many = DIRECTIVE_EACH, .head = templating_head },
	              .size = sizeof(struct templating), .opts = templating_opts, .nopts = TEMPLATING_OPTS },
	.steps = { .request = request, .wake = wake, .fast = fast, .personal = personal },
	.live_text = live_text, .live_make = live_make, .live_free = heap_free,
	.samples = samples,
};
