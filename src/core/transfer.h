/* transfer: a whole zone as messages for one client (RFC5936, RFC1995). A plugin that has zones lets them be read a
 * record at a time; this makes messages of them, one at a time, as the client takes them: no zone is ever one buffer.
 * lifetime  the arena of the client's query */
#ifndef CORE_TRANSFER_H
#define CORE_TRANSFER_H

#include "core/query.h"

#define TRANSFER_PIECE 16384u   /* bytes of one message, if its last record is not longer: names can be pointed at from
                                 * anywhere in it (RFC1035 4.1.4) */

/* One version of a zone while it is read. */
struct transfer {
	struct name zone;          /* as it was asked for */
	struct rr soa;             /* of the version: set when it is begun; lives as long as the query */
	uint64_t at[4];            /* where the reader stands: the provider's, 0 at first */
	void *state;               /* the same, of the query's arena */
};

enum transfer_step {
	TRANSFER_RECORD,           /* *ret is one more; what it borrows stays until the next call */
	TRANSFER_END,              /* those were all, the SOA aside */
	TRANSFER_LOST,             /* that version is not there any more */
};

/* A zone as it is at present. */
struct transfer_zone {
	struct name zone;
	bool there;                /* something of the zone is */
	struct rr soa;             /* then; stays until the next call */
};

/* What a plugin with zones gives (core/chain.h steps.zones). */
struct transfer_source {
	/* Begin with the zone of the very name t->zone: t->soa is set. returns OK | ERR_NOTFOUND it has no such zone |
	 * ERR_UPSTREAM it has it, but nothing of it is there yet | ERR_LIMIT */
	enum err (*begin)(const struct link *l, struct query *q, struct transfer *t);
	/* The records behind the SOA, glue and signatures among them; never the SOA. Called over many turns: what is
	 * read may change in between. */
	enum transfer_step (*next)(const struct link *l, struct query *q, struct transfer *t, struct rr *ret);
	/* The i-th zone that it has: for NOTIFY. False: these were all. */
	bool (*zone)(const struct link *l, struct engine *e, unsigned i, struct transfer_zone *ret);
};

/* A transfer on its way to a client. */
struct transfer_out {
	struct transfer t;
	const struct link *from;
	const struct transfer_source *source;
	bool alone;                /* the client has this version: the SOA says so (RFC1995 2) */
	bool begun, ended, held;   /* held: `next` is a record that did not fit */
	struct rr next;
	uint8_t *bytes;            /* of that record, in the query's arena: its owner, then its data */
};

/* The serial in an SOA's data, which has been checked. */
static inline uint32_t soa_serial(struct span rdata)
{
	return get_u32(rdata.p + rdata.n - 20);
}

/* The serial of `a` is newer than that of `b` (RFC1982 3.2). */
static inline bool serial_newer(uint32_t a, uint32_t b)
{
	return (int32_t)(a - b) > 0;
}

/* Whether all was said with the next message, which goes to `b`, an empty buffer of MSG_MAX.
 * returns OK *ret_more says whether more is to come | ERR_NOTFOUND the version is gone | ERR_SPACE a record that fits
 * no message */
enum err transfer_message(struct transfer_out *o, struct query *q, struct buf *b, bool *ret_more) MUST_CHECK;

#endif
