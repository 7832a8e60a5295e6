/* pool: what one worker knows of a group of upstreams and the connections it keeps to them. Health and round trips of
 * each server, a circuit breaker with the cause told, persistent pipelined streams with answers in any order. It lives
 * between questions and over reloads. A question's own dealings with the group are an exchange (exchange.h). */
#ifndef CORE_POOL_H
#define CORE_POOL_H

#include "base/addr.h"
#include "base/map.h"
#include "core/engine.h"
#include "core/upstream.h"

enum transport { TRANSPORT_UDP, TRANSPORT_TCP, TRANSPORT_DOT };

#define STREAMS_MAX 4u             /* connections to one server by one worker */
#define PIPELINE_MAX 256u          /* questions under way on one connection before another is opened */
#define STREAM_QUEUE_MAX 65536u    /* bytes kept for a connection that is still opening */
#define CAUSE_MAX 200u
#define WORLD_SERVERS_MAX 65535u

struct pool;

/* A pool of its own copy of the group's servers. */
struct pool *pool_new(const struct upstream_group *g);
/* A pool of authoritative servers found on the way, at first empty: asked over UDP, and over TCP what UDP cannot carry;
 * nobody is told of each one's health. */
struct pool *pool_of_world(unsigned max);
/* A server of such a pool: number `at`, at most one more than there are, is this address from now on, and nothing is
 * known of it. returns `at`, -1: the one that was there still has connections */
int pool_put(struct pool *p, unsigned at, const struct addr *addr);
/* Where all workers find, for each server, whether proofs come through it (enum upstream_proofs; report.h). */
void pool_share(struct pool *p, const _Atomic uint8_t *proofs);
/* Where the pools of all workers count; NULL: nowhere. */
void pool_count(struct pool *p, struct relay_counts *counts);
/* Is it time to ask a server that was passed over whether it is back? A yes counts as done. *ret_due: when it will be,
 * NEVER when there is nothing to ask. */
bool pool_probe(struct pool *p, unsigned server, msec now, msec *ret_due);
/* Close all; every stream's owner is told. Call with e->fx set. */
void pool_close(struct pool *p, struct engine *e);
void pool_free(struct pool *p);
/* In engine->pools from the first use on. */
struct pool *pool_next(const struct pool *p);
msec pool_deadline(const struct pool *p);
void pool_turn(struct pool *p);

/* Whose a question on the wire is: found again by id, or not at all when its query is gone. */
struct token {
	slot_id query;
	uint8_t attempt;
};

/* Servers of a pool that can answer one question, by their numbers in it. */
struct party {
	unsigned n;
	uint16_t servers[UPSTREAMS_MAX];
};
struct choice {
	uint64_t tried;            /* a bit for each place in the party: not these */
	bool broken_too;           /* those whose breaker is open as well, if they did not fail to prove their name */
};
/* The place in the party of the best server, -1: none. Round-trip order with chance among near equals. */
int pool_pick(struct pool *p, struct engine *e, const struct party *of, struct choice how);
unsigned pool_size(const struct pool *p);
const struct upstream *pool_upstream(const struct pool *p, unsigned server);
/* Is its breaker open, and why. */
bool pool_broken(const struct pool *p, unsigned server);
const char *pool_cause(const struct pool *p, unsigned server);
bool pool_cause_is_auth(const struct pool *p, unsigned server);
/* How long to wait for its answer before another is asked as well. */
msec pool_patience(const struct pool *p, unsigned server);

/* May a question that somebody has already be asked of another server as well? Counts as done. */
bool pool_may_hedge(struct pool *p);

/* Send a message (its id is replaced) on a stream to the server; the answer comes to exchange_reply under `token`.
 * returns OK | ERR_LIMIT its connections are full */
enum err pool_stream_send(struct pool *p, struct engine *e, unsigned server, struct span message, struct token token)
	MUST_CHECK;
/* Its asker no longer waits: its place on the stream is free again. */
void pool_stream_forget(struct pool *p, unsigned server, struct token token);
/* For whoever counts: a question went out, over a connection there was or a new one; an answer came. */
void pool_note_sent(struct pool *p, unsigned server, enum transport transport, bool reused);
void pool_note_answer(struct pool *p, unsigned server, unsigned rcode, msec took);
/* What became of a question: a round trip, or nothing in time. */
void pool_answered(struct pool *p, unsigned server, msec rtt);
void pool_late(struct pool *p, unsigned server);
/* The network refused a datagram. */
void pool_failed(struct pool *p, struct engine *e, unsigned server, const char *why);
/* Every server is tried again at once. returns how many were passed over */
unsigned pool_forgive(struct pool *p);

/* EV_OPENED, EV_MESSAGE, EV_CLOSED. */
void pool_stream_event(struct engine *e, const struct event *ev);

#endif
