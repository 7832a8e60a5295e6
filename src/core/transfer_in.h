/* transfer_in: a zone out of another server's messages (AXFR, RFC5936; IXFR, RFC1995), whoever that server may be: what
 * is not of the zone is left out or ends it, and it stops growing at the cap of its arenas. Differences are applied to
 * the version that is there, of which every record they take away must be. What has come is made a zone in pieces, as
 * others want to be served meanwhile.
 * lifetime  from the question to its last message; the zone is in `keep` */
#ifndef CORE_TRANSFER_IN_H
#define CORE_TRANSFER_IN_H

#include "core/transfer.h"
#include "core/zone_build.h"

struct transfer_in;

struct transfer_in_ask {
	struct name origin;
	const struct zone *have;       /* ask for what has changed since; NULL: for all of it */
	const struct zone *served;     /* of which a newer version is wanted; NULL: any will do */
	uint16_t id;                   /* of the question */
	struct arena *keep;
	size_t scratch_max;            /* bytes that it may need beside */
};

/* NULL: the arena is full. */
struct transfer_in *transfer_in_new(const struct transfer_in_ask *ask) MUST_CHECK;
void transfer_in_free(struct transfer_in *t);
/* The question, with the SOA of what is there behind it for IXFR. */
void transfer_in_question(const struct transfer_in *t, struct buf *to);

enum transfer_got {
	TRANSFER_GOT_PART,             /* more is to come, or to be done */
	TRANSFER_GOT_ALL,              /* nothing more is to come: transfer_in_make makes a zone of it */
	TRANSFER_GOT_ZONE,             /* *ret_zone, in `keep` */
	TRANSFER_GOT_SAME,             /* what they have is no newer than what is served */
	TRANSFER_GOT_NOTHING,          /* *ret_why: they do not give it, or it is none */
	TRANSFER_GOT_STRAY,            /* not an answer to the question: as if it had not come */
};
/* One message. Never TRANSFER_GOT_ZONE. */
enum transfer_got transfer_in_take(struct transfer_in *t, struct span message, const char **ret_why) MUST_CHECK;

/* After TRANSFER_GOT_ALL: did differences come, and not the whole zone? */
bool transfer_in_is_differences(const struct transfer_in *t);

#define TRANSFER_MAKE_PIECE 4096u  /* records of one call: two milliseconds */

/* One piece of what is left to be done after TRANSFER_GOT_ALL. returns TRANSFER_GOT_PART, and is to be called again |
 * TRANSFER_GOT_ZONE | TRANSFER_GOT_NOTHING
 * cost  TRANSFER_MAKE_PIECE records, or names */
enum transfer_got transfer_in_make(struct transfer_in *t, const struct zone **ret_zone, const char **ret_why)
	MUST_CHECK;

#endif
