#include "core/relay.h"

#include "wire/edns.h"
#include "wire/msg.h"

const char *const relay_protos[RELAY_PROTOS] = { "udp", "tcp", "tcp-tls" };
const char *const relay_rcodes[RELAY_RCODES] = { "NOERROR", "FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP", "REFUSED",
	                                         "other" };

void relay_answered(struct relay_server *s, unsigned rcode, msec took)
{
	unsigned row = MIN(rcode, RELAY_RCODES - 1u), bucket = 0;
	for (uint64_t us = 250; bucket < RELAY_BUCKETS && (uint64_t)took * 1000 > us; us *= 2)
		bucket++;
	relay_count(&s->times[row][bucket]);
	atomic_fetch_add_explicit(&s->spent_ms[row], (uint64_t)took, memory_order_relaxed);
}
