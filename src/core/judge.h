/* judge: the verdict on a whole answer, once it is known where its names stand in the chain of trust. First judge_needs
 * says whose places must be known (all at once, so that all can be fetched at once), then judge_answer rules. Every
 * record that is served or kept as secure has passed here: each set carries its own verdict, and what was not looked at
 * stays SECURITY_UNCHECKED and is to be left out of a secure answer. What stands beside the answer (name servers,
 * addresses) is judged for itself, and without effect on the whole.
 * source  RFC4035 3.2.3, 4.9, 5.3.4, 5.4, RFC6672 5.3.1, RFC9077 */
#ifndef CORE_JUDGE_H
#define CORE_JUDGE_H

#include "core/path.h"
#include "core/scrub.h"

#define EXTRAS_MAX 16u     /* signed sets beside an answer that are looked at */
#define NEEDS_MAX 16u      /* signers and unsigned owners of one answer: 11 aliases, a denial, and some */

struct judgement {
	struct ruling ruling;           /* of the whole: the worst of what it is made of */
	const struct msg_rrset *culprit;    /* whose ruling that is; NULL: a denial's, or none */
	uint16_t rcode;                 /* NXDOMAIN that proves to be NODATA is NOERROR */
	uint32_t ttl;                   /* of a secure answer, no longer than this */
};

struct judge {
	const struct question *question;
	const struct scrubbed *answer;
	struct msg_rrsets sets;
	uint8_t *need_of;                /* for each set which of needs decides about it */
	unsigned nneeds, ndeniers;       /* the first ndeniers are of a denial */
	struct name anchor;              /* ndeniers 2: the zone whose anchor is between the two */
	struct name needs[NEEDS_MAX];    /* places[i] of judge_answer is of needs[i] */
	struct ruling *ruled;            /* on each set of the answer; UNCHECKED: not yet */
	bool is_ruled;                   /* on all, so it is what stands beside the answer that is looked at */
	unsigned nextras;                /* looked at */
	struct judgement judgement;      /* once is_ruled */
};

/* returns OK | ERR_LIMIT more than the bounds: the answer cannot be judged */
enum err judge_needs(struct arena *a, const struct question *q, const struct scrubbed *s, const struct anchors *anchors,
                     struct judge *ret) MUST_CHECK;

/* Is the need a zone, says a signature of the answer? */
bool judge_is_claimed(const struct judge *j, struct name need);
/* The name in whose zone `type` at name stands: a DS is the parent's. */
struct name judge_speaker(struct name name, uint16_t type);

/* places: done paths, one for each of j->needs. When v->paused it was no judgement: to be called again, with the
 * same. */
struct judgement judge_answer(struct judge *j, struct validator *v, const struct path *places);
/* Leave out of the records of a secure answer what is not secure itself, and let none live longer than its signature.
 * s is the answer j was made for. unsigned_extras: what nobody signed may stay in the additional section. */
void judge_clean(const struct judge *j, struct scrubbed *s, bool unsigned_extras);

#endif
