#include "core/lookup.h"

#include "core/engine.h"

#define ANSWER_ARENA_MAX (256u * 1024u)

bool lookup_needed(const char *url, struct span *ret_host)
{
	const char *at = strstr(url, "://");
	struct addr a;
	if (at == NULL || at[3] == '[')
		return false;
	struct span host = span_of(at + 3, strcspn(at + 3, ":/?#@"));
	if (host.n == 0 || addr_parse(host, 0, &a) == OK)
		return false;
	*ret_host = host;
	return true;
}

static bool is_localhost(struct name n)
{
	static const uint8_t wire[] = "\11localhost";
	return name_below(n, (struct name){ wire, sizeof(wire), 1 });
}

enum err lookup_begin(struct lookup *l, struct engine *e, const struct chain *chain, struct span host, uint64_t fetch)
{
	static const uint16_t types[] = { RR_A, RR_AAAA };
	uint8_t store[NAME_MAX_BYTES];
	struct question q = { .class = CLASS_IN };
	*l = (struct lookup){ 0 };
	if (host.n >= sizeof(l->host) || name_from_text(host, &name_root, store, &q.name) != OK)
		return ERR_NAME;
	memcpy(l->host, host.p, host.n);
	if (is_localhost(q.name)) {
		l->addrs[l->naddrs++] = (struct addr){ .family = ADDR_4, .ip = { 127, 0, 0, 1 } };
		l->addrs[l->naddrs++] = (struct addr){ .family = ADDR_6, .ip = { [15] = 1 } };
		return OK;
	}
	for (unsigned i = 0; i < COUNT(types); i++) {
		q.type = types[i];
		enum err err = ask_lookup(e, chain_for(chain, &q), &q, fetch);
		if (err != OK && l->waiting == 0)
			return err;
		l->waiting += err == OK;
	}
	return OK;
}

/* What the records that answer the question say, behind whatever aliases. */
static void take_addresses(struct lookup *l, const struct msg *m, uint16_t type)
{
	for (unsigned i = 0; i < m->nrrs && l->naddrs < FETCH_ADDRS_MAX; i++) {
		const struct rr *rr = &m->rrs[i];
		size_t n = type == RR_A ? 4 : 16;
		if (rr->section != SEC_ANSWER || rr->type != type || rr->rdata.n != n)
			continue;
		struct addr *a = &l->addrs[l->naddrs++];
		a->family = type == RR_A ? ADDR_4 : ADDR_6;
		memcpy(a->ip, rr->rdata.p, n);
	}
}

static void say_why(struct lookup *l, const struct query *q)
{
	struct buf b = buf_on(l->why, sizeof(l->why));
	unsigned rcode = q->answer == NULL ? RCODE_SERVFAIL : q->answer->rcode;
	buf_printf(&b, "%s: ", l->host);
	if (rcode == RCODE_NXDOMAIN)
		buf_text(&b, "there is no such name");
	else if (rcode == RCODE_NOERROR)
		buf_text(&b, "it has no address");
	else
		buf_printf(&b, "its addresses cannot be looked up (%s)", q->err != OK ? err_text(q->err) : "no answer");
	buf_cstr(&b);
}

void lookup_take(struct lookup *l, const struct query *q)
{
	struct arena a;
	struct msg m;
	ASSERT(l->waiting > 0);
	l->waiting--;
	say_why(l, q);
	if (q->answer == NULL || q->answer->rcode != RCODE_NOERROR)
		return;
	arena_init(&a, ANSWER_ARENA_MAX);
	if (packed_parse(&a, q->answer, &q->question, &m) == OK)
		take_addresses(l, &m, q->question.type);
	arena_free(&a);
}
