/* proof: what a client can say of an answer by itself. The question is put to servers, every alias is a question of its
 * own, each answer is judged down the chain of trust from the anchors, and what was seen on the way is kept to be
 * shown. The machines are the resolver's (core/judge, core/path), the asking is dial's. One question, then it is done.
 * Everything lives in the caller's arena. */
#ifndef APP_PROOF_H
#define APP_PROOF_H

#include "app/servers.h"
#include "core/judge.h"

#define HOPS_MAX 12u          /* a question and its aliases: SCRUB_CNAMES_MAX and one */
#define LINKS_MAX 128u        /* zones between anchors and names, all hops together */
#define FETCHES_MAX 256u      /* questions asked for one proof */
#define PROOF_WHY_MAX 400u

/* One question put to the servers, and what came of it. */
struct fetch {
	struct question question;
	struct scrubbed answer;             /* of a server that answered */
	struct msg msg;                     /* as it came */
	enum err err;                       /* OK | ERR_TIMEOUT | ERR_UPSTREAM no answer, or none that is of use */
	bool heard;                         /* there was a message */
	const struct dial_server *server;   /* the last that was asked */
};

/* The signature that proves a set, or the one that says best why nothing does. */
struct seal {
	bool there;
	enum why why;                       /* WHY_NONE: it proves */
	uint16_t tag;
	uint8_t algorithm;
	uint32_t inception, expiration;
	struct name signer;
};

/* One step of the chain: a zone, what vouches for its keys, and those keys. */
struct link {
	struct name zone, parent;
	bool anchored;                      /* trust is an anchor's; else the parent's DS set */
	struct trust trust;                 /* empty: there is no DS */
	struct seal trust_seal, keys_seal;
	struct zone_keys keys;              /* all that the zone shows, good or not */
	struct ruling ruling;               /* SECURE, or why the chain ends here */
};

struct hop {
	struct question question;
	const struct fetch *fetch;
	struct scrubbed answer;             /* of this name alone */
	bool aliased;                       /* answer.final comes next */
	struct judge judge;
	struct judgement judgement;
	struct path *places;                /* of judge.needs */
};

struct proof {
	struct arena *arena;
	struct dial *dial;
	const struct servers *servers;
	struct anchors anchors;
	struct validate_conf conf;
	uint32_t wall;
	uint16_t flags;                     /* of the questions: FLAG_RD, FLAG_CD */
	bool unjudged;                      /* nothing is proved, and nothing asked for it */
	FILE *trace;                        /* a line for each question; NULL: nowhere */
	struct verifier *verifier;
	struct ruling ruling;               /* of the whole: the worst of all hops */
	char why[PROOF_WHY_MAX];            /* INDETERMINATE: what could not be had, one line */
	const struct fetch *failed;         /* the question that this is about */
	unsigned nhops, nlinks, nfetches;
	struct hop hops[HOPS_MAX];
	struct link *links[LINKS_MAX];
	struct fetch *fetches[FETCHES_MAX];
};

/* What the caller has set, down to `trace`, is used; the rest is filled in. */
void proof_make(struct proof *p, const struct question *q);
void proof_fini(struct proof *p);
/* The link of a zone; NULL: the chain did not come there. */
const struct link *proof_link(const struct proof *p, struct name zone);
/* The deepest link at or above name. */
const struct link *proof_above(const struct proof *p, struct name name);
/* How this set of a hop's answer is signed. */
struct seal proof_seal(struct proof *p, const struct msg_rrset *set);
/* Does what vouches for l's keys name this one, by a digest that matches or as it stands? */
bool proof_vouched(struct proof *p, const struct link *l, const struct zone_key *key);
/* ... and this DS: is there a key it matches? */
bool proof_matched(struct proof *p, const struct link *l, struct span ds);

#endif
