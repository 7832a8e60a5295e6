/* serve: clients of one worker: datagrams, and connections over TCP and TLS. A question that the fast path answers
 * never leaves its packet; the others enter the engine and come back as FX_REPLY. */
#ifndef APP_SERVE_H
#define APP_SERVE_H

#include "app/worker.h"

struct serving;

struct serving *serving_new(struct worker *w);
void serving_free(struct serving *s);
/* Listen on what this generation names and the one before did not; and the other way round. */
void serving_enter(struct serving *s, const struct generation *g, const struct generation *before);
/* Stop taking new questions: for the end of service. */
void serving_stop(struct serving *s, const struct generation *g);

void serving_datagrams(struct serving *s, uint32_t listener);
void serving_accept(struct serving *s, uint32_t listener);
void serving_conn(struct serving *s, const struct loop_event *ev);
/* A question of the engine's is through. */
void serving_reply(struct serving *s, const struct query *q);
/* One message of several that answer a question. */
void serving_part(struct serving *s, const struct query *q, struct span message);
/* Send what the turn has gathered. */
void serving_flush(struct serving *s);
/* Close what idles too long, and listen again where there was no room. */
void serving_housekeeping(struct serving *s);
/* Is there anything to keep house for? */
bool serving_keeps(const struct serving *s);

#endif
