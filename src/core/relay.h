/* relay: how a group's servers are asked when a Corefile's forward names them: which one first, how long each may take,
 * what it may say without another being asked, and what comes back is handed on as it is. The rules are borrowed from
 * the settings; the counts live as long as the group's pools and are shared by all workers. */
#ifndef CORE_RELAY_H
#define CORE_RELAY_H

#include <stdatomic.h>

#include "base/addr.h"
#include "base/time.h"
#include "wire/name.h"

#define RELAY_RCODES_MAX 16u         /* in one list of them */
#define RELAY_BUCKETS 16u            /* 0.00025 s, doubled each time */
#define RELAY_PROBE_MS (1 * SECOND)  /* how long a probe waits */

/* Who is asked first. BY_RTT, without a word in the file: the quickest, with chance among near equals. */
enum relay_order { ORDER_BY_RTT, ORDER_RANDOM, ORDER_ROUND_ROBIN, ORDER_SEQUENTIAL };

struct relay_rcodes {
	unsigned n;
	uint16_t list[RELAY_RCODES_MAX];
};

struct relay {
	enum relay_order order;
	uint32_t max_fails;              /* unanswered questions beyond which a server is passed over; 0: it never is */
	uint32_t max_attempts;           /* questions sent for one; 0: ATTEMPTS_MAX */
	uint32_t max_concurrent;         /* 0: any number */
	uint32_t max_idle;               /* idle connections kept to a server; 0: any number */
	msec read_timeout, expire, max_age;   /* max_age 0: however old a connection is */
	msec probe_every;                /* a server passed over is asked this often whether it is back */
	bool probe_no_rd;
	struct name probe;               /* for whose NS records */
	bool prefer_udp;
	bool whole;                      /* answers are proved: what is cut short is of no use */
	bool failfast;                   /* all are passed over: fail, instead of trying one */
	struct relay_rcodes failover, next;
	bool next_on_nodata;
};

static inline bool relay_has(const struct relay_rcodes *l, unsigned rcode)
{
	for (unsigned i = 0; i < l->n; i++) {
		if (l->list[i] == rcode)
			return true;
	}
	return false;
}

/* Labels `proto` and `rcode` of what is counted; RCODEs beyond are one. */
enum { RELAY_UDP, RELAY_TCP, RELAY_TLS, RELAY_PROTOS };
enum { RELAY_RCODES = 7 };
extern const char *const relay_protos[RELAY_PROTOS], *const relay_rcodes[RELAY_RCODES];

struct relay_server {
	_Atomic uint64_t reused[RELAY_PROTOS], opened[RELAY_PROTOS];   /* questions by connections there were, or not */
	_Atomic uint64_t probes_failed;
	_Atomic uint64_t times[RELAY_RCODES][RELAY_BUCKETS + 1], spent_ms[RELAY_RCODES];
};

struct relay_counts {
	_Atomic uint32_t under_way;      /* questions: max_concurrent is their bound */
	_Atomic uint64_t rejected, all_down;
	unsigned n;
	struct relay_server servers[];
};

static inline void relay_count(_Atomic uint64_t *n)
{
	atomic_fetch_add_explicit(n, 1, memory_order_relaxed);
}
/* An answer came after so long. */
void relay_answered(struct relay_server *s, unsigned rcode, msec took);

#endif
