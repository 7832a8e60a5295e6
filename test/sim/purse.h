/* purse: what each client's question of a scenario may spend, and what was spent in all. Without one nothing is
 * limited and nothing counted. */
#ifndef SIM_PURSE_H
#define SIM_PURSE_H

#include "core/engine.h"

#define PURSE_LAST 300u

struct purse {
	uint32_t packets, verifies, questions;   /* 0: as much as always */
	unsigned sent;                /* questions sent upstream, but for those about the root itself */
	unsigned verified;            /* signatures checked and keys imported */
	char last[PURSE_LAST];        /* the last of those sent, as in a trace */
};

/* The client's question that has just come in gets no more than the purse holds. */
void purse_open(const struct purse *p, struct engine *e);
/* The resolver's network has seen `what` ("query", ...) of the question in text. */
void purse_note(struct purse *p, const char *what, const char *text);
void purse_close(struct purse *p, const struct metrics *m);

#endif
