#include "app/inbox.h"

#include <stdalign.h>

/* What stands in the ring; a name or a packed answer follows. */
struct mail {
	bool ask;
	union {
		struct remote_ask ask_it;
		struct remote_answer told;
	};
	alignas(8) uint8_t bytes[];
};

void inbox_init(struct inbox *b)
{
	ring_init(&b->ring, INBOX_BYTES);
}

void inbox_fini(struct inbox *b)
{
	ring_fini(&b->ring);
}

static struct mail *room(struct inbox *b, size_t n)
{
	return ring_room(&b->ring, sizeof(struct mail) + n);
}

bool inbox_ask(struct inbox *b, const struct effect *fx, uint32_t from)
{
	const struct query *q = fx->query;
	struct mail *m = room(b, q->question.name.len);
	if (m == NULL)
		return false;
	m->ask = true;
	m->ask_it = (struct remote_ask){ .chain = q->chain, .place = q->place, .depth = q->ask.depth,
		                         .doubts = q->ask.doubts,
		                         .form = q->form, .question = q->question,
		                         .share = fx->share, .worker = from, .remote = fx->remote };
	memcpy(m->bytes, q->question.name.wire, q->question.name.len);
	ring_publish(&b->ring);
	return true;
}

bool inbox_tell(struct inbox *b, const struct effect *fx)
{
	size_t n = fx->answer == NULL ? 0 : fx->answer->size;
	struct mail *m = room(b, n);
	if (m == NULL)
		return false;
	m->ask = false;
	m->told = (struct remote_answer){ .remote = fx->remote, .err = fx->err, .others = fx->others,
		                          .maker = fx->maker, .share = fx->share };
	if (n > 0) {
		memcpy(m->bytes, fx->answer, n);
		m->told.answer = (const struct packed *)(const void *)m->bytes;
	}
	ring_publish(&b->ring);
	return true;
}

bool inbox_take(struct inbox *b, struct engine *e)
{
	size_t n;
	struct mail *m = ring_peek(&b->ring, &n);
	if (m == NULL)
		return false;
	if (m->ask) {
		m->ask_it.question.name.wire = m->bytes;
		ask_handed(e, &m->ask_it);
	} else {
		ask_told(e, &m->told);
	}
	ring_done(&b->ring);
	return true;
}

bool inbox_send_errand(struct inbox *b, struct errand *er)
{
	struct errand **m = ring_room(&b->ring, sizeof(er));
	if (m == NULL)
		return false;
	*m = er;
	ring_publish(&b->ring);
	return true;
}

struct errand *inbox_take_errand(struct inbox *b)
{
	size_t n;
	struct errand **m = ring_peek(&b->ring, &n), *er = m == NULL ? NULL : *m;
	if (m != NULL)
		ring_done(&b->ring);
	return er;
}
