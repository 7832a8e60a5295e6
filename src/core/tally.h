/* tally: what monitoring wants to know of the questions that one route of a listener got, in CoreDNS's families
 * (coredns_dns_*). Each worker has one of its own and adds without locked instructions; a reader adds them up. They
 * live as long as the process, so that no reload resets them. */
#ifndef CORE_TALLY_H
#define CORE_TALLY_H

#include <stdatomic.h>

#include "core/client.h"
#include "core/sample.h"

#define TALLY_TYPES 20u            /* those with a label of their own, and all others */
#define TALLY_SIZES 15u            /* buckets of sizes, the last one open */
#define TALLY_TIMES 17u            /* of durations */
#define TALLY_STATUSES 11u         /* of HTTP, those without a row of their own in the last */
#define TALLY_RESPONSES 64u        /* pairs of RCODE and plugin told apart */

/* Answers of one plugin with one RCODE. */
struct tally_response {
	_Atomic(const char *) plugin;  /* NULL: free, and so are those behind it; literals, told apart by address */
	uint16_t rcode;
	_Atomic uint64_t n;
};

struct tally_sizes {
	_Atomic uint64_t buckets[TALLY_SIZES], sum;
};

struct tally {
	_Atomic uint64_t requests[2][2][TALLY_TYPES];   /* UDP or a stream; IPv4 or IPv6 */
	_Atomic uint64_t with_do;
	struct tally_sizes request_sizes[2], response_sizes[2];
	_Atomic uint64_t times[TALLY_TIMES], time_us;
	_Atomic uint64_t statuses[TALLY_STATUSES];
	struct tally_response responses[TALLY_RESPONSES];
	uint32_t pending;              /* of the batch at hand, whose time is not known yet: the worker's alone */
	struct tally *next_pending;
};

/* A question of so many bytes. */
void tally_request(struct tally *t, const struct client *c, size_t size);
/* Its reply; plugin: who made it, "" nobody. */
struct tally_reply {
	unsigned rcode;
	const char *plugin;
	size_t size;
};
void tally_response(struct tally *t, const struct client *c, const struct tally_reply *r);
/* How long n replies took. */
void tally_time(struct tally *t, uint64_t us, uint32_t n);
/* So many responses over HTTPS had this status. */
void tally_status(struct tally *t, unsigned status, uint32_t n);
/* What several workers counted of the same route; its labels, ready to print. */
void tally_samples(const struct tally *const *list, unsigned n, const char *labels, struct samples *to);

#endif
