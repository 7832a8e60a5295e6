/* play_network: the network of a scenario: sockets and streams of the resolver, its questions that nobody has answered
 * yet, and what servers say to them by the script's ranges and steps. */
#ifndef SIM_PLAY_NETWORK_H
#define SIM_PLAY_NETWORK_H

#include "sim/play.h"

struct conduit *network_conduit(struct player *p, uint64_t id, bool stream);
void network_open(struct player *p, uint64_t id, bool stream, const struct addr *to);
/* Something happens to the socket or stream of o; bytes live as long as the scenario. */
void network_post(struct player *p, enum event_kind kind, const struct out *o, struct span bytes);
/* The resolver has sent a message. */
void network_sent(struct player *p, const struct conduit *c, struct span wire);
/* Forget a question; all of a socket or stream. */
void network_drop(struct player *p, unsigned i);
void network_drop_all(struct player *p, uint64_t id, bool stream);
void network_out_text(const struct out *o, struct buf *to);

/* A server says this; nobody knows better. */
void network_respond(struct player *p, const struct out *o, const struct rpl_entry *e);
void network_servfail(struct player *p, const struct out *o);
/* What the ranges of this step have for the questions there are. */
void network_answer(struct player *p);
/* Is the question the one that the step waits for? */
bool network_is_due(const struct player *p, const struct rpl_step *s, const struct out *o);
/* The step asks for this question and has it. */
void network_check_out(struct player *p, unsigned i);
/* Look at what has come in. */
void network_take(struct player *p);

#endif
