#include "core/cluster_blob.h"

#define HEAD_BYTES 12u          /* of a record behind a pointer: that, type, class, TTL, length */
#define QUESTION_AT (0xc000u | MSG_HEADER)
#define SOA_NS "\2ns\3dns"
#define SOA_MAIL "\12hostmaster"
#define SOA_BYTES (sizeof(SOA_NS) - 1 + 2 + sizeof(SOA_MAIL) - 1 + 2 + 20)

static size_t message_room(const struct cluster_ask *ask)
{
	return MSG_MAX - MSG_HEADER - ask->q->name.len - 4u - 512u;   /* that much for OPT */
}

size_t cluster_blob_fits(const struct cluster_ask *ask, size_t size)
{
	size_t most = MIN(message_room(ask) / (HEAD_BYTES + size), PACKED_TTLS_MAX);
	return ask->fits == 0 ? most : MIN(ask->fits / (HEAD_BYTES + size), most);
}

/* A blob of n records of `bytes` in all. */
static struct packed *blob_new(struct arena *a, const struct cluster_ask *ask, size_t bytes, size_t n)
{
	size_t size = sizeof(struct packed) + (bytes + 1) / 2 * 2 + 2 * n;
	struct packed *p = (struct packed *)(void *)ask->room;
	if (size > ask->nroom)
		p = arena_alloc(a, size);
	if (p == NULL)
		return NULL;
	*p = (struct packed){
		.size = (uint32_t)size, .flags = (uint16_t)(FLAG_AA | ask->flags), .origin = ORIGIN_CLUSTER,
		.nttls = (uint16_t)n, .qname_len = ask->q->name.len, .records = (uint16_t)bytes,
	};
	if (bytes % 2 != 0)
		((uint8_t *)(p + 1))[bytes] = 0;
	return p;
}

static uint16_t *ttl_table(struct packed *p)
{
	return (uint16_t *)(void *)((uint8_t *)(p + 1) + (p->records + 1u) / 2 * 2);
}

/* type, class, TTL and length behind a pointer. returns where the data goes */
static uint8_t *put_head(uint8_t *at, unsigned pointer, const struct rr *rr)
{
	put_u16(at, (uint16_t)pointer);
	put_u16(at + 2, rr->type);
	put_u16(at + 4, CLASS_IN);
	put_u32(at + 6, rr->ttl);
	put_u16(at + 10, (uint16_t)rr->rdata.n);
	return at + HEAD_BYTES;
}

enum err cluster_blob_addrs(struct arena *a, const struct cluster_ask *ask, const struct cluster_addrs *addrs,
                            const struct packed **ret)
{
	size_t size = addrs->size, n = addrs->ips.n / size, each = HEAD_BYTES + size;
	struct packed *p = blob_new(a, ask, n * each, n);
	if (p == NULL)
		return ERR_LIMIT;
	struct rr rr = { .type = ask->q->type, .ttl = ask->terms->ttl, .rdata = { NULL, size } };
	uint8_t *at = (uint8_t *)(p + 1);
	uint16_t *ttls = ttl_table(p);
	for (size_t i = 0; i < n; i++, at += each) {
		memcpy(put_head(at, QUESTION_AT, &rr), addrs->ips.p + i * size, size);
		ttls[i] = (uint16_t)(i * each + 6);
	}
	p->flags |= addrs->cut ? FLAG_TC : 0;
	p->ttl = ask->terms->ttl;
	p->counts[0] = p->counts_plain[0] = (uint16_t)n;
	p->servers_at = p->additional_at = p->records;
	if (n > 1 && n <= UINT8_MAX) {
		p->rotate_n = (uint8_t)n;
		p->rotate_size = (uint16_t)each;
	}
	*ret = p;
	return OK;
}

enum err cluster_blob_none(struct arena *a, const struct cluster_ask *ask, unsigned rcode, const struct packed **ret)
{
	uint32_t ttl = MIN(ask->terms->ttl, CLUSTER_SOA_TTL_MAX);
	unsigned zone = QUESTION_AT + ask->q->name.len - ask->zone.len;
	struct rr rr = { .type = RR_SOA, .ttl = ttl, .rdata = { NULL, SOA_BYTES } };
	struct packed *p = blob_new(a, ask, HEAD_BYTES + SOA_BYTES, 1);
	if (p == NULL)
		return ERR_LIMIT;
	struct buf b = buf_on(put_head((uint8_t *)(p + 1), zone, &rr), SOA_BYTES);
	buf_put(&b, SOA_NS, sizeof(SOA_NS) - 1);
	buf_u16(&b, (uint16_t)zone);
	buf_put(&b, SOA_MAIL, sizeof(SOA_MAIL) - 1);
	buf_u16(&b, (uint16_t)zone);
	buf_u32(&b, cluster_answer_serial(ask));
	buf_u32(&b, CLUSTER_SOA_REFRESH);
	buf_u32(&b, CLUSTER_SOA_RETRY);
	buf_u32(&b, CLUSTER_SOA_EXPIRE);
	buf_u32(&b, ask->terms->ttl);
	ttl_table(p)[0] = 6;
	bool answer = rcode == RCODE_NOERROR && ask->q->type == RR_SOA && ask->q->name.len == ask->zone.len;
	unsigned section = answer ? SEC_ANSWER : SEC_AUTHORITY;
	p->counts[section] = p->counts_plain[section] = 1;
	p->rcode = (uint16_t)rcode;
	p->ttl = rcode == RCODE_SERVFAIL ? 0 : ttl;
	p->servers_at = p->additional_at = p->records;
	if (rcode != RCODE_SERVFAIL && !answer)
		p->flags |= PACKED_DENIAL | PACKED_SOA;
	*ret = p;
	return OK;
}
