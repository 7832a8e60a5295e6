/* appraisal: what a message that came for an attempt is worth to its exchange: the answer, the answer of somebody who
 * hands on what he gets, better than none, or nothing, and then why. What it says of its server is noted with the pool
 * and the infra; what is to be done about it is the exchange's to say.
 * Source: RFC1035 4.1.1, RFC4035 3.1.4.1, RFC6891 7. */
#ifndef CORE_APPRAISAL_H
#define CORE_APPRAISAL_H

#include "core/attempt.h"

enum worth {
	WORTH_NOTHING,     /* why says what was wrong */
	WORTH_GARBLED,     /* the same, and it could not be read: msg is NULL */
	WORTH_CUT,         /* too long for UDP */
	WORTH_SPARE,       /* why; of one that is not authoritative, empty or unsigned: kept is better than none */
	WORTH_RELAYED,     /* msg is to be handed on as it is; with why, unless another says something better */
	WORTH_REFERRAL,    /* the answer, in kept: whom to ask instead */
	WORTH_ANSWER,      /* the answer, in kept */
};

struct appraisal {
	enum worth worth;
	const char *why;               /* NULL: nothing is wrong with it */
	const struct msg *msg;
	const struct scrubbed *kept;
};

/* Of the bytes that a's server sent, which belong to it and lie in the query's arena, as does what is made of them.
 * cost  one reading and scrub_msg's */
struct appraisal appraisal_make(const struct attempt *a, struct span bytes);
/* A server that cannot do EDNS says so without an OPT (RFC6891 7). */
bool appraisal_is_plainly(const struct appraisal *it, const struct attempt *a);

#endif
