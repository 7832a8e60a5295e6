#include "core/transfer.h"

#include "core/engine.h"

#define OPT_BYTES 11u   /* without options (RFC6891 6.1.2) */

/* A record that is to wait for the next message, copied: what it borrowed may go. */
static enum err hold(struct transfer_out *o, struct query *q, const struct rr *rr)
{
	if (o->bytes == NULL)
		o->bytes = arena_alloc(&q->arena, NAME_MAX_BYTES + MSG_MAX);
	if (o->bytes == NULL || rr->rdata.n > MSG_MAX)
		return ERR_LIMIT;
	o->next = *rr;
	memcpy(o->bytes, rr->owner.wire, rr->owner.len);
	o->next.owner.wire = o->bytes;
	if (rr->rdata.n > 0)
		memcpy(o->bytes + NAME_MAX_BYTES, rr->rdata.p, rr->rdata.n);
	o->next.rdata.p = o->bytes + NAME_MAX_BYTES;
	o->held = true;
	return OK;
}

/* The record whose turn it is. TRANSFER_END comes behind the last SOA. */
static enum transfer_step step(struct transfer_out *o, struct query *q, struct rr *ret)
{
	if (o->held) {
		o->held = false;
		*ret = o->next;
		return TRANSFER_RECORD;
	}
	if (o->ended)
		return TRANSFER_END;
	*ret = o->t.soa;
	if (!o->begun) {
		o->begun = true;
		o->ended = o->alone;
		return TRANSFER_RECORD;
	}
	enum transfer_step s = o->source->next(o->from, q, &o->t, ret);
	if (s != TRANSFER_END)
		return s;
	*ret = o->t.soa;
	o->ended = true;
	return TRANSFER_RECORD;
}

/* Records, until the message is long enough. *ret_end: what came last was the end. */
static enum err fill(struct transfer_out *o, struct query *q, struct msg_writer *w, bool *ret_end)
{
	struct buf *b = w->b;
	*ret_end = false;
	while (b->n < TRANSFER_PIECE) {
		struct rr rr;
		enum transfer_step s = step(o, q, &rr);
		if (s != TRANSFER_RECORD) {
			*ret_end = s == TRANSFER_END;
			return s == TRANSFER_END ? OK : ERR_NOTFOUND;
		}
		enum err err = msg_rr(w, SEC_ANSWER, &rr);
		if (err == OK)
			continue;
		if (err != ERR_SPACE || w->counts[1] == 0)
			return err;
		return hold(o, q, &rr);
	}
	return OK;
}

enum err transfer_message(struct transfer_out *o, struct query *q, struct buf *b, bool *ret_more)
{
	const struct client *c = q->client;
	struct msg_writer w;
	bool first = !o->begun, end;
	size_t cap = b->cap;
	size_t sign = c->tsig == NULL ? 0 : tsig_size(c->tsig);
	b->cap -= OPT_BYTES + sign;
	msg_begin(&w, b, c->id, (uint16_t)(FLAG_QR | FLAG_AA | (c->flags & FLAG_RD)));
	if (first)
		msg_question(&w, &c->question);
	enum err err = fill(o, q, &w, &end);
	b->cap = cap;
	if (err != OK)
		return err;
	if (c->edns.present) {
		size_t at = edns_begin(b, (uint16_t)q->chain->conf.edns_size, 0, c->edns.dnssec_ok);
		edns_end(b, at);
		msg_opt_counted(&w);
	}
	msg_end(&w);
	if (c->tsig != NULL) {
		c->tsig->now = (uint64_t)q->engine->now.wall.sec;   /* of this message, the last may be hours away */
		TRY(tsig_sign(c->tsig, b));
		c->tsig->follows = true;
	}
	*ret_more = !end && !(o->ended && !o->held);
	return buf_ok(b) ? OK : ERR_SPACE;
}
