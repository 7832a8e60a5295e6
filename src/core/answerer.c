#include "core/answerer.h"

static uint64_t question_hash(const struct hash_key *key, const struct question *q)
{
	uint8_t bytes[NAME_MAX_BYTES + 4];
	struct name folded = name_fold(q->name, bytes);
	put_u16(bytes + folded.len, q->type);
	put_u16(bytes + folded.len + 2, q->class);
	return hash_bytes(key, span_of(bytes, folded.len + 4u));
}

static uint32_t server_hash(const struct hash_key *key, const struct addr *a)
{
	uint8_t bytes[24];
	struct buf b = buf_on(bytes, sizeof(bytes));
	buf_u8(&b, a->family);
	buf_u16(&b, a->port);
	buf_u32(&b, a->scope);
	buf_put(&b, a->ip, addr_len(a));
	return (uint32_t)hash_bytes(key, buf_span(&b));
}

void answerer_note(struct answerers *s, const struct hash_key *key, const struct question *q, const struct addr *who,
                   bool again)
{
	uint64_t hash = question_hash(key, q);
	struct answerer *at = &s->list[hash % ANSWERERS_MAX];
	if (at->question != hash || !again)
		*at = (struct answerer){ .question = hash };
	if (at->n < DOUBTS_MAX)
		at->servers[at->n++] = server_hash(key, who);
}

bool answerer_is(const struct answerers *s, const struct hash_key *key, const struct question *q,
                 const struct addr *who)
{
	uint64_t hash = question_hash(key, q);
	const struct answerer *at = &s->list[hash % ANSWERERS_MAX];
	uint32_t server = server_hash(key, who);
	for (unsigned i = 0; at->question == hash && i < at->n; i++) {
		if (at->servers[i] == server)
			return true;
	}
	return false;
}
