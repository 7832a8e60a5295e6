/* probe: a question whose answer proves that a resolver's workers turn: one that no plugin is asked (an opcode that
 * nobody serves is refused by the server itself), from a new port each time, so that it meets another worker. */
#ifndef APP_PROBE_H
#define APP_PROBE_H

#include "base/addr.h"
#include "base/rng.h"

struct probe {
	struct addr to;
	struct rng rng;
	int fd;              /* readable when something came; -1: none is under way */
	uint16_t id;
};

void probe_init(struct probe *p, const struct addr *to);
void probe_close(struct probe *p);
/* Nothing waits for an answer any more. */
void probe_forget(struct probe *p);
/* Ask; what was asked before is forgotten. */
void probe_send(struct probe *p);
/* Read what came: true once, when it is the answer. */
bool probe_answered(struct probe *p);
/* One was sent, or could not be, and is not answered. */
bool probe_waits(const struct probe *p);

#endif
