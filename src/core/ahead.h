/* ahead: which links of the chain of trust to ask for before it is known whether they are wanted, so that a cold answer
 * costs one round trip and not one a link. It only chooses questions, out of what was seen of zones before; a reply to
 * one is nothing until the path (path.h) comes to it, and one that is never reached, fails or does not come is evidence
 * of nothing. Pure, without a state of its own.
 *
 * guesses     DS and DNSKEY of at most AHEAD_LABELS labels below the deepest zone that is known; seen cuts first.
 *             None below a zone that signs data of its own there, none under arpa., and DNSKEY only while one in
 *             AHEAD_SIGNED_OF of the zone's children was signed
 * a claim     a signature says that its zone is there: all of the way to it is wanted at once
 * cost        a question each; the caller has the budget */
#ifndef CORE_AHEAD_H
#define CORE_AHEAD_H

#include "wire/msg.h"

#define AHEAD_LABELS 3u         /* guessed at below what is known */
#define AHEAD_GUESSES 6u        /* questions beside one of a client */
#define AHEAD_CLAIMED 16u       /* questions for what one answer's signatures name; more go link by link */
#define AHEAD_SIGNED_OF 8u
#define AHEAD_NOTES (LABELS_MAX + 1)

/* What was seen of a name and, if it is one, of its zone. Never a proof: it may have changed since. */
struct ahead_note {
	uint16_t children, children_signed;   /* delegations seen */
	bool cut;                             /* it was a zone with keys */
	bool is_unsigned;                     /* it was a delegation without */
	bool has_data;                        /* the zone signed more than delegations under its apex */
};

/* The way from a zone to a name below it. */
struct ahead {
	struct name target;
	unsigned at;                          /* labels of the target, from the right, up to the zone that is known */
	bool keys;                            /* and that zone's keys are wanted too */
	bool claimed;                         /* target is a zone, says a signature */
	const struct ahead_note *notes;       /* of target's ancestors, by number of labels: at .. target.labels */
};

/* returns how many questions were put into list, at most max */
unsigned ahead_plan(const struct ahead *a, struct question *list, unsigned max);

#endif
