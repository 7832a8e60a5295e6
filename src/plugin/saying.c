#include "plugin/saying.h"

#define ARENA_MAX 65536u
#define TEXT_BYTES_MAX 255u   /* of one character-string (RFC1035 3.3) */

void saying_open(struct saying *s, const struct question *q, unsigned flags)
{
	s->m = (struct msg){ .flags = (uint16_t)(FLAG_QR | FLAG_RA | flags), .question = *q, .rrs = s->rrs };
	s->used = 0;
	s->origin = ORIGIN_LOCAL;
}

uint8_t *saying_keep(struct saying *s, const void *p, size_t n)
{
	if (n > sizeof(s->bytes) - s->used)
		return NULL;
	uint8_t *to = s->bytes + s->used;
	memcpy(to, p, n);
	s->used += n;
	return to;
}

struct rr *saying_add(struct saying *s, uint16_t type, uint32_t ttl, struct span rdata)
{
	struct rr *rr = &s->rrs[MIN(s->m.nrrs, SAYING_RRS_MAX - 1)];
	*rr = (struct rr){ .owner = s->m.question.name, .type = type, .class = s->m.question.class, .ttl = ttl,
	                   .rdata = rdata, .section = SEC_ANSWER };
	s->m.nrrs = MIN(s->m.nrrs + 1, SAYING_RRS_MAX);
	return rr;
}

struct rr *saying_add_text(struct saying *s, uint16_t type, uint32_t ttl, const char *const *texts, unsigned n)
{
	uint8_t *from = s->bytes + s->used;
	size_t used = s->used;
	for (unsigned i = 0; i < n; i++) {
		uint8_t len = (uint8_t)MIN(strlen(texts[i]), TEXT_BYTES_MAX);
		if (saying_keep(s, &len, 1) == NULL || saying_keep(s, texts[i], len) == NULL) {
			s->used = used;
			break;
		}
	}
	return saying_add(s, type, ttl, span_of(from, s->used - used));
}

static enum err pack(const struct msg *m, enum origin origin, struct arena *a, const struct packed **ret)
{
	struct pack_conf conf = pack_as_is;
	conf.origin = origin;
	return packed_make(a, &m->question, m, &conf, ret);
}

enum verdict saying_query_msg(const struct msg *m, enum origin origin, struct query *q)
{
	enum err err = pack(m, origin, &q->arena, &q->answer);
	return err == OK ? ANSWERED : query_fail_err(q, err);
}

enum verdict saying_fast_msg(const struct msg *m, enum origin origin, struct fast *f)
{
	struct arena a;
	const struct packed *p;
	arena_init(&a, ARENA_MAX);
	enum verdict v = pack(m, origin, &a, &p) == OK ? fast_answer(f, p) : SLOW;
	arena_free(&a);
	return v;
}

enum verdict saying_query(const struct saying *s, struct query *q)
{
	return saying_query_msg(&s->m, (enum origin)s->origin, q);
}

enum verdict saying_fast(const struct saying *s, struct fast *f)
{
	return saying_fast_msg(&s->m, (enum origin)s->origin, f);
}

enum verdict saying_fast_error(struct fast *f, unsigned rcode, struct reason why)
{
	f->rcode = rcode;
	return reply_error(f->reply, f->client, rcode, why, f->out) == OK ? ANSWERED : DROP;
}
