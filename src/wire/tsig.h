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

struct tsig_key {
	struct name name;
	struct span secret;
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
};

/* The TSIG record at the message's end. returns ERR_NOTFOUND none is there | ERR_FORMAT it is in the wrong place, or
 * malformed */
enum err tsig_read(struct span message, struct tsig *ret) MUST_CHECK;
/* The algorithm of a name, "hmac-sha256."; NULL: unknown. */
const struct tsig_algorithm *tsig_algorithm(struct name name);

/* Is its MAC of a length that one may have? Else the message is malformed (5.2.2.1). */
bool tsig_mac_fits(const struct tsig_chain *c, const struct tsig *t);
/* A question that is to be checked, or signed. */
void tsig_begin(struct tsig_chain *c, const struct tsig_key *key, struct name algorithm, uint64_t now);
/* Is the message signed as the chain has it? 0, or one of the errors above, which c->error has then. */
unsigned tsig_check(struct tsig_chain *c, struct span message, const struct tsig *t);
/* Bytes that signing adds. */
size_t tsig_size(const struct tsig_chain *c);
/* Sign what stands in `message` and put the record behind it. answers: c->mac is of what it answers */
enum err tsig_sign(struct tsig_chain *c, struct buf *message) MUST_CHECK;

#endif
