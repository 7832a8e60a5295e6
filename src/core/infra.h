/* infra: what one worker remembers of authoritative servers, by address: round trips, health and connections (a pool
 * that fills on the way), who cannot do EDNS or does not keep the case of a question, and, by address and zone, who
 * does not serve what was delegated to it. Bounded: the server not asked for the longest gives way. It lives between
 * questions and over reloads. One worker. */
#ifndef CORE_INFRA_H
#define CORE_INFRA_H

#include "core/flush.h"
#include "core/pool.h"
#include "wire/msg.h"

#define INFRA_LAME_MS (900 * SECOND)       /* as Unbound's infra-host-ttl */
#define INFRA_STRIPPED_MS (300 * SECOND)   /* its signatures may be back sooner than it learns to serve a zone */
#define INFRA_PLAIN_MS (900 * SECOND)      /* no EDNS: asked with it again after that */
#define INFRA_CASE_MS (3600 * SECOND)
#define INFRA_REASK_MS (10 * SECOND)
#define INFRA_FAMILY_MS (60 * SECOND)      /* a family of addresses that cannot be reached is tried again */
#define INFRA_FAMILY_FAILS 4u              /* servers of it in a row that the network refuses */
#define INFRA_WAITERS_MAX 512u             /* for one question; those beyond ask it again */
#define INFRA_LAME_MAX 8192u               /* remembered pairs of server and zone */

struct infra;

struct infra *infra_new(unsigned servers_max);
/* Close its connections. Call with e->fx set. */
void infra_close(struct infra *in, struct engine *e);
void infra_free(struct infra *in);
struct pool *infra_pool(struct infra *in);

/* The number of the server at an address, which stays that until infra_leave. -1: all are in use */
int infra_hold(struct infra *in, struct engine *e, const struct addr *addr) MUST_CHECK;
void infra_leave(struct infra *in, unsigned server);

/* Does the server not serve the zone? */
bool infra_lame(const struct infra *in, const struct engine *e, unsigned server, struct name zone);
void infra_note_lame(struct infra *in, const struct engine *e, unsigned server, struct name zone);
/* It serves the zone, which is signed, and left signatures out: for a while it is asked when no other one can be. */
bool infra_strips(const struct infra *in, const struct engine *e, unsigned server, struct name zone);
void infra_note_stripped(struct infra *in, const struct engine *e, unsigned server, struct name zone);
/* May a delegation to the zone that leads nowhere be asked for again? Once in INFRA_REASK_MS; counts as done. */
bool infra_may_reask(struct infra *in, const struct engine *e, struct name zone);
/* It answers FORMERR to an OPT record (RFC6891 7). */
bool infra_plain(const struct infra *in, const struct engine *e, unsigned server);
void infra_note_plain(struct infra *in, const struct engine *e, unsigned server);
/* It does not give the question back in the case it was asked in. */
bool infra_caseless(const struct infra *in, const struct engine *e, unsigned server);
void infra_note_caseless(struct infra *in, const struct engine *e, unsigned server);
/* Many names asked at once set out with the same first question. One query asks it, the others wait to be woken when
 * it is over, so that a forger finds one question to answer and not a thousand (attacks A2).
 * returns whether `id` is to ask; else it waits */
bool infra_lead(struct infra *in, const struct engine *e, const struct question *question, slot_id id);
void infra_led(struct infra *in, struct engine *e, const struct question *question, slot_id id);

/* Forget who does not serve a zone; with everything, every fault of every server. */
void infra_forget(struct infra *in, const struct engine *e, struct flush *f);

/* Can addresses of the server's family be reached at all, as far as is known? */
bool infra_reachable(const struct infra *in, const struct engine *e, const struct addr *addr);
void infra_note_reached(struct infra *in, const struct engine *e, unsigned server, bool reached);

#endif
