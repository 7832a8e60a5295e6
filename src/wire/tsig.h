/* tsig: messages signed with a secret that both ends have (RFC8945). A message is the answer to another, or one of many
 * that follow each other; what went before is in what is signed.
 * lifetime  a chain of signatures: from the question to its last answer; keys and names are borrowed */
#ifndef WIRE_TSIG_H
#define WIRE_TSIG_H

#include "crypto/hmac.h"
#include "wire/msg.h"

#define TSIG_FUDGE 300u            /* seconds that clocks may differ (RFC8945 10) */
#define TSIG_RECORD_MAX (2u * NAME_MAX_BYTES + 10u + 16u + HMAC_MAX + 6u)

enum { TSIG_BADSIG = 16, TSIG_BADKEY = 17, TSIG_BADTIME = 18, TSIG_BADTRUNC = 22 };

struct tsig_algorithm;

/* The record, as it stands behind a message. */
struct tsig {
	struct name key;
	uint8_t store[NAME_MAX_BYTES];     /* of key */
	struct name algorithm;
	uint64_t time;
	uint16_t fudge, original_id, error;
	struct span mac, other;
	size_t at;                         /* where it begins */
};

#define TSIG_SECRET_MAX 512u       /* bytes */

struct tsig_key {
	struct name name;
	struct span secret;
	const struct tsig_algorithm *algorithm;   /* that it is for (RFC8945 5.2.1); NULL: any */
};

/* What was signed so far between two ends, with one key. */
struct tsig_chain {
	struct tsig_key key;
	struct name algorithm_name;        /* as it is said; of an unknown one too */
	const struct tsig_algorithm *algorithm;   /* NULL: unknown, nothing can be signed */
	uint64_t now;                      /* seconds: what is signed is signed at that time */
	uint64_t theirs;                   /* the time that the other end has said */
	uint16_t error;                    /* to be told with what is signed next */
	uint8_t mac[HMAC_MAX], nmac;       /* the latest */
	bool follows;                      /* what comes is a further message of a stream */
	uint8_t loose;                     /* messages of it since the last signature, which stand in `open` */
	struct hmac *open;
};

/* The TSIG record at the message's end. returns ERR_NOTFOUND none is there | ERR_FORMAT it is in the wrong place, or
 * malformed */
enum err tsig_read(struct span message, struct tsig *ret) MUST_CHECK;
/* The algorithm of a name, "hmac-sha256."; NULL: unknown. */
const struct tsig_algorithm *tsig_algorithm(struct name name);
/* The name of the algorithm that is signed with by who has this key. */
struct name tsig_key_algorithm(const struct tsig_key *key);

/* Is its MAC of a length that one may have? Else the message is malformed (5.2.2.1). */
bool tsig_mac_fits(const struct tsig_chain *c, const struct tsig *t);
/* A question that is to be checked, or signed. */
void tsig_begin(struct tsig_chain *c, const struct tsig_key *key, struct name algorithm, uint64_t now);
/* Is the message signed as the chain has it? 0, or one of the errors above, which c->error has then. */
unsigned tsig_check(struct tsig_chain *c, struct span message, const struct tsig *t);
/* Bytes that signing adds. */
size_t tsig_size(const struct tsig_chain *c);

#define TSIG_LOOSE_MAX 99u         /* messages without a signature, between two with one (RFC8945 5.3.1) */

enum tsig_answer {
	TSIG_SEALED,               /* this one, and all that came before it, are what the other end has said */
	TSIG_LOOSE,                /* not signed: one to come says whether it counts */
	TSIG_FALSE,                /* *ret_why */
};
/* One more of the messages that answer what was signed last with the chain. c->now: the time at which it came */
enum tsig_answer tsig_answered(struct tsig_chain *c, struct span message, const char **ret_why);
/* Nothing more is expected. */
void tsig_end(struct tsig_chain *c);

/* Sign what stands in `message` and put the record behind it. answers: c->mac is of what it answers */
enum err tsig_sign(struct tsig_chain *c, struct buf *message) MUST_CHECK;

#endif
