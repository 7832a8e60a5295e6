/* resolve: one question followed from the deepest zone that is known down to the servers that can answer it. It asks
 * one group of servers at a time (an exchange), goes where referrals lead, looks up addresses of servers whose names
 * come without any, and shows each server no more of the name than it must know (RFC9156). It ends with one message of
 * a server for the zone; aliases that leave it are followed elsewhere (plugin/alias). It lives in its query's arena.
 * source  RFC1034 5.3.3, RFC9156, RFC8109, RFC4035 3.1.4.1 */
#ifndef CORE_RESOLVE_H
#define CORE_RESOLVE_H

#include "core/delegate.h"
#include "core/exchange.h"

#define REFERRALS_MAX 30u            /* followed for one question (attacks E1; Unbound 130) */
#define SHOWN_STEPS_MAX 10u          /* questions with a part of the name (RFC9156 2.3, MAX_MINIMISE_COUNT) */
#define SHOWN_SINGLE 4u              /* of which so many show one label more (MINIMISE_ONE_LAB) */
#define TARGETS_MAX 12u              /* look-ups of server addresses for one question (NXNS, attacks E2), */
#define TARGETS_AT_ONCE 2u           /* so many names at once, */
#define TARGETS_DEEP_AT_ONCE 1u      /* and below a question that is such a look-up itself */
#define TARGETS_DELEGATION_MAX 6u    /* and for one delegation */
#define INSIDE_DEPTH_MAX 2u          /* keys and DS that are doubted; one less where glue is missing */
#define TARGET_QUESTIONS 4u          /* what each takes of the budget besides itself */
#define TARGETS_DEPTH_MAX 7u         /* sub-questions of sub-questions that may still look up servers (attacks E1) */
#define TARGET_FAILED_TTL 5u         /* seconds a server's name without an address is left alone (RFC9520) */
#define TARGET_NONE_TTL_MAX 900u     /* and when its zone says that there is none */
#define PART_LIFE_MS 1200            /* for a question with a part of the name; then the whole is shown */
#define PART_GRACE_MS 100
#define WAITS_MAX 6u                 /* times behind another query that asks the same part; then it is asked again */
#define SOME_LIFE_MS 1800            /* while there are servers whose addresses could still be looked up */
#define PRIME_AGAIN_MS (60 * SECOND)

/* Settings. */
struct resolve_conf {
	struct delegation root;          /* hints: where all begins */
	bool minimise, minimise_strict;  /* qname-minimisation, qname-minimisation-strict */
	bool vary_case;                  /* use-caps-for-id */
	bool harden_glue;                /* addresses of servers count only from their own zone's parent */
	bool nat64;                      /* do-nat64: servers' IPv4 addresses are reached through a translator, */
	struct prefix nat64_prefix;      /* under this prefix of IPv6 */
};

/* A zone whose servers the configuration names. */
struct resolve_fixed {
	struct name zone;
	struct pool *pool;
	const struct upstream_group *group;
};

/* Where it looks things up and what it remembers: one worker's. */
struct resolve_world {
	struct infra *infra;
	struct cache *rrsets;
	msec *primed;                    /* when the root was last asked for itself */
};

struct resolve;

/* Begin. fixed: the configured zone that the question is in, unless a deeper one is known; NULL none. What is pointed
 * to must outlive q. returns NULL when the arena is full */
struct resolve *resolve_new(struct query *q, const struct resolve_conf *conf, const struct resolve_world *world,
                            const struct resolve_fixed *fixed);
/* Go on as far as it goes; child is a sub-question that ended, or NULL. returns false while it waits */
bool resolve_turn(struct resolve *r, const struct query *child);
/* Of a finished one: what came, NULL when it failed. */
const struct scrubbed *resolve_answer(const struct resolve *r);
enum err resolve_err(const struct resolve *r);
const char *resolve_cause(const struct resolve *r);

#endif
