/* health: how one server does: its round trips, how long an answer may be waited for, and a circuit breaker that keeps
 * the cause. A value of its pool, which tells it what happens; it knows of no connection. Times are of the clock that
 * only goes forward. */
#ifndef CORE_HEALTH_H
#define CORE_HEALTH_H

#include "core/pool.h"

#define RTT_UNKNOWN 80          /* ms; between a near server and a far one, so that all get tried */
#define HANDSHAKE_TRIPS 3       /* round trips to an answer over a connection yet to be opened */

/* How the servers of a pool are judged. */
struct health_rules {
	bool quiet;                     /* servers of the whole world: nobody is told of each */
	bool alone;                     /* there is no other server */
	bool relays;                    /* as `relay` says */
	struct relay relay;
};

struct health {
	msec srtt, var;                 /* 0: unknown */
	msec heard;                     /* last answer */
	unsigned late, fails, mute;     /* mute: connections in a row that took questions and ended without an answer */
	msec broken_until;              /* 0: good */
	bool auth;                      /* it failed to prove its name */
	char cause[CAUSE_MAX];
};

/* An answer came, after so long. */
void health_answered(struct health *h, msec now, msec rtt);
/* It is well. Returns true when it was passed over until now. */
bool health_good(struct health *h);
/* It failed; auth: to prove its name. Returns true when that is news, for whoever is told of servers. */
bool health_failed(struct health *h, const struct health_rules *rules, msec now, const char *why, bool auth);
/* No answer in time: the next is not expected as soon. */
void health_slower(struct health *h);
/* Counts one more in a row; true: it has failed. */
bool health_late(struct health *h, const struct health_rules *rules, msec now);
/* A connection ended. Returns true when so many have ended without an answer to what was asked that it has failed. */
bool health_mute(struct health *h, bool unanswered);
/* Let it be tried at once. */
void health_forgive(struct health *h);

/* One that is passed over is tried again when its time has come; where somebody asks whether it is back, not before. */
bool health_usable(const struct health *h, const struct health_rules *rules, msec now, bool broken_too);
/* How long to wait for an answer before another server is asked as well. trips: round trips that it takes; pending:
 * questions that are under way to it. */
msec health_patience(const struct health *h, const struct health_rules *rules, msec now, msec trips, unsigned pending);

#endif
